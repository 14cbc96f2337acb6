"""Backends: what evaluates programs, by name, and what each must offer to islands, evaluators, benchmarks.

A backend is a file of this folder with an object `BACKEND`; `get` imports it when it is asked for, so that
nothing here takes a compiler or a GPU before one is needed.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from zero.errors import DeviceError, unknown_name
from zero.programs.program import Memory, Program
from zero.tasks import TaskSet

BACKENDS = ("cpu", "reference", "cuda")

# Of one program: fitness of each task (T,), train steps of all, absolute errors (T, V) or None; as in
# `zero.programs.evaluator.Evaluation`, but before what failed is taken out.
Measured = tuple[np.ndarray, int, np.ndarray | None]


@dataclass(frozen=True)
class EvaluationSetup:
    """What the evaluation of programs depends on; see `zero.programs.evaluator.Evaluator`."""

    tasks: TaskSet
    dtype: str
    seed_key: int = 0
    max_abs_error: float = 100.0
    combine: str = "mean"
    strict: bool = False
    independent: bool = False
    keep_errors: bool = False

    @property
    def all_steps(self) -> int:
        """Train steps of a task that does not fail."""
        return self.tasks.epochs * self.tasks.steps


@dataclass(frozen=True)
class Repeater:
    """A program's evaluation, again and again, warmed up.

    run: evaluates `at_once` programs so many times. fitness and train_steps: of one program. details:
    what else a benchmark reports.
    """

    run: Callable[[int], object]
    fitness: float
    train_steps: int
    at_once: int = 1
    details: dict[str, Any] = field(default_factory=dict)


class ProgramRunner(Protocol):
    """Evaluates one program at a time on one task set."""

    def __call__(self, program: Program, memory: Memory) -> Measured:
        """Evaluates a program that fits the memory."""


class SearchModule(Protocol):
    """What an island breeds and evaluates programs with: a generated module, or what stands in for it.

    DTYPE and W: dtype and lanes of the evaluator's arrays. States, genomes, evaluators
    (`EvaluatorArrays`) and populations are what `pack` made of them.
    """

    DTYPE: str
    W: int

    @property
    def busy_seconds(self) -> float | None:
        """How long a device worked, None where there is none."""

    def pack(self, value: Any) -> Any:
        """Returns what the other functions take for a NamedTuple, whose arrays it shares."""

    def open_device(self, evaluator: Any) -> None:
        """Opens what full evaluations run on, in the process that is to use it."""

    def run_block(self, state: Any, quota: int, limits: np.ndarray) -> int:
        """See `zero.evolution.loop.run_block`; the functions are the module's own."""

    def run_batches(self, state: Any, quota: int, limits: np.ndarray) -> int:
        """See `zero.evolution.batches.run_batches`; the functions are the module's own."""

    def evaluate_program(self, genomes: Any, row: int, evaluator: Any) -> tuple[float, int]:
        """Evaluates a row without caches: (fitness, train steps); sets `task_fitness`."""

    def collect(self, population_: Any) -> None:
        """See `zero.evolution.population.collect`."""


class NoDevice:
    """What backends of the processor have in common: there is no device to look for or to share."""

    def check(self) -> None:
        """Does nothing: it runs everywhere."""

    def devices(self) -> list[str]:
        """Returns none."""
        return []

    def groups(self, islands: int) -> list[list[int]] | None:
        """Returns None."""
        return None


class Backend(Protocol):
    """One backend.

    for_one_program: name of the backend that evaluates single programs of a run, such as candidates.
    shares_module: whether those can run on the islands' module. slow: whether shipped programs take too
    long to be evaluated beside a search.
    """

    for_one_program: str
    shares_module: bool
    slow: bool

    def check(self) -> None:
        """Checks that it can be used in this process; may initialise a device here.

        Raises:
            DeviceError: it cannot; says what is missing.
        """

    def devices(self) -> list[str]:
        """Returns the names of the devices that islands are dealt out to; this process touches none.

        Raises:
            DeviceError: it needs one, and there is none.
        """

    def groups(self, islands: int) -> list[list[int]] | None:
        """Returns which of so many islands share a process; None: each has its own."""

    def modules(self, setup: EvaluationSetup, search: str, islands: int) -> list[SearchModule]:
        """Returns what each island of an experiment evaluates programs with.

        setup: of the search tasks. search: name of the search method.
        """

    def runner(self, setup: EvaluationSetup, module: SearchModule | None = None) -> ProgramRunner:
        """Returns what evaluates single programs.

        module: one of `modules`, to be shared; by default one that suits the tasks.
        """

    def repeater(
        self, setup: EvaluationSetup, search: str, program: Program, memory: Memory
    ) -> Repeater:
        """Returns a program's evaluation without caches, for timing.

        memory: addresses of programs of the run, at least as many as this one needs.
        """


def repeated(tasks: TaskSet, errors: np.ndarray) -> np.ndarray:
    """Returns errors (T, V) of trained networks, of those that score on fewer examples repeated to V."""
    assert tasks.training is not None
    rows = errors.shape[1]
    networks = tasks.training.networks
    found = [np.resize(e[: n.valid], rows) for e, n in zip(errors, networks, strict=True)]
    return np.array(found, dtype=np.float64)


def get(name: str) -> Backend:
    """Returns a backend by name.

    Raises:
        DeviceError: there is no such backend.
    """
    if not isinstance(name, str) or name not in BACKENDS:
        raise DeviceError(unknown_name("backend", name, BACKENDS))
    backend: Backend = importlib.import_module(f"{__name__}.{name}").BACKEND
    return backend

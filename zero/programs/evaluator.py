"""Fitness of programs on a task set, on any backend: the one interface above the interpreters.

The search itself calls its module directly (`zero.programs.island`); this is for everything that looks at
one program at a time: selection, final figures, `zero evaluate`, tests, Python users.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from zero.errors import ConfigError, ProgramError, unknown_name, what_is
from zero.programs.backends import BACKENDS, EvaluationSetup, SearchModule, get
from zero.programs.interpreter.reference import COMBINE, combine, fitness_of_loss
from zero.programs.program import (
    Memory,
    Program,
    memory_needed,
    validate_program,
)
from zero.tasks import TaskFamily, TaskSet

__all__ = ["BACKENDS", "COMBINE", "DTYPES", "Evaluation", "Evaluator", "check_backend"]

DTYPES = ("float64", "float32")


@dataclass(frozen=True)
class Evaluation:
    """Result of one program on T tasks of V scored examples each.

    fitness: over tasks. task_fitness (T,). train_steps: of all tasks. errors (T, V): absolute errors
    of the last validation (for accuracy 1 where the class is wrong), NaN for a task that failed in
    training or in that validation; None unless the evaluator keeps them.
    """

    fitness: float
    task_fitness: np.ndarray
    train_steps: int
    errors: np.ndarray | None = None


def check_backend(backend: str) -> None:
    """Checks that a backend can be used here.

    For "cuda" it initialises CUDA in this process, which must not fork workers afterwards; a run asks
    `zero.programs.backends.Backend.devices` instead.

    Raises:
        DeviceError: there is no such backend, or it cannot run on this machine.
    """
    get(backend).check()


def _check_arguments(
    tasks: Any, dtype: Any, memory: Any, seed_key: Any, max_abs_error: Any, combine: Any
) -> None:
    """Raises ConfigError if an argument of `Evaluator` is none of those allowed."""
    if not isinstance(tasks, TaskSet):
        hint = ""
        if isinstance(tasks, TaskFamily):
            hint = '; make one of it with zero.make_task_set(family, "select")'
        raise ConfigError(f"an Evaluator takes a TaskSet, got {what_is(tasks)}{hint}")
    for what, value, known in (("dtype", dtype, DTYPES), ("combine", combine, COMBINE)):
        if not isinstance(value, str) or value not in known:
            raise ConfigError(unknown_name(what, value, known))
    if tasks.classes and memory is not None and isinstance(memory, Memory) and memory.vectors < 3:
        raise ConfigError(
            f"vector labels need memory of at least 3 vectors (features, label, prediction), got {memory}"
        )
    if memory is not None and not isinstance(memory, Memory):
        raise ConfigError(
            f"memory must be a zero.programs.program.Memory or None, got {what_is(memory)}"
        )
    if isinstance(seed_key, bool) or not isinstance(seed_key, int | np.integer):
        raise ConfigError(f"seed_key must be a whole number, got {what_is(seed_key)}")
    if not isinstance(max_abs_error, int | float | np.number) or not max_abs_error > 0:
        raise ConfigError(f"max_abs_error must be a number above 0, got {what_is(max_abs_error)}")


class Evaluator:
    """Evaluates programs on one task set.

    Args:
        tasks: the task set.
        backend: "cpu" (compiled), "reference" (NumPy, slow) or "cuda" (one GPU, which one program at
            a time leaves almost idle; initialises CUDA in this process).
        dtype: "float64" or "float32".
        memory: addresses; by default as many as each program needs.
        seed_key: 64-bit key of the random ops' draws (`zero.rng.philox.key_for`).
        max_abs_error: training stops at an error above this.
        combine: "mean", "median" or "min" over tasks.
        module: for "cpu", a generated module to use instead of the one that suits the tasks.
        strict: for "cuda", sums of products are rounded as on the CPU.
        independent: the fitness of a predictor: validation rows know nothing of each other. Each is
            predicted from the memory that training left after its last epoch (random draws are the
            same for all), whatever came before it; 0 where training fails in any epoch. Otherwise
            memory lasts from row to row, as in the original engine, and the best epoch counts.
        keep_errors: evaluations hold the errors on every row.

    Of tasks with weights (`TaskSet.valid_weights`) errors are always kept, and the fitness is that of the
    weighted errors after the last epoch.

    The fitness of a task is in [0, 1], 0 where training failed (spec, section 4). Same arguments,
    same bits on one machine; backends agree to rounding.

    Raises:
        ConfigError: an argument is none of these. DeviceError: the backend cannot be used here.
    """

    def __init__(
        self,
        tasks: TaskSet,
        backend: str = "cpu",
        dtype: str = "float64",
        memory: Memory | None = None,
        seed_key: int = 0,
        max_abs_error: float = 100.0,
        combine: str = "mean",
        module: SearchModule | None = None,
        strict: bool = False,
        independent: bool = False,
        keep_errors: bool = False,
    ):
        _check_arguments(tasks, dtype, memory, seed_key, max_abs_error, combine)
        check_backend(backend)
        self.tasks, self.memory, self.dtype = tasks, memory, dtype
        self.max_abs_error, self.combine = max_abs_error, combine
        setup = EvaluationSetup(
            tasks,
            dtype,
            seed_key,
            max_abs_error,
            combine,
            strict,
            independent,
            keep_errors or tasks.valid_weights is not None,
        )
        self._run = get(backend).runner(setup, module)

    def __call__(self, program: Program) -> Evaluation:
        """Returns the program's evaluation.

        Raises:
            ProgramError: it is no program, or does not fit the memory.
        """
        if not isinstance(program, Program):
            hint = ""
            if isinstance(program, str):
                hint = (
                    "; load it with zero.load_program, or with "
                    "zero.programs.program.parse_program if it is text"
                )
            raise ProgramError(f"an Evaluator takes a Program, got {what_is(program)}{hint}")
        memory = self.memory or memory_needed(program, self.tasks.labels)
        validate_program(program, memory)
        task_fitness, steps, errors = self._run(program, memory)
        predicts = self.tasks.training is None
        if errors is not None and predicts and self.tasks.metric == "rms_error":
            errors[~(errors <= self.max_abs_error).all(axis=1)] = np.nan
        if self.tasks.valid_weights is not None:
            assert errors is not None
            task_fitness = _weighted_fitness(self.tasks, errors)
        return Evaluation(combine(task_fitness, self.combine), task_fitness, steps, errors)

    def __repr__(self) -> str:
        return f"<Evaluator: {self.dtype}, {self.combine} over {self.tasks!r}>"


def _weighted_fitness(tasks: TaskSet, errors: np.ndarray) -> np.ndarray:
    """Returns the fitness (T,) of errors (T, V), 0 for a task that failed (NaN)."""
    squares = errors.astype(np.float64) ** 2  # those of classes are 0 or 1
    losses = [np.average(e, weights=w) for e, w in zip(squares, tasks.valid_weights, strict=True)]
    fitness = [fitness_of_loss(loss, tasks.metric == "accuracy") for loss in losses]
    return np.nan_to_num(np.array(fitness))

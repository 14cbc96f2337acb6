"""The search on the reference interpreter: the same loop in plain Python, slow, for checking.

Every program is evaluated in full: no caches, no hurdle, no train budget. Random programs and mutations
are the compiled ones, so that one seed makes the same programs on every backend.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from zero.evolution import batches, loop, population
from zero.evolution.loop import SearchFunctions, SearchState
from zero.evolution.population import Population
from zero.programs import mutations
from zero.programs.backends import ProgramRunner
from zero.programs.interpreter import cpu
from zero.programs.interpreter.arrays import EVALUATED, EvaluatorArrays
from zero.programs.interpreter.reference import combine
from zero.programs.mutations import Genomes, Space
from zero.programs.program import from_arrays, memory_needed
from zero.search import get as get_search


class ReferenceModule:
    """Stands in for a generated module; a `zero.programs.backends.SearchModule`.

    Args:
        runner: evaluates a program on the search tasks.
        combine: how the fitness over tasks is made of those on each.
        dtype: of memory and arithmetic.
        search: name of the search method.
    """

    W = 1
    busy_seconds = None

    def __init__(self, runner: ProgramRunner, combine: str, dtype: str, search: str):
        self.DTYPE, self._runner, self._combine = dtype, runner, combine
        self._compiled = cpu.build(dtype, 1, search)
        self._functions = SearchFunctions(
            choose=get_search(search).choose,
            create_initial=mutations.create_initial,
            create=mutations.create,
            breed=self._breed,
            evaluate=self._evaluate,
        )
        self._space: tuple[Space | None, Any] = (None, None)  # the last one and its handle
        self._evaluator: tuple[EvaluatorArrays | None, Any] = (None, None)  # so, too

    def pack(self, value: tuple) -> tuple:
        """Returns the tuple itself, which Python can read."""
        return value

    def open_device(self, evaluator: EvaluatorArrays) -> None:
        """Does nothing: there is none."""

    def run_block(self, state: SearchState, quota: int, limits: np.ndarray) -> int:
        """`zero.evolution.loop.run_block` with the reference's evaluation."""
        return loop.run_block(self._functions, self._with_handle(state), quota, limits)

    def run_batches(self, state: SearchState, quota: int, limits: np.ndarray) -> int:
        """`zero.evolution.batches.run_batches` with the reference's evaluation."""
        return batches.run_batches(self._functions, self._with_handle(state), quota, limits)

    def _with_handle(self, state: SearchState) -> SearchState:
        """Returns the state with a space that the compiled mutations can read."""
        if self._space[0] is not state.space:
            self._space = (state.space, self._compiled.pack(state.space))
        return state._replace(space=self._space[1])

    def _breed(
        self, genomes: Genomes, parent: int, row: int, space: Any, evaluator: Any, rng: np.ndarray
    ) -> int:
        if self._evaluator[0] is not evaluator:
            self._evaluator = (evaluator, self._compiled.pack(evaluator))
        kind: int = self._compiled.breed(genomes, parent, row, space, self._evaluator[1], rng)
        return kind

    def _evaluate(
        self, genomes: Genomes, row: int, evaluator: EvaluatorArrays
    ) -> tuple[float, int]:
        evaluator.counters[EVALUATED] += 1
        return self.evaluate_program(genomes, row, evaluator)

    def evaluate_program(
        self, genomes: Genomes, row: int, evaluator: EvaluatorArrays
    ) -> tuple[float, int]:
        """Writes `task_fitness` and returns (fitness, train steps taken)."""
        program = from_arrays(*cpu.read_arrays(genomes, row, evaluator.starts))
        labels = "vector" if evaluator.settings.classes else "scalar"
        task_fitness, steps, _ = self._runner(program, memory_needed(program, labels))
        evaluator.task_fitness[: len(task_fitness)] = task_fitness
        return combine(task_fitness, self._combine), steps

    def collect(self, population_: Population) -> None:
        """`zero.evolution.population.collect`."""
        population.collect(population_)

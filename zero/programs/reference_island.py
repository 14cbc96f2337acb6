"""The search on the reference interpreter: the same loop in plain Python, slow, for checking.

Looks like a generated module to `zero.programs.island`. Every program is evaluated in full: no caches, no
hurdle, no train budget. Random programs and mutations are the compiled ones, so that one seed makes
the same programs on every backend.
"""

from __future__ import annotations

from zero.evolution import batches, loop, population
from zero.programs import mutations
from zero.programs.evaluator import Evaluation, Evaluator
from zero.programs.interpreter import cpu
from zero.programs.interpreter.arrays import EVALUATED
from zero.programs.program import from_arrays
from zero.search import get as get_search


class ReferenceModule:
    """Stands in for a module of `zero.programs.interpreter.cpu.build`.

    Args:
        evaluate: evaluates a program on the search tasks.
        dtype: of memory and arithmetic.
        search: name of the search method.
    """

    W = 1

    def __init__(self, evaluate: Evaluator, dtype: str, search: str):
        self.DTYPE, self._evaluator = dtype, evaluate
        self._compiled = cpu.build(dtype, 1, search)
        self._choose = get_search(search).choose
        self._space = (None, None)  # the last space and its compiled handle

    def pack(self, value: tuple) -> tuple:
        """Returns the tuple itself, which Python can read."""
        return value

    def run_block(
        self, people, settings, genomes, space, evaluator, rng, quota, limits, numbering
    ) -> int:
        """`zero.evolution.loop.run_block` with the reference's evaluation."""
        return loop.run_block(
            *self._methods(), people, settings, genomes, self._packed(space), evaluator, rng, quota,
            limits, numbering,
        )  # fmt: skip

    def run_batches(
        self, people, settings, genomes, space, evaluator, rng, quota, limits, numbering, batch
    ) -> int:
        """`zero.evolution.batches.run_batches` with the reference's evaluation."""
        return batches.run_batches(
            *self._methods(), people, settings, genomes, self._packed(space), evaluator, rng, quota,
            limits, numbering, batch,
        )  # fmt: skip

    def _methods(self) -> tuple:
        """Returns what the loops are given: choose, create_initial, create, breed, evaluate."""

        def evaluate(genomes, record, evaluator):
            result = self._evaluate(genomes, record, evaluator)
            evaluator.counters[EVALUATED] += 1
            return result.fitness, result.train_steps

        create = mutations.create_initial, mutations.create
        return self._choose, *create, self._compiled.breed, evaluate

    def _packed(self, space):
        if self._space[0] is not space:
            self._space = (space, self._compiled.pack(space))
        return self._space[1]

    def _evaluate(self, genomes, row, evaluator) -> Evaluation:
        return self._evaluator(from_arrays(*cpu.read_arrays(genomes, row, evaluator.starts)))

    def evaluate_program(self, genomes, row, evaluator) -> tuple[float, int]:
        """Writes `task_fitness` and returns (fitness, train steps taken)."""
        result = self._evaluate(genomes, row, evaluator)
        evaluator.task_fitness[: len(result.task_fitness)] = result.task_fitness
        return result.fitness, result.train_steps

    def collect(self, people) -> None:
        """`zero.evolution.population.collect`."""
        population.collect(people)

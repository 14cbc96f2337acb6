"""The search on the reference interpreter: the same loop in plain Python, slow, for checking.

Looks like a generated module to `zero.island`. Every program is evaluated in full: no caches, no
hurdle, no train budget.
"""

from __future__ import annotations

import numpy as np

from zero import loop, mutations, population
from zero.evaluator import Evaluator
from zero.interpreter import cpu
from zero.interpreter.arrays import COMBINE, EVALUATED
from zero.program import from_arrays
from zero.search import get as get_search


class ReferenceModule:
    """Stands in for a module of `zero.interpreter.cpu.build`.

    Args:
        evaluate: evaluates a program on the search tasks.
        dtype: of memory and arithmetic.
        search: name of the search method.
    """

    W = 1

    def __init__(self, evaluate: Evaluator, dtype: str, search: str):
        self.DTYPE, self._evaluate_program = dtype, evaluate
        self._compiled = cpu.build(dtype, 1, search)
        self._choose = get_search(search).choose
        self.interpret = self._compiled.interpret

    def __getattr__(self, name: str):
        # Handles of structs are made by the compiled module; its mutations are used too.
        if name.startswith("make_"):
            return getattr(self._compiled, name)
        raise AttributeError(name)

    def run_block(
        self, people, settings, genomes, space, evaluator, rng, quota, limits, numbering
    ) -> int:
        """`zero.loop.run_block` with the reference's evaluation."""

        def evaluate(genomes, row, evaluator):
            result = self._evaluate(genomes, row, evaluator)
            evaluator.counters[EVALUATED] += 1
            return result.fitness, result.train_steps

        return loop.run_block(
            self._choose, mutations.create_initial, mutations.create, self._compiled.breed,
            evaluate, people, settings, genomes, space, evaluator, rng, quota, limits, numbering,
        )  # fmt: skip

    def _evaluate(self, genomes, row, evaluator):
        program = from_arrays(*cpu.read_arrays(genomes, row, evaluator.starts))
        return self._evaluate_program(program)

    def evaluate_program(self, genomes, row, evaluator):
        """Writes `task_fitness` and returns (fitness, train steps taken)."""
        result = self._evaluate(genomes, row, evaluator)
        evaluator.task_fitness[: len(result.task_fitness)] = result.task_fitness
        return result.fitness, result.train_steps

    def collect(self, people) -> None:
        """`zero.population.collect`."""
        population.collect(people)

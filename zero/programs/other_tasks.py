"""Islands of one run that search different tasks (`tasks: {search: [...]}`): whose figures count where.

As in the paper's supplement S3, where half of the workers search on MNIST. A fitness says something on the
tasks it was measured on only, so an individual that comes from an island with other tasks is evaluated
anew before it takes a place, as a child of the island would be: the hurdle and the train budget hold, its
train steps count; the caches are left alone. Its ancestors are only history; their fitness is not known
here (NaN in records) unless they arrive themselves. Who comes from an island with the same tasks keeps
the fitness that was measured there.

Islands with the same tasks throughout need nothing of this, and their states have nothing of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from zero.evolution.population import TRAIN_STEPS, Population
from zero.programs.interpreter.arrays import EvaluatorArrays
from zero.programs.mutations import Genomes


@dataclass
class OtherTasks:
    """What an island knows of the others' tasks.

    tasks_of: which tasks each island has, by number. index: of this island. name: of its tasks, for people.
    first, total: where these tasks stand among all that the run searches. unmeasured: numbers of individuals
    held here whose fitness is that of other tasks.
    """

    tasks_of: Sequence[int]
    index: int
    name: str
    first: int
    total: int
    unmeasured: set[int] = field(default_factory=set)

    @property
    def mine(self) -> int:
        """The number of this island's tasks."""
        return self.tasks_of[self.index]

    def among_all(self, task_fitness: np.ndarray) -> np.ndarray:
        """Returns the fitness on each task among those on all tasks, which are NaN."""
        found = np.full(self.total, np.nan)
        found[self.first : self.first + len(task_fitness)] = task_fitness
        return found

    def are_unmeasured(self, numbers: np.ndarray) -> np.ndarray:
        """Returns of individuals held here whether their fitness is that of other tasks."""
        return np.isin(numbers, self._sorted())

    def elsewhere(self, islands: np.ndarray) -> np.ndarray:
        """Returns whether those islands have other tasks than this one."""
        return np.asarray(self.tasks_of)[islands] != self.mine

    def known(self, numbers: np.ndarray, islands: np.ndarray, fitness: np.ndarray) -> np.ndarray:
        """Returns of immigrants the fitness on these tasks, NaN where it is not known.

        numbers, islands, fitness: of each its number, who sent it, its fitness there.
        """
        there = dict(
            zip(
                *(a[~self.elsewhere(islands)].tolist() for a in (numbers, fitness)),
                strict=True,
            )
        )
        # Several islands may send the same one; one with these tasks is enough.
        return np.array([there.get(number, math.nan) for number in numbers.tolist()])

    def settle(
        self,
        population: Population,
        evaluate: Callable[[int], tuple[float, int]],
        came: tuple[np.ndarray, np.ndarray],
        held: np.ndarray,
        arrived: np.ndarray,
        known: np.ndarray,
    ) -> None:
        """Gives those who are to take a place the fitness that they have on these tasks.

        Args:
            population: of the island to which they come.
            evaluate: record -> (fitness, train steps taken) on these tasks.
            came: records that are new here, immigrants and ancestors; whether their fitness is of
                other tasks.
            held: records that were here before.
            arrived: records of those who are to take a place.
            known: their fitness as `known` returned it.
        """
        p = population
        records, foreign = came
        here = set(p.number[np.concatenate([held, records])].tolist())
        self.unmeasured &= here  # the others were forgotten
        self.unmeasured |= set(p.number[records[foreign]].tolist())
        new = set(records.tolist())
        for record, fitness in zip(arrived.tolist(), known.tolist(), strict=True):
            number = int(p.number[record])
            if record not in new and number not in self.unmeasured:
                continue  # it lives here, or did
            if math.isnan(fitness):
                fitness, steps = evaluate(record)
                p.counts[TRAIN_STEPS] += steps
            p.fitness[record] = fitness
            self.unmeasured.discard(number)
            new.discard(record)

    # --- state ----------------------------------------------------------------------------------

    def state(self) -> np.ndarray:
        """Returns all that changes."""
        return self._sorted()

    def restore(self, state: np.ndarray) -> None:
        """Takes over what `state` gave."""
        self.unmeasured = set(state.tolist())

    def _sorted(self) -> np.ndarray:
        return np.array(sorted(self.unmeasured), dtype=np.int64)


def static_cost(arrays: EvaluatorArrays, genomes: Genomes, record: int) -> float:
    """Returns the static cost of a record on one of an evaluator's tasks (spec, 6.5)."""
    costs = []
    for start, size in zip(arrays.starts[:3], genomes.sizes[record], strict=True):
        ops = genomes.code[record, start : start + size, 0]
        costs.append(float(np.sum(arrays.tables.cost[ops], dtype=np.float64)))
    return costs[0] + (costs[1] + costs[2]) * arrays.settings.steps

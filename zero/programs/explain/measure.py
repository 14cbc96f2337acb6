"""Evaluating variants of a program, and by how much they differ from it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from zero.programs.evaluator import Evaluation, Evaluator
from zero.programs.figures import difference_of
from zero.programs.program import Program
from zero.tasks import TaskSet

Evaluations = list[Evaluation]  # one for each seed of the random draws


@dataclass(frozen=True)
class Difference:
    """By how much one program is fitter than another, with its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def certain(self) -> bool:
        """Whether the interval leaves no doubt about the sign."""
        return self.low > 0.0 or self.high < 0.0


class Meter:
    """Evaluates programs on one task set, once for each seed, until so many evaluations are made.

    Args:
        evaluators: of the same tasks, one for each seed of the random draws; they keep errors.
        most: how many evaluations may be made in all.
        told: called after each with how many were made.
    """

    def __init__(
        self,
        evaluators: Sequence[Evaluator],
        most: int,
        told: Callable[[int], None] = lambda made: None,
    ):
        self.evaluators, self.most, self.told = evaluators, most, told
        self.made = 0

    @property
    def tasks(self) -> TaskSet:
        """The tasks."""
        return self.evaluators[0].tasks

    @property
    def seeds(self) -> int:
        """How many seeds each program is evaluated with."""
        return len(self.evaluators)

    @property
    def spent(self) -> bool:
        """Whether another program would be more evaluations than may be made."""
        return self.made + self.seeds > self.most

    def __call__(self, program: Program) -> Evaluations:
        """Returns the program's evaluation with each seed."""
        found = []
        for evaluate in self.evaluators:
            found.append(evaluate(program))
            self.made += 1
            self.told(self.made)
        return found


def fitness_of(evaluations: Evaluations) -> float:
    """Returns the fitness over tasks and seeds."""
    return float(np.mean([e.task_fitness.mean() for e in evaluations]))


def fails(evaluations: Evaluations) -> bool:
    """Returns whether a program failed on every task with every seed."""
    return all(e.errors is not None and bool(np.isnan(e.errors).all()) for e in evaluations)


def difference(tasks: TaskSet, one: Evaluations, other: Evaluations) -> Difference:
    """Returns by how much the first is fitter, both with the same seeds.

    The interval is Student's, of the differences on each task (mean over seeds; tasks draw random numbers
    of their own, so it holds what seeds do). A single task is compared example by example.
    """
    pairs = list(zip(one, other, strict=True))
    if tasks.num_tasks == 1:
        found = [difference_of(tasks, a, b) for a, b in pairs]
        value, spread = (float(np.mean(part)) for part in zip(*found, strict=True))
        return Difference(value, value - 1.96 * spread, value + 1.96 * spread)
    from scipy.special import stdtrit  # takes a while to import

    by_task = np.mean([a.task_fitness - b.task_fitness for a, b in pairs], axis=0)
    number, value = len(by_task), float(by_task.mean())
    half = float(stdtrit(number - 1, 0.975)) * float(by_task.std(ddof=1)) / math.sqrt(number)
    return Difference(value, value - half, value + half)

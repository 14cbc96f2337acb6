"""What a search is after: accuracy alone, or accuracy against what a candidate costs.

Accuracy is the share of valid examples that are right or, where the classes are unequal and the metric
says so, the mean over classes of these shares (`METRICS`).

* `accuracy`: fitness is the accuracy on the valid examples.
* `mnasnet`: accuracy * (cost / target) ** exponent, with another exponent where the cost is below the
  target if one is given (Tan et al. 2019, "MnasNet", equation 2; soft constraint: both -0.07, hard:
  0 below and -1 above).
* `pareto`: fitness is the accuracy, but parents are chosen by how few of the living dominate them
  (Deb et al. 2002, "NSGA-II": fronts, and in a front those with room around them first).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
from pydantic import Field

from zero.config.sections import Section


class Objective(Section):
    """What candidates are compared by.

    kind: see above. metric: which of `METRICS` is called accuracy. cost: which figure of a candidate is
    weighed against it. target (in the cost's unit), exponent, exponent_below (by default as exponent):
    of `mnasnet`.
    """

    kind: Literal["accuracy", "mnasnet", "pareto"] = "accuracy"
    metric: Literal["accuracy", "balanced_accuracy"] = "accuracy"
    cost: str = "parameters"
    target: float | None = Field(None, gt=0)
    exponent: float = Field(-0.07, le=0)
    exponent_below: float | None = Field(None, le=0)

    def accuracy_of(self, trial: Any) -> float:
        """Returns the accuracy that counts of a trial of `zero.evolution.object_island`."""
        return trial.accuracy if self.metric == "accuracy" else trial.balanced_accuracy

    def weighs(self, cost: str) -> bool:
        """Returns whether a figure of the candidates counts beside their accuracy."""
        return self.kind != "accuracy" and self.cost == cost

    def fitness(self, accuracy: float, cost: float) -> float:
        """Returns a candidate's fitness."""
        if self.kind != "mnasnet":
            return accuracy
        if self.target is None:
            raise ValueError("mnasnet needs a target")
        ratio = max(cost, 1e-12) / self.target
        below = self.exponent if self.exponent_below is None else self.exponent_below
        return accuracy * ratio ** (below if ratio <= 1 else self.exponent)


OBJECTIVES: tuple[str, ...] = get_args(Objective.model_fields["kind"].annotation)
METRICS: tuple[str, ...] = get_args(Objective.model_fields["metric"].annotation)


def dominance_fronts(fitness: np.ndarray, cost: np.ndarray) -> np.ndarray:
    """Returns the number of each individual's front, int64 (n,): 0 is dominated by nobody.

    One individual dominates another if it has no less fitness and no more cost, and is better in one
    of them. Equal individuals share a front.
    """
    fronts = np.full(len(fitness), -1, dtype=np.int64)
    left, number = np.arange(len(fitness)), 0
    while len(left):
        f, c = fitness[left], cost[left]
        no_worse = (f[:, None] >= f) & (c[:, None] <= c)  # row is no worse than column
        better = (f[:, None] > f) | (c[:, None] < c)
        free = ~(no_worse & better).any(axis=0)
        fronts[left[free]] = number
        left, number = left[~free], number + 1
    return fronts


def pareto_front(fitness: Sequence[float], cost: Sequence[float]) -> list[int]:
    """Returns the places of those that nobody dominates, cheapest first; of equal ones the first."""
    best, found = -math.inf, []
    for place in sorted(range(len(cost)), key=lambda k: (cost[k], -fitness[k], k)):
        if fitness[place] > best and math.isfinite(fitness[place]):
            best = fitness[place]
            found.append(place)
    return found


def pareto_ranks(fitness: np.ndarray, cost: np.ndarray) -> np.ndarray:
    """Returns what individuals are chosen by, float64 (n,), larger is better; failures keep -inf.

    Minus the front's number, plus less than 1 by how far the neighbours in the front are away.
    """
    ranks = np.full(len(fitness), -np.inf)
    alive = np.flatnonzero(np.isfinite(fitness))
    if len(alive) == 0:
        return ranks
    fitness, cost = fitness[alive], cost[alive].astype(np.float64)
    fronts = dominance_fronts(fitness, cost)
    room = np.zeros(len(alive))
    for number in range(fronts.max() + 1):
        members = np.flatnonzero(fronts == number)
        for values in (fitness[members], cost[members]):
            order = np.argsort(values, kind="stable")
            spread = values[order[-1]] - values[order[0]]
            gaps = np.full(len(members), np.inf)  # the ends of a front are never crowded
            if len(members) > 2 and spread > 0:
                gaps[order[1:-1]] = (values[order[2:]] - values[order[:-2]]) / spread
            room[members] += gaps
    ranks[alive] = -fronts + np.where(
        np.isinf(room), 0.9, 0.9 * room / (1.0 + np.minimum(room, 1e9))
    )
    return ranks

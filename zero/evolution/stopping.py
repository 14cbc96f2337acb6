"""Which candidates of an island are stopped before their evaluation ends: halving, and forecasts.

Asked after each part of a trial. What it decides hangs on the island's records and rungs alone, so that a
restored island decides the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from zero.evolution.extrapolation import MOST, Finished, Forecaster


@dataclass(frozen=True)
class Stopped:
    """reason: for the record. fitness: what a candidate counts for, from that which it has reached."""

    reason: str
    fitness: Callable[[float], float]


class Stopping:
    """See the module's docstring.

    rungs: accuracies of those compared so far, a list each (`zero.evolution.halving.Rungs`).

    Args:
        rules: `zero.evolution.object_island.Rules`.
        section: of the config, for reasons.
        costs: a record -> the figures that the objective weighs its accuracy against.
        traits: a record -> what is known of it before it is evaluated, numbers.
    """

    def __init__(
        self,
        rules: Any,
        section: str,
        costs: Callable[[Any], tuple[float, ...]],
        traits: Callable[[Any], list[float]],
    ):
        self.objective, self.halving = rules.objective, rules.halving
        self.section, self.costs, self.traits = section, costs, traits
        self.rungs: list[list[float]] = [
            [] for _ in range(rules.halving.lists if rules.halving else 0)
        ]
        self.forecaster = Forecaster(rules.extrapolation) if rules.extrapolation else None

    def stopped(
        self, trial: Any, record: Any, records: dict[int, Any], best: float
    ) -> Stopped | None:
        """Returns why a trial that has just ended a part goes no further; None if it goes on.

        record: the trial's. records: of the island's candidates before, by number. best: the highest
        fitness so far.
        """
        found = self._halved(trial, record) if self.halving else None
        if found is None and self.forecaster:
            found = self._hopeless(trial, record, records, best)
        return found

    def _halved(self, trial: Any, record: Any) -> Stopped | None:
        epochs = trial.epochs
        place = self.halving.compared_in(record.individuals, epochs)
        if place is None:
            return None
        reached = self.objective.accuracy_of(trial)
        goes_on = self.halving.goes_on(reached, self.rungs[place])
        self.rungs[place].append(reached)
        if goes_on:
            return None
        reason = f"stopped by {self.section}.halving after {epochs} epochs"
        return Stopped(reason, lambda fitness: self.halving.fitness(fitness, epochs))

    def _hopeless(
        self, trial: Any, record: Any, records: dict[int, Any], best: float
    ) -> Stopped | None:
        assert self.forecaster
        costs = self.costs(record)
        if self.objective.kind == "pareto":  # whoever is better than all as cheap is on the front
            best = max(
                (
                    r.fitness
                    for r in records.values()
                    if not r.reason and all(map(float.__le__, self.costs(r), costs))
                ),
                default=-math.inf,
            )
        worth = self.objective.fitness(1.0, costs)  # of accuracy; fitness is a multiple of it
        if not (math.isfinite(best) and worth > 0):
            return None
        needed = best / worth
        found = self.forecaster.hopeless(
            trial.curve[:, -1], np.array(self.traits(record)), trial.all_epochs,
            self._trained_in_full(records, trial.all_epochs), needed,
        )  # fmt: skip
        if found is None:
            return None
        reason = (
            f"stopped by {self.section}.extrapolation after {trial.epochs} epochs: accuracy "
            f"{found.accuracy:.4f} foreseen, more than {needed:.4f} needed"
        )
        return Stopped(reason, lambda fitness: self.objective.fitness(found.accuracy, costs))

    def _trained_in_full(self, records: dict[int, Any], epochs: int) -> list[Finished]:
        """Returns the last candidates whose curves are whole, first to last."""
        found: list[Finished] = []
        for record in reversed(records.values()):
            if not record.reason and len(record.curve) == epochs:
                traits = np.array(self.traits(record))
                found.append(Finished(record.number, record.curve[:, -1], traits))
                if len(found) == MOST:
                    break
        return found[::-1]

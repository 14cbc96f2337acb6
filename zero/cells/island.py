"""One island of cells: what `zero.evolution.object_island` does not know of a candidate.

That is what its network costs, how fast it predicts where the objective asks, its trained weights for
children to inherit, and the best weights for the run's outcome and its ensemble. Candidates that
diverge, are too large for the memory or make no network fail; their records say why.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from zero.cells.distillation import Distillation, taught_by
from zero.cells.ensemble import Member, best_members, member
from zero.cells.evaluator import Weights
from zero.cells.genome import Genome
from zero.cells.limits import DRAWS
from zero.cells.raw_records import RawCell
from zero.cells.text import parse_genome
from zero.errors import NetworkError
from zero.evolution.object_island import ObjectIsland, Rules


@dataclass(frozen=True)
class CellRules(Rules):
    """How an island treats its candidates: see the configuration's section `cells`."""

    inherit_weights: bool | str = False
    ensemble: int = 0
    distillation: Distillation | None = None


class CellIsland(ObjectIsland):
    """See the module's docstring; space: a `zero.cells.limits.LimitedSpace`, rules: `CellRules`."""

    record_type = RawCell
    section = "cells"
    unusable = (NetworkError,)

    def __init__(self, *arguments: Any, **named: Any):
        super().__init__(*arguments, **named)
        self.weights: dict[int, Weights] = {}  # of parents to be, for their children to inherit
        self.best_weights: dict[str, Any] | None = None  # of the best that was trained here
        self.members: list[Member] = []  # the best trained here, as many as an ensemble has
        self._taught: tuple[int, Any] = (-1, None)  # a teacher's number, what it says

    # --- figures --------------------------------------------------------------------------------

    def _refusal(self, genome: Genome) -> str:
        within = self.space.allows(genome)
        return "" if within else f"none of {DRAWS} random genomes is within cells.budget"

    def _before(self, genome: Genome, record: RawCell) -> None:
        cost = self.evaluator.cost(genome)
        for name in RawCell.COSTS:
            setattr(record, name, getattr(cost, name))

    def _traits(self, record: RawCell) -> list[float]:
        return [math.log1p(record.parameters), math.log1p(record.multiply_adds)]

    def _after(self, genome: Genome, record: RawCell) -> None:
        if "latency" in self.rules.objective.weighed:  # timed, which no two machines do alike
            record.latency = self.evaluator.latency(genome)

    # --- weights --------------------------------------------------------------------------------

    def _inheritance(self, record: RawCell) -> tuple[Genome, Weights] | None:
        if not self.rules.inherit_weights or record.parent not in self.weights:
            return None
        text = self.records[record.parent].text
        return parse_genome(text), self.weights[record.parent]

    def _trial(self, genome: Genome, record: RawCell) -> Any:
        begins, trial = self.trial is None, super()._trial(genome, record)
        how, best = self.rules.distillation, self.best_weights
        if begins and how is not None and best is not None:
            if self._taught[0] != best["number"]:
                teacher = {**best, "text": self.records[best["number"]].text}
                self._taught = best["number"], taught_by(self.evaluator, teacher, how.temperature)
            trial.trainer.taught, trial.trainer.taught_weight = self._taught[1], how.weight
        return trial

    def _finished(self, trial: Any, record: RawCell) -> None:
        better = record.fitness > self.population.best[0]
        if not better and not self.rules.inherit_weights and not self.rules.ensemble:
            return
        weights = trial.weights()
        if weights is not None and self.rules.inherit_weights:
            self.weights[record.number] = weights
        if weights is not None and better:
            self.best_weights = {
                "number": record.number, "parameters": weights[0], "statistics": weights[1],
            }  # fmt: skip
        if weights is not None and not record.reason:
            members = [*self.members, member(record, weights)]
            self.members = best_members(members, self.rules.ensemble)

    def _taken_over(self, record: RawCell) -> None:
        if record.same_as in self.weights:
            self.weights[record.number] = self.weights[record.same_as]

    def _kept(self, record: RawCell) -> None:
        """Forgets the weights of those that become no parents any more."""
        if self.rules.inherit_weights:
            parents = {*self.searcher.parents(), record.number}
            self.weights = {n: w for n, w in self.weights.items() if n in parents}

    def _sent_along(self, number: int) -> dict[str, Any]:
        return {"weights": list(self.weights[number])} if number in self.weights else {}

    def _arrived(self, number: int, immigrant: dict[str, Any]) -> None:
        weights = immigrant.pop("weights", None)
        if weights is not None:
            self.weights[number] = tuple(weights)

    # --- state ----------------------------------------------------------------------------------

    def _own_state(self) -> dict[str, Any]:
        return {
            **super()._own_state(),
            "weights": [[n, *weights] for n, weights in self.weights.items()],
            "best_weights": self.best_weights,
            "members": self.members,
            "supernet": self._supernet_figures(),
        }

    def _supernet_figures(self) -> dict[str, Any]:
        """Returns what a search with shared weights tells of them once it has ended there, else nothing."""
        searcher = getattr(self.searcher, "searcher", None)
        done = getattr(searcher, "done", False)
        return searcher.figures() if done and hasattr(searcher, "figures") else {}

    def _take_own_state(self, state: dict[str, Any]) -> None:
        super()._take_own_state(state)
        self.weights = {n: tuple(weights) for n, *weights in state["weights"]}
        self.best_weights = state["best_weights"]
        self.members = list(state.get("members", ()))  # older versions have none

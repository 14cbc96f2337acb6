"""REINFORCE: a policy of independent softmaxes, one for each decision, moved towards what does well.

Williams 1992, as Dong and Yang 2020 ("NAS-Bench-201") run it: each sampled genome moves the policy by
its reward above a moving baseline (bias-corrected, momentum 0.9, moved before it is used), with Adam. A
decision's softmax is over what can be chosen after the decisions before; all logits start at 0. Adam
makes the step the same for rewards of any scale. Failed genomes count as the worst heard of; before
there is one that did not fail they teach nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from pydantic import Field

from zero.rng import splitmix
from zero.search.decisions import Decisions, decided, genome_drawn
from zero.search.protocol import DecisionSpace, Proposal, Searcher, SearchSettings

DESCRIPTION = "a softmax for each decision, moved towards what does well (REINFORCE)"
NEEDS = ("decisions",)
BREEDS = False

MOMENTUM = 0.9  # of the baseline
FIRST, SECOND, SMALL = 0.9, 0.999, 1e-8  # Adam's


class Settings(SearchSettings):
    """learning_rate: Adam's; about how far one genome moves a logit."""

    learning_rate: float = Field(0.1, gt=0, le=10)


class Reinforce:
    """See the module's docstring; a `zero.search.protocol.Searcher`."""

    def __init__(self, space: DecisionSpace, learning_rate: float, rng: np.ndarray):
        self.space, self.learning_rate, self.rng = space, learning_rate, rng
        self.number_of: dict[tuple[int, str], int] = {}  # (place, name) -> row of `logits`
        self.logits = np.zeros((3, 0))  # the logits and Adam's two moments
        self.steps = 0
        self.baseline = np.zeros(2)  # decayed sums of rewards and of ones
        self.worst = math.inf  # reward that was not a failure

    def ask(self) -> Proposal:
        """Returns a genome drawn by the policy."""
        genome = genome_drawn(self.space, lambda: decided(self.space.choices, self._drawn))
        return Proposal(self.space.random(self.rng) if genome is None else genome)

    def tell(
        self,
        proposal: Proposal,
        number: int,
        fitness: float,
        train_steps: int = 0,
        costs: Sequence[float] = (),
    ) -> None:
        """Moves the policy, also for an individual from elsewhere."""
        reward = float(fitness)
        if math.isfinite(reward):
            self.worst = min(self.worst, reward)
        elif math.isfinite(self.worst):
            reward = self.worst
        else:
            return
        self.baseline = MOMENTUM * self.baseline + (1 - MOMENTUM) * np.array([reward, 1])
        advantage = reward - self.baseline[0] / self.baseline[1]
        decisions = self.space.decisions_of(proposal.genome)
        self._move(advantage, decisions)

    def _move(self, advantage: float, decisions: Decisions) -> None:
        gradients = []
        for place, name in enumerate(decisions):
            names = self.space.choices(decisions[:place])
            rows = self._rows(place, names)
            gradient = -self._probabilities(rows)
            gradient[list(names).index(name)] += 1
            gradients.append((rows, advantage * gradient))
        self.steps += 1
        logits, first, second = self.logits
        first *= FIRST
        second *= SECOND
        for rows, gradient in gradients:
            first[rows] += (1 - FIRST) * gradient
            second[rows] += (1 - SECOND) * gradient**2
        size = np.sqrt(second / (1 - SECOND**self.steps)) + SMALL
        logits += self.learning_rate * first / (1 - FIRST**self.steps) / size

    def _drawn(self, decisions: Decisions, names: Sequence[str]) -> str:
        left = splitmix.unit(self.rng)
        for name, share in zip(
            names, self._probabilities(self._rows(len(decisions), names)), strict=True
        ):
            left -= share
            if left < 0:
                return name
        return names[-1]

    def _rows(self, place: int, names: Sequence[str]) -> list[int]:
        """Returns the rows of a place's choices, new ones for those not seen before."""
        rows = [self.number_of.setdefault((place, n), len(self.number_of)) for n in names]
        missing = len(self.number_of) - self.logits.shape[1]
        if missing:
            self.logits = np.pad(self.logits, ((0, 0), (0, missing)))
        return rows

    def _probabilities(self, rows: list[int]) -> np.ndarray:
        logits = self.logits[0, rows]
        weights = np.exp(logits - logits.max())
        return weights / weights.sum()

    def state(self) -> dict[str, Any]:
        """Returns where the search stands."""
        return {
            "rng": self.rng.copy(),
            "places": np.array([place for place, _ in self.number_of], dtype=np.int64),
            "names": [name for _, name in self.number_of],
            "logits": self.logits.copy(),
            "steps": self.steps,
            "baseline": self.baseline.copy(),
            "worst": self.worst,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Takes over a state that `state` gave."""
        self.rng[:] = state["rng"]
        places = state["places"].tolist()
        keys = zip(places, state["names"], strict=True)
        self.number_of = {key: row for row, key in enumerate(keys)}
        self.logits, self.steps = state["logits"].copy(), int(state["steps"])
        self.baseline, self.worst = state["baseline"].copy(), float(state["worst"])


def make(space: DecisionSpace, settings: Settings, rng: np.ndarray) -> Searcher:
    """Returns the search."""
    return Reinforce(space, settings.learning_rate, rng)

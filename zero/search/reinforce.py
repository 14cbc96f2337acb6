"""REINFORCE: a policy that draws genomes decision by decision, moved towards what does well.

Williams 1992: each drawn genome moves the policy by its reward above a moving baseline (bias-corrected,
momentum 0.9, moved before it is used), with Adam, which makes the step the same for rewards of any scale.
Failed genomes count as the worst heard of; before there is one that did not fail they teach nothing.

`controller` is the policy, see `zero.search.controller`: an independent softmax for each decision, over
what can be chosen after those before, as Dong and Yang 2020 ("NAS-Bench-201") run it; or a recurrent
network that goes through the decisions, as in Zoph and Le 2016.

`update: ppo` is that of Schulman et al. 2017, as for NASNet (Zoph et al. 2018): a few steps with each
minibatch of genomes, in which no decision's probability is moved further than by 0.2 of what it was.
`entropy` rewards an undecided policy: by it times the sum of the entropies of a genome's decisions.

A policy that is sure of one genome proposes it again and again, which costs an evaluation only where
`retrain_duplicates` is on, and teaches it nothing new; with some `entropy` it stays undecided.

When to use it: for some hundred cheap evaluations or more, where a good genome is one of good decisions;
with few, evolution and surrogates find more. The softmaxes learn fastest and know no decisions that only
fit together; the recurrent controller does, and takes a few times as many genomes.

Cost: a fraction of a millisecond a genome with softmaxes, with the recurrent controller 2 ms for 6
decisions and 15 to 25 ms for 40. Memory: three numbers for each value of the policy.

Source: Zoph and Le 2016 ("Neural Architecture Search with Reinforcement Learning"); Zoph et al. 2018
("Learning Transferable Architectures for Scalable Image Recognition", appendix); Dong and Yang 2020.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, Self

import numpy as np
from pydantic import Field

from zero.search.controller import ByRow, Lstm, Policy, Softmaxes, draw, slopes_of
from zero.search.decisions import Decisions, genome_drawn
from zero.search.protocol import (
    DRAWN_MUTATION,
    DecisionSpace,
    Positive,
    Proposal,
    Searcher,
    SearchSettings,
)

DESCRIPTION = "a policy over decisions, softmaxes or recurrent, moved towards what does well"
NEEDS = ("decisions",)
BREEDS = False

MOMENTUM = 0.9  # of the baseline
PASSES = 4  # of ppo: the steps with a minibatch


class Settings(SearchSettings):
    """controller: `softmax` or `lstm`, the policy. update: `reinforce` or `ppo`, how it learns.

    learning_rate: Adam's; with softmaxes about how far one genome moves a logit; by default 0.1, with
    the recurrent controller 0.003. entropy: its weight, in units of fitness (NASNet: 1e-5). samples:
    genomes of one update, by default 1, for ppo 20. units, layers: of the recurrent controller, by
    default 35 and 2 (Zoph and Le), for ppo 100 and 1 (NASNet).
    """

    controller: Literal["softmax", "lstm"] = "softmax"
    update: Literal["reinforce", "ppo"] = "reinforce"
    learning_rate: float | None = Field(None, gt=0, le=10)
    entropy: float = Field(0.0, ge=0)
    samples: Positive | None = None
    units: Positive | None = Field(None, le=1000)
    layers: Positive | None = Field(None, le=10)

    def fitted(self) -> Self:
        """Returns the settings with all numbers."""
        ppo = self.update == "ppo"
        usual: dict[str, Any] = {
            "learning_rate": 0.003 if self.controller == "lstm" else 0.1,
            "samples": 20 if ppo else 1,
            "units": 100 if ppo else 35,
            "layers": 1 if ppo else 2,
        }
        missing = {name: value for name, value in usual.items() if getattr(self, name) is None}
        return self.model_copy(update=missing)


class Reinforce:
    """See the module's docstring; a `zero.search.protocol.Searcher`."""

    def __init__(self, space: DecisionSpace, settings: Settings, rng: np.ndarray):
        self.space, self.settings, self.rng = space, settings.fitted(), rng
        self.policy: Policy = Softmaxes()
        if settings.controller == "lstm":
            units, layers = self.settings.units or 1, self.settings.layers or 1
            self.policy = Lstm(units, layers, int(rng[0]))
        self.waiting: list[tuple[Decisions, float]] = []  # with advantages, for the next update
        self.baseline = np.zeros(2)  # decayed sums of rewards and of ones
        self.worst = math.inf  # reward that was not a failure

    def ask(self) -> Proposal:
        """Returns a genome drawn by the policy."""
        genome = genome_drawn(self.space, self._drawn)
        if genome is None:
            return Proposal(self.space.random(self.rng))
        return Proposal(genome, mutation=DRAWN_MUTATION)

    def _drawn(self) -> Decisions:
        return draw(self.policy, self.space.choices, self.rng)

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
        advantage = float(reward - self.baseline[0] / self.baseline[1])
        self.waiting.append((self.space.decisions_of(proposal.genome), advantage))
        if len(self.waiting) >= (self.settings.samples or 1):
            self._update()
            self.waiting = []

    def _update(self) -> None:
        """Moves the policy by all genomes that wait."""
        rate, ppo = self.settings.learning_rate or 0.0, self.settings.update == "ppo"
        paths = [self.policy.path(self.space.choices, made) for made, _ in self.waiting]
        advantages = [advantage for _, advantage in self.waiting]
        before: ByRow | None = None
        for _ in range(PASSES if ppo else 1):
            shares, trace = self.policy.probabilities(paths)
            if ppo and before is None:
                before = shares
            slopes = slopes_of(paths, shares, advantages, self.settings.entropy, before)
            self.policy.climb(trace, slopes, rate)

    def state(self) -> dict[str, Any]:
        """Returns where the search stands."""
        return {
            "rng": self.rng.copy(),
            **self.policy.state(),
            "baseline": self.baseline.copy(),
            "worst": self.worst,
            "waiting": [" ".join(decisions) for decisions, _ in self.waiting],
            "advantages": np.array([advantage for _, advantage in self.waiting], np.float64),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Takes over a state that `state` gave, also of an older version."""
        self.rng[:] = state["rng"]
        self.policy.restore(state)
        self.baseline, self.worst = state["baseline"].copy(), float(state["worst"])
        made = [tuple(text.split()) for text in state.get("waiting", ())]
        advantages = state["advantages"].tolist() if made else []
        self.waiting = list(zip(made, advantages, strict=True))


def make(space: DecisionSpace, settings: Settings, rng: np.ndarray) -> Searcher:
    """Returns the search."""
    return Reinforce(space, settings, rng)

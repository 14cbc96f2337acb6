"""ENAS: a controller and shared weights, trained in turn.

Pham et al. 2018. An epoch has two phases. First each batch trains the path of one genome that the
controller draws. Then, for `controller_steps` steps with the weights as they are, the controller draws
`samples` genomes a step, each is worth its accuracy on one batch of valid images, and REINFORCE moves the
controller: accuracy plus `entropy` times the sum of the decisions' entropies, above a moving baseline.

The controller is the recurrent one of `reinforce` (`zero.search.controller`): an LSTM goes through the
space's decisions. Of ENAS's own it lacks the logits squashed by a tanh and the bias towards separable
convolutions at the start. An op has one set of weights for each state that a node may read, as in ENAS. It
searches cells, ENAS's micro space; the macro space is not here.

At the end the controller draws `final` genomes, which are scored on all valid images; the best
`candidates` of them are trained from nothing (section 2.2, "Deriving Architectures").

When to use it: as `random_sharing`, which is its control: it differs by the controller alone.

Cost: as `random_sharing`, and `controller_steps` times `samples` predictions of a batch an epoch.

Source: Pham et al. 2018, "Efficient Neural Architecture Search via Parameter Sharing", sections 2.2 and 2.4.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from pydantic import Field

from zero.search.controller import Lstm, draw, slopes_of
from zero.search.decisions import genome_drawn
from zero.search.one_shot import OneShot, OneShotSettings
from zero.search.protocol import Positive, Searcher

DESCRIPTION = "a controller draws the paths that train shared weights, and learns by these (ENAS)"
NEEDS = ("supernet", "decisions")
BREEDS = False


class Settings(OneShotSettings):
    """controller_steps, samples: the controller's steps an epoch, and genomes of each.

    final: genomes that it draws at the end. learning_rate, units, layers: of the controller. entropy: its
    weight. baseline: how slowly the baseline follows.
    epochs: of the supernet. candidates: derived genomes trained from nothing first. sample: random genomes
    trained after them, for Kendall's tau.
    """

    controller_steps: Positive = 30
    samples: Positive = 10
    final: Positive = 30
    learning_rate: float = Field(0.0035, gt=0, le=10)
    units: Positive = Field(64, le=1000)
    layers: Positive = Field(1, le=10)
    entropy: float = Field(1e-4, ge=0)
    baseline: float = Field(0.95, ge=0, lt=1)


class Enas(OneShot):
    """See the module's docstring."""

    def __init__(self, space: Any, settings: Settings, rng: np.ndarray):
        super().__init__(space, settings, rng)
        self.policy = Lstm(settings.units, settings.layers, self.seed)
        self.moving = np.zeros(2)  # decayed sums of rewards and of ones
        self.rewards: list[float] = []  # mean of each epoch's
        self._of_epoch: list[float] = []

    def steps_per_epoch(self) -> int:
        """Returns the steps of weights and controller."""
        return int(self.net.steps_per_epoch) + int(self.settings.controller_steps)

    def train(self, step: int) -> None:
        """Takes a step of the weights or of the controller."""
        epoch, at = divmod(step, self.steps_per_epoch())
        if at < self.net.steps_per_epoch:
            genome = self._drawn()
            self.loss = self.net.train_path(epoch * self.net.steps_per_epoch + at, genome)
            if math.isnan(self.loss):
                self.ended = (
                    f"the supernet's training diverged {self.when(step)} and ended there; give "
                    "cells.training a smaller learning_rate"
                )
            return
        number = epoch * self.settings.controller_steps + at - self.net.steps_per_epoch
        self._teach(number)
        if at == self.steps_per_epoch() - 1:
            self.rewards.append(float(np.mean(self._of_epoch)))
            self._of_epoch = []

    def _drawn(self) -> Any:
        genome = genome_drawn(self.space, lambda: draw(self.policy, self.space.choices, self.rng))
        return self.space.random(self.rng) if genome is None else genome

    def _teach(self, number: int) -> None:
        """Takes one step of the controller; number: of the valid batch."""
        settings, choices = self.settings, self.space.choices
        genomes = [self._drawn() for _ in range(settings.samples)]
        rewards = [float(self.net.accuracy(genome, 1, number)) for genome in genomes]
        self._of_epoch += rewards
        mean = float(np.mean(rewards))
        d = settings.baseline
        self.moving = d * self.moving + (1 - d) * np.array([mean, 1.0])
        baseline = self.moving[0] / self.moving[1]
        paths = [self.policy.path(choices, self.space.decisions_of(g)) for g in genomes]
        shares, trace = self.policy.probabilities(paths)
        advantages = [float(reward - baseline) for reward in rewards]
        slopes = slopes_of(paths, shares, advantages, settings.entropy)
        self.policy.climb(trace, slopes, settings.learning_rate)

    def derive(self) -> list[Any]:
        """Returns genomes that the controller draws."""
        return [self._drawn() for _ in range(self.settings.final)]

    def own_figures(self) -> dict[str, Any]:
        """Returns the controller's mean reward in each epoch, float64."""
        return {"rewards": np.array(self.rewards, dtype=np.float64)}

    def own_state(self) -> dict[str, Any]:
        """Returns the controller."""
        return {
            "policy": self.policy.state() if self.policy.number_of else {},
            "moving": self.moving.copy(),
            "rewards": list(self.rewards),
            "of_epoch": list(self._of_epoch),
        }

    def take_own_state(self, state: dict[str, Any]) -> None:
        """Takes over what `own_state` gave."""
        self.policy = Lstm(self.settings.units, self.settings.layers, self.seed)
        if state["policy"]:
            self.policy.restore(state["policy"])
        self.moving = state["moving"].copy()
        self.rewards = [float(x) for x in state["rewards"]]
        self._of_epoch = [float(x) for x in state["of_epoch"]]


def make(space: Any, settings: Settings, rng: np.ndarray) -> Searcher:
    """Returns the search."""
    return Enas(space, settings, rng)

"""Random search with weight sharing: the baseline of all methods that share weights.

Li and Talwalkar 2019. Each step trains the path of one genome, drawn evenly, in a supernet that holds them
all; then `samples` random genomes are scored with the shared weights, and the best `candidates` of them
are trained from nothing, as every candidate is. Nothing is learnt but the weights: what does not beat
this has not searched.

A genome's score is its accuracy on valid images with the weights that it shares, batch norm taking each
batch's own statistics. After the candidates a `sample` of random genomes is trained, too; how these rank
by score and by training is Kendall's tau in the report.

When to use it: where a training from nothing is dear and a thousand genomes are to be looked at for the
price of a few; beside every other method that shares weights. Look at tau first: near 0 the scores say
nothing.

Cost: `epochs` of training, a step as dear as that of one candidate and its plan; then `samples`
predictions of the valid images. Memory: one set of weights for every place and op, with the optimizer's
state.

Source: Li and Talwalkar 2019, "Random Search and Reproducibility for Neural Architecture Search",
section 3.2 and algorithm 1.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from zero.search.one_shot import OneShot, OneShotSettings
from zero.search.protocol import Positive, Searcher

DESCRIPTION = "random paths train shared weights, the best by these are trained anew: the baseline"
NEEDS = ("supernet",)
BREEDS = False


class Settings(OneShotSettings):
    """samples: random genomes that are scored at the end of the supernet's training.

    epochs: of the supernet. candidates: derived genomes trained from nothing first. sample: random genomes
    trained after them, for Kendall's tau.
    """

    samples: Positive = 100


class RandomSharing(OneShot):
    """See the module's docstring."""

    def train(self, step: int) -> None:
        """Takes a step of a random genome's weights."""
        self.loss = self.net.train_path(step, self.space.random(self.rng))
        if math.isnan(self.loss):
            self.ended = (
                f"the supernet's training diverged {self.when(step)} and ended there; give "
                "cells.training a smaller learning_rate"
            )

    def derive(self) -> list[Any]:
        """Returns random genomes."""
        return [self.space.random(self.rng) for _ in range(self.settings.samples)]


def make(space: Any, settings: Settings, rng: np.ndarray) -> Searcher:
    """Returns the search."""
    return RandomSharing(space, settings, rng)

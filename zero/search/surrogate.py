"""A surrogate proposes: what a regression on decisions, fitted to all results, predicts to be best.

The first genomes are random, and later ones as long as there are too few usable results: their
mutation is `too_few_results`. Then, a batch at a time, the candidates of the highest score that were not
evaluated before. Candidates are all genomes where the space has few, else random ones and the best with
one decision altered. `model` says what predicts, and what the score is:

* `ridge`: the prediction of a ridge regression on decisions and pairs of decisions, one-hot;
* `forest`: the expected improvement on the best by a random forest's mean and deviation, and with
  probability `random_share` a random genome instead (SMAC);
* `ensemble`: a draw for each candidate from the mean and deviation of ridges on bootstrap samples,
  independent Thompson sampling; candidates are mutants of the best only (BANANAS, whose members are
  neural networks).

What is predicted is the share of results that are worse, not fitness: so a few broken genomes do not
decide the fit. A genome one decision away from results is a child of the best of these.

When to use it: for tens to hundreds of costly evaluations, where decisions or pairs of them count much by
themselves. On NAS-Bench-201 `ridge` and `ensemble` are level, `forest` is behind.

Cost: a fit and a ranking a batch; with 500 results and 15,625 candidates some 40 ms a proposal on average.

Source: Hutter et al. 2011, "Sequential Model-Based Optimization for General Algorithm Configuration"
(SMAC); White et al. 2021, "BANANAS", section 3; the ridge is our own.
"""

from __future__ import annotations

from functools import cached_property
from typing import Literal

import numpy as np
from pydantic import Field

from zero.rng import splitmix
from zero.search import predictors
from zero.search.decisions import Decisions, altered, drawn, listed, shares_worse
from zero.search.predicting import LATEST, PARENTS, Predicting
from zero.search.protocol import DecisionSpace, Positive, Searcher, SearchSettings

DESCRIPTION = "a regression on decisions predicts which genome is best (ridge, forest, ensemble)"
NEEDS = ("decisions",)

FEW = 20_000  # genomes of a space that are candidates all


class Settings(SearchSettings):
    """model: what predicts. initial: random genomes. batch: proposals between two fits.

    candidates: that are compared for a batch, where not all genomes are. ridge: the penalty.
    random_share: of the forest's proposals that are random.
    """

    model: Literal["ridge", "forest", "ensemble"] = "ridge"
    initial: Positive = 40
    batch: Positive = 5
    candidates: Positive = 200
    ridge: float = Field(1.0, gt=0)
    random_share: float = Field(0.2, ge=0, le=1)


class Surrogate(Predicting):
    """See the module's docstring; a `zero.search.protocol.Searcher`."""

    def __init__(self, space: DecisionSpace, settings: Settings, rng: np.ndarray):
        super().__init__(space, settings.initial, settings.batch, rng)
        self.settings = settings
        self.random_share = settings.random_share if settings.model == "forest" else None

    def _batch(self) -> list[tuple[Decisions, int]]:
        values = shares_worse(self.fitness[-LATEST:].tolist())
        candidates, asked, known = self._encoded(self.made[-LATEST:], values)
        if not candidates:
            return []
        return self._best(candidates, self._scores(known, values, asked), values)

    def _scores(self, known: np.ndarray, values: np.ndarray, asked: np.ndarray) -> np.ndarray:
        """Returns what candidates are compared by, from their features and those of results."""
        if self.settings.model == "forest":
            mean, deviation = predictors.forest(known, values, self.rng)(asked)
            return predictors.expected_improvement(mean, deviation, values.max())
        kernel, penalty = predictors.products(known, known), self.settings.ridge
        of_asked = predictors.products(asked, known)
        if self.settings.model == "ridge":
            return predictors.ridge(kernel, values, penalty)(of_asked)
        samples = predictors.bootstraps(len(values), self.rng)
        each = np.array([predictors.ridge(kernel, values, penalty, s)(of_asked) for s in samples])
        draws = np.array([splitmix.normal(self.rng) for _ in asked])
        return each.mean(axis=0) + each.std(axis=0) * draws

    def _encoded(
        self, made: list[Decisions], values: np.ndarray
    ) -> tuple[list[Decisions], np.ndarray, np.ndarray]:
        """Returns the candidates, their features, and those of what was made."""
        if self.settings.model == "ensemble" or self._few is None:
            candidates = self._candidates(made, values)
            features = predictors.one_hot([*made, *candidates])
            return candidates, features[len(made) :], features[: len(made)]
        row_of, features = self._few
        new = [row for decisions, row in row_of.items() if decisions not in self.seen]
        every = list(row_of)
        return [every[row] for row in new], features[new], features[[row_of[d] for d in made]]

    @cached_property
    def _few(self) -> tuple[dict[Decisions, int], np.ndarray] | None:
        """All sequences, numbered, and their features; None if there are more than `FEW`."""
        every = listed(self.space.choices, FEW)
        if every is None:
            return None
        return {d: row for row, d in enumerate(every)}, predictors.one_hot(every)

    def _candidates(self, made: list[Decisions], values: np.ndarray) -> list[Decisions]:
        """Returns new sequences: the best ones altered, and random ones if the model wants them."""
        choices, found = self.space.choices, dict[Decisions, None]()
        best = np.argsort(-values, kind="stable")[:PARENTS]
        for count in range(self.settings.candidates):
            if count % 2 and self.settings.model != "ensemble":
                decisions = drawn(choices, self.rng)
            else:
                row = int(best[splitmix.below(self.rng, len(best))])
                decisions = altered(choices, made[row], self.rng)
            if decisions not in self.seen:
                found[decisions] = None
        return list(found)


def make(space: DecisionSpace, settings: Settings, rng: np.ndarray) -> Searcher:
    """Returns the search."""
    return Surrogate(space, settings, rng)

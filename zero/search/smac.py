"""SMAC proposes what a random forest on all results expects to improve most on the best.

The first genomes are random (`too_few_results`; what came from elsewhere counts), and later a share of
`random_share`. Of the others each is, among new genomes, the one of the highest expected improvement on
the best, by the mean and the deviation of ten trees. Compared are `candidates` random genomes and what
local searches look at: they start from the ten best seen and go on from the best of eight genomes with one
decision altered, three times. Where several are equal, those near the best come first. A genome one
decision away from results is a child of the best of these.

Trees see one column for each key of decisions `KEY=VALUE`: numbers as such (logarithms if they are far
apart), so that what is learnt of 0.1 and 0.3 holds for 0.2; categories numbered as the space lists them;
below both where the key is not there. Decisions without a key have a column for each place.

What is predicted is the share of results that are worse, not fitness: this is the same on every scale and
spreads the best ones, as SMAC's logarithm of costs does, and no failure outweighs the rest. What failed
counts as the worst that did not.

When to use it: for pipelines and other spaces of settings, with conditions and numbers among them, and
evaluations that take a second or more. For cells see `surrogate`: on NAS-Bench-201 its forest is behind
its ridge.

Cost: a fit and some 400 predictions a proposal, unless `batch` is larger: some 50 ms with 300 results.
Larger batches hold more genomes that are alike.

Source: Hutter, Hoos and Leyton-Brown 2011, "Sequential Model-Based Optimization for General Algorithm
Configuration"; trees and shares as in SMAC3's HyperparameterOptimizationFacade.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from zero.search import predictors
from zero.search.columns import Columns
from zero.search.decisions import Decisions, altered, drawn, shares_worse
from zero.search.predicting import LATEST, PARENTS, Predicting
from zero.search.protocol import DecisionSpace, Positive, Searcher, SearchSettings

DESCRIPTION = "a random forest expects which genome improves most on the best (SMAC)"
NEEDS = ("decisions",)

STEPS = 3  # of a local search
NEAR = 8  # genomes that a step of it looks at


class Settings(SearchSettings):
    """initial: random genomes. batch: proposals between two fits.

    candidates: random ones that are compared for a batch. random_share: of proposals that are random.
    """

    initial: Positive = 10
    batch: Positive = 1
    candidates: Positive = 200
    random_share: float = Field(0.2, ge=0, le=1)


class Smac(Predicting):
    """See the module's docstring; a `zero.search.protocol.Searcher`."""

    def __init__(self, space: DecisionSpace, settings: Settings, rng: np.ndarray):
        super().__init__(space, settings.initial, settings.batch, rng)
        self.candidates, self.random_share = settings.candidates, settings.random_share

    def _batch(self) -> list[tuple[Decisions, int]]:
        made, values = self.made[-LATEST:], worth(self.fitness[-LATEST:])
        columns = Columns(self.space.choices, made)
        forest = predictors.forest(columns(made), values, self.rng)
        scores: dict[Decisions, float] = {}

        def look_at(asked: list[Decisions]) -> None:
            new = [d for d in dict.fromkeys(asked) if d not in scores and d not in self.seen]
            if new:
                mean, deviation = forest(columns(new))
                found = predictors.expected_improvement(mean, deviation, values.max())
                scores.update(zip(new, np.round(found, predictors.DIGITS).tolist(), strict=True))

        choices = self.space.choices
        at = [made[row] for row in np.argsort(-values, kind="stable")[:PARENTS]]
        for _ in range(STEPS):
            near = [[altered(choices, d, self.rng) for _ in range(NEAR)] for d in at]
            look_at([d for group in near for d in group])
            at = [
                max(d, *group, key=lambda d: scores.get(d, -1.0))  # what is seen scores least
                for d, group in zip(at, near, strict=True)
            ]
        look_at([drawn(choices, self.rng) for _ in range(self.candidates)])
        return self._best(list(scores), np.array(list(scores.values())), values)


def worth(fitness: np.ndarray) -> np.ndarray:
    """Returns for each result the share of worse ones; what failed is like the worst that did not."""
    usable = np.isfinite(fitness)
    return shares_worse(np.where(usable, fitness, fitness[usable].min()).tolist())


def make(space: DecisionSpace, settings: Settings, rng: np.ndarray) -> Searcher:
    """Returns the search."""
    return Smac(space, settings, rng)

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

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Literal

import numpy as np
from pydantic import Field

from zero.errors import ZeroError
from zero.rng import splitmix
from zero.search import predictors
from zero.search.decisions import Decisions, altered, drawn, genome_drawn, listed, shares_worse
from zero.search.protocol import (
    RANDOM_MUTATION,
    TOO_FEW_MUTATION,
    DecisionSpace,
    Positive,
    Proposal,
    Searcher,
    SearchSettings,
)

DESCRIPTION = "a regression on decisions predicts which genome is best (ridge, forest, ensemble)"
NEEDS = ("decisions",)

# Mutations: predicted, one decision from a parent or none.
ALTERED, PREDICTED = "decision", "predicted"
FEW = 20_000  # genomes of a space that are candidates all
LATEST = 1000  # results that the regression is fitted to, at most
TRIES = 100  # of a random genome that was not evaluated before
PARENTS = 10  # the best genomes, of which candidates are made


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


class Surrogate:
    """See the module's docstring; a `zero.search.protocol.Searcher`."""

    def __init__(self, space: DecisionSpace, settings: Settings, rng: np.ndarray):
        self.space, self.settings, self.rng = space, settings, rng
        self.refused: set[Decisions] = set()  # by the space; known anew after a restore
        self.made: list[Decisions] = []  # of all results, in order
        self.texts: list[str] = []  # the same, a text each
        # Never changed in place, so that a state need not copy them.
        self.numbers, self.fitness = np.zeros(0, dtype=np.int64), np.zeros(0)
        self.seen: set[Decisions] = set()
        self.queue: list[tuple[Decisions, int]] = []  # rest of a batch, with parents' numbers

    def ask(self) -> Proposal:
        """Returns the genome of the highest score, a random one as long as little is known."""
        usable = np.isfinite(self.fitness)
        if usable.sum() < 2 or len(usable) < self.settings.initial:
            return self._random(TOO_FEW_MUTATION)
        if self.settings.model == "forest":
            if splitmix.unit(self.rng) < self.settings.random_share:
                return self._random()
        self.queue = [(d, parent) for d, parent in self.queue if d not in self.seen]
        self.queue = self.queue or self._batch()
        if not self.queue:
            return self._random()
        decisions, parent = self.queue.pop(0)
        genome = self.space.genome_of(decisions)
        if parent < 0:
            return Proposal(genome, mutation=PREDICTED)
        return Proposal(genome, parent, 1, ALTERED)

    def _random(self, mutation: str = RANDOM_MUTATION) -> Proposal:
        """Returns a random genome, if it can be found easily one that was not evaluated before."""
        choices = self.space.choices

        def draw() -> Decisions:
            for _ in range(TRIES):
                decisions = drawn(choices, self.rng)
                if decisions not in self.seen:
                    break
            return decisions

        genome = genome_drawn(self.space, draw)
        genome = self.space.random(self.rng) if genome is None else genome
        return Proposal(genome, mutation=mutation)

    # --- what is predicted best -----------------------------------------------------------------

    def _batch(self) -> list[tuple[Decisions, int]]:
        """Returns the next genomes and their parents' numbers, -1 = none; none if nothing is new."""
        made, numbers = self.made[-LATEST:], self.numbers[-LATEST:]
        values = shares_worse(self.fitness[-LATEST:].tolist())
        candidates, asked, known = self._encoded(made, values)
        if not candidates:
            return []
        scores, lengths = self._scores(known, values, asked), np.array([len(d) for d in made])
        found: list[tuple[Decisions, int]] = []
        for row in np.argsort(-np.round(scores, predictors.DIGITS), kind="stable"):
            decisions = candidates[row]
            if self._is_refused(decisions):
                continue
            away = np.maximum(lengths, len(decisions)) - known @ asked[row]
            near = np.flatnonzero(away == 1)
            parent = numbers[near[np.argmax(values[near])]] if len(near) else -1
            found.append((decisions, int(parent)))
            if len(found) == self.settings.batch:
                break
        return found

    def _is_refused(self, decisions: Decisions) -> bool:
        if decisions not in self.refused:
            try:
                self.space.genome_of(decisions)
            except ZeroError:
                self.refused.add(decisions)
        return decisions in self.refused

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

    # --- what is known --------------------------------------------------------------------------

    def tell(
        self,
        proposal: Proposal,
        number: int,
        fitness: float,
        train_steps: int = 0,
        costs: Sequence[float] = (),
    ) -> None:
        """Takes a result, also of an individual from elsewhere."""
        decisions = self.space.decisions_of(proposal.genome)
        self.made.append(decisions)
        self.texts.append(" ".join(decisions))
        self.numbers = np.append(self.numbers, number)
        self.fitness = np.append(self.fitness, float(fitness))
        self.seen.add(decisions)

    def state(self) -> dict[str, Any]:
        """Returns where the search stands."""
        return {
            "rng": self.rng.copy(),
            "decisions": list(self.texts),
            "numbers": self.numbers,
            "fitness": self.fitness,
            "next": [[" ".join(decisions), parent] for decisions, parent in self.queue],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Takes over a state that `state` gave."""
        self.rng[:] = state["rng"]
        self.queue = [(tuple(text.split(" ")), parent) for text, parent in state["next"]]
        if state["numbers"] is self.numbers:
            return  # what was asked in vain added no result
        self.texts = list(state["decisions"])
        self.made = [tuple(text.split(" ")) for text in self.texts]
        self.numbers, self.fitness = state["numbers"], state["fitness"]
        self.seen = set(self.made)


def make(space: DecisionSpace, settings: Settings, rng: np.ndarray) -> Searcher:
    """Returns the search."""
    return Surrogate(space, settings, rng)

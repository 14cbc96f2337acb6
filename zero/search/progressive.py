"""Progressive search: from the smallest genomes on, the best are grown by one block, level by level.

Liu et al. 2018 ("Progressive Neural Architecture Search", PNAS). The smallest genomes are evaluated
first. Then again and again: the best `beam` of the level are grown in all ways, an ensemble ranks their
children, and the best `beam` of these, which are the next level, are evaluated. Nothing is proposed
twice. Where a level cannot be grown, the ranking goes on with the children that were left out, those of
the largest genomes first; where none is left, genomes are random.

The ensemble are five ridge regressions, each fitted to four fifths of all results. Their features are
the words of a genome's text and sequences of up to four of them, counted: so genomes of any size have
them (PNAS: recurrent networks over the blocks). What is predicted is the share of results that are
worse. How well each level was ranked before it was evaluated is in the state: `spearman`.

When to use it: for cells of repeated blocks, when large ones are dear to train and small ones tell
something of them; a budget should be a few times `beam` a level.

Cost: a level is ranked at once, in a quarter of a second a thousand children.

Source: Liu et al. 2018, "Progressive Neural Architecture Search", section 4 and algorithm 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any, TypeVar

import numpy as np
from pydantic import Field

from zero.rng import splitmix
from zero.search import predictors
from zero.search.decisions import shares_worse
from zero.search.protocol import (
    RANDOM_MUTATION,
    GrowingSpace,
    Positive,
    Proposal,
    Searcher,
    SearchSettings,
)

Item = TypeVar("Item")

DESCRIPTION = (
    "the smallest genomes first; the best are grown block by block, children ranked (PNAS)"
)
NEEDS = ("growth",)

# Mutations: of the smallest genomes, of a child, of one of too few results to rank it.
SMALLEST, GROWN, UNRANKED = "smallest", "grown", "grown_unranked"
LATEST = 1000  # results that the ensemble is fitted to, at most
LEAST = 5  # results that children are ranked by
TRIES = 100  # of a random genome that was not evaluated before


class Settings(SearchSettings):
    """beam: genomes of a level that are grown, and children that are evaluated.

    smallest: genomes that the search begins with, drawn if there are more. ridge: the penalty.
    """

    beam: Positive = 16
    smallest: Positive = 64
    ridge: float = Field(1.0, gt=0)


class Progressive:
    """See the module's docstring; a `zero.search.protocol.Searcher`."""

    def __init__(self, space: GrowingSpace, settings: Settings, rng: np.ndarray):
        self.space, self.settings, self.rng = space, settings, rng
        self.texts: list[str] = []  # of all results, in order
        # Never changed in place, so that a state need not copy them.
        self.numbers, self.fitness = np.zeros(0, dtype=np.int64), np.zeros(0)
        self.seen: set[str] = set()
        self.level = 0  # levels begun; those of children left out count
        self.begun = 0  # results before the level
        self.queue: list[str] = []  # what is left of the level, the best predicted last
        self.parents: dict[str, int] = {}  # number, by the text of a child of the level
        self.predicted: dict[str, float] = {}  # by the same
        self.grown: list[list[tuple[str, int]]] = []  # text and number of those grown, by level
        self.spearman: list[tuple[int, int, float]] = []  # level, genomes, correlation
        self._children: dict[tuple[str, ...], tuple[dict[str, int], Any]] = {}  # of what is grown

    # --- proposals ------------------------------------------------------------------------------

    def ask(self) -> Proposal:
        """Returns the next genome of the level, or of the next one."""
        self.queue = [text for text in self.queue if text not in self.seen]
        if not self.queue:
            self._begin_level()
        if not self.queue:
            return self._random()
        text = self.queue.pop()
        genome = self.space.parse(text)
        if text not in self.parents:
            return Proposal(genome, mutation=SMALLEST)
        name = GROWN if text in self.predicted else UNRANKED
        return Proposal(genome, self.parents[text], 1, name)

    def _random(self) -> Proposal:
        for _ in range(TRIES):
            genome = self.space.random(self.rng)
            if self.space.text(genome) not in self.seen:
                break
        return Proposal(genome, mutation=RANDOM_MUTATION)

    def _begin_level(self) -> None:
        """Fills the queue, unless nothing is left that could be grown."""
        self._compare()
        results, self.begun = range(self.begun, len(self.texts)), len(self.texts)
        self.level += 1
        self.parents, self.predicted = {}, {}
        if self.level == 1:
            texts = [self.space.text(genome) for genome in self.space.smallest()]
            new = [text for text in dict.fromkeys(texts) if text not in self.seen]
            self.queue = self._shuffled(new)[: self.settings.smallest]
            return
        usable = [row for row in results if np.isfinite(self.fitness[row])]
        usable.sort(key=lambda row: -self.fitness[row])
        best = [(self.texts[row], int(self.numbers[row])) for row in usable[: self.settings.beam]]
        if best:
            self.grown.append(best)
        while self.grown and not self._rank(self.grown[-1]):
            self.grown.pop()  # all of their children are evaluated

    def _rank(self, parents: list[tuple[str, int]]) -> bool:
        """Fills the queue with the best new children; returns whether there are any."""
        children, features = self._children_of(parents)
        texts = list(children)
        new = [row for row, text in enumerate(texts) if text not in self.seen]
        scores: dict[int, float] = {}
        if np.isfinite(self.fitness).sum() < LEAST:
            ranked = self._shuffled(new)
        else:
            scores = dict(zip(new, self._predicted(features[new]), strict=True)) if new else {}
            ranked = sorted(new, key=lambda row: -scores[row])
        best = list(
            islice(filter(lambda row: self._allows(texts[row]), ranked), self.settings.beam)
        )
        self.parents = {texts[row]: children[texts[row]] for row in best}
        self.predicted = {texts[row]: scores[row] for row in best} if scores else {}
        self.queue = [texts[row] for row in reversed(best)]
        return bool(best)

    def _allows(self, text: str) -> bool:
        allows = getattr(self.space, "allows", None)
        return allows is None or bool(allows(self.space.parse(text)))

    def _shuffled(self, items: list[Item]) -> list[Item]:
        for place in range(len(items) - 1, 0, -1):
            other = splitmix.below(self.rng, place + 1)
            items[place], items[other] = items[other], items[place]
        return items

    # --- predictions ----------------------------------------------------------------------------

    def _children_of(self, parents: list[tuple[str, int]]) -> tuple[dict[str, int], Any]:
        """Returns the children's texts, each with the number of its best parent, and features."""
        key = tuple(text for text, _ in parents)
        if key in self._children:
            return self._children[key]
        found: dict[str, int] = {}
        for text, number in parents:
            for genome in self.space.grown(self.space.parse(text)):
                found.setdefault(self.space.text(genome), number)
        if not found:
            return {}, None  # those of smaller genomes, kept so far, are ranked next
        self._children = {key: (found, predictors.words(list(found)))}
        return self._children[key]

    def _predicted(self, asked: Any) -> list[float]:
        """Returns the mean prediction of the ensemble for rows of features."""
        known = predictors.words(self.texts[-LATEST:])
        values = shares_worse(self.fitness[-LATEST:].tolist())
        kernel, of_asked = (known @ known.T).toarray(), (asked @ known.T).toarray()
        rows = np.array(self._shuffled(list(range(len(values)))))
        each = []
        for member in range(predictors.MEMBERS):
            weights = np.ones(len(values))
            weights[rows[member :: predictors.MEMBERS]] = 0
            fitted = predictors.ridge(kernel, values, self.settings.ridge, weights)
            each.append(fitted(of_asked))
        mean = np.array(each).mean(axis=0)
        return [round(float(value), predictors.DIGITS) for value in mean]

    def _compare(self) -> None:
        """Notes how well the level was ranked before it was evaluated."""
        from scipy.stats import spearmanr

        rows = [r for r in range(self.begun, len(self.texts)) if self.texts[r] in self.predicted]
        fitness = np.nan_to_num(self.fitness[rows], nan=-np.inf, neginf=-np.inf)
        predicted = np.array([self.predicted[self.texts[row]] for row in rows])
        if len(set(fitness.tolist())) > 1 and len(set(predicted.tolist())) > 1:
            correlation = float(spearmanr(predicted, fitness).statistic)
            self.spearman.append((self.level, len(rows), correlation))

    # --- what is known --------------------------------------------------------------------------

    def tell(
        self,
        proposal: Proposal,
        number: int,
        fitness: float,
        train_steps: int = 0,
        costs: Sequence[float] = (),
    ) -> None:
        """Takes a result; an individual from elsewhere counts as one of the level."""
        self.texts.append(self.space.text(proposal.genome))
        self.numbers = np.append(self.numbers, number)
        self.fitness = np.append(self.fitness, float(fitness))
        self.seen.add(self.texts[-1])

    def state(self) -> dict[str, Any]:
        """Returns where the search stands."""
        return {
            "rng": self.rng.copy(),
            "genomes": list(self.texts),
            "numbers": self.numbers,
            "fitness": self.fitness,
            "level": self.level,
            "begun": self.begun,
            "queue": list(self.queue),
            "parents": [[text, number] for text, number in self.parents.items()],
            "predicted": [[text, value] for text, value in self.predicted.items()],
            "grown": [[[text, number] for text, number in level] for level in self.grown],
            "spearman": [list(row) for row in self.spearman],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Takes over a state that `state` gave."""
        self.rng[:] = state["rng"]
        self.level, self.begun = int(state["level"]), int(state["begun"])
        self.queue = list(state["queue"])
        self.parents = {text: int(number) for text, number in state["parents"]}
        self.predicted = {text: float(value) for text, value in state["predicted"]}
        self.grown = [[(text, int(number)) for text, number in level] for level in state["grown"]]
        self.spearman = [(int(a), int(b), float(c)) for a, b, c in state["spearman"]]
        if state["numbers"] is self.numbers:
            return  # what was asked in vain added no result
        self.texts = list(state["genomes"])
        self.numbers, self.fitness = state["numbers"], state["fitness"]
        self.seen = set(self.texts)


def make(space: GrowingSpace, settings: Settings, rng: np.ndarray) -> Searcher:
    """Returns the search."""
    return Progressive(space, settings, rng)

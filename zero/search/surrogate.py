"""A surrogate proposes: ridge regression on decisions and pairs of decisions, fitted to all results.

Of candidates, random ones and the best genomes with one decision altered, the one that is predicted best
and was not evaluated before comes next; the first genomes are random. The features of a genome are its
decisions and all pairs of them, one-hot. Their products are s (s + 1) / 2, where two genomes agree in s
decisions, so that the regression is solved in its dual form, without features: predictions are those
of scikit-learn's `Ridge` on them. What is predicted is the share of results that are worse, not fitness:
so a few broken genomes do not decide the fit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from pydantic import Field

from zero.errors import ZeroError
from zero.rng import splitmix
from zero.search.decisions import Decisions, altered, drawn, genome_drawn, shares_worse
from zero.search.protocol import DecisionSpace, Positive, Proposal, Searcher, SearchSettings

DESCRIPTION = "ridge regression on pairs of decisions predicts which genome is best"
NEEDS = ("decisions",)

ALTERED = "decision"  # the mutation of a genome with one decision altered
LATEST = 1000  # results that the regression is fitted to, at most
TRIES = 100  # of a random genome that was not evaluated before
PARENTS = 10  # the best genomes, of which candidates are made


class Settings(SearchSettings):
    """initial: random genomes. candidates: that are compared for one proposal. ridge: the penalty."""

    initial: Positive = 20
    candidates: Positive = 200
    ridge: float = Field(1.0, gt=0)


def products(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Returns the products (n, m) of features of genomes whose decisions are the rows of numbers."""
    agreeing = (some[:, None, :] == others[None, :, :]).sum(axis=2).astype(np.float64)
    return agreeing * (agreeing + 1) / 2


def predictor(known: np.ndarray, values: np.ndarray, ridge: float) -> Callable[[Any], np.ndarray]:
    """Returns the fitted regression: numbers of decisions (m, places) to predictions (m,)."""
    kernel, mean = products(known, known), values.mean()
    of_known = kernel.mean(axis=0)
    centred = kernel - of_known - of_known[:, None] + of_known.mean()
    weights = np.linalg.solve(centred + ridge * np.eye(len(known)), values - mean)
    weights -= weights.mean()  # the features' mean is taken off
    offset = mean - of_known @ weights

    def predict(asked: np.ndarray) -> np.ndarray:
        return products(asked, known) @ weights + offset

    return predict


class Surrogate:
    """See the module's docstring; a `zero.search.protocol.Searcher`."""

    def __init__(self, space: DecisionSpace, settings: Settings, rng: np.ndarray):
        self.space, self.settings, self.rng = space, settings, rng
        self.made: list[Decisions] = []  # of all results, in order
        self.texts: list[str] = []
        self.numbers: list[int] = []
        self.fitness: list[float] = []
        self.seen: set[Decisions] = set()
        self.codes: dict[str, int] = {}

    def ask(self) -> Proposal:
        """Returns the genome that is predicted best, a random one as long as little is known."""
        if len(self.fitness) < self.settings.initial or not np.isfinite(self.fitness).any():
            return self._random()
        values = shares_worse(self.fitness)
        candidates = self._candidates(values)
        names = list(candidates)
        if not names:
            return self._random()
        predict = predictor(self._coded(self.made[-LATEST:]), values[-LATEST:], self.settings.ridge)
        predicted = predict(self._coded(names))
        # Rounded, so that the last bits of a sum, which are the machine's, decide nothing.
        for row in np.argsort(-np.round(predicted, 9), kind="stable"):
            decisions = names[row]
            try:
                genome = self.space.genome_of(decisions)
            except ZeroError:
                continue
            parent = candidates[decisions]
            if parent < 0:
                return Proposal(genome)
            return Proposal(genome, parent, 1, ALTERED)
        return self._random()

    def _random(self) -> Proposal:
        """Returns a random genome, if it can be found easily one that was not evaluated before."""
        choices = self.space.choices

        def draw() -> Decisions:
            for _ in range(TRIES):
                decisions = drawn(choices, self.rng)
                if decisions not in self.seen:
                    break
            return decisions

        genome = genome_drawn(self.space, draw)
        return Proposal(self.space.random(self.rng) if genome is None else genome)

    def _candidates(self, values: np.ndarray) -> dict[Decisions, int]:
        """Returns new sequences with the number of the individual that they were made of, or -1."""
        best = np.argsort(-values, kind="stable")[:PARENTS]
        found: dict[Decisions, int] = {}
        for count in range(self.settings.candidates):
            if count % 2:
                decisions, parent = drawn(self.space.choices, self.rng), -1
            else:
                row = int(best[splitmix.below(self.rng, len(best))])
                decisions = altered(self.space.choices, self.made[row], self.rng)
                parent = self.numbers[row]
            if decisions not in self.seen:
                found.setdefault(decisions, parent)
        return found

    def _coded(self, sequences: list[Decisions]) -> np.ndarray:
        """Returns numbers for names, shorter sequences filled with ones that differ from all."""
        codes, most = self.codes, max(map(len, self.made))
        coded = np.full((len(sequences), max(most, *map(len, sequences))), -1, dtype=np.int32)
        for row, decisions in enumerate(sequences):
            coded[row, : len(decisions)] = [codes.setdefault(n, len(codes)) for n in decisions]
        return coded

    def tell(
        self,
        proposal: Proposal,
        number: int,
        fitness: float,
        train_steps: int = 0,
        costs: Sequence[float] = (),
    ) -> None:
        """Takes a result, also of an individual from elsewhere."""
        self._add(self.space.text(proposal.genome), proposal.genome, number, float(fitness))

    def _add(self, text: str, genome: Any, number: int, fitness: float) -> None:
        decisions = self.space.decisions_of(genome)
        self.made.append(decisions)
        self.texts.append(text)
        self.numbers.append(number)
        self.fitness.append(fitness)
        self.seen.add(decisions)

    def state(self) -> dict[str, Any]:
        """Returns where the search stands."""
        return {
            "rng": self.rng.copy(),
            "genomes": list(self.texts),
            "numbers": np.array(self.numbers, dtype=np.int64),
            "fitness": np.array(self.fitness, dtype=np.float64),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Takes over a state that `state` gave."""
        self.rng[:] = state["rng"]
        known = len(self.texts)
        if state["genomes"][:known] == self.texts and known == len(state["genomes"]):
            return  # what was asked in vain left nothing but draws
        self.__init__(self.space, self.settings, self.rng)  # type: ignore[misc]
        rows = zip(state["genomes"], state["numbers"], state["fitness"], strict=True)
        for text, number, fitness in rows:
            self._add(text, self.space.parse(text), int(number), float(fitness))


def make(space: DecisionSpace, settings: Settings, rng: np.ndarray) -> Searcher:
    """Returns the search."""
    return Surrogate(space, settings, rng)

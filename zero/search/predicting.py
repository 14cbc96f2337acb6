"""What methods share that fit a regression to all results and propose what it predicts to be best.

`surrogate` and `smac` are such methods: random genomes as long as little is known, then batches of new
genomes that score best, with random ones between them. What scores them is the methods' own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from zero.errors import ZeroError
from zero.rng import splitmix
from zero.search.decisions import Decisions, by_key, differing, drawn, genome_drawn
from zero.search.predictors import DIGITS
from zero.search.protocol import RANDOM_MUTATION, TOO_FEW_MUTATION, DecisionSpace, Proposal

# Mutations: predicted, one decision from a parent or none.
ALTERED, PREDICTED = "decision", "predicted"
LATEST = 1000  # results that the regression is fitted to, at most
TRIES = 100  # of a random genome that was not evaluated before
PARENTS = 10  # the best genomes, of which candidates are made


class Predicting(ABC):
    """A `zero.search.protocol.Searcher`; a method says in `_batch` what is proposed next.

    initial: results before anything is predicted. batch: proposals between two fits. random_share: of
    later proposals that are random, None = never.
    """

    random_share: float | None = None

    def __init__(self, space: DecisionSpace, initial: int, batch: int, rng: np.ndarray):
        self.space, self.initial, self.batch, self.rng = space, initial, batch, rng
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
        if usable.sum() < 2 or len(usable) < self.initial:
            return self._random(TOO_FEW_MUTATION)
        if self.random_share is not None and splitmix.unit(self.rng) < self.random_share:
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

    @abstractmethod
    def _batch(self) -> list[tuple[Decisions, int]]:
        """Returns the next genomes and their parents' numbers, -1 = none; none if nothing is new."""

    def _best(
        self, candidates: Sequence[Decisions], scores: np.ndarray, values: np.ndarray
    ) -> list[tuple[Decisions, int]]:
        """Returns a batch: of new candidates those of the highest scores, and their parents' numbers.

        A parent is the best of the results one decision away. values: what the latest are worth.
        """
        made, numbers = [by_key(d) for d in self.made[-LATEST:]], self.numbers[-LATEST:]
        found: list[tuple[Decisions, int]] = []
        for row in np.argsort(-np.round(scores, DIGITS), kind="stable"):
            decisions = candidates[row]
            if self._is_refused(decisions):
                continue
            this = by_key(decisions)
            near = [k for k, known in enumerate(made) if differing(known, this) == 1]
            parent = numbers[near[np.argmax(values[near])]] if near else -1
            found.append((decisions, int(parent)))
            if len(found) == self.batch:
                break
        return found

    def _is_refused(self, decisions: Decisions) -> bool:
        if decisions not in self.refused:
            try:
                self.space.genome_of(decisions)
            except ZeroError:
                self.refused.add(decisions)
        return decisions in self.refused

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

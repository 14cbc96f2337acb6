"""Local search over all neighbours of a genome, in both forms (White, Nolen and Savani 2021).

A new random genome; then its neighbours, one by one in random order; then on from a better one, and
where there is none, a restart at a new random genome.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from zero.rng import splitmix
from zero.search.protocol import RANDOM_MUTATION, NeighbourSpace, Proposal

NEIGHBOUR = "neighbour"  # the mutation of one


class NeighbourSearch:
    """See the module's docstring; a `zero.search.protocol.Searcher`.

    Args:
        space: lists neighbours.
        rng: the search's random stream.
        first: whether to move to the first neighbour that is better, not to the best of all.
    """

    def __init__(self, space: NeighbourSpace, rng: np.ndarray, first: bool):
        self.space, self.rng, self.first = space, rng, first
        self.at: tuple[Any, int, float] | None = None  # genome, number, fitness; None: restart
        self.better: tuple[Any, int, float] | None = None  # where to go on
        self._begin(None)

    def _begin(self, at: tuple[Any, int, float] | None) -> None:
        """Makes a genome's neighbours the next to be proposed."""
        self.at, self.better, self.next = at, None, 0
        self.near = [] if at is None else self.space.neighbours(at[0])
        self.order = np.arange(len(self.near))

    def ask(self) -> Proposal:
        """Returns a neighbour, or a random genome where no neighbour was better."""
        while self.at is not None and self.next == len(self.order):
            self._begin(self.better)
        if self.at is None:
            return Proposal(self.space.random(self.rng), mutation=RANDOM_MUTATION)
        i, order = self.next, self.order  # a shuffle, a step at a time
        j = i + splitmix.below(self.rng, len(order) - i)
        order[i], order[j] = order[j], order[i]
        self.next += 1
        return Proposal(self.near[order[i]], self.at[1], 1, NEIGHBOUR)

    def tell(
        self,
        proposal: Proposal,
        number: int,
        fitness: float,
        train_steps: int = 0,
        costs: Sequence[float] = (),
    ) -> None:
        """Takes a result; an individual from elsewhere counts as a neighbour."""
        result = (proposal.genome, number, -math.inf if math.isnan(fitness) else float(fitness))
        if self.at is None:
            self._begin(result)
        elif result[2] > (self.better or self.at)[2]:
            self.better = result
            if self.first:
                self._begin(result)

    def state(self) -> dict[str, Any]:
        """Returns where the search stands."""
        places = {}
        for name, place in (("at", self.at), ("better", self.better)):
            if place is not None:
                genome, number, fitness = place
                places[name] = [self.space.text(genome), number, fitness]
        return {"rng": self.rng.copy(), "order": self.order.copy(), "next": self.next, **places}

    def restore(self, state: dict[str, Any]) -> None:
        """Takes over a state that `state` gave."""
        self.rng[:] = state["rng"]
        self._begin(self._place(state.get("at")))
        self.better = self._place(state.get("better"))
        self.order[:], self.next = state["order"], state["next"]

    def _place(self, kept: list[Any] | None) -> tuple[Any, int, float] | None:
        if kept is None:
            return None
        text, number, fitness = kept
        return self.space.parse(text), int(number), float(fitness)

"""Beam search: one block more, or another one, in one of the best genomes so far.

Google's Model Search (github.com/google/model_search, `adaptive_coordinate_descent`). The parent is one of
the `beam` best different genomes, drawn evenly. Where the space grows and the parent is smaller than
allowed, the child has one block more with probability `growing`, else one of its blocks is another
one. The allowed size starts at the smallest and rises by one after each `trials_per_depth` results. In
spaces of one size, and in those that do not say what size a genome has, one decision is made otherwise.
The first genome is one of the smallest, and so is every one until something can be evaluated.

Its authors draw a block's successor from all blocks, so that it may be the same; and their trials are all
different, as weights are. Here the same genome has the same result, so that another block is drawn, and
a genome is in the beam once.

When to use it: where genomes grow, as in the space `blocks`: children begin with the weights of the part
that they share with their parent, so that a few epochs each are enough.

Cost: nothing beside training; it keeps the beam only.

Source: Google Model Search, code of 2021; Mazzawi et al. 2019 ("Improving Keyword Spotting and Language
Identification via Neural Architecture Search at Scale").
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from pydantic import Field

from zero.errors import ZeroError
from zero.rng import splitmix
from zero.search.decisions import altered
from zero.search.protocol import DecisionSpace, Positive, Proposal, Searcher, SearchSettings

DESCRIPTION = (
    "one block more or another one in one of the best so far, larger ones later (beam search)"
)
NEEDS = ("decisions",)
INHERITS = True

GROWN, REPLACED, SMALLEST = "grown", "replaced", "smallest"  # mutations; the last has no parent
TRIES = 100  # of a replacement that leaves all other decisions as they are
MUTANTS = 10  # where there is none; of them the first that is not too large


class Settings(SearchSettings):
    """beam: genomes that may be parents. growing: probability of a block more, where one is allowed.

    trials_per_depth: results before a block more is allowed.
    """

    beam: Positive = 5
    growing: float = Field(0.9, ge=0, le=1)
    trials_per_depth: Positive = 5


class _Held(NamedTuple):
    """A genome of the beam."""

    text: str
    genome: Any
    number: int
    fitness: float


class Beam:
    """See the module's docstring; a `zero.search.protocol.Searcher`."""

    def __init__(self, space: DecisionSpace, settings: Settings, rng: np.ndarray):
        self.space, self.settings, self.rng = space, settings, rng
        self.grows = hasattr(space, "grown") and hasattr(space, "size_of")
        self.held: list[_Held] = []  # best first, of equal ones the first that came
        self.finished = 0

    def ask(self) -> Proposal:
        """Returns a child of one of the beam, a first genome as long as there is none."""
        if not self.held:
            return self._first()
        parent = self.held[splitmix.below(self.rng, len(self.held))]
        child = self._grown(parent.genome)
        if child is not None:
            return Proposal(child, parent.number, 1, GROWN)
        child = self._replaced(parent.genome)
        return Proposal(child, parent.number, int(child != parent.genome), REPLACED)

    def parents(self) -> list[int]:
        """Returns the numbers of individuals that may yet become parents."""
        return [held.number for held in self.held]

    def _size(self, genome: Any) -> int:
        """Returns the genome's size, the same for all where genomes do not grow."""
        space: Any = self.space
        return int(space.size_of(genome)) if self.grows else 1

    @property
    def _allowed(self) -> int:
        """The size up to which genomes grow."""
        return 1 + self.finished // self.settings.trials_per_depth

    def _first(self) -> Proposal:
        space: Any = self.space
        smallest: Sequence[Any] = space.smallest() if self.grows else ()
        if not smallest:
            return Proposal(space.random(self.rng))
        return Proposal(smallest[splitmix.below(self.rng, len(smallest))], mutation=SMALLEST)

    def _grown(self, genome: Any) -> Any:
        """Returns the genome with one block more if that is what comes next, else None."""
        if not self.grows:
            return None
        space: Any = self.space
        if self._size(genome) >= self._allowed or splitmix.unit(self.rng) >= self.settings.growing:
            return None
        if hasattr(space, "one_grown"):  # where it takes time to know which are allowed
            return space.one_grown(genome, self.rng)
        found: Sequence[Any] = space.grown(genome)
        return found[splitmix.below(self.rng, len(found))] if found else None

    def _replaced(self, genome: Any) -> Any:
        """Returns the genome with one decision made otherwise, where it can be without others.

        Else a mutant of an allowed size, or the genome itself if there is none.
        """
        try:
            old = self.space.decisions_of(genome)
        except ZeroError:  # written down with something that no decision gives
            return self.space.mutate(genome, self.rng)[0]
        for _ in range(TRIES):
            new = altered(self.space.choices, old, self.rng)
            if len(new) != len(old) or sum(map(str.__ne__, new, old)) != 1:
                continue
            try:
                child = self.space.genome_of(new)
            except ZeroError:  # too expensive
                continue
            if self._size(child) == self._size(genome):
                return child
        most = max(self._allowed, self._size(genome))
        for _ in range(MUTANTS):
            child = self.space.mutate(genome, self.rng)[0]
            if self._size(child) <= most:
                return child
        return genome

    def tell(
        self,
        proposal: Proposal,
        number: int,
        fitness: float,
        train_steps: int = 0,
        costs: Sequence[float] = (),
    ) -> None:
        """Takes a result, also of an individual from elsewhere."""
        self.finished += 1
        text = self.space.text(proposal.genome)
        if not math.isfinite(fitness) or any(held.text == text for held in self.held):
            return
        self.held.append(_Held(text, proposal.genome, number, float(fitness)))
        self.held.sort(key=lambda held: -held.fitness)
        del self.held[self.settings.beam :]

    def state(self) -> dict[str, Any]:
        """Returns where the search stands."""
        return {
            "rng": self.rng.copy(),
            "finished": self.finished,
            "genomes": [held.text for held in self.held],
            "numbers": np.array([held.number for held in self.held], dtype=np.int64),
            "fitness": np.array([held.fitness for held in self.held], dtype=np.float64),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Takes over a state that `state` gave."""
        self.rng[:] = state["rng"]
        self.finished = int(state["finished"])
        rows = zip(
            state["genomes"], state["numbers"].tolist(), state["fitness"].tolist(), strict=True
        )
        self.held = [_Held(text, self.space.parse(text), *rest) for text, *rest in rows]


def make(space: DecisionSpace, settings: Settings, rng: np.ndarray) -> Searcher:
    """Returns the search."""
    return Beam(space, settings, rng)

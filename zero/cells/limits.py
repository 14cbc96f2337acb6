"""Spaces of cells that cost no more than a search's candidates may; others are drawn again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from zero.cells.cost import CostLimits
from zero.cells.genome import Genome
from zero.cells.text import parse_genome
from zero.errors import NetworkError
from zero.search.decisions import Decisions

DRAWS = 1000  # of a genome within the limits, before a candidate is given up
UNCHANGED = "identity"


def draw_within(
    limits: CostLimits, evaluator: Any, draw: Callable[[], Genome], tries: int = DRAWS
) -> Genome | None:
    """Returns the first of so many genomes that is within the limits, or None.

    Genomes that make no network count as too expensive.
    """
    for _ in range(tries):
        genome = draw()
        if _is_within(limits, evaluator, genome):
            return genome
    return None


def _is_within(limits: CostLimits, evaluator: Any, genome: Genome) -> bool:
    try:
        return limits.exceeded(evaluator.cost(genome)) is None
    except NetworkError:
        return False


class LimitedSpace:
    """A space of cells within limits; a `NeighbourSpace` and `DecisionSpace` (`zero.search.protocol`).

    Decisions are those of the whole space; `genome_of` refuses what they make beyond the limits.

    Args:
        space: see `zero.cells.spaces`.
        evaluator: knows what genomes cost.
        limits: the most that they may cost.
    """

    def __init__(self, space: Any, evaluator: Any, limits: CostLimits):
        self.space, self.evaluator, self.limits = space, evaluator, limits
        self.mutations: tuple[str, ...] = space.mutations

    def allows(self, genome: Genome) -> bool:
        """Returns whether a genome is within the limits."""
        return _is_within(self.limits, self.evaluator, genome)

    def random(self, rng: np.ndarray) -> Genome:
        """Returns a random genome, one that is not within the limits if none of `DRAWS` is."""
        found = draw_within(self.limits, self.evaluator, lambda: self.space.random(rng))
        return found or self.space.random(rng)

    def mutate(self, genome: Genome, rng: np.ndarray) -> tuple[Genome, str]:
        """Returns a mutated genome, the same one if none of `DRAWS` is within the limits."""
        name = ""

        def draw() -> Genome:
            nonlocal name
            child, name = self.space.mutate(genome, rng)
            return child

        found = draw_within(self.limits, self.evaluator, draw)
        return (genome, UNCHANGED) if found is None else (found, name)

    def neighbours(self, genome: Genome) -> list[Genome]:
        """Returns all neighbours that are within the limits."""
        return [near for near in self.space.neighbours(genome) if self.allows(near)]

    def __getattr__(self, name: str) -> Any:
        # Only spaces that grow have them, which is how it is known (`zero.search.lacking`).
        if name == "smallest" and hasattr(self.space, name):
            return lambda: [g for g in self.space.smallest() if self.allows(g)]
        if name == "grown" and hasattr(self.space, name):
            return self.space.grown  # there are thousands: whoever proposes one asks `allows`
        if name == "size_of" and hasattr(self.space, name):
            return self.space.size_of
        if name == "mixture" and hasattr(self.space, name):
            return self.space.mixture
        if name == "supernet" and hasattr(self.space, name):
            return self._supernet
        raise AttributeError(name)

    def _supernet(self, epochs: int, seed: int, split: bool) -> Any:
        """Returns the network of the whole space, trained as candidates are."""
        from zero.cells.supernet.supernet import make_supernet

        return make_supernet(self.space, self.evaluator, epochs, seed, split)

    def one_grown(self, genome: Genome, rng: np.ndarray) -> Genome | None:
        """Returns one of `grown`, drawn evenly without asking what all of them cost; None if none is."""
        from zero.rng.splitmix import below

        left = list(self.space.grown(genome))
        while left:
            child: Genome = left.pop(below(rng, len(left)))
            if self.allows(child):
                return child
        return None

    def choices(self, decisions: Decisions) -> Sequence[str]:
        """Returns the names of which the next decision is one."""
        return self.space.choices(decisions)

    def genome_of(self, decisions: Decisions) -> Genome:
        """Returns the genome of a complete sequence of decisions.

        Raises:
            ZeroError: the sequence is none, or the genome is not within the limits.
        """
        genome: Genome = self.space.genome_of(decisions)
        if not self.allows(genome):
            raise NetworkError(f"{genome} costs more than the limits allow")
        return genome

    def decisions_of(self, genome: Genome) -> Decisions:
        """Returns the genome's decisions, whatever it costs."""
        return self.space.decisions_of(genome)

    def text(self, genome: Genome) -> str:
        """Returns the genome's text."""
        return str(genome)

    def parse(self, text: str) -> Genome:
        """Returns the genome of a text."""
        return parse_genome(text)

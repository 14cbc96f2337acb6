"""Regularised (ageing) evolution: the best of a tournament is the parent, the oldest dies.

Real et al. 2019 ("Regularized Evolution for Image Classifier Architecture Search") and Real et al.
2020, section 3.1; spec, section 6.4: the tournament draws with replacement, the slot to be
overwritten included, and the first drawn wins ties.

When to use it: first, over anything: it serves every kind of genome, needs nothing of a space but mutations,
and bad luck with one measurement dies with its individual. Programs are evolved by it. With a few hundred
trainings take a small population (10 to 50), or most of them go into the random beginning.

Cost: nothing to speak of: microseconds an individual.

Source: Real et al. 2019, "Regularized Evolution for Image Classifier Architecture Search", algorithm 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Self

import numpy as np

from zero.config.settings import Check, Found, roughly
from zero.rng import splitmix
from zero.search.protocol import Positive, SearchSettings

DESCRIPTION = "tournament selection, the oldest individual is replaced (the paper's method)"


def _check_tournament(settings: Any) -> Iterator[Found]:
    if "tournament" in settings.model_fields_set:
        population, tournament = roughly(settings, "population"), settings.tournament
        if tournament > population:
            message = f"must be at most search.population ({population}), got {tournament}"
            yield ("tournament",), message


class Settings(SearchSettings):
    """tournament: how many are drawn, of whom the fittest is the parent."""

    checks: ClassVar[tuple[Check, ...]] = (_check_tournament,)

    tournament: Positive = 10

    def fitted(self) -> Self:
        """Returns the settings, a tournament that nobody gave at most as large as the population."""
        if "tournament" in self.model_fields_set:
            return self
        return self.model_copy(update={"tournament": min(self.tournament, self.population)})


def numbers(settings: Settings) -> list[float]:
    """Returns the tournament's size."""
    return [settings.tournament]


def choose(slot_fitness: np.ndarray, numbers: np.ndarray, rng: np.ndarray) -> int:
    """Returns the slot of the fittest of `numbers[0]` slots drawn uniformly."""
    best = splitmix.below(rng, len(slot_fitness))
    highest = slot_fitness[best]
    for _ in range(int(numbers[0]) - 1):
        slot = splitmix.below(rng, len(slot_fitness))
        fitness = slot_fitness[
            slot
        ]  # read first: then LLVM needs no branch, which half of all fail
        if fitness > highest:
            best, highest = slot, fitness
    return best

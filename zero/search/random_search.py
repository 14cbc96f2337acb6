"""Random search, the baseline: every individual is new and random.

Programs have sizes drawn uniformly between smallest and largest; with fixed sizes this is the random
search of Real et al. 2020, section 4.1.

When to use it: always, beside any other method: what does not beat it by more than noise found nothing.

Cost: none.

Source: Li and Talwalkar 2020, "Random Search and Reproducibility for Neural Architecture Search"; Real et al.
2020, section 4.1.
"""

from __future__ import annotations

import numpy as np

from zero.search.protocol import RANDOM, SearchSettings

DESCRIPTION = "every individual is a new random one: the baseline"
BREEDS = False


class Settings(SearchSettings):
    """Random search has no settings of its own."""


def numbers(settings: Settings) -> list[float]:
    """Returns nothing: `choose` needs no settings."""
    return []


def choose(slot_fitness: np.ndarray, numbers: np.ndarray, rng: np.ndarray) -> int:
    """Returns `RANDOM` always."""
    return RANDOM

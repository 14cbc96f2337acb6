"""Random search, the baseline: every individual is new and random.

Programs have sizes drawn uniformly between smallest and largest; with fixed sizes this is the random
search of Real et al. 2020, section 4.1.
"""

from zero.evolution.loop import RANDOM

DESCRIPTION = "every individual is a new random one: the baseline"


def settings(search) -> list[float]:
    """Returns no settings."""
    return []


def choose(slot_fitness, settings, rng):
    """Returns `RANDOM` always."""
    return RANDOM

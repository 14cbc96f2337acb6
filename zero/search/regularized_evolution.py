"""Regularised (ageing) evolution: the best of a tournament is the parent, the oldest dies.

Real et al. 2019 ("Regularized Evolution for Image Classifier Architecture Search") and Real et al.
2020, section 3.1; spec, section 6.4: the tournament draws with replacement, the slot to be
overwritten included, and the first drawn wins ties.
"""

from zero.rng.splitmix import below

DESCRIPTION = "tournament selection, the oldest individual is replaced (the paper's method)"


def settings(search) -> list[float]:
    """Returns the tournament size."""
    return [search.tournament]


def choose(slot_fitness, settings, rng):
    """Returns the slot of the fittest of `settings[0]` slots drawn uniformly."""
    best = below(rng, len(slot_fitness))
    highest = slot_fitness[best]
    for _ in range(int(settings[0]) - 1):
        slot = below(rng, len(slot_fitness))
        fitness = slot_fitness[
            slot
        ]  # read first: then LLVM needs no branch, which half of all fail
        if fitness > highest:
            best, highest = slot, fitness
    return best

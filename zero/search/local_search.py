"""Local search: changes of the best living individual only, with random restarts.

White, Nolen and Savani 2021 ("Exploring the Loss Landscape in Neural Architecture Search") evaluate
all neighbours of one individual and go on from the best. Genomes such as programs have too many
neighbours for that, so here they are drawn: the best of the population is the parent until a child is
better or, being the oldest, it dies. The search then goes on from the best of its children. The
population's size is thus how many children are tried before a step down.

One individual in as many as the population holds is a new random one. Where all lately made
individuals are worse than it, the search starts again there: without that, some runs never leave a
local optimum whose neighbours all lead back.

When to use it: over programs, and over cells where small changes make small differences. On small spaces of
cells it is hard to beat; on deceptive ones (ImageNet-16 of NAS-Bench-201) it sinks below evolution.

Cost: nothing to speak of: microseconds an individual.

Source: White, Nolen and Savani 2021, section 4; the drawn neighbours and restarts are ours.
"""

from __future__ import annotations

import numpy as np

from zero.rng import splitmix
from zero.search.protocol import RANDOM, SearchSettings

DESCRIPTION = "the best living individual is the parent, now and then a random restart"


class Settings(SearchSettings):
    """population: also how many children are tried before a step down."""


def numbers(settings: Settings) -> list[float]:
    """Returns nothing: `choose` needs no settings."""
    return []


def choose(slot_fitness: np.ndarray, numbers: np.ndarray, rng: np.ndarray) -> int:
    """Returns the fittest slot, or `RANDOM` once in `len(slot_fitness)` times.

    Of equally fit slots, the first after a random one: where most changes are neutral, as in
    programs, the search drifts over the plateau.
    """
    size = len(slot_fitness)
    if splitmix.below(rng, size) == 0:
        return RANDOM
    slot = splitmix.below(rng, size)
    best, highest = slot, slot_fitness[slot]
    for _ in range(size - 1):
        slot = slot + 1 if slot + 1 < size else 0
        fitness = slot_fitness[slot]
        if fitness > highest:
            best, highest = slot, fitness
    return best

"""Local search that moves to the best of all neighbours; see `zero.search.neighbourhood`.

When to use it: where a step should be the best one there is and trainings are cheap, as on tables; else
`local_search_first_improvement` gets further with as many.

Cost: below a millisecond an individual; to list a cell's neighbours takes longer in large spaces.

Source: White, Nolen and Savani 2021, "Exploring the Loss Landscape in Neural Architecture
Search", algorithm 1.
"""

from __future__ import annotations

import numpy as np

from zero.search.neighbourhood import NeighbourSearch
from zero.search.protocol import NeighbourSpace, Searcher, SearchSettings

DESCRIPTION = "all one-edit neighbours, then the best of them; random restarts"
NEEDS = ("neighbours",)


class Settings(SearchSettings):
    """This search has no settings of its own."""


def make(space: NeighbourSpace, settings: Settings, rng: np.ndarray) -> Searcher:
    """Returns the search."""
    return NeighbourSearch(space, rng, first=False)

"""Local search that moves to the best of all neighbours; see `zero.search.neighbourhood`."""

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

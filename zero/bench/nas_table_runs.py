"""Runs of search methods on a table of evaluated cells: the part of `zero.bench.nas_table` that searches.

A run is a sequence of look-ups of rows; what it found is told as its improvements. Runs of one
`Lookup` forget each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np

from zero import search
from zero.cells.table import CellTable, neighbours
from zero.evolution.loop import LIMIT, run_block
from zero.evolution.population import (
    BEST,
    INDIVIDUALS,
    TRAIN_STEPS,
    capacity,
    new_population,
)
from zero.jit.decorators import jit
from zero.programs.config import Search
from zero.rng.splitmix import below, new_state

# Searches that are no method of `zero.search`.
SAMPLING = "random_sampling"
FIRST_IMPROVEMENT = "local_search_first_improvement"
NEIGHBOURHOOD = {
    "local_search_best_neighbour": "all one-edit neighbours, then the best of them; random restarts",
    FIRST_IMPROVEMENT: "neighbours until one is better; random restarts",
}


# A run that makes this many times the table's size of individuals will not find the optimum. Random
# search needs one table's size on average and passes this in two runs of a billion.
PATIENCE = 20

_FOREVER = np.iinfo(np.int64).max


class Lookup(NamedTuple):
    """What individuals are drawn from and scored by: space and evaluator of the loop at once.

    rows, degree: see `zero.cells.table.Neighbours`. values (N,) float64: the select column. known
    (N,) bool: queried in this run. skip_known: draw children among unknown neighbours, if there are.
    """

    rows: np.ndarray
    degree: np.ndarray
    values: np.ndarray
    known: np.ndarray
    skip_known: bool


@dataclass(frozen=True)
class Trajectory:
    """The improvements of a run: arrays (k,) of queries and individuals until then, and the row."""

    queries: np.ndarray
    individuals: np.ndarray
    rows: np.ndarray

    def row_at(self, budget: int, repeats: bool = False) -> int:
        """Returns the best row within a budget of queries, or of individuals with `repeats`."""
        counted = self.individuals if repeats else self.queries
        return int(self.rows[np.searchsorted(counted, budget, side="right") - 1])


# --- one individual: a row ------------------------------------------------------------------------


@jit
def _draw(genomes, record, lookup, rng):
    genomes[record] = below(rng, len(lookup.degree))


@jit
def _breed(genomes, parent, record, lookup, rng):
    row = genomes[parent]
    degree = lookup.degree[row]
    if degree == 0:  # nothing one edit away is listed
        genomes[record] = below(rng, len(lookup.degree))
        return 0
    unknown = 0
    if lookup.skip_known:
        for i in range(degree):
            unknown += not lookup.known[lookup.rows[row, i]]
    if unknown == 0:
        genomes[record] = lookup.rows[row, below(rng, degree)]
        return 0
    left = below(rng, unknown)
    for i in range(degree):
        if not lookup.known[lookup.rows[row, i]]:
            if left == 0:
                genomes[record] = lookup.rows[row, i]
                break
            left -= 1
    return 0


@jit
def _evaluate(genomes, record, lookup):
    """Returns the row's value, and 1 as "train steps" if this is a query, 0 if it is known."""
    row = genomes[record]
    new = not lookup.known[row]
    lookup.known[row] = True
    return lookup.values[row], np.int64(new)


# --- runs -----------------------------------------------------------------------------------------


@cache
def _compiled(name: str):
    return jit(run_block), jit(search.get(name).choose)


def _through_loop(name: str, lookup: Lookup, settings: dict[str, int], rng) -> Trajectory:
    """Returns a run of a method of `zero.search`."""
    block, choose = _compiled(name)
    size = len(lookup.values)
    numbers = np.array(search.get(name).settings(Search(method=name, **settings)), dtype=np.float64)
    population = settings.get("population", 1)
    people, genomes = new_population(population), np.zeros(capacity(population), np.int64)
    limits = np.array([PATIENCE * size, size])
    numbering = np.array([1, 0])
    optimum = lookup.values.max()
    lookup.known[:] = False
    found = []
    while people.best[0] < optimum:
        ended = block(
            choose, _draw, _draw, _breed, _evaluate,
            people, numbers, genomes, lookup, lookup, rng, _FOREVER, limits, numbering,
        )  # fmt: skip
        if ended == LIMIT:
            break
        counts = people.counts
        found.append((counts[TRAIN_STEPS], counts[INDIVIDUALS], genomes[counts[BEST]]))
    return Trajectory(*np.array(found).T)


@jit
def _climb(lookup, first, rng, most, found):
    """Fills found (N, 3) with queries, individuals and row of improvements; returns their number.

    All neighbours of a cell are looked up in random order. The search moves to the best of them, or
    with `first` at once to the first that is better; where none is, it restarts at a random row.
    """
    tally = np.zeros(3, dtype=np.int64)
    optimum = lookup.values.max()
    while True:
        at = below(rng, len(lookup.degree))
        if _look_up(lookup, at, tally, found, optimum, most):
            return tally[2]
        climbing = True
        while climbing:
            better = at
            order = np.arange(lookup.degree[at])
            for i in range(len(order)):
                j = i + below(rng, len(order) - i)
                order[i], order[j] = order[j], order[i]
                row = np.int64(lookup.rows[at, order[i]])
                if _look_up(lookup, row, tally, found, optimum, most):
                    return tally[2]
                if lookup.values[row] > lookup.values[better]:
                    better = row
                    if first:
                        break
            climbing = better != at
            at = better


@jit
def _look_up(lookup, row, tally, found, optimum, most):
    """Counts queries, individuals and improvements in `tally`; returns whether the run is over."""
    tally[0] += not lookup.known[row]
    tally[1] += 1
    lookup.known[row] = True
    value, improvements = lookup.values[row], tally[2]
    if improvements == 0 or value > lookup.values[found[improvements - 1, 2]]:
        found[improvements, 0], found[improvements, 1] = tally[0], tally[1]
        found[improvements, 2] = row
        tally[2] += 1
    return value >= optimum or tally[0] == len(lookup.values) or tally[1] >= most


def _all_neighbours(first: bool, lookup: Lookup, rng) -> Trajectory:
    """Returns a run of local search over whole neighbourhoods."""
    lookup.known[:] = False
    found = np.empty((len(lookup.values), 3), dtype=np.int64)
    number = _climb(lookup, first, rng, PATIENCE * len(lookup.values), found)
    return Trajectory(*found[:number].T.copy())


def _one_draw(lookup: Lookup, rng) -> Trajectory:
    """Returns random sampling: one row, whatever its score."""
    one = np.ones(1, dtype=np.int64)
    return Trajectory(one, one, one * below(rng, len(lookup.values)))


# --- many runs ------------------------------------------------------------------------------------


def make_lookup(table: CellTable, select: str, skip_known: bool = False) -> Lookup:
    """Returns what runs draw from and score by; each run of it forgets the one before."""
    near, size = neighbours(table), len(table)
    known = np.zeros(size, dtype=np.bool_)
    return Lookup(near.rows, near.degree, table.columns[select], known, skip_known)


def trajectories(
    name: str, lookup: Lookup, settings: dict[str, int], runs: int, seed: int
) -> list[Trajectory]:
    """Returns independent runs of a search; each has a random stream of its own from the seed."""
    found = []
    for number in range(runs):
        rng = new_state(seed, "nas-table", name, number)
        if name == SAMPLING:
            found.append(_one_draw(lookup, rng))
        elif name in NEIGHBOURHOOD:
            first = name == FIRST_IMPROVEMENT
            found.append(_all_neighbours(first, lookup, rng))
        else:
            found.append(_through_loop(name, lookup, settings, rng))
    return found

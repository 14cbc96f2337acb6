"""Runs of search methods on a table of evaluated cells: the part of `zero.bench.nas_table` that searches.

A run is a sequence of look-ups of rows; what it found is told as its improvements. Runs of one
`RowLookup` forget each other.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from zero import search
from zero.bench.nas_table_space import RowSpace
from zero.cells.table import CellTable, neighbours
from zero.evolution.loop import LIMIT, SearchState, run_block
from zero.evolution.population import (
    BEST,
    INDIVIDUALS,
    TRAIN_STEPS,
    capacity,
    new_population,
)
from zero.jit.decorators import jit
from zero.jit.struct import Functions
from zero.rng.splitmix import below, new_state
from zero.search.protocol import SearchSettings
from zero.search.section import settings_model

SAMPLING = "random_sampling"  # no method of `zero.search`
QUERIES, INDIVIDUALS_MADE, SECONDS = "queries", "individuals", "seconds"  # what budgets are of

# A run that makes this many times the table's size of individuals will not find the optimum. Random
# search needs one table's size on average and passes this in two runs of a billion.
MAX_PASSES = 20

# A method that comes up with known cells only, so many times in a row, will not find new ones: a policy
# that has made up its mind, say. Not asked of methods that start again where they are done.
MAX_REPEATS = 1000
RESTARTING = ("local_search_best_neighbour", "local_search_first_improvement")

_FOREVER = np.iinfo(np.int64).max


class RowLookup(NamedTuple):
    """What individuals are drawn from and scored by: space and evaluator of the loop at once.

    rows, degree: see `zero.cells.table.Neighbours`. cells (N, E): see `zero.cells.table.CellTable`.
    values (N,) float64: the select column. seconds (N,) float64: what a query takes, 0 if nothing says
    so. known (N,) bool: queried in this run. spent (1,) float64: seconds of this run. skip_known: draw
    children among unknown neighbours, if there are.
    """

    rows: np.ndarray
    degree: np.ndarray
    cells: np.ndarray
    values: np.ndarray
    seconds: np.ndarray
    known: np.ndarray
    spent: np.ndarray
    skip_known: bool


@dataclass(frozen=True)
class Stop:
    """Where runs end that do not go on to the optimum: after so many queries and seconds; None: never."""

    queries: int | None = None
    seconds: float | None = None

    def reached(self, queries: int, seconds: float) -> bool:
        """Returns whether a run has come so far."""
        if self.queries is None and self.seconds is None:
            return False
        return queries >= (self.queries or 0) and seconds >= (self.seconds or 0)


NEVER = Stop()


@dataclass(frozen=True)
class Trajectory:
    """A run, told by its improvements: arrays (k,) of what was used up until then, and the rows.

    queries, individuals: so many. seconds: of all queries. all_queries, all_individuals: of the whole run.
    cpu_seconds: that it took, a measurement.
    """

    queries: np.ndarray
    individuals: np.ndarray
    seconds: np.ndarray
    rows: np.ndarray
    all_queries: int
    all_individuals: int
    cpu_seconds: float = 0.0

    def row_at(self, budget: float, of: str = QUERIES) -> int:
        """Returns the best row within a budget of queries, individuals or seconds.

        There has to be one: the first query is within the budget.
        """
        used = getattr(self, of)
        return int(self.rows[np.searchsorted(used, budget, side="right") - 1])


# --- one individual: a row ------------------------------------------------------------------------


@jit
def _draw(genomes, record, lookup, rng):
    genomes[record] = below(rng, len(lookup.degree))


@jit
def _breed(genomes, parent, record, lookup, evaluator, rng):
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
    if new:
        lookup.spent[0] += lookup.seconds[row]
    lookup.known[row] = True
    return lookup.values[row], np.int64(new)


# --- runs -----------------------------------------------------------------------------------------


@cache
def _compiled(name: str):
    """Returns `run_block` with a method's rule for parents: (state, quota, limits) -> why it ended."""
    functions = Functions(
        choose=jit(search.get(name).choose),
        create_initial=_draw,
        create=_draw,
        breed=_breed,
        evaluate=_evaluate,
    )
    return jit(lambda state, quota, limits: run_block(functions, state, quota, limits))


def _through_loop(name: str, lookup: RowLookup, settings: dict[str, Any], rng) -> Trajectory:
    """Returns a run of a method that is a rule for parents, compiled."""
    block = _compiled(name)
    size = len(lookup.values)
    given = settings_model(SearchSettings, name)(**settings)
    numbers = np.array(search.get(name).numbers(given), dtype=np.float64)
    population = settings.get("population", 1)
    state = SearchState(
        new_population(population), numbers, np.zeros(capacity(population), np.int64), lookup, lookup,
        rng, numbering=np.array([1, 0]),
    )  # fmt: skip
    counts, limits = state.population.counts, np.array([MAX_PASSES * size, size])
    optimum = lookup.values.max()
    found = []
    while state.population.best[0] < optimum:
        if block(state, _FOREVER, limits) == LIMIT:
            break
        row = state.genomes[counts[BEST]]
        found.append((counts[TRAIN_STEPS], counts[INDIVIDUALS], lookup.spent[0], row))
    return _trajectory(found, counts[TRAIN_STEPS], counts[INDIVIDUALS])


def _through_asking(
    name: str, lookup: RowLookup, space: RowSpace, settings: dict[str, Any], rng, stop: Stop
) -> Trajectory:
    """Returns a run of any other method: it is asked for rows and told their values."""
    given = settings_model(SearchSettings, name)(**settings)
    searcher = search.get(name).make(space, given, rng)
    values, seconds, found = lookup.values.tolist(), lookup.seconds.tolist(), []
    known: set[int] = set()
    best, optimum, spent, repeats = -np.inf, max(values), 0.0, 0
    most = _FOREVER if name in RESTARTING else MAX_REPEATS
    for individuals in range(1, MAX_PASSES * len(values) + 1):
        proposal = searcher.ask()
        row = proposal.genome
        if row in known:
            repeats += 1
        else:
            repeats = 0
            known.add(row)
            spent += seconds[row]
        if values[row] > best:
            best = values[row]
            found.append((len(known), individuals, spent, row))
        if best == optimum or len(known) == len(values):
            break
        if repeats == most or stop.reached(len(known), spent):
            break
        searcher.tell(proposal, individuals, values[row])
    return _trajectory(found, len(known), individuals)


def _one_draw(lookup: RowLookup, rng) -> Trajectory:
    """Returns random sampling: one row, whatever its score."""
    row = below(rng, len(lookup.values))
    return _trajectory([(1, 1, lookup.seconds[row], row)], 1, 1)


def _trajectory(found: list[tuple], all_queries: int, all_individuals: int) -> Trajectory:
    queries, individuals, seconds, rows = zip(*found, strict=True)
    whole = (np.array(part, dtype=np.int64) for part in (queries, individuals))
    return Trajectory(
        *whole,
        np.array(seconds),
        np.array(rows, dtype=np.int64),
        int(all_queries),
        int(all_individuals),
    )


# --- many runs ------------------------------------------------------------------------------------


def make_lookup(
    table: CellTable, select: str, skip_known: bool = False, seconds: str | None = None
) -> RowLookup:
    """Returns what runs draw from and score by; each run of it forgets the one before.

    select, seconds: columns, see `RowLookup`.
    """
    near, size = neighbours(table), len(table)
    taken = np.zeros(size) if seconds is None else table.columns[seconds]
    known, spent = np.zeros(size, dtype=np.bool_), np.zeros(1)
    values = table.columns[select]
    return RowLookup(near.rows, near.degree, table.cells, values, taken, known, spent, skip_known)


def goes_on(name: str) -> bool:
    """Returns whether runs of a search always go on to the optimum: they are fast, and find it."""
    return name != SAMPLING and (search.chooses_parents(name) or name in RESTARTING)


def trajectories(
    name: str,
    lookup: RowLookup,
    settings: dict[str, Any],
    runs: int,
    seed: int,
    stop: Stop = NEVER,
) -> list[Trajectory]:
    """Returns independent runs of a search; each has a random stream of its own from the seed.

    stop: of searches whose runs do not always go on to the optimum.
    """
    stop = NEVER if goes_on(name) else stop
    follows = name != SAMPLING and search.chooses_parents(name)
    space = None
    if name != SAMPLING and not follows:
        space = RowSpace(lookup.rows, lookup.degree, lookup.cells)

    def run(number: int) -> Trajectory:
        rng = new_state(seed, "nas-table", name, number)
        lookup.known[:], lookup.spent[:] = False, 0
        if name == SAMPLING:
            return _one_draw(lookup, rng)
        if space is None:
            return _through_loop(name, lookup, settings, rng)
        return _through_asking(name, lookup, space, settings, rng, stop)

    if runs and follows:
        run(0)  # compiles
    found = []
    for number in range(runs):
        began = time.process_time()
        made = run(number)
        found.append(replace(made, cpu_seconds=time.process_time() - began))
    return found

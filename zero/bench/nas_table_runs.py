"""Runs of search methods on a table of evaluated cells: the part of `zero.bench.nas_table` that searches.

A run is a sequence of look-ups of rows; what it found is told as its improvements. Runs of one
`RowLookup` forget each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from typing import NamedTuple

import numpy as np

from zero import search
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
from zero.search.decisions import Decisions, checked
from zero.search.protocol import SearchSettings
from zero.search.section import settings_model

SAMPLING = "random_sampling"  # no method of `zero.search`

# A run that makes this many times the table's size of individuals will not find the optimum. Random
# search needs one table's size on average and passes this in two runs of a billion.
MAX_PASSES = 20

_FOREVER = np.iinfo(np.int64).max


class RowLookup(NamedTuple):
    """What individuals are drawn from and scored by: space and evaluator of the loop at once.

    rows, degree: see `zero.cells.table.Neighbours`. cells (N, E): see `zero.cells.table.CellTable`.
    values (N,) float64: the select column. known (N,) bool: queried in this run. skip_known: draw
    children among unknown neighbours, if there are.
    """

    rows: np.ndarray
    degree: np.ndarray
    cells: np.ndarray
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
    """Returns `run_block` with a method's rule for parents: (state, quota, limits) -> why it ended."""
    functions = Functions(
        choose=jit(search.get(name).choose),
        create_initial=_draw,
        create=_draw,
        breed=_breed,
        evaluate=_evaluate,
    )
    return jit(lambda state, quota, limits: run_block(functions, state, quota, limits))


def _through_loop(name: str, lookup: RowLookup, settings: dict[str, int], rng) -> Trajectory:
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
    lookup.known[:] = False
    found = []
    while state.population.best[0] < optimum:
        if block(state, _FOREVER, limits) == LIMIT:
            break
        row = state.genomes[counts[BEST]]
        found.append((counts[TRAIN_STEPS], counts[INDIVIDUALS], row))
    return Trajectory(*np.array(found).T)


class _Rows:
    """The table as a space of genomes: a genome is the number of a row.

    Decisions: the edges' ops, in the order of the string, by their numbers in the table; those that lead
    to a listed cell can be chosen.
    """

    mutations = ()

    def __init__(self, lookup: RowLookup):
        self.size = len(lookup.degree)
        self._near = [row[:n].tolist() for row, n in zip(lookup.rows, lookup.degree, strict=True)]
        self._cells = [tuple(map(str, cell)) for cell in lookup.cells.tolist()]

    def random(self, rng: np.ndarray) -> int:
        return int(below(rng, self.size))

    def mutate(self, row: int, rng: np.ndarray) -> tuple[int, str]:
        near = self._near[row]
        return (near[below(rng, len(near))], "edge") if near else (self.random(rng), "random")

    def neighbours(self, row: int) -> list[int]:
        return self._near[row]

    @cached_property
    def _choices(self) -> dict[Decisions, list[str]]:
        found: dict[Decisions, dict[str, None]] = {}
        for cell in sorted(self._cells):
            for place, op in enumerate(cell):
                found.setdefault(cell[:place], {})[op] = None
        return {decisions: list(ops) for decisions, ops in found.items()}

    @cached_property
    def _row_of(self) -> dict[Decisions, int]:
        return {cell: row for row, cell in enumerate(self._cells)}

    def choices(self, decisions: Decisions) -> list[str]:
        return self._choices.get(decisions, [])

    def genome_of(self, decisions: Decisions) -> int:
        return self._row_of[checked(self.choices, decisions)]

    def decisions_of(self, row: int) -> Decisions:
        return self._cells[row]

    def text(self, row: int) -> str:
        return str(row)

    def parse(self, text: str) -> int:
        return int(text)


def _through_asking(name: str, lookup: RowLookup, space: _Rows, settings, rng) -> Trajectory:
    """Returns a run of any other method: it is asked for rows and told their values."""
    given = settings_model(SearchSettings, name)(**settings)
    searcher = search.get(name).make(space, given, rng)
    values, found = lookup.values.tolist(), []
    known: set[int] = set()
    best, optimum = -np.inf, max(values)
    for individuals in range(1, MAX_PASSES * len(values) + 1):
        proposal = searcher.ask()
        row = proposal.genome
        known.add(row)
        if values[row] > best:
            best = values[row]
            found.append((len(known), individuals, row))
        if best == optimum or len(known) == len(values):
            break
        searcher.tell(proposal, individuals, values[row])
    return Trajectory(*np.array(found).T)


def _one_draw(lookup: RowLookup, rng) -> Trajectory:
    """Returns random sampling: one row, whatever its score."""
    one = np.ones(1, dtype=np.int64)
    return Trajectory(one, one, one * below(rng, len(lookup.values)))


# --- many runs ------------------------------------------------------------------------------------


def make_lookup(table: CellTable, select: str, skip_known: bool = False) -> RowLookup:
    """Returns what runs draw from and score by; each run of it forgets the one before."""
    near, size = neighbours(table), len(table)
    known = np.zeros(size, dtype=np.bool_)
    values = table.columns[select]
    return RowLookup(near.rows, near.degree, table.cells, values, known, skip_known)


def trajectories(
    name: str, lookup: RowLookup, settings: dict[str, int], runs: int, seed: int
) -> list[Trajectory]:
    """Returns independent runs of a search; each has a random stream of its own from the seed."""
    found = []
    asked = name != SAMPLING and not search.chooses_parents(name)
    space = _Rows(lookup) if asked else None
    for number in range(runs):
        rng = new_state(seed, "nas-table", name, number)
        if name == SAMPLING:
            found.append(_one_draw(lookup, rng))
        elif space is not None:
            found.append(_through_asking(name, lookup, space, settings, rng))
        else:
            found.append(_through_loop(name, lookup, settings, rng))
    return found

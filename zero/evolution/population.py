"""The individuals of one island: the living population and the ancestors that lead to it, compiled.

An individual is a *record*: an index into arrays, and the same index into the genomes. The population
is a ring of slots that point to records; the slot that is overwritten next always holds the oldest
individual (ageing evolution without birth dates). Records of the dead are kept while a living
individual, or the best one ever, descends from them; `collect` frees the others. Ancestors that
neither branch nor improved on their own ancestor are bridged, so that a lineage keeps its steps
forward and stays small however long the run.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from zero.jit.decorators import jit, plain_or_jit

# Places in `Population.counts`.
INDIVIDUALS, CURSOR, FILLED, FREE, BEST, BEST_AT, TRAIN_STEPS = range(7)
NUM_COUNTS = 8
COPY, FIRST = -1, -2  # instead of a mutation's number: an unchanged copy, no parent at all


class Population(NamedTuple):
    """State of one island's population.

    slots (P,) int32: record of each slot. slot_fitness (P,) float64. Per record (C,): number int64
    (the individual's number, unique over islands), parent int32 (record, -1 = none), steps int32
    (generations since the parent record), mutation int8, fitness float64, children int32 and keep
    bool (scratch), free int32 (a stack of free records). counts int64 and best (1,) float64: see the
    names above; BEST is the record of the best individual ever, -1 at first.
    """

    slots: np.ndarray
    slot_fitness: np.ndarray
    number: np.ndarray
    parent: np.ndarray
    steps: np.ndarray
    mutation: np.ndarray
    fitness: np.ndarray
    children: np.ndarray
    keep: np.ndarray
    free: np.ndarray
    counts: np.ndarray
    best: np.ndarray


def capacity(size: int, batch: int = 1) -> int:
    """Returns how many records an island of that population and batch size holds."""
    # Small, so that genomes stay near the processor; large enough to collect seldom. `collect` keeps
    # at most twice as many as are alive, those in flight included, and leaves room for a batch.
    return 2 * size + 512 + (4 * batch if batch > 1 else 0)


def new_population(size: int, batch: int = 1) -> Population:
    """Returns an empty population of that many slots."""
    n = capacity(size, batch)
    counts = np.zeros(NUM_COUNTS, dtype=np.int64)
    counts[FREE], counts[BEST] = n, -1
    return Population(
        slots=np.full(size, -1, dtype=np.int32),
        slot_fitness=np.full(size, -np.inf),
        number=np.zeros(n, dtype=np.int64),
        parent=np.full(n, -1, dtype=np.int32),
        steps=np.zeros(n, dtype=np.int32),
        mutation=np.full(n, FIRST, dtype=np.int8),
        fitness=np.full(n, -np.inf),
        children=np.zeros(n, dtype=np.int32),
        keep=np.zeros(n, dtype=np.bool_),
        free=np.arange(n - 1, -1, -1, dtype=np.int32),
        counts=counts,
        best=np.full(1, -np.inf),
    )


@jit
def _mark(population: Population, record: int) -> None:
    """Keeps a record and its ancestors; counts children."""
    p = population
    while record >= 0 and not p.keep[record]:
        p.keep[record] = True
        if p.parent[record] >= 0:
            p.children[p.parent[record]] += 1
        record = p.parent[record]


@jit
def _bridge(population: Population, alive: np.ndarray, any_step: bool) -> None:
    """Takes out ancestors with one child that were no step forward (or any such ancestor)."""
    p = population
    for record in range(len(p.keep)):
        if not p.keep[record]:
            continue
        while True:
            middle = p.parent[record]
            if middle < 0 or alive[middle] or p.children[middle] != 1:
                break
            above = p.parent[middle]
            if above < 0 or not (any_step or p.fitness[middle] <= p.fitness[above]):
                break
            p.parent[record] = above
            p.steps[record] += p.steps[middle]
            p.keep[middle] = False


@jit
def collect(population: Population, flying: np.ndarray | None = None) -> None:
    """Frees the records that no living individual descends from.

    flying: records in no slot yet that count as alive.
    """
    p = population
    for record in range(len(p.keep)):
        p.keep[record] = False
        p.children[record] = 0
    alive = np.zeros(len(p.keep), dtype=np.bool_)
    for slot in range(p.counts[FILLED]):
        alive[p.slots[slot]] = True
        _mark(p, p.slots[slot])
    if p.counts[BEST] >= 0:
        alive[p.counts[BEST]] = True
        _mark(p, p.counts[BEST])
    most = len(p.slots) + len(p.slots) // 2 + 128
    if flying is not None:
        most += len(flying)
        for record in flying:
            alive[record] = True
            _mark(p, record)
    _bridge(p, alive, False)
    kept = 0
    for record in range(len(p.keep)):
        kept += p.keep[record]
    if kept > most:  # too much history: thin it, oldest details first to go
        _bridge(p, alive, True)
    free = 0
    for record in range(len(p.keep) - 1, -1, -1):
        if not p.keep[record]:
            p.free[free] = record
            free += 1
    p.counts[FREE] = free


@plain_or_jit
def new_record(population: Population) -> int:
    """Returns a free record."""
    p = population
    if p.counts[FREE] == 0:
        collect(p)
    p.counts[FREE] -= 1
    return np.int64(p.free[p.counts[FREE]])  # type: ignore[return-value]


def lineage(population: Population, record: int) -> list[int]:
    """Returns the records from the oldest known ancestor to `record`."""
    chain = []
    while record >= 0:
        chain.append(int(record))
        record = int(population.parent[record])
    return chain[::-1]

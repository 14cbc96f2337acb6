"""Batched ageing evolution: individuals are bred many at a time, from the population as it stands.

While one batch is evaluated the next is bred: when the children of batch k are bred, the population
holds the batches up to k - 2, and k - 1 is in flight. Then the oldest batch in flight is inserted, in
order, each individual in the place of the oldest. That is a pipeline for a GPU; every backend does the
same, so that one seed gives one search. The first individuals come in batches, too, the last of
which is cut short so that no child is bred before the population is full. Where a round ends, a batch
is cut short as well and all are inserted: individuals are met exactly, and nothing is in flight.

A batch size of 1 is another algorithm, without a pipeline: `zero.evolution.loop.run_block`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from zero.evolution.loop import (
    IMPROVED,
    LIMIT,
    QUOTA,
    SearchFunctions,
    SearchState,
    new_individual,
    replace_oldest,
)
from zero.evolution.population import (
    FILLED,
    FREE,
    INDIVIDUALS,
    TRAIN_STEPS,
)
from zero.evolution.population import collect as collect_records
from zero.jit.decorators import plain_or_jit

# Places in `Batch.counts`.
OLDER, INSERTED, EVALUATED_ROWS, BATCHES = range(4)
# Where a half stands. PREPARED and SCREENED: only where evaluations are deferred.
EMPTY, BRED, PREPARED, SCREENED, FINISHED = range(5)
# What is to be done for an individual. NEW: not known yet. FULL: it must be evaluated in full. PASSED:
# so it must, and is over the hurdle. ALIAS: it gets the fitness of another in flight. KNOWN: nothing.
NEW, FULL, PASSED, ALIAS, KNOWN = range(5)


class Batch(NamedTuple):
    """The individuals in flight: two halves of at most B rows, one batch each.

    Of each row (2, B): record int32, status int8 (`NEW`, ...), fitness float64 and steps int64 (train
    steps taken) once it is evaluated; alias int64, the row (half * B + row) whose fitness it gets, and
    key uint64, its key in the cache, where evaluations are deferred (see
    `zero.programs.interpreter.deferred`).
    rows (2,) int64: of each half, 0 = empty; stage (2,) int8: `EMPTY`, `BRED`, ... counts (4,) int64:
    OLDER, the half that is inserted next; INSERTED, how many of its rows are; EVALUATED_ROWS, rows of
    the newest half that are evaluated, where that is done one by one; BATCHES, bred so far.
    """

    record: np.ndarray
    status: np.ndarray
    fitness: np.ndarray
    steps: np.ndarray
    alias: np.ndarray
    key: np.ndarray
    rows: np.ndarray
    stage: np.ndarray
    counts: np.ndarray


def new_batch(size: int) -> Batch:
    """Returns the state in which nothing is in flight, for batches of at most that many."""
    shape = (2, size)
    return Batch(
        record=np.full(shape, -1, dtype=np.int32),
        status=np.zeros(shape, dtype=np.int8),
        fitness=np.zeros(shape),
        steps=np.zeros(shape, dtype=np.int64),
        alias=np.full(shape, -1, dtype=np.int64),
        key=np.zeros(shape, dtype=np.uint64),
        rows=np.zeros(2, dtype=np.int64),
        stage=np.zeros(2, dtype=np.int8),
        counts=np.zeros(4, dtype=np.int64),
    )


def clear(batch: Batch) -> None:
    """Forgets what is in flight."""
    batch.rows[:], batch.stage[:] = 0, EMPTY
    batch.counts[INSERTED] = 0


@plain_or_jit
def breed_batch(functions: SearchFunctions, state: SearchState, end: int) -> int:
    """Breeds the next batch if there is a free half and somebody may be bred now; returns its rows.

    end: individuals in all, beyond which none is bred.
    """
    population, batch = state.population, state.batch
    counts = batch.counts
    older = counts[OLDER]
    half = older if batch.rows[older] == 0 else 1 - older
    if batch.rows[half] > 0 or counts[INSERTED] > 0:
        return 0
    flying = batch.rows[1 - half]
    rows = min(batch.record.shape[1], end - population.counts[INDIVIDUALS] - flying)
    filled, size = population.counts[FILLED], len(population.slots)
    if filled < size:
        rows = min(rows, size - filled - flying)
    if rows <= 0:
        return 0
    if population.counts[FREE] < rows:
        collect_records(population, batch.record[1 - half, :flying])
    for row in range(rows):
        batch.record[half, row] = new_individual(functions, state)
        batch.status[half, row] = NEW
    batch.rows[half], batch.stage[half] = rows, BRED
    counts[EVALUATED_ROWS] = 0
    counts[BATCHES] += 1
    return rows


@plain_or_jit
def insert_batch(state: SearchState, limits: np.ndarray) -> int:
    """Inserts the older half until a new best individual or a limit; returns which, or `QUOTA`.

    `QUOTA` means that the half is empty now, or not evaluated yet. Arguments as for `run_batches`.
    """
    population, batch = state.population, state.batch
    counts = batch.counts
    half = counts[OLDER]
    if batch.stage[half] != FINISHED:
        return QUOTA
    while counts[INSERTED] < batch.rows[half]:
        if population.counts[INDIVIDUALS] >= limits[0]:
            return LIMIT
        if population.counts[TRAIN_STEPS] >= limits[1]:
            return LIMIT
        row = counts[INSERTED]
        counts[INSERTED] += 1
        if counts[INSERTED] == batch.rows[half]:
            batch.rows[half], batch.stage[half] = 0, EMPTY
            counts[INSERTED], counts[OLDER] = 0, 1 - half
        record = np.int64(batch.record[half, row])
        fitness, steps = batch.fitness[half, row], batch.steps[half, row]
        if replace_oldest(state, record, fitness, steps):  # type: ignore[arg-type]
            return IMPROVED
    return QUOTA


@plain_or_jit
def run_batches(
    functions: SearchFunctions, state: SearchState, quota: int, limits: np.ndarray
) -> int:
    """Evolves in batches until a new best individual, a limit or the quota; returns which.

    Arguments as for `zero.evolution.loop.run_block`, whose state has a batch, except for these:

    Args:
        quota: individuals to evaluate at most in this call; decides nothing.
        limits: int64 (3,): individuals, train steps of this island at which it comes back, and
            individuals at which nothing is in flight any more.
    """
    population, batch = state.population, state.batch
    counts = population.counts
    while quota > 0:
        if counts[INDIVIDUALS] >= limits[0] or counts[TRAIN_STEPS] >= limits[1]:
            return LIMIT
        newest = 1 - batch.counts[OLDER]
        if batch.rows[newest] == 0:
            newest = batch.counts[OLDER]
        if batch.stage[newest] == BRED:
            row = batch.counts[EVALUATED_ROWS]
            record = np.int64(batch.record[newest, row])
            fitness, steps = functions.evaluate(state.genomes, record, state.evaluator)
            batch.fitness[newest, row], batch.steps[newest, row] = fitness, steps
            batch.status[newest, row] = KNOWN
            batch.counts[EVALUATED_ROWS] += 1
            if batch.counts[EVALUATED_ROWS] == batch.rows[newest]:
                batch.stage[newest] = FINISHED
            quota -= 1
            continue
        rows = breed_batch(functions, state, limits[2])
        if rows > 0:
            continue
        if batch.rows[newest] == 0:  # nobody in flight, and nobody may be bred
            return LIMIT
        code = insert_batch(state, limits)
        if code != QUOTA:
            return code
    return QUOTA

"""Programs whose full evaluation is deferred, to a GPU: `frame.evaluate` in three parts, a batch at a time.

They are what comes before the full evaluation, the hurdle, and what comes after. Individuals' looks into
the caches keep their order, and a program that is not known yet gets its entry at once: instead of a
fitness it holds who in flight will know it. So the three parts serve, forget and count the same as
`evaluate` of one after the other.

This file is part of a generated module, not imported by itself (`zero.programs.interpreter.module`): it
uses the names of `frame.py`, which stands before it.
"""
# ruff: noqa: F821

import numpy as np

from zero.evolution.batches import (
    ALIAS,
    FINISHED,
    FULL,
    KNOWN,
    PASSED,
    PREPARED,
    SCREENED,
)
from zero.jit.decorators import jit
from zero.programs.fec import find, insert_bits, replace_bits
from zero.programs.interpreter.arrays import (
    BUDGET_FAILS,
    EVALUATED,
    FEC_HITS,
    HURDLE_FAILS,
    SEEN_HITS,
    STEPS_TAKEN,
)

# Where an entry's value is (this number << 32) + a row: no fitness, as it is a NaN of no arithmetic.
_IN_FLIGHT = 0x7FFCBA7C


@jit
def _pending(batch, half, k):
    """Returns the bits of an entry that stands for a row in flight."""
    return np.uint64(_IN_FLIGHT << 32) + np.uint64(half * batch.record.shape[1] + k)


@jit
def _bits_of(x):
    return np.float64(x).view(np.uint64)


@jit
def prepare(genomes, e, batch, half):
    """Settles what it can without a full evaluation; returns how many rows are `FULL`, to be evaluated.

    Rows are then KNOWN (fitness and steps are set), ALIAS (of a row of this half or the other) or FULL.
    """
    s = e.settings
    cache = e.fec if s.fec_train else e.seen
    full = 0
    for k in range(batch.rows[half]):
        row = np.int64(batch.record[half, k])
        e.counters[EVALUATED] += 1
        batch.status[half, k], batch.fitness[half, k], batch.steps[half, k] = KNOWN, 0.0, 0
        if s.budget > 0.0 and over_budget(genomes, row, e):
            e.counters[BUDGET_FAILS] += 1
            continue
        canonical, writes_features = begin(genomes, row, e)
        found, fitness = _remembered(e, canonical)
        key, taken = canonical, np.int64(0)
        if found:
            e.counters[SEEN_HITS] += 1
            taken = _steps_of_remembered(s)
        elif s.fec_train:
            key, taken = _first_examples(e, writes_features)
            insert_bits(e.seen, canonical, key)
            found, fitness = find(e.fec, key, s.forget_every)
            if found:
                e.counters[FEC_HITS] += 1
        if found:
            e.counters[STEPS_TAKEN] += taken
            bits = _bits_of(fitness)
            batch.fitness[half, k], batch.steps[half, k] = fitness, taken
            if bits >> np.uint64(32) == np.uint64(_IN_FLIGHT):
                batch.status[half, k] = ALIAS
                batch.alias[half, k] = np.int64(bits & np.uint64(0xFFFFFFFF))
        else:
            insert_bits(cache, key, _pending(batch, half, k))
            batch.status[half, k], batch.key[half, k] = FULL, key
            full += 1
    batch.stage[half] = PREPARED
    return full


@jit
def _settle(e, batch, half, k, fitness, taken):
    """Sets the outcome of a row that was evaluated, here and in the cache."""
    batch.fitness[half, k], batch.steps[half, k] = fitness, taken
    batch.status[half, k] = KNOWN
    e.counters[STEPS_TAKEN] += taken
    cache = e.fec if e.settings.fec_train else e.seen
    replace_bits(cache, batch.key[half, k], _pending(batch, half, k), _bits_of(fitness))


@jit
def screen(e, batch, half, early, taken):
    """Applies the hurdle to the rows that are `FULL`: they become PASSED or KNOWN.

    early (n, T) float64: fitness on the hurdle's examples of those rows, in order; taken (n, T): train
    steps. Returns how many passed.
    """
    s = e.settings
    n = passed = 0
    for k in range(batch.rows[half]):
        if batch.status[half, k] == FULL:
            fitness = combine(early[n], s, e.sorted)
            if _hurdle(e, fitness):
                batch.status[half, k] = PASSED
                passed += 1
            else:
                e.counters[HURDLE_FAILS] += 1
                _settle(e, batch, half, k, _below_hurdle(fitness), taken[n].sum())
            n += 1
    batch.stage[half] = SCREENED
    return passed


@jit
def finish(e, batch, half, fitness, taken):
    """Takes the outcome of the rows that are `FULL` or `PASSED`; the older half must come first.

    fitness (n, T) float64 and taken (n, T), train steps, of those rows, in order.
    """
    n = 0
    for k in range(batch.rows[half]):
        if batch.status[half, k] == FULL or batch.status[half, k] == PASSED:
            mean = combine(fitness[n], e.settings, e.sorted)
            _settle(e, batch, half, k, mean, taken[n].sum())
            n += 1
    size = batch.record.shape[1]
    for other in range(2):
        for k in range(batch.rows[other]):
            if batch.status[other, k] == ALIAS and batch.alias[other, k] // size == half:
                batch.fitness[other, k] = batch.fitness[half, batch.alias[other, k] % size]
                batch.status[other, k] = KNOWN
    batch.stage[half] = FINISHED

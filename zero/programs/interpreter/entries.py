"""The search on compiled programs, and what is called from Python (`_entry`).

This file is part of a generated module, not imported by itself (`zero.programs.interpreter.module`): it
uses the names of `frame.py` and `deferred.py`, which stand before it, `mutate` and the search method's
`choose`.
"""
# ruff: noqa: F821

import numpy as np

from zero.evolution import batches, loop, population
from zero.jit.decorators import entry as _entry
from zero.jit.decorators import jit
from zero.jit.struct import Functions, address, pack
from zero.programs import mutations
from zero.programs.interpreter.handlers import EXAMPLE
from zero.programs.interpreter.lanes import execute
from zero.programs.proposals import dependence, forget_key, is_wanted
from zero.rng.splitmix import unit

__all__ = ["pack"]  # for who calls the entries

busy_seconds = None  # of a device; there is none


def open_device(evaluator):
    """Does nothing: there is none."""


@jit
def breed(genomes, parent, row, space, evaluator, rng):
    """Writes a child of `parent` to `row`; returns the mutation's number, -1 for a plain copy."""
    p = space.proposals
    mutations.copy_genome(genomes, parent, genomes, row)
    forget_key(p, row)
    if space.mutate_probability[0] < 1.0 and unit(rng) >= space.mutate_probability[0]:
        p.made[0] += 1
        return -1
    if p.tries[0] > 1:
        return _proposed(genomes, parent, row, space, evaluator, rng)
    p.made[0] += 1
    return _mutated(genomes, row, space, rng)


@jit
def _mutated(genomes, row, space, rng):
    """Applies a mutation drawn by its weight; returns its number."""
    x = unit(rng)
    choice = 0
    while x >= space.weights[choice] and choice < len(space.weights) - 1:
        choice += 1
    kind = space.kinds[choice]
    mutate(kind, genomes, row, space, rng)
    return kind


@jit
def _proposed(genomes, parent, row, space, evaluator, rng):
    """Mutates until the child is as `zero.programs.proposals` says; returns the last mutation's number."""
    p = space.proposals
    by_key = p.changed[0] or p.novel[0]
    of_parent = _key_of(genomes, parent, evaluator, p) if by_key else np.uint64(0)
    least = dependence(genomes, parent, space) if p.learns[0] else np.int64(0)
    kind = np.int64(-1)
    for _ in range(p.tries[0]):
        p.made[0] += 1
        kind = _mutated(genomes, row, space, rng)
        if p.learns[0] and dependence(genomes, row, space) < least:
            mutations.copy_genome(genomes, parent, genomes, row)
            forget_begun(evaluator)
            forget_key(p, row)
            continue
        forget_key(p, row)
        wanted = not by_key or is_wanted(_key_of(genomes, row, evaluator, p), of_parent, p)
        if wanted and (p.again[0] == 0.0 or unit(rng) >= p.again[0]):
            break
    return kind


@jit
def _key_of(genomes, row, evaluator, p):
    """Returns the canonical key of the program in a row, which is worked out once."""
    if row < len(p.of_record) and p.of_record[row]:
        return p.of_record[row]
    key = canonical_key(genomes, row, evaluator)
    if row < len(p.of_record):
        p.of_record[row] = key
    return key


_FUNCTIONS = Functions(
    choose=choose,
    create_initial=mutations.create_initial,
    create=mutations.create,
    breed=breed,
    evaluate=evaluate,
)


@_entry
def run_block(state, quota, limits):
    """See `zero.evolution.loop.run_block`."""
    return loop.run_block(_FUNCTIONS, state, quota, limits)


@_entry
def run_batches(state, quota, limits):
    """See `zero.evolution.batches.run_batches`."""
    return batches.run_batches(_FUNCTIONS, state, quota, limits)


@_entry
def breed_batch(state, end):
    """See `zero.evolution.batches.breed_batch`."""
    return batches.breed_batch(_FUNCTIONS, state, end)


@_entry
def insert_batch(state, limits):
    """See `zero.evolution.batches.insert_batch`."""
    return batches.insert_batch(state, limits)


@_entry
def prepare_batch(state, half):
    """See `prepare`."""
    return prepare(state.genomes, state.evaluator, state.batch, half)


@_entry
def screen_batch(state, half, early, taken):
    """See `screen`."""
    return screen(state.evaluator, state.batch, half, early, taken)


@_entry
def finish_batch(state, half, fitness, taken):
    """See `finish`."""
    finish(state.evaluator, state.batch, half, fitness, taken)


@_entry
def evaluate_program(genomes, row, evaluator):
    """`evaluate` without the caches: (fitness, train steps taken); `task_fitness` is set."""
    _, writes_features, _ = decode(genomes, row, evaluator, False)
    fitness, taken = _rest_from_start(evaluator, writes_features)
    return fitness, taken


@jit
def _rest_from_start(e, writes_features):
    for block in range(e.settings.blocks):
        start(e, block)
    return _rest(e, np.int64(0), writes_features)


@_entry
def go_on_training(genomes, row, e):
    """Trains on all examples once, on the memory of the blocks as it is; `stopped` is set."""
    _, writes_features, _ = decode(genomes, row, e, False)
    s = e.settings
    for block in range(s.blocks):
        ready(e, block)
        train(e, block, 0, s.train, writes_features, e.errors[:0])


@_entry
def evaluate_many(genomes, row, e, times):
    """`evaluate_program` again and again, for timing; returns the train steps of all."""
    taken = 0
    for _ in range(times):
        _, writes_features, _ = decode(genomes, row, e, False)
        taken += _rest_from_start(e, writes_features)[1]
    return taken


@_entry
def trace(genomes, row, e, train_errors, valid_errors):
    """One epoch of one block with every error written down: (W, n) arrays flattened by step."""
    _, writes_features, _ = decode(genomes, row, e, False)
    s = e.settings
    block = np.int64(0)
    start(e, block)
    taken = train(e, block, block, s.train, writes_features, train_errors)
    validate(e, block, s.train, s.valid, s.valid, valid_errors, block)
    keep_best(e, block)
    return taken


@_entry
def run_instructions(genomes, row, e, example, function):
    """Executes all instructions of a row as they stand, on the memory of block 0 as it is."""
    decode(genomes, row, e, True)
    context = context_of(e, np.int64(0), function)
    context[EXAMPLE] = example
    for part in range(3):
        execute(address(e.code), e.bounds[part], address(e.mem), np.int64(0), context)


@_entry
def collect(population_):
    """`zero.evolution.population.collect`."""
    population.collect(population_)

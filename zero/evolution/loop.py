"""The evolutionary loop: choose a parent, make a child, evaluate it, let it replace the oldest.

It knows nothing of what a genome is: `SearchFunctions` are given. For programs all of them are compiled
and so is the loop (`zero.programs.interpreter.module`); with plain Python functions it runs as plain
Python.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from zero.evolution.population import (
    BEST,
    BEST_AT,
    COPY,
    CURSOR,
    FILLED,
    FIRST,
    INDIVIDUALS,
    TRAIN_STEPS,
    Population,
    new_record,
)
from zero.jit.decorators import plain_or_jit
from zero.search.protocol import RANDOM

# Why `run_block` came back.
QUOTA, IMPROVED, LIMIT = range(3)


class SearchFunctions(NamedTuple):
    """What a search is made of; compiled code is given `zero.jit.struct.Functions` of these names.

    choose: (slot_fitness, settings, rng) -> slot of the parent, or `RANDOM`.
    create_initial, create: (genomes, record, space, rng), write a first or a random genome.
    breed: (genomes, parent, record, space, evaluator, rng) -> number of the mutation or `COPY`.
    evaluate: (genomes, record, evaluator) -> (fitness, train steps); NaN ranks last.
    """

    choose: Callable[..., int]
    create_initial: Callable[..., None]
    create: Callable[..., None]
    breed: Callable[..., int]
    evaluate: Callable[..., tuple[float, int]]


class SearchState(NamedTuple):
    """All that a search works on, changed in place.

    population: see `zero.evolution.population`. genomes has a row for each of its records; space and
    evaluator are handed on to the functions, as is rng, uint64 (1,) (`zero.rng.splitmix`). settings: the
    search method's own numbers, float64. numbering int64 (2,): the n-th individual's number is
    n * numbering[0] + numbering[1]. batch: see `zero.evolution.batches`, None where individuals are made
    one at a time.
    """

    population: Population
    settings: np.ndarray
    genomes: Any
    space: Any
    evaluator: Any
    rng: np.ndarray
    numbering: np.ndarray
    batch: Any = None


SearchState.BY_ADDRESS = ("settings", "rng", "numbering")  # type: ignore[attr-defined] # see `struct.pack`


@plain_or_jit
def new_individual(functions: SearchFunctions, state: SearchState) -> int:
    """Makes a first or random individual or a child; returns its record, which is nowhere yet."""
    population, genomes, space, rng = state.population, state.genomes, state.space, state.rng
    record = new_record(population)
    parent = -1
    mutation = FIRST
    if population.counts[FILLED] < len(population.slots):
        functions.create_initial(genomes, record, space, rng)
    else:
        slot = functions.choose(population.slot_fitness, state.settings, rng)
        if slot == RANDOM:
            functions.create(genomes, record, space, rng)
        else:
            parent = int(population.slots[slot])
            mutation = functions.breed(genomes, parent, record, space, state.evaluator, rng)
    population.parent[record] = parent
    population.steps[record] = 0 if mutation == COPY else 1
    population.mutation[record] = mutation
    return record


@plain_or_jit
def replace_oldest(state: SearchState, record: int, fitness: float, steps: int) -> bool:
    """Lets an individual take the place of the oldest; returns whether it is the best ever.

    fitness, steps: as `SearchFunctions.evaluate` returns them.
    """
    population, numbering = state.population, state.numbering
    counts = population.counts
    if math.isnan(fitness):
        fitness = -math.inf
    counts[INDIVIDUALS] += 1
    counts[TRAIN_STEPS] += steps
    population.number[record] = counts[INDIVIDUALS] * numbering[0] + numbering[1]
    population.fitness[record] = fitness
    slot = counts[CURSOR]
    population.slots[slot] = record
    population.slot_fitness[slot] = fitness
    counts[CURSOR] = (slot + 1) % len(population.slots)
    counts[FILLED] = max(counts[FILLED], slot + 1)
    if fitness > population.best[0]:
        population.best[0] = fitness
        counts[BEST] = record
        counts[BEST_AT] = counts[INDIVIDUALS]
        return True
    return False


@plain_or_jit
def run_block(
    functions: SearchFunctions, state: SearchState, quota: int, limits: np.ndarray
) -> int:
    """Evolves until a new best individual, a limit or the quota; returns which.

    Args:
        functions: what the search is made of.
        state: what it works on.
        quota: individuals to make at most in this call; decides nothing but when it comes back.
        limits: int64 (at least 2,): individuals, train steps of this island at which it stops.
    """
    counts = state.population.counts
    for _ in range(quota):
        if counts[INDIVIDUALS] >= limits[0] or counts[TRAIN_STEPS] >= limits[1]:
            return LIMIT
        record = new_individual(functions, state)
        fitness, steps = functions.evaluate(state.genomes, record, state.evaluator)
        if replace_oldest(state, record, fitness, steps):
            return IMPROVED
    return QUOTA

"""The evolutionary loop: choose a parent, make a child, evaluate it, let it replace the oldest.

It knows nothing of what a genome is: `create_initial`, `create`, `breed` and `evaluate` are given. For
programs all of them are compiled and so is the loop (`zero.programs.interpreter.cpu`); with plain Python
functions it runs as plain Python.
"""

from __future__ import annotations

import math

from numba.extending import register_jitable

from zero.evolution.population import (
    BEST,
    BEST_AT,
    COPY,
    CURSOR,
    FILLED,
    FIRST,
    INDIVIDUALS,
    TRAIN_STEPS,
    new_record,
)
from zero.search.protocol import RANDOM

# Why `run_block` came back.
QUOTA, IMPROVED, LIMIT = range(3)


@register_jitable
def new_individual(
    choose, create_initial, create, breed,
    population, settings, genomes, space, rng,
):  # fmt: skip
    """Makes a first or random individual or a child; returns its record, which is nowhere yet.

    Arguments as for `run_block`.
    """
    record = new_record(population)
    parent = -1
    mutation = FIRST
    if population.counts[FILLED] < len(population.slots):
        create_initial(genomes, record, space, rng)
    else:
        slot = choose(population.slot_fitness, settings, rng)
        if slot == RANDOM:
            create(genomes, record, space, rng)
        else:
            parent = int(population.slots[slot])
            mutation = breed(genomes, parent, record, space, rng)
    population.parent[record] = parent
    population.steps[record] = 0 if mutation == COPY else 1
    population.mutation[record] = mutation
    return record


@register_jitable
def replace_oldest(population, record, fitness, steps, numbering):
    """Lets an individual take the place of the oldest; returns whether it is the best ever.

    fitness, steps: as `evaluate` of `run_block` returns them.
    """
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


def run_block(
    choose, create_initial, create, breed, evaluate,
    population, settings, genomes, space, evaluator, rng, quota, limits, numbering,
):  # fmt: skip
    """Evolves until a new best individual, a limit or the quota; returns which.

    Args:
        choose: (slot_fitness, settings, rng) -> slot of the parent, or `RANDOM`.
        create_initial, create: (genomes, record, space, rng), write a first or a random genome.
        breed: (genomes, parent, record, space, rng) -> number of the mutation or `COPY`.
        evaluate: (genomes, record, evaluator) -> (fitness, train steps); NaN ranks last.
        population: see `zero.evolution.population`; genomes has a row for each of its records.
        settings: the search method's own numbers, float64.
        quota: individuals to make at most in this call; decides nothing but when it comes back.
        limits: int64 (at least 2,): individuals, train steps of this island at which it stops.
        numbering: int64 (2,): numbers are count * numbering[0] + numbering[1].
    """
    counts = population.counts
    for _ in range(quota):
        if counts[INDIVIDUALS] >= limits[0] or counts[TRAIN_STEPS] >= limits[1]:
            return LIMIT
        record = new_individual(
            choose, create_initial, create, breed,
            population, settings, genomes, space, rng,
        )  # fmt: skip
        fitness, steps = evaluate(genomes, record, evaluator)
        if replace_oldest(population, record, fitness, steps, numbering):
            return IMPROVED
    return QUOTA

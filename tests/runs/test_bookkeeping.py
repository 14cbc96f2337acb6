"""Which of several records and candidates a run reports: never left to chance or to the order."""

import math
from copy import copy
from itertools import permutations

import numpy as np
import pytest

from zero.evolution.records import RawRecord
from zero.runs.domain import Domain
from zero.runs.experiments import best_candidate, experiment_of
from zero.runs.state import Experiment


class Plain(Domain):
    """Records as they are."""

    def __init__(self):
        pass

    def unpack(self, columns):
        return [copy(record) for record in columns]

    def pack(self, records):
        return records


def record(number, is_best=False, select=math.nan, fitness=0.5, island=0, mutation="first"):
    return RawRecord(number, -1, island, number, 0, mutation, fitness, is_best, select)


def state(records=(), candidate=None):
    keys = ("number", "search_fitness", "select_fitness")
    return {
        "records": list(records),
        "candidate": candidate and dict(zip(keys, candidate, strict=True)),
        "curve": np.zeros((0, 6)),
        "arrays": {"population.counts": np.zeros(8, np.int64)},
    }


def experiment(candidate, *records):
    return Experiment(list(records), np.zeros((0, 6)), None, 0, 0, math.nan, math.nan, candidate)


# --- an experiment's candidate --------------------------------------------------------------------


@pytest.mark.parametrize(
    "in_order",
    [
        [(9, 0.1, 0.8), (1, 0.9, 0.7)],  # the select tasks count first,
        [(9, 0.6, 0.8), (1, 0.5, 0.8)],  # then the search tasks,
        [(1, 0.5, 0.8), (9, 0.5, 0.8)],  # then who was there first
        [(9, 0.1, 0.0), (1, 0.9, math.nan)],
    ],
)
def test_the_candidate_of_islands(in_order):
    for candidates in permutations([*in_order, None]):
        found = experiment_of([state(candidate=c) for c in candidates], None, Plain())
        assert found.candidate == in_order[0][0]
        assert found.search_fitness == in_order[0][1]
        assert found.select_fitness == in_order[0][2]


@pytest.mark.parametrize(
    ("more", "less"),
    [
        ({"is_best": True}, {"is_best": False}),
        ({"is_best": True, "select": 0.4}, {"is_best": True}),
        ({"is_best": False, "select": 0.4}, {"is_best": False}),
        ({"is_best": True}, {"is_best": False, "select": 0.4}),
    ],
)
def test_of_two_records_of_one_individual_the_one_that_knows_more_is_kept(more, less):
    both = record(7, **more, mutation="more"), record(7, **less, mutation="less")
    for records in permutations(both):
        found = experiment_of([state([r]) for r in records], None, Plain())
        assert [r.mutation for r in found.records] == ["more"]


def test_of_two_records_that_know_the_same_the_first_islands_is_kept():
    states = [state([record(7, mutation="first")]), state([record(7, mutation="second")])]
    (kept,) = experiment_of(states, None, Plain()).records
    assert kept.mutation == "first"


def test_the_best_of_a_run_are_those_above_all_before():
    mine = [record(1, True, fitness=0.3), record(5, True, fitness=0.6)]
    theirs = [record(3, True, fitness=0.3), record(4, True, fitness=0.7, island=1)]
    found = experiment_of([state(mine), state(theirs)], None, Plain())
    assert [(r.number, r.is_best) for r in found.records] == [
        (1, True), (3, False), (4, True), (5, False),
    ]  # fmt: skip


# --- a run's candidate ----------------------------------------------------------------------------


def best_of(*experiments):
    found, number = best_candidate(list(experiments), Plain())
    return found.number, number


def test_of_equal_experiments_the_later_one_gives_the_outcome():
    first = experiment(1, record(1, True, 0.5, fitness=0.9))
    second = experiment(2, record(2, True, 0.5, fitness=0.1))
    lower = experiment(3, record(3, True, 0.4, fitness=0.9))
    assert best_of(first, second, lower) == (2, 1)
    assert best_of(second, first, lower) == (1, 1)


def test_the_select_tasks_choose_among_candidates_only():
    chosen = record(1, True, 0.2, fitness=0.3)
    other = record(2, True, 0.9, fitness=0.9)
    assert best_of(experiment(1, chosen, other)) == (1, 0)
    assert best_of(
        experiment(1, record(1, True, math.nan)), experiment(2, record(2, True, 0.0))
    ) == (2, 1)
    assert best_of(
        experiment(2, record(2, True, 0.0)), experiment(1, record(1, True, math.nan))
    ) == (2, 0)


def test_without_a_candidate_it_is_the_last_of_the_best_on_the_search_tasks():
    early = experiment(-1, record(1, True, fitness=0.3), record(2, fitness=0.9))
    assert best_of(early) == (1, 0)
    again = experiment(-1, record(3, True, fitness=0.3))
    assert best_of(early, again) == (3, 1)
    # Whoever was evaluated on the select tasks comes first.
    assert best_of(experiment(5, record(5, True, 0.1)), early) == (5, 0)
    assert best_candidate([experiment(-1)], Plain()) is None

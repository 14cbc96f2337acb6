"""Fronts, room within them and dominated volume, against what the definitions say."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zero.search.pareto import (
    crowding,
    dominance_fronts,
    hypervolume,
    pareto_front,
    pareto_ranks,
)

# Lists of (fitness, cost, ...) of one to three costs.
points = st.integers(2, 4).flatmap(
    lambda width: st.lists(st.tuples(*[st.integers(0, 4)] * width), min_size=1, max_size=12)
)
often = settings(max_examples=150, deadline=None, database=None)


def dominates(a, b):
    return a[0] >= b[0] and all(x <= y for x, y in zip(a[1:], b[1:], strict=True)) and a != b


def split(rows):
    values = np.array(rows, dtype=np.float64)
    return values[:, 0], values[:, 1:]


@given(points)
@often
def test_fronts_peel_off_one_by_one(rows):
    fronts = dominance_fronts(*split(rows))
    for k, row in enumerate(rows):
        above = [fronts[i] for i, other in enumerate(rows) if dominates(other, row)]
        assert fronts[k] == max(above, default=-1) + 1


@given(points)
@often
def test_the_front_is_what_nobody_dominates(rows):
    found = pareto_front(*split(rows))
    expected = {p for p in rows if not any(dominates(other, p) for other in rows)}
    assert [rows[k] for k in found] == sorted(expected, key=lambda p: (p[1:], p[0]))
    assert all(rows.index(rows[k]) == k for k in found)  # the first of equal ones


@given(points)
@often
def test_ranks_put_earlier_fronts_first_and_failures_last(rows):
    fitness, costs = split(rows)
    fitness[fitness == 0] = -np.inf
    ranks = pareto_ranks(fitness, costs)
    alive = np.isfinite(fitness)
    assert (ranks[~alive] == -np.inf).all()
    fronts = dominance_fronts(fitness[alive], costs[alive])
    assert np.array_equal(-np.floor(ranks[alive]), fronts)


def test_one_cost_may_be_a_plain_array():
    rows = [(3, 1), (2, 1), (3, 0), (1, 0)]
    fitness, costs = split(rows)
    for function in (dominance_fronts, pareto_ranks, pareto_front):
        assert list(function(fitness, costs)) == list(function(fitness, costs[:, 0]))


def test_without_costs_fronts_are_the_order_of_fitness():
    assert dominance_fronts(np.array([1.0, 3, 2, 3]), np.zeros((4, 0))).tolist() == [2, 0, 1, 0]


def test_failures_are_on_no_front():
    fitness, costs = np.array([np.nan, -np.inf, 0.2]), np.array([[0.0, 0], [0, 0], [9, np.nan]])
    assert pareto_front(fitness, costs) == [2]
    assert pareto_front(fitness[:2], costs[:2]) == [] == pareto_front(fitness[:0], costs[:0])


def test_within_a_front_those_with_room_come_first():
    ranks = pareto_ranks(np.array([1.0, 2, 2.1, 2.2, 5]), np.array([1.0, 2, 2.1, 2.2, 5]))
    ends, middle = ranks[[0, 4]], ranks[1:4]
    assert ends.min() > middle.max()
    assert ranks[3] > ranks[2] and ranks[1] > ranks[2]


def test_room_by_hand():
    values = np.array([[0.0, 10], [1, 6], [4, 5], [10, 0]])
    np.testing.assert_allclose(crowding(values), [np.inf, 0.4 + 0.5, 0.9 + 0.6, np.inf])


# --- volume ---------------------------------------------------------------------------------------


@given(st.integers(1, 4).flatmap(
    lambda width: st.lists(st.tuples(*[st.integers(0, 5)] * width), max_size=9)
))  # fmt: skip
@often
def test_the_volume_is_the_number_of_dominated_unit_cells(rows):
    width = len(rows[0]) if rows else 2
    cells = sum(
        any(all(x <= c for x, c in zip(row, cell, strict=True)) for row in rows)
        for cell in itertools.product(range(4), repeat=width)
    )
    losses = np.array(rows, dtype=np.float64).reshape(-1, width)
    assert hypervolume(losses, np.full(width, 4.0)) == pytest.approx(cells)


@pytest.mark.parametrize("width", [2, 3, 4])
def test_the_volume_of_many_points(width):
    """Against the share of random places that are dominated."""
    rng = np.random.default_rng(width)
    losses, places = rng.random((60, width)) ** 0.5, rng.random((40_000, width))
    dominated = np.zeros(len(places), dtype=bool)
    for row in losses:
        dominated |= (row <= places).all(axis=1)
    share = dominated.mean()
    error = (share * (1 - share) / len(places)) ** 0.5
    assert hypervolume(losses, np.ones(width)) == pytest.approx(share, abs=5 * error)


def test_what_is_no_better_than_the_reference_counts_for_nothing():
    assert hypervolume(np.array([[1.0, 0.0], [0.0, 2.0]]), np.array([1.0, 1.0])) == 0
    assert hypervolume(np.zeros((0, 3)), np.ones(3)) == 0
    one = hypervolume(np.array([[0.5, 0.25], [0.6, 0.3], [0.5, 0.25]]), np.ones(2))
    assert one == pytest.approx(0.375)

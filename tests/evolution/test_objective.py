"""What candidates are compared by: rewards, fronts, and who goes on in successive halving."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zero.evolution.halving import Halving
from zero.evolution.objective import (
    Objective,
    dominance_fronts,
    pareto_front,
    pareto_ranks,
)

points = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=12)


def dominates(a, b):
    return a[0] >= b[0] and a[1] <= b[1] and a != b


@given(points)
@settings(max_examples=200, deadline=None, database=None)
def test_fronts_peel_off_one_by_one(pairs):
    fitness, cost = np.array(pairs, dtype=np.float64).T
    fronts = dominance_fronts(fitness, cost)
    for k, pair in enumerate(pairs):
        above = [fronts[i] for i, other in enumerate(pairs) if dominates(other, pair)]
        assert fronts[k] == max(above, default=-1) + 1


@given(points)
@settings(max_examples=200, deadline=None, database=None)
def test_the_front_is_what_nobody_dominates(pairs):
    fitness, cost = zip(*pairs, strict=True)
    found = pareto_front(fitness, cost)
    expected = {p for p in pairs if not any(dominates(other, p) for other in pairs)}
    assert [pairs[k] for k in found] == sorted(expected, key=lambda p: p[1])


@given(points)
@settings(max_examples=200, deadline=None, database=None)
def test_ranks_put_earlier_fronts_first_and_failures_last(pairs):
    fitness, cost = np.array(pairs, dtype=np.float64).T
    fitness[fitness == 0] = -np.inf
    ranks = pareto_ranks(fitness, cost)
    alive = np.isfinite(fitness)
    assert (ranks[~alive] == -np.inf).all()
    fronts = dominance_fronts(fitness[alive], cost[alive])
    kept = ranks[alive]
    assert np.array_equal(-np.floor(kept), fronts)


def test_within_a_front_those_with_room_come_first():
    ranks = pareto_ranks(np.array([1.0, 2, 2.1, 2.2, 5]), np.array([1.0, 2, 2.1, 2.2, 5]))
    ends, middle = ranks[[0, 4]], ranks[1:4]
    assert ends.min() > middle.max()
    assert ranks[3] > ranks[2] and ranks[1] > ranks[2]


def test_the_mnasnet_reward():
    soft = Objective(kind="mnasnet", cost="latency", target=0.08)
    # Tan et al. 2019: doubling the latency costs about 5 % of the accuracy.
    assert soft.fitness(0.8, 0.16) / soft.fitness(0.8, 0.08) == pytest.approx(0.953, abs=1e-3)
    hard = Objective(kind="mnasnet", cost="latency", target=0.08, exponent=-1.0, exponent_below=0.0)
    assert hard.fitness(0.8, 0.04) == 0.8
    assert hard.fitness(0.8, 0.16) == pytest.approx(0.4)
    assert Objective().fitness(0.8, 1e9) == Objective(kind="pareto").fitness(0.8, 1e9) == 0.8


def test_latency_is_measured_only_where_it_counts():
    assert not Objective(kind="accuracy", cost="latency").weighs("latency")
    assert Objective(kind="pareto", cost="latency").weighs("latency")
    assert not Objective(kind="pareto", cost="parameters").weighs("latency")


def test_halving_lets_the_best_share_go_on():
    halving = Halving(epochs=(1, 3), keep=0.25).rungs(9)
    assert [halving.rung(epochs) for epochs in (1, 2, 3, 4)] == [0, None, 1, None]
    assert halving.goes_on(0.1, [])
    assert not halving.goes_on(0.1, [0.1])
    assert halving.goes_on(0.7, [0.1, 0.2, 0.3])
    earlier = [k / 10 for k in range(7)]
    assert halving.goes_on(0.55, earlier) and not halving.goes_on(0.45, earlier)


def test_those_trained_longer_rank_higher():
    halving = Halving(epochs=(1, 3), keep=0.5).rungs(9)
    first, second = halving.fitness(1.0, 1), halving.fitness(0.05, 3)
    assert first < second < 0.05
    assert not math.isnan(halving.fitness(-math.inf, 1))

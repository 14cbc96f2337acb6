"""What candidates are compared by: rewards, costs, and who goes on in successive halving."""

import math

import pytest

from zero.evolution.halving import Halving
from zero.evolution.objective import Objective


def test_the_mnasnet_reward():
    soft = Objective(kind="mnasnet", cost="latency", target=0.08)
    # Tan et al. 2019: doubling the latency costs about 5 % of the accuracy.
    assert soft.fitness(0.8, [0.16]) / soft.fitness(0.8, [0.08]) == pytest.approx(0.953, abs=1e-3)
    hard = Objective(kind="mnasnet", cost="latency", target=0.08, exponent=-1.0, exponent_below=0.0)
    assert hard.fitness(0.8, [0.04]) == 0.8
    assert hard.fitness(0.8, [0.16]) == pytest.approx(0.4)
    assert Objective().fitness(0.8, []) == Objective(kind="pareto").fitness(0.8, [1e9]) == 0.8


def test_what_is_weighed():
    assert Objective(kind="accuracy", cost="latency").weighed == ()
    assert Objective(kind="pareto", cost="latency").weighed == ("latency",)
    several = ("parameters", "latency")
    assert Objective(kind="pareto", cost=several).weighed == several


def test_costs_that_do_not_fit_are_refused():
    with pytest.raises(
        ValueError, match="mnasnet weighs one cost, got 2; give one, or kind: pareto"
    ):
        Objective(kind="mnasnet", target=1.0, cost=("parameters", "latency"))
    with pytest.raises(ValueError, match="names a cost twice"):
        Objective(kind="pareto", cost=("latency", "latency"))


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

"""When experiments and runs end: what a budget leaves, and which of several limits is named."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from zero.runs.budgets import FOREVER, end_of_experiment, end_of_run, left, whole_limits
from zero.runs.state import Experiment

NONE = {
    "individuals": None,
    "train_steps": None,
    "seconds": None,
    "fitness": None,
    "patience": None,
}


def config(budget=(), **experiments):
    known = {"max": 1, "individuals": None, "train_steps": None, "sufficient_fitness": None}
    limits = NONE | dict(budget)
    section = SimpleNamespace(**limits, model_dump=lambda: dict(limits))
    return SimpleNamespace(budget=section, experiments=SimpleNamespace(**known | experiments))


def ended(reason="individuals", individuals=100, steps=1000, select=math.nan):
    return Experiment({}, np.zeros((0, 6)), reason, individuals, steps, math.nan, select, -1)


def report(reason=None, best=0.5, unimproved=0, select=None):
    candidate = None if select is None else {"select_fitness": select}
    return {
        "reason": reason, "candidate": candidate, "best_fitness": best, "unimproved": unimproved,
    }  # fmt: skip


def test_an_experiment_gets_its_own_budget_or_what_is_left_of_the_runs():
    settings = config(individuals=150)
    assert left(settings, [], NONE) == {"individuals": 150, "train_steps": FOREVER}
    budget = NONE | {"individuals": 220, "train_steps": 900}
    assert left(settings, [ended()], budget) == {"individuals": 120, "train_steps": 0}


def test_a_whole_run_may_take_what_all_its_experiments_may():
    limits = whole_limits(config({"seconds": 5.0, "train_steps": 70}, max=3, individuals=10))
    assert limits == NONE | {"individuals": 30, "train_steps": 70, "seconds": 5.0}
    assert whole_limits(config(max=None, individuals=10))["individuals"] is None


@pytest.mark.parametrize(
    ("reports", "reason"),
    [
        ([report(), report("individuals")], None),  # one island waits for the others
        ([report("train_steps"), report("individuals")], "train_steps"),
        ([report(), report("fitness")], "fitness"),
        ([report(), report(select=0.8)], "sufficient_fitness"),
        ([report(), report(select=math.nan)], None),
        ([report(unimproved=50), report(best=0.4)], "patience"),
        ([report(unimproved=49), report(best=0.4, unimproved=90)], None),
        ([report(unimproved=500)], None),  # a single island ends by itself
    ],
)
def test_what_ends_an_experiment(reports, reason):
    assert end_of_experiment(config({"patience": 100}, sufficient_fitness=0.8), reports) == reason


@pytest.mark.parametrize(
    ("settings", "finished", "reason"),
    [
        (config(max=3), [ended()], None),
        (config(max=1), [ended()], "individuals"),
        (config(max=2), [ended(), ended()], "experiments"),
        (config({"individuals": 200}, max=3), [ended(), ended()], "individuals"),
        (config(max=3), [ended("patience")], "patience"),
        (config(max=3, sufficient_fitness=0.5), [ended(select=0.5)], "sufficient_fitness"),
        (config(max=3, sufficient_fitness=0.5), [ended(select=math.nan)], None),
    ],
)
def test_what_ends_a_run(settings, finished, reason):
    assert end_of_run(settings, finished) == reason

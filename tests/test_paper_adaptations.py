"""The script that counts the paper's adaptations: what it sets, what it counts, what it goes on with."""

import importlib
import sys
from pathlib import Path

import pytest
from adapted import NETWORK, NOISY_RELU, RATE_DECAY

import zero
from zero.config.load import load_config
from zero.programs import library

FOLDER = Path(zero.__file__).parents[1] / "benchmarks" / "paper"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="not a checkout")


@pytest.fixture
def script(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(FOLDER))
    module = importlib.import_module("adaptations")
    monkeypatch.setattr(module, "ROWS", module.Rows("adaptations", tmp_path))
    yield module
    for name in ("adaptations", "rows"):
        sys.modules.pop(name, None)


def add(script, arm, seed, program, labels="scalar"):
    row = {"arm": arm, "seed": seed, "individuals": 10, "labels": labels, "program": str(program)}
    script.ROWS.add(row)


def test_frequencies_and_fishers_test_by_hand(script):
    for seed in range(4):
        add(script, "fast training", seed, RATE_DECAY)
        add(script, "few examples", seed, NOISY_RELU if seed == 0 else NETWORK)
        add(script, "control of both", seed, NETWORK)
    add(script, "ten classes", 0, library.program("neural_network_of_classes"), "vector")
    add(script, "fast training", 9, NETWORK)
    few, fast, ten, one = script.summary(10)
    assert one["of"] == 0 and "paper" not in one  # our own
    assert (fast["found"], fast["of"], fast["found_in_control"], fast["of_control"]) == (4, 5, 0, 4)
    assert fast["p"] == pytest.approx(5 / 126)  # 5 of the ways to place 4 among 9
    assert (few["found"], few["of"], few["p"]) == (1, 4, 0.5)
    assert (ten["found"], ten["of"], ten["of_control"], ten["p"]) == (0, 1, 0, 1.0)
    assert (fast["paper"], fast["paper_control"]) == ([30, 30], [3, 30])
    assert few["all_found"] == {"noisy ReLU": 1, "learning-rate decay": 0,
                                "learning rate from the mean of weights": 0}  # fmt: skip
    assert script.summary(11)[0]["of"] == 0  # rows of other budgets are not among them


def test_arms_differ_in_the_pressure_alone(script):
    def of(arm):
        config = load_config(
            script.ARMS[arm][0], script.settings_of(arm, 3, 500, "somewhere"), False
        )
        return config, config.tasks.search

    (few, a), (control, b), (fast, c) = map(
        of, ("few examples", "control of both", "fast training")
    )
    assert (a.train, a.epochs, b.train, b.epochs, c.train, c.epochs) == (80, 100, 800, 100, 800, 10)
    same = {"train": 800, "epochs": 100}
    assert a.model_copy(update=same) == b == c.model_copy(update=same)
    assert few.program == control.program == fast.program and few.search == control.search
    once, often = of("one pass")[1], of("ten passes")[1]
    assert once.model_copy(update={"epochs": 10}) == often and once.epochs == 1
    assert of("one pass")[0].program.initial == "softmax_regression"
    ten, two = of("ten classes")[1], of("two classes")[1]
    assert (ten.labels, two.labels) == ("vector", "scalar")
    assert (ten.train, ten.epochs, ten.valid) == (two.train, two.epochs, two.valid)


def test_runs_that_are_there_are_not_made_again(script, monkeypatch):
    made = []

    def one_run(arm, seed, individuals, path):
        made.append((arm, seed))
        return {"arm": arm, "seed": seed, "individuals": individuals, "core_seconds": 1.0,
                "final_fitness": 0.5, "baselines": {"linear": 0.5}}  # fmt: skip

    monkeypatch.setattr(script, "one_run", one_run)
    script.measure(list(script.ARMS), 1, 10, "")
    assert [arm for arm, _ in made] == list(script.ARMS)
    script.measure(list(script.ARMS), 2, 10, "")
    assert made[len(script.ARMS) :] == [(arm, 2) for arm in script.ARMS]

"""Every shipped config is right, says what it is for, and runs."""

import numpy as np
import pytest

from zero import run
from zero.config import load_config, shipped_configs

CONFIGS = sorted(shipped_configs())
# CIFAR-10 is the user's own; the same tasks from scikit-learn's digits, which have fewer images.
INSTEAD = {
    "projected_binary_baseline": [
        f"tasks.{purpose}.{setting}"
        for purpose in ("search", "select", "final")
        for setting in ("source=digits", "path=null", "train=100", "valid=50", "test=50")
    ]
}
# So that a test takes a second: fewer and smaller tasks than the config asks for.
SMALLER = {
    "linear_demo": ["tasks.select.count=10", "tasks.final.count=10"],
    "linear_integration": [
        f"tasks.{purpose}.{setting}"
        for purpose in ("select", "final")
        for setting in ("count=10", "train=100")
    ],
}


def load(name, *overrides):
    return load_config(name, [*INSTEAD.get(name, []), *overrides])


def test_the_promised_configs_are_there():
    promised = {
        "quickstart", "linear_demo", "linear_integration", "nonlinear_integration",
        "projected_binary_baseline", "own_csv",
    }  # fmt: skip
    assert promised <= set(CONFIGS)


@pytest.mark.parametrize("name", CONFIGS)
def test_its_header_says_what_to_expect(name):
    header = shipped_configs()[name].read_text().split("\n\n")[0]
    assert all(line.startswith("#") for line in header.splitlines())
    for word in (f"zero run {name}", "expect:", "time:"):
        assert word in header


@pytest.mark.parametrize("name", CONFIGS)
def test_it_is_right_without_its_data(name):
    config = load_config(name)
    assert config.name == name
    assert config.budget.individuals or config.budget.train_steps


@pytest.mark.parametrize("name", CONFIGS)
def test_its_tasks_can_be_made(name):
    config = load(name, *SMALLER.get(name, []))
    maker = run.Maker(config, run.initial_program(config))
    maker.check()
    sets = {p: maker.tasks(p, 0) for p in ("search", "select", "final")}
    for purpose, tasks in sets.items():
        assert tasks.num_tasks == getattr(config.tasks, purpose).count
        assert tasks.train_x.shape[2] == sets["search"].features
        assert np.isfinite(tasks.train_x).all()
    assert not np.array_equal(sets["search"].valid_x[0], sets["final"].valid_x[0])


@pytest.mark.parametrize("name", CONFIGS)
def test_it_runs(name, tmp_path):
    config = load(
        name, *SMALLER.get(name, []), "budget.individuals=3000", "search.population=100",
        "experiments={max: 1}",
    )  # fmt: skip
    outcome = run.start(config, tmp_path / "run")
    assert (outcome.reason, outcome.individuals) == ("individuals", 3000)
    assert 0 < outcome.search_fitness <= 1
    assert 0 <= outcome.final.fitness <= 1
    run.validate_program(outcome.program, run.memory_of(config))
    assert len(outcome.final.task_fitness) == config.tasks.final.count

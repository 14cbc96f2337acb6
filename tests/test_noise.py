"""On data without any pattern nothing beats chance: no shipped config, and no program that remembers."""

import numpy as np
import pytest
from helpers import parse

from zero.config.load import load_config
from zero.programs.domain import make_tasks
from zero.programs.evaluator import Evaluator
from zero.programs.figures import chance, interval
from zero.runs import run
from zero.tasks import make_task_set
from zero.tasks.read import from_settings

ROWS, FEATURES = 300, 8
COUNT = 10  # tasks of a set


@pytest.fixture(scope="module")
def noise(tmp_path_factory):
    """A folder with a table and an NPZ of labelled rows, all drawn independently."""
    folder = tmp_path_factory.mktemp("noise")
    rng = np.random.default_rng(12)
    x = rng.normal(size=(ROWS, FEATURES))
    label, number = rng.permutation(np.arange(ROWS) % 2), rng.normal(size=ROWS)
    names = [*"abcdefgh", "label", "number"]
    table = np.column_stack([x, label, number])
    np.savetxt(folder / "noise.csv", table, delimiter=",", header=",".join(names), comments="")
    np.savez(folder / "noise.npz", X=x, y=label)
    return folder


def tasks_over(noise, kind):
    keys = {"count": COUNT}
    if kind == "projected_binary":
        path = str(noise / "noise.npz")
        return {"type": kind, "source": "arrays", "path": path, "projection": "none", **keys}
    keys |= {"type": "table", "path": str(noise / "noise.csv")}
    if kind == "binary":
        return {**keys, "problem": "binary", "target": "label", "ignore": ["number"]}
    return {**keys, "problem": "regression", "target": "number", "ignore": ["label"]}


def beyond_chance(tasks, evaluation):
    """How many half widths of its interval a fitness is above chance."""
    low, high = interval(tasks, evaluation)
    return (evaluation.fitness - chance(tasks).mean()) / ((high - low) / 2)


@pytest.mark.parametrize(
    ("name", "kind", "seed"),
    [
        ("own_csv", "binary", 1),
        ("own_csv", "binary", 2),
        ("own_csv", "regression", 1),
        ("quickstart", "projected_binary", 2),
        ("projected_binary_baseline", "projected_binary", 1),
        ("cifar10_from_scratch_gpu", "projected_binary", 2),
    ],
)
def test_no_shipped_config_finds_anything(noise, tmp_path, name, kind, seed):
    changes = {
        "backend": "cpu",
        "seed": seed,
        "tasks": {"search": tasks_over(noise, kind)},
        "islands": {"count": 1},
        "search.population": 100,
        "budget": {"individuals": 20_000},
    }
    if kind == "regression":
        changes["program.initial"] = "linear"
    outcome = run.start(_with(name, changes, tmp_path), tmp_path / "run")
    config = _with(name, changes, tmp_path)
    tasks = make_tasks(config, "final")
    # Half a width more than the interval's own: it is exceeded once in forty times.
    assert beyond_chance(tasks, outcome.final) < 1.5
    low, high = outcome.details["interval"]
    half = (high - low) / 2
    assert outcome.details["lasting_fitness"] - outcome.details["chance"]["final"] < 1.5 * half
    assert outcome.search_fitness < 0.7  # the best of thousands, but on eight splits of noise


def _with(name, changes, folder):
    """The shipped config with some settings replaced."""
    import yaml

    from zero.data.splits import shipped_file

    settings = yaml.safe_load(shipped_file(f"{name}.yaml").read_text())
    for key, value in changes.items():
        *sections, last = key.split(".")
        place = settings
        for section in sections:
            place = place.setdefault(section, {})
        place[last] = value
    settings["evaluation"].pop("hurdle", None)
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(settings))
    return load_config(path)


# Memory that lasts: the classes in turn; the last label seen, and its opposite; a running count.
REMEMBERING = [
    parse(Setup="s2 = 1; s3 = -1", Predict="s2 = s2 * s3; s1 = s2 + s5"),
    parse(Setup="s2 = 1; s3 = -1", Predict="s2 = s2 * s3; s1 = s2 + s4", Learn="s4 = s0 - s1"),
    parse(Setup="s3 = 0.5", Predict="s1 = s3 - s2", Learn="s2 = s0 + s5"),
    parse(Setup="s3 = 0.5", Predict="s1 = s2 - s3", Learn="s2 = s0 + s5"),
]
STATELESS = [
    parse(
        Setup="s2 = 0.1",
        Predict="s1 = dot(v0, v1)",
        Learn="s3 = s0 - s1; s3 = s3 * s2; v2 = s3 * v0; v1 = v1 + v2",
    ),
    parse(Predict="s1 = dot(v0, v0)"),
]


@pytest.mark.parametrize("purpose", ["search", "select", "final"])
@pytest.mark.parametrize("kind", ["binary", "projected_binary"])
def test_programs_with_and_without_memory_are_at_chance(noise, kind, purpose):
    tasks = make_task_set(from_settings(tasks_over(noise, kind)), purpose)
    for program in REMEMBERING + STATELESS:
        for independent in (False, True):
            evaluate = Evaluator(tasks, "cpu", independent=independent, keep_errors=True)
            assert abs(beyond_chance(tasks, evaluate(program))) < 2.0, str(program)

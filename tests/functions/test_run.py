"""Runs over formulas: whole ones, stopped ones, what is shown, exported and reported of them."""

import ctypes
import json
import math
import shutil
import subprocess
import sys

import numpy as np
import pytest
from commands import zero_
from jsonschema import Draft202012Validator
from small_runs import archive_bytes

from zero.config.load import load_config, make_config
from zero.config.schema import config_schema
from zero.errors import ConfigError
from zero.functions.config import FormulaSearch
from zero.functions.records import front_of
from zero.runs import run
from zero.runs.archive import read_archive
from zero.search.section import methods_for


def config(**changes):
    settings = {
        "functions": {"operations": 6, "starts": 4, "steps": 40},
        "search": {"method": "nsga2", "population": 20},
        "budget": {"individuals": 150},
        "seed": 3,
    }
    return make_config(settings | changes)


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "exp2"
    outcome = run.start(config(budget={"individuals": 500}), path)
    return path, outcome, read_archive(path)


def test_it_finds_formulas_that_are_better_with_more_operations(ended):
    _, outcome, data = ended
    front = front_of(data.experiments[0].records)
    assert [r.operations for r in front] == sorted({r.operations for r in front})
    assert len(front) >= 4 and front[-1].error < 1e-3
    best = max(data.experiments[0].records, key=lambda r: r.fitness)
    assert data.results["genome"] == best.text
    assert best.fitness == pytest.approx(-math.log10(best.error))
    assert outcome.final.fitness == pytest.approx(best.fitness, abs=0.02)


def test_its_records_are_what_they_say(ended):
    for record in ended[2].experiments[0].records:
        assert record.operations == len(record.text.split())
        constants = record.text.count("c") if math.isfinite(record.error) else 0
        assert len(record.constants.split()) == constants
        if not math.isfinite(record.error):
            assert record.reason and record.fitness == -math.inf


@pytest.mark.parametrize("islands", [1, 2])
def test_a_run_that_was_stopped_ends_with_the_same_archive(tmp_path, islands):
    wanted = config(islands={"count": islands, "migrate_every": 30, "migrants": 3})
    run.start(wanted, tmp_path / "whole")
    assert run.start(wanted, tmp_path / "cut", max_seconds=0).reason == "max_seconds"
    run.resume(tmp_path / "cut")
    assert archive_bytes(tmp_path / "cut") == archive_bytes(tmp_path / "whole")


@pytest.mark.parametrize("method", methods_for(FormulaSearch))
def test_every_method_that_serves_it_runs(tmp_path, method):
    outcome = run.start(
        config(search={"method": method, "population": 20}, report=False), tmp_path / "r"
    )
    assert outcome.individuals == 150 and outcome.search_fitness > 1.0


@pytest.mark.parametrize("target", ["rsqrt", "sin", "tanh", "erf"])
def test_other_functions_by_one_key(tmp_path, target):
    wanted = load_config("discover_exp2", [
        f"functions.target={target}", "functions.operations=4", "budget.individuals=200", "islands.count=1",
        "search.population=20", "report=false",
    ])  # fmt: skip
    outcome = run.start(wanted, tmp_path / "r")
    assert outcome.final.fitness > 1.0


def test_what_is_shown_can_be_executed(ended, tmp_path):
    path, _, data = ended
    text = zero_("show", path)[0]
    assert "worst error" in text and "def exp2(x):" in text
    record = front_of(data.experiments[0].records)[2]
    shown = zero_("show", f"{path}#{record.id}", "--lineage")[0]
    assert f"record {record.id}: {record.operations} operations" in shown
    source = zero_("export", f"{path}#{record.id}")[0]
    assert source.strip() in shown
    (tmp_path / "found.py").write_text(
        source + "\nimport sys\nprint([exp2(k / 999) for k in range(1000)])\n"
    )
    done = subprocess.run(
        [sys.executable, tmp_path / "found.py"], capture_output=True, text=True, check=True
    )
    values, x = np.array(json.loads(done.stdout)), np.arange(1000) / 999
    worst = np.abs(values / 2.0**x - 1).max()
    assert worst == pytest.approx(record.error, rel=0.02)


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
def test_c_computes_what_python_does(ended, tmp_path):
    path, _, data = ended
    best = data.results["record"]
    assert "wrote" in zero_("export", f"{path}#{best}", "-o", tmp_path / "f.c")[0]
    flags = [
        "-std=c99",
        "-Wall",
        "-Wextra",
        "-pedantic",
        "-Werror",
        "-ffp-contract=off",
        "-shared",
        "-fPIC",
    ]
    subprocess.run(["cc", *flags, tmp_path / "f.c", "-o", tmp_path / "f.so"], check=True)
    compiled = ctypes.CDLL(str(tmp_path / "f.so")).exp2
    compiled.restype, compiled.argtypes = ctypes.c_double, [ctypes.c_double]
    record = next(r for e in data.experiments for r in e.records if r.id == best)
    x = np.linspace(0, 1, 500)
    worst = max(abs(compiled(float(v)) / 2.0**v - 1) for v in x)
    assert worst == pytest.approx(record.error, rel=0.1)


def test_a_report_and_pictures(ended, tmp_path):
    path = ended[0]
    zero_("report", path, "-o", tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "def exp2(x):" in page and "worst error" in page
    zero_("plot", path, "--what", "pareto", "-o", tmp_path / "front.svg")
    assert (
        "digits" in (tmp_path / "front.svg").read_text() or (tmp_path / "front.svg").stat().st_size
    )
    assert path.name in zero_("list", "runs", path.parent)[0]


def test_the_config_is_checked_and_described():
    with pytest.raises(ConfigError) as raised:
        config(functions={"target": "exp3", "operations": 0, "operators": ["%"], "points": 20})
    said = str(raised.value)
    for words in (
        "unknown function 'exp3'",
        "exp2, rsqrt",
        "functions.operations",
        "functions.operators",
    ):
        assert words in said
    with pytest.raises(ConfigError, match=r"points: must be at least 4 times"):
        config(functions={"points": 20, "operations": 6})
    validator = Draft202012Validator(config_schema())
    good = {"functions": {"target": "sin"}, "budget": {"individuals": 10}}
    assert not list(validator.iter_errors(good))
    assert list(validator.iter_errors({**good, "functions": {"operations": 0}}))


def test_an_archive_that_was_changed_is_refused_in_a_line(ended):
    from zero.functions.kind import FUNCTIONS

    _, _, data = ended
    records = data.experiments[0].records[:5]
    tree = FUNCTIONS.columns(records)
    again = FUNCTIONS.from_columns(tree, 5, 0)
    assert again["constants"] == [r.constants for r in records]
    for name, bad in (
        ("error", np.zeros(4)),
        ("operations", -np.ones(5, np.int64)),
        ("constants", ["1"]),
    ):
        with pytest.raises(ValueError, match=name):
            FUNCTIONS.from_columns(tree | {name: bad}, 5, 0)

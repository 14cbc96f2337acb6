"""What the benchmark of AutoML for tables says of its fits, and how it goes on with what is missing."""

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest

import zero

FOLDER = Path(zero.__file__).parents[1] / "benchmarks"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="not a checkout")


@pytest.fixture(autouse=True)
def beside_the_scripts(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)


@pytest.fixture
def summary():
    return importlib.import_module("peers.summary")


def fit(name, system, score, fold=0, constant=0.5, seconds=10.0):
    return {
        "set": name, "fold": fold, "system": system, "score": score, "constant": constant,
        "seconds": seconds + 2, "fit_seconds": seconds if score is not None else None,
        "predict_seconds": 0.1, "peak_mb": 100.0, "failure": None if score is not None else "broke",
    }  # fmt: skip


def test_ranks_are_by_each_metrics_direction_and_ties_share(summary):
    fits = [
        fit("heart", "zero_both", 0.9), fit("heart", "flaml", 0.8), fit("heart", "linear", 0.8),
        fit("Auto", "zero_both", 3.0, constant=8.0), fit("Auto", "flaml", 2.0, constant=8.0),
        fit("Auto", "linear", 4.0, constant=8.0),
    ]  # fmt: skip
    ranks = summary.mean_ranks(summary.goodness(fits))
    assert ranks == {"zero_both": 1.5, "flaml": 1.75, "linear": 2.75}
    assert list(ranks) == ["zero_both", "flaml", "linear"]


def test_only_turns_that_all_had_count(summary):
    fits = [
        fit("heart", "zero_both", 0.9), fit("heart", "flaml", 0.8),
        fit("heart", "zero_both", 0.1, fold=1), fit("pima", "flaml", 0.7),
    ]  # fmt: skip
    assert summary.goodness(fits) == {"heart": {"zero_both": [0.9], "flaml": [0.8]}}


def test_a_failed_fit_counts_as_a_constant_and_is_named(summary):
    fits = [fit("heart", "zero_both", 0.9), fit("heart", "flaml", None)]
    found = summary.summary(fits, 10.0)
    assert found["sets"]["heart"]["scores"]["flaml"]["mean"] == 0.5
    assert found["costs"]["flaml"]["failures"] == [{"set": "heart", "fold": 0, "failure": "broke"}]
    assert "flaml failed on heart, fold 0: broke" in summary.in_words(found)


def test_a_system_that_is_always_ahead_is_significantly_so(summary):
    names = ["heart", "german", "australian", "pima", "sonar", "phoneme", "magic"]
    fits = [
        f
        for i, name in enumerate(names)
        for f in (fit(name, "zero_both", 0.8 + i / 100), fit(name, "flaml", 0.75))
    ]
    beside = summary.summary(fits, 10.0)["against"]["zero_both"]["flaml"]
    assert (beside["sets"], beside["better"], beside["worse"]) == (7, 7, 0)
    assert beside["p"] == pytest.approx(2 / 2**7)  # all seven signs alike, two-sided


def test_fits_over_the_budget_and_sets_behind_a_default(summary):
    fits = [
        fit("Auto", system, score, fold, constant=8.0, seconds=seconds)
        for fold in (0, 1)
        for system, score, seconds in (
            ("zero_both", 3.0 + fold, 11.5),
            ("linear", 2.5, 0.1),
            ("forest", 5.0, 11.6),
        )
    ]
    found = summary.summary(fits, 10.0)
    assert {name: cost["over"] for name, cost in found["costs"].items()} == {
        "zero_both": 0, "linear": 0, "forest": 2,
    }  # fmt: skip
    (behind,) = found["behind_defaults"]["zero_both"]
    assert (behind["set"], behind["default"]) == ("Auto", "linear")
    assert behind["difference"] == pytest.approx(-1.0)
    assert behind["error"] == pytest.approx(0.5)


def test_scores_of_constants_by_hand():
    scores = importlib.import_module("peers.scores")
    train, test = np.array([0, 0, 0, 1]), np.array([0, 1])
    assert scores.constant("auc", train, test) == 0.5
    expected = -(np.log(0.75) + np.log(0.25)) / 2
    assert scores.constant("log_loss", train, test) == pytest.approx(expected)
    assert scores.constant("rmse", np.array([1.0, 3.0]), np.array([2.0, 5.0])) == 3 / np.sqrt(2)
    with pytest.raises(ValueError, match="not numbers"):
        scores.score("rmse", np.array([1.0]), np.array([np.nan]))
    with pytest.raises(ValueError, match="shape"):
        scores.score("auc", test, np.array([0.1, 0.2]))


def test_a_command_is_measured_and_all_that_it_started_is_killed(tmp_path):
    processes = importlib.import_module("peers.processes")
    child = "import time; text = 'x' * 200_000_000; time.sleep(60)"
    code = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {child!r}]); "
    code += "time.sleep(60)"
    found = processes.measured([sys.executable, "-c", code], tmp_path, 2.0)
    assert found["failure"] == "killed after 2 s" and 2 <= found["seconds"] < 30
    assert found["peak_mb"] > 180
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            assert "text = 'x' * 200_000_000" not in path.read_text()
        except OSError:
            continue
    found = processes.measured([sys.executable, "-c", "raise ValueError('no')"], tmp_path, 60.0)
    assert found["failure"] == "ValueError: no"


def test_what_is_missing_is_fitted(tmp_path, monkeypatch, capsys):
    tables = importlib.import_module("tables")
    file, asked = tmp_path / "tables.json", []

    def made(system, name, number, options, packages):
        asked.append((name, number, system))
        return fit(name, system, 0.8 if system == "linear" else 0.7, number)

    monkeypatch.setattr(tables, "fit", made)
    monkeypatch.setattr(tables.environments, "install", lambda folder, name: {
        "tpot": "no wheel for this machine"}.get(name, {name: "1.0"}))  # fmt: skip

    def run(*options):
        asked.clear()
        common = ["tables.py", f"--json={file}", f"--environments={tmp_path}", "--seconds=10"]
        monkeypatch.setattr(sys, "argv", [*common, *options])
        tables.main()
        return json.loads(file.read_text())

    found = run("--sets=heart,pima", "--systems=linear,tpot,flaml")
    assert asked == [(name, 0, s) for name in ("heart", "pima") for s in ("flaml", "linear")]
    assert found["absent"] == {"tpot": "no wheel for this machine"}
    assert "tpot is not there: no wheel for this machine" in capsys.readouterr().out
    found = run("--sets=heart,pima", "--systems=linear,flaml", "--folds=2", "--resume")
    assert asked == [(name, 1, s) for name in ("heart", "pima") for s in ("flaml", "linear")]
    assert found["summary"]["sets"]["heart"]["folds"] == 2 and len(found["fits"]) == 8
    found = run("--sets=heart,pima", "--systems=linear,flaml", "--again=flaml")
    assert asked == [("heart", 0, "flaml"), ("pima", 0, "flaml")] and len(found["fits"]) == 6
    with pytest.raises(SystemExit, match="10 s, not 60"):
        run("--resume", "--seconds=60")
    with pytest.raises(SystemExit, match="there is no 'flamel'; give some of zero, defaults,"):
        run("--systems=flamel")
    page = importlib.import_module("page").tables(found | {"machine": "a box"})
    assert "| linear | 1 |" in page and "Not there: tpot: no wheel" in page

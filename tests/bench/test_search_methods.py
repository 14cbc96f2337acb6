"""`zero bench search-methods`: methods compared on a config of one's own."""

import json
import re
from pathlib import Path

import onemax
import pytest
from commands import zero_

from zero.bench import search_methods
from zero.bench.search_methods import asked, bands, compare, serving
from zero.errors import ConfigError
from zero.runs.run import start

CONFIG = f"imports: [{Path(onemax.__file__)}]\nbits: {{length: 32}}\nbudget: {{individuals: 150}}\n"


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "bits.yaml"
    path.write_text(CONFIG)
    return str(path)


def test_every_method_gets_the_same_budget_and_seeds(config, tmp_path):
    told = []
    methods = ["regularized_evolution", "regularized_evolution:tournament=2"]
    found = compare(config, ["search.population=10"], methods, 6, tmp_path / "out",
                    lambda run, number, of: told.append((run.method, run.seed, number, of)))  # fmt: skip
    assert list(found["methods"]) == [*methods, "random_search"]
    assert len(told) == 18 and told[0] == (methods[0], 0, 1, 18) and told[3][1] == 1
    for entry in found["methods"].values():
        assert [run["seed"] for run in entry["runs"]] == [0, 1, 2, 3, 4, 5]
        assert {run["individuals"] for run in entry["runs"]} == {150}
        curve = entry["runs"][0]["curve"]
        assert curve == sorted(curve) and curve[-1][1] == entry["runs"][0]["search"]
    assert found["by"] == "final"
    evolution, random = (found["methods"][n] for n in (methods[0], "random_search"))
    assert evolution["mean"] > random["mean"]
    best = max(found["differences"], key=lambda d: d["mean"])
    assert best["second"] == "random_search" and best["beyond_noise"]
    # The settings of a method are its own.
    texts = [
        Path(e["runs"][0]["folder"], "config.yaml").read_text() for e in found["methods"].values()
    ]
    assert ["tournament: 2" in text for text in texts] == [False, True, False]


def test_a_comparison_that_was_stopped_goes_on(config, tmp_path, monkeypatch):
    whole = compare(config, [], ["local_search"], 2, tmp_path / "whole")
    made = []

    def stopped_once(run_config, folder, **given):
        made.append(str(folder))
        return start(run_config, folder, max_seconds=0 if len(made) == 3 else None, **given)

    monkeypatch.setattr(search_methods, "start", stopped_once)
    with pytest.raises(search_methods.Stopped):
        compare(config, [], ["local_search"], 2, tmp_path / "part")
    assert len(made) == 3
    again = compare(config, [], ["local_search"], 2, tmp_path / "part")
    assert len(made) == 4  # what there was is not made again
    for name, entry in whole["methods"].items():
        pairs = zip(entry["runs"], again["methods"][name]["runs"], strict=True)
        assert all(a["curve"] == b["curve"] and a["final"] == b["final"] for a, b in pairs)
    with pytest.raises(ConfigError, match="a run of other settings; give another folder"):
        compare(config, ["budget.individuals=151"], ["local_search"], 2, tmp_path / "part")


def test_all_that_serve_the_config():
    assert {"regularized_evolution", "random_search", "local_search"} == set(
        serving("quickstart", [])
    )
    assert "surrogate" in serving("amoebanet_digits", [])


@pytest.mark.parametrize("text", ["", ":x=1", "surrogate:model", "surrogate:model=", "a:b:c=1"])
def test_a_method_written_wrongly(text):
    with pytest.raises(ConfigError, match="cannot read the method"):
        asked(text)


def test_there_must_be_a_budget_that_is_equal(config, tmp_path):
    with pytest.raises(ConfigError, match=r"compared at equal budgets.*budget\.individuals=N"):
        compare(config, ["budget={seconds: 1}"], ["local_search"], 1, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_bands_begin_where_all_have_begun_and_go_on_level():
    at, mean, error = bands([[(1, 0.0), (10, 1.0)], [(5, 0.5)]])
    assert at.tolist() == [5, 6, 7, 8, 9, 10]
    assert mean.tolist() == [0.25] * 5 + [0.75]
    assert error[0] == pytest.approx(0.25) and error[-1] == pytest.approx(0.25)
    assert [len(part) for part in bands([[], []])] == [0, 0, 0]


def test_the_command(config, tmp_path):
    folder, plot, file = (tmp_path / name for name in ("out", "plot.svg", "figures.json"))
    command = ("bench", "search-methods", config)
    out, err = zero_(*command, "--methods", "local_search", "--seeds", "2", "--out", folder,
                     "--plot", plot, "--json", file)  # fmt: skip
    assert re.search(r"^local_search +\d\.\d+ ", out, re.MULTILINE)
    assert "2 seeds are too few" in out
    assert "4/4 random_search, seed 1: search" in err
    assert plot.read_text().count("<svg") == 1
    assert json.loads(file.read_text())["seeds"] == [0, 1]
    checklist, _ = zero_("show", folder / "local_search" / "seed-1", "--checklist")
    assert "random search beside it" in checklist
    _, err = zero_(*command, "--methods", "no_such", "--out", tmp_path / "x", code=1)
    assert "--methods no_such: search.method: unknown search method 'no_such'" in err
    for option in ("--plot", "--json"):  # told before any run
        _, err = zero_(
            *command, option, tmp_path / "none" / "a.svg", "--out", tmp_path / "y", code=1
        )
        assert "cannot write" in err and "there is no folder" in err and "1/4" not in err
    assert not (tmp_path / "y").exists()


def test_runs_keep_the_command_that_made_them(config, tmp_path):
    found = compare(config, [], [], 1, tmp_path, command=["zero", "bench", "search-methods"])
    folder = found["methods"]["random_search"]["runs"][0]["folder"]
    checklist, _ = zero_("show", folder, "--checklist")
    assert re.search(r"^command +zero bench search-methods$", checklist, re.MULTILINE)


def test_a_mistake_in_a_methods_own_setting_is_told_of_that_method(config, tmp_path):
    text = "regularized_evolution:turnament=2"
    with pytest.raises(ConfigError, match=f"--methods {text}: search.turnament: unknown key"):
        compare(config, [], [text], 1, tmp_path)

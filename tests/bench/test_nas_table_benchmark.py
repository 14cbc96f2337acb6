"""The benchmark of search methods on a table goes on with what is missing, and its page shows it."""

import importlib
import json
import sys
from pathlib import Path

import pytest
from cell_tables import write_strings

import zero
from zero.bench.nas_table import compare
from zero.bench.nas_table_searches import SAMPLING, descriptions
from zero.errors import ConfigError

FOLDER = Path(zero.__file__).parents[1] / "benchmarks"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="not a checkout")


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs the script's part methods with options; returns what it wrote."""
    monkeypatch.syspath_prepend(FOLDER)
    script = importlib.import_module("nas_table")
    file, out = write_strings(tmp_path / "strings.csv"), tmp_path / "out" / "results.json"
    columns = ["--select=valid", "--reports=valid,test", "--budgets=8,20"]
    few = ["--runs=3", "--runs-of=surrogate=2", "--part=methods", f"--json={out}"]

    def go(*options):
        arguments = ["nas_table.py", str(file), *columns, *few, *options]
        monkeypatch.setattr(sys, "argv", arguments)
        script.main()
        return json.loads(out.read_text())["methods"]

    go.file = file
    return go


def test_methods_that_are_missing_are_run(run, capsys):
    first = run("--only=q_learning,random_search")
    assert set(first["searches"]) == {"q_learning", "random_search"}
    second = run()
    told = capsys.readouterr().out
    assert "q_learning: there already" in told and "random_search: there already" in told
    for name in first["searches"]:
        assert second["searches"][name] == first["searches"][name]
    assert set(descriptions()) - {SAMPLING} <= set(second["searches"])
    assert "regularized_evolution:population=10:tournament=3" in second["searches"]
    assert second["searches"]["surrogate"]["runs"] == 2
    again = run("--only=q_learning")["searches"]["q_learning"]
    for key in ("settings", "reports"):  # the same figures, the time is another
        assert again[key] == first["searches"]["q_learning"][key]
    with pytest.raises(ConfigError, match="did you mean 'q_learning'"):
        run("--only=q_lerning")


def test_figures_are_those_of_the_command_in_every_column(run):
    found = run("--only=local_search,reinforce")["searches"]
    for report in ("valid", "test"):
        names = ["local_search", "reinforce"]
        same = compare(run.file, "valid", report, names, 3, [8, 20], seed=0)["searches"]
        for name in names:
            for budget in ("8", "20"):
                mine, theirs = found[name]["reports"][report][budget], same[name]["budgets"][budget]
                assert (mine["mean"], mine["std"]) == (theirs["mean"], theirs["std"])


def test_the_page_has_published_rows_beside_ours(run, monkeypatch):
    from nas import methods

    monkeypatch.setattr(methods, "DATA", {"test": "CIFAR-10"})
    part = run("--only=random_search,local_search_first_improvement")
    # No row of 20 queries is published: take ours as if they were of a hundred.
    for entry in part["searches"].values():
        entry["reports"]["test"]["100"] = entry["reports"]["test"]["20"]
    rows = methods.beside_published(part)
    assert {row["data"] for row in rows} == {"CIFAR-10"}
    ours = part["searches"]["random_search"]["reports"]["test"]["20"]["counting_repeats"]["mean"]
    row = next(r for r in rows if r["ours"] == "random_search" and r["source"] == "published")
    assert row["mean"] == 93.7 and row["difference"] == pytest.approx(ours - 93.7)
    assert next(r for r in rows if r["method"] == "BOHB")["difference"] is None
    page = importlib.import_module("page")
    text = page.nas_table({"methods": part | {"beside_published": rows}})
    assert f"| {row['difference']:+.2f} |" in text and "results/nas_table.svg" in text
    name = "local_search_first_improvement"
    mean = part["searches"][name]["reports"]["test"]["20"]["mean"]
    line = next(
        li for li in text.splitlines() if li.startswith(f"| {name} |") and f"{mean:.3f}" in li
    )
    assert line.count("|") == 2 + len(("runs", *range(2 * 4), *range(4)))

"""`zero report` of comparisons of search methods."""

import json
import random
from pathlib import Path

import cell_tables
import onemax
import pytest
from commands import zero_

CONFIG = f"imports: [{Path(onemax.__file__)}]\nbits: {{length: 32}}\nbudget: {{individuals: 150}}\n"


@pytest.fixture
def compared(tmp_path, monkeypatch):
    """A folder with a comparison of two methods in it, and its figures."""
    monkeypatch.chdir(tmp_path)
    Path("bits.yaml").write_text(CONFIG)
    command = ("bench", "search-methods", "bits.yaml", "--methods", "regularized_evolution")
    out, _ = zero_(*command, "--seeds", 6, "--out", "compared", "--json", "figures.json",
                   "--set", "search.population=10")  # fmt: skip
    assert "compared/report.html" in out
    return json.loads(Path("figures.json").read_text())


def test_a_comparison_leaves_its_figures_and_a_report(compared):
    out, _ = zero_("report", "compared")
    said = " ".join(out.split())
    assert "regularized_evolution has the highest mean final fitness" in said
    assert "better than random_search." in said
    for entry in compared["methods"].values():
        assert f"{entry['mean']:.6f}" in said
    page = Path("compared/report.html").read_text()
    zero_("report", "figures.json", "-o", "again.html")
    assert Path("again.html").read_text() == page and page.count("<svg") == 1


def test_a_table_of_methods_has_regret_with_bands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = random.Random(0)
    rows = [
        ([a, b, c, d, e, f], rng.random(), rng.random())
        for a, b, c, d, e, f in cell_tables.itertools.product(cell_tables.OPS, repeat=6)
    ]
    cell_tables.write(Path("cells.csv"), rows)
    zero_("bench", "nas-table", "cells.csv", "--select", "valid", "--report", "test", "--runs", 5,
          "--budget", "20,40", "--searches", "regularized_evolution", "--json", "t.json")  # fmt: skip
    zero_("report", "t.json", "-o", "t.html")
    page = Path("t.html").read_text()
    found = json.loads(Path("t.json").read_text())
    assert page.count("<svg") == 1 and "bands of one standard error" in page
    assert found["table"]["sha256"] in page and "After 40 queries" in page


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "3", '{"methods": {}}', '{"methods": 3}', '{"searches": {"a": {}}}']
)
def test_what_is_no_comparison_is_told_in_a_line(tmp_path, text):
    file = tmp_path / "figures.json"
    file.write_text(text)
    _, err = zero_("report", file, code=1)
    assert len(err.splitlines()) == 1 and str(file) in err

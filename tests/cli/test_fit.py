"""`zero fit`, and what is done with its run: `zero report`, `zero export`, `zero show`, `zero predict`."""

import json
import re
import subprocess
import sys
from html.parser import HTMLParser

import pandas as pd
import pytest
from commands import zero_
from small_tables import mixed_frame, write_table

from zero.runs.archive import read_archive

# Runs an exported file where zero is not installed.
ALONE = "import runpy, sys; sys.modules['zero'] = None; runpy.run_path(sys.argv.pop(1), run_name='__main__')"


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """The folder of a run, and its table's file."""
    folder = tmp_path_factory.mktemp("fit")
    table = write_table(folder, mixed_frame(80, "regression"), "ta'ble & <co>.csv")
    out, _ = zero_(
        "fit", table, "-t", "y", "--candidates", 4, "--families", "ridge", "--islands", 1,
        "--set", "pipelines.folds=3", "--out", folder / "run", "--quiet",
    )  # fmt: skip
    return folder / "run", table, out


def records(run):
    return [r for e in read_archive(run).experiments for r in e.records]


def test_fit_prints_the_leaderboard_and_candidates_alone_limit_it(fitted):
    run, _, out = fitted
    assert "kept" in out and "ridge regression" in out and "\nridge" in out
    assert re.search(r"individuals +4\n", out)
    assert json.loads((run / "run.json").read_text())["settings"]["pipelines"]["seconds"] is None


def test_fit_says_what_is_missing(tmp_path):
    table = write_table(tmp_path, mixed_frame(20))
    assert "--target COLUMN" in zero_("fit", table, code=1)[1]
    assert "is no table" in zero_("fit", tmp_path / "notes.doc", "-t", "y", code=1)[1]
    assert "no_such" in zero_("fit", table, "-t", "no_such", "--candidates", 2, code=1)[1]
    _, told = zero_("fit", table, "-t", "y", "--families", "ridgee", code=1)
    assert "did you mean 'ridge'" in told


def test_export_runs_without_zero_and_without_the_table(fitted, tmp_path):
    run, table, _ = fitted
    other = tmp_path / "moved.csv"
    table.rename(other)
    try:
        out, _ = zero_("export", run, "-o", tmp_path / "found.py")
    finally:
        done = subprocess.run(
            [sys.executable, "-c", ALONE, tmp_path / "found.py", other], capture_output=True, text=True
        )  # fmt: skip
        other.rename(table)
    assert "wrote" in out and done.returncode == 0, done.stderr
    score = float(re.search(r"neg_root_mean_squared_error: (\S+),", done.stdout)[1])
    best = max(r.accuracy for r in records(run))
    assert score == pytest.approx(best, rel=0.5)  # other folds of the same table


def test_export_of_a_run_tells_of_its_ensemble(fitted):
    run, _, _ = fitted
    members = json.loads((run / "models" / "model.json").read_text())["members"]
    _, told = zero_("export", run)
    assert ("ensemble" in told) == (len(members) > 1)


def test_export_of_any_record(fitted):
    run, _, _ = fitted
    for record in records(run):
        text, _ = zero_("export", f"{run}#{record.id}")
        family = {"family=ridge": "Ridge", "family=constant": "DummyRegressor"}
        assert f"record {record.id} of run" in text
        assert family[record.text.split()[0]] + "(" in text
    assert "its ids go from" in zero_("export", f"{run}#999", code=1)[1]
    assert "-o FILE.py" in zero_("export", run, "-o", run / "x.onnx", code=1)[1]


class Page(HTMLParser):
    """Collects tags that are not closed, addresses, and texts of a page."""

    def __init__(self):
        super().__init__()
        self.open, self.addresses, self.texts = [], [], []

    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "circle", "line", "polyline"):
            self.open.append(tag)
        self.addresses += [v for k, v in attrs if k in ("src", "href")]

    def handle_startendtag(self, tag, attrs):
        self.addresses += [v for k, v in attrs if k in ("src", "href")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def test_report_is_a_page_that_stands_alone_and_the_same_each_time(fitted, tmp_path):
    run, _, _ = fitted
    zero_("report", run, "-o", tmp_path / "one.html")
    zero_("report", run, "-o", tmp_path / "two.html")
    text = (tmp_path / "one.html").read_text()
    assert text == (tmp_path / "two.html").read_text() and len(text) < 200_000
    page = Page()
    page.feed(text)
    assert page.open == [] and [a for a in page.addresses if not a.startswith("#")] == []
    said = " ".join(page.texts)
    for wanted in ("ta'ble & <co>.csv", "Leaderboard", "ridge regression", f"zero predict {run}"):
        assert wanted in said
    assert text.count("<svg") == 3  # leaderboard, residuals, search


def test_report_as_text_has_the_figures_of_the_run(fitted):
    run, _, _ = fitted
    out, _ = zero_("report", run)
    board = json.loads((run / "leaderboard.json").read_text())
    assert f"{-board['final']:.5g}" in out and f"{-board['nested']:.5g}" in out
    assert "numbers (3)" in out and "texts (1)" in out
    assert "give -o" in zero_("report", run, "-o", "page.pdf", code=1)[1]
    assert "there is no" in zero_("report", "nowhere", code=1)[1]


def test_predict_with_what_is_kept(fitted, tmp_path):
    run, _, _ = fitted
    new = write_table(tmp_path, mixed_frame(9, "regression", seed=4).drop(columns="y"), "new.csv")
    zero_("predict", run, new, "-o", tmp_path / "said.csv")
    said = pd.read_csv(tmp_path / "said.csv")["prediction"]
    assert len(said) == 9 and said.notna().all()


def test_list_of_families_and_metrics_say_what_they_are_for(monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    out, _ = zero_("list", "families", "ridge")
    assert "for" in out and "regression" in out and "alpha" in out and "xgboost" not in out
    out, _ = zero_("list", "metrics", "neg_log_loss")
    row = out.splitlines()[1].split()
    assert row == ["neg_log_loss", "binary,", "multiclass", "log_loss", "multiclass"]


@pytest.mark.parametrize(
    ("problem", "options", "wanted"),
    [
        ("regression", ["--time", "when", "--weights", "weight"], "TimeSeriesSplit(3)"),
        ("multiclass", ["--groups", "count"], "StratifiedGroupKFold(3)"),
    ],
)
def test_export_trains_as_the_run_did(problem, options, wanted, tmp_path):
    frame = mixed_frame(80, problem, gaps=False)
    frame["when"] = frame["when"].dt.strftime("%d.%m.%Y")
    path = tmp_path / "table.csv"
    frame.to_csv(path, index=False, sep=";", decimal=",")
    zero_(
        "fit", path, "-t", "y", "--candidates", 2, "--families", "tree", "--islands", 1,
        "--set", "pipelines.folds=3", "--out", tmp_path / "run", "--quiet", *options,
    )  # fmt: skip
    zero_("export", tmp_path / "run", "-o", tmp_path / "found.py")
    text = (tmp_path / "found.py").read_text()
    assert wanted in text and ("sample_weight" in text) == ("--weights" in options)
    done = subprocess.run(
        [sys.executable, "-c", ALONE, tmp_path / "found.py"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    folds = re.search(r"of folds \[(.*)\]", done.stdout)[1].split()
    assert len(folds) == 3 and "nan" not in folds

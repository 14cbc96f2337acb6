"""The command line on runs over cells: what run, resume, show and validate print."""

import json
import re
import sys

import numpy as np
import pytest
from commands import zero_
from small_cells import small_cell_settings, table_settings, write_table

from zero import yaml_loader
from zero.archive import read_archive
from zero.cells.genome import parse_genome
from zero.cells.ops import CELL_OPS
from zero.cells.spaces import get_space
from zero.config import config_to_yaml, make_config


def squeezed(text):
    return re.sub(" +", " ", text)


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    path = tmp_path_factory.mktemp("config") / "small.yaml"
    settings = small_cell_settings(
        cells={"objective": "pareto", "published": ["nas_bench_201_skip"]},
        budget={"individuals": 10},
    )
    path.write_text(yaml_loader.dump(settings))
    return path


@pytest.fixture(scope="module")
def finished(config, tmp_path_factory):
    """The folder of a run that has ended, and what the command printed."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    out, _ = zero_("run", config, "--out", folder)
    return folder, out


def test_run_prints_cells_and_figures(finished):
    folder, out = finished
    results = read_archive(folder).results
    genome = parse_genome(results["genome"])
    for line in genome.normal.lines():
        assert line in out
    text = squeezed(out)
    final, valid = results["final"]["fitness"], results["select"]["fitness"]
    assert f"discovered {valid:.6f} {valid:.6f} {final:.6f}" in text
    skip = results["published"]["nas_bench_201_skip"]
    assert f"nas_bench_201_skip (published) {skip['select']:.6f} {skip['final']:.6f}" in text
    assert f"look with zero show {folder}" in text


def test_show_a_run(finished):
    folder, _ = finished
    data = read_archive(folder)
    out, _ = zero_("show", folder)
    text = " ".join(out.split())  # long values go on in the next line
    for line in (
        "space nas_bench_201", "skeleton normal_cells 1, filters 2",
        "evaluated on digits, 2 epochs", f"drawing {folder}/best.svg", "individuals 10",
        f"record {data.results['record']}:", f"test accuracy {data.results['final']['fitness']:.6f}",
        "random candidates", "% of that mean", "candidates that no other beats",
        "nas_bench_201_skip",
    ):  # fmt: skip
        assert line in text, line
    assert data.results["genome"] in out
    for number in data.results["front"].tolist():
        assert re.search(rf"^ *{number} ", out, re.MULTILINE)


def test_show_a_lineage_and_a_record(finished):
    folder, _ = finished
    data = read_archive(folder)
    out, _ = zero_("show", folder, "--lineage")
    assert "lineage:" in out and f"zero show '{folder}#RECORD'" in out
    record = data.experiments[0].records[-1]
    out, _ = zero_("show", f"{folder}#{record.id}")
    assert parse_genome(out) is not None  # comments, then a genome's text
    assert str(parse_genome(out)) == record.text
    assert f"parameters: {record.parameters:,}" in out
    assert out.count("# epoch") == len(record.curve)


def test_json_lines_of_a_run(config, tmp_path):
    out, _ = zero_("run", config, "--out", tmp_path / "r", "--json-log", "--quiet")
    events = [json.loads(line) for line in out.splitlines()]
    assert {e["event"] for e in events} >= {"start", "improvement", "finish", "outcome"}
    outcome = events[-1]
    results = read_archive(tmp_path / "r").results
    assert outcome["genome"] == results["genome"]
    assert outcome["test_accuracy"] == results["final"]["fitness"]
    assert outcome["individuals"] == 10
    assert set(outcome["published"]) == {"nas_bench_201_skip"}


def test_stop_show_and_resume(config, finished, tmp_path):
    for attempt in range(5):  # on a busy machine the run may end before it is told to stop
        folder = tmp_path / f"r{attempt}"
        out, _ = zero_("run", config, "--out", folder, "--max-seconds", "0.01")
        if f"go on with zero resume {folder}" in squeezed(out):
            break
    else:
        raise AssertionError("never stopped")
    assert "--max-seconds have passed" in zero_("show", folder)[0]
    out, _ = zero_("resume", folder)
    assert "all individuals of the budget were made" in out
    before, after = finished[0] / "archive.h5", folder / "archive.h5"
    assert before.read_bytes() == after.read_bytes()


def test_validate(config, tmp_path):
    out, _ = zero_("validate", config, "--data")
    text = squeezed(out)
    for line in ("small: no mistakes", "images digits, 8 x 8 x 1, 10 classes", "train 60 images"):
        assert line in text
    table = write_table(tmp_path / "t.csv")
    path = tmp_path / "table.yaml"
    path.write_text(config_to_yaml(make_config(table_settings(table))))
    assert "table 729 cells" in squeezed(zero_("validate", path, "--data")[0])


def test_a_run_over_a_table(tmp_path):
    table = write_table(tmp_path / "t.csv")
    path = tmp_path / "table.yaml"
    path.write_text(config_to_yaml(make_config(table_settings(table))))
    out, _ = zero_("run", path, "--out", tmp_path / "r")
    assert "discovered" in out
    out, _ = zero_("show", tmp_path / "r")
    assert f"evaluated on {table}, column valid" in " ".join(out.split())
    assert "from the table" in out


def error_of(*arguments):
    out, err = zero_(*arguments, code=1)
    lines = err.splitlines()
    assert len(lines) == 1 and lines[0].startswith("error: "), (out, err)
    return lines[0].removeprefix("error: ")


def test_commands_for_programs_say_so(config, finished):
    for command in (
        ("evaluate", "linear", config),
        ("bench", "search", config, "--seconds", "1"),
        ("bench", "evaluate", config, "--program", "linear"),
    ):
        assert "needs a config for programs" in error_of(*command)
    assert "over cells" in error_of("evaluate", finished[0], "quickstart")


@pytest.mark.parametrize(("images", "match"), [
    ({"labels": [0] * 30}, "only one class"),
    ({"values": np.nan}, "NaN|not a number|finite"),
])  # fmt: skip
def test_bad_images_are_one_line(tmp_path, images, match):
    x = np.full((30, 8, 8, 1), images.get("values", 1.0))
    np.savez(tmp_path / "bad.npz", X=x, y=np.array(images.get("labels", [0, 1, 2] * 10)))
    settings = small_cell_settings(cells={"images": {
        "source": "npz", "path": str(tmp_path / "bad.npz"), "train": None, "valid": None,
        "test": None}})  # fmt: skip
    path = tmp_path / "bad.yaml"
    path.write_text(yaml_loader.dump(settings))
    assert re.search(match, error_of("run", path, "--out", tmp_path / "r"))
    assert not (tmp_path / "r").exists()


def test_a_budget_that_nobody_can_meet_is_one_line(config, tmp_path):
    option = "cells.budget.parameters=3"
    told = error_of("run", config, "--out", tmp_path / "r", "--set", option)
    assert told.startswith("cells.budget: none of 1000 random genomes")


# --- what is seldom -----------------------------------------------------------------------------


def test_a_network_too_large_for_the_memory_is_never_made(config, tmp_path, monkeypatch):
    def make_model(*arguments):
        raise AssertionError("made before the memory was checked")

    monkeypatch.setattr("zero.run_cells.usable_bytes", lambda: 1000)
    monkeypatch.setattr("zero.run_cells.make_model", make_model)
    settings = ["--set", "cells.published=[]", "--set", "budget.individuals=6"]
    out, _ = zero_("run", config, "--out", tmp_path / "r", *settings)
    assert "none of 6 candidates could be trained" in out
    text = squeezed(zero_("show", tmp_path / "r")[0])
    assert "ended individuals: all individuals of the budget were made" in text
    assert "failed 6, such as: candidate 1: training needs" in text


def test_a_last_training_that_fails_is_told(config, tmp_path, monkeypatch):
    monkeypatch.setattr("zero.run_cells.usable_bytes", lambda: 1_000_000)
    settings = ["--set", "cells.published=[]", "--set", "cells.final.filters=64"]
    out, _ = zero_("run", config, "--out", tmp_path / "r", *settings)
    assert "the last training failed: outcome: training needs" in out


def test_ops_of_ones_own_in_other_processes(config, tmp_path, monkeypatch):
    own = tmp_path / "own.py"
    own.write_text(
        "from zero.cells.ops import cell_op\n"
        "@cell_op('own_conv', 'a convolution of our own')\n"
        "def conv(b, x, channels, stride, rules):\n"
        "    return b.batch_norm(b.conv(b.relu(x), channels, 5, stride))\n"
    )
    folder = tmp_path / "r"
    settings = ["--set", f"imports=[{own}]", "--set", "cells.ops=[own_conv]"]
    settings += ["--set", "budget.individuals=5", "--set", "cells.published=[]"]
    zero_("run", config, "--out", folder, *settings)

    def forget():
        CELL_OPS.pop("own_conv", None)
        get_space.cache_clear()
        for name in [name for name in sys.modules if name.startswith("zero_import_own_")]:
            del sys.modules[name]

    try:
        forget()
        assert "nas_bench_201[own_conv]: " in zero_("show", folder)[0]
        assert "own_conv" not in CELL_OPS  # to look at a run executes nothing of it
        zero_("export", folder, "-o", tmp_path / "net.py")
        forget()
        zero_("cells", "draw", folder, "-o", tmp_path / "own.svg")
        assert "own_conv" in (tmp_path / "own.svg").read_text()
    finally:
        forget()


def test_cells_of_a_run_and_of_its_records(finished, tmp_path):
    folder, _ = finished
    data = read_archive(folder)
    record = data.experiments[0].records[-1]
    assert data.results["genome"] in zero_("cells", "show", folder)[0]
    counted = json.loads(zero_("cells", "count", f"{folder}#{record.id}", "--json")[0])
    assert counted["genome"] == record.text


def test_show_tells_the_search(finished):
    text = " ".join(zero_("show", finished[0])[0].split())
    wanted = "regularized_evolution, population 5, tournament 3, pareto of accuracy and parameters"
    assert f"search {wanted}" in text


def test_mistakes_name_what_to_give(finished, config, tmp_path):
    folder, _ = finished
    assert "after # stands the number" in error_of("show", f"{folder}#abc")
    assert "zero cells show" in error_of("show", "amoebanet_a")
    assert "the folder that `zero run` or `zero train` made" in error_of("resume", tmp_path)
    assert f"there is no {tmp_path / 'none'}" in error_of("export", tmp_path / "none", "-o", "n.py")
    assert "at least one op" in error_of("validate", config, "--set", "cells.ops=[]")
    told = error_of("validate", config, "--data", "--set", "cells.published=[amoebanet_a]")
    assert told.startswith("cells.published: amoebanet_a: ")
    images = f"cells.images={{source: folder, path: {tmp_path / 'none'}}}"
    out, _ = zero_("validate", config, "--data", "--set", images, code=1)
    assert out == ""  # not "no mistakes" first

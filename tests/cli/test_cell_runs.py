"""The command line on runs over cells: what run, resume, show and validate print."""

import io
import json
import re
import sys

import numpy as np
import pytest
from commands import zero_
from small_cells import small_cell_settings, table_settings, write_table

from zero.cells.domain import CellsDomain
from zero.cells.island import CellIsland
from zero.cells.ops import CELL_OPS
from zero.cells.spaces import get_space
from zero.cells.text import parse_genome
from zero.cells.view import CellsView
from zero.config import yaml as yaml_loader
from zero.config.load import config_to_yaml, make_config
from zero.data.images import ImageSettings, load_images
from zero.nn import make_model
from zero.nn.augment import Normaliser
from zero.nn.saved import load_network
from zero.nn.train_memory import PROGRAM_BYTES
from zero.runs.archive import read_archive
from zero.runs.progress import PlainReporter


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
    figures = f"{skip['select']:.6f} {skip['final']:.6f}"
    # Its first column may be narrow.
    assert re.search(rf"nas_bench_201_skip (\(published\) )?{figures}", text)
    assert f"look with zero show {folder}" in text


def test_show_a_run(finished):
    folder, _ = finished
    data = read_archive(folder)
    out, _ = zero_("show", folder)
    text = " ".join(out.split())  # long values go on in the next line
    for line in (
        "space nas_bench_201", "skeleton nas_bench_201, N 1, F 2, stem of 2 channels",
        "evaluated on digits, 2 epochs", f"drawing {folder}/best.svg", "individuals 10",
        f"record {data.results['record']}:", f"test accuracy {data.results['final']['fitness']:.6f}",
        "random candidates", "% of that mean", "candidates that no other beats",
        f"hypervolume: {data.results['hypervolume']:.4f} of the box of accuracies from 0 to 1, parameters",
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


def test_stop_show_and_resume(config, finished, tmp_path, monkeypatch):
    folder, advance = tmp_path / "r", CellIsland.advance
    with monkeypatch.context() as patched:
        # However busy the machine, it cannot end before it is told to stop.
        patched.setattr(
            CellIsland,
            "advance",
            lambda self, s: advance(self, s) if self.individuals < 5 else None,
        )
        out, _ = zero_("run", config, "--out", folder, "--max-seconds", "0.01")
    assert f"go on with zero resume {folder}" in squeezed(out)
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

    monkeypatch.setattr("zero.cells.domain.usable_bytes", lambda: 1000)
    monkeypatch.setattr("zero.cells.domain.make_model", make_model)
    settings = ["--set", "cells.published=[]", "--set", "budget.individuals=6"]
    out, _ = zero_("run", config, "--out", tmp_path / "r", *settings)
    assert "none of 6 candidates could be trained" in out
    text = squeezed(zero_("show", tmp_path / "r")[0])
    assert "ended individuals: all individuals of the budget were made" in text
    assert "failed 6, such as: candidate 1: training needs" in text


def test_a_last_training_that_fails_is_told(config, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "zero.cells.domain.usable_bytes", lambda: PROGRAM_BYTES["reference"] + 4_000_000
    )
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


# --- unequal classes, unequal training, units -----------------------------------------------------


def unequal_run(folder, *options, **cells):
    """Runs a search over 100 images of class 0 and 20 of class 1; returns what it printed."""
    rng = np.random.default_rng(0)
    y = (np.arange(120) % 6 == 0).astype(np.int64)
    x = rng.integers(0, 200, (120, 8, 8), dtype=np.uint8)
    x[y == 1, 2:6, 2:6] += 55
    np.savez(folder / "unequal.npz", X=x, y=y)
    settings = small_cell_settings(budget={"individuals": 8})
    images = {"source": "npz", "path": str(folder / "unequal.npz")}
    settings["cells"] = {**settings["cells"], "images": images, **cells}
    (folder / "run.yaml").write_text(yaml_loader.dump(settings))
    return zero_("run", folder / "run.yaml", "--out", folder / "run", *options)


def test_accuracies_by_class_and_a_balanced_objective(tmp_path):
    out, _ = unequal_run(tmp_path, "--quiet", objective="balanced_accuracy")
    data = read_archive(tmp_path / "run")
    best = max(data.experiments[0].records, key=lambda r: r.fitness)
    saved = load_network(tmp_path / "run/best_weights.h5")
    images = load_images(ImageSettings(source="npz", path=str(tmp_path / "unequal.npz")))
    model = make_model(saved.network, 20, "reference")
    model.parameters[:], model.statistics[:] = saved.parameters, saved.statistics
    normalise = Normaliser(images.image_shape, saved.mean, saved.std)
    shares = {}
    for part in ("valid", "test"):
        x, y = getattr(images, f"{part}_x"), getattr(images, f"{part}_y")
        right = model.predict(normalise(x)).argmax(axis=1) == y
        shares[part] = [right[y == label].mean() for label in (0, 1)]
    assert best.fitness == pytest.approx(np.mean(shares["valid"]))
    assert data.results["final"]["balanced"] == pytest.approx(np.mean(shares["test"]))
    assert any(r.fitness != r.accuracy for r in data.experiments[0].records)
    by_class = f"by class 0 {shares['test'][0]:.4f} of 20, 1 {shares['test'][1]:.4f} of 4"
    show = squeezed(zero_("show", tmp_path / "run")[0])
    for text in (squeezed(out), show):
        assert by_class in text
    assert "always '0' 0.833333 0.833333 0.500000" in squeezed(out)
    balanced = " ".join(f"{p} {np.mean(shares[p]):.6f}" for p in ("valid", "test"))
    assert f"balanced accuracy {balanced.replace(' test', ', test')}" in show
    words = " ".join(show.split())
    assert "by balanced accuracy" in words and "balanced valid accuracy, standard" in words
    assert "always '0' would be right in 83.3 %" in show
    record, _ = zero_("show", f"{tmp_path / 'run'}#{best.id}")
    assert "# valid: 24 images: 0 20, 1 4; always '0' would be right in 83.3 %" in record


def test_the_outcome_as_json_has_classes(tmp_path):
    out, _ = unequal_run(tmp_path, "--json-log")
    event = json.loads(out.splitlines()[-1])
    by_class = event["test_accuracy_by_class"]
    assert event["test_accuracy"] == pytest.approx((20 * by_class["0"] + 4 * by_class["1"]) / 24)
    assert event["test_balanced_accuracy"] == pytest.approx((by_class["0"] + by_class["1"]) / 2)
    assert event["test_images_of_largest_class"] == pytest.approx(20 / 24)


def test_a_table_has_no_accuracies_by_class(tmp_path):
    cells = {"objective": "balanced_accuracy"}
    settings = table_settings(write_table(tmp_path / "t.csv"), cells=cells)
    (tmp_path / "t.yaml").write_text(yaml_loader.dump(settings))
    _, err = zero_("validate", tmp_path / "t.yaml", code=1)
    assert "cells.objective.metric" in err and err.count("\n") == 1


def test_inherited_weights_are_no_equal_training(tmp_path):
    out = {}
    for inherit in (True, False):
        (tmp_path / str(inherit)).mkdir()
        unequal_run(tmp_path / str(inherit), "--quiet", inherit_weights=inherit)
        folder = tmp_path / str(inherit) / "run"
        data = read_archive(folder)
        child = next(r for r in data.experiments[0].records if r.parent >= 0)
        out[inherit] = CellsView().figure_rows(folder, data, child)
    assert "equal training" not in dict(out[False])["over random"]
    assert (
        "from 1 ancestors up to 12 steps are in its weights, in a random candidate's 6"
        in (dict(out[True])["over random"])
    )


def test_latency_is_in_seconds_wherever_it_stands(tmp_path):
    objective = {"kind": "mnasnet", "cost": "latency", "target": 0.01}
    unequal_run(tmp_path, "--quiet", objective=objective)
    show = squeezed(zero_("show", tmp_path / "run")[0])
    data = read_archive(tmp_path / "run")
    best = {r.id: r for r in data.experiments[0].records}[data.results["record"]]
    assert "target 0.01 s" in show and f"latency {best.latency:.6f} s an image" in show


def test_images_that_are_all_alike_are_told_before_the_run(tmp_path):
    np.savez(tmp_path / "flat.npz", X=np.zeros((60, 8, 8), np.uint8), y=np.arange(60) % 2)
    images = {"source": "npz", "path": str(tmp_path / "flat.npz")}
    settings = small_cell_settings(budget={"individuals": 5})
    settings["cells"] = {**settings["cells"], "images": images}
    (tmp_path / "run.yaml").write_text(yaml_loader.dump(settings))
    words = "class '1': all 18 train images are alike"
    out, _ = zero_("validate", tmp_path / "run.yaml", "--data")
    assert words in out
    _, err = zero_("run", tmp_path / "run.yaml", "--out", tmp_path / "run")
    assert words in err
    _, err = zero_("train", "nas_bench_201_skip", tmp_path / "run.yaml", "--out", tmp_path / "t")
    assert words in err


def test_time_left_names_the_last_training():
    kinds = [
        CellsDomain(make_config(small_cell_settings(cells={"final": final})))
        for final in (None, {"epochs": 2}, {"epochs": 40}, {"epochs": 40, "filters": 8})
    ]
    nothing, short, long, wide = (kind.final_seconds(100, 50.0) for kind in kinds)
    assert nothing is None and kinds[2].final_seconds(0, 0.0) is None
    assert short == pytest.approx(2 * 3 * 0.5)  # 2 epochs of 3 steps of the same network
    assert long == pytest.approx(20 * short) and wide > long
    stream = io.StringIO()
    reporter = PlainReporter(stream, 0.0)
    reporter.update({"seconds_left": 20.0, "seconds_after": 30.0})
    assert stream.getvalue() == "time left 20 s, then the last training, about 30 s\n"

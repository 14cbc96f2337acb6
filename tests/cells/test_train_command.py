"""`zero train`: what it leaves, how it stops and goes on, and how mistakes end."""

import importlib.util
import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from cells_helpers import SMALL
from commands import zero_
from small_cells import small_cell_settings, table_settings, write_table
from small_runs import small_settings, wait_until

from zero.cells import train_run
from zero.cells.published import PUBLISHED
from zero.cells.train_config import find_genome, training_config
from zero.config import yaml as yaml_loader
from zero.data.images import load_images
from zero.errors import ArchiveError, ConfigError, NetworkError
from zero.nn.saved import load_network
from zero.runs.archive import ArchiveData, read_archive, write_archive
from zero.runs.folder import RunFolder

CELL = "nas_bench_201_skip"


def error_of(*arguments):
    out, err = zero_(*arguments, code=1)
    lines = [line for line in err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1 and out == "", (out, err)
    return lines[0].removeprefix("error: ")


def config_file(folder, name="small", **changes):
    """Writes a config whose last training differs from that of the search."""
    training = {"epochs": 3, "batch": 20, "learning_rate": 0.1, "pad": 1}
    final = {"filters": 4, "training": training}
    cells = {"final": final, "published": [CELL], "images": {"test": 300}}
    settings = small_cell_settings(cells=cells)
    path = folder / f"{name}.yaml"
    path.write_text(yaml_loader.dump(small_cell_settings(**{**settings, **changes})))
    return path


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    return config_file(tmp_path_factory.mktemp("config"))


@pytest.fixture(scope="module")
def trained(config, tmp_path_factory):
    """The folder of a training that has ended, and what the command printed."""
    folder = tmp_path_factory.mktemp("trained") / "t"
    return folder, *zero_("train", CELL, config, "--out", folder)


def network_bytes(folder):
    return (folder / train_run.NETWORK).read_bytes()


def without_clock(folder):
    """The figures of a training but for times and threads."""
    figures = train_run.read_figures(folder)
    return {k: v for k, v in figures.items() if k not in ("seconds", "images_per_second", "run")}


def test_folder_and_figures(trained, config):
    folder, out, err = trained
    figures = json.loads((folder / "train.json").read_text())
    assert figures["reason"] == "epochs" and figures["epochs"] == 3 and figures["steps"] == 9
    assert [r["epoch"] for r in figures["curve"]] == [1, 2, 3]
    assert {"train_loss", "train_accuracy", "valid_accuracy"} < set(figures["curve"][0])
    assert figures["run"]["versions"]["zero"] and figures["run"]["seed"] == 3
    saved = load_network(folder / "network.h5")
    assert saved.genome == figures["genome"] == str(PUBLISHED[CELL].genome)
    assert saved.skeleton["filters"] == 4  # of the section final
    assert saved.extra["test_accuracy"] == figures["test_accuracy"]
    assert (folder / "cells.svg").read_text().startswith(("<svg", "<?xml"))
    assert len(RunFolder.open(folder).checkpoints.paths()) == 3
    assert f"{figures['test_accuracy']:.6f}" in out and f"{figures['parameters']:,}" in out
    assert err.count("\nepoch ") == 3 and "images/s" in err


def test_the_weights_are_those_of_a_run_that_ends_with_the_cell(trained, config, tmp_path):
    run = tmp_path / "run"
    zero_("run", config, "--out", run, "--quiet", "--set", "cells.published=[]")
    zero_("train", run, config, "--out", tmp_path / "t", "--quiet")
    mine, theirs = load_network(tmp_path / "t/network.h5"), load_network(run / "best_weights.h5")
    assert mine.genome == theirs.genome == read_archive(run).results["genome"]
    np.testing.assert_array_equal(mine.parameters, theirs.parameters)
    np.testing.assert_array_equal(mine.statistics, theirs.statistics)
    assert mine.extra["test_accuracy"] == theirs.extra["test_accuracy"]

    record = read_archive(run).experiments[0].records[0]
    assert str(find_genome(f"{run}#{record.id}")[1]) == record.text
    assert "no record 99999" in error_of("train", f"{run}#99999", config)
    assert "the number of a record" in error_of("train", f"{run}#best", config)


def test_names_of_one_genome_train_the_same(trained, config, tmp_path):
    text = str(PUBLISHED[CELL].genome)
    (tmp_path / "cell.txt").write_text(text + "\n")
    for number, what in enumerate((text, tmp_path / "cell.txt", trained[0])):
        zero_("train", what, config, "--out", tmp_path / str(number), "--quiet")
        assert network_bytes(tmp_path / str(number)) == network_bytes(trained[0])


def test_default_folder(config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number in (1, 2):
        zero_("train", CELL, config, "--quiet", "--set", "cells.training.epochs=1")
        assert (tmp_path / f"runs/train-{CELL}-00{number}/network.h5").is_file()


def test_settings_mean_this_training(config):
    given = ["cells.training.epochs=7", "cells.skeleton.filters=5", "seed=9"]
    found = training_config(config, given)
    assert found.cells.training.epochs == 7 and found.cells.skeleton.filters == 5
    assert found.seed == 9 and found.cells.final is None
    assert found.cells.training.pad == 1  # the rest is still that of the last training
    assert training_config(config).cells.training.epochs == 3
    # Set against the search's two epochs this would be a mistake.
    assert training_config(config, ["cells.training.warmup_epochs=2"])
    found = training_config(config, ["cells.final.filters=6"])
    assert found.cells.skeleton.filters == 6


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_stopped_and_resumed_equals_unbroken(backend, config, tmp_path, monkeypatch):
    monkeypatch.setattr("zero.system.signals.PATIENCE", 120.0)  # reading gets done, however slowly
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    command = ["train", SMALL, config, "--quiet"]
    for setting in ("space=amoebanet", "skeleton.drop_path=true", "skeleton.dropout=0.3",
                    "training.drop_path=0.4", "training.flip=true", "training.ema=0.9"):  # fmt: skip
        command += ["--set", f"cells.{setting}"]
    command += ["--set", f"backend={backend}", "--out"]
    zero_(*command, whole)
    out, _ = zero_(*command, parts, "--max-seconds", "0.0001", "--threads", "1")
    assert f"zero resume {parts}" in out and not (parts / "network.h5").exists()
    for stops in range(20):
        out, _ = zero_("resume", parts, "--quiet", "--max-seconds", "0.0001")
        if "zero resume" not in out:
            break
    assert stops == 7  # a step in each process, the first took one, the last the ninth
    assert network_bytes(parts) == network_bytes(whole)
    assert without_clock(parts) == without_clock(whole)


def test_resume_after_the_end_changes_nothing(trained, tmp_path):
    before = network_bytes(trained[0])
    out, _ = zero_("resume", trained[0])
    assert "all epochs were trained" in out and network_bytes(trained[0]) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_stop_with_a_checkpoint(number, config, tmp_path):
    folder = tmp_path / "t"
    command = [sys.executable, "-m", "zero", "train", CELL, config, "--out", folder]
    command += ["--set", "cells.training.epochs=100000"]
    child = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True)  # fmt: skip
    try:
        assert wait_until(lambda: (folder / "train.json").exists() or child.poll() is not None)
        child.send_signal(number)
        out, err = child.communicate(timeout=20)
    finally:
        child.kill()
    assert child.returncode == 130, err
    assert "stopping" in err and "Traceback" not in err and "go on with" in out
    figures = train_run.read_figures(folder)
    assert figures["reason"] == "interrupted" and figures["epochs"] >= 1
    state, _ = RunFolder.open(folder).checkpoints.load()
    assert state["step"] == figures["steps"]


def test_long_epochs_have_checkpoints_within(trained, config, tmp_path, monkeypatch):
    monkeypatch.setattr(train_run, "LONGEST_WITHOUT_CHECKPOINT", 0.0)
    _, err = zero_("train", CELL, config, "--out", tmp_path / "t")
    assert "epoch 2: 67%" in err
    assert len(RunFolder.open(tmp_path / "t").checkpoints.paths()) == 3  # the newest
    assert RunFolder.open(tmp_path / "t").checkpoints.paths()[-1].stem.endswith("000009")
    assert network_bytes(tmp_path / "t") == network_bytes(trained[0])


def test_json_lines(config, tmp_path):
    out, err = zero_("train", CELL, config, "--out", tmp_path / "t", "--json-log", "--quiet")
    events = [json.loads(line) for line in out.splitlines()]
    assert [e["event"] for e in events] == ["start", *["update"] * 3, "finish", "outcome"]
    assert events[2]["epoch"] == 2 and 0 <= events[2]["valid_accuracy"] <= 1
    assert events[-1]["test_accuracy"] == train_run.read_figures(tmp_path / "t")["test_accuracy"]
    assert err == ""


def test_show(trained):
    out, _ = zero_("show", trained[0])
    figures = train_run.read_figures(trained[0])
    for text in (figures["genome"], f"{figures['curve'][1]['train_loss']:.6f}", "test accuracy"):
        assert text in out


def test_exports_have_the_same_test_accuracy(trained, config, tmp_path):
    folder = trained[0]
    zero_("export", folder, "-o", tmp_path / "net.py")
    spec = importlib.util.spec_from_file_location("trained_net", tmp_path / "net.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    data = load_images(training_config(config).cells.images)
    wanted = train_run.read_figures(folder)["test_accuracy"]
    found = (module.predict(data.test_x).argmax(axis=1) == data.test_y).mean()
    assert found == pytest.approx(wanted, abs=1e-12)

    onnx = pytest.importorskip("onnx")
    from onnx.reference import ReferenceEvaluator

    zero_("export", folder, "-o", tmp_path / "net.onnx")
    model = ReferenceEvaluator(onnx.load(tmp_path / "net.onnx"))
    (logits,) = model.run(None, {"images": data.test_x.astype(np.float32)})
    assert (logits.argmax(axis=1) == data.test_y).mean() == pytest.approx(wanted, abs=1e-12)


def test_a_budget_of_accuracy_ends_it(config, tmp_path):
    option = "cells.training.accuracy=0.01"
    out, _ = zero_("train", CELL, config, "--out", tmp_path / "t", "--set", option, "--quiet")
    assert "cells.training.accuracy was reached" in out
    assert train_run.read_figures(tmp_path / "t")["epochs"] == 1


# --- mistakes -------------------------------------------------------------------------------------


def test_divergence_is_told(config, tmp_path):
    given = ["--set", "cells.training.learning_rate=1.0e+30", "--set", "cells.training.clip=0"]
    with np.errstate(all="ignore"):
        told = error_of("train", CELL, config, "--out", tmp_path / "t", "--quiet", *given)
    assert "diverged in epoch 1" in told and "learning_rate" in told
    assert train_run.read_figures(tmp_path / "t")["reason"] == "diverged"
    assert not (tmp_path / "t/network.h5").exists()


@pytest.mark.parametrize(
    ("what", "given", "match"),
    [
        ("nas_bench_201_skp", [], "did you mean 'nas_bench_201_skip'"),
        ("amoebanet: normal sep3(cur)", [], "two ops"),
        ("amoebanet_a", [], "add --set cells.space=amoebanet"),
        (CELL, ["seed=one"], "seed"),
        (CELL, ["cells.training.epochs=0"], "cells.training.epochs"),
        (CELL, ["cells.skeleton.normal_cells=100", "cells.skeleton.filters=4096"], "allowed; use"),
        (CELL, ["cells.images.source=npz", "cells.images.path=none.npz"], "none.npz"),
    ],
)
def test_mistakes_are_one_line_and_leave_no_folder(what, given, match, config, tmp_path):
    options = [word for setting in given for word in ("--set", setting)]
    assert match in error_of("train", what, config, "--out", tmp_path / "t", *options)
    assert not (tmp_path / "t").exists()


def test_a_skeleton_too_deep_for_the_images(tmp_path):
    x = np.random.default_rng(0).integers(0, 256, (30, 2, 2, 1)).astype(np.uint8)
    np.savez(tmp_path / "tiny.npz", X=x, y=np.arange(30) % 3)
    images = {"source": "npz", "path": str(tmp_path / "tiny.npz"), "train": None, "valid": None,
              "test": None}  # fmt: skip
    config = config_file(tmp_path, cells=small_cell_settings(cells={"images": images})["cells"])
    assert "2 x 2" in error_of("train", CELL, config, "--out", tmp_path / "t")


def test_configs_that_train_nothing(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(yaml_loader.dump(small_settings()))
    assert "about programs" in error_of("train", CELL, path)
    path.write_text(yaml_loader.dump(table_settings(write_table(tmp_path / "t.csv"))))
    assert "in a table" in error_of("train", CELL, path)
    assert "unknown config" in error_of("train", CELL, "amoebanet_digit")


def test_folders_that_cannot_be_used(trained, config, tmp_path):
    assert "is not empty" in error_of("train", CELL, config, "--out", trained[0], "--quiet")
    with RunFolder.open(trained[0], write=True):
        assert "in use" in error_of("resume", trained[0])
    assert "archive.h5" in error_of("train", tmp_path, config)
    stopped = tmp_path / "t"
    zero_("train", CELL, config, "--out", stopped, "--quiet", "--max-seconds", "0.0001")
    for path in RunFolder.open(stopped).checkpoints.paths():
        path.unlink()
    assert "no trained network" in error_of("export", stopped, "-o", tmp_path / "n.py")


def test_damaged_checkpoints(config, tmp_path):
    def damage(path):
        with open(path, "r+b") as file:
            file.seek(-10, os.SEEK_END)
            file.write(b"\xff" * 10)

    folder = tmp_path / "t"
    zero_("train", CELL, config, "--out", folder, "--quiet", "--max-seconds", "0.0001")
    zero_("resume", folder, "--quiet", "--max-seconds", "0.0001")
    paths = RunFolder.open(folder).checkpoints.paths()
    damage(paths[-1])
    _, err = zero_("resume", folder, "--max-seconds", "0.0001")
    assert "going on from an older checkpoint" in err
    for path in RunFolder.open(folder).checkpoints.paths():
        damage(path)
    assert "no checkpoint" in error_of("resume", folder)
    (folder / "genome.txt").write_text("nothing")
    assert "holds no genome" in error_of("resume", folder)


def test_images_that_changed(tmp_path):
    rng = np.random.default_rng(0)

    def write():
        x = rng.integers(0, 256, (60, 8, 8, 1)).astype(np.uint8)
        np.savez(tmp_path / "own.npz", X=x, y=np.arange(60) % 3)

    write()
    images = {"source": "npz", "path": str(tmp_path / "own.npz"), "train": None, "valid": None,
              "test": None}  # fmt: skip
    config = config_file(tmp_path, cells=small_cell_settings(cells={"images": images})["cells"])
    zero_("train", CELL, config, "--out", tmp_path / "t", "--quiet", "--max-seconds", "0.0001")
    write()
    with pytest.raises(ConfigError, match="have changed"):
        train_run.resume(tmp_path / "t")


def test_runs_that_hold_no_cells(tmp_path):
    write_archive(tmp_path / "archive.h5", ArchiveData(1, "", [], "0"))
    with pytest.raises(ArchiveError, match="over programs"):
        find_genome(str(tmp_path))
    write_archive(tmp_path / "archive.h5", ArchiveData(1, "", [], "0", kind="cells"))
    with pytest.raises(ArchiveError, match="no candidate yet"):
        find_genome(str(tmp_path))
    with pytest.raises(NetworkError, match="unknown cell"):
        find_genome(str(tmp_path / "none"))


# --- which network it is, classes, and a training that is paused ----------------------------------


def figures_of(*arguments):
    return json.loads(zero_("cells", "count", *arguments, "--json")[0])


def test_count_and_show_take_the_skeleton_that_is_trained(trained, config):
    folder, out, err = trained
    parameters = json.loads((folder / "train.json").read_text())["parameters"]
    for counted in (figures_of(folder), figures_of(CELL, config)):
        assert counted["parameters"] == parameters
        assert counted["image_shape"] == [8, 8, 1] and counted["classes"] == 10
    words = "nas_bench_201, N 1, F 4, stem of 4 channels"
    first = err.splitlines()[0]
    assert words in first and "images 8x8x1, 10 classes" in first and f"{parameters:,}" in first
    for shown in (
        out,
        zero_("show", folder)[0],
        zero_("cells", "show", folder)[0],
        zero_("cells", "count", CELL, config)[0],
    ):
        assert words in shown and f"{parameters:,}" in shown
    changed = figures_of(CELL, config, "--set", "cells.skeleton.filters=3")
    assert changed["skeleton"]["filters"] == 3 and changed["parameters"] < parameters
    assert figures_of(folder, "--filters", 3)["parameters"] == changed["parameters"]
    assert figures_of(CELL)["skeleton"]["filters"] == 16  # the published one
    _, err = zero_("cells", "count", "amoebanet_a", config, code=1)
    assert "add --set cells.space=amoebanet" in err and err.count("\n") == 1


def test_count_takes_a_runs_own_skeleton_and_images(config, tmp_path):
    run = tmp_path / "run"
    zero_("run", config, "--out", run, "--quiet", "--set", "cells.published=[]")
    data = read_archive(run)
    record = data.experiments[0].records[3]
    counted = figures_of(f"{run}#{record.id}")
    assert counted["parameters"] == record.parameters and "last_training" not in counted
    assert counted["multiply_adds"] == record.multiply_adds and counted["batch"] == 20
    both = figures_of(run)
    best = {r.id: r for r in data.experiments[0].records}[data.results["record"]]
    assert both["parameters"] == best.parameters
    assert both["last_training"]["parameters"] == data.results["final"]["parameters"]
    assert figures_of(run / "archive.h5") == {**both, "cell": "archive"}
    out, _ = zero_("show", run)
    assert "N 1, F 2, stem of 2" in out and "N 1, F 4, stem of 4" in out


def unequal(folder):
    """An NPZ file: 100 images of class 0, 20 of class 1; returns the setting that names it."""
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (120, 8, 8), dtype=np.uint8), (np.arange(120) % 6 == 0)
    np.savez(folder / "unequal.npz", X=x, y=y.astype(np.int64))
    return ["--set", f"cells.images={{source: npz, path: {folder / 'unequal.npz'}}}"]


def test_counts_by_class_stand_beside_the_accuracies(config, tmp_path):
    images = unequal(tmp_path)
    told = {"train": "0 60, 1 12", "valid": "0 20, 1 4", "test": "0 20, 1 4"}
    always = "always '0' would be right in 83.3 %"
    out, _ = zero_("train", CELL, config, "--out", tmp_path / "t", *images)
    show, _ = zero_("show", tmp_path / "t")
    checked, _ = zero_("validate", config, "--data", *images)
    for text in (out, show, checked):
        for part, counts in told.items():
            assert f"images: {counts}; {always}" in text and f"\n{part} " in text
    figures = json.loads((tmp_path / "t/train.json").read_text())
    right = figures["test_right_by_class"]
    assert figures["test_accuracy"] == sum(right) / 24
    assert figures["test_balanced_accuracy"] == pytest.approx((right[0] / 20 + right[1] / 4) / 2)
    (tmp_path / "unequal.npz").unlink()  # their size is known without them
    assert figures_of(tmp_path / "t")["classes"] == 2
    assert f"by class           0 {right[0] / 20:.4f} of 20, 1 {right[1] / 4:.4f} of 4" in show


def test_a_paused_training_is_exported_as_it_is(config, tmp_path):
    folder = tmp_path / "t"
    zero_("train", CELL, config, "--out", folder, "--quiet", "--max-seconds", "1e-9")
    _, err = zero_("export", folder, "-o", tmp_path / "early.py")
    assert "paused after epoch 0 of 3 (step 1)" in err and err.count("\n") == 1
    zero_("resume", folder, "--quiet")
    whole = network_bytes(folder)
    (folder / "network.h5").unlink()  # as if killed after its last checkpoint
    _, err = zero_("export", folder, "-o", tmp_path / "late.py")
    assert "after epoch 3 of 3 (step 9)" in err
    early, late = (np.load(tmp_path / f"{name}.npz") for name in ("early", "late"))
    assert late.files == early.files
    assert any((late[name] != early[name]).any() for name in late.files)
    network_h5 = tmp_path / "whole.h5"
    network_h5.write_bytes(whole)
    zero_("export", network_h5, "-o", tmp_path / "whole.py")
    ended = np.load(tmp_path / "whole.npz")
    for name in late.files:
        np.testing.assert_array_equal(ended[name], late[name])


def test_export_needs_no_op_of_ones_own_whose_file_has_moved(tmp_path):
    own = tmp_path / "own.py"
    own.write_text(
        "from zero.cells.ops import cell_op\n"
        "@cell_op('moved_conv', 'a convolution of our own')\n"
        "def moved_conv(b, x, channels, stride, rules):\n"
        "    return b.batch_norm(b.conv(x, channels, 3, stride))\n"
    )
    ops = {"ops": ["moved_conv", "skip_connect"], "training": {"epochs": 1}}
    path = tmp_path / "own.yaml"
    settings = small_cell_settings(imports=[str(own)], cells=ops, budget={"individuals": 5})
    path.write_text(yaml_loader.dump(settings))

    def zero_elsewhere(*arguments):  # in this process the op would stay registered
        command = [sys.executable, "-m", "zero", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True)

    run, train = tmp_path / "run", tmp_path / "train"
    assert zero_elsewhere("run", path, "--out", run, "-q").returncode == 0
    assert zero_elsewhere("train", run, path, "--out", train, "-q").returncode == 0
    (train / "network.h5").unlink()
    own.rename(tmp_path / "elsewhere.py")
    for folder in (run, train):
        done = zero_elsewhere("export", folder, "-o", tmp_path / "net.py")
        assert done.returncode == 0, done.stderr

"""`zero train` in stages and with --find-rate: what is told and written, kill -9, mistakes, searches."""

import csv
import json
import signal
import subprocess
import sys

import numpy as np
import pytest
from commands import zero_
from small_cells import small_cell_settings, small_cells
from small_runs import wait_until

from zero.cells.domain import CellsDomain
from zero.cells.train_config import find_genome
from zero.cells.train_run import read_figures
from zero.config import yaml as yaml_loader
from zero.config.load import make_config
from zero.errors import ConfigError
from zero.runs.folder import RunFolder

CELL = "nas_bench_201_skip"
STAGES = [{"epochs": 2, "size": 4, "batch": 30}, {"epochs": 1, "size": 6}, {"epochs": 1}]
TRAINING = {
    "epochs": 4, "batch": 20, "learning_rate": 0.1, "schedule": "one_cycle", "momentum": 0.95,
    "lowest_momentum": 0.85, "mixup": 0.3, "label_smoothing": 0.1, "pad": 1, "stages": STAGES,
}  # fmt: skip


def error_of(*arguments):
    out, err = zero_(*arguments, code=1)
    lines = [line for line in err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1 and out == "", (out, err)
    return lines[0].removeprefix("error: ")


def network_bytes(folder):
    return (folder / "network.h5").read_bytes()


def config_file(folder, **cells):
    path = folder / "small.yaml"
    path.write_text(yaml_loader.dump(small_cell_settings(cells=cells)))
    return path


def staged(folder, **training):
    return config_file(folder, final={"filters": 4, "training": {**TRAINING, **training}})


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    return staged(tmp_path_factory.mktemp("config"))


def test_stages_are_told(config, tmp_path):
    _, err = zero_("train", CELL, config, "--out", tmp_path / "t")
    told = [line for line in err.splitlines() if line.startswith("epoch ")]
    sizes = [line.partition("images of ")[2].split(",")[0] for line in told]
    assert sizes == ["4 x 4", "4 x 4", "6 x 6", "8 x 8"]
    figures = read_figures(tmp_path / "t")
    assert figures["steps"] == 2 * 2 + 3 + 3 and figures["reason"] == "epochs"
    assert 0 <= figures["test_accuracy"] <= 1 and figures["best_epoch"] == 4


@pytest.mark.parametrize("stages", [STAGES, []])
def test_killed_within_an_epoch_it_goes_on_to_the_same_bits(stages, tmp_path):
    epochs = 8 if stages else 4
    stages = [{**stage, "epochs": 2 * stage["epochs"]} for stage in stages]
    config = staged(tmp_path, epochs=epochs, stages=stages)
    zero_("train", CELL, config, "--out", tmp_path / "whole", "--quiet")
    folder = tmp_path / "killed"
    code = (
        "import sys; from zero.cells import train_run; train_run.LONGEST_WITHOUT_CHECKPOINT = 0.0;"
        "from zero.__main__ import main; sys.argv[0] = 'zero'; main()"
    )
    command = [sys.executable, "-c", code, "train", CELL, config, "--out", folder, "--quiet"]
    child = subprocess.Popen(list(map(str, command)))
    try:
        assert wait_until(
            lambda: len(list((folder / "checkpoints").glob("*"))) > 1 or child.poll() is not None
        )
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait(20)
    if child.returncode == -signal.SIGKILL:
        assert not (folder / "network.h5").exists()
    zero_("resume", folder, "--quiet")
    assert network_bytes(folder) == network_bytes(tmp_path / "whole")


def test_a_search_trains_in_stages():
    config = small_cells(cells={"training": TRAINING})
    domain, plain = CellsDomain(config), CellsDomain(small_cells())
    genome = find_genome(CELL)[1]
    trial = domain.evaluator.begin(genome, 1, "x")
    while not trial.ended:
        trial.step()
    assert not trial.reason and trial.epochs == 4 and trial.steps == 10
    # Costs: smaller images take less time; those of a batch of 30 do not outweigh 20 as they are.
    cost, usual = domain.evaluator.trained_cost(genome), plain.evaluator.trained_cost(genome)
    assert cost.seconds_per_step < usual.seconds_per_step
    assert cost.activation_bytes == usual.activation_bytes
    seconds = domain.evaluator.training_seconds(genome)
    assert seconds == pytest.approx(10 * cost.seconds_per_step)


@pytest.mark.parametrize(
    ("training", "match"),
    [
        ({"stages": [{"epochs": 3}, {"epochs": 3}]},
         "cells.training.stages: have 6 epochs together, but epochs is 4"),
        ({"stages": [{"epochs": 2, "size": 4}, {"epochs": 2, "size": 8}]},
         "cells.training.stages[1].size: the last stage trains on images as they are; leave it out"),
        ({"mixup": 3.0}, "cells.training.mixup"),
        ({"stages": [{"epochs": 4, "sise": 4}]}, "cells.training.stages[0].sise"),
    ],
)  # fmt: skip
def test_mistakes_of_options(training, match):
    with pytest.raises(ConfigError) as found:
        make_config(small_cell_settings(cells={"training": {**TRAINING, **training}}))
    assert match in str(found.value) and len(str(found.value).splitlines()) == 1


def test_fewer_epochs_than_the_stages_have():
    settings = {"training": TRAINING, "fidelity": {"epochs": 3}}
    with pytest.raises(ConfigError, match="have 4 epochs together, but epochs is 3"):
        make_config(small_cell_settings(cells=settings))


def test_a_size_larger_than_the_images(config, tmp_path):
    stages = "cells.training.stages=[{epochs: 3, size: 9}, {epochs: 1}]"
    told = error_of("train", CELL, config, "--out", tmp_path / "t", "--set", stages)
    assert "stages[0].size: must be at most the images' height (8), got 9" in told
    assert not (tmp_path / "t").exists()


# --- the learning rate ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def learner(tmp_path_factory):
    """A config whose network learns something in a hundred steps."""
    return config_file(
        tmp_path_factory.mktemp("config"), images={"train": 400}, skeleton={"filters": 8},
        training=TRAINING,
    )  # fmt: skip


@pytest.fixture(scope="module")
def cell():
    conv = "nor_conv_3x3"
    return f"nas_bench_201: |{conv}~0|+|none~0|{conv}~1|+|skip_connect~0|none~1|{conv}~2|"


def test_find_rate_writes_curve_and_pictures(learner, cell, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    out, err = zero_("train", cell, learner, "--find-rate")
    (folder,) = (tmp_path / "runs").iterdir()
    assert folder.name.startswith("rates-") and "step 10: rate" in err
    assert {f.name for f in folder.iterdir()} == {"rates.csv", "rates.svg", "rates.png"}
    with (folder / "rates.csv").open() as file:
        rows = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]
    assert [row["step"] for row in rows] == list(range(1, len(rows) + 1))
    rates = np.array([row["learning_rate"] for row in rows])
    assert rates[0] == 1e-4 and (np.diff(rates) > 0).all()
    assert (folder / "rates.svg").read_text().lstrip().startswith("<?xml")
    assert (folder / "rates.png").read_bytes().startswith(b"\x89PNG")
    lowest = rates[int(np.argmin([row["smoothed"] for row in rows]))]
    assert f"cells.training.learning_rate={lowest / 3:.2g}" in out

    line, _ = zero_("train", cell, learner, "--find-rate", "--json-log", "--out", "mine")
    found = json.loads(line.splitlines()[-1])
    assert found["event"] == "rate" and found["suggestion"] == pytest.approx(lowest / 3)
    assert (tmp_path / "mine/rates.csv").read_bytes() == (folder / "rates.csv").read_bytes()
    assert RunFolder.INFO not in {f.name for f in (tmp_path / "mine").iterdir()}


def test_find_rate_s_mistakes(config, learner, cell, tmp_path):
    assert "--find-rate is for networks" in error_of(
        "train", "linear", "linear_demo", "--find-rate"
    )
    told = error_of("train", cell, learner, "--find-rate", "--max-seconds", "5")
    assert "leave --max-seconds out" in told
    (tmp_path / "full").mkdir()
    (tmp_path / "full/x").touch()
    told = error_of("train", cell, learner, "--find-rate", "--out", tmp_path / "full")
    assert "no empty folder; give another --out" in told
    same = ("--set", "cells.training.label_smoothing=0.95")  # then there is little to learn
    told = error_of("train", CELL, config, "--find-rate", "--out", tmp_path / "t", *same)
    assert "no learning rate is found: the loss" in told and not (tmp_path / "t").exists()

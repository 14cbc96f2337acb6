"""A run or a training that is killed at any of its first writes begins or goes on as if it had not been."""

import os
import signal

import pytest
from small_cells import small_cell_settings
from small_runs import archive_bytes, small_config

from tests.runs.test_resume import forked
from zero.cells import train_run
from zero.cells.train_config import training_config
from zero.config import yaml
from zero.runs import run
from zero.system import files

CELL = "nas_bench_201_skip"


def killed_at_write(number, action):
    """Does the action in a process that is killed in its write of that number, counted from 0."""

    def do():
        replace, left = os.replace, [number]

        def counted(*paths):
            if not left[0]:
                os.killpg(0, signal.SIGKILL)
            left[0] -= 1
            replace(*paths)

        files.os.replace = counted
        action()

    status = os.waitpid(forked(do), 0)[1]
    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "run"
    run.start(small_config(), folder)
    return archive_bytes(folder)


@pytest.mark.parametrize("number", range(5))
def test_runs(number, whole_run, tmp_path):
    folder = tmp_path / "run"
    killed_at_write(number, lambda: run.start(small_config(), folder))
    if (folder / "run.json").exists():
        run.resume(folder)
    else:
        run.start(small_config(), folder)
    assert archive_bytes(folder) == whole_run


@pytest.fixture(scope="module")
def training(tmp_path_factory):
    folder = tmp_path_factory.mktemp("training")
    (folder / "config.yaml").write_text(yaml.dump(small_cell_settings(seed=5)))
    config = training_config(folder / "config.yaml")
    train_run.start(CELL, config, folder / "whole")
    return config, (folder / "whole" / train_run.NETWORK).read_bytes()


@pytest.mark.parametrize("number", range(7))
def test_trainings(number, training, tmp_path):
    config, whole = training
    folder = tmp_path / "training"
    killed_at_write(number, lambda: train_run.start(CELL, config, folder))
    if (folder / "run.json").exists():
        train_run.resume(folder)
    else:
        train_run.start(CELL, config, folder)
    assert (folder / train_run.NETWORK).read_bytes() == whole

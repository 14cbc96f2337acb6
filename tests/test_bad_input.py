"""Whatever goes wrong around a run is one clear line, and what was saved stays."""

import contextlib
import errno
import os
import re
import subprocess

import numpy as np
import pytest
from small_runs import archive_bytes, small_config, small_settings

from zero.config.load import load_config, make_config
from zero.errors import (
    ArchiveError,
    ConfigError,
    ProgramError,
    TaskError,
    ZeroError,
)
from zero.programs.domain import ProgramsDomain
from zero.programs.find import load_program
from zero.runs import run
from zero.runs.archive import ARCHIVE_VERSION, read_archive, write_archive
from zero.runs.checkpoints import CheckpointFolder
from zero.runs.lock import RunLock
from zero.system.trees import read_tree, write_tree

LONG = {"budget": {"individuals": 10**9}}


@contextlib.contextmanager
def one_line(kind, match):
    with pytest.raises(kind, match=match) as caught:
        yield
    assert isinstance(caught.value, ZeroError)
    assert "\n" not in str(caught.value)


def cut_run(folder, **changes):
    """Starts a run and breaks it off; returns its config."""
    config = small_config(**changes)
    run.start(config, folder, max_seconds=0.0)
    return config


# --- before a run starts: nothing is left behind --------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "kind", "match"),
    [
        (
            {"evaluation": {"cache": {"train": 50}}},
            ConfigError,
            r"^evaluation\.cache\.train is 50, but the search tasks have only 20 train examples; give at "
            r"most 20, or cache: none$",
        ),
        (
            {"evaluation": {"cache": {"valid": 11}}},
            ConfigError,
            r"^evaluation\.cache\.valid is 11, but the search tasks have only 10 valid examples; give at "
            r"most 10, or cache: none$",
        ),
        (
            {"evaluation": {"hurdle": {"train": 21, "valid": 5}}},
            ConfigError,
            r"^evaluation\.hurdle\.train is 21, but .* 20 train examples; give at most 20, or hurdle: none$",
        ),
        (
            {"evaluation": {"hurdle": {"train": 20, "valid": 11}}},
            ConfigError,
            r"^evaluation\.hurdle\.valid is 11, but .* 10 valid examples; give at most 10, or hurdle: none$",
        ),
        (
            {"evaluation": {"cache": {"train": 10}, "hurdle": {"train": 9, "valid": 5}}},
            ConfigError,
            r"^evaluation\.hurdle\.train is 9, but evaluation\.cache\.train is 10 and comes first; give "
            r"the hurdle at least 10$",
        ),
        (
            {"tasks": {"search": {"type": "projected_binary", "source": "digits", "features": 8,
                                  "train": 20_000, "valid": 10}}},
            TaskError,
            "digits",
        ),
    ],
)  # fmt: skip
def test_what_the_data_cannot_give(tmp_path, changes, kind, match):
    settings = small_settings(**changes)
    if "tasks" in changes:
        settings["tasks"] = changes["tasks"]
    config = make_config(settings)
    with one_line(kind, match):
        run.start(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_defaults_that_nobody_gave_are_cut_to_the_data(tmp_path):
    few = {"search": {"type": "linear_regression", "features": 4, "train": 7, "valid": 3}}
    for evaluation, cache, hurdle in (
        ({}, (7, 3), None),
        ({"cache": {"train": 5}}, (5, 3), None),
        ({"hurdle": {}}, (7, 3), (7, 3)),
        ({"hurdle": {"train": 2}}, (2, 3), (2, 3)),
    ):
        settings = {
            **small_settings(evaluation=evaluation, budget={"individuals": 50}),
            "tasks": few,
        }
        folder = tmp_path / str(len(os.listdir(tmp_path)))
        run.start(make_config(settings), folder)
        kept = load_config(folder / "config.yaml").evaluation
        assert (kept.cache.train, kept.cache.valid) == cache
        assert (kept.hurdle and (kept.hurdle.train, kept.hurdle.valid)) == hurdle


def test_cache_and_hurdle_may_see_all_that_there_is():
    most = {"train": 20, "valid": 10}
    for evaluation in ({"cache": most, "hurdle": most}, {"cache": "none", "hurdle": {"train": 9}}):
        evaluation["hurdle"] = {"valid": 5, **evaluation["hurdle"]}
        ProgramsDomain(make_config(small_settings(evaluation=evaluation))).check()


def test_features_and_targets_that_no_data_has(tmp_path):
    table = tmp_path / "table.csv"
    rows = np.random.default_rng(0).normal(size=(60, 3))
    np.savetxt(table, rows, delimiter=",", header="a,b,y", comments="")
    column = {"type": "table", "path": str(table), "target": "z", "problem": "regression"}
    wide = {"type": "projected_binary", "source": "digits", "projection": "none", "features": 65}
    for tasks, match in ((column, "'z'"), (wide, "65")):
        settings = {**small_settings(), "tasks": {"search": tasks}}
        with one_line(TaskError, match):
            run.start(make_config(settings), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_program_that_does_not_fit_its_memory(tmp_path):
    start = tmp_path / "start.txt"
    start.write_text(str(load_program("neural_network")))
    with one_line(
        ConfigError, r"does not fit: it needs .*program\.memory\.matrices of at least 2, got 0"
    ):
        make_config(small_settings(program={"initial": str(start)}))
    # It fitted when the config was checked, and was changed since.
    start.write_text(str(load_program("linear")))
    config = make_config(small_settings(program={"initial": str(start)}))
    start.write_text(str(load_program("neural_network")))
    with one_line(ProgramError, "m0|v5|address"):
        run.start(config, tmp_path / "run")
    start.unlink()
    with one_line(ProgramError, "no program"):
        run.start(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_folders_that_cannot_be_used(tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with one_line(ArchiveError, "not empty"):
        run.start(small_config(), tmp_path / "full")
    assert os.listdir(tmp_path / "full") == ["mine.txt"]
    (tmp_path / "file").write_text("")
    with one_line(ArchiveError, "file"):
        run.start(small_config(), tmp_path / "file")
    for folder in ("full", "file", "nowhere"):
        with one_line(ArchiveError, "zero run"):
            run.resume(tmp_path / folder)


# --- between start and resume ---------------------------------------------------------------------


def test_data_that_changed_since(tmp_path):
    table = tmp_path / "table.csv"
    rows = np.random.default_rng(0).normal(size=(200, 4))

    def write(rows):
        np.savetxt(table, rows, delimiter=",", header="a,b,c,y", comments="")

    write(rows)
    settings = small_settings()
    settings["tasks"] = {
        "search": {"type": "table", "path": str(table), "target": "y", "problem": "regression"}
    }
    config = make_config(settings)
    run.start(config, tmp_path / "whole")
    run.start(config, tmp_path / "cut", max_seconds=0.0)
    write(rows + np.eye(200, 4) * 1e-3)
    with one_line(ConfigError, "data of .* have changed"):
        run.resume(tmp_path / "cut")
    table.unlink()
    with one_line(TaskError, re.escape(str(table))):
        run.resume(tmp_path / "cut")
    write(rows)
    run.resume(tmp_path / "cut")
    assert archive_bytes(tmp_path / "cut") == archive_bytes(tmp_path / "whole")


def test_checkpoints_that_are_all_damaged(tmp_path):
    cut_run(tmp_path / "run", **LONG)
    for path in (tmp_path / "run" / "checkpoints").glob("*.h5"):
        path.write_bytes(path.read_bytes()[:-1])
    with one_line(ArchiveError, "no checkpoint in .* can be read"):
        run.resume(tmp_path / "run")
    # The archive of what was found is not touched, and the folder is free again.
    assert read_archive(tmp_path / "run").results is not None
    RunLock(tmp_path / "run").release()


def test_an_archive_of_a_newer_version(tmp_path):
    cut_run(tmp_path / "run", **LONG)
    path = tmp_path / "run" / "archive.h5"
    tree = read_tree(path, "archive", 1)
    write_tree(path, tree, "archive", ARCHIVE_VERSION + 1)
    with one_line(ArchiveError, f"version {ARCHIVE_VERSION + 1}"):
        load_program(str(tmp_path / "run"))
    newest = max((tmp_path / "run" / "checkpoints").glob("*.h5"))
    for path in (tmp_path / "run" / "checkpoints").glob("*.h5"):
        write_tree(path, read_tree(path, "checkpoint", 1), "checkpoint", 2)
    with one_line(ArchiveError, f"{newest.name} has format version 2"):
        run.resume(tmp_path / "run")


def test_a_config_that_was_damaged(tmp_path):
    cut_run(tmp_path / "run", **LONG)
    path = tmp_path / "run" / "config.yaml"
    text = path.read_text()
    path.write_text(text.replace("population: 30", "population: many"))
    with pytest.raises(ConfigError, match=r"config\.yaml .* search\.population is many, rec.* 30;"):
        run.resume(tmp_path / "run")
    path.write_text(text)
    (tmp_path / "run" / "run.json").write_text("[")
    with one_line(ArchiveError, "not JSON"):
        run.resume(tmp_path / "run")


# --- a full disk ----------------------------------------------------------------------------------


def test_a_disk_that_fills_up_ends_the_run_and_costs_nothing(tmp_path, monkeypatch):
    config = small_config(budget={"individuals": 60_000}, islands={"count": 2})
    run.start(config, tmp_path / "whole")
    folder = tmp_path / "cut"
    write = os.write
    written = [0]

    def filling(handle, data):
        if len(data) > 100_000:  # a checkpoint of the islands
            written[0] += 1
            if written[0] > 2:
                write(handle, data[:1000])
                raise OSError(errno.ENOSPC, "No space left on device")
        return write(handle, data)

    monkeypatch.setattr(os, "write", filling)
    with one_line(ArchiveError, "disk is full.*zero resume"):
        run.start(config, folder, checkpoint_seconds=0.01)
    with one_line(ArchiveError, "disk is full"):
        run.resume(folder, checkpoint_seconds=0.0)
    monkeypatch.setattr(os, "write", write)
    loaded, skipped = CheckpointFolder(folder / "checkpoints").load()
    assert skipped == []
    assert loaded["islands"] is not None
    read_archive(folder)
    run.resume(folder)
    assert archive_bytes(folder) == archive_bytes(tmp_path / "whole")


def test_a_really_full_disk(tmp_path):
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(place)]
    try:
        mounted = subprocess.run(mount, capture_output=True).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("needs the right to mount a small disk")
    try:
        config = small_config(budget={"individuals": 60_000}, islands={"count": 2})
        run.start(config, tmp_path / "whole")
        # One checkpoint fits, three do not.
        with one_line(ArchiveError, "disk is full"):
            run.start(config, place / "run", checkpoint_seconds=0.0)
        assert read_archive(place / "run").results is None
        subprocess.run(["mount", "-o", "remount,size=200m", str(place)], check=True)
        run.resume(place / "run")
        assert archive_bytes(place / "run") == archive_bytes(tmp_path / "whole")
    finally:
        subprocess.run(["umount", str(place)], check=True)


# --- programs by name -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "match"),
    [(b"", "no 'def Setup"), (b"\xff\xfe", "text"), (b"def Setup():\n  s9 = s1 +\n", "2")],
    ids=["empty", "not text", "half a line"],
)
def test_program_files_that_are_none(tmp_path, content, match):
    path = tmp_path / "program.txt"
    path.write_bytes(content)
    with one_line(ProgramError, match):
        load_program(str(path))


def test_an_archive_without_programs(tmp_path):
    cut_run(tmp_path / "run", **LONG)
    data = read_archive(tmp_path / "run")
    data.experiments, data.results = [], None
    write_archive(tmp_path / "run" / "archive.h5", data)
    with one_line(ArchiveError, "holds no program yet"):
        load_program(str(tmp_path / "run"))
    with one_line(ArchiveError, "after # stands the number"):
        load_program(f"{tmp_path / 'run'}#x")


def test_the_stored_config_is_the_one_that_ran(tmp_path):
    config = cut_run(tmp_path / "run", **LONG)
    assert load_config(tmp_path / "run" / "config.yaml") == config

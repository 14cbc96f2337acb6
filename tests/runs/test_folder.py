"""A run's folder: what it holds, who may work in it, and its log."""

import errno
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest

from zero.errors import ArchiveError
from zero.runs import folder as run_folder
from zero.runs.folder import RunFolder, run_info


def test_a_new_folder_holds_config_and_info(tmp_path):
    with RunFolder.create(tmp_path / "deep" / "run", "x", "seed: 1\n# é\n", {"seed": 1}) as folder:
        folder.write_best("def Setup():\n")
        folder.checkpoints.save({"n": 1})
    again = RunFolder.open(tmp_path / "deep" / "run")
    assert again.config_text() == "seed: 1\n# é\n"
    assert again.info() == {"seed": 1}
    assert again.checkpoints.load() == ({"n": 1}, [])
    assert (again.path / "best.txt").read_text() == "def Setup():\n"


def test_default_folders_take_the_next_number(tmp_path):
    def create(name):
        with RunFolder.create(None, name, "", {}, runs=tmp_path / "runs") as folder:
            return folder.path.name

    assert [create("demo"), create("demo")] == ["demo-001", "demo-002"]
    (tmp_path / "runs" / "demo-041").mkdir()
    (tmp_path / "runs" / "demo-old").mkdir()
    assert create("demo") == "demo-042"
    assert create("../a b") == "_a_b-001"


def test_used_folders_are_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ArchiveError, match=r"is not empty; .*--out.*zero resume"):
        RunFolder.create(tmp_path, "x", "", {})
    assert os.listdir(tmp_path) == ["notes.txt"]
    with pytest.raises(ArchiveError, match="cannot write"):
        RunFolder.create(tmp_path / "notes.txt", "x", "", {})
    (tmp_path / "new").mkdir()
    RunFolder.create(tmp_path / "new", "x", "", {}).close()  # an empty one is welcome


def test_what_a_killed_start_left_is_as_good_as_empty(tmp_path):
    RunFolder.create(tmp_path / "run", "x", "seed: 1\n", None).close()
    (tmp_path / "run" / ".run.json.7-aa.zero-tmp").write_text("half")
    with pytest.raises(ArchiveError, match=r"has no run\.json: .*stopped before it had begun"):
        RunFolder.open(tmp_path / "run").info()
    with pytest.raises(ArchiveError, match="not empty"):
        RunFolder.create(tmp_path / "run", "x", "seed: 2\n", None)
    with RunFolder.create(tmp_path / "run", "x", "seed: 1\n", {"seed": 1}) as folder:
        assert folder.info() == {"seed": 1}
    with pytest.raises(ArchiveError, match="not empty"):
        RunFolder.create(tmp_path / "run", "x", "seed: 1\n", None)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "config.yaml").write_text("seed: 1\n")  # no run has been there
    with pytest.raises(ArchiveError, match="not empty"):
        RunFolder.create(tmp_path / "mine", "x", "seed: 1\n", None)


def test_a_disk_that_is_full_at_the_start_leaves_no_folder(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr("zero.system.files.os.write", full)
    with pytest.raises(ArchiveError, match="the disk is full"):
        RunFolder.create(tmp_path / "run", "x", "seed: 1\n", {})
    assert os.listdir(tmp_path) == []


def test_a_folder_is_locked_until_it_is_discarded(tmp_path, monkeypatch):
    folder = RunFolder.create(tmp_path / "run", "x", "seed: 1\n", None)
    unlink = Path.unlink

    def late(path, **options):
        if path.name == RunFolder.CONFIG:
            with pytest.raises(ArchiveError, match="in use"):
                RunFolder.open(path.parent, write=True)
        unlink(path, **options)

    monkeypatch.setattr(Path, "unlink", late)
    folder.discard()
    assert os.listdir(tmp_path) == []


def test_what_is_no_run_folder_is_named(tmp_path):
    with pytest.raises(ArchiveError, match=r"has no config\.yaml"):
        RunFolder.open(tmp_path)
    with pytest.raises(ArchiveError, match="absent is not a folder"):
        RunFolder.open(tmp_path / "absent")
    (tmp_path / "config.yaml").write_text("")
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(ArchiveError, match=r"run\.json is not JSON"):
        RunFolder.open(tmp_path).info()


def test_one_writer_at_a_time_but_any_number_of_readers(tmp_path):
    folder = RunFolder.create(tmp_path / "run", "x", "", {})
    RunFolder.open(tmp_path / "run").close()
    with pytest.raises(ArchiveError, match="in use by process"):
        RunFolder.open(tmp_path / "run", write=True)
    folder.close()
    RunFolder.open(tmp_path / "run", write=True).close()


def test_log_keeps_events_with_times(tmp_path):
    with RunFolder.create(tmp_path / "run", "x", "", {}) as folder:
        folder.log("start", seed=np.int64(4), fitness=float("nan"), path=tmp_path)
        with open(tmp_path / "run" / "log.jsonl", "a") as file:
            file.write('{"time": "2026')  # killed in the middle of a line
    with RunFolder.open(tmp_path / "run", write=True) as folder:
        folder.log("resume")
        start, resume = folder.events()
    assert (start["event"], start["seed"], start["fitness"]) == ("start", 4, None)
    assert start["path"] == str(tmp_path)
    assert resume["event"] == "resume" and resume["time"] >= start["time"]


def test_log_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(run_folder, "LOG_BYTES", 2000)
    with RunFolder.create(tmp_path / "run", "x", "", {}) as folder:
        for number in range(500):
            folder.log("progress", number=number)
        numbers = [event["number"] for event in folder.events()]
    sizes = [p.stat().st_size for p in (tmp_path / "run").glob("log*")]
    assert len(sizes) == 2 and max(sizes) < 2200
    assert numbers == list(range(numbers[0], 500)) and len(numbers) > 10


def test_a_log_that_cannot_be_written_does_not_stop_the_run(tmp_path):
    with RunFolder.create(tmp_path / "run", "x", "", {}) as folder:
        (tmp_path / "run" / "log.jsonl").mkdir()
        folder.log("progress")


def test_info_names_versions_machine_and_command():
    info = run_info(5, ["zero", "run", "my config.yaml"])
    assert set(info["versions"]) == {"python", "numpy", "numba", "h5py", "zero"}
    assert info["versions"]["numpy"] == np.__version__
    assert info["seed"] == 5 and info["command"] == "zero run 'my config.yaml'"
    assert info["cpu"] and info["cpu_count"] >= 1 and info["platform"]
    assert info["commit"] is None or re.fullmatch(r"[0-9a-f]{40}(-dirty)?", info["commit"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT.*\+00:00", info["started"])
    json.dumps(info)

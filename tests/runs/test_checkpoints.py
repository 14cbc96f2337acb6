"""Checkpoints: no kill, full disk or damaged byte costs what was saved."""

import os
import random
import shutil
import subprocess
import time

import numpy as np
import pytest
from on_disk import hidden_files, killed_child

from zero.errors import ArchiveError
from zero.runs.checkpoints import CheckpointFolder

KILLS = 25


def test_checkpoints_are_numbered_and_the_newest_are_kept(tmp_path):
    checkpoints = CheckpointFolder(tmp_path / "checkpoints", keep=2)
    assert checkpoints.load() is None
    names = [checkpoints.save({"n": n}).name for n in range(4)]
    assert names[0] == "checkpoint-000001.h5" and names[-1] == "checkpoint-000004.h5"
    assert [p.name for p in checkpoints.paths()] == names[-2:]
    assert checkpoints.load() == ({"n": 3}, [])


def test_damaged_checkpoints_are_skipped_and_named(tmp_path):
    checkpoints = CheckpointFolder(tmp_path)
    paths = [checkpoints.save({"n": n}) for n in range(3)]
    paths[2].write_bytes(paths[2].read_bytes()[:-1])
    paths[1].write_bytes(b"")
    tree, skipped = checkpoints.load()
    assert tree == {"n": 0}
    assert [p.name in line for p, line in zip(paths[:0:-1], skipped, strict=True)] == [True, True]
    assert checkpoints.save({"n": 9}).name == "checkpoint-000004.h5"
    assert checkpoints.load() == ({"n": 9}, [])


def test_no_readable_checkpoint_is_an_error(tmp_path):
    checkpoints = CheckpointFolder(tmp_path)
    checkpoints.save({"n": 1}).write_bytes(b"gone")
    with pytest.raises(ArchiveError, match=r"no checkpoint in .* can be read .*000001"):
        checkpoints.load()


# --- full disks and killed writers -----------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path):
    """A real file system of 1 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("mounting a small disk needs root")
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_runs_full_keeps_the_last_checkpoint(small_disk):
    checkpoints = CheckpointFolder(small_disk / "checkpoints", keep=50)
    saved = 0
    with pytest.raises(ArchiveError, match="disk is full"):
        for _ in range(50):
            checkpoints.save({"n": saved + 1, "x": np.full(20000, float(saved + 1))})
            saved += 1
    assert 1 <= saved < 10
    tree, skipped = checkpoints.load()
    assert tree["n"] == saved and skipped == []
    assert hidden_files(checkpoints.folder) == []


def test_killed_writers_never_lose_what_was_saved(tmp_path):
    rng = random.Random(11)
    checkpoints = CheckpointFolder(tmp_path)
    read_end, write_end = os.pipe()

    def save_for_ever():
        loaded = checkpoints.load()
        number = loaded[0]["n"] if loaded else 0
        while True:
            number += 1
            checkpoints.save({"n": number, "x": np.full(20000, float(number))})
            os.write(write_end, number.to_bytes(8, "little"))

    for _ in range(KILLS):
        with killed_child(save_for_ever):
            reported = int.from_bytes(os.read(read_end, 8), "little")  # waits for the first
            time.sleep(rng.uniform(0, 0.08))
        os.write(write_end, bytes(8))  # so that there is always something to read
        reported = max(reported, *np.frombuffer(os.read(read_end, 1 << 16), np.int64).tolist(), 0)
        tree, skipped = checkpoints.load()
        assert skipped == []
        assert tree["n"] >= reported
        assert np.array_equal(tree["x"], np.full(20000, float(tree["n"])))
    assert reported >= KILLS
    checkpoints.save({"n": 0})
    assert hidden_files(tmp_path) == []
    assert len(checkpoints.paths()) == 3

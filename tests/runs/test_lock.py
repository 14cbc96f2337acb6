"""The lock of a run folder keeps other processes out, for as long as its owner lives."""

import os
import signal
import subprocess
import sys
import time

import pytest
from on_disk import killed_child

from zero.errors import ArchiveError
from zero.runs import lock
from zero.runs.lock import RunLock

HOLDER = """
import sys, time
from zero.runs.lock import RunLock
lock = RunLock(sys.argv[1])
print("held", flush=True)
time.sleep(60)
"""


def test_lock_is_held_against_other_processes_until_theirs_ends(tmp_path):
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    holder = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(ArchiveError, match=rf"in use by process {holder.pid} on "):
            RunLock(tmp_path)
    finally:
        holder.kill()
        holder.communicate()
    RunLock(tmp_path).release()


def test_lock_is_released_and_can_be_taken_again(tmp_path):
    with RunLock(tmp_path) as held:
        with pytest.raises(ArchiveError, match="in use"):
            RunLock(tmp_path)
    held.release()
    RunLock(tmp_path).release()


def test_a_lock_that_its_owner_has_removed_is_none(tmp_path, monkeypatch):
    # Opened by one process; removed, and released, by the owner; only then locked by the first.
    removed, flock = [], lock.fcntl.flock

    def late(handle, how):
        if not removed:
            removed.append((tmp_path / RunLock.NAME).unlink())
        flock(handle, how)

    monkeypatch.setattr(lock.fcntl, "flock", late)
    with RunLock(tmp_path):
        with pytest.raises(ArchiveError, match="in use"):
            RunLock(tmp_path)


def test_a_worker_that_outlives_its_parent_does_not_hold_the_lock(tmp_path):
    read_end, write_end = os.pipe()

    def parent():
        lock = RunLock(tmp_path)  # noqa: F841
        worker = os.fork()
        if worker:
            os.write(write_end, worker.to_bytes(8, "little"))
        signal.pause()

    with killed_child(parent):
        worker = int.from_bytes(os.read(read_end, 8), "little")
        with pytest.raises(ArchiveError, match="in use"):
            RunLock(tmp_path)
        time.sleep(0.2)  # for the worker to come out of its fork
    try:
        RunLock(tmp_path).release()
    finally:
        os.kill(worker, signal.SIGKILL)

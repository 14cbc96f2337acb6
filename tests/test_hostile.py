"""Mutations of every kind of file: each is read, or refused in lines (`benchmarks/hostile.py` has more)."""

import gc
import os
import shutil
import sys
import time
from functools import partial
from pathlib import Path

import pytest

import zero
from zero.errors import ConfigError

FOLDER = Path(zero.__file__).parents[1] / "benchmarks"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="not a checkout")
if FOLDER.is_dir():
    sys.path.insert(0, str(FOLDER))
    from fuzz.kinds import KINDS
    from fuzz.workers import Kind, run
else:
    KINDS = {}

# Those that take longest have fewer here.
FEWER = {
    "archive-cells": 30, "archive-pipelines": 20, "archive-programs": 20, "archive-report": 30,
    "checkpoint": 40, "checkpoint-start": 8, "config-cells": 25, "config-pipelines": 25,
    "config-programs": 25, "csv": 60, "log": 40, "model": 50, "pipeline": 40, "run-config": 20,
    "run-json": 60, "train-json": 30, "train-json-network": 30,
}  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
def test_whatever_stands_in_a_file_it_is_read_or_refused(name, tmp_path):
    outcome = run(KINDS[name], tmp_path / name, FEWER.get(name, 80), seed=7)
    assert outcome.faults == []
    assert outcome.loaded  # the valid files at least
    assert outcome.refused or name in ("predictions", "log", "checkpoint-start")


def _one(number, data):
    return bytes([number])


def test_a_fault_is_seen(tmp_path, monkeypatch):
    """What the tests above would say of a reader that does what none should."""
    monkeypatch.setattr("fuzz.workers.SECONDS", 1.0)
    monkeypatch.setattr("fuzz.workers.PATIENCE", 2)
    deeds = [
        lambda: None, lambda: 1 / 0, lambda: print("x"), lambda: (tmp_path / "new").write_text("x"),
        lambda: os.system("true"), lambda: time.sleep(60), lambda: os.kill(os.getpid(), 11),
        lambda: bytearray(3 << 30), lambda: raised(ConfigError("a\n" * 100)),
    ]  # fmt: skip

    def raised(error):
        raise error

    def load(folder):
        deeds[int((folder / "n").read_bytes()[0]) % len(deeds)]()

    found = []
    for number in range(1, len(deeds)):
        kind = Kind("deeds", lambda folder: [b"\0"], "n", load, clean=partial(_one, number))
        outcome = run(kind, tmp_path / f"deeds{number}", 1, seed=1, first=1)
        found += [what for _, what, _ in outcome.faults]
    assert found == ["raises", "prints", "does", "does", "hang", "dies", "memory", "many lines"]


class _Untidy:
    """Removes its folder when it is collected, and only then: it refers to itself."""

    def __init__(self, folder):
        self.itself, self.folder = self, folder

    def __del__(self):
        shutil.rmtree(self.folder, ignore_errors=True)


def test_what_other_tests_have_left_is_no_deed_of_a_reader(tmp_path):
    left = tmp_path / "left"
    left.mkdir()
    gc.disable()
    try:
        _Untidy(left)
        kind = Kind("collects", lambda folder: [b"\0"], "n", lambda folder: gc.collect())
        outcome = run(kind, tmp_path / "collects", 2, seed=1)
    finally:
        gc.enable()
    assert outcome.faults == []
    assert left.exists()
    gc.collect()
    assert not left.exists()

"""Mutations of every kind of file: each is read, or refused in lines (`benchmarks/hostile.py` has more)."""

import sys
from pathlib import Path

import pytest

import zero

FOLDER = Path(zero.__file__).parents[1] / "benchmarks"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="not a checkout")
if FOLDER.is_dir():
    sys.path.insert(0, str(FOLDER))
    from fuzz.kinds import KINDS
    from fuzz.workers import run
else:
    KINDS = {}

MUTATIONS = {
    "config-programs": 40,
    "config-cells": 40,
    "config-pipelines": 40,
    "checkpoint-start": 20,
}


@pytest.mark.parametrize("name", KINDS)
def test_whatever_stands_in_a_file_it_is_read_or_refused(name, tmp_path):
    outcome = run(KINDS[name], tmp_path / name, MUTATIONS.get(name, 100), seed=7)
    assert outcome.faults == []
    assert outcome.loaded  # the valid files at least
    assert outcome.refused or name in ("predictions", "log", "checkpoint-start", "run-config")


def test_a_fault_is_seen(tmp_path):
    """What the tests above would say of a reader that does what none should."""
    import os
    import time

    from fuzz.workers import Kind

    from zero.errors import ConfigError

    deeds = [
        lambda: None, lambda: 1 / 0, lambda: print("x"), lambda: (tmp_path / "new").write_text("x"),
        lambda: os.system("true"), lambda: time.sleep(60), lambda: os.kill(os.getpid(), 11),
        lambda: bytearray(3 << 30), lambda: raised(ConfigError("a\n" * 100)),
    ]  # fmt: skip

    def raised(error):
        raise error

    def load(folder):
        deeds[int((folder / "n").read_bytes()[0]) % len(deeds)]()

    kind = Kind("deeds", lambda folder: [bytes([0])], "n", load, clean=lambda data: next(numbers))
    numbers = iter([])
    found = []
    for number in range(1, len(deeds)):
        numbers = iter([bytes([number])])
        outcome = run(kind, tmp_path / f"deeds{number}", 1, seed=1, first=1)
        found += [what for _, what, _ in outcome.faults]
    assert found == ["raises", "prints", "does", "does", "hang", "dies", "memory", "many lines"]

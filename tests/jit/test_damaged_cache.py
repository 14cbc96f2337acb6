"""Files of the code cache that are cut short or have a bit turned are made anew; one that is full is told."""

import errno
import os

import numpy as np
import pytest

from tests.runs.test_resume import forked
from zero.errors import ConfigError
from zero.jit import cache

TEXT = """
from zero.jit.decorators import entry

@entry
def add(a, b):
    return a + b
"""


def called(folder):
    """Loads the module in a process of its own and calls its function; returns the exit code."""

    def call():
        module = cache.load(folder / "zero_test_damaged.py", TEXT)
        assert module.add(np.float64(40), np.float64(2)) == 42.0

    return os.waitstatus_to_exitcode(os.waitpid(forked(call), 0)[1])


@pytest.fixture
def kept(tmp_path):
    (tmp_path / "__pycache__").mkdir()
    assert called(tmp_path) == 0
    files = [path for path in tmp_path.rglob("*") if path.suffix in (".py", ".nbi", ".nbc")]
    assert len(files) == 3
    return tmp_path, files


def test_damaged_files_are_made_anew(kept):
    folder, files = kept
    for path in files:
        sound = path.read_bytes()
        for size in (0, 20, len(sound) // 2, len(sound) - 1):
            path.write_bytes(sound[:size])
            assert called(folder) == 0
            assert len(path.read_bytes()) > size
        for place in (3, len(sound) // 3, len(sound) - 5):
            data = bytearray(sound)
            data[place] ^= 4
            path.write_bytes(data)
            assert called(folder) == 0
            assert path.read_bytes() != data


def test_sound_files_are_used(kept):
    folder, files = kept
    before = [path.stat().st_mtime_ns for path in files]
    assert called(folder) == 0
    assert [path.stat().st_mtime_ns for path in files] == before


def test_kept_data_have_a_digest(tmp_path):
    path = tmp_path / "code.o"
    assert cache.read_kept(path) is None
    cache.write_kept(path, b"code")
    assert cache.read_kept(path) == b"code"
    for size in range(len(path.read_bytes())):
        (tmp_path / "cut.o").write_bytes(path.read_bytes()[:size])
        assert cache.read_kept(tmp_path / "cut.o") is None


def test_a_cache_without_room_is_told_in_one_line(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(cache.os, "replace", full)
    with pytest.raises(
        ConfigError, match="No space left on device; make room there, or set ZERO_CACHE"
    ):
        cache.write_whole(tmp_path / "code.py", b"text")
    assert os.listdir(tmp_path) == []


def test_machine_code_that_cannot_be_kept_is_used_all_the_same(tmp_path, monkeypatch):
    from zero.jit.machine_code import CheckedFiles

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(CheckedFiles, "_save_data", full)
    assert called(tmp_path) == 0

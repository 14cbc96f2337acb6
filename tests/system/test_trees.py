"""Trees come back bit for bit, and no kill, full disk or damaged byte costs what was saved."""

import contextlib
import errno
import io
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from zero.errors import ArchiveError
from zero.system import trees as store
from zero.system.trees import (
    CheckpointFolder,
    RunLock,
    read_tree,
    write_bytes,
    write_tree,
)

KILLS = 25
FLIPS = 300


def same(a, b) -> bool:
    """Returns whether two trees are equal in type and in every bit."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, np.ndarray | np.generic):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, float):
        return np.float64(a).tobytes() == np.float64(b).tobytes()
    return a == b


def write(path, tree, **options):
    write_tree(path, tree, "checkpoint", 1, **options)


def read(path):
    return read_tree(path, "checkpoint", 1)


def hidden_files(folder):
    return [name for name in os.listdir(folder) if name.startswith(".")]


# --- round trips ----------------------------------------------------------------------------------

dtypes = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(endianness="?"),
    hnp.unsigned_integer_dtypes(endianness="?"),
    hnp.floating_dtypes(endianness="?", sizes=(16, 32, 64)),
    hnp.complex_number_dtypes(endianness="?", sizes=(64, 128)),
)
arrays = hnp.arrays(dtypes, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5))
keys = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1)
leaves = st.one_of(
    arrays,
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.integers(),
    st.floats(width=64),
    st.text(st.characters(exclude_categories=[])),
    st.binary(),
    st.lists(st.text()),
)
trees = st.recursive(
    st.dictionaries(keys.filter(lambda k: k != "."), leaves, max_size=4),
    lambda inner: st.dictionaries(
        keys.filter(lambda k: k != "."), st.one_of(inner, st.lists(inner, max_size=3)), max_size=3
    ),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(tree=trees)
def test_any_tree_comes_back_exactly(tmp_path_factory, tree):
    path = tmp_path_factory.getbasetemp() / "any.h5"
    write(path, tree)
    assert same(read(path), tree)


def test_odd_bits_survive(tmp_path):
    bits64 = np.array([0x7FF0000000000001, 0xFFF8DEADBEEF0001, 1 << 63, 1], dtype=np.uint64)
    bits32 = np.array([0x7F800001, 0xFFC12345, 1 << 31, 1], dtype=np.uint32)
    tree = {
        "doubles": bits64.view(np.float64),  # NaNs with payload, -0.0, a denormal
        "singles": bits32.view(np.float32),
        "number": bits64.view(np.float64)[1].item(),
        "minus_zero": -0.0,
        "numpy": np.float32(0.1),
        "generator": np.random.PCG64(7).state,  # holds integers of 128 bits
    }
    write(tmp_path / "a.h5", tree)
    assert same(read(tmp_path / "a.h5"), tree)


def test_compressed_arrays_come_back_exactly_and_smaller(tmp_path):
    tree = {"many": np.zeros((5000, 40)), "turned": np.arange(60000.0).reshape(200, 300).T}
    write(tmp_path / "a.h5", tree, compress=True)
    write(tmp_path / "b.h5", tree)
    assert same(read(tmp_path / "a.h5"), tree)
    assert os.path.getsize(tmp_path / "a.h5") < os.path.getsize(tmp_path / "b.h5") / 2


def test_equal_trees_give_equal_bytes(tmp_path):
    def tree(order):
        parts = {"x": np.arange(20000.0), "y": {"a": 1, "b": ["text", "more"]}, "z": [{"q": 0.5}]}
        return {key: parts[key] for key in order}

    write(tmp_path / "a.h5", tree("xyz"), compress=True)
    time.sleep(1.1)  # HDF5's own time stamps have a resolution of one second
    write(tmp_path / "b.h5", tree("zyx"), compress=True)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_plain_hdf5_readers_can_open_the_file(tmp_path):
    write(tmp_path / "a.h5", {"part": {"x": np.arange(3), "text": "hello", "n": 5}})
    with h5py.File(tmp_path / "a.h5") as file:
        assert file["part/x"][:].tolist() == [0, 1, 2]
        assert file["part/text"].asstr()[()] == "hello"
        assert file["part"].attrs["n"] == 5
    if shutil.which("h5dump"):
        done = subprocess.run(["h5dump", tmp_path / "a.h5"], capture_output=True, text=True)
        assert done.returncode == 0 and "hello" in done.stdout


@pytest.mark.parametrize(
    "value",
    [
        np.array([object()]),
        np.array(["text"]),
        np.array(["2020-01-01"], dtype="M8[D]"),
        np.zeros(2, dtype=[("a", int)]),
        np.zeros(2, dtype=np.longdouble),
        (1, 2),
        {1, 2},
        {1: 2},
        {"a/b": 1},
        {".": 1},
        {"": 1},
        object(),
    ],
)
def test_what_cannot_come_back_is_refused(tmp_path, value):
    write(tmp_path / "a.h5", {"old": 1})
    with pytest.raises(TypeError):
        write(tmp_path / "a.h5", {"value": value})
    assert read(tmp_path / "a.h5") == {"old": 1}
    assert hidden_files(tmp_path) == []


# --- files that are not right ---------------------------------------------------------------------


def test_missing_foreign_and_newer_files_are_named_in_one_line(tmp_path):
    write_tree(tmp_path / "kind.h5", {}, "archive", 1)
    write_tree(tmp_path / "newer.h5", {}, "checkpoint", 2)
    (tmp_path / "text.h5").write_text("a,b\n1,2\n" * 200)
    (tmp_path / "empty.h5").write_bytes(b"")
    (tmp_path / "folder.h5").mkdir()
    with h5py.File(tmp_path / "plain.h5", "w") as file:
        file["x"] = np.arange(1000)
    reasons = {
        "kind.h5": "archive",
        "newer.h5": "newer zero",
        "text.h5": "no checkpoint",
        "empty.h5": "is empty",
        "folder.h5": "directory",
        "plain.h5": "no checkpoint",
        "absent.h5": "No such file",
    }
    for name, reason in reasons.items():
        with pytest.raises(ArchiveError) as error:
            read(tmp_path / name)
        assert name in str(error.value) and reason in str(error.value)
        assert "\n" not in str(error.value)


def test_an_older_version_is_read(tmp_path):
    write_tree(tmp_path / "a.h5", {"x": 1}, "checkpoint", 1)
    assert read_tree(tmp_path / "a.h5", "checkpoint", 3) == {"x": 1}


def damaged(data: bytes, rng: random.Random) -> bytes:
    """Returns the data with some bytes changed, cut off, added or moved."""
    data = bytearray(data)
    how = rng.randrange(5)
    if how == 0:  # in the header, which is small, as often as elsewhere
        data[rng.randrange(200)] ^= 1 << rng.randrange(8)
    elif how == 1:
        for _ in range(rng.randint(1, 20)):
            data[rng.randrange(len(data))] = rng.randrange(256)
    elif how == 2:
        del data[rng.randrange(len(data)) :]
    elif how == 3:
        data += rng.randbytes(rng.randint(1, 600))
    else:
        at = rng.randrange(len(data))
        del data[at : at + rng.randint(1, 600)]
    return bytes(data)


def test_damaged_bytes_are_noticed(tmp_path):
    rng = random.Random(5)
    tree = {"x": np.arange(50.0), "part": {"text": ["a", "b"], "n": 3}}
    write(tmp_path / "good.h5", tree)
    good = (tmp_path / "good.h5").read_bytes()
    for _ in range(FLIPS):
        (tmp_path / "bad.h5").write_bytes(damaged(good, rng))
        try:
            assert same(read(tmp_path / "bad.h5"), tree)
        except ArchiveError as error:
            assert "bad.h5" in str(error)


def forged(path, make):
    """Writes a file with a right checksum around HDF5 content that `write_tree` never writes."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", userblock_size=512) as file:
        make(file)
    data = bytearray(buffer.getvalue())
    header = store._header("checkpoint", 1, bytes(data[512:]))
    data[: len(header)] = header
    path.write_bytes(data)


def a_loop(file):
    file["self"] = file["/"]


def a_huge_array(file):
    file.create_dataset("x", shape=(10**13,), dtype="f8")


def a_link_elsewhere(file):
    file["x"] = h5py.ExternalLink("secret.h5", "/x")


def an_array_elsewhere(file):
    file.create_dataset("x", (4,), "f8", external=[("secret.bin", 0, 32)])


def a_virtual_array(file):
    layout = h5py.VirtualLayout((4,), "f8")
    layout[:] = h5py.VirtualSource("secret.h5", "x", (4,))
    file.create_virtual_dataset("x", layout)


def a_named_type(file):
    file["x"] = np.dtype("f8")


def a_wrong_list(file):
    file.create_group("x").attrs["."] = 10**9


def an_array_attribute(file):
    file.attrs["x"] = np.arange(5)


@pytest.mark.parametrize(
    "make",
    [
        a_loop,
        a_huge_array,
        a_link_elsewhere,
        an_array_elsewhere,
        a_virtual_array,
        a_named_type,
        a_wrong_list,
        an_array_attribute,
    ],
)
def test_forged_files_are_refused(tmp_path, monkeypatch, make):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret.bin").write_bytes(bytes(32))
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["x"] = np.zeros(4)
    forged(tmp_path / "a.h5", make)
    with pytest.raises(ArchiveError):
        read(tmp_path / "a.h5")


# --- full disks and folders that cannot be written ------------------------------------------------


@pytest.mark.parametrize("call", ["write", "fsync", "replace", "open"])
def test_full_disk_leaves_the_old_file(tmp_path, monkeypatch, call):
    path = tmp_path / "a.h5"
    write(path, {"x": np.arange(9)})
    before = path.read_bytes()

    def full(*_args, **_options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(store.os, call, full)
        with pytest.raises(ArchiveError, match="disk is full"):
            write(path, {"x": np.arange(1000)})
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["a.h5"]


def test_short_writes_are_completed(tmp_path, monkeypatch):
    real = os.write
    monkeypatch.setattr(store.os, "write", lambda handle, data: real(handle, data[:1000]))
    write(tmp_path / "a.h5", {"x": np.arange(5000)})
    assert same(read(tmp_path / "a.h5"), {"x": np.arange(5000)})


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


@pytest.fixture
def read_only_folder():
    """A folder with a file a.h5 that this process may read but not write, even if it is root's."""
    folder = Path(tempfile.mkdtemp())  # not tmp_path: others may not pass its parents
    write(folder / "a.h5", {"x": 1})
    folder.chmod(0o555)
    was_root = os.geteuid() == 0
    if was_root:  # root may write anywhere, so give its rights up meanwhile
        os.seteuid(65534)
    yield folder
    if was_root:
        os.seteuid(0)
    folder.chmod(0o755)
    shutil.rmtree(folder)


def test_read_only_folder(read_only_folder):
    folder = read_only_folder
    assert read(folder / "a.h5") == {"x": 1}
    with pytest.raises(ArchiveError, match=r"a\.h5: Permission denied"):
        write(folder / "a.h5", {"x": 2})
    with pytest.raises(ArchiveError, match="Permission denied"):
        CheckpointFolder(folder / "checkpoints").save({})
    with pytest.raises(ArchiveError, match="Permission denied"):
        RunLock(folder)


def test_missing_folder(tmp_path):
    with pytest.raises(ArchiveError, match="No such file or directory"):
        write(tmp_path / "absent" / "a.h5", {})


# --- killed writers -------------------------------------------------------------------------------


@contextlib.contextmanager
def in_child(work):
    """Runs `work` in a forked process, which is killed with SIGKILL at the end of the block."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(1)
    try:
        yield pid
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def test_killed_writers_never_lose_what_was_saved(tmp_path):
    rng = random.Random(11)
    checkpoints = CheckpointFolder(tmp_path)
    read_end, write_end = os.pipe()
    os.set_blocking(read_end, False)

    def save_for_ever():
        loaded = checkpoints.load()
        number = loaded[0]["n"] if loaded else 0
        while True:
            number += 1
            checkpoints.save({"n": number, "x": np.full(20000, float(number))})
            os.write(write_end, number.to_bytes(8, "little"))

    reported = 0
    for _ in range(KILLS):
        with in_child(save_for_ever):
            time.sleep(rng.uniform(0.005, 0.08))
        try:
            reported = int.from_bytes(os.read(read_end, 1 << 16)[-8:], "little")
        except BlockingIOError:
            pass  # killed before it saved anything
        if reported:
            tree, skipped = checkpoints.load()
            assert skipped == []
            assert tree["n"] >= reported
            assert same(tree["x"], np.full(20000, float(tree["n"])))
    assert reported >= KILLS
    checkpoints.save({"n": 0})
    assert hidden_files(tmp_path) == []
    assert len(checkpoints.paths()) == 3


def test_only_temporary_files_of_dead_writers_are_removed(tmp_path):
    read_end, write_end = os.pipe()

    def stop_before_the_rename():
        def wait(*_):
            os.write(write_end, b"x")
            signal.pause()

        os.replace = wait
        write_bytes(tmp_path / "a", b"from the child")

    with in_child(stop_before_the_rename):
        os.read(read_end, 1)
        write_bytes(tmp_path / "b", b"other")
        assert len(hidden_files(tmp_path)) == 1  # its writer lives
    (tmp_path / ".not_ours.tmp").write_text("keep")
    write_bytes(tmp_path / "b", b"other")
    assert hidden_files(tmp_path) == [".not_ours.tmp"]
    assert not (tmp_path / "a").exists()


# --- checkpoints ----------------------------------------------------------------------------------


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


# --- the lock -------------------------------------------------------------------------------------

HOLDER = """
import sys, time
from zero.system.trees import RunLock
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
    with RunLock(tmp_path) as lock:
        with pytest.raises(ArchiveError, match="in use"):
            RunLock(tmp_path)
    lock.release()
    RunLock(tmp_path).release()


def test_a_worker_that_outlives_its_parent_does_not_hold_the_lock(tmp_path):
    read_end, write_end = os.pipe()

    def parent():
        lock = RunLock(tmp_path)  # noqa: F841
        worker = os.fork()
        if worker:
            os.write(write_end, worker.to_bytes(8, "little"))
        signal.pause()

    with in_child(parent):
        worker = int.from_bytes(os.read(read_end, 8), "little")
        with pytest.raises(ArchiveError, match="in use"):
            RunLock(tmp_path)
        time.sleep(0.2)  # for the worker to come out of its fork
    try:
        RunLock(tmp_path).release()
    finally:
        os.kill(worker, signal.SIGKILL)

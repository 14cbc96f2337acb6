"""Trees come back bit for bit, and no full disk or damaged byte costs what was saved."""

import errno
import io
import os
import random
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from on_disk import hidden_files

from zero.errors import ArchiveError
from zero.runs.checkpoints import CheckpointFolder
from zero.runs.lock import RunLock
from zero.system import trees as store
from zero.system.trees import kind_of_file, read_tree, write_tree

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
        patch.setattr(os, call, full)
        with pytest.raises(ArchiveError, match="disk is full"):
            write(path, {"x": np.arange(1000)})
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["a.h5"]


def test_short_writes_are_completed(tmp_path, monkeypatch):
    real = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: real(handle, data[:1000]))
    write(tmp_path / "a.h5", {"x": np.arange(5000)})
    assert same(read(tmp_path / "a.h5"), {"x": np.arange(5000)})


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


def test_the_kind_of_a_file(tmp_path):
    write_tree(tmp_path / "a.h5", {}, "archive", 1)
    assert kind_of_file(tmp_path / "a.h5") == "archive"
    (tmp_path / "b.h5").write_bytes(b"something else")
    assert kind_of_file(tmp_path / "b.h5") is None
    assert kind_of_file(tmp_path / "none") is None and kind_of_file(tmp_path) is None

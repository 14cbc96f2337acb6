"""Sources and file formats: what is read, and that foreign bytes cost one clear error."""

import gzip
import io
import pickle
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zero.data.arrays import read_npy, read_npz
from zero.data.cifar import cifar_files, read_cifar
from zero.data.idx import read_idx
from zero.data.sources import DEFAULT_PLACES, load_source
from zero.errors import TaskError


def idx_bytes(array):
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def npy_bytes(array, **keys):
    buffer = io.BytesIO()
    np.save(buffer, array, **keys)
    return buffer.getvalue()


def python_batch(images, labels):
    """A batch as Python 2's cPickle wrote the official ones (protocol 2, strings for bytes)."""
    raw = images.tobytes()
    return b"".join(
        [
            b"\x80\x02}q\x01(U\x0bbatch_labelq\x02U\x15training batch 1 of 5q\x03",
            b"U\x06labelsq\x04]q\x05(" + b"".join(b"K" + bytes([v]) for v in labels) + b"e",
            b"U\x04dataq\x06cnumpy.core.multiarray\n_reconstruct\nq\x07cnumpy\nndarray\nq\x08",
            b"K\x00\x85q\x09U\x01bq\x0a\x87q\x0bRq\x0c(K\x01",
            b"K" + bytes([len(images)]) + b"M\x00\x0c\x86q\x0d",
            b"cnumpy\ndtype\nq\x0eU\x02u1q\x0fK\x00K\x01\x87q\x10Rq\x11",
            b"(K\x03U\x01|q\x12NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89",
            b"T" + struct.pack("<i", len(raw)) + raw + b"tb",
            b"U\x09filenamesq\x13]q\x14U\x05a.pngau.",
        ]
    )


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (12, 3072), dtype=np.uint8)


@pytest.fixture
def labels():
    return np.arange(12) % 10


@pytest.fixture
def mnist(tmp_path):
    """A folder with MNIST's four files, two of them zipped: 20 train and 10 test images, 4 x 4."""
    rng = np.random.default_rng(1)
    for stem, count in (("train", 20), ("t10k", 10)):
        pixels = rng.integers(0, 256, (count, 4, 4), dtype=np.uint8)
        (tmp_path / f"{stem}-images-idx3-ubyte").write_bytes(idx_bytes(pixels))
        classes = (np.arange(count) % 10).astype(np.uint8)
        packed = gzip.compress(idx_bytes(classes))
        (tmp_path / f"{stem}-labels-idx1-ubyte.gz").write_bytes(packed)
    return tmp_path


# --- sources ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "source, shape, classes",
    [
        ("digits", (1797, 64), 10),
        ("breast_cancer", (569, 30), 2),
        ("wine", (178, 13), 3),
        ("iris", (150, 4), 3),
    ],
)
def test_bundled_sets(source, shape, classes):
    data = load_source(source)
    assert data.x.shape == shape
    assert list(data.rows_of) == list(range(classes))
    assert sum(len(rows) for rows in data.rows_of.values()) == shape[0]


def test_mnist_folder(mnist):
    train, test = load_source("mnist", mnist), load_source("mnist", mnist, "test")
    assert train.x.shape == (20, 16) and train.x.dtype == np.uint8
    assert test.x.shape == (10, 16)
    assert train.labels.tolist() == [*range(10), *range(10)]
    assert train.rows_of[3].tolist() == [3, 13]


def test_a_source_is_read_once_until_its_file_changes(mnist):
    first = load_source("mnist", mnist)
    assert load_source("mnist", mnist) is first
    path = mnist / "train-images-idx3-ubyte"
    path.write_bytes(idx_bytes(np.full((20, 5, 5), 7, dtype=np.uint8)))
    assert load_source("mnist", mnist).x.shape == (20, 25)


def test_fashion_mnist_of_debian():
    if not DEFAULT_PLACES["fashion_mnist"].is_dir():
        pytest.skip("Debian's package dataset-fashion-mnist is not installed")
    train, test = load_source("fashion_mnist"), load_source("fashion_mnist", part="test")
    assert train.x.shape == (60_000, 784) and test.x.shape == (10_000, 784)
    assert train.x.dtype == np.uint8
    assert [len(rows) for rows in train.rows_of.values()] == [6000] * 10


def test_images_and_labels_that_do_not_belong_together(mnist):
    (mnist / "train-images-idx3-ubyte").write_bytes(idx_bytes(np.zeros((19, 4, 4), np.uint8)))
    with pytest.raises(TaskError, match=r"19 images.*20 labels"):
        load_source("mnist", mnist)


def test_arrays_are_flattened_and_bytes_stay_bytes(tmp_path):
    x = np.arange(48, dtype=np.uint8).reshape(4, 3, 2, 2)
    np.savez(tmp_path / "a.npz", X=x, y=[0, 1, 0, 1], other=x / 3, klass=[1.0, 2.0, 1.0, 2.0])
    data = load_source("arrays", tmp_path / "a.npz")
    assert data.x.dtype == np.uint8 and np.array_equal(data.x, x.reshape(4, 12))
    data = load_source("arrays", tmp_path / "a.npz", arrays=("other", "klass"))
    assert data.x.dtype == np.float64 and data.labels.tolist() == [1, 2, 1, 2]


@pytest.mark.parametrize(
    "arrays, message",
    [
        ({"X": np.zeros((4, 2))}, "unknown array 'y'"),
        ({"X": np.zeros((4, 2)), "y": np.zeros(3)}, r"expected \(4,\)"),
        ({"X": np.zeros(4), "y": np.zeros(4)}, "one row of features"),
        ({"X": np.zeros((4, 2)), "y": [0, 1, 0.5, 1]}, "whole numbers"),
        ({"X": np.zeros((4, 2)), "y": [0, 1, np.nan, 1]}, "whole numbers"),
        ({"X": np.zeros((4, 2)), "y": [0, 1, -1, 1]}, "whole numbers"),
        ({"X": [[0, 1], [np.nan, 0]], "y": [0, 1]}, "NaN or infinity in row 1"),
        ({"X": np.zeros((0, 2)), "y": np.zeros(0)}, "holds no values"),
        ({"X": np.array([[{}], [{}]]), "y": [0, 1]}, "values of type 'object'"),
    ],
)
def test_unusable_arrays(tmp_path, arrays, message):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(TaskError, match=message):
        load_source("arrays", tmp_path / "a.npz")


@pytest.mark.parametrize(
    "source, path, part, message",
    [
        ("digits", None, "test", "'digits' has no official test set"),
        ("cifar10", None, "train", "needs 'path': the folder"),
        ("arrays", None, "train", "needs 'path': the NPZ file"),
        ("mnist", "nowhere", "train", "no such folder"),
        ("fashion_mnist", "nowhere", "train", "no such folder"),
        ("mnist", ".", "train", "has no file train-images-idx3-ubyte"),
        ("cifar10", ".", "train", "no CIFAR-10 train batches.*unpack"),
        ("arrays", "nowhere.npz", "train", "no such file"),
    ],
)
def test_a_source_that_is_not_there(tmp_path, source, path, part, message):
    with pytest.raises(TaskError, match=message):
        load_source(source, path and tmp_path / path, part)


# --- IDX ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_idx_round_trip(tmp_path, pack):
    array = np.random.default_rng(0).integers(0, 256, (3, 4, 5), dtype=np.uint8)
    path = tmp_path / "f"
    path.write_bytes(pack(idx_bytes(array)))
    assert np.array_equal(read_idx(path, 3), array)


GOOD_IDX = idx_bytes(np.arange(24, dtype=np.uint8).reshape(2, 3, 4))


@pytest.mark.parametrize(
    "data, message",
    [
        (b"", "not an IDX file"),
        (GOOD_IDX[:9], "truncated"),
        (GOOD_IDX[:-1], "40 bytes; found 39"),
        (GOOD_IDX + b"x", "found 41"),
        (b"\x00\x00\x0d\x03" + GOOD_IDX[4:], "starts with '00000d03', expected '00000803'"),
        (idx_bytes(np.zeros(3, np.uint8)), "starts with '00000801'"),
        (b"<!DOCTYPE html><html>", "not an IDX file"),
        (struct.pack(">HBB3I", 0, 8, 3, 2**32 - 1, 2**32 - 1, 2**32 - 1), "truncated or foreign"),
        (struct.pack(">HBB3I", 0, 8, 3, 0, 28, 28), "without data"),
    ],
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_idx_that_is_damaged(tmp_path, data, message, pack):
    path = tmp_path / "images"
    path.write_bytes(pack(data))
    with pytest.raises(TaskError) as caught:
        read_idx(path, 3)
    text = str(caught.value)
    assert str(path) in text and "\n" not in text
    if pack is bytes:
        assert caught.match(message)


def test_idx_gzip_cut_short(tmp_path):
    path = tmp_path / "f.gz"
    path.write_bytes(gzip.compress(GOOD_IDX)[:-12])
    with pytest.raises(TaskError, match="damaged or truncated gzip"):
        read_idx(path, 3)


def test_idx_gzip_with_a_huge_header_is_refused_before_it_is_unpacked(tmp_path):
    path = tmp_path / "f.gz"
    header = struct.pack(">HBB3I", 0, 8, 3, 2**31, 1000, 1000)
    path.write_bytes(gzip.compress(header + bytes(1000)))
    with pytest.raises(TaskError, match="more than 100 times"):
        read_idx(path, 3)


# --- CIFAR-10 -----------------------------------------------------------------------------------


def test_cifar_binary_and_python_batches_agree(tmp_path, images, labels):
    for i in range(1, 6):
        record = np.column_stack([labels.astype(np.uint8), images])
        (tmp_path / f"data_batch_{i}.bin").write_bytes(record.tobytes())
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for i in range(1, 6):
        (folder / f"data_batch_{i}").write_bytes(python_batch(images, labels))
    (folder / "test_batch").write_bytes(python_batch(images[:4], labels[:4]))

    assert cifar_files(tmp_path, "train")[0].name == "data_batch_1.bin"
    binary = load_source("cifar10", tmp_path)
    assert np.array_equal(binary.x, np.tile(images, (5, 1)))
    assert np.array_equal(binary.labels, np.tile(labels, 5))
    python = load_source("cifar10", folder)
    assert np.array_equal(python.x, binary.x) and np.array_equal(python.labels, binary.labels)
    assert load_source("cifar10", tmp_path, "test").x.shape == (4, 3072)


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_python_batches_saved_again_by_python_3(tmp_path, images, labels, protocol):
    path = tmp_path / "data_batch_1"
    batch = {"data": images, "labels": labels.tolist()}
    path.write_bytes(pickle.dumps(batch, protocol=protocol))
    x, y = read_cifar([path])
    assert np.array_equal(x, images) and np.array_equal(y, labels)


class Runs:
    """Pickles to a call of the given function."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("function", [Path.touch, exec, getattr, np.save])
def test_a_pickle_that_runs_code_is_refused_and_does_not_run(tmp_path, protocol, function):
    victim = tmp_path / "victim"
    args = {Path.touch: (victim,), exec: (f"open({str(victim)!r}, 'w')",)}.get(function, (1, 2))
    path = tmp_path / "data_batch_1"
    path.write_bytes(pickle.dumps({"data": Runs(function, *args)}, protocol=protocol))
    with pytest.raises(TaskError, match=r"refused: its pickle asks for '.*nothing was run"):
        read_cifar([path])
    assert not victim.exists()


@pytest.mark.parametrize(
    "batch",
    [
        [],
        {},
        {"data": 3, "labels": [1]},
        {"data": np.zeros((2, 3072), np.uint8)},
        {"data": np.zeros((2, 3072), np.uint8), "labels": [1]},
        {"data": np.zeros((2, 3072), np.uint8), "labels": [1, 10]},
        {"data": np.zeros((2, 3072), np.uint8), "labels": [1, "a"]},
        {"data": np.zeros((2, 3071), np.uint8), "labels": [1, 2]},
        {"data": np.zeros((2, 3072)), "labels": [1, 2]},
        {"data": np.array([None, None]), "labels": [1, 2]},
    ],
)
def test_a_pickle_of_something_else(tmp_path, batch):
    path = tmp_path / "data_batch_1"
    path.write_bytes(pickle.dumps(batch, protocol=2))
    with pytest.raises(TaskError, match="not a CIFAR-10 Python batch"):
        read_cifar([path])


def test_a_pickle_with_a_huge_memo_index_is_harmless(tmp_path):
    path = tmp_path / "data_batch_1"
    path.write_bytes(b"\x80\x02}r\xff\xff\xff\x7f.")
    with pytest.raises(TaskError, match="no array 'data'"):
        read_cifar([path])


@pytest.mark.parametrize(
    "data, message",
    [
        (b"", "0 bytes are not a whole number"),
        (bytes(3073 * 2 - 1), "6145 bytes are not a whole number"),
        (b"\x0a" + bytes(3072), "label 10 found"),
    ],
)
def test_cifar_binary_that_is_damaged(tmp_path, data, message):
    path = tmp_path / "data_batch_1.bin"
    path.write_bytes(data)
    with pytest.raises(TaskError, match=message):
        read_cifar([path])


# --- NPY and NPZ --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3),
        np.asfortranarray(np.arange(6, dtype=">i4").reshape(2, 3)),
        np.array([True, False]),
        np.array(["a", "long", "ü"]),
    ],
)
def test_npy_round_trip(tmp_path, array):
    np.save(tmp_path / "a.npy", array)
    assert np.array_equal(read_npy(tmp_path / "a.npy"), array)
    np.savez_compressed(tmp_path / "a.npz", other=1, a=array)
    assert np.array_equal(read_npz(tmp_path / "a.npz", ("a",))[0], array)


def huge_npy():
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header


@pytest.mark.parametrize(
    "data, message",
    [
        (b"", "not an NPY array"),
        (b"PK\x03\x04 not an npy", "not an NPY array"),
        (npy_bytes(np.arange(4.0))[:-1], "32 bytes; found 31"),
        (huge_npy(), "8000000000000 bytes; found 0"),
        (npy_bytes(np.array([{}])), "values of type 'object'"),
        (npy_bytes(np.zeros(3, [("a", "f8")])), "values of type"),
        (npy_bytes(np.zeros(3, complex)), "values of type 'complex128'"),
    ],
)
def test_npy_that_is_unusable(tmp_path, data, message):
    path = tmp_path / "a.npy"
    path.write_bytes(data)
    with pytest.raises(TaskError, match=message):
        read_npy(path)


def test_npz_that_claims_too_much(tmp_path):
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("X.npy", huge_npy())
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\x01\x02") + 24  # the uncompressed size in the central directory
    data[at : at + 4] = struct.pack("<I", 2**32 - 2)
    path.write_bytes(data)
    with pytest.raises(TaskError, match="more than 100 times"):
        read_npz(path, ("X",))


# --- foreign bytes ------------------------------------------------------------------------------


def mutated(seeds):
    """Bytes that are almost a file: one of the seeds with pieces replaced, cut or repeated."""

    @st.composite
    def build(draw):
        data = bytearray(draw(st.sampled_from(seeds)))
        for _ in range(draw(st.integers(1, 4))):
            at = draw(st.integers(0, max(0, min(len(data), 400))))
            piece = draw(st.binary(max_size=8))
            data[at : at + draw(st.integers(0, 8))] = piece
        return bytes(data[: draw(st.integers(0, len(data) + 1))]) if draw(st.booleans()) else data

    return st.one_of(st.binary(max_size=300), build())


def only_task_errors(read, path, data):
    path.write_bytes(data)
    try:
        read(path)
    except TaskError as error:
        assert "\n" not in str(error)


SMALL = np.arange(2 * 3072, dtype=np.uint8).reshape(2, 3072)
FUZZ = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@FUZZ
@given(data=mutated([GOOD_IDX, gzip.compress(GOOD_IDX)]))
def test_foreign_idx(tmp_path, data):
    only_task_errors(lambda path: read_idx(path, 3), tmp_path / "f", data)


@FUZZ
@given(
    data=mutated(
        [
            python_batch(SMALL, [3, 4]),
            *(pickle.dumps({"data": SMALL, "labels": [3, 4]}, protocol=p) for p in (0, 2, 4)),
        ]
    )
)
def test_foreign_cifar(tmp_path, data):
    only_task_errors(lambda path: read_cifar([path]), tmp_path / "data_batch_1", data)
    only_task_errors(lambda path: read_cifar([path]), tmp_path / "data_batch_1.bin", data)


@FUZZ
@pytest.mark.filterwarnings("ignore::UserWarning")  # numpy's, on headers of Python 2
@given(data=mutated([npy_bytes(np.arange(6.0).reshape(2, 3)), npy_bytes(np.array(["a", "bc"]))]))
def test_foreign_npy(tmp_path, data):
    only_task_errors(read_npy, tmp_path / "a.npy", data)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("X.npy", bytes(data))
        archive.writestr("y.npy", npy_bytes(np.arange(2)))
    only_task_errors(lambda p: load_source("arrays", p), tmp_path / "b.npz", buffer.getvalue())


def npz_bytes():
    buffer = io.BytesIO()
    np.savez_compressed(buffer, X=np.arange(6.0).reshape(3, 2), y=np.arange(3))
    return buffer.getvalue()


@FUZZ
@given(data=mutated([npz_bytes(), npz_bytes()[60:]]))
def test_foreign_npz(tmp_path, data):
    only_task_errors(lambda path: read_npz(path, ("X", "y")), tmp_path / "c.npz", data)


def test_labels_of_arrays_may_be_texts_or_in_a_column(tmp_path):
    names = np.array(["no", "yes", "maybe", "yes"])
    np.savez(tmp_path / "a.npz", X=np.eye(4), y=names)
    assert load_source("arrays", tmp_path / "a.npz").labels.tolist() == [1, 2, 0, 2]
    np.savez(tmp_path / "b.npz", X=np.eye(4), y=np.arange(4)[:, None])
    assert load_source("arrays", tmp_path / "b.npz").labels.tolist() == [0, 1, 2, 3]

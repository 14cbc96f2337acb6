"""CIFAR-10 in its two official layouts: binary batches and Python batches.

A binary batch is a row of records: 1 label byte, 3072 bytes of one image (red, green and blue
planes, row by row). A Python batch is a pickle of a dictionary with `data` (N, 3072) uint8 and
`labels`. Pickles can run code; ours cannot: the bytes are read by an unpickler that knows five
names and answers them with the stand-ins below, which only store what they are given.
Called by `zero.data.sources`.
"""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from zero.data.splits import read_error
from zero.errors import TaskError

IMAGE_BYTES = 3072
RECORD_BYTES = 1 + IMAGE_BYTES
MAX_FILE_BYTES = 256 << 20  # an official batch has 31 MB
BINARY_FOLDER, PYTHON_FOLDER = "cifar-10-batches-bin", "cifar-10-batches-py"


def cifar_files(folder: Path, part: str) -> list[Path]:
    """Returns the batch files of one part, "train" or "test", of a CIFAR-10 folder.

    `folder` holds the batches or one of the two official folders; binary batches come first.

    Raises:
        TaskError: neither layout is complete there.
    """
    numbers = [f"data_batch_{i}" for i in range(1, 6)] if part == "train" else ["test_batch"]
    for place, suffix in (
        (folder, ".bin"),
        (folder / BINARY_FOLDER, ".bin"),
        (folder, ""),
        (folder / PYTHON_FOLDER, ""),
    ):
        files = [place / f"{number}{suffix}" for number in numbers]
        if all(file.is_file() for file in files):
            return files
    raise TaskError(
        f"{folder}: no CIFAR-10 {part} batches found; expected {numbers[0]}.bin (binary) or "
        f"{numbers[0]} (Python)"
        + (" to data_batch_5" if part == "train" else "")
        + f" there, in {BINARY_FOLDER} or in {PYTHON_FOLDER}; unpack the archive first"
    )


def read_cifar(files: list[Path]) -> tuple[np.ndarray, np.ndarray]:
    """Returns the images (N, 3072) uint8 and labels (N,) int64 of these batches, in their order.

    Raises:
        TaskError: a file is absent, truncated or of another format.
    """
    parts = [_read_binary(file) if file.suffix == ".bin" else _read_python(file) for file in files]
    return np.concatenate([x for x, _ in parts]), np.concatenate([y for _, y in parts])


def _read_bytes(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise TaskError(f"{path}: {size} bytes are too many for a CIFAR-10 batch (about 31 MB)")
        return path.read_bytes()
    except OSError as error:
        raise read_error(path, error) from None


def _checked(path: Path, images: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if labels.min() < 0 or labels.max() > 9:
        raise TaskError(
            f"{path}: label {labels[(labels < 0) | (labels > 9)][0]} found, CIFAR-10 has 0 to 9; "
            "the file is damaged or foreign"
        )
    return images, labels.astype(np.int64)


def _read_binary(path: Path) -> tuple[np.ndarray, np.ndarray]:
    data = _read_bytes(path)
    if not data or len(data) % RECORD_BYTES:
        raise TaskError(
            f"{path}: {len(data)} bytes are not a whole number of CIFAR-10 records of "
            f"{RECORD_BYTES} bytes; the file is truncated or foreign"
        )
    records = np.frombuffer(data, dtype=np.uint8).reshape(-1, RECORD_BYTES)
    return _checked(path, records[:, 1:], records[:, 0])


class _Dtype:
    """Stands in for numpy.dtype: keeps the name it is called with."""

    __slots__ = ("name",)

    def __init__(self, name: str | bytes, *_: Any):
        self.name = name.decode("latin-1") if isinstance(name, bytes) else name

    def __setstate__(self, state: object) -> None:
        """Ignores byte order and alignment: the only dtype we take has one byte."""


class _Array:
    """Stands in for a pickled array: keeps the state that numpy.ndarray would be set to."""

    __slots__ = ("state",)

    def __setstate__(self, state: object) -> None:
        self.state = state


class _Call:
    """Stands in for one named callable of the pickle."""

    __slots__ = ("make",)

    def __init__(self, make: Any):
        self.make = make

    def __call__(self, *args: Any) -> Any:
        return self.make(*args)


def _encode(text: str, encoding: str) -> bytes:
    # Pickles of Python 3 in an old protocol carry bytes as latin-1 text.
    if encoding not in ("latin1", "latin-1"):
        raise ValueError(f"encoding {encoding!r}")
    return text.encode("latin-1")


_STAND_INS = {
    "_codecs.encode": _encode,
    "numpy.dtype": _Dtype,
    "numpy.ndarray": lambda *_: _Array(),
    "numpy.core.multiarray._reconstruct": lambda *_: _Array(),
    "numpy._core.multiarray._reconstruct": lambda *_: _Array(),
}


# The Python implementation, not the C one: that one sizes its memo by a number in the file.
class _BatchUnpickler(pickle._Unpickler):
    """Reads a CIFAR-10 batch; every name that it does not need ends the reading."""

    def find_class(self, module: str, name: str) -> _Call:
        """Returns the stand-in of a name. A new one each time, so no file can change the next."""
        full = f"{module}.{name}"
        if full not in _STAND_INS:
            raise TaskError(
                f"its pickle asks for '{full}', which a CIFAR-10 batch never needs; nothing was run"
            )
        return _Call(_STAND_INS[full])


def _read_python(path: Path) -> tuple[np.ndarray, np.ndarray]:
    data = _read_bytes(path)
    try:
        batch = _BatchUnpickler(io.BytesIO(data), encoding="bytes").load()
    except TaskError as error:
        raise TaskError(f"{path}: refused: {error}") from None
    except Exception as error:  # foreign bytes make an unpickler raise almost anything
        raise TaskError(
            f"{path}: not a CIFAR-10 Python batch, or a truncated one: "
            f"{type(error).__name__} while reading it"
        ) from None
    if not isinstance(batch, dict):
        raise TaskError(f"{path}: not a CIFAR-10 Python batch: it holds no dictionary")
    named = {k.decode("latin-1") if isinstance(k, bytes) else k: v for k, v in batch.items()}
    array, labels = named.get("data"), named.get("labels")
    state = getattr(array, "state", None)
    # The state that numpy itself pickles: version, shape, dtype, Fortran order, bytes.
    if not (isinstance(array, _Array) and isinstance(state, tuple) and len(state) == 5):
        raise TaskError(f"{path}: not a CIFAR-10 Python batch: no array 'data' in it")
    _, shape, dtype, fortran, raw = state
    labels = labels if isinstance(labels, list) else []
    count = len(labels)
    if not (
        count > 0
        and shape == (count, IMAGE_BYTES)
        and getattr(dtype, "name", None) in ("u1", "|u1", "uint8")
        and isinstance(raw, bytes)
        and len(raw) == count * IMAGE_BYTES
    ):
        raise TaskError(
            f"{path}: not a CIFAR-10 Python batch: expected 'data' of shape (N, {IMAGE_BYTES}), "
            f"uint8, and N 'labels'; found {count} labels and data that do not fit them"
        )
    if not all(type(label) is int and 0 <= label <= 9 for label in labels):
        raise TaskError(f"{path}: not a CIFAR-10 Python batch: its labels are not all 0 to 9")
    images = np.frombuffer(raw, dtype=np.uint8).reshape(shape, order="F" if fortran else "C")
    return _checked(path, images, np.array(labels))

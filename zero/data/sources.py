"""Sources: labelled images and feature sets, from scikit-learn's package or from the user's files.

`load_source` reads one and keeps it for the process; a file that has changed is read again.
Images stay bytes here: Fashion-MNIST is 47 MB so, and 376 MB as float64.
Called by `zero.tasks.projected_binary` and `zero.tasks.projected_classes`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from zero.data.arrays import read_npz
from zero.data.cifar import cifar_files, read_cifar
from zero.data.idx import read_idx
from zero.data.splits import find_file, read_error
from zero.errors import TaskError

SourceName = Literal[
    "digits", "breast_cancer", "wine", "iris", "fashion_mnist", "mnist", "cifar10", "arrays"
]
Part = Literal["train", "test"]

BUNDLED = ("digits", "breast_cancer", "wine", "iris")
WITH_OFFICIAL_TEST = ("fashion_mnist", "mnist", "cifar10")
# Where Debian's package dataset-fashion-mnist puts its files.
DEFAULT_PLACES = {"fashion_mnist": Path("/usr/share/datasets/fashion-mnist")}


@dataclass(frozen=True, eq=False)
class Labelled:
    """Examples with class ids. x (N, D): uint8 or float64, finite; labels (N,): int64, from 0."""

    name: str
    x: np.ndarray
    labels: np.ndarray

    @cached_property
    def rows_of(self) -> dict[int, np.ndarray]:
        """The row numbers of each class, in the source's order, by class id in rising order."""
        classes = np.unique(self.labels)
        return {int(c): np.flatnonzero(self.labels == c) for c in classes}


_Key = tuple[SourceName, Part, tuple[Path, ...], tuple[str, str]]
_Stamp = tuple[tuple[int, int], ...]  # time and size of each file
_loaded: dict[_Key, tuple[_Stamp, Labelled]] = {}


def load_source(
    source: SourceName,
    path: str | Path | None = None,
    part: Part = "train",
    arrays: tuple[str, str] = ("X", "y"),
) -> Labelled:
    """Returns the examples of a source, read once per process.

    Args:
        source: its name.
        path: the folder of fashion_mnist, mnist and cifar10, the NPZ file of arrays; None for the
            bundled sets, or for fashion_mnist in Debian's place.
        part: "test" is the official test set of fashion_mnist, mnist and cifar10.
        arrays: names of the features and the labels in an NPZ file.

    Raises:
        TaskError: no path, no such part, or a file that cannot be read as what it should be.
    """
    if part == "test" and source not in WITH_OFFICIAL_TEST:
        raise TaskError(
            f"source '{source}' has no official test set (these have: "
            f"{', '.join(WITH_OFFICIAL_TEST)}); leave out official_test"
        )
    files = [] if source in BUNDLED else _files(source, path, part)
    key = (source, part, tuple(files), arrays)
    try:
        stamp = tuple((f.stat().st_mtime_ns, f.stat().st_size) for f in files)
    except OSError as error:
        raise read_error(files[0], error) from None
    if key not in _loaded or _loaded[key][0] != stamp:
        name = files[0].stem if source == "arrays" else source
        _loaded[key] = (stamp, Labelled(name, *_read(source, files, arrays)))
    return _loaded[key][1]


def _files(source: SourceName, path: str | Path | None, part: Part) -> list[Path]:
    """Returns the files of a source's part; the images' first."""
    place = find_file(str(path), Path()) if path is not None else DEFAULT_PLACES.get(source)
    if place is None:
        what = "NPZ file" if source == "arrays" else "folder"
        raise TaskError(f"source '{source}' needs 'path': the {what} with its data")
    if source == "arrays":
        if not place.is_file():
            raise TaskError(f"{place}: no such file; source 'arrays' needs an NPZ file in 'path'")
        return [place]
    if not place.is_dir():
        known = f", or install Debian's package dataset-{place.name}" if path is None else ""
        raise TaskError(
            f"{place}: no such folder; give the folder with the files of {source} as 'path'{known}"
        )
    if source == "cifar10":
        return cifar_files(place, part)
    stem = "train" if part == "train" else "t10k"
    return [_idx_file(place, f"{stem}-images", 3), _idx_file(place, f"{stem}-labels", 1)]


def _idx_file(folder: Path, stem: str, dimensions: int) -> Path:
    """Returns the IDX file of that stem; some mirrors write a dot instead of the dash, or unzip."""
    names = [f"{stem}{dash}idx{dimensions}-ubyte{end}" for dash in "-." for end in ("", ".gz")]
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise TaskError(f"{folder}: has no file {names[0]} or {names[1]}; give the folder that has it")


def _read(
    source: SourceName, files: list[Path], arrays: tuple[str, str]
) -> tuple[np.ndarray, np.ndarray]:
    if source in BUNDLED:
        import sklearn.datasets  # takes a second to import

        x, labels = getattr(sklearn.datasets, f"load_{source}")(return_X_y=True)
        return x, labels
    if source == "cifar10":
        return read_cifar(files)
    if source == "arrays":
        return _read_labelled_arrays(files[0], arrays)
    images, labels = read_idx(files[0], 3), read_idx(files[1], 1)
    if len(images) != len(labels):
        raise TaskError(
            f"{files[0]}: {len(images)} images, but {files[1].name} has {len(labels)} labels; "
            "the files do not belong together"
        )
    return images.reshape(len(images), -1), labels.astype(np.int64)


def _read_labelled_arrays(path: Path, arrays: tuple[str, str]) -> tuple[np.ndarray, np.ndarray]:
    x, y = read_npz(path, arrays)
    if x.ndim < 2 or x.dtype.kind not in "biuf" or x.size == 0:
        raise TaskError(
            f"{path}: array '{arrays[0]}' has shape {x.shape} and type '{x.dtype}'; expected "
            "numbers, one row of features (or one image) per example"
        )
    if y.shape == (len(x), 1):
        y = y[:, 0]
    if y.shape != x.shape[:1]:
        raise TaskError(
            f"{path}: array '{arrays[1]}' has shape {y.shape}; expected ({len(x)},), one label per "
            f"row of '{arrays[0]}'"
        )
    if y.dtype.kind == "U":  # names, numbered in the order of the alphabet
        y = np.unique(y, return_inverse=True)[1]
    with np.errstate(invalid="ignore"):  # NaN has no whole number and is caught as unequal
        whole = y.dtype.kind in "biuf" and np.array_equal(y, y.astype(np.int64))
    if not whole or y.min() < 0:
        raise TaskError(
            f"{path}: array '{arrays[1]}': labels must be whole numbers from 0, or texts"
        )
    if x.dtype != np.uint8:
        x = x.astype(np.float64)
        if not np.isfinite(x).all():
            row = np.argwhere(~np.isfinite(x))[0][0]
            raise TaskError(f"{path}: array '{arrays[0]}': NaN or infinity in row {row} (from 0)")
    return x.reshape(len(x), -1), y.astype(np.int64)

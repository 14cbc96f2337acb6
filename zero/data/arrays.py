"""NPY and NPZ files, read so that foreign bytes cost an error message and nothing else.

numpy's own reader allocates what a header claims; here the claim is compared with the file first.
Object arrays, which need pickle, are refused. Called by `zero.data.sources` and
`zero.data.tables`.
"""

from __future__ import annotations

import math
import warnings
import zipfile
from pathlib import Path
from typing import IO

import numpy as np

from zero.data.splits import read_error
from zero.errors import TaskError, unknown_name

# What a compressed array may claim: this, or 100 times the file's size.
ZIP_FREE_BYTES = 256 << 20
ZIP_MAX_RATIO = 100


def read_npy(path: Path) -> np.ndarray:
    """Returns the array of an NPY file: numbers, bools or text, any shape.

    Raises:
        TaskError: the file is absent, truncated, of another format, or holds Python objects.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            return _read_array(stream, size, str(path))
    except OSError as error:
        raise read_error(path, error) from None


def read_npz(path: Path, names: tuple[str, ...]) -> list[np.ndarray]:
    """Returns the named arrays of an NPZ file, in the order of `names`.

    Raises:
        TaskError: as for `read_npy`, or the file has no array of that name.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            return [_read_member(stream, size, path, name) for name in names]
    except TaskError:
        raise
    except OSError as error:
        raise read_error(path, error) from None
    except Exception as error:  # zipfile and its decompressors raise a dozen kinds on foreign bytes
        raise TaskError(
            f"{path}: not an NPZ file, or a damaged one: {type(error).__name__}: "
            f"{' '.join(str(error).split())[:120]}"
        ) from None


def _read_member(stream: IO[bytes], size: int, path: Path, name: str) -> np.ndarray:
    with zipfile.ZipFile(stream) as archive:
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        if name not in members:
            known = [" ".join(member.split()) for member in list(members)[:20]]
            raise TaskError(f"{path}: {unknown_name('array', name, known)}")
        info = members[name]
        if info.file_size > max(ZIP_FREE_BYTES, ZIP_MAX_RATIO * size):
            raise TaskError(
                f"{path}: array '{name}' claims {info.file_size} bytes, more than "
                f"{ZIP_MAX_RATIO} times the file's size; refused as damaged"
            )
        with archive.open(info) as member:
            return _read_array(member, info.file_size, f"{path}, array '{name}'")


def _read_array(stream: IO[bytes], size: int, where: str) -> np.ndarray:
    """Returns the array of an NPY stream that has `size` bytes."""
    shape, fortran, dtype = _read_header(stream, where)
    if dtype.kind not in "biufUS" or dtype.itemsize == 0:
        hint = (
            "; save texts as .astype('U'), numbers as .astype(float)" if dtype.kind == "O" else ""
        )
        raise TaskError(f"{where}: values of type '{dtype}'; expected numbers, bools or text{hint}")
    wanted = math.prod(shape) * dtype.itemsize
    left = size - stream.tell()
    if min(shape, default=1) < 0 or wanted != left:
        raise TaskError(
            f"{where}: its header gives the shape {shape} of '{dtype}', so {wanted} bytes; found "
            f"{left}; the file is truncated or foreign"
        )
    if wanted == 0:
        raise TaskError(f"{where}: an array of shape {shape} holds no values")
    data = stream.read(wanted)
    if len(data) != wanted:
        raise TaskError(f"{where}: truncated: {wanted} bytes expected, {len(data)} found")
    # A zip member is verified at its end only.
    stream.read(1)
    flat = np.frombuffer(data, dtype=dtype)
    if dtype.kind == "b":
        flat = flat.view(np.uint8) != 0  # a byte above 1 is no proper bool
    if dtype.kind == "U" and flat.view(dtype.str[0] + "u4").max() > 0x10FFFF:
        raise TaskError(f"{where}: damaged text: a character beyond Unicode")
    if dtype.kind == "S":  # text as C and older files have it
        try:
            flat = np.char.decode(flat, "utf-8")
        except UnicodeDecodeError:
            raise TaskError(f"{where}: bytes that are no text in UTF-8") from None
    return flat.reshape(shape, order="F" if fortran else "C")


def _read_header(stream: IO[bytes], where: str) -> tuple[tuple[int, ...], bool, np.dtype]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of files that Python 2 wrote
            return _header_of(stream, where)
    except (OSError, TaskError):
        raise
    except Exception as error:  # the header is parsed as Python text, foreign text fails anyhow
        raise TaskError(
            f"{where}: not an NPY array, or a damaged one: {' '.join(str(error).split())[:120]}"
        ) from None


def _header_of(stream: IO[bytes], where: str) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(stream)
    if version == (2, 0):
        return np.lib.format.read_array_header_2_0(stream)
    raise TaskError(f"{where}: NPY version {version} is not supported (1.0 and 2.0 are)")

"""IDX files, the format of MNIST and Fashion-MNIST, plain or gzipped.

A file is: two zero bytes, the type (8: unsigned byte), the number of dimensions, each dimension as
a big-endian 32-bit number, then the bytes. Called by `zero.data.sources`.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import IO

import numpy as np

from zero.data.splits import read_error
from zero.errors import TaskError

CHUNK = 1 << 20
# A gzipped file may claim up to this, or up to 100 times its own size: images compress far less,
# a file made to fill the memory (deflate reaches 1032 : 1) claims more.
GZIP_FREE_BYTES = 256 << 20
GZIP_MAX_RATIO = 100


def read_idx(path: Path, dimensions: int) -> np.ndarray:
    """Returns the file's uint8 array with this many dimensions (3: images, 1: labels).

    Nothing is allocated before the header has been compared with the file's size.

    Raises:
        TaskError: the file is absent, truncated, too long, of another format or unreasonably big.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as plain:
            zipped = plain.read(2) == b"\x1f\x8b"
            plain.seek(0)
            if not zipped:
                return _read(plain, path, dimensions, size)
            with gzip.GzipFile(fileobj=plain) as stream:
                return _read(stream, path, dimensions, None, size)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise TaskError(f"{path}: a damaged or truncated gzip file ({error})") from None
    except OSError as error:
        raise read_error(path, error) from None


def _read(
    stream: IO[bytes] | gzip.GzipFile,
    path: Path,
    dimensions: int,
    plain_size: int | None,
    zipped_size: int = 0,
) -> np.ndarray:
    """Returns the array; `plain_size` is the whole file's size, None where it is compressed."""
    header_size = 4 + 4 * dimensions
    header = stream.read(header_size)
    magic = bytes([0, 0, 8, dimensions])
    if header[:4] != magic:
        raise TaskError(
            f"{path}: not an IDX file of {dimensions} dimensions: it starts with "
            f"'{header[:4].hex()}', expected '{magic.hex()}'"
        )
    if len(header) < header_size:
        raise TaskError(f"{path}: truncated: the IDX header needs {header_size} bytes")
    shape = struct.unpack(f">{dimensions}I", header[4:])
    wanted = math.prod(shape)
    if wanted == 0:
        raise TaskError(f"{path}: an IDX file without data: its header gives the shape {shape}")
    if plain_size is not None and plain_size != header_size + wanted:
        raise TaskError(
            f"{path}: its header gives the shape {shape}, so {header_size + wanted} bytes; found "
            f"{plain_size}; the file is truncated or foreign"
        )
    if plain_size is None and wanted > max(GZIP_FREE_BYTES, GZIP_MAX_RATIO * zipped_size):
        raise TaskError(
            f"{path}: its header gives the shape {shape}, more than {GZIP_MAX_RATIO} times the "
            "file's size; refused as damaged"
        )
    data = bytearray()
    while len(data) <= wanted and (block := stream.read(min(CHUNK, wanted + 1 - len(data)))):
        data += block
    if len(data) != wanted:
        found = f"only {len(data)}" if len(data) < wanted else "more"
        raise TaskError(
            f"{path}: its header gives the shape {shape}, so {wanted} bytes of data; found "
            f"{found}; the file is truncated or foreign"
        )
    return np.frombuffer(data, dtype=np.uint8).reshape(shape)

"""Trees: arrays, numbers and text in a file of HDF5, checked before it is read.

A tree is a dict of str keys to arrays, numbers, text, lists and further dicts. It is kept as plain
HDF5 that any HDF5 program opens: a dict is a group, an array or a text is a dataset, a number is an
attribute. HDF5 ignores the first 512 bytes (its "user block"); ours hold two lines of text: kind
and version, then the size of the rest and a SHA-256 of the first line and the rest. They are
verified before the HDF5 library sees a byte, because damaged files can crash it. Equal trees give
equal bytes.

HDF5 never touches the disk: a file is built in memory and written by `zero.system.files.write_bytes`,
so a kill or a full disk leaves the old file as it was.

Archives, checkpoints and trained networks are trees. h5py is imported where it is used: it takes 0.2 s.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
from pathlib import Path
from typing import Any

import numpy as np

from zero.errors import ArchiveError
from zero.system.files import write_bytes

Tree = dict[str, Any]

HEADER_SIZE = 512  # the smallest user block that HDF5 allows
FIRST_LINE = "zero {kind} version {version}\n"
SECOND_LINE = "{size} bytes follow this block, sha256 {digest}\n"
HEADER_PATTERN = re.compile(
    rb"zero ([a-z_]+) version (\d{1,9})\n"
    rb"(\d{1,18}) bytes follow this block, sha256 ([0-9a-f]{64})\n\0*"
)
LIST_MARK = "."  # attribute of a group that stands for a list; no key may be called that
COMPRESS_BYTES = 65536  # smaller arrays gain nothing from compression
MOST_INFLATION = 1100  # deflate cannot shrink data by more than 1032


def write_tree(
    path: str | Path, tree: Tree, kind: str, version: int, compress: bool = False
) -> None:
    """Writes a tree to an HDF5 file in one step; equal trees give equal bytes.

    Args:
        path: the file; what it held is kept until the new content is safely on disk.
        tree: dict of str to: numpy arrays and scalars (bool, integer, float and complex of up to 64
            bits a part), bool, int, float, str, bytes, None, and lists and dicts of these. Values
            come back bit for bit with their types; dict keys come back sorted.
        kind: what the file is, in small letters and underscores, such as "checkpoint".
        version: version of the tree's layout, at least 0.
        compress: whether arrays above 64 KiB are deflated (smaller, slower).

    Raises:
        TypeError: the tree holds something else (a mistake of the caller).
        ArchiveError: the file cannot be written.
    """
    import h5py

    buffer = io.BytesIO()
    # Bounds that stay the same whatever the library's newest format is.
    with h5py.File(buffer, "w", userblock_size=HEADER_SIZE, libver=("earliest", "v108")) as file:
        _put_items(file, tree, compress)
    with buffer.getbuffer() as data:
        header = _header(kind, version, data[HEADER_SIZE:])
        if not HEADER_PATTERN.fullmatch(header):
            raise TypeError(f"kind {kind!r} and version {version!r} do not fit a file header")
        data[: len(header)] = header
        write_bytes(path, data)


def read_tree(path: str | Path, kind: str, newest_version: int) -> Tree:
    """Returns the tree that `write_tree` put into a file. Nothing in the file is executed.

    Raises:
        ArchiveError: the file is missing, foreign, damaged, of another kind or of a newer version.
    """
    data = _verified(Path(path), kind, newest_version)
    import h5py

    try:
        with h5py.File(io.BytesIO(data), "r") as file:
            tree: Tree = _get_group(file, len(data))
            return tree
    # The checksum is right, so someone else wrote this file: anything may be wrong with it.
    except Exception as error:
        reason = " ".join(str(error).split())  # the library's messages may have several lines
        raise ArchiveError(
            f"{path}: its checksum is right but its content is not: {reason}; it was not "
            "written by this version of zero"
        ) from error


def kind_of_file(path: str | Path) -> str | None:
    """Returns the kind that a file says it is, None if it is no file that `write_tree` wrote."""
    head = head_of_file(path)
    return None if head is None else head[0]


def head_of_file(path: str | Path) -> tuple[str, int, bool] | None:
    """Returns a file's kind and version, and whether it is as long as it says; its rest is not read.

    None if it is no file that `write_tree` wrote, or cannot be read.
    """
    try:
        with open(path, "rb") as file:
            match = HEADER_PATTERN.fullmatch(file.read(HEADER_SIZE))
            size = file.seek(0, os.SEEK_END)
    except OSError:
        return None
    if match is None:
        return None
    return match[1].decode(), int(match[2]), size == HEADER_SIZE + int(match[3])


def _verified(path: Path, kind: str, newest_version: int) -> bytes:
    """Returns the bytes of a file whose kind, version, size and checksum are as they should be."""
    try:
        with open(path, "rb") as file:
            start = file.read(HEADER_SIZE)
            match = HEADER_PATTERN.fullmatch(start) if len(start) == HEADER_SIZE else None
            rest = file.read() if match else b""
    except OSError as error:
        raise ArchiveError(f"cannot read {path}: {error.strerror}; expected: {kind}") from error
    if match is None:
        what = "is empty" if not start else f"is no {kind} that zero wrote, or its start is damaged"
        raise ArchiveError(f"{path} {what}; give another file or a copy of it")
    found, version, size = (group.decode() for group in match.groups()[:3])
    if found != kind:
        raise ArchiveError(f"{path} holds: {found}; expected: {kind}")
    if int(version) > newest_version:
        raise ArchiveError(
            f"{path} has format version {version}, this zero reads up to {newest_version}; "
            "use a newer zero"
        )
    if len(rest) != int(size):
        raise ArchiveError(
            f"{path} is damaged: {len(rest)} bytes after its header, expected {size}; "
            "use a copy of it"
        )
    if _header(found, int(version), rest) != start.rstrip(b"\0"):
        raise ArchiveError(f"{path} is damaged: its checksum is wrong; use a copy of it")
    return start + rest


def _header(kind: str, version: int, rest: bytes | memoryview) -> bytes:
    """Returns what stands in the user block of a file whose other bytes are `rest`."""
    first = FIRST_LINE.format(kind=kind, version=version).encode()
    digest = hashlib.sha256(first)
    digest.update(rest)
    return first + SECOND_LINE.format(size=len(rest), digest=digest.hexdigest()).encode()


def _put_items(group: Any, items: Tree, compress: bool) -> None:
    for key in items:
        if not isinstance(key, str) or key in ("", LIST_MARK) or "/" in key or not _plain(key):
            raise TypeError(f"{key!r} in {group.name} cannot be a key of a tree")
    for key in sorted(items):
        _put(group, key, items[key], compress)


def _put(group: Any, key: str, value: Any, compress: bool) -> None:
    """Writes one value under a group, so that `_get_group` finds its type again."""
    import h5py

    if isinstance(value, np.ndarray | np.generic):
        _check_dtype(value.dtype, f"{group.name}/{key}")
        array = np.asarray(value)
        options = {}
        if compress and array.nbytes > COMPRESS_BYTES:
            options = {"compression": "gzip", "compression_opts": 1, "shuffle": True}
        dataset = group.create_dataset(key, data=array, **options)
        if isinstance(value, np.generic):
            dataset.attrs["as"] = "number"
    elif value is None:
        group.attrs[key] = h5py.Empty(np.float64)
    elif type(value) is bool:
        group.attrs[key] = np.bool_(value)
    elif type(value) is float:
        group.attrs[key] = np.float64(value)
    elif type(value) is int:
        if -(2**63) <= value < 2**64:
            group.attrs[key] = np.int64(value) if value < 2**63 else np.uint64(value)
        else:
            group.create_dataset(key, data=str(value), dtype=h5py.string_dtype()).attrs["as"] = (
                "int"
            )
    elif type(value) is str and _plain(value):
        group.create_dataset(key, data=value, dtype=h5py.string_dtype())
    elif type(value) in (str, bytes):
        raw = value if type(value) is bytes else value.encode("utf-8", "surrogatepass")
        dataset = group.create_dataset(key, data=np.frombuffer(raw, np.uint8))
        dataset.attrs["as"] = type(value).__name__
    elif type(value) is list and all(type(x) is str and _plain(x) for x in value):
        group.create_dataset(key, data=value, shape=(len(value),), dtype=h5py.string_dtype())
    elif type(value) is list:
        child = group.create_group(key)
        child.attrs[LIST_MARK] = np.int64(len(value))
        for index, item in enumerate(value):
            _put(child, str(index), item, compress)
    elif type(value) is dict:
        _put_items(group.create_group(key), value, compress)
    else:
        raise TypeError(f"{group.name}/{key}: {type(value).__name__} cannot be stored in a tree")


def _plain(text: str) -> bool:
    """Returns whether HDF5 can hold the text as such: no NUL, no lone surrogate."""
    if "\0" in text:
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_dtype(dtype: np.dtype, where: str) -> None:
    """Raises TypeError for objects, text, dates, and floats whose size depends on the machine."""
    most = {"b": 1, "i": 8, "u": 8, "f": 8, "c": 16}
    if dtype.itemsize > most.get(dtype.kind, -1):
        raise TypeError(f"{where}: arrays of {dtype} cannot be stored in a tree")


def _get_group(group: Any, file_size: int) -> Any:
    """Returns the dict or list that a group stands for."""
    import h5py

    items: Tree = {name: _get_attribute(value) for name, value in group.attrs.items()}
    length = items.pop(LIST_MARK, None)
    for name in group:
        # Links to elsewhere would read other files of the reader's machine into the tree.
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise ValueError(f"{name} is a link")
        child = group[name]
        get = _get_group if isinstance(child, h5py.Group) else _get_dataset
        items[name] = get(child, file_size)
    if length is None:
        return {key: items[key] for key in sorted(items)}
    if len(items) != length:
        raise ValueError(f"{group.name}: a list of {length} has {len(items)} items")
    return [items[str(index)] for index in range(len(items))]


def _get_attribute(value: Any) -> bool | int | float | None:
    import h5py

    if isinstance(value, h5py.Empty):
        return None
    if isinstance(value, np.bool_ | np.int64 | np.uint64 | np.float64):
        return value.item()
    raise ValueError(f"an attribute is of type {type(value).__name__}")


def _get_dataset(dataset: Any, file_size: int) -> Any:
    """Returns the array, number, text or list of texts that a dataset stands for."""
    import h5py

    tag = dataset.attrs.get("as")
    if dataset.external or dataset.is_virtual:
        raise ValueError(f"{dataset.name} lies in another file")
    if dataset.nbytes > MOST_INFLATION * file_size:
        raise ValueError(f"{dataset.name} claims {dataset.nbytes} bytes")
    if h5py.check_string_dtype(dataset.dtype) is not None:
        text = dataset.asstr()[()]
        if tag == "int":
            return int(text)
        return text if dataset.shape == () else text.tolist()
    _check_dtype(dataset.dtype, dataset.name)
    array = dataset[...]
    if tag == "number":
        return array[()]
    if tag == "bytes":
        return array.tobytes()
    if tag == "str":
        return array.tobytes().decode("utf-8", "surrogatepass")
    return array

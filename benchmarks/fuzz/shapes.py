"""Mutations that know a format: JSON, YAML, zero's HDF5, zip, gzip, PNG, NPY and IDX."""

from __future__ import annotations

import gzip
import io
import json
import struct
import zipfile
import zlib
from random import Random
from typing import Any

from fuzz.mutate import MOST, mutate, mutate_tree

BOMB = gzip.compress(bytes(300 << 20), 9)  # 300 MiB of zeros in 300 kB
BIG = (0, 1, 2, 3, 255, 256, 65535, 2**16, 2**20, 2**31 - 1, 2**31, 2**32 - 1)


# --- texts --------------------------------------------------------------------------------------------


def json_tree(data: bytes, rng: Random) -> bytes:
    """Mutates the values of a JSON text."""
    return json.dumps(mutate_tree(json.loads(data), rng)).encode()


def json_line(data: bytes, rng: Random) -> bytes:
    """Mutates the values of one line of JSON."""
    lines = data.splitlines()
    at = rng.randrange(len(lines))
    lines[at] = json_tree(lines[at], rng)
    return b"\n".join(lines) + b"\n"


def yaml_tree(data: bytes, rng: Random) -> bytes:
    """Mutates the values of a YAML text."""
    import yaml

    found = mutate_tree(yaml.safe_load(data), rng)
    return yaml.safe_dump(found, allow_unicode=rng.random() < 0.5, width=10**6).encode(
        errors="replace"
    )


YAML_TOKENS = (
    b"&a [*a]",
    b"*a",
    b"&a ",
    b"<<: *a",
    b"!!python/object/apply:os.system ['true']",
    b"!!binary aGk=",
    b"!!set {a}",
    b"!!int x",
    b"!x y",
    b"? [a]",
    b"---\n",
    b"...\n",
    b"%YAML 9.9\n",
    b"\t",
    b"- - - - ",
    b"{a: {a: {a: ",
    b"|\n",
    b">\n",
    b"1e400",
    b"0o777",
    b".inf",
    b".nan",
    b"2020-01-01",
    b"1:30",
    b"~",
    b"'",
    b'"\\x00"',
    b'"\\U0010ffff"',
    b"\xc2\x85",
    b"a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\n"
    b"d: &d [*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e]\n",
)


# --- zero's HDF5 --------------------------------------------------------------------------------------


def sealed(data: bytes) -> bytes:
    """Returns a file of `zero.system.trees` whose size and checksum fit what it holds again."""
    from zero.system import trees

    match = trees.HEADER_PATTERN.fullmatch(data[: trees.HEADER_SIZE])
    if match is None:
        return data
    rest = data[trees.HEADER_SIZE :]
    header = trees._header(match[1].decode(), int(match[2]), rest)
    return header.ljust(trees.HEADER_SIZE, b"\0") + rest


def h5_bytes(data: bytes, rng: Random) -> bytes:
    """Changes bytes behind the first block, and makes the checksum right."""
    return sealed(
        data[:512]
        + mutate(data[512:], rng, (b"TREE", b"SNOD", b"HEAP", b"GCOL", b"OHDR"), (data[512:],))
    )


def h5_tree(data: bytes, rng: Random) -> bytes:
    """Changes datasets, attributes and groups, and makes the checksum right."""
    import h5py
    import numpy as np

    buffer = io.BytesIO(data)
    with h5py.File(buffer, "r+", libver=("earliest", "v108")) as file:
        names: list[str] = []
        file.visit(names.append)
        for _ in range(rng.choice((1, 1, 2, 4))):
            names = [name for name in names if name in file]
            if not names:
                break
            name = rng.choice(names)
            item = file[name]
            act = rng.randrange(14)
            is_dataset = isinstance(item, h5py.Dataset)
            if act < 5 and is_dataset and item.dtype.kind in "iufb" and item.size < 1_000_000:
                values = item[...]
                del file[name]
                file.create_dataset(name, data=_other_array(values, rng))
            elif act == 5:
                del file[name]
                file.create_dataset(
                    name,
                    shape=rng.choice(((2**40,), (2**20, 2**20), (0,), (2**31,), (1,) * 30)),
                    dtype=rng.choice(("f8", "i2", "u1", "S8", h5py.string_dtype())),
                    chunks=rng.choice((True, None)) if False else True,
                    maxshape=None,
                )
            elif act == 6:
                del file[name]
                file[name] = rng.choice(
                    (
                        h5py.SoftLink("/"),
                        h5py.SoftLink("/nothing"),
                        h5py.ExternalLink("/etc/passwd", "/"),
                        file["/"],
                    )
                )
            elif act == 7:
                del file[name]
                kind = rng.choice(
                    (
                        h5py.ref_dtype,
                        h5py.vlen_dtype(np.int32),
                        [("a", "i4"), ("b", "f8")],
                        "S3",
                        "c16",
                        "f2",
                        np.dtype(("f8", (2, 2))),
                    )
                )
                file.create_dataset(name, shape=rng.choice(((), (1,), (3,))), dtype=kind)
            elif act == 8:
                del file[name]
            elif act == 9:
                attributes = file if rng.random() < 0.3 else item
                attributes.attrs[rng.choice((".", "as", "a", "version"))] = rng.choice(
                    (
                        np.int64(-1),
                        np.int64(2**40),
                        np.float64("nan"),
                        "text",
                        "str",
                        "int",
                        "bytes",
                        np.arange(3),
                        b"x",
                        h5py.Empty("f8"),
                        np.bool_(True),
                    )
                )
            elif act == 10 and len(item.attrs):
                key = rng.choice(list(item.attrs))
                item.attrs[key] = rng.choice(
                    (np.int64(-1), np.int64(2**62), np.float64("inf"), np.uint64(0), "x")
                )
            elif act == 11 and isinstance(item, h5py.Dataset) and item.dtype.kind == "O":
                shape = item.shape
                del file[name]
                text = rng.choice(
                    (
                        "",
                        "x",
                        "\x1b[2J",
                        "[" * 90_000,
                        "{}",
                        "9" * 6000,
                        "é" * 100,
                        "darts: normal",
                        "null",
                    )
                )
                file.create_dataset(
                    name, data=np.full(shape, text, object), dtype=h5py.string_dtype()
                )
            elif act == 12:
                other = rng.choice(names)
                if other != name and not other.startswith(name) and not name.startswith(other):
                    del file[name]
                    file.copy(other, name)
            else:
                file.create_group(rng.choice(("x", f"{name}-", "new/" * 40 + "x")))
    return sealed(buffer.getvalue())


def _other_array(values: Any, rng: Random) -> Any:
    import numpy as np

    with np.errstate(all="ignore"):
        act = rng.randrange(8)
        if act == 0:
            return values.astype(rng.choice(("f8", "f4", "i8", "i1", "u8", "i2")))
        if act == 1:
            return values[: len(values) // 2] if values.ndim else values.reshape(1, 1)
        if act == 2:
            return values.reshape(-1) if values.ndim != 1 else values[:, None]
        if act == 3:
            return np.concatenate([values, values]) if values.ndim else np.stack([values, values])
        if act == 4:
            return np.zeros(rng.choice(((), (0,), (0, 3), (1,), (3, 3, 3))), values.dtype)
        flat = values.copy().reshape(-1)
        if flat.size:
            wild = (
                0,
                -1,
                1,
                127,
                255,
                32767,
                2**31 - 1,
                2**63 - 1,
                float("nan"),
                float("inf"),
                -1e300,
            )
            info = np.array(rng.choice(wild), "f8").astype(flat.dtype)
            if act == 5:
                flat[:] = info
            else:
                flat[rng.randrange(flat.size)] = info
        return flat.reshape(values.shape)


# --- archives and compressed files --------------------------------------------------------------------


def zip_members(data: bytes, rng: Random) -> bytes:
    """Changes what a zip's members hold, are called, or say of their sizes."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    at = rng.randrange(len(members))
    name, content = members[at]
    act = rng.randrange(8)
    bomb = False
    if act < 4:
        changed = (
            json_tree(content, rng)
            if content[:1] in b"{[" and rng.random() < 0.8
            else npy_header(content, rng)
        )
        members[at] = (name, changed)
    elif act == 4:
        members[at] = (
            rng.choice(("../../evil", "/tmp/evil", "x" * 3000, "", "\x1b[2J", "a\\b")),
            content,
        )
    elif act == 5:
        del members[at]
    elif act == 6:
        members.append(members[at])
    else:
        bomb = True
    buffer = io.BytesIO()
    import warnings

    with (
        warnings.catch_warnings(),
        zipfile.ZipFile(buffer, "w", rng.choice((0, zipfile.ZIP_DEFLATED))) as archive,
    ):
        warnings.simplefilter("ignore")
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content)
        if bomb:
            archive.writestr(members[at][0], bytes(60 << 20), zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def zip_sizes(data: bytes, rng: Random) -> bytes:
    """Changes a number in a zip's directory."""
    found = data.rfind(b"PK\x01\x02") if rng.random() < 0.6 else data.find(b"PK\x03\x04")
    at = found + rng.choice((8, 10, 16, 20, 24, 28, 42))
    return data[:at] + struct.pack("<I", rng.choice(BIG)) + data[at + 4 :]


def gzipped(data: bytes, rng: Random) -> bytes:
    """Compresses what is mutated, or a bomb."""
    plain = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    if rng.random() < 0.02:
        return gzip.compress(plain[:200], 1) + BOMB
    return gzip.compress(mutate(plain, rng, (), (plain,)), 1)


# --- arrays and pictures ------------------------------------------------------------------------------


def npy_header(data: bytes, rng: Random) -> bytes:
    """Changes the header of an NPY array."""
    end = data.index(b"\n") + 1
    version = data[6:8]
    words = (
        b"'|O'",
        b"'<U9999999'",
        b"'<f2'",
        b"'<f16'",
        b"'>i8'",
        b"'|V8'",
        b"'|S1'",
        b"[('a','<f8')]",
        b"'M8[s]'",
        b"True",
        b"(2,)",
        b"(99999999999,)",
        b"(-1,)",
        b"()",
        b"(0,)",
        b"(1,)*99",
        b"__import__('os').system('true')",
    )
    text = mutate(data[10:end], rng, words, (data[10:end],))
    size = len(text) if rng.random() < 0.9 else rng.choice((0, 1, 65535))
    if rng.random() < 0.1:
        version = bytes([rng.randrange(4), rng.randrange(2)])
    return data[:6] + version + struct.pack("<H", min(size, 65535)) + text + data[end:]


def npy_array(data: bytes, rng: Random) -> bytes:
    """Saves another array."""
    import numpy as np

    with np.errstate(all="ignore"):
        array = _other_array(np.load(io.BytesIO(data)), rng)
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def png_chunk(data: bytes, rng: Random) -> bytes:
    """Changes a chunk of a PNG and makes its checksum right; often the size that it declares."""
    chunks, at = [], 8
    while at + 8 <= len(data):
        (size,) = struct.unpack(">I", data[at : at + 4])
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + size]))
        at += 12 + size
    number = 0 if rng.random() < 0.4 else rng.randrange(len(chunks))
    name, content = chunks[number]
    if name == b"IHDR" and rng.random() < 0.7:
        content = struct.pack(">II", rng.choice(BIG), rng.choice(BIG)) + content[8:]
    elif name == b"IDAT" and rng.random() < 0.3:
        content = zlib.compress(bytes(rng.choice((0, 10, 1 << 20, 20 << 20))))
    else:
        content = mutate(content, rng, (), (content,))
    chunks[number] = (
        rng.choice(
            (name, name, name, b"tRNS", b"PLTE", b"iCCP", b"zTXt", b"eXIf", b"acTL", b"fdAT")
        ),
        content,
    )
    if rng.random() < 0.2:
        chunks.insert(1, (b"zTXt", b"a\0\0" + zlib.compress(bytes(5 << 20))))
    parts = [
        struct.pack(">I", len(c)) + n + c + struct.pack(">I", zlib.crc32(n + c)) for n, c in chunks
    ]
    return (data[:8] + b"".join(parts))[: 2 * MOST]


def idx_header(data: bytes, rng: Random) -> bytes:
    """Changes the dimensions in an IDX header."""
    zipped = data[:2] == b"\x1f\x8b"
    plain = gzip.decompress(data) if zipped else data
    at = rng.choice((0, 4, 8, 12))
    plain = plain[:at] + struct.pack(">I", rng.choice(BIG)) + plain[at + 4 :]
    return gzip.compress(plain, 1) if zipped else plain

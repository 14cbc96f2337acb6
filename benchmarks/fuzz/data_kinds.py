"""Kinds of files with data: tables, arrays, images, tables of architectures, recorded cases."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import struct
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from fuzz.shapes import (
    BIG,
    gzipped,
    idx_header,
    json_line,
    npy_array,
    npy_header,
    png_chunk,
    zip_members,
    zip_sizes,
)
from fuzz.workers import Kind

# --- tables -------------------------------------------------------------------------------------------


def _csv(folder: Path) -> list[bytes]:
    rows = [
        f"{i},{i * 0.37:.3f},{'red green blue'.split()[i % 3]},2020-01-{1 + i % 28:02},"
        f"{'no yes'.split()[i % 2]}"
        for i in range(24)
    ]
    text = "id,size,colour,when,y\n" + "\n".join(rows) + "\n"
    german = text.replace(",", ";").replace(".", ",")
    quoted = 'a,"b ""c""",z,y\n' + "".join(
        f'{i},"x, {i}\n",{i * i % 7},{i % 2}\n' for i in range(20)
    )
    return [
        text.encode(),
        german.encode(),
        quoted.encode(),
        text.encode("utf-16"),
        gzip.compress(text.encode()),
        b"\xef\xbb\xbfsep=;\n" + german.encode(),
        text.replace("red", "r\u00e9d").encode(),
    ]


def _csv_shape(data: bytes, rng: Random) -> bytes:
    """Makes cells, rows or columns that are out of all proportion."""
    lines = data.split(b"\n")
    at = rng.randrange(len(lines))
    act = rng.randrange(9)
    if act == 0:
        lines[at] += rng.choice((b",", b";", b"\t")) * rng.choice((1, 100, 20_000))
    elif act == 1:
        lines[at] = lines[at].replace(b",", b"," + b"x" * rng.choice((1000, 140_000)) + b",", 1)
    elif act == 2:
        lines[at] = b'"' + lines[at]
    elif act == 3:
        return b"\n".join([lines[0], *lines[1:] * rng.choice((2, 40))])
    elif act == 4:
        wide = b",".join(b"c%d" % i for i in range(rng.choice((50, 3000))))
        return (
            wide
            + b",y\n"
            + b"\n".join(
                b",".join([b"1"] * (wide.count(b",") + 1)) + b",%d" % (i % 2) for i in range(6)
            )
        )
    elif act == 5:
        cells = lines[at].split(b",")
        cells[rng.randrange(len(cells))] = rng.choice(
            (
                b"1e999",
                b"-1e999",
                b"nan",
                b"9" * 400,
                b"0x10",
                b"1_000",
                b"1,5",
                b"99999-99-99",
                b"0001-01-01",
                b"9999-12-31",
                b"2020-01-01T25:00",
                b"1e-400",
                b"+-1",
                b"=cmd|' /C calc'!A0",
                "\u0661\u0662".encode(),
                b"1970-01-01 00:00:00+99:00",
                b"True",
                b"\x1b[2J",
                b"\xc3\x28",
                b"12:30",
                b"1/2/3",
                b"5 %",
                b"$5",
            )
        )
        lines[at] = b",".join(cells)
    elif act == 6:
        return b"\n".join(
            line.rpartition(b",")[0] + b"," + rng.choice((b"", b"1", b"x", b"1e308"))
            for line in lines
        )
    elif act == 7:
        lines[0] = rng.choice(
            (
                b"y",
                b"y,y,y,y,y",
                b",,,,",
                b"1,2,3,4,y",
                b"id,size,colour,when,",
                b"\x1b[31mid,a,b,c,y",
                b" y ,a,b,c,d",
            )
        )
    else:
        return data.replace(b"\n", rng.choice((b"\r", b"\r\n", b"\n\n", b"\x85", b"\x0b", b"\0\n")))
    return b"\n".join(lines)


def _load_table(file: str, folder: Path) -> Any:
    """Reads a table for programs, then as pipelines do."""
    from zero.data.table import Wanted
    from zero.data.tables import read_table
    from zero.data.understand import understand
    from zero.errors import TaskError
    from zero.pipelines.table import TableSettings

    target = None if file.endswith(".npz") else 0 if file.endswith(".npy") else "y"
    refused = None
    try:
        understand(read_table(folder / file, Wanted(target)))
    except TaskError as error:
        refused = error
    found = TableSettings(path=str(folder / file), target=target).data()
    if refused is not None:
        raise refused
    return found


def _npy(folder: Path) -> list[bytes]:
    import numpy as np

    found = []
    for array in (
        np.arange(60.0).reshape(20, 3),
        np.array([["a", "1"], ["b", "2"]] * 9),
        np.eye(12, dtype=np.int16).T,
    ):
        buffer = io.BytesIO()
        np.save(buffer, array)
        found.append(buffer.getvalue())
    return found


def _npz(folder: Path) -> list[bytes]:
    import numpy as np

    found = []
    for save in (np.savez, np.savez_compressed):
        buffer = io.BytesIO()
        save(buffer, X=np.arange(60.0).reshape(20, 3), y=np.arange(20) % 2)
        found.append(buffer.getvalue())
    return found


# --- images -------------------------------------------------------------------------------------------


def _pictures(formats: str, folder: Path) -> list[bytes]:
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(1)
    found = []
    for form in formats.split():
        modes = {
            "png": ("RGB", "L", "RGBA", "P", "LA", "I;16", "1"),
            "gif": ("P",),
            "ppm": ("RGB", "L"),
        }
        for mode in modes.get(form, ("RGB", "L")):
            image = Image.fromarray(rng.integers(0, 255, (6, 7, 3), dtype=np.uint8)).convert(
                "L" if mode == "I;16" else mode
            )
            image = (
                Image.fromarray(np.asarray(image).astype(np.uint16) * 200)
                if mode == "I;16"
                else image
            )
            buffer = io.BytesIO()
            image.save(buffer, form)
            found.append(buffer.getvalue())
    return found


def _load_picture(folder: Path) -> Any:
    from zero.data.image_files import read_image

    return read_image(folder / "picture.png", (5, 5), None, "white")


def _image_arrays(folder: Path) -> list[bytes]:
    import numpy as np

    rng = np.random.default_rng(1)
    found = []
    for x in (
        rng.integers(0, 255, (20, 5, 4, 3), dtype=np.uint8),
        rng.random((20, 5, 4)),
        rng.random((20, 3, 5, 4)).astype("f4"),
    ):
        buffer = io.BytesIO()
        np.savez_compressed(buffer, x=x, y=np.arange(20) % 2)
        found.append(buffer.getvalue())
    return found


def _load_image_arrays(folder: Path) -> Any:
    from zero.data.image_files import read_image_arrays

    return read_image_arrays(folder / "images.npz", "x", "y")


def _idx(folder: Path) -> list[bytes]:
    plain = struct.pack(">BBBBIII", 0, 0, 8, 3, 4, 5, 6) + bytes(range(120))
    return [plain, gzip.compress(plain)]


def _load_idx(folder: Path) -> Any:
    from zero.data.idx import read_idx

    return read_idx(folder / "images", 3)


def _cifar(folder: Path) -> list[bytes]:
    import numpy as np

    data = np.arange(2 * 3072, dtype=np.uint32).astype(np.uint8).reshape(2, 3072)
    batch = {b"data": data, b"labels": [3, 9], b"batch_label": b"b", b"filenames": [b"a", b"b"]}
    return [pickle.dumps(batch, protocol) for protocol in (0, 2, 4)]


_PICKLE_WORDS = (
    b"cos\nsystem\n",
    b"(S'true'\ntR",
    b"cbuiltins\neval\n",
    b"\x93",
    b"\x81",
    b"R",
    b"b",
    b"o",
    b"i",
    b"0",
    b"1",
    b"2",
    b"P1\n",
    b"Q",
    b"\x8a\xff\xff\xff\xff",
    b"\x8b\xff\xff\xff\x7f",
    b"X\xff\xff\xff\x7f",
    b"\x8d" + b"\xff" * 8,
    b"\x8e" + b"\x7f" * 8,
    b"r\xff\xff\xff\xff",
    b"j\xff\xff\xff\xff",
    b"\x95" + b"\xff" * 8,
    b"\x97",
    b"\x96" + b"\xff" * 8,
    b"\x82\x01",
    b"\x84\xff\xff\xff\x7f",
    b"I9999999999\n",
    b"L" + b"9" * 5000 + b"L\n",
    b"(" * 2000,
    b"]" * 2000 + b"a" * 2000,
    b"2\x85" * 40,
    b"ccopyreg\n_reconstructor\n",
    b"cnumpy\ndtype\n",
    b"cnumpy.core.multiarray\n_reconstruct\n",
    b"c_codecs\nencode\n(X\x01\0\0\0aX\x05\0\0\0rot13tR",
)


def _load_cifar(name: str, folder: Path) -> Any:
    from zero.data.cifar import read_cifar

    return read_cifar([folder / name])


def _cifar_records(folder: Path) -> list[bytes]:
    return [b"".join(bytes([i]) + bytes([i * 20] * 3072) for i in range(3))]


# --- tables of architectures, recorded cases ----------------------------------------------------------


def _nas(folder: Path) -> list[bytes]:
    ops = ("none", "skip_connect", "nor_conv_3x3")
    archs = [f"|{a}~0|+|{b}~0|{a}~1|+|{b}~0|{c}~1|{a}~2|" for a in ops for b in ops for c in ops]
    return [
        b"arch,valid,test\n" + "".join(f"{a},{i}.5,{i}.25\n" for i, a in enumerate(archs)).encode(),
        b"arch,valid,test\n"
        + b"".join(
            b"%c%c%c,%d,%d\n" % (*t, i, i) for i, t in enumerate([b"abc", b"abb", b"cab", b"bbb"])
        ),
    ]


def _load_nas(folder: Path) -> Any:
    from zero.cells.table import neighbours, read_cell_table

    return neighbours(read_cell_table(folder / "cells.csv", ["valid", "test"], None))


def _cases(folder: Path) -> list[bytes]:
    instruction = {
        "op": "SCALAR_SUM_OP",
        "in1": 1,
        "in2": 2,
        "out": 3,
        "activation": 0.0,
        "float": [0.0, 0.0, 0.0],
        "index": [0],
    }
    features = 2
    op = {
        "kind": "op",
        "F": features,
        "instruction": {**instruction, "op": "SCALAR_SUM"},
        "before": {
            "scalar": [1.0, 2.0, "nan", 4.0],
            "vector": [[1.0, 2.0]] * 3,
            "matrix": [[[1.0, 2.0], [3.0, 4.0]]] * 2,
        },
        "after": 3.0,
    }
    task = {
        "kind": "algorithm",
        "F": features,
        "setup": [],
        "predict": [{**instruction, "op": "SCALAR_SUM"}],
        "learn": [],
        "max_abs_error": 100.0,
        "eval_type": "RMS_ERROR",
        "train_features": [[1.0, 2.0]] * 3,
        "train_labels": [1.0, 2.0, 3.0],
        "valid_features": [[1.0, 2.0]],
        "valid_labels": [0.5],
        "train_errors": [1.0, 2.0, 3.0],
        "valid_errors": [0.5],
        "fitness": 0.5,
    }
    return [b"".join(json.dumps(case).encode() + b"\n" for case in (op, task))]


def _load_cases(folder: Path) -> Any:
    from zero.bench.conformance import read_cases, run_cases

    return run_cases(read_cases(folder / "cases.jsonl"), "reference", "float64")


def _huge(data: bytes, rng: Random) -> bytes:
    at = rng.randrange(max(1, len(data) - 8))
    return data[:at] + struct.pack("<I", rng.choice(BIG)) + data[at + 4 :]


KINDS = [
    Kind(
        "csv",
        _csv,
        "table.csv",
        partial(_load_table, "table.csv"),
        (b",", b";", b'"', b"\n", b"\r", b"\t", b"nan", b"\xff\xfe"),
        (_csv_shape, _csv_shape, _csv_shape, _csv_shape, _csv_shape, _csv_shape, gzipped),
    ),
    Kind("npy", _npy, "table.npy", partial(_load_table, "table.npy"), (), (npy_header, npy_array)),
    Kind(
        "npz",
        _npz,
        "table.npz",
        partial(_load_table, "table.npz"),
        (b"PK\3\4", b"PK\1\2", b"PK\5\6", b"PK\6\6"),
        (zip_members, zip_sizes),
    ),
    Kind(
        "png",
        partial(_pictures, "png"),
        "picture.png",
        _load_picture,
        (b"IHDR", b"IDAT", b"tRNS", b"eXIf"),
        (png_chunk,),
    ),
    Kind(
        "images",
        partial(_pictures, "jpeg gif bmp webp tiff ppm"),
        "picture.png",
        _load_picture,
        (
            b"\xff\xd8",
            b"\xff\xc0\0\x11\x08\xff\xff\xff\xff\x03",
            b"P6\n99999 99999\n255\n",
            b"P3\n",
            b"P7\n",
            b"II*\0",
            b"MM\0*",
            b"VP8X",
            b"GIF89a",
            b"BM",
        ),
        (_huge,),
    ),
    Kind(
        "image-npz", _image_arrays, "images.npz", _load_image_arrays, (), (zip_members, zip_sizes)
    ),
    Kind("idx", _idx, "images", _load_idx, (), (idx_header, gzipped)),
    Kind("cifar", _cifar, "data_batch_1", partial(_load_cifar, "data_batch_1"), _PICKLE_WORDS),
    Kind("cifar-binary", _cifar_records, "batch.bin", partial(_load_cifar, "batch.bin")),
    Kind(
        "nas-table",
        _nas,
        "cells.csv",
        _load_nas,
        (b"~", b"|", b"+", b"~0|", b"~99999999|"),
        (_csv_shape,),
    ),
    Kind("cases", _cases, "cases.jsonl", _load_cases, (), (json_line,)),
]

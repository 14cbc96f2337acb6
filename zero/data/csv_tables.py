"""Text files of cells: CSV and its kin, gzip or not, to `zero.data.table.Table`.

pandas parses; what it would pass over in silence (ragged rows, a missing header) is looked for here.
"""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import re
import warnings
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

import numpy as np

from zero.data.arrays import ZIP_FREE_BYTES, ZIP_MAX_RATIO
from zero.data.splits import read_error
from zero.data.table import (
    COMMA_NOTE,
    Chosen,
    Reading,
    Table,
    Wanted,
    as_written,
    check_names,
    column_of,
    decimal_of,
    one_line,
    raw_of,
    renamed_note,
    table_of,
)
from zero.errors import TaskError, written

DELIMITERS = (",", ";", "\t", "|")
HEAD = 1 << 16  # bytes in which delimiter and header are looked for
PIECE = 1 << 23  # bytes in which cells are counted at a time

# What pandas takes for empty at once; other spellings are found among the texts that are left.
_EMPTY = [
    "", "NA", "N/A", "n/a", "na", "NaN", "nan", "NAN", "null", "NULL", "Null", "None", "none", "NONE",
    "?", "<NA>", "NaT", "#N/A", "-nan", "-NaN",
]  # fmt: skip


@dataclass(frozen=True)
class _Lines:
    """Where the rows of a text file are; it is read again to tell the line of a row."""

    path: Path
    encoding: str | None
    delimiter: str
    skip: int  # lines before the first row, with the header

    def line_of(self, row: int) -> int:
        """Returns the number of a row's line, from 1."""
        line = self.skip + row + 1  # where no cell has line breaks
        try:
            for number, _ in _rows(_File(self.path, self.encoding).text, self.delimiter, self.skip):
                if row == 0:
                    return number
                row -= 1
        except (TaskError, csv.Error):  # it has gone, or is another by now
            pass
        return line


class _File:
    """A text file, which is read whole only where that cannot be avoided.

    head: its beginning, UTF-8, whole lines. source: what pandas reads: the path, or the text.
    """

    def __init__(self, path: Path, encoding: str | None):
        self._path, self._encoding = path, encoding
        try:
            with path.open("rb") as file:
                head = file.read(HEAD)
        except (OSError, ValueError) as error:  # a path with NUL is a ValueError
            raise read_error(path, error) from None
        marks = (b"\x1f\x8b", b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")
        plain = encoding is None or encoding.lower().replace("_", "-") in ("utf-8", "utf8", "ascii")
        self._plain = plain and not head.startswith(marks)
        if self._plain and head:
            with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as data:
                _check_no_nul(data, str(path))
        head = head if self._plain else self.text[:HEAD]
        self.head = head[: head.rfind(b"\n") + 1] or head if len(head) == HEAD else head
        try:
            self.head.decode()
        except UnicodeDecodeError as error:
            raise _not_text(str(path), "utf-8", error) from None

    @cached_property
    def text(self) -> bytes:
        """All of it, UTF-8."""
        return _decoded(_content(self._path), str(self._path), self._encoding)

    @property
    def source(self) -> Any:
        """See the class."""
        return self._path if self._plain else io.BytesIO(self.text)


def _content(path: Path) -> bytes:
    """Returns a file's bytes, decompressed if they are gzip's (seen by its content)."""
    try:
        data = path.read_bytes()
    except (OSError, ValueError) as error:  # a path with NUL is a ValueError
        raise read_error(path, error) from None
    if data[:2] != b"\x1f\x8b":
        return data
    most = max(ZIP_FREE_BYTES, ZIP_MAX_RATIO * len(data))
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            data = file.read(most + 1)
    except EOFError:
        raise TaskError(f"{path}: the compressed file ends early; get it again") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise TaskError(f"{path}: not gzip, or damaged: {error}; get it again") from None
    if len(data) > most:
        raise TaskError(
            f"{path}: more than {ZIP_MAX_RATIO} times its size when decompressed; refused as damaged"
        )
    return data


def _decoded(data: bytes, where: str, encoding: str | None) -> bytes:
    """Returns the text as UTF-8 without a mark.

    Text stays bytes: most files are UTF-8 already, and a second copy of a large one is not free.
    """
    if encoding is None:
        encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
    try:
        if encoding.lower().replace("_", "-") in ("utf-8", "utf8", "utf-8-sig", "ascii"):
            data = data.removeprefix(b"\xef\xbb\xbf")
            if not data.isascii():
                data.decode()
        else:
            data = data.decode(encoding).removeprefix("\ufeff").encode()
        _check_no_nul(data, where)
        return data
    except LookupError:
        raise TaskError(
            f"{where}: encoding: {one_line(encoding)} is not known; utf-8, cp1252 (Windows), latin-1, "
            "utf-16 are"
        ) from None
    except UnicodeError as error:
        raise _not_text(where, encoding, error) from None


def _check_no_nul(text: bytes | mmap, where: str) -> None:
    """Raises TaskError if a text has a NUL character: pandas's versions read on in different ways."""
    place = text.find(b"\0")
    if place >= 0:
        line = text[:place].count(b"\n") + 1
        raise TaskError(
            f"{where} line {line}: a NUL character, which text does not have; say encoding: utf-16-le if it "
            "is of that kind, or save it as UTF-8"
        )


def _not_text(where: str, encoding: str, error: UnicodeError) -> TaskError:
    near = f" near byte {error.start}" if isinstance(error, UnicodeDecodeError) else ""
    shown = "UTF-8" if encoding == "utf-8" else encoding
    return TaskError(
        f"{where}: not {shown} text ({getattr(error, 'reason', error)}{near}); say encoding: cp1252 if it "
        "comes from Windows, or save it as UTF-8"
    )


def _rows(text: bytes, delimiter: str, skip: int = 0) -> Iterator[tuple[int, list[str]]]:
    """Yields the line number (where it ends, from 1) and the cells of each row that is not empty."""
    stream = io.TextIOWrapper(io.BytesIO(text), encoding="utf-8", newline="")
    for _ in range(skip):
        stream.readline()
    reader = csv.reader(stream, delimiter=delimiter, strict=True)
    for cells in reader:
        if cells:
            yield skip + reader.line_num, cells


@dataclass(frozen=True)
class _Shape:
    """What the head of a text file says: delimiter, names, lines before the rows."""

    delimiter: str
    names: list[str]
    skip: int


def _shape(
    head: bytes,
    where: str,
    reading: Reading,
    asked_for: Collection[str],
    tabs: bool,
    one_is_enough: bool,
) -> _Shape:
    """Returns how a text file is laid out, as its head and the user say.

    asked_for: names of columns; a line that has one of them is the header, whatever else is in it.
    one_is_enough: whether a table may have a single column.
    """
    if not head.strip():
        raise TaskError(f"{where}: an empty file; expected a header line and rows")
    skip, delimiter = 0, reading.delimiter
    first = head.split(b"\n", 1)[0].strip()
    if re.fullmatch(rb"sep=.", first, re.IGNORECASE):  # Excel's own line
        skip, delimiter = 1, delimiter or first[4:].decode()
    lines = head.decode(errors="replace").splitlines()[skip:]
    if delimiter is None:
        delimiter = _likely_delimiter(lines, reading.header, "\t" if tabs else ",")
    if reading.header:
        skip = reading.header - 1
    try:
        rows = _rows(head, delimiter, skip)
        line, cells = next(rows, (0, []))
    except csv.Error as error:
        raise TaskError(f"{where} line {skip + 1}: not CSV: {error}") from None
    if not cells:
        raise TaskError(f"{where}: an empty file; expected a header line and rows")
    if reading.header == 0:
        _check_first(rows, len(cells), where)
        return _Shape(delimiter, [str(i) for i in range(len(cells))], skip)
    names = [" ".join(cell.split()) for cell in cells]

    def later() -> int:
        return next((n for n, more in rows if all(cell.strip() for cell in more)), line + 1)

    check_names(names, where, line, reading.header is not None, asked_for, later)
    if len(names) == 1:  # enough where no target is asked for, as it is for new rows
        seen = next((d for d in DELIMITERS if d != delimiter and d in cells[0]), None)
        hint = f"; give delimiter: {written(seen)}" if seen else ""
        if seen or not one_is_enough:
            raise TaskError(f"{where}: only one column, {one_line(names[0])}{hint}")
    _check_first(rows, len(cells), where)
    return _Shape(delimiter, names, line)


def _check_first(rows: Iterator[tuple[int, list[str]]], width: int, where: str) -> None:
    """Raises TaskError if the first row is too long, which pandas would not mind."""
    with contextlib.suppress(csv.Error):  # told when all rows are read
        line, cells = next(rows, (0, []))
        if len(cells) > width > 1:
            raise TaskError(
                f"{where} line {line}: {len(cells)} cells, the header has {width} columns"
            )


def _likely_delimiter(lines: list[str], header: int | None, usual: str) -> str:
    """Returns the delimiter that cuts the first lines into most cells, the same number in each."""
    lines = [line for line in lines[max(0, (header or 1) - 1) :][:20] if line.strip()]

    def score(delimiter: str) -> tuple[int, int, bool]:
        try:
            counts = [len(cells) for cells in csv.reader(lines, delimiter=delimiter)]
        except csv.Error:
            return (0, 0, delimiter == usual)
        width = counts[0] if counts else 0
        same = sum(count == width for count in counts)
        return (same if width > 1 else 0, width, delimiter == usual)

    return max((usual, *(d for d in DELIMITERS if d != usual)), key=score)


def _start(text: bytes, skip: int) -> int:
    """Returns where the line after `skip` lines begins."""
    at = 0
    for _ in range(skip):
        at = text.find(b"\n", at) + 1
        if at == 0:
            return len(text)
    return at


def _same_cells(text: bytes, shape: _Shape) -> bool:
    """Returns whether a text without quotes has as many cells in each line as there are columns."""
    if b'"' in text:
        return False
    at, end = _start(text, shape.skip), len(text.rstrip(b"\r\n"))
    delimiter, width = ord(shape.delimiter), len(shape.names)
    while at < end:
        stop = text.rfind(b"\n", at, min(at + PIECE, end)) + 1 or end
        if stop <= at or at + PIECE >= end:
            stop = end
        piece = np.frombuffer(text, np.uint8, stop - at, at)
        starts = np.flatnonzero(piece[:-1] == ord("\n")) + 1
        cells = np.add.reduceat(piece == delimiter, np.append(0, starts), dtype=np.int32)
        if (cells != width - 1).any():
            return False
        at = stop
    return True


def _check_cells(text: bytes, shape: _Shape, where: str) -> None:
    """Raises TaskError if a row has more or fewer cells than there are columns."""
    if _same_cells(text, shape):
        return
    line = shape.skip
    try:
        for line, cells in _rows(text, shape.delimiter, shape.skip):
            if len(cells) != len(shape.names):
                raise TaskError(
                    f"{where} line {line}: {len(cells)} cells, the header has {len(shape.names)} columns"
                )
    except csv.Error as error:
        raise TaskError(f"{where} line {line + 1}: not CSV: {error}") from None


def read_text(path: Path, wanted: Wanted, reading: Reading) -> Table:
    """Returns the table in a text file.

    Raises:
        TaskError: it cannot be read, is not CSV, has no header or ragged rows; a column is missing.
    """
    where = str(path)
    file = _File(path, reading.encoding)
    tabs = ".tsv" in path.name.lower()
    shape = _shape(file.head, where, reading, wanted.names, tabs, wanted.target is None)
    chosen = wanted.choose(shape.names, where)
    frame = _parsed(file, shape, where, chosen)
    last = len(shape.names) - 1
    # Rows that are too short have nothing in the last column, and pandas refuses those that are too long
    # where it reads all columns.
    if last not in frame or frame[last].isin(["", np.nan]).any() or len(chosen.used) <= last:
        _check_cells(file.text, shape, where)
    raw = {i: raw_of(frame[i]) for i in chosen.used}
    decimal = reading.decimal or ("." if shape.delimiter == "," else decimal_of(raw.values()))
    columns = {
        i: as_written(chosen.names[i], values)
        if i in chosen.written
        else column_of(chosen.names[i], values, decimal)
        for i, values in raw.items()
    }
    notes = renamed_note(where, shape.names, chosen)
    if decimal != "." and reading.decimal is None:
        notes.append(f"{where}: {COMMA_NOTE}")
    lines = _Lines(path, reading.encoding, shape.delimiter, shape.skip)
    return table_of(where, columns, chosen, decimal, notes, lines.line_of)


def _parsed(file: _File, shape: _Shape, where: str, chosen: Chosen) -> Any:
    """Returns the frame of the used columns, named by their numbers."""
    import pandas as pd  # takes 0.4 s

    keys: dict[str, Any] = {} if pd.__version__ >= "3.1" else {"float_precision": "round_trip"}
    keys |= {
        "sep": shape.delimiter, "header": None, "skiprows": shape.skip, "index_col": False,
        "names": list(range(len(shape.names))), "engine": "c", "keep_default_na": False,
        "na_values": {i: _EMPTY for i in chosen.used if i not in chosen.texts}, "encoding": "utf-8",
    }  # fmt: skip
    if len(chosen.used) < len(shape.names):
        keys["usecols"] = chosen.used
    texts = dict.fromkeys(chosen.texts, str)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of types that differ from piece to piece, see below
            frame = pd.read_csv(file.source, dtype=texts, **keys)
            # A piece of texts may look like numbers, which pandas then writes in its own way.
            mixed = [i for i in chosen.used if frame[i].dtype == object]
            if mixed and len(frame):  # a header alone has no texts either, and pandas fails on it
                again = {**keys, "usecols": mixed}
                frame[mixed] = pd.read_csv(file.source, dtype=dict.fromkeys(mixed, str), **again)
    except UnicodeDecodeError as error:
        raise _not_text(where, "utf-8", error) from None
    except IndexError:  # what pandas says of some files without rows
        raise TaskError(f"{where}: no rows below the header") from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError, OverflowError) as error:
        _check_cells(file.text, shape, where)  # says which line, in our words
        raise TaskError(f"{where}: not CSV: {' '.join(str(error).split())[:200]}") from None
    if len(frame) == 0:
        raise TaskError(f"{where}: no rows below the header")
    return frame

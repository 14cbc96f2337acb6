"""Tables of the user: CSV, NPY and NPZ files, arrays and frames, to features and a target.

Called by `zero.tasks.table`. Every message says the file, the line or row, the column, and what
to do. Lines count from 1 with the header, rows and columns of arrays from 0.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, overload

import numpy as np

from zero.data.arrays import read_npy, read_npz
from zero.data.splits import read_error
from zero.errors import TaskError, unknown_name, visible, written

NUMBER = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
EMPTY = ("", "nan", "na", "n/a", "null", "none", "?")

Column = str | int


class _Reader(Protocol):
    """What `csv.reader` returns; the module has no name for its type."""

    @property
    def line_num(self) -> int: ...

    def __iter__(self) -> Iterator[list[str]]: ...


@dataclass(frozen=True, eq=False)
class RawTable:
    """A table as it was read.

    where: the file, for messages. columns: names of the F features. x (N, F): float64, NaN where a
    cell is no number. target: N strings, numbers or bools. lines: each row's line in a CSV file, else
    empty. bad: row and value of the first cell that is no number, by feature column. ignored: the
    columns that were left out, as they were named.
    """

    where: str
    columns: list[str]
    x: np.ndarray
    target_name: str
    target: Sequence[Any] | np.ndarray
    lines: list[int] = field(default_factory=list)
    bad: dict[int, tuple[int, Any]] = field(default_factory=dict)
    ignored: Sequence[Column] = ()

    def place(self, row: int) -> str:
        """Returns where a row is, for messages."""
        return f"line {self.lines[row]}" if self.lines else f"row {row}"


def as_number(value: object) -> float | None:
    """Returns a number or bool as a float, infinite if it is too big for one; None for others.

    Text is never a number here, and neither is a date: float() would take both.
    """
    value = value.item() if isinstance(value, np.generic) else value
    if not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf


def one_line(text: object) -> str:
    """Returns a value of the user's file as it may stand in a message: one line, not long."""
    text = text.item() if isinstance(text, np.generic) else text
    text = " ".join(repr(text).split())  # repr shows what cannot be seen, such as no-break spaces
    return text if len(text) <= 60 else text[:57] + "..."


@overload
def choose_columns(
    names: list[str],
    target: Column,
    keep: Sequence[Column] | None,
    ignore: Sequence[Column],
    where: str,
) -> tuple[int, list[int]]: ...


@overload
def choose_columns(
    names: list[str],
    target: None,
    keep: Sequence[Column] | None,
    ignore: Sequence[Column],
    where: str,
) -> tuple[None, list[int]]: ...


def choose_columns(
    names: list[str],
    target: Column | None,
    keep: Sequence[Column] | None,
    ignore: Sequence[Column],
    where: str,
) -> tuple[int | None, list[int]]:
    """Returns the target's column number (None if it lies elsewhere) and those of the features.

    Args:
        names: the columns' names. A string names a column, a number counts from 0.
        target: the target column.
        keep: the feature columns; None for all.
        ignore: columns that are no features.
        where: opens the error message.

    Raises:
        TaskError: no such column, the target among the features, or no features.
    """

    def number(column: Column, what: str, key: str, listed: bool = True) -> int:
        if isinstance(column, str):
            # Header names have single spaces; what is copied from the file may have others.
            for name in (column, " ".join(column.split())):
                if name in names:
                    return names.index(name)
            raise TaskError(f"{where}: {unknown_name(f'{what} column', column, names)}")
        named = names.index(str(column)) if str(column) in names else column
        hint = f"{key}: " + written([str(column)] if listed else str(column))
        if not 0 <= column < len(names):
            hint = f"; for the column named {column} write {hint}" if named != column else ""
            raise TaskError(
                f"{where}: {what} column {column} does not exist; columns are 0 to "
                f"{len(names) - 1}{hint}"
            )
        if named != column:
            raise TaskError(
                f"{where}: {what} column {column} may mean column {column} (from 0), named "
                f"'{visible(names[column])}', or the one named {column}; write {hint} for the second, "
                "the name in quotes for the first"
            )
        return column

    at = None if target is None else number(target, "target", "target", listed=False)
    ignored = {number(column, "ignored", "ignore") for column in ignore}
    features = [i for i in range(len(names)) if i != at]
    if keep is not None:
        features = list(
            dict.fromkeys(number(column, "feature", "features_columns") for column in keep)
        )
    if at is not None and (at in ignored or at in features):
        name = visible(names[at])
        raise TaskError(f"{where}: the target column '{name}' is also a feature or ignored")
    features = [i for i in features if i not in ignored]
    if not features:
        raise TaskError(f"{where}: no feature column is left besides the target")
    return at, features


def read_csv(
    path: Path,
    target: Column,
    keep: Sequence[Column] | None = None,
    ignore: Sequence[Column] = (),
    delimiter: str = ",",
) -> RawTable:
    """Returns a CSV file's table. UTF-8, a header line; feature cells are plain numbers.

    Raises:
        TaskError: the file is absent, not UTF-8 text, empty, has no header or ragged rows.

    A feature cell that is no number such as 3, -0.5 or 1e-3 is NaN, and noted in `bad`.
    """
    where = str(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=delimiter, strict=True)
            try:
                return _read_rows(reader, where, target, keep, ignore, delimiter)
            except csv.Error as error:
                raise TaskError(f"{where} line {reader.line_num}: not CSV: {error}") from None
    except UnicodeDecodeError as error:
        raise TaskError(
            f"{where}: not UTF-8 text ({error.reason} near byte {error.start}); save it as UTF-8"
        ) from None
    except OSError as error:
        raise read_error(path, error) from None


def _read_rows(
    reader: _Reader,
    where: str,
    target: Column,
    keep: Sequence[Column] | None,
    ignore: Sequence[Column],
    delimiter: str,
) -> RawTable:
    names = _read_header(reader, where, delimiter)
    at, features = choose_columns(names, target, keep, ignore, where)
    rows: list[np.ndarray] = []
    targets: list[str] = []
    lines: list[int] = []
    bad: dict[int, tuple[int, str]] = {}
    for cells in reader:
        if not cells:  # an empty line
            continue
        line = reader.line_num
        if len(cells) != len(names):
            raise TaskError(
                f"{where} line {line}: {len(cells)} cells, the header has {len(names)} columns"
            )
        texts = [cells[i] for i in features]
        for j, text in enumerate(texts):
            if not NUMBER.fullmatch(text):
                bad.setdefault(j, (len(rows), text))
                texts[j] = "nan"
        rows.append(np.array(texts, dtype=np.float64))
        targets.append(cells[at].strip())
        lines.append(line)
    if not rows:
        raise TaskError(f"{where}: no rows below the header")
    columns = [names[i] for i in features]
    return RawTable(where, columns, np.stack(rows), names[at], targets, lines, bad, ignore)


def _read_header(reader: _Reader, where: str, delimiter: str) -> list[str]:
    header = next((cells for cells in reader if cells), None)
    if header is None:
        raise TaskError(f"{where}: an empty file; expected a header line and rows")
    names = [" ".join(cell.split()) for cell in header]
    if 2 * sum(bool(NUMBER.fullmatch(name)) for name in names) > len(names):
        raise TaskError(
            f"{where} line {reader.line_num}: {one_line(names[0])}, ... are numbers: the header "
            "line with the columns' names is missing; add one"
        )
    if len(names) == 1:
        seen = next((d for d in ",;\t" if d != delimiter and d in names[0]), None)
        hint = f"; give delimiter: {seen!r}" if seen else ""
        raise TaskError(f"{where}: only one column, {one_line(names[0])}{hint}")
    for i, name in enumerate(names):
        if not name or name in names[:i]:
            fault = f"has the name of another, '{visible(name)}'" if name else "has no name"
            raise TaskError(
                f"{where} line {reader.line_num}: column {i} (from 0) {fault}; each needs its own"
            )
    return names


def read_array_table(
    path: Path,
    target: Column,
    keep: Sequence[Column] | None = None,
    ignore: Sequence[Column] = (),
) -> RawTable:
    """Returns the table of an NPY file: a 2-D array of numbers, one column of it the target."""
    table = read_npy(path)
    if table.ndim != 2 or table.dtype.kind not in "biuf":
        raise TaskError(
            f"{path}: shape {table.shape} of '{table.dtype}'; expected a 2-D array of numbers"
        )
    names = [str(i) for i in range(table.shape[1])]
    at, features = choose_columns(names, target, keep, ignore, str(path))
    return RawTable(
        str(path),
        [names[i] for i in features],
        table[:, features].astype(np.float64),
        names[at],
        table[:, at],
        ignored=ignore,
    )


def read_npz_table(
    path: Path,
    names: tuple[str, str],
    keep: Sequence[Column] | None = None,
    ignore: Sequence[Column] = (),
) -> RawTable:
    """Returns the table of an NPZ file: a 2-D array of features and a 1-D array of targets."""
    x, y = read_npz(path, names)
    return from_arrays(x, y, None, keep, ignore, str(path), names)


def from_arrays(
    x: Any,
    y: Any,
    columns: Sequence[str] | None = None,
    keep: Sequence[Column] | None = None,
    ignore: Sequence[Column] = (),
    where: str = "table",
    names: tuple[str, str] = ("X", "y"),
) -> RawTable:
    """Returns the table of features x (N, F) and targets y (N,); both are copied."""
    try:
        x, y = np.array(x), np.array(y)
    except ValueError as error:  # rows of unequal length
        raise TaskError(f"{where}: '{names[0]}' and '{names[1]}' must be arrays: {error}") from None
    if x.ndim != 2 or x.dtype.kind not in "biuf":
        raise TaskError(
            f"{where}: '{names[0]}' has shape {x.shape} and type '{x.dtype}'; expected a 2-D array "
            "of numbers"
        )
    if y.shape != x.shape[:1]:
        raise TaskError(
            f"{where}: '{names[1]}' has shape {y.shape}; expected ({len(x)},), one target for each "
            f"row of '{names[0]}'"
        )
    if columns is not None and len(columns) != x.shape[1]:
        raise TaskError(f"{where}: {len(columns)} column names for {x.shape[1]} columns")
    known = [str(c) for c in (range(x.shape[1]) if columns is None else columns)]
    if len(set(known)) < len(known):
        raise TaskError(f"{where}: two columns have the same name; each needs its own")
    _, features = choose_columns(known, None, keep, ignore, where)
    x = x[:, features].astype(np.float64)
    return RawTable(where, [known[i] for i in features], x, names[1], y, ignored=ignore)


def from_frame(
    frame: Any,
    target: Column,
    keep: Sequence[Column] | None = None,
    ignore: Sequence[Column] = (),
    where: str = "frame",
) -> RawTable:
    """Returns the table of a pandas frame; its feature columns hold numbers or bools."""
    names = [str(column) for column in frame.columns]
    if len(set(names)) < len(names):
        raise TaskError(f"{where}: two columns have the same name; each needs its own")
    at, features = choose_columns(names, target, keep, ignore, where)
    x = np.full((len(frame), len(features)), np.nan)
    bad: dict[int, tuple[int, Any]] = {}
    for j, i in enumerate(features):
        values = np.asarray(frame.iloc[:, i])
        if values.dtype.kind in "biuf":
            x[:, j] = values
            continue
        for row, value in enumerate(values.tolist()):
            number = as_number(value)
            if number is None:
                bad.setdefault(j, (row, value))
            else:
                x[row, j] = number
    columns = [names[i] for i in features]
    target_values = np.asarray(frame.iloc[:, at])
    return RawTable(where, columns, x, names[at], target_values, bad=bad, ignored=ignore)

"""Columns of a table as they were understood: numbers, texts or dates, each with its empty cells.

`zero.data.tables` makes them of files, frames and arrays; `zero.data.prepare` makes features of them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import numpy as np

NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
EMPTY = frozenset(("", "nan", "na", "n/a", "null", "none", "?", "<na>", "nat", "#n/a", "-nan"))
FLAGS = {"true": 1.0, "false": 0.0}

# Dates that can be told without being told: a form for `strptime`, and what its texts look like.
ISO = "iso"
DATES = {
    ISO: re.compile(
        r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?)?(Z|[+-]\d\d:?\d\d)?", re.ASCII
    ),
    "%Y/%m/%d": re.compile(r"\d{4}/\d\d?/\d\d?", re.ASCII),
    "%d.%m.%Y": re.compile(r"\d\d?\.\d\d?\.\d{4}", re.ASCII),
    "%d/%m/%Y": re.compile(r"\d\d?/\d\d?/\d{4}", re.ASCII),
    "%m/%d/%Y": re.compile(r"\d\d?/\d\d?/\d{4}", re.ASCII),
}


@dataclass(frozen=True, eq=False)
class Column:
    """One column of N cells.

    name: its name. values (N,): float64, NaN where a cell is empty: numbers, True and False as 1 and 0,
    dates as seconds since 1970; or int32: numbers of `texts`, -1 where a cell is empty. texts: the
    different texts of a column of texts, None for others. form: of dates, as `date_seconds` takes it.
    """

    name: str
    values: np.ndarray
    texts: Sequence[str] | None = None
    form: str | None = None

    def __len__(self) -> int:
        return len(self.values)

    @property
    def empty(self) -> np.ndarray:
        """Which cells are empty, (N,) bool."""
        return self.values < 0 if self.texts is not None else np.isnan(self.values)

    def take(self, rows: np.ndarray) -> Column:
        """Returns the column with these rows only."""
        return Column(self.name, self.values[rows], self.texts, self.form)

    def cell(self, row: int) -> str | float | None:
        """Returns a cell: a text or a number, None if it is empty."""
        if self.empty[row]:
            return None
        return self.texts[self.values[row]] if self.texts is not None else float(self.values[row])


def is_empty(text: str) -> bool:
    """Returns whether a cell's text stands for no value."""
    return text.strip().lower() in EMPTY


def number_of(text: str, decimal: str = ".") -> float | None:
    """Returns the number that a cell's text is (True and False: 1 and 0), None if it is none."""
    text = text.strip()
    if decimal != ".":
        if "." in text:
            return None
        text = text.replace(decimal, ".")
    if NUMBER.fullmatch(text):
        return float(text)
    return FLAGS.get(text.lower())


def date_seconds(text: str, form: str) -> float | None:
    """Returns the seconds from 1970 to a date (UTC where it names no zone), None if it is no such date.

    form: `ISO` (2024-01-31, with a time and a zone if there is one) or one of `datetime.strptime`.
    """
    try:
        if form == ISO:
            if not DATES[ISO].fullmatch(text):
                return None
            found = datetime.fromisoformat(text)
        else:
            found = datetime.strptime(text, form)
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def of_texts(name: str, codes: np.ndarray, texts: Sequence[str], decimal: str = ".") -> Column:
    """Returns the column of these cells: of numbers or dates if all are, else of texts.

    Args:
        name: of the column.
        codes: (N,) int32, for each cell the number of its text, -1 for an empty one.
        texts: the different texts, each used and none of them blank at its ends.
        decimal: what stands before the decimals of a number.
    """
    if not texts:
        return Column(name, np.full(len(codes), np.nan))
    form = None
    converted = _all(texts, lambda text: number_of(text, decimal))
    if converted is None:
        fits = [f for f, pattern in DATES.items() if pattern.fullmatch(texts[0])]
        dates = {f: _all(texts, partial(date_seconds, form=f)) for f in fits}
        dates = {f: seconds for f, seconds in dates.items() if seconds is not None}
        if len(dates) == 1:  # two: no day above the 12th tells which comes first, day or month
            form, converted = next(iter(dates.items()))
    if converted is None:
        return Column(name, codes.astype(np.int32), texts)
    table = np.append(np.array(converted, dtype=np.float64), np.nan)  # code -1 finds the NaN
    return Column(name, table[codes], None, form)


def _all(texts: Sequence[str], of: Callable[[str], float | None]) -> list[float] | None:
    """Returns what each text is converted to, None if one is not."""
    found = []
    for text in texts:
        value = of(text)
        if value is None:
            return None
        found.append(value)
    return found


def as_text(column: Column) -> Column:
    """Returns a column of texts with the cells of any column: whole numbers without a point."""
    if column.texts is not None:
        return column
    empty = np.isnan(column.values)
    distinct, codes = np.unique(column.values[~empty], return_inverse=True)
    if column.form is not None:
        texts = [datetime.fromtimestamp(v, UTC).isoformat() for v in distinct.tolist()]
    else:
        texts = [number_text(value) for value in distinct.tolist()]
    every = np.full(len(column), -1, dtype=np.int32)
    every[~empty] = codes
    return Column(column.name, every, texts)


def number_text(value: float) -> str:
    """Returns a number as a person writes it: whole ones without a point."""
    return str(int(value)) if math.isfinite(value) and value == int(value) else repr(value)


def numbers_of(column: Column, decimal: str = ".") -> tuple[np.ndarray, np.ndarray]:
    """Returns a column's cells as numbers, (N,) float64, and the rows, rising, whose cells are none."""
    if column.texts is None:
        return column.values, np.zeros(0, dtype=np.int64)
    converted = [number_of(text, decimal) for text in column.texts]
    table = np.array([np.nan if value is None else value for value in converted] + [np.nan])
    bad = np.array([value is None for value in converted] + [False])
    return table[column.values], np.flatnonzero(bad[column.values])

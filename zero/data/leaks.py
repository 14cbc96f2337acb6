"""Columns that tell the target, or only each row, and rows that are there twice: what spoils a validation.

They are suspicions, a line each, with what to do; nothing is left out for them. Called for pipelines.
"""

from __future__ import annotations

import re

import numpy as np

from zero.data.columns import Column
from zero.data.splits import rng_for
from zero.data.table import MOST_SPARSE
from zero.data.understand import Kind, TableData
from zero.errors import visible, written

ENOUGH = 30  # rows, below which chance explains much
MOST_ROWS = 200_000  # that columns are compared with the target on
MOST_CELLS = 40_000_000  # of all columns; but `LEAST_ROWS`
LEAST_ROWS = 2000
SAME = 0.999  # rank correlation with the target, or area under the curve, from which it is told
RARE = 10  # rows of the smaller class, below which a perfect column may be chance
ROOM = 10.0  # times the rows: with fewer possible rows, equal ones are ordinary
_ID = re.compile(r"(.*[\W_])?(id|uid|uuid|guid|key|nr|no|number|code|index|idx|row)|.*[a-z](Id|ID)")


def leaks(data: TableData) -> list[str]:
    """Returns a line for each column or kind of rows of a table that a validation may be spoiled by.

    Columns are compared with the target on a sample of the rows where they are many.
    """
    rows = len(data)
    if rows < ENOUGH:
        return []
    most = int(np.clip(MOST_CELLS // len(data.columns), LEAST_ROWS, MOST_ROWS))
    some = np.arange(rows)
    if rows > most:
        some = np.sort(rng_for("table/leaks", 0).choice(rows, most, replace=False))
    y = data.y[some]
    target = _Target(y, len(data.classes))
    found, possible = [], 0.0
    for column, kind in zip(data.columns, data.kinds, strict=True):
        sample = column.take(some)
        filled = np.flatnonzero(~sample.empty)
        distinct, codes, counts = np.unique(
            sample.values[filled], return_inverse=True, return_counts=True
        )
        possible += float(np.log(len(distinct) + (len(filled) < len(some))))
        why = "" if kind == "text" else _tells(target, sample, filled, codes, counts)
        if not why and len(distinct) == len(filled) >= ENOUGH:
            why = _names_rows(column, kind)
        if why:
            found.append(
                f"{data.where}, column '{visible(column.name)}': {_line(data, column, why)}"
            )
    # Of a few columns with few values each, rows must be equal.
    return found + (_doubles(data) if possible > np.log(ROOM * rows) else [])


def _line(data: TableData, column: Column, why: str) -> str:
    ignore = f"ignore: {written([column.name])}"
    if why in _ROWS:
        return f"{why}; if it says nothing of other rows: {ignore}"
    return f"{why} '{visible(data.target)}'; if it is not known before the target is: {ignore}"


# --- columns --------------------------------------------------------------------------------------


class _Target:
    """A target, of rows that columns are compared with."""

    def __init__(self, y: np.ndarray, classes: int):
        self.y, self.classes = y, classes
        _, self.codes, self.counts = np.unique(y, return_inverse=True, return_counts=True)
        self.ranks = _ranks(self.codes, self.counts)

    def of(self, rows: np.ndarray) -> _Target:
        """Returns the target of these rows only."""
        return self if len(rows) == len(self.y) else _Target(self.y[rows], self.classes)


def _ranks(codes: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Returns the ranks from 1 of values, equal ones their mean, by their numbers in order."""
    return (np.cumsum(counts) - (counts - 1) / 2)[codes]


def _tells(
    target: _Target, column: Column, filled: np.ndarray, codes: np.ndarray, counts: np.ndarray
) -> str:
    """Returns in what way a column tells the target, "" if it does not seem to.

    codes, counts: of the filled cells' values in order, the number of each cell's, and how often each is.
    """
    if target.classes == 2 and len(filled) < len(column) and target.counts.min() >= RARE:
        empty = column.empty
        if np.array_equal(empty, target.y == 1) or np.array_equal(empty, target.y == 0):
            return "is empty for one class only, and tells with that the target"
    if len(filled) < ENOUGH or len(counts) < 2:
        return ""
    target = target.of(filled)
    if len(target.counts) < 2:
        return ""
    if _one_to_one(codes, counts, target):
        same = not target.classes and np.array_equal(column.values[filled], target.y)
        return "equals the target" if same else "has one value for each of the target"
    if column.texts is not None:
        return ""
    if target.classes > 2:
        apart = target.counts.min() * 2 >= RARE and _apart(codes, target)
        return "has values of its own for each class of the target" if apart else ""
    ranks = _ranks(codes, counts)
    if target.classes == 0:
        if abs(np.corrcoef(ranks, target.ranks)[0, 1]) <= SAME:
            return ""
        if np.array_equal(column.values[filled], target.y):
            return "equals the target"
        return "rises or falls with the target"
    few, many = len(target.y) - target.counts[1], target.counts[1]
    below = ranks[target.codes == 1].sum() - many * (many + 1) / 2
    area = below / (few * many)
    if min(few, many) >= RARE and max(area, 1 - area) > SAME:
        return "parts the two classes of the target"
    return ""


def _one_to_one(codes: np.ndarray, counts: np.ndarray, target: _Target) -> bool:
    """Returns whether a column has another value for each of the target's, most of them several times."""
    if len(counts) != len(target.counts) or 2 * len(counts) > len(codes):
        return False
    if len(codes) - counts.max() < RARE // 2:
        return False
    pairs = codes.astype(np.int64) * len(counts) + target.codes
    return len(np.unique(pairs)) == len(counts)


def _apart(codes: np.ndarray, target: _Target) -> bool:
    """Returns whether the classes' values of a column do not overlap."""
    order = np.lexsort((target.codes, codes))
    values, classes = codes[order], target.codes[order]
    changes = np.flatnonzero(classes[1:] != classes[:-1])
    return len(changes) == len(target.counts) - 1 and bool(
        (values[changes + 1] != values[changes]).all()
    )


_ROWS = (
    "has another text in each row, as names and identifiers have",
    "counts the rows, with gaps or not",
    "has another whole number in each row, as identifiers have",
)


def _names_rows(column: Column, kind: Kind) -> str:
    """Returns why a column seems to name each row, of `_ROWS`, "" if it does not."""
    values = column.values[~column.empty]
    if kind == "category":
        return _ROWS[0] if len(np.unique(values)) == len(values) else ""
    if kind != "number" or (values != np.round(values)).any():
        return ""
    steps = np.diff(values)
    if (steps > 0).all() or (steps < 0).all():
        return _ROWS[1]
    dense = np.ptp(values) <= MOST_SPARSE * len(values) and len(values) > 2 * ENOUGH
    if (dense or _ID.fullmatch(column.name)) and len(np.unique(values)) == len(values):
        return _ROWS[2]
    return ""


# --- rows -----------------------------------------------------------------------------------------


def _doubles(data: TableData) -> list[str]:
    """Returns lines on rows that are equal, and on those that are but for their target."""
    mixed = np.zeros(len(data), dtype=np.uint64)
    for column in data.columns:
        _mix(mixed, column.values)
    _, codes, counts = np.unique(mixed, return_inverse=True, return_counts=True)
    again = len(data) - len(counts)
    if again == 0:
        return []
    targets = mixed.copy()
    _mix(targets, data.y)
    kinds = len(np.unique(targets))
    same = len(data) - kinds
    lines = []
    if same:
        said = "1 row is a copy of another" if same == 1 else f"{same} rows are copies of others"
        lines.append(
            f"{data.where}: {said}, target and all; where one is trained on, the other validates "
            "nothing: drop copies, or name a column that they share as groups"
        )
    if kinds > len(counts):
        order = np.lexsort((data.y, codes))
        ends = np.cumsum(counts)
        y = data.y[order]
        other = y[ends - counts] != y[ends - 1]
        number = int(counts[other].sum())
        lines.append(
            f"{data.where}: {number} rows are equal to another in all features, but have another "
            f"'{visible(data.target)}'; no model can be right on all of them: mend them, or give a column "
            "that tells them apart"
        )
    return lines


def _mix(mixed: np.ndarray, values: np.ndarray) -> None:
    """Mixes a column's cells into a number of each row, (N,) uint64."""
    if values.dtype == np.float64:
        values = values + 0.0  # -0.0 is 0.0
        values[np.isnan(values)] = np.nan  # of which there are many
    else:
        values = values.astype(np.int64)
    mixed ^= values.view(np.uint64)
    mixed += np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(30)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(27)
    mixed *= np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)

"""A table checked and with its target as numbers: what `zero.tasks.table` makes tasks from.

Every message is one line: the file, the line or row, the column, what is wrong, what to do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from zero.data.tables import (
    EMPTY,
    NUMBER,
    RawTable,
    as_number,
    one_line,
)
from zero.errors import TaskError, visible, written


@dataclass(frozen=True, eq=False)
class TableData:
    """A checked table.

    where: the file, for messages. x (N, F), y (N,): float64, finite; y is 0 or 1 for a binary
    target. target_name: its column. positive: the value with label 1, empty for regression. notes:
    what a person should know of it, a line each.
    """

    where: str
    x: np.ndarray
    y: np.ndarray
    target_name: str
    positive: str
    notes: tuple[str, ...] = ()


def check_table(raw: RawTable, problem: str) -> TableData:
    """Returns the table with its target as numbers, checked, without constant columns.

    Raises:
        TaskError: fewer than 3 rows, cells that are no finite numbers, nothing but constant columns,
            or a target that does not suit the problem.
    """
    if len(raw.x) < 3:
        found = "only 1 row" if len(raw.x) == 1 else f"only {len(raw.x)} rows"
        raise TaskError(f"{raw.where}: {found}; train, valid and test need at least one each")
    _check_numbers(raw)
    x, notes = _without_constants(raw)
    values = [_target_value(raw, row, value) for row, value in enumerate(list(raw.target))]
    numbers = all(isinstance(value, float) for value in values)
    where = f"{raw.where}, target column '{raw.target_name}'"
    if problem == "regression":
        if not numbers:
            row = next(i for i, value in enumerate(values) if not isinstance(value, float))
            raise TaskError(
                f"{where}, {raw.place(row)}: {one_line(values[row])} is not a number, as problem: "
                "regression needs (problem: binary takes any two values)"
            )
        y = np.array(values)
        if np.ptp(y) == 0:
            raise TaskError(f"{where}: the same value, {y[0]:g}, in every row; nothing to learn")
        return TableData(raw.where, x, y, raw.target_name, "", notes)
    if not numbers:
        values = [value if isinstance(value, str) else f"{value:g}" for value in values]
    distinct = sorted(set(values))
    if len(distinct) != 2:
        shown = ", ".join(one_line(value) for value in distinct[:5])
        more = ", ..." if len(distinct) > 5 else ""
        found = (
            f"{len(distinct)} distinct values" if len(distinct) > 1 else "one value in every row"
        )
        raise TaskError(f"{where}: {found} ({shown}{more}); problem: binary needs exactly two")
    positive = f"{distinct[1]:g}" if numbers else str(distinct[1])
    y = np.array([float(value == distinct[1]) for value in values])
    return TableData(raw.where, x, y, raw.target_name, positive, notes)


def _check_numbers(raw: RawTable) -> None:
    """Raises TaskError, with all columns that cannot be used, if a cell is no finite number."""
    columns = np.flatnonzero(~np.isfinite(raw.x).all(axis=0))
    if len(columns) == 0:
        return
    first = {int(j): int(np.argmin(np.isfinite(raw.x[:, j]))) for j in columns}
    cells = {j: raw.bad.get(j, (row, raw.x[row, j])) for j, row in first.items()}
    cells = {j: cell if cell[0] <= first[j] else (first[j], math.nan) for j, cell in cells.items()}
    worst = min(cells, key=lambda j: (cells[j][0], j))
    row, value = cells[worst]
    if isinstance(value, float):
        fault, fix = "NaN or infinity", "drop the row"
    elif _is_empty(value):
        fault, fix = "is empty or NaN", "fill the cell or drop the row"
    else:
        fault, fix = f"{one_line(value)} is not a finite number like 1.5", "write it as a number"
    others = [f"{written(raw.columns[j])} ({_cell(raw, *cells[j])})" for j in cells if j != worst]
    if others:
        noun = "more column" if len(others) == 1 else "more columns"
        fix = f"{len(others)} {noun} cannot be used: {', '.join(others)}; mend the cells"
    leave = "the column" if len(cells) == 1 else "them"
    ignore = written([*raw.ignored, *(raw.columns[j] for j in cells)])
    raise TaskError(
        f"{raw.where} {raw.place(row)}, column '{visible(raw.columns[worst])}': {fault}; {fix}, or "
        f"leave {leave} out: ignore: {ignore}"
    )


def _is_empty(value: Any) -> bool:
    return str(value).strip().lower() in (*EMPTY, "<na>", "nat")


def _cell(raw: RawTable, row: int, value: Any) -> str:
    """Returns what is wrong with a cell, and where it is, in few words."""
    if isinstance(value, float):
        what = "NaN or infinity"
    else:
        what = "empty" if _is_empty(value) else one_line(value)
    return f"{what} in {raw.place(row)}"


def _without_constants(raw: RawTable) -> tuple[np.ndarray, tuple[str, ...]]:
    """Returns the features that change from row to row, and a note on the others if there are any.

    Raises:
        TaskError: none does.
    """
    constant = (raw.x == raw.x[0]).all(axis=0)
    names = [
        written(name) for name, left_out in zip(raw.columns, constant, strict=True) if left_out
    ]
    if not names:
        return raw.x, ()
    if constant.all():
        others = "" if len(names) == 1 else ", and so has every other feature column"
        raise TaskError(
            f"{raw.where}: column '{visible(raw.columns[0])}' has the same value in every row{others}; "
            "there is nothing to learn from"
        )
    shown = ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
    which = f"{len(names)} of {len(constant)} feature columns"
    verb = "has the same value in every row and is" if len(names) == 1 else (
        "have the same value in every row and are"
    )  # fmt: skip
    return raw.x[:, ~constant], (f"{raw.where}: {which} {verb} left out: {shown}",)


def _target_value(raw: RawTable, row: int, value: Any) -> float | str:
    """Returns a target as a number if it is one, else as text."""
    if isinstance(value, str) and NUMBER.fullmatch(value):
        value = float(value)
    number = as_number(value)
    if number is not None and math.isfinite(number):
        return number
    if not isinstance(value, str) or value.strip().lower() in EMPTY:
        raise TaskError(
            f"{raw.where} {raw.place(row)}: target '{raw.target_name}' is {one_line(value)}; "
            "expected a finite number or text; fill it or drop the row"
        )
    return " ".join(value.split())

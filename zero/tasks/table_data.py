"""A table checked and with its target as numbers: what `zero.tasks.table` makes tasks from.

Every message is one line: the file, the line or row, the column, what is wrong, what to do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from zero.errors import TaskError
from zero.tasks.read_table import EMPTY, NUMBER, RawTable, as_number, one_line


@dataclass(frozen=True, eq=False)
class TableData:
    """A checked table.

    where: the file, for messages. x (N, F), y (N,): float64, finite; y is 0 or 1 for a binary
    target. target_name: its column. positive: the value with label 1, empty for regression.
    """

    where: str
    x: np.ndarray
    y: np.ndarray
    target_name: str
    positive: str


def check_table(raw: RawTable, problem: str) -> TableData:
    """Returns the table with its target as numbers, checked.

    Raises:
        TaskError: fewer than 3 rows, NaN or infinity, a constant column, or a target that does not
            suit the problem.
    """
    if len(raw.x) < 3:
        found = "only 1 row" if len(raw.x) == 1 else f"only {len(raw.x)} rows"
        raise TaskError(f"{raw.where}: {found}; train, valid and test need at least one each")
    if not np.isfinite(raw.x).all():
        row, column = np.argwhere(~np.isfinite(raw.x))[0]
        raise TaskError(
            f"{raw.where} {raw.place(row)}, column '{raw.columns[column]}': NaN or infinity; drop "
            f"the row, or leave the column out: ignore: [{raw.columns[column]}]"
        )
    constant = np.flatnonzero((raw.x == raw.x[0]).all(axis=0))
    if len(constant):
        names = ", ".join(raw.columns[i] for i in constant[:10])
        raise TaskError(
            f"{raw.where}: column '{raw.columns[constant[0]]}' has the same value in every row; "
            f"leave it out: ignore: [{names}]"
        )
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
        return TableData(raw.where, raw.x, y, raw.target_name, "")
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
    positive = f"{distinct[1]:g}" if numbers else distinct[1]
    y = np.array([float(value == distinct[1]) for value in values])
    return TableData(raw.where, raw.x, y, raw.target_name, positive)


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

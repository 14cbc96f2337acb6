"""Columns as a pandas frame that scikit-learn takes, and new rows as such a frame.

A number is float64, a date datetime64[us] (nanoseconds cannot count far years), a category or a text is an
object column of str with NaN where a cell is empty: OneHotEncoder, OrdinalEncoder, TargetEncoder and
SimpleImputer take that for empty without being told, in scikit-learn 1.6 to 1.9 with pandas 2.2 and 3.
Called for pipelines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from zero.data.columns import ISO, Column, as_text, of_texts
from zero.data.mended import Mended, mended_dates, mended_notes, mended_numbers
from zero.data.table import Table, Wanted
from zero.data.understand import Kind, TableData
from zero.errors import TaskError, written

MOST_NAMED = 50


@dataclass(frozen=True)
class FrameColumn:
    """A column of a frame.

    form: how its dates are written in texts. written: whether some of its texts are neither numbers nor
    dates, so that none of a new row's is one: `True` and `007` stay what they are.
    """

    name: str
    kind: Kind
    form: str | None = None
    written: bool = False


def frame_columns(data: TableData) -> tuple[FrameColumn, ...]:
    """Returns what new rows need to become such a frame as the table's own."""
    return tuple(
        FrameColumn(column.name, kind, column.form, _is_written(column, data.decimal))
        for column, kind in zip(data.columns, data.kinds, strict=True)
    )


def _is_written(column: Column, decimal: str) -> bool:
    """Returns whether a column of texts was one when it was read: else it would have been one of numbers."""
    if column.texts is None:
        return False
    one_each = np.arange(len(column.texts), dtype=np.int32)
    return of_texts(column.name, one_each, column.texts, decimal).texts is not None


def wanted_rows(columns: Sequence[FrameColumn]) -> Wanted:
    """Returns what new rows are read with for `rows_like`."""
    written = [column.name for column in columns if column.written]
    return Wanted(only=[column.name for column in columns], written=written, rename=True)


def frame_of(columns: Sequence[Column], kinds: Sequence[Kind]) -> Any:
    """Returns the pandas frame of columns, each of which is of its kind."""
    import pandas as pd

    return pd.DataFrame(
        {column.name: _series(column, kind) for column, kind in zip(columns, kinds, strict=True)},
        copy=False,
    )


def _series(column: Column, kind: Kind) -> Any:
    import pandas as pd

    if kind == "number":
        return pd.Series(column.values, dtype=np.float64)
    if kind == "date":
        empty = column.empty
        counted = np.round(np.where(empty, 0.0, column.values) * 1e6).astype(np.int64)
        dates = counted.astype("datetime64[us]")
        dates[empty] = np.datetime64("NaT")
        return pd.Series(dates)
    column = as_text(column)
    assert column.texts is not None
    texts = np.array([*column.texts, np.nan], dtype=object)  # code -1 finds the NaN
    return pd.Series(texts[column.values], dtype=object)  # else pandas 3 makes it one of its own


def rows_like(
    table: Table, columns: Sequence[FrameColumn], where: str | None = None
) -> tuple[Any, list[str]]:
    """Returns new rows as a frame with these columns, in their order, and notes on cells that were not used.

    Cells that are not of their column's kind become empty; texts that no train row had are kept. Other
    columns of the table are not looked at.

    Args:
        table: read with `wanted_rows(columns)`.
        columns: see `frame_columns`.
        where: opens messages; default the table's file.

    Raises:
        TaskError: columns are missing; names them.
    """
    where = table.where if where is None else where
    absent = [column.name for column in columns if column.name not in table.features]
    if absent:
        noun = "column is" if len(absent) == 1 else "columns are"
        more = f" and {len(absent) - MOST_NAMED} more" if len(absent) > MOST_NAMED else ""
        has = list(table.features)
        others = f" and {len(has) - 10} more" if len(has) > 10 else ""
        raise TaskError(
            f"{where}: {len(absent)} {noun} missing that the model was trained on: "
            f"{', '.join(map(written, absent[:MOST_NAMED]))}{more}; the table has "
            f"{', '.join(map(written, has[:10]))}{others}"
        )
    found: list[Column] = []
    mended: list[Mended] = []
    for wanted in columns:
        column, told = table.features[wanted.name], list[Mended]()
        if wanted.kind == "number":
            column, told = mended_numbers(column, table.decimal)
        elif wanted.kind == "date":
            column, told = mended_dates(column, wanted.form or ISO)
        found.append(column)
        mended += told
    frame = frame_of(found, [wanted.kind for wanted in columns])
    return frame, mended_notes(where, mended, table.place)

"""Rows that Python gives instead of a file: arrays and frames as tables, and back to the user's own.

Called by `zero.estimators`. `reader` is for pipelines that shall work where zero is not installed: it makes
of the user's rows what pipelines take, by pandas alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from zero.data.columns import Column
from zero.data.frame_of import FrameColumn, rows_like, wanted_rows
from zero.data.frames import of_arrays, of_frame
from zero.data.table import Table, Wanted
from zero.data.understand import TableData, understand

X, Y = "X", "y"  # what messages call the rows and the target


def understood(
    x: Any, names: Sequence[str], y: np.ndarray, classes: Sequence[Any], special: Mapping[str, Any]
) -> TableData:
    """Returns rows with a target as the table of a run.

    Args:
        x: (N, F), an array or a pandas frame.
        names: of its columns.
        y: (N,) numbers, or numbers of classes.
        classes: the classes in their order; none of a regression.
        special: (N,) by what they are for: weights, groups, time; None: not given.

    Raises:
        TaskError: they cannot be used.
    """
    table = _table(x, names, Wanted(rename=True))
    given = {key: _column(key, values) for key, values in special.items() if values is not None}
    table = replace(table, target=Column(Y, y.astype(np.float64)), special=given)
    problem: Any = "regression" if not classes else "binary" if len(classes) == 2 else "multiclass"
    data = understand(table, problem, texts=True, lenient=True)
    return replace(data, classes=tuple(map(str, classes)))


def rows_of(x: Any, names: Sequence[str], columns: Sequence[FrameColumn]) -> Any:
    """Returns new rows as a frame that pipelines take; args as for `understood`."""
    return rows_like(_table(x, names, wanted_rows(columns)), columns, X)[0]


def _table(x: Any, names: Sequence[str], wanted: Wanted) -> Table:
    if hasattr(x, "iloc"):
        return of_frame(x.set_axis(list(names), axis=1), wanted, X)
    return of_arrays(x, None, names, wanted, X)


def _column(name: str, values: Any) -> Column:
    import pandas as pd

    frame = pd.DataFrame({name: np.asarray(values)})
    return of_frame(frame, Wanted(), name).features[name]


def reader(
    labels: Sequence[Any] | None, names: Sequence[str], columns: Sequence[FrameColumn]
) -> Any:
    """Returns steps (name, transformer) that make of rows like the user's what pipelines take.

    Args:
        labels: by which a frame's columns are found; None for an array.
        names: of all columns of the rows, in their order.
        columns: that pipelines take.
    """
    import operator

    import pandas as pd
    from sklearn.preprocessing import FunctionTransformer

    kinds = {"number": "float64", "date": "datetime64[us]"}
    steps: list[Any] = []
    if labels is None:
        steps.append(FunctionTransformer(pd.DataFrame, kw_args={"columns": list(names)}))
    else:
        steps.append(FunctionTransformer(operator.itemgetter(list(labels))))
        if list(labels) != list(names):
            named = {"labels": list(names), "axis": 1}
            steps.append(FunctionTransformer(pd.DataFrame.set_axis, kw_args=named))
    types = {column.name: kinds.get(column.kind, "object") for column in columns}
    steps.append(FunctionTransformer(operator.itemgetter(list(types))))
    steps.append(FunctionTransformer(pd.DataFrame.astype, kw_args={"dtype": types}))
    if "object" in types.values():  # None and pandas.NA are empty, too
        empty = {"cond": pd.isna, "other": np.nan}
        steps.append(FunctionTransformer(pd.DataFrame.mask, kw_args=empty))
    return [(f"read{k}", step) for k, step in enumerate(steps, 1)]


def is_same(one: Any, other: Any) -> bool:
    """Returns whether two frames hold the same cells."""
    return list(one.columns) == list(other.columns) and all(
        one[name].reset_index(drop=True).equals(other[name].reset_index(drop=True))
        for name in one.columns
    )

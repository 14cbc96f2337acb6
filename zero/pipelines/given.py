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
MOST_DENSE = 100_000_000  # cells of a sparse matrix that is made dense: 800 MB
HEAD = 200  # rows that `reader` is tried on


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


def reader(given: Any, names: Sequence[str], columns: Sequence[FrameColumn]) -> list[Any]:
    """Returns steps (name, transformer) that make of rows like the user's what pipelines take.

    Args:
        given: some rows of the user's, a frame or an array.
        names: of all their columns, in their order.
        columns: that pipelines take.

    Raises:
        ValueError: pandas alone does not read these rows as zero did.
    """
    from sklearn.pipeline import Pipeline

    labels = list(given.columns) if hasattr(given, "iloc") else None
    if labels is not None and len(set(labels)) < len(labels):
        raise ValueError("columns of X have equal names; give each its own")
    steps = _reading(labels, names, columns)
    try:
        same = _is_same(Pipeline(steps).transform(given), rows_of(given, names, columns))
    except (TypeError, ValueError) as error:
        raise ValueError(f"X is read in a way that pandas alone does not: {error}") from None
    if not same:
        raise ValueError(
            "X has cells that pandas alone reads otherwise, such as numbers among texts; give columns of "
            "one type each, or keep the run (folder=...) and use `zero export`"
        )
    return steps


def _reading(
    labels: Sequence[Any] | None, names: Sequence[str], columns: Sequence[FrameColumn]
) -> list[Any]:
    """Returns the steps of `reader`; labels: by which a frame's columns are found, None for an array."""
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


def _is_same(one: Any, other: Any) -> bool:
    """Returns whether two frames hold the same cells."""
    return list(one.columns) == list(other.columns) and all(
        one[name].reset_index(drop=True).equals(other[name].reset_index(drop=True))
        for name in one.columns
    )


# --- rows of several kinds ------------------------------------------------------------------------


def of_pandas(values: Any) -> Any:
    """Returns a frame or series of another library as one of pandas, all else as it is."""
    if type(values).__name__ == "LazyFrame":  # of polars
        values = values.collect()
    return values.to_pandas() if hasattr(values, "to_pandas") else values


def dense(values: Any) -> Any:
    """Returns a sparse matrix as an array, all else as it is."""
    if not (hasattr(values, "toarray") and hasattr(values, "tocsr")):
        return values
    rows, width = values.shape
    if rows * width > MOST_DENSE:
        raise ValueError(
            f"X is a sparse matrix of {rows:,} x {width:,} cells, and at most {MOST_DENSE:,} are made dense; "
            "reduce its columns first, such as by sklearn.decomposition.TruncatedSVD"
        )
    return values.toarray()


def has_texts(values: Any) -> bool:
    """Returns whether it is a frame with columns that are not numbers."""
    if not hasattr(values, "columns") or not hasattr(values, "dtypes"):
        return False
    return any(getattr(dtype, "kind", "O") not in "biuf" for dtype in values.dtypes)


def is_no_number(values: Any) -> bool:
    """Returns whether some cell of an array is no number."""
    try:
        np.asarray(values).astype(np.float64)
    except (TypeError, ValueError):
        return True
    return False


def head(given: Any, checked: Any) -> Any:
    """Returns a copy of the first rows in the form in which they were given."""
    given = of_pandas(given)
    return given.iloc[:HEAD].copy() if hasattr(given, "iloc") else checked[:HEAD].copy()


def distinct(values: Any) -> np.ndarray:
    """Returns the different targets, in order."""
    try:
        return np.unique(values)
    except TypeError:
        kinds = sorted({type(value).__name__ for value in values.tolist()})
        raise ValueError(
            f"y has values of several types ({', '.join(kinds)}); give one type"
        ) from None

"""Frames and arrays to `zero.data.table.Table`: what is taken from a file is taken from them, too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from zero.data.columns import ISO, Column
from zero.data.table import Table, Wanted, as_written, cell_text, column_of, raw_of, table_of
from zero.errors import TaskError, visible

ALL = Wanted()


def of_frame(frame: Any, wanted: Wanted, where: str = "frame") -> Table:
    """Returns the table of a pandas frame (one of polars is converted)."""
    if hasattr(frame, "to_pandas"):
        frame = frame.to_pandas()
    names = [str(column) for column in frame.columns]
    chosen = wanted.choose(names, where)
    columns = {i: _of_series(names[i], frame.iloc[:, i], i == chosen.target) for i in chosen.used}
    return table_of(where, columns, chosen)


def _of_series(name: str, values: Any, target: bool = False) -> Column:
    """Returns the column of a pandas series of any type."""
    import pandas as pd

    if target and pd.api.types.is_bool_dtype(values.dtype):
        values = values.astype(object)

    kind = values.dtype.kind if isinstance(values.dtype, np.dtype) else "O"
    if kind in "c":
        raise TaskError(f"column '{visible(name)}' holds complex numbers; give real ones")
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        if getattr(values.dt, "tz", None) is not None:
            values = values.dt.tz_convert("UTC").dt.tz_localize(None)
        seconds = values.to_numpy(dtype="datetime64[ns]")
        numbers = seconds.astype(np.int64) / 1e9
        return Column(name, np.where(np.isnat(seconds), np.nan, numbers), None, ISO)
    if kind == "m":
        values = values.dt.total_seconds()
    if pd.api.types.is_numeric_dtype(values.dtype) and kind != "m":  # nullable integers, bools too
        return Column(name, values.to_numpy(dtype=np.float64, na_value=np.nan))
    if kind == "O" and not isinstance(values.dtype, pd.CategoricalDtype):
        values = values.map(_plain, na_action="ignore")
    return as_written(name, raw_of(values)) if target else column_of(name, raw_of(values), ".")


def _plain(value: Any) -> Any:
    """Returns what a cell of a frame of objects is: text for what cannot be told apart by hash."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return cell_text(value) if not isinstance(value, str) else value


def of_arrays(
    x: Any,
    y: Any = None,
    names: Sequence[str] | None = None,
    wanted: Wanted = ALL,
    where: str = "table",
    called: tuple[str, str] = ("X", "y"),
) -> Table:
    """Returns the table of features x (N, C), numbers or texts, and, if given, of targets y (N,)."""
    if hasattr(x, "columns") and hasattr(x, "iloc"):
        if names is None:
            names = [str(column) for column in x.columns]
        frame = x
    else:
        x = _array(x, where, called[0])
        if x.ndim != 2:
            raise TaskError(
                f"{where}: '{called[0]}' has shape {x.shape}; expected a 2-D array, a row for each "
                "example"
            )
        frame = None
    width, rows = x.shape[1], x.shape[0]
    if names is not None and len(names) != width:
        raise TaskError(f"{where}: {len(names)} column names for {width} columns")
    known = [str(i) for i in range(width)] if names is None else [str(name) for name in names]
    chosen = wanted.choose(known, where)
    columns = {
        i: _of_array(known[i], x[:, i]) if frame is None else _of_series(known[i], x.iloc[:, i])
        for i in chosen.used
    }
    target = None
    if y is not None:
        y = _array(y, where, called[1])
        if y.ndim == 2 and y.shape[1] == 1:
            y = y[:, 0]
        if y.shape != (rows,):
            raise TaskError(
                f"{where}: '{called[1]}' has shape {y.shape}; expected ({rows},), one target for each "
                f"row of '{called[0]}'"
            )
        target = _of_array(called[1], y, target=True)
    table = table_of(where, columns, chosen)
    return table if target is None else replace(table, target=target)


def _array(values: Any, where: str, name: str) -> np.ndarray:
    if hasattr(values, "toarray") and hasattr(values, "tocsr"):
        raise TaskError(f"{where}: '{name}' is a sparse matrix; give {name}.toarray()")
    if np.ma.is_masked(values):
        raise TaskError(f"{where}: '{name}' is a masked array; give {name}.filled(numpy.nan)")
    try:
        array = np.asarray(values)
    except ValueError as error:  # rows of unequal length
        raise TaskError(f"{where}: '{name}' must be an array: {error}") from None
    if array.dtype.kind not in "biufOUSM":
        raise TaskError(
            f"{where}: '{name}' has shape {array.shape} and type '{array.dtype}'; expected an array of "
            "numbers or texts"
        )
    return array


def _of_array(name: str, values: np.ndarray, target: bool = False) -> Column:
    if values.dtype.kind in "iuf" or (values.dtype.kind == "b" and not target):
        return Column(name, values.astype(np.float64))
    import pandas as pd

    return _of_series(name, pd.Series(values), target)

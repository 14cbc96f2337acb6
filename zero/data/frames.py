"""Frames and arrays to `zero.data.table.Table`: what is taken from a file is taken from them, too."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from zero.data.columns import ISO, Column
from zero.data.table import (
    COMMA_NOTE,
    Chosen,
    Raw,
    Table,
    Wanted,
    as_written,
    cell_text,
    column_of,
    decimal_of,
    raw_of,
    renamed_note,
    table_of,
)
from zero.errors import TaskError, visible, written

ALL = Wanted()


def of_frame(frame: Any, wanted: Wanted, where: str = "frame", decimal: str | None = None) -> Table:
    """Returns the table of a pandas frame (one of polars or Arrow is converted).

    decimal: before the decimals of numbers that are written as texts; None: as it seems.
    """
    frame = _of_pandas(frame)
    names = [str(column) for column in frame.columns]
    chosen = wanted.choose(names, where)
    cells = {
        i: _of_series(chosen.names[i], frame.iloc[:, i], i in chosen.written) for i in chosen.used
    }
    return _of_cells(where, names, cells, chosen, decimal)


def _of_pandas(frame: Any) -> Any:
    """Returns a frame of another library as one of pandas, all else as it is."""
    if type(frame).__name__ == "LazyFrame":  # of polars
        frame = frame.collect()
    return frame.to_pandas() if hasattr(frame, "to_pandas") else frame


def by_label(labels: Iterable[Any], keys: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a table's keys with the columns that they name by label named by text, as tables name them.

    Where labels are whole numbers, a number is a label and never a position.
    """
    texts = {label: str(label) for label in labels if not isinstance(label, str | bool)}
    whole = any(isinstance(label, int | np.integer) for label in texts)

    def name(value: Any) -> Any:
        if isinstance(value, str | bool | np.bool_) or not isinstance(value, Hashable):
            return value
        if value in texts:
            return texts[value]
        return str(value) if whole and isinstance(value, int | np.integer) else value

    def named(key: str, value: Any) -> Any:
        if key in ("ignore", "features_columns"):
            return [name(v) for v in value] if isinstance(value, list | tuple) else value
        if key == "types" and isinstance(value, Mapping):
            return {name(column): kind for column, kind in value.items()}
        return name(value) if key in ("target", "split_by", "groups", "time", "weights") else value

    return {key: named(key, value) for key, value in keys.items()}


def _of_cells(
    where: str,
    names: Sequence[str],
    cells: dict[int, Column | Raw],
    chosen: Chosen,
    decimal: str | None,
) -> Table:
    seen = decimal or decimal_of(cells.values(), typed=True)
    columns = {
        i: values
        if isinstance(values, Column)
        else as_written(chosen.names[i], values)
        if i in chosen.written
        else column_of(chosen.names[i], values, seen)
        for i, values in cells.items()
    }
    notes = [f"{where}: {COMMA_NOTE}"] if decimal is None and seen != "." else []
    notes += renamed_note(where, names, chosen)
    return table_of(where, columns, chosen, seen, notes)


def _of_series(name: str, values: Any, written: bool = False) -> Column | Raw:
    """Returns the column of a pandas series, or its cells if they are texts."""
    import pandas as pd

    if written and pd.api.types.is_bool_dtype(values.dtype):
        values = values.astype(object)

    kind = values.dtype.kind if isinstance(values.dtype, np.dtype) else "O"
    if kind in "c":
        raise TaskError(f"column '{visible(name)}' holds complex numbers; give real ones")
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        if getattr(values.dt, "tz", None) is not None:
            values = values.dt.tz_convert("UTC").dt.tz_localize(None)
        times = values.to_numpy(dtype="datetime64[us]")  # nanoseconds cannot count far years
        numbers = times.astype(np.int64) / 1e6
        return Column(name, np.where(np.isnat(times), np.nan, numbers), None, ISO)
    if kind == "m":
        values = values.dt.total_seconds()
    if pd.api.types.is_numeric_dtype(values.dtype) and kind != "m":  # nullable integers, bools too
        return Column(name, values.to_numpy(dtype=np.float64, na_value=np.nan))
    if kind == "O" and not isinstance(values.dtype, pd.CategoricalDtype):
        _check_plain(name, values)
        values = values.map(_plain, na_action="ignore")
    return raw_of(values)


def _check_plain(name: str, values: Any) -> None:
    """Raises TaskError if the first cell that is not empty holds several values."""
    first = values.first_valid_index() if values.index.is_unique else None
    cell = None if first is None else values[first]
    if isinstance(cell, list | tuple | dict | set | frozenset | np.ndarray):
        raise TaskError(
            f"column '{visible(name)}' holds values of type {type(cell).__name__}, not one number or text in "
            f"a cell; give each part a column of its own, or leave it out: ignore: {written([name])}"
        )


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
    decimal: str | None = None,
) -> Table:
    """Returns the table of features x (N, C), numbers or texts, and, if given, of targets y (N,)."""
    x = _of_pandas(x)
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
    cells = {
        i: _of_array(chosen.names[i], x[:, i], i in chosen.written)
        if frame is None
        else _of_series(chosen.names[i], x.iloc[:, i], i in chosen.written)
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
        raw = _of_array(called[1], y, written=True)
        target = raw if isinstance(raw, Column) else as_written(called[1], raw)
    table = _of_cells(where, known, cells, chosen, decimal)
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


def _of_array(name: str, values: np.ndarray, written: bool = False) -> Column | Raw:
    if values.dtype.kind in "iuf" or (values.dtype.kind == "b" and not written):
        return Column(name, values.astype(np.float64))
    import pandas as pd

    return _of_series(name, pd.Series(values), written)

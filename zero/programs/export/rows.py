"""From raw rows to features, and a few lines more, as exported Python modules do it.

The source of these functions is copied into them, with that of the functions imported here: so they need
NumPy and the standard library alone, and take plain values. They do what `zero.data.prepare` does for a
table that was read.
"""

from __future__ import annotations

import math
import warnings
from datetime import UTC, datetime
from typing import Any

import numpy as np

from zero.data.columns import EMPTY, date_seconds, is_empty, number_of, number_text
from zero.data.prepare import DAY, date_parts

__all__ = ["DAY", "EMPTY", "raw_features"]


def with_entry(array: np.ndarray, value: float, *at: int) -> np.ndarray:
    """Returns a copy with another number at a place, of each row."""
    new = np.array(array)
    place: Any = (..., *at)
    new[place] = value
    return new


def at_fraction(F: int, fraction: float) -> int:
    """Returns the index that a fraction of F features is."""
    return int(np.float32(F) * np.float32(fraction))


def raw_features(rows: Any, columns: list[dict[str, Any]], decimal: str) -> np.ndarray:
    """Returns the features (N, R) of raw rows before they are standardised."""
    table = cells_of(rows, [column["name"] for column in columns])
    features, strange = [], []
    for column in columns:
        name, kind = column["name"], column["kind"]
        read = {"number": number_in, "date": seconds_in, "category": text_in}[kind]
        values = []
        for row, cell in enumerate(table[name]):
            found = None if is_nothing(cell) else read(cell, column, decimal)
            if isinstance(found, float) and not math.isfinite(found):
                raise ValueError(f"column {name!r}, row {row} (from 0): {cell!r} is no {kind}")
            values.append(found)
        empty = np.array([value is None for value in values], bool)
        if kind == "category":
            wanted = [
                np.array([v == c for v in values], bool) for c in column.get("categories", [])
            ]
            if column.get("other"):
                known = {None, *column.get("known", [])}
                wanted.append(np.array([v not in known for v in values], bool))
        else:
            numbers = np.array([column.get("fill", 0.0) if v is None else v for v in values], float)
            if unlike(numbers[~empty], column.get("low"), column.get("high")):
                strange.append(name)
            parts = date_parts(numbers) if kind == "date" else {}
            wanted = [parts[part] for part in column.get("parts", [])] if parts else [numbers]
        features += wanted + ([empty] if column.get("missing") else [])
    if strange:
        warnings.warn(
            f"not as in training, another unit or scale: {', '.join(strange)}", stacklevel=3
        )
    return np.stack(features, axis=1).astype(np.float64)


def cells_of(rows: Any, names: list[str]) -> dict[str, list[Any]]:
    """Returns the cells of each column."""
    if hasattr(rows, "keys"):  # a dict or a frame of columns
        known = list(rows.keys())
    elif len(rows) and hasattr(rows[0], "keys"):
        known = [name for name in names if all(name in row for row in rows)]
    else:
        if any(len(row) != len(names) for row in rows):
            raise ValueError(f"rows need {len(names)} cells each: {', '.join(names)}")
        return {name: [row[k] for row in rows] for k, name in enumerate(names)}
    absent = [name for name in names if name not in known]
    if absent:
        raise ValueError(f"the rows lack columns: {', '.join(absent)}")
    if hasattr(rows, "keys"):
        return {name: list(rows[name]) for name in names}
    return {name: [row[name] for row in rows] for name in names}


def is_nothing(cell: Any) -> bool:
    """Returns whether a cell is empty: None, NaN, or a text that stands for no value."""
    return cell is None or is_empty(str(cell))


def number_in(cell: Any, column: dict[str, Any], decimal: str) -> float:
    """Returns the number in a cell, NaN if it is none."""
    if not isinstance(cell, str):
        return float(cell)
    found = number_of(cell, decimal)
    return math.nan if found is None else found


def seconds_in(cell: Any, column: dict[str, Any], decimal: str) -> float:
    """Returns the seconds from 1970 to the date in a cell (a number: these seconds), NaN if it is none."""
    if isinstance(cell, np.datetime64):
        return float((cell - np.datetime64(0, "s")) / np.timedelta64(1, "s"))
    if isinstance(cell, datetime):
        return (cell if cell.tzinfo else cell.replace(tzinfo=UTC)).timestamp()
    if not isinstance(cell, str):
        return float(cell)
    found = date_seconds(cell.strip(), column.get("form", "iso"))
    return math.nan if found is None else found


def text_in(cell: Any, column: dict[str, Any], decimal: str) -> str:
    """Returns the text in a cell; of a number that which training knew: 1 for 1.0."""
    text = cell.strip() if isinstance(cell, str) else None
    if text in column.get("known", []):
        return str(text)
    number = number_of(text, decimal) if text is not None else float(cell)
    return str(text) if number is None else number_text(number)


def unlike(values: np.ndarray, low: float | None, high: float | None) -> bool:
    """Returns whether a column's numbers look as if they were in another unit than in training.

    That is: training saw low to high, and all numbers lie further outside than the width of this; or there
    are at least 20, with fractions, all within 0 to 1, where training saw a width above 2. Few other
    columns are like that, so a warning means something.
    """
    if low is None or high is None or high <= low or len(values) == 0:
        return False
    width = high - low
    outside = bool(np.all((values < low - width) | (values > high + width)))
    unit = bool(values.min() >= 0 and values.max() <= 1 and (values != np.floor(values)).any())
    return outside or (len(values) >= 20 and unit and width > 2)

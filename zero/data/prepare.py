"""What is done to a row of a table before a program sees it: kept as plain numbers and texts.

`plan` decides once which columns are used and how; `fit` finds the numbers on train rows; the
`Preparation` that comes of it is stored with a trained program and written into its exports. It does
what scikit-learn's SimpleImputer (with indicator), OneHotEncoder (rare and new categories as one) and
StandardScaler do, in this order; a test holds it against them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import numpy as np

from zero.data.columns import Column, as_text, date_seconds, numbers_of
from zero.data.splits import center_and_scale
from zero.errors import TaskError, visible

MOST_CATEGORIES = 20  # of a column, each with a feature of its own; the rest are one
RARE = 0.01  # a category that fewer than this share of the rows have is one of the rest
BLOCK = 4096  # rows that are scaled at a time: its copies stay small and near
MOST_TOLD = 20  # columns in a message
DAY = 86400.0
PARTS = ("days", "month", "weekday", "hour")  # of a date

ColumnKind = Literal["number", "category", "date"]


@dataclass(frozen=True)
class ColumnPlan:
    """How a column becomes features, in this order.

    number: its value, `fill` where the cell is empty; then, if `missing`, 1 where it is empty, else 0.
    category: for each of `categories` 1 where the cell is that text, else 0; if `other`, 1 for any text
    that is none of `known`; if `missing`, 1 where it is empty. date: its `parts` (days since 1970 with
    fraction, month 1 to 12, weekday 0 = Monday, hour with fraction), those of `fill` (in seconds since 1970)
    where it is empty; then `missing`.

    known: the texts that were seen and are not pooled; of two categories without others, only the
    second has a feature. form: of a date, see `zero.data.columns.date_seconds`. low, high: of numbers and
    dates, the range that was seen, NaN where it was not recorded; no feature depends on it.
    """

    name: str
    kind: ColumnKind
    fill: float = 0.0
    missing: bool = False
    categories: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    other: bool = False
    form: str | None = None
    parts: tuple[str, ...] = ()
    low: float = field(default=np.nan, compare=False)  # NaN is no NaN's equal
    high: float = field(default=np.nan, compare=False)

    @property
    def features(self) -> list[str]:
        """The features' names."""
        if self.kind == "category":
            names = [f"{self.name}={c}" for c in self.categories]
            names += [f"{self.name}=(other)"] if self.other else []
        elif self.kind == "date":
            names = [f"{self.name}.{part}" for part in self.parts]
        else:
            names = [self.name]
        return names + ([f"{self.name}=(empty)"] if self.missing else [])


@dataclass(frozen=True, eq=False)
class Preparation:
    """Everything between a table's row and the features v0 of a program, and back from its prediction.

    columns: R raw features in all. mean, scale (R,): a feature is (raw - mean) / scale, and 0 where
    scale is 0. matrix (R, F) or None: a projection of those, which is standardised by mean_after and
    scale_after (F,) in the same way. target_mean, target_scale: a predicted number is
    prediction * target_scale + target_mean (0 and 1 unless it is a regression). decimal: of numbers
    in texts.
    """

    columns: tuple[ColumnPlan, ...]
    mean: np.ndarray
    scale: np.ndarray
    target_mean: float = 0.0
    target_scale: float = 1.0
    matrix: np.ndarray | None = None
    mean_after: np.ndarray | None = None
    scale_after: np.ndarray | None = None
    decimal: str = "."

    @property
    def num_features(self) -> int:
        """Size F of the vectors that a program sees."""
        return len(self.mean) if self.matrix is None else self.matrix.shape[1]

    @property
    def feature_names(self) -> list[str]:
        """Names of the R raw features."""
        return [name for column in self.columns for name in column.features]

    def features(self, table: Mapping[str, Column]) -> np.ndarray:
        """Returns the features (N, F), float64, finite, of a table's rows.

        Raises:
            TaskError: columns are missing, or cells are not what they should be; names all of them.
        """
        return self.of_raw(raw_features(self.columns, table, self.decimal))

    def of_raw(self, raw: np.ndarray) -> np.ndarray:
        """Returns the features of raw ones (N, R), NaN where a cell is empty."""
        x = np.empty((len(raw), self.num_features))
        for start in range(0, len(raw), BLOCK):
            x[start : start + BLOCK] = self._of_block(raw[start : start + BLOCK])
        return x

    def _of_block(self, raw: np.ndarray) -> np.ndarray:
        x = scaled(_filled(self.columns, raw), self.mean, self.scale)
        if self.matrix is None:
            return x
        assert self.mean_after is not None and self.scale_after is not None
        return scaled(x @ self.matrix, self.mean_after, self.scale_after)

    def to_tree(self) -> dict[str, Any]:
        """Returns it as a tree of plain values and arrays (`zero.system.trees`)."""
        tree = {name: getattr(self, name) for name in self.__dataclass_fields__}
        columns = [asdict(c) | {k: list(getattr(c, k)) for k in _LISTS} for c in self.columns]
        return {**tree, "columns": columns}

    @classmethod
    def from_tree(cls, tree: Mapping[str, Any]) -> Preparation:
        """Returns what `to_tree` gave."""
        columns = tuple(
            ColumnPlan(**{**column, **{k: tuple(column[k]) for k in _LISTS}})
            for column in tree["columns"]
        )
        return cls(**{**tree, "columns": columns})


_LISTS = ("categories", "known", "parts")


def identity(features: int) -> Preparation:
    """Returns the preparation that changes nothing: features are given as numbers."""
    columns = tuple(ColumnPlan(f"x{i}", "number") for i in range(features))
    return Preparation(columns, np.zeros(features), np.ones(features))


def plan_column(column: Column, kind: ColumnKind, missing: bool = True) -> ColumnPlan:
    """Returns how a column becomes features, by the rows that no final figure is counted on.

    missing: whether empty cells get a feature of their own, if there are any.
    """
    missing = missing and bool(column.empty.any())
    if kind != "category":
        seen = column.values[~column.empty] if column.texts is None else np.zeros(0)
        low, high = (float(seen.min()), float(seen.max())) if len(seen) else (np.nan, np.nan)
        plan = ColumnPlan(column.name, kind, missing=missing, low=low, high=high)
        if kind == "number":
            return plan
        parts = date_parts(column.values[~column.empty])
        varying = tuple(p for p in PARTS if p == "days" or np.ptp(parts[p]) > 0)
        return replace(plan, form=column.form, parts=varying)
    column = as_text(column)
    texts = column.texts
    assert texts is not None
    counts = np.bincount(column.values[~column.empty], minlength=len(texts))
    least = max(2, int(np.ceil(RARE * len(column))))
    order = sorted(range(len(counts)), key=lambda i: (-counts[i], texts[i]))
    kept = [i for i in order if counts[i] >= least][:MOST_CATEGORIES]
    known = tuple(sorted(texts[i] for i in kept))
    # Where all texts are rare it says no more than that the cell is not empty.
    other = any(counts[i] for i in order if i not in set(kept)) and bool(kept or not missing)
    # Of two that exclude each other one says it all.
    categories = known[1:] if len(known) == 2 and not other and not missing else known
    return ColumnPlan(
        column.name, kind, missing=missing, categories=categories, known=known, other=other
    )


def raw_features(
    plans: Sequence[ColumnPlan], table: Mapping[str, Column], decimal: str = "."
) -> np.ndarray:
    """Returns the raw features (N, R), float64, NaN for numbers and dates of empty cells.

    Raises:
        TaskError: columns are missing, or cells are not what they should be; names them.
    """
    absent = [visible(plan.name) for plan in plans if plan.name not in table]
    if absent:
        noun = "column" if len(absent) == 1 else "columns"
        have = [visible(name) for name in table]
        raise TaskError(
            f"the table lacks {len(absent)} {noun} that the program needs: {_first(absent)}; it has "
            f"{_first(have) or 'none'}"
        )
    width = sum(len(plan.features) for plan in plans)
    rows = len(next(iter(table.values()))) if table else 0
    raw = np.zeros((rows, width))
    at, faults = 0, []
    for plan in plans:
        column, size = table[plan.name], len(plan.features)
        fault = _write(plan, column, decimal, raw[:, at : at + size])
        faults += [fault] if fault else []
        at += size
    if faults:
        raise TaskError(_first(faults, "; "))
    return raw


def _first(found: Sequence[str], between: str = ", ") -> str:
    """Returns what was found in a line, but not more than a person reads."""
    more = [f"and {len(found) - MOST_TOLD} more"] if len(found) > MOST_TOLD else []
    return between.join([*found[:MOST_TOLD], *more])


def _write(plan: ColumnPlan, column: Column, decimal: str, out: np.ndarray) -> str:
    """Writes a column's features; returns what is wrong with it, "" if nothing is."""
    empty = column.empty
    if plan.missing:
        out[:, -1] = empty
    if plan.kind == "category":
        column = as_text(column)
        assert column.texts is not None
        place = {text: i for i, text in enumerate(plan.categories)}
        rest = len(plan.categories) if plan.other else -1
        known = set(plan.known)
        places = [place.get(text, -1 if text in known else rest) for text in column.texts]
        at = np.array([*places, -1])[column.values]
        rows = np.flatnonzero(at >= 0)
        out[rows, at[rows]] = 1.0
        return ""
    if plan.kind == "date":
        values, bad = seconds_of(column, plan.form or "iso")
    else:
        values, bad = numbers_of(column, decimal)
        if column.form is not None:
            bad = np.argmin(empty, keepdims=True)
    if len(bad):
        row = int(bad[0])
        text = "a date" if column.form is not None else as_text(column).cell(row)
        what = "number" if plan.kind == "number" else f"date ({plan.form})"
        more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
        return f"column '{visible(plan.name)}', row {row} (from 0): {text!r} is no {what}{more}"
    if plan.kind == "number":
        out[:, 0] = values
        infinite = np.flatnonzero(np.isinf(values))
        if len(infinite):
            return (
                f"column '{visible(plan.name)}', row {infinite[0]} (from 0): infinity; give a finite "
                "number or an empty cell"
            )
    else:
        parts = date_parts(values)
        for k, part in enumerate(plan.parts):
            out[:, k] = parts[part]
    return ""


def seconds_of(column: Column, form: str) -> tuple[np.ndarray, np.ndarray]:
    """Returns a column's cells as dates, (N,) float64, and the rows whose cells are none."""
    if column.form is not None or column.empty.all():
        return np.where(column.empty, np.nan, column.values), np.zeros(0, dtype=np.int64)
    column = as_text(column)
    assert column.texts is not None
    converted = [date_seconds(text, form) for text in column.texts]
    table = np.array([np.nan if value is None else value for value in converted] + [np.nan])
    bad = np.array([value is None for value in converted] + [False])
    return table[column.values], np.flatnonzero(bad[column.values])


def date_parts(seconds: np.ndarray) -> dict[str, np.ndarray]:
    """Returns each of `PARTS` of dates in seconds from 1970, NaN of NaN."""
    days = seconds / DAY
    with np.errstate(invalid="ignore"):
        whole = np.floor(days)
        day = np.where(np.isnan(whole), 0, whole).astype("datetime64[D]")
        month = (day.astype("datetime64[M]").astype(np.int64) % 12 + 1).astype(np.float64)
        return {
            "days": days,
            "month": np.where(np.isnan(days), np.nan, month),
            "weekday": (whole + 3) % 7,  # the first of January 1970 was a Thursday
            "hour": (days - whole) * 24,
        }


def _fills(plans: Sequence[ColumnPlan], raw: np.ndarray, how: str) -> tuple[ColumnPlan, ...]:
    """Returns the plans with what stands for empty cells: of the column's other cells in these rows."""
    found, at = [], 0
    for plan in plans:
        if plan.kind != "category":
            values = raw[:, at][~np.isnan(raw[:, at])]
            fill = 0.0
            if len(values):
                fill = float(np.median(values) if how == "median" else np.mean(values))
            found.append(replace(plan, fill=fill * DAY if plan.kind == "date" else fill))
        else:
            found.append(plan)
        at += len(plan.features)
    return tuple(found)


def fit(
    plans: Sequence[ColumnPlan],
    raw: np.ndarray,
    how: str = "median",
    target: np.ndarray | None = None,
    matrix: np.ndarray | None = None,
    decimal: str = ".",
) -> Preparation:
    """Returns the preparation that fills empty cells and standardises, by these train rows.

    Args:
        plans: of the columns.
        raw: (N, R) raw features of the train rows, NaN where a cell is empty.
        how: "median" or "mean" stands for empty cells.
        target: (N,) of a regression: standardised too.
        matrix: (R, F) of a projection.
        decimal: of numbers in texts.
    """
    columns = _fills(plans, raw, how)
    raw = _filled(columns, raw)
    mean, scale = center_and_scale(raw)
    numbers = (0.0, 1.0)
    if target is not None:
        center, spread = center_and_scale(target)
        numbers = float(center), float(spread)
    if matrix is None:
        return Preparation(columns, mean, scale, *numbers, decimal=decimal)
    after = center_and_scale(scaled(raw, mean, scale) @ matrix)
    return Preparation(columns, mean, scale, *numbers, matrix, *after, decimal)


def _filled(plans: Sequence[ColumnPlan], raw: np.ndarray) -> np.ndarray:
    """Returns raw features with the fills of the plans for NaN."""
    if not np.isnan(raw).any():
        return raw
    fill: list[float] = []
    for plan in plans:
        values = [plan.fill]
        if plan.kind == "date":
            parts = date_parts(np.array([plan.fill]))
            values = [float(parts[part][0]) for part in plan.parts]
        fill += values if plan.kind != "category" else []
        fill += [0.0] * (len(plan.features) - (len(values) if plan.kind != "category" else 0))
    return np.where(np.isnan(raw), fill, raw)


def scaled(x: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Returns (x - mean) / scale for rows x, and 0 where scale is 0."""
    flat = scale == 0
    with np.errstate(all="ignore"):
        return np.where(flat, 0.0, (x - mean) / np.where(flat, 1.0, scale))

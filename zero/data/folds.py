"""Folds of a table's rows for cross-validation: the same for equal arguments. Called for pipelines."""

from __future__ import annotations

import numpy as np

from zero.data.columns import as_text
from zero.data.parts import times
from zero.data.splits import rng_for
from zero.data.understand import TableData
from zero.errors import TaskError, visible

MOST_COUNTED = 2e7  # groups times classes, up to which groups are chosen by their classes, too

Fold = tuple[np.ndarray, np.ndarray]  # rows (numbers from 0, rising) to train on and to validate on


def folds_of(data: TableData, count: int, seed: int) -> list[Fold]:
    """Returns a table's folds, by its columns of groups or time if it has one; see `folds`.

    Raises:
        TaskError: there are too few rows, groups or times for two folds.
    """
    groups = time = None
    where = data.where
    if "groups" in data.special:
        groups = as_text(data.special["groups"]).values  # rows without a group are one
        where += f", column '{visible(data.special['groups'].name)}'"
    elif "time" in data.special:
        time = times(data)
        where += f", column '{visible(data.special['time'].name)}'"
    return folds(data.y, len(data.classes), count, seed, groups, time, where)


def folds(
    y: np.ndarray,
    classes: int,
    count: int,
    seed: int,
    groups: np.ndarray | None = None,
    time: np.ndarray | None = None,
    where: str = "table",
) -> list[Fold]:
    """Returns the train and the valid rows of each fold.

    At random, every row is validated once, folds are as large as each other, and each has the classes'
    shares, or as many of the small and the large numbers; a class of one row is trained on in all folds but
    its own. Groups stay whole; folds are as near to that as groups allow. By time, each fold validates the
    rows that come after those that it is trained on, and the next fold is trained on these, too: the first
    rows are never validated, and rows of one time stay together.

    Args:
        y: (N,) numbers, or those of classes from 0.
        classes: how many; 0 of numbers.
        count: of folds; there are fewer where rows, groups or times are too few.
        seed: of the draws.
        groups: (N,) of each row its group, numbers or texts.
        time: (N,) when each row was; the seed has no part in it then.
        where: opens the error message.

    Raises:
        TaskError: there are fewer than 2 rows, groups or times.
    """
    assert groups is None or time is None
    if time is not None:
        return _by_time(time, count, where)
    rng = rng_for("table/folds", seed)
    if groups is None:
        fold = _of_rows(y, classes, _possible(len(y), count, "row", where), rng)
    else:
        distinct, codes = np.unique(groups, return_inverse=True)
        number = _possible(len(distinct), count, "group", where)
        fold = _of_groups(y, classes, codes, number, rng)
    return [
        (np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(int(fold.max()) + 1)
    ]


def _possible(there: int, count: int, what: str, where: str) -> int:
    """Returns how many folds can be made of so many rows, groups or times."""
    if there < 2:
        raise TaskError(
            f"{where}: only {there} {what}; to validate on {what}s that a model was not trained on "
            f"takes at least 2 {what}s"
        )
    return max(2, min(count, there))


def _of_rows(y: np.ndarray, classes: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """Returns the fold of each row: of rows with neighbouring targets each fold gets one."""
    order = np.lexsort((rng.permutation(len(y)), y))
    blocks = np.tile(np.arange(count), (-(-len(y) // count), 1))
    if not classes:  # else the smallest number would be in the first fold always
        blocks = rng.permuted(blocks, axis=1)
    fold = np.empty(len(y), dtype=np.int64)
    fold[order] = blocks.ravel()[: len(y)]
    return fold


def _of_groups(
    y: np.ndarray, classes: int, groups: np.ndarray, count: int, rng: np.random.Generator
) -> np.ndarray:
    """Returns the fold of each row: one group after the other, large ones first, goes where it lacks most."""
    number = int(groups.max()) + 1
    kinds = classes if number * classes <= MOST_COUNTED else 0
    kind = y.astype(np.int64) if kinds else np.zeros(len(y), dtype=np.int64)
    kinds = max(1, kinds)
    rows = np.bincount(groups * kinds + kind, minlength=number * kinds).reshape(number, kinds)
    share = rows / np.maximum(1, rows.sum(axis=0))  # of each class that a group has
    size = rows.sum(axis=1)
    has, total = np.zeros((count, kinds)), np.zeros(count)
    chosen = np.empty(number, dtype=np.int64)
    for group in np.lexsort((rng.permutation(number), -size)).tolist():
        crowd = has @ share[group]
        least = np.flatnonzero(crowd <= crowd.min() * (1 + 1e-9))
        best = int(least[np.argmin(total[least])])
        chosen[group] = best
        has[best] += share[group]
        total[best] += size[group]
    return chosen[groups]


def _by_time(time: np.ndarray, count: int, where: str) -> list[Fold]:
    distinct, at = np.unique(time, return_inverse=True)
    count = min(count, _possible(len(distinct), count, "time", where), len(distinct) - 1)
    upto = np.cumsum(np.bincount(at))
    ends = np.searchsorted(upto, len(time) * np.arange(1, count + 1) / (count + 1)) + 1
    found, last = [], 0
    stops = []
    for k, end in enumerate(ends.tolist()):  # so that each fold has a time at least
        last = min(max(end, last + 1), len(distinct) - count + k)
        stops.append(last)
    for start, stop in zip(stops, [*stops[1:], len(distinct)], strict=True):
        found.append((np.flatnonzero(at < start), np.flatnonzero((at >= start) & (at < stop))))
    return found

"""Folds of a table's rows for cross-validation: the same for equal arguments. Called for pipelines."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from zero.data.parts import spread
from zero.data.splits import rng_for

Fold = tuple[np.ndarray, np.ndarray]  # rows (numbers from 0, rising) to train on and to validate on


def folds(
    y: np.ndarray,
    classes: int,
    count: int,
    seed: int,
    groups: np.ndarray | Sequence[object] | None = None,
    time: np.ndarray | None = None,
) -> list[Fold]:
    """Returns the train and the valid rows of each fold.

    At random, every row is validated once, and each fold has the classes' shares, or as many large and small
    numbers; a class of one row is trained on in all folds but its own. Groups stay whole, the largest
    first in the fold that is the emptiest. By time, fold k validates the rows after those that it is trained
    on, which grow; rows of one time stay together, and the first rows are only trained on.

    Args:
        y: (N,) numbers, or those of classes from 0.
        classes: how many; 0 of numbers.
        count: of folds; fewer where there are not so many rows, groups or times.
        seed: of the draws.
        groups: (N,) of each row; rows of equal ones stay in one fold.
        time: (N,) when each row was.

    Raises:
        ValueError: fewer than 2 rows, groups or times, or both groups and time are given.
    """
    if groups is not None and time is not None:
        raise ValueError("folds are made by groups or by time, not by both")
    rng = rng_for("table/folds", seed)
    if time is not None:
        return _by_time(np.asarray(time), count)
    if groups is not None:
        fold = _of_groups(y, classes, np.unique(np.asarray(groups), return_inverse=True)[1], count, rng)
    else:
        fold = _of_rows(y, classes, _possible(len(y), count, "rows"), rng)
    return [
        (np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(int(fold.max()) + 1)
    ]


def _possible(there: int, count: int, what: str) -> int:
    """Returns how many folds can be made of so many rows, groups or times."""
    if there < 2:
        raise ValueError(f"folds need at least 2 {what}, there is only {there}")
    return max(2, min(count, there))


def _of_rows(y: np.ndarray, classes: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """Returns the fold of each row."""
    if classes:
        order = np.lexsort((spread(y, classes, rng, len(y)).argsort(), y))
    else:  # every `count` neighbours by size go to as many folds
        order = np.lexsort((rng.permutation(len(y)), y))
    places = np.arange(len(y))
    fold = np.empty(len(y), dtype=np.int64)
    if classes:  # a class goes on with the fold after the one where the class before it stopped
        fold[order] = places % count
        return _shuffled(fold, count, rng)
    for start in range(0, len(y), count):
        fold[order[start : start + count]] = rng.permutation(count)[: len(y) - start]
    return fold

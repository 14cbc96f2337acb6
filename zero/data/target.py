"""The target of a table as numbers, and the problem that it poses. Called by `zero.data.understand`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from zero.data.columns import FLAGS, Column, as_text, number_text, numbers_of
from zero.data.table import Table, one_line
from zero.errors import TaskError, visible

Problem = Literal["regression", "binary", "multiclass"]

MOST_CLASSES = 50
MOST_CLASSES_LENIENT = 1000
FEW = 10  # different whole numbers that are taken for classes where nobody says


def target_of(
    table: Table, target: Column, problem: Problem | None, lenient: bool = False
) -> tuple[np.ndarray, Problem, tuple[str, ...], list[str]]:
    """Returns the target as numbers, the problem, the classes and notes on them.

    lenient: allow up to `MOST_CLASSES_LENIENT` classes.

    Raises:
        TaskError: the target does not suit the problem, or there is nothing to learn.
    """
    most = MOST_CLASSES_LENIENT if lenient else MOST_CLASSES
    where = f"{table.where}, target column '{visible(target.name)}'"
    values, bad = numbers_of(target, table.decimal)
    if target.form is not None:
        bad = np.arange(1)
    infinite = np.flatnonzero(np.isinf(values))
    if len(infinite):
        raise TaskError(
            f"{table.where} {table.place(int(infinite[0]))}: target '{visible(target.name)}' is infinite; "
            "mend the cell or drop the row"
        )
    texts = _one_spelling(as_text(target))
    assert texts.texts is not None
    names = sorted({texts.texts[i] for i in np.unique(texts.values).tolist()})
    notes: list[str] = []
    if lenient:
        _check_learnable(where, names, problem, len(bad), len(target))
    if problem is None:
        problem = _likely_problem(where, names, values, len(bad), most)
        notes = [f"{where}: {_said(problem, names)}"]
    if problem == "regression":
        if len(bad):
            row = int(bad[0])
            cell = "a date" if target.form is not None else target.cell(row)
            raise TaskError(
                f"{where}, {table.place(row)}: {one_line(cell)} is not a number, as problem: regression "
                "needs (binary takes any two values, multiclass more)"
            )
        if np.ptp(values) == 0:
            raise TaskError(
                f"{where}: the same value, {values[0]:g}, in every row; nothing to learn"
            )
        return values, problem, (), notes
    if not len(bad) and not all(name.lower() in FLAGS for name in names):
        # 1 and 1.0 are one class, and 9 comes before 10.
        distinct, at = np.unique(values, return_inverse=True)
        names, y = [number_text(value) for value in distinct.tolist()], at.astype(np.float64)
    else:
        place = {text: i for i, text in enumerate(names)}
        y = np.array([place.get(text, -1) for text in texts.texts], np.float64)[texts.values]
    _check_classes(where, names, problem, most)
    if lenient:
        notes += _rare(where, y, len(names))
    return y, problem, tuple(names), notes


def _check_learnable(
    where: str, names: Sequence[str], problem: Problem | None, bad: int, rows: int
) -> None:
    """Raises TaskError if a target says nothing, or names each row; bad: how many cells are no numbers."""
    if len(names) == 1:
        raise TaskError(
            f"{where}: the same value, {one_line(names[0])}, in every row; there is nothing to learn; "
            "name another column as target"
        )
    classes = 2 * bad > rows if problem is None else problem != "regression"
    if classes and len(names) == rows:
        raise TaskError(
            f"{where}: each of the {rows} rows has a class of its own, such as {one_line(names[0])}; a class "
            "is learned from several rows; name another column as target"
            + ("" if bad else ", or say problem: regression")
        )


def _rare(where: str, y: np.ndarray, classes: int) -> list[str]:
    """Returns a note if there are classes of one row."""
    single = int((np.bincount(y.astype(np.int64), minlength=classes) == 1).sum())
    if single == 0:
        return []
    have = "class has" if single == 1 else "classes have"
    return [f"{where}: {single} of {classes} {have} a single row, too few to be learned"]


def _one_spelling(target: Column) -> Column:
    """Returns a target of True and False in several spellings with one for each."""
    assert target.texts is not None
    small = [text.lower() for text in target.texts]
    if not set(small) <= set(FLAGS) or len(set(small)) == len(small):
        return target
    texts = [text.capitalize() for text in sorted(set(small))]
    codes = np.array([*(texts.index(text.capitalize()) for text in small), -1], dtype=np.int32)
    return Column(target.name, codes[target.values], texts)


def _likely_problem(
    where: str, names: Sequence[str], values: np.ndarray, bad: int, most: int
) -> Problem:
    """Returns what the values of a target look like; bad: how many are no numbers."""
    distinct = len(names) if bad else len(np.unique(values))
    if distinct <= 2:
        return "binary"
    whole = not bad and bool((values == np.round(values)).all())
    if bad and distinct <= most and bad * 2 > len(values):
        return "multiclass"
    if whole and distinct <= FEW and len(values) >= 5 * distinct:
        return "multiclass"
    if bad * 2 > len(values):
        raise TaskError(
            f"{where}: {distinct} different texts; a target is a number or one of at most {most} "
            "classes"
        )
    return "regression"


def _said(problem: Problem, names: Sequence[str]) -> str:
    """Returns a problem that was not given, in words."""
    if problem == "regression":
        return "numbers (problem: regression)"
    shown = ", ".join(one_line(name) for name in names[:5]) + (", ..." if len(names) > 5 else "")
    return f"{len(names)} classes, {shown} (problem: {problem})"


def _check_classes(where: str, names: Sequence[str], problem: Problem, most: int) -> None:
    shown = ", ".join(one_line(name) for name in names[:5]) + (", ..." if len(names) > 5 else "")
    found = f"{len(names)} distinct values" if len(names) > 1 else "one value in every row"
    if problem == "binary" and len(names) != 2:
        hint = "; problem: multiclass takes more" if len(names) > 2 else ""
        raise TaskError(f"{where}: {found} ({shown}); problem: binary needs exactly two{hint}")
    if problem == "multiclass" and not 3 <= len(names) <= most:
        hint = "; for two there is problem: binary" if len(names) == 2 else ""
        raise TaskError(f"{where}: {found} ({shown}); problem: multiclass takes 3 to {most}{hint}")

"""What a table means: which columns are used and as what, what is predicted, what a person should know.

All columns that cannot be used are told at once, with one `ignore:` line to copy. Called by
`zero.tasks.table` and for pipelines, which can do with more: `texts` and `lenient` of `understand`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from zero.data.columns import Column, as_text, numbers_of
from zero.data.mended import MOST_NAMED, NO_NUMBER, Mended, mended_notes, mended_numbers, mixed_note
from zero.data.prepare import MOST_CATEGORIES, RARE, plan_column
from zero.data.table import Table, counts_rows, one_line
from zero.data.target import Problem, target_of
from zero.errors import TaskError, visible, written
from zero.system.foreign import from_json
from zero.system.trees import Tree

Kind = Literal["number", "category", "date", "text"]  # what a column is; text for pipelines only
Types = Mapping[str, Kind]

TYPOS = 0.05  # of a column's cells at most: then it is one of numbers, with mistakes
MOST_COUNTED = 10  # rows, up to which a column that counts them may be more than their number
WORDS = 3  # of half the cells of a column at least: then it is one of texts to read


@dataclass(frozen=True, eq=False)
class TableData:
    """A table that was understood: N rows with a target.

    where: the file, for messages. columns, kinds: the features and what each is. y (N,) float64: the
    number to predict, or the number of the class in `classes`, sorted (none for a regression).
    target: its column's name. special: further columns, see `zero.data.table.Wanted`. notes: what a
    person should know, a line each. decimal: of texts. tests: so many rows, the last ones, are of the
    user's own test file. numbers (N,): of each row in its file or frame, from 1 below the header; None: not
    recorded. known: what was worked out from it already.
    """

    where: str
    columns: tuple[Column, ...]
    kinds: tuple[Kind, ...]
    y: np.ndarray
    problem: Problem
    classes: tuple[str, ...]
    target: str
    special: Mapping[str, Column] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    decimal: str = "."
    tests: int = 0
    numbers: np.ndarray | None = None
    known: dict[str, Any] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.y)

    @property
    def weights(self) -> np.ndarray | None:
        """How much each row counts (N,), None where all count alike."""
        return self.special["weights"].values if "weights" in self.special else None

    @property
    def positive(self) -> str:
        """The class with label 1 of a binary target, else empty."""
        return self.classes[1] if self.problem == "binary" else ""


def to_tree(data: TableData) -> Tree:
    """Returns a table as a tree (`zero.system.trees`)."""

    def column(c: Column) -> Tree:
        texts = None if c.texts is None else json.dumps(list(c.texts))  # a list would be slow
        return {"name": c.name, "values": c.values, "texts": texts, "form": c.form}

    return {
        "where": data.where, "columns": [column(c) for c in data.columns], "kinds": list(data.kinds),
        "y": data.y, "problem": data.problem, "classes": list(data.classes), "target": data.target,
        "special": {key: column(c) for key, c in data.special.items()}, "notes": list(data.notes),
        "decimal": data.decimal, "tests": data.tests, "numbers": data.numbers,
    }  # fmt: skip


def from_tree(tree: Tree, where: Path) -> TableData:
    """Returns the table that `to_tree` was given."""

    def column(c: Tree) -> Column:
        texts = None if c["texts"] is None else from_json(c["texts"])
        return Column(c["name"], c["values"], texts, c["form"])

    try:
        columns = tuple(column(c) for c in tree["columns"])
        special = {key: column(c) for key, c in tree["special"].items()}
        lists = {key: tuple(tree[key]) for key in ("kinds", "classes", "notes")}
        data = TableData(**{**tree, **lists, "columns": columns, "special": special})
        if {len(c) for c in columns} != {len(data.y)}:
            raise ValueError("columns of other lengths")
    except (KeyError, TypeError, ValueError) as error:
        raise TaskError(f"{where} holds no table: {error}") from None
    return data


@dataclass
class _Found:
    """What was found of the feature columns, in their order."""

    used: list[tuple[Column, Kind]] = field(default_factory=list)
    constant: list[str] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)  # name, why
    faults: list[tuple[str, int, str]] = field(default_factory=list)  # name, a row, what is wrong
    mended: list[Mended] = field(default_factory=list)
    mixed: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _How:
    """How columns are taken, see `understand`."""

    types: Types
    missing: str
    categories: str
    asked_for: bool
    texts: bool
    lenient: bool


def understand(
    table: Table,
    problem: Problem | None = None,
    types: Types | None = None,
    missing: str = "median",
    categories: str = "one_hot",
    asked_for: bool = False,
    tests: int = 0,
    texts: bool = False,
    lenient: bool = False,
) -> TableData:
    """Returns a table's columns as features and its target as numbers.

    Args:
        table: with a target.
        problem: None for what the target looks like.
        types: what columns are, where that shall not be told by their cells.
        missing: "refuse" for an error where a cell is empty.
        categories: "refuse" for an error where a column has texts.
        asked_for: whether the features were named one by one: then none is left out as useless.
        tests: how many rows, the last ones, are of a test file.
        texts: use columns of texts that are no categories, too: as "text" where half the cells or more have
            several words (words recur where whole cells don't), as "category" where there are at least
            twice as many cells as different texts.
        lenient: take cells that cannot be used as empty, with a note, and allow more classes.

    Raises:
        TaskError: fewer than 3 rows with a target, cells that cannot be used, nothing but constant
            columns, or a target that does not suit the problem.
    """
    assert table.target is not None
    notes = list(table.notes)
    rows = len(table.target)
    table, target = _with_target(table, table.target, notes)
    numbers = np.arange(rows) if table.kept is None else table.kept
    in_test_file = numbers >= rows - tests
    numbers, tests = numbers + 1 - (rows - tests) * in_test_file, int(in_test_file.sum())
    rows = len(target)
    if rows < 3:
        found = "only 1 row" if rows == 1 else f"only {rows} rows"
        raise TaskError(f"{table.where}: {found}; train, valid and test need at least one each")
    table = _with_weights(table, notes)
    how = _How(types or {}, missing, categories, asked_for, texts, lenient)
    found_columns = _columns(table, how)
    notes += _column_notes(table, found_columns)
    y, problem, classes, note = target_of(table, target, problem, lenient)
    notes += note
    _check_used(table, found_columns)
    columns, kinds = zip(*found_columns.used, strict=True)
    return TableData(
        table.where, columns, kinds, y, problem, classes, target.name, table.special,
        tuple(notes), table.decimal, tests, numbers,
    )  # fmt: skip


# --- features -------------------------------------------------------------------------------------


def _with_target(table: Table, target: Column, notes: list[str]) -> tuple[Table, Column]:
    """Returns the table and the target without the rows whose target is empty."""
    empty = target.empty
    if not empty.any():
        return table, target
    kept = np.flatnonzero(~empty)
    number = int(empty.sum())
    if number > len(empty) // 2:
        first = int(np.argmax(empty))
        raise TaskError(
            f"{table.where} {table.place(first)}: target '{visible(target.name)}' is empty, and so it is in "
            f"{number} of {len(empty)} rows; name a column that is known"
        )
    noun, verb = ("row", "has") if number == 1 else ("rows", "have")
    notes.append(
        f"{table.where}: {number} {noun} of {len(empty)} {verb} no '{visible(target.name)}' and "
        f"{'is' if number == 1 else 'are'} left out"
    )
    features = {name: column.take(kept) for name, column in table.features.items()}
    special = {name: column.take(kept) for name, column in table.special.items()}
    return replace(table, features=features, special=special, kept=kept), target.take(kept)


def _with_weights(table: Table, notes: list[str]) -> Table:
    """Returns the table with its weights as numbers, if it has some; raises TaskError where one is none."""
    if "weights" not in table.special:
        return table
    column = table.special["weights"]
    values, bad = numbers_of(column, table.decimal)
    wrong = np.flatnonzero(~(values >= 0) | np.isinf(values))
    where = f"column '{visible(column.name)}'"
    if column.form is not None or len(wrong):
        row = 0 if column.form is not None else int(wrong[0])
        cell = one_line(column.cell(row) if row in bad else float(values[row]))
        cell = "a date" if column.form is not None else "empty" if column.empty[row] else cell
        more = f" (and {len(wrong) - 1} more cells)" if len(wrong) > 1 else ""
        raise TaskError(
            f"{table.where} {table.place(row)}, {where}: a weight is a number of at least 0, not {cell}{more}"
        )
    if not values.any():
        raise TaskError(f"{table.where}, {where}: all weights are 0; give some rows a weight")
    notes.append(
        f"{table.where}: rows count by '{visible(column.name)}', {values.min():g} to {values.max():g}"
    )
    return replace(table, special={**table.special, "weights": Column(column.name, values)})


def _columns(table: Table, how: _How) -> _Found:
    found = _Found()
    for name in how.types:
        if name not in table.features:
            raise TaskError(
                f"{table.where}: types: there is no feature column '{visible(name)}'; the features are "
                f"{', '.join(visible(n) for n in table.features)}"
            )
    for name, column in table.features.items():
        if how.missing == "refuse" and column.empty.any():
            row = int(np.argmax(column.empty))
            found.faults.append((name, row, "is empty, as missing: refuse says"))
        elif column.empty.all():
            found.left_out.append((name, "empty everywhere"))
        else:
            _one_column(found, column, how, table.decimal)
    return found


def _one_column(found: _Found, column: Column, how: _How, decimal: str) -> None:
    """Sorts a column that is not empty."""
    name = column.name
    kind = how.types.get(name) or _kind(column)
    if how.lenient:
        if kind == "category" and name not in how.types:
            kind = _kind_of_mixed(found, column, decimal)
        if kind == "number" and column.form is None:
            numbers, mended = mended_numbers(column, decimal)
            bad = sum(m.count for m in mended if m.why == NO_NUMBER)
            if 2 * bad < (~column.empty).sum():
                found.mended += mended
                column = numbers
        if column.empty.all():
            found.left_out.append((name, "empty everywhere"))
            return
    column, fault = _as_kind(column, kind, decimal)
    empty = column.empty
    if fault is None and kind == "category" and how.categories == "refuse":
        row = int(np.argmin(empty))
        fault = row, f"{one_line(column.cell(row))} is text, as categories: refuse says"
    if fault is not None:
        found.faults.append((name, *fault))
    elif not empty.any() and (column.values == column.values[0]).all():
        found.constant.append(name)
    elif name in how.types or how.asked_for:
        found.used.append((column, kind))
    elif kind == "category":
        _text_column(found, column, empty, how.texts)
    elif counts_rows(column) and len(column) > MOST_COUNTED:
        found.left_out.append((name, "counts the rows"))
    else:
        found.used.append((column, kind))


def _kind(column: Column) -> Kind:
    if column.form is not None:
        return "date"
    if column.texts is None:
        return "number"
    _, bad = numbers_of(column)
    filled = int((~column.empty).sum())
    few = max(1, TYPOS * filled)
    return "number" if len(bad) <= few and len(bad) * 2 < filled else "category"


def _kind_of_mixed(found: _Found, column: Column, decimal: str) -> Kind:
    """Returns what a column of texts is: of numbers where most are, too many to be names."""
    values, bad = numbers_of(column, decimal)
    if 2 * len(bad) >= (~column.empty).sum():
        return "category"
    if len(np.unique(values[np.isfinite(values)])) > MOST_CATEGORIES:
        return "number"
    found.mixed.append(column.name)
    return "category"


def _as_kind(column: Column, kind: Kind, decimal: str) -> tuple[Column, tuple[int, str] | None]:
    """Returns the column as one of a kind; if it is none, also a row and what is wrong there."""
    if kind in ("category", "text"):
        return as_text(column), None
    first = int(np.argmin(column.empty))
    if kind == "date":
        fault = first, f"{one_line(column.cell(first))} is no date like 2024-01-31"
        return column, fault if column.form is None else None
    if column.form is not None:
        return column, (first, "is a date")
    values, bad = numbers_of(column, decimal)
    if len(bad):
        row = int(bad[0])
        more = f" (and {len(bad) - 1} more cells)" if len(bad) > 1 else ""
        said = f"{one_line(column.cell(row))} is not a finite number like 1.5{more}"
        return column, (row, said)
    infinite = np.flatnonzero(np.isinf(values))
    if len(infinite):
        return column, (int(infinite[0]), "is infinite")
    return Column(column.name, values), None


def _text_column(found: _Found, column: Column, empty: np.ndarray, texts: bool) -> None:
    """Sorts a column of texts that nobody asked for: most of its cells must be in a category."""
    plan = plan_column(column, "category")
    assert column.texts is not None
    known = [column.texts.index(text) for text in plan.known]
    filled = int((~empty).sum())
    some = max(2, RARE * len(column))
    in_categories = 2 * int(np.isin(column.values, known).sum()) >= filled
    # Many tables leave a cell empty for a reason, whatever the others say.
    tells_by_gaps = filled >= some and len(column) - filled >= some
    if not in_categories and texts and _has_words(column):
        found.used.append((column, "text"))
    elif in_categories or tells_by_gaps or (texts and 2 * len(column.texts) <= filled):
        found.used.append((column, "category"))
    else:
        found.left_out.append(
            (column.name, f"{len(column.texts)} different texts in {filled} rows")
        )


def _has_words(column: Column) -> bool:
    """Returns whether half the cells or more have several words."""
    assert column.texts is not None
    words = np.array([len(text.split()) for text in column.texts])
    return 2 * int((words[column.values[~column.empty]] >= WORDS).sum()) >= (~column.empty).sum()


def _column_notes(table: Table, found: _Found) -> list[str]:
    where = table.where
    notes = mended_notes(where, found.mended, table.place) + mixed_note(where, found.mixed)
    total = len(found.used) + len(found.constant) + len(found.left_out) + len(found.faults)
    if found.constant and (found.used or found.faults):
        names = _named(found.constant)
        one = len(found.constant) == 1
        notes.append(
            f"{where}: {len(found.constant)} of {total} feature columns "
            f"{'has' if one else 'have'} the same value in every row and "
            f"{'is' if one else 'are'} left out: {names}"
        )
    if found.left_out:
        told = ", ".join(f"{written(name)} ({why})" for name, why in found.left_out[:MOST_NAMED])
        more = len(found.left_out) - MOST_NAMED
        told += f" and {more} more" if more > 0 else ""
        verb = "column cannot be used and is" if len(found.left_out) == 1 else (
            "columns cannot be used and are"
        )  # fmt: skip
        line = written([*table.ignored, *(name for name, _ in found.left_out)])
        notes.append(f"{where}: {len(found.left_out)} {verb} left out: {told}; ignore: {line}")
    return notes


def _named(names: Sequence[str]) -> str:
    shown = ", ".join(written(name) for name in names[:MOST_NAMED])
    return shown + (f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else "")


def _check_used(table: Table, found: _Found) -> None:
    """Raises TaskError if columns are wrong, with all of them, or if none is left."""
    where = table.where
    if found.faults:
        name, row, fault = min(found.faults, key=lambda f: f[1])
        others = [
            f"{written(n)} ({what} in {table.place(r)})" for n, r, what in found.faults if n != name
        ]
        more = f"; as little can be used: {', '.join(others)}" if others else ""
        leave = [f[0] for f in found.faults] + [n for n, _ in found.left_out]
        raise TaskError(
            f"{where} {table.place(row)}, column '{visible(name)}': {fault}{more}; mend the cells, say what "
            f"it is (types: {{{written(name)}: category}}), or leave out what cannot be used: ignore: "
            f"{written([*table.ignored, *leave])}"
        )
    if not found.used:
        if found.constant:
            too = "" if len(found.constant) == 1 else ", and so has every other feature column"
            raise TaskError(
                f"{where}: column '{visible(found.constant[0])}' has the same value in every row{too}; "
                "there is nothing to learn from"
            )
        useless = [f"{written(name)} ({why})" for name, why in found.left_out[:MOST_NAMED]]
        told = ", ".join(useless)
        raise TaskError(
            f"{where}: no feature column can be used: {told}; there is nothing to learn from"
        )

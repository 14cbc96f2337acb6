"""A table of the user's as it was read, and which of its columns are wanted.

Every message says the file, the line or row, the column, and what to do. Lines count from 1 with the
header, rows and columns of arrays from 0.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from zero.data.columns import NUMBER, Column, as_text, is_empty, number_text, of_texts
from zero.errors import TaskError, unknown_name, visible, written

Name = str | int

MOST_SPARSE = 5  # an index' numbers may be so many times the rows
COMMA_NOTE = 'numbers have a decimal comma (decimal: ",")'
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+([eE][+-]?\d+)?", re.ASCII)
_NUMBER = re.compile(r"\s*[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?\s*", re.ASCII)
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+", re.ASCII)


@dataclass(frozen=True)
class Reading:
    """How a text file is read; None: as it seems.

    delimiter: between cells. decimal: before the decimals of a number. header: the number of the header's
    line from 1, 0 where there is none. encoding: a name that Python knows; default UTF-8, or as the file's
    first bytes say. x, y: names of the arrays in an NPZ file.
    """

    delimiter: str | None = None
    decimal: str | None = None
    header: int | None = None
    encoding: str | None = None
    x: str = "X"
    y: str = "y"


@dataclass(frozen=True, eq=False)
class Table:
    """A table as it was read.

    where: the file, for messages. features: by name, N cells each. target: None if none was asked for.
    special: columns that are asked for by what they are for. decimal: that its texts use. notes: what a
    person should know of the reading. line_of: of a text file, gives the line of a row. kept: which of the
    rows that were read these are, None for all. ignored: columns that were left out, as they were named.
    """

    where: str
    features: dict[str, Column]
    target: Column | None
    special: dict[str, Column]
    decimal: str = "."
    notes: tuple[str, ...] = ()
    line_of: Callable[[int], int] | None = None
    kept: np.ndarray | None = None
    ignored: tuple[Name, ...] = ()

    @property
    def rows(self) -> int:
        """Number of rows N."""
        return len(next(iter(self.features.values())))

    def place(self, row: int) -> str:
        """Returns where a row is, for messages."""
        row = row if self.kept is None else int(self.kept[row])
        return f"line {self.line_of(row)}" if self.line_of else f"row {row}"


def one_line(text: object) -> str:
    """Returns a value of the user's file as it may stand in a message: one line, not long."""
    text = text.item() if isinstance(text, np.generic) else text
    text = " ".join(repr(text).split())  # repr shows what cannot be seen, such as no-break spaces
    return text if len(text) <= 60 else text[:57] + "..."


def column_number(
    names: Sequence[str], column: Name, what: str, key: str, listed: bool = True
) -> int | str:
    """Returns the number of a column that a config names: a string is a name, a number counts from 0.

    Where there is no such column, or more than one, it returns what is wrong, in words.

    Args:
        names: of all columns; may be empty or equal where nobody asks for them.
        column: as the config has it.
        what, key, listed: for the words: what it is to be, its key, whether that is a list.
    """
    if isinstance(column, str):
        # Header names have single spaces; what is copied from the file may have others.
        for name in (column, " ".join(column.split())):
            if names.count(name) > 1:
                at = ", ".join(str(i) for i, other in enumerate(names) if other == name)
                return (
                    f"columns {at} (from 0) have the same name, '{visible(name)}'; say which by its "
                    "number, and ignore the others by theirs"
                )
            if name in names:
                return names.index(name)
        known = [name for name in names if name]
        return unknown_name(f"{what} column", column, known)
    named = names.index(str(column)) if str(column) in names else column
    hint = f"{key}: " + written([str(column)] if listed else str(column))
    if not 0 <= column < len(names):
        hint = f"; for the column named {column} write {hint}" if named != column else ""
        return f"{what} column {column} does not exist; columns are 0 to {len(names) - 1}{hint}"
    if named != column:
        return (
            f"{what} column {column} may mean column {column} (from 0), named "
            f"'{visible(names[column])}', or the one named {column}; write {hint} for the second, "
            "the name in quotes for the first"
        )
    return column


def check_names(
    names: Sequence[str],
    where: str,
    line: int,
    given: bool,
    asked_for: Collection[str],
    later: Callable[[], int] | None = None,
) -> None:
    """Raises TaskError if the line that should have the columns' names looks like another.

    Args:
        names: what stands in it.
        where: opens the message.
        line: its number, from 1.
        given: whether the user says that it is the header.
        asked_for: names of columns; a line that has one of them is the header, whatever else is in it.
        later: returns the number of the line that may be the header; None: it is the next.
    """
    if given or not {" ".join(name.split()) for name in asked_for}.isdisjoint(names):
        return
    if 2 * sum(bool(_NUMBER.fullmatch(name)) for name in names) > len(names):
        raise TaskError(
            f"{where} line {line}: {one_line(names[0])}, ... are numbers: the header line with the columns' "
            "names is missing; add one, or say header: 0 and name columns by number (if these are names, "
            f"header: {line})"
        )
    if 2 * names.count("") > len(names):
        other = later() if later is not None else line + 1
        raise TaskError(
            f"{where} line {line}: {names.count('')} of {len(names)} columns have no name; if the names "
            f"stand in line {other}, say header: {other}"
        )


@dataclass(frozen=True)
class Chosen:
    """The numbers of a table's columns: target (None if it lies elsewhere), features, special ones."""

    target: int | None
    features: list[int]
    special: dict[str, int]
    ignored: tuple[Name, ...]  # as they were named
    names: list[str]  # of all columns
    written: frozenset[int] = (
        frozenset()
    )  # target and features whose cells stay as they are written

    @property
    def others(self) -> list[int]:
        """Those that are no features."""
        return [i for i in (self.target, *self.special.values()) if i is not None]

    @property
    def texts(self) -> list[int]:
        """Those that are read as texts first."""
        return sorted({*self.others, *self.written})

    @property
    def used(self) -> list[int]:
        """All of them."""
        return sorted({*self.features, *self.others})


@dataclass(frozen=True)
class Wanted:
    """Which columns of a table are wanted.

    target: the target column, None if it lies elsewhere or nobody needs it. keep: the features, None for
    all others. ignore: columns that are no features. special: further columns by what they are for, such
    as {"groups": "patient"}; no features either. only: names of the features; other columns are not looked
    at, and such names may be missing. rename: columns with the name of another become `name.2` and so on;
    without it they are an error. written: features whose cells stay as they are written, though they may look
    like numbers or dates; such names may be missing.
    """

    target: Name | None = None
    keep: Sequence[Name] | None = None
    ignore: Sequence[Name] = ()
    special: dict[str, Name] = field(default_factory=dict)
    only: Sequence[str] | None = None
    rename: bool = False
    written: Collection[str] = ()

    @property
    def names(self) -> set[str]:
        """The columns that are asked for by name."""
        listed = [self.target, *(self.keep or ()), *self.ignore, *self.special.values()]
        return {name for name in (*listed, *(self.only or ())) if isinstance(name, str)}

    def choose(self, names: Sequence[str], where: str) -> Chosen:
        """Returns which columns these are, by the names of all.

        Raises:
            TaskError: a column does not exist, is two things at once, or no feature is left; names all
                that are wrong.
        """
        faults: list[str] = []
        given, names = names, _distinct(names) if self.rename else list(names)

        def number(column: Name, what: str, key: str, listed: bool = True) -> int:
            among = given if given.count(str(column)) > 1 else names
            found = column_number(among, column, what, key, listed)
            if isinstance(found, str):
                faults.append(found)
                return -1
            return found

        at = None if self.target is None else number(self.target, "target", "target", False)
        special = {key: number(c, key, key, False) for key, c in self.special.items()}
        ignored = {number(column, "ignored", "ignore") for column in self.ignore}
        features = [i for i in range(len(names)) if i != at and i not in special.values()]
        if self.only is not None:
            features = [i for i in features if names[i] in self.only] or features
        if self.keep is not None:
            kept = [number(column, "feature", "features_columns") for column in self.keep]
            features = list(dict.fromkeys(kept))
        if faults:
            raise TaskError(f"{where}: {'; '.join(dict.fromkeys(faults))}")
        if at is not None and (at in ignored or at in features or at in special.values()):
            name = visible(names[at])
            raise TaskError(f"{where}: the target column '{name}' is also a feature or ignored")
        features = [i for i in features if i not in ignored and i not in special.values()]
        if not features:
            raise TaskError(f"{where}: no feature column is left besides the target")
        written = {i for i in features if names[i] in self.written} | (
            {at} if at is not None else set()
        )
        return Chosen(at, features, special, tuple(self.ignore), names, frozenset(written))


def _distinct(names: Sequence[str]) -> list[str]:
    """Returns the names, the second `name` as `name.2` and so on; those without a name stay so."""
    taken, found = set(names), []
    seen: set[str] = set()
    for name in names:
        if name and name in seen:
            number = 2
            while f"{name}.{number}" in taken:
                number += 1
            name = f"{name}.{number}"
            taken.add(name)
        seen.add(name)
        found.append(name)
    return found


def renamed_note(where: str, given: Sequence[str], chosen: Chosen) -> list[str]:
    """Returns the line on columns that were given another name than they had."""
    renamed = [i for i in chosen.used if chosen.names[i] != given[i]]
    if not renamed:
        return []
    told = ", ".join(f"column {i} (from 0) is '{visible(chosen.names[i])}'" for i in renamed[:10])
    more = f" and {len(renamed) - 10} more" if len(renamed) > 10 else ""
    return [f"{where}: columns with the name of another got one of their own: {told}{more}"]


def table_of(
    where: str,
    columns: dict[int, Column],
    chosen: Chosen,
    decimal: str = ".",
    notes: Sequence[str] = (),
    line_of: Callable[[int], int] | None = None,
) -> Table:
    """Returns the table of these columns; those without a name that need none are left out."""
    notes, kept = list(notes), []
    names = {columns[i].name for i in chosen.others}
    nameless, doubles = [], []
    for i in chosen.features:
        column = columns[i]
        if not column.name:
            why = "is empty" if column.empty.all() else "counts the rows"
            if column.empty.all() or _numbers_rows(column):
                notes.append(f"{where}: column {i} (from 0) has no name and {why}; it is left out")
            else:
                nameless.append(i)
        elif column.name in names:
            doubles.append(i)
        else:
            names.add(column.name)
            kept.append(column)
    if nameless or doubles:
        told = [f"column {i} (from 0) has no name" for i in nameless]
        told += [
            f"column {i} (from 0) has the name of another, '{visible(columns[i].name)}'"
            for i in doubles
        ]
        leave = written([*chosen.ignored, *sorted((*nameless, *doubles))])
        raise TaskError(
            f"{where}: {'; '.join(told)}; each needs its own in the header, or leave out: ignore: {leave}"
        )
    special = {key: columns[i] for key, i in chosen.special.items()}
    target = None if chosen.target is None else columns[chosen.target]
    return Table(
        where, {column.name: column for column in kept}, target, special, decimal, tuple(notes), line_of,
        ignored=chosen.ignored,
    )  # fmt: skip


def concatenate(first: Table, second: Table) -> Table:
    """Returns the rows of both tables, which have the same columns; the first one's come first."""

    def joined(a: Column, b: Column) -> Column:
        if a.texts is None and b.texts is None and (a.form is None) == (b.form is None):
            return Column(a.name, np.concatenate([a.values, b.values]), None, a.form)
        a, b = as_text(a), as_text(b)
        texts = list(dict.fromkeys([*(a.texts or ()), *(b.texts or ())]))
        place = {text: i for i, text in enumerate(texts)}
        codes = [np.array([*(place[t] for t in c.texts or ()), -1])[c.values] for c in (a, b)]
        return Column(a.name, np.concatenate(codes).astype(np.int32), texts)

    assert first.target is not None and second.target is not None
    return replace(
        first,
        features={n: joined(c, second.features[n]) for n, c in first.features.items()},
        target=joined(first.target, second.target),
        special={k: joined(c, second.special[k]) for k, c in first.special.items()},
        notes=tuple(dict.fromkeys((*first.notes, *second.notes))),
    )


def counts_rows(column: Column) -> bool:
    """Returns whether a column of numbers only counts: 0, 1, 2, ... or from any other whole number."""
    values = column.values
    if column.texts is not None or column.form is not None or len(values) < 3:
        return False
    return bool(np.isfinite(values[0]) and values[0] in (0.0, 1.0) and (np.diff(values) == 1).all())


def _numbers_rows(column: Column) -> bool:
    """Returns whether a column has another small whole number in each row: an index, in any order.

    Of a table of which most rows were taken out for something else, numbers may be missing.
    """
    values = column.values
    if column.texts is not None or column.form is not None:
        return False
    within = (values >= 0) & (values <= MOST_SPARSE * len(values)) & (values % 1 == 0)  # no NaN
    return bool(within.all()) and len(np.unique(values)) == len(values)


# --- cells ----------------------------------------------------------------------------------------

Raw = np.ndarray | tuple[np.ndarray, list[str]]  # numbers, or codes and the different texts


def raw_of(values: Any) -> Raw:
    """Returns what a pandas series holds: float64 (N,), or codes (N,) int32 and texts."""
    kind = values.dtype.kind if isinstance(values.dtype, np.dtype) else "O"
    if kind in "biuf":
        return values.to_numpy(dtype=np.float64)
    import pandas as pd

    codes, distinct = pd.factorize(values)
    texts = [cell_text(value) for value in distinct.tolist()]
    # Blanks at the ends, and spellings of nothing, are one text each.
    places: dict[str, int] = {}
    table = [-1 if is_empty(t) else places.setdefault(t, len(places)) for t in texts]
    return np.array([*table, -1], dtype=np.int32)[codes], list(places)


def cell_text(value: Any) -> str:
    """Returns a cell of a frame as text: dates as ISO has them."""
    if isinstance(value, float):
        return number_text(value)
    return value.isoformat() if hasattr(value, "isoformat") else str(value).strip()


def decimal_of(cells: Iterable[object], typed: bool = False) -> str:
    """Returns "," where texts show that numbers have a decimal comma, else ".".

    Args:
        cells: `Raw` of each column; of a frame's others anything else.
        typed: numbers were none of text, so that those with a fraction do not show a decimal point.
    """
    found = False
    for values in cells:
        if isinstance(values, tuple) and values[1]:
            _, texts = values
            commas = [t for t in texts if _DECIMAL_COMMA.fullmatch(t)]
            # 1,234 may be a thousand and something: others must show that it is not.
            if len(commas) > len(texts) / 2 and not all(_THOUSANDS.fullmatch(t) for t in commas):
                found = True
            elif typed and any("." in t and NUMBER.fullmatch(t) for t in texts):
                return "."
        elif isinstance(values, np.ndarray) and not typed:
            if (values[np.isfinite(values)] % 1 != 0).any():
                return "."  # numbers with a point
    return "," if found else "."


def column_of(name: str, raw: Raw, decimal: str = ".") -> Column:
    """Returns a column as it is understood: of numbers or dates where all cells are."""
    return of_texts(name, *raw, decimal) if isinstance(raw, tuple) else Column(name, raw)


def as_written(name: str, raw: Raw) -> Column:
    """Returns a target as it was written: names of classes are not changed."""
    return Column(name, *raw) if isinstance(raw, tuple) else Column(name, raw)

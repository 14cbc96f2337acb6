"""Cells that are not what their column is: taken as empty where a table is read leniently, with a note.

Called by `zero.data.understand` and `zero.data.frame_of`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from zero.data.columns import Column, numbers_of
from zero.data.prepare import seconds_of
from zero.data.table import one_line
from zero.errors import visible, written

MOST_NAMED = 10
MOST_PLACED = (
    3  # columns whose first such cell is looked for in the file, which is read again for it
)

NO_NUMBER, INFINITE, NO_DATE = "no number", "infinite", "no date"


@dataclass(frozen=True)
class Mended:
    """So many cells of a column that became empty; the first's row and what it was; what it is not."""

    name: str
    why: str
    count: int
    row: int
    cell: str


def mended_numbers(column: Column, decimal: str = ".") -> tuple[Column, list[Mended]]:
    """Returns a column as one of finite numbers, and what became empty for that."""
    if column.form is not None:
        filled = np.flatnonzero(~column.empty)
        nothing = Column(column.name, np.full(len(column), np.nan))
        return nothing, _told(column, NO_NUMBER, filled)
    values, bad = numbers_of(column, decimal)
    infinite = np.flatnonzero(np.isinf(values))
    if len(infinite):
        values = values.copy()
        values[infinite] = np.nan
    told = _told(column, NO_NUMBER, bad) + _told(column, INFINITE, infinite)
    return Column(column.name, values), told


def mended_dates(column: Column, form: str) -> tuple[Column, list[Mended]]:
    """Returns a column as one of dates, and what became empty for that.

    form: of dates in texts, see `zero.data.columns.date_seconds`.
    """
    values, bad = seconds_of(column, form)
    return Column(column.name, values, None, form), _told(column, NO_DATE, bad)


def _told(column: Column, why: str, rows: np.ndarray) -> list[Mended]:
    if not len(rows):
        return []
    cell = "a date" if column.form is not None else one_line(column.cell(int(rows[0])))
    return [Mended(column.name, why, len(rows), int(rows[0]), cell)]


def mended_notes(where: str, found: Sequence[Mended], place: Callable[[int], str]) -> list[str]:
    """Returns a line for each thing that cells are not, with the columns that have such cells.

    place: says where a row is.
    """
    notes = []
    for why in dict.fromkeys(one.why for one in found):
        these = [one for one in found if one.why == why]
        told = []
        for i, one in enumerate(these[:MOST_NAMED]):
            first = "" if why == INFINITE else f"first {one.cell} "
            at = f"; {first}in {place(one.row)}" if i < MOST_PLACED else ""
            told.append(f"'{visible(one.name)}' ({one.count}{at})")
        more = f" and {len(these) - MOST_NAMED} more columns" if len(these) > MOST_NAMED else ""
        count = sum(one.count for one in these)
        whys = why if why == INFINITE else f"{why}s"
        said = f"1 cell is {why} and is" if count == 1 else f"{count} cells are {whys} and are"
        notes.append(f"{where}: {said} taken as empty: {', '.join(told)}{more}")
    return notes


def mixed_note(where: str, names: Sequence[str]) -> list[str]:
    """Returns the line on columns that have numbers and texts and are taken as categories."""
    if not names:
        return []
    shown = ", ".join(written(name) for name in names[:MOST_NAMED])
    shown += f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    verb = "column has" if len(names) == 1 else "columns have"
    taken = "is taken as a category" if len(names) == 1 else "are taken as categories"
    return [
        f"{where}: {len(names)} {verb} numbers and texts and {taken}: {shown} (types: "
        f"{{{written(names[0])}: number}} takes the texts as empty)"
    ]

"""Tables of evaluated architectures: files with a column of their texts and columns of numbers.

A cell of n nodes is written node by node, joined by `+`; node k lists what it reads as `|op~source|`
for the sources 0 to k - 1: `|a~0|+|b~0|a~1|+|b~0|b~1|a~2|` (Dong and Yang 2020, "NAS-Bench-201").
Which ops there are is what the table says; nothing is built or trained. Other tables have strings over a
finite alphabet (`zero.cells.table_forms`): there an "edge" is a place and an "op" a symbol. Used by
`zero.bench.nas_table`.

Each string is a cell of its own: cells that compute the same thing (isomorphic ones, or those that
differ behind an op that gives zeros) have rows, and accuracies, of their own in such tables.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from zero.cells.table_forms import CellForm, Form, form_of, nodes_of
from zero.data.columns import Column, numbers_of
from zero.data.table import Table, Wanted, one_line
from zero.data.tables import read_table
from zero.errors import TaskError

ARCH = "arch"
CELLS = CellForm()

MAX_NEIGHBOURS = 1 << 26  # of all cells: more would fill the memory; NAS-Bench-201 has 375,000


@dataclass(frozen=True, eq=False)
class CellTable:
    """A table of N cells with E edges.

    where: the file, for messages. form: how cells are written. ops: names found, sorted (of strings:
    the alphabet). cells (N, E) int64: index of each edge's op, edges in the order of the string.
    columns: name -> float64 (N,), finite.
    """

    where: str
    form: Form
    ops: tuple[str, ...]
    cells: np.ndarray
    columns: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.cells)

    @property
    def edges(self) -> int:
        """Number of edges of every cell."""
        return self.cells.shape[1]

    @property
    def nodes(self) -> int | None:
        """Number of nodes of every cell, the input included; None of strings, which have none."""
        return nodes_of(self.edges) if isinstance(self.form, CellForm) else None

    @property
    def possible(self) -> int:
        """How many cells these ops allow; a complete table lists them all."""
        return len(self.ops) ** self.edges

    def arch(self, row: int) -> str:
        """Returns the string of a row's cell."""
        return self.form.text([self.ops[i] for i in self.cells[row]])


class Neighbours(NamedTuple):
    """Which listed cells differ by one op.

    rows (N, most) int32: rows of each row's neighbours in its first `degree` places, then -1.
    degree (N,) int64.
    """

    rows: np.ndarray
    degree: np.ndarray


# --- reading --------------------------------------------------------------------------------------


def read_cell_table(
    path: str | Path, columns: Sequence[str], form: Form | None = CELLS
) -> CellTable:
    """Returns a table, with those of its columns that are named.

    Args:
        path: a table in any form that `zero.data.tables` reads, with a column `arch`.
        columns: names of columns of numbers.
        form: how its architectures are written; None: as the first one is.

    Raises:
        TaskError: the file cannot be read, is damaged or empty; a column is missing; a row is ragged, its
            cell malformed, of another size than the first or there already, or a cell of a named column
            is not a finite number.
    """
    where = str(path)
    try:
        table = read_table(Path(path), Wanted(ARCH, list(dict.fromkeys(columns))))
    except TaskError as error:  # which speaks of columns as tasks have them
        words = str(error).replace("unknown feature column", "unknown column")
        if "unknown target column" in words:
            words = words.replace("unknown target column", "unknown column")
            words += "; the texts of architectures stand in a column of that name"
        raise TaskError(words) from None
    assert table.target is not None
    if not len(table.target):
        raise TaskError(f"{where}: no rows below the header")
    texts = [str(table.target.cell(row) or "").strip() for row in range(len(table.target))]
    form = form or form_of(texts[0])
    rows: dict[tuple[str, ...], int] = {}
    for row, text in enumerate(texts):
        fault, cell = "", ()
        try:
            cell = form.parse(text)
            fault = _fault(form, text, cell, next(iter(rows), cell))
        except TaskError as error:
            fault = str(error)
        if cell in rows:
            fault = (
                f"{form.name} {one_line(text)} stands in {table.place(rows[cell])} already; keep one "
                f"row for each {form.name}"
            )
        if fault:  # the place is looked up in the file, so only now
            raise TaskError(f"{where} {table.place(row)}: {fault}")
        rows[cell] = row
    found = {name: _numbers(column, table, where) for name, column in table.features.items()}
    return _table(where, form, list(rows), found)


def _fault(form: Form, text: str, cell: tuple[str, ...], first: tuple[str, ...]) -> str:
    """Returns what is wrong with a cell beside the table's first one, "" if nothing is."""
    if len(cell) == len(first):
        return ""
    return (
        f"{form.name} {one_line(text)} has {form.size(cell)}, the first row's has "
        f"{len(first)}; all {form.name}s of a table need the same {form.same}"
    )


def _numbers(column: Column, table: Table, where: str) -> np.ndarray:
    values, _ = numbers_of(column, table.decimal)
    wrong = np.flatnonzero(~np.isfinite(values))
    if len(wrong):
        row = int(wrong[0])
        cell = "an empty cell" if column.empty[row] else one_line(column.cell(row))
        raise TaskError(
            f"{where} {table.place(row)}, column '{column.name}': {cell} is not a finite number like 91.5; "
            "write one, or leave the row out"
        )
    return np.ascontiguousarray(values)


def _table(
    where: str, form: Form, cells: list[tuple[str, ...]], columns: dict[str, np.ndarray]
) -> CellTable:
    ops = form.symbols({op for cell in cells for op in cell})
    index = {op: i for i, op in enumerate(ops)}
    edges = len(cells[0])
    if edges * math.log2(max(len(ops), 2)) > 62:
        raise TaskError(f"{where}: {len(ops)} ops on {edges} edges are more cells than 2**62")
    if len(cells) * edges * (len(ops) - 1) > MAX_NEIGHBOURS:
        raise TaskError(
            f"{where}: {len(cells)} cells with {len(ops)} ops on {edges} edges have too many "
            f"neighbours; expected cells x edges x (ops - 1) of at most {MAX_NEIGHBOURS}"
        )
    codes = np.array([[index[op] for op in cell] for cell in cells], dtype=np.int64)
    return CellTable(where, form, ops, codes, columns)


# --- the space ------------------------------------------------------------------------------------


def neighbours(table: CellTable) -> Neighbours:
    """Returns for each row the rows whose cell has another op on exactly one edge.

    In a complete table these are E x (ops - 1), so that drawing one of them is the mutation "an edge
    at random, another op at random"; a partial table leaves out what it does not list.
    """
    number, choices = len(table), len(table.ops)
    weights = choices ** np.arange(table.edges, dtype=np.int64)
    keys = table.cells @ weights
    order = np.argsort(keys)
    ranked = keys[order]
    found = np.full((number, table.edges * (choices - 1)), -1, dtype=np.int32)
    place = 0
    for edge in range(table.edges):
        for shift in range(1, choices):
            other = (table.cells[:, edge] + shift) % choices
            wanted = keys + (other - table.cells[:, edge]) * weights[edge]
            rank = np.minimum(np.searchsorted(ranked, wanted), number - 1)
            found[:, place] = np.where(ranked[rank] == wanted, order[rank], -1)
            place += 1
    listed = found >= 0
    # Listed ones first, in the order found.
    found = np.take_along_axis(found, np.argsort(~listed, axis=1, kind="stable"), axis=1)
    degree = listed.sum(axis=1)
    return Neighbours(np.ascontiguousarray(found[:, : max(1, degree.max())]), degree)

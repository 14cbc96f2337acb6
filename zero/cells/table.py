"""Tables of evaluated cells: files with a column of NAS-Bench-201 strings and columns of numbers.

A cell of n nodes is written node by node, joined by `+`; node k lists what it reads as `|op~source|`
for the sources 0 to k - 1: `|a~0|+|b~0|a~1|+|b~0|b~1|a~2|` (Dong and Yang 2020, "NAS-Bench-201").
Which ops there are is what the table says; nothing is built or trained. Used by `zero.bench.nas_table`.

Each string is a cell of its own: cells that compute the same thing (isomorphic ones, or those that
differ behind an op that gives zeros) have rows, and accuracies, of their own in such tables.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from zero.data.columns import Column, numbers_of
from zero.data.table import Table, Wanted, one_line
from zero.data.tables import read_table
from zero.errors import TaskError

ARCH = "arch"
FORM = "|op~0|+|op~0|op~1|+|op~0|op~1|op~2|"

MAX_NEIGHBOURS = 1 << 26  # of all cells: more would fill the memory; NAS-Bench-201 has 375,000

_OP = re.compile(r"[^\s|~+]+")


@dataclass(frozen=True, eq=False)
class CellTable:
    """A table of N cells with E edges.

    where: the file, for messages. ops: names found, sorted. nodes: of every cell, the input included.
    cells (N, E) int64: index of each edge's op, edges in the order of the string. columns: name ->
    float64 (N,), finite.
    """

    where: str
    ops: tuple[str, ...]
    nodes: int
    cells: np.ndarray
    columns: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.cells)

    @property
    def edges(self) -> int:
        """Number of edges of every cell."""
        return self.cells.shape[1]

    @property
    def possible(self) -> int:
        """How many cells these ops allow; a complete table lists them all."""
        return len(self.ops) ** self.edges

    def arch(self, row: int) -> str:
        """Returns the string of a row's cell."""
        names, parts = [self.ops[i] for i in self.cells[row]], []
        for node in range(1, self.nodes):
            read = [names.pop(0) for _ in range(node)]
            parts.append("|" + "|".join(f"{op}~{source}" for source, op in enumerate(read)) + "|")
        return "+".join(parts)


class Neighbours(NamedTuple):
    """Which listed cells differ by one op.

    rows (N, most) int32: rows of each row's neighbours in its first `degree` places, then -1.
    degree (N,) int64.
    """

    rows: np.ndarray
    degree: np.ndarray


def parse_arch(text: str) -> tuple[str, ...]:
    """Returns the ops of a cell's edges, node by node.

    Raises:
        TaskError: the text is not of the form `FORM`.
    """
    ops: list[str] = []
    for node, part in enumerate(text.split("+"), 1):
        edges = part.split("|")
        if len(edges) < 3 or edges[0] or edges[-1]:
            raise _malformed(text, f"node {node} does not begin and end with '|'")
        edges = edges[1:-1]
        if len(edges) != node:
            raise _malformed(text, f"node {node} has {len(edges)} edges and needs {node}")
        for source, edge in enumerate(edges):
            op, mark, read = edge.partition("~")
            if not mark or not _OP.fullmatch(op) or read != str(source):
                raise _malformed(text, f"{one_line(edge)} in node {node} is not op~{source}")
            ops.append(op)
    return tuple(ops)


def _malformed(text: str, fault: str) -> TaskError:
    return TaskError(f"malformed cell {one_line(text)}: {fault}; expected the form {FORM}")


# --- reading --------------------------------------------------------------------------------------


def read_cell_table(path: str | Path, columns: Sequence[str]) -> CellTable:
    """Returns a table, with those of its columns that are named.

    Args:
        path: a table in any form that `zero.data.tables` reads, with a column `arch`.
        columns: names of columns of numbers.

    Raises:
        TaskError: the file cannot be read, is damaged or empty; a column is missing; a row is ragged, its
            cell malformed, of another size than the first or there already, or a cell of a named column
            is not a finite number.
    """
    where = str(path)
    table = read_table(Path(path), Wanted(ARCH, list(dict.fromkeys(columns))))
    assert table.target is not None
    if not len(table.target):
        raise TaskError(f"{where}: no rows below the header")
    lines: dict[tuple[str, ...], int] = {}
    for row in range(len(table.target)):
        text, place = str(table.target.cell(row) or ""), f"{where} {table.place(row)}"
        cell = _cell(text.strip(), next(iter(lines), None), place)
        if cell in lines:
            raise TaskError(
                f"{place}: cell {one_line(text)} stands in {table.place(lines[cell])} already; keep one "
                "row for each cell"
            )
        lines[cell] = row
    found = {name: _numbers(column, table, where) for name, column in table.features.items()}
    return _table(where, list(lines), found)


def _cell(text: str, first: tuple[str, ...] | None, place: str) -> tuple[str, ...]:
    try:
        ops = parse_arch(text)
    except TaskError as error:
        raise TaskError(f"{place}: {error}") from None
    if first is not None and len(ops) != len(first):
        raise TaskError(
            f"{place}: cell {one_line(text)} has {len(ops)} edges, the first row's has {len(first)}; "
            "all cells of a table need the same number of nodes"
        )
    return ops


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


def _table(where: str, cells: list[tuple[str, ...]], columns: dict[str, np.ndarray]) -> CellTable:
    ops = tuple(sorted({op for cell in cells for op in cell}))
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
    nodes = round((1 + math.sqrt(1 + 8 * edges)) / 2)  # edges = nodes * (nodes - 1) / 2
    return CellTable(where, ops, nodes, codes, columns)


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

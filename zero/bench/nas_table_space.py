"""A table of evaluated cells as a space of genomes, for methods that are asked (`zero.bench.nas_table`)."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from zero.rng.splitmix import below
from zero.search.decisions import Decisions, checked


class RowSpace:
    """A genome is the number of a row.

    Decisions: the edges' ops, in the order of the string, by their numbers in the table; those that lead
    to a listed cell can be chosen. A neighbour is a listed cell with one other op; where none is listed
    a mutation gives a random row.

    Args:
        rows, degree: see `zero.cells.table.Neighbours`.
        cells: see `zero.cells.table.CellTable`.
    """

    mutations = ("neighbour", "random")

    def __init__(self, rows: np.ndarray, degree: np.ndarray, cells: np.ndarray):
        self.size = len(degree)
        self._near = [row[:n].tolist() for row, n in zip(rows, degree, strict=True)]
        self._cells = [tuple(map(str, cell)) for cell in cells.tolist()]

    def random(self, rng: np.ndarray) -> int:
        """Returns a row, all equally likely."""
        return int(below(rng, self.size))

    def mutate(self, row: int, rng: np.ndarray) -> tuple[int, str]:
        """Returns a neighbour, a random row where there is none, and the name of what was done."""
        near = self._near[row]
        if near:
            return near[below(rng, len(near))], self.mutations[0]
        return self.random(rng), self.mutations[1]

    def neighbours(self, row: int) -> list[int]:
        """Returns all neighbours, in the order of the table of neighbours."""
        return self._near[row]

    @cached_property
    def _choices(self) -> dict[Decisions, list[str]]:
        found: dict[Decisions, dict[str, None]] = {}
        for cell in sorted(self._cells):
            for place, op in enumerate(cell):
                found.setdefault(cell[:place], {})[op] = None
        return {decisions: list(ops) for decisions, ops in found.items()}

    @cached_property
    def _row_of(self) -> dict[Decisions, int]:
        return {cell: row for row, cell in enumerate(self._cells)}

    def choices(self, decisions: Decisions) -> list[str]:
        """Returns the numbers of ops that lead on to a listed cell."""
        return self._choices.get(decisions, [])

    def genome_of(self, decisions: Decisions) -> int:
        """Returns the row of a cell; see `zero.search.protocol.DecisionSpace`."""
        row = self._row_of.get(decisions)
        return self._row_of[checked(self.choices, decisions)] if row is None else row

    def decisions_of(self, row: int) -> Decisions:
        """Returns the ops' numbers."""
        return self._cells[row]

    def text(self, row: int) -> str:
        """Returns the row's number."""
        return str(row)

    def parse(self, text: str) -> int:
        """Returns the row of such a text."""
        return int(text)

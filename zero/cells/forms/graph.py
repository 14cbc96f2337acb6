"""Cells of NAS-Bench-101: a graph with an op at each vertex."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from zero.cells.canonical import canonical_graph
from zero.cells.drawing.parts import Part
from zero.cells.forms.form import Form
from zero.cells.forms.terms import check_once, check_read, read_terms
from zero.errors import NetworkError


@dataclass(frozen=True)
class GraphCell(Form):
    """Vertices of (op, vertices read), and what the output reads; 0 is the input, 1 the first vertex.

    Vertices that do not lie between input and output may be there; networks leave them out.
    """

    vertices: tuple[tuple[str, tuple[int, ...]], ...]
    output: tuple[int, ...]

    def __str__(self) -> str:
        parts = [*self.vertices, ("out", self.output)]
        return " ".join(f"{op}({','.join(map(_vertex_name, reads))})" for op, reads in parts)

    def lines(self) -> list[str]:
        """Returns the cell for people to read, a vertex a line."""
        found = []
        for number, (op, reads) in enumerate(self.vertices, 1):
            found.append(f"n{number} = {op}({' + '.join(map(_vertex_name, reads))})")
        parts = [_vertex_name(v) for v in self.output if v]
        output = [f"concat({', '.join(parts)})"] if parts else []
        return [*found, f"out = {' + '.join(output + ['in'] * (0 in self.output))}"]

    def check(self) -> None:
        """Raises NetworkError if a vertex reads what there is not, or no path leads to the output."""
        for number, (_, reads) in enumerate(self.vertices, 1):
            for vertex in reads:
                check_read(_vertex_name(number), vertex, number, _vertex_name)
            check_once(_vertex_name(number), reads, _vertex_name)
        for vertex in self.output:
            check_read("out", vertex, len(self.vertices) + 1, _vertex_name)
        check_once("out", self.output, _vertex_name)
        if self.pruned is None:
            raise NetworkError("no path leads from in to out")

    @property
    def num_edges(self) -> int:
        """Number of edges, those to the output among them."""
        return sum(len(reads) for _, reads in self.vertices) + len(self.output)

    @property
    def pruned(self) -> GraphCell | None:
        """The cell without the vertices off every path from input to output; None if no path is."""
        fed = {0}
        for number, (_, reads) in enumerate(self.vertices, 1):
            if fed & set(reads):
                fed.add(number)
        read = set(self.output)
        for number in reversed(range(1, len(self.vertices) + 1)):
            if number in read:
                read |= set(self.vertices[number - 1][1])
        kept = sorted(fed & read)
        if 0 not in kept:
            return None
        place = {vertex: number for number, vertex in enumerate(kept)}

        def left(reads):
            return tuple(place[r] for r in reads if r in place)

        vertices = tuple((self.vertices[k - 1][0], left(self.vertices[k - 1][1])) for k in kept[1:])
        return GraphCell(vertices, left(self.output))

    def canonical(self) -> str:
        """Returns a text that is equal for cells whose pruned graphs are isomorphic."""
        cell = self.pruned
        labels = ["in", *(op for op, _ in cell.vertices), "out"]
        parts = [*(reads for _, reads in cell.vertices), cell.output]
        edges = [(r, number, "") for number, reads in enumerate(parts, 1) for r in reads]
        return canonical_graph(labels, edges)

    @classmethod
    def from_matrix(cls, matrix: Sequence[Sequence[int]], ops: Sequence[str]) -> GraphCell:
        """Returns the cell of NAS-Bench-101's adjacency matrix and list of ops (input and output too).

        Raises:
            NetworkError: The matrix is not square, or has an entry on or below its diagonal.
        """
        size = len(ops)
        if size < 2 or len(matrix) != size or any(len(row) != size for row in matrix):
            raise NetworkError(f"the matrix must have {size} rows and columns, one for each op")
        if any(matrix[i][j] for i in range(size) for j in range(i + 1)):
            raise NetworkError("the matrix has an edge on or below its diagonal: that is a loop")
        reads = [tuple(i for i in range(j) if matrix[i][j]) for j in range(1, size)]
        return cls(tuple(zip(ops[1:-1], reads, strict=False)), reads[-1])

    def parts(self) -> list[Part]:
        """Returns the boxes of its drawing: those of the pruned cell."""
        cell = self.pruned
        found = [Part("in", "input")]
        for number, (op, reads) in enumerate(cell.vertices, 1):
            found.append(Part(f"n{number}", "vertex", reads, (op,)))
        return [*found, Part("concat" if len(cell.output) > 1 else "out", "output", cell.output)]

    @classmethod
    def parse(cls, text: str) -> GraphCell:
        """Returns the cell of its text; raises NetworkError if it is none."""
        words, output = read_terms(text)
        if output is None:
            raise NetworkError("'out(...)' is missing: name the vertices that the output reads")
        vertices = []
        for number, terms in enumerate(words, 1):
            if len(terms) != 1:
                raise NetworkError(f"n{number} must be one op, such as conv1x1-bn-relu(in,n1)")
            op, names = terms[0]
            vertices.append((op, tuple(_vertex(f"n{number}", name) for name in names)))
        return GraphCell(tuple(vertices), tuple(_vertex("out", name) for name in output))


def _vertex_name(vertex: int) -> str:
    return "in" if vertex == 0 else f"n{vertex}"


def _vertex(where: str, name: str) -> int:
    if name == "in":
        return 0
    if re.fullmatch(r"n[1-9]\d{0,3}", name):
        return int(name[1:])
    raise NetworkError(f"{where} reads '{name}'; vertices are in, n1, n2, ...")

"""The search spaces of NAS-Bench-101 and NAS-Bench-201, with the same methods as `PairSpace`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING

from zero.cells.genome import EDGES, EdgeCell, Genome, GraphCell
from zero.errors import NetworkError, unknown_name

if TYPE_CHECKING:  # names are completed by the shell without it
    import numpy as np


def _below(rng: np.ndarray, n: int) -> int:
    from zero.rng.splitmix import below

    return int(below(rng, n))


def _check_cell(space, genome: Genome, ops: tuple[str, ...]) -> None:
    if genome.reduction is not None or not isinstance(genome.normal, space.form):
        raise NetworkError(f"{space.name}: a genome has one cell, a {space.form.__name__}")
    try:
        genome.normal.check()
        for op in ops:
            if op not in space.ops:
                raise NetworkError(unknown_name(f"op of {space.name}", op, space.ops))
    except NetworkError as error:
        raise NetworkError(f"{space.name}: {error}") from None


@dataclass(frozen=True)
class NasBench201:
    """Six edges with an op each: 15,625 cells with the benchmark's five ops."""

    name: str
    description: str
    ops: tuple[str, ...]

    form = EdgeCell
    mutations = ("op",)

    def check(self, genome: Genome) -> None:
        """Raises NetworkError if the genome is none of this space."""
        _check_cell(self, genome, getattr(genome.normal, "ops", ()))

    def random(self, rng: np.ndarray) -> Genome:
        """Returns a genome drawn uniformly."""
        ops = tuple(self.ops[_below(rng, len(self.ops))] for _ in EDGES)
        return Genome(self.name, EdgeCell(ops))

    def mutate(self, genome: Genome, rng: np.ndarray) -> tuple[Genome, str]:
        """Returns the genome with another op on one edge, both drawn evenly, and "op"."""
        near = self.neighbours(genome)
        return (near[_below(rng, len(near))] if near else genome), "op"

    def neighbours(self, genome: Genome) -> list[Genome]:
        """Returns the genomes that differ in one edge's op."""
        old = genome.normal.ops
        return [
            replace(genome, normal=EdgeCell((*old[:edge], op, *old[edge + 1 :])))
            for edge in range(len(old))
            for op in self.ops
            if op != old[edge]
        ]


@dataclass(frozen=True)
class NasBench101:
    """Graphs with at most 7 vertices (input and output among them) and 9 edges, an op a vertex.

    The limits hold for what lies between input and output, as in the benchmark. New genomes have all
    vertices, some of which may lie off every path.
    """

    name: str
    description: str
    ops: tuple[str, ...]

    form = GraphCell
    mutations = ("edge", "op")
    max_vertices = 7
    max_edges = 9

    def check(self, genome: Genome) -> None:
        """Raises NetworkError if the genome is none of this space."""
        cell = genome.normal
        _check_cell(self, genome, tuple(op for op, _ in getattr(cell, "vertices", ())))
        for what, size, most in (
            ("vertices", len(cell.vertices) + 2, self.max_vertices),
            ("edges between in and out", cell.pruned.num_edges, self.max_edges),
        ):
            if size > most:
                raise NetworkError(f"{self.name}: {size} {what}; at most {most} are allowed")

    def random(self, rng: np.ndarray) -> Genome:
        """Returns a genome of 7 vertices; ops and edges drawn evenly, anew until it is valid."""
        size = self.max_vertices
        while True:
            ops = [self.ops[_below(rng, len(self.ops))] for _ in range(size - 2)]
            edges = [pair for pair in combinations(range(size), 2) if _below(rng, 2)]
            cell = _graph(ops, edges)
            if self._valid(cell):
                return Genome(self.name, cell)

    def mutate(self, genome: Genome, rng: np.ndarray) -> tuple[Genome, str]:
        """Returns a valid genome and the mutation's name, drawn evenly.

        `edge` adds or removes an edge (of the genome with vertices added up to seven), `op` gives a
        vertex another op; each drawn evenly from the valid outcomes.
        """
        name = self.mutations[_below(rng, 2)]
        near = list(self._flipped(genome) if name == "edge" else self._other_ops(genome))
        if not near:  # no vertex has an op
            name, near = "edge", list(self._flipped(genome))
        return near[_below(rng, len(near))], name

    def neighbours(self, genome: Genome) -> list[Genome]:
        """Returns all valid genomes that one mutation can make of this one."""
        return [*self._flipped(genome), *self._other_ops(genome)]

    def _valid(self, cell: GraphCell) -> bool:
        return cell.pruned is not None and cell.pruned.num_edges <= self.max_edges

    def _flipped(self, genome: Genome) -> Iterator[Genome]:
        cell = genome.normal
        missing = self.max_vertices - 2 - len(cell.vertices)
        ops = [*(op for op, _ in cell.vertices), *(missing * [self.ops[0]])]
        parts = [*(reads for _, reads in cell.vertices), *(missing * [()]), cell.output]
        edges = {(r, target) for target, reads in enumerate(parts, 1) for r in reads}
        for edge in combinations(range(self.max_vertices), 2):
            new = _graph(ops, sorted(edges ^ {edge}))
            if self._valid(new):
                yield replace(genome, normal=new)

    def _other_ops(self, genome: Genome) -> Iterator[Genome]:
        cell = genome.normal
        for number, (old, reads) in enumerate(cell.vertices):
            for op in self.ops:
                if op != old:
                    before, after = cell.vertices[:number], cell.vertices[number + 1 :]
                    new = GraphCell((*before, (op, reads), *after), cell.output)
                    yield replace(genome, normal=new)


def _graph(ops: list[str], edges: list[tuple[int, int]]) -> GraphCell:
    """Returns the cell with these edges; the last vertex is the output."""
    reads = [tuple(s for s, t in edges if t == v) for v in range(1, len(ops) + 2)]
    return GraphCell(tuple(zip(ops, reads, strict=False)), reads[-1])

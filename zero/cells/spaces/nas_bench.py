"""The search spaces of NAS-Bench-101 and NAS-Bench-201, with the same methods as `PairSpace`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import combinations
from typing import TYPE_CHECKING

from zero.cells.forms.edge import EDGES, EdgeCell
from zero.cells.forms.graph import GraphCell
from zero.cells.genome import Genome
from zero.errors import NetworkError, unknown_name
from zero.search.decisions import Decisions, checked

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
    """Six edges with an op each: 15,625 cells with the benchmark's five ops.

    Decisions: the ops, in the order of the text (`zero.cells.genome.EDGES`).
    """

    name: str
    description: str
    ops: tuple[str, ...]

    form = EdgeCell
    mutations = ("op",)
    supernet = mixture = True  # see `zero.cells.supernet`

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

    def choices(self, decisions: Decisions) -> tuple[str, ...]:
        """Returns the ops of which the next decision is one."""
        return self.ops if len(decisions) < len(EDGES) else ()

    def genome_of(self, decisions: Decisions) -> Genome:
        """Returns the genome of a complete sequence of decisions; raises ZeroError for others."""
        return Genome(self.name, EdgeCell(checked(self.choices, decisions)))

    def decisions_of(self, genome: Genome) -> Decisions:
        """Returns the genome's decisions; NetworkError if it is none of this space."""
        self.check(genome)
        return genome.normal.ops


@dataclass(frozen=True)
class NasBench101:
    """Graphs with at most 7 vertices (input and output among them) and 9 edges, an op a vertex.

    The limits hold for what lies between input and output, as in the benchmark. New genomes have all
    vertices, some of which may lie off every path.

    Decisions: vertex by vertex its op, then of each vertex before it, from the input on, whether it is
    read; last, what the output reads. Only what some valid genome goes on from can be chosen. A
    genome written down with fewer vertices has the decisions of the same cell with vertices added that
    nobody reads.

    Growth: the smallest genome has no vertex between input and output. A new vertex comes last; it reads
    any vertices and is read by the output, which may then read fewer of the others, as long as all
    lie on a path. So every valid cell can be grown.
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

    def smallest(self) -> list[Genome]:
        """Returns the genome of two vertices, whose output is its input."""
        return [Genome(self.name, GraphCell((), (0,)))]

    def grown(self, genome: Genome) -> list[Genome]:
        """Returns the genomes with one more vertex, all on a path from input to output.

        None of those that have seven, vertices off every path among them.
        """
        cell = genome.normal
        if len(cell.vertices) + 2 >= self.max_vertices:
            return []
        new, found = len(cell.vertices) + 1, []
        for kept in _subsets(sorted(cell.output)):
            for reads in _subsets(range(new))[1:]:
                for op in self.ops:
                    grown = GraphCell((*cell.vertices, (op, reads)), (*kept, new))
                    if self._valid(grown) and len(grown.pruned.vertices) == new:
                        found.append(replace(genome, normal=grown))
        return found

    def _valid(self, cell: GraphCell) -> bool:
        return cell.pruned is not None and cell.pruned.num_edges <= self.max_edges

    def choices(self, decisions: Decisions) -> tuple[str, ...]:
        """Returns the ops, or those of "no" and "yes", of which the next decision is one."""
        places, at = _places(self.max_vertices), len(decisions)
        if at == len(places):
            return ()
        edge = places[at]
        if not edge:
            return self.ops
        made = sum(place for place, name in zip(places, decisions, strict=False) if name == YES)
        free = sum(places[at + 1 :])
        sizes = self.max_vertices, self.max_edges
        edges = {NO: made, YES: made + edge}
        return tuple(name for name in edges if _ends_well(edges[name], free, *sizes))

    def genome_of(self, decisions: Decisions) -> Genome:
        """Returns the genome of a complete sequence of decisions; raises ZeroError for others."""
        made = checked(self.choices, decisions)
        places = _places(self.max_vertices)
        ops = [name for place, name in zip(places, made, strict=True) if not place]
        chosen = sum(place for place, name in zip(places, made, strict=True) if name == YES)
        edges = [e for k, e in enumerate(_edges(self.max_vertices)) if chosen >> k & 1]
        return Genome(self.name, _graph(ops, edges))

    def decisions_of(self, genome: Genome) -> Decisions:
        """Returns the genome's decisions; NetworkError if it is none of this space."""
        self.check(genome)
        ops, edges = self._filled_up(genome.normal)
        made: list[str] = []
        for target in range(1, self.max_vertices):
            made += ops[target - 1 : target]
            made += [YES if (source, target) in edges else NO for source in range(target)]
        return tuple(made)

    def _filled_up(self, cell: GraphCell) -> tuple[list[str], set[tuple[int, int]]]:
        """Returns the ops and edges of a cell with vertices added up to seven."""
        missing = self.max_vertices - 2 - len(cell.vertices)
        ops = [*(op for op, _ in cell.vertices), *(missing * [self.ops[0]])]
        parts = [*(reads for _, reads in cell.vertices), *(missing * [()]), cell.output]
        return ops, {(r, target) for target, reads in enumerate(parts, 1) for r in reads}

    def _flipped(self, genome: Genome) -> Iterator[Genome]:
        ops, edges = self._filled_up(genome.normal)
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


def _subsets(vertices: Sequence[int]) -> list[tuple[int, ...]]:
    """Returns all subsets, none first."""
    sizes = range(len(vertices) + 1)
    return [chosen for size in sizes for chosen in combinations(vertices, size)]


def _graph(ops: list[str], edges: list[tuple[int, int]]) -> GraphCell:
    """Returns the cell with these edges; the last vertex is the output."""
    reads = [tuple(s for s, t in edges if t == v) for v in range(1, len(ops) + 2)]
    return GraphCell(tuple(zip(ops, reads, strict=False)), reads[-1])


# --- decisions about a graph: sets of edges are the bits of a number ------------------------------

NO, YES = "no", "yes"


@lru_cache
def _edges(size: int) -> tuple[tuple[int, int], ...]:
    """Returns the edges of a graph of so many vertices, by target."""
    return tuple((source, target) for target in range(1, size) for source in range(target))


@lru_cache
def _places(size: int) -> tuple[int, ...]:
    """Returns for each decision the edge that it is about, 0 if it is about an op."""
    found: list[int] = []
    for number, (source, target) in enumerate(_edges(size)):
        if source == 0 and target < size - 1:
            found.append(0)
        found.append(1 << number)
    return tuple(found)


@lru_cache
def _paths(size: int) -> tuple[int, ...]:
    """Returns the paths from input to output, short ones first."""
    bit = {edge: 1 << number for number, edge in enumerate(_edges(size))}
    return tuple(
        sum(bit[edge] for edge in zip((0, *inner), (*inner, size - 1), strict=True))
        for length in range(size - 1)
        for inner in combinations(range(1, size - 1), length)
    )


@lru_cache(maxsize=1 << 16)
def _ends_well(made: int, free: int, size: int, most: int) -> bool:
    """Returns whether some of the free edges make a valid graph of those that are chosen.

    A valid graph has a path, and without what it has besides the path it has no more edges between
    input and output: so it is enough to try every path.
    """
    return any(
        not path & ~(made | free) and _edges_between(made | path, size) <= most
        for path in _paths(size)
    )


def _edges_between(chosen: int, size: int) -> int:
    """Returns the number of edges on paths from input to output."""
    edges = [edge for number, edge in enumerate(_edges(size)) if chosen >> number & 1]
    fed, read = {0}, {size - 1}
    for source, target in edges:
        if source in fed:
            fed.add(target)
    for source, target in sorted(edges, reverse=True):
        if target in read:
            read.add(source)
    return sum(source in fed and target in read for source, target in edges)

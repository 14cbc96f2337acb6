"""Genomes of cells: immutable values with a text that is parsed back to the same genome.

Three forms of cell, one for each family of spaces (`zero.cells.spaces`):

* `PairCell` (NASNet, AmoebaNet, DARTS): nodes that add two ops' results. A genome has a normal cell and
  a reduction cell. `prev` and `cur` are the outputs of the cell before the last and of the last cell.
* `GraphCell` (NAS-Bench-101): a graph with an op at each vertex.
* `EdgeCell` (NAS-Bench-201): four nodes, an op on each of the six edges between them.

Texts, white space free, lines that start with `#` left out:

    amoebanet: normal sep3(cur)+id(prev) max3(n1)+sep5(cur) ... out(n2,n5);
               reduction ... out(n4,n5)
    nas_bench_101: conv3x3-bn-relu(in) maxpool3x3(in,n1) out(n1,n2)
    nas_bench_201: |nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|none~2|

Without `out(...)` a pair cell's output is all states that nobody reads; without a reduction cell the
normal cell stands for both; NAS-Bench-201's text may stand alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from zero.cells.canonical import canonical_graph
from zero.errors import NetworkError

Read = tuple[str, int]  # an op and the state that it reads


@dataclass(frozen=True)
class PairCell:
    """Nodes of two (op, state) each, and the states whose channels the output concatenates.

    States: 0 is prev, 1 is cur, 2 is the first node (n1), and so on.
    """

    nodes: tuple[tuple[Read, Read], ...]
    concat: tuple[int, ...]

    def __str__(self) -> str:
        nodes = " ".join("+".join(f"{op}({state_name(s)})" for op, s in n) for n in self.nodes)
        return f"{nodes} out({','.join(map(state_name, self.concat))})"

    def lines(self) -> list[str]:
        """Returns the cell for people to read, a node a line."""
        nodes = [" + ".join(f"{op}({state_name(s)})" for op, s in node) for node in self.nodes]
        found = [f"{state_name(number)} = {node}" for number, node in enumerate(nodes, 2)]
        return [*found, f"out = concat({', '.join(map(state_name, self.concat))})"]

    @property
    def live(self) -> tuple[int, ...]:
        """The states, prev and cur among them, that the output depends on."""
        found = set(self.concat)
        for number in reversed(range(len(self.nodes))):
            if number + 2 in found:
                found |= {state for _, state in self.nodes[number]}
        return tuple(sorted(found))

    def check(self) -> None:
        """Raises NetworkError if a node or the output reads what there is not."""
        for number, node in enumerate(self.nodes):
            if len(node) != 2:
                raise NetworkError(f"{state_name(number + 2)} adds {len(node)} ops; it must be two")
            for _, state in node:
                _check_read(state_name(number + 2), state, number + 2, state_name)
        for state in self.concat:
            _check_read("out", state, len(self.nodes) + 2, state_name)
        _check_output(self.concat)

    def canonical(self) -> str:
        """Returns a text that is equal for cells that differ in the order of nodes and of pairs only.

        Nodes that the output does not depend on are left out; the output's order counts nothing.
        """
        live = [s for s in range(2, len(self.nodes) + 2) if s in self.live]
        place = {state: number for number, state in enumerate([0, 1, *live])}
        labels = ["prev", "cur", *("node" for _ in live)]
        for state in self.concat:
            labels[place[state]] += "*"
        edges = [(place[s], place[n], op) for n in live for op, s in self.nodes[n - 2]]
        return canonical_graph(labels, edges)


@dataclass(frozen=True)
class GraphCell:
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
                _check_read(_vertex_name(number), vertex, number, _vertex_name)
            _check_once(_vertex_name(number), reads, _vertex_name)
        for vertex in self.output:
            _check_read("out", vertex, len(self.vertices) + 1, _vertex_name)
        _check_once("out", self.output, _vertex_name)
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


@dataclass(frozen=True)
class EdgeCell:
    """Ops of the edges 0>1, 0>2, 1>2, 0>3, 1>3, 2>3; a node is the sum of its edges' results."""

    ops: tuple[str, ...]

    def __str__(self) -> str:
        parts = []
        for target in (1, 2, 3):
            edges = [f"{op}~{s}" for op, (s, t) in zip(self.ops, EDGES, strict=True) if t == target]
            parts.append(f"|{'|'.join(edges)}|")
        return "+".join(parts)

    def lines(self) -> list[str]:
        """Returns the cell for people to read, a node a line."""
        names, found = ("in", "n1", "n2", "out"), []
        for target in (1, 2, 3):
            pairs = zip(self.ops, EDGES, strict=True)
            terms = [f"{op}({names[s]})" for op, (s, t) in pairs if t == target and op != "none"]
            found.append(f"{names[target]} = {' + '.join(terms) or 'zeros'}")
        return found

    def check(self) -> None:
        """Raises NetworkError if there are not six ops."""
        if len(self.ops) != len(EDGES):
            raise NetworkError(f"the cell has {len(self.ops)} edges; it must be {len(EDGES)}")

    @property
    def live(self) -> tuple[int, ...]:
        """The nodes that the output, node 3, depends on."""
        found = {3}
        for (source, target), op in zip(reversed(EDGES), reversed(self.ops), strict=True):
            if target in found and op != "none":
                found.add(source)
        return tuple(sorted(found))

    def canonical(self) -> str:
        """Returns a text that is equal for cells that differ in these only.

        `none` edges, and edges that the output does not depend on, are not there; identity
        edges are contracted: what reads a node reads the ops' results that add up to it; nodes have
        no order. Two edges with the same op stay two, as they have weights of their own.
        """
        terms: dict[int, list[int]] = {0: [0], 1: [], 2: [], 3: []}  # node -> vertices that add up
        labels, edges = ["in"], []
        live = self.live
        for op, (source, target) in zip(self.ops, EDGES, strict=True):
            if op == "none" or target not in live:
                continue
            if op in ("skip_connect", "id"):
                terms[target] += terms[source]
                continue
            labels.append(op)
            edges += [(vertex, len(labels) - 1, "") for vertex in terms[source]]
            terms[target].append(len(labels) - 1)
        labels.append("out")
        edges += [(vertex, len(labels) - 1, "") for vertex in terms[3]]
        return canonical_graph(labels, edges)


EDGES = tuple((s, t) for t in (1, 2, 3) for s in range(t))  # of an EdgeCell, in order

Cell = PairCell | GraphCell | EdgeCell


@dataclass(frozen=True)
class Genome:
    """Cells of a space; `str` is its text, which `zero.cells.text.parse_genome` reads back.

    reduction: None in spaces of one cell. A plain value: `zero.cells.spaces.make_genome` checks one.
    """

    space: str
    normal: Cell
    reduction: Cell | None = None

    def __str__(self) -> str:
        if self.reduction is None:
            return f"{self.space}: {self.normal}"
        return f"{self.space}: normal {self.normal}; reduction {self.reduction}"

    def listing(self) -> str:
        """Returns the cells for people to read, a node a line."""
        parts = {"cell": self.normal}
        if self.reduction is not None:
            parts = {"normal cell": self.normal, "reduction cell": self.reduction}
        texts = [[name, *(f"  {line}" for line in cell.lines())] for name, cell in parts.items()]
        return "\n".join(line for lines in texts for line in lines)


def canonical_key(genome: Genome) -> str:
    """Returns a text that two genomes share exactly if their cells are the same but for names.

    What counts as the same: see `canonical` of `PairCell`, `GraphCell` and `EdgeCell`. The space counts
    nothing, so that a cell is found again in another space; the form of cell does.
    """
    cells = [genome.normal] if genome.reduction is None else [genome.normal, genome.reduction]
    form = type(genome.normal).__name__
    return f"{form}: {' ; '.join(cell.canonical() for cell in cells)}"


def state_name(state: int) -> str:
    """Returns a pair cell's name of a state: prev, cur, n1, ..."""
    return ("prev", "cur")[state] if state in (0, 1) else f"n{state - 1}"


def _vertex_name(vertex: int) -> str:
    return "in" if vertex == 0 else f"n{vertex}"


def unread_states(nodes: Sequence[tuple[Read, Read]]) -> tuple[int, ...]:
    """Returns the states, prev and cur among them, that no node reads."""
    read = {state for node in nodes for _, state in node}
    return tuple(state for state in range(len(nodes) + 2) if state not in read)


def _check_read(reader: str, state: int, limit: int, name) -> None:
    if state < 0:
        raise NetworkError(f"{reader} reads state {state}; states are numbered from 0")
    if state >= limit and reader == "out":
        raise NetworkError(f"{reader} reads {name(state)}, which the cell does not have")
    if state >= limit:
        raise NetworkError(
            f"{reader} reads {name(state)}, which is not made before it: a loop; "
            f"it can read {', '.join(map(name, range(limit)))}"
        )


def _check_output(states: tuple[int, ...]) -> None:
    if not states:
        raise NetworkError("out() reads nothing; name the states that make up the output")
    _check_once("out", states, state_name)


def _check_once(reader: str, states: tuple[int, ...], name) -> None:
    for first, second in combinations(states, 2):
        if first == second:
            raise NetworkError(f"{reader} reads {name(first)} twice")

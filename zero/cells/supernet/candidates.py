"""What a supernet chooses among: the ops that may stand on each edge of a space's cells.

An `Edge` is a place in a cell; whatever the cell's number in the network, the same edge makes the same
choice there. Weights belong to a place in the network and an op: a layer of a genome's network is one of
the supernet under the name that `names` gives it, CELL/EDGE/OP/..., whatever else the genome has.

Two forms of spaces have candidates: `EdgeCandidates` (NAS-Bench-201) and `PairCandidates` (DARTS, NASNet,
AmoebaNet), where an edge goes from a state to a node, as in DARTS and ENAS. Of spaces whose cells choose
what they put out (NASNet's and AmoebaNet's) only single genomes are networks here, no mixture
(`mixes`), since every cell's output has other channels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from zero.cells.forms.edge import EDGES, EdgeCell
from zero.cells.forms.pair import PairCell, state_name
from zero.cells.genome import Genome
from zero.cells.networks.nas_bench import edge_stages
from zero.cells.networks.pair_cells import calibrated
from zero.cells.networks.pair_network import pair_stages
from zero.cells.networks.skeleton import Skeleton
from zero.cells.ops import CELL_OPS, SLIM, add_op
from zero.errors import NetworkError

if TYPE_CHECKING:
    from zero.nn.network import Builder, Network

NONE = "none"  # adds nothing to a sum, and has no layer
SHARE = "share"  # scope of the layer that multiplies a candidate by its share


@dataclass(frozen=True)
class Edge:
    """A place of a cell: from a state to a node; cell: normal or reduction, "" where there is one."""

    cell: str
    source: str
    target: str

    def __str__(self) -> str:
        return f"{self.cell} {self.source}>{self.target}".strip()


# The layer whose weights are all an edge's share of an op: its name, numbers of edge and op.
Shares = list[tuple[str, int, int]]


class Candidates:
    """Edges and ops of a space in a skeleton.

    Attributes:
        edges: where ops are chosen.
        ops: of which one is chosen, "none" among them, where a mixture has it.
        mixes: whether mixtures of ops can be derived into a genome.
    """

    mixes = True

    def __init__(self, space: Any, skeleton: Skeleton):
        self.space, self.skeleton = space, skeleton
        self.ops: tuple[str, ...] = tuple(space.ops)
        if NONE not in self.ops:
            self.ops = (*self.ops, NONE)
        self.edges: tuple[Edge, ...] = ()

    def mixture(self, b: Builder, classes: int) -> tuple[Network, Shares]:
        """Returns the network of all candidates, each times its share, and where the shares are."""
        raise NotImplementedError

    def names(self, genome: Genome, network: Network) -> list[str]:
        """Returns the name of each layer of a genome's network in the supernet."""
        renamed = self._renamed(genome)
        found, seen = [], set[str]()
        for layer in network.layers:
            name = layer.name
            cell, _, rest = name.partition("/")
            if cell.startswith(("cell", "stem_cell")):
                for old, new in renamed[self._kind_of(cell)].items():
                    if rest.startswith(old):
                        name = f"{cell}/{new}{rest[len(old) :]}"
                        break
            # The same op twice of the same state: the second has weights of its own.
            if name in seen:
                name = f"{name}'"
            seen.add(name)
            found.append(name)
        return found

    def _kind_of(self, cell: str) -> str:
        """Returns of which kind a cell is, by its scope."""
        return ""

    def _renamed(self, genome: Genome) -> dict[str, dict[str, str]]:
        """Returns by kind of cell what the scopes of a genome's ops become."""
        raise NotImplementedError

    def chosen(self, shares: np.ndarray) -> list[tuple[int, int]]:
        """Returns the edges and ops, by number, of the genome of the largest shares (edges, ops).

        "none" counts nothing; edges in order, of each node the first state first.
        """
        raise NotImplementedError

    def strongest(self, shares: np.ndarray) -> Genome:
        """Returns the genome of `chosen`."""
        raise NotImplementedError

    def extremes(self) -> Iterator[Genome]:
        """Yields for each op a genome that has it everywhere."""
        raise NotImplementedError

    def weight_of(self, shares: np.ndarray) -> np.ndarray:
        """Returns the shares with those of "none" as 0: what edges and ops are compared by."""
        found = np.array(shares, dtype=np.float64)
        found[:, self.ops.index(NONE)] = 0.0
        return found


def _mix(
    b: Builder,
    candidates: Candidates,
    number: int,
    x: int,
    channels: int,
    stride: int,
    rules: Any,
    shares: Shares,
    normed: bool,
) -> list[int]:
    """Adds all candidates of an edge, each times its share; returns their outputs.

    normed: batch norm after ops that end without (pools), so that no candidate is larger than others.
    """
    found = []
    for place, op in enumerate(candidates.ops):
        if op == NONE:
            continue
        with b.scope(op):
            y = add_op(b, op, x, channels, stride, rules)
            ends = b.layers[y].kind == "batch_norm"
            with b.scope(SHARE):
                if normed and not ends and not CELL_OPS[op].identity:
                    y = b.batch_norm(y)
                y = b.depthwise(y, 1)
        shares.append((b.layers[y].name, number, place))
        found.append(y)
    return found


class EdgeCandidates(Candidates):
    """Of NAS-Bench-201: six edges."""

    def __init__(self, space: Any, skeleton: Skeleton):
        super().__init__(space, skeleton)
        self.edges = tuple(Edge("", str(source), str(target)) for source, target in EDGES)

    def mixture(self, b: Builder, classes: int) -> tuple[Network, Shares]:
        """Returns the network of all candidates."""
        shares: Shares = []

        def add_cell(x: int, channels: int) -> int:
            states = {0: x}
            for target in (1, 2, 3):
                parts = []
                for number, (source, end) in enumerate(EDGES):
                    if end == target:
                        with b.scope(f"{source}>{target}"):
                            mixed = _mix(
                                b, self, number, states[source], channels, 1, SLIM, shares, False
                            )
                            parts.append(b.add(*mixed))
                with b.scope(f"n{target}"):
                    states[target] = b.add(*parts)
            return states[3]

        return edge_stages(b, self.skeleton, classes, add_cell), shares

    def _renamed(self, genome: Genome) -> dict[str, dict[str, str]]:
        pairs = zip(EDGES, genome.normal.ops, strict=True)
        return {"": {f"{s}>{t}/": f"{s}>{t}/{op}/" for (s, t), op in pairs}}

    def chosen(self, shares: np.ndarray) -> list[tuple[int, int]]:
        """Returns each edge with its largest share's op."""
        return [(edge, int(k)) for edge, k in enumerate(self.weight_of(shares).argmax(axis=1))]

    def strongest(self, shares: np.ndarray) -> Genome:
        """Returns the genome of each edge's largest share."""
        return Genome(self.space.name, EdgeCell(tuple(self.ops[k] for _, k in self.chosen(shares))))

    def extremes(self) -> Iterator[Genome]:
        """Yields for each op the genome that has it on all edges."""
        for op in self.space.ops:
            yield Genome(self.space.name, EdgeCell((op,) * len(EDGES)))


class PairCandidates(Candidates):
    """Of spaces whose nodes add two ops' results: edges from every state to every later node."""

    def __init__(self, space: Any, skeleton: Skeleton):
        super().__init__(space, skeleton)
        self.mixes = bool(space.distinct)
        kinds = ("normal",) if skeleton.of_kind.one_cell else ("normal", "reduction")
        self.edges = tuple(
            Edge(kind, state_name(source), state_name(node + 2))
            for kind in kinds
            for node in range(space.nodes)
            for source in range(node + 2)
        )
        self.number = {edge: number for number, edge in enumerate(self.edges)}

    def _kind_of(self, cell: str) -> str:
        if self.skeleton.of_kind.one_cell:
            return "normal"
        if cell.startswith("stem_cell"):
            return "reduction"
        at = int(cell.removeprefix("cell"))
        return "reduction" if at in self.skeleton.reductions else "normal"

    def mixture(self, b: Builder, classes: int) -> tuple[Network, Shares]:
        """Returns the network of all candidates; every cell puts out all of its nodes."""
        shares: Shares = []
        rules = self.skeleton.of_kind.rules

        def add_cell(
            kind: str, prev: int | None, cur: int, channels: int, stride: int, _: float
        ) -> int:
            if stride == 2 and min(b.shape(cur)[:2]) < 2:
                raise NetworkError("the image cannot be halved; use larger images")
            states = dict(enumerate(calibrated(b, prev, cur, channels, rules, {0, 1})))
            for number in range(2, self.space.nodes + 2):
                parts = []
                for source in range(number):
                    edge = self.number[Edge(kind, state_name(source), state_name(number))]
                    step = stride if source < 2 else 1
                    with b.scope(f"{state_name(number)}<{state_name(source)}"):
                        mixed = _mix(
                            b, self, edge, states[source], channels, step, rules, shares, True
                        )
                        parts.append(b.add(*mixed))
                with b.scope(state_name(number)):
                    states[number] = b.add(*parts)
            with b.scope("out"):
                return b.concat(*(states[n] for n in range(2, self.space.nodes + 2)))

        return pair_stages(b, self.skeleton, classes, add_cell), shares

    def _renamed(self, genome: Genome) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = {}
        for kind in ("normal", "reduction"):
            found[kind] = {
                f"{state_name(number)}/{side}/": f"{state_name(number)}<{state_name(state)}/{op}/"
                for number, node in enumerate(getattr(genome, kind).nodes, 2)
                for side, (op, state) in zip("ab", node, strict=True)
            }
        return found

    def chosen(self, shares: np.ndarray) -> list[tuple[int, int]]:
        """Returns each node's two edges whose best ops have the largest shares, with these."""
        weights, found = self.weight_of(shares), []
        for kind, target in dict.fromkeys((edge.cell, edge.target) for edge in self.edges):
            places = [n for n, e in enumerate(self.edges) if (e.cell, e.target) == (kind, target)]
            best = np.argsort(-weights[places].max(axis=1), kind="stable")[:2]
            found += [(places[k], int(weights[places[k]].argmax())) for k in sorted(best)]
        return found

    def strongest(self, shares: np.ndarray) -> Genome:
        """Returns the genome of `chosen`; where cells are all of one kind both cells are the same."""
        number = {state_name(state): state for state in range(self.space.nodes + 2)}
        nodes: dict[str, list[tuple[tuple[str, int], ...]]] = {}
        chosen = self.chosen(shares)
        for one, two in zip(chosen[::2], chosen[1::2], strict=True):
            node = tuple((self.ops[op], number[self.edges[e].source]) for e, op in (one, two))
            nodes.setdefault(self.edges[one[0]].cell, []).append(node)
        output = tuple(range(2, self.space.nodes + 2))
        cells = {kind: PairCell(tuple(made), output) for kind, made in nodes.items()}
        normal = cells["normal"]
        return Genome(self.space.name, normal, cells.get("reduction", normal))

    def extremes(self) -> Iterator[Genome]:
        """Yields for each op the genome that has it everywhere, on the inputs of the cell."""
        output = tuple(range(2, self.space.nodes + 2))
        for op in self.space.ops:
            cell = PairCell((((op, 0), (op, 1)),) * self.space.nodes, output)
            yield Genome(self.space.name, cell, cell)


CANDIDATES: Mapping[type[Any], type[Candidates]] = {
    EdgeCell: EdgeCandidates,
    PairCell: PairCandidates,
}


def candidates_of(space: Any, skeleton: Skeleton) -> Candidates:
    """Returns the candidates of a space.

    Raises:
        NetworkError: it has no supernet.
    """
    if space.form not in CANDIDATES:
        raise NetworkError(f"the space {space.name} has no supernet")
    return CANDIDATES[space.form](space, skeleton)

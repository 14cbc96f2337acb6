"""The search spaces of NASNet, AmoebaNet and DARTS: two cells of nodes that add two ops' results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, Any

from zero.cells.forms.pair import PairCell, Read, state_name, unread_states
from zero.cells.genome import Genome
from zero.errors import NetworkError, unknown_name
from zero.search.decisions import Decisions, checked

if TYPE_CHECKING:  # names are completed by the shell without it
    import numpy as np

IDENTITY = 0.05  # probability of the mutation that changes nothing (Real et al. 2019)


@dataclass(frozen=True)
class PairSpace:
    """Genomes of a normal and a reduction cell, whose nodes add two ops' results.

    nodes: of each cell; a genome may have fewer, as many in both. distinct: the two ops of a node read
    different states, and the output is all nodes (DARTS); else the output of a new cell is all states
    that nobody reads, prev and cur among them. Cells that are written down may choose their output.

    Decisions: the normal cell's, then the reduction cell's; node by node the first state that it reads,
    the second, the first one's op, the second one's op (the order of Zoph et al. 2018). The output is
    no decision: it follows from the nodes, as in new cells, in their order. Smaller genomes have none.

    Growth (PNAS, Liu et al. 2018): the smallest genomes have one node, and the same block becomes the next
    node of both cells. A block is a node whose order of ops does not count.
    """

    name: str
    description: str
    ops: tuple[str, ...]
    nodes: int = 5
    distinct: bool = False

    form = PairCell
    mutations = ("identity", "hidden_state", "op")
    supernet = True  # see `zero.cells.supernet`

    def __getattr__(self, name: str) -> Any:
        if (
            name == "mixture" and self.distinct
        ):  # of all ops at once, where all cells put out the same
            return True
        raise AttributeError(name)

    def check(self, genome: Genome) -> None:
        """Raises NetworkError if the genome is none of this space."""
        for kind, cell in (("normal", genome.normal), ("reduction", genome.reduction)):
            where = f"{self.name}, {kind} cell"
            if not isinstance(cell, PairCell):
                raise NetworkError(f"{where}: {cell!r} is no PairCell")
            if not 1 <= len(cell.nodes) <= self.nodes:
                raise NetworkError(f"{where}: {_nodes(cell)}; it must be 1 to {self.nodes}")
            if len(cell.nodes) != len(genome.normal.nodes):
                raise NetworkError(
                    f"{where}: {_nodes(cell)}, but the normal cell has {len(genome.normal.nodes)}; "
                    "both must have as many"
                )
            try:
                cell.check()
                for number, node in enumerate(cell.nodes, 2):
                    self._check_node(state_name(number), node)
            except NetworkError as error:
                raise NetworkError(f"{where}: {error}") from None

    def _check_node(self, name: str, node: tuple[Read, Read]) -> None:
        for op, _ in node:
            if op not in self.ops:
                raise NetworkError(f"{name}: {unknown_name(f'op of {self.name}', op, self.ops)}")
        if self.distinct and node[0][1] == node[1][1]:
            raise NetworkError(
                f"{name} reads {state_name(node[0][1])} twice; it must be two states"
            )

    def random(self, rng: np.ndarray) -> Genome:
        """Returns a genome drawn uniformly from the space's ordered choices."""
        cells = []
        for _ in range(2):
            nodes = []
            for number in range(self.nodes):
                first = _below(rng, number + 2)
                if self.distinct:
                    second = (first + 1 + _below(rng, number + 1)) % (number + 2)
                else:
                    second = _below(rng, number + 2)
                nodes.append(
                    tuple((self.ops[_below(rng, len(self.ops))], s) for s in (first, second))
                )
            cells.append(PairCell(tuple(nodes), self._output(nodes)))
        return Genome(self.name, *cells)

    def mutate(self, genome: Genome, rng: np.ndarray) -> tuple[Genome, str]:
        """Returns a mutated genome and the mutation's name (Real et al. 2019, section 3.2).

        With probability 0.05 nothing changes. Otherwise, evenly: `hidden_state` lets one of a node's
        two ops, in a cell, node and place drawn evenly, read another state that is made before it (so
        there are no loops; in DARTS's space only ops that have another state to read are drawn); the
        output is then all unread states. `op` replaces an op drawn the same way by any op of the
        space, perhaps the same.
        """
        from zero.rng.splitmix import unit

        if unit(rng) < IDENTITY:
            return genome, "identity"
        all_places = self._places(genome)
        places = [place for place in all_places if self._others(genome, *place)]
        if _below(rng, 2) or not places:  # cells of one node in DARTS's space read both states
            place = all_places[_below(rng, len(all_places))]
            return self._with_op(genome, *place, self.ops[_below(rng, len(self.ops))]), "op"
        place = places[_below(rng, len(places))]
        others = self._others(genome, *place)
        return self._with_state(genome, *place, others[_below(rng, len(others))]), "hidden_state"

    def neighbours(self, genome: Genome) -> list[Genome]:
        """Returns all genomes that one mutation can make of this one, without itself."""
        found = {}
        for place in self._places(genome):
            for state in self._others(genome, *place):
                found[self._with_state(genome, *place, state)] = None
            for op in self.ops:
                found[self._with_op(genome, *place, op)] = None
        found.pop(genome, None)
        return list(found)

    def smallest(self) -> list[Genome]:
        """Returns the genomes of one node, the same in both cells."""
        cells = [PairCell((block,), self._output([block])) for block in self._blocks(0)]
        return [Genome(self.name, cell, cell) for cell in cells]

    def grown(self, genome: Genome) -> list[Genome]:
        """Returns the genomes with one more node, the same in both cells; none of the largest."""
        number = len(genome.normal.nodes)
        if number == self.nodes:
            return []
        found = []
        for block in self._blocks(number):
            both = [(*cell.nodes, block) for cell in (genome.normal, genome.reduction)]
            found.append(Genome(self.name, *(PairCell(n, self._output(n)) for n in both)))
        return found

    def _blocks(self, number: int) -> list[tuple[Read, Read]]:
        """Returns the nodes that there can be at a place, but for the order of their ops."""
        reads = [(op, state) for state in range(number + 2) for op in self.ops]
        pairs = combinations_with_replacement(reads, 2)
        return [pair for pair in pairs if not (self.distinct and pair[0][1] == pair[1][1])]

    def choices(self, decisions: Decisions) -> tuple[str, ...]:
        """Returns the names of states or ops of which the next decision is one."""
        if len(decisions) >= 8 * self.nodes:
            return ()
        node, part = divmod(len(decisions) % (4 * self.nodes), 4)
        if part >= 2:
            return self.ops
        taken = decisions[-1] if part == 1 and self.distinct else None
        return tuple(name for name in map(state_name, range(node + 2)) if name != taken)

    def genome_of(self, decisions: Decisions) -> Genome:
        """Returns the genome of a complete sequence of decisions; raises ZeroError for others."""
        made = checked(self.choices, decisions)
        number = {state_name(state): state for state in range(self.nodes + 2)}
        nodes = []
        for at in range(0, len(made), 4):
            first, second, first_op, second_op = made[at : at + 4]
            nodes.append(((first_op, number[first]), (second_op, number[second])))
        cells = (nodes[: self.nodes], nodes[self.nodes :])
        return Genome(self.name, *(PairCell(tuple(c), self._output(c)) for c in cells))

    def decisions_of(self, genome: Genome) -> Decisions:
        """Returns the genome's decisions; NetworkError if it is none or chooses its own output."""
        self.check(genome)
        if len(genome.normal.nodes) < self.nodes:
            raise NetworkError(
                f"{self.name}: cells of {_nodes(genome.normal)} have no decisions; these make cells "
                f"of {self.nodes}"
            )
        made: list[str] = []
        for kind in ("normal", "reduction"):
            cell = getattr(genome, kind)
            output = self._output(cell.nodes)
            if sorted(cell.concat) != list(output):
                own, given = (",".join(map(state_name, c)) for c in (output, cell.concat))
                raise NetworkError(
                    f"{self.name}, {kind} cell: out({given}) was written down; decisions give "
                    f"out({own})"
                )
            for (first_op, first), (second_op, second) in cell.nodes:
                made += [state_name(first), state_name(second), first_op, second_op]
        return tuple(made)

    def _output(self, nodes: Sequence[tuple[Read, Read]]) -> tuple[int, ...]:
        return tuple(range(2, len(nodes) + 2)) if self.distinct else unread_states(nodes)

    def _places(self, genome: Genome) -> list[tuple[str, int, int]]:
        """Returns (cell, node, side) of every op of a genome."""
        numbers = range(len(genome.normal.nodes))
        return [(c, n, s) for c in ("normal", "reduction") for n in numbers for s in (0, 1)]

    def _others(self, genome: Genome, cell: str, node: int, side: int) -> list[int]:
        """Returns the states that an op could read instead of its own."""
        pair = getattr(genome, cell).nodes[node]
        taken = {pair[side][1]} | ({pair[1 - side][1]} if self.distinct else set())
        return [state for state in range(node + 2) if state not in taken]

    def _with_op(self, genome: Genome, cell: str, node: int, side: int, op: str) -> Genome:
        old: PairCell = getattr(genome, cell)
        nodes = _replaced(old.nodes, node, side, (op, old.nodes[node][side][1]))
        return replace(genome, **{cell: PairCell(nodes, old.concat)})

    def _with_state(self, genome: Genome, cell: str, node: int, side: int, state: int) -> Genome:
        old: PairCell = getattr(genome, cell)
        nodes = _replaced(old.nodes, node, side, (old.nodes[node][side][0], state))
        return replace(genome, **{cell: PairCell(nodes, self._output(nodes))})


def _nodes(cell: PairCell) -> str:
    return f"{len(cell.nodes)} node{'s' * (len(cell.nodes) != 1)}"


def _replaced(nodes: tuple, node: int, side: int, read: Read) -> tuple:
    pair = list(nodes[node])
    pair[side] = read
    return (*nodes[:node], tuple(pair), *nodes[node + 1 :])


def _below(rng: np.ndarray, n: int) -> int:
    from zero.rng.splitmix import below

    return int(below(rng, n))

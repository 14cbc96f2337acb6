"""Cells of NASNet, AmoebaNet and DARTS: nodes that add two ops' results.

A genome has a normal cell and a reduction cell. `prev` and `cur` are the outputs of the cell before the
last and of the last cell.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from zero.cells.canonical import canonical_graph
from zero.cells.drawing.parts import Part
from zero.cells.forms.form import Form
from zero.cells.forms.terms import check_once, check_read, read_terms
from zero.errors import NetworkError

Read = tuple[str, int]  # an op and the state that it reads


@dataclass(frozen=True)
class PairCell(Form):
    """Nodes of two (op, state) each, and the states whose channels the output concatenates.

    States: 0 is prev, 1 is cur, 2 is the first node (n1), and so on.
    """

    reduces = True
    strides = (1, 2)

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
                check_read(state_name(number + 2), state, number + 2, state_name)
        for state in self.concat:
            check_read("out", state, len(self.nodes) + 2, state_name)
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

    def parts(self) -> list[Part]:
        """Returns the boxes of its drawing; what the output does not depend on is faint."""
        live = self.live
        found = [Part(state_name(s), "input", faint=s not in live) for s in (0, 1)]
        for state, node in enumerate(self.nodes, 2):
            reads, ops = tuple(s for _, s in node), tuple(op for op, _ in node)
            found.append(Part(state_name(state), "node", reads, ops, state not in live))
        return [*found, Part("concat", "output", tuple(sorted(self.concat)))]

    @classmethod
    def parse(cls, text: str) -> PairCell:
        """Returns the cell of its text; raises NetworkError if it is none."""
        words, output = read_terms(text)
        nodes = []
        for number, terms in enumerate(words, 1):
            where = f"n{number}"
            if len(terms) != 2 or any(len(names) != 1 for _, names in terms):
                raise NetworkError(
                    f"{where} must be two ops of one state each, as sep3(cur)+id(prev)"
                )
            nodes.append(tuple((op, _state(where, names[0])) for op, names in terms))
        if output is None:
            return PairCell(tuple(nodes), unread_states(nodes))
        return PairCell(tuple(nodes), tuple(_state("out", name) for name in output))


def state_name(state: int) -> str:
    """Returns a pair cell's name of a state: prev, cur, n1, ..."""
    return ("prev", "cur")[state] if state in (0, 1) else f"n{state - 1}"


def unread_states(nodes: Sequence[tuple[Read, Read]]) -> tuple[int, ...]:
    """Returns the states, prev and cur among them, that no node reads."""
    read = {state for node in nodes for _, state in node}
    return tuple(state for state in range(len(nodes) + 2) if state not in read)


def _state(where: str, name: str) -> int:
    if name in ("prev", "cur"):
        return ("prev", "cur").index(name)
    if re.fullmatch(r"n[1-9]\d{0,3}", name):
        return int(name[1:]) + 1
    raise NetworkError(f"{where} reads '{name}'; states are prev, cur, n1, n2, ...")


def _check_output(states: tuple[int, ...]) -> None:
    if not states:
        raise NetworkError("out() reads nothing; name the states that make up the output")
    check_once("out", states, state_name)

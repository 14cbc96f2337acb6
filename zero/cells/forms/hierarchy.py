"""Hierarchical representations (Liu et al. 2018): motifs made of ops, and a cell made of motifs.

A motif has four nodes, `in`, `n1`, `n2` and `out`, and an op on each edge from a node to a later one; the
cell has five and a motif, `m1` to `m6`, on each. An edge of `none` is not there. The text has the motifs
and the cell, node by node what reaches it, `none` edges left out and `none()` where nothing does:

    m1 sep3(in) id(in)+max3(n1) id(n2); m2 ...; m6 ...; cell m1(in) m2(in)+m1(n1) none() m1(n1)+m3(n2)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from zero.cells.canonical import canonical_graph
from zero.cells.drawing.parts import Part
from zero.cells.forms.form import Form
from zero.cells.forms.terms import read_terms
from zero.errors import NetworkError

NONE, IDENTITIES = "none", ("id", "skip_connect")
Edge = tuple[int, int]


@lru_cache
def edges_of(nodes: int) -> tuple[Edge, ...]:
    """Returns the edges of a motif of so many nodes, by target; node 0 is the input."""
    return tuple((s, t) for t in range(1, nodes) for s in range(t))


def nodes_of(labels: int) -> int:
    """Returns how many nodes have so many edges between them; NetworkError if no number has."""
    nodes = (1 + math.isqrt(1 + 8 * labels)) // 2
    if labels < 1 or nodes * (nodes - 1) != 2 * labels:
        raise NetworkError(f"{labels} edges; between all nodes there are 3, 6, 10, ...")
    return nodes


def live_edges(labels: tuple[str, ...]) -> list[tuple[int, int, str]]:
    """Returns (source, target, label) of the edges on paths from input to output, by target."""
    nodes = nodes_of(len(labels))
    pairs = zip(edges_of(nodes), labels, strict=True)
    edges = [(s, t, label) for (s, t), label in pairs if label != NONE]
    fed, read = {0}, {nodes - 1}
    for source, target, _ in edges:
        if source in fed:
            fed.add(target)
    for source, target, _ in reversed(edges):
        if target in read:
            read.add(source)
    return [edge for edge in edges if edge[0] in fed and edge[1] in read]


@dataclass(frozen=True)
class Hierarchy(Form):
    """motifs: the ops of each motif's edges, in the order of `edges_of`; cell: the motifs of its edges."""

    motifs: tuple[tuple[str, ...], ...]
    cell: tuple[str, ...]

    def __str__(self) -> str:
        named = [
            *((f"m{k}", labels) for k, labels in enumerate(self.motifs, 1)),
            ("cell", self.cell),
        ]
        return "; ".join(f"{name} {_text(labels)}" for name, labels in named)

    @property
    def live_cell(self) -> list[tuple[int, int, str]]:
        """The live edges of the cell, those of motifs without a path left out."""
        dead = {f"m{k}" for k, labels in enumerate(self.motifs, 1) if not live_edges(labels)}
        return live_edges(tuple(NONE if label in dead else label for label in self.cell))

    def motif(self, name: str) -> tuple[str, ...]:
        """Returns the labels of the motif of a name such as "m1"."""
        return self.motifs[int(name[1:]) - 1]

    def lines(self) -> list[str]:
        """Returns the cell for people to read, a node a line, then the motifs that it has."""
        found = _lines(self.live_cell, nodes_of(len(self.cell)))
        for name in self._used:
            labels = self.motif(name)
            found.append(f"{name}:")
            found += [f"  {x}" for x in _lines(live_edges(labels), nodes_of(len(labels)))]
        return found

    @property
    def _used(self) -> list[str]:
        return sorted({label for _, _, label in self.live_cell}, key=lambda name: int(name[1:]))

    def check(self) -> None:
        """Raises NetworkError if there are not the edges of motifs and a cell."""
        for labels in (*self.motifs, self.cell):
            nodes_of(len(labels))
        known = [NONE, *(f"m{k}" for k in range(1, len(self.motifs) + 1))]
        for label in self.cell:
            if label not in known:
                raise NetworkError(f"the cell has '{label}'; it can have {', '.join(known)}")

    def canonical(self) -> str:
        """Returns a text that is equal for genomes that differ in these only.

        Edges off every path are not there, nor are motifs that the cell does not have; motifs and
        nodes have no order; a node that one identity alone reaches is the node that it reads; equal
        motifs are one.
        """
        labels = [(s, t, self._content(label)) for s, t, label in self.live_cell]
        return _canonical(labels, nodes_of(len(self.cell)))

    def _content(self, name: str) -> str:
        labels = self.motif(name)
        edges = [(s, t, "id" if x in IDENTITIES else x) for s, t, x in live_edges(labels)]
        found = _canonical(edges, nodes_of(len(labels)))
        return "id" if found == _IDENTITY else f"[{found}]"

    def parts(self) -> list[Part]:
        """Returns the boxes of the cell's drawing."""
        return _parts(self.live_cell, nodes_of(len(self.cell)), motifs=True)

    def panels(self) -> dict[str, list[Part]]:
        """Returns the drawings of the cell and of the motifs that it has."""
        found = {"Cell": self.parts()}
        for name in self._used:
            labels = self.motif(name)
            found[f"Motif {name}"] = _parts(live_edges(labels), nodes_of(len(labels)))
        return found

    @classmethod
    def parse(cls, text: str) -> Hierarchy:
        """Returns the genome of its text; raises NetworkError if it is none."""
        found: list[tuple[str, ...]] = []
        parts = [part.strip() for part in text.split(";")]
        names = [*(f"m{k}" for k in range(1, len(parts))), "cell"]
        for name, part in zip(names, parts, strict=True):
            head, _, body = part.partition(" ")
            if head != name:
                raise NetworkError(f"'{part[:40]}' must start with '{name}'; last comes 'cell'")
            try:
                found.append(_labels(body))
            except NetworkError as error:
                raise NetworkError(f"{name}: {error}") from None
        return cls(tuple(found[:-1]), found[-1])


def _name(node: int, nodes: int) -> str:
    return "in" if node == 0 else "out" if node == nodes - 1 else f"n{node}"


def _text(labels: tuple[str, ...]) -> str:
    nodes = nodes_of(len(labels))
    words = []
    for target in range(1, nodes):
        pairs = zip(edges_of(nodes), labels, strict=True)
        edges = [(label, s) for (s, t), label in pairs if t == target and label != NONE]
        words.append("+".join(f"{label}({_name(s, nodes)})" for label, s in edges) or f"{NONE}()")
    return " ".join(words)


def _labels(text: str) -> tuple[str, ...]:
    words, _ = read_terms(text)
    nodes = len(words) + 1
    number = {_name(node, nodes): node for node in range(nodes)}
    labels = dict.fromkeys(edges_of(nodes), NONE)
    for target, terms in enumerate(words, 1):
        taken = set()
        for label, names in terms:
            if (label, names, len(terms)) == (NONE, [], 1):
                continue
            source = number.get(names[0], nodes) if len(names) == 1 else nodes
            where = _name(target, nodes)
            if source >= target:
                before = ", ".join(_name(node, nodes) for node in range(target))
                raise NetworkError(
                    f"{where}: {label}({','.join(names)}) must read one node before it: {before}"
                )
            if source in taken:
                raise NetworkError(
                    f"{where} reads {names[0]} twice; there is one edge between two nodes"
                )
            taken.add(source)
            labels[source, target] = label
    return tuple(labels.values())


def _lines(edges: list[tuple[int, int, str]], nodes: int) -> list[str]:
    found = []
    for target in range(1, nodes):
        terms = [f"{label}({_name(s, nodes)})" for s, t, label in edges if t == target]
        if terms:
            joined = terms[0] if len(terms) == 1 else f"concat({', '.join(terms)})"
            found.append(f"{_name(target, nodes)} = {joined}")
    return found or ["out = zeros"]


def _canonical(edges: list[tuple[int, int, str]], nodes: int) -> str:
    """Returns a text of live edges, nodes that one identity reaches contracted; "" if there is none."""
    if not edges:
        return ""
    same = {node: node for node in range(nodes)}
    for node in range(1, nodes):
        reached = [(s, label) for s, t, label in edges if t == node]
        if len(reached) == 1 and reached[0][1] == "id":
            same[node] = same[reached[0][0]]
    # Edges are by target, so that what an edge reads is contracted before it.
    left = [(same[s], t, label) for s, t, label in edges if same[t] == t]
    kept = sorted({0, same[nodes - 1], *(node for s, t, _ in left for node in (s, t))})
    place = {node: number for number, node in enumerate(kept)}
    marks = {node: "node" for node in kept} | {0: "in"}
    marks[same[nodes - 1]] += "*"
    return canonical_graph(
        [marks[node] for node in kept], [(place[s], place[t], x) for s, t, x in left]
    )


_IDENTITY = _canonical([(0, 1, "id")], 2)


def _parts(edges: list[tuple[int, int, str]], nodes: int, motifs: bool = False) -> list[Part]:
    place, found = {0: 0}, [Part("in", "input")]
    for node in range(1, nodes):
        mine = [(label, place[s]) for s, t, label in edges if t == node]
        if mine:
            place[node] = len(found)
            reads, ops = tuple(s for _, s in mine), tuple(label for label, _ in mine)
            family = "motif" if motifs else ""
            found.append(Part(f"n{node}", "join", reads, ops, family=family))
    if nodes - 1 not in place:
        place[nodes - 1] = len(found)
        found.append(Part("out", "join", (0,), (NONE,)))
    return [*found, Part("out", "output", (place[nodes - 1],))]

"""Cells of NAS-Bench-201: four nodes, an op on each of the six edges between them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from zero.cells.canonical import canonical_graph
from zero.cells.drawing.parts import Part
from zero.cells.forms.form import Form
from zero.errors import NetworkError

EDGES = tuple((s, t) for t in (1, 2, 3) for s in range(t))  # of an EdgeCell, in order


@dataclass(frozen=True)
class EdgeCell(Form):
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

    def parts(self) -> list[Part]:
        """Returns the boxes of its drawing, without `none` edges and what the output does not read."""
        place, found = {0: 0}, [Part("in", "input")]
        for node in (1, 2, 3):
            edges = [
                (op, place[s])
                for op, (s, target) in zip(self.ops, EDGES, strict=True)
                if target == node and op != "none" and s in place
            ]
            if node in self.live and edges:
                place[node] = len(found)
                reads, ops = tuple(s for _, s in edges), tuple(op for op, _ in edges)
                found.append(Part(f"n{node}", "node", reads, ops))
        if 3 not in place:
            place[3] = len(found)
            found.append(Part("n3", "node", (0,), ("none",)))
        return [*found, Part("out", "output", (place[3],))]

    @classmethod
    def parse(cls, text: str) -> EdgeCell:
        """Returns the cell of its text; raises NetworkError if it is none."""
        text = text.replace(" ", "")
        found = [part.split("~") for part in re.findall(r"[^|+]+", text)]
        ops = tuple(part[0] for part in found)
        if len(ops) != len(EDGES) or str(EdgeCell(ops)) != text:
            raise NetworkError(
                f"'{text[:80]}' is no cell of NAS-Bench-201; it looks like "
                f"'{EdgeCell(('none',) * len(EDGES))}', ops to choose"
            )
        return EdgeCell(ops)

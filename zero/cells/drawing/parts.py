"""The boxes that a drawing of a genome is made of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """A box of a drawing. reads: other parts, by number; ops: one for each, in a node.

    kind: "input", "node" (the sum of its ops), "join" (its ops' channels side by side), "vertex" (one op
    of a sum), "joined" (one op of channels side by side) or "output". faint: the output does not
    depend on it. family: of its ops, where they are none of `zero.cells.ops`.
    """

    name: str
    kind: str
    reads: tuple[int, ...] = ()
    ops: tuple[str, ...] = ()
    faint: bool = False
    family: str = ""

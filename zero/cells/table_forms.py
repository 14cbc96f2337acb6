"""How the architectures of a table are written: as cells, or as strings over a finite alphabet.

A form takes a text apart into symbols, one a place, and writes them down again. All architectures of a
table have as many places; two are neighbours where they differ in one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from zero.data.table import one_line
from zero.errors import ConfigError, TaskError

FORM = "|op~0|+|op~0|op~1|+|op~0|op~1|op~2|"

_OP = re.compile(r"[^\s|~+]+")
_MARKS = "|~+"  # of a cell's text; no string has them unless its alphabet does


class Form(Protocol):
    """One way to write architectures."""

    name: str  # of one architecture
    same: str  # what all of a table have alike
    change: str  # what a mutation does

    def parse(self, text: str) -> tuple[str, ...]:
        """Returns the symbols of a text.

        Raises:
            TaskError: it is not of this form.
        """

    def text(self, symbols: Sequence[str]) -> str:
        """Returns the text of symbols."""

    def symbols(self, found: set[str]) -> tuple[str, ...]:
        """Returns all symbols that there are, in order; found: those of the table."""

    def size(self, symbols: Sequence[str]) -> str:
        """Returns how large an architecture is, in words."""


# --- cells ----------------------------------------------------------------------------------------


class CellForm:
    """Cells of NAS-Bench-201: the symbols are the ops of the edges, node by node (`FORM`)."""

    name, same, change = "cell", "number of nodes", "another op on one edge"

    def parse(self, text: str) -> tuple[str, ...]:
        """Returns the ops of a cell's edges; see `Form`."""
        return parse_arch(text)

    def text(self, symbols: Sequence[str]) -> str:
        """Returns the cell's text."""
        names, parts = list(symbols), []
        for node in range(1, nodes_of(len(names))):
            read = [names.pop(0) for _ in range(node)]
            parts.append("|" + "|".join(f"{op}~{source}" for source, op in enumerate(read)) + "|")
        return "+".join(parts)

    def symbols(self, found: set[str]) -> tuple[str, ...]:
        """Returns the ops found, sorted."""
        return tuple(sorted(found))

    def size(self, symbols: Sequence[str]) -> str:
        """Returns the number of edges, in words."""
        return f"{len(symbols)} edges"


def nodes_of(edges: int) -> int:
    """Returns how many nodes, the input included, a cell of so many edges has."""
    return round((1 + math.sqrt(1 + 8 * edges)) / 2)  # edges = nodes * (nodes - 1) / 2


def parse_arch(text: str) -> tuple[str, ...]:
    """Returns the ops of a cell's edges, node by node.

    Raises:
        TaskError: the text is not of the form `FORM`.
    """
    ops: list[str] = []
    for node, part in enumerate(text.split("+"), 1):
        edges = part.split("|")
        if len(edges) < 3 or edges[0] or edges[-1]:
            raise _malformed(text, f"node {node} does not begin and end with '|'")
        edges = edges[1:-1]
        if len(edges) != node:
            raise _malformed(text, f"node {node} has {len(edges)} edges and needs {node}")
        for source, edge in enumerate(edges):
            op, mark, read = edge.partition("~")
            if not mark or not _OP.fullmatch(op) or read != str(source):
                raise _malformed(text, f"{one_line(edge)} in node {node} is not op~{source}")
            ops.append(op)
    return tuple(ops)


def _malformed(text: str, fault: str) -> TaskError:
    return TaskError(f"malformed cell {one_line(text)}: {fault}; expected the form {FORM}")


# --- strings --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class StringForm:
    """Strings of one symbol a place, such as NAS-Bench-Macro's `00121020`: three blocks, eight layers.

    alphabet: all symbols that may occur; "": those that do.

    Raises:
        ConfigError: a symbol of the alphabet is there twice, is white space or is the only one.
    """

    alphabet: str = ""
    name: ClassVar[str] = "string"
    same: ClassVar[str] = "length"
    change: ClassVar[str] = "another symbol in one place"

    def __post_init__(self) -> None:
        symbols = self.alphabet
        if symbols and (
            len(symbols) < 2 or len(set(symbols)) < len(symbols) or any(map(str.isspace, symbols))
        ):
            raise ConfigError(
                f"{one_line(symbols)} is no alphabet; give two different symbols or more, none of them "
                "white space, like 012"
            )

    def parse(self, text: str) -> tuple[str, ...]:
        """Returns the characters; see `Form`."""
        if not text:
            raise TaskError("an empty string; write one symbol for each place")
        for place, symbol in enumerate(text, 1):
            if symbol.isspace() or (self.alphabet and symbol not in self.alphabet):
                known = (
                    f"the alphabet is {self.alphabet}"
                    if self.alphabet
                    else "no symbol can be white space"
                )
                raise TaskError(f"symbol {place} of string {one_line(text)} is {symbol!r}; {known}")
        return tuple(text)

    def text(self, symbols: Sequence[str]) -> str:
        """Returns the string."""
        return "".join(symbols)

    def symbols(self, found: set[str]) -> tuple[str, ...]:
        """Returns the alphabet in its order, that of the table sorted."""
        return tuple(self.alphabet or sorted(found))

    def size(self, symbols: Sequence[str]) -> str:
        """Returns the number of symbols, in words."""
        return f"{len(symbols)} symbols"


def form_of(text: str) -> Form:
    """Returns the form that a table's first text has: a cell where it has a cell's marks."""
    return CellForm() if any(mark in text for mark in _MARKS) else StringForm()

"""What texts of cells share: terms such as `sep3(cur)`, and checks of what they read."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import combinations

from zero.errors import NetworkError

_TERM = re.compile(r"([\w.\-]+)\(([\w,]*)\)")


def read_terms(text: str) -> tuple[list[list[tuple[str, list[str]]]], list[str] | None]:
    """Returns each node's (op, names read) terms, and the names that `out` reads, None without."""
    text = re.sub(r" ?([+,(]) ?| (?=\))", lambda m: m[1] or "", text)
    nodes, output = [], None
    for word in text.split():
        terms = []
        for term in word.split("+"):
            match = _TERM.fullmatch(term)
            if not match:
                raise NetworkError(f"'{term}' is none of op(state), such as sep3(cur)")
            terms.append((match[1], [n for n in match[2].split(",") if n]))
        if output is not None:
            raise NetworkError(f"'{word}' stands after out(...), which must come last")
        if terms[0][0] == "out" and len(terms) == 1:
            output = terms[0][1]
        else:
            nodes.append(terms)
    return nodes, output


def check_read(reader: str, state: int, limit: int, name: Callable[[int], str]) -> None:
    """Raises NetworkError if a state is read that is not made before; limit: of states made."""
    if state < 0:
        raise NetworkError(f"{reader} reads state {state}; states are numbered from 0")
    if state >= limit and reader == "out":
        raise NetworkError(f"{reader} reads {name(state)}, which the cell does not have")
    if state >= limit:
        raise NetworkError(
            f"{reader} reads {name(state)}, which is not made before it: a loop; "
            f"it can read {', '.join(map(name, range(limit)))}"
        )


def check_once(reader: str, states: tuple[int, ...], name: Callable[[int], str]) -> None:
    """Raises NetworkError if a state is read twice."""
    for first, second in combinations(states, 2):
        if first == second:
            raise NetworkError(f"{reader} reads {name(first)} twice")

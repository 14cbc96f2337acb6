"""Texts of genomes, read; how they look: `zero.cells.genome`."""

from __future__ import annotations

import re

from zero.cells.genome import EDGES, Cell, EdgeCell, Genome, GraphCell, PairCell, unread_states
from zero.cells.spaces import get_space, make_genome
from zero.errors import NetworkError

_TERM = re.compile(r"([\w.\-]+)\(([\w,]*)\)")


def parse_genome(text: str) -> Genome:
    """Returns the genome of a text; see the module's text for how texts look.

    Raises:
        NetworkError: The text is none, or its genome is none of the space that it names.
    """
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    text = " ".join(" ".join(lines).split())
    if text.startswith("|"):
        text = f"nas_bench_201: {text}"
    match = re.match(r"([\w.\-]+ ?(?:\[[^\]]*\])?) ?: ?(.*)", text)
    if not match:
        raise NetworkError(
            f"no genome: '{text[:60]}' does not start with a space's name and ':', such as "
            "'amoebanet: normal ...; reduction ...'"
        )
    space = get_space(match[1].replace(" ", ""))
    if space.form is EdgeCell:
        return make_genome(space.name, _edge_cell(match[2]))
    if space.form is GraphCell:
        return make_genome(space.name, _in_cell("cell", _graph_cell, match[2]))
    cells = {}
    for part in filter(None, (p.strip() for p in match[2].split(";"))):
        kind, _, body = part.partition(" ")
        if kind not in ("normal", "reduction") or kind in cells:
            raise NetworkError(
                f"'{part[:40]}' must start with 'normal' or 'reduction', each once, "
                "with ';' between them"
            )
        cells[kind] = _in_cell(f"{kind} cell", _pair_cell, body)
    if "normal" not in cells:
        raise NetworkError(f"{space.name}: no normal cell; write 'normal sep3(cur)+id(prev) ...'")
    return make_genome(space.name, cells["normal"], cells.get("reduction", cells["normal"]))


def _in_cell(where: str, parse, text: str) -> Cell:
    try:
        return parse(text)
    except NetworkError as error:
        raise NetworkError(f"{where}: {error}") from None


def _words(text: str) -> tuple[list[list[tuple[str, list[str]]]], list[str] | None]:
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


def _pair_cell(text: str) -> PairCell:
    words, output = _words(text)
    nodes = []
    for number, terms in enumerate(words, 1):
        where = f"n{number}"
        if len(terms) != 2 or any(len(names) != 1 for _, names in terms):
            raise NetworkError(f"{where} must be two ops of one state each, as sep3(cur)+id(prev)")
        nodes.append(tuple((op, _state(where, names[0])) for op, names in terms))
    if output is None:
        return PairCell(tuple(nodes), unread_states(nodes))
    return PairCell(tuple(nodes), tuple(_state("out", name) for name in output))


def _state(where: str, name: str) -> int:
    if name in ("prev", "cur"):
        return ("prev", "cur").index(name)
    if re.fullmatch(r"n[1-9]\d{0,3}", name):
        return int(name[1:]) + 1
    raise NetworkError(f"{where} reads '{name}'; states are prev, cur, n1, n2, ...")


def _graph_cell(text: str) -> GraphCell:
    words, output = _words(text)
    if output is None:
        raise NetworkError("'out(...)' is missing: name the vertices that the output reads")
    vertices = []
    for number, terms in enumerate(words, 1):
        if len(terms) != 1:
            raise NetworkError(f"n{number} must be one op, such as conv1x1-bn-relu(in,n1)")
        op, names = terms[0]
        vertices.append((op, tuple(_vertex(f"n{number}", name) for name in names)))
    return GraphCell(tuple(vertices), tuple(_vertex("out", name) for name in output))


def _vertex(where: str, name: str) -> int:
    if name == "in":
        return 0
    if re.fullmatch(r"n[1-9]\d{0,3}", name):
        return int(name[1:])
    raise NetworkError(f"{where} reads '{name}'; vertices are in, n1, n2, ...")


def _edge_cell(text: str) -> EdgeCell:
    text = text.replace(" ", "")
    found = [part.split("~") for part in re.findall(r"[^|+]+", text)]
    ops = tuple(part[0] for part in found)
    if len(ops) != len(EDGES) or str(EdgeCell(ops)) != text:
        raise NetworkError(
            f"'{text[:80]}' is no cell of NAS-Bench-201; it looks like "
            f"'{EdgeCell(('none',) * len(EDGES))}', ops to choose"
        )
    return EdgeCell(ops)

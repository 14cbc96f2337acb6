"""Genotypes as DARTS's code prints them, read into the text of a genome of the space darts.

`Genotype(normal=[('sep_conv_3x3', 0), ...], normal_concat=[2, 3, 4, 5], reduce=..., reduce_concat=...)`:
two ops a node, each with the state that it reads: 0 the cell before the last, 1 the last, 2 the first
node. What stands before it, as in a log's line, is passed over. Nothing is executed.
"""

from __future__ import annotations

import ast
import re
import warnings

from zero.errors import NetworkError

OPS = {
    "sep_conv_3x3": "sep3", "sep_conv_5x5": "sep5", "dil_conv_3x3": "dil3", "dil_conv_5x5": "dil5",
    "max_pool_3x3": "max3", "avg_pool_3x3": "avg3", "skip_connect": "id",
}  # fmt: skip

LONGEST, MOST = 20_000, 1000  # characters of a text; states in a range
START, FIELDS = r"(?i)\bGenotype\s*\(", r"(?i)\s*\{?\s*['\"]?normal['\"]?\s*[=:]\s*\["
NAMES = ("normal", "normal_concat", "reduce", "reduce_concat")  # of the fields, in order


def is_genotype(text: str) -> bool:
    """Returns whether a text has one that DARTS prints: `DARTS_V3 = Genotype(`, or its fields alone.

    They may be those of a dictionary or of JSON, too.
    """
    return re.search(START, text) is not None or re.match(FIELDS, text) is not None


def genome_text(text: str) -> str:
    """Returns the genome's text of a genotype.

    Raises:
        NetworkError: It is damaged, or has ops or states that the space has not.
    """
    if len(text) > LONGEST:
        raise NetworkError(f"the genotype's text has more than {LONGEST:,} characters")
    starts = [found.start() for found in re.finditer(START, text)]
    if len(starts) > 1:
        raise NetworkError(f"there are {len(starts)} genotypes; give one of them alone")
    # What ends a log's line, or the quotes around it.
    text = text[starts[0] : text.rfind(")") + 1] if starts else text.strip()
    text = text if starts or text.startswith("{") else f"Genotype({text})"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # of Python's own, on numbers and escapes in foreign text
            fields = _fields(ast.parse(text).body[0].value)
        edges = {name: _edges(fields[name]) for name in ("normal", "reduce")}
        faults = [fault for name, found in edges.items() for fault in _faults(found, name)]
        if faults:
            raise NetworkError("; ".join(faults))
        cells = [_cell(found, fields[f"{name}_concat"]) for name, found in edges.items()]
    except (
        SyntaxError, ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError,
        MemoryError, OverflowError,
    ) as error:  # fmt: skip
        raise NetworkError(
            f"the genotype cannot be read ({type(error).__name__}: {error}); give it as DARTS prints "
            "it: Genotype(normal=[...], normal_concat=..., reduce=[...], reduce_concat=...)"
        ) from None
    return f"darts: normal {cells[0]}; reduction {cells[1]}"


def _fields(node: ast.expr) -> dict[str, list]:
    """Returns the fields by their names in small letters; those without a name are in DARTS's order."""
    if isinstance(node, ast.Dict):
        pairs = [(ast.literal_eval(k), v) for k, v in zip(node.keys, node.values, strict=True)]
    else:
        pairs = [*zip(NAMES, node.args, strict=False), *((k.arg, k.value) for k in node.keywords)]
    return {re.sub("^reduction", "reduce", name.lower()): _value(value) for name, value in pairs}


def _value(node: ast.expr) -> list:
    """Returns a field's list; ranges are written as such in older code."""
    if isinstance(node, ast.Call) and getattr(node.func, "id", "").lower() == "range":
        found = range(*map(ast.literal_eval, node.args))
        if len(found) > MOST:
            raise ValueError(f"a range of {len(found)} states")
        return list(found)
    return ast.literal_eval(node)


def _edges(found: list) -> list[tuple[str, int]]:
    """Returns the ops and their states in one list; some programs print one for each node."""
    if found and not isinstance(found[0][0], str):
        found = [edge for node in found for edge in node]
    return [(op.lower(), state) for op, state in found]


def _faults(edges: list[tuple[str, int]], where: str) -> list[str]:
    """Returns what is wrong with a cell's ops, in words."""
    faults = []
    if len(edges) != 8:
        faults = [
            f"the genotype's {where} has {len(edges)} ops; a cell of the space darts has 8, two for "
            "each of its 4 nodes"
        ]
    for op in dict.fromkeys(op for op, _ in edges if op not in OPS):
        why = " ('none' is no op of a found cell)" if op == "none" else ""
        faults.append(f"the genotype's {where}: op '{op}'{why}; known: {', '.join(OPS)}")
    return faults


def _cell(edges: list[tuple[str, int]], concat: list[int]) -> str:
    """Returns the text of one cell."""
    parts = [f"{OPS[op]}({_state(state)})" for op, state in edges]
    nodes = [f"{a}+{b}" for a, b in zip(parts[::2], parts[1::2], strict=True)]
    return f"{' '.join(nodes)} out({','.join(map(_state, concat))})"


def _state(number: int) -> str:
    return ("prev", "cur")[number] if number in (0, 1) else f"n{number - 1}"

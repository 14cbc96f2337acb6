r"""A program as LaTeX: its three functions in the notation of mathematics, and what its symbols are.

A whole document that needs amsmath and array alone. Vectors are bold small letters, matrices bold capitals:
w and W are learned, u and U are not kept from row to row; \odot is the product of elements.
"""

from __future__ import annotations

import ast
import re

from zero.errors import visible
from zero.programs.export.source import PREDICTED, Source, read_first, steps, written
from zero.programs.ops import Op
from zero.programs.program import Instruction

_SPECIAL = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    **{c: f"\\{c}" for c in "&%$#_{}"}, "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
    '"': "''",
}  # fmt: skip

_DOCUMENT = r"""%% Written by `zero export`.
\documentclass{article}
\usepackage{amsmath,array}
\allowdisplaybreaks
\begin{document}

\section*{%(title)s}

%(functions)s
\subsection*{Symbols}

\begin{tabular}{@{}l>{\ttfamily}ll@{}}
symbol & \textrm{address} & what it is \\
\hline
%(symbols)s
\end{tabular}

%(columns)s\subsection*{Notes}

\begin{tabular}{@{}lp{0.7\linewidth}@{}}
%(notes)s
\end{tabular}

\end{document}
"""

_HEADS = {
    "setup": r"Setup",
    "predict": r"Predict $\hat{y}$ from $\mathbf{x}$",
    "learn": r"Learn from $y$",
}


def to_latex(source: Source) -> str:
    """Returns the document."""
    symbols = _symbols(source)
    functions = []
    names = zip(_HEADS.items(), source.program.functions, strict=True)
    for (name, head), function in names:
        lines = [_assignment(symbols, *step) for step in steps(function)]
        if name == "learn" and source.model is not None and source.model.classes:
            lines.insert(
                0, rf"{symbols[PREDICTED]} &\leftarrow 1 / (1 + e^{{-{symbols[PREDICTED]}}})"
            )
        functions.append(rf"\subsection*{{{head}}}" + "\n")
        if lines:
            body = " \\\\\n".join(f"  {line}" for line in lines)
            functions.append(f"\\begin{{align*}}\n{body}\n\\end{{align*}}\n")
        else:
            functions.append("Nothing is done.\n")
    rows = [rf"${symbols[name]}$ & {name} & {_what(source, name)} \\" for name in symbols]
    notes = [rf"{_escaped(key)} & {_escaped(text)} \\" for key, text in source.notes.items()]
    model = source.model
    title = "A learning algorithm" if model is None else f"A predictor of {model.target}"
    return _DOCUMENT % {
        "title": _escaped(title), "functions": "\n".join(functions), "symbols": "\n".join(rows),
        "columns": _columns(source), "notes": "\n".join(notes),
    }  # fmt: skip


def _escaped(text: str) -> str:
    """Returns a text that LaTeX prints as it is; what is not ASCII stands as its number."""
    plain = "".join(c if c.isascii() else f"U+{ord(c):04X}" for c in visible(text))
    return "".join(_SPECIAL.get(c, c) for c in plain)


def _columns(source: Source) -> str:
    """Returns how a table's columns become features."""
    if source.model is None:
        return ""
    preparation = source.model.preparation
    rows = []
    for plan in preparation.columns:
        told = {
            "number": "a number",
            "category": "1 for "
            + ", ".join(plan.categories)
            + (" or another" if plan.other else ""),
            "date": ", ".join(plan.parts) + " of a date",
        }[plan.kind]
        empty = "" if plan.kind == "category" else f"; {plan.fill:g} where it is empty"
        empty += "; 1 where it is empty" if plan.missing else ""
        rows.append(rf"{_escaped(plan.name)} & {_escaped(told + empty)} \\")
    how = "All are standardised"
    how += "" if preparation.matrix is None else ", projected and standardised again"
    return (
        "\\subsection*{Features}\n\n\\begin{tabular}{@{}lp{0.6\\linewidth}@{}}\n"
        + "\n".join(rows) + f"\n\\end{{tabular}}\n\n{how}.\n\n"
    )  # fmt: skip


# --- symbols ---------------------------------------------------------------------------------------


def _symbols(source: Source) -> dict[str, str]:
    """Returns the symbol of each address that the program uses, in the order of banks."""
    setup, predict, learn = source.program.functions
    used = {name for f in (setup, predict, learn) for name in [*written(f), *read_first(f)]}
    used |= {"s0", "s1", "v0"}
    kept = set(read_first(predict)) | set(read_first(learn))
    changed = {*written(predict), *written(learn)}
    found = {"v0": r"\mathbf{x}", "s0": "y", "s1": r"\hat{y}"}
    letters: dict[str, list[str]] = {}
    for name in sorted(used - set(found), key=lambda n: ("svm".index(n[0]), int(n[1:]))):
        lasting = name in kept
        letter = {
            "s": ("b" if name in changed else "c") if lasting else "a",
            "v": r"\mathbf{w}" if lasting else r"\mathbf{u}",
            "m": r"\mathbf{W}" if lasting else r"\mathbf{U}",
        }[name[0]]
        letters.setdefault(letter, []).append(name)
    for letter, names in letters.items():
        for k, name in enumerate(names, 1):
            found[name] = letter if len(names) == 1 else f"{letter}_{{{k}}}"
    return found


def _what(source: Source, name: str) -> str:
    known = {"s0": "the label", "s1": "the prediction", "v0": "the features"}
    if name in known:
        return known[name]
    kind = {"s": "number", "v": "vector", "m": "matrix"}[name[0]]
    setup, predict, learn = source.program.functions
    lasting = name in read_first(predict) or name in read_first(learn)
    changed = name in written(predict) or name in written(learn)
    if lasting and not changed:
        return f"{kind}, constant" + ("" if name in written(setup) else ", zero")
    return f"{kind}, kept from row to row" if lasting else f"{kind}"


# --- instructions ----------------------------------------------------------------------------------


def _assignment(
    symbols: dict[str, str], instruction: Instruction, op: Op, out: str, inputs: list[str]
) -> str:
    target = symbols[out]
    a, b = [*(symbols[name] for name in inputs), "", ""][:2]
    mean, second = [*(_number(x) for x in instruction.constants), "", ""][:2]
    right = {
        "inner": rf"{a}^\top {b}",
        "outer": rf"{a} {b}^\top",
        "matvec": f"{a} {b}",
        "matmul": f"{a} {b}",
        "fill_columns": rf"{a} \mathbf{{1}}^\top",
        "fill_rows": rf"\mathbf{{1}} {a}^\top",
        "transpose": rf"{a}^\top",
        "uniform": rf"U({mean}, {second})",
        "gaussian": rf"N({mean}, {second}^2)",
    }.get(op.kind)
    if op.kind in ("uniform", "gaussian"):
        return rf"{target} &\sim {right}"
    if op.kind == "const":
        *places, value = (_number(x) for x in instruction.constants)
        at = ", ".join(rf"\lfloor {x} F \rfloor" for x in places)
        return rf"{target}{f'[{at}]' if places else ''} &\leftarrow {value}"
    if right is None:
        right = _formula_of(op, inputs, a, b)
    return rf"{target} &\leftarrow {right}"


def _number(x: float) -> str:
    """Returns a number as it is printed: with a power of ten where it has an exponent."""
    text = re.sub(r"e([+-]?)0*(\d+)", r" \\cdot 10^{\1\2}", f"{x:.6g}").replace("{+", "{")
    return text.replace("inf", r"\infty").replace("nan", r"\mathrm{NaN}")


def _formula_of(op: Op, inputs: list[str], a: str, b: str) -> str:
    tree = ast.parse(op.formula, mode="eval").body
    if op.kind == "map":
        names = dict(zip("ab", (a, b), strict=False))
        # Between a number and a vector, or numbers, a product is the usual one.
        elements = len(inputs) == 2 and all(name[0] != "s" for name in inputs)
        return _formula(tree, names, r"\odot" if elements else r"\,")
    index = {
        "reduce": "i" if inputs[0][0] == "v" else "ij",
        "reduce_rows": "j",
        "reduce_columns": "i",
    }
    at = index[op.kind]
    element = "i" if inputs[0][0] == "v" else "ij"
    size = "F^2" if at == "ij" else "F"
    names = {
        "sum": rf"\textstyle\sum_{{{at}}} {a}[{element}]",
        "squares": rf"\textstyle\sum_{{{at}}} {a}[{element}]^2",
        "n": size,
    }
    return _formula(tree, names, r"\,")


_LEVELS = {ast.Add: 1, ast.Sub: 1, ast.Mult: 2, ast.Div: 3}


def _formula(node: ast.expr, names: dict[str, str], times: str) -> str:
    def of(part: ast.expr) -> str:
        return _formula(part, names, times)

    def factor(part: ast.expr) -> str:
        sums = isinstance(part, ast.BinOp) and _LEVELS[type(part.op)] == 1
        text = of(part)
        plain = not sums and not isinstance(part, ast.UnaryOp) and "sum" not in text
        return text if plain else rf"\left({text}\right)"

    match node:
        case ast.Name(id=name):
            return names[name]
        case ast.Constant(value=int() | float() as number):
            return _number(number)
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            return rf"\frac{{{of(left)}}}{{{of(right)}}}"
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            return rf"{factor(left)} {times} {factor(right)}"
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return f"{of(left)} + {of(right)}"
        case ast.BinOp(left=left, op=ast.Sub(), right=right):
            return f"{of(left)} - {factor(right)}"
        case ast.UnaryOp(operand=part):
            return f"-{factor(part)}"
        case ast.Compare(left=left, ops=[comparison], comparators=[right]):
            sign = {"Lt": "<", "LtE": r"\le", "Gt": ">", "GtE": r"\ge"}[type(comparison).__name__]
            return f"{of(left)} {sign} {of(right)}"
        case ast.Call(func=ast.Name(id="where"), args=[condition, yes, no]):
            cases = rf"{of(yes)} & \text{{if }} {of(condition)} \\ {of(no)} & \text{{else}}"
            return rf"\begin{{cases}} {cases} \end{{cases}}"
        case ast.Call(func=ast.Name(id="abs"), args=[part]):
            return rf"\left|{of(part)}\right|"
        case ast.Call(func=ast.Name(id="sqrt"), args=[part]):
            return rf"\sqrt{{{of(part)}}}"
        case ast.Call(func=ast.Name(id=function), args=[part]):
            return rf"\{function}\left({of(part)}\right)"
    raise AssertionError(f"{ast.unparse(node)} is no formula")

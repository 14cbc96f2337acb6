"""A program as one file of C99 that needs the C library alone: learn row by row, predict, prepare.

All memory is in a struct of fixed size, so nothing is allocated unless NAME_HEAP is defined. An instruction
is a statement or a few loops, with its text as a comment. The file compiles without a warning under
-Wall -Wextra -pedantic; that C and NumPy agree needs -ffp-contract=off where a compiler fuses operations.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from zero.data.columns import EMPTY, number_of, number_text
from zero.data.prepare import PARTS, ColumnPlan
from zero.errors import ProgramError, visible
from zero.programs.export import c_parts
from zero.programs.export.source import (
    GIVEN,
    MAX_ABS_ERROR,
    Source,
    indices,
    steps,
    value,
)
from zero.programs.interpreter.reference import Banks
from zero.programs.ops import Op
from zero.programs.program import Instruction, format_instruction

MOST_TEXT = 4000  # bytes: C99 promises 4095 of a string
_FUNCTIONS = {"arcsin": "asin", "arccos": "acos", "arctan": "atan", "abs": "fabs"}
_COMPARISONS = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}
_ARITHMETIC = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}


def to_c(source: Source) -> str:
    """Returns the file's text.

    Raises:
        ProgramError: dates are in a form that C does not read, or a text is too long for it.
    """
    parts = [_declarations(source), _data(source), _drawing(source)]
    names = ("setup", "predict_row", "learn")
    bodies = zip(names, source.program.functions, strict=True)
    parts += [_function(source, name, body) for name, body in bodies]
    model = source.model
    if model is None:
        parts += [c_parts.MODEL_ALONE, c_parts.HEAP, c_parts.MAIN_ALONE]
    else:
        learn, predict = (
            (c_parts.LEARN_CLASS, c_parts.PREDICT_CLASS)
            if model.classes
            else (c_parts.LEARN_NUMBER, c_parts.PREDICT_NUMBER)
        )
        learn = learn.replace("CLASSIFY", str(int(model.trained.metric == "accuracy")))
        parts.append(c_parts.MODEL.replace("NAME_LEARN", learn).replace("NAME_PREDICT", predict))
        parts += [
            *_reading(model.preparation.columns),
            _prepare(source),
            c_parts.HEAP,
            c_parts.MAIN,
        ]
    text = "\n".join([*filter(None, parts), "#endif /* NAME_HEADER */\n"])
    return re.sub(r"(?<=-D)NAME|\bNAME", source.name, text).replace(_GUARD, "")


_GUARD = "\0"  # keeps a user's own text NAME from being taken for the placeholder of the parts


def _guarded(text: str) -> str:
    return text.replace("NAME", f"NA{_GUARD}ME")


def _reading(columns: tuple[ColumnPlan, ...]) -> list[str]:
    """Returns the functions that read such columns' cells."""
    kinds = {column.kind for column in columns}
    parts = [c_parts.CELL]
    parts += [c_parts.NUMBER] if kinds & {"number", "category"} else []
    parts += [c_parts.KNOWN] if "category" in kinds else []
    if "date" in kinds:
        used = {part for column in columns for part in column.parts}
        parts += [c_parts.DATE, *(c_parts.PARTS[part] for part in PARTS if part in used)]
    return parts


def _declarations(source: Source) -> str:
    model = source.model
    memory = [f"    NAME_real {name}{_shape(name)};\n" for name in [*GIVEN, *source.variables]]
    notes = "\n".join(f"   {key}: {text}" for key, text in source.notes.items())
    if model is None:
        sizes = c_parts.SIZES_ALONE
        usage = c_parts.USAGE_ALONE
    else:
        sizes = (
            f"#define NAME_F {model.trained.features} /* features */\n"
            f"#define NAME_OUTPUTS {len(model.trained.memories)}\n"
            f"#define NAME_CELLS {len(model.preparation.columns)} /* of a raw row */\n"
            f"#define NAME_CLASSES {len(model.classes)} /* 0: a number is predicted */\n"
        )
        usage = c_parts.USAGE
    return (
        f"/* Written by `zero export`: {usage}\n{_comment(notes)} */\n"
        f"#ifndef NAME_H\n#define NAME_H\n{c_parts.INCLUDES}"
        f"typedef {'float' if source.dtype == np.float32 else 'double'} NAME_real;\n{sizes}"
        f"#define NAME_MAX_ABS_ERROR {_number(np.float64(MAX_ABS_ERROR))}\n\n"
        "/* s0 is the label, s1 the prediction, v0 the features; the rest lasts from row to row. */\n"
        "typedef struct {\n"
        + "".join(memory)
        + "    uint32_t task; /* names its random numbers */\n"
        "} NAME_memory;\n"
        + (c_parts.DECLARED_ALONE if model is None else c_parts.DECLARED)
        + "#endif\n\n#ifndef NAME_HEADER\n"
    )


def _shape(name: str) -> str:
    return {"s": "", "v": "[NAME_F]", "m": "[NAME_F][NAME_F]"}[name[0]]


def _comment(text: str) -> str:
    """Returns a text that can stand in a comment: plain ASCII that neither ends nor begins one."""
    plain = "".join(c if c == "\n" or " " <= c <= "~" else "?" for c in text)
    for bad, good in (("\\", "/"), ("*/", "* /"), ("/*", "/ *"), ("??", "? ?")):
        plain = plain.replace(bad, good)
    return _guarded(plain)


def _number(x: Any, single: bool = False) -> str:
    """Returns a number as a constant."""
    if not np.isfinite(x):
        return {"n": "NAN", "i": "INFINITY", "-": "(-INFINITY)"}[str(x)[0]]
    text = str(x)
    text = text if re.search(r"[.e]", text) else f"{text}.0"
    return f"{text}f" if single else text


def _text(text: str) -> str:
    """Returns a text as a constant: what is not plain ASCII as the bytes of its UTF-8."""
    data = text.encode()
    if len(data) > MOST_TEXT:
        raise ProgramError(f"c cannot hold the text '{visible(text[:40])}...' of {len(data)} bytes")
    plain = (chr(b) if 32 <= b < 127 and b not in b'"\\?' else f"\\{b:03o}" for b in data)
    return _guarded(f'"{"".join(plain)}"')


def _braces(array: np.ndarray, single: bool) -> Iterator[str]:
    """Yields the lines of an array's initialiser."""
    if array.ndim == 0:
        yield _number(array[()], single)
    elif array.ndim == 1:
        yield f"{{{', '.join(_number(x, single) for x in array)}}}"
    else:
        rows = (" ".join(_braces(part, single)) for part in array)
        yield "{" + ",\n     ".join(rows) + "}"


def _table(name: str, array: np.ndarray) -> str:
    sizes = "".join(f"[{n}]" for n in array.shape)
    return f"static const double NAME_{name}{sizes} =\n    {''.join(_braces(array, False))};\n"


def _texts(name: str, texts: list[str]) -> str:
    lines = "".join(f"    {_text(text)},\n" for text in texts)
    return f"static const char *const NAME_{name}[] = {{\n{lines}    NULL}};\n"


def _data(source: Source) -> str:
    """Returns tables: of preparation, and what training left in memory."""
    model = source.model
    if model is None:
        return ""
    preparation, single = model.preparation, source.dtype == np.float32
    lines = [_table("mean", preparation.mean), _table("scale", preparation.scale)]
    if preparation.matrix is not None:
        assert preparation.mean_after is not None and preparation.scale_after is not None
        lines.append(_table("matrix", preparation.matrix))
        lines.append(_table("mean_after", preparation.mean_after))
        lines.append(_table("scale_after", preparation.scale_after))
    lines.append(
        f"static const double NAME_target_mean = {preparation.target_mean!r};\n"
        f"static const double NAME_target_scale = {preparation.target_scale!r};\n"
        if not model.classes else ""
    )  # fmt: skip
    lines.append(_texts("classes", list(model.classes)).removeprefix("static "))
    lines.append(_texts("columns", [c.name for c in preparation.columns]).removeprefix("static "))
    lines.append(_texts("empty", sorted(EMPTY)))

    def entry(banks: Banks, key: int) -> str:
        given = [".task = " + f"{key}u"]
        for name in source.variables:
            array = banks.bank(name[0])[int(name[1:])]
            given.append(f".{name} = {''.join(_braces(np.asarray(array), single))}")
        return "    {" + ",\n     ".join(given) + "}"

    trained = model.trained
    pairs = zip(trained.memories, trained.task_keys, strict=True)
    lines.append(
        "/* What training left. */\nstatic const NAME_memory NAME_trained[NAME_OUTPUTS] = {\n"
        + ",\n".join(entry(*pair) for pair in pairs) + "};\n"
        f"static const uint32_t NAME_trained_step = {trained.step}u;\n"
    )  # fmt: skip
    return "\n".join(lines)


def _drawing(source: Source) -> str:
    """Returns the random numbers' source, if there are any."""
    if not source.random:
        return ""
    kinds = {op.kind for f in source.program.functions for _, op, _, _ in steps(f)}
    key = 0 if source.model is None else source.model.trained.seed_key
    parts = [c_parts.PHILOX.replace("KEY_LOW", f"{key & 0xFFFFFFFF:#x}u").replace(
        "KEY_HIGH", f"{key >> 32:#x}u")]  # fmt: skip
    parts += [c_parts.UNIFORM] if "uniform" in kinds else []
    parts += [c_parts.GAUSSIAN] if "gaussian" in kinds else []
    return "\n".join(parts)


# --- the program -----------------------------------------------------------------------------------


def _function(source: Source, name: str, body: tuple[Instruction, ...]) -> str:
    """Returns setup, predict or learn; function and step name what it draws."""
    lines = []
    every = list(steps(body))
    for instruction, op, out, inputs in every:
        lines.append(f"    /* {_comment(format_instruction(instruction, show_stream=False))} */")
        lines += [f"    {line}" for line in _statement(source, instruction, op, out, inputs)]
    code = "\n".join(lines)
    counters = [i for i in "ij" if re.search(rf"\b{i}\b", re.sub(r"/\*.*?\*/", "", code))]
    if not any(op.random for _, op, _, _ in every):
        code += "\n    (void)function;\n    (void)step;"
    if not every:
        code += "\n    (void)m;"
    declared = f"    int {', '.join(counters)};\n" if counters else ""
    head = f"static void NAME_{name}(NAME_memory *m, uint32_t function, uint32_t step)"
    return f"{head}\n{{\n{declared}{code.lstrip(chr(10))}\n}}\n"


_ROWS, _COLUMNS = "for (i = 0; i < NAME_F; i++)", "for (j = 0; j < NAME_F; j++)"


def _statement(
    source: Source, instruction: Instruction, op: Op, out: str, inputs: list[str]
) -> list[str]:
    single = source.dtype == np.float32
    a, b = [*inputs, "", ""][:2]
    target = f"m->{out}"
    element = {"s": "", "v": "[i]", "m": "[i][j]"}
    loops = {"s": "", "v": _ROWS, "m": f"{_ROWS} {_COLUMNS}"}[op.output]
    each = f"{target}{element[op.output]}"

    def formula(names: dict[str, str]) -> str:
        return _formula(ast.parse(op.formula, mode="eval").body, names, single)

    def filled(result: str) -> list[str]:
        return [f"{loops} {each} = {result};".strip()]

    match op.kind:
        case "map":
            names = {x: f"m->{n}{element[n[0]]}" for x, n in zip("ab", inputs, strict=False)}
            return filled(formula(names))
        case "reduce" | "reduce_rows" | "reduce_columns":
            return _reduced(op, a, each, formula)
        case "inner":
            return [
                "{", f"    NAME_real sum = 0; {_ROWS} sum += m->{a}[i] * m->{b}[i];",
                f"    {target} = sum;", "}",
            ]  # fmt: skip
        case "outer":
            return filled(f"m->{a}[i] * m->{b}[j]")
        case "fill_columns":
            return filled(f"m->{a}[i]")
        case "fill_rows":
            return filled(f"m->{a}[j]")
        case "matvec":
            return [
                "{", "    NAME_real result[NAME_F];",
                f"    {_ROWS} {{ result[i] = 0; {_COLUMNS} result[i] += m->{a}[i][j] * m->{b}[j]; }}",
                f"    memcpy({target}, result, sizeof result);", "}",
            ]  # fmt: skip
        case "matmul":
            return [
                "{", "    int k; NAME_real result[NAME_F][NAME_F];", f"    {_ROWS} {_COLUMNS} {{",
                "        result[i][j] = 0;",
                f"        for (k = 0; k < NAME_F; k++) result[i][j] += m->{a}[i][k] * m->{b}[k][j];",
                "    }", f"    memcpy({target}, result, sizeof result);", "}",
            ]  # fmt: skip
        case "transpose" if a == out:
            return [
                f"{_ROWS} for (j = 0; j < i; j++) {{",
                f"    NAME_real x = {target}[i][j]; {target}[i][j] = {target}[j][i]; {target}[j][i] = x;",
                "}",
            ]
        case "transpose":
            return filled(f"m->{a}[j][i]")
        case "const":
            at = _indices(source, instruction)
            return [f"{target}{at} = {_number(value(instruction, source.dtype), single)};"]
    first, second = (_number(np.float64(x)) for x in instruction.constants)
    place = {"s": "0", "v": "i", "m": "i * NAME_F + j"}[op.output]
    stream = f"(function << 16) | {instruction.stream}u"
    draw = f"NAME_{op.kind}({first}, {second}, (uint32_t)({place}), step, {stream}, m->task)"
    return filled(f"(NAME_real){draw}")


def _indices(source: Source, instruction: Instruction) -> str:
    if source.model is not None:
        return "".join(f"[{k}]" for k in indices(instruction, source.model.trained.features))
    fractions = (_number(np.float32(x), True) for x in instruction.constants[:-1])
    return "".join(f"[(int)(float)((float)NAME_F * {x})]" for x in fractions)


def _reduced(op: Op, a: str, each: str, formula: Callable[[dict[str, str]], str]) -> list[str]:
    used = {n.id for n in ast.walk(ast.parse(op.formula)) if isinstance(n, ast.Name)}
    sums = [name for name in ("sum", "squares") if name in used]
    x = f"m->{a}[i]" if a[0] == "v" else f"m->{a}[i][j]"
    inner = _ROWS if a[0] == "v" else f"{_ROWS} {_COLUMNS}"
    size = "NAME_F" if a[0] == "v" or op.kind != "reduce" else "NAME_F * NAME_F"
    if op.kind == "reduce_rows":
        outer, inner = f"{_ROWS} ", _COLUMNS
    elif op.kind == "reduce_columns":  # j is the element that is written
        outer, inner, each = f"{_COLUMNS} ", _ROWS, each.replace("[i]", "[j]")
    else:
        outer = ""
    adds = {"sum": f"sum += {x};", "squares": f"squares += {x} * {x};"}
    result = formula({"sum": "sum", "squares": "squares", "n": f"(NAME_real)({size})"})
    lines = [f"{outer}{{"]
    if sums:
        lines.append(f"    NAME_real {', '.join(f'{name} = 0' for name in sums)};")
        lines.append(f"    {inner} {{ {' '.join(adds[name] for name in sums)} }}")
    return [*lines, f"    {each} = {result};", "}"]


def _formula(node: ast.expr, names: dict[str, str], single: bool) -> str:
    """Returns a formula in C, with every operation in parentheses."""

    def of(part: ast.expr) -> str:
        return _formula(part, names, single)

    match node:
        case ast.Name(id=name):
            return names[name]
        case ast.Constant(value=int() | float() as number):
            return _number(np.float32(number) if single else np.float64(number), single)
        case ast.BinOp(left=left, op=op, right=right):
            return f"({of(left)} {_ARITHMETIC[type(op)]} {of(right)})"
        case ast.UnaryOp(operand=part):
            return f"(-{of(part)})"
        case ast.Compare(left=left, ops=[comparison], comparators=[right]):
            return f"{of(left)} {_COMPARISONS[type(comparison)]} {of(right)}"
        case ast.Call(func=ast.Name(id="where"), args=[condition, yes, no]):
            return f"({of(condition)} ? {of(yes)} : {of(no)})"
        case ast.Call(func=ast.Name(id=function), args=[part]):
            return f"{_FUNCTIONS.get(function, function)}{'f' if single else ''}({of(part)})"
    raise AssertionError(f"{ast.unparse(node)} is no formula")


# --- what is done to a row before ------------------------------------------------------------------


def _prepare(source: Source) -> str:
    """Returns the function that makes features of a row's cells."""
    assert source.model is not None
    preparation = source.model.preparation
    decimal = preparation.decimal.replace("\\", "\\\\").replace("'", "\\'")
    lines = []
    for k, plan in enumerate(preparation.columns):
        lines.append(f"    text = NAME_cell(cells[{k}]); /* {_comment(visible(plan.name))} */")
        lines += [f"    {line}" for line in _column(plan, k, decimal)]
    raw = len(preparation.mean)
    lines.append(
        f"    for (k = 0; k < {raw}; k++)\n"
        "        raw[k] = NAME_scale[k] == 0 ? 0 : (raw[k] - NAME_mean[k]) / NAME_scale[k];"
    )
    if preparation.matrix is None:
        lines.append("    for (k = 0; k < NAME_F; k++) features[k] = (NAME_real)raw[k];")
    else:
        lines.append(c_parts.PROJECTED.replace("RAW", str(raw)))
    kinds = {plan.kind for plan in preparation.columns}
    declared = "    int k, at = 0;\n" + ("    int found;\n" if "category" in kinds else "")
    declared += "    double number;\n" if kinds & {"number", "date"} else ""
    return (
        "int NAME_prepare(const char *const cells[], NAME_real *features)\n{\n"
        f"    double raw[{raw}];\n    NAME_text text;\n{declared}"
        + "\n".join(lines) + "\n    return 0;\n}\n"
    )  # fmt: skip


def _column(plan: ColumnPlan, k: int, decimal: str) -> Iterator[str]:
    """Yields the statements that write a column's features at raw[at], and move `at` on."""
    fill = _number(np.float64(plan.fill))
    if plan.kind == "number":
        yield f"number = {fill};"
        yield f"if (text.size && !NAME_number(text, '{decimal}', &number)) return {k + 1};"
        yield "raw[at++] = number;"
    elif plan.kind == "date":
        if plan.form not in (None, "iso"):
            raise ProgramError(
                f"c cannot read the dates of column '{visible(plan.name)}' ({plan.form}); it reads "
                "2024-01-31, with a time if there is one: write them so in the table, then train anew"
            )
        yield f"number = {fill};"
        yield f"if (text.size && !NAME_date(text, &number)) return {k + 1};"
        yield from (f"raw[at++] = NAME_{part}(number);" for part in plan.parts)
    else:
        texts = [*plan.categories, *(t for t in plan.known if t not in plan.categories)]
        values = (number_of(text) for text in texts)
        numbers = [
            _number(np.float64(v)) if v is not None and number_text(v) == text else "NAN"
            for v, text in zip(values, texts, strict=True)
        ]
        yield "{"
        yield f"    static const char *const known[] = {{{''.join(f'{_text(t)}, ' for t in texts)}NULL}};"
        yield f"    static const double values[] = {{{', '.join([*numbers, 'NAN'])}}};"
        yield f"    found = text.size ? NAME_known(text, known, values, '{decimal}') : -1;"
        if plan.categories:
            yield f"    for (k = 0; k < {len(plan.categories)}; k++) raw[at++] = k == found;"
        if plan.other:
            yield f"    raw[at++] = found == {len(texts)};"
        yield "    (void)found;"
        yield "}"
    if plan.missing:
        yield "raw[at++] = text.size == 0;"

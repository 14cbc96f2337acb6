"""A program as one Python module that needs NumPy alone: fit, partial_fit and predict.

Each instruction is one line that computes one row or many at once: scalars have the shape (), vectors (F,)
and matrices (F, F), of many rows with one axis before these. What such a line calls is copied from this
package's own source, so there is one definition of it.
"""

from __future__ import annotations

import ast
import base64
import inspect
import re
import textwrap
from collections.abc import Callable
from pprint import pformat
from typing import Any

import numpy as np

from zero.data import columns, prepare
from zero.programs.export import python_parts, rows
from zero.programs.export.source import (
    GIVEN,
    MAX_ABS_ERROR,
    PREDICTED,
    Source,
    indices,
    read_first,
    steps,
    value,
    written,
)
from zero.programs.interpreter import reference
from zero.programs.ops import Op
from zero.programs.program import Instruction, format_instruction
from zero.rng import philox

MOST_NUMBERS = 2000  # of an array that is written out; larger ones stand there as base64


def to_python(source: Source) -> str:
    """Returns the module's text."""
    model = source.model
    constants = "".join(_constants(source))
    parts = [_head(source, "b64decode" in constants), constants, *_functions(source)]
    ats = _draws(source)
    if model is None:
        parts.append(python_parts.ALONE.format(**ats))
    else:
        width = model.trained.features ** (2 if source.memory.matrices else 1)
        block = max(1, 1_000_000 // width)
        classify = model.trained.metric == "accuracy"
        parts.append(python_parts.TRAINED.format(block=block, classify=classify, **ats))
        parts[-1] += (
            python_parts.REGRESSION if model.problem == "regression" else python_parts.CLASSES
        )
    parts.append(python_parts.TRAIN.format(**ats))
    if model is not None:
        projected = model.preparation.matrix is not None
        result = "scaled(x @ MATRIX, MEAN_AFTER, SCALE_AFTER)" if projected else "x"
        parts.append(python_parts.PREPARE.format(result=result))
    for function in _called(source):
        parts.append("\n\n" + inspect.getsource(function))
    return "".join(parts)


def _head(source: Source, large: bool) -> str:
    """Returns what the module begins with; large: whether there are arrays as base64."""
    model = source.model
    imports = ["base64"] if large else []
    imports += [] if model is None else ["math", "re", "warnings"]
    lines = [f"import {name}\n" for name in imports]
    lines += [] if model is None else ["from datetime import UTC, datetime\n"]
    title = "A program" if model is None else f"A predictor of {source.notes['target']!r}"
    return python_parts.HEAD.format(
        title=title.replace("\\", "/").replace('"', "'"),
        usage=python_parts.USAGE_ALONE if model is None else python_parts.USAGE_TRAINED,
        imports="".join([*lines, "\n"] if lines else []),
        notes=_literal(dict(source.notes)), dtype=source.dtype.name, limit=MAX_ABS_ERROR,
    )  # fmt: skip


def _literal(tree: Any) -> str:
    return pformat(tree, width=100, sort_dicts=False)


def _array(array: np.ndarray) -> str:
    """Returns an array as an expression."""
    dtype = "DTYPE" if array.dtype == np.float32 else "np.float64"
    if array.size > MOST_NUMBERS:
        data = base64.b64encode(array.astype(array.dtype.newbyteorder("<")).tobytes()).decode()
        code = array.dtype.newbyteorder("<").str
        return f'np.frombuffer(base64.b64decode("{data}"), "{code}").reshape({array.shape}).astype({dtype})'

    def numbers(part: np.ndarray) -> str:
        if part.ndim == 0:
            return _number(part[()])
        return f"[{', '.join(numbers(p) for p in part)}]"

    text = f"np.array({numbers(array)}, {dtype})"
    return textwrap.fill(
        text, 100, subsequent_indent=" " * 8, break_long_words=False, break_on_hyphens=False
    )


def _number(x: Any) -> str:
    """Returns the shortest text that gives a number's bits back, in its own dtype."""
    return str(x) if np.isfinite(x) else {"n": "np.nan", "i": "np.inf", "-": "-np.inf"}[str(x)[0]]


def _constants(source: Source) -> list[str]:
    lines = []
    model = source.model
    if source.random:
        key = 0 if model is None else model.trained.seed_key
        lines.append(
            f"SEED_KEY = {key}  # of random numbers, with the names of where they are drawn\n"
        )
        lines.append("SETUP, PREDICT, LEARN, VALIDATE = range(4)\n")
        names = ("M0", "M1", "W0", "W1", "ROUNDS")
        lines += [f"{name} = {getattr(philox, name):#x}\n" for name in names]
        lines.append("_MASK = np.uint64(0xFFFFFFFF)\n")
    if model is None:
        return lines
    trained, preparation = model.trained, model.preparation
    if model.classes:
        lines.append(f"CLASSES = {_literal(list(model.classes))}\n")
    else:
        lines.append(f"TARGET_MEAN = {preparation.target_mean!r}\n")
        lines.append(f"TARGET_SCALE = {preparation.target_scale!r}\n")
    lines.append(f"F = {trained.features}  # features\n")
    lines.append(f"TASK_KEYS = {list(trained.task_keys)}  # one for each output\n")
    lines.append(f"STEP = {trained.step}  # rows that it was trained on\n")
    lines.append(python_parts.COLUMNS)
    lines.append(f"COLUMNS = {_literal([_plan(c) for c in preparation.columns])}\n")
    lines.append(f"DECIMAL = {preparation.decimal!r}\n")
    names = ("mean", "scale", "matrix", "mean_after", "scale_after")
    arrays = {name.upper(): getattr(preparation, name) for name in names}
    lines += [f"{n} = {_array(np.asarray(a))}\n" for n, a in arrays.items() if a is not None]
    lines.append(f"EMPTY = {_literal(sorted(columns.EMPTY))}\n")
    lines.append(f"NUMBER = re.compile({columns.NUMBER.pattern!r}, re.ASCII)\n")
    lines.append(f"FLAGS = {columns.FLAGS}\n")
    lines.append(f"ISO, DAY = {columns.ISO!r}, {prepare.DAY!r}\n")
    lines.append(f"DATES = {{ISO: re.compile({columns.DATES[columns.ISO].pattern!r}, re.ASCII)}}\n")
    lines.append("\n# What training left in the program's memory, for each output.\nMEMORIES = [\n")
    for banks in trained.memories:
        lines.append("    {\n")
        for name in source.variables:
            entry = banks.bank(name[0])[int(name[1:])]
            text = f"DTYPE({_number(entry)})" if name[0] == "s" else _array(entry)
            lines.append(f'        "{name}": {text},\n')
        lines.append("    },\n")
    lines.append("]\n")
    return lines


def _plan(plan: prepare.ColumnPlan) -> dict[str, Any]:
    """Returns a column's plan without what is as by default, or not recorded."""
    found: dict[str, Any] = {"name": plan.name, "kind": plan.kind}
    for key in ("fill", "missing", "categories", "known", "other", "form", "parts"):
        given = getattr(plan, key)
        if given:
            found[key] = list(given) if isinstance(given, tuple) else given
    if plan.low == plan.low:
        found |= {"low": plan.low, "high": plan.high}
    return found


# --- the program -----------------------------------------------------------------------------------


def _draws(source: Source) -> dict[str, str]:
    """Returns what is passed to functions that draw random numbers."""
    drawing = {
        name for name, f in zip(("setup", "predict", "learn"), source.program.functions, strict=True)
        if any(op.random for _, op, _, _ in steps(f))
    }  # fmt: skip

    def at(function: str, text: str) -> str:
        return f", at={text}" if function in drawing else ""

    if source.model is not None:
        predicting = "(TASK_KEYS[k], VALIDATE, self.step)"
    else:
        predicting = "(key, VALIDATE, self.step)"
    return {
        "setup_at": at("setup", "(key, SETUP, 0)"),
        "predict_at": at("predict", predicting),
        "train_predict_at": at("predict", "(key, PREDICT, step)"),
        "learn_at": at("learn", "(key, LEARN, step)"),
    }


def _functions(source: Source) -> list[str]:
    """Returns the program's functions, and new memory."""
    ats = _draws(source)
    setup, predict, learn = source.program.functions
    entries = []
    for name in source.variables:
        shape = {"s": "DTYPE(0)", "v": "np.zeros(F, DTYPE)", "m": "np.zeros((F, F), DTYPE)"}
        entries.append(f'        "{name}": {shape[name[0]]},\n')
    if source.model is None:
        entries.append('        "F": F,\n')
    memory = (
        '\n\ndef new_memory(F):\n    """Returns what lasts from row to row, all zero: by names, for F '
        'features."""\n    return {\n' + "".join(entries) + "    }\n"
    )
    at = {name: ", at" if ats[f"{name}_at"] else "" for name in ("setup", "predict", "learn")}
    return [
        memory,
        _function(source, f"setup(memory{at['setup']})", "What is done once.", setup, ""),
        _function(
            source, f"predict(memory, v0{at['predict']})",
            "Returns the prediction s1 for features v0: of one row (F,), or of many (N, F).",
            predict, PREDICTED,
        ),
        _function(
            source, f"learn(memory, v0, s0{at['learn']})", "Learns from the label s0 of a row.", learn, "",
        ),
    ]  # fmt: skip


def _function(
    source: Source, head: str, says: str, function: tuple[Instruction, ...], returned: str
) -> str:
    lines = [f"\n\ndef {head}:", f'    """{says}"""']
    body = [_line(source, *step) for step in steps(function)]
    parameters = set(re.findall(r"\w+", head.partition("(")[2]))
    read = read_first(function)
    if returned and returned not in [*written(function), *read]:
        read.append(returned)
    zero = {"s0": "DTYPE(0)", "v0": "np.zeros(F, DTYPE)"}  # where nobody gives them
    loads = [
        f"{name} = " + zero.get(name, f'memory["{name}"]')
        for name in read
        if name not in parameters
    ]
    if source.model is None and any(_uses_size(line) for line in [*loads, *body]):
        loads.insert(0, 'F = memory["F"]')
    body = [*loads, *body]
    lines += [f"    {line}" for line in body]
    kept = [name for name in written(function) if name not in GIVEN]
    if kept:
        lines.append(f"    memory.update({', '.join(f'{name}={name}' for name in kept)})")
    if returned:
        lines.append(f"    return {returned}")
    return "\n".join(lines) + "\n"


def _uses_size(line: str) -> bool:
    return any(isinstance(n, ast.Name) and n.id == "F" for n in ast.walk(ast.parse(line)))


def _line(source: Source, instruction: Instruction, op: Op, out: str, inputs: list[str]) -> str:
    """Returns an instruction as a line of Python, with its own text where that differs."""
    line = f"{out} = {_expression(source, instruction, op, out, inputs)}"
    text = format_instruction(instruction, show_stream=False)
    return line if line == text else f"{line}  # {text}"


def _expression(
    source: Source, instruction: Instruction, op: Op, out: str, inputs: list[str]
) -> str:
    dtype = source.dtype
    a, b = [*inputs, "", ""][:2]
    match op.kind:
        case "map":
            return _map(op, inputs, dtype)
        case "reduce" | "reduce_rows" | "reduce_columns":
            axis = {"reduce_rows": "-1", "reduce_columns": "-2"}.get(
                op.kind, "-1" if a[0] == "v" else "(-2, -1)"
            )
            size = "F * F" if op.kind == "reduce" and a[0] == "m" else "F"
            names = {"sum": f"{a}.sum({axis})", "squares": f"({a} * {a}).sum({axis})", "n": size}
            return _cast(op.formula, _substituted(op.formula, names), dtype)
        case "inner":
            return f"({a} * {b}).sum(-1)"
        case "outer":
            return f"{a}[..., :, None] * {b}[..., None, :]"
        case "matvec":
            return f"({a} * {b}[..., None, :]).sum(-1)"
        case "matmul":
            return f"{a} @ {b}"
        case "fill_columns":
            return f"np.repeat({a}[..., :, None], F, -1)"
        case "fill_rows":
            return f"np.repeat({a}[..., None, :], F, -2)"
        case "transpose":
            return f"np.swapaxes({a}, -1, -2)"
        case "const":
            number = _number(value(instruction, dtype))
            if op.output == "s":
                return f"DTYPE({number})"
            model = source.model
            if model is not None:
                at = ", ".join(map(str, indices(instruction, model.trained.features)))
            else:
                at = ", ".join(f"at_fraction(F, {x!r})" for x in instruction.constants[:-1])
            return f"with_entry({out}, {number}, {at})"
    shape = {"s": "()", "v": "(F,)", "m": "(F, F)"}[op.output]
    first, second = instruction.constants
    words = f"counters({shape}, at[2], at[1], {instruction.stream}, at[0])"
    return f"{op.kind}(SEED_KEY, {words}, {first!r}, {second!r}).astype(DTYPE)"


def _map(op: Op, inputs: list[str], dtype: np.dtype) -> str:
    rank = {"s": 0, "v": 1, "m": 2}[op.output]
    wide = [
        f"{name}[{', '.join(['...'] + ['None'] * rank)}]" if rank and name[0] == "s" else name
        for name in inputs
    ]
    text = _cast(op.formula, _substituted(op.formula, dict(zip("ab", wide, strict=False))), dtype)
    if rank and all(name[0] == "s" for name in inputs):
        for axis in range(-1, -1 - rank, -1):
            text = f"np.repeat({text}, F, {axis})"
    return text


def _substituted(formula: str, names: dict[str, str]) -> str:
    """Returns a formula over what the names stand for."""

    class Written(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.expr:
            return ast.parse(names[node.id], mode="eval").body

        def visit_Call(self, node: ast.Call) -> ast.expr:
            assert isinstance(node.func, ast.Name)
            function = ast.Attribute(ast.Name("np"), node.func.id)
            return ast.Call(function, [self.visit(a) for a in node.args], [])

    return ast.unparse(Written().visit(ast.parse(formula, mode="eval").body))


def _cast(formula: str, text: str, dtype: np.dtype) -> str:
    """Returns the expression in the program's dtype, which NumPy leaves where numbers stand alone."""
    tree = ast.parse(formula, mode="eval").body
    alone = isinstance(tree, ast.Constant) or any(
        isinstance(node, ast.Call)
        and not any(isinstance(n, ast.Name) for a in _values(node) for n in ast.walk(a))
        for node in ast.walk(tree)
    )
    return f"np.asarray({text}, DTYPE)" if alone and dtype == np.float32 else text


def _values(call: ast.Call) -> list[ast.expr]:
    """Returns the arguments that a call's result is made of."""
    assert isinstance(call.func, ast.Name)
    return call.args[1:] if call.func.id == "where" else call.args


# --- what it calls ---------------------------------------------------------------------------------


def _called(source: Source) -> list[Callable[..., Any]]:
    """Returns the functions of this package that the module needs a copy of."""
    found: list[Callable[..., Any]] = [reference.sigmoid, reference.epoch_orders]
    every = [step for f in source.program.functions for step in steps(f)]
    if any(op.kind == "const" and op.output != "s" for _, op, _, _ in every):
        found.append(rows.with_entry)
        if source.model is None:
            found.append(rows.at_fraction)
    if source.random:
        kinds = {op.kind for _, op, _, _ in every}
        found += [philox.counters, philox.philox, philox.unit]
        found += [f for f in (philox.uniform, philox.gaussian) if f.__name__ in kinds]
    if source.model is not None:
        found += [
            rows.raw_features, rows.cells_of, rows.is_nothing, rows.number_in, rows.seconds_in, rows.text_in,
            rows.unlike, prepare.scaled, prepare.date_parts, columns.is_empty, columns.number_of,
            columns.number_text, columns.date_seconds,
        ]  # fmt: skip
    return found

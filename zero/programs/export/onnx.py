"""A trained model as ONNX, preparation included, for onnxruntime and everything else that reads ONNX.

Inputs, one for each column, with N free: of numbers and of dates float32 or float64 (N, 1), NaN where a cell
is empty, a date in seconds from 1970; of categories string (N, 1), "" where a cell is empty. Outputs: of
classes "label", string (N,), and "probabilities", float32 (N, K); else "prediction", float32 (N,).
Preparation is computed in float64, the program in float32. What random ops draw in predict is the same
for every row, and stands in the file. The onnx package is imported where it is used.

Inside, a scalar is an array (1, 1, 1), a vector (1, 1, F), a matrix (1, F, F); what differs from row to row
has N in the first place.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from zero.data.columns import EMPTY
from zero.data.prepare import DAY, ColumnPlan, Preparation
from zero.errors import DeviceError, ProgramError, visible
from zero.programs.export.source import GIVEN, PREDICTED, Source, indices, steps, value
from zero.programs.model import TableModel
from zero.programs.ops import Op
from zero.programs.program import Instruction
from zero.programs.trained import Trained
from zero.rng import philox

# Nothing here needs a newer opset than 13; with 15 goes IR 8, which runtimes have read since 2021.
OLDEST_OPSET, OPSET, NEWEST_OPSET = 13, 15, 17
IR_VERSION = 8
ML_OPSET = 2  # of LabelEncoder: texts to numbers
MOST_BYTES = 2**31 - 2**20  # one ONNX file holds 2 GiB

_FUNCTIONS = {
    "sin": "Sin", "cos": "Cos", "tan": "Tan", "arcsin": "Asin", "arccos": "Acos", "arctan": "Atan",
    "tanh": "Tanh", "exp": "Exp", "log": "Log", "sqrt": "Sqrt", "abs": "Abs",
}  # fmt: skip
_ARITHMETIC = {ast.Add: "Add", ast.Sub: "Sub", ast.Mult: "Mul", ast.Div: "Div"}
_COMPARISONS = {
    ast.Lt: "Less", ast.LtE: "LessOrEqual", ast.Gt: "Greater", ast.GtE: "GreaterOrEqual",
}  # fmt: skip


def to_onnx(source: Source, opset: int | None = None) -> bytes:
    """Returns the file's content; equal arguments give equal bytes.

    Raises:
        ProgramError: a program alone, another opset, or a model too large for an ONNX file.
        DeviceError: the onnx package is not installed.
    """
    opset = OPSET if opset is None else opset
    if not OLDEST_OPSET <= opset <= NEWEST_OPSET:
        raise ProgramError(f"opset {opset}: it must be from {OLDEST_OPSET} to {NEWEST_OPSET}")
    model = source.model
    if model is None:
        raise ProgramError(
            "onnx holds a trained model, and this is a program alone: export a run that keeps its model "
            "(model.h5), or --to python|c|latex|json"
        )
    try:
        import onnx
    except ImportError as error:
        raise DeviceError(
            "writing ONNX needs the onnx package: pip install 'zero-discovery[export]'"
        ) from error
    size = sum(4 * (b.v.size + b.m.size) for b in model.trained.memories)
    if size > MOST_BYTES:
        raise ProgramError(f"onnx holds 2 GiB, and this model has {size:,} bytes of memory")
    graph = _Graph(onnx)
    features = _prepared(graph, model.preparation)
    scores = [
        _program(graph, source, model.trained, k, features)
        for k in range(len(model.trained.memories))
    ]
    outputs = _outputs(graph, model, scores)
    helper = onnx.helper
    made = helper.make_model(
        helper.make_graph(
            graph.nodes, source.name, graph.inputs, outputs, list(graph.initializers.values())
        ),
        producer_name="zero",
        ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", ML_OPSET)],
    )
    notes = {**source.notes, "program": str(source.program), "target": model.target}
    if model.classes:
        notes["classes"] = json.dumps(list(model.classes), ensure_ascii=False)
    for key, text in sorted(notes.items()):
        made.metadata_props.add(key=key, value=text)
    return made.SerializeToString(deterministic=True)


class _Graph:
    """Nodes, constants and inputs as they are added."""

    def __init__(self, onnx: Any):
        self.onnx = onnx
        self.nodes: list[Any] = []
        self.initializers: dict[str, Any] = {}
        self.inputs: list[Any] = []
        self._names: set[str] = set()
        self._constants: dict[bytes, str] = {}  # an array's bytes -> its name

    def name(self, wanted: str) -> str:
        """Returns a new name, as wanted if it is free."""
        name, number = wanted, 1
        while name in self._names:
            number += 1
            name = f"{wanted}_{number}"
        self._names.add(name)
        return name

    def input(self, name: str, kind: Any) -> str:
        """Adds an input (N, 1)."""
        self._names.add(name)
        self.inputs.append(self.onnx.helper.make_tensor_value_info(name, kind, ["N", 1]))
        return name

    def node(
        self, op: str, *inputs: str, name: str = "", domain: str = "", **attributes: Any
    ) -> str:
        """Adds a node; returns its output's name. `to_type` is the attribute `to`."""
        name = name or self.name(op)
        if "to_type" in attributes:
            attributes["to"] = attributes.pop("to_type")
        make = self.onnx.helper.make_node
        self.nodes.append(make(op, inputs, [name], name=name, domain=domain, **attributes))
        return name

    def constant(self, array: Any, dtype: Any = np.float32, name: str = "constant") -> str:
        """Adds an array; returns its name, which is the earlier one's if there is an equal."""
        array = np.ascontiguousarray(array, dtype)
        made = self.onnx.numpy_helper.from_array(array)
        key = made.SerializeToString()
        if key not in self._constants:
            made.name = self._constants[key] = self.name(name)
            self.initializers[made.name] = made
        return self._constants[key]

    def integers(self, *values: int) -> str:
        """Returns the name of an int64 vector."""
        return self.constant(values, np.int64, "integers")

    def cast(self, tensor: str, kind: str) -> str:
        """Returns a tensor as FLOAT, DOUBLE or another of ONNX's types."""
        return self.node("Cast", tensor, to_type=getattr(self.onnx.TensorProto, kind))

    def turned(self, tensor: str) -> str:
        """Returns rows as columns, for each row of the table."""
        return self.node("Transpose", tensor, perm=[0, 2, 1])

    def total(self, tensor: str, *axes: int) -> str:
        """Returns sums, whose axes stay with size 1."""
        return self.node("ReduceSum", tensor, self.integers(*axes), keepdims=1)


# --- preparation -----------------------------------------------------------------------------------


def _prepared(graph: _Graph, preparation: Preparation) -> str:
    """Adds inputs and what makes features (N, 1, F) of them; returns the features' name."""
    types = graph.onnx.TensorProto
    kinds = {"number": types.FLOAT, "date": types.DOUBLE, "category": types.STRING}
    given = [
        graph.input(plan.name if plan.name.strip() else f"column_{k}", kinds[plan.kind])
        for k, plan in enumerate(preparation.columns)
    ]
    parts = [
        part
        for plan, name in zip(preparation.columns, given, strict=True)
        for part in (_category if plan.kind == "category" else _quantity)(graph, plan, name)
    ]
    raw = graph.node("Concat", *parts, axis=1)
    x = _scaled(graph, raw, preparation.mean, preparation.scale)
    if preparation.matrix is not None:
        assert preparation.mean_after is not None and preparation.scale_after is not None
        x = graph.node("MatMul", x, graph.constant(preparation.matrix, np.float64, "matrix"))
        x = _scaled(graph, x, preparation.mean_after, preparation.scale_after)
    return graph.node("Unsqueeze", graph.cast(x, "FLOAT"), graph.integers(1), name=graph.name("v0"))


def _scaled(graph: _Graph, x: str, mean: np.ndarray, scale: np.ndarray) -> str:
    flat = scale == 0
    centred = graph.node("Sub", x, graph.constant(mean, np.float64, "mean"))
    divisor = graph.constant(np.where(flat, 1.0, scale), np.float64, "scale")
    x = graph.node("Div", centred, divisor)
    if not flat.any():
        return x
    zero = graph.constant(0.0, np.float64)
    return graph.node("Where", graph.constant(flat, np.bool_, "flat"), zero, x)


def _category(graph: _Graph, plan: ColumnPlan, given: str) -> list[str]:
    """Returns a category's features (N, ...)."""
    texts = [*plan.categories, *(t for t in plan.known if t not in plan.categories)]
    empty = sorted(
        {form for text in EMPTY for form in (text, text.upper(), text.title())} | {"NaN"}
    )
    codes = graph.node(
        "LabelEncoder", given, domain="ai.onnx.ml", keys_strings=[*texts, *empty],
        values_int64s=[*range(len(texts)), *[-1] * len(empty)], default_int64=len(texts),
    )  # fmt: skip
    wanted = [*range(len(plan.categories)), *([len(texts)] if plan.other else [])]
    wanted += [-1] if plan.missing else []
    if not wanted:
        return []
    return [graph.cast(graph.node("Equal", codes, graph.integers(*wanted)), "DOUBLE")]


def _quantity(graph: _Graph, plan: ColumnPlan, given: str) -> list[str]:
    """Returns the features (N, 1) of a number or a date."""
    empty = graph.node("IsNaN", given)
    x = graph.cast(given, "DOUBLE") if plan.kind == "number" else given
    x = graph.node("Where", empty, graph.constant(plan.fill, np.float64), x)
    parts = [x] if plan.kind == "number" else [_date_part(graph, x, part) for part in plan.parts]
    return parts + ([graph.cast(empty, "DOUBLE")] if plan.missing else [])


def _date_part(graph: _Graph, seconds: str, part: str) -> str:
    """Returns a part of dates in seconds, as `zero.data.prepare.date_parts` does."""

    def with_number(op: str, x: str, number: float) -> str:
        return graph.node(op, x, graph.constant(number, np.float64))

    def times(x: str, divisor: float) -> str:  # how often it fits in
        return graph.node("Floor", with_number("Div", x, divisor))

    def rest(x: str, divisor: float) -> str:
        return graph.node("Sub", x, with_number("Mul", times(x, divisor), divisor))

    days = with_number("Div", seconds, DAY)
    whole = graph.node("Floor", days)
    if part == "days":
        return days
    if part == "weekday":
        return rest(with_number("Add", whole, 3.0), 7.0)
    if part == "hour":
        return with_number("Mul", graph.node("Sub", days, whole), 24.0)
    # The month, of days in eras of 400 years that begin in March (H. Hinnant, "days from civil").
    of_era = rest(with_number("Add", whole, 719468.0), 146097.0)
    leap = graph.node("Sub", times(of_era, 36524.0), times(of_era, 1460.0))
    leap = graph.node("Sub", leap, times(of_era, 146096.0))
    year = times(graph.node("Add", of_era, leap), 365.0)
    before = graph.node("Sub", times(year, 4.0), times(year, 100.0))
    before = graph.node("Add", before, with_number("Mul", year, 365.0))
    day = graph.node("Sub", of_era, before)
    month = times(with_number("Add", with_number("Mul", day, 5.0), 2.0), 153.0)
    late = with_number("Less", month, 10.0)
    return graph.node("Where", late, with_number("Add", month, 3.0), with_number("Sub", month, 9.0))


# --- the program -----------------------------------------------------------------------------------


def _program(graph: _Graph, source: Source, trained: Trained, output: int, features: str) -> str:
    """Adds the program with one output's memory; returns the name of s1 (N, 1, 1)."""
    banks = trained.memories[output]
    tensors, varying = {"v0": features}, {"v0"}

    def tensor(name: str) -> str:
        if name not in tensors:
            with np.errstate(over="ignore"):
                kept = banks.bank(name[0])[int(name[1:])].astype(np.float32)
            kept = np.zeros_like(kept) if name in GIVEN else kept
            shape = {"s": (1, 1, 1), "v": (1, 1, -1), "m": (1, *kept.shape)}[name[0]]
            tensors[name] = graph.constant(kept.reshape(shape), name=name)
        return tensors[name]

    for instruction, op, out, inputs in steps(source.program.predict):
        if op.kind in ("uniform", "gaussian"):
            tensors[out] = graph.constant(_drawn(trained, instruction, op, output), name=out)
            varying.discard(out)
            continue
        old = tensor(out) if op.kind == "const" and op.output != "s" else ""
        operands = [tensor(name) for name in inputs]
        tensors[out] = _instruction(graph, instruction, op, operands, inputs, old, trained.features)
        varies = bool(varying & {*inputs, *([out] if old else [])})
        (varying.add if varies else varying.discard)(out)
    score = tensor(PREDICTED)
    if PREDICTED in varying:
        return score
    rows = graph.node("Slice", graph.node("Shape", features), graph.integers(0), graph.integers(1))
    shape = graph.node("Concat", rows, graph.integers(1, 1), axis=0)
    return graph.node("Expand", score, shape)


def _drawn(trained: Trained, instruction: Instruction, op: Op, output: int) -> np.ndarray:
    """Returns what a random op draws in predict."""
    features = trained.features
    shape = {"s": (1, 1, 1), "v": (1, 1, features), "m": (1, features, features)}[op.output]
    words = philox.counters(
        shape, trained.step, philox.VALIDATE, instruction.stream, trained.task_keys[output]
    )
    draw = philox.uniform if op.kind == "uniform" else philox.gaussian
    first, second = instruction.constants
    return draw(trained.seed_key, words, first, second)


def _instruction(
    graph: _Graph,
    instruction: Instruction,
    op: Op,
    operands: Sequence[str],
    inputs: Sequence[str],
    old: str,
    features: int,
) -> str:
    """Adds an instruction; returns its result's name. old: of a const op, what it leaves in part."""
    a, b = [*operands, "", ""][:2]
    match op.kind:
        case "map":
            tree = ast.parse(op.formula, mode="eval").body
            result = _formula(graph, tree, dict(zip("ab", operands, strict=False)))
            used = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
            whole = any(x in used and n[0] == op.output for x, n in zip("ab", inputs, strict=False))
            if op.output == "s" or whole:
                return result
            size = (1, 1, features) if op.output == "v" else (1, features, features)
            return graph.node("Mul", result, graph.constant(np.ones(size), name="ones"))
        case "reduce" | "reduce_rows" | "reduce_columns":
            axes = {"reduce_rows": (2,), "reduce_columns": (1,)}.get(
                op.kind, (2,) if inputs[0][0] == "v" else (1, 2)
            )
            tree = ast.parse(op.formula, mode="eval").body
            used = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
            names = {"n": graph.constant(np.full((1, 1, 1), float(features) ** len(axes)))}
            if "sum" in used:
                names["sum"] = graph.total(a, *axes)
            if "squares" in used:
                names["squares"] = graph.total(graph.node("Mul", a, a), *axes)
            result = _formula(graph, tree, names)
            return graph.turned(result) if op.kind == "reduce_rows" else result
        case "inner":
            return graph.total(graph.node("Mul", a, b), 2)
        case "outer":
            return graph.node("Mul", graph.turned(a), b)
        case "matvec":
            return graph.turned(graph.total(graph.node("Mul", a, b), 2))
        case "matmul":
            return graph.node("MatMul", a, b)
        case "fill_columns":
            return graph.node("Mul", graph.turned(a), graph.constant(np.ones((1, 1, features))))
        case "fill_rows":
            return graph.node("Mul", a, graph.constant(np.ones((1, features, 1))))
        case "transpose":
            return graph.turned(a)
    number = graph.constant(np.full((1, 1, 1), value(instruction, np.dtype(np.float32))))
    if not old:
        return number
    size = (1, 1, features) if op.output == "v" else (1, features, features)
    place = np.zeros(size, bool)
    at = indices(instruction, features)
    place[(0, 0, *at)[-3:]] = True
    return graph.node("Where", graph.constant(place, np.bool_, "place"), number, old)


def _formula(graph: _Graph, node: ast.expr, names: dict[str, str]) -> str:
    def of(part: ast.expr) -> str:
        return _formula(graph, part, names)

    match node:
        case ast.Name(id=name):
            return names[name]
        case ast.Constant(value=int() | float() as number):
            return graph.constant(np.full((1, 1, 1), number))
        case ast.BinOp(left=left, op=op, right=right):
            return graph.node(_ARITHMETIC[type(op)], of(left), of(right))
        case ast.UnaryOp(operand=part):
            return graph.node("Neg", of(part))
        case ast.Compare(left=left, ops=[comparison], comparators=[right]):
            return graph.node(_COMPARISONS[type(comparison)], of(left), of(right))
        case ast.Call(func=ast.Name(id="where"), args=parts):
            return graph.node("Where", *map(of, parts))
        case ast.Call(func=ast.Name(id=function), args=[part]):
            return graph.node(_FUNCTIONS[function], of(part))
    raise ProgramError(f"onnx cannot express '{visible(ast.unparse(node))}'")


# --- what comes out --------------------------------------------------------------------------------


def _outputs(graph: _Graph, model: TableModel, scores: list[str]) -> list[Any]:
    """Adds what makes predictions of the scores (N, 1, 1); returns the outputs."""
    info, types = graph.onnx.helper.make_tensor_value_info, graph.onnx.TensorProto
    wide = [graph.cast(score, "DOUBLE") for score in scores]
    if not model.classes:
        preparation = model.preparation
        scaled = graph.node("Mul", wide[0], graph.constant(preparation.target_scale, np.float64))
        moved = graph.node("Add", scaled, graph.constant(preparation.target_mean, np.float64))
        single = graph.cast(moved, "FLOAT")
        name = graph.node("Reshape", single, graph.integers(-1), name=graph.name("prediction"))
        return [info(name, types.FLOAT, ["N"])]
    one = graph.constant(1.0, np.float64)
    ones = []
    for score in wide:
        # A sigmoid of our own: runtimes cut that of ONNX off, and what is NaN says nothing.
        exponential = graph.node("Exp", graph.node("Neg", score))
        share = graph.node("Div", one, graph.node("Add", one, exponential))
        nothing = graph.constant(0.0, np.float64)
        share = graph.node("Where", graph.node("IsNaN", score), nothing, share)
        ones.append(graph.node("Reshape", share, graph.integers(-1, 1)))
    if len(ones) == 1:
        shares = graph.node("Concat", graph.node("Sub", one, ones[0]), ones[0], axis=1)
    else:
        joined = graph.node("Concat", *ones, axis=1)
        total = graph.total(joined, 1)
        some = graph.node("Greater", total, graph.constant(0.0, np.float64))
        even = graph.constant(1.0 / len(ones), np.float64)
        shares = graph.node("Where", some, graph.node("Div", joined, total), even)
    best = graph.node("ArgMax", shares, axis=1, keepdims=0)
    classes = graph.constant(np.array(model.classes, object), object, "classes")
    label = graph.node("Gather", classes, best, name=graph.name("label"))
    single = graph.node("Cast", shares, to_type=types.FLOAT, name=graph.name("probabilities"))
    return [
        info(label, types.STRING, ["N"]),
        info(single, types.FLOAT, ["N", len(model.classes)]),
    ]

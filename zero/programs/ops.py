"""The op table: every op of the language is one row here and nowhere else.

From a row are derived random generation, mutation, printing, parsing, validation and the
interpreters (`zero.programs.interpreter.reference` evaluates it, `zero.programs.interpreter.handlers`
writes machine code from it). Names, numbers and behaviour are those of AutoML-Zero (Real et al. 2020,
Table S1, and its code where the two differ; the names drop the suffix `_OP`).

A row says: number, name, kind, signature, formula, listing, cost.

* kind: how the op goes through memory. `map` applies the formula to every element (scalars are
  repeated); `reduce`, `reduce_rows` and `reduce_columns` apply the formula to the `sum`, the sum of
  `squares` and the count `n` of all elements, of each row, of each column; the others are named after
  what they do and have no formula.
* signature: operands, `>`, result: `s` scalar, `v` vector of F, `m` matrix of F x F.
* formula: Python and C both read it: + - * /, comparisons and the names in `FUNCTIONS`, over
  operands `a` and `b`. Plain IEEE arithmetic: nothing is clamped or protected.
* listing: the text form; {o}, {a}, {b} are addresses, {0}, {1}, {2} constants. `stream` names the
  random numbers that an instruction draws (see `zero.rng.philox`).
* cost: the original's static compute cost, used only by the train budget.

To add an op of your own without touching this file, call `register_op`.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from zero.errors import ProgramError, unknown_name, what_is

if TYPE_CHECKING:
    import numpy as np

FUNCTIONS = {
    "sin": 1, "cos": 1, "tan": 1, "arcsin": 1, "arccos": 1, "arctan": 1, "tanh": 1,
    "exp": 1, "log": 1, "sqrt": 1, "abs": 1, "where": 3,
}  # fmt: skip


@dataclass(frozen=True)
class Constant:
    """One number stored in an instruction, drawn from U(low, high) when the instruction is made.

    alter: what mutation does to it (spec, section 6.3): "redraw", "scale_or_flip" or "scale".
    single: rounded to float32, as in the original; only SCALAR_CONST_SET keeps float64.
    """

    name: str
    low: float
    high: float
    alter: str
    single: bool = True


_INDEX, _VALUE = ("redraw", 0.0, 1.0), ("scale_or_flip", -1.0, 1.0)


def _constant(name: str, alter: str, low: float, high: float, single: bool = True) -> Constant:
    return Constant(name, low, high, alter, single)


_CONSTANTS = {
    ("const", "s"): (_constant("value", *_VALUE, single=False),),
    ("const", "v"): (_constant("index", *_INDEX), _constant("value", *_VALUE)),
    ("const", "m"): (
        _constant("row", *_INDEX),
        _constant("column", *_INDEX),
        _constant("value", *_VALUE),
    ),
    "uniform": (_constant("low", *_VALUE), _constant("high", *_VALUE)),
    "gaussian": (_constant("mean", *_VALUE), _constant("stdev", "scale", 0.0, 1.0)),
}


@dataclass(frozen=True)
class Op:
    """One row of the op table; the module's docstring explains the fields."""

    number: int
    name: str
    kind: str
    signature: str
    formula: str
    listing: str
    cost: int

    @property
    def inputs(self) -> tuple[str, ...]:
        """Types of the operands, each "s", "v" or "m"."""
        return tuple(self.signature.split(">")[0])

    @property
    def output(self) -> str:
        """Type of the result, "" for NO_OP."""
        return self.signature.split(">")[1]

    @property
    def constants(self) -> tuple[Constant, ...]:
        """The numbers that an instruction with this op stores."""
        return _CONSTANTS.get(self.kind) or _CONSTANTS.get((self.kind, self.output), ())

    @property
    def random(self) -> bool:
        """Whether the op draws random numbers when it is executed."""
        return self.kind in ("uniform", "gaussian")


# Element-wise minimum and maximum differ in what they do with NaN (spec, section 8, row 2).
_FIRST_MIN, _FIRST_MAX = "where(b < a, b, a)", "where(a < b, b, a)"
_SECOND_MIN, _SECOND_MAX = "where(a < b, a, b)", "where(a > b, a, b)"
# The scalar step is 1 at zero, the others are 0 there (spec, section 8, row 1).
_STEP, _STRICT_STEP = "where(a >= 0.0, 1.0, 0.0)", "where(a > 0.0, 1.0, 0.0)"
# Unclamped on purpose: a rounding error below zero gives NaN, as in the original.
_MEAN, _NORM, _STDEV = "sum / n", "sqrt(squares)", "sqrt(squares / n - (sum / n) * (sum / n))"

_ROWS = [
    # number, name, kind, signature, formula, listing, cost
    (0, "NO_OP", "none", ">", "", "NoOp()", 3013921),
    (1, "SCALAR_SUM", "map", "ss>s", "a + b", "s{o} = s{a} + s{b}", 4703759),
    (2, "SCALAR_DIFF", "map", "ss>s", "a - b", "s{o} = s{a} - s{b}", 5102027),
    (3, "SCALAR_PRODUCT", "map", "ss>s", "a * b", "s{o} = s{a} * s{b}", 4418347),
    (4, "SCALAR_DIVISION", "map", "ss>s", "a / b", "s{o} = s{a} / s{b}", 3963916),
    (5, "SCALAR_ABS", "map", "s>s", "abs(a)", "s{o} = abs(s{a})", 3684352),
    (6, "SCALAR_RECIPROCAL", "map", "s>s", "1.0 / a", "s{o} = 1 / s{a}", 4212086),
    (7, "SCALAR_SIN", "map", "s>s", "sin(a)", "s{o} = sin(s{a})", 7538523),
    (8, "SCALAR_COS", "map", "s>s", "cos(a)", "s{o} = cos(s{a})", 7452807),
    (9, "SCALAR_TAN", "map", "s>s", "tan(a)", "s{o} = tan(s{a})", 7583203),
    (10, "SCALAR_ARCSIN", "map", "s>s", "arcsin(a)", "s{o} = arcsin(s{a})", 9145616),
    (11, "SCALAR_ARCCOS", "map", "s>s", "arccos(a)", "s{o} = arccos(s{a})", 7673039),
    (12, "SCALAR_ARCTAN", "map", "s>s", "arctan(a)", "s{o} = arctan(s{a})", 9273978),
    (13, "SCALAR_EXP", "map", "s>s", "exp(a)", "s{o} = exp(s{a})", 11755929),
    (14, "SCALAR_LOG", "map", "s>s", "log(a)", "s{o} = log(s{a})", 11627725),
    (15, "SCALAR_HEAVYSIDE", "map", "s>s", _STEP, "s{o} = heaviside(s{a}, 1.0)", 4057075),
    (16, "VECTOR_HEAVYSIDE", "map", "v>v", _STRICT_STEP, "v{o} = heaviside(v{a}, 1.0)", 3965743),
    (17, "MATRIX_HEAVYSIDE", "map", "m>m", _STRICT_STEP, "m{o} = heaviside(m{a}, 1.0)", 6728311),
    (18, "SCALAR_VECTOR_PRODUCT", "map", "sv>v", "a * b", "v{o} = s{a} * v{b}", 3705015),
    (19, "SCALAR_BROADCAST", "map", "s>v", "a", "v{o} = bcast(s{a})", 4165814),
    (20, "VECTOR_RECIPROCAL", "map", "v>v", "1.0 / a", "v{o} = 1 / v{a}", 6311851),
    (21, "VECTOR_NORM", "reduce", "v>s", _NORM, "s{o} = norm(v{a})", 4810562),
    (22, "VECTOR_ABS", "map", "v>v", "abs(a)", "v{o} = abs(v{a})", 3713533),
    (23, "VECTOR_SUM", "map", "vv>v", "a + b", "v{o} = v{a} + v{b}", 4701519),
    (24, "VECTOR_DIFF", "map", "vv>v", "a - b", "v{o} = v{a} - v{b}", 4165747),
    (25, "VECTOR_PRODUCT", "map", "vv>v", "a * b", "v{o} = v{a} * v{b}", 4504555),
    (26, "VECTOR_DIVISION", "map", "vv>v", "a / b", "v{o} = v{a} / v{b}", 4556237),
    (27, "VECTOR_INNER_PRODUCT", "inner", "vv>s", "", "s{o} = dot(v{a}, v{b})", 4294617),
    (28, "VECTOR_OUTER_PRODUCT", "outer", "vv>m", "", "m{o} = outer(v{a}, v{b})", 9833707),
    (29, "SCALAR_MATRIX_PRODUCT", "map", "sm>m", "a * b", "m{o} = s{a} * m{b}", 5986302),
    (30, "MATRIX_RECIPROCAL", "map", "m>m", "1.0 / a", "m{o} = 1 / m{a}", 24336141),
    (31, "MATRIX_VECTOR_PRODUCT", "matvec", "mv>v", "", "v{o} = dot(m{a}, v{b})", 9310002),
    (32, "VECTOR_COLUMN_BROADCAST", "fill_columns", "v>m", "", "m{o} = bcast(v{a}, axis=0)", 10993088),
    (33, "VECTOR_ROW_BROADCAST", "fill_rows", "v>m", "", "m{o} = bcast(v{a}, axis=1)", 11087322),
    (34, "MATRIX_NORM", "reduce", "m>s", _NORM, "s{o} = norm(m{a})", 6422746),
    (35, "MATRIX_COLUMN_NORM", "reduce_columns", "m>v", _NORM, "v{o} = norm(m{a}, axis=0)", 6682187),
    (36, "MATRIX_ROW_NORM", "reduce_rows", "m>v", _NORM, "v{o} = norm(m{a}, axis=1)", 13351123),
    (37, "MATRIX_TRANSPOSE", "transpose", "m>m", "", "m{o} = transpose(m{a})", 9394756),
    (38, "MATRIX_ABS", "map", "m>m", "abs(a)", "m{o} = abs(m{a})", 4630926),
    (39, "MATRIX_SUM", "map", "mm>m", "a + b", "m{o} = m{a} + m{b}", 5579381),
    (40, "MATRIX_DIFF", "map", "mm>m", "a - b", "m{o} = m{a} - m{b}", 5429452),
    (41, "MATRIX_PRODUCT", "map", "mm>m", "a * b", "m{o} = m{a} * m{b}", 5475227),
    (42, "MATRIX_DIVISION", "map", "mm>m", "a / b", "m{o} = m{a} / m{b}", 18234378),
    (43, "MATRIX_MATRIX_PRODUCT", "matmul", "mm>m", "", "m{o} = matmul(m{a}, m{b})", 14516296),
    (44, "SCALAR_MIN", "map", "ss>s", _FIRST_MIN, "s{o} = minimum(s{a}, s{b})", 3677265),
    (45, "VECTOR_MIN", "map", "vv>v", _FIRST_MIN, "v{o} = minimum(v{a}, v{b})", 3989956),
    (46, "MATRIX_MIN", "map", "mm>m", _SECOND_MIN, "m{o} = minimum(m{a}, m{b})", 5457728),
    (47, "SCALAR_MAX", "map", "ss>s", _FIRST_MAX, "s{o} = maximum(s{a}, s{b})", 4573695),
    (48, "VECTOR_MAX", "map", "vv>v", _FIRST_MAX, "v{o} = maximum(v{a}, v{b})", 3974229),
    (49, "MATRIX_MAX", "map", "mm>m", _SECOND_MAX, "m{o} = maximum(m{a}, m{b})", 5840952),
    (50, "VECTOR_MEAN", "reduce", "v>s", _MEAN, "s{o} = mean(v{a})", 4280443),
    (51, "MATRIX_MEAN", "reduce", "m>s", _MEAN, "s{o} = mean(m{a})", 4595196),
    (52, "MATRIX_ROW_MEAN", "reduce_rows", "m>v", _MEAN, "v{o} = mean(m{a}, axis=1)", 9763956),
    (53, "MATRIX_ROW_ST_DEV", "reduce_rows", "m>v", _STDEV, "v{o} = std(m{a}, axis=1)", 16766477),
    (54, "VECTOR_ST_DEV", "reduce", "v>s", _STDEV, "s{o} = std(v{a})", 5585730),
    (55, "MATRIX_ST_DEV", "reduce", "m>s", _STDEV, "s{o} = std(m{a})", 10640216),
    (56, "SCALAR_CONST_SET", "const", ">s", "", "s{o} = {0}", 3691108),
    (57, "VECTOR_CONST_SET", "const", ">v", "", "v{o}[{0}] = {1}", 3991421),
    (58, "MATRIX_CONST_SET", "const", ">m", "", "m{o}[{0}, {1}] = {2}", 3693035),
    (59, "SCALAR_UNIFORM_SET", "uniform", ">s", "", "s{o} = uniform({0}, {1})", 26610704),
    (60, "VECTOR_UNIFORM_SET", "uniform", ">v", "", "v{o} = uniform({0}, {1}, n_features)", 57817372),
    (61, "MATRIX_UNIFORM_SET", "uniform", ">m", "",
     "m{o} = uniform({0}, {1}, (n_features, n_features))", 208339446),
    (62, "SCALAR_GAUSSIAN_SET", "gaussian", ">s", "", "s{o} = gaussian({0}, {1})", 20775635),
    (63, "VECTOR_GAUSSIAN_SET", "gaussian", ">v", "", "v{o} = gaussian({0}, {1}, n_features)", 77483018),
    (64, "MATRIX_GAUSSIAN_SET", "gaussian", ">m", "",
     "m{o} = gaussian({0}, {1}, (n_features, n_features))", 277690384),
]  # fmt: skip

OPS: dict[str, Op] = {row[1]: Op(*row) for row in _ROWS}
NUM_STANDARD_OPS = len(_ROWS)

# Operands may be swapped without changing a bit of the result (NaN payloads aside).
_COMMUTATIVE_FORMULAS = {"a + b", "a * b"}


def _groups() -> dict[str, list[str]]:
    rows = list(OPS.values())
    return {
        "all": [op.name for op in rows],
        "deterministic": [op.name for op in rows if not op.random and op.kind != "const"],
        "random": [op.name for op in rows if op.random],
        "constant": [op.name for op in rows if op.kind == "const"],
    }


# Groups of ops by name, as a config's op lists may use them.
GROUPS: dict[str, list[str]] = _groups()


def get_op(name: str) -> Op:
    """Returns the op of that name, with or without the original's suffix `_OP`.

    Raises:
        ProgramError: there is no such op.
    """
    op = OPS.get(name) or OPS.get(str(name).removesuffix("_OP"))
    if op is None:
        raise ProgramError(unknown_name("op", name, OPS))
    return op


def by_number() -> list[Op]:
    """Returns all ops; the op with number i stands at index i."""
    return sorted(OPS.values(), key=lambda op: op.number)


def is_commutative(op: Op) -> bool:
    """Returns whether the two operands may be swapped."""
    same = len(op.inputs) == 2 and op.inputs[0] == op.inputs[1]
    return same and (op.formula in _COMMUTATIVE_FORMULAS or op.kind == "inner")


def is_partial(op: Op) -> bool:
    """Returns whether the op leaves a part of its output as it was."""
    return op.kind == "const" and op.output != "s"


def register_op(
    name: str,
    signature: str,
    formula: str,
    kind: str = "map",
    listing: str | None = None,
    cost: int = 5_000_000,
) -> Op:
    """Adds an op; from then on programs, mutations, texts and both interpreters know it.

    Call it before programs are made, in every process that uses the op (a run's `imports:` does).

    Args:
        name: capital letters, digits and underscores, such as "VECTOR_TANH".
        signature: operand types, ">", result type, such as "v>v" or "sv>v".
        formula: over `a` and `b` (map) or `sum`, `squares` and `n` (reduce); see the module.
        kind: "map", "reduce", "reduce_rows" or "reduce_columns".
        listing: the text form; by default `v{o} = vector_tanh(v{a})`.
        cost: static compute cost for the train budget; most simple ops have 4 to 10 million.

    Raises:
        ProgramError: a name that is taken by another op, or a formula, signature or listing that
            does not fit.

    Example:
        >>> register_op("VECTOR_TANH", "v>v", "tanh(a)")  # doctest: +SKIP
    """
    texts = {"name": name, "signature": signature, "formula": formula, "kind": kind}
    if listing is not None:
        texts["listing"] = listing
    for what, text in texts.items():
        if not isinstance(text, str):
            raise ProgramError(f"register_op: {what} must be text, got {what_is(text)}")
    if isinstance(cost, bool) or not isinstance(cost, int | float) or not 0 <= cost < 2**53:
        raise ProgramError(f"op {name}: cost must be a number of at least 0, got {what_is(cost)}")
    if not re.fullmatch(r"[A-Z][A-Z0-9_]*", name):
        raise ProgramError(f"op name '{name}': use capital letters, digits and '_'")
    shapes = {
        "map": r"(s>[svm]|v>v|m>m|[sv][sv]>v|[sm][sm]>m|ss>[svm])",
        "reduce": r"[vm]>s",
        "reduce_rows": r"m>v",
        "reduce_columns": r"m>v",
    }
    if kind not in shapes:
        raise ProgramError(f"op {name}: " + unknown_name("kind", kind, shapes))
    if not re.fullmatch(shapes[kind], signature):
        raise ProgramError(
            f"op {name}: signature '{signature}' does not fit kind '{kind}' (write operand types, "
            "'>', result type, such as 'v>v' or 'sv>v')"
        )
    operands, output = signature.split(">")
    names = ["a", "b"][: len(operands)] if kind == "map" else ["sum", "squares", "n"]
    check_formula(name, formula, names)
    if listing is None:
        inside = ", ".join(f"{t}{{{x}}}" for t, x in zip(operands, "ab", strict=False))
        listing = f"{output}{{o}} = {name.lower()}({inside})"
    fields = sorted(["{o}", *("{a}", "{b}")[: len(operands)]])
    if sorted(re.findall(r"\{.*?\}", listing)) != fields or re.search(r"[#\n]", listing):
        raise ProgramError(
            f"op {name}: the listing '{listing}' must hold {', '.join(fields)} once each and no '#'"
        )
    op = Op(len(OPS), name, kind, signature, formula, listing, int(cost))
    if name in OPS:
        old = OPS[name]
        if (old.kind, old.signature, old.formula) == (kind, signature, formula):
            return old
        raise ProgramError(f"op {name} exists already with another meaning; choose another name")
    if _shape(listing) in {_shape(o.listing) for o in OPS.values()}:
        raise ProgramError(f"op {name}: the listing '{listing}' belongs to another op")
    OPS[name] = op
    GROUPS.update(_groups())
    return op


def _shape(listing: str) -> str:
    """Returns a listing without spaces and without what tells its operands apart."""
    return re.sub(r"\{[oab]\}", "{}", re.sub(r"\s+", "", listing))


def check_formula(name: str, formula: str, operands: list[str]) -> ast.expr:
    """Returns the parsed formula.

    Raises:
        ProgramError: it holds anything but the operands, numbers, arithmetic, comparisons and the
            functions in `FUNCTIONS`.
    """
    allowed = (
        f"allowed: {', '.join(operands)}, numbers, + - * /, comparisons, {', '.join(FUNCTIONS)}"
    )
    try:
        tree = ast.parse(formula, mode="eval").body
    except SyntaxError as error:
        raise ProgramError(f"op {name}: formula '{formula}' is not an expression") from error

    def check(node: ast.expr, condition: bool) -> None:
        match node:
            case ast.Compare(ops=[ast.Lt() | ast.LtE() | ast.Gt() | ast.GtE()], comparators=[_]):
                if not condition:
                    raise ProgramError(
                        f"op {name}: a comparison stands only first in where(...), "
                        "write where(a < b, 1.0, 0.0)"
                    )
                parts = [(node.left, False), (node.comparators[0], False)]
            case ast.BinOp(op=ast.Div(), right=ast.Constant(value=0)):
                raise ProgramError(f"op {name}: '{ast.unparse(node)}' divides by zero")
            case ast.BinOp(op=ast.Add() | ast.Sub() | ast.Mult() | ast.Div()) if not condition:
                parts = [(node.left, False), (node.right, False)]
            case ast.UnaryOp(op=ast.USub()) if not condition:
                parts = [(node.operand, False)]
            case ast.Call(func=ast.Name(id=f), keywords=[]) if not condition and f in FUNCTIONS:
                if len(node.args) != FUNCTIONS[f]:
                    raise ProgramError(f"op {name}: {f} takes {FUNCTIONS[f]} argument(s)")
                parts = [(x, f == "where" and i == 0) for i, x in enumerate(node.args)]
            case ast.Name(id=x) if not condition and x in operands:
                parts = []
            case ast.Constant(value=int() | float() as x) if not condition and abs(x) < 1e300:
                parts = []
            case _:
                bad = ast.unparse(node)
                raise ProgramError(f"op {name}: '{bad}' cannot stand in a formula ({allowed})")
        for part, is_condition in parts:
            check(part, is_condition)

    check(tree, False)
    return tree


# How mutation treats a constant, as numbers for compiled code.
ALTER = {"redraw": 0, "scale_or_flip": 1, "scale": 2}
TYPES = {"": 0, "s": 1, "v": 2, "m": 3}


class OpTables(NamedTuple):
    """The op table as arrays indexed by op number, for compiled code.

    in1, in2, out (n,) int8: operand types as in `TYPES`, 0 = none. constants (n,) int8: how many
    numbers are stored. low, high (n, 3) float64, alter (n, 3) int8 as in `ALTER`, single (n, 3) bool:
    the fields of `Constant`. random, ordered (n,) bool: draws random numbers; sorts
    its two constants when one is altered. partial, commutative (n,) int8: writes only one element;
    operands may be swapped.
    cost (n,) float64.
    """

    in1: np.ndarray
    in2: np.ndarray
    out: np.ndarray
    constants: np.ndarray
    low: np.ndarray
    high: np.ndarray
    alter: np.ndarray
    single: np.ndarray
    random: np.ndarray
    ordered: np.ndarray
    partial: np.ndarray
    commutative: np.ndarray
    cost: np.ndarray


def op_tables() -> OpTables:
    """Returns the current op table as arrays."""
    import numpy as np  # here: the names of ops, which shells complete, need none of it

    rows = by_number()

    def column(value, dtype):
        return np.array([value(op) for op in rows], dtype=dtype)

    def constants(field, dtype):
        table = np.zeros((len(rows), 3), dtype)
        for op in rows:
            for k, constant in enumerate(op.constants):
                table[op.number, k] = field(constant)
        return table

    return OpTables(
        in1=column(lambda op: TYPES[op.inputs[0]] if op.inputs else 0, np.int8),
        in2=column(lambda op: TYPES[op.inputs[1]] if len(op.inputs) > 1 else 0, np.int8),
        out=column(lambda op: TYPES[op.output], np.int8),
        constants=column(lambda op: len(op.constants), np.int8),
        low=constants(lambda c: c.low, np.float64),
        high=constants(lambda c: c.high, np.float64),
        alter=constants(lambda c: ALTER[c.alter], np.int8),
        single=constants(lambda c: c.single, np.bool_),
        random=column(lambda op: op.random, np.bool_),
        ordered=column(lambda op: op.kind == "uniform", np.bool_),
        partial=column(is_partial, np.int8),
        commutative=column(is_commutative, np.int8),
        cost=column(lambda op: op.cost, np.float64),
    )

"""The CUDA C text of the interpreter for one layout, written from the op table.

The files in kernels/ say how instructions go through memory; from the op table come the formulas and
the switch that calls them. The text includes nothing and needs no headers, so NVRTC compiles it as it
stands, and g++ too (`zero.cuda.host`).
"""

from __future__ import annotations

import ast
import threading
from importlib import resources

from zero.cuda.kernel_source import KernelSource
from zero.programs.cuda.layout import UnitLayout
from zero.programs.ops import (
    Op,
    by_number,
    check_formula,
)
from zero.rng import philox

# Instructions of no op: the end of a function, sums of products in place, and those of the matrix that
# is in registers (`zero.programs.cuda.encode`).
EXTRA = (
    "END", "OUTER_ADD", "SCALED_ADD", "TAKE_RESIDENT", "MATVEC_RESIDENT", "OUTER_ADD_RESIDENT",
)  # fmt: skip

# What programs that learn do most, most frequent first: found with the fewest comparisons.
_FREQUENT = (
    "MATVEC_RESIDENT", "OUTER_ADD_RESIDENT", "SCALAR_PRODUCT", "VECTOR_SUM", "SCALAR_DIFF", "END",
    "VECTOR_INNER_PRODUCT", "SCALAR_VECTOR_PRODUCT", "SCALED_ADD", "VECTOR_PRODUCT", "SCALAR_SUM",
    "VECTOR_HEAVYSIDE", "VECTOR_MAX", "MATRIX_VECTOR_PRODUCT", "OUTER_ADD", "VECTOR_DIFF",
    "VECTOR_OUTER_PRODUCT", "MATRIX_SUM",
)  # fmt: skip

THREADS = 512  # of a multiprocessor, at least: bounds the registers of each to 128
# Chunks of a row, elements of a vector, by whether memory is shared: addresses of global memory take two
# registers each.
MAX_UNROLLED = {True: 4, False: 2}

_LIBRARY = {
    "abs": "fabs", "arcsin": "asin", "arccos": "acos", "arctan": "atan", "sin": "sin", "cos": "cos",
    "tan": "tan", "tanh": "tanh", "exp": "exp", "log": "log", "sqrt": "sqrt",
}  # fmt: skip
_BINARY = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
_COMPARE = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}

# What nvcc and NVRTC are told: no contraction, for formulas never allow it (kernels/unit.cuh).
OPTIONS = ("--std=c++17", "--fmad=false")


def row_numbers() -> dict[str, int]:
    """Returns the number that each op and each of `EXTRA` has in rows, the most frequent first.

    Ops that are registered later come last: the numbers that there are never change.
    """
    names = [*EXTRA, *(op.name for op in by_number() if op.kind != "none")]
    ordered = [*_FREQUENT, *(name for name in names if name not in _FREQUENT)]
    return {name: number for number, name in enumerate(ordered)}


def formula(op: Op, operands: list[str]) -> str:
    """Returns an op's formula as a C expression over REAL."""

    def c(node: ast.expr) -> str:
        match node:
            case ast.BinOp():
                return f"({c(node.left)} {_BINARY[type(node.op)]} {c(node.right)})"
            case ast.Compare():
                compare = _COMPARE[type(node.ops[0])]
                return f"({c(node.left)} {compare} {c(node.comparators[0])})"
            case ast.UnaryOp():
                return f"(-{c(node.operand)})"
            case ast.Call(func=ast.Name(id="where")):
                condition, yes, no = (c(x) for x in node.args)
                return f"({condition} ? {yes} : {no})"
            case ast.Call():
                return f"MATH({_LIBRARY[node.func.id]})({c(node.args[0])})"
            case ast.Name():
                return node.id
            case ast.Constant():
                return f"REAL({float(node.value)!r})"
        raise AssertionError(ast.dump(node))

    return c(check_formula(op.name, op.formula, operands))


def _case(op: Op) -> tuple[str, str]:
    """Returns (a struct with the op's formula or nothing, the call that executes the op)."""
    kinds = [k.upper() for k in op.inputs] + ["NONE"] * (2 - len(op.inputs))
    out, name = op.output.upper(), f"Op{op.number}"
    struct = ""
    if op.formula:
        mapped = op.kind == "map"
        operands = ["a", "b"] if mapped else ["sum", "squares", "n"]
        used = operands[: len(op.inputs)] if mapped else operands
        arguments = ", ".join(f"REAL {x}" for x in operands)
        reads = (
            ""
            if mapped
            else " ".join(
                f"static constexpr bool reads_{x} = {str(x in op.formula).lower()};"
                for x in ("sum", "squares")
            )
        )
        value = formula(op, used)
        struct = f"struct {name} {{ {reads} static INLINE REAL of({arguments}) {{ return {value}; }} }};\n"
    match op.kind:
        case "none":
            return "", ""
        case "map":
            call = f"map<{name}, {out}, {kinds[0]}, {kinds[1]}>(u, r)"
        case "reduce":
            call = f"reduce<{name}, {kinds[0]}>(u, r)"
        case "reduce_rows" | "reduce_columns":
            call = f"{op.kind}<{name}>(u, r)"
        case "outer":
            call = "outer<false, false>(u, r)"
        case "matvec":
            call = "matvec<false>(u, r)"
        case "const":
            target = {"S": "scalar", "V": "element", "M": "cell"}[out]
            call = f"set_{target}(u, r, &code[at + 1])"
        case "uniform" | "gaussian":
            call = f"draw_all<{op.kind.capitalize()}, {out}>(u, r, &code[at + 1])"
        case _:
            call = f"{op.kind}(u, r)"
    return struct, call


_EXTRA_CALLS = {
    "END": "return",
    "OUTER_ADD": "outer<true, false>(u, r)",
    "SCALED_ADD": "scaled_add(u, r)",
}
_RESIDENT_CALLS = {
    "TAKE_RESIDENT": "take_resident(u, r.a)",
    "MATVEC_RESIDENT": "matvec<true>(u, r)",
    "OUTER_ADD_RESIDENT": "outer<true, true>(u, r)",
}


def _decide(calls: list[str], first: int, last: int, indent: str) -> list[str]:
    """Returns the lines that find and call one of calls[first:last] by r.op.

    A switch would become a balanced tree of comparisons; this one is short for the frequent ops.
    """
    if last - first == 1:
        return [f"{indent}{calls[first]}"]
    weights = [1 / (k + 3) if k < len(_FREQUENT) else 0.01 for k in range(first, last)]
    total, below, middle = sum(weights), 0.0, first
    while middle < last - 1 and below + weights[middle - first] / 2 < total / 2:
        below += weights[middle - first]
        middle += 1
    middle = max(middle, first + 1)
    return [
        f"{indent}if (r.op < {middle}) {{",
        *_decide(calls, first, middle, indent + "  "),
        f"{indent}}} else {{",
        *_decide(calls, middle, last, indent + "  "),
        f"{indent}}}",
    ]


def _step(call: str) -> str:
    """Returns the statements that execute a row and read the one after it.

    The read comes first, so that it takes no time of its own. After constants it comes last: then the
    compiler mostly sees that the lanes of a warp read the same row, and spends nothing on bringing them
    together again after each branch (BSSY, BRA.DIV in machine code; so in float32 to F = 16, sm_90).
    """
    if call == "return":
        return "return;"
    if "code[" in call:
        return f"{call}; next = code[at += 2];"
    return f"next = code[++at]; {call};"


def _interpreter(resident: bool) -> str:
    """Returns the formulas and the function `execute`; resident: whether rows may be in registers."""
    cases = {op.name: _case(op) for op in by_number()}
    calls = {name: call for name, (_, call) in cases.items()} | _EXTRA_CALLS
    calls |= _RESIDENT_CALLS if resident else dict.fromkeys(_RESIDENT_CALLS, "return")
    numbered = [_step(calls[name]) for name in row_numbers()]
    return "\n".join([
        "\n// --- written by zero/programs/cuda/source.py ---\n",
        "".join(struct for struct, _ in cases.values()),
        "// Executes one function of the program, which starts at a row.",
        "DEVICE void execute(Unit &u, const Row *code, int at) {",
        "  Row r = code[at], next;",
        "  for (;; r = next) {",
        *_decide(numbered, 0, len(numbered), "    "),
        "  }",
        "}\n",
    ])  # fmt: skip


def _file(name: str) -> str:
    return resources.files("zero.kernels").joinpath(name).read_text()


def render(layout: UnitLayout, strict: bool = False, independent: bool = False) -> str:
    """Returns the whole text, with the kernel `evaluate`.

    strict: products that are summed up are rounded before they are added, as on the CPU.
    independent: validation rows know nothing of each other, see `zero.programs.evaluator`. No field of
    the job,
        as it would cost every search registers.
    """
    single = layout.dtype == "float32"
    chunks = layout.padded // layout.chunk
    settings = {
        "REAL": "float" if single else "double",
        "SINGLE": int(single),
        "STRICT": int(strict),
        "INDEPENDENT": int(independent),
        "FEATURES": layout.features,
        "GROUP": layout.group,
        "LANES": layout.lanes,
        "SHARED": int(layout.shared),
        "RESIDENT": int(layout.resident),
        "UNITS": THREADS // layout.lanes,
        "UNROLL": min(MAX_UNROLLED[layout.shared], max(chunks, layout.each)),
        "UNROLL_ROWS": min(2, layout.each),
        "CLASS_THRESHOLD": repr(1.5 * 2.0 ** (-24 if single else -53)),
        "PHILOX_ROUNDS": philox.ROUNDS,
        "PHILOX_M0": f"{philox.M0}u",
        "PHILOX_M1": f"{philox.M1}u",
        "PHILOX_W0": f"{philox.W0}u",
        "PHILOX_W1": f"{philox.W1}u",
    }
    parts = [f"// The interpreter for {layout}{', strict' if strict else ''}.\n"]
    parts += [f"#define {name} {value}\n" for name, value in settings.items()]
    parts += [_file("job.cuh")]
    unit = _file("unit.cuh").replace(
        '#include "host.h"\n', "#ifndef __CUDACC__\n" + _file("host.h") + "#endif\n"
    )
    parts += [
        unit,
        _file("philox.cuh"),
        _file("ops.cuh"),
        _interpreter(layout.resident),
        _file("evaluate.cuh"),
    ]
    return "\n".join(parts)


# Python 3.11's parser, which formulas go through, fails in two threads at once.
_rendering = threading.Lock()


def kernel_source(
    layout: UnitLayout, strict: bool = False, independent: bool = False
) -> KernelSource:
    """Returns what a machine compiles; arguments as for `render`. For several threads."""
    with _rendering:
        text = render(layout, strict, independent)
    return KernelSource(text, layout.lanes, layout.shared, OPTIONS)

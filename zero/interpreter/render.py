"""From the op table to numba source: one branch of the interpreter's switch for each op.

Every op kind has one template here (its meaning is in `zero.interpreter.reference`); formulas are
translated to calls on lanes. The rendered text, the frame around it (`frame.py`) and the settings
that it was rendered for make one module; `zero.interpreter.cpu` writes it to the cache folder.

In the templates `a`, `b`, `o` are the places in memory of operands and result, `F` is the number of
features, `FW = F * W` the length of a vector in memory and `FFW` that of a matrix. numba turns the
chain of comparisons into a jump table.
"""

from __future__ import annotations

import ast

from zero.ops import Op, by_number, check_formula

_BINARY = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div"}
_COMPARE = {ast.Lt: "lt", ast.LtE: "le", ast.Gt: "gt", ast.GtE: "ge"}
_RENAMED = {"abs": "absolute"}
_LENGTH = {"s": "W", "v": "FW", "m": "FFW"}


def formula_to_lanes(formula: str, operands: list[str]) -> str:
    """Returns a formula as calls on lanes: "a + 1.0" becomes "add(a_, splat(1.0))"."""

    def walk(node: ast.expr) -> str:
        match node:
            case ast.BinOp():
                return f"{_BINARY[type(node.op)]}({walk(node.left)}, {walk(node.right)})"
            case ast.Compare():
                sign = _COMPARE[type(node.ops[0])]
                return f"{sign}({walk(node.left)}, {walk(node.comparators[0])})"
            case ast.UnaryOp():
                return f"neg({walk(node.operand)})"
            case ast.Call():
                name = node.func.id
                return f"{_RENAMED.get(name, name)}({', '.join(walk(x) for x in node.args)})"
            case ast.Name():
                return f"{node.id}_"
            case ast.Constant():
                return f"splat({float(node.value)!r})"
        raise AssertionError(ast.dump(node))

    return walk(check_formula("rendered", formula, operands))


def _map(op: Op) -> list[str]:
    names = ["a", "b"][: len(op.inputs)]
    value = formula_to_lanes(op.formula, names)
    before, inside = [], []
    for name, kind in zip(names, op.inputs, strict=True):
        if kind == op.output:
            inside.append(f"    {name}_ = load(mem, {name} + k)")
        else:  # a scalar operand is the same for every element
            before.append(f"{name}_ = load(mem, {name})")
    loop = f"for k in range(0, {_LENGTH[op.output]}, W):"
    return [*before, loop, *inside, f"    store(mem, o + k, {value})"]


def _reduce_loop(op: Op, count: str, start: str, stride: str, length: str) -> list[str]:
    uses_sum, uses_squares = "sum" in op.formula, "squares" in op.formula
    lines = [f"n_ = splat(float({count}))"]
    lines += ["sum_ = splat(0.0)"] * uses_sum + ["squares_ = splat(0.0)"] * uses_squares
    lines += [f"for j in range({start}, {start} + {length}, {stride}):", "    x = load(mem, j)"]
    lines += ["    sum_ = add(sum_, x)"] * uses_sum
    lines += ["    squares_ = add(squares_, mul(x, x))"] * uses_squares
    return lines


def _reduce(op: Op) -> list[str]:
    value = formula_to_lanes(op.formula, ["sum", "squares", "n"])
    length = _LENGTH[op.inputs[0]]
    count = {"v": "F", "m": "F * F"}[op.inputs[0]]
    return [*_reduce_loop(op, count, "a", "W", length), f"store(mem, o, {value})"]


def _reduce_rows(op: Op) -> list[str]:
    value = formula_to_lanes(op.formula, ["sum", "squares", "n"])
    loop = _reduce_loop(op, "F", "(a + i * F)", "W", "FW")
    return _indented("for i in range(0, FW, W):", [*loop, f"store(mem, o + i, {value})"])


def _reduce_columns(op: Op) -> list[str]:
    value = formula_to_lanes(op.formula, ["sum", "squares", "n"])
    loop = _reduce_loop(op, "F", "(a + i)", "FW", "FFW")
    return _indented("for i in range(0, FW, W):", [*loop, f"store(mem, o + i, {value})"])


def _indented(head: str, lines: list[str]) -> list[str]:
    return [head, *("    " + line for line in lines)]


# The result of these may overwrite an operand that is still needed: they go through `tmp`.
_COPY_VECTOR = ["for k in range(0, FW, W):", "    store(mem, o + k, load(mem, tmp + k))"]
_COPY_MATRIX = ["for k in range(0, FFW, W):", "    store(mem, o + k, load(mem, tmp + k))"]


def _inner(op: Op) -> list[str]:
    return [
        "total = splat(0.0)",
        "for k in range(0, FW, W):",
        "    total = add(total, mul(load(mem, a + k), load(mem, b + k)))",
        "store(mem, o, total)",
    ]


def _outer(op: Op) -> list[str]:
    return [
        "for i in range(0, FW, W):",
        "    x = load(mem, a + i)",
        "    for j in range(0, FW, W):",
        "        store(mem, o + i * F + j, mul(x, load(mem, b + j)))",
    ]


def _matvec(op: Op) -> list[str]:
    # Four rows at a time share the loads of the vector; each row is summed in the same order.
    rows = range(4)
    return [
        "done = F // 4 * 4 * W",
        "for i in range(0, done, 4 * W):",
        *[f"    t{r} = splat(0.0)" for r in rows],
        "    for j in range(0, FW, W):",
        "        x = load(mem, b + j)",
        *[f"        t{r} = add(t{r}, mul(load(mem, a + (i + {r} * W) * F + j), x))" for r in rows],
        *[f"    store(mem, tmp + i + {r} * W, t{r})" for r in rows],
        "for i in range(done, FW, W):",
        "    total = splat(0.0)",
        "    for j in range(0, FW, W):",
        "        total = add(total, mul(load(mem, a + i * F + j), load(mem, b + j)))",
        "    store(mem, tmp + i, total)",
        *_COPY_VECTOR,
    ]


def _matmul(op: Op) -> list[str]:
    return [
        "for i in range(0, FW, W):",
        "    for j in range(0, FW, W):",
        "        total = splat(0.0)",
        "        for k in range(0, FW, W):",
        "            x = mul(load(mem, a + i * F + k), load(mem, b + k * F + j))",
        "            total = add(total, x)",
        "        store(mem, tmp + i * F + j, total)",
        *_COPY_MATRIX,
    ]


def _fill_columns(op: Op) -> list[str]:
    return [
        "for i in range(0, FW, W):",
        "    x = load(mem, a + i)",
        "    for j in range(0, FW, W):",
        "        store(mem, o + i * F + j, x)",
    ]


def _fill_rows(op: Op) -> list[str]:
    return [
        "for i in range(0, FW, W):",
        "    for j in range(0, FW, W):",
        "        store(mem, o + i * F + j, load(mem, a + j))",
    ]


def _transpose(op: Op) -> list[str]:
    return [
        "for i in range(0, FW, W):",
        "    for j in range(0, FW, W):",
        "        store(mem, tmp + j * F + i, load(mem, a + i * F + j))",
        *_COPY_MATRIX,
    ]


def _const(op: Op) -> list[str]:
    # Decoding has turned the index into a place within the operand, where in1 would stand.
    return ["store(mem, o + code[4 * pc + 1], splat(constants[2 * pc]))"]


def _draw(op: Op) -> list[str]:
    # The stream stands where in1 would.
    return [
        "word = (function << 16) | code[4 * pc + 1]",
        f"for k in range({_LENGTH[op.output]} // W):",
        f"    x = {op.kind}(key, k, example, word, keys, keys_at, "
        "constants[2 * pc], constants[2 * pc + 1])",
        "    store(mem, o + k * W, x)",
    ]


TEMPLATES = {
    "map": _map,
    "reduce": _reduce,
    "reduce_rows": _reduce_rows,
    "reduce_columns": _reduce_columns,
    "inner": _inner,
    "outer": _outer,
    "matvec": _matvec,
    "matmul": _matmul,
    "fill_columns": _fill_columns,
    "fill_rows": _fill_rows,
    "transpose": _transpose,
    "const": _const,
    "uniform": _draw,
    "gaussian": _draw,
}


# Two instructions in one (`frame._fuse`): numbers that no op has, and what they do. `c` is the place
# of the sum's other operand.
FUSED_OUTER_SUM, FUSED_SCALAR_VECTOR_SUM = -1, -2
_FUSED = {
    FUSED_OUTER_SUM: [
        "c = base + code[4 * pc + 5]",
        "for i in range(0, FW, W):",
        "    x = load(mem, a + i)",
        "    for j in range(0, FW, W):",
        "        product = mul(x, load(mem, b + j))",
        "        store(mem, o + i * F + j, add(load(mem, c + i * F + j), product))",
    ],
    FUSED_SCALAR_VECTOR_SUM: [
        "c = base + code[4 * pc + 5]",
        "x = load(mem, a)",
        "for k in range(0, FW, W):",
        "    store(mem, o + k, add(load(mem, c + k), mul(x, load(mem, b + k))))",
    ],
}


def render_switch(indent: str) -> str:
    """Returns the chain of branches over `op` for every op in the table that does something."""
    lines, word = [], "if"
    for op in by_number():
        if op.kind == "none":
            continue
        lines.append(f"{indent}{word} op == {op.number}:  # {op.name}")
        lines += [f"{indent}    {line}" for line in TEMPLATES[op.kind](op)]
        word = "elif"
    for number, body in _FUSED.items():
        lines.append(f"{indent}elif op == {number}:")
        lines += [f"{indent}    {line}" for line in body]
    return "\n".join(lines)


def render_mutations(names: list[str], indent: str) -> str:
    """Returns the chain of calls over `kind` for the mutations in the order of their numbers."""
    lines = []
    for number, name in enumerate(names):
        word = "elif" if number else "if"
        lines.append(f"{indent}{word} kind == {number}:")
        lines.append(f"{indent}    mutations.{name}(genomes, row, space, rng)")
    return "\n".join(lines)

"""The compiled ops: one LLVM function an op (a *handler*), which jumps to that of the next instruction.

A decoded program is rows of `ROW` words: the address of the op's handler, the places of operands and
result, constants. A handler takes three pointers (its row, the memory of one block of W tasks, the
context), does its work and ends with a tail call of the next row's handler; the handler `END` returns.
There is no loop and no switch, and each handler has all registers to itself.

An op's meaning is in `zero.interpreter.reference`; every op kind has one function here that writes its
code, given the number of features where it is known (so that loops are unrolled), else for any.
Machine code is kept in the cache folder under a hash of the source and of the processor's features.
"""

from __future__ import annotations

import ast
import hashlib
import os
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
from llvmlite import binding as llvm
from llvmlite import ir

from zero import ops as op_table
from zero import rng
from zero.interpreter import vectors
from zero.interpreter.vectors import I64
from zero.ops import Op, by_number, check_formula

# A decoded instruction: words of 8 bytes. Places are bytes from the start of the block's memory; C is
# that of a fused sum's other operand. Of a constant set, A is the place within the result; of a random
# op, A is its stream.
ROW = 8
HANDLER, A, B, OUT, C, CONSTANT_1, CONSTANT_2 = range(7)

# The context: what names random draws, the address of the tasks' keys, where there is room for a
# matrix in the block's memory (bytes), and the number of features (for handlers made for any).
CONTEXT = 8
KEY, EXAMPLE, FUNCTION, KEYS, TEMPORARY, FEATURES = range(6)

# Handlers of no op: the end of a function, and two instructions in one (`frame._append`).
EXTRA = ("END", "OUTER_SUM", "SCALAR_VECTOR_SUM")

_I8 = ir.IntType(8)
_POINTER = _I8.as_pointer()
_SIGNATURE = ir.FunctionType(ir.VoidType(), [_POINTER] * 3)
_UNROLL = 16  # loops of known length up to this are written out
_REGISTER_BYTES = 64

_BINARY = {ast.Add: "fadd", ast.Sub: "fsub", ast.Mult: "fmul", ast.Div: "fdiv"}
_COMPARE = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}
_CHEAP = {"abs", "sqrt", "where"}


class Handler:
    """Writes the function of one op.

    Numbers of elements and offsets are Python integers where they are known, else LLVM values.
    """

    def __init__(self, module: ir.Module, name: str, dtype: str, lanes: int, features: int):
        self.function = ir.Function(module, _SIGNATURE, name)
        self.row, self.memory, self.context = self.function.args
        self.builder = ir.IRBuilder(self.function.append_basic_block("start"))
        self.lanes = lanes
        self.vector = ir.VectorType(vectors.element(dtype), lanes)
        self.bytes = lanes * np.dtype(dtype).itemsize  # of one element on all lanes
        # How many elements fill about half of the registers.
        self.group = max(1, 16 // max(1, self.bytes // _REGISTER_BYTES))
        self.F = features or self._word(self.context, FEATURES)

    # --- reading the row and the context --------------------------------------------------------

    def _word(self, start, index: int, kind: ir.Type = I64):
        at = self.builder.gep(start, [ir.Constant(I64, 8 * index)])
        return self.builder.load(self.builder.bitcast(at, kind.as_pointer()), align=8)

    def word(self, index: int):
        """Returns a word of the row as an integer."""
        return self._word(self.row, index)

    def number(self, index: int):
        """Returns a word of the row as a float64."""
        return self._word(self.row, index, ir.DoubleType())

    def context_word(self, index: int):
        """Returns a word of the context."""
        return self._word(self.context, index)

    def place(self, index: int):
        """Returns a pointer to the operand whose place the row says."""
        return self.builder.gep(self.memory, [self.word(index)])

    def temporary(self):
        """Returns a pointer to room for a matrix."""
        return self.builder.gep(self.memory, [self.context_word(TEMPORARY)])

    # --- integers and loops ---------------------------------------------------------------------

    def integer(self, x):
        """Returns an integer as an LLVM value."""
        return ir.Constant(I64, x) if isinstance(x, int) else x

    def times(self, x, y):
        """Returns the product of two integers."""
        if isinstance(x, int) and isinstance(y, int):
            return x * y
        return self.builder.mul(self.integer(x), self.integer(y))

    def plus(self, x, y):
        """Returns the sum of two integers."""
        if isinstance(x, int) and isinstance(y, int):
            return x + y
        return self.builder.add(self.integer(x), self.integer(y))

    def count(self, kind: str):
        """Returns how many elements a scalar, vector or matrix has."""
        return {"s": 1, "v": self.F, "m": self.times(self.F, self.F)}[kind]

    def entry(self, i, j):
        """Returns the index of a matrix element."""
        return self.plus(self.times(i, self.F), j)

    def each(self, count, step: int = 1, unroll: int = _UNROLL) -> Iterator:
        """Yields 0, step, 2 step, ... below count: in a loop, or written out where it is short."""
        if isinstance(count, int) and count <= unroll * step:
            yield from range(0, count, step)
            return
        b = self.builder
        before, body = b.block, b.append_basic_block("loop")
        after = b.append_basic_block("done")
        b.branch(body)
        b.position_at_end(body)
        k = b.phi(I64)
        yield k
        following = b.add(k, ir.Constant(I64, step))
        k.add_incoming(ir.Constant(I64, 0), before)
        k.add_incoming(following, b.block)
        b.cbranch(b.icmp_signed("<", following, self.integer(count)), body, after)
        b.position_at_end(after)

    def grouped(self, count, size: int) -> Iterator[list]:
        """Yields lists of up to `size` consecutive indices below count (one each if unknown)."""
        if not isinstance(count, int):
            for k in self.each(count):
                yield [k]
            return
        whole = count // size * size
        if whole:
            for k in self.each(whole, size, unroll=4):
                yield [self.plus(k, i) for i in range(size)]
        if whole < count:
            yield list(range(whole, count))

    # --- values ---------------------------------------------------------------------------------

    def _at(self, start, index):
        offset = self.integer(self.times(index, self.bytes))
        at = self.builder.gep(start, [offset])
        return self.builder.bitcast(at, self.vector.as_pointer())

    def load(self, start, index=0):
        """Returns an element on all lanes."""
        return self.builder.load(self._at(start, index), align=self.bytes // self.lanes)

    def store(self, start, index, value) -> None:
        """Writes an element on all lanes."""
        self.builder.store(value, self._at(start, index), align=self.bytes // self.lanes)

    def splat(self, number):
        """Returns a float64 in all lanes."""
        if self.vector.element == ir.FloatType():
            number = self.builder.fptrunc(number, ir.FloatType())
        return vectors.splat(self.builder, number, self.lanes)

    def sums(self, number: int):
        """Returns `number` variables that start at zero."""
        return [Variable(self) for _ in range(number)]

    def formula(self, op: Op, **operands):
        """Returns the value of the op's formula."""

        def walk(node: ast.expr):
            match node:
                case ast.BinOp():
                    operation = getattr(self.builder, _BINARY[type(node.op)])
                    return operation(walk(node.left), walk(node.right))
                case ast.Compare():
                    left, right = walk(node.left), walk(node.comparators[0])
                    return self.builder.fcmp_ordered(_COMPARE[type(node.ops[0])], left, right)
                case ast.UnaryOp():
                    return self.builder.fneg(walk(node.operand))
                case ast.Call():
                    arguments = [walk(x) for x in node.args]
                    return vectors.FUNCTIONS[node.func.id](self.builder, *arguments)
                case ast.Name():
                    return operands[node.id]
                case ast.Constant():
                    return vectors.constant(self.vector, float(node.value))
            raise AssertionError(ast.dump(node))

        return walk(check_formula(op.name, op.formula, list(operands)))

    # --- the end --------------------------------------------------------------------------------

    def finish(self) -> None:
        """Jumps to the next instruction's handler."""
        b = self.builder
        following = b.gep(self.row, [ir.Constant(I64, 8 * ROW)])
        handler = b.bitcast(following, _SIGNATURE.as_pointer().as_pointer())
        target = b.load(handler, align=8)
        b.call(target, [following, self.memory, self.context], tail="musttail")
        b.ret_void()


class Variable:
    """A value that changes in a loop; LLVM keeps it in a register."""

    def __init__(self, handler: Handler):
        self.builder = handler.builder
        with self.builder.goto_entry_block():
            self.slot = self.builder.alloca(handler.vector)
        self.set(vectors.constant(handler.vector, 0.0))

    def set(self, value) -> None:
        """Takes a new value."""
        self.builder.store(value, self.slot)

    def get(self):
        """Returns the value."""
        return self.builder.load(self.slot)

    def add(self, value) -> None:
        """Takes the sum of the value and another."""
        self.set(self.builder.fadd(self.get(), value))


# --- one function an op kind --------------------------------------------------------------------


def _map(h: Handler, op: Op) -> None:
    names = ["a", "b"][: len(op.inputs)]
    starts = [h.place(word) for word in (A, B)[: len(names)]]
    # A scalar operand is the same for every element.
    once = {
        name: h.load(start)
        for name, start, kind in zip(names, starts, op.inputs, strict=True)
        if kind != op.output
    }
    calls = {n.func.id for n in ast.walk(ast.parse(op.formula)) if isinstance(n, ast.Call)}
    out = h.place(OUT)
    for group in h.grouped(h.count(op.output), h.group if calls <= _CHEAP else 1):
        # Loads first, then stores: nothing waits for what LLVM must take for an overlap.
        values = [
            h.formula(
                op,
                **once,
                **{
                    n: h.load(start, k)
                    for n, start in zip(names, starts, strict=True)
                    if n not in once
                },
            )
            for k in group
        ]
        for k, value in zip(group, values, strict=True):
            h.store(out, k, value)


def _reduce_lines(h: Handler, op: Op, lines, length, index) -> list:
    """Returns the formula's value for each of some rows, columns or whole operands, side by side.

    index: (line, k) -> index of the k-th element of a line.
    """
    start = h.place(A)
    parts = 4 if len(lines) == 1 and isinstance(length, int) and length >= 8 else 1
    names = [name for name in ("sum", "squares") if name in op.formula]
    totals = {name: [h.sums(parts) for _ in lines] for name in names}
    for group in h.grouped(length, parts):
        for n, line in enumerate(lines):
            for part, k in enumerate(group):
                x = h.load(start, index(line, k))
                if "sum" in totals:
                    totals["sum"][n][part].add(x)
                if "squares" in totals:
                    totals["squares"][n][part].add(h.builder.fmul(x, x))
    count = h.builder.sitofp(h.integer(length), ir.DoubleType())
    results = []
    for n in range(len(lines)):
        found = {name: _total(h, [v.get() for v in totals[name][n]]) for name in names}
        results.append(h.formula(op, n=h.splat(count), **{"sum": None, "squares": None, **found}))
    return results


def _total(h: Handler, values: list):
    """Returns the sum of a few values, pair by pair."""
    while len(values) > 1:
        pairs = zip(values[::2], values[1::2], strict=False)
        values = [h.builder.fadd(x, y) for x, y in pairs] + values[len(values) // 2 * 2 :]
    return values[0]


def _reduce(h: Handler, op: Op) -> None:
    (value,) = _reduce_lines(h, op, [0], h.count(op.inputs[0]), lambda _, k: k)
    h.store(h.place(OUT), 0, value)


def _reduce_rows(h: Handler, op: Op) -> None:
    out = h.place(OUT)
    for rows in h.grouped(h.F, h.group // 2):
        values = _reduce_lines(h, op, rows, h.F, h.entry)
        for i, value in zip(rows, values, strict=True):
            h.store(out, i, value)


def _reduce_columns(h: Handler, op: Op) -> None:
    out = h.place(OUT)
    for columns in h.grouped(h.F, h.group // 2):
        values = _reduce_lines(h, op, columns, h.F, lambda j, i: h.entry(i, j))
        for j, value in zip(columns, values, strict=True):
            h.store(out, j, value)


def _inner(h: Handler, op: Op) -> None:
    a, b = h.place(A), h.place(B)
    parts = 4 if isinstance(h.F, int) and h.F >= 8 else 1
    totals = h.sums(parts)
    for group in h.grouped(h.F, parts):
        for total, k in zip(totals, group, strict=False):
            total.add(h.builder.fmul(h.load(a, k), h.load(b, k)))
    h.store(h.place(OUT), 0, _total(h, [t.get() for t in totals]))


def _outer(h: Handler, op: Op | None, other=None) -> None:
    """other: place of a matrix that is added (OUTER_SUM)."""
    a, b, out = h.place(A), h.place(B), h.place(OUT)
    for i in h.each(h.F, unroll=4):
        x = h.load(a, i)
        for columns in h.grouped(h.F, h.group // 2):
            values = [h.builder.fmul(x, h.load(b, j)) for j in columns]
            if other is not None:
                values = [
                    h.builder.fadd(h.load(other, h.entry(i, j)), value)
                    for j, value in zip(columns, values, strict=True)
                ]
            for j, value in zip(columns, values, strict=True):
                h.store(out, h.entry(i, j), value)


def _aside(h: Handler, kind: str, operands: list[int], write) -> None:
    """Writes a result that may overwrite an operand which is still needed: aside, then copied."""
    b, out = h.builder, h.place(OUT)
    same = [b.icmp_unsigned("==", h.word(OUT), h.word(word)) for word in operands]
    overlaps = same[0] if len(same) == 1 else b.or_(*same)
    temporary = h.temporary()
    write(b.select(overlaps, temporary, out))
    with b.if_then(overlaps):
        for group in h.grouped(h.count(kind), h.group):
            for k, value in [(k, h.load(temporary, k)) for k in group]:
                h.store(out, k, value)


def _matvec(h: Handler, op: Op) -> None:
    a, b = h.place(A), h.place(B)

    def write(to) -> None:
        # Several rows at a time share the loads of the vector; each is summed in order.
        for rows in h.grouped(h.F, h.group // 2):
            totals = h.sums(len(rows))
            for j in h.each(h.F):
                x = h.load(b, j)
                for total, i in zip(totals, rows, strict=True):
                    total.add(h.builder.fmul(h.load(a, h.entry(i, j)), x))
            for total, i in zip(totals, rows, strict=True):
                h.store(to, i, total.get())

    _aside(h, "v", [B], write)


def _matmul(h: Handler, op: Op) -> None:
    a, b = h.place(A), h.place(B)

    def write(to) -> None:
        for i in h.each(h.F, unroll=4):
            for columns in h.grouped(h.F, h.group // 2):
                totals = h.sums(len(columns))
                for k in h.each(h.F, unroll=4):
                    x = h.load(a, h.entry(i, k))
                    for total, j in zip(totals, columns, strict=True):
                        total.add(h.builder.fmul(x, h.load(b, h.entry(k, j))))
                for total, j in zip(totals, columns, strict=True):
                    h.store(to, h.entry(i, j), total.get())

    _aside(h, "m", [A, B], write)


def _fill_columns(h: Handler, op: Op) -> None:
    a, out = h.place(A), h.place(OUT)
    for i in h.each(h.F, unroll=4):
        x = h.load(a, i)
        for j in h.each(h.F):
            h.store(out, h.entry(i, j), x)


def _fill_rows(h: Handler, op: Op) -> None:
    a, out = h.place(A), h.place(OUT)
    for columns in h.grouped(h.F, h.group // 2):
        values = [h.load(a, j) for j in columns]
        for i in h.each(h.F, unroll=4):
            for j, value in zip(columns, values, strict=True):
                h.store(out, h.entry(i, j), value)


def _transpose(h: Handler, op: Op) -> None:
    a = h.place(A)

    def write(to) -> None:
        for i in h.each(h.F, unroll=4):
            for columns in h.grouped(h.F, h.group // 2):
                values = [h.load(a, h.entry(i, j)) for j in columns]
                for j, value in zip(columns, values, strict=True):
                    h.store(to, h.entry(j, i), value)

    _aside(h, "m", [A], write)


def _const(h: Handler, op: Op) -> None:
    h.store(h.builder.gep(h.place(OUT), [h.word(A)]), 0, h.splat(h.number(CONSTANT_1)))


def _draw(h: Handler, op: Op) -> None:
    b, lanes = h.builder, h.lanes
    i64s = ir.VectorType(I64, lanes)
    low = ir.Constant(I64, 0xFFFFFFFF)
    function = b.shl(h.context_word(FUNCTION), ir.Constant(I64, 16))
    stream = b.and_(b.or_(function, h.word(A)), low)
    example = b.and_(h.context_word(EXAMPLE), low)
    keys = b.inttoptr(h.context_word(KEYS), i64s.as_pointer())
    keys = b.load(keys, align=8)
    key, first, second = h.context_word(KEY), h.number(CONSTANT_1), h.number(CONSTANT_2)
    out = h.place(OUT)
    for k in h.each(h.count(op.output), unroll=1):
        counter = [vectors.splat(b, h.integer(x), lanes) for x in (k, example, stream)]
        words = vectors.philox(b, key, [*counter, keys])
        value = getattr(vectors, op.kind)(b, words, first, second)
        single = h.vector.element == ir.FloatType()
        h.store(out, k, b.fptrunc(value, h.vector) if single else value)


def _nothing(h: Handler, op: Op) -> None:
    pass


KINDS = {
    "none": _nothing,
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


def _outer_sum(h: Handler) -> None:
    _outer(h, None, other=h.place(C))


def _scalar_vector_sum(h: Handler) -> None:
    x, vector, other, out = h.load(h.place(A)), h.place(B), h.place(C), h.place(OUT)
    for group in h.grouped(h.F, h.group):
        values = [
            h.builder.fadd(h.load(other, k), h.builder.fmul(x, h.load(vector, k))) for k in group
        ]
        for k, value in zip(group, values, strict=True):
            h.store(out, k, value)


# --- building -----------------------------------------------------------------------------------


def names() -> list[str]:
    """Returns the handlers' names: those of the ops by number, then `EXTRA`."""
    return [*(op.name for op in by_number()), *EXTRA]


def render(dtype: str, lanes: int, features: int) -> str:
    """Returns the LLVM text of all handlers; features: 0 for any number."""
    module = ir.Module("handlers")
    for op in by_number():
        handler = Handler(module, op.name, dtype, lanes, features)
        KINDS[op.kind](handler, op)
        handler.finish()
    for name, write in (("OUTER_SUM", _outer_sum), ("SCALAR_VECTOR_SUM", _scalar_vector_sum)):
        handler = Handler(module, name, dtype, lanes, features)
        write(handler)
        handler.finish()
    Handler(module, "END", dtype, lanes, 1).builder.ret_void()
    return str(module)


def _target_machine():
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_triple(llvm.get_process_triple())
    features = llvm.get_host_cpu_features().flatten()
    return target.create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=features, opt=3, codemodel="jitdefault", jit=True
    )


def compile_text(text: str) -> bytes:
    """Returns the object code of LLVM text for this machine's processor."""
    machine = _target_machine()
    module = llvm.parse_assembly(text)
    module.triple, module.data_layout = llvm.get_process_triple(), str(machine.target_data)
    options = llvm.create_pipeline_tuning_options(speed_level=2)
    options.slp_vectorization = True
    passes = llvm.create_pass_builder(machine, options)
    passes.getModulePassManager().run(module, passes)
    return machine.emit_object(module)


_engines = []  # code lives as long as its engine


@cache
def addresses(dtype: str, lanes: int, features: int, folder: Path, ops: tuple) -> np.ndarray:
    """Returns the address of every handler, in the order of `names`; compiled or from the cache.

    Args:
        dtype: "float64" or "float32".
        lanes: W, a power of two.
        features: F, 0 for handlers that take any number.
        folder: of the cache.
        ops: the rows of the op table: a registered op makes other handlers.
    """
    digest = hashlib.sha256(repr((dtype, lanes, features, ops, llvm.llvm_version_info)).encode())
    digest.update((llvm.get_host_cpu_name() + llvm.get_host_cpu_features().flatten()).encode())
    for source in (__file__, vectors.__file__, rng.__file__, op_table.__file__):
        digest.update(Path(source).read_bytes())
    path = folder / f"zero_handlers_{digest.hexdigest()[:20]}.o"
    try:
        code = path.read_bytes()
    except OSError:
        code = compile_text(render(dtype, lanes, features))
        # Written aside and renamed, so that no other process can read half a file.
        with tempfile.NamedTemporaryFile("wb", dir=folder, suffix=".tmp", delete=False) as f:
            f.write(code)
        os.replace(f.name, path)
    machine = _target_machine()
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    _engines.append(engine)
    return np.array([engine.get_function_address(name) for name in names()], dtype=np.int64)

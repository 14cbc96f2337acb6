"""The compiled ops: one LLVM function an op (a *handler*), which jumps to that of the next instruction.

A decoded program is rows of `ROW` words: the address of the op's handler, the places of operands and
result, constants. A handler takes three pointers (its row, the memory of one block of W tasks, the
context), does its work and ends with a tail call of the next row's handler; the handler `END` returns.
There is no loop and no switch, and each handler has all registers to itself.

An op's meaning is in `zero.programs.interpreter.reference`; every op kind has one function here that
writes its
code for one layout of memory: dtype, lanes and number of features are known, so loops are unrolled.
Machine code is kept in the cache folder under a hash of the source and of the processor's features.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
from llvmlite import binding as llvm
from llvmlite import ir

from zero.jit.cache import compiled_aside, digest, read_kept, write_kept
from zero.jit.compiling import begin
from zero.programs.interpreter import vectors
from zero.programs.interpreter.vectors import I64
from zero.programs.ops import Op, by_number, check_formula

# A decoded instruction: words of 8 bytes. Places are bytes from the start of the block's memory; C is
# that of a fused sum's other operand. Of a constant set, A is the place within the result; of a random
# op, A is its stream.
ROW = 8
HANDLER, A, B, OUT, C, CONSTANT_1, CONSTANT_2 = range(7)

# The context: what names random draws, the address of the tasks' keys, where there is room for a
# matrix in the block's memory (bytes).
CONTEXT = 8
KEY, EXAMPLE, FUNCTION, KEYS, TEMPORARY = range(5)

# Handlers of no op: the end of a function, and two instructions in one (`frame._append`).
EXTRA = ("END", "OUTER_SUM", "SCALAR_VECTOR_SUM")

_I8 = ir.IntType(8)
_POINTER = _I8.as_pointer()
_SIGNATURE = ir.FunctionType(ir.VoidType(), [_POINTER] * 3)
REGISTER_BYTES = 64

_BINARY = {ast.Add: "fadd", ast.Sub: "fsub", ast.Mult: "fmul", ast.Div: "fdiv"}
_COMPARE = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}
_CHEAP = {"abs", "sqrt", "where"}


class RegisterLayout:
    """How values lie in memory, in vectors of one dtype; places are counted in bytes.

    A scalar holds W values, one a lane. A vector is F elements one after the other and a matrix F
    columns (not rows: then a product with a vector adds up whole columns); an element holds `tasks`
    values: W of them, or fewer where *registers* of 64 bytes can go across elements (ten tasks then
    need ten lanes' work, not sixteen). What belongs to one element, repeated through all registers, is
    its *pattern*: it comes back to the start after `period` registers, which hold `elements` elements.
    """

    def __init__(self, dtype: str, lanes: int, features: int, tasks: int):
        kind, size = vectors.element(dtype), np.dtype(dtype).itemsize
        self.F, self.size, self.lanes, self.tasks = features, size, lanes, tasks
        across = REGISTER_BYTES // size if tasks != lanes else lanes
        self.period = math.lcm(tasks, across) // across
        self.elements = self.period * across // tasks
        self.scalar = ir.VectorType(kind, lanes)
        self.element = ir.VectorType(kind, tasks)
        self.register = ir.VectorType(kind, across)
        # Sums are split in as many parts for any layout, so that all give the same bits.
        self.parts = next(n for n in (8, 4, 2, 1) if features % n == 0)
        # How many registers are worked on side by side, at most.
        self.side_by_side = max(1, 24 // max(1, across * size // REGISTER_BYTES))

    @staticmethod
    def fits(dtype: str, lanes: int, features: int, tasks: int) -> bool:
        """Returns whether elements of that many tasks can lie closely, and it pays."""
        # On short vectors, repeating a pattern costs what the fewer lanes save.
        if tasks >= lanes or features * lanes * np.dtype(dtype).itemsize < 16 * REGISTER_BYTES:
            return False
        close = RegisterLayout(dtype, lanes, features, tasks)
        across = close.register.count
        whole = features % close.elements == 0 and close.parts % close.elements == 0
        # Each element must lie in no more than two registers, or shuffles become slow.
        starts = [k * tasks % across for k in range(close.elements)]
        return whole and all(start + tasks <= 2 * across for start in starts)


class Handler:
    """Writes the function of one op.

    Indices and offsets are Python integers where they are known, else (in loops) LLVM values.
    """

    def __init__(self, module: ir.Module, name: str, layout: RegisterLayout):
        self.layout = layout
        self.function = ir.Function(module, _SIGNATURE, name)
        self.row, self.memory, self.context = self.function.args
        self.builder = ir.IRBuilder(self.function.append_basic_block("start"))
        self.F = layout.F

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

    def each(self, count: int, step: int = 1, unroll: int = 4) -> Iterator:
        """Yields 0, step, 2 step, ... below count: in a loop, or written out where it is short."""
        if count <= unroll * step:
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
        b.cbranch(b.icmp_signed("<", following, ir.Constant(I64, count)), body, after)
        b.position_at_end(after)

    def registers(self, kind: str) -> int:
        """Returns how many registers hold a vector or matrix."""
        elements = self.F if kind == "v" else self.F * self.F
        return elements * self.layout.tasks // self.layout.register.count

    def groups(self, count: int, size: int | None = None) -> Iterator[list]:
        """Yields lists of consecutive numbers below count.

        size: of the lists, a multiple of the pattern's period like the count; by default as many
        as go side by side.
        """
        size = size or self._best_size(count)
        whole = count // size * size
        if whole:
            for k in self.each(whole, size):
                yield [self.plus(k, i) for i in range(size)]
        if whole < count:
            yield list(range(whole, count))

    def _best_size(self, count: int) -> int:
        period = self.layout.period
        most = max(1, self.layout.side_by_side // period)
        dividing = max(n for n in range(1, most + 1) if count // period % n == 0)
        return period * (dividing if 3 * dividing > most else most)

    # --- values ---------------------------------------------------------------------------------

    def _at(self, start, index, kind: ir.VectorType):
        offset = self.integer(self.times(index, kind.count * self.layout.size))
        return self.builder.bitcast(self.builder.gep(start, [offset]), kind.as_pointer())

    def _load(self, start, index, kind: ir.VectorType):
        return self.builder.load(self._at(start, index, kind), align=self.layout.size)

    def store(self, start, index, value) -> None:
        """Writes a scalar, an element or a register: the index-th of its kind from `start` on."""
        self.builder.store(value, self._at(start, index, value.type), align=self.layout.size)

    def scalar(self, word: int):
        """Returns the scalar operand whose place the row says."""
        return self._load(self.place(word), 0, self.layout.scalar)

    def element(self, start, index):
        """Returns an element of a vector or matrix."""
        return self._load(start, index, self.layout.element)

    def load(self, start, index):
        """Returns a register of a vector or matrix."""
        return self._load(start, index, self.layout.register)

    def column(self, start, j):
        """Returns where a matrix's column starts."""
        offset = self.times(self.times(j, self.F), self.layout.tasks * self.layout.size)
        return self.builder.gep(start, [self.integer(offset)])

    def pattern(self, value) -> list:
        """Returns a scalar or element as the registers that repeat it."""
        layout = self.layout
        if layout.tasks == layout.lanes:
            return [value]
        across = layout.register.count
        return [
            self._shuffle(
                value, value, [(p * across + lane) % layout.tasks for lane in range(across)]
            )
            for p in range(layout.period)
        ]

    def _shuffle(self, x, y, lanes: list[int]):
        mask = ir.Constant(ir.VectorType(vectors.I32, len(lanes)), lanes)
        return self.builder.shuffle_vector(x, y, mask)

    def total(self, values: list):
        """Returns the sum of values, pair by pair."""
        while len(values) > 1:
            pairs = zip(values[::2], values[1::2], strict=False)
            values = [self.builder.fadd(x, y) for x, y in pairs] + values[len(values) // 2 * 2 :]
        return values[0]

    def sum_elements(self, registers: list):
        """Returns the sum over all elements that stand in some whole periods of registers."""
        layout = self.layout
        if layout.tasks == layout.lanes:
            return self.total(registers)
        parts, across = [], layout.register.count
        for first in range(0, len(registers), layout.period):
            for k in range(layout.elements):
                at = k * layout.tasks
                x = registers[first + at // across]
                y = registers[first + (at + layout.tasks - 1) // across]
                lanes = [
                    lane % across + (across if lane // across > at // across else 0)
                    for lane in range(at, at + layout.tasks)
                ]
                parts.append(self._shuffle(x, y, lanes))
        return self.total(parts)

    def splat(self, number, kind: ir.VectorType):
        """Returns a float64 in all lanes."""
        if kind.element == ir.FloatType():
            number = self.builder.fptrunc(number, ir.FloatType())
        return vectors.splat(self.builder, number, kind.count)

    def sums(self, number: int) -> list[Variable]:
        """Returns `number` registers that start at zero."""
        return [Variable(self) for _ in range(number)]

    def formula(self, op: Op, kind: ir.VectorType, **operands):
        """Returns the value of the op's formula, in vectors of that type."""

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
                    return vectors.constant(kind, float(node.value))
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
    """A register's content that changes in a loop."""

    def __init__(self, handler: Handler):
        self.builder = handler.builder
        kind = handler.layout.register
        with self.builder.goto_entry_block():
            self.slot = self.builder.alloca(kind)  # LLVM makes a register of it
        self.set(vectors.constant(kind, 0.0))

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
    words = dict(zip("ab", (A, B), strict=True))
    names = ["a", "b"][: len(op.inputs)]
    if op.output == "s":
        operands = {name: h.scalar(words[name]) for name in names}
        h.store(h.place(OUT), 0, h.formula(op, h.layout.scalar, **operands))
        return
    # A scalar operand is the same for every element.
    patterns, starts = {}, {}
    for name, kind in zip(names, op.inputs, strict=True):
        if kind == "s":
            patterns[name] = h.pattern(h.scalar(words[name]))
        else:
            starts[name] = h.place(words[name])
    calls = {n.func.id for n in ast.walk(ast.parse(op.formula)) if isinstance(n, ast.Call)}
    size = None if calls <= _CHEAP else h.layout.period
    out = h.place(OUT)
    for group in h.groups(h.registers(op.output), size):
        # Loads first, then stores: nothing waits for what LLVM must take for an overlap.
        values = []
        for n, k in enumerate(group):
            operands = {name: p[n % h.layout.period] for name, p in patterns.items()}
            operands |= {name: h.load(start, k) for name, start in starts.items()}
            values.append(h.formula(op, h.layout.register, **operands))
        _store_all(h, out, group, values)


def _store_all(h: Handler, start, indices: list, values: list) -> None:
    for k, value in zip(indices, values, strict=True):
        h.store(start, k, value)


def _wants(op: Op) -> list[str]:
    """Returns which sums a formula needs."""
    return [name for name in ("sum", "squares") if name in op.formula]


def _term(h: Handler, name: str, x):
    return h.builder.fmul(x, x) if name == "squares" else x


def _counted(h: Handler, op: Op, count, kind: ir.VectorType, totals: dict):
    """Returns a formula's value from its sums and the number of elements."""
    n = vectors.constant(kind, float(count))
    return h.formula(op, kind, **{"sum": None, "squares": None, **totals}, n=n)


def _line(h: Handler, op: Op, start, registers, count):
    """Returns the formula's value over elements that stand one after the other."""
    number = h.layout.parts // h.layout.elements * h.layout.period
    totals = {name: h.sums(number) for name in _wants(op)}
    for group in h.groups(registers, number):
        for part, k in enumerate(group):
            x = h.load(start, k)
            for name, variables in totals.items():
                variables[part].add(_term(h, name, x))
    found = {name: h.sum_elements([v.get() for v in vs]) for name, vs in totals.items()}
    return _counted(h, op, count, h.layout.element, found)


def _reduce(h: Handler, op: Op) -> None:
    kind = op.inputs[0]
    count = h.F if kind == "v" else h.F * h.F
    h.store(h.place(OUT), 0, _line(h, op, h.place(A), h.registers(kind), count))


def _reduce_columns(h: Handler, op: Op) -> None:
    a, out = h.place(A), h.place(OUT)
    for j in h.each(h.F):
        h.store(out, j, _line(h, op, h.column(a, j), h.registers("v"), h.F))


def _reduce_rows(h: Handler, op: Op) -> None:
    a, out = h.place(A), h.place(OUT)
    for group in h.groups(h.registers("v")):
        totals = {name: h.sums(len(group)) for name in _wants(op)}
        for j in h.each(h.F):
            column = h.column(a, j)
            for n, k in enumerate(group):
                x = h.load(column, k)
                for name, variables in totals.items():
                    variables[n].add(_term(h, name, x))
        for n, k in enumerate(group):
            found = {name: variables[n].get() for name, variables in totals.items()}
            h.store(out, k, _counted(h, op, h.F, h.layout.register, found))


def _inner(h: Handler, op: Op) -> None:
    a, b = h.place(A), h.place(B)
    totals = h.sums(h.layout.parts // h.layout.elements * h.layout.period)
    for group in h.groups(h.registers("v"), len(totals)):
        for total, k in zip(totals, group, strict=False):
            total.add(h.builder.fmul(h.load(a, k), h.load(b, k)))
    h.store(h.place(OUT), 0, h.sum_elements([t.get() for t in totals]))


def _outer(h: Handler, op: Op | None, other=None) -> None:
    """other: place of a matrix that is added (OUTER_SUM)."""
    a, b, out = h.place(A), h.place(B), h.place(OUT)
    for group in h.groups(h.registers("v")):
        rows = [h.load(a, k) for k in group]
        for j in h.each(h.F):
            pattern = h.pattern(h.element(b, j))
            column, to = None if other is None else h.column(other, j), h.column(out, j)
            for n, (k, x) in enumerate(zip(group, rows, strict=True)):
                # Stored one by one: all rows, a pattern and all results exceed the registers.
                value = h.builder.fmul(x, pattern[n % len(pattern)])
                h.store(to, k, value if other is None else h.builder.fadd(h.load(column, k), value))


def _aside(h: Handler, kind: str, operands: list[int], write) -> None:
    """Writes a result that may overwrite an operand which is still needed: aside, then copied."""
    b, out = h.builder, h.place(OUT)
    same = [b.icmp_unsigned("==", h.word(OUT), h.word(word)) for word in operands]
    overlaps = same[0] if len(same) == 1 else b.or_(*same)
    temporary = h.temporary()
    write(b.select(overlaps, temporary, out))
    with b.if_then(overlaps):
        for group in h.groups(h.registers(kind)):
            _store_all(h, out, group, [h.load(temporary, k) for k in group])


def _add_columns(h: Handler, a, b, to) -> None:
    """Writes the sum of a matrix's columns, each times an element of b."""
    for group in h.groups(h.registers("v")):
        totals = h.sums(len(group))
        for j in h.each(h.F):
            pattern, column = h.pattern(h.element(b, j)), h.column(a, j)
            for n, k in enumerate(group):
                totals[n].add(h.builder.fmul(h.load(column, k), pattern[n % len(pattern)]))
        _store_all(h, to, group, [t.get() for t in totals])


def _matvec(h: Handler, op: Op) -> None:
    a, b = h.place(A), h.place(B)
    _aside(h, "v", [B], lambda to: _add_columns(h, a, b, to))


def _matmul(h: Handler, op: Op) -> None:
    a, b = h.place(A), h.place(B)

    def write(to) -> None:
        for j in h.each(h.F):
            _add_columns(h, a, h.column(b, j), h.column(to, j))

    _aside(h, "m", [A, B], write)


def _fill_columns(h: Handler, op: Op) -> None:
    a, out = h.place(A), h.place(OUT)
    for group in h.groups(h.registers("v")):
        values = [h.load(a, k) for k in group]
        for j in h.each(h.F):
            _store_all(h, h.column(out, j), group, values)


def _fill_rows(h: Handler, op: Op) -> None:
    a, out = h.place(A), h.place(OUT)
    for j in h.each(h.F):
        pattern = h.pattern(h.element(a, j))
        for group in h.groups(h.registers("v")):
            values = [pattern[n % len(pattern)] for n in range(len(group))]
            _store_all(h, h.column(out, j), group, values)


def _transpose(h: Handler, op: Op) -> None:
    a = h.place(A)

    def write(to) -> None:
        for j in h.each(h.F):
            for i in h.each(h.F):
                h.store(h.column(to, i), j, h.element(h.column(a, j), i))

    _aside(h, "m", [A], write)


def _const(h: Handler, op: Op) -> None:
    kind = h.layout.scalar if op.output == "s" else h.layout.element
    start = h.builder.gep(h.place(OUT), [h.word(A)])
    h.store(start, 0, h.splat(h.number(CONSTANT_1), kind))


def _draw(h: Handler, op: Op) -> None:
    b, lanes, out = h.builder, h.layout.lanes, h.place(OUT)
    i64s = ir.VectorType(I64, lanes)
    low = ir.Constant(I64, 0xFFFFFFFF)
    function = b.shl(h.context_word(FUNCTION), ir.Constant(I64, 16))
    stream = b.and_(b.or_(function, h.word(A)), low)
    example = b.and_(h.context_word(EXAMPLE), low)
    keys = b.inttoptr(h.context_word(KEYS), i64s.as_pointer())
    keys = b.load(keys, align=8)
    key, first, second = h.context_word(KEY), h.number(CONSTANT_1), h.number(CONSTANT_2)

    def draw(number):
        """Returns the element of that number, row by row, on all lanes."""
        counter = [vectors.splat(b, h.integer(x), lanes) for x in (number, example, stream)]
        words = vectors.philox(b, key, [*counter, keys])
        value = getattr(vectors, op.kind)(b, words, first, second)
        single = h.layout.scalar.element == ir.FloatType()
        return b.fptrunc(value, h.layout.scalar) if single else value

    def element(number):
        return h._shuffle(*[draw(number)] * 2, list(range(h.layout.tasks)))

    if op.output == "s":
        h.store(out, 0, draw(0))
    elif op.output == "v":
        for i in h.each(h.F, unroll=1):
            h.store(out, i, element(i))
    else:
        for j in h.each(h.F, unroll=1):
            for i in h.each(h.F, unroll=1):
                h.store(h.column(out, j), i, element(h.plus(h.times(i, h.F), j)))


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
    pattern, vector = h.pattern(h.scalar(A)), h.place(B)
    other, out = h.place(C), h.place(OUT)
    for group in h.groups(h.registers("v")):
        values = []
        for n, k in enumerate(group):
            product = h.builder.fmul(pattern[n % len(pattern)], h.load(vector, k))
            values.append(h.builder.fadd(h.load(other, k), product))
        _store_all(h, out, group, values)


# --- building -----------------------------------------------------------------------------------


def names() -> list[str]:
    """Returns the handlers' names: those of the ops by number, then `EXTRA`."""
    return [*(op.name for op in by_number()), *EXTRA]


def render(layout: RegisterLayout) -> str:
    """Returns the LLVM text of all handlers."""
    module = ir.Module("handlers")
    for op in by_number():
        handler = Handler(module, op.name, layout)
        KINDS[op.kind](handler, op)
        handler.finish()
    for name, write in (("OUTER_SUM", _outer_sum), ("SCALAR_VECTOR_SUM", _scalar_vector_sum)):
        handler = Handler(module, name, layout)
        write(handler)
        handler.finish()
    Handler(module, "END", layout).builder.ret_void()
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
def addresses(
    dtype: str, lanes: int, features: int, tasks: int, folder: Path, ops: tuple
) -> np.ndarray:
    """Returns the address of every handler, in the order of `names`; compiled or from the cache.

    Args:
        dtype: "float64" or "float32".
        lanes: W, a power of two.
        features: F.
        tasks: values of an element: W, or fewer where `RegisterLayout.fits`.
        folder: of the cache.
        ops: the rows of the op table: a registered op makes other handlers.
    """
    machine = llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()
    made_for = (dtype, lanes, features, tasks, ops, llvm.llvm_version_info, *machine)
    key = digest(f"import {__name__}\n# {made_for}")
    path = folder / f"zero_handlers_{key[:20]}.o"

    def make() -> None:
        begin("handlers")
        write_kept(path, compile_text(render(RegisterLayout(dtype, lanes, features, tasks))))

    code = read_kept(path)
    if code is None:  # or damaged
        if not compiled_aside(make):
            make()
        code = read_kept(path)
        assert code is not None
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _target_machine())
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    _engines.append(engine)
    return np.array([engine.get_function_address(name) for name in names()], dtype=np.int64)

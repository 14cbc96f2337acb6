"""Compiled functions that write programs as the rows described in `zero.programs.cuda.encode`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from zero.jit.decorators import jit
from zero.jit.struct import address
from zero.programs.cuda.job import ROW, SPAN
from zero.programs.ops import OPS, OpTables
from zero.programs.simplify import LAST_USE_1, LAST_USE_2, mark_live

_NO_OP = OPS["NO_OP"].number
_OUTER, _MATRIX_SUM = OPS["VECTOR_OUTER_PRODUCT"].number, OPS["MATRIX_SUM"].number
_SCALED, _VECTOR_SUM = OPS["SCALAR_VECTOR_PRODUCT"].number, OPS["VECTOR_SUM"].number
_MATVEC = OPS["MATRIX_VECTOR_PRODUCT"].number

# A planned instruction: where it is in the genome, its op, that of its row, and its addresses.
PLAN = 6
_AT, _OP, _ROW_OP, _A, _B, _OUT = range(PLAN)

(
    _CODE_AT, _FEATURES_AT, _MATRICES_AT, _PREDICT_AT, _LEARN_AT, _ROWS, _MEMORY, _TEMPORARY,
    _WRITES_FEATURES, _RESIDENT,
) = range(len(SPAN))  # fmt: skip


class Form(NamedTuple):
    """What encoding depends on, and room for it.

    The numbers are those of `UnitLayout`. end, outer_add, ...: row numbers of the extra ops. whole:
    whether all instructions are encoded as they stand, none left out or joined. resident: whether one
    matrix may be kept in registers. row_op (n,) int64: by op number, that in rows. starts (4,) int64: as
    in `Space`. named (4,) int64: how many addresses of each type keep their name. through_temporary
    (n,) bool: whether an op needs the temporary matrix. The others are scratch: needed (4,) uint64 and
    live (L,) uint8 of `mark_live`, plan (L * 6,) int64, names (256,) int64, counts (4,) int64.
    """

    features: int
    group: int
    lanes: int
    chunk: int
    padded: int
    vector_size: int
    matrix_size: int
    end: int
    outer_add: int
    scaled_add: int
    take_resident: int
    matvec_resident: int
    outer_add_resident: int
    resident: bool
    whole: bool
    row_op: np.ndarray
    starts: np.ndarray
    named: np.ndarray
    tables: OpTables
    through_temporary: np.ndarray
    needed: np.ndarray
    live: np.ndarray
    plan: np.ndarray
    names: np.ndarray
    counts: np.ndarray


@jit
def _joined(plan, here, before, op, flags, form):
    """Joins a sum in place with the product before it, which it uses up; returns whether it did.

    before: op of the instruction before, 0 where there is none to join. Exact: a sum's operands may be
    swapped.
    """
    if before == _OUTER and op == _MATRIX_SUM:
        row_op = form.outer_add
    elif before == _SCALED and op == _VECTOR_SUM:
        row_op = form.scaled_add
    else:
        return False
    there = here - PLAN
    product, x, y, out = plan[there + _OUT], plan[here + _A], plan[here + _B], plan[here + _OUT]
    in_place = x == product and y == out and flags & LAST_USE_1
    in_place |= y == product and x == out and flags & LAST_USE_2
    if not in_place or product == out:
        return False
    plan[there + _ROW_OP], plan[there + _OUT] = row_op, out
    return True


@jit
def _plan(genomes, row, form, plan, function, count):
    """Plans one function's instructions from number `count` on; returns the number after them."""
    length = genomes.code.shape[1]
    code, live = address(genomes.code), address(form.live)
    first, before = form.starts[function], np.int64(_NO_OP)
    for k in range(first, first + genomes.sizes[row, function]):
        at = row * length + k
        op = np.int64(code[4 * at])
        if op == _NO_OP or not (live[k] or form.whole):
            continue
        here = PLAN * count
        plan[here + _AT], plan[here + _OP], plan[here + _ROW_OP] = at, op, form.row_op[op]
        plan[here + _A], plan[here + _B] = code[4 * at + 1], code[4 * at + 2]
        plan[here + _OUT] = code[4 * at + 3]
        if not form.whole and _joined(plan, here, before, op, live[k], form):
            before = np.int64(_NO_OP)
        else:
            before = op
            count += 1
    return count


@jit
def _accumulated(plan, here, form):
    """Returns the matrix that an instruction multiplies by a vector or adds an outer product to, or -1."""
    if plan[here + _OP] == _MATVEC:
        return plan[here + _A]
    if plan[here + _ROW_OP] == form.outer_add:
        return plan[here + _OUT]
    return np.int64(-1)


@jit
def _find_resident(plan, first, count, form):
    """Returns the address of the matrix to be kept in registers, -1 for none.

    That is one with which Predict and Learn do nothing but multiply vectors and add outer products in
    place; of several, the one that is used most.
    """
    best, most = np.int64(-1), 0
    others = np.uint64(0)  # matrices that something else is done with
    in1, in2, out = address(form.tables.in1), address(form.tables.in2), address(form.tables.out)
    one = np.uint64(1)
    for n in range(first, count):
        here = PLAN * n
        op = plan[here + _OP]
        if in1[op] == 3 and op != _MATVEC:
            others |= one << np.uint64(plan[here + _A])
        if in2[op] == 3:
            others |= one << np.uint64(plan[here + _B])
        if out[op] == 3 and plan[here + _ROW_OP] != form.outer_add:
            others |= one << np.uint64(plan[here + _OUT])
    for n in range(first, count):
        matrix = _accumulated(plan, PLAN * n, form)
        if matrix < 0 or others >> np.uint64(matrix) & one:
            continue
        uses = 0
        for k in range(first, count):
            uses += _accumulated(plan, PLAN * k, form) == matrix
        if uses > most:
            best, most = matrix, uses
    return best


@jit
def _name_addresses(plan, count, form):
    """Gives addresses their new names; returns whether there is an op that needs a temporary."""
    names, counts, named = address(form.names), address(form.counts), address(form.named)
    in1, in2, out = address(form.tables.in1), address(form.tables.in2), address(form.tables.out)
    for k in range(256):
        names[k] = -1
    for kind in range(1, 4):
        counts[kind] = named[kind]
        for k in range(named[kind]):
            names[64 * kind + k] = k
    temporary = False
    for n in range(count):
        op = plan[PLAN * n + _OP]
        temporary |= form.through_temporary[op]
        for operand in range(3):
            kind = np.int64(in1[op] if operand == 0 else in2[op] if operand == 1 else out[op])
            at = 64 * kind + plan[PLAN * n + _A + operand]
            if kind and names[at] < 0:
                names[at] = counts[kind]
                counts[kind] += 1
    return temporary


@jit
def _place(kind, address_, form, vectors_at, matrices_at):
    """Returns where an address of that type starts in memory, 0 for no address."""
    name = form.names[64 * np.int64(kind) + address_]
    if kind == 1:
        return name * form.lanes
    if kind == 2:
        return vectors_at + name * form.vector_size
    if kind == 3:
        return matrices_at + name * form.matrix_size
    return np.int64(0)


@jit
def _index(fraction, features):
    """Returns the index that a constant names: a float32 fraction of F, truncated in float32."""
    return min(max(int(np.float32(features) * np.float32(fraction)), 0), features - 1)


@jit
def _write(rows, at, op, a, b, out):
    rows[ROW * at], rows[ROW * at + 1] = op, a
    rows[ROW * at + 2], rows[ROW * at + 3] = b, out


@jit
def _encode(genomes, row, form, rows, numbers, at, span):
    """Writes one program's rows from row `at` on, and its span; returns the row after them."""
    mark_live(
        genomes.code[row], form.starts, genomes.sizes[row], form.tables, form.needed, form.live
    )
    plan, tables, values = address(form.plan), form.tables, address(genomes.constants)
    # Where functions end in the plan.
    setup = _plan(genomes, row, form, plan, 0, np.int64(0))
    predict = _plan(genomes, row, form, plan, 1, setup)
    count = _plan(genomes, row, form, plan, 2, predict)
    resident = _find_resident(plan, setup, count, form) if form.resident else np.int64(-1)
    temporary = _name_addresses(plan, count, form)
    vectors_at = form.counts[1] * form.lanes
    matrices_at = vectors_at + form.counts[2] * form.vector_size
    matrices_at += -matrices_at % form.chunk  # chunks are aligned; matters for a single lane only
    end = matrices_at + form.counts[3] * form.matrix_size
    first = at
    writes_features = False
    span[_CODE_AT], span[_FEATURES_AT], span[_MATRICES_AT] = first, vectors_at, matrices_at
    span[_RESIDENT] = -1
    if resident >= 0:
        span[_RESIDENT] = _place(3, resident, form, vectors_at, matrices_at)
    for n in range(count + 1):
        # A function may be empty, so several can end here.
        if n == setup:
            if resident >= 0:
                _write(rows, at, form.take_resident, span[_RESIDENT], 0, 0)
                at += 1
            _write(rows, at, form.end, 0, 0, 0)
            at += 1
            span[_PREDICT_AT] = at - first
        if n == predict:
            _write(rows, at, form.end, 0, 0, 0)
            at += 1
            span[_LEARN_AT] = at - first
        if n == count:
            _write(rows, at, form.end, 0, 0, 0)
            at += 1
            break
        here = PLAN * n
        op, kind = plan[here + _OP], tables.out[plan[here + _OP]]
        out = _place(kind, plan[here + _OUT], form, vectors_at, matrices_at)
        # Learn sees the features whatever Predict wrote there; after Setup and Learn they are set anyway.
        writes_features |= kind == 2 and plan[here + _OUT] == 0 and setup <= n < predict
        number = np.int64(tables.constants[op])
        if number == 0:
            a = _place(tables.in1[op], plan[here + _A], form, vectors_at, matrices_at)
            b = _place(tables.in2[op], plan[here + _B], form, vectors_at, matrices_at)
            row_op = plan[here + _ROW_OP]
            if n >= setup and resident >= 0 and _accumulated(plan, here, form) == resident:
                row_op = form.matvec_resident if op == _MATVEC else form.outer_add_resident
            _write(rows, at, row_op, a, b, out)
            at += 1
            continue
        constants = 3 * plan[here + _AT]
        a, b = np.int64(0), np.int64(0)
        x, y = values[constants + number - 1], 0.0
        if tables.random[op]:
            a, x, y = plan[here + _A], values[constants], values[constants + 1]
        elif tables.partial[op]:
            i = _index(values[constants], form.features)
            a = i % form.group
            if kind == 2:
                b = np.int64(-1)
                out += i // form.group * form.lanes
            else:
                j = _index(values[constants + 1], form.features)
                b = j % form.chunk
                chunk = i // form.group * (form.padded // form.chunk) + j // form.chunk
                out += chunk * form.lanes * form.chunk
        _write(rows, at, form.row_op[op], a, b, out)
        numbers[2 * (at + 1)], numbers[2 * (at + 1) + 1] = x, y
        at += 2
    span[_ROWS] = at - first
    span[_TEMPORARY] = end if temporary else -1
    span[_MEMORY] = end + form.matrix_size * temporary
    span[_WRITES_FEATURES] = writes_features
    return at


@jit
def encode_rows(genomes, which, form, rows, numbers, spans):
    """Encodes programs one after the other; returns how many rows they have in all.

    Args:
        genomes: handle of `Genomes`.
        which: (n,) int64, rows of `genomes`.
        form: handle of a `Form`.
        rows: (R, 4) int32, result; must have room for all.
        numbers: the same memory as (R, 2) float64.
        spans: (n, len(SPAN)) int32, result.
    """
    at = np.int64(0)
    for n in range(len(which)):
        at = _encode(genomes, which[n], form, address(rows), address(numbers), at, spans[n])
    return at

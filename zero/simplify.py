"""Which instructions matter, exactly: those whose result can ever reach a prediction.

Backward data flow through all three functions and across examples (setup, then predict and learn in
turn, then predict alone in validation, then training again), until nothing changes. Removing the
others changes no prediction by a bit, because random instructions draw by their own stream (see
`zero.rng`). Used before every evaluation, and by `zero show` to print what matters.
"""

from __future__ import annotations

import numpy as np

from zero.jit import jit
from zero.ops import op_tables
from zero.program import Program, to_arrays

_ONE = np.uint64(1)


@jit
def _bit(address):
    return _ONE << np.uint64(address)


@jit
def _backward(code, first, size, tables, needed, live):
    """Marks live instructions of one function; `needed` (4,) uint64 is what later code reads.

    needed[t] has bit i set when address i of type t is read later before it is written.
    """
    for k in range(first + size - 1, first - 1, -1):
        op = code[k, 0]
        out = tables.out[op]
        if out == 0 or not needed[out] & _bit(code[k, 3]):
            live[k] = False
            continue
        live[k] = True
        if not tables.partial[op]:
            needed[out] &= ~_bit(code[k, 3])
        if tables.in1[op]:
            needed[tables.in1[op]] |= _bit(code[k, 1])
        if tables.in2[op]:
            needed[tables.in2[op]] |= _bit(code[k, 2])


@jit
def mark_live(code, starts, sizes, tables, needed, live):
    """Sets `live[k]` for every instruction k of a program.

    Args:
        code: (L, 4) int16; a function's instructions start at `starts[f]` and number `sizes[f]`.
        tables: the op table (`zero.ops.op_tables`).
        needed: (3, 4) uint64 scratch.
        live: (L,) bool, result.
    """
    # Rows of `needed`: before predict, before learn, and the set being moved backward.
    for t in range(4):
        needed[0, t] = needed[1, t] = np.uint64(0)
    while True:
        for t in range(4):
            needed[2, t] = needed[0, t] | needed[1, t]
        needed[2, 1] |= _bit(1)  # the prediction s1 is read after every predict
        _backward(code, starts[1], sizes[1], tables, needed[2], live)
        needed[2, 1] &= ~_bit(0)  # s0 and v0 are set before predict and before learn
        needed[2, 2] &= ~_bit(0)
        changed = False
        for t in range(4):
            changed |= needed[0, t] != needed[2, t]
            needed[0, t] = needed[2, t]
        _backward(code, starts[2], sizes[2], tables, needed[2], live)
        needed[2, 1] &= ~_bit(0)
        needed[2, 2] &= ~_bit(0)
        for t in range(4):
            changed |= needed[1, t] != needed[2, t]
            needed[1, t] = needed[2, t]
        if not changed:
            break
    for t in range(4):
        needed[2, t] = needed[0, t]
    _backward(code, starts[0], sizes[0], tables, needed[2], live)


def simplify(program: Program) -> Program:
    """Returns the program without the instructions that cannot affect any prediction.

    Exact: every prediction, and so the fitness, keeps all its bits.
    """
    code, _, sizes = to_arrays(program)
    starts = np.array([0, sizes[0], sizes[0] + sizes[1]], dtype=np.int64)
    live = np.zeros(len(code), dtype=np.bool_)
    mark_live(code, starts, sizes, op_tables(), np.zeros((3, 4), np.uint64), live)
    functions, k = [], 0
    for instructions in program.functions:
        functions.append(tuple(i for j, i in enumerate(instructions) if live[k + j]))
        k += len(instructions)
    return Program(*functions)

"""Which instructions matter, exactly: those whose result can ever reach a prediction.

Backward data flow through all three functions and across examples (setup, then predict and learn in
turn, then predict alone in validation, then training again), until nothing changes. Removing the
others changes no prediction by a bit, because random instructions draw by their own stream (see
`zero.rng.philox`). Used before every evaluation; `zero.programs.simplified` does the same for people to read.
"""

from __future__ import annotations

import numpy as np

from zero.jit.decorators import jit
from zero.jit.struct import address
from zero.programs.program import (
    CLASS_LABEL,
    CLASS_PREDICTION,
    FEATURES,
    LABEL,
    PREDICTION,
)

LIVE, LAST_USE_1, LAST_USE_2 = 1, 2, 4
_NONE, _ONE = np.uint64(0), np.uint64(1)


@jit
def _bit(address):
    return _ONE << np.uint64(address)


@jit
def _all(condition):
    """Returns all bits set where the condition holds, else none."""
    return _NONE - np.uint64(condition)


@jit
def _backward(code, first, size, ops, needed, live):
    """Marks live instructions of one function; returns what it reads that was written before.

    code: address of (L, 4) int16. ops: addresses of the tables in1, in2, out, partial. needed: three
    bit sets (scalars, vectors, matrices) of what later code reads before writing it.
    live: address of the result, see `mark_live`.
    """
    # No branches, because nobody can guess them: a mask says which of the sets a type means.
    in1, in2, out, partial = ops
    s, v, m = needed
    for k in range(first + size - 1, first - 1, -1):
        op = code[4 * k]
        kind = out[op]
        of_s, of_v, of_m = _all(kind == 1), _all(kind == 2), _all(kind == 3)
        bit = _bit(code[4 * k + 3])
        used = _all((s & of_s | v & of_v | m & of_m) & bit != _NONE)
        gone = bit & used & _all(partial[op] == 0)
        s, v, m = s & ~(gone & of_s), v & ~(gone & of_v), m & ~(gone & of_m)
        flags = LIVE
        for operand in range(1, 3):
            kind = in1[op] if operand == 1 else in2[op]
            of_s, of_v, of_m = _all(kind == 1), _all(kind == 2), _all(kind == 3)
            bit = _bit(code[4 * k + operand])
            if (s & of_s | v & of_v | m & of_m) & bit == _NONE:
                flags |= LAST_USE_1 if operand == 1 else LAST_USE_2
            bit &= used
            s, v, m = s | bit & of_s, v | bit & of_v, m | bit & of_m
        live[k] = np.uint64(flags) & used
    return s, v, m


@jit
def mark_live(code, starts, sizes, tables, needed, live, classes=False):
    """Sets `live[k]` for every instruction k of a program.

    Args:
        code: (L, 4) int16.
        starts: first instruction of setup, predict and learn.
        sizes: how many instructions each of them has.
        tables: the op table (`zero.programs.ops.op_tables`).
        needed: (4,) uint64, result: by type number, a bit for each address that predict or learn
            may read before they write it, so what setup leaves there matters.
        live: (L,) uint8, result: 0 or LIVE, with LAST_USE_1 and LAST_USE_2 where the operand's old
            value is not read again.
        classes: whether label and prediction are vectors.
    """
    # Addresses: indexing them skips the handling of negative indices; this runs for every individual.
    ops = address(tables.in1), address(tables.in2), address(tables.out), address(tables.partial)
    code_at, live_at = address(code), address(live)
    # What is set before predict and before learn, and what is read after predict.
    label, prediction, features = _bit(LABEL), _bit(PREDICTION), _bit(FEATURES)
    class_label, class_prediction = _bit(CLASS_LABEL), _bit(CLASS_PREDICTION)
    of_classes, of_scalars = _all(classes), _all(not classes)
    own_s = ~(label & of_scalars)
    own_v = ~(features | class_label & of_classes)
    read_s, read_v = prediction & of_scalars, class_prediction & of_classes
    s1, v1, m1 = _NONE, _NONE, _NONE  # needed before predict
    s2, v2, m2 = _NONE, _NONE, _NONE  # needed before learn
    while True:
        # The prediction is read after every predict; then follows learn, or predict again.
        after = s1 | s2 | read_s, v1 | v2 | read_v, m1 | m2
        s, v, m = _backward(code_at, starts[1], sizes[1], ops, after, live_at)
        s, v = s & own_s, v & own_v
        changed = s != s1 or v != v1 or m != m1
        s1, v1, m1 = s, v, m
        s, v, m = _backward(code_at, starts[2], sizes[2], ops, (s1, v1, m1), live_at)
        s, v = s & own_s, v & own_v
        changed |= s != s2 or v != v2 or m != m2
        s2, v2, m2 = s, v, m
        if not changed:
            break
    needed[1], needed[2], needed[3] = s1, v1, m1
    _backward(code_at, starts[0], sizes[0], ops, (s1, v1, m1), live_at)

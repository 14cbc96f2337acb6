"""Formulas at many points, compiled: their values, the slopes of these by the constants, and exact errors.

A formula is a straight-line program of `k` instructions (`zero.functions.formula.Code`): ops int64 (k,), left
and right int64 (k,), where an operand is 0 for x, i + 1 for the result of instruction i, and -1 - j for
constant j. Errors are residuals (value - f) / scale (`zero.functions.targets.Points`).
"""

from __future__ import annotations

import math

import numpy as np

from zero.functions.double_double import add, divide, multiply
from zero.jit.decorators import jit

ADD, SUBTRACT, MULTIPLY, DIVIDE = range(4)


@jit
def run(
    ops: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    x: np.ndarray,
    constants: np.ndarray,
    values: np.ndarray,
) -> None:
    """Writes the value of each instruction at each point into values float64 (k + 1, m); row 0 is x."""
    m = len(x)
    values[0, :] = x
    for i in range(len(ops)):
        out = values[i + 1]
        a, b, op = left[i], right[i], ops[i]
        if a >= 0 and b >= 0:
            u, v = values[a], values[b]
            if op == ADD:
                for p in range(m):
                    out[p] = u[p] + v[p]
            elif op == SUBTRACT:
                for p in range(m):
                    out[p] = u[p] - v[p]
            elif op == MULTIPLY:
                for p in range(m):
                    out[p] = u[p] * v[p]
            else:
                for p in range(m):
                    out[p] = u[p] / v[p]
        elif a >= 0:
            u, c = values[a], constants[-1 - b]
            if op == ADD:
                for p in range(m):
                    out[p] = u[p] + c
            elif op == SUBTRACT:
                for p in range(m):
                    out[p] = u[p] - c
            elif op == MULTIPLY:
                for p in range(m):
                    out[p] = u[p] * c
            else:
                for p in range(m):
                    out[p] = u[p] / c
        else:
            c, v = constants[-1 - a], values[b]
            if op == ADD:
                for p in range(m):
                    out[p] = c + v[p]
            elif op == SUBTRACT:
                for p in range(m):
                    out[p] = c - v[p]
            elif op == MULTIPLY:
                for p in range(m):
                    out[p] = c * v[p]
            else:
                for p in range(m):
                    out[p] = c / v[p]


@jit
def slopes(
    ops: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    constants: np.ndarray,
    values: np.ndarray,
    adjoint: np.ndarray,
    weight: np.ndarray,
    jacobian: np.ndarray,
) -> None:
    """Writes weight times the derivative of the last value by each constant into jacobian (nc, m).

    Backwards: adjoint (k + 1, m) is room for the derivative by each value.
    """
    k, m = len(ops), values.shape[1]
    adjoint[:] = 0.0
    adjoint[k, :] = weight
    for i in range(k - 1, -1, -1):
        a, b, op = left[i], right[i], ops[i]
        d = adjoint[i + 1]
        out = values[i + 1]
        # By the left operand, then by the right one.
        if a >= 0:
            to = adjoint[a]
            if op <= SUBTRACT:
                for p in range(m):
                    to[p] += d[p]
            elif op == MULTIPLY:
                if b >= 0:
                    v = values[b]
                    for p in range(m):
                        to[p] += d[p] * v[p]
                else:
                    c = constants[-1 - b]
                    for p in range(m):
                        to[p] += d[p] * c
            elif b >= 0:
                v = values[b]
                for p in range(m):
                    to[p] += d[p] / v[p]
            else:
                c = 1.0 / constants[-1 - b]
                for p in range(m):
                    to[p] += d[p] * c
        else:
            to = jacobian[-1 - a]
            if op <= SUBTRACT:
                for p in range(m):
                    to[p] = d[p]
            elif op == MULTIPLY:
                v = values[b]
                for p in range(m):
                    to[p] = d[p] * v[p]
            else:
                v = values[b]
                for p in range(m):
                    to[p] = d[p] / v[p]
        if b >= 0:
            to = adjoint[b]
            if op == ADD:
                for p in range(m):
                    to[p] += d[p]
            elif op == SUBTRACT:
                for p in range(m):
                    to[p] -= d[p]
            elif op == MULTIPLY:
                if a >= 0:
                    u = values[a]
                    for p in range(m):
                        to[p] += d[p] * u[p]
                else:
                    c = constants[-1 - a]
                    for p in range(m):
                        to[p] += d[p] * c
            else:
                v = values[b]
                for p in range(m):
                    to[p] -= d[p] * out[p] / v[p]
        else:
            to = jacobian[-1 - b]
            if op == ADD:
                for p in range(m):
                    to[p] = d[p]
            elif op == SUBTRACT:
                for p in range(m):
                    to[p] = -d[p]
            elif op == MULTIPLY:
                u = values[a]
                for p in range(m):
                    to[p] = d[p] * u[p]
            else:
                c = constants[-1 - b]
                for p in range(m):
                    to[p] = -d[p] * out[p] / c


@jit
def run_exactly(
    ops: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    x: np.ndarray,
    high: np.ndarray,
    low: np.ndarray,
    values: np.ndarray,
    lows: np.ndarray,
) -> None:
    """Like `run` in double-double: constants high + low (nc,), values + lows (k + 1, m)."""
    m = len(x)
    values[0, :], lows[0, :] = x, 0.0
    for i in range(len(ops)):
        a, b, op = left[i], right[i], ops[i]
        for p in range(m):
            if a >= 0:
                u, ul = values[a, p], lows[a, p]
            else:
                u, ul = high[-1 - a], low[-1 - a]
            if b >= 0:
                v, vl = values[b, p], lows[b, p]
            else:
                v, vl = high[-1 - b], low[-1 - b]
            if op == ADD:
                values[i + 1, p], lows[i + 1, p] = add(u, ul, v, vl)
            elif op == SUBTRACT:
                values[i + 1, p], lows[i + 1, p] = add(u, ul, -v, -vl)
            elif op == MULTIPLY:
                values[i + 1, p], lows[i + 1, p] = multiply(u, ul, v, vl)
            else:
                values[i + 1, p], lows[i + 1, p] = divide(u, ul, v, vl)


@jit
def residuals_exactly(
    ops: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    x: np.ndarray,
    f: np.ndarray,
    f_low: np.ndarray,
    scale: np.ndarray,
    high: np.ndarray,
    low: np.ndarray,
    values: np.ndarray,
    lows: np.ndarray,
    out: np.ndarray,
) -> float:
    """Writes (value - f) / scale at each point into out (m,); returns the largest size, inf if any is NaN."""
    run_exactly(ops, left, right, x, high, low, values, lows)
    k, worst = len(ops), 0.0
    for p in range(len(x)):
        difference, _ = add(values[k, p], lows[k, p], -f[p], -f_low[p])
        out[p] = difference / scale[p]
        size = abs(out[p])
        if not size <= 1e300:
            return math.inf
        worst = max(worst, size)
    return worst

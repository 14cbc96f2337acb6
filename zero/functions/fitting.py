"""Constants of a formula, fitted so that its worst error is small: compiled, from many starts.

* Least squares at Chebyshev points by Levenberg and Marquardt (Moré 1978, "The Levenberg-Marquardt
  algorithm"), each step by Householder's QR, since the normal equations lose what tells good constants from
  very good ones.
* Then Remez' exchange makes the largest errors equal in size, which is the smallest worst error there is near
  these constants.

What a formula and its errors are: see `zero.functions.running`.
"""

from __future__ import annotations

import math

import numpy as np

from zero.functions.double_double import add
from zero.functions.running import residuals_exactly, run, slopes
from zero.jit.decorators import jit
from zero.rng.splitmix import normal, unit

Code = tuple[np.ndarray, np.ndarray, np.ndarray]  # ops, left, right
Points = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]  # x, f, f_low, scale
Room = tuple[np.ndarray, ...]  # of `new_room`

_WIDEST = 2.0  # standard deviation of a constant's logarithm at a random start
_DAMPING = 0.1  # at first, for residuals of size 1
_LONGEST = 2.0  # of a step, in logarithms of large constants
EXACT_BELOW = 1e-7  # residuals below this are counted in double-double
_ROUNDS, _OF_ROUND = 20, 20  # of descents from the best start: how many, and steps of each
_PATIENCE = 6  # steps without a better point


@jit
def least_squares(
    a: np.ndarray,
    n: int,
) -> np.ndarray:
    """Solves for the n unknowns of a (rows, n + 1) whose last column is the right side, in place.

    Returns them as a new array; NaN where a column depends on others.
    """
    rows = a.shape[0]
    for j in range(n):
        total = 0.0
        for i in range(j, rows):
            total += a[i, j] * a[i, j]
        norm = math.sqrt(total)
        if norm == 0.0:
            continue
        if a[j, j] > 0.0:
            norm = -norm
        # The reflection's vector stands in column j; its first item is head.
        head = a[j, j] - norm
        factor = 1.0 / (norm * head)
        dots = np.zeros(n + 1)
        for k in range(j + 1, n + 1):
            dots[k] = head * a[j, k]
        for i in range(j + 1, rows):
            v = a[i, j]
            for k in range(j + 1, n + 1):
                dots[k] += v * a[i, k]
        for k in range(j + 1, n + 1):
            dots[k] *= factor
            a[j, k] += head * dots[k]
        for i in range(j + 1, rows):
            v = a[i, j]
            for k in range(j + 1, n + 1):
                a[i, k] += v * dots[k]
        a[j, j] = norm
    found = np.zeros(n)
    for j in range(n - 1, -1, -1):
        total = a[j, n]
        for k in range(j + 1, n):
            total -= a[j, k] * found[k]
        found[j] = total / a[j, j]
    return found


@jit
def _damped_step(
    jacobian: np.ndarray,
    residual: np.ndarray,
    damping: float,
    matrix: np.ndarray,
) -> np.ndarray:
    """Returns the step of Levenberg and Marquardt, scaled by the sizes of columns; matrix (m + n, n + 1)."""
    n, m = jacobian.shape
    for j in range(n):
        total = 1e-300
        for p in range(m):
            matrix[p, j] = jacobian[j, p]
            total += jacobian[j, p] * jacobian[j, p]
        for k in range(n + 1):
            matrix[m + j, k] = 0.0
        matrix[m + j, j] = math.sqrt(damping * total)
    for p in range(m):
        matrix[p, n] = -residual[p]
    return least_squares(matrix, n)


@jit
def _residuals(
    code: Code,
    points: Points,
    high: np.ndarray,
    low: np.ndarray,
    exact: bool,
    room: Room,
) -> float:
    """Writes the residuals into the room; returns the sum of their squares, NaN or inf where there are none.

    exact: in double-double, else in float64 and without low.
    """
    ops, left, right = code
    x, f, f_low, scale = points
    values, lows, residual = room[0], room[1], room[4]
    k, total = len(ops), 0.0
    if exact:
        residuals_exactly(ops, left, right, x, f, f_low, scale, high, low, values, lows, residual)
    else:
        run(ops, left, right, x, high, values)
        for p in range(len(x)):
            residual[p] = (values[k, p] - f[p]) / scale[p]
    for p in range(len(x)):
        total += residual[p] * residual[p]
    return total


@jit
def descend(
    code: Code,
    points: Points,
    high: np.ndarray,
    low: np.ndarray,
    exact: bool,
    most: int,
    room: Room,
) -> float:
    """Improves constants high + low in place by at most so many steps of least squares.

    A valley of good constants is narrow and bent: sizes are steps' unit (c = sinh u), the damping falls with
    the square of the residuals, so that a step goes along the valley only once it is back on its floor, and
    some steps may go up before the best point so far is taken up again.

    code: ops, left, right. points: x, f, f_low, scale. exact: as for `_residuals`. room: of `new_room`.
    Returns the root of the mean square of the residuals, inf if the formula has no value somewhere.
    """
    values, _, adjoint, jacobian, residual, inverse, matrix = room
    m, n = len(points[0]), len(high)
    inverse[:] = 1.0 / points[3]
    total = _residuals(code, points, high, low, exact, room)
    if not total < 1e100:
        return math.inf
    best, mark, kept, kept_low = total, total, high.copy(), low.copy()
    damping, since, slow = _DAMPING, 0, 0
    for _ in range(most):
        slopes(code[0], code[1], code[2], high, values, adjoint, inverse, jacobian)
        for j in range(n):
            size = math.sqrt(1.0 + high[j] * high[j])
            for p in range(m):
                jacobian[j, p] *= size
        step = _damped_step(jacobian, residual, min(damping * total / m, 10.0), matrix)
        longest = 0.0
        for j in range(n):
            longest = max(longest, abs(step[j]))
        total = math.inf
        if longest < 1e100:
            share = min(1.0, _LONGEST / longest) if longest > 0.0 else 1.0
            for j in range(n):
                # sinh(u + step) - sinh(u), to full precision also where the step is small
                half = 0.5 * share * step[j]
                change = 2.0 * math.cosh(math.asinh(high[j]) + half) * math.sinh(half)
                high[j], low[j] = add(high[j], low[j], change, 0.0)
                if not exact:
                    low[j] = 0.0
            total = _residuals(code, points, high, low, exact, room)
        slow += 1
        if total < best:
            best, since = total, 0
            kept[:], kept_low[:] = high, low
            damping = max(damping * 0.3, 1e-6)
            if best < 0.9 * mark:
                mark, slow = best, 0
        else:
            since += 1
            if since >= _PATIENCE or not total < 1e12 * best + 1e-6:
                since = 0
                damping *= 30.0
                high[:], low[:] = kept, kept_low
                total = _residuals(code, points, high, low, exact, room)
        if slow > 20 or best < 1e-50 * m or damping > 1e12:
            break
    high[:], low[:] = kept, kept_low
    return math.sqrt(best / m)


@jit
def new_room(
    k: int,
    m: int,
    n: int,
) -> Room:
    """Returns the room that k instructions with n constants need at m points."""
    return (
        np.empty((k + 1, m)), np.empty((k + 1, m)), np.empty((k + 1, m)), np.empty((n, m)),
        np.empty(m), np.empty(m), np.empty((m + n, n + 1)),
    )  # fmt: skip


@jit
def _alternation(
    residual: np.ndarray,
    count: int,
    places: np.ndarray,
) -> bool:
    """Finds `count` points in a row where residuals of alternating sign are largest; False: there are none.

    places: int64, room for as many as there are points; the first `count` are written. The largest residual
    of all is among them.
    """
    found, top = 0, 0
    for p in range(len(residual)):
        if residual[p] == 0.0:
            continue
        if found and (residual[p] > 0.0) == (residual[places[found - 1]] > 0.0):
            if abs(residual[p]) > abs(residual[places[found - 1]]):
                places[found - 1] = p
        else:
            places[found] = p
            found += 1
    if found < count:
        return False
    for k in range(found):
        if abs(residual[places[k]]) > abs(residual[places[top]]):
            top = k
    best, first = -1.0, 0
    for k in range(max(0, top - count + 1), min(top, found - count) + 1):
        least = math.inf
        for i in range(k, k + count):
            least = min(least, abs(residual[places[i]]))
        if least > best:
            best, first = least, k
    for i in range(count):
        places[i] = places[first + i]
    return True


@jit
def level(
    code: Code,
    points: Points,
    high: np.ndarray,
    low: np.ndarray,
    most: int,
) -> float:
    """Makes the largest residual smaller, by at most so many steps; constants high + low, in place.

    Remez' exchange (1934) on the formula's tangent: where n + 1 residuals in a row alternate in sign, the
    n constants are changed so that these become equal in size, as far as that helps.

    Returns the largest residual at the points, inf if the formula has no value somewhere.
    """
    ops, left, right = code
    x, f, f_low, scale = points
    k, m, n = len(ops), len(x), len(high)
    values, lows, adjoint, jacobian, residual, inverse, _ = new_room(k, m, n)
    inverse[:] = 1.0 / scale
    best = residuals_exactly(
        ops, left, right, x, f, f_low, scale, high, low, values, lows, residual
    )
    if n == 0 or not best < 1e100:
        return best
    places, matrix, sizes = np.empty(m, np.int64), np.empty((n + 1, n + 2)), np.empty(n)
    kept_high, kept_low = high.copy(), low.copy()
    for _ in range(most):
        if not _alternation(residual, n + 1, places):
            break
        slopes(ops, left, right, high, values, adjoint, inverse, jacobian)
        for j in range(n):
            sizes[j] = 1e-300
            for i in range(n + 1):
                sizes[j] = max(sizes[j], abs(jacobian[j, places[i]]))
        for i in range(n + 1):
            p = places[i]
            for j in range(n):
                matrix[i, j] = jacobian[j, p] / sizes[j]
            matrix[i, n] = -1.0 if residual[p] > 0.0 else 1.0
            matrix[i, n + 1] = -residual[p] / best
        step = least_squares(matrix, n + 1)
        share, better = 1.0, False
        for _ in range(8):
            for j in range(n):
                change = share * best * step[j] / sizes[j]
                high[j], low[j] = add(kept_high[j], kept_low[j], change, 0.0)
            worst = residuals_exactly(
                ops, left, right, x, f, f_low, scale, high, low, values, lows, residual
            )
            if worst < best:
                better = True
                break
            share *= 0.4
        if not better:
            break
        gain = 1.0 - worst / best
        best = worst
        kept_high[:], kept_low[:] = high, low
        if gain < 1e-4:
            break
    high[:], low[:] = kept_high, kept_low
    return best


@jit
def fit(
    ops: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    x: np.ndarray,
    f: np.ndarray,
    f_low: np.ndarray,
    scale: np.ndarray,
    every: int,
    given: np.ndarray,
    starts: int,
    steps: int,
    levels: int,
    rng: np.ndarray,
    high: np.ndarray,
    low: np.ndarray,
) -> float:
    """Fits constants; writes them into high and low (nc,), and returns the largest residual at the points.

    x, f, f_low, scale: of `zero.functions.targets.Points`; least squares take each `every`-th one. given:
    float64 (g, nc), constants to start at. starts: so many more are drawn with rng (`zero.rng.splitmix`).
    steps, levels: of each descent, and of `level`. Fewer starts are made once three have found the same best.
    """
    n = len(high)
    low[:] = 0.0
    code = (ops, left, right)
    if n > 0:
        thin = (x[::every].copy(), f[::every].copy(), f_low[::every].copy(), scale[::every].copy())
        room = new_room(len(ops), len(thin[0]), n)
        best, found, constants, none = math.inf, 0, np.empty(n), np.zeros(n)
        for s in range(len(given) + starts):
            if s < len(given):
                constants[:] = given[s]
            else:
                start(constants, rng)
            none[:] = 0.0
            size = descend(code, thin, constants, none, False, steps, room)
            if size < 0.99 * best:
                found = 0
            if size < 1.01 * best:
                found += 1
            if size < best:
                best = size
                high[:] = constants
            if found >= 3:
                break
        if best == math.inf:
            return math.inf
        exact = best < EXACT_BELOW
        for _ in range(_ROUNDS):
            size = descend(code, thin, high, low, exact, _OF_ROUND, room)
            if not size < 0.98 * best:
                break
            best = size
    return level(code, (x, f, f_low, scale), high, low, levels)


@jit
def start(
    constants: np.ndarray,
    rng: np.ndarray,
) -> None:
    """Draws constants: either sign, sizes over some orders of magnitude around 1."""
    for j in range(len(constants)):
        size = math.exp(_WIDEST * normal(rng))
        constants[j] = -size if unit(rng) < 0.5 else size

"""Arithmetic with about 32 digits, compiled: a number is the sum of two float64, the second the small one.

Errors below 1e-14 cannot be measured in float64, and NumPy's longdouble is another type on each machine.
Sums and products of two float64 are exact as two (Dekker 1971, "A floating-point technique for extending
the available precision"); what is built of them here is right to about 2**-100, relative.
"""

from __future__ import annotations

from zero.jit.decorators import jit

_SPLIT = 134217729.0  # 2**27 + 1


@jit
def two_sum(a: float, b: float) -> tuple[float, float]:
    """Returns a + b as two float64, exactly."""
    s = a + b
    t = s - a
    return s, (a - (s - t)) + (b - t)


@jit
def two_product(a: float, b: float) -> tuple[float, float]:
    """Returns a * b as two float64, exactly as long as nothing is beyond 1e300."""
    p = a * b
    t = _SPLIT * a
    a1 = t - (t - a)
    a2 = a - a1
    t = _SPLIT * b
    b1 = t - (t - b)
    b2 = b - b1
    return p, ((a1 * b1 - p) + a1 * b2 + a2 * b1) + a2 * b2


@jit
def add(a: float, al: float, b: float, bl: float) -> tuple[float, float]:
    """Returns (a + al) + (b + bl)."""
    s, e = two_sum(a, b)
    t, f = two_sum(al, bl)
    s, e = two_sum(s, e + t)
    return two_sum(s, e + f)


@jit
def multiply(a: float, al: float, b: float, bl: float) -> tuple[float, float]:
    """Returns (a + al) * (b + bl)."""
    p, e = two_product(a, b)
    return two_sum(p, e + (a * bl + al * b))


@jit
def divide(a: float, al: float, b: float, bl: float) -> tuple[float, float]:
    """Returns (a + al) / (b + bl)."""
    q = a / b
    p, e = multiply(q, 0.0, b, bl)
    r, f = add(a, al, -p, -e)
    q2 = r / b
    p, e = multiply(q2, 0.0, b, bl)
    r, f = add(r, f, -p, -e)
    q, q2 = two_sum(q, q2)
    return add(q, q2, r / b, 0.0)

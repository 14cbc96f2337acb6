"""The functions to be computed: where, and what they are there, to forty digits.

Errors are relative to the function's value, |p(x) / f(x) - 1|, as in the paper. Where the function vanishes
at an end of its interval (sin, tanh and erf at 0) a relative error is bounded only for formulas that vanish
there too. That end itself, where both are zero, is left out for a point next to it (`NEXT` of the width).
"""

from __future__ import annotations

import decimal
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import cache

import numpy as np

NEXT = 1e-9
DIGITS = 50  # of the decimals that values are computed with


@dataclass(frozen=True)
class Target:
    """A function to be computed.

    name, text: for people. low, high: ends of the interval. value: from a decimal, to `DIGITS` digits.
    python: an expression in x that computes it in float64 by the module math.
    """

    name: str
    text: str
    low: float
    high: float
    value: Callable[[Decimal], Decimal]
    python: str

    @property
    def vanishes(self) -> bool:
        """Whether it is 0 at the lower end."""
        return self.value(Decimal(self.low)) == 0


def _series(first: Decimal, ratio: Callable[[int], Decimal]) -> Decimal:
    """Returns the sum of a series; ratio: of term n + 1 to term n, from n = 0."""
    term, total, n = first, first, 0
    while abs(term) > abs(total) * Decimal(10) ** -DIGITS and term:
        term *= ratio(n)
        total += term
        n += 1
    return total


def _exp2(x: Decimal) -> Decimal:
    return (x * Decimal(2).ln()).exp()


def _sin(x: Decimal) -> Decimal:
    return _series(x, lambda n: -x * x / ((2 * n + 2) * (2 * n + 3)))


def _tanh(x: Decimal) -> Decimal:
    if abs(x) < Decimal("0.01"):  # without cancellation
        sinh = _series(x, lambda n: x * x / ((2 * n + 2) * (2 * n + 3)))
        return sinh / _series(Decimal(1), lambda n: x * x / ((2 * n + 1) * (2 * n + 2)))
    e = (2 * x).exp()
    return (e - 1) / (e + 1)


def _pi() -> Decimal:
    """Returns pi by Machin's formula."""

    def arctan(n: int) -> Decimal:
        return _series(Decimal(1) / n, lambda k: -Decimal(2 * k + 1) / ((2 * k + 3) * n * n))

    return 4 * (4 * arctan(5) - arctan(239))


def _erf(x: Decimal) -> Decimal:
    # All terms of this series have one sign: erf x = 2 x exp(-x^2) / sqrt(pi) sum (2 x^2)^n / (2n + 1)!!
    total = _series(Decimal(1), lambda n: 2 * x * x / (2 * n + 3))
    return 2 * x * (-x * x).exp() / _pi().sqrt() * total


TARGETS = {
    target.name: target
    for target in (
        Target("exp2", "2**x on [0, 1]", 0.0, 1.0, _exp2, "math.exp2(x)"),
        Target("rsqrt", "1 / sqrt(x) on [1, 4]", 1.0, 4.0, lambda x: 1 / x.sqrt(), "1 / math.sqrt(x)"),
        Target("sin", "sin x on [0, pi/2]", 0.0, float(np.pi / 2), _sin, "math.sin(x)"),
        Target("tanh", "tanh x on [0, 2]", 0.0, 2.0, _tanh, "math.tanh(x)"),
        Target("erf", "erf x on [0, 2]", 0.0, 2.0, _erf, "math.erf(x)"),
    )
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Points:
    """A function at points, as compiled code takes it.

    x, f, f_low, scale: float64 (m,). f + f_low is the value to 32 digits; an error is relative to scale.
    """

    x: np.ndarray
    f: np.ndarray
    f_low: np.ndarray
    scale: np.ndarray


def points_at(target: Target, x: np.ndarray) -> Points:
    """Returns a target's values at points, float64 (m,), none of which is where it vanishes."""
    high, low = np.empty(len(x)), np.empty(len(x))
    with decimal.localcontext() as context:
        context.prec = DIGITS
        for k, place in enumerate(x.tolist()):
            value = target.value(Decimal(place))
            high[k] = float(value)
            low[k] = float(value - Decimal(float(high[k])))
    return Points(x, high, low, np.abs(high))


@cache
def chebyshev(name: str, count: int) -> Points:
    """Returns a target at so many extremes of a Chebyshev polynomial, the ends among them.

    Where the target vanishes at the lower end, the point next to it stands for that.
    """
    share = np.sin(np.pi / 2 * np.arange(count) / (count - 1)) ** 2  # 0 to 1, exact at both ends
    return _within(TARGETS[name], share)


@cache
def evenly(name: str, count: int) -> Points:
    """Returns a target at so many points of one distance, the ends as in `chebyshev`."""
    return _within(TARGETS[name], np.linspace(0.0, 1.0, count))


def _within(target: Target, share: np.ndarray) -> Points:
    if target.vanishes:
        share = np.maximum(share, NEXT)
    return points_at(target, target.low + (target.high - target.low) * share)

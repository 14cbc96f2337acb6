"""Constants as text, to all the digits that they were fitted with; and those that a child takes over."""

from __future__ import annotations

import decimal
from collections.abc import Sequence
from decimal import Decimal

import numpy as np

from zero.errors import ZeroError
from zero.functions.formula import CONSTANT, Formula, instructions

DIGITS = 33
_MOST = 60  # characters of one constant's text


def to_text(high: np.ndarray, low: np.ndarray) -> str:
    """Returns constants high + low, float64 (n,) each, as decimals."""
    with decimal.localcontext() as context:
        context.prec = 60
        sums = [Decimal(h) + Decimal(v) for h, v in zip(high.tolist(), low.tolist(), strict=True)]
        context.prec = DIGITS
        return " ".join(str(+value) for value in sums)


def decimals(text: str, count: int) -> list[Decimal]:
    """Returns the constants of a text of `to_text`; raises ZeroError where there are not so many."""
    words = text.split()
    try:
        found = [Decimal(word) for word in words if len(word) <= _MOST]
    except decimal.InvalidOperation:
        found = []
    good = len(found) == len(words) and all(
        d.is_finite() and abs(d.adjusted()) < 300 for d in found
    )
    if not good or len(found) != count:
        raise ZeroError(f"'{text[:100]}' are not the {count} constants of the formula")
    return found


def from_text(text: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the constants of a text as float64 high and low (count,) each; raises as `decimals`."""
    high, low = np.zeros(count), np.zeros(count)
    with decimal.localcontext() as context:
        context.prec = 60
        for k, value in enumerate(decimals(text, count)):
            high[k] = float(value)
            low[k] = float(value - Decimal(float(high[k])))
    return high, low


def carried(parent: Formula, constants: np.ndarray, child: Formula) -> np.ndarray:
    """Returns a child's constants as far as its parent has them, NaN for the others: float64 (n,).

    Instructions are the same that stand alike at the beginning of both or, counted from there, at the end.
    """
    old, new = _shapes(parent), _shapes(child)
    begin = _alike(old, new)
    end = min(_alike(old[::-1], new[::-1]), min(len(old), len(new)) - begin)
    counts_old = [shape.count(CONSTANT) for shape in old]
    counts_new = [shape.count(CONSTANT) for shape in new]
    found = np.full(sum(counts_new), np.nan)
    first = sum(counts_old[:begin])
    found[:first] = constants[:first]
    last = sum(counts_old[len(old) - end :])
    if last:
        found[-last:] = constants[-last:]
    return found


def _shapes(formula: Formula) -> list[str]:
    """Returns each instruction without the numbers of results."""
    return [
        "".join("t" if isinstance(o, int) else o for o in (left, operator, right))
        for operator, left, right in instructions(formula)
    ]


def _alike(some: Sequence[str], others: Sequence[str]) -> int:
    count = 0
    for a, b in zip(some, others, strict=False):
        if a != b:
            break
        count += 1
    return count

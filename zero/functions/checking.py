"""How well a formula with its constants does at many points: in exact arithmetic, and in float64."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zero.functions import constants
from zero.functions.compiled import module
from zero.functions.formula import Formula, code_of
from zero.functions.targets import TARGETS, evenly

POINTS = 10_000


@dataclass(frozen=True)
class Checked:
    """Worst errors at `POINTS` points of one distance, inf where a value is missing.

    error: with constants and arithmetic of 32 digits. rounded: constants and arithmetic in float64. at: where
    `error` is.
    """

    error: float
    rounded: float
    at: float


def check(target: str, formula: Formula, text: str) -> Checked:
    """Returns a formula's errors; text: its constants.

    Raises:
        ZeroError: these are not its constants.
    """
    assert target in TARGETS
    code, points = code_of(formula), evenly(target, POINTS)
    high, low = constants.from_text(text, code.constants)
    size = (len(code.ops) + 1, POINTS)
    values, lows, residual = np.empty(size), np.empty(size), np.empty(POINTS)
    error = module().residuals_exactly(
        code.ops, code.left, code.right, points.x, points.f, points.f_low, points.scale,
        high, low, values, lows, residual,
    )  # fmt: skip
    with np.errstate(all="ignore"):
        at = float(points.x[np.argmax(np.nan_to_num(np.abs(residual), nan=np.inf))])
        module().run(code.ops, code.left, code.right, points.x, high, values)
        rounded = np.max(np.abs((values[-1] - points.f) - points.f_low) / points.scale)
    return Checked(float(error), float(np.nan_to_num(rounded, nan=np.inf)), at)

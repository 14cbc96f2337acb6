"""What Python calls of the compiled code; this text is the module that `zero.functions.compiled` caches."""

import numpy as np

from zero.functions import fitting, running
from zero.jit.decorators import entry


@entry
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
    """See `zero.functions.fitting.fit`."""
    return fitting.fit(
        ops, left, right, x, f, f_low, scale, every, given, starts, steps, levels, rng, high, low
    )


@entry
def level(
    ops: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    x: np.ndarray,
    f: np.ndarray,
    f_low: np.ndarray,
    scale: np.ndarray,
    high: np.ndarray,
    low: np.ndarray,
    most: int,
) -> float:
    """See `zero.functions.fitting.level`."""
    return fitting.level((ops, left, right), (x, f, f_low, scale), high, low, most)


@entry
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
    """See `zero.functions.running.residuals_exactly`."""
    return running.residuals_exactly(
        ops, left, right, x, f, f_low, scale, high, low, values, lows, out
    )


@entry
def run(
    ops: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    x: np.ndarray,
    constants: np.ndarray,
    values: np.ndarray,
) -> None:
    """See `zero.functions.running.run`."""
    running.run(ops, left, right, x, constants, values)

"""What Python calls of the compiled code; this file's text is the module that `zero.functions.compiled` caches."""

from zero.functions import fitting
from zero.jit.decorators import entry


@entry
def fit(ops, left, right, x, f, f_low, scale, every, given, starts, steps, levels, rng, high, low):
    """See `zero.functions.fitting.fit`."""
    return fitting.fit(
        ops, left, right, x, f, f_low, scale, every, given, starts, steps, levels, rng, high, low
    )


@entry
def level(ops, left, right, x, f, f_low, scale, high, low, most):
    """See `zero.functions.fitting.level`."""
    return fitting.level((ops, left, right), (x, f, f_low, scale), high, low, most)


@entry
def residuals_exactly(ops, left, right, x, f, f_low, scale, high, low, values, lows, out):
    """See `zero.functions.fitting.residuals_exactly`."""
    return fitting.residuals_exactly(
        ops, left, right, x, f, f_low, scale, high, low, values, lows, out
    )


@entry
def run(ops, left, right, x, constants, values):
    """See `zero.functions.fitting.run`."""
    fitting.run(ops, left, right, x, constants, values)

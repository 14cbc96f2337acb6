"""Fits: known best errors are met, errors are measured where float64 cannot, targets are right."""

import math

import numpy as np
import pytest

from zero.functions import constants, targets
from zero.functions.checking import check
from zero.functions.compiled import module
from zero.functions.formula import code_of
from zero.rng.splitmix import new_state


def fitted(target, text, starts=12, seed=1, given=None):
    code, points = code_of(tuple(text.split())), targets.chebyshev(target, 129)
    high, low = np.zeros(code.constants), np.zeros(code.constants)
    given = np.zeros((0, code.constants)) if given is None else given
    error = module().fit(
        code.ops, code.left, code.right, points.x, points.f, points.f_low, points.scale, 4, given,
        starts, 100, 20, new_state(seed), high, low,
    )  # fmt: skip
    return error, constants.to_text(high, low)


@pytest.mark.parametrize("name", list(targets.TARGETS))
def test_values_are_those_of_the_module_math(name):
    target = targets.TARGETS[name]
    by_math = {"exp2": lambda x: 2.0**x, "rsqrt": lambda x: 1 / math.sqrt(x), "sin": math.sin,
               "tanh": math.tanh, "erf": math.erf}[name]  # fmt: skip
    points = targets.evenly(name, 500)
    ours, theirs = points.f, np.array([by_math(x) for x in points.x.tolist()])
    np.testing.assert_allclose(ours, theirs, rtol=5e-16, atol=0)
    assert (np.abs(points.f_low) <= np.abs(points.f) * 2.0**-53).all()
    assert points.x[-1] == target.high and (points.scale > 0).all()
    assert (points.x[0] == target.low) != target.vanishes and points.x[0] < target.low + 1e-8


def test_a_formula_that_does_not_vanish_where_its_function_does_has_no_small_relative_error():
    assert fitted("sin", "x*x t0*c t1+c")[0] > 0.5
    assert fitted("sin", "x*x t0*c t1+c t2*x")[0] < 0.01


def test_a_line_is_the_best_line():
    error, _ = fitted("exp2", "x*c t0+c")
    # a + b x with equal relative errors e at 0, at 1 and, the other way, where the error is largest between
    slopes = np.linspace(0.9, 1.1, 20001)

    def worst(slope):
        line = 1 + (np.linspace(0, 1, 2001)) * slope
        ratio = line / 2 ** np.linspace(0, 1, 2001)
        return (ratio.max() - ratio.min()) / (ratio.max() + ratio.min())

    assert error == pytest.approx(min(map(worst, slopes[::50])), rel=1e-4)


def test_errors_alternate_as_those_of_a_best_approximation_do():
    text = "x*c t0+c t1*x t2+c t3*x t4+c"  # degree 3: 5 extremes of equal size
    error, numbers = fitted("exp2", text)
    a3, a2, a1, a0 = map(float, numbers.split())
    x = np.linspace(0, 1, 200_001)
    residual = (((a3 * x + a2) * x + a1) * x + a0) / 2**x - 1
    signs = np.sign(residual)
    parts = np.split(residual, np.flatnonzero(np.diff(signs)) + 1)
    extremes = [np.abs(part).max() for part in parts]
    assert len(extremes) == 5
    np.testing.assert_allclose(extremes, error, rtol=2e-3)


def test_a_narrow_valley_is_followed_and_digits_beyond_float64_are_measured():
    text, sizes, given = "x*x t0+c c/t1 t2+c t3+x t3-x t4/t5", [], None
    for n in range(6, 10):
        error, numbers = fitted("exp2", text, given=given)
        sizes.append(error)
        given = np.array([[float(number) for number in numbers.split()]])
        text += f" t{n}*t{n}"
    # Each squaring of a function that is good to the sixth order of half the range: 1/64 of the error.
    for n, size in enumerate(sizes):
        assert size == pytest.approx(sizes[0] / 64**n, rel=0.1, abs=0)
    assert 4e-14 < sizes[3] < 6e-14


def test_the_check_measures_both_arithmetics():
    formula = ("x*x", "t0+c", "c/t1", "t2+c", "t3+x", "t3-x", "t4/t5")
    error, numbers = fitted("exp2", " ".join(formula))
    found = check("exp2", formula, numbers)
    assert found.error == pytest.approx(error, rel=1e-3)
    assert found.rounded == pytest.approx(error, rel=1e-3)
    assert 0 <= found.at <= 1
    worse = check("exp2", formula, " ".join(numbers.split()[:2]) + " 17.0")
    assert worse.error > 10 * error


def test_the_same_seed_gives_the_same_constants():
    text = "x*c t0+c c/t1 t2+x t3*t3"
    assert fitted("sin", text, seed=3) == fitted("sin", text, seed=3)


def test_a_formula_without_a_value_is_said_to_have_none():
    assert fitted("exp2", "c/x")[0] == math.inf
    assert check("exp2", ("c/x",), "1").error == math.inf

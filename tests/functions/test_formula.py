"""Formulas: their one form says the same, and every sequence of decisions is one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zero.errors import ZeroError
from zero.functions.constants import carried, from_text, to_text
from zero.functions.formula import canonical, code_of, instructions, is_written, read
from zero.functions.space import END, FormulaSpace
from zero.rng.splitmix import new_state

SPACE = FormulaSpace(8)


def value(listed, x, constants):
    """The last instruction's value, with the constants in the order in which they stand."""
    numbers, done = iter(constants), []

    def of(operand):
        if operand == "c":
            return next(numbers)
        return x if operand == "x" else done[operand]

    for operator, left, right in listed:
        a, b = of(left), of(right)
        done.append({"+": a + b, "-": a - b, "*": a * b, "/": a / b}[operator])
    return done[-1]


@pytest.mark.parametrize(("written", "form"), [
    ("x-c", "x+c"), ("x/c", "x*c"), ("c*x", "x*c"), ("x+x", "x*c"), ("c-x", "c-x"), ("c/x", "c/x"),
    ("x*c t0*c", "x*c"), ("x+c t0-c", "x+c"), ("c-x c-t0", "x+c"), ("c/x c/t0", "x*c"),
    ("x+c t0*c", "x+c t0*c"), ("x*x t0*t0", "x*x t0*t0"), ("x*x x*x t0+t1", "x*x t0*c"),
    ("x+c x+c t0*t1", "x+c x+c t1*t0"), ("x*x x+c x*c t1*t0", "x+c x*x t1*t0"),
    ("x+c x*t0", "x+c t0*x"),
])  # fmt: skip
def test_what_says_the_same_is_written_in_one_way(written, form):
    assert canonical([read(word) for word in written.split()]) == tuple(form.split())


@pytest.mark.parametrize("written", ["x-x", "x/x", "c+c", "x*x t0/t0 c*t1"])
def test_a_value_that_does_not_hang_on_x_is_no_formula(written):
    assert canonical([read(word) for word in written.split()]) is None


def operands(count):
    return st.sampled_from(["x", "c", *range(count)])


@st.composite
def listings(draw):
    count = draw(st.integers(1, 7))
    return [
        (draw(st.sampled_from("+-*/")), draw(operands(k)), draw(operands(k))) for k in range(count)
    ]


@settings(max_examples=300, deadline=None)
@given(listings())
def test_the_one_form_is_its_own_form_and_no_longer(listed):
    formula = canonical(listed)
    if formula is None:
        return
    assert len(formula) <= len(listed)
    assert canonical(instructions(formula)) == formula
    assert all(is_written(*instruction) for instruction in instructions(formula))
    used = {o for _, *sides in instructions(formula) for o in sides if isinstance(o, int)}
    assert used == set(range(len(formula) - 1))
    assert SPACE.parse(SPACE.text(formula)) == formula
    assert SPACE.genome_of(SPACE.decisions_of(formula)) == formula


@settings(max_examples=200, deadline=None)
@given(listings())
def test_without_constants_the_one_form_has_the_same_value(listed):
    listed = [(o, *("x" if side == "c" else side for side in sides)) for o, *sides in listed]
    formula = canonical(listed)
    if formula is None or code_of(formula).constants:
        return
    with np.errstate(all="ignore"):
        x = np.array([0.3, 0.9, 1.7, -2.2])
        np.testing.assert_allclose(
            value(instructions(formula), x, []), value(listed, x, []), rtol=1e-6
        )


def test_random_formulas_and_mutants_are_of_the_space():
    rng, sizes, names = new_state(5), set(), set()
    genome = SPACE.random(rng)
    for k in range(2000):
        child, name = SPACE.mutate(genome, rng)
        assert SPACE.genome_of(SPACE.decisions_of(child)) == child
        assert child != genome
        sizes.add(len(child))
        names.add(name)
        genome = child if k % 5 else SPACE.random(rng)
    assert sizes == set(range(1, 9)) and names == set(SPACE.mutations)


def test_operators_that_are_not_allowed_do_not_appear():
    space, rng = FormulaSpace(6, "+*"), new_state(1)
    for _ in range(200):
        genome, _ = space.mutate(space.random(rng), rng)
        assert {word[0] for word in instructions(genome)} <= set("+*")
    with pytest.raises(ZeroError):
        space.parse("c-x")


@pytest.mark.parametrize("text", ["", "end", "y+c", "x", "t0+c", "x+c t1*x", "x-c", "c+x", "x+c end",
                                  "x+t-1", "x**x", "x+c t0+c", " ".join(["x*x"] * 9)])  # fmt: skip
def test_what_is_no_formula_is_refused(text):
    if text == "x+c t0+c":  # says x+c
        assert SPACE.parse(text) == ("x+c",)
        return
    with pytest.raises(ZeroError):
        SPACE.parse(text)


@settings(max_examples=300, deadline=None)
@given(st.text("xct0123456789+-*/ end", max_size=30))
def test_any_text_is_a_formula_or_refused(text):
    try:
        genome = SPACE.parse(text)
    except ZeroError:
        return
    assert genome[-1] != END and 1 <= len(genome) <= 8


def test_constants_are_written_and_read_to_all_their_digits():
    high, low = np.array([1 / 3, -2e-7, 5e6]), np.array([1 / 3 * 2**-55, 1e-24, 3e-10])
    again = from_text(to_text(high, low), 3)
    np.testing.assert_array_equal(again[0], high)
    np.testing.assert_allclose(again[1], low, rtol=1e-12)
    for text in (
        "1 2",
        "1 2 3 4",
        "1 2 three",
        "1 2 nan",
        "1 2 inf",
        "1 2 1e999",
        f"1 2 {'1' * 100}",
    ):
        with pytest.raises(ZeroError, match="constants"):
            from_text(text, 3)


def test_a_child_takes_over_the_constants_of_what_stayed():
    parent, numbers = ("x+c", "t0*c", "t1+c"), np.array([1.0, 2.0, 3.0])
    np.testing.assert_array_equal(carried(parent, numbers, parent), numbers)
    child = ("x+c", "t0*x", "t1*c", "t2+c")
    np.testing.assert_array_equal(carried(parent, numbers, child), numbers)
    child = ("c/x", "t0*c", "t1+c")
    np.testing.assert_array_equal(carried(parent, numbers, child), [np.nan, 2, 3])

"""Tuning constants: what is bad is repaired, what is good stays, and the same seed does the same."""

import pytest
from helpers import linear_tasks, parse

from zero.errors import ProgramError
from zero.programs.evaluator import Evaluator
from zero.programs.explain.measure import Meter, fitness_of
from zero.programs.explain.tune import tune


def linear(rate):
    return parse(
        Setup=f"s2 = {rate}", Predict="s1 = dot(v1, v0)",
        Learn="s3 = s0 - s1; s3 = s2 * s3; v2 = s3 * v0; v1 = v1 + v2",
    )  # fmt: skip


def tuned(program, most=60, seed=0):
    tasks = linear_tasks(4)
    meter = Meter([Evaluator(tasks, keep_errors=True)], most)
    return tune(program, meter, meter(program), seed)


@pytest.mark.parametrize("rate", [0.0001, 30.0])
def test_a_bad_learning_rate_is_repaired(rate):
    found = tuned(linear(rate))
    ((knob, value),) = found.changed
    assert knob.value == rate and 0.003 < value < 0.3
    assert found.program == linear(value) and found.evaluations == 60
    good = max(fitness_of(tuned(linear(r), 2).base) for r in (0.01, 0.03, 0.1))
    assert fitness_of(found.best) > good - 0.01
    assert found.gain.value == pytest.approx(fitness_of(found.best) - fitness_of(found.base))
    # Tasks that it was not tuned on.
    others = Evaluator(linear_tasks(4, "final"), independent=True)
    assert others(found.program).fitness > others(linear(rate)).fitness + 0.1


def test_a_seed_decides_everything():
    one, same, other = (tuned(linear(0.0001), seed=seed) for seed in (1, 1, 2))
    assert one.program == same.program and one.changed == same.changed
    assert one.program != other.program


def test_what_cannot_be_better_stays():
    program = parse(Setup="s2 = 3", Predict="s1 = dot(v1, v0)", Learn="v1 = s2 * v1")
    found = tuned(program, 20)
    assert found.program == program and found.changed == [] and found.gain.value == 0.0
    assert found.evaluations == 20


def test_more_evaluations_are_never_worse():
    # The first half is drawn from the whole range, the second near its best.
    few, many = tuned(linear(0.0001), 30), tuned(linear(0.0001), 120)
    assert fitness_of(many.best) >= fitness_of(few.best) - 1e-3


def test_signs_and_zeros_stay():
    program = parse(
        Setup="s2 = -0.0001; s4 = 0; v1 = gaussian(0, 0.5, n_features)",
        Predict="s1 = dot(v1, v0); s1 = s1 + s4",
        Learn="s3 = s1 - s0; s3 = s2 * s3; v2 = s3 * v0; v1 = v1 + v2",
    )  # fmt: skip
    found = tuned(program)
    names = [(k.name, k.value) for k, _ in found.changed]
    assert names == [("value", -0.0001), ("stdev", 0.5)]
    assert found.changed[0][1] < 0.0 and found.changed[1][1] > 0.0


def test_without_constants_there_is_nothing_to_tune():
    with pytest.raises(ProgramError, match="no constants"):
        tuned(parse(Predict="s1 = dot(v1, v0)", Learn="v1 = v1 + v0"))

"""What parts of a program are worth, on tasks where we know."""

import numpy as np
import pytest
from helpers import linear_tasks, parse, small_tasks
from scipy import stats

from zero.programs.evaluator import Evaluator
from zero.programs.explain.edits import knobs, with_constants, without
from zero.programs.explain.measure import Difference, Meter, difference, fails, fitness_of
from zero.programs.explain.worth import worth
from zero.programs.library import program as shipped

LINEAR = shipped("linear")
# Of linear: a learning rate that fits so few examples, an instruction without effect, one that spoils.
MARRED = parse(
    Setup="s2 = 0.1", Predict="s1 = dot(v1, v0); v3 = v0 + v0",
    Learn="s3 = s0 - s1; s3 = s2 * s3; v2 = s3 * v0; v1 = v1 + v2; v1 = v1 - v0",
)  # fmt: skip
NOISY = parse(Setup="v1 = gaussian(0, 1, n_features)", Predict="s1 = dot(v1, v0)")


def meter_on(tasks, seeds=1, most=1000, told=lambda made: None):
    evaluators = [Evaluator(tasks, seed_key=k, keep_errors=True) for k in range(seeds)]
    return Meter(evaluators, most, told)


@pytest.fixture(scope="module")
def tasks():
    return linear_tasks(6)


def test_instructions_without_effect_and_harmful_ones(tasks):
    meter = meter_on(tasks)
    base = meter(MARRED)
    found = worth(MARRED, meter, base)
    assert found.complete and len(found.instructions) == len(MARRED) == 8
    lost = found.instructions
    assert lost[1, 1] == Difference(0.0, 0.0, 0.0)  # v3 = v0 + v0
    assert lost[2, 4].high < 0.0 and lost[2, 4].certain  # v1 = v1 - v0
    fixed = meter(without(MARRED, (2, 4)))
    assert lost[2, 4].value == pytest.approx(fitness_of(base) - fitness_of(fixed), abs=1e-12)


def test_what_learns_is_worth_all_that_was_learned(tasks):
    meter = meter_on(tasks)
    good = without(without(MARRED, (2, 4)), (1, 1))
    found = worth(good, meter, meter(good))
    blind = fitness_of(meter(parse(Predict="s1 = s2 + s2")))
    whole = fitness_of(found.base)
    for spot in ((1, 0), (2, 2), (2, 3)):
        assert found.instructions[spot].value == pytest.approx(whole - blind, abs=1e-12)
        assert found.instructions[spot].low > 0.0


def test_constants_that_matter(tasks):
    marred = parse(
        Setup="s2 = 0.1; s4 = 3", Predict="s1 = dot(v1, v0); s5 = s4 + s4",
        Learn="s3 = s0 - s1; s3 = s2 * s3; v2 = s3 * v0; v1 = v1 + v2",
    )  # fmt: skip
    meter = meter_on(tasks)
    found = worth(marred, meter, meter(marred))
    rate, idle = found.constants
    assert (
        rate.matters
        and rate.lost["zero"].low > 0.0
        and set(rate.lost) == {"halved", "doubled", "zero"}
    )
    assert not idle.matters and idle.knob.value == 3.0


def test_the_interval_is_students_over_tasks(tasks):
    meter = meter_on(tasks)
    a, b = meter(LINEAR), meter(without(LINEAR, (2, 3)))
    found = difference(tasks, a, b)
    wanted = stats.ttest_rel(a[0].task_fitness, b[0].task_fitness).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high))
    assert found.value == pytest.approx(np.mean(a[0].task_fitness - b[0].task_fitness))


def test_seeds_are_averaged_on_each_task(tasks):
    meter = meter_on(tasks, seeds=3)
    a, b = meter(NOISY), meter(parse(Predict="s1 = dot(v1, v0)"))
    assert len({e.fitness for e in a}) == 3 and len({e.fitness for e in b}) == 1
    found = difference(tasks, a, b)
    by_task = np.mean([x.task_fitness - y.task_fitness for x, y in zip(a, b, strict=True)], axis=0)
    half = stats.t.ppf(0.975, 5) * stats.sem(by_task)
    assert (found.low, found.high) == pytest.approx((by_task.mean() - half, by_task.mean() + half))


def test_a_single_task_is_compared_by_examples():
    one = small_tasks(tasks=1, train=60, valid=200, metric="accuracy")
    meter = meter_on(one)
    a, b = meter(LINEAR), meter(without(LINEAR, (2, 3)))
    found = difference(one, a, b)
    gaps = (b[0].errors - a[0].errors)[0]
    assert found.value == pytest.approx(gaps.mean())
    assert found.high - found.value == pytest.approx(1.96 * gaps.std() / np.sqrt(200))
    assert found.low > 0.0


def test_evaluations_are_bounded_and_told(tasks):
    made = []
    meter = meter_on(tasks, most=4, told=made.append)
    found = worth(LINEAR, meter, meter(LINEAR))
    assert made == [1, 2, 3, 4] and len(found.instructions) == 3
    assert not found.complete and found.constants == []
    meter = meter_on(tasks, most=8)
    found = worth(LINEAR, meter, meter(LINEAR))  # all six instructions, and a third of a constant
    assert len(found.instructions) == 6 and not found.complete and found.constants == []


def test_what_fails_everywhere(tasks):
    meter = meter_on(tasks)
    assert fails(meter(parse(Predict="s1 = 1 / s2"))) and not fails(meter(LINEAR))


def test_constants_are_stored_as_instructions_store_them():
    program = parse(
        Setup="s2 = 0.1; v1[0.5] = 0.1; v2 = uniform(-1, 1, n_features)", Predict="s1 = s2 + s2"
    )
    found = knobs(program)
    assert [(k.spot, k.index) for k in found] == [
        ((0, 0), 0),
        ((0, 1), 1),
        ((0, 2), 0),
        ((0, 2), 1),
    ]
    other = with_constants(program, [(k, 0.3) for k in found])
    assert other.setup[0].constants == (0.3,)
    assert other.setup[1].constants == (0.5, float(np.float32(0.3)))

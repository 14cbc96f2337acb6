"""The figure to believe: that of a predictor, beside chance, with an interval that holds."""

from dataclasses import replace

import numpy as np
import pytest
from helpers import MEMORY, parse, random_program, small_tasks

from zero.programs.evaluator import Evaluation, Evaluator
from zero.programs.figures import chance, differ, interval
from zero.programs.interpreter import cpu
from zero.programs.simplified import departures
from zero.tasks import TaskSet

BACKENDS = ["reference", "cpu"]
# Says the classes in turn and looks at nothing, s2 is its memory.
TOGGLE = parse(Setup="s2 = 1; s3 = -1", Predict="s2 = s2 * s3; s1 = s2 + s5")


def evaluate(program, tasks, backend, **how):
    module = cpu.build("float64", 4) if backend == "cpu" else None
    return Evaluator(tasks, backend, memory=MEMORY, module=module, keep_errors=True, **how)(program)


def in_turn(rows=40):
    """Tasks whose valid labels are 1, 0, 1, 0, ..."""
    tasks = small_tasks(2, 8, rows, metric="accuracy")
    tasks.valid_y[:] = np.arange(rows) % 2 == 1
    return tasks


@pytest.mark.parametrize("backend", BACKENDS)
def test_memory_lasts_in_the_search_and_not_in_a_predictor(backend):
    tasks = in_turn()
    lasting = evaluate(TOGGLE, tasks, backend)
    assert lasting.fitness in (0.0, 1.0)
    predictor = evaluate(TOGGLE, tasks, backend, independent=True)
    assert predictor.fitness == 0.5  # the same answer for all
    assert differ(tasks, predictor, lasting)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("metric", ["accuracy", "rms_error"])
def test_a_prediction_does_not_depend_on_the_rows_before_it(backend, metric):
    tasks = small_tasks(3, 8, 9, metric=metric, epochs=2)
    order = np.random.default_rng(4).permutation(9)
    other = replace(tasks, valid_x=tasks.valid_x[:, order], valid_y=tasks.valid_y[:, order])
    rng = np.random.default_rng(5)
    drawing = parse(Predict="s2 = gaussian(0, 1); s3 = dot(v0, v0); s1 = s2 * s3")
    average = parse(Predict="v1 = v1 + v0; s2 = 0.1; v2 = s2 * v1; s1 = dot(v2, v0)")
    moved = []
    for program in (TOGGLE, drawing, average, *(random_program(rng) for _ in range(20))):
        one, two = (evaluate(program, t, backend, independent=True) for t in (tasks, other))
        np.testing.assert_array_equal(one.errors[:, order], two.errors)
        one, two = (evaluate(program, t, backend) for t in (tasks, other))
        moved.append(not np.array_equal(one.errors[:, order], two.errors, equal_nan=True))
    assert all(moved[:2])  # these do depend on it otherwise


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_predictor_is_what_training_left_at_its_end(backend):
    # The step is far too large: the error grows with every example, and so from epoch to epoch.
    worse = parse(
        Setup="s2 = 2.5",
        Predict="s1 = dot(v0, v1)",
        Learn="s3 = s0 - s1; s3 = s3 * s2; v2 = s3 * v0; v1 = v1 + v2",
    )
    tasks = small_tasks(1, 3, 6, epochs=3)
    how = {"max_abs_error": 1e30}
    best = evaluate(worse, tasks, backend, **how)
    last = evaluate(worse, tasks, backend, independent=True, **how)
    assert 0.0 < last.fitness < best.fitness
    # One that fails on the way has no predictor to offer, whatever its earlier epochs were.
    worst_first = float(np.nanmax(evaluate(worse, replace(tasks, epochs=1), backend, **how).errors))
    limit = {"max_abs_error": 3 * worst_first}
    assert evaluate(worse, tasks, backend, **limit).fitness > 0.0
    failed = evaluate(worse, tasks, backend, independent=True, **limit)
    assert failed.fitness == 0.0 and np.isnan(failed.errors).all()


def test_what_a_search_counts_beyond_a_predictor_is_named():
    average = parse(Predict="s1 = s2 + s2", Learn="s3 = s0 + s2; s2 = s3 * s4")
    assert departures(average, 1) == []  # it learns from row to row, but predicts from what is left
    assert departures(average, 3) == ["the best of 3 epochs counts"]
    (memory,) = departures(TOGGLE, 1)
    # What validation leaves in memory changes how the next epoch learns.
    total = parse(Predict="v2 = v2 + v0; s1 = dot(v1, v0)", Learn="v1 = v1 + v2")
    assert departures(total, 1) == [] and departures(total, 2)[0] == memory
    (draws,) = departures(parse(Predict="s1 = gaussian(0, 1); s3 = gaussian(0, 1)"), 1)
    assert "memory" in memory and "random" in draws
    assert departures(parse(Setup="s1 = gaussian(0, 1)", Predict="s4 = s4 + s3"), 1) == []
    both = "s1 = gaussian(0, 1); s5 = s5 + s1; s1 = s5 + s1"
    assert departures(parse(Predict=both), 2) == [memory, draws, "the best of 2 epochs counts"]


def test_without_a_departure_a_predictor_has_what_the_search_counts():
    tasks = small_tasks(2, 6, 7)
    rng = np.random.default_rng(6)
    same = 0
    for _ in range(150):
        program = random_program(rng, MEMORY, (3, 4, 4))
        if departures(program, tasks.epochs):
            continue
        one = evaluate(program, tasks, "reference", independent=True)
        two = evaluate(program, tasks, "reference")
        np.testing.assert_array_equal(one.errors, two.errors)
        same += len(np.unique(one.errors)) > 2
    assert same  # otherwise this says nothing


# --- chance -----------------------------------------------------------------------------------------


def test_chance_is_the_larger_class_or_the_mean():
    tasks = small_tasks(2, 8, 4, metric="accuracy")
    tasks.valid_y[:] = [[1, 1, 1, 0], [0, 0, 0, 0]]
    assert chance(tasks).tolist() == [0.75, 1.0]
    tasks = small_tasks(1, 4, 2)
    tasks.train_y[:], tasks.valid_y[:] = [[1, 2, 3, 4]], [[1.5, 3.5]]
    assert chance(tasks) == pytest.approx([0.5])  # off by one either way: 1 - 2/pi arctan(1)


# --- intervals --------------------------------------------------------------------------------------


def classes(wrong, ids=None):
    """Task set and evaluation with these wrong answers (T, V)."""
    wrong = np.atleast_2d(np.asarray(wrong, float))
    count, rows = wrong.shape
    x, y = np.zeros((count, rows, 1)), np.zeros((count, rows))
    tasks = TaskSet(
        ("t",) * count, np.zeros(count, np.uint32), x, y, x, y, "accuracy", valid_ids=ids
    )  # fmt: skip
    fitness = 1.0 - wrong.mean(axis=1)
    return tasks, Evaluation(float(fitness.mean()), fitness, 0, wrong)


def test_the_interval_of_one_task_is_wilsons():
    low, high = interval(*classes(np.arange(100) < 10))
    assert (low, high) == pytest.approx((0.8256, 0.9448), abs=2e-4)  # Wilson, 90 of 100
    assert interval(*classes(np.zeros(50)))[0] == pytest.approx(0.9287, abs=2e-4)


def test_examples_that_tasks_share_count_once():
    wrong = np.tile(np.arange(60) < 20, (8, 1))
    alone = interval(*classes(wrong[:1]))
    shared = interval(*classes(wrong, np.tile(np.arange(60), (8, 1))))
    apart = interval(*classes(wrong))
    assert shared == pytest.approx(alone)
    assert apart[1] - apart[0] < 0.5 * (shared[1] - shared[0])


@pytest.mark.parametrize("metric", ["accuracy", "rms_error"])
@pytest.mark.parametrize(("rows", "least"), [(3, 0.87), (80, 0.91)])
def test_the_interval_holds_what_it_promises(metric, rows, least):
    """Of 400 draws of examples, some 95 % have the true fitness in their interval."""
    rng = np.random.default_rng(8)
    held = 0
    for _ in range(400):
        if metric == "accuracy":
            tasks, evaluation = classes(rng.random((2, rows)) < 0.2)
            true = 0.8
        else:
            tasks, _ = classes(np.zeros((2, rows)))
            tasks = replace(tasks, metric="rms_error")
            errors = np.abs(rng.normal(size=(2, rows)))
            fitness = 1 - 2 / np.pi * np.arctan(np.sqrt((errors**2).mean(axis=1)))
            evaluation = Evaluation(float(fitness.mean()), fitness, 0, errors)
            true = 0.5
        low, high = interval(tasks, evaluation)
        held += low <= true <= high
    assert least * 400 <= held <= 0.985 * 400


def test_one_row_tells_nothing_of_an_error():
    tasks, _ = classes(np.zeros((3, 1)), np.zeros((3, 1), int))
    tasks = replace(tasks, metric="rms_error")
    evaluation = Evaluation(0.8, np.full(3, 0.8), 0, np.full((3, 1), 0.3))
    assert interval(tasks, evaluation) == (0.0, 1.0)


def test_two_figures_differ_only_by_more_than_chance():
    rng = np.random.default_rng(3)
    base = rng.random(200) < 0.3
    few, many = base.copy(), base.copy()
    few[:3], many[:40] = ~few[:3], True
    tasks, one = classes(base)
    assert not differ(tasks, one, one)
    assert not differ(tasks, one, classes(few)[1])
    assert differ(tasks, one, classes(many)[1])
    assert differ(*classes(np.zeros(50)), classes(np.ones(50))[1])
    assert not differ(*classes(np.zeros(2)), classes(np.ones(2))[1])  # two examples say nothing

"""Optimisers, clipping, weight averages and schedules: steps worked out by hand."""

from itertools import pairwise

import numpy as np
import pytest
from pydantic import ValidationError

from zero.nn.network import Builder
from zero.nn.optimizers import BLOCK, OPTIMIZERS, WeightAverage, clip_gradients
from zero.nn.train_settings import TrainSettings, make_optimizer, schedule_of


def network(inputs=2):
    """One linear layer: `inputs` weights that decay, one bias that does not."""
    b = Builder((1, 1, inputs))
    return b.network(b.linear(0, 1))


def steps(name, gradients, rate=0.1, start=1.0, inputs=2, dtype="float32", **settings):
    """Returns all parameters after steps with these gradients, the same for each parameter."""
    net = network(inputs)
    optimizer = make_optimizer(net, TrainSettings(optimizer=name, **settings), dtype)
    parameters = np.full(inputs + 1, start, dtype)
    for g in gradients:
        optimizer.step(parameters, np.full(inputs + 1, g, dtype), rate)
    assert parameters.dtype == dtype and all(v.dtype == dtype for v in optimizer.state.values())
    return parameters


PLAIN = {"weight_decay": 0.0}


def test_sgd_without_momentum():
    after = steps("sgd", [2, 3], momentum=0.0, nesterov=False, **PLAIN)
    np.testing.assert_allclose(after, 1 - 0.1 * 2 - 0.1 * 3, rtol=1e-6)


def test_sgd_with_momentum():
    # velocities 2 and 0.5 * 2 + 3 = 4
    after = steps("sgd", [2, 3], momentum=0.5, nesterov=False, **PLAIN)
    np.testing.assert_allclose(after, 1 - 0.1 * 2 - 0.1 * 4, rtol=1e-6)


def test_sgd_with_nesterov_momentum():
    # steps 2 + 0.5 * 2 = 3 and 3 + 0.5 * 4 = 5
    after = steps("sgd", [2, 3], momentum=0.5, nesterov=True, **PLAIN)
    np.testing.assert_allclose(after, 1 - 0.1 * 3 - 0.1 * 5, rtol=1e-6)


def test_rmsprop_has_epsilon_inside_the_root_and_starts_at_one():
    settings = {"rmsprop_decay": 0.75, "rmsprop_epsilon": 0.25, "momentum": 0.5, **PLAIN}
    # mean squares 0.75 + 0.25 * 4 = 1.75 and 0.75 * 1.75 + 0.25 * 9 = 3.5625
    first = 0.1 * 2 / np.sqrt(1.75 + 0.25)
    second = 0.5 * first + 0.1 * 3 / np.sqrt(3.5625 + 0.25)
    after = steps("rmsprop", [2, 3], **settings)
    np.testing.assert_allclose(after, 1 - first - second, rtol=1e-6)


@pytest.mark.parametrize("name", list(OPTIMIZERS))
def test_weights_decay_and_biases_do_not(name):
    decayed = steps(name, [2], weight_decay=0.5, start=4.0)
    as_if = steps(name, [2 + 0.5 * 4], start=4.0, **PLAIN)
    free = steps(name, [2], start=4.0, **PLAIN)
    assert (decayed[:2] == as_if[:2]).all()
    assert decayed[2] == free[2] != as_if[2]


@pytest.mark.parametrize("name", list(OPTIMIZERS))
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_long_vectors_are_treated_as_short_ones(name, dtype):
    many = steps(name, [2, -1, 0.5], inputs=2 * BLOCK + 5, weight_decay=0.1, dtype=dtype)
    few = steps(name, [2, -1, 0.5], weight_decay=0.1, dtype=dtype)
    assert (many[:-1] == few[0]).all() and many[-1] == few[-1]


@pytest.mark.parametrize("name", list(OPTIMIZERS))
def test_a_minimum_is_found(name):
    net = network()
    optimizer = make_optimizer(net, TrainSettings(optimizer=name, **PLAIN))
    parameters, goal = np.zeros(3, np.float32), np.array([3, -2, 0.5], np.float32)
    for _ in range(300):
        optimizer.step(parameters, parameters - goal, 0.02)
    np.testing.assert_allclose(parameters, goal, atol=1e-2)


def test_clipping():
    g = np.array([3, 4], np.float32)
    assert clip_gradients(g, 10) == 5 and g.tolist() == [3, 4]
    assert clip_gradients(g, 0) == 5 and g.tolist() == [3, 4]
    assert clip_gradients(g, 1) == 5
    np.testing.assert_allclose(g, [0.6, 0.8], rtol=1e-6)
    long = np.ones(3 * BLOCK + 1, np.float32)
    assert clip_gradients(long, 1) == pytest.approx(np.sqrt(3 * BLOCK + 1), rel=1e-12)
    huge = np.full(2, 1e30, np.float32)  # its squares are beyond float32
    assert clip_gradients(huge, 1) == pytest.approx(1e30 * np.sqrt(2), rel=1e-6)
    np.testing.assert_allclose(huge, np.sqrt(0.5), rtol=1e-5)
    assert np.isnan(clip_gradients(np.array([1, np.nan], np.float32), 1))
    assert np.isinf(clip_gradients(np.array([1, np.inf], np.float32), 1))


def test_the_weight_average_follows():
    average = WeightAverage(np.zeros(2, np.float32), np.ones(1, np.float32), 0.5)
    values = np.array([10, 20], np.float32), np.array([3], np.float32)
    average.update(*values, 0)  # decay 1 / 10 at first, 2 / 11 next
    np.testing.assert_allclose(average.parameters, [9, 18], rtol=1e-6)
    np.testing.assert_allclose(average.statistics, [2.8], rtol=1e-6)
    average.update(*values, 1)
    np.testing.assert_allclose(average.parameters, [10 - 2 / 11, 20 - 4 / 11], rtol=1e-6)
    average.update(values[0] + 1, values[1], 1000)
    np.testing.assert_allclose(average.parameters[0], (10 - 2 / 11 + 11) / 2, rtol=1e-6)


def rates(count, **settings):
    schedule = schedule_of(TrainSettings(learning_rate=0.4, **settings))
    return [schedule.rate(step, 10) for step in range(count)]


def test_cosine():
    found = rates(100, epochs=10, schedule="cosine", min_learning_rate=0.2)
    assert found[0] == 0.4
    assert found[50] == pytest.approx(0.3)
    assert found[25] == pytest.approx(0.3 + 0.1 * np.sqrt(0.5))
    assert 0.2 < found[-1] < 0.2001
    assert all(b < a for a, b in pairwise(found))


def test_steps_and_constant():
    found = rates(60, epochs=6, schedule="step", milestones=[2, 5], gamma=0.5)
    assert found == [0.4] * 20 + [0.2] * 30 + [0.1] * 10
    assert rates(60, epochs=6, schedule="constant") == [0.4] * 60


def test_warm_up_comes_before_the_schedule():
    found = rates(100, epochs=10, schedule="cosine", warmup_epochs=2)
    np.testing.assert_allclose(found[:20], 0.4 * np.arange(1, 21) / 20)
    assert found[20] == 0.4 and found[60] == pytest.approx(0.2)


def test_one_cycle_goes_up_and_down_in_cosines():
    found = rates(100, epochs=10, schedule="one_cycle", cycle_start=4, min_learning_rate=0.1)
    assert found[0] == pytest.approx(0.1) and found[30] == 0.4 == max(found)
    assert found[15] == pytest.approx(0.25) and found[65] == pytest.approx(0.25)
    assert 0.1 < found[-1] < 0.101
    assert all(a < b for a, b in pairwise(found[:31])) and all(
        a > b for a, b in pairwise(found[30:])
    )


def test_super_convergence_is_a_triangle_and_a_tail():
    found = rates(100, epochs=10, schedule="super_convergence", cycle_start=10, cycle_rise=0.4)
    np.testing.assert_allclose(found[:41], np.linspace(0.04, 0.4, 41))
    np.testing.assert_allclose(found[40:81], np.linspace(0.4, 0.04, 41))
    np.testing.assert_allclose(found[80:], np.linspace(0.04, 0, 21)[:-1], atol=1e-12)


@pytest.mark.parametrize("name", ["one_cycle", "super_convergence"])
def test_momentum_is_lowest_where_the_rate_is_highest(name):
    made = TrainSettings(
        learning_rate=0.4, epochs=10, schedule=name, momentum=0.95, lowest_momentum=0.85
    )
    schedule = schedule_of(made)
    found = [schedule.momentum_at(step, 10) for step in range(100)]
    assert found[0] == pytest.approx(0.95) and found[-1] == pytest.approx(0.95, abs=1e-3)
    assert min(found) == pytest.approx(0.85)
    assert np.argmin(found) == np.argmax([schedule.rate(step, 10) for step in range(100)])
    assert schedule_of(TrainSettings(schedule=name)).momentum_at(5, 10) is None


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"schedule": "one_cycle", "warmup_epochs": 1}, "rises by itself; leave them out"),
        ({"cycle_rise": 0.2}, "cycle_rise: schedule 'cosine' has none; .* one_cycle or super"),
        ({"lowest_momentum": 0.2}, "lowest_momentum: schedule 'cosine' has none"),
        ({"schedule": "super_convergence", "cycle_rise": 0.6}, "cycle_rise: must be at most 0.5"),
        ({"schedule": "one_cycle", "lowest_momentum": 0.95}, "must be at most momentum"),
        ({"schedule": "one_cycle", "min_learning_rate": 1.0}, "min_learning_rate"),
        ({"mixup": -0.1}, "mixup"),
        ({"optimizer": "adam"}, "unknown optimizer 'adam'"),
        ({"schedule": "cosin"}, "did you mean 'cosine'"),
        ({"epochs": 0}, "epochs"),
        ({"warmup_epochs": 25}, "must be below epochs"),
        ({"schedule": "step"}, "milestones"),
        ({"milestones": [3]}, "milestones"),
        ({"schedule": "step", "milestones": [3, 3]}, "must rise"),
        ({"min_learning_rate": 1.0}, "min_learning_rate"),
        ({"drop_path": 1.0}, "drop_path"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"lerning_rate": 0.1}, "lerning_rate"),
    ],
)
def test_bad_settings(settings, words):
    with pytest.raises(ValidationError, match=words):
        TrainSettings(**settings)

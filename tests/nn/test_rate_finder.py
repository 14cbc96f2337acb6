"""The range test: rates that rise, what it suggests, and how it ends where nothing is found."""

import numpy as np
import pytest

from zero.data.images import ImageSettings, load_images
from zero.errors import NetworkError
from zero.nn.network import Builder
from zero.nn.rate_finder import judged, range_test, settings_for_test
from zero.nn.train import Trainer
from zero.nn.train_settings import TrainSettings


@pytest.fixture(scope="module")
def few():
    return load_images(ImageSettings(train=160, valid=40, test=40))


def learner(few, seed=0, **settings):
    b = Builder((8, 8, 1))
    x = b.relu(b.batch_norm(b.conv(0, 16, 3)))
    x = b.relu(b.batch_norm(b.conv(x, 32, 3, stride=2)))
    made = TrainSettings(**{"batch": 16, "ema": 0.9, "schedule": "one_cycle", **settings})
    test = settings_for_test(made, 100, 10)
    return Trainer(b.network(b.linear(b.global_pool(x), 10)), few, test, seed, "reference")


def curve(lowest_at):
    """A loss over rates that falls, and rises after a rate."""
    rates = np.geomspace(1e-4, 10, 81)
    at = np.log10(rates / lowest_at)
    return rates, np.where(at < 0, 2.3 / (1 + np.exp(3 * (at + 1.5))), 0.02 + at)


@pytest.mark.parametrize("lowest_at", [0.01, 1.0])
def test_the_suggestion_is_a_third_of_the_rate_of_the_lowest_loss(lowest_at):
    rates, losses = curve(lowest_at)
    found = judged(rates, losses, losses)
    assert found.lowest == pytest.approx(lowest_at, rel=0.2)
    assert found.suggestion == pytest.approx(lowest_at / 3, rel=0.2)
    assert found.steepest == pytest.approx(lowest_at * 10**-1.5, rel=0.3)


def test_a_network_s_rate(few):
    found = range_test(learner(few), steps=60)
    assert found.rates[0] == 1e-4 and (np.diff(np.log(found.rates)).std() < 1e-9)
    assert len(found.rates) == len(found.losses) == len(found.smoothed) <= 60
    assert found.rates[0] < found.suggestion < found.lowest <= found.rates[-1]
    assert found.smoothed.min() < 0.9 * found.smoothed[0]
    again = range_test(learner(few), steps=60)
    assert (again.losses == found.losses).all() and again.suggestion == found.suggestion
    assert (range_test(learner(few, 1), steps=60).losses[:5] != found.losses[:5]).any()


def test_a_training_with_the_suggestion_learns_more_than_with_rates_far_off(few):
    found = range_test(learner(few), steps=60)

    def loss(rate):
        mine = learner(few)
        return np.mean([mine.train_step(rate) for _ in range(60)][-10:])

    good = loss(found.suggestion)
    assert good < loss(found.suggestion / 100) and good < loss(found.suggestion * 1000)


def test_where_nothing_is_found():
    rates, losses = curve(1.0)
    with pytest.raises(NetworkError, match="never falls between the rates 1 and 10"):
        judged(rates[64:], losses[64:], losses[64:])
    with pytest.raises(NetworkError, match="loss falls by less than a tenth"):
        judged(rates, 2.2 + 0.02 * losses, 2.2 + 0.02 * losses)
    with pytest.raises(NetworkError, match="too high or no number after 4 steps"):
        judged(rates[:4], losses[:4], losses[:4])


def test_the_loss_that_explodes_ends_it(few):
    mine = learner(few, clip=0.0)
    found = range_test(mine, lowest=1e-2, highest=1e3, steps=100)
    assert len(found.rates) < 100 and np.isfinite(found.losses).all()

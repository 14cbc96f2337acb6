"""Mixup: shares drawn for each example, images and labels mixed alike, the loss of mixed labels."""

import numpy as np
import pytest

from zero.data.images import ImageSettings, load_images
from zero.nn.augment import draw_shares, epoch_order, mix
from zero.nn.batches import Batches
from zero.nn.loss import softmax_cross_entropy
from zero.nn.network import Builder
from zero.nn.stages import Course
from zero.nn.train import Trainer
from zero.nn.train_settings import TrainSettings


@pytest.fixture(scope="module")
def few():
    return load_images(ImageSettings(train=70, valid=40, test=40))


@pytest.mark.parametrize("alpha", [0.2, 0.5, 1.0, 2.0])
def test_shares_are_of_the_beta_distribution(alpha):
    from scipy.stats import beta, kstest

    found = draw_shares(4000, alpha, 1, 2)
    assert found.shape == (4000,) and (found >= 0).all() and (found <= 1).all()
    assert kstest(found, beta(alpha, alpha).cdf).pvalue > 1e-3


def test_a_share_depends_on_seed_epoch_and_example_only():
    found = draw_shares(50, 0.4, 1, 2)
    assert (draw_shares(20, 0.4, 1, 2) == found[:20]).all()
    assert (draw_shares(50, 0.4, 2, 2) != found).any() and (
        draw_shares(50, 0.4, 1, 3) != found
    ).any()


def test_rows_are_mixed_with_the_next():
    values = np.array([[0.0], [10.0], [30.0]], np.float32)
    found = mix(values, np.array([0.5, 1.0, 0.25]))
    assert found.dtype == np.float32 and found.ravel().tolist() == [5, 10, 7.5]


def test_a_batch_mixes_images_and_labels_alike(few):
    settings = TrainSettings(epochs=1, batch=16, mixup=0.5)
    (leg,) = Course(settings, 70, few.image_shape).legs
    plain = Batches(few, settings.model_copy(update={"mixup": 0.0}), leg, 3)
    mine = Batches(few, settings, leg, 3)
    taught = np.random.default_rng(0).dirichlet(np.ones(10), 70)
    rows = epoch_order(70, 3, 4)[16:32]
    shares = draw_shares(70, 0.5, 3, 4)[rows]
    apart, mixed = plain.get(4, 1, taught), mine.get(4, 1, taught)
    assert apart.mixed is None and (apart.labels == few.train_y[rows]).all()
    for k, share in enumerate(shares):
        other = (k + 1) % 16
        wanted = share * apart.images[k] + (1 - share) * apart.images[other]
        np.testing.assert_allclose(mixed.images[k], wanted, rtol=1e-4, atol=1e-5)
        truth = np.zeros(10)
        truth[apart.labels[k]] += share
        truth[apart.labels[other]] += 1 - share
        np.testing.assert_allclose(mixed.mixed[k], truth, atol=1e-12)
        larger = apart.labels[k if share >= 0.5 else other]
        assert mixed.labels[k] == larger
        wanted = share * apart.taught[k] + (1 - share) * apart.taught[other]
        np.testing.assert_allclose(mixed.taught[k], wanted)


@pytest.mark.parametrize("smoothing, weight", [(0.0, 0.0), (0.1, 0.5)])
def test_the_loss_of_mixed_labels_is_the_mean_of_both(smoothing, weight):
    rng = np.random.default_rng(0)
    logits, a, b = rng.normal(size=(6, 4)), rng.integers(0, 4, 6), rng.integers(0, 4, 6)
    taught = rng.dirichlet(np.ones(4), 6)
    mixed = 0.3 * np.eye(4)[a] + 0.7 * np.eye(4)[b]
    loss, slope = softmax_cross_entropy(logits, a, smoothing, taught, weight, mixed)
    one, other = (softmax_cross_entropy(logits, y, smoothing, taught, weight) for y in (a, b))
    assert loss == pytest.approx(0.3 * one[0] + 0.7 * other[0])
    np.testing.assert_allclose(slope, 0.3 * one[1] + 0.7 * other[1])
    step = 1e-6 * rng.normal(size=logits.shape)
    up, down = (
        softmax_cross_entropy(logits + sign * step, a, smoothing, taught, weight, mixed)[0]
        for sign in (1, -1)
    )
    assert (up - down) / 2 == pytest.approx((slope * step).sum(), rel=1e-5)


def test_it_changes_training_and_backends_agree(few):
    b = Builder((8, 8, 1))
    x = b.relu(b.batch_norm(b.conv(0, 4, 3)))
    net = b.network(b.linear(b.global_pool(x), 10), b.linear(b.global_pool(x), 10))

    def trained(backend, **settings):
        made = TrainSettings(epochs=2, batch=16, learning_rate=0.1, **settings)
        return Trainer(net, few, made, 0, backend).run_epochs()

    found = [trained(backend, mixup=0.4, label_smoothing=0.1) for backend in ("cpu", "reference")]
    np.testing.assert_allclose(found[0].parameters, found[1].parameters, rtol=0, atol=2e-4)
    assert np.abs(found[1].parameters - trained("reference").parameters).max() > 1e-3

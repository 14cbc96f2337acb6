"""Batches: normalisation, crops, flips and cutouts, and what the draws depend on."""

import numpy as np
import pytest

from zero.nn.augment import Augmenter, Choices, Normaliser, draw_choices, epoch_order

SHAPE = (6, 5, 3)
MEAN, STD = np.array([100, 50, 10], np.float32), np.array([50, 20, 4], np.float32)
PLAIN = (np.zeros(3, np.float32), np.ones(3, np.float32))


def images(count=40, dtype=np.uint8):
    return np.random.default_rng(0).integers(1, 256, (count, *SHAPE)).astype(dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_normalised_per_channel(dtype):
    x = images(dtype=dtype)
    before = x.copy()
    out = Normaliser(SHAPE, MEAN, STD)(x)
    assert out.dtype == np.float32 and out.shape == x.shape and out.flags.c_contiguous
    np.testing.assert_allclose(out, (x.astype(float) - MEAN) / STD, rtol=1e-5, atol=1e-5)
    assert (x == before).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_crop_is_the_chosen_window_of_the_padded_image(dtype):
    pad, x = 2, images(dtype=dtype)
    choices = draw_choices(40, SHAPE[:2], pad, True, 3, 0)
    out = Augmenter(SHAPE, *PLAIN, pad=pad).batch(x, choices)
    for i in range(40):
        padded = np.pad(x[i], [(pad, pad), (pad, pad), (0, 0)])
        window = padded[choices.top[i] :, choices.left[i] :][:6, :5]
        wanted = window[:, ::-1] if choices.flip[i] else window
        assert (out[i] == wanted).all()
    corners = set(zip(choices.top.tolist(), choices.left.tolist(), strict=True))
    assert len(corners) > 10 and choices.flip.any() and not choices.flip.all()


def test_padding_is_black_and_cutouts_are_the_mean():
    x = images(1)
    window = Choices(*(np.array([v]) for v in (0, 0, False, 0, 4)))  # the top left corner
    out = Augmenter(SHAPE, MEAN, STD, pad=2).batch(x, window)
    np.testing.assert_allclose(out[0, :2], np.broadcast_to(-MEAN / STD, (2, 5, 3)), rtol=1e-5)
    whole = Normaliser(SHAPE, MEAN, STD)(x)[0]
    out = Augmenter(SHAPE, MEAN, STD, cutout=4).batch(x, window)[0]
    cut = np.zeros(SHAPE[:2], bool)
    cut[:2, 2:] = True  # a square of 4 around row 0, column 4, less what lies outside
    assert (out[cut] == 0).all() and (out[~cut] == whole[~cut]).all()
    out = Augmenter(SHAPE, MEAN, STD, cutout=1).batch(x, window)[0]
    assert np.argwhere((out == 0).all(axis=2)).tolist() == [[0, 4]]
    middle = window._replace(row=np.array([3]), column=np.array([2]))
    out = Augmenter(SHAPE, MEAN, STD, cutout=3).batch(x, middle)[0]
    rows, columns = np.nonzero((out == 0).all(axis=2))
    assert sorted(set(rows)) == [2, 3, 4] and sorted(set(columns)) == [1, 2, 3]


def test_what_happens_to_an_example_does_not_depend_on_its_batch():
    x = images()
    choices = draw_choices(40, SHAPE[:2], 2, True, 3, 5)
    augmenter = Augmenter(SHAPE, MEAN, STD, pad=2, cutout=3)
    together = augmenter.batch(x, choices)
    for rows in (np.array([7]), np.array([30, 2, 7]), np.arange(40)[::-1]):
        part = augmenter.batch(x[rows], Choices(*(v[rows] for v in choices)))
        assert (part == together[rows]).all()


def test_draws_depend_on_seed_epoch_and_example_only():
    first = draw_choices(50, (32, 32), 4, True, 0, 0)
    longer = draw_choices(90, (32, 32), 4, True, 0, 0)
    for a, b in zip(first, longer, strict=True):
        assert (a == b[:50]).all()
    for seed, epoch in ((1, 0), (0, 1)):
        other = draw_choices(50, (32, 32), 4, True, seed, epoch)
        assert all((a != b).any() for a, b in zip(first, other, strict=True))


def test_draws_are_uniform_over_their_ranges():
    count = 20_000
    choices = draw_choices(count, (8, 7), 1, True, 0, 0)
    for values, n in zip(choices, (3, 3, 2, 8, 7), strict=True):
        found = np.bincount(values.astype(int), minlength=n)
        assert len(found) == n
        # Five standard deviations of a binomial count.
        assert np.abs(found - count / n).max() < 5 * np.sqrt(count / n)
    assert not draw_choices(count, (8, 7), 1, False, 0, 0).flip.any()


def test_each_epoch_has_its_own_order():
    orders = [epoch_order(1000, seed, epoch) for seed, epoch in ((0, 0), (0, 1), (1, 0))]
    for order in orders:
        assert sorted(order.tolist()) == list(range(1000))
        # Neighbours are no neighbours any more: 1 in 500 would be by chance.
        assert (np.abs(np.diff(order)) == 1).mean() < 0.02
    assert (orders[0] == epoch_order(1000, 0, 0)).all()
    assert (orders[0] != orders[1]).any() and (orders[0] != orders[2]).any()

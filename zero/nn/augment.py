"""Batches of images: order, size, normalisation, pad-and-crop, horizontal flip, cutout and mixup.

Pixels come as they are stored (uint8, mostly) and leave as float32 (N, H, W, C), each channel minus
the train images' mean, divided by their deviation. Cropping follows the papers' recipe for CIFAR:
`pad` black pixels (0) on every side, then a window of the image's size anywhere in that. Cutout
(DeVries and Taylor, 2017) sets a square to 0 after normalisation, so to the mean; its centre lies
anywhere in the image, so part of the square may lie outside. Mixup (Zhang et al., 2018) comes last:
an image becomes a mean of itself and the one after it in the batch, which the epoch's order says.

What else happens to an example depends on the seed, the epoch and the example's number only, not on
the batch it is in. Called by `zero.nn.batches`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from zero.rng.philox import key_for, philox, unit

if TYPE_CHECKING:
    from zero.data.images import ImageData


class Choices(NamedTuple):
    """What was drawn for each of N examples; (N,) each.

    top, left: int64, the window's corner, in [0, 2 * pad]. flip: bool. row, column: int64, the
    centre of the cutout.
    """

    top: np.ndarray
    left: np.ndarray
    flip: np.ndarray
    row: np.ndarray
    column: np.ndarray


def epoch_order(count: int, seed: int, epoch: int) -> np.ndarray:
    """Returns the numbers 0 to count - 1 in an epoch's random order, int64."""
    words = philox(key_for(seed, "train", "order"), np.arange(count), epoch, 0, 0)
    return np.argsort((words[0] << np.uint64(32)) | words[1], kind="stable")


def some_images(data: ImageData, seed: int, count: int) -> np.ndarray:
    """Returns that many of the first epoch's train images, normalised and nothing else, (N, H, W, C)."""
    rows = epoch_order(len(data.train_x), seed, 0)[:count]
    return Normaliser(data.image_shape, data.mean, data.std)(data.train_x[rows])


def draw_choices(
    count: int, size: tuple[int, int], pad: int, flip: bool, seed: int, epoch: int
) -> Choices:
    """Returns what happens to each of `count` images of that height and width in an epoch."""
    key, examples = key_for(seed, "train", "augment"), np.arange(count)

    def below(word: np.ndarray, n: int) -> np.ndarray:
        return ((word * np.uint64(n)) >> np.uint64(32)).astype(np.int64)

    window = philox(key, examples, epoch, 0, 0)
    centre = philox(key, examples, epoch, 1, 0)
    return Choices(
        below(window[0], 2 * pad + 1),
        below(window[1], 2 * pad + 1),
        (below(window[2], 2) == 1) & flip,
        below(centre[0], size[0]),
        below(centre[1], size[1]),
    )


def draw_shares(count: int, alpha: float, seed: int, epoch: int) -> np.ndarray:
    """Returns mixup's share of itself for each of `count` images in an epoch, float64 in [0, 1].

    From Beta(alpha, alpha) by Joehnk's method (1964): x = u^(1/alpha), y = v^(1/alpha) are drawn until
    x + y <= 1; then x / (x + y). In logarithms, so that small alphas do not make zeros.
    """
    key, found = key_for(seed, "train", "mixup"), np.zeros(count)
    waiting, tries = np.arange(count), 0
    while len(waiting):
        words = philox(key, waiting, epoch, tries, 0)
        x = np.log(unit(words[0], words[1])) / alpha
        y = np.log(unit(words[2], words[3])) / alpha
        both = np.logaddexp(x, y)
        taken = both <= 0
        found[waiting[taken]] = np.exp(x - both)[taken]
        waiting, tries = waiting[~taken], tries + 1
    return found


def mix(values: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Returns for each row the mean of it, as much as its share (N,) says, and the row after it.

    After the last comes the first. A new array of the same dtype and shape (N, ...).
    """
    own = shares.astype(values.dtype).reshape(-1, *[1] * (values.ndim - 1))
    mixed = np.roll(values, -1, axis=0)
    mixed *= 1 - own
    mixed += own * values
    return mixed


class Resizer:
    """Makes smaller images, each pixel the mean of the area that it covers.

    Args:
        shape: (height, width, channels) of the images that it is given.
        to: of those that it makes, at most as high and wide.
    """

    def __init__(self, shape: tuple[int, int, int], to: tuple[int, int, int]):
        self.to = to
        self._rows, self._columns = _areas(shape[0], to[0]), _areas(shape[1], to[1])

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Returns the images (N, H, W, C) in the other size, float32, not rounded."""
        found = np.tensordot(images.astype(np.float32), self._rows, (1, 1))  # (N, W, C, h)
        found = np.tensordot(found, self._columns, (1, 1))  # (N, C, h, w)
        return np.ascontiguousarray(found.transpose(0, 2, 3, 1))


def _areas(size: int, to: int) -> np.ndarray:
    """Returns what share of each new pixel each old one is, float32 (to, size); rows of sum 1."""
    edges, old = np.arange(to + 1) * (size / to), np.arange(size)
    last, first = np.minimum(edges[1:, None], old + 1), np.maximum(edges[:-1, None], old)
    return (np.maximum(last - first, 0) * (to / size)).astype(np.float32)


class Normaliser:
    """Makes float32 batches (N, H, W, C) of images.

    Args:
        shape: (height, width, channels) of an image.
        mean, std: per channel (C,), in the images' units; the result is (pixel - mean) / std.
    """

    def __init__(self, shape: tuple[int, int, int], mean: np.ndarray, std: np.ndarray):
        self.shape = shape
        # One number for each value of an image: NumPy is slow at broadcasting three channels.
        pixels = shape[0] * shape[1]
        scale = 1.0 / std.astype(np.float64)
        self._scale = np.tile(scale.astype(np.float32), pixels)
        self._shift = np.tile((-mean.astype(np.float64) * scale).astype(np.float32), pixels)

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Returns the images (N, H, W, C) normalised, a new array."""
        values = images.reshape(len(images), -1)
        out = np.multiply(values, self._scale, dtype=np.float32, casting="same_kind")
        out += self._shift
        return out.reshape(images.shape)


class Augmenter(Normaliser):
    """Makes train batches: crops, flips, normalises and cuts out.

    Args:
        shape, mean, std: as for `Normaliser`.
        pad: black pixels on every side before cropping; 0: no cropping.
        cutout: height and width of the square; 0: none.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        mean: np.ndarray,
        std: np.ndarray,
        pad: int = 0,
        cutout: int = 0,
    ):
        super().__init__(shape, mean, std)
        self.pad, self.cutout = pad, cutout
        self._padded = np.zeros(0)

    def batch(self, images: np.ndarray, choices: Choices) -> np.ndarray:
        """Returns a batch of the images (N, H, W, C), a new array; choices: one for each."""
        if self.pad:
            images = self._crop(images, choices)
        if choices.flip.any():
            images = self._flip(images, choices.flip)
        out = self(images)
        if self.cutout:
            half, rest = self.cutout // 2, self.cutout - self.cutout // 2
            for image, row, column in zip(out, choices.row, choices.column, strict=True):
                image[max(row - half, 0) : row + rest, max(column - half, 0) : column + rest] = 0
        return out

    def _flip(self, images: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        height, width, channels = self.shape
        # Values of a row by number, pixels from right to left: three times as fast as [:, :, ::-1].
        mirrored = np.arange(width * channels).reshape(width, channels)[::-1].ravel()
        rows = images.reshape(len(images), height, width * channels).copy()
        rows[chosen] = rows[chosen].take(mirrored, axis=2)
        return rows.reshape(images.shape)

    def _crop(self, images: np.ndarray, choices: Choices) -> np.ndarray:
        height, width, channels = self.shape
        count, pad = len(images), self.pad
        shape = (count, height + 2 * pad, width + 2 * pad, channels)
        if self._padded.shape != shape or self._padded.dtype != images.dtype:
            self._padded = np.zeros(shape, images.dtype)
        self._padded[:, pad : pad + height, pad : pad + width] = images
        # All windows of all images as a view; a window's row is one piece of memory.
        steps = self._padded.strides
        windows = as_strided(
            self._padded,
            (count, 2 * pad + 1, 2 * pad + 1, height, width * channels),
            (steps[0], steps[1], steps[2], steps[1], steps[3]),
            writeable=False,
        )
        chosen = windows[np.arange(count), choices.top, choices.left]
        return chosen.reshape(count, height, width, channels)

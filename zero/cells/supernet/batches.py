"""Batches of some of the train images, in random order, for the steps of a supernet."""

from __future__ import annotations

import numpy as np

from zero.data.images import ImageData
from zero.nn.augment import Augmenter, Choices, draw_choices, epoch_order
from zero.nn.train_settings import TrainSettings
from zero.rng.philox import key_for


def halves(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the numbers of `count` images in two halves drawn at random, int64, each rising."""
    order = epoch_order(count, key_for(seed, "supernet", "halves"), 0)
    return np.sort(order[: count // 2]), np.sort(order[count // 2 :])


class Batches:
    """Batches by number: the same number, the same batch, whatever was asked before.

    Args:
        data: the images.
        settings: say the batch and how images are changed.
        rows: numbers of the train images that are used.
        seed: of order and changes.

    Attributes:
        size: images of a batch. count: batches of an epoch; what fills none is left out of it.
    """

    def __init__(self, data: ImageData, settings: TrainSettings, rows: np.ndarray, seed: int):
        self.data, self.settings, self.rows, self.seed = data, settings, rows, seed
        self.size = min(settings.batch, len(rows))
        self.count = len(rows) // self.size
        s = settings
        self._augment = Augmenter(data.image_shape, data.mean, data.std, s.pad, s.cutout)
        self._epoch, self._order = -1, rows
        self._choices: Choices | None = None

    def __call__(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns images (N, H, W, C), augmented and normalised, and labels (N,) of a batch, from 0."""
        data, s = self.data, self.settings
        epoch, at = divmod(number, self.count)
        if epoch != self._epoch:
            total, size = len(self.rows), data.image_shape[:2]
            self._order = epoch_order(total, self.seed, epoch)
            if s.pad or s.flip or s.cutout:
                self._choices = draw_choices(total, size, s.pad, s.flip, self.seed, epoch)
            self._epoch = epoch
        places = self._order[at * self.size : (at + 1) * self.size]
        rows = self.rows[places]
        images, labels = data.train_x[rows], data.train_y[rows]
        if self._choices is None:
            return self._augment(images), labels
        chosen = Choices(*(c[places] for c in self._choices))
        return self._augment.batch(images, chosen), labels

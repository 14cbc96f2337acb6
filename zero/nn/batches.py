"""The batch of each training step: which images, in which size, augmented how, and mixed with which.

All that is drawn depends on seed, epoch and example only (`zero.nn.augment`), so a step's batch is the
same whatever was done before it. Called by `zero.nn.train`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from zero.nn.augment import (
    Augmenter,
    Choices,
    Resizer,
    draw_choices,
    draw_shares,
    epoch_order,
    mix,
)
from zero.nn.stages import Leg
from zero.nn.train_settings import TrainSettings

if TYPE_CHECKING:
    from zero.data.images import ImageData


class Batch(NamedTuple):
    """What a step is given.

    images: float32 (N, H, W, C), augmented and normalised. labels: (N,), of mixed images that of the
    larger part. taught: a teacher's probabilities (N, K) or None. mixed: float64 (N, K), the labels'
    shares of mixed images, None where images stay apart.
    """

    images: np.ndarray
    labels: np.ndarray
    taught: np.ndarray | None
    mixed: np.ndarray | None


class Batches:
    """The batches of one stage of a training.

    Args:
        data: the images.
        settings: of the training; pad and cutout shrink with the images.
        leg: the stage.
        seed: of all that is drawn.

    Attributes:
        resize: makes images of the stage's size; None where they are as they are.
    """

    def __init__(self, data: ImageData, settings: TrainSettings, leg: Leg, seed: int):
        self._data, self._settings, self._leg, self._seed = data, settings, leg, seed
        self.resize: Resizer | None = None
        if leg.shape != data.image_shape:
            self.resize = Resizer(data.image_shape, leg.shape)
        share = leg.shape[0] / data.image_shape[0]
        self._pad = round(settings.pad * share)
        cutout = round(settings.cutout * share)
        self._augment = Augmenter(leg.shape, data.mean, data.std, self._pad, cutout)
        self._drawn_epoch, self._order = -1, np.zeros(0, np.int64)
        self._choices: Choices | None = None
        self._shares: np.ndarray | None = None

    def get(self, epoch: int, at: int, taught: np.ndarray | None = None) -> Batch:
        """Returns an epoch's batch number `at`, both from 0; taught: for all train images."""
        if epoch != self._drawn_epoch:
            self._draw(epoch)
        data, batch = self._data, self._leg.batch
        rows = self._order[at * batch : (at + 1) * batch]
        images, labels = data.train_x[rows], data.train_y[rows]
        taught = None if taught is None else taught[rows]
        if self.resize is not None:
            images = self.resize(images)
        if self._choices is None:
            images = self._augment(images)
        else:
            images = self._augment.batch(images, Choices(*(c[rows] for c in self._choices)))
        if self._shares is None:
            return Batch(images, labels, taught, None)
        shares = self._shares[rows]
        own = np.zeros((len(rows), len(data.classes)))
        own[np.arange(len(rows)), labels] = 1
        return Batch(
            mix(images, shares),
            np.where(shares >= 0.5, labels, np.roll(labels, -1)),
            None if taught is None else mix(taught, shares),
            mix(own, shares),
        )

    def _draw(self, epoch: int) -> None:
        """Draws what an epoch does with each train image."""
        settings, count = self._settings, len(self._data.train_x)
        self._order = epoch_order(count, self._seed, epoch)
        if settings.pad or settings.flip or settings.cutout:
            size = self._leg.shape[:2]
            self._choices = draw_choices(count, size, self._pad, settings.flip, self._seed, epoch)
        if settings.mixup:
            self._shares = draw_shares(count, settings.mixup, self._seed, epoch)
        self._drawn_epoch = epoch

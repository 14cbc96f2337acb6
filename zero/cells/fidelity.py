"""Candidates that are evaluated with less than the run is about: epochs, images, pixels, filters.

What stands in the section `cells` is the full thing; `cells.fidelity` says what a candidate gets instead.
What a candidate costs (its records, `cells.budget`, the objective) stays that of the full network, and
the outcome's figures are those of a training in full: `cells.final`'s, or one as `cells` says.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from zero.config.sections import Positive, Section
from zero.config.settings import Found, across, changed
from zero.data.images import ImageData, with_all
from zero.data.splits import rng_for
from zero.errors import ConfigError
from zero.nn.train_settings import TrainSettings

FULL = {"epochs": "training.epochs", "filters": "skeleton.filters", "images": "images.train"}


class Fidelity(Section):
    """What a candidate gets instead of what the other sections say; each below that.

    epochs: of its training, whose schedule is as long. images: to train on, each class in proportion;
    it is judged by all valid images. pixels: height of the images, each a mean over an area; it must
    divide theirs, and as much the width. filters: of the skeleton.
    """

    epochs: Positive | None = None
    images: Positive | None = None
    pixels: Positive | None = None
    filters: Positive | None = None

    def __str__(self) -> str:
        given = {name: value for name, value in self if value is not None}
        words = {"pixels": "images of {} pixels' height"}
        return ", ".join(words.get(n, "{} " + n).format(f"{v:,}") for n, v in given.items())


def candidate_of(cells: Any) -> Any:
    """Returns the section `cells` as candidates are trained; their images: see `reduced`."""
    fidelity = cells.fidelity
    if fidelity is None:
        return cells
    changes: dict[str, Any] = {"fidelity": None}
    if fidelity.filters is not None:
        changes["skeleton"] = changed(cells.skeleton, filters=fidelity.filters)
    if fidelity.epochs is not None:
        changes["training"] = changed(cells.training, epochs=fidelity.epochs)
    return cells.model_copy(update=changes)


def epochs_of(cells: Any) -> tuple[int, str]:
    """Returns how many epochs a candidate is trained, and the key that says so."""
    if cells.fidelity is not None and cells.fidelity.epochs is not None:
        return cells.fidelity.epochs, "fidelity.epochs"
    return cells.training.epochs, "training.epochs"


# --- images -------------------------------------------------------------------------------------


def reduced(data: ImageData, fidelity: Fidelity, seed: int) -> ImageData:
    """Returns the images that candidates are trained on; seed: of the images' split.

    Raises:
        ConfigError: there are no fewer images, or none with so many pixels.
    """
    if fidelity.images is not None:
        data = _fewer(data, fidelity.images, seed)
    return data if fidelity.pixels is None else _smaller(data, fidelity.pixels)


def _fewer(data: ImageData, count: int, seed: int) -> ImageData:
    counts = data.counts("train")
    least, most = len(counts), int(counts.sum()) - 1
    if not least <= count <= most:
        raise ConfigError(
            f"cells.fidelity.images: must be from {least:,} (one of each class) to {most:,} (one less "
            f"than the train images), got {count:,}"
        )
    rng = rng_for("images/fidelity", seed)
    shuffled = [rng.permutation(np.flatnonzero(data.train_y == k)) for k in range(len(counts))]
    takes = with_all(counts, count)
    rows = np.sort(np.concatenate([r[:n] for r, n in zip(shuffled, takes, strict=True)]))
    return replace(data, train_x=data.train_x[rows], train_y=data.train_y[rows])


def _smaller(data: ImageData, pixels: int) -> ImageData:
    height, width, _ = data.image_shape
    both = math.gcd(height, width)
    fitting = [height // k for k in range(both, 1, -1) if both % k == 0]
    if pixels not in fitting:
        allowed = f"must be one of {', '.join(map(str, fitting))}" if fitting else "leave it out"
        raise ConfigError(
            f"cells.fidelity.pixels: {allowed}, so that whole pixels of the {height} x {width} images "
            f"become one; got {pixels}"
        )
    side = height // pixels
    parts = {f"{part}_x": area_means(getattr(data, f"{part}_x"), side) for part in PARTS}
    return replace(data, **parts)


PARTS = ("train", "valid", "test")


def area_means(images: np.ndarray, side: int) -> np.ndarray:
    """Returns images (N, H, W, C) with a pixel for each side * side of them, their mean.

    Whole numbers stay whole, rounded to the nearest, halves to even; the type stays.
    """
    count, height, width, channels = images.shape
    shape = (count, height // side, width // side, channels)
    found = np.empty(shape, dtype=images.dtype)
    for i in range(0, count, 1000):  # so that no copy of all images in float64 is needed
        block = images[i : i + 1000].reshape(-1, shape[1], side, shape[2], side, channels)
        means = block.mean(axis=(2, 4), dtype=np.float64)
        found[i : i + 1000] = np.rint(means) if images.dtype.kind in "ui" else means
    return found


# --- checks -------------------------------------------------------------------------------------


def check_fidelity(config: Any) -> Iterator[Found]:
    """Yields a fidelity of nothing, and one that is no lower than the full thing."""
    fidelity = config.cells.fidelity
    if fidelity is None:
        return
    if all(getattr(fidelity, name) is None for name in Fidelity.model_fields):
        yield (
            ("cells", "fidelity"),
            f"give one of {', '.join(Fidelity.model_fields)}, or leave it out",
        )


def _check_lower(name: str) -> Any:
    def check(config: Any) -> Iterator[Found]:
        cells = config.cells
        given = None if cells.fidelity is None else getattr(cells.fidelity, name)
        if given is None or (name == "images" and cells.images is None):
            return
        section, key = FULL[name].split(".")
        full = getattr(getattr(cells, section), key)
        if full is not None and 1 <= full <= given:  # below 1: a share of images not read yet
            message = f"must be below {FULL[name]} ({full:,.0f}), got {given:,}"
            yield ("cells", "fidelity", name), message

    return check


def check_training(config: Any) -> Iterator[Found]:
    """Yields what is wrong with the candidates' training, where that of the section is right."""
    cells = config.cells
    if cells.fidelity is None or cells.fidelity.epochs is None:
        return
    if cells.fidelity.epochs < cells.training.epochs:
        training = changed(cells.training, epochs=cells.fidelity.epochs)
        for keys, message in across(training, TrainSettings.checks):
            yield ("cells", "fidelity", "epochs"), f"training.{'.'.join(map(str, keys))} {message}"


CHECKS = (check_fidelity, *map(_check_lower, FULL), check_training)

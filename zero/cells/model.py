"""A trained network in use: it classifies arrays of pixels and image files, prepared as in training.

Made by the kind of genome, for `zero.load` and `zero predict`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from zero.cells.export import find_trained
from zero.data.image_files import SUFFIXES, find_images, left_out_text
from zero.data.pixels import check_range
from zero.data.preparation import OF_FILES, Preparation
from zero.errors import TaskError
from zero.nn import make_model
from zero.nn.augment import Normaliser
from zero.nn.network import Network
from zero.nn.saved import SavedNetwork
from zero.runs.model import Model, Predictions

BATCH = 64  # images predicted at a time
READ_AT_ONCE = 1024  # image files in memory at a time
MOST_NAMED = 10  # files that cannot be read, named one by one


class CellsModel(Model):
    """Classifies images; see `zero.runs.model.Model`.

    image_shape: height, width and channels of the images that it takes.
    """

    def __init__(
        self,
        saved: SavedNetwork,
        network: Network,
        notes: Sequence[str] = (),
        backend: str = "cpu",
        batch: int = BATCH,
    ):
        """backend, batch: of the code that predicts; that of a training is compiled already."""
        self._backend, self._batch = backend, batch
        self.classes, self.image_shape = saved.classes, saved.image_shape
        self._saved, self._network, self._notes = saved, network.without_auxiliary, tuple(notes)

    @classmethod
    def of_run(cls, path: Path, backend: str = "cpu", batch: int = BATCH) -> CellsModel:
        """Returns the network of a run or a training; raises ArchiveError where there is none yet."""
        notes: list[str] = []
        saved, network = find_trained(path if path.is_dir() else path.parent, notes.append)
        return cls(saved, network, notes, backend, batch)

    def predict(self, x: Any, scale: float | None = None) -> np.ndarray:
        """Returns the class name of each image, (N,); arguments and errors as for `predict_proba`."""
        return self._names(self.predict_proba(x, scale))

    def predict_proba(self, x: Any, scale: float | None = None) -> np.ndarray:
        """Returns the probability of each class for each image, (N, K) float32.

        Args:
            x: pixels (N, height, width, channels), or (N, height, width) where there is one channel, of
                the size that the network was trained on; or a list of paths of image files.
            scale: what pixels are multiplied by. None: they must be as in training; 1: they are what
                they should be, though they do not look like it.

        Raises:
            TaskError: images of another size or with other values, a file that cannot be read.
        """
        if isinstance(x, str | Path):
            x = [x]
        if isinstance(x, list | tuple) and x and all(isinstance(p, str | Path) for p in x):
            found = [self._of_files([Path(p) for p in part]) for part in _parts(x, READ_AT_ONCE)]
            return np.concatenate(found)
        return self._of_pixels(self._checked(np.asarray(x), scale), scale or 1.0)

    def predictions(self, path: Path) -> Predictions:
        """Returns the class and probabilities of an image file, or of all in a folder and its folders.

        Files that cannot be read are left out and named in the notes.

        Raises:
            TaskError: there is no such file or folder, or none in it can be read.
        """
        if not path.exists():
            raise TaskError(f"{path}: no such file or folder; give an image or a folder of images")
        files, others = find_images(path) if path.is_dir() else ([path], [])
        if not files:
            but = f"; {left_out_text(others)}" if others else ""
            raise TaskError(f"{path}: no images ({', '.join(SUFFIXES)}) in it{but}")
        self._check_reads_files()
        good: list[Path] = []
        faults: list[TaskError] = []
        probabilities = [np.zeros((0, len(self.classes)), np.float32)]
        for part in _parts(files, READ_AT_ONCE):
            images = []
            for file in part:
                try:
                    images.append(self._preparation.read(file, self.image_shape))
                    good.append(file)
                except TaskError as error:
                    faults.append(error)
            if images:
                probabilities.append(self._of_pixels(np.stack(images), 1.0))
        if not good:
            raise faults[0]
        base = path if path.is_dir() else path.parent
        return self._predictions(
            [str(file.relative_to(base)) for file in good],
            np.concatenate(probabilities),
            [*([left_out_text(others)] if others else []), *_told(faults)],
        )

    def _predictions(
        self, files: list[str], probabilities: np.ndarray, notes: list[str]
    ) -> Predictions:
        columns: dict[str, Sequence[Any]] = {
            "file": files,
            "class": self._names(probabilities).tolist(),
            "probability": list(probabilities.max(axis=1)),
        }
        for number, name in enumerate(self.classes):
            columns[f"p({name})"] = list(probabilities[:, number])
        if self._saved.preparation is None:
            height, width, _ = self.image_shape
            notes.append(
                "an older version wrote this network, which did not record what its images went "
                f"through; images of {height} x {width} pixels are taken as they are"
            )
        return Predictions(columns, (*self._notes, *notes), brief=3)

    def _names(self, probabilities: np.ndarray) -> np.ndarray:
        return np.array(self.classes)[probabilities.argmax(axis=1)]

    # --- images -----------------------------------------------------------------------------------

    @property
    def _preparation(self) -> Preparation:
        return self._saved.preparation or Preparation(False, False, "white", *OF_FILES)

    def _check_reads_files(self) -> None:
        if not self._preparation.reads_files(self.image_shape):
            low, high = self._preparation.low, self._preparation.high
            raise TaskError(
                f"the network was trained on arrays with {self.image_shape[2]} channels and values from "
                f"{low:g} to {high:g}, which image files have not; give arrays: "
                "zero.load(RUN).predict(array)"
            )

    def _of_files(self, files: list[Path]) -> np.ndarray:
        self._check_reads_files()
        images = [self._preparation.read(file, self.image_shape) for file in files]
        return self._of_pixels(np.stack(images), 1.0)

    def _checked(self, images: np.ndarray, scale: float | None) -> np.ndarray:
        """Returns images as (N, H, W, C); raises TaskError where the network does not take them."""
        shape = images.shape
        if images.ndim == 3 and self.image_shape[2] == 1 and shape != self.image_shape:
            images = images[..., None]
        if images.shape[1:] != self.image_shape or images.dtype.kind not in "biuf":
            hint = "; for one image give it as images[None]" if shape == self.image_shape else ""
            raise TaskError(
                f"images of shape {shape} and type '{images.dtype}' given, expected numbers "
                f"(N, {', '.join(map(str, self.image_shape))}), or a list of files{hint}"
            )
        if scale is None and self._saved.preparation is not None:
            try:
                check_range(images, self._preparation.low, self._preparation.high)
            except ValueError as error:
                raise TaskError(str(error)) from None
        return images

    # --- the network ------------------------------------------------------------------------------

    @cached_property
    def _model(self) -> Any:
        model = make_model(self._network, self._batch, self._backend, threads=os.cpu_count() or 1)
        # Those of an auxiliary head, which is left out, come last.
        model.parameters[:] = self._saved.parameters[: model.parameters.size]
        model.statistics[:] = self._saved.statistics[: model.statistics.size]
        return model

    def _of_pixels(self, images: np.ndarray, scale: float) -> np.ndarray:
        """Returns probabilities (N, K) float32; images are multiplied by `scale`, then normalised."""
        mean, std = self._saved.mean / np.float32(scale), self._saved.std / np.float32(scale)
        normalise = Normaliser(self.image_shape, mean, std)
        found = [np.zeros((0, len(self.classes)), np.float32)]
        for part in _parts(images, self._batch):
            logits = self._model.predict(normalise(part)).astype(np.float64)
            powers = np.exp(logits - logits.max(axis=1, keepdims=True))
            found.append((powers / powers.sum(axis=1, keepdims=True)).astype(np.float32))
        return np.concatenate(found)


def _parts(items: Any, size: int) -> list[Any]:
    return [items[start : start + size] for start in range(0, len(items), size)]


def _told(faults: list[TaskError]) -> list[str]:
    """Returns a note for each file that was left out, where they are many for the first of them."""
    more = len(faults) - MOST_NAMED
    told = [f"left out: {fault}" for fault in faults[:MOST_NAMED]]
    return [*told, f"left out: {more} more that cannot be read"] if more > 0 else told

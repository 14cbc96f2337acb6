"""How much memory a training takes, known before it: counted by the code that makes the arrays.

Called by `zero.nn.train` before it makes a model, by `zero.cells.kind` and by `zero cells count`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from zero.errors import NetworkError
from zero.nn import make_model
from zero.nn.arrays import Arrays
from zero.nn.layers.record import MaskOf
from zero.nn.masks import masked_layers
from zero.nn.network import Network
from zero.nn.optimizers import WeightAverage
from zero.nn.stages import Build, Course
from zero.nn.train_settings import TrainSettings, make_optimizer, trained_network
from zero.system.memory import gigabytes, usable_bytes

if TYPE_CHECKING:
    from zero.data.images import ImageData

EVALUATED_AT_ONCE = 1024  # images normalised at a time, rounded to whole batches

# By backend, what is resident without a training's arrays: interpreter and NumPy; of cpu also Numba with
# LLVM and the compiled steps. Measured by benchmarks/nn_memory.py; with scikit-learn (for digits) it
# is 90 MB more.
PROGRAM_BYTES = {"cpu": 175 << 20, "reference": 80 << 20}
UNKNOWN = 1 << 60  # train images, where nobody says how many: no batch is larger
DRAWN_BYTES = 128  # for each train image at the start of an epoch: its place, crop, flip and cutout


@dataclass(frozen=True)
class TrainingMemory:
    """Bytes of a process that trains.

    program: before all else. images: the data set, if it was given. activations: values of layers and
    their gradients. weights: the weights as they are and as the steps read them, their gradients
    (one copy for each part of a batch), their indices, the optimizer's and the average's state.
    batches: images and masks of a step, or of an evaluation. copies: of the weights as results,
    and in checkpoints.
    """

    program: int
    images: int
    activations: int
    weights: int
    batches: int
    copies: int

    @property
    def total(self) -> int:
        """All of it."""
        return sum(getattr(self, field.name) for field in fields(self))

    def check(self, name: str, batch: int, limit: int | None = None) -> None:
        """Raises NetworkError if it is more than `limit`, by default what the machine has to spare."""
        allowed = usable_bytes() if limit is None else limit
        if self.total > allowed:
            raise NetworkError(self.too_large(name, batch, allowed))

    def too_large(self, name: str, batch: int, allowed: int) -> str:
        """Returns in words that it is more than is allowed, and what would help."""
        if self.activations + self.batches > self.weights + self.copies:
            advice = "use a smaller batch, fewer filters or smaller images"
        else:
            advice = "use fewer filters or cells (a smaller batch saves little)"
        return (
            f"{name}: training needs {gigabytes(self.total)} at batch {batch} "
            f"({gigabytes(self.activations)} of them for activations, "
            f"{gigabytes(self.weights)} for weights), {gigabytes(allowed)} allowed; {advice}"
        )


def training_memory(
    network: Network,
    settings: TrainSettings,
    batch: int,
    dtype: str = "float32",
    backend: str = "cpu",
    threads: int = 1,
    data: ImageData | None = None,
    checkpoints: bool = False,
    build: Build | None = None,
) -> TrainingMemory:
    """Returns what a process that trains a network takes; makes none of it.

    With stages it is that of the stage that takes most, if `data` or `build` is given; for images of
    other sizes `build` has to be.

    batch: images of a step without stages. data: the images, if they are known. checkpoints: whether
    states are written meanwhile, as `zero run` and `zero train` do. The others are as for
    `zero.nn.train.Trainer`.

    Raises:
        DeviceError, NetworkError: the backend cannot run the network.
    """
    network = trained_network(network, settings)
    if settings.stages and not (data is None and build is None):
        count = UNKNOWN if data is None else len(data.train_x)
        course = Course(settings, count, network.layers[0].shape)
        networks = course.networks(network, build)
        plain = settings.model_copy(update={"stages": []})
        more = (dtype, backend, threads, data, checkpoints)
        found = [training_memory(networks[g.shape], plain, g.batch, *more) for g in course.legs]
        return max(found, key=lambda memory: memory.total)
    arrays = Arrays(real=False)
    model = make_model(network, batch, backend, dtype, threads, arrays)
    own = model.parameters.nbytes + model.statistics.nbytes
    optimizer = make_optimizer(network, settings, dtype, arrays)
    if settings.ema:
        WeightAverage(model.parameters, model.statistics, settings.ema, arrays)
    results = own * (2 if settings.ema else 1)
    state = own * (2 if settings.ema else 1) + sum(v.nbytes for v in optimizer.state.values())
    written = state + state * 9 // 8  # copies, and the file's bytes: a buffer that grows
    return TrainingMemory(
        program=PROGRAM_BYTES[backend],
        images=0 if data is None else image_bytes(data),
        activations=model.activation_bytes,
        weights=arrays.bytes - model.activation_bytes,
        batches=_batch_bytes(network, settings, batch, data),
        copies=max(results, written) if checkpoints else results,
    )


def training_bytes(network: Network, settings: TrainSettings, batch: int, *more, **named) -> int:
    """Returns the total of `training_memory`, which takes the same."""
    return training_memory(network, settings, batch, *more, **named).total


def image_bytes(data: ImageData) -> int:
    """Returns what a data set takes."""
    parts = (
        getattr(data, f"{part}_{axis}") for part in ("train", "valid", "test") for axis in "xy"
    )
    return sum(array.nbytes for array in parts)


def _batch_bytes(
    network: Network, settings: TrainSettings, batch: int, data: ImageData | None
) -> int:
    """Returns the most that images and masks of a step, or images of an evaluation, take."""
    height, width, channels = network.layers[0].shape
    values = height * width * channels
    stored, resized = (1, 0) if data is None else (data.train_x.itemsize, 0)
    if data is not None and data.image_shape != (
        height,
        width,
        channels,
    ):  # as numbers, then smaller
        stored, resized = 4, (stored + 12) * math.prod(data.image_shape)
    padded = (height + 2 * settings.pad) * (width + 2 * settings.pad) * channels
    copies = 1 + 2 * settings.flip + (settings.pad > 0)
    step = batch * (
        4 * values * (4 if settings.mixup else 1)
        + resized
        + stored * (copies * values + (padded if settings.pad else 0))
    )
    dropouts = [math.prod(y.shape) for _, y in masked_layers(network, MaskOf.VALUE)]
    step += batch * (4 * sum(dropouts) + 5 * max(dropouts, default=0))
    most = max(EVALUATED_AT_ONCE // batch, 1) * batch
    drawn = 0
    if data is not None:
        most = min(most, max(len(data.valid_x), len(data.test_x)))
        drawn = DRAWN_BYTES * (2 if settings.mixup else 1) * len(data.train_x)
    return drawn + max(step, (np.dtype("float32").itemsize * values + resized) * most)

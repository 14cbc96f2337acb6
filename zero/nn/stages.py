"""Stages of a training: epochs on smaller images first, each with its batch and learning rate.

Progressive image sizes as fast.ai trained AmoebaNet and ResNets with for DAWNBench (Howard et al. 2018): most
of what a network learns at first it learns as well from small images, at a fraction of the arithmetic. The
network is built anew for images of each size by the same rules; its weights and running statistics are
the same arrays, so they carry over as they are.

`Stage` is what a user writes, `Course` what a training makes of it: which step is in which epoch, on
images of which size. Called by `zero.nn.train` and `zero.nn.train_settings`.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from zero.config.settings import Settings
from zero.errors import ConfigError, NetworkError
from zero.nn.layers.record import Shape
from zero.nn.network import Network
from zero.nn.weights import batch_norms

Build = Callable[[Shape], Network]  # image shape -> the network for it
Count = Annotated[int, Field(ge=1)]


class Stage(Settings):
    """Some epochs of a training; what is left out is that of the whole training.

    The last stage has no size: a training ends with the images as they are.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    epochs: Count = Field(description="times through the train images")
    size: Annotated[int, Field(ge=1, le=4096)] | None = Field(
        None, description="height of the images; their width is in proportion"
    )
    batch: Count | None = Field(None, description="images of a step")
    learning_rate: Annotated[float, Field(gt=0)] | None = Field(
        None, description="the highest learning rate, of the whole training's schedule"
    )
    restart: bool = Field(
        False, description="the schedule ends with the stage before and begins anew with this one"
    )


@dataclass(frozen=True)
class Leg:
    """A stage as it is trained.

    shape: (height, width, channels) of its images. batch: images of a step. steps_per_epoch: whole
    batches. epochs: how many. first_epoch, first_step: its first, from 0. learning_rate: the highest.
    schedule_first, schedule_epochs: the first epoch, and the number of epochs, of its schedule.
    """

    shape: Shape
    batch: int
    steps_per_epoch: int
    epochs: int
    first_epoch: int
    first_step: int
    learning_rate: float
    schedule_first: int
    schedule_epochs: int


class Course:
    """The stages of one training, or the one that it is without any.

    Args:
        settings: a `TrainSettings`.
        images: number of train images; a batch has at most as many.
        shape: of the images as they are.

    Attributes:
        legs: one for each stage. steps: of the whole training. per_epoch: units of an epoch, see
            `place`.

    Raises:
        ConfigError: a stage's images would be larger than they are, or not of whole pixels.
    """

    def __init__(self, settings: Any, images: int, shape: Shape):
        legs: list[Leg] = []
        stages = settings.stages or [Stage(epochs=settings.epochs)]
        spans = schedule_spans(stages)
        epoch = step = 0
        for stage, span in zip(stages, spans, strict=True):
            batch = min(stage.batch or settings.batch, images)
            rate = stage.learning_rate or settings.learning_rate
            size = _shape_of(stage, shape, len(legs))
            legs.append(Leg(size, batch, images // batch, stage.epochs, epoch, step, rate, *span))
            epoch += stage.epochs
            step += stage.epochs * (images // batch)
        self.legs, self.steps = tuple(legs), step
        self.per_epoch = math.lcm(*(leg.steps_per_epoch for leg in legs))

    def leg_of(self, step: int) -> Leg:
        """Returns the leg that a step (from 0) is in; the last one for those after the end."""
        return self.legs[bisect_right([leg.first_step for leg in self.legs], step) - 1]

    def epoch_of(self, step: int) -> tuple[int, int]:
        """Returns a step's epoch, and its place within that, both from 0."""
        leg = self.leg_of(step)
        epochs, at = divmod(step - leg.first_step, leg.steps_per_epoch)
        return leg.first_epoch + epochs, at

    def steps_until(self, epoch: int) -> int:
        """Returns the number of steps before an epoch (from 0)."""
        leg = self.legs[bisect_right([leg.first_epoch for leg in self.legs], epoch) - 1]
        return leg.first_step + (epoch - leg.first_epoch) * leg.steps_per_epoch

    def place(self, step: int) -> int:
        """Returns how far a step is in its schedule, in units of which an epoch has `per_epoch`.

        Without stages these are steps. With stages an epoch of few large batches counts as much as one of
        many small ones, for the learning rate's schedule.
        """
        leg, (epoch, at) = self.leg_of(step), self.epoch_of(step)
        unit = self.per_epoch // leg.steps_per_epoch
        return (epoch - leg.schedule_first) * self.per_epoch + at * unit

    def images(self, step: int, costs: Sequence[float] | None = None) -> float:
        """Returns how many images all steps before one take; costs: what one counts, by leg."""
        total = 0.0
        for leg, cost in zip(self.legs, costs or [1.0] * len(self.legs), strict=True):
            steps = min(max(step - leg.first_step, 0), leg.epochs * leg.steps_per_epoch)
            total += steps * leg.batch * cost
        return total

    def networks(self, network: Network, build: Build | None) -> dict[Shape, Network]:
        """Returns the network for each image shape; network: for the images as they are.

        build: makes those for others, without an auxiliary head where `network` has none.

        Raises:
            NetworkError: there is none for images of a size, or it has other weights.
        """
        found = {self.legs[-1].shape: network}
        for shape in (leg.shape for leg in self.legs if leg.shape not in found):
            size = f"{shape[0]} x {shape[1]}"
            if build is None:
                raise NetworkError(f"training.stages: no network is known for images of {size}")
            try:
                other = build(shape)
            except NetworkError as error:
                raise NetworkError(
                    f"training.stages: no network for images of {size}: {error}; use a larger size"
                ) from None
            if network.auxiliary is None:
                other = other.without_auxiliary
            if _weights_of(other) != _weights_of(network):
                raise NetworkError(
                    f"training.stages: for images of {size} the network has other weights than for "
                    f"{network.layers[0].shape[0]} x {network.layers[0].shape[1]}, so that they do not "
                    "carry over; leave the sizes out, or use a skeleton that ends in a mean over pixels"
                )
            found[shape] = other
        return found


def schedule_spans(stages: Sequence[Stage]) -> list[tuple[int, int]]:
    """Returns for each stage the first epoch of its schedule, and how many epochs that has."""
    starts, epoch = [], 0
    for number, stage in enumerate(stages):
        if number == 0 or stage.restart:
            starts.append(epoch)
        epoch += stage.epochs
    found, done = [], 0
    for stage in stages:
        at = bisect_right(starts, done) - 1
        end = starts[at + 1] if at + 1 < len(starts) else epoch
        found.append((starts[at], end - starts[at]))
        done += stage.epochs
    return found


def _shape_of(stage: Stage, shape: Shape, number: int) -> Shape:
    height, width, channels = shape
    if stage.size is None or stage.size == height:
        return shape
    where = f"cells.training.stages[{number}].size"
    if stage.size > height:
        raise ConfigError(
            f"{where}: must be at most the images' height ({height}), got {stage.size}"
        )
    if stage.size * width % height:
        step = height // math.gcd(height, width)
        raise ConfigError(
            f"{where}: images of {height} x {width} pixels have no whole width at the height "
            f"{stage.size}; use a multiple of {step}"
        )
    return stage.size, stage.size * width // height, channels


def _weights_of(network: Network) -> tuple[Any, ...]:
    """Returns what two networks have to share for one's weights to be the other's."""
    norms = batch_norms(network)
    return (
        [(p.name, p.shape) for p in network.parameters],
        [(network.layers[index].name, channels) for index, _, channels in norms],
    )


def relative_costs(legs: Sequence[Leg], networks: dict[Shape, Network]) -> list[float]:
    """Returns for each leg how long an image takes there, relative to images as they are; estimated."""
    full = networks[legs[-1].shape].multiply_adds
    return [networks[leg.shape].multiply_adds / max(full, 1) for leg in legs]

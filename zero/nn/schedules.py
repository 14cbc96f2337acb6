"""The learning rate of each training step.

`SCHEDULES` lists the methods. A schedule spans all epochs of the settings, wherever training stops
earlier. Called by `zero.nn.train`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zero.nn.train_settings import TrainSettings


def constant(settings: TrainSettings, done: float, epoch: int) -> float:
    """The learning rate as given."""
    return settings.learning_rate


def cosine(settings: TrainSettings, done: float, epoch: int) -> float:
    """Half a cosine from the learning rate to the smallest one (Loshchilov and Hutter, 2017)."""
    low = settings.min_learning_rate
    return low + (settings.learning_rate - low) * (1 + math.cos(math.pi * done)) / 2


def step(settings: TrainSettings, done: float, epoch: int) -> float:
    """The learning rate times gamma for every milestone (in epochs) that has been reached."""
    reached = sum(epoch >= milestone for milestone in settings.milestones)
    return settings.learning_rate * settings.gamma**reached


# (settings, share of the steps after the warm-up that is done, in [0, 1), epoch from 0) -> rate
SCHEDULES: dict[str, Callable[[TrainSettings, float, int], float]] = {
    "cosine": cosine, "step": step, "constant": constant,
}  # fmt: skip


def learning_rate(settings: TrainSettings, step: int, steps_per_epoch: int) -> float:
    """Returns the learning rate of a step (from 0).

    It rises in equal steps to the full rate during `warmup_epochs`; then comes the schedule.
    """
    warm_up = settings.warmup_epochs * steps_per_epoch
    if step < warm_up:
        return settings.learning_rate * (step + 1) / warm_up
    done = (step - warm_up) / (settings.epochs * steps_per_epoch - warm_up)
    return SCHEDULES[settings.schedule](settings, done, step // steps_per_epoch)

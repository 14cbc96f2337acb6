"""The learning rate of each training step.

`SCHEDULES` lists the methods. A schedule spans all epochs, wherever training stops earlier. Called by
`zero.nn.train_settings`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Schedule:
    """A learning rate that changes as training goes on.

    name: in `SCHEDULES`. learning_rate: the highest. epochs: of the whole training. warmup_epochs: of
    those, the ones in which it rises to that. lowest: where cosine ends. milestones: epochs at which
    "step" multiplies it by gamma.
    """

    name: str
    learning_rate: float
    epochs: int
    warmup_epochs: int
    lowest: float
    milestones: tuple[int, ...]
    gamma: float

    def rate(self, step: int, steps_per_epoch: int) -> float:
        """Returns the learning rate of a step (from 0).

        It rises in equal steps to the full rate during `warmup_epochs`; then comes the schedule.
        """
        warm_up = self.warmup_epochs * steps_per_epoch
        if step < warm_up:
            return self.learning_rate * (step + 1) / warm_up
        done = (step - warm_up) / (self.epochs * steps_per_epoch - warm_up)
        return SCHEDULES[self.name](self, done, step // steps_per_epoch)


def constant(schedule: Schedule, done: float, epoch: int) -> float:
    """The learning rate as given."""
    return schedule.learning_rate


def cosine(schedule: Schedule, done: float, epoch: int) -> float:
    """Half a cosine from the learning rate to the smallest one (Loshchilov and Hutter, 2017)."""
    low = schedule.lowest
    return low + (schedule.learning_rate - low) * (1 + math.cos(math.pi * done)) / 2


def step(schedule: Schedule, done: float, epoch: int) -> float:
    """The learning rate times gamma for every milestone (in epochs) that has been reached."""
    reached = sum(epoch >= milestone for milestone in schedule.milestones)
    return schedule.learning_rate * schedule.gamma**reached


# (schedule, share of the steps after the warm-up that is done, in [0, 1), epoch from 0) -> rate
SCHEDULES: dict[str, Callable[[Schedule, float, int], float]] = {
    "cosine": cosine, "step": step, "constant": constant,
}  # fmt: skip

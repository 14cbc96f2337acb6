"""The learning rate of each training step, and the momentum where it changes with that.

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
    those, the ones in which it rises to that. lowest: where cosine and the cycles end. milestones: epochs
    at which "step" multiplies it by gamma. start: a cycle begins at learning_rate / start. rise: share
    of the training in which it rises, None for the method's own. momentum: the usual one;
    lowest_momentum: at a cycle's highest rate, None where it does not change.
    """

    name: str
    learning_rate: float
    epochs: int
    warmup_epochs: int
    lowest: float
    milestones: tuple[int, ...]
    gamma: float
    start: float = 25.0
    rise: float | None = None
    momentum: float = 0.9
    lowest_momentum: float | None = None

    def rate(self, step: int, steps_per_epoch: int) -> float:
        """Returns the learning rate of a step (from 0).

        It rises in equal steps to the full rate during `warmup_epochs`; then comes the schedule.
        """
        warm_up = self.warmup_epochs * steps_per_epoch
        if step < warm_up:
            return self.learning_rate * (step + 1) / warm_up
        done = (step - warm_up) / (self.epochs * steps_per_epoch - warm_up)
        return SCHEDULES[self.name](self, done, step // steps_per_epoch)

    def momentum_at(self, step: int, steps_per_epoch: int) -> float | None:
        """Returns the momentum of a step; None where the optimizer's own stays.

        It is the lower the higher the rate is: Smith 2018 ("A disciplined approach to neural network
        hyper-parameters: Part 1", section 4.3).
        """
        if self.lowest_momentum is None or self.name not in CYCLES:
            return None
        height, _ = CYCLES[self.name].height(step / (self.epochs * steps_per_epoch), self.rise)
        return self.momentum - (self.momentum - self.lowest_momentum) * height


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


# --- cycles ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cycle:
    """How a rate goes up and down once.

    usual_rise: share of the steps in which it rises, where nothing else is said; longest_rise: the most.
    curve: of [0, 1] on to itself, how it rises, and backwards falls. even: it falls as fast as it rose, to
    where it began, and goes on from there in a line to the lowest; else it falls to that in one go.
    """

    usual_rise: float
    longest_rise: float
    curve: Callable[[float], float]
    even: bool

    def height(self, done: float, rise: float | None) -> tuple[float, float]:
        """Returns the height in [0, 1] at a share of the training, and the share of the tail done.

        The second is 0 before the rate falls for the last time.
        """
        rise = self.usual_rise if rise is None else rise
        if done < rise:
            return self.curve(done / rise), 0.0
        if not self.even:
            done = (done - rise) / (1 - rise)
            return self.curve(1 - done), done
        if done < 2 * rise:
            return self.curve(2 - done / rise), 0.0
        return 0.0, (done - 2 * rise) / (1 - 2 * rise)


CYCLES = {
    # fast.ai's form, also PyTorch's OneCycleLR.
    "one_cycle": Cycle(0.3, 1.0, lambda x: (1 - math.cos(math.pi * x)) / 2, even=False),
    "super_convergence": Cycle(0.45, 0.5, lambda x: x, even=True),
}


def one_cycle(schedule: Schedule, done: float, epoch: int) -> float:
    """Half a cosine up from the learning rate / start, and half a cosine down to the lowest."""
    height, falling = CYCLES["one_cycle"].height(done, schedule.rise)
    low = schedule.lowest if falling else schedule.learning_rate / schedule.start
    return low + (schedule.learning_rate - low) * height


def super_convergence(schedule: Schedule, done: float, epoch: int) -> float:
    """A line up from the learning rate / start, one down again, and a short one to the lowest.

    Smith and Topin 2018 ("Super-Convergence: Very Fast Training of Neural Networks Using Large Learning
    Rates", section 4): with few epochs and a rate as high as the range test allows
    (`zero.nn.rate_finder`).
    """
    height, tail = CYCLES["super_convergence"].height(done, schedule.rise)
    low = schedule.learning_rate / schedule.start
    if tail:
        return low + (schedule.lowest - low) * tail
    return low + (schedule.learning_rate - low) * height


# (schedule, share of the steps after the warm-up that is done, in [0, 1), epoch from 0) -> rate
SCHEDULES: dict[str, Callable[[Schedule, float, int], float]] = {
    "cosine": cosine, "step": step, "constant": constant,
    "one_cycle": one_cycle, "super_convergence": super_convergence,
}  # fmt: skip

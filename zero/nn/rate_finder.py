"""A learning rate for a network and its images, from a short training: Smith's range test.

The rate rises from step to step from far too low to far too high, and the loss of each batch is noted
(Smith 2017, "Cyclical Learning Rates for Training Neural Networks", section 3.3; rates here rise by a
factor, as in fast.ai, since the range that matters is not known by a power of ten). While the rate is
too low the loss stays; then it falls; at the end it rises, or is no number. Called by
`zero.cells.find_rate`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from zero.errors import NetworkError
from zero.nn.train import Trainer
from zero.nn.train_settings import TrainSettings

LOWEST, HIGHEST, STEPS = 1e-4, 10.0, 100
MEMORY = 0.9  # how much of the smoothed loss is that of the steps before
TOO_HIGH = 4.0  # times the lowest smoothed loss: then the test ends
LEAST = 10  # steps without which nothing can be said
LEAST_FALL = 0.1  # of the smoothed loss; less may be chance
# The suggestion is the rate of the lowest loss divided by this. fast.ai takes 10; in short trainings a third
# did better (benchmarks/results/trainer_options.json).
BELOW = 3.0


@dataclass(frozen=True, eq=False)
class RangeTest:
    """What a range test found.

    rates: of each step. losses: of its batch, before the step. smoothed: their mean over steps, of
    falling weight (`MEMORY`). lowest: the rate at which that is lowest. steepest: the rate, before that
    one, at which it falls fastest by the rate's logarithm. suggestion: `lowest` / 3: the highest rate of
    a schedule that comes down again.
    """

    rates: np.ndarray
    losses: np.ndarray
    smoothed: np.ndarray
    lowest: float
    steepest: float
    suggestion: float


def settings_for_test(settings: TrainSettings, steps: int, steps_per_epoch: int) -> TrainSettings:
    """Returns a training's settings for a range test of so many steps: no schedule, stages or budgets."""
    changes = {
        "epochs": math.ceil(steps / max(steps_per_epoch, 1)), "schedule": "constant",
        "warmup_epochs": 0, "milestones": [], "cycle_rise": None, "lowest_momentum": None,
        "stages": [], "ema": 0.0, "seconds": None, "accuracy": None, "max_loss": math.inf,
    }  # fmt: skip
    return settings.model_copy(update=changes)


def range_test(
    trainer: Trainer,
    lowest: float = LOWEST,
    highest: float = HIGHEST,
    steps: int = STEPS,
    on_step: Callable[[int, float, float], None] | None = None,
) -> RangeTest:
    """Returns what a range test finds; the trainer's network is of no use after it.

    Same trainer, same result: what is drawn is what a training of the same seed draws.

    Args:
        trainer: new, with settings of `settings_for_test`.
        lowest, highest: rates of the first and of the last step.
        steps: how many, at least 10; fewer are taken if the loss is too high before.
        on_step: called with number (from 1), rate and loss of each step.

    Raises:
        NetworkError: the loss is too high, or no number, before anything can be said, or it hardly falls.
    """
    rates = np.geomspace(lowest, highest, max(steps, LEAST))
    losses: list[float] = []
    smoothed: list[float] = []
    mean = weight = 0.0
    for number, rate in enumerate(rates.tolist(), 1):
        loss = trainer.train_step(rate)
        if trainer.reason == "diverged":
            break
        mean = MEMORY * mean + (1 - MEMORY) * loss
        weight = MEMORY * weight + 1 - MEMORY
        losses.append(loss)
        smoothed.append(mean / weight)
        if on_step is not None:
            on_step(number, rate, loss)
        if len(losses) >= LEAST and smoothed[-1] > TOO_HIGH * min(smoothed):
            break
    return judged(rates[: len(losses)], np.array(losses), np.array(smoothed))


def judged(rates: np.ndarray, losses: np.ndarray, smoothed: np.ndarray) -> RangeTest:
    """Returns a range test of these rates and losses (n,); raises NetworkError as `range_test`."""
    if len(losses) < LEAST:
        raise NetworkError(
            f"no learning rate is found: the loss is too high or no number after {len(losses)} steps, "
            f"at a rate of {rates[-1] if len(rates) else LOWEST:.2g}; begin with a lower rate"
        )
    at = int(np.argmin(smoothed))
    if at < 2:
        raise NetworkError(
            f"no learning rate is found: the loss never falls between the rates {rates[0]:.2g} and "
            f"{rates[-1]:.2g}; begin with a lower rate, or take more steps"
        )
    if smoothed[at] > (1 - LEAST_FALL) * smoothed[0]:
        raise NetworkError(
            f"no learning rate is found: the loss falls by less than a tenth, from {smoothed[0]:.3f} to "
            f"{smoothed[at]:.3f}, in {len(losses)} steps; a larger network or batch may show more"
        )
    slopes = np.gradient(smoothed[: at + 1], np.log(rates[: at + 1]))
    lowest, steepest = float(rates[at]), float(rates[int(np.argmin(slopes))])
    return RangeTest(rates, losses, smoothed, lowest, steepest, lowest / BELOW)

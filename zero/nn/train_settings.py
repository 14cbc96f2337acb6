"""How networks are trained: the settings, their limits and defaults.

Called by the configuration and `zero.nn.train`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, ConfigDict, Field

from zero.config.settings import Check, Found, Settings
from zero.errors import unknown_name
from zero.nn.arrays import Arrays
from zero.nn.network import Network
from zero.nn.optimizers import OPTIMIZERS, Optimizer
from zero.nn.schedules import CYCLES, SCHEDULES, Schedule
from zero.nn.stages import Count, Stage, schedule_spans


def _one_of(kind: str, known: Iterable[str]) -> AfterValidator:
    def check(name: str) -> str:
        if name not in known:
            raise ValueError(unknown_name(kind, name, known))
        return name

    return AfterValidator(check)


Share = Annotated[float, Field(ge=0, lt=1)]
NotNegative = Annotated[float, Field(ge=0)]


def _check_warmup(settings: Any) -> Iterator[Found]:
    if settings.warmup_epochs >= settings.epochs:
        message = f"must be below epochs ({settings.epochs}), got {settings.warmup_epochs}"
        yield ("warmup_epochs",), message


def _check_lowest_rate(settings: Any) -> Iterator[Found]:
    low, high = settings.min_learning_rate, settings.learning_rate
    if settings.schedule in ("cosine", *CYCLES):
        if low > high:
            yield ("min_learning_rate",), f"must be at most learning_rate ({high}), got {low}"
        for number, stage in enumerate(settings.stages):
            if stage.learning_rate is not None and stage.learning_rate < low:
                message = f"must be at least min_learning_rate ({low}), got {stage.learning_rate}"
                yield ("stages", number, "learning_rate"), message


def _check_milestones(settings: Any) -> Iterator[Found]:
    if settings.schedule == "step" and not settings.milestones:
        yield ("milestones",), "schedule 'step' needs them, such as [10, 20]"
    elif settings.schedule != "step" and settings.milestones:
        message = f"schedule '{settings.schedule}' has none; leave them out, or give schedule: step"
        yield ("milestones",), message


def _check_milestones_rise(settings: Any) -> Iterator[Found]:
    if any(b <= a for a, b in pairwise(settings.milestones)):
        yield ("milestones",), "must rise"


def _check_cycle(settings: Any) -> Iterator[Found]:
    for key in ("cycle_rise", "lowest_momentum"):
        if getattr(settings, key) is not None and settings.schedule not in CYCLES:
            known = " or ".join(CYCLES)
            message = f"schedule '{settings.schedule}' has none; leave it out, or give {known}"
            yield (key,), message


def _check_cycle_warmup(settings: Any) -> Iterator[Found]:
    if settings.warmup_epochs and settings.schedule in CYCLES:
        message = f"schedule '{settings.schedule}' rises by itself; leave them out"
        yield ("warmup_epochs",), message


def _check_rise(settings: Any) -> Iterator[Found]:
    most = CYCLES[settings.schedule].longest_rise if settings.schedule in CYCLES else 1.0
    if settings.cycle_rise is not None and settings.cycle_rise > most:
        message = f"must be at most {most} for {settings.schedule}, got {settings.cycle_rise}"
        yield ("cycle_rise",), message


def _check_lowest_momentum(settings: Any) -> Iterator[Found]:
    low, high = settings.lowest_momentum, settings.momentum
    if low is not None and low > high:
        yield ("lowest_momentum",), f"must be at most momentum ({high}), got {low}"


def _check_restarts(settings: Any) -> Iterator[Found]:
    for number, (_, epochs) in enumerate(schedule_spans(settings.stages)):
        if settings.warmup_epochs >= epochs and settings.stages[number].restart:
            message = (
                f"its schedule has {epochs} epochs, and warmup_epochs is {settings.warmup_epochs}"
            )
            yield ("stages", number, "restart"), message


def _check_stages(settings: Any) -> Iterator[Found]:
    stages = settings.stages
    if stages and (total := sum(stage.epochs for stage in stages)) != settings.epochs:
        yield ("stages",), f"have {total} epochs together, but epochs is {settings.epochs}"
    if stages and stages[-1].size is not None:
        message = "the last stage trains on images as they are; leave it out"
        yield ("stages", len(stages) - 1, "size"), message


class TrainSettings(Settings):
    """How a network is trained.

    The defaults are what the CIFAR-10 recipes of NASNet, AmoebaNet and DARTS have in common; what
    they use in long trainings only (drop path, cutout), and what depends on the images (pad, flip),
    is off. Their final trainings: 600 epochs, drop_path 0.2 to 0.4, pad 4, flip, cutout 16.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
    checks: ClassVar[tuple[Check, ...]] = (
        _check_warmup, _check_lowest_rate, _check_milestones, _check_milestones_rise,
        _check_cycle, _check_cycle_warmup, _check_rise, _check_lowest_momentum,
        _check_stages, _check_restarts,
    )  # fmt: skip

    epochs: Count = Field(25, description="times through the train images; the schedule's length")
    batch: Count = Field(64, description="images of a step")
    optimizer: Annotated[str, _one_of("optimizer", OPTIMIZERS)] = Field(
        "sgd", description=f"one of: {', '.join(OPTIMIZERS)}"
    )
    learning_rate: float = Field(0.025, gt=0, description="the highest learning rate")
    momentum: Share = Field(0.9, description="of sgd and rmsprop")
    nesterov: bool = Field(True, description="Nesterov's momentum, of sgd")
    rmsprop_decay: Share = Field(0.9, description="how slowly rmsprop's mean square follows")
    rmsprop_epsilon: float = Field(0.1, gt=0, description="added to it, inside the root")
    weight_decay: NotNegative = Field(3e-4, description="of weights; not of batch norm and biases")
    clip: NotNegative = Field(5.0, description="largest norm of the gradient; 0: no limit")
    schedule: Annotated[str, _one_of("schedule", SCHEDULES)] = Field(
        "cosine", description=f"one of: {', '.join(SCHEDULES)}"
    )
    warmup_epochs: int = Field(0, ge=0, description="epochs of linearly rising learning rate")
    min_learning_rate: NotNegative = Field(0.0, description="where cosine and the cycles end")
    milestones: list[Count] = Field(default=[], description="epochs at which 'step' changes")
    gamma: float = Field(0.1, gt=0, le=1, description="what 'step' multiplies by at a milestone")
    cycle_start: float = Field(
        25.0, ge=1, description="a cycle begins at the learning rate divided by this"
    )
    cycle_rise: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="share of the training in which a cycle's rate rises; by default 0.3 of "
        "one_cycle, 0.45 of super_convergence",
    )
    lowest_momentum: Share | None = Field(
        None, description="momentum at a cycle's highest rate; by default it does not change"
    )
    stages: list[Stage] = Field(
        default=[], description="sizes of the images, batches and rates, for some epochs each"
    )
    label_smoothing: Share = Field(0.0, description="share of the target spread over all classes")
    auxiliary_weight: NotNegative = Field(
        0.4, description="weight of the auxiliary head's loss, where there is one; 0: without it"
    )
    drop_path: Share = Field(0.0, description="scheduled drop path's probability at the last step")
    ema: Share = Field(0.0, description="decay of the weights' moving average; 0: no average")
    pad: int = Field(0, ge=0, le=64, description="black pixels around images before cropping")
    flip: bool = Field(False, description="mirror half of the images")
    cutout: int = Field(0, ge=0, le=1024, description="side of the square that is cut out")
    mixup: float = Field(
        0.0, ge=0, le=2, description="alpha of mixup's Beta(alpha, alpha); 0: images stay apart"
    )
    seconds: float | None = Field(
        None, gt=0, description="stop after so many seconds; not reproducible"
    )
    accuracy: float | None = Field(None, gt=0, le=1, description="stop at this validation accuracy")
    max_loss: float = Field(
        100.0, gt=0, description="a batch's loss above this ends training as diverged"
    )


def trained_network(network: Network, settings: TrainSettings) -> Network:
    """Returns the network that a training runs: without auxiliary head if that has no weight."""
    return network if settings.auxiliary_weight else network.without_auxiliary


def make_optimizer(
    network: Network,
    settings: TrainSettings,
    dtype: str = "float32",
    arrays: Arrays | None = None,
) -> Optimizer:
    """Returns the settings' optimizer; arrays: what makes its own."""
    method = OPTIMIZERS[settings.optimizer]
    numbers = {name: getattr(settings, name) for name in method.numbers}
    return method(network, settings.weight_decay, dtype, arrays, **numbers)


def schedule_of(
    settings: TrainSettings, learning_rate: float | None = None, epochs: int | None = None
) -> Schedule:
    """Returns the settings' schedule; learning_rate, epochs: instead of theirs."""
    return Schedule(
        settings.schedule,
        learning_rate or settings.learning_rate,
        epochs or settings.epochs,
        settings.warmup_epochs,
        settings.min_learning_rate,
        tuple(settings.milestones),
        settings.gamma,
        settings.cycle_start,
        settings.cycle_rise,
        settings.momentum,
        settings.lowest_momentum,
    )

"""Training one network: epochs, budgets, divergence, checkpoints and exact resume.

`train` does it in one go; `Trainer` can stop after any step and go on later, in this process or,
with `state` and `restore`, in another. Same network, data, settings and seed: the same bits, on one
machine and backend, however training was cut into pieces; the one exception is a `seconds` budget.

An epoch takes the train images in a random order in batches; those that fill no whole batch are left
out of it. Called by the search and the command line.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from zero.data.classes import balanced_accuracy
from zero.errors import ArchiveError, NetworkError
from zero.nn import make_model
from zero.nn.augment import Normaliser, Resizer
from zero.nn.batches import Batches
from zero.nn.masks import Masks
from zero.nn.network import Network
from zero.nn.optimizers import WeightAverage, clip_gradients
from zero.nn.stages import Build, Course, Leg
from zero.nn.train_memory import EVALUATED_AT_ONCE, training_bytes, training_memory
from zero.nn.train_settings import (
    TrainSettings,
    make_optimizer,
    schedule_of,
    trained_network,
)
from zero.nn.weights import initial_parameters, initial_statistics
from zero.system import signals
from zero.system.memory import usable_bytes

if TYPE_CHECKING:
    from zero.data.images import ImageData

Tree = dict[str, Any]
Weights = tuple[np.ndarray, np.ndarray]

__all__ = [
    "EpochRecord", "TrainResult", "TrainSettings", "Trainer", "evaluate", "right_by_class", "train",
    "trained_network", "training_bytes",
]  # fmt: skip


class EpochRecord(NamedTuple):
    """One epoch of a training.

    epoch, steps: how many were finished. train_loss: mean over the epoch's batches, with the
    auxiliary head's part. train_accuracy: share of the epoch's (augmented) images that were right
    when they were trained on, of mixed ones those whose larger part was. valid_accuracy: share of the
    valid images, after the epoch, in the size that the epoch's stage has; valid_balanced: mean over
    classes of their shares, NaN in records of older versions.
    """

    epoch: int
    steps: int
    train_loss: float
    train_accuracy: float
    valid_accuracy: float
    valid_balanced: float = math.nan


@dataclass(frozen=True, eq=False)
class TrainResult:
    """What came out of a training.

    reason: why it ended: "epochs" (all done), "seconds", "accuracy" (budgets), "diverged", or
    "paused" (steps are left). valid_accuracy: after the last epoch; best_valid_accuracy and
    best_epoch: the highest, and its epoch, of those on images as they are if there are any. All three
    are 0 if it diverged. seconds: of training and validation, over all pieces. network: for images as
    they are, with the auxiliary head if that was trained; parameters, statistics: its flat vectors, the
    moving averages if the settings ask for them.
    """

    reason: str
    curve: tuple[EpochRecord, ...]
    valid_accuracy: float
    best_valid_accuracy: float
    best_epoch: int
    steps: int
    seconds: float
    network: Network
    parameters: np.ndarray
    statistics: np.ndarray


def right_by_class(
    model: Any, x: np.ndarray, y: np.ndarray, data: ImageData, resize: Resizer | None = None
) -> np.ndarray:
    """Returns how many images (N, H, W, C) of each class a model assigns to their labels y (N,).

    Returns int64 (K,). data: gives the normalisation. resize: to the model's size, if it is another.
    An image with a logit that is not finite counts as wrong.

    Raises:
        Stop: a stop acts at once here (`zero.system.signals`).
    """
    normalise = Normaliser(resize.to if resize else data.image_shape, data.mean, data.std)
    size = model.batch * max(EVALUATED_AT_ONCE // model.batch, 1)
    right = np.zeros(len(data.classes), dtype=np.int64)
    began = time.monotonic()
    for start in range(0, len(x), size):
        signals.check(began)
        images, labels = x[start : start + size], y[start : start + size]
        logits = model.predict(normalise(images if resize is None else resize(images)))
        answers = np.where(np.isfinite(logits).all(axis=1), logits.argmax(axis=1), -1)
        right += np.bincount(labels[answers == labels], minlength=len(right))
    return right


def evaluate(model: Any, x: np.ndarray, y: np.ndarray, data: ImageData) -> float:
    """Returns the share of images that a model assigns to their labels; see `right_by_class`."""
    return int(right_by_class(model, x, y, data).sum()) / len(x)


class Trainer:
    """A training that can be stopped after any step and continued.

    Args:
        network: what to train; its drop_path and dropout layers get masks, its auxiliary head is
            left out if `settings.auxiliary_weight` is 0.
        data: the images. Batches are at most as large as the train part.
        settings: how to train.
        seed: of weights, order, augmentation and masks.
        backend, threads, dtype: as for `zero.nn.make_model`.
        initial: parameters and statistics to start from instead of random ones, laid out for
            `trained_network(network, settings)`.
        memory_limit: bytes that the process may take, as `training_memory` counts them; by default
            what the machine has to spare, so where several train side by side each needs its share.
        checkpoints: whether `state` will be taken and written meanwhile, which takes memory, too.
        name: of the candidate, for messages.
        build: makes the network for images of another size, for `settings.stages`.

    Attributes:
        course: which step is in which epoch and stage.
        model: the network with its weights, for the size of images that is trained on now.
        batch: images of a step in the stage that `step` is in.
        taught, taught_weight: a teacher's probabilities for the train images, (N, classes), and the
            weight of its part of the loss (`zero.nn.loss`). No part of a state: whoever goes on sets
            them again.

    Raises:
        NetworkError: the network does not fit the images, is too large for the memory, or cannot be
            built, with the same weights, for the images of a stage.
        ConfigError: a stage's images cannot be made of these.
    """

    def __init__(
        self,
        network: Network,
        data: ImageData,
        settings: TrainSettings,
        seed: int,
        backend: str = "cpu",
        threads: int = 1,
        *,
        dtype: str = "float32",
        initial: Weights | None = None,
        memory_limit: int | None = None,
        checkpoints: bool = False,
        name: str = "network",
        build: Build | None = None,
    ):
        _check_fits(network, data, name)
        self.network, self.step = trained_network(network, settings), 0
        self.data, self.settings, self.seed, self.dtype = data, settings, seed, dtype
        self.backend, self.threads, self.name = backend, threads, name
        self.course = Course(settings, len(data.train_x), data.image_shape)
        try:
            self.networks = self.course.networks(self.network, build)
        except NetworkError as error:
            raise NetworkError(f"{name}: {error}") from None
        self._needed = training_memory(
            self.network, settings, self.batch, dtype, backend, threads, data, checkpoints, build
        )
        self._largest = max(leg.batch for leg in self.course.legs)
        self._needed.check(name, self._largest, memory_limit)
        with self._memory_named():
            self._make(initial)
        self.taught: np.ndarray | None = None
        self.taught_weight = 0.0
        self.seconds, self.reason = 0.0, "paused"
        self.curve: list[EpochRecord] = []
        self._loss, self._right, self._seen = 0.0, 0, 0  # of the epoch in progress

    @contextmanager
    def _memory_named(self) -> Iterator[None]:
        try:
            yield
        except MemoryError:
            short = self._needed.too_large(self.name, self._largest, usable_bytes())
            raise NetworkError(f"{short} (the system has less to give)") from None

    def _make(self, initial: Weights | None) -> None:
        """Makes all that `training_memory` counts, but for what is made anew in each step."""
        network, settings = self.network, self.settings
        self.model: Any = None
        self._leg: Leg | None = None
        self._use(self.course.legs[0])
        parameters, statistics = initial or (
            initial_parameters(network, self.seed, self.dtype),
            initial_statistics(network, self.dtype),
        )
        self.model.parameters[:], self.model.statistics[:] = parameters, statistics
        self.optimizer = make_optimizer(network, settings, self.dtype)
        self.average = WeightAverage(parameters, statistics, settings.ema) if settings.ema else None

    def _use(self, leg: Leg) -> None:
        """Makes the model that of a stage; weights and statistics stay what they are."""
        if leg is self._leg:
            return
        settings, data, network = self.settings, self.data, self.networks[leg.shape]
        if self._leg is None or (leg.shape, leg.batch) != (self._leg.shape, self._leg.batch):
            kept = None
            if self._leg is not None:
                kept = self.model.parameters.copy(), self.model.statistics.copy()
                self.model = None  # before there is another: both may not fit the memory
            self.model = make_model(network, leg.batch, self.backend, self.dtype, self.threads)
            if kept is not None:
                self.model.parameters[:], self.model.statistics[:] = kept
        self._leg = leg
        self.schedule = schedule_of(settings, leg.learning_rate, leg.schedule_epochs)
        self.masks = Masks(network, settings.drop_path, self.course.steps, self.seed)
        self.batches = Batches(data, settings, leg, self.seed)

    @property
    def batch(self) -> int:
        """Images of a step, in the stage that training is in."""
        return self.course.leg_of(self.step).batch

    @property
    def steps_per_epoch(self) -> int:
        """Steps of an epoch, in the stage that training is in."""
        return self.course.leg_of(self.step).steps_per_epoch

    @property
    def epochs_done(self) -> int:
        """Number of finished epochs."""
        return min(self.course.epoch_of(self.step)[0], self.settings.epochs)

    def run_epochs(
        self,
        count: int | None = None,
        on_epoch: Callable[[EpochRecord], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> TrainResult:
        """Trains for that many epochs more, or to the end; returns what there is then.

        The learning rate follows `settings.epochs`, wherever the pieces end. Does nothing once
        training has ended; an epoch that was left in its middle is finished first, as the first of
        `count`. on_epoch: called after each epoch. should_stop: asked after each step that does not
        end training (after `on_epoch`); True leaves it there, to be continued. In both `state` may
        be taken, also after `evaluate` has raised Stop in a validation: that is then done first.
        """
        last = self.settings.epochs
        if count is not None:
            last = min(last, len(self.curve) + count)
        start = time.monotonic() - self.seconds

        def end_epoch() -> None:
            over = self._is_over_time()
            self._end_epoch()
            if over and self.reason == "paused":
                self.reason = "seconds"
            self.seconds = time.monotonic() - start
            if on_epoch is not None:
                on_epoch(self.curve[-1])

        if self._seen and self.reason == "paused" and self._is_epoch_over():
            end_epoch()
        while self.reason == "paused" and self.step < self.course.steps_until(last):
            self.train_step()
            self.seconds = time.monotonic() - start
            if self.reason == "paused" and self._is_epoch_over():
                end_epoch()
            if should_stop is not None and self.reason == "paused" and should_stop():
                break
        return self.result()

    def _is_over_time(self) -> bool:
        return self.settings.seconds is not None and self.seconds >= self.settings.seconds

    def _is_epoch_over(self) -> bool:
        return self.course.epoch_of(self.step)[1] == 0 or self._is_over_time()

    def train_step(self, rate: float | None = None) -> float:
        """Takes one step and returns the batch's loss, without the end of an epoch; see `run_epochs`.

        rate: instead of the schedule's. Where it diverges, sets `reason` and leaves the parameters alone.
        """
        settings, leg = self.settings, self.course.leg_of(self.step)
        with self._memory_named():
            self._use(leg)
        model, batch = self.model, self.batches.get(*self.course.epoch_of(self.step), self.taught)
        loss, right = model.train_step(
            batch.images,
            batch.labels,
            self.masks.draw(self.step, len(batch.images)),
            settings.label_smoothing,
            settings.auxiliary_weight,
            batch.taught,
            self.taught_weight,
            batch.mixed,
        )
        norm = clip_gradients(model.gradients, settings.clip)
        if not (loss <= settings.max_loss and np.isfinite(norm)):  # NaN is not below anything
            self.reason = "diverged"
            return float(loss)
        place, units = self.course.place(self.step), self.course.per_epoch
        momentum = self.schedule.momentum_at(place, units)
        if momentum is not None:
            self.optimizer.momentum = momentum
        if rate is None:
            rate = self.schedule.rate(place, units)
        self.optimizer.step(model.parameters, model.gradients, rate)
        if self.average is not None:
            self.average.update(model.parameters, model.statistics, self.step)
        self.step += 1
        self._loss += loss * len(batch.images)
        self._right += right
        self._seen += len(batch.images)
        return float(loss)

    def _end_epoch(self) -> None:
        """Validates, writes the epoch's record, and checks whether training is over."""
        leg = self.course.leg_of(self.step - 1)
        valid = self._right_by_class("valid", leg)
        accuracy = int(valid.sum()) / len(self.data.valid_y)
        balanced = balanced_accuracy(valid, self.data.counts("valid"))
        loss, right = self._loss / self._seen, self._right / self._seen
        self.curve.append(EpochRecord(self.epochs_done, self.step, loss, right, accuracy, balanced))
        self._loss, self._right, self._seen = 0.0, 0, 0
        wanted, as_they_are = self.settings.accuracy, leg.shape == self.data.image_shape
        if wanted is not None and as_they_are and accuracy >= wanted:
            self.reason = "accuracy"
        elif self.epochs_done >= self.settings.epochs:
            self.reason = "epochs"

    @contextmanager
    def _final_weights(self) -> Iterator[Weights]:
        """Puts the weights that count, the averages if there are any, into the model for a while."""
        model, average = self.model, self.average
        if average is None:
            yield model.parameters, model.statistics
            return
        kept = model.parameters.copy(), model.statistics.copy()
        model.parameters[:], model.statistics[:] = average.parameters, average.statistics
        try:
            yield model.parameters, model.statistics
        finally:
            model.parameters[:], model.statistics[:] = kept

    def accuracy(self, x: np.ndarray, y: np.ndarray) -> float:
        """Returns the share of images, as they are, that the network now assigns to their labels."""
        self._use(self.course.legs[-1])
        with self._final_weights():
            return evaluate(self.model, x, y, self.data)

    def right_by_class(self, part: str) -> np.ndarray:
        """Returns how many images, as they are, of each class of a part are right, int64 (K,).

        part: "valid"; or "test", to be asked for once, at the very end.
        """
        return self._right_by_class(part, self.course.legs[-1])

    def _right_by_class(self, part: str, leg: Leg) -> np.ndarray:
        with self._memory_named():
            self._use(leg)
        x, y = getattr(self.data, f"{part}_x"), getattr(self.data, f"{part}_y")
        with self._final_weights():
            return right_by_class(self.model, x, y, self.data, self.batches.resize)

    def test_accuracy(self) -> float:
        """Returns the accuracy on the test part; to be asked for once, at the very end."""
        return self.accuracy(self.data.test_x, self.data.test_y)

    def result(self) -> TrainResult:
        """Returns what training has come to; arrays are copies."""
        with self._final_weights() as (parameters, statistics):
            weights = parameters.copy(), statistics.copy()
        done = self.curve if self.reason != "diverged" else []
        whole = [r for r in done if self._is_whole(r)] or done
        best = max(whole, key=lambda record: (record.valid_accuracy, -record.epoch), default=None)
        return TrainResult(
            reason=self.reason,
            curve=tuple(self.curve),
            valid_accuracy=done[-1].valid_accuracy if done else 0.0,
            best_valid_accuracy=best.valid_accuracy if best else 0.0,
            best_epoch=best.epoch if best else 0,
            steps=self.step,
            seconds=self.seconds,
            network=self.network,
            parameters=weights[0],
            statistics=weights[1],
        )

    def _is_whole(self, record: EpochRecord) -> bool:
        """Returns whether an epoch was on images as they are."""
        return self.course.leg_of(record.steps - 1).shape == self.data.image_shape

    def state(self) -> Tree:
        """Returns all that `restore` needs, as a tree for `zero.system.trees.write_tree`; copies."""
        tree: Tree = {
            "made_with": self._made_with(),
            "parameters": self.model.parameters.copy(),
            "statistics": self.model.statistics.copy(),
            "optimizer": {name: array.copy() for name, array in self.optimizer.state.items()},
            "average": {},
            "step": self.step,
            "seconds": self.seconds,
            "reason": self.reason,
            "epoch": {"loss": self._loss, "right": self._right, "seen": self._seen},
            "curve": np.array(self.curve, dtype=np.float64).reshape(-1, len(EpochRecord._fields)),
        }
        if self.average is not None:
            tree["average"] = {
                "parameters": self.average.parameters.copy(),
                "statistics": self.average.statistics.copy(),
            }
        return tree

    def restore(self, tree: Tree) -> None:
        """Goes back to a state that a trainer with the same arguments gave.

        Raises:
            ArchiveError: it is the state of another training, or no state.
        """
        try:
            for what, mine in self._made_with().items():
                if tree["made_with"][what] != mine and not (
                    what == "settings" and self._is_mine(tree["made_with"][what])
                ):
                    raise ArchiveError(
                        f"this training was begun with other {what}; continue it with the same, or "
                        "start a new one"
                    )
            places = [(self.model.parameters, tree["parameters"])]
            places.append((self.model.statistics, tree["statistics"]))
            places += [(old, tree["optimizer"][name]) for name, old in self.optimizer.state.items()]
            if self.average is not None:
                places.append((self.average.parameters, tree["average"]["parameters"]))
                places.append((self.average.statistics, tree["average"]["statistics"]))
            for old, new in places:
                old[:] = new
            self.step, self.seconds = int(tree["step"]), float(tree["seconds"])
            self.reason = str(tree["reason"])
            epoch = tree["epoch"]
            self._loss, self._right, self._seen = epoch["loss"], epoch["right"], epoch["seen"]
            self.curve = [
                EpochRecord(int(e), int(s), *rest) for e, s, *rest in tree["curve"].tolist()
            ]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ArchiveError(
                f"not the state of a training, or a damaged one ({type(error).__name__}: {error}); "
                "start the training again"
            ) from None

    def _is_mine(self, settings: str) -> bool:
        """Returns whether settings as text are those of this training, also of an older version."""
        return TrainSettings.model_validate_json(settings) == self.settings

    def _made_with(self) -> dict[str, str]:
        """Returns what must be equal for a state to fit, as text."""
        data = self.data
        # The mean tells other pixels, the labels' digest another split.
        images = (data.train_x.shape, data.classes, data.mean.tobytes(), data.train_y.tobytes())
        return {
            "settings": self.settings.model_dump_json(),
            "seed": str(self.seed),
            "dtype": self.dtype,
            "layers": hashlib.sha256(repr(self.network).encode()).hexdigest(),
            "images": hashlib.sha256(repr(images).encode()).hexdigest(),
        }


def _check_fits(network: Network, data: ImageData, name: str) -> None:
    if network.layers[0].shape != data.image_shape or network.classes != len(data.classes):
        wanted = " x ".join(map(str, network.layers[0].shape))
        found = " x ".join(map(str, data.image_shape))
        raise NetworkError(
            f"{name}: made for images of {wanted} and {network.classes} classes; {data.name} has "
            f"{found} and {len(data.classes)} classes; build it for these"
        )


def train(
    network: Network,
    data: ImageData,
    settings: TrainSettings,
    seed: int,
    backend: str = "cpu",
    threads: int = 1,
    *,
    resume: Tree | None = None,
    checkpoint: Callable[[Tree], None] | None = None,
    on_epoch: Callable[[EpochRecord], None] | None = None,
    **more: Any,
) -> TrainResult:
    """Trains a network to the end of its budgets. Divergence is a result, not an error.

    Args:
        network, data, settings, seed, backend, threads: as for `Trainer`.
        resume: a state to go on from.
        checkpoint: called with the state after every epoch.
        on_epoch: called with the record after every epoch.
        more: other arguments of `Trainer`.

    Raises:
        NetworkError: the network does not fit the images, or is too large for the memory.
        ArchiveError: `resume` belongs to another training.
    """
    kept = checkpoint is not None
    trainer = Trainer(network, data, settings, seed, backend, threads, checkpoints=kept, **more)
    if resume is not None:
        trainer.restore(resume)

    def report(record: EpochRecord) -> None:
        if checkpoint is not None:
            checkpoint(trainer.state())
        if on_epoch is not None:
            on_epoch(record)

    return trainer.run_epochs(on_epoch=report)

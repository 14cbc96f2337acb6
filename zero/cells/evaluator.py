"""What a candidate is worth: by training its network on images, or by looking it up in a table.

Both evaluators have the same methods: `key` (candidates of one key are the same), `cost`, and
`begin`, which returns a trial: one candidate's evaluation, taken step by step so that a search can
pause within it. `zero.cells.island` is the only caller of `begin`.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from zero.cells.cost import Cost, cost_of, estimated_seconds
from zero.cells.genome import Genome, canonical_key
from zero.cells.networks.build import build_network
from zero.cells.networks.skeletons import Skeleton
from zero.cells.table import CellTable
from zero.data.images import ImageData
from zero.errors import NetworkError
from zero.nn.augment import some_images
from zero.nn.layers.record import Shape
from zero.nn.net2net import inherit_exactly
from zero.nn.network import Network
from zero.nn.stages import Build, Course
from zero.nn.train import Trainer
from zero.nn.train_memory import training_memory
from zero.nn.train_settings import TrainSettings, trained_network
from zero.nn.weights import inherit, initial_parameters, initial_statistics

# What a table's networks are for: CIFAR-10, as NAS-Bench-201 trains them.
TABLE_IMAGE, TABLE_CLASSES, TABLE_BATCH = (32, 32, 3), 10, 256

MEASURED_ON = 32  # train images of which a new batch norm takes mean and variance

Weights = tuple[np.ndarray, np.ndarray]  # flat parameters and statistics


def digest(text: str) -> str:
    """Returns 16 hexadecimal digits that stand for a text."""
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


class Training:
    """A trial that trains; a step is an epoch, or less where the caller stops it.

    The properties are what the island asks of every trial.
    """

    def __init__(self, trainer: Trainer):
        self.trainer = trainer

    @property
    def ended(self) -> bool:
        """Whether nothing is left to do."""
        return self.trainer.reason != "paused"

    @property
    def reason(self) -> str:
        """Why it failed, "" if it did not."""
        if self.trainer.reason != "diverged":
            return ""
        epoch = self.trainer.epochs_done + 1
        return f"diverged in epoch {epoch}: a loss or gradient that is too large or no number"

    @property
    def epochs(self) -> int:
        """Epochs done."""
        return len(self.trainer.curve)

    @property
    def all_epochs(self) -> int:
        """Epochs there will be."""
        return self.trainer.settings.epochs

    @property
    def accuracy(self) -> float:
        """Share of the valid images that are right; NaN before the first epoch."""
        if self.trainer.reason == "diverged" or not self.trainer.curve:
            return math.nan
        return self.trainer.curve[-1].valid_accuracy

    @property
    def balanced_accuracy(self) -> float:
        """Mean over classes of the shares of their valid images that are right; NaN as above."""
        if self.trainer.reason == "diverged" or not self.trainer.curve:
            return math.nan
        return self.trainer.curve[-1].valid_balanced

    @property
    def curve(self) -> np.ndarray:
        """Train loss and valid accuracy after each epoch, float64 (epochs, 2)."""
        rows = [(r.train_loss, r.valid_accuracy) for r in self.trainer.curve]
        return np.array(rows, dtype=np.float64).reshape(-1, 2)

    @property
    def steps(self) -> int:
        """Batches so far."""
        return self.trainer.step

    def step(self, should_stop: Callable[[], bool] | None = None) -> None:
        """Trains to the end of the epoch, or until `should_stop`, asked after each batch."""
        self.trainer.run_epochs(1, should_stop=should_stop)

    def weights(self) -> Weights | None:
        """Returns copies of the trained parameters and statistics."""
        result = self.trainer.result()
        return result.parameters, result.statistics

    def state(self) -> dict[str, Any]:
        """Returns what `restore` needs."""
        return self.trainer.state()

    def restore(self, state: dict[str, Any]) -> None:
        """Goes on from a state."""
        self.trainer.restore(state)


class TrainEvaluator:
    """Trains candidates from their initial weights, all with the same settings.

    Args:
        data: the images.
        skeleton: what cells are put into.
        settings: of training.
        backend, dtype, threads: of `zero.nn.make_model`.
        memory_limit: bytes that a process that trains may take.
        exact: whether what is inherited makes the network compute what its parent computes, where it can
            (`zero.nn.net2net`).

    Attributes:
        is_exact: whether the last trial that was begun starts so.
        full: of the networks that candidates stand for, where they are trained with less: what one
            costs is what that one costs (`zero.cells.fidelity`).
        course: which step of a training is in which epoch and stage.

    Raises:
        ConfigError: the images of a stage of the training cannot be made of these.
    """

    def __init__(
        self,
        data: ImageData,
        skeleton: Skeleton,
        settings: TrainSettings,
        backend: str = "cpu",
        dtype: str = "float32",
        threads: int = 1,
        memory_limit: int | None = None,
        exact: bool = False,
        full: TrainEvaluator | None = None,
    ):
        self.full = full
        self.data, self.skeleton, self.settings = data, skeleton, settings
        self.backend, self.dtype, self.threads = backend, dtype, threads
        self.memory_limit, self.exact, self.is_exact = memory_limit, exact, False
        self.course = Course(settings, len(data.train_x), data.image_shape)
        self.network = lru_cache(maxsize=64)(self._network)
        # After a pause in a training the search draws the same genomes once more, up to the first
        # within the budget; to count a network takes ten milliseconds.
        self.cost = lru_cache(maxsize=4096)(self._cost)

    def _network(self, genome: Genome) -> Network:
        return build_network(genome, self.skeleton, self.data.image_shape, len(self.data.classes))

    def builder(self, genome: Genome) -> Build:
        """Returns what makes a genome's network for images of any shape."""
        return lambda shape: build_network(genome, self.skeleton, shape, len(self.data.classes))

    def key(self, genome: Genome) -> str:
        """Returns a digest that isomorphic genomes share."""
        return digest(canonical_key(genome))

    def _cost(self, genome: Genome) -> Cost:
        """Returns what the genome's network costs, its activations in a batch of the training.

        Raises:
            NetworkError: the genome makes no network in this skeleton.
        """
        if self.full is None:
            return self.trained_cost(genome)
        try:
            self.network(genome)
        except NetworkError as error:
            raise NetworkError(f"with cells.fidelity: {error}") from None
        return self.full.cost(genome)

    def trained_cost(self, genome: Genome) -> Cost:
        """Returns what the network that is trained costs, whatever it stands for.

        With stages: the activations of the stage that has most, the mean time of a step.
        """
        networks = self._networks(genome)
        legs = self.course.legs
        cost = cost_of(networks[legs[-1].shape], legs[-1].batch)
        if len(legs) == 1:
            return cost
        most = max(networks[leg.shape].activation_bytes(leg.batch) for leg in legs)
        seconds = self.training_seconds(genome) / self.course.steps
        return replace(cost, activation_bytes=most, seconds_per_step=seconds)

    def training_seconds(self, genome: Genome) -> float:
        """Returns an estimate of a genome's training, the same on all machines."""
        networks = self._networks(genome)
        return sum(
            leg.epochs * leg.steps_per_epoch * estimated_seconds(networks[leg.shape], leg.batch)
            for leg in self.course.legs
        )

    def _networks(self, genome: Genome) -> dict[Shape, Network]:
        """Returns a genome's network as it is trained, by image shape."""
        network = trained_network(self.network(genome), self.settings)
        return self.course.networks(network, self.builder(genome))

    def check_memory(self, genome: Genome, name: str) -> None:
        """Raises NetworkError, with that name, if a genome's training does not fit the memory."""
        batch = min(self.settings.batch, len(self.data.train_x))
        training_memory(
            self.network(genome), self.settings, batch, self.dtype, self.backend, self.threads,
            self.data, True, self.builder(genome),
        ).check(name, max(leg.batch for leg in self.course.legs), self.memory_limit)  # fmt: skip

    def begin(
        self,
        genome: Genome,
        seed: int,
        name: str,
        parent: tuple[Genome | Network, Weights] | None = None,
    ) -> Training:
        """Returns the trial of a genome.

        seed: of its weights, data order and so on. name: for messages. parent: a genome (or a network) and
        its trained weights, of which layers of the same name and shape start with a copy; with
        `exact` as `zero.nn.net2net.inherit_exactly` says.

        Raises:
            NetworkError: it makes no network, or one that is too large for the memory.
        """
        network = self.network(genome)
        initial, self.is_exact = None, False
        if parent is not None:
            mine = trained_network(network, self.settings)
            initial = (
                initial_parameters(mine, seed, self.dtype),
                initial_statistics(mine, self.dtype),
            )
            theirs = parent[0]
            if not isinstance(theirs, Network):
                theirs = trained_network(self.network(theirs), self.settings)
            if self.exact:
                images = some_images(self.data, seed, MEASURED_ON)
                self.is_exact = inherit_exactly(theirs, *parent[1], mine, *initial, seed, images)
            else:
                inherit(theirs, *parent[1], mine, *initial)
        trainer = Trainer(
            network, self.data, self.settings, seed, self.backend, self.threads,
            dtype=self.dtype, initial=initial, memory_limit=self.memory_limit, checkpoints=True,
            name=name, build=self.builder(genome),
        )  # fmt: skip
        return Training(trainer)

    def latency(self, genome: Genome) -> float:
        """Returns how many seconds the prediction of one image takes here, the fastest of many.

        It is measured: no two calls give the same.
        """
        import time

        from zero.nn import make_model

        if self.full is not None:
            return self.full.latency(genome)

        network = self.network(genome).without_auxiliary
        model = make_model(network, 1, self.backend, self.dtype, self.threads)
        model.parameters[:] = initial_parameters(network, 0, self.dtype)
        image = np.zeros((1, *self.data.image_shape), dtype=self.dtype)
        model.predict(image)
        times = []
        while len(times) < 10 or (sum(times) < 0.1 and len(times) < 1000):
            began = time.perf_counter()
            model.predict(image)
            times.append(time.perf_counter() - began)
        return min(times)


class Lookup:
    """A trial that is over as soon as it begins; attributes and methods as for `Training`."""

    ended, reason, epochs, all_epochs, steps = True, "", 0, 0, 1

    def __init__(self, accuracy: float):
        self.accuracy = accuracy
        self.curve = np.zeros((0, 2))

    def step(self, should_stop: Callable[[], bool] | None = None) -> None:
        """Does nothing."""

    def weights(self) -> None:
        """Returns None: a table has no weights."""

    def state(self) -> dict[str, Any]:
        """Returns nothing."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Does nothing."""


class TableEvaluator:
    """Looks candidates up in a table of NAS-Bench-201's form.

    Args:
        table: with the columns `select` and `report`, in percent or as shares.
        select, report: column of the fitness, and of the final figure.
        skeleton: for the costs of cells.
    """

    threads = 1

    def __init__(self, table: CellTable, select: str, report: str, skeleton: Skeleton):
        self.table, self.select, self.report, self.skeleton = table, select, report, skeleton
        self.rows = {table.arch(row): row for row in range(len(table))}
        columns = [table.columns[select], table.columns[report]]
        # Tables hold percents; everything here is a share.
        self.scale = 100.0 if max(c.max() for c in columns) > 1 else 1.0
        self.cost = lru_cache(maxsize=None)(self._cost)

    def key(self, genome: Genome) -> str:
        """Returns a digest of the genome's text: rows of isomorphic cells differ in tables."""
        return digest(str(genome))

    def _cost(self, genome: Genome) -> Cost:
        """Returns what the genome's network costs, on CIFAR-10's images at batch 256."""
        return cost_of(self.network(genome), TABLE_BATCH)

    def network(self, genome: Genome) -> Network:
        """Returns a genome's network, on CIFAR-10's images."""
        return build_network(genome, self.skeleton, TABLE_IMAGE, TABLE_CLASSES)

    def _value(self, genome: Genome, column: str) -> float:
        row = self.rows.get(str(genome.normal))
        if row is None:
            raise NetworkError(f"{self.table.where} has no row for {genome.normal}")
        return float(self.table.columns[column][row]) / self.scale

    def begin(self, genome: Genome, seed: int, name: str, parent: Any = None) -> Lookup:
        """Returns the trial of a genome: its accuracy in the column `select`.

        Raises:
            NetworkError: the table does not list it.
        """
        return Lookup(self._value(genome, self.select))

    def reported(self, genome: Genome) -> float:
        """Returns the genome's accuracy in the column `report`, a share."""
        return self._value(genome, self.report)

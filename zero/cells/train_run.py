"""`zero train`: one network trained in full, in a folder of its own that it can be resumed from.

The folder is a run's (`zero.runs.folder.RunFolder`: config.yaml, run.json, log.jsonl, checkpoints/) with
    genome.txt     the text of the cells
    cells.svg      their drawing
    train.json     figures so far, after every epoch; see `Trained`
    network.h5     the trained network (`zero.nn.saved`), once training has ended

A config is read as for the last training of a run (`zero.cells.kind`), and the seed is the same: the
outcome of a run, trained with the run's own config, gets the same weights again.
"""

from __future__ import annotations

import math
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zero import genomes
from zero.cells.config import CellsConfig, skeleton_of
from zero.cells.cost import cost_of
from zero.cells.domain import OUTCOME, CellsDomain
from zero.cells.drawing.svg import draw_svg
from zero.cells.genome import Genome
from zero.cells.networks.skeletons import check_ops
from zero.cells.placing import of_training
from zero.cells.spaces import get_space
from zero.cells.train_config import (
    GENOME,
    find_genome,
    read_genome,
    training_config,
)
from zero.cells.weights_file import save_weights, saved_form
from zero.config.load import config_to_yaml
from zero.data.classes import balanced_accuracy
from zero.data.images import ImageData
from zero.errors import ArchiveError, NetworkError
from zero.nn.saved import network_tree
from zero.nn.stages import relative_costs
from zero.nn.train import EpochRecord, Trainer
from zero.rng.philox import key_for
from zero.runs.folder import RunFolder
from zero.runs.progress import Reporter, duration
from zero.runs.reports.write import leave_report
from zero.runs.session import Session, new_session, resumed_session
from zero.system.files import write_bytes
from zero.system.sealed import read_sealed, write_sealed
from zero.system.signals import Stop, Stops

DRAWING, FIGURES, NETWORK = "cells.svg", RunFolder.TRAINED, "network.h5"
LONGEST_WITHOUT_CHECKPOINT = 60.0  # the longest time without one, where an epoch takes longer


@dataclass(frozen=True)
class Trained:
    """How far a training has come.

    reason: "epochs", "seconds" or "accuracy" (of cells.training) if it has ended; "interrupted" or
    "max_seconds" if it can go on. figures: what train.json holds; accuracies are shares, those on
    test images None until the end, seconds those of training and validation
    in all processes, curve a list of `zero.nn.train.EpochRecord` as dicts. They are empty where it
    was stopped before the images were read.
    """

    folder: Path
    reason: str
    figures: dict[str, Any]


def read_figures(path: str | Path) -> dict[str, Any]:
    """Returns what the train.json in a training's folder holds; without an epoch there is none.

    Raises:
        ArchiveError: it cannot be read, or is damaged.
    """
    file = Path(path) / FIGURES
    if not file.exists():
        raise ArchiveError(f"cannot read {file}: there is none; no epoch is over yet")
    figures = read_sealed(file)
    if not {"curve", "reason", "genome"} <= set(figures):
        raise ArchiveError(f"{file} holds no figures of a training")
    return figures


def make_trainer(
    config: CellsConfig, data: ImageData, genome: Genome, name: str, threads: int | None
) -> Trainer:
    """Returns what trains a genome as a config of `training_config` says; name: for messages."""
    placing = of_training(config, data.image_shape, len(data.classes))
    check_ops(get_space(genome.space).ops, placing.skeleton.kind)
    network = placing.network(genome, name)
    return Trainer(
        network, data, config.cells.training, key_for(config.seed, "final", OUTCOME),
        config.backend, threads or os.cpu_count() or 1, dtype=config.dtype, checkpoints=True,
        name=name, build=placing.builder(genome, name),
    )  # fmt: skip


def _keep(genome: Genome, name: str, folder: Path) -> None:
    """Writes the cells and their drawing."""
    write_bytes(folder / GENOME, f"{genome}\n".encode())
    write_bytes(folder / DRAWING, draw_svg(genome, name).encode())


# --- starting and resuming ------------------------------------------------------------------------


def start(
    what: str,
    config: CellsConfig,
    out: str | Path | None = None,
    threads: int | None = None,
    max_seconds: float | None = None,
    reporter: Reporter | None = None,
    command: list[str] | None = None,
) -> Trained:
    """Trains a network in a new folder.

    Args:
        what: as for `zero.cells.train_config.find_genome`.
        config: of `zero.cells.train_config.training_config`.
        out: the folder, new or empty; by default runs/train-NAME-001 and so on.
        threads: by default one for each core; decides nothing about the outcome.
        max_seconds: stop after this time, with reading and compiling, so that `resume` can go on.
        reporter: is told what happens; by default nobody is. Gets messages, and the events start,
            update (after every epoch, with an `EpochRecord`'s figures) and finish.
        command: kept in run.json.

    Raises:
        NetworkError: genome, skeleton and images do not fit together, the network is too large for
            the memory, or training diverged.
        ZeroError: images, run or folder cannot be used, or no space is left.
    """
    stops, reporter = Stops(max_seconds), reporter or Reporter()
    name, genome = find_genome(what)
    with new_session(
        out, f"train-{name}", config_to_yaml(config), config.seed, command or [], reporter, stops,
        LONGEST_WITHOUT_CHECKPOINT,
    ) as session:  # fmt: skip
        session.info |= {"cell": name, "genome": str(genome), "threads": threads}
        _keep(genome, name, session.folder.path)
        session.record_settings(config.imports)
        return TrainingRun(genome, config, session).go(None)


def resume(
    path: str | Path, max_seconds: float | None = None, reporter: Reporter | None = None
) -> Trained:
    """Goes on with a training from its newest readable checkpoint; the weights are as if unbroken.

    One that has ended stays as it is. Arguments as for `start`.

    Raises:
        ArchiveError: it is no training's folder, it is in use, or no checkpoint can be read.
        ZeroError: as for `start`; or the images or the settings have changed since.
    """
    stops, reporter = Stops(max_seconds), reporter or Reporter()
    with resumed_session(path, reporter, stops, LONGEST_WITHOUT_CHECKPOINT) as session:
        folder = session.folder.path
        config, genome = training_config(folder / RunFolder.CONFIG), read_genome(folder)
        _keep(genome, str(session.info.get("cell")), folder)
        return TrainingRun(genome, config, session).go(session.load())


class TrainingRun:
    """What one process does of a training."""

    def __init__(self, genome: Genome, config: CellsConfig, session: Session):
        self.genome, self.config, self.session = genome, config, session
        self.info, self.folder, self.stops = session.info, session.folder, session.stops
        self.reporter = session.reporter

    def go(self, state: dict[str, Any] | None) -> Trained:
        """Trains to the end, or until it is stopped; state: of a checkpoint to go on from."""
        with self.stops.listening():
            try:
                with self.stops.at_once(anywhere=True):
                    self.trainer = self._made_trainer()
            except Stop:  # in the reading
                return Trained(self.folder.path, str(self.stops.why), {})
            if state is not None:
                self.trainer.restore(state)
            self._begin()
            try:
                with self.stops.at_once():
                    return self._train()
            except Stop:  # while compiling, or in an evaluation
                self._save()
                return self._finish(str(self.stops.why), None)

    def _made_trainer(self) -> Trainer:
        """Reads the images and returns what trains on them.

        Raises:
            ZeroError: they cannot be used, or are not those that the training began with.
        """
        domain, info = CellsDomain(self.config), self.info
        name, threads = str(info.get("cell")), info.get("threads")
        digest = domain.data_digest()
        self.session.check_data("images", digest, "images", "training", "train anew")
        info["images"] = digest
        trainer = make_trainer(self.config, domain.data, self.genome, name, threads)
        self.form = network_tree(
            *saved_form(self.genome, skeleton_of(self.config.cells), domain.data)
        )
        info.setdefault("image_set", domain.data_info()["image_set"])
        self.session.write_info()
        return trainer

    def _train(self) -> Trained:
        trainer = self.trainer
        self.mark_step = trainer.step
        self.costs = relative_costs(trainer.course.legs, trainer.networks)
        self.mark = time.monotonic()
        trainer.run_epochs(on_epoch=self._after_epoch, should_stop=self._after_step)
        if trainer.reason == "paused":
            self._save()
            return self._finish(str(self.stops.why), None)
        if trainer.reason == "diverged":
            self._finish("diverged", None)
            raise NetworkError(
                f"{self.info['cell']}: training diverged in epoch {trainer.epochs_done + 1}: a "
                "loss or gradient that is too large or no number; set a lower "
                "cells.training.learning_rate"
            )
        self.reporter.message("taking the accuracy on the test images")
        right = trainer.right_by_class("test")
        self._save_network(int(right.sum()) / len(trainer.data.test_y))
        return self._finish(trainer.reason, right)

    def _begin(self) -> None:
        trainer, data, path = self.trainer, self.trainer.data, self.folder.path
        epochs, done = trainer.settings.epochs, trainer.epochs_done
        parameters = cost_of(trainer.network).parameters
        skeleton = skeleton_of(self.config.cells)
        size = "x".join(map(str, data.image_shape))
        self.reporter.message(
            f"training {self.info['cell']} in the skeleton {skeleton}, images {size}, "
            f"{len(data.classes)} classes: {parameters:,} parameters"
        )
        self.reporter.message(
            f"on {data.name}: {len(data.train_x):,} images, epochs {min(done + 1, epochs)} to "
            f"{epochs}, folder {path}"
        )
        for text in () if trainer.step else data.warnings:
            self.reporter.message(f"note: {text}")
        self.reporter.start({
            "cell": self.info["cell"], "seed": self.config.seed, "backend": self.config.backend,
            "dtype": self.config.dtype, "folder": str(path), "parameters": parameters,
            "epochs": epochs, "epochs_done": done, "skeleton": asdict(skeleton),
            "image_shape": list(data.image_shape), "classes": len(data.classes),
        })  # fmt: skip
        self.folder.log("resume" if trainer.step else "start", seconds=trainer.seconds)

    # --- between steps and epochs ---------------------------------------------------------------

    def _after_step(self) -> bool:
        """Returns whether to stop; keeps a checkpoint now and then where epochs are long."""
        epoch, step = self.trainer.course.epoch_of(self.trainer.step)
        if step and self.session.save_is_due():
            self.reporter.message(f"epoch {epoch + 1}: {step / self.trainer.steps_per_epoch:.0%}")
            self._save()
        return self.stops.wanted()

    def _after_epoch(self, record: EpochRecord) -> None:
        trainer, settings = self.trainer, self.trainer.settings
        now = time.monotonic()
        course, costs, passed = trainer.course, self.costs, max(now - self.mark, 1e-9)
        rate = (course.images(trainer.step) - course.images(self.mark_step)) / passed
        # Those of the stages to come take longer, or there are fewer.
        done = course.images(trainer.step, costs)
        work = (done - course.images(self.mark_step, costs)) / passed
        seconds = (course.images(course.steps, costs) - done) / max(work, 1e-9)
        self.mark, self.mark_step = now, trainer.step
        if settings.seconds is not None:
            seconds = min(seconds, max(settings.seconds - trainer.seconds, 0.0))
        height, width, _ = course.leg_of(record.steps - 1).shape
        size = f", images of {height} x {width}" if settings.stages else ""
        self.reporter.message(
            f"epoch {record.epoch} of {settings.epochs}: loss {record.train_loss:.4f}, accuracy "
            f"{record.train_accuracy:.4f}, valid {record.valid_accuracy:.4f}, "
            f"{rate:,.0f} images/s{size}, {duration(seconds)} left"
        )
        event = {**record._asdict(), "images_per_second": rate, "seconds_left": seconds}
        self.reporter.update(event)
        self.folder.log("epoch", **record._asdict(), seconds=trainer.seconds)
        self._save()
        self._write_figures("paused", None)

    # --- files ----------------------------------------------------------------------------------

    def _save(self) -> None:
        # With all that `zero export` needs, so that a paused training can be exported, too.
        self.session.save({**self.trainer.state(), "network": self.form})

    def _save_network(self, test: float) -> None:
        trainer, result = self.trainer, self.trainer.result()
        save_weights(
            self.folder.path / NETWORK,
            self.genome,
            skeleton_of(self.config.cells),
            trainer.data,
            (result.parameters, result.statistics),
            valid_accuracy=result.valid_accuracy,
            test_accuracy=test,
            seed=self.config.seed,
            epochs=trainer.epochs_done,
        )

    def _write_figures(self, reason: str, right: np.ndarray | None) -> dict[str, Any]:
        """Writes and returns the figures; right: how many test images of each class are."""
        trainer, data = self.trainer, self.trainer.data
        cost, result = cost_of(trainer.network), trainer.result()
        figures: dict[str, Any] = {
            "cell": self.info["cell"],
            "genome": str(self.genome),
            "config": self.config.name,
            "reason": reason,
            "epochs": trainer.epochs_done,
            "steps": trainer.step,
            "seconds": trainer.seconds,
            "images_per_second": trainer.course.images(trainer.step) / max(trainer.seconds, 1e-9),
            "valid_accuracy": result.valid_accuracy,
            "valid_balanced_accuracy": _known(trainer.curve[-1].valid_balanced)
            if trainer.curve
            else None,
            "best_valid_accuracy": result.best_valid_accuracy,
            "best_epoch": result.best_epoch,
            **_tested(right, data.counts("test")),
            "skeleton": asdict(skeleton_of(self.config.cells)),
            "parameters": cost.parameters,
            "multiply_adds": cost.multiply_adds,
            "images": {
                **data.summary(),
                "classes": len(data.classes),
                "class_names": list(data.classes),
                **{part: len(getattr(data, f"{part}_x")) for part in ("train", "valid", "test")},
            },
            "curve": [
                {name: _known(value) for name, value in record._asdict().items()}
                for record in trainer.curve
            ],
            "run": {k: v for k, v in self.info.items() if k not in ("cell", "images", "image_set")},
        }
        write_sealed(self.folder.path / FIGURES, figures)
        self.session.begun = True
        return figures

    def _finish(self, reason: str, right: np.ndarray | None) -> Trained:
        figures = self._write_figures(reason, right)
        ended = {"reason": reason, "seconds": self.trainer.seconds, "epochs": figures["epochs"]}
        self.folder.log("finish", **ended)
        if self.config.report and right is not None:
            kind = genomes.get(self.config.genomes)
            leave_report(kind, self.folder.path, None, self.session.stops, self.session.message)
        self.reporter.finish(ended)
        return Trained(self.folder.path, reason, figures)


def _tested(right: np.ndarray | None, images: np.ndarray) -> dict[str, Any]:
    """Returns the figures on the test images, None before there are any; both by class."""
    names = ("test_accuracy", "test_balanced_accuracy", "test_right_by_class")
    if right is None:
        return dict.fromkeys(names)
    balanced = balanced_accuracy(right.tolist(), images.tolist())
    values = (int(right.sum()) / int(images.sum()), balanced, right.tolist())
    return dict(zip(names, values, strict=True))


def _known(value: float) -> float | None:
    """Returns a figure as JSON has it: None where a checkpoint of an older version has none."""
    return None if math.isnan(value) else value

"""`zero train --find-rate`: a range test of the learning rate, in a folder of its own.

    rates.csv    step, learning_rate, loss, smoothed
    rates.svg    the curve, with what is suggested; rates.png the same

The network, its images, seed, batch and augmentation are those that `zero train` would train it with; stages
and the schedule are left out. Nothing else is written. Called by `zero.cells.kind`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zero.cells.config import CellsConfig
from zero.cells.domain import CellsDomain
from zero.cells.train_config import find_genome
from zero.cells.train_run import make_trainer
from zero.errors import ArchiveError
from zero.nn.rate_finder import STEPS, RangeTest, range_test, settings_for_test
from zero.runs.folder import numbered_folder
from zero.runs.pictures import INK, OTHER, OWN, SOFT, save
from zero.system.files import cannot_write, write_bytes

CURVE, DRAWINGS = "rates.csv", ("rates.svg", "rates.png")


@dataclass(frozen=True)
class FoundRate:
    """A range test, the folder that it is written in, and the learning rate that the config has."""

    name: str
    folder: Path
    test: RangeTest
    configured: float


def find_rate(
    what: str, config: CellsConfig, out: Path | None = None, threads: int | None = None,
    reporter: Any = None,
) -> FoundRate:  # fmt: skip
    """Returns what a range test finds, after writing it.

    Args:
        what: as for `zero.cells.train_config.find_genome`.
        config: of `zero.cells.train_config.training_config`.
        out: the folder, new or empty; by default runs/rates-NAME-001 and so on.
        threads: by default one for each core; decides nothing about the outcome.
        reporter: is told how far it is.

    Raises:
        NetworkError: no rate is found, or genome, skeleton and images do not fit together.
        ArchiveError: the folder holds something, or cannot be written.
        ZeroError: the images cannot be used.
    """
    name, genome = find_genome(what)
    if out is not None and out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise ArchiveError(f"{out} is there and no empty folder; give another --out")
    data, given = CellsDomain(config).data, config.cells.training
    steps_per_epoch = len(data.train_x) // min(given.batch, len(data.train_x))
    settings = settings_for_test(given, STEPS, steps_per_epoch)
    changed = config.model_copy(
        update={"cells": config.cells.model_copy(update={"training": settings})}
    )
    trainer = make_trainer(changed, data, genome, name, threads or os.cpu_count() or 1)

    def tell(number: int, rate: float, loss: float) -> None:
        if reporter is not None and number % 10 == 0:
            reporter.message(f"step {number}: rate {rate:.2g}, loss {loss:.4f}")

    test = range_test(trainer, on_step=tell)
    folder = numbered_folder(Path("runs"), f"rates-{name}") if out is None else out
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_bytes(folder / CURVE, _table(test).encode())
        for drawing in DRAWINGS:
            save(lambda figure: draw(test, given.learning_rate, figure), folder / drawing)
    except OSError as error:
        raise cannot_write(folder, error) from None
    return FoundRate(name, folder, test, given.learning_rate)


def _table(test: RangeTest) -> str:
    rows = zip(test.rates.tolist(), test.losses.tolist(), test.smoothed.tolist(), strict=True)
    lines = [f"{n},{rate!r},{loss!r},{mean!r}" for n, (rate, loss, mean) in enumerate(rows, 1)]
    return "\n".join(["step,learning_rate,loss,smoothed", *lines, ""])


def draw(test: RangeTest, configured: float, figure: Any) -> None:
    """Draws the losses over the rates, with the suggestion and the rate that the config has."""
    axes = figure.subplots()
    axes.plot(test.rates, test.losses, color=SOFT, lw=0.8, label="batch")
    axes.plot(test.rates, test.smoothed, color=OWN, lw=1.8, label="smoothed")
    axes.axvline(test.suggestion, color=OTHER, lw=1.4, label=f"suggested: {test.suggestion:.2g}")
    axes.axvline(configured, color=INK, lw=0.9, ls="--", label=f"the config's: {configured:.2g}")
    top = max(test.smoothed.max(), test.losses[: len(test.losses) // 2 + 1].max())
    axes.set(
        xscale="log", xlabel="learning rate", ylabel="loss", ylim=(0, 1.1 * top),
        title="learning rate range test",
    )  # fmt: skip
    axes.legend(loc="lower left")

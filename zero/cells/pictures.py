"""Pictures of runs over cells: the cells, training curves, costs, and what the network takes for what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from zero.cells.supernet.told import pictures as of_supernet
from zero.errors import ArchiveError, visible
from zero.runs.pictures import INK, OTHER, OWN, SOFT, Draw
from zero.runs.reports import charts
from zero.runs.reports.common import RunFiles, costs
from zero.runs.reports.common import pictures as of_every_run

MOST_CURVES = 200  # of candidates that are drawn behind the outcome's
MOST_IMAGES = 2000  # test images that are classified for pictures
MOST_MISTAKES = 12
MOST_NUMBERED = 15  # classes whose cells of a confusion matrix have numbers


def pictures(run: RunFiles, tested: Tested | None = None) -> dict[str, Draw]:
    """Returns what can be drawn of a run, by name.

    tested: what its network says of test images; by default it is asked, where a picture needs it.
    """
    records = [r for e in run.data.experiments for r in e.records]
    found = of_every_run(run)
    found["cells"] = partial(cells, run.best.text)
    if any(len(r.curve) for r in records):
        found["training"] = partial(training_curves, records, run.best.id)
    found |= of_supernet(run.results)
    points = costs(run, lambda r: r.multiply_adds, lambda r: r.accuracy)
    found["pareto"] = charts.pareto(*points, "multiply-adds an image", "valid accuracy")
    if (run.path / "best_weights.h5").is_file():
        asked = partial(_tested, run) if tested is None else lambda: tested
        found["confusion"] = lambda figure: confusion(asked(), figure)
        found["mistakes"] = lambda figure: mistakes(asked(), figure)
    return found


def of_training(path: Path) -> dict[str, Draw]:
    """Returns what can be drawn of the training of one network, by name; the folder must hold its figures."""
    from zero.cells.train_run import read_figures

    figures = read_figures(path)
    found: dict[str, Draw] = {}
    if figures["curve"]:
        found["curve"] = partial(curves_of_training, figures["curve"])
    found["cells"] = partial(cells, figures["genome"])
    if (path / "network.h5").is_file():
        found["confusion"] = lambda figure: confusion(tested_training(path), figure)
        found["mistakes"] = lambda figure: mistakes(tested_training(path), figure)
    return found


def tested_training(path: Path) -> Tested:
    """Returns what the network of a training says of test images; raises as `tested`."""
    from zero.cells.domain import CellsDomain
    from zero.config.load import load_config

    config: Any = load_config(str(path / "config.yaml"))
    return tested(path, config, CellsDomain(config).data)


def cells(text: str, figure: Any) -> None:
    """Draws the cells of a genome's text."""
    from zero.cells.drawing.figure import draw_into
    from zero.cells.drawing.svg import draw_svg
    from zero.cells.text import parse_genome

    draw_into(draw_svg(parse_genome(text)), figure)


def training_curves(records: Sequence[Any], outcome: int, figure: Any) -> None:
    """Draws train loss and valid accuracy over epochs: of the outcome, and faintly of other candidates."""
    figure.set_size_inches(8.4, 3.6)
    both = figure.subplots(1, 2)
    drawn = [r for r in records if len(r.curve)]
    step = max(1, -(-len(drawn) // MOST_CURVES))
    others = [r for r in drawn[::step] if r.id != outcome]
    best = [r for r in drawn if r.id == outcome]
    for record in [*others, *best]:
        mine = record.id == outcome
        how = (
            {"color": OWN, "lw": 2, "zorder": 3}
            if mine
            else {"color": SOFT, "lw": 0.6, "alpha": 0.35}
        )
        epochs = np.arange(1, len(record.curve) + 1)
        for column, axes in enumerate(both):
            values = np.where(np.isfinite(record.curve[:, column]), record.curve[:, column], np.nan)
            axes.plot(epochs, values, marker="o" if len(epochs) == 1 else "", ms=3, **how)
    losses = np.concatenate([r.curve[:, 0] for r in drawn])
    losses = losses[np.isfinite(losses)]
    if len(losses):  # one that diverged would hide all others
        both[0].set_ylim(0, 1.05 * np.quantile(losses, 0.98))
    both[0].set(xlabel="epoch", title="train loss")
    both[1].set(xlabel="epoch", title="valid accuracy")
    for axes in both:
        axes.xaxis.get_major_locator().set_params(integer=True)


# --- what the network says of test images ---------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Tested:
    """What a run's network says of test images.

    images (N, H, W, C): pixels. truth (N,): classes, by number. chances (N, K). classes: names.
    of: how many test images there are; where that is more than N, these are every so many-th.
    """

    images: np.ndarray
    truth: np.ndarray
    chances: np.ndarray
    classes: tuple[str, ...]
    of: int

    @property
    def said(self) -> np.ndarray:
        """The likeliest class of each, (N,)."""
        return self.chances.argmax(axis=1)


def tested(path: Path, config: Any, data: Any) -> Tested:
    """Returns what the network of a run or a training says of test images, at most `MOST_IMAGES`.

    config: of it. data: the `zero.data.images.ImageData` that it was trained and tested on.

    Raises:
        ZeroError: there is no network yet, or the images do not suit it.
    """
    from zero.cells.model import CellsModel

    count = len(data.test_y)
    kept = np.unique(np.linspace(0, count - 1, min(count, MOST_IMAGES)).astype(int))
    images = np.asarray(data.test_x)[kept]
    model = CellsModel.of_run(path, config.backend, config.cells.training.batch)
    chances = model.predict_proba(images, scale=1)
    return Tested(images, np.asarray(data.test_y)[kept], chances, tuple(data.classes), count)


def _tested(run: RunFiles) -> Tested:
    from zero.cells.domain import CellsDomain
    from zero.config.load import load_config

    config: Any = load_config(str(run.path / run.folder.CONFIG))
    domain = CellsDomain(config)
    if domain.is_table:
        raise ArchiveError(f"{run.path} is a run over a table of cells: there are no images")
    return tested(run.path, config, data_of(run, domain))


def data_of(run: RunFiles, domain: Any) -> Any:
    """Returns the images that a run's network was tested on."""
    final = run.results.get("final") or {}
    return domain.final_data if final.get("retrained") else domain.data


def confusion(found: Tested, figure: Any) -> None:
    """Draws how many test images of each class are taken for which."""
    number = len(found.classes)
    counts = np.zeros((number, number), int)
    np.add.at(counts, (found.truth, found.said), 1)
    side = 2.6 + 0.36 * min(number, 2 * MOST_NUMBERED)
    figure.set_size_inches(side + 0.6, side)
    axes = figure.subplots()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.grid(False)
    if number <= 2 * MOST_NUMBERED:
        names = [_short(name) for name in found.classes]
        axes.set_xticks(range(number), names, rotation=90, fontsize=8)
        axes.set_yticks(range(number), names, fontsize=8)
    axes.set(xlabel="taken for", ylabel="is")
    if number <= MOST_NUMBERED:
        for row, column in zip(*np.nonzero(counts), strict=True):
            ink = "#ffffff" if shares[row, column] > 0.5 else "#222222"
            axes.text(
                column,
                row,
                f"{counts[row, column]:,}",
                ha="center",
                va="center",
                color=ink,
                fontsize=8,
            )
    part = "" if found.of == len(found.truth) else f" of {found.of:,}"
    axes.set_title(f"{len(found.truth):,}{part} test images; shade: share of the class", fontsize=9)


def mistakes(found: Tested, figure: Any) -> None:
    """Draws the test images that the network was surest about, and wrong."""
    wrong = np.flatnonzero(found.said != found.truth)
    sure = found.chances[wrong, found.said[wrong]]
    shown = wrong[np.argsort(-sure, kind="stable")][:MOST_MISTAKES]
    columns = 6
    rows = max(1, -(-len(shown) // columns))
    figure.set_size_inches(8.4, 1.75 * rows)
    if not len(shown):
        figure.text(0.5, 0.5, "no mistakes", ha="center", va="center", color=INK)
        return
    all_axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in all_axes:
        axes.axis("off")
    for axes, k in zip(all_axes, shown, strict=False):
        pixels = found.images[k].astype(float)
        low, high = pixels.min(), pixels.max()
        pixels = (pixels - low) / (high - low) if high > low else pixels * 0
        gray = pixels.shape[2] != 3
        axes.imshow(
            pixels[:, :, 0] if gray else pixels,
            cmap="gray" if gray else None,
            interpolation="nearest",
        )
        said, truth = (_short(found.classes[n]) for n in (found.said[k], found.truth[k]))
        axes.set_title(
            f"{said} ({found.chances[k].max():.0%})\nis {truth}", fontsize=8, loc="center"
        )


def curves_of_training(curve: Sequence[dict[str, Any]], figure: Any) -> None:
    """Draws the curves of one training: loss, and accuracies over epochs."""
    figure.set_size_inches(8.4, 3.6)
    loss, accuracy = figure.subplots(1, 2)
    epochs = [row["epoch"] for row in curve]

    def values(name: str) -> list[float]:
        return [np.nan if row.get(name) is None else row[name] for row in curve]

    loss.plot(epochs, values("train_loss"), color=OWN, lw=1.8)
    accuracy.plot(epochs, values("train_accuracy"), color=OTHER, lw=1.4, label="train")
    accuracy.plot(epochs, values("valid_accuracy"), color=OWN, lw=1.8, label="valid")
    accuracy.legend(loc="lower right")
    loss.set(xlabel="epoch", title="train loss")
    accuracy.set(xlabel="epoch", title="accuracy")


def _short(name: str) -> str:
    name = visible(name)
    return (name if len(name) <= 16 else name[:15] + "…").replace("$", r"\$")

"""Pictures of what a run's program says of a table's test rows, beside logistic or ridge regression."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from zero.errors import visible
from zero.programs.predicted_rows import PredictedRows, load
from zero.programs.scores import curves, finite
from zero.runs.pictures import INK, OTHER, OWN, SOFT, Draw
from zero.runs.reports.common import share_interval

COLORS = (OWN, OTHER)  # of the program, and of what stands beside it
MANY = 10  # classes: of more only the largest have curves
MOST_NUMBERED = 15  # classes whose cells of a confusion matrix have numbers
BINS = 10
_ROWS_IN_BIN = 10
_RASTER = 2000  # more points than these are kept as pixels


def pictures(folder: Path) -> dict[str, Draw]:
    """Returns what can be drawn of a run's test rows, by name.

    Raises:
        ArchiveError: the run keeps none.
    """
    rows = load(folder)
    if not rows.classes:
        return {"residuals": partial(residuals, rows)}
    drawn = {"roc": roc, "pr": precision_recall, "calibration": calibration, "confusion": confusion}
    return {name: partial(draw, rows) for name, draw in drawn.items()}


def roc(rows: PredictedRows, figure: Any) -> None:
    """Draws the ROC curve of each class against the rest (of two classes: of the second)."""
    from sklearn import metrics

    axes = _axes(figure, "ROC curve", rows, "false positive rate", "true positive rate")
    axes.plot([0, 1], [0, 1], color=SOFT, linewidth=1, linestyle=":")

    def curve(y: np.ndarray, chance: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        weights = rows.truth.weights
        false, true, _ = metrics.roc_curve(y, chance, sample_weight=weights)
        return false, true, float(metrics.auc(false, true))

    _curves(axes, rows, curve, "AUC", "lower right")


def precision_recall(rows: PredictedRows, figure: Any) -> None:
    """Draws the precision-recall curve of each class against the rest (of two classes: of the second)."""
    from sklearn import metrics

    axes = _axes(figure, "Precision and recall", rows, "recall", "precision")
    weights = rows.truth.weights

    def curve(y: np.ndarray, chance: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        precision, recall, _ = metrics.precision_recall_curve(y, chance, sample_weight=weights)
        area = metrics.average_precision_score(y, chance, sample_weight=weights)
        return recall, precision, float(area)

    if len(rows.classes) == 2:
        share = float(np.average(rows.truth.y == 1, weights=weights))
        axes.axhline(share, color=SOFT, linewidth=1, linestyle=":", label="share of the class")
    _curves(axes, rows, curve, "average precision", "best", drawstyle="steps-post")


def _axes(figure: Any, title: str, rows: PredictedRows, x: str, y: str) -> Any:
    axes = figure.subplots()
    about = f"{len(rows.truth.y):,} test rows"
    if len(rows.classes) == 2:
        about += f", class: {_short(rows.classes[1])}"
    axes.set(title=f"{title} ({about})", xlabel=x, ylabel=y, aspect="equal")
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    return axes


def _curves(axes: Any, rows: PredictedRows, curve: Any, area: str, where: str, **how: Any) -> None:
    """Draws the curve of each predictor and class, with a legend that names the areas."""
    y, names = rows.truth.y, list(rows.predictors)
    if len(rows.classes) == 2:
        for name, color in zip(names, COLORS, strict=False):
            found = rows.predictors[name].chances
            across, up, size = curve(y == 1, found[:, 1])
            axes.plot(across, up, color=color, label=f"{name}, {area} {size:.3f}", **how)
        axes.legend(loc=where)
        return
    weights = np.ones(len(y)) if rows.truth.weights is None else rows.truth.weights
    sizes = np.bincount(y.astype(np.int64), weights, len(rows.classes))
    largest = [k for k in np.argsort(-sizes, kind="stable")[:MANY] if 0 < sizes[k] < sizes.sum()]
    colors = [f"C{n}" for n in range(len(largest))]
    for k, color in sorted(zip(largest, colors, strict=True)):
        areas = []
        for name, style in zip(names, ("-", ":"), strict=False):
            across, up, size = curve(y == k, rows.predictors[name].chances[:, k])
            (line,) = axes.plot(across, up, color=color, linestyle=style, alpha=0.85, **how)
            areas.append(f"{size:.2f}")
            if style == "-":
                first = line
        first.set_label(f"{_short(rows.classes[k])}: {' and '.join(areas)}")
    for name, style in zip(names, ("-", ":"), strict=False):
        axes.plot([], [], color=INK, linestyle=style, label=name)
    left = len(rows.classes) - len(largest)
    title = f"{area} of {names[0]}\nand {names[1]},\neach class against the rest"
    title += f"\n({left} more left out)" if left else ""
    axes.legend(loc="upper left", bbox_to_anchor=(1.02, 1.0), title=title, alignment="left")
    axes.figure.set_size_inches(8.5, 5)


def calibration(rows: PredictedRows, figure: Any) -> None:
    """Draws how often a class is there beside the probability that is told for it; all classes together."""
    several = "" if len(rows.classes) == 2 else ", classes against the rest"
    axes = _axes(figure, "Calibration", rows, f"predicted probability{several}", "observed share")
    axes.plot([0, 1], [0, 1], color=SOFT, linewidth=1, linestyle=":", label="perfect")
    y, labels = rows.truth.y, curves(len(rows.classes))
    there = np.concatenate([y == label for label in labels])
    weights = np.ones(len(y)) if rows.truth.weights is None else rows.truth.weights
    weights = np.tile(weights, len(labels))
    for (name, found), color in zip(rows.predictors.items(), COLORS, strict=False):
        assert found.chances is not None
        told = np.concatenate([found.chances[:, label] for label in labels])
        points = _binned(told, there, weights)
        centre, share, low, high = points.T
        axes.errorbar(
            centre, share, [share - low, high - share], color=color, marker="o", markersize=4,
            elinewidth=0.8, capsize=2, label=name,
        )  # fmt: skip
    axes.legend(loc="best", title="bars: 95 % intervals", alignment="left")


def _binned(told: np.ndarray, there: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Returns for bins of equally many rows (B, 4): mean told, share there, Wilson's interval of that."""
    told, there, weights = (a[weights > 0] for a in (told, there, weights))
    order = np.argsort(told, kind="stable")
    bins = max(1, min(BINS, len(told) // _ROWS_IN_BIN))
    points = []
    for part in np.array_split(order, bins):
        mean, share = (np.average(a[part], weights=weights[part]) for a in (told, there))
        number = weights[part].sum() ** 2 / (weights[part] ** 2).sum()
        low, high = share_interval(share, number)
        points.append((mean, share, min(share, low), max(share, high)))
    return np.array(points)


def confusion(rows: PredictedRows, figure: Any) -> None:
    """Draws confusion matrices: how many rows of each class are said to be of which."""
    from sklearn import metrics

    number = len(rows.classes)
    several = list(rows.predictors.items())[: 2 if number <= MANY else 1]
    side = 3.2 + 0.42 * min(number, MOST_NUMBERED)
    figure.set_size_inches(side * len(several), side)
    names = [_short(name) for name in rows.classes]
    size = 9 if number <= MOST_NUMBERED else 6
    all_axes = figure.subplots(1, len(several), squeeze=False)[0]
    for (name, found), axes in zip(several, all_axes, strict=True):
        counts = metrics.confusion_matrix(
            rows.truth.y, found.values, labels=range(number), sample_weight=rows.truth.weights
        )
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1e-300)
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        axes.grid(False)
        axes.set_xticks(range(number), names, rotation=90 if number > 4 else 45, fontsize=size)
        if number <= 4:
            for text in axes.get_xticklabels():
                text.set(ha="right", rotation_mode="anchor")
        axes.set_yticks(range(number), names, fontsize=size)
        axes.set(title=name, xlabel="predicted", ylabel=f"true {_short(rows.target)}")
        if number <= MOST_NUMBERED:
            for row, column in np.ndindex(counts.shape):
                ink = "white" if shares[row, column] > 0.5 else "#222222"
                axes.text(
                    column, row, f"{counts[row, column]:,.4g}", ha="center", va="center", color=ink,
                    fontsize=size,
                )  # fmt: skip
    of = "" if rows.truth.weights is None else "weights of "
    title = f"{of}{len(rows.truth.y):,} test rows; shade: share of the true class"
    figure.suptitle(title, fontsize=10)


def residuals(rows: PredictedRows, figure: Any) -> None:
    """Draws target minus prediction beside the prediction."""
    several = len(rows.predictors)
    figure.set_size_inches(4.9 * several, 4.5)
    y = rows.truth.y
    both = figure.subplots(1, several, sharex=True, sharey=True, squeeze=False)[0]
    for (name, found), axes, color in zip(rows.predictors.items(), both, COLORS, strict=False):
        values = finite(found.values)
        left = y - values
        axes.scatter(
            values, left, s=12, color=color, edgecolors="none",
            alpha=0.7 if len(y) < 500 else 0.25, rasterized=len(y) > _RASTER,
        )  # fmt: skip
        axes.axhline(0, color=SOFT, linewidth=1)
        axes.locator_params(axis="x", nbins=5)  # long numbers would overlap
        spread = np.sqrt(np.average(left**2, weights=rows.truth.weights))
        axes.set(title=f"{name}, RMSE {spread:.4g}", xlabel=f"predicted {_short(rows.target)}")
    both[0].set_ylabel("residual: true - predicted")
    figure.suptitle(f"residuals on {len(y):,} test rows", fontsize=10)


def _short(name: str) -> str:
    """Returns a name as it may stand in a picture: short, and no formula."""
    name = visible(name)
    name = name if len(name) <= 20 else name[:19] + "…"
    return name.replace("$", r"\$")

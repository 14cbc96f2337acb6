"""What the kept model says of a table's test rows: a file in the run's folder, and pictures of it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from zero.pipelines.metrics import Metric
from zero.programs import pictures as drawn
from zero.programs import predicted_rows
from zero.programs.predicted_rows import FILE, PredictedRows
from zero.programs.scores import THIS, Predicted, Truth
from zero.runs.pictures import Draw

KEPT, CONSTANT = "this model", "constant"
DRAWS = (40, 500)  # least and most, of an interval
MOST_CELLS = 2_000_000  # rows that are drawn for it in all


def keep(data: Any, split: tuple[np.ndarray, np.ndarray], said: np.ndarray, folder: Path) -> None:
    """Writes `predicted_rows.FILE` into a run's folder; beside the model stands the constant predictor.

    data: the table. split: numbers of the rows that it learned from, and of the test rows (N,). said
    (N, K): chances of classes, or (N, 1) numbers.
    """
    known, tests = split
    classes = tuple(data.classes)
    if classes:
        shares = np.bincount(data.y[known].astype(int), minlength=len(classes)) / len(known)
        constant = Predicted(
            np.full(len(tests), float(shares.argmax())), np.tile(shares, (len(tests), 1))
        )
        found = Predicted(said.argmax(axis=1).astype(float), said)
    else:
        constant = Predicted(np.full(len(tests), data.y[known].mean()))
        found = Predicted(said.reshape(len(tests), -1)[:, 0])
    numbers = tests + 1 if data.numbers is None else data.numbers[tests]
    weights = None if data.weights is None else data.weights[tests]
    truth = Truth(data.y[tests], len(classes), weights)
    rows = PredictedRows(numbers, data.target, classes, truth, {THIS: found, CONSTANT: constant})
    predicted_rows.save(rows, folder)


def interval(folder: Path, metric: Metric) -> tuple[float, float] | None:
    """Returns the 95 % interval of the model's score on the test rows, None where it cannot be told.

    From its scores on rows drawn with replacement (Efron and Tibshirani 1993, chapter 13); the same rows
    give the same interval.
    """
    if not (folder / FILE).is_file():
        return None
    rows = predicted_rows.load(folder)
    found, y, weights = rows.predictors[THIS], rows.truth.y, rows.truth.weights
    said = found.values.reshape(-1, 1) if found.chances is None else found.chances
    rng = np.random.Generator(np.random.Philox(key=len(y)))
    scores = []
    for _ in range(int(np.clip(MOST_CELLS / len(y), *DRAWS))):
        drawn_rows = rng.integers(len(y), size=len(y))
        part = None if weights is None else weights[drawn_rows]
        scores.append(metric.score(y[drawn_rows], said[drawn_rows], part))
    known = np.array([score for score in scores if np.isfinite(score)])
    if len(known) < DRAWS[0] / 2:
        return None
    low, high = np.quantile(known, [0.025, 0.975])
    return float(low), float(high)


def pictures(folder: Path) -> dict[str, Draw]:
    """Returns what can be drawn of a run's test rows, by name; nothing where it has none."""
    if not (folder / FILE).is_file():
        return {}
    rows = predicted_rows.load(folder)
    rows = replace(rows, predictors={KEPT: rows.predictors[THIS]})
    if not rows.classes:
        return {"residuals": partial(drawn.residuals, rows)}
    return {
        "roc": partial(drawn.roc, rows),
        "confusion": partial(drawn.confusion, rows),
        "calibration": partial(drawn.calibration, rows),
    }

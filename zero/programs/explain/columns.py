"""Which columns of a table a trained program's predictions rest on: permutation importance.

A column's cells are shuffled among the test rows, which the kept program was not trained on, and its score is
taken again (Breiman, Machine Learning 2001). All features of a column move together. Columns that say
the same can stand in for each other, and both then seem to count little.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from zero.programs.model import TableModel
from zero.programs.scores import finite
from zero.rng.philox import key_for
from zero.tasks.table import Table

REPEATS = 10
MOST_SHOWN = 20
# Numbers that are computed in all; of more rows as many are taken, at random, as that allows, but not few.
MOST_CELLS, FEW_ROWS = 300_000_000, 500


@dataclass(frozen=True)
class Importance:
    """How much worse the score is with a column shuffled: mean over repeats and 95 % interval of it."""

    column: str
    lost: float
    low: float
    high: float


@dataclass(frozen=True)
class Importances:
    """Those of a table's columns, largest first; metric: "accuracy" or "rmse", score: with all in place."""

    metric: str
    score: float
    rows: int
    columns: tuple[Importance, ...]


def importances(model: TableModel, family: Table, seed: int) -> Importances:
    """Returns the permutation importance of every column; same arguments, same figures.

    The interval (Student's, over `REPEATS` shuffles) holds what shuffling does, not which rows there are.
    """
    from scipy.special import stdtrit  # takes a while to import

    rng = np.random.default_rng(key_for(seed, "importance") % 2**63)
    plans, data = model.preparation.columns, family.data()
    rows = family.parts.test
    cells = REPEATS * len(plans) * family.width
    most = max(FEW_ROWS, MOST_CELLS // cells)
    rows = np.sort(rng.choice(rows, most, replace=False)) if len(rows) > most else rows
    raw, y = family.raw_of(rows), data.y[rows]
    weights = None if data.weights is None else data.weights[rows]
    score = _score(model, raw, y, weights)
    sign = 1.0 if model.problem == "regression" else -1.0  # a larger error is worse
    found, at = [], 0
    for plan in plans:
        part = slice(at, at + len(plan.features))
        at = part.stop
        lost = []
        for _ in range(REPEATS):
            shuffled = raw.copy()
            shuffled[:, part] = raw[rng.permutation(len(raw)), part]
            lost.append(sign * (_score(model, shuffled, y, weights) - score))
        mean = float(np.mean(lost))
        half = float(stdtrit(REPEATS - 1, 0.975) * np.std(lost, ddof=1)) / math.sqrt(REPEATS)
        found.append(Importance(plan.name, mean, mean - half, mean + half))
    found.sort(key=lambda i: -i.lost)
    metric = "rmse" if model.problem == "regression" else "accuracy"
    return Importances(metric, score, len(rows), tuple(found))


def _score(model: TableModel, raw: np.ndarray, y: np.ndarray, weights: np.ndarray | None) -> float:
    x = model.preparation.of_raw(raw)
    if model.problem == "regression":
        errors = finite(model.predict_features(x)) - y
        return float(np.sqrt(np.average(errors**2, weights=weights)))
    return float(np.average(model.labels(x) == y, weights=weights))

"""What pipelines are judged by: scikit-learn's scorers by their names, for predictions that are there.

Larger is better, as for scikit-learn: errors are negative. Called by everything that scores a pipeline.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from zero.errors import ConfigError, unknown_name
from zero.pipelines.families import Problem

CLASSES: tuple[Problem, ...] = ("binary", "multiclass")
LEAST_CHANCE = 1e-15
NO_WEIGHTS = ("neg_max_error", "roc_auc_ovo")  # that all rows of some weight count alike for


@dataclass(frozen=True)
class Metric:
    """A scorer.

    name: scikit-learn's. function: of `sklearn.metrics`. takes: "chances" (N, K), "positive" (the second
    class's chances), "labels" or "numbers". problems: that it fits. sign: -1 of errors. how: keywords. quick:
    the same by itself, for those that ensembles ask thousands of times.
    """

    name: str
    function: str
    takes: Literal["chances", "positive", "labels", "numbers"]
    problems: tuple[Problem, ...]
    sign: int = 1
    how: Mapping[str, Any] = field(default_factory=dict)
    quick: Callable[[np.ndarray, np.ndarray, np.ndarray | None], float] | None = None

    def score(self, y: np.ndarray, said: np.ndarray, weights: np.ndarray | None = None) -> float:
        """Returns the score; NaN where it cannot be told, as of one class only.

        Args:
            y: (N,), numbers or numbers of classes.
            said: (N, K) chances of the classes, or (N, 1) numbers.
            weights: (N,) of the rows, None where all count alike.
        """
        from sklearn import metrics

        how = dict(self.how)
        if weights is not None:
            kept = weights > 0
            y, said, weights = y[kept], said[kept], weights[kept]
            if self.name not in NO_WEIGHTS:
                how["sample_weight"] = weights
        if len(y) == 0 or not np.isfinite(said).all():
            return math.nan
        if self.quick is not None:
            return self.quick(y, said, weights)
        if self.takes == "numbers":
            given = said[:, 0]
        elif self.takes == "labels":
            given = said.argmax(axis=1)
        elif self.takes == "positive":
            given = said[:, 1]
        else:
            given = said
            how["labels"] = np.arange(said.shape[1])
        if self.function == "roc_auc_score" or self.function == "average_precision_score":
            if len(np.unique(y)) < (2 if self.takes == "positive" else said.shape[1]):
                return math.nan
        if self.name.startswith("roc_auc_ov"):  # which wants sums of 1; else ties stay as they are
            sums = said.sum(axis=1, keepdims=True)
            given = said if np.allclose(sums, 1) else said / sums
        try:
            value = getattr(metrics, self.function)(y, given, **how)
        except ValueError:
            return math.nan
        return float(self.sign * value)


def _area(y: np.ndarray, said: np.ndarray, weights: np.ndarray | None) -> float:
    """Returns the area under the ROC curve: the share of pairs that are in order, equal ones by halves."""
    order = np.argsort(said[:, 1], kind="stable")
    chance, ones = said[order, 1], y[order] == 1
    w = np.ones(len(y)) if weights is None else weights[order]
    first = np.flatnonzero(np.concatenate([[True], np.diff(chance) > 0]))
    of_ones, of_others = np.add.reduceat(w * ones, first), np.add.reduceat(w * ~ones, first)
    below = np.cumsum(of_others) - of_others / 2
    pairs = of_ones.sum() * of_others.sum()
    return float(of_ones @ below / pairs) if pairs > 0 else math.nan


def _log_loss(y: np.ndarray, said: np.ndarray, weights: np.ndarray | None) -> float:
    chances = np.clip(said, LEAST_CHANCE, 1)
    mine = chances[np.arange(len(y)), y.astype(np.int64)] / chances.sum(axis=1)
    return float(np.average(np.log(mine), weights=weights))


def _accuracy(y: np.ndarray, said: np.ndarray, weights: np.ndarray | None) -> float:
    return float(np.average(said.argmax(axis=1) == y, weights=weights))


def _rmse(y: np.ndarray, said: np.ndarray, weights: np.ndarray | None) -> float:
    return -math.sqrt(float(np.average((said[:, 0] - y) ** 2, weights=weights)))


def _metrics() -> list[Metric]:
    macro, weighted, micro = (
        {"average": a, "zero_division": 0} for a in ("macro", "weighted", "micro")
    )
    one = {"zero_division": 0}
    found = [
        Metric("accuracy", "accuracy_score", "labels", CLASSES, quick=_accuracy),
        Metric("balanced_accuracy", "balanced_accuracy_score", "labels", CLASSES),
        Metric("roc_auc", "roc_auc_score", "positive", ("binary",), quick=_area),
        Metric("roc_auc_ovr", "roc_auc_score", "chances", ("multiclass",), how={"multi_class": "ovr"}),
        Metric("roc_auc_ovr_weighted", "roc_auc_score", "chances", ("multiclass",),
               how={"multi_class": "ovr", "average": "weighted"}),
        Metric("roc_auc_ovo", "roc_auc_score", "chances", ("multiclass",), how={"multi_class": "ovo"}),
        Metric("average_precision", "average_precision_score", "positive", ("binary",)),
        Metric("neg_log_loss", "log_loss", "chances", CLASSES, -1, quick=_log_loss),
        Metric("neg_brier_score", "brier_score_loss", "positive", ("binary",), -1),
        Metric("matthews_corrcoef", "matthews_corrcoef", "labels", CLASSES),
        Metric("neg_root_mean_squared_error", "root_mean_squared_error", "numbers", ("regression",), -1,
               quick=_rmse),
        Metric("neg_mean_squared_error", "mean_squared_error", "numbers", ("regression",), -1),
        Metric("neg_mean_absolute_error", "mean_absolute_error", "numbers", ("regression",), -1),
        Metric("neg_median_absolute_error", "median_absolute_error", "numbers", ("regression",), -1),
        Metric("neg_mean_absolute_percentage_error", "mean_absolute_percentage_error", "numbers",
               ("regression",), -1),
        Metric("neg_root_mean_squared_log_error", "root_mean_squared_log_error", "numbers",
               ("regression",), -1),
        Metric("neg_max_error", "max_error", "numbers", ("regression",), -1),
        Metric("r2", "r2_score", "numbers", ("regression",)),
        Metric("explained_variance", "explained_variance_score", "numbers", ("regression",)),
        Metric("d2_absolute_error_score", "d2_absolute_error_score", "numbers", ("regression",)),
    ]  # fmt: skip
    for name in ("f1", "precision", "recall", "jaccard"):
        function = f"{name}_score"
        found += [
            Metric(name, function, "labels", ("binary",), how=one),
            Metric(f"{name}_macro", function, "labels", CLASSES, how=macro),
            Metric(f"{name}_weighted", function, "labels", CLASSES, how=weighted),
            Metric(f"{name}_micro", function, "labels", CLASSES, how=micro),
        ]
    return found


METRICS = {metric.name: metric for metric in _metrics()}
# Other words for them.
ALSO = {
    "rmse": "neg_root_mean_squared_error", "mse": "neg_mean_squared_error",
    "mae": "neg_mean_absolute_error", "log_loss": "neg_log_loss", "auc": "roc_auc",
    "rmsle": "neg_root_mean_squared_log_error", "mape": "neg_mean_absolute_percentage_error",
    "max_error": "neg_max_error", "mcc": "matthews_corrcoef",
}  # fmt: skip
USUAL: dict[Problem, str] = {
    "binary": "roc_auc", "multiclass": "neg_log_loss", "regression": "neg_root_mean_squared_error",
}  # fmt: skip


def fitting(problem: Problem) -> list[str]:
    """Returns the names of the metrics that fit a problem."""
    return [name for name, metric in METRICS.items() if problem in metric.problems]


def metric_for(name: str | None, problem: Problem) -> Metric:
    """Returns the metric of a name, the usual one of a problem for None.

    Raises:
        ConfigError: there is no such metric, or it does not fit the problem; names those that do.
    """
    name = USUAL[problem] if name is None else ALSO.get(name, name)
    if name == "roc_auc" and problem == "multiclass":
        name = "roc_auc_ovr"
    if name not in METRICS:
        known = [*fitting(problem), *ALSO]
        raise ConfigError(f"{unknown_name('metric', name, known)} (all: zero list metrics)")
    if problem not in METRICS[name].problems:
        words = {"binary": "two classes", "multiclass": "several classes", "regression": "numbers"}
        raise ConfigError(
            f"metric {name} does not fit a target of {words[problem]}; those that do: "
            f"{', '.join(fitting(problem))}"
        )
    return METRICS[name]


FEW = 10  # rows of a fold below which folds are scored together


def score_of_folds(
    metric: Metric,
    y: np.ndarray,
    said: np.ndarray,
    weights: np.ndarray | None,
    folds: Sequence[np.ndarray],
) -> float:
    """Returns the mean of the folds' scores; that of all rows together where a fold says nothing by itself.

    A fold is the numbers of its rows. Of large folds each model is held against its own rows only, as
    scikit-learn's `cross_val_score` does: models of several folds need not have one scale.
    """

    def score(rows: np.ndarray) -> float:
        return metric.score(y[rows], said[rows], None if weights is None else weights[rows])

    if min(len(rows) for rows in folds) >= FEW:
        scores = [score(rows) for rows in folds]
        if np.isfinite(scores).all():
            return float(np.mean(scores))
    return score(np.concatenate(folds))


def shown(metric: Metric, score: float) -> tuple[str, float]:
    """Returns a score's name and value for people: errors without their sign."""
    if metric.sign < 0:
        return metric.name.removeprefix("neg_"), -score
    return metric.name, score

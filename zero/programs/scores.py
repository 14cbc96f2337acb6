"""Scores of predictors on the test rows of a table, with intervals, and what may be said of them.

Intervals are percentiles of a bootstrap over the test rows (whole groups, where a table has some). Every
predictor is scored on the same resampled rows, so differences between two have an interval too. Rows that
depend on each other in another way, such as neighbours in time, count as independent.

All scores are functions of sums over rows, so many resamples cost little; the area under the ROC curve is
one to first order (DeLong, DeLong and Clarke-Pearson, Biometrics 1988).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

THIS = "this program"
MEAN, LARGER_CLASS = "always the mean", "always the larger class"
RIDGE, LOGISTIC = "ridge regression", "logistic regression"
BOOSTING = "gradient boosting"
LESS_IS_BETTER = ("rmse", "mae", "log_loss")
LEAST_CHANCE = 1e-12  # a probability that a log loss counts with

RESAMPLES = 1000
MOST_UNITS = 4000  # that are resampled: more rows are put at random into so many blocks, which takes a second
_Z2 = 1.96**2

Intervals = dict[str, list[float]]  # by score: low and high


@dataclass(frozen=True, eq=False)
class Predicted:
    """What one predictor says of N rows.

    values (N,): numbers, or numbers of classes. chances (N, K): probabilities of the classes, None for a
    regression.
    """

    values: np.ndarray
    chances: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Truth:
    """What predictions are held against: N rows.

    y (N,): as `Predicted.values`. classes: how many, 0 for a regression. weights (N,): of the rows, None
    where all count alike. groups (N,): numbers of what is resampled as a whole, None: each row.
    """

    y: np.ndarray
    classes: int
    weights: np.ndarray | None = None
    groups: np.ndarray | None = None


def scores(truth: Truth, found: Predicted) -> dict[str, float]:
    """Returns the scores by scikit-learn's names, the one that decides first.

    rmse, r2 and mae; or accuracy, balanced_accuracy, roc_auc (one against the rest, mean over classes; left
    out where a class has no row) and log_loss.
    """
    from sklearn import metrics

    y, weights, values, chances = truth.y, truth.weights, found.values, found.chances
    if weights is not None:  # rows of weight 0 are no rows
        counted = weights > 0
        y, weights, values = y[counted], weights[counted], values[counted]
        chances = None if chances is None else chances[counted]
    how = {"sample_weight": weights}
    if truth.classes == 0:
        values = finite(values)
        return {
            "rmse": float(metrics.root_mean_squared_error(y, values, **how)),
            "r2": float(metrics.r2_score(y, values, **how)),
            "mae": float(metrics.mean_absolute_error(y, values, **how)),
        }
    assert chances is not None
    with warnings.catch_warnings():  # of classes without a row, which is nothing to worry about
        warnings.simplefilter("ignore")
        scored = {
            "accuracy": float(metrics.accuracy_score(y, values, **how)),
            "balanced_accuracy": float(metrics.balanced_accuracy_score(y, values, **how)),
        }
    if len(np.unique(y)) == truth.classes:
        areas = [
            metrics.roc_auc_score(y == label, chances[:, label], **how)
            for label in curves(truth.classes)
        ]
        scored["roc_auc"] = float(np.mean(areas))
    clipped, labels = np.clip(chances, LEAST_CHANCE, 1), np.arange(truth.classes)
    scored["log_loss"] = float(metrics.log_loss(y, clipped, labels=labels, **how))
    return scored


def finite(values: np.ndarray) -> np.ndarray:
    """Returns predicted numbers as they are scored: 0 for NaN, and no square is infinite."""
    return np.clip(np.nan_to_num(values), -1e100, 1e100)


def curves(classes: int) -> list[int]:
    """Returns the labels that have a curve against the rest: of two classes only the second."""
    return [1] if classes == 2 else list(range(classes))


def compare(truth: Truth, predictors: Mapping[str, Predicted], seed: int) -> dict[str, Any]:
    """Returns what is told of predictors on the same rows, `THIS` among them.

    That is: scores (by predictor and score), intervals (likewise: low and high, 95 %), differences (of each
    other predictor: how much better `THIS` is by each score, with its interval: value, low, high) and said
    (sentences on the score that decides). A score that most resamples cannot give has no interval; one that
    is left out (`scores`) neither.
    """
    found = {name: scores(truth, p) for name, p in predictors.items()}
    drawn = _bootstrap(truth, predictors, seed)
    intervals: dict[str, Intervals] = {}
    differences: dict[str, Intervals] = {}
    for name, p in predictors.items():
        intervals[name] = {}
        for score in found[name]:
            interval = _percentiles(drawn[name][score])
            if interval:
                if score in ("accuracy", "balanced_accuracy"):
                    interval = _not_certain(truth, p, score, interval)
                intervals[name][score] = interval
        if name == THIS:
            continue
        differences[name] = {}
        for score in found[name]:
            sign = -1.0 if score in LESS_IS_BETTER else 1.0
            interval = _percentiles(sign * (drawn[THIS][score] - drawn[name][score]))
            if interval and score in found[THIS]:
                value = sign * (found[THIS][score] - found[name][score])
                differences[name][score] = [value, *interval]
    told = {"scores": found, "intervals": intervals, "differences": differences}
    return {**told, "said": verdict(found, differences)}


def verdict(
    found: Mapping[str, dict[str, float]], differences: Mapping[str, Intervals]
) -> list[str]:
    """Returns what may be said of the program by the first score, without flattery: sentences.

    The first is on logistic or ridge regression. Of chance it is told where the program is not certainly
    better, of other predictors where they certainly are.
    """
    score = next(iter(found[THIS]))
    named = score.replace("_", " ")
    simple = RIDGE if RIDGE in found else LOGISTIC
    chance = MEAN if MEAN in found else LARGER_CLASS
    said = []
    for name in (simple, chance, *(n for n in found if n not in (THIS, simple, chance))):
        if score not in differences.get(name, ()):
            continue
        value, low, high = differences[name][score]
        if high < 0:
            advice = ": it is of no use as it is" if name == chance else ": use that instead"
            by = f"by {_figure(-value)} {named} (95 % interval {_figure(-high)} to {_figure(-low)})"
            other = name if name in (simple, chance, BOOSTING) else f"the shipped program {name}"
            said.append(f"worse than {other} {by}{advice}")
        elif low > 0 and name == simple:
            by = f"by {_figure(value)} {named} (95 % interval {_figure(low)} to {_figure(high)})"
            said.append(f"better than {name} {by}")
        elif low <= 0 and name in (simple, chance):
            by = f"{_figure(abs(value))} {'better' if value > 0 else 'worse'} in {named}"
            if value == 0:
                by = f"equal in {named}"
            said.append(
                f"not distinguishable from {name} ({by}, 95 % interval of the gain {_figure(low)} to "
                f"{_figure(high)})"
            )
    return said


def _figure(value: float) -> str:
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e9 else f"{value + 0.0:.3g}"


# --- the bootstrap ----------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Measure:
    """A score as a function of sums over rows: of columns (N, M), as `of_sums` takes them (B, M)."""

    columns: np.ndarray
    of_sums: Callable[[np.ndarray], np.ndarray]


def _bootstrap(
    truth: Truth, predictors: Mapping[str, Predicted], seed: int
) -> dict[str, dict[str, np.ndarray]]:
    """Returns each predictor's scores (B,) on B resamples, NaN where one cannot be counted."""
    rng = np.random.default_rng(seed)
    unit, number = _units(truth, rng)
    drawn = rng.integers(number, size=(RESAMPLES, number)) + number * np.arange(RESAMPLES)[:, None]
    counts = np.bincount(drawn.reshape(-1), minlength=RESAMPLES * number)
    counts = counts.reshape(RESAMPLES, number).astype(np.float64)
    found: dict[str, dict[str, np.ndarray]] = {}
    for name, predicted in predictors.items():
        found[name] = {}
        for score, measure in _measures(truth, predicted).items():
            columns = _weighted(truth, measure.columns)
            by_unit = [np.bincount(unit, column, minlength=number) for column in columns.T]
            with np.errstate(all="ignore"):
                found[name][score] = measure.of_sums(counts @ np.array(by_unit).T)
    return found


def _units(truth: Truth, rng: np.random.Generator) -> tuple[np.ndarray, int]:
    """Returns of what is resampled as a whole: which each row is of (N,), and how many there are."""
    rows = len(truth.y)
    unit = np.arange(rows) if truth.groups is None else truth.groups
    number = int(unit.max()) + 1
    if number > MOST_UNITS:
        unit, number = (rng.permutation(number) % MOST_UNITS)[unit], MOST_UNITS
    return unit, number


def _weighted(truth: Truth, columns: np.ndarray) -> np.ndarray:
    return columns if truth.weights is None else columns * truth.weights[:, None]


def _measures(truth: Truth, found: Predicted) -> dict[str, _Measure]:
    """Returns what `scores` gives as functions of sums over rows."""
    y = truth.y
    if truth.classes == 0:
        values = finite(found.values)
        squares, centred = (y - values) ** 2, y - y.mean()  # centred, for precision

        def r2(sums: np.ndarray) -> np.ndarray:
            total, once, twice, errors = sums.T
            spread = twice - once**2 / total
            return 1.0 - errors / np.where(spread > 0, spread, np.nan)

        return {
            "rmse": _Measure(_with_ones(squares), lambda sums: np.sqrt(_mean(sums))),
            "r2": _Measure(np.stack([np.ones(len(y)), centred, centred**2, squares], axis=1), r2),
            "mae": _Measure(_with_ones(np.abs(y - values)), _mean),
        }
    assert found.chances is not None
    right = (found.values == y).astype(np.float64)
    of_class = np.eye(truth.classes)[y.astype(np.int64)]
    mine = found.chances[np.arange(len(y)), y.astype(np.int64)]
    return {
        "accuracy": _Measure(_with_ones(right), _mean),
        "balanced_accuracy": _Measure(
            np.hstack([of_class, of_class * right[:, None]]),
            lambda sums: _mean_of_classes(*np.split(sums, 2, axis=1)),
        ),
        "roc_auc": _areas(truth, found.chances),
        "log_loss": _Measure(_with_ones(-np.log(np.clip(mine, LEAST_CHANCE, 1))), _mean),
    }


def _with_ones(values: np.ndarray) -> np.ndarray:
    return np.stack([np.ones(len(values)), values], axis=1)


def _mean(sums: np.ndarray) -> np.ndarray:
    return sums[:, 1] / sums[:, 0]


def _mean_of_classes(numbers: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Returns the mean share of right rows over the classes that have some."""
    there = numbers > 0
    shares = np.where(there, right / np.where(there, numbers, 1.0), 0.0)
    return shares.sum(axis=1) / there.sum(axis=1)


def _areas(truth: Truth, chances: np.ndarray) -> _Measure:
    """Returns the mean area under the curves: of each row the share of pairs that are in order."""
    columns, areas = [], []
    weights = np.ones(len(truth.y)) if truth.weights is None else truth.weights
    for label in curves(truth.classes):
        ones, chance = truth.y == label, chances[:, label]
        share = np.empty(len(chance))
        share[ones] = _share_below(chance[ones], chance[~ones], weights[~ones])
        share[~ones] = 1.0 - _share_below(chance[~ones], chance[ones], weights[ones])
        columns += [ones, ones * share, ~ones, ~ones * share]
        areas.append(_mean((ones * weights)[None] @ _with_ones(share))[0] if ones.any() else np.nan)

    def area(sums: np.ndarray) -> np.ndarray:
        parts = sums.reshape(len(sums), -1, 4)
        both = parts[..., 1] / parts[..., 0] + parts[..., 3] / parts[..., 2]
        return np.clip((both - np.array(areas)).mean(axis=1), 0.0, 1.0)

    return _Measure(np.stack(columns, axis=1).astype(np.float64), area)


def _share_below(values: np.ndarray, others: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Returns the share of the others that each value is above, equal ones counted as halves."""
    order = np.argsort(others, kind="stable")
    passed = np.concatenate([[0.0], np.cumsum(weights[order])])
    below, upto = (
        passed[np.searchsorted(others[order], values, side)] for side in ("left", "right")
    )
    with np.errstate(all="ignore"):
        return (below + upto) / 2 / passed[-1]


def _percentiles(drawn: np.ndarray) -> list[float]:
    """Returns the 95 % interval, an empty list if most resamples have no such score."""
    drawn = drawn[np.isfinite(drawn)]
    if len(drawn) < RESAMPLES // 2:
        return []
    low, high = np.quantile(drawn, (0.025, 0.975))
    return [float(low), float(high)]


def _not_certain(truth: Truth, found: Predicted, score: str, interval: list[float]) -> list[float]:
    """Returns the interval, widened where all rows are right or all wrong.

    No resample then differs, which is no certainty: Wilson's interval, of balanced accuracy for each class.
    """
    counted = np.ones(len(truth.y), bool) if truth.weights is None else truth.weights > 0
    y = truth.y[counted]
    right = found.values[counted] == y
    if right.any() and not right.all():
        return interval
    numbers = np.array([len(y)])
    if score == "balanced_accuracy":
        _, numbers = np.unique(y, return_counts=True)
    least = float(np.mean(numbers / (numbers + _Z2)))
    return [least, 1.0] if right.all() else [0.0, 1.0 - least]

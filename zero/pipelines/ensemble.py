"""Several pipelines as one predictor, chosen by the predictions for rows that they were not trained on.

`select` draws pipelines one after the other, each time the one that helps the mean most, the same one more
than once (Caruana, Niculescu-Mizil, Crew and Ksikes 2004, "Ensemble Selection from Libraries of Models",
sections 2.1 to 2.3); `stack` fits a linear model to their predictions (Wolpert 1992). What an ensemble
promises is counted on folds that its weights were not chosen by: `nested`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

MOST_ROWS = 5_000  # of a fold that weights are chosen by


@dataclass(frozen=True, eq=False)
class Mix:
    """How predictions are put together: their weighted mean; or, with `coefficients`, a linear model.

    weights (M,): of the members; of a linear model, how much each counts in it. coefficients (M * K, C),
    intercept (C,): of the members' log chances (or numbers), side by side.
    """

    weights: np.ndarray
    coefficients: np.ndarray | None = None
    intercept: np.ndarray | None = None

    @property
    def members(self) -> list[int]:
        """Which members it needs, those that count most first."""
        used = np.flatnonzero(self.weights > 0)
        return [int(k) for k in used[np.argsort(-self.weights[used], kind="stable")]]

    def of(self, predictions: Sequence[np.ndarray]) -> np.ndarray:
        """Returns the prediction (N, K) of all members' predictions."""
        if self.coefficients is None:
            parts = zip(self.weights, predictions, strict=True)
            return sum(w * p for w, p in parts if w > 0) / self.weights.sum()
        assert self.intercept is not None
        scores = features(predictions) @ self.coefficients + self.intercept
        width = predictions[0].shape[1]
        if width == 1:
            return scores
        if scores.shape[1] == 1:
            scores = np.hstack([np.zeros_like(scores), scores])
        scores = np.exp(scores - scores.max(axis=1, keepdims=True))
        return scores / scores.sum(axis=1, keepdims=True)


def features(predictions: Sequence[np.ndarray]) -> np.ndarray:
    """Returns what a linear model sees of predictions: log odds to the first class, or numbers."""
    if predictions[0].shape[1] == 1:
        return np.hstack(list(predictions))
    logs = [np.log(np.clip(p, 1e-6, 1)) for p in predictions]
    return np.hstack([found[:, 1:] - found[:, :1] for found in logs])


def single(count: int, member: int) -> Mix:
    """Returns the mix that is one member alone."""
    return Mix(np.eye(count)[member])


def select(
    predictions: Sequence[np.ndarray],
    score: Callable[[np.ndarray], float],
    size: int,
    enough: Callable[[], bool] = lambda: False,
) -> Mix:
    """Returns the mix of the best `size` draws; of equal ones the first.

    score: of predictions, larger is better. enough: asked after each draw; ends the drawing early.
    """
    total, counts = np.zeros_like(predictions[0]), np.zeros(len(predictions))
    best, kept = -math.inf, counts
    for drawn in range(1, size + 1):
        scores = [score((total + p) / drawn) for p in predictions]
        found = int(np.nanargmax(scores)) if not np.isnan(scores).all() else 0
        total, counts = total + predictions[found], counts + np.eye(len(predictions))[found]
        if scores[found] > best:
            best, kept = scores[found], counts
        if enough():
            break
    kept = kept if kept.any() else np.eye(len(predictions))[0]
    return Mix(kept / kept.sum())


def stack(predictions: Sequence[np.ndarray], y: np.ndarray, weights: np.ndarray | None) -> Mix:
    """Returns a linear model of the predictions: logistic or ridge regression."""
    from sklearn.linear_model import LogisticRegression, RidgeCV

    seen = features(predictions)
    if predictions[0].shape[1] == 1:
        model: Any = RidgeCV(np.logspace(-3, 4, 15)).fit(seen, y, weights)
        coefficients, intercept = model.coef_.reshape(-1, 1), np.atleast_1d(model.intercept_)
    else:
        model = LogisticRegression(C=0.1, max_iter=300).fit(seen, y.astype(np.int64), weights)
        coefficients, intercept = model.coef_.T, model.intercept_
    size = len(coefficients) // len(predictions)
    strength = np.abs(coefficients).sum(axis=1).reshape(len(predictions), size).sum(axis=1)
    return Mix(strength / max(strength.sum(), 1e-300), coefficients, intercept)


def nested(
    make: Callable[[Sequence[np.ndarray]], Mix],
    predictions: Sequence[np.ndarray],
    folds: Sequence[np.ndarray],
) -> np.ndarray:
    """Returns predictions (N, K) of mixes of which each was made without the rows that it predicts.

    make: takes folds, as numbers of rows. folds: all of them; other rows are NaN.
    """
    found = np.full_like(predictions[0], np.nan)
    for k, rows in enumerate(folds):
        mix = make([part for j, part in enumerate(folds) if j != k])
        found[rows] = mix.of([p[rows] for p in predictions])
    return found


def some(rows: np.ndarray, seed: int) -> np.ndarray:
    """Returns at most `MOST_ROWS` of the rows."""
    if len(rows) <= MOST_ROWS:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, MOST_ROWS, replace=False))

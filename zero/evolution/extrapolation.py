"""Early stopping by learning curves: what a candidate will come to, told from how it began.

The curves of candidates that were trained in full say how well their ends were to be told from their
beginnings; the spread of these errors gives the chance that a candidate in training will still beat the
best one. Where that is small, its training ends there, and what was foreseen is its fitness
(Domhan et al. 2015 and Baker et al. 2018 do the same).

* `regression`: ridge regression (scikit-learn) of the last accuracy on the accuracies so far, their
  differences, and what is known of a candidate without training (Baker et al. 2018, "Accelerating
  Neural Architecture Search using Performance Prediction"). Errors: each curve's when it is left out.
* `power_law`: c - a * epoch ** -b, fitted to each curve alone (pow3 of Domhan et al. 2015, "Speeding up
  Automatic Hyperparameter Optimization of Deep Neural Networks by Extrapolation of Learning Curves"),
  moved by the mean error that it makes on finished curves.

Nothing is drawn, and nothing kept but the curves that records have.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from pydantic import Field

from zero.config.sections import Positive, Section
from zero.config.settings import Found

MOST = 200  # finished curves that are learnt from, the last ones
EXACT = 1e-3  # no forecast counts as closer to the truth than that
DIGITS = 6  # of forecasts: sums may differ in their last bits between machines
POWERS = np.geomspace(0.05, 4.0, 40)  # b of power laws that are tried
PENALTIES = np.geomspace(1e-3, 1e3, 7)  # of the ridge regression


class Extrapolation(Section):
    """A candidate is stopped where its chance to beat the best so far is small.

    after: epochs before the first look; there is one after each epoch from then on. chance: that a
    candidate which would become the best is stopped, all looks together. fit: see
    `zero.evolution.extrapolation`. curves: how many candidates an island must have trained in full.
    """

    after: Positive = 3
    chance: float = Field(0.05, gt=0, le=0.5)
    fit: Literal["regression", "power_law"] = "regression"
    curves: int = Field(10, ge=5)


def check_looks(settings: Any, all_epochs: int, of: str) -> Iterator[Found]:
    """Yields what is wrong in trainings of so many epochs; of: the key that says so."""
    if settings.after >= all_epochs:
        yield ("after",), f"must be below {of} ({all_epochs}), got {settings.after}"


def check_points(settings: Any) -> Iterator[Found]:
    """Yields what is wrong with the first look, however long trainings are."""
    if settings.fit == "power_law" and settings.after < 3:
        message = f"must be at least 3 for power_law, which has three numbers; got {settings.after}"
        yield ("after",), message


def warm_up() -> None:
    """Imports what forecasts need, so that processes that are forked later have it."""
    settings, curves = Extrapolation(), np.linspace(0.1, 0.5, 50).reshape(5, 10)
    known = [Finished(k, curve, np.zeros(0)) for k, curve in enumerate(curves)]
    Forecaster(settings).forecast(curves[0, :5], np.zeros(0), known, 1.0)


@dataclass(frozen=True)
class Finished:
    """A candidate that was trained in full.

    number: its own. accuracies: after each epoch, float64 (epochs,). traits: what is known of it
    without training, float64 (n,).
    """

    number: int
    accuracies: np.ndarray
    traits: np.ndarray


@dataclass(frozen=True)
class Forecast:
    """accuracy: what a candidate will come to. chance: that it will be above what it needs."""

    accuracy: float
    chance: float


class Forecaster:
    """Forecasts by an island's finished curves.

    Args:
        settings: the section.
    """

    def __init__(self, settings: Extrapolation):
        self.settings = settings
        self._fits: dict[int, Any] = {}  # by the length of the beginning, of the curves `_of`
        self._of: list[int] = []

    def hopeless(
        self,
        accuracies: np.ndarray,
        traits: np.ndarray,
        all_epochs: int,
        finished: list[Finished],
        needed: float,
    ) -> Forecast | None:
        """Returns the forecast of a candidate that is to be stopped, None for one that goes on.

        accuracies, traits: of its beginning, as in `Finished`. finished: the last ones, in a fixed
        order. needed: the accuracy that it has to beat.
        """
        seen, settings = len(accuracies), self.settings
        if seen < settings.after or seen >= all_epochs or len(finished) < settings.curves:
            return None
        if not needed > accuracies[-1]:  # it is as good already
            return None
        forecast = self.forecast(accuracies, traits, finished, needed)
        # The chance of a mistake is shared out among the looks that there will be.
        return (
            forecast if forecast.chance < settings.chance / (all_epochs - settings.after) else None
        )

    def forecast(
        self, accuracies: np.ndarray, traits: np.ndarray, finished: list[Finished], needed: float
    ) -> Forecast:
        """Returns what a candidate will come to; arguments as for `hopeless`."""
        from scipy.special import stdtr

        numbers = [f.number for f in finished]
        if numbers != self._of:
            self._of, self._fits = numbers, {}
        seen = len(accuracies)
        if seen not in self._fits:
            fit = _Regression if self.settings.fit == "regression" else _PowerLaw
            self._fits[seen] = fit(finished, seen)
        accuracy, spread = self._fits[seen].of(accuracies, traits)
        accuracy = round(min(max(accuracy, 0.0), 1.0), DIGITS)
        spread = max(round(spread, DIGITS), EXACT)
        chance = stdtr(len(finished) - 1, (accuracy - needed) / spread)  # Student's distribution
        return Forecast(accuracy, float(chance))


class _Regression:
    """Ridge regression on the first accuracies; see the module's docstring."""

    def __init__(self, finished: list[Finished], seen: int):
        from sklearn.linear_model import RidgeCV
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        known = np.stack([_features(f.accuracies[:seen], f.traits) for f in finished])
        last = np.array([f.accuracies[-1] for f in finished])
        ridge = RidgeCV(PENALTIES, store_cv_results=True)
        self.model = make_pipeline(StandardScaler(), ridge).fit(known, last)
        squares = ridge.cv_results_[:, np.flatnonzero(ridge.alpha_ == PENALTIES)[0]]
        self.spread = math.sqrt(squares.sum() / (len(finished) - 1))

    def of(self, accuracies: np.ndarray, traits: np.ndarray) -> tuple[float, float]:
        """Returns the accuracy foreseen, and its standard error."""
        found = self.model.predict(_features(accuracies, traits)[None])
        return float(found[0]), self.spread


def _features(accuracies: np.ndarray, traits: np.ndarray) -> np.ndarray:
    steps = np.diff(accuracies)
    return np.concatenate([accuracies, steps, np.diff(steps), traits])


class _PowerLaw:
    """A power law for each curve; see the module's docstring."""

    def __init__(self, finished: list[Finished], seen: int):
        self.epochs = len(finished[0].accuracies)
        began = np.stack([f.accuracies[:seen] for f in finished])
        errors = np.array([f.accuracies[-1] for f in finished]) - power_laws(began, self.epochs)
        self.error = float(errors.mean())
        # That of another curve, not of those whose mean was taken.
        self.spread = float(errors.std(ddof=1)) * math.sqrt(1 + 1 / len(errors))

    def of(self, accuracies: np.ndarray, traits: np.ndarray) -> tuple[float, float]:
        """Returns the accuracy foreseen, and its standard error."""
        return float(power_laws(accuracies[None], self.epochs)[0]) + self.error, self.spread


def power_laws(curves: np.ndarray, epochs: int) -> np.ndarray:
    """Returns what curves come to after so many epochs, float64 (n,); curves: their first ones, (n, e).

    The least squares over c, a >= 0 and the b of `POWERS`; of equal ones the smallest b.
    """
    count = curves.shape[1]
    terms = np.arange(1, count + 1)[:, None] ** -POWERS  # (e, b)
    middle, level = terms.mean(axis=0), curves.mean(axis=1)
    centred, moved = terms - middle, curves - level[:, None]
    a = np.maximum(-(moved @ centred) / (centred**2).sum(axis=0), 0.0)  # (n, b)
    misses = ((moved[:, :, None] + a[:, None, :] * centred[None]) ** 2).sum(axis=1)
    best = np.round(misses, 12).argmin(axis=1)
    rows = np.arange(len(curves))
    c = level[:, None] + a * middle
    return np.clip(c[rows, best] - a[rows, best] * float(epochs) ** -POWERS[best], 0.0, 1.0)

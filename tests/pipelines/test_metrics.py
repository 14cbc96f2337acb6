"""Scores of predictions, held against scikit-learn's scorers of the same names."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.metrics import get_scorer

from zero.errors import ConfigError
from zero.pipelines.metrics import ALSO, METRICS, fitting, metric_for, score_of_folds, shown

ROWS, RNG = 60, np.random.default_rng(0)
NO_WEIGHTS = ("neg_max_error", "roc_auc_ovo")  # scikit-learn's have none


class Says(ClassifierMixin, BaseEstimator):
    """A classifier that says what stands in X."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        return X

    def predict(self, X):
        return self.classes_[X.argmax(axis=1)]


class SaysNumbers(RegressorMixin, BaseEstimator):
    def fit(self, X, y):
        self.fitted_ = True
        return self

    def predict(self, X):
        return X[:, 0]


def case(problem):
    if problem == "regression":
        y = RNG.exponential(size=ROWS)
        return y, np.abs(y + RNG.normal(size=ROWS) * 0.3)[:, None], SaysNumbers()
    classes = 2 if problem == "binary" else 3
    y = RNG.integers(0, classes, ROWS)
    chances = RNG.dirichlet(np.ones(classes), ROWS) + np.eye(classes)[y] * 0.3
    return y, np.round(chances / chances.sum(axis=1, keepdims=True), 2), Says()


@pytest.mark.parametrize("name", METRICS)
def test_scores_are_those_of_scikit_learn(name):
    metric = METRICS[name]
    weights = RNG.integers(0, 3, ROWS).astype(float)
    for problem in metric.problems:
        y, said, estimator = case(problem)
        said = said / said.sum(axis=1, keepdims=True) if problem != "regression" else said
        scorer, fitted = get_scorer(name), estimator.fit(said, y)
        assert metric.score(y, said) == pytest.approx(scorer(fitted, said, y), rel=1e-9)
        if name not in NO_WEIGHTS:
            kept = weights > 0
            weighed = scorer(fitted, said[kept], y[kept], sample_weight=weights[kept])
            assert metric.score(y, said, weights) == pytest.approx(weighed, rel=1e-9)


def test_what_cannot_be_scored_is_nan():
    y = np.array([0, 0, 0])
    assert np.isnan(METRICS["roc_auc"].score(y, np.full((3, 2), 0.5)))
    said = np.array([[0.5, np.nan], [0.5, 0.5], [0.5, 0.5]])
    assert np.isnan(METRICS["neg_log_loss"].score(y, said))
    assert np.isnan(METRICS["r2"].score(np.zeros(0), np.zeros((0, 1))))


def test_metrics_fit_problems_and_have_other_names():
    assert metric_for(None, "binary").name == "roc_auc"
    assert metric_for("roc_auc", "multiclass").name == "roc_auc_ovr"
    assert metric_for("rmse", "regression").name == "neg_root_mean_squared_error"
    assert set(ALSO.values()) <= set(METRICS)
    with pytest.raises(ConfigError) as caught:
        metric_for("f1", "regression")
    assert all(name in str(caught.value) for name in fitting("regression"))
    with pytest.raises(ConfigError, match="unknown metric 'accurracy'; did you mean 'accuracy'"):
        metric_for("accurracy", "binary")


def test_people_see_errors_without_a_sign():
    assert shown(METRICS["neg_log_loss"], -0.5) == ("log_loss", 0.5)
    assert shown(METRICS["roc_auc"], 0.5) == ("roc_auc", 0.5)


def test_folds_are_scored_each_by_itself_unless_one_says_nothing():
    metric, y = METRICS["roc_auc"], np.tile([0, 1], 20)
    scale = np.repeat([1.0, 0.1], 20)  # two models of different scales, each in perfect order
    chance = (0.2 + 0.6 * y) * scale
    said = np.column_stack([1 - chance, chance])
    folds = [np.arange(20), np.arange(20, 40)]
    assert score_of_folds(metric, y, said, None, folds) == 1.0
    assert metric.score(y, said) < 1.0
    few = [np.arange(4), np.arange(4, 40)]
    assert score_of_folds(metric, y, said, None, few) == metric.score(y, said)
    one = [np.flatnonzero(y == 0), np.flatnonzero(y == 1)]
    assert score_of_folds(metric, y, said, None, one) == metric.score(y, said)

"""Scores on test rows: as scikit-learn's, with intervals that hold, and sentences that do not flatter."""

import time

import numpy as np
import pytest
from sklearn import metrics

from zero.programs import scores
from zero.programs.scores import LARGER_CLASS, LOGISTIC, MEAN, RIDGE, THIS, Predicted, Truth


def classes(rows, number, noise, seed=0, **more):
    """A truth of several classes and a predictor that is the better, the smaller the noise."""
    rng = np.random.default_rng(seed)
    y = rng.integers(number, size=rows).astype(float)
    evidence = np.eye(number)[y.astype(int)] + noise * rng.normal(size=(rows, number))
    evidence = evidence.round(1)  # ties
    chances = np.exp(evidence) / np.exp(evidence).sum(axis=1, keepdims=True)
    return Truth(y, number, **more), Predicted(chances.argmax(axis=1).astype(float), chances)


def test_many_rows_take_about_a_second():
    truth, found = classes(50_000, 3, 1.0)
    start = time.perf_counter()
    told = scores.compare(truth, dict.fromkeys((THIS, LOGISTIC, LARGER_CLASS), found), 0)
    assert time.perf_counter() - start < 20  # about one where nothing else runs
    low, high = told["intervals"][THIS]["accuracy"]
    share = told["scores"][THIS]["accuracy"]
    assert high - low == pytest.approx(2 * 1.96 * (share * (1 - share) / 50_000) ** 0.5, rel=0.15)


@pytest.mark.parametrize("number", [2, 3, 0])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_resample_has_the_score_that_scikit_learn_gives_its_rows(number, weighted):
    rng = np.random.default_rng(1)
    weights = rng.integers(1, 4, size=50).astype(float) if weighted else None
    truth, found = classes(50, number or 2, 1.0, weights=weights)
    if number == 0:
        truth, found = Truth(truth.y + 9, 0, weights), Predicted(found.chances[:, 1] + 9, None)
    counts = rng.multinomial(50, np.full(50, 1 / 50), size=40)
    drawn = {name: [] for name in scores._measures(truth, found)}
    for row in counts:
        again = np.repeat(np.arange(50), row)
        chances = None if found.chances is None else found.chances[again]
        part = None if weights is None else weights[again]
        expected = scores.scores(
            Truth(truth.y[again], truth.classes, part), Predicted(found.values[again], chances)
        )
        for name, measure in scores._measures(truth, found).items():
            sums = row @ scores._weighted(truth, measure.columns)
            drawn[name].append((float(measure.of_sums(sums[None])[0]), expected[name]))
    for name, pairs in drawn.items():
        ours, theirs = np.array(pairs).T
        # The area is one to first order.
        np.testing.assert_allclose(ours, theirs, atol=0.05 if name == "roc_auc" else 1e-9)
        assert np.corrcoef(ours, theirs)[0, 1] > 0.97
    everything = scores.scores(truth, found)
    for name, measure in scores._measures(truth, found).items():
        sums = scores._weighted(truth, measure.columns).sum(axis=0)
        assert measure.of_sums(sums[None])[0] == pytest.approx(everything[name])


def test_a_row_of_weight_two_is_two_rows():
    weights = np.random.default_rng(0).integers(0, 4, size=80)
    truth, found = classes(80, 3, 1.0, weights=weights.astype(float))
    again = np.repeat(np.arange(80), weights)
    repeated = Predicted(found.values[again], found.chances[again])
    assert scores.scores(truth, found) == pytest.approx(
        scores.scores(Truth(truth.y[again], 3), repeated)
    )


def test_scores_of_several_classes_are_those_of_scikit_learn():
    truth, found = classes(90, 3, 1.0)
    told = scores.scores(truth, found)
    assert told["balanced_accuracy"] == pytest.approx(
        metrics.balanced_accuracy_score(truth.y, found.values)
    )
    assert told["roc_auc"] == pytest.approx(
        metrics.roc_auc_score(truth.y, found.chances, multi_class="ovr")
    )


def test_the_interval_holds_the_true_accuracy_about_as_often_as_it_says():
    _, exact = classes(200_000, 2, 1.0, seed=99)
    truth, _ = classes(200_000, 2, 1.0, seed=99)
    right = (exact.values == truth.y).mean()
    held = 0
    for seed in range(60):
        truth, found = classes(150, 2, 1.0, seed)
        told = scores.compare(truth, {THIS: found}, seed)
        low, high = told["intervals"][THIS]["accuracy"]
        held += low <= right <= high
    assert held >= 51


def test_predictors_are_compared_on_the_same_rows():
    truth, found = classes(300, 2, 1.0)
    told = scores.compare(truth, {THIS: found, LOGISTIC: found}, 0)
    assert told["differences"][LOGISTIC]["accuracy"] == [0.0, 0.0, 0.0]
    assert told["intervals"][THIS] == told["intervals"][LOGISTIC]
    assert told == scores.compare(truth, {THIS: found, LOGISTIC: found}, 0)
    assert told["said"][0].startswith("not distinguishable from logistic regression")


def test_what_is_said_does_not_flatter():
    truth, good = classes(400, 2, 0.5)
    _, bad = classes(400, 2, 3.0)
    share = np.tile([1 - truth.y.mean(), truth.y.mean()], (400, 1))
    chance = Predicted(np.full(400, float(truth.y.mean() > 0.5)), share)
    wrong = Predicted(1 - good.values, good.chances[:, ::-1])

    def said(this, simple):
        return scores.compare(truth, {THIS: this, LOGISTIC: simple, LARGER_CLASS: chance}, 0)[
            "said"
        ]

    (better,) = said(good, bad)
    assert better.startswith("better than logistic regression by 0.") and "95 % interval" in better
    worse, useless = said(wrong, good)
    assert worse.startswith("worse than logistic regression by") and worse.endswith(
        "use that instead"
    )
    assert useless.startswith("worse than always the larger class by")
    _, no_better = said(chance, good)
    assert no_better.startswith("not distinguishable from always the larger class")


def test_errors_are_better_where_they_are_smaller():
    rng = np.random.default_rng(0)
    y = rng.normal(size=200)
    close, far = Predicted(y + 0.1 * rng.normal(size=200), None), Predicted(y + 1.0, None)
    mean = Predicted(np.zeros(200), None)
    told = scores.compare(Truth(y, 0), {THIS: close, RIDGE: far, MEAN: mean}, 0)
    assert told["said"][0].startswith("better than ridge regression by 0.89")
    assert min(told["differences"][RIDGE]["rmse"]) > 0 and min(told["differences"][MEAN]["r2"]) > 0


def test_all_right_is_no_certainty():
    truth, _ = classes(30, 2, 1.0)
    perfect = Predicted(truth.y, np.eye(2)[truth.y.astype(int)])
    low, high = scores.compare(truth, {THIS: perfect}, 0)["intervals"][THIS]["accuracy"]
    assert 0.85 < low < 0.9 and high == 1.0


def test_groups_are_resampled_as_a_whole():
    """Ten equal rows of each of twenty patients tell no more than twenty rows."""
    truth, found = classes(20, 2, 1.0)
    ten = np.repeat(np.arange(20), 10)
    many = Truth(truth.y[ten], 2, groups=ten)
    repeated = Predicted(found.values[ten], found.chances[ten])
    one = scores.compare(truth, {THIS: found}, 0)["intervals"][THIS]["accuracy"]
    assert scores.compare(many, {THIS: repeated}, 0)["intervals"][THIS]["accuracy"] == one


def test_predictions_that_are_no_numbers_are_worse_than_any():
    rng = np.random.default_rng(0)
    y = rng.normal(size=100)
    broken = y.copy()
    broken[:3] = np.inf, -np.inf, np.nan
    told = scores.compare(
        Truth(y, 0), {THIS: Predicted(broken, None), RIDGE: Predicted(np.zeros(100), None)}, 0
    )
    assert np.isfinite(told["scores"][THIS]["rmse"]) and told["scores"][THIS]["rmse"] > 1e90
    assert len(told["said"]) == 1 and "ridge regression" in told["said"][0]
    assert "better than" not in told["said"][0]


def test_a_class_without_test_rows_has_no_curve():
    truth, found = classes(90, 3, 1.0)
    rows = truth.y != 2
    part = Predicted(found.values[rows], found.chances[rows])
    told = scores.compare(Truth(truth.y[rows], 3), {THIS: part, LOGISTIC: part}, 0)
    for what in ("scores", "intervals"):
        assert set(told[what][THIS]) == {"accuracy", "balanced_accuracy", "log_loss"}

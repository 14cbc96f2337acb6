"""Ensembles of predictions: by selection, by stacking, and what they promise."""

import numpy as np
import pytest

from zero.pipelines import ensemble
from zero.pipelines.metrics import METRICS

RMSE, LOSS = METRICS["neg_root_mean_squared_error"], METRICS["neg_log_loss"]


def column(*values):
    return np.array(values, dtype=float)[:, None]


def test_selection_draws_with_replacement_what_helps_the_mean_most():
    y = np.array([0.0, 0.0])
    # The second and the third cancel out; the first is the best alone.
    said = [column(1, 1), column(3, -3), column(-3, 3)]
    mix = ensemble.select(said, lambda p: RMSE.score(y, p), 3)
    assert mix.weights.tolist() == [1.0, 0.0, 0.0]
    mix = ensemble.select([column(2, 2), column(-1, -1)], lambda p: RMSE.score(y, p), 3)
    assert mix.weights == pytest.approx([1 / 3, 2 / 3])  # the best there is: exactly 0
    assert mix.of([column(2, 2), column(-1, -1)]) == pytest.approx(np.zeros((2, 1)))
    assert mix.members == [1, 0]


@pytest.mark.parametrize("classes", [2, 3])
def test_stacked_chances_are_chances_and_use_the_better_member(classes):
    rng = np.random.default_rng(0)
    y = rng.integers(0, classes, 400)
    good = np.eye(classes)[y] * 2 + rng.random((400, classes))
    good /= good.sum(axis=1, keepdims=True)
    noise = rng.dirichlet(np.ones(classes), 400)
    mix = ensemble.stack([noise, good], y, None)
    said = mix.of([noise, good])
    assert said.sum(axis=1) == pytest.approx(np.ones(400)) and said.shape == (400, classes)
    assert mix.members[0] == 1 and mix.weights[1] > 0.8
    assert LOSS.score(y, said) > LOSS.score(y, good)


def test_stacked_numbers_are_a_linear_model():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(200, 1)), rng.normal(size=(200, 1))
    mix = ensemble.stack([a, b], (2 * a - b + 1)[:, 0], None)
    assert mix.of([a, b]) == pytest.approx(2 * a - b + 1, abs=0.05)


def test_nested_predictions_come_from_the_other_folds():
    said = [column(*range(6))]
    folds = [np.array([0, 1]), np.array([2, 3]), np.array([4, 5])]
    seen = []

    def make(parts):
        seen.append(np.concatenate(parts).tolist())
        return ensemble.single(1, 0)

    found = ensemble.nested(make, said, folds)
    assert found.tolist() == said[0].tolist()
    assert [set(rows) & set(fold.tolist()) for rows, fold in zip(seen, folds)] == [set()] * 3

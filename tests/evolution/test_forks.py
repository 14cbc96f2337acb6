"""Forked processes: what the parent did must not stop the child."""

import numpy as np
import pytest

from zero.evolution.forks import in_child


@pytest.mark.timeout(60)
def test_a_child_fits_what_its_parent_has_fitted_with_openmp():
    from sklearn.ensemble import HistGradientBoostingClassifier

    rng = np.random.default_rng(0)
    x = rng.normal(size=(3000, 10))
    y = x[:, 0] > 0

    def score():
        return HistGradientBoostingClassifier(max_iter=5).fit(x, y).score(x, y)

    assert score() == in_child(score) > 0.9  # the parent's threads are not in the child

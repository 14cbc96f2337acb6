"""Choosing among programs by cross-validation."""

import numpy as np
import pytest

from zero.programs import fitting, library
from zero.programs.fitting import Candidate, Examples, choose
from zero.programs.program import parse_program


@pytest.mark.parametrize("classes", [2, 5, 10])
def test_each_fold_has_all_classes(classes):
    y = np.arange(200) % classes
    examples = Examples(np.zeros((200, 1)), y.astype(float), classes)
    seen = []
    for known, asked in list(fitting._folds(examples, 0))[: fitting.FOLDS]:
        assert len(np.unique(y[known])) == len(np.unique(y[asked])) == classes
        assert sorted([*known, *asked]) == list(range(200))
        seen += asked.tolist()
    assert sorted(seen) == list(range(200))


def candidates(*names):
    return [Candidate(library.program(name), 10, name) for name in names]


def test_the_best_comes_first_and_one_that_fails_to_train_last():
    x = np.random.default_rng(0).normal(size=(300, 3))
    examples = Examples(x, x @ [1.0, -1.0, 0.5] + 1, 0)
    text = str(library.program("linear_with_bias"))
    wild = parse_program(text.replace("s2 = 0.01", "s2 = 9"))
    found = choose(
        [Candidate(wild, 10, "wild"), *candidates("empty", "linear", "linear_with_bias")],
        examples,
        0,
    )
    assert [c.origin for c in found] == ["linear_with_bias", "linear", "empty", "wild"]
    assert found[0].score > -1e-3 and found[-1].score == -fitting.WORST


def test_without_time_the_first_is_scored_at_least():
    x = np.random.default_rng(0).normal(size=(60, 3))
    examples = Examples(x, (x[:, 0] > 0).astype(float), 2)
    found = choose(candidates("linear", "neural_network"), examples, 0, end=0.0)
    assert found[0].origin == "linear" and found[0].score > 0.5
    assert np.isnan(found[1].score)


def test_what_is_not_trusted_must_be_clearly_better():
    rng = np.random.default_rng(0)
    better = (rng.random(400) < 0.85).astype(float)
    a_little, clearly = better.copy(), np.ones(400)
    a_little[np.flatnonzero(better == 0)[:3]] = 1.0
    a_little[np.flatnonzero(better == 1)[:2]] = 0.0
    found = [[better], [a_little], [clearly]]
    assert fitting._ranked([0, 1], found, 1) == [0, 1]
    assert fitting._ranked([0, 1], found, 2) == [1, 0]
    assert fitting._ranked([0, 1, 2], found, 1) == [2, 0, 1]
    assert fitting._ranked([1, 2], found, 1) == [2, 1]  # none is left that is trusted

"""Regressors that predict what genomes are worth, from scikit-learn, and what is made of predictions.

Features of a sequence of decisions are its decisions, one-hot. The ridges regress on them and on all
their pairs: two genomes that agree in s decisions have s (s + 1) / 2 of those features in common, so
that a kernel of these numbers stands for the features.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from zero.rng import splitmix
from zero.search.decisions import Decisions

Predictor = Callable[[np.ndarray], np.ndarray]

DIGITS = 9  # of predictions that are compared: the last bits of a sum are the machine's
TREES = 10  # of a forest, as SMAC's
FEATURES = 5 / 6  # of which a tree chooses one to split at
SPLIT, LEAF = 2, 1  # the least samples of a node that is split, and of a leaf (SMAC's: 3 and 3)
MEMBERS = 5  # of an ensemble
WORDS, COLUMNS = (
    4,
    1 << 18,
)  # of texts: the longest runs of words, and columns that they are hashed to


def one_hot(sequences: Sequence[Decisions]) -> np.ndarray:
    """Returns float32 (sequences, columns): for each place and each name there the ones that have it."""
    pairs = sorted({pair for decisions in sequences for pair in enumerate(decisions)})
    column = {pair: number for number, pair in enumerate(pairs)}
    found = np.zeros((len(sequences), len(pairs)), dtype=np.float32)
    for row, decisions in enumerate(sequences):
        found[row, [column[pair] for pair in enumerate(decisions)]] = 1
    return found


def words(texts: Sequence[str]) -> Any:
    """Returns a sparse float64 (texts, columns): how often words, and runs of up to four of them, occur."""
    from sklearn.feature_extraction.text import HashingVectorizer

    counted = HashingVectorizer(
        ngram_range=(1, WORDS), token_pattern=r"[^\s()+,;:|~]+", n_features=COLUMNS, norm=None,
        alternate_sign=False,
    )  # fmt: skip
    return counted.transform(texts)


def products(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Returns float64 (n, m): the products of features and pairs of features of one-hot rows."""
    agreeing = (some @ others.T).astype(np.float64)  # whole numbers, so exact
    return agreeing * (agreeing + 1) / 2


def ridge(
    kernel: np.ndarray, values: np.ndarray, penalty: float, weights: np.ndarray | None = None
) -> Predictor:
    """Returns a ridge regression with an intercept, of products of features: (m, n) to (m,).

    kernel (n, n): products of known genomes. weights (n,): of them.
    """
    from sklearn.kernel_ridge import KernelRidge
    from sklearn.preprocessing import KernelCenterer

    centre, mean = KernelCenterer().fit(kernel), values.mean()
    fitted = KernelRidge(alpha=penalty, kernel="precomputed")
    fitted.fit(centre.transform(kernel), values - mean, weights)
    return lambda asked: fitted.predict(centre.transform(asked)) + mean


def forest(
    known: np.ndarray, values: np.ndarray, rng: np.ndarray
) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Returns a random forest: rows of features to the mean and the deviation of its trees."""
    from sklearn.ensemble import RandomForestRegressor

    fitted = RandomForestRegressor(
        TREES, max_features=FEATURES, min_samples_split=SPLIT, min_samples_leaf=LEAF,
        random_state=splitmix.below(rng, 2**31 - 1),
    ).fit(known, values)  # fmt: skip

    def predict(asked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rows = np.ascontiguousarray(asked, dtype=np.float32)  # not to be checked by every tree
        each = np.array([tree.tree_.predict(rows)[:, 0] for tree in fitted.estimators_])
        return each.mean(axis=0), each.std(axis=0)

    return predict


def bootstraps(size: int, rng: np.ndarray) -> np.ndarray:
    """Returns float64 (members, size): how often a member of an ensemble sees each of the results."""
    drawn = [[splitmix.below(rng, size) for _ in range(size)] for _ in range(MEMBERS)]
    return np.array([np.bincount(rows, minlength=size) for rows in drawn], dtype=np.float64)


def expected_improvement(mean: np.ndarray, deviation: np.ndarray, best: float) -> np.ndarray:
    """Returns by how much normal variables are expected to exceed the best (0 where they do not)."""
    from scipy.stats import norm

    above, deviation = mean - best, np.maximum(deviation, 1e-12)
    return above * norm.cdf(above / deviation) + deviation * norm.pdf(above / deviation)

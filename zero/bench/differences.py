"""Differences between methods whose runs come in pairs, and whether they are beyond noise.

Runs of two methods with the same seed are a pair: they share what the seed decides beside the search,
such as data. The paired bootstrap (Efron and Tibshirani 1993, chapter 16) draws seeds with replacement
and takes the mean difference each time; its percentiles are the interval. Where several pairs of methods
are compared, each interval is made wider so that all hold together (Bonferroni).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

DRAWS = 20_000
LEVEL = 0.95  # that all intervals hold
# Of fewer pairs the percentiles of a bootstrap promise too much: with n pairs of no difference all have
# the same sign once in 2 ** (n - 1) times.
ENOUGH = 6


@dataclass(frozen=True)
class Difference:
    """The mean of `first` less the mean of `second`, with its interval from `low` to `high`.

    beyond_noise: whether the interval is on one side of 0, and there are `ENOUGH` pairs.
    """

    first: str
    second: str
    mean: float
    low: float
    high: float
    pairs: int

    @property
    def beyond_noise(self) -> bool:
        """Whether the difference is told from none."""
        return self.pairs >= ENOUGH and (self.low > 0 or self.high < 0)


def differences(values: Mapping[str, Sequence[float]], seed: int = 0) -> list[Difference]:
    """Returns the difference of every two methods, the better one first.

    values: of each method, a figure for each seed, larger is better, in the same order of seeds. The
    same values and seed give the same intervals.
    """
    pairs = list(combinations(values, 2))
    found = []
    for one, other in pairs:
        apart = np.asarray(values[one], dtype=np.float64) - np.asarray(values[other])
        if apart.mean() < 0:
            one, other, apart = other, one, -apart
        draws = np.random.default_rng(seed).integers(len(apart), size=(DRAWS, len(apart)))
        tail = (1 - LEVEL) / len(pairs) / 2
        low, high = np.quantile(apart[draws].mean(axis=1), [tail, 1 - tail])
        found.append(
            Difference(one, other, float(apart.mean()), float(low), float(high), len(apart))
        )
    return found


def in_words(found: Sequence[Difference]) -> list[str]:
    """Returns sentences that say which differences are beyond noise."""
    if not found:
        return []
    pairs, together = found[0].pairs, "" if len(found) == 1 else f", all {len(found)} together"
    told = [d for d in found if d.beyond_noise]
    lines = [
        f"{d.first} is better than {d.second} by {d.mean:.4g} ({d.low:.4g} to {d.high:.4g}): beyond noise"
        for d in sorted(told, key=lambda d: -d.mean)
    ]
    if pairs < ENOUGH:
        lines.append(
            f"{pairs} seed{'s are' if pairs > 1 else ' is'} too few to tell any difference from "
            f"noise; take at least {ENOUGH}, such as --seeds 10"
        )
    elif not told:
        lines.append("no difference between these methods is beyond noise")
    elif len(told) < len(found):
        lines.append("no other difference is beyond noise")
    lines.append(f"intervals: {LEVEL:.0%}{together}, by a paired bootstrap over {pairs} seeds")
    return lines

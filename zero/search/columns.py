"""Sequences of decisions as columns of numbers, in which the order of values counts; for trees.

A column for each key of names `KEY=VALUE`, and for each place of other names. See `Columns`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from zero.search.decisions import KEYED, Choices, Decisions, key_of

INACTIVE = -1.0  # below all values: the key or place is not there
WIDE = 10  # the largest through the smallest of numbers from which on their logarithm counts


class Columns:
    """Columns that hold what is decided, learnt from sequences and what else they could have chosen.

    Values of a key that are all numbers become numbers from 0 to 1, on a scale of logarithms if they
    are positive and far apart. Others are numbered in the order in which the space offers them. What a
    sequence does not decide is `INACTIVE`.
    """

    def __init__(self, choices: Choices, sequences: Iterable[Decisions]):
        offered: dict[str | int, dict[str, None]] = {}
        met: set[tuple[int, str]] = set()
        for decisions in sequences:
            for place, name in enumerate(decisions):
                if (place, name) in met:
                    continue
                for other in choices(decisions[:place]):
                    met.add((place, other))
                    offered.setdefault(key_of(place, other), {})[other] = None
        self.keys = list(offered)
        self._values = {key: _values(list(names)) for key, names in offered.items()}
        self._column = {key: column for column, key in enumerate(self.keys)}
        self._cells: dict[tuple[int, str], tuple[int, float]] = {}

    def __call__(self, sequences: Sequence[Decisions]) -> np.ndarray:
        """Returns float32 (sequences, columns); keys that were never met have no column."""
        found = np.full((len(sequences), len(self.keys) + 1), INACTIVE, dtype=np.float32)
        cells = self._cells
        for row, decisions in enumerate(sequences):
            for pair in enumerate(decisions):
                column, value = cells.get(pair) or self._cell(pair)
                found[row, column] = value
        return found[:, :-1]

    def _cell(self, pair: tuple[int, str]) -> tuple[int, float]:
        """Returns the column of a name, the last one if there is none, and its value there."""
        key = key_of(*pair)
        values = self._values.get(key, {})
        # A name that was never offered comes after all others.
        cell = (self._column.get(key, len(self.keys)), values.get(pair[1], float(len(values))))
        return self._cells.setdefault(pair, cell)


def _values(names: list[str]) -> dict[str, float]:
    """Returns the numbers that stand for the names of one key, or of one place."""
    numbers = [_number(name) for name in names]
    if not all(map(math.isfinite, numbers)):
        return {name: float(code) for code, name in enumerate(names)}
    if min(numbers) > 0 and max(numbers) > WIDE * min(numbers):
        numbers = [math.log(number) for number in numbers]
    least, width = min(numbers), max(numbers) - min(numbers)
    return {n: (number - least) / (width or 1) for n, number in zip(names, numbers, strict=True)}


def _number(name: str) -> float:
    """Returns the number that a name `KEY=NUMBER` gives, NaN if it gives none."""
    try:
        return float(name.partition(KEYED)[2])
    except ValueError:
        return math.nan

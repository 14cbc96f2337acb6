"""Successive halving over epochs, one candidate at a time.

After each of some numbers of epochs a candidate is compared with all that its island trained as long
before, and goes on only if it is among the best share of them, itself counted: the stopping form of
ASHA (Li et al. 2020, "A System for Massively Parallel Hyperparameter Tuning"). The order on an
island is fixed, so that the seed decides, and no island waits for another.
"""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import BeforeValidator, Field

from zero.config.sections import Positive, Section, as_tuple


class Halving(Section):
    """Successive halving: after each of these epochs only the best share goes on (`keep`)."""

    epochs: Annotated[tuple[Positive, ...], BeforeValidator(as_tuple)] = Field(min_length=1)
    keep: float = Field(0.5, gt=0, lt=1)

    def rung(self, epochs: int) -> int | None:
        """Returns which comparison comes after so many epochs, None if none does."""
        return self.epochs.index(epochs) if epochs in self.epochs else None

    def goes_on(self, accuracy: float, earlier: list[float]) -> bool:
        """Returns whether a candidate is among the best; earlier: the others' accuracies there.

        The first one always is; of equal ones the earlier counts as better.
        """
        better = sum(other >= accuracy for other in earlier)
        return better < max(1, math.floor(self.keep * (len(earlier) + 1)))

    def fitness(self, fitness: float, rung: int) -> float:
        """Returns the fitness of a candidate that was stopped at a rung.

        A thousandth for each comparison it did not pass, so that those trained longer rank above it,
        as for the hurdle of programs.
        """
        return fitness * 1000.0 ** (rung - len(self.epochs))

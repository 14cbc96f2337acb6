"""Successive halving over epochs, one candidate at a time: ASHA, and Hyperband's brackets of it.

After each of some numbers of epochs a candidate is compared with all that its island trained as long
before, and goes on only if it is among the best share of them, itself counted: the stopping form of
ASHA (Li et al. 2020, "A System for Massively Parallel Hyperparameter Tuning"). The order on an
island is fixed, so that the seed decides, and no island waits for another.

With several brackets (`zero.evolution.hyperband`) each candidate belongs to one, by its number on the
island, and is compared only with those of its bracket, as in the same article's asynchronous Hyperband.
Rungs are an island's own: migrants come with their fitness, not with their places.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from zero.config.sections import Positive, Section, as_tuple
from zero.config.settings import Check, Found
from zero.evolution.hyperband import hyperband, order, series

WORDS = {"asha": {"brackets": 1}, "hyperband": {"brackets": "all"}}


def _check_forms(halving: Any) -> Iterator[Found]:
    """Either form has keys of its own; what has its default was not meant."""
    fields = Halving.model_fields
    others = ("first", "factor", "brackets") if halving.epochs else ("keep",)
    given = [name for name in others if getattr(halving, name) != fields[name].default]
    if given and halving.epochs:
        yield (
            (given[0],),
            "is of a series, and epochs are given; leave one of them out",
        )
    elif given:
        yield ("keep",), "goes with epochs; a series keeps one of `factor`, so give factor"


class Halving(Section):
    """Successive halving: after each of `epochs` only the best share goes on (`keep`).

    Without epochs they are a series: `first`, `factor` times as many, and so on below the training's,
    and one of `factor` goes on. brackets: how many there are, each with a larger first rung than the
    one before; 1 is ASHA, all is Hyperband. The words asha and hyperband are short for that.
    """

    checks: ClassVar[tuple[Check, ...]] = (_check_forms,)

    epochs: Annotated[tuple[Positive, ...] | None, BeforeValidator(as_tuple)] = Field(
        None, min_length=1
    )
    keep: float = Field(0.5, gt=0, lt=1)
    first: Positive = 1
    factor: Annotated[int, Field(ge=2, le=100)] = 3
    brackets: Positive | Literal["all"] = 1

    def rungs(self, all_epochs: int) -> Rungs:
        """Returns the rungs of trainings of so many epochs."""
        if self.epochs is not None:
            return Rungs(self.epochs, self.keep)
        brackets = hyperband(all_epochs, self.first, self.factor)
        used = brackets if self.brackets == "all" else brackets[: self.brackets]
        starts = tuple(range(len(used)))
        return Rungs(
            series(all_epochs, self.first, self.factor),
            Fraction(1, self.factor),
            starts,
            order(used),
        )


def halving_word(value: Any) -> Any:
    """Returns the section that a word is short for, anything else unchanged."""
    if isinstance(value, str):
        if value not in WORDS:
            raise ValueError(f"must be {', '.join(WORDS)}, a section or none, got '{value}'")
        return WORDS[value]
    return value


def check_rungs(halving: Any, all_epochs: int, of: str) -> Iterator[Found]:
    """Yields what is wrong with halving in trainings of so many epochs; of: the key that says so."""
    key = "epochs" if halving.epochs else "first"
    last = halving.epochs[-1] if halving.epochs else halving.first
    if last >= all_epochs:
        yield (key,), f"must be below {of} ({all_epochs}), got {last}"
    elif not halving.epochs and halving.brackets != "all":
        most = len(series(all_epochs, halving.first, halving.factor)) + 1
        if halving.brackets > most:
            message = (
                f"must be at most {most} or all, with {of} {all_epochs}; got {halving.brackets}"
            )
            yield ("brackets",), message


@dataclass(frozen=True)
class Rungs:
    """Where candidates are compared.

    epochs: of all rungs, rising. share: of those at a rung that go on. starts: of each bracket, its
    first rung's number. order: the bracket of each candidate of an island, over and over.
    """

    epochs: tuple[int, ...]
    share: float | Fraction
    starts: tuple[int, ...] = (0,)
    order: tuple[int, ...] = (0,)

    @property
    def lists(self) -> int:
        """How many lists of accuracies an island keeps: of each bracket's rungs."""
        return len(self.starts) * len(self.epochs)

    def rung(self, epochs: int) -> int | None:
        """Returns which comparison comes after so many epochs, None if none does."""
        return self.epochs.index(epochs) if epochs in self.epochs else None

    def compared_in(self, candidate: int, epochs: int) -> int | None:
        """Returns the number of the list of those to compare with, None if there are none.

        candidate: how many an island made so far, this one counted. epochs: that it was trained.
        """
        rung, bracket = self.rung(epochs), self.order[(candidate - 1) % len(self.order)]
        if rung is None or rung < self.starts[bracket]:
            return None
        return bracket * len(self.epochs) + rung

    def goes_on(self, accuracy: float, earlier: list[float]) -> bool:
        """Returns whether a candidate is among the best; earlier: the others' accuracies there.

        The first one always is; of equal ones the earlier counts as better.
        """
        better = sum(other >= accuracy for other in earlier)
        return better < max(1, math.floor(self.share * (len(earlier) + 1)))

    def fitness(self, fitness: float, epochs: int) -> float:
        """Returns the fitness of a candidate that was stopped after so many epochs, at a rung.

        A thousandth for each comparison it did not pass, so that those trained longer rank above it,
        as for the hurdle of programs.
        """
        return fitness * 1000.0 ** (self.epochs.index(epochs) - len(self.epochs))

"""The rungs and brackets of Hyperband and of ASHA by a geometric series, as plain numbers.

A bracket says after how many epochs candidates are compared, and how many of those that start in it
reach each rung. Brackets differ in their first rung: a small one tries many candidates and trusts
little training, a large one few and trusts none. The last bracket compares nothing.

Source: Li et al. 2018, "Hyperband: A Novel Bandit-Based Approach to Hyperparameter Optimization",
JMLR 18, algorithm 1 and table 1 (n = ceil(B / R * eta^s / (s + 1)) with B = (s_max + 1) R); ASHA: Li et
al. 2020, "A System for Massively Parallel Hyperparameter Tuning", algorithm 2.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Bracket:
    """epochs: of each rung, the training's last. counts: how many candidates reach them, first to last."""

    epochs: tuple[int, ...]
    counts: tuple[int, ...]


def series(all_epochs: int, first: int, factor: int) -> tuple[int, ...]:
    """Returns the rungs below a training's epochs: `first`, `factor` times as many, and so on."""
    found = []
    while first < all_epochs:
        found.append(first)
        first *= factor
    return tuple(found)


def hyperband(all_epochs: int, first: int = 1, factor: int = 3) -> tuple[Bracket, ...]:
    """Returns Hyperband's brackets, the one with the smallest first rung first.

    The paper counts rungs down from the longest training, here they are whole epochs from `first`
    on; that is the same where the training is `first` times a power of `factor`.
    """
    rungs = series(all_epochs, first, factor)
    brackets, most = [], len(rungs)
    for s in range(most, -1, -1):
        start = -(-(most + 1) * factor**s // (s + 1))  # rounded up
        counts = tuple(start // factor**i for i in range(s + 1))
        brackets.append(Bracket((*rungs[most - s :], all_epochs), counts))
    return tuple(brackets)


def order(brackets: tuple[Bracket, ...]) -> tuple[int, ...]:
    """Returns the bracket's number of each candidate of a round, mixed as evenly as can be.

    So however few candidates there are, each bracket has about its share of them.
    """
    places = [
        ((2 * k + 1) / bracket.counts[0], number)
        for number, bracket in enumerate(brackets)
        for k in range(bracket.counts[0])
    ]
    return tuple(number for _, number in sorted(places))

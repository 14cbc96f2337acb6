"""Genomes as sequences of decisions: what spaces and methods do with them alike.

What a sequence is: see `zero.search.protocol.DecisionSpace`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from zero.errors import ZeroError
from zero.rng import splitmix

if TYPE_CHECKING:  # spaces are listed by the shell without it
    import numpy as np

    from zero.search.protocol import DecisionSpace

Decisions = tuple[str, ...]
Choices = Callable[[Decisions], Sequence[str]]  # of the next decision, by those before it

DRAWS = 1000  # of a genome that the space does not refuse


def checked(choices: Choices, decisions: Iterable[str]) -> Decisions:
    """Returns the decisions if they are complete and each is one that can be made there.

    Raises:
        ZeroError: they are not; says which and what is possible.
    """
    done: Decisions = ()
    for decision in decisions:
        names = choices(done)
        if decision not in names:
            possible = f"it must be one of {', '.join(names)}" if names else "there is none more"
            raise ZeroError(f"decision {len(done) + 1} is '{decision}'; {possible}")
        done += (decision,)
    if names := choices(done):
        raise ZeroError(f"decision {len(done) + 1} is missing; it is one of {', '.join(names)}")
    return done


def decided(choices: Choices, choose: Callable[[Decisions, Sequence[str]], str]) -> Decisions:
    """Returns a complete sequence; choose: takes what is decided and the names, returns a name."""
    done: Decisions = ()
    while names := choices(done):
        done += (choose(done, names),)
    return done


def drawn(choices: Choices, rng: np.ndarray) -> Decisions:
    """Returns a sequence, every decision drawn evenly."""
    return decided(choices, lambda _, names: names[splitmix.below(rng, len(names))])


def altered(choices: Choices, decisions: Decisions, rng: np.ndarray) -> Decisions:
    """Returns a sequence with one decision made otherwise, drawn evenly as its place is.

    Later ones stay where they can still be made, else they are drawn anew.
    """
    places, others = list(range(len(decisions))), list[str]()
    while places and not others:
        place = places.pop(splitmix.below(rng, len(places)))
        others = [n for n in choices(decisions[:place]) if n != decisions[place]]
    if not others:
        return decisions
    name = others[splitmix.below(rng, len(others))]

    def choose(done: Decisions, names: Sequence[str]) -> str:
        if len(done) == place:
            return name
        old = decisions[len(done)] if len(done) < len(decisions) else ""
        return old if old in names else names[splitmix.below(rng, len(names))]

    return decided(choices, choose)


def listed(choices: Choices, most: int) -> list[Decisions] | None:
    """Returns all complete sequences, short ones first; None if there are more than `most`."""
    complete: list[Decisions] = []
    begun: list[Decisions] = [()]
    while begun:
        longer: list[Decisions] = []
        for done in begun:
            names = choices(done)
            longer += [(*done, name) for name in names]
            complete += [] if names else [done]
            if len(complete) + len(longer) > most:
                return None
        begun = longer
    return complete


def genome_drawn(space: DecisionSpace, draw: Callable[[], Decisions]) -> Any:
    """Returns the first genome of sequences drawn that the space does not refuse.

    None if it refuses `DRAWS` of them.
    """
    for _ in range(DRAWS):
        try:
            return space.genome_of(draw())
        except ZeroError:
            continue
    return None


def shares_worse(fitness: Sequence[float]) -> np.ndarray:
    """Returns for each result the share of all that are worse, half of equal ones among them.

    A measure of worth for fitness of any scale; NaN counts as -inf.
    """
    import numpy as np

    values = np.nan_to_num(
        np.array(fitness, dtype=np.float64), nan=-np.inf, posinf=np.inf, neginf=-np.inf
    )
    order = np.sort(values)
    worse, at_most = (np.searchsorted(order, values, side) for side in ("left", "right"))
    return (worse + at_most) / (2 * len(values))

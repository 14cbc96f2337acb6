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
KEYED = "="  # between a key and its value, in names of decisions that have a key


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


def key_of(place: int, name: str) -> str | int:
    """Returns what a decision decides: the key of a name `KEY=VALUE`, of any other one its place."""
    key, keyed, _ = name.partition(KEYED)
    return key if keyed else place


def by_key(decisions: Decisions) -> dict[str | int, str]:
    """Returns the names of decisions by what they decide."""
    return {key_of(place, name): name for place, name in enumerate(decisions)}


def differing(some: dict[str | int, str], others: dict[str | int, str]) -> int:
    """Returns how many decisions, by key, are made otherwise.

    A key that only one of both has does not count: to decide it follows from others. A place does.
    """
    count = sum(key not in some for key in others if isinstance(key, int))
    for key, name in some.items():
        if key in others:
            count += others[key] != name
        else:
            count += isinstance(key, int)
    return count


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

    Later ones stay where they can still be made, else they are drawn anew; one of a key stays also if
    others than before come before it.
    """
    places, others = list(range(len(decisions))), list[str]()
    while places and not others:
        place = places.pop(splitmix.below(rng, len(places)))
        others = [n for n in choices(decisions[:place]) if n != decisions[place]]
    if not others:
        return decisions
    name = others[splitmix.below(rng, len(others))]
    with_keys = {n for n in decisions if KEYED in n}

    def choose(done: Decisions, names: Sequence[str]) -> str:
        if len(done) == place:
            return name
        old = decisions[len(done)] if len(done) < len(decisions) else ""
        if old not in names:
            old = next((n for n in names if n in with_keys), "")
        return old or names[splitmix.below(rng, len(names))]

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

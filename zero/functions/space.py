"""The space of formulas of up to so many operations: what is random, how one becomes another.

A sequence of decisions is a formula's instructions, each one decision, and "end" where more are possible.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from zero.errors import ZeroError
from zero.functions.formula import (
    COMMUTING,
    CONSTANT,
    OPERATORS,
    SEPARATOR,
    Formula,
    Instruction,
    Operand,
    X,
    canonical,
    instructions,
    is_written,
    write,
)
from zero.rng import splitmix
from zero.search.decisions import checked

END = "end"
TRIES = 30  # of a mutation that changes something
AGAIN = 0.3  # how often one mutation is followed by another
CHAIN = 0.7  # how often an instruction of a random formula takes the result before it
Listed = list[Instruction]


class FormulaSpace:
    """See the module's docstring; a `zero.search.protocol.DecisionSpace`.

    Args:
        most: operations that a formula may have.
        operators: that it may use.
    """

    mutations = ("operator", "operand", "insert", "remove", "swap")

    def __init__(self, most: int, operators: Sequence[str] = tuple(OPERATORS)):
        self.most, self.operators = most, tuple(operators)
        self._names = lru_cache(None)(self._named)

    # --- decisions --------------------------------------------------------------------------------

    def choices(self, decisions: Formula) -> tuple[str, ...]:
        """Returns the instructions that may come next, none if the formula is complete."""
        count = len(decisions)
        if count == self.most or (count and decisions[-1] == END):
            return ()
        return self._names(count)

    def _named(self, count: int) -> tuple[str, ...]:
        operands: list[Operand] = [*range(count - 1, -1, -1), X, CONSTANT]
        found = [
            write((operator, a, b))
            for operator in self.operators for a in operands for b in operands
            if is_written(operator, a, b)
        ]  # fmt: skip
        return (*([END] if count else []), *found)

    def genome_of(self, decisions: Formula) -> Formula:
        """Returns the formula of a complete sequence, without what its value does not need.

        Raises:
            ZeroError: it is none, or its value does not hang on x.
        """
        done = checked(self.choices, decisions)
        found = canonical(instructions(done[:-1] if done[-1] == END else done))
        if found is None or not self.allows(found):
            raise ZeroError("the formula's value does not hang on x, or is none of this space")
        return found

    def decisions_of(self, genome: Formula) -> Formula:
        """Returns the sequence of a formula."""
        return genome if len(genome) == self.most else (*genome, END)

    def allows(self, formula: Formula) -> bool:
        """Returns whether a formula has no more operations, and no other operators, than it may."""
        words = instructions(formula)
        return len(words) <= self.most and all(word[0] in self.operators for word in words)

    # --- genomes ----------------------------------------------------------------------------------

    def random(self, rng: np.ndarray) -> Formula:
        """Returns a formula; how many instructions are drawn for it is drawn evenly."""
        while True:
            listed: Listed = []
            for count in range(1 + splitmix.below(rng, self.most)):
                a, b = self._operand(count, rng), self._operand(count, rng)
                if count and splitmix.unit(rng) < CHAIN:
                    a, b = (count - 1, b) if splitmix.unit(rng) < 0.5 else (a, count - 1)
                listed.append((self._operator(rng), a, b))
            found = canonical(listed)
            if found is not None and self.allows(found):
                return found

    def _operator(self, rng: np.ndarray) -> str:
        return self.operators[splitmix.below(rng, len(self.operators))]

    def _operand(self, count: int, rng: np.ndarray) -> Operand:
        """Returns an operand of instruction `count`: a constant, x or an earlier result, one as often."""
        if count == 0:
            return (X, CONSTANT)[splitmix.below(rng, 2)]
        kind = splitmix.below(rng, 3)
        return int(splitmix.below(rng, count)) if kind == 2 else (X, CONSTANT)[kind]

    def mutate(self, genome: Formula, rng: np.ndarray) -> tuple[Formula, str]:
        """Returns a formula in which something is otherwise, and the name of the first change."""
        for _ in range(TRIES):
            found: Formula | None = genome
            first = ""
            while found is not None:
                name = self.mutations[splitmix.below(rng, len(self.mutations))]
                change = getattr(self, f"_{name}_changed")
                found = canonical(change(list(instructions(found)), rng))
                first = first or name
                if splitmix.unit(rng) >= AGAIN:
                    break
            if found is not None and found != genome and self.allows(found):
                return found, first
        return genome, first

    def _operator_changed(self, listed: Listed, rng: np.ndarray) -> Listed:
        place = splitmix.below(rng, len(listed))
        _, a, b = listed[place]
        listed[place] = (self._operator(rng), a, b)
        return listed

    def _operand_changed(self, listed: Listed, rng: np.ndarray) -> Listed:
        place = splitmix.below(rng, len(listed))
        operator, a, b = listed[place]
        new = self._operand(place, rng)
        first = splitmix.unit(rng) < 0.5
        listed[place] = (operator, new, b) if first else (operator, a, new)
        return listed

    def _insert_changed(self, listed: Listed, rng: np.ndarray) -> Listed:
        """An instruction takes the place of an operand, or of the value, and that goes into it."""
        place = splitmix.below(rng, len(listed) + 1)
        taken: Operand
        if place == len(listed):
            taken, first = place - 1, True
        else:
            first = splitmix.unit(rng) < 0.5
            taken = listed[place][1 if first else 2]
        again = splitmix.unit(rng) < 0.2  # a square, or twice
        other = taken if again else self._operand(place, rng)
        pair = (taken, other) if splitmix.unit(rng) < 0.5 else (other, taken)
        new = [*listed[:place], (self._operator(rng), *pair), *listed[place:]]
        for k in range(place + 1, len(new)):
            operator, a, b = new[k]
            new[k] = (operator, _later(a, place), _later(b, place))
        if place < len(listed):
            operator, a, b = new[place + 1]
            new[place + 1] = (operator, place, b) if first else (operator, a, place)
        return new

    def _remove_changed(self, listed: Listed, rng: np.ndarray) -> Listed:
        """One of an instruction's operands takes its place."""
        if len(listed) == 1:
            return listed
        place = splitmix.below(rng, len(listed))
        instead = listed[place][1 + splitmix.below(rng, 2)]
        if place == len(listed) - 1:
            return listed[: instead + 1] if isinstance(instead, int) else listed[:-1]
        listed[place] = ("=", instead, instead)
        return listed

    def _swap_changed(self, listed: Listed, rng: np.ndarray) -> Listed:
        places = [k for k, (operator, _, _) in enumerate(listed) if operator not in COMMUTING]
        if places:
            place = places[splitmix.below(rng, len(places))]
            operator, a, b = listed[place]
            listed[place] = (operator, b, a)
        return listed

    def text(self, genome: Formula) -> str:
        """Returns a formula as text."""
        return SEPARATOR.join(genome)

    def parse(self, text: str) -> Formula:
        """Returns the formula that a text stands for; raises ZeroError where it is none of this space."""
        words = tuple(text.split())
        return self.genome_of(words if len(words) == self.most else (*words, END))


def _later(operand: Operand, place: int) -> Operand:
    return operand + 1 if isinstance(operand, int) and operand >= place else operand

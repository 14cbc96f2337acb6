"""What is made of what in an iteration of a program, in the words in which motifs are looked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable
from typing import TypeVar

from zero.programs.explain.values import LABEL_AT, Place, Spot, Values
from zero.programs.ops import get_op
from zero.programs.program import Instruction, format_instruction

_PASSES = ("fill_columns", "fill_rows", "transpose")  # change the shape, not the numbers
N = TypeVar("N", int, float)
_SUMS = ("a + b", "a - b")
_PRODUCTS = ("outer", "matvec", "matmul")


class Flow:
    """Questions about the values of a program.

    updates: of places that keep something from one iteration to the next, what they hold after learn.
    steps: of those that something is added to which depends on the label, what is added, as values: such
    are learned. random: the random instructions, and their values.
    """

    def __init__(self, values: Values):
        self.values = values
        self.updates: dict[Place, int] = {
            place: values.held(values.after_learn, place) for place in sorted(self._kept())
        }
        self.steps: dict[Place, list[int]] = {}
        for place, update in self.updates.items():
            stop = self._others(place)
            terms = [term for term in self.terms(update, place) if term not in stop]
            learned = [t for t in terms if values.label in self.within(t, stop)]
            if learned and self.own(place)[0]:
                self.steps[place] = learned
        self.random: list[tuple[Spot, int]] = [
            (s.spot, s.value) for s in values.steps if values.keys[s.value] == ("random", s.spot)
        ]

    # --- one value ------------------------------------------------------------------------------

    def kind(self, value: int) -> str:
        """Returns the kind of the op that makes a value, "" for leaves."""
        op = self.values.op(value)
        return op.kind if op else ""

    def formula(self, value: int) -> str:
        """Returns the formula of the op that makes a value, "" where there is none."""
        op = self.values.op(value)
        return op.formula if op else ""

    def type_of(self, value: int) -> str:
        """Returns "s", "v" or "m"."""
        key, op = self.values.keys[value], self.values.op(value)
        if op is not None:
            return op.output
        if key[0] == "random":
            return get_op(self._instruction(key[1]).op).output
        label = LABEL_AT[self.values.labels][0]
        known = {"features": "v", "label": label, "prediction": label}
        if key[0] in known:
            return known[key[0]]
        return str(key[1][0] if key[0] == "entry" else key[1])

    def place(self, value: int) -> Place | None:
        """Returns the place whose content at an iteration's begin a value is, None if it is none."""
        key = self.values.keys[value]
        return key[1] if key[0] == "entry" else None

    def weights(self, value: int) -> Place | None:
        """Returns the learned place whose content, before or after learning, a value is."""
        for place in self.steps:
            if value == self.updates[place] or self.place(value) == place:
                return place
        return None

    def is_layer(self, value: int) -> bool:
        """Returns whether a value is a matrix that keeps its content, times what depends on features."""
        if self.kind(value) != "matvec":
            return False
        matrix, vector = self.values.operands(value)
        return self.sees(vector) and not self.sees(matrix)

    # --- what it is made of -----------------------------------------------------------------------

    def within(self, value: int, stop: Collection[int] = ()) -> list[int]:
        """Returns a value and all that it is made of in the same iteration, in order of making.

        stop: values that are not looked into, unless it is the value itself.
        """
        found, ahead = {value}, [value]
        while ahead:
            for operand in self.values.operands(ahead.pop()):
                if operand not in found:
                    found.add(operand)
                    if operand not in stop:
                        ahead.append(operand)
        return sorted(found)

    def sees(self, value: int) -> bool:
        """Returns whether a value depends on the features of this example."""
        return self.values.features in self.within(value)

    def knows_label(self, value: int) -> bool:
        """Returns whether a value depends on the label of this example."""
        return self.values.label in self.within(value)

    def terms(self, value: int, place: Place | None = None) -> dict[int, float]:
        """Returns the values that a value is the sum of, and how often each is taken.

        What other places than `place` hold after learn is not looked into.
        """
        stop = self._others(place)

        def parts(term: int) -> list[tuple[int, float]] | None:
            if term in stop:
                return None
            formula, operands = self.formula(term), self.values.operands(term)
            if formula in _SUMS:
                return [(operands[0], 1.0), (operands[1], 1.0 if formula == "a + b" else -1.0)]
            number, rest = self._multiple(term)
            return [(rest, number)] if rest != term and self._is_sum(rest) else None

        return {term: times for term, times in _taken_apart(value, 1.0, parts).items() if times}

    def _is_sum(self, value: int) -> bool:
        rest = self._multiple(value)[1]
        return self.formula(rest) in _SUMS or (rest != value and self._is_sum(rest))

    def _multiple(self, value: int) -> tuple[float, int]:
        """Returns the number and the value that a value is the product of; 1 and itself if it is none."""
        if self.formula(value) == "a * b":
            first, last = self.values.operands(value)
            for one, other in ((first, last), (last, first)):
                number = self.values.number(one)
                if number is not None and self.type_of(one) == "s":
                    return number, other
        return 1.0, value

    def factors(self, value: int) -> dict[int, int]:
        """Returns the values that a value is the product of, and the exponent of each."""

        def parts(factor: int) -> list[tuple[int, int]] | None:
            operands, formula = self.values.operands(factor), self.formula(factor)
            if formula in ("a * b", "a") or self.kind(factor) in (*_PRODUCTS, *_PASSES):
                return [(x, 1) for x in operands]
            if formula == "a / b":
                return [(operands[0], 1), (operands[1], -1)]
            return [(operands[0], -1)] if formula == "1.0 / a" else None

        return _taken_apart(value, 1, parts)

    def scaled(self, value: int) -> tuple[int, float | None]:
        """Returns what is left of a product without its scalars, and their product if that is known.

        The value itself if more than one factor is left.
        """
        if self.values.number(value) is not None:
            return value, 1.0
        factors = self.factors(value)
        known = [(self.values.number(f) or 1.0) ** exponent for f, exponent in factors.items()]
        rest = [f for f in factors if self.values.number(f) is None]
        if len(rest) == 1 and factors[rest[0]] == 1:
            return rest[0], math.prod(known)
        rest = [f for f in rest if self.type_of(f) != "s"]
        return (rest[0], None) if len(rest) == 1 else (value, None)

    def own(self, place: Place) -> tuple[list[int], float]:
        """Returns the terms of what a place holds after learn that are multiples of what it held before.

        And by how much that is multiplied in all, NaN if that is not a known number.
        """
        own, factor = [], 0.0
        for term, times in self.terms(self.updates[place], place).items():
            part, scale = self.scaled(term)
            if self.place(part) == place:
                own.append(term)
                factor += times * (math.nan if scale is None else scale)
        return own, factor

    def through(self, term: int) -> list[str]:
        """Returns the names of functions that what depends on the label goes through in a term."""
        found = []
        for value in self.within(term, list(self.updates.values())):
            op, operands = self.values.op(value), self.values.operands(value)
            plain = ("a", "1.0 / a")
            if op and op.kind == "map" and len(operands) == 1 and op.formula not in plain:
                if self.knows_label(operands[0]):
                    found.append(op.listing.partition(" = ")[2].partition("(")[0])
        return found

    def sources(self, value: int) -> set[Place]:
        """Returns the places whose contents decide a value, now or in earlier iterations.

        What decides the contents of learned places is left out.
        """
        found: set[Place] = set()
        ahead, holding = [value], {update: place for place, update in self.updates.items()}
        learned = {self.updates[place]: place for place in self.steps}
        while ahead:
            top = ahead.pop()
            parts = self.within(top, list(holding))
            places = {self.place(v) or (holding.get(v) if v != top else None) for v in parts}
            new = {place for place in places if place is not None} - found
            found |= new
            ends = {self.updates[p] for p in new if p in self.updates and p not in self.steps}
            found |= {learned[end] for end in ends if end in learned}  # copies of learned places
            ahead += sorted(ends - learned.keys())
        return found

    def rates(self, term: int) -> list[int]:
        """Returns the scalars that a term is multiplied by whatever the example is."""
        scalars = [f for f in self.factors(term) if self.type_of(f) == "s"]
        return [f for f in scalars if not self.sees(f) and not self.knows_label(f)]

    def entries_of(self, value: int) -> list[int]:
        """Returns the values that iterations begin with which are this value of the one before."""
        values = self.values
        ends = (values.after_predict, values.after_learn)
        return [
            values.held(values.entry, place)
            for place in values.entry
            if any(values.held(end, place) == value for end in ends)
            and self.place(values.held(values.entry, place)) == place
        ]

    def users(self, of: Collection[int]) -> list[int]:
        """Returns the values that are made of any of those directly."""
        made = sorted({step.value for step in self.values.steps})
        return [value for value in made if set(self.values.operands(value)) & set(of)]

    # --- instructions and words -------------------------------------------------------------------

    def spots(self, *of: int) -> tuple[Spot, ...]:
        """Returns the instructions that write any of these values."""
        return tuple(step.spot for step in self.values.steps if step.value in of)

    def making(self, value: int, beside: Iterable[int] = ()) -> tuple[Spot, ...]:
        """Returns the instructions that a value takes beside predict, learned places and constants.

        beside: values that are left out as well, with what they are made of.
        """
        known = {*self.within(self.values.prediction), *self.updates.values()}
        known |= {part for other in beside for part in self.within(other)}
        parts = set(self.within(value, list(self.updates.values()))) - known
        return self.spots(*(v for v in parts if self.values.number(v) is None))

    def last_written(self, place: Place) -> Spot:
        """Returns the last instruction of an iteration that writes a place."""
        return [s.spot for s in self.values.steps if s.spot[0] and self.target(s.spot) == place][-1]

    def target(self, spot: Spot) -> Place:
        """Returns the place that an instruction writes."""
        instruction = self._instruction(spot)
        return get_op(instruction.op).output, instruction.out

    def text(self, value: int) -> str:
        """Returns the text of the instruction that first makes a value."""
        return format_instruction(self._instruction(self.spots(value)[0]), show_stream=False)

    def name(self, value: int) -> str:
        """Returns the name of a place that holds a value."""
        place = self.place(value)
        if place is None and self.spots(value):
            place = self.target(self.spots(value)[0])
        return place_name(place) if place else "0"

    def _kept(self) -> set[Place]:
        """Returns the places whose contents at an iteration's begin decide a prediction, now or later."""
        values, kept = self.values, set[Place]()
        ahead = [values.prediction]
        while ahead:
            places = {self.place(value) for value in self.within(ahead.pop())}
            new = {place for place in places if place is not None} - kept
            kept |= new
            ends = (values.after_predict, values.after_learn)
            ahead += [values.held(end, place) for place in new for end in ends]
        return kept

    def _others(self, place: Place | None) -> set[int]:
        # Another place may hold the same after learn, as a copy of it.
        own = None if place is None else self.updates.get(place)
        return {update for other, update in self.updates.items() if other != place} - {own}

    def _instruction(self, spot: Spot) -> Instruction:
        return self.values.program.functions[spot[0]][spot[1]]


def place_name(place: Place) -> str:
    """Returns the name of a place in a program's text."""
    return f"{place[0]}{place[1]}"


def names_of(places: Iterable[Place]) -> str:
    """Returns the names of places, in order."""
    *names, last = map(place_name, sorted(places))
    return f"{', '.join(names)} and {last}" if names else last


def _taken_apart(
    value: int, times: N, parts: Callable[[int], list[tuple[int, N]] | None]
) -> dict[int, N]:
    """Returns the values that one is made of in the end, with how many of each.

    parts: of a value, None for one that is left whole. A value's number is above those of its parts, so
    each is taken apart once.
    """
    ahead, whole = {value: times}, dict[int, N]()
    while ahead:
        top = max(ahead)
        number, found = ahead.pop(top), parts(top)
        if found is None:
            whole[top] = number
        for part, more in found or ():
            ahead[part] = ahead.get(part, times - times) + number * more
    return whole

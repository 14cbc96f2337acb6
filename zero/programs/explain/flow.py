"""What is made of what in an iteration of a program, in the words in which motifs are looked for."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable

from zero.programs.explain.values import Place, Spot, Values
from zero.programs.ops import get_op
from zero.programs.program import Instruction, format_instruction

_PASSES = ("fill_columns", "fill_rows", "transpose")  # change the shape, not the numbers
_PRODUCTS = ("inner", "outer", "matvec", "matmul")


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
            terms = [term for _, term in self.terms(update, place)]
            own = any(self.place(self.scaled(term)[0]) == place for term in terms)
            stop = self._others(place)
            learned = [t for t in terms if values.label in self.within(t, stop) and t not in stop]
            if own and learned:
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
        known = {"features": "v", "label": "s", "prediction": "s"}
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

    def terms(self, value: int, place: Place | None = None) -> list[tuple[int, int]]:
        """Returns the signs and values that a value is the sum of; of its own, those of `place` alone.

        What other places hold after learn is not looked into.
        """
        found, ahead, stop = [], [(1, value)], self._others(place)
        while ahead:
            sign, term = ahead.pop()
            if self.formula(term) not in ("a + b", "a - b") or term in stop:
                found.append((sign, term))
                continue
            first, last = self.values.operands(term)
            ahead += [(-sign if self.formula(term) == "a - b" else sign, last), (sign, first)]
        return found

    def factors(self, value: int) -> list[tuple[int, int]]:
        """Returns the exponents, 1 or -1, and values that a value is the product of."""
        found, ahead = [], [(1, value)]
        while ahead:
            exponent, factor = ahead.pop()
            operands, formula = self.values.operands(factor), self.formula(factor)
            if formula in ("a * b", "a") or self.kind(factor) in (*_PRODUCTS, *_PASSES):
                ahead += [(exponent, x) for x in reversed(operands)]
            elif formula == "a / b":
                ahead += [(-exponent, operands[1]), (exponent, operands[0])]
            elif formula == "1.0 / a":
                ahead.append((-exponent, operands[0]))
            else:
                found.append((exponent, factor))
        return found

    def scaled(self, value: int) -> tuple[int, float | None]:
        """Returns what is left of a product without its scalars, and their product if that is known.

        The value itself if more than one factor is left.
        """
        if self.values.number(value) is not None:
            return value, 1.0
        factors = self.factors(value)
        numbers = [(e, self.values.number(f)) for e, f in factors]
        open_ = [f for (_, f), (_, n) in zip(factors, numbers, strict=True) if n is None]
        if len(open_) == 1:
            known = [(e, n) for e, n in numbers if n]
            return open_[0], math.prod(n**e for e, n in known)
        rest = [f for f in open_ if self.type_of(f) != "s"]
        return (rest[0], None) if len(rest) == 1 else (value, None)

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
        while ahead:
            top = ahead.pop()
            parts = self.within(top, list(holding))
            places = {self.place(v) or (holding.get(v) if v != top else None) for v in parts}
            new = {place for place in places if place is not None} - found
            found |= new
            ahead += [self.updates[p] for p in new if p in self.updates and p not in self.steps]
        return found

    def rates(self, term: int) -> list[int]:
        """Returns the scalars that a term is multiplied by whatever the example is."""
        scalars = [f for _, f in self.factors(term) if self.type_of(f) == "s"]
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
        return {update for other, update in self.updates.items() if other != place}

    def _instruction(self, spot: Spot) -> Instruction:
        return self.values.program.functions[spot[0]][spot[1]]


def place_name(place: Place) -> str:
    """Returns the name of a place in a program's text."""
    return f"{place[0]}{place[1]}"


def names_of(places: Iterable[Place]) -> str:
    """Returns the names of places, in order."""
    *names, last = map(place_name, sorted(places))
    return f"{', '.join(names)} and {last}" if names else last

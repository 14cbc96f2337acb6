"""Which values a program computes: equal numbers stand for values of which all bits are equal.

An iteration is predict and the learn that may follow it; v0 holds the same features in both. A value is
known by how it is made (op and operands, for commutative ops in any order), so that the same computation
done twice is one value. Before the first iteration comes setup; what a place holds when an iteration
begins is a value of its own unless every way there leaves the same one, such as a constant.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from zero.programs.interpreter.reference import evaluate_formula
from zero.programs.ops import FUNCTIONS, NUM_STANDARD_OPS, Op, get_op, is_commutative, is_partial
from zero.programs.program import CLASS_LABEL, CLASS_PREDICTION, Instruction, Program
from zero.tasks import Labels
from zero.tasks.networks import Part

Place = tuple[str, int]  # a type and an address
State = dict[Place, int]  # what places hold; places that are not in it hold zeros
Spot = tuple[int, int]  # an instruction: 0 to 2 for setup, predict or learn, and its position there

FEATURES_AT = ("v", 0)
# By the tasks' labels, where label and prediction are.
LABEL_AT: dict[Labels, Place] = {"scalar": ("s", 0), "vector": ("v", CLASS_LABEL)}
PREDICTION_AT: dict[Labels, Place] = {"scalar": ("s", 1), "vector": ("v", CLASS_PREDICTION)}
_ZERO_KINDS = ("inner", "outer", "matvec", "matmul")
_SAME_KINDS = ("fill_columns", "fill_rows", "transpose")


@dataclass(frozen=True)
class Step:
    """An instruction as it is executed: what places held before, and the value that it writes."""

    spot: Spot
    before: State
    value: int


class Values:
    """The values of a program in any iteration, in arithmetic of that dtype; labels: of its tasks.

    part: what the program is (`zero.tasks.networks.Part`); unless it is a predictor, predict sees s0
    too (of an optimiser the gradient), and a loss finds the network's output in s1.

    keys: how value k is made. Of leaves: ("const", type, number) with all elements alike,
    ("features",), ("label",), ("entry", place) for what an iteration begins with, ("random", spot);
    ("prediction", value) is s1 (v2) as learn sees it; else (op's name, operands..., constants...).
    steps: every instruction, in order. entry, after_setup, after_predict, after_learn: states.
    prediction: the value of s1 (v2) after predict.
    """

    def __init__(
        self,
        program: Program,
        dtype: str = "float64",
        labels: Labels = "scalar",
        part: Part = "predictor",
    ):
        self.program, self.dtype, self.labels = program, dtype, labels
        self._label_at, prediction_at = LABEL_AT[labels], PREDICTION_AT[labels]
        self.keys: list[tuple[Any, ...]] = []
        self._known: dict[tuple[Any, ...], int] = {}
        self.steps: list[Step] = []
        self.features, self.label = self._of("features"), self._of("label")
        self.after_setup = self._through(0, {})
        kind = self._label_at[0]
        seen = self.constant(kind, 0.0) if part == "predictor" else self.label
        self.entry = self._given(self.after_setup, seen)
        if part == "loss":
            self.entry[prediction_at] = self._of("entry", prediction_at)
        while True:
            self.steps = [s for s in self.steps if s.spot[0] == 0]
            self.after_predict = self._through(1, self.entry)
            self.prediction = self.held(self.after_predict, prediction_at)
            before_learn = self._given(self.after_predict, self.label)
            before_learn[prediction_at] = self._of("prediction", self.prediction)
            self.after_learn = self._through(2, before_learn)
            if not self._lose_what_changes():
                return

    # --- asking ---------------------------------------------------------------------------------

    def held(self, state: State, place: Place) -> int:
        """Returns the value that a place holds."""
        return state[place] if place in state else self.constant(place[0], 0.0)

    def constant(self, kind: str, number: float) -> int:
        """Returns the value of type "s", "v" or "m" all elements of which are that number."""
        return self._of("const", kind, _bits(number))

    def number(self, value: int) -> float | None:
        """Returns the number that all elements of a value are, None if that is not known."""
        key = self.keys[value]
        return float(np.uint64(key[2]).view(np.float64)) if key[0] == "const" else None

    def op(self, value: int) -> Op | None:
        """Returns the op that makes a value, None for leaves."""
        name = self.keys[value][0]
        leaf = name in ("const", "features", "label", "entry", "random", "prediction")
        return None if leaf else get_op(name)

    def operands(self, value: int) -> tuple[int, ...]:
        """Returns the values that one is made of, () for leaves."""
        key, op = self.keys[value], self.op(value)
        if key[0] == "prediction":
            return (key[1],)
        if op is None:
            return ()
        return key[1:2] if is_partial(op) else key[1 : 1 + len(op.inputs)]

    def spots(self, value: int) -> list[Spot]:
        """Returns the instructions that write a value."""
        return [s.spot for s in self.steps if s.value == value]

    # --- following ------------------------------------------------------------------------------

    def _of(self, *key: Any) -> int:
        if key not in self._known:
            self._known[key] = len(self.keys)
            self.keys.append(key)
        return self._known[key]

    def _given(self, state: State, label: int) -> State:
        return {**state, FEATURES_AT: self.features, self._label_at: label}

    def _lose_what_changes(self) -> bool:
        """Makes values of their own of what iterations do not all begin with; whether there were any."""
        changed = False
        ways = (self.after_setup, self.after_predict, self.after_learn)
        for place in {p for way in ways for p in way} - {FEATURES_AT, self._label_at}:
            own, now = self._of("entry", place), self.held(self.entry, place)
            if now != own and any(self.held(way, place) != now for way in ways):
                self.entry[place] = own
                changed = True
        return changed

    def _through(self, function: int, state: State) -> State:
        state = dict(state)
        for position, instruction in enumerate(self.program.functions[function]):
            op, spot = get_op(instruction.op), (function, position)
            if not op.output:
                continue
            value = self._made(op, instruction, state, spot)
            self.steps.append(Step(spot, dict(state), value))
            state[op.output, instruction.out] = value
        return state

    def _made(self, op: Op, instruction: Instruction, state: State, spot: Spot) -> int:
        if op.random:
            return self._of("random", spot)
        if op.kind == "const":
            constant = float(np.dtype(self.dtype).type(instruction.constants[-1]))
            old = self.held(state, (op.output, instruction.out))
            if not is_partial(op) or self.constant(op.output, constant) == old:
                return self.constant(op.output, constant)
            return self._of(op.name, old, *map(_bits, instruction.constants))
        addresses = (instruction.in1, instruction.in2)
        places = zip(op.inputs, addresses, strict=False)
        operands = tuple(self.held(state, place) for place in places)
        number = self._folded(op, [self.number(x) for x in operands])
        if number is not None:
            return self.constant(op.output, number)
        same = self._unchanged(op, operands)
        if same is not None:
            return same
        return self._of(op.name, *(sorted(operands) if is_commutative(op) else operands))

    def _folded(self, op: Op, numbers: list[float | None]) -> float | None:
        """Returns the number that all elements of a result are, where every backend gives these bits."""
        known = [x for x in numbers if x is not None]
        if len(known) < len(numbers):
            return None
        if op.kind in _SAME_KINDS:
            return known[0]
        if op.kind == "map" and _rounds_once(op.formula):
            dtype = np.dtype(self.dtype).type
            named = {name: np.asarray(dtype(x)) for name, x in zip("ab", known, strict=False)}
            result = float(evaluate_formula(op.formula, self.dtype, **named))
            return None if math.isnan(result) else result
        zeros = all(_bits(x) == 0 for x in known)
        standard = op.kind in _ZERO_KINDS or (
            op.kind.startswith("reduce") and op.number < NUM_STANDARD_OPS
        )
        return 0.0 if zeros and standard else None

    def _unchanged(self, op: Op, operands: tuple[int, ...]) -> int | None:
        """Returns the operand that a result equals in all bits, if it does."""
        first, last = operands[0], operands[-1]
        if op.kind == "transpose" and self.keys[first][0] == op.name:
            return self.keys[first][1]
        if op.kind != "map":
            return None
        if op.formula == "abs(a)" and self.keys[first][0] == op.name:
            return first
        if op.name.endswith(("_MIN", "_MAX")) and op.number < NUM_STANDARD_OPS and first == last:
            return first
        # x + 0.0 is not among them: it makes 0.0 of -0.0.
        neutral = {"a - b": 0.0, "a + b": -0.0, "a * b": 1.0, "a / b": 1.0}.get(op.formula)
        if neutral is None:
            return None
        kinds = op.inputs
        if kinds[0] == op.output and self.constant(kinds[1], neutral) == last:
            return first
        swaps = op.formula in ("a + b", "a * b") and kinds[1] == op.output
        return last if swaps and self.constant(kinds[0], neutral) == first else None


def _bits(number: float) -> int:
    return int(np.float64(number).view(np.uint64))


def _rounds_once(formula: str) -> bool:
    """Returns whether all arithmetic gives a formula the same bits.

    Libraries differ in sines and the like; a product in a sum may be rounded once or twice.
    """
    calls = any(f"{name}(" in formula for name in FUNCTIONS.keys() - {"abs", "where"})
    return not calls and sum(formula.count(sign) for sign in "+-*/") <= 1

"""Formulas: instructions, their text, and the one form that equal ones share.

A formula is a tuple of instructions, each a text such as "t0*x": an operator and two operands, which are x, c
(a constant of its own, to be fitted) or the result t0, t1, ... of an earlier instruction. The last result
is the value. A result that is used twice costs one operation.

What says the same in other words is not written: x - c and x / c (which are x + c and x * c), two constants,
a value with itself but for squares, operands of + and * the other way round.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from zero.errors import ZeroError

Formula = tuple[str, ...]
Operand = str | int  # x, c, or the number of an earlier instruction
Instruction = tuple[str, Operand, Operand]

OPERATORS = "+-*/"
COMMUTING = "+*"
X, CONSTANT = "x", "c"
SEPARATOR = " "


@dataclass(frozen=True, eq=False)
class Code:
    """A formula as numbers, for compiled code.

    ops: int64 (k,), places in `OPERATORS`. left, right: int64 (k,), an operand: 0 for x, i + 1 for the result
    of instruction i, -1 - j for constant j. constants: how many there are.
    """

    ops: np.ndarray
    left: np.ndarray
    right: np.ndarray
    constants: int


def read(word: str) -> Instruction:
    """Returns the instruction that a text stands for; raises ZeroError where it is none."""
    for operator in OPERATORS:
        left, found, right = word.partition(operator)
        if found:
            return operator, _operand(left, word), _operand(right, word)
    raise ZeroError(
        f"'{word}' is no instruction; need two of x, c, t0, t1, ... around one of {OPERATORS}"
    )


def _operand(text: str, word: str) -> Operand:
    if text in (X, CONSTANT):
        return text
    number = text[1:]
    if text[:1] == "t" and number.isascii() and number.isdigit() and len(number) < 4:
        return int(number)
    raise ZeroError(f"'{text}' in '{word}' is none of x, c, t0, t1, ...")


def write(instruction: Instruction) -> str:
    """Returns an instruction as text."""
    operator, left, right = instruction
    return f"{_name(left)}{operator}{_name(right)}"


def _name(operand: Operand) -> str:
    return f"t{operand}" if isinstance(operand, int) else operand


@lru_cache(100_000)
def instructions(formula: Formula) -> tuple[Instruction, ...]:
    """Returns a formula's instructions."""
    return tuple(map(read, formula))


def code_of(formula: Formula) -> Code:
    """Returns a formula as numbers; its constants are counted as they stand in its text."""
    ops, sides, count = [], [], 0
    for operator, *operands in instructions(formula):
        ops.append(OPERATORS.index(operator))
        for operand in operands:
            if operand == CONSTANT:
                count += 1
                sides.append(-count)
            else:
                sides.append(0 if operand == X else int(operand) + 1)
    both = np.array(sides, dtype=np.int64).reshape(-1, 2)
    left, right = np.ascontiguousarray(both[:, 0]), np.ascontiguousarray(both[:, 1])
    return Code(np.array(ops, dtype=np.int64), left, right, count)


def is_written(operator: str, left: Operand, right: Operand) -> bool:
    """Returns whether an instruction is the one form of what it says; see the module's docstring."""
    if left == right:
        return operator == "*" and left != CONSTANT
    if operator in COMMUTING:
        return _rank(left) < _rank(right)
    return right != CONSTANT


def _rank(operand: Operand) -> tuple[int, int]:
    """Returns what operands of + and * are ordered by: late results, early ones, x, c."""
    if isinstance(operand, int):
        return 0, -operand
    return (1, 0) if operand == X else (2, 0)


# --- the one form ---------------------------------------------------------------------------------


def canonical(listed: Sequence[Instruction]) -> Formula | None:
    """Returns the formula of instructions whose last one is its value; None if that does not hang on x.

    Only what the value needs is kept; values with themselves, two constants in a row and equal results
    without constants are put together; the order is that of need.
    """
    found = _once(listed)
    while found is not None:  # what was put together may let more be
        again = _once(instructions(found))
        if again == found:
            break
        found = again
    return found


def _once(listed: Sequence[Instruction]) -> Formula | None:
    nodes = _simplified(listed)
    root = len(nodes) - 1
    value = _resolved(nodes, root)
    if not isinstance(value, int):
        return None
    signs: dict[int, str] = {}
    _sign(nodes, value, signs)
    done: dict[int, int] = {}
    same: dict[str, int] = {}
    out: list[str] = []

    def visit(node: int) -> int:
        if node in done:
            return done[node]
        operator, left, right = nodes[node]
        inner = {o for o in (left, right) if isinstance(o, int)}
        order = sorted(inner, key=lambda o: (-len(signs[o]), signs[o], o))
        for operand in order:
            visit(operand)
        new = [done[o] if isinstance(o, int) else o for o in (left, right)]
        if operator in COMMUTING and _rank(new[1]) < _rank(new[0]):
            new.reverse()
        word = write((operator, new[0], new[1]))
        if CONSTANT not in word and word in same:
            done[node] = same[word]
            return done[node]
        done[node] = same[word] = len(out)
        out.append(word)
        return done[node]

    visit(value)
    return tuple(out)


def _sign(nodes: list[Instruction], node: int, signs: dict[int, str]) -> str:
    """Returns a text that two nodes share if they are alike, whatever their constants and order."""
    if node not in signs:
        operator, *operands = nodes[node]
        parts = [_sign(nodes, o, signs) if isinstance(o, int) else str(o) for o in operands]
        if operator in COMMUTING:
            parts.sort()
        text = f"({parts[0]}{operator}{parts[1]})"
        if len(text) > 400:
            text = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
        signs[node] = text
    return signs[node]


def _resolved(nodes: Sequence[Instruction], operand: Operand) -> Operand:
    """Returns what an operand stands for; an instruction ("=", a, a) is only another name of a."""
    while isinstance(operand, int) and nodes[operand][0] == "=":
        operand = nodes[operand][1]
    return operand


# What constants do to a value: + (z + c), - (c - z), * (z * c), / (c / z). Two of a pair are one of it.
_PAIRS = {"+": "+-", "-": "+-", "*": "*/", "/": "*/"}


def _simplified(listed: Sequence[Instruction]) -> list[Instruction]:
    """Returns instructions of the same numbers, each in the form that `is_written` asks for or "="."""
    nodes: list[Instruction] = []
    for operator, a, b in listed:
        left, right = _resolved(nodes, a), _resolved(nodes, b)
        nodes.append(_one(nodes, operator, left, right))
    return nodes


def _one(nodes: list[Instruction], operator: str, left: Operand, right: Operand) -> Instruction:
    if left == right:
        if left == CONSTANT or operator in "-/":  # a constant
            return "=", CONSTANT, CONSTANT
        if operator == "+":
            operator, right = "*", CONSTANT
    if right == CONSTANT and operator in "-/":
        operator = "+" if operator == "-" else "*"
    if operator in COMMUTING and _rank(right) < _rank(left):
        left, right = right, left
    if CONSTANT not in (left, right):
        return operator, left, right
    inner = left if right == CONSTANT else right
    if isinstance(inner, int):
        before, first, second = nodes[inner]
        if CONSTANT in (first, second) and before in _PAIRS[operator]:
            other = first if second == CONSTANT else second
            pair = _PAIRS[operator]
            operator = pair[0] if operator == before else pair[1]
            inner = other
    return (operator, inner, CONSTANT) if operator in COMMUTING else (operator, CONSTANT, inner)

"""Formulas as source: Python and C, each a function of one number."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal

from zero.functions import constants
from zero.functions.formula import Formula, code_of, instructions

DIGITS = 21  # of a constant: a few more than float64 has
Line = Callable[[str, str], str]  # a name and an expression -> a statement


def _statements(formula: Formula, text: str, assign: Line, give: Callable[[str], str]) -> list[str]:
    numbers = iter(constants.decimals(text, code_of(formula).constants))

    def shown(operand: str | int) -> str:
        if isinstance(operand, int):
            return f"t{operand}"
        return _number(next(numbers)) if operand == "c" else operand

    lines = []
    for k, (operator, left, right) in enumerate(instructions(formula)):
        expression = f"{shown(left)} {operator} {shown(right)}"
        expression = re.sub(r"\+ -([\d.])", r"- \1", expression)
        last = k == len(formula) - 1
        lines.append(give(expression) if last else assign(f"t{k}", expression))
    return lines


def _number(value: Decimal) -> str:
    text = f"{value:.{DIGITS - 1}e}" if not -4 < value.adjusted() < 16 else None
    text = text or f"{value:.{max(1, DIGITS - 1 - value.adjusted())}f}"
    return text


def python(name: str, formula: Formula, text: str) -> str:
    """Returns a Python function; text: the formula's constants."""
    lines = _statements(formula, text, lambda t, e: f"    {t} = {e}", lambda e: f"    return {e}")
    return "\n".join([f"def {name}(x):", *lines]) + "\n"


def c(name: str, formula: Formula, text: str) -> str:
    """Returns a C function of doubles; text: the formula's constants."""
    lines = _statements(
        formula, text, lambda t, e: f"    double {t} = {e};", lambda e: f"    return {e};"
    )
    return "\n".join([f"double {name}(double x) {{", *lines, "}"]) + "\n"

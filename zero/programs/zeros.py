"""What ops make of zeros, for following through a program what may be filled (`zero.programs.proposals`)."""

from __future__ import annotations

import numpy as np

from zero.programs.interpreter.reference import evaluate_formula
from zero.programs.ops import Op, by_number


def table() -> np.ndarray:
    """Returns (n,) int8, `of_zero` of every op by its number."""
    return np.array([of_zero(op) for op in by_number()], dtype=np.int8)


def of_zero(op: Op) -> int:
    """Returns which operands make the result zero throughout by being zero throughout.

    2: any of them, as in products. 1: all together, as in sums; 3: so in differences, which are also zero
    where the operands are the same. 0: none do. What is not finite is not considered.
    """
    if op.formula == "a * b" or op.kind in ("inner", "outer", "matvec", "matmul"):
        return 2
    if not op.inputs:
        return 0
    if not op.formula:  # transposes and the like move elements
        return 1
    zero, named = np.zeros(1), ("a", "b", "sum", "squares")
    result = evaluate_formula(op.formula, "float64", **dict.fromkeys(named, zero), n=zero + 4.0)
    return 0 if result.item() != 0.0 else 3 if op.formula == "a - b" else 1

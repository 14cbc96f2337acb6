"""Variants of a program: without an instruction, or with other constants."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from zero.programs.explain.values import Spot
from zero.programs.ops import get_op
from zero.programs.program import Program


@dataclass(frozen=True)
class Knob:
    """A constant of a program that may have any size: the number `index` of the instruction at `spot`."""

    spot: Spot
    index: int
    name: str
    value: float


def without(program: Program, spot: Spot) -> Program:
    """Returns the program without one instruction; random draws of the others stay."""
    functions = [list(f) for f in program.functions]
    del functions[spot[0]][spot[1]]
    return Program(*map(tuple, functions))


def knobs(program: Program) -> list[Knob]:
    """Returns the constants of a program, but for places of elements in vectors and matrices."""
    return [
        Knob((f, k), index, constant.name, value)
        for f, function in enumerate(program.functions)
        for k, instruction in enumerate(function)
        for index, (constant, value) in enumerate(
            zip(get_op(instruction.op).constants, instruction.constants, strict=True)
        )
        if constant.alter != "redraw"
    ]


def with_constants(program: Program, new: Iterable[tuple[Knob, float]]) -> Program:
    """Returns the program with constants set, rounded to what an instruction stores."""
    functions = [list(f) for f in program.functions]
    for knob, value in new:
        f, k = knob.spot
        instruction = functions[f][k]
        single = get_op(instruction.op).constants[knob.index].single
        constants = list(instruction.constants)
        with np.errstate(over="ignore"):
            constants[knob.index] = float(np.float32(value)) if single else float(value)
        functions[f][k] = replace(instruction, constants=tuple(constants))
    return Program(*map(tuple, functions))

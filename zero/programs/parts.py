"""Shipped programs that are a part of training a network: known optimisers and losses, and their constants.

An optimiser finds the gradient of one parameter in s0 and leaves its step in s1; a loss finds the label, -1
or 1, in s0 and the output in s1, where it leaves the derivative (`zero.tasks.optimizer`, `zero.tasks.loss`).
Sources: momentum, Polyak (1964); Adam, Kingma and Ba (ICLR 2015), algorithm 1; Lion, Chen et al. (2023),
algorithm 2, without weight decay.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zero.programs.program import Program
    from zero.tasks.networks import Part

_SGD = """
def Setup():
  s2 = 0.1                  # learning rate
def Predict():
  s1 = s2 * s0
def Learn():
"""

_MOMENTUM = """
def Setup():
  s2 = 0.01                 # learning rate
  s3 = 0.9                  # how much of the velocity stays
def Predict():
  s4 = s3 * s4              # velocity
  s4 = s4 + s0
  s1 = s2 * s4
def Learn():
"""

# The language has no square root of a scalar: it is exp(log(x) / 2).
_ADAM = """
def Setup():
  s2 = 0.01                 # learning rate
  s3 = 0.9                  # how much of the mean stays
  s4 = 0.999                # how much of the mean square stays
  s5 = 1
  s6 = 0.5
  s7 = 0.00000001
  s8 = s5 - s3
  s9 = s5 - s4
  s10 = 1                   # powers of s3 and s4
  s11 = 1
def Predict():
  s12 = s3 * s12            # mean of the gradient
  s14 = s8 * s0
  s12 = s12 + s14
  s13 = s4 * s13            # mean of its square
  s14 = s0 * s0
  s14 = s9 * s14
  s13 = s13 + s14
  s10 = s3 * s10
  s14 = s5 - s10
  s15 = s12 / s14           # without the bias of their beginning at 0
  s11 = s4 * s11
  s14 = s5 - s11
  s14 = s13 / s14
  s14 = log(s14)
  s14 = s6 * s14
  s14 = exp(s14)
  s14 = s14 + s7
  s1 = s15 / s14
  s1 = s2 * s1
def Learn():
"""

# The sign is the difference of two steps, so that of 0 is 0.
_LION = """
def Setup():
  s2 = 0.001                # learning rate
  s3 = 0.9                  # how much of the mean counts in the step
  s4 = 0.99                 # how much of it stays
  s5 = 1
  s6 = s5 - s3
  s7 = s5 - s4
def Predict():
  s8 = s3 * s9
  s10 = s6 * s0
  s8 = s8 + s10
  s10 = s11 - s8            # s11 is never written, so it is zero
  s8 = heaviside(s8, 1.0)
  s10 = heaviside(s10, 1.0)
  s1 = s8 - s10
  s1 = s2 * s1
  s9 = s4 * s9              # mean of the gradient
  s10 = s7 * s0
  s9 = s9 + s10
def Learn():
"""

_SQUARED_ERROR = """
def Setup():
  s2 = 1                    # scale
def Predict():
  s1 = s1 - s0
  s1 = s2 * s1
def Learn():
"""

# log(1 + exp(-label * output)), whose derivative is -label / (1 + exp(label * output)).
_CROSS_ENTROPY = """
def Setup():
  s2 = 1                    # scale
  s3 = 1
def Predict():
  s4 = s0 * s1
  s4 = exp(s4)
  s4 = s3 + s4
  s4 = s0 / s4
  s1 = s5 - s4              # s5 is never written, so it is zero
  s1 = s2 * s1
def Learn():
"""

OPTIMIZERS: dict[str, tuple[str, str]] = {
    "sgd": ("optimiser: gradient descent at one rate", _SGD),
    "momentum": ("optimiser: gradient descent with momentum (Polyak 1964)", _MOMENTUM),
    "adam": ("optimiser: Adam (Kingma and Ba 2015)", _ADAM),
    "lion": ("optimiser: Lion without weight decay (Chen et al. 2023)", _LION),
}
LOSSES: dict[str, tuple[str, str]] = {
    "squared_error": ("loss: half the squared difference from the label", _SQUARED_ERROR),
    "cross_entropy": ("loss: cross-entropy of the logistic function", _CROSS_ENTROPY),
}

_RATES = tuple(round(10 ** (k / 3), 10) for k in range(-12, 3))  # 0.0001 to 4.6, three a decade
_SCALES = tuple(round(10 ** (k / 3), 10) for k in range(-6, 7))
# Of each program, the scalars of setup that are tuned, and what is tried.
GRIDS: dict[str, dict[int, tuple[float, ...]]] = {
    "sgd": {2: _RATES},
    "momentum": {2: _RATES, 3: (0.5, 0.8, 0.9, 0.95, 0.98)},
    "adam": {2: _RATES, 3: (0.5, 0.8, 0.9, 0.95), 4: (0.9, 0.99, 0.999)},
    "lion": {2: _RATES, 3: (0.5, 0.8, 0.9), 4: (0.9, 0.99)},
    "squared_error": {2: _SCALES},
    "cross_entropy": {2: _SCALES},
}


def part_of(name: str) -> Part:
    """Returns what the shipped program of that name is."""
    return "optimizer" if name in OPTIMIZERS else "loss" if name in LOSSES else "predictor"


def with_constants(program: Program, values: dict[int, float]) -> Program:
    """Returns the program with these scalars set in setup to other numbers."""
    changed = [
        replace(i, constants=(values[i.out],))
        if i.op == "SCALAR_CONST_SET" and i.out in values
        else i
        for i in program.setup
    ]
    return replace(program, setup=tuple(changed))


def tuned(program: Program, name: str, fitness: Callable[[Program], float]) -> Program:
    """Returns the shipped program with the constants of its grid that are fittest, the first of equals."""
    grid = GRIDS[name]
    tried = [
        with_constants(program, dict(zip(grid, values, strict=True)))
        for values in itertools.product(*grid.values())
    ]
    return max(tried, key=fitness)

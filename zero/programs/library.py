"""Programs written by hand, by name: starting points, baselines and oracles for tests.

From the original engine (spec, section 3) and the paper (Fig. S1b; spec, section 9.6).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from zero.errors import ProgramError, unknown_name
from zero.programs.parts import LOSSES, OPTIMIZERS

if TYPE_CHECKING:
    from zero.programs.program import Program

_LINEAR = """
def Setup():
  s2 = 0.01                 # learning rate
def Predict():
  s1 = dot(v1, v0)          # weights . features
def Learn():
  s3 = s0 - s1              # error
  s3 = s2 * s3
  v2 = s3 * v0              # correction
  v1 = v1 + v2
"""

_LINEAR_WITH_BIAS = """
def Setup():
  s2 = 0.01                 # learning rate
def Predict():
  s1 = dot(v1, v0)          # weights . features
  s1 = s1 + s4              # bias
def Learn():
  s3 = s0 - s1              # error
  s3 = s2 * s3
  s4 = s4 + s3
  v2 = s3 * v0              # correction
  v1 = v1 + v2
"""

_NEURAL_NETWORK = """
def Setup():
{weights}  s3 = 0.01                 # learning rate
def Predict():
  v3 = dot(m0, v0)
  v3 = v3 + v1
  v4 = maximum(v3, v5)      # ReLU: v5 is never written, so it is zero
  s1 = dot(v4, v2)
  s1 = s1 + s2
def Learn():
  s4 = s0 - s1              # error
  s4 = s3 * s4
  s2 = s2 + s4              # last bias
  v6 = s4 * v4
  v2 = v2 + v6              # last weights
  v7 = s4 * v2
  v8 = heaviside(v3, 1.0)   # derivative of ReLU
  v7 = v8 * v7
  v1 = v1 + v7              # first bias
  m1 = outer(v7, v0)
  m0 = m0 + m1              # first weights
"""

_WEIGHTS = """\
  v2 = gaussian(0, 0.1, n_features)
  m0 = gaussian(0, 0.1, (n_features, n_features))
"""

# Its memory: m0 weights, m2 accumulated weights, s2 norm of the gradient, v9 noise on the input.
_PAPER_BEST = """
def Setup():
def Predict():
  v1 = v0 - v9
  v5 = v0 + v9
  v6 = dot(m1, v5)
  m1 = s2 * m2
  s1 = dot(v6, v1)
def Learn():
  s4 = s0 - s1
  m1 = outer(v1, v0)
  s5 = sin(s4)
  s2 = norm(m1)
  s7 = s5 / s2
  v11 = s7 * v1
  m1 = outer(v11, v5)
  m0 = m1 + m0
  v9 = uniform(0.002, 0.7, n_features)
  s4 = std(m0)
  m2 = m2 + m0
  m1 = s4 * m0
"""

PROGRAMS: dict[str, tuple[str, str]] = {
    "empty": ("no instructions at all", "def Setup():\ndef Predict():\ndef Learn():\n"),
    "linear": ("linear model trained by gradient descent", _LINEAR),
    "linear_with_bias": (
        "the linear model and a bias: of classes, logistic regression",
        _LINEAR_WITH_BIAS,
    ),
    "neural_network": (
        "two-layer network with ReLU and biases, trained by back-propagation",
        _NEURAL_NETWORK.format(weights=_WEIGHTS),
    ),
    "neural_network_damaged": (
        "the network without its random initial weights: only the last bias learns",
        _NEURAL_NETWORK.format(weights=""),
    ),
    "paper_best": (
        "the paper's best program for binary CIFAR-10, dead instructions removed",
        _PAPER_BEST,
    ),
    **OPTIMIZERS,
    **LOSSES,
}


def names() -> list[str]:
    """Returns the names of the shipped programs."""
    return list(PROGRAMS)


def description(name: str) -> str:
    """Returns one line that says what the shipped program is."""
    return PROGRAMS[name][0]


@cache
def program(name: str) -> Program:
    """Returns the shipped program of that name.

    Raises:
        ProgramError: there is none.
    """
    from zero.programs.program import (
        parse_program,  # here: names alone, which shells complete, are quick
    )

    if name not in PROGRAMS:
        raise ProgramError(unknown_name("program", name, PROGRAMS))
    return parse_program(PROGRAMS[name][1], name)

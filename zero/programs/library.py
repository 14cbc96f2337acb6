"""Programs by name: starting points, baselines and oracles for tests, and discoveries of the gallery.

Written by hand, from the original engine (spec, section 3) and the paper (Fig. S1b; spec, section 9.6), or
found by runs (`discovered_...`; docs/gallery.py).
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

# Of vector labels (paper, section 4.3): v1 the label, one-hot, v2 the prediction, made probabilities before
# learn; both are zero behind the classes. Weights of those elements stay what they were.
_SOFTMAX_REGRESSION = """
def Setup():
  s2 = 0.01                 # learning rate
def Predict():
  v2 = dot(m0, v0)          # weights . features
  v2 = v2 + v3              # biases
def Learn():
  v4 = v1 - v2              # error
  v4 = s2 * v4
  v3 = v3 + v4
  m1 = outer(v4, v0)        # correction
  m0 = m0 + m1
"""

_NEURAL_NETWORK_OF_CLASSES = """
def Setup():
  m0 = gaussian(0, 0.1, (n_features, n_features))
  m2 = gaussian(0, 0.1, (n_features, n_features))
  s3 = 0.01                 # learning rate
def Predict():
  v3 = dot(m0, v0)
  v3 = v3 + v5
  v4 = maximum(v3, v9)      # ReLU: v9 is never written, so it is zero
  v2 = dot(m2, v4)
  v2 = v2 + v6
def Learn():
  v7 = v1 - v2              # error
  v7 = s3 * v7
  m1 = transpose(m2)
  v8 = dot(m1, v7)          # error of the hidden units
  v6 = v6 + v7              # last biases
  m1 = outer(v7, v4)
  m2 = m2 + m1              # last weights
  v7 = heaviside(v3, 1.0)   # derivative of ReLU
  v8 = v7 * v8
  v5 = v5 + v8              # first biases
  m1 = outer(v8, v0)
  m0 = m0 + m1              # first weights
"""

# Outcomes of runs, in the shortest form that makes the same errors bit for bit (`zero explain`).
_DISCOVERED_LINEAR = """
def Setup():
  s2 = 0.10834047097100385
def Predict():
  v1 = s2 * v1
  s1 = dot(v2, v0)
def Learn():
  s1 = s0 - s1
  v2 = v2 + v1
  v1 = s1 * v0
  s2 = 0.12780048866206672
"""

_DISCOVERED_DIGITS = """
def Setup():
  s2 = -0.3568012501751485
  s3 = 0.3301015999799575
def Predict():
  s1 = dot(v0, v3)
  s1 = s1 + s2
  s1 = s2 + s1
  s1 = s1 + s2
def Learn():
  s1 = s1 - s0
  s2 = s2 + s2
  s2 = s2 - s1
  v4 = s3 * v0
  s2 = s2 * s3
  v4 = s2 * v4
  s2 = s1 * s2
  v3 = v3 + v4
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
    "softmax_regression": (
        "softmax regression, for classes with vector labels",
        _SOFTMAX_REGRESSION,
    ),
    "neural_network_of_classes": (
        "the two-layer network, for classes with vector labels",
        _NEURAL_NETWORK_OF_CLASSES,
    ),
    "paper_best": (
        "the paper's best program for binary CIFAR-10, dead instructions removed: noise on the input, a "
        "bilinear form, steps by the normalised gradient, predictions by accumulated weights",
        _PAPER_BEST,
    ),
    "discovered_linear": (
        "gradient descent on linear tasks, found from random programs by linear_demo, seed 1",
        _DISCOVERED_LINEAR,
    ),
    "discovered_digits": (
        "a linear model for pairs of digits, found from empty programs by quickstart, seed 10",
        _DISCOVERED_DIGITS,
    ),
    **OPTIMIZERS,
    **LOSSES,
}

OF_CLASSES = ("softmax_regression", "neural_network_of_classes")  # those for vector labels


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

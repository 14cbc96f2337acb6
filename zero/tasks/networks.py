"""Small networks that a program helps to train: what tasks hold in which a program is a part of training.

In most tasks a program is a predictor. Here a network predicts, and the program is its optimiser or
its loss (`Part`); `zero.programs.interpreter.reference_networks` defines how it is trained and scored. A
network has one hidden layer of rectified linear units, or none: then its output is w.x, without a bias.
Its parameters lie in one vector: weights of the first layer (F, hidden) row by row, its biases
(hidden,), weights of the second (hidden,), its bias; without a hidden layer w (F,).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

Part = Literal["predictor", "optimizer", "loss"]


@dataclass(frozen=True, repr=False)
class Network:
    """The network of one task.

    hidden: units of the hidden layer, 0 for none. batch: examples of each step. train and valid: how many
    of the task's examples are used, the first ones; tasks of a set have equally many, needed or
    not. start (P,) float64: the parameters that training begins with.
    """

    hidden: int
    batch: int
    train: int
    valid: int
    start: np.ndarray


@dataclass(frozen=True, repr=False)
class NetworkTraining:
    """How the networks of a task set are trained; `TaskSet.epochs` says how many rounds.

    part: what the program is, "optimizer" or "loss". steps: of each round, after which the network
    is scored on the valid examples. rate: learning rate of gradient descent where the program is the loss.
    networks: one for each task.
    """

    part: Part
    steps: int
    rate: float
    networks: tuple[Network, ...]


def parameters(features: int, hidden: int) -> int:
    """Returns the number P of a network's parameters."""
    return hidden * (features + 2) + 1 if hidden else features


def start(rng: np.random.Generator, features: int, hidden: int) -> np.ndarray:
    """Returns parameters (P,) to begin with: He's normal weights, biases 0; without hidden units all 0.

    Source: He, Zhang, Ren, Sun (ICCV 2015), section 2.2.
    """
    if not hidden:
        return np.zeros(features)
    first = rng.standard_normal((features, hidden)) * np.sqrt(2.0 / features)
    second = rng.standard_normal(hidden) * np.sqrt(1.0 / hidden)
    return np.concatenate([first.ravel(), np.zeros(hidden), second, [0.0]])


def batches(examples: int, batch: int, steps: int, key: int) -> np.ndarray:
    """Returns the train examples of each step: (steps, batch) int32.

    They go through all examples again and again, each time in a new order; key: of the task.
    """
    rng = np.random.default_rng([key, examples, 1734520989])
    rounds = -(-steps * batch // examples)
    orders = [rng.permutation(examples) for _ in range(rounds)]
    return np.concatenate(orders)[: steps * batch].reshape(steps, batch).astype(np.int32)

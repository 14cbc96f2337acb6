"""Steps of gradient descent on a network's flat parameter vector, in place.

`OPTIMIZERS` lists the methods. Weight decay is added to the gradient (weight_decay * weight), after
clipping, as in DARTS' code; it leaves batch norm and biases alone (`Parameter.decays`). All
arithmetic is in the parameters' dtype, element by element, so the same inputs give the same bits.

Called by `zero.nn.train_settings`.
"""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from zero.nn.arrays import Arrays
from zero.nn.network import Network

# Values updated at a time: a block of each vector stays in the cache between the operations.
BLOCK = 1 << 15


class Optimizer:
    """Base of the methods: weight decay and the walk over blocks.

    A method sets `slots` (the name of each state vector and the value it starts at) and `numbers` (the
    settings that its `__init__` takes besides) and defines `update`. `state` holds the vectors by name,
    (n,) each; a checkpoint keeps them as they are.
    """

    slots: ClassVar[dict[str, float]] = {}
    numbers: ClassVar[tuple[str, ...]] = ()
    momentum: float  # a schedule may change it from step to step

    def __init__(
        self,
        network: Network,
        weight_decay: float,
        dtype: str = "float32",
        arrays: Arrays | None = None,
    ):
        self.weight_decay, arrays = weight_decay, arrays or Arrays()
        count = sum(p.size for p in network.parameters)
        self.state = {name: arrays.full(count, x, dtype) for name, x in self.slots.items()}
        self._decay = arrays.zeros(count, dtype)
        for p in network.parameters:
            if p.decays and arrays.real:
                self._decay[p.start : p.start + p.size] = weight_decay

    def step(self, parameters: np.ndarray, gradients: np.ndarray, learning_rate: float) -> None:
        """Changes the parameters (n,) by one step; the gradients (n,) are used up."""
        # Out of range in a network that diverges: the loss of the next step says so.
        with np.errstate(all="ignore"):
            for start in range(0, len(parameters), BLOCK):
                block = slice(start, start + BLOCK)
                p, g = parameters[block], gradients[block]
                if self.weight_decay:
                    g += self._decay[block] * p
                self.update(p, g, learning_rate, *(v[block] for v in self.state.values()))

    def update(
        self, p: np.ndarray, g: np.ndarray, learning_rate: float, *state: np.ndarray
    ) -> None:
        """Changes a block of the parameters and its state in place; g may be overwritten."""
        raise NotImplementedError


class SGD(Optimizer):
    """velocity = momentum * velocity + g; p -= learning_rate * velocity.

    With nesterov: p -= learning_rate * (g + momentum * velocity), as PyTorch writes it.
    """

    slots: ClassVar[dict[str, float]] = {"velocity": 0.0}
    numbers: ClassVar[tuple[str, ...]] = ("momentum", "nesterov")

    def __init__(
        self,
        network: Network,
        weight_decay: float,
        dtype: str = "float32",
        arrays: Arrays | None = None,
        *,
        momentum: float,
        nesterov: bool,
    ):
        super().__init__(network, weight_decay, dtype, arrays)
        self.momentum, self.nesterov = momentum, nesterov

    def update(  # noqa: D102
        self, p: np.ndarray, g: np.ndarray, learning_rate: float, *state: np.ndarray
    ) -> None:
        (velocity,) = state
        velocity *= self.momentum
        velocity += g
        if self.nesterov:
            g += self.momentum * velocity
            g *= learning_rate
            p -= g
        else:
            p -= learning_rate * velocity


class RMSProp(Optimizer):
    """TensorFlow's: epsilon inside the root, the mean square starts at 1.

    square = decay * square + (1 - decay) * g ** 2;
    velocity = momentum * velocity + learning_rate * g / sqrt(square + epsilon); p -= velocity.
    """

    slots: ClassVar[dict[str, float]] = {"square": 1.0, "velocity": 0.0}
    numbers: ClassVar[tuple[str, ...]] = ("momentum", "rmsprop_decay", "rmsprop_epsilon")

    def __init__(
        self,
        network: Network,
        weight_decay: float,
        dtype: str = "float32",
        arrays: Arrays | None = None,
        *,
        momentum: float,
        rmsprop_decay: float,
        rmsprop_epsilon: float,
    ):
        super().__init__(network, weight_decay, dtype, arrays)
        self.momentum, self.decay, self.epsilon = momentum, rmsprop_decay, rmsprop_epsilon

    def update(  # noqa: D102
        self, p: np.ndarray, g: np.ndarray, learning_rate: float, *state: np.ndarray
    ) -> None:
        square, velocity = state
        square *= self.decay
        square += (1 - self.decay) * g * g
        velocity *= self.momentum
        velocity += learning_rate * g / np.sqrt(square + self.epsilon)
        p -= velocity


OPTIMIZERS: dict[str, type[Optimizer]] = {"sgd": SGD, "rmsprop": RMSProp}


def clip_gradients(gradients: np.ndarray, limit: float) -> float:
    """Scales the gradients (n,) in place so that their Euclidean norm is at most `limit`.

    limit: 0 for none. Returns the norm before, computed in float64; NaN or infinity if a gradient
    is, and the gradients are then left as they are.
    """
    total = 0.0
    for start in range(0, len(gradients), BLOCK):
        block = gradients[start : start + BLOCK]
        total += float(np.square(block, dtype=np.float64).sum())
    norm = math.sqrt(total) if total >= 0 else math.nan
    if limit and limit < norm < math.inf:
        gradients *= gradients.dtype.type(limit / norm)
    return norm


class WeightAverage:
    """Exponential moving average of the parameters and of the running statistics.

    average = d * average + (1 - d) * value with d = min(decay, (1 + steps) / (10 + steps)), as
    TensorFlow's does, so that a short training is not an average over its beginning. Starts at the
    values given.
    """

    def __init__(
        self,
        parameters: np.ndarray,
        statistics: np.ndarray,
        decay: float,
        arrays: Arrays | None = None,
    ):
        arrays = arrays or Arrays()
        self.parameters, self.statistics = arrays.copy(parameters), arrays.copy(statistics)
        self.decay = decay

    def update(self, parameters: np.ndarray, statistics: np.ndarray, steps: int) -> None:
        """Takes in the values after a step; steps: how many were taken before it."""
        rest = 1 - min(self.decay, (1 + steps) / (10 + steps))
        for average, value in (
            (self.parameters, parameters), (self.statistics, statistics),
        ):  # fmt: skip
            for start in range(0, len(average), BLOCK):
                block = slice(start, start + BLOCK)
                average[block] += rest * (value[block] - average[block])

"""Shared weights: one set of values for every place and op, whatever network uses them.

Each array is known by the name of its layer in the supernet, its role and its shape, and is made when it is
first met. What it starts with depends on these and the seed alone, not on when that is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from zero.nn.network import Network
from zero.nn.optimizers import Optimizer
from zero.nn.weights import initial_values


class SharedWeights:
    """See the module's docstring.

    Args:
        seed: of the values before training.
        dtype: of all values.
        slots: the optimizer's state for each value, by name, and what it starts at.

    Attributes:
        values: (n,) all weights.
        state: (n,) each, what the optimizer keeps of them.
    """

    def __init__(self, seed: int, dtype: str, slots: dict[str, float]):
        self.seed, self.dtype, self.slots = seed, dtype, slots
        self._place: dict[tuple[str, tuple[int, ...]], int] = {}
        self.values = np.zeros(0, dtype)
        self.state = {name: np.zeros(0, dtype) for name in slots}

    def index(self, network: Network, names: Sequence[str]) -> np.ndarray:
        """Returns where each of a network's trainable values lies here, int64 (n,).

        names: of its layers in the supernet.
        """
        found, new, end = [], [], len(self.values)
        for p in network.parameters:
            name = f"{names[p.layer]}/{p.role}"
            start = self._place.get((name, p.shape))
            if start is None:
                start = self._place[name, p.shape] = end
                new.append(
                    np.broadcast_to(initial_values(replace(p, name=name), self.seed), p.size)
                )
                end += p.size
            found.append(np.arange(start, start + p.size))
        if new:
            self.values = np.concatenate([self.values, *new]).astype(self.dtype)
            for name, value in self.slots.items():
                more = np.full(end - len(self.state[name]), value, self.dtype)
                self.state[name] = np.concatenate([self.state[name], more])
        return np.concatenate([np.zeros(0, np.int64), *found])

    def descend(
        self, optimizer: Optimizer, index: np.ndarray, gradients: np.ndarray, rate: float
    ) -> None:
        """Takes a step of the optimizer on the values at `index`; all others stay as they are.

        So weight decay and momentum move no weight of an op that is not active, as in ProxylessNAS. The
        gradients (len(index),) are used up.
        """
        for name, values in self.state.items():
            optimizer.state[name][:] = values[index]
        mine = self.values[index]
        optimizer.step(mine, gradients, rate)
        self.values[index] = mine
        for name, values in self.state.items():
            values[index] = optimizer.state[name]

    def tree(self) -> dict[str, Any]:
        """Returns what `restore` needs; arrays are copies."""
        lines = [f"{name} {'x'.join(map(str, shape))}" for name, shape in self._place]
        return {
            "places": "\n".join(lines),
            "values": self.values.copy(),
            **{name: values.copy() for name, values in self.state.items()},
        }

    def restore(self, tree: dict[str, Any]) -> None:
        """Takes over what `tree` gave."""
        self._place, end = {}, 0
        for line in tree["places"].splitlines():
            name, _, sizes = line.rpartition(" ")
            shape = tuple(int(n) for n in sizes.split("x"))
            self._place[name, shape] = end
            end += math.prod(shape)
        self.values = tree["values"].copy()
        self.state = {name: tree[name].copy() for name in self.slots}

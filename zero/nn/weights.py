"""Initial weights, running statistics, and weights inherited from another network.

Parameters and statistics are flat vectors; `views` and `batch_norms` say what lies where.

Called by the backends and `zero.nn.train`.
"""

from __future__ import annotations

import numpy as np

from zero.nn.layers import LAYER_KINDS
from zero.nn.network import Network, Parameter
from zero.rng.philox import key_for


def views(network: Network, flat: np.ndarray) -> list[list[np.ndarray]]:
    """Returns each layer's parameters, in their shapes, as views of a flat vector (n,)."""
    found: list[list[np.ndarray]] = [[] for _ in network.layers]
    for p in network.parameters:
        found[p.layer].append(flat[p.start : p.start + p.size].reshape(p.shape))
    return found


def batch_norms(network: Network) -> list[tuple[int, int, int]]:
    """Returns (layer index, start, channels) of every layer with running statistics, in layer order.

    In the statistics vector its running mean is [start, start + channels), its running variance the
    `channels` values after that.
    """
    found, start = [], 0
    for index, layer in enumerate(network.layers):
        if LAYER_KINDS[layer.kind].statistics is not None:
            found.append((index, start, layer.shape[2]))
            start += 2 * layer.shape[2]
    return found


def initial_statistics(network: Network, dtype: str = "float32") -> np.ndarray:
    """Returns the running statistics before training (m,): means 0, variances 1."""
    parts = [np.zeros(0, dtype)]
    for _, _, channels in batch_norms(network):
        parts += [np.zeros(channels, dtype), np.ones(channels, dtype)]
    return np.concatenate(parts)


def initial_parameters(network: Network, seed: int, dtype: str = "float32") -> np.ndarray:
    """Returns the parameters before training (n,).

    How each is drawn stands in the layers' records (`Trainable.initial`). The values of a parameter
    depend on the seed, its name and its shape only, so that they are the same whatever else is in the
    network.
    """
    flat = np.zeros(sum(p.size for p in network.parameters), dtype)
    for p in network.parameters:
        flat[p.start : p.start + p.size] = initial_values(p, seed)
    return flat


def initial_values(p: Parameter, seed: int) -> float | np.ndarray:
    """Returns the values of a parameter, float64 and flat, or the one of all."""
    if isinstance(p.initial, float):
        return p.initial
    return p.initial(np.random.default_rng(key_for(seed, "weights", p.name)), p.shape).ravel()


def inherit(
    parent: Network,
    parent_parameters: np.ndarray,
    parent_statistics: np.ndarray,
    child: Network,
    child_parameters: np.ndarray,
    child_statistics: np.ndarray,
) -> int:
    """Copies to a child, in place, what has the same name and shape in its parent.

    Parameters one by one; a batch_norm's running statistics with it. Vectors are flat, as above.

    Returns:
        The number of parameters (values) copied.
    """
    known = {(p.name, p.shape): p for p in parent.parameters}
    copied = 0
    for p in child.parameters:
        old = known.get((p.name, p.shape))
        if old is not None:
            values = parent_parameters[old.start : old.start + old.size]
            child_parameters[p.start : p.start + p.size] = values
            copied += p.size
    starts = {
        (parent.layers[index].name, channels): start
        for index, start, channels in batch_norms(parent)
    }
    for index, start, channels in batch_norms(child):
        old_start = starts.get((child.layers[index].name, channels))
        if old_start is not None:
            values = parent_statistics[old_start : old_start + 2 * channels]
            child_statistics[start : start + 2 * channels] = values
    return copied

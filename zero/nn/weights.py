"""Initial weights, running statistics, and weights inherited from another network.

Parameters and statistics are flat vectors; `views` and `batch_norms` say what lies where.

Called by the backends and `zero.nn.train`.
"""

from __future__ import annotations

import math

import numpy as np

from zero.nn.network import Network, Parameter
from zero.rng.philox import key_for


def views(network: Network, flat: np.ndarray) -> list[list[np.ndarray]]:
    """Returns each layer's parameters, in their shapes, as views of a flat vector (n,)."""
    found: list[list[np.ndarray]] = [[] for _ in network.layers]
    for p in network.parameters:
        found[p.layer].append(flat[p.start : p.start + p.size].reshape(p.shape))
    return found


def batch_norms(network: Network) -> list[tuple[int, int, int]]:
    """Returns (layer index, start, channels) of every batch_norm, in layer order.

    In the statistics vector its running mean is [start, start + channels), its running variance the
    `channels` values after that.
    """
    found, start = [], 0
    for index, layer in enumerate(network.layers):
        if layer.kind == "batch_norm":
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

    Convolutions: normal, variance 2 / fan-in (He et al., 2015). Linear layers: uniform within
    1 / sqrt(fan-in). gamma 1; beta and bias 0. The values of a parameter depend on the seed, its
    name and its shape only, so that they are the same whatever else is in the network.
    """
    flat = np.zeros(sum(p.size for p in network.parameters), dtype)
    for p in network.parameters:
        flat[p.start : p.start + p.size] = _initial(network, p, seed).ravel()
    return flat


def _initial(network: Network, p: Parameter, seed: int) -> np.ndarray:
    if p.role != "weight":
        return np.full(p.shape, 1.0 if p.role == "gamma" else 0.0)
    rng = np.random.default_rng(key_for(seed, "weights", p.name))
    # (kh, kw, in, out), (in, out), but a depthwise filter (kh, kw, channels) reads one channel.
    depthwise = network.layers[p.layer].kind == "depthwise"
    fan_in = math.prod(p.shape[:2] if depthwise else p.shape[:-1])
    if network.layers[p.layer].kind.startswith("linear"):
        limit = 1 / math.sqrt(fan_in)
        return rng.uniform(-limit, limit, p.shape)
    return rng.normal(0.0, math.sqrt(2 / fan_in), p.shape)


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

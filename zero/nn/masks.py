"""The random factors of a training step: scheduled drop path and dropout.

A layer's factors depend on the seed, the step and the layer's name only, so layers that two networks
share are dropped alike. Called by `zero.nn.train`.
"""

from __future__ import annotations

import math
import zlib

import numpy as np

from zero.nn.layers import LAYER_KINDS
from zero.nn.layers.record import Layer, MaskOf
from zero.nn.network import Network
from zero.rng.philox import key_for, philox


def masked_layers(network: Network, what: MaskOf) -> list[tuple[int, Layer]]:
    """Returns the layers with such masks and their indices."""
    layers = enumerate(network.layers)
    return [(i, layer) for i, layer in layers if LAYER_KINDS[layer.kind].mask is what]


class Masks:
    """Draws the masks of a network's drop_path and dropout layers.

    Args:
        network: the network.
        drop_path: the drop probability that the schedule reaches after `steps` steps, in [0, 1).
        steps: number of steps of the whole training.
        seed: of the draws.
    """

    def __init__(self, network: Network, drop_path: float, steps: int, seed: int):
        self._final, self._steps, self._seed = drop_path, steps, seed
        self._paths = masked_layers(network, MaskOf.EXAMPLE)
        self._dropouts = masked_layers(network, MaskOf.VALUE)
        names = [zlib.crc32(layer.name.encode()) for _, layer in self._paths]
        self._names = np.array(names, dtype=np.uint64)[:, None]
        self._key = key_for(seed, "train", "drop_path")

    def draw(self, step: int, count: int) -> dict[int, np.ndarray]:
        """Returns the masks of a step (from 0) with `count` examples, by layer index.

        drop_path: float32 (count,), each 0 or 1 / keep; keep = 1 - drop_path * the layer's share *
        step / steps (NASNet's linear ramp). dropout: float32 (count, values), 0 or 1 / (1 - rate).
        """
        masks = {}
        if self._paths and self._final and step:
            words = philox(self._key, np.arange(count), step, self._names, 0)[0]
            for (index, layer), row in zip(self._paths, words, strict=True):
                keep = 1 - self._final * layer.rate * step / self._steps
                masks[index] = np.where(row < keep * 2.0**32, 1 / keep, 0).astype(np.float32)
        for index, layer in self._dropouts:
            rng = np.random.default_rng(key_for(self._seed, "train", "dropout", layer.name, step))
            kept = rng.random((count, math.prod(layer.shape)), dtype=np.float32) >= layer.rate
            masks[index] = kept * np.float32(1 / (1 - layer.rate))
        return masks

"""The `cpu` backend: networks trained by compiled kernels, float32, on all cores.

`plan` says what is executed, `kernels` how, `runner` with which threads. Results do not depend on the
number of threads; they agree with `zero.nn.reference` to rounding.
"""

from __future__ import annotations

import functools
import os
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from pathlib import Path

import numpy as np

from zero.jit import cache
from zero.nn.arrays import Arrays
from zero.nn.cpu.plan import CHUNKS, Plan
from zero.nn.cpu.simd import widest
from zero.nn.cpu.steps import (
    N_BETA,
    N_D_BETA,
    N_D_GAMMA,
    N_GAMMA,
    N_MEAN,
    N_SCALE,
    N_SHIFT,
    N_VARIANCE,
)
from zero.nn.loss import softmax_cross_entropy
from zero.nn.network import Network
from zero.nn.weights import batch_norms, initial_statistics


def _module() -> tuple[Path, str]:
    """Returns where the generated module is kept, and its text."""
    text = resources.files("zero.nn.cpu").joinpath("runner.py").read_text()
    text += f"\n# {widest()} values in a vector\n"
    return cache.path_of("cells", text), text


@functools.cache
def _runner():
    return cache.load(*_module())


class CpuModel:
    """A network with its parameters, and the memory to train it on batches of up to `batch` images.

    Attributes (float32, to be changed in place):
        parameters: (n,), all trainable arrays in the order of `network.parameters`.
        statistics: (m,), mean then variance of every batch normalisation, in layer order.
        gradients: (n,), of the last `train_step`.
        activation_bytes: bytes of its arrays that are values of layers or their gradients.
    """

    def __init__(
        self, network: Network, batch: int, threads: int = 1, arrays: Arrays | None = None
    ):
        self.network, self.batch = network, batch
        self.threads = max(1, min(threads, CHUNKS, os.cpu_count() or 1))
        arrays = arrays or Arrays()
        p = self._plan = Plan(network, batch, arrays)
        self.activation_bytes = p.activations
        self._run = _runner().run if arrays.real else None
        size = sum(x.size for x in network.parameters)
        self._extended = arrays.zeros(size + 1)  # the last one stays 0
        self.parameters = self._extended[:size]
        self.gradients = arrays.zeros(size)
        self._sources = arrays.zeros(p.sources)
        self.statistics = initial_statistics(network)
        self._means, self._variances, self._norm_at, decays = [], [], [], []
        for index, at, c in batch_norms(network):
            layer = network.layers[index]
            self._means.append(np.arange(at, at + c))
            self._variances.append(np.arange(at + c, at + 2 * c))
            self._norm_at.append(p.norm_places[index])
            pixels = layer.shape[0] * layer.shape[1]
            decays.append(np.full((2, c), [[layer.decay], [pixels]]))
        empty = [np.zeros(0, dtype=np.int64)]
        self._means, self._variances, self._norm_at = (
            np.concatenate(x or empty) for x in (self._means, self._variances, self._norm_at)
        )
        joined = np.concatenate(decays, axis=1) if decays else np.zeros((2, 0))
        self._decay, self._pixels = joined[0].astype(np.float32), joined[1]
        self._memory = [arrays.zeros(p.memory // 4 + 16) for _ in range(self.threads)]
        self._sync = np.zeros((max(len(p.forward), len(p.backward), 1), 8), dtype=np.int64)
        self._pool = ThreadPoolExecutor(self.threads - 1) if self.threads > 1 else None
        self._outputs = [p.refs[i] for i in p.outputs]

    def _execute(self, steps: np.ndarray, back: bool, train: bool, images: int) -> None:
        p = self._plan
        self._sync[:] = 0

        def work(thread: int) -> None:
            self._run(steps, back, train, images, CHUNKS, self._memory[thread].ctypes.data,
                      self.threads, self._sync, p.norms, p.sums, p.epsilon)  # fmt: skip

        if not self._run.signatures:  # compiled in this thread: in others no stop acts
            work_on_nothing = (steps[:0], back, train, 0, CHUNKS, self._memory[0].ctypes.data, 1)
            self._run(*work_on_nothing, self._sync, p.norms, p.sums, p.epsilon)
        others = [self._pool.submit(work, t) for t in range(1, self.threads)] if self._pool else []
        work(0)
        for other in others:
            other.result()

    def _load(self, images: np.ndarray) -> None:
        """Packs weights and copies images."""
        p = self._plan
        # mode: else NumPy copies the result once more.
        np.take(self._extended, p.pack_index, out=p.weights[: p.packed], mode="clip")
        p.norms[N_GAMMA] = self._extended[p.gamma_index]
        p.norms[N_BETA] = self._extended[p.beta_index]
        p.input.buffer.view()[: len(images), ..., : images.shape[3]] = images

    def _logits(self, number: int, images: int) -> np.ndarray:
        """Returns a copy of an output, bias added: (images, classes)."""
        p, ref = self._plan, self._outputs[number]
        logits = ref.quantity.buffer.view()[:images, 0, 0][:, list(ref.places)].copy()
        for layer, parameter in p.biases:
            if layer == p.outputs[number]:
                x = self.network.parameters[parameter]
                logits += self.parameters[x.start : x.start + x.size]
        return logits

    def train_step(
        self,
        images: np.ndarray,
        labels: np.ndarray,
        masks: dict[int, np.ndarray] | None = None,
        label_smoothing: float = 0.0,
        auxiliary_weight: float = 0.0,
        taught: np.ndarray | None = None,
        taught_weight: float = 0.0,
        mixed: np.ndarray | None = None,
    ) -> tuple[float, int]:
        """Returns (loss, number of images classified rightly); fills `gradients`.

        Updates the running statistics. See `zero.nn.reference.ReferenceModel.train_step`.
        """
        p, count = self._plan, len(images)
        self._load(images)
        self._set_masks(masks or {}, count)
        p.sums[:] = 0
        self._execute(p.forward, False, True, count)
        for array in p.zeroed:
            array[:count] = 0
        loss, correct, bias_gradients = 0.0, 0, {}
        for number, layer in enumerate(p.outputs):
            weight = 1.0 if number == 0 else auxiliary_weight
            logits = self._logits(number, count)
            shifted = logits - logits.max(1, keepdims=True)
            part, slope = softmax_cross_entropy(
                shifted.astype(np.float64), labels, label_smoothing, taught, taught_weight, mixed
            )
            loss += weight * part
            if number == 0:
                correct = int(np.count_nonzero(logits.argmax(1) == labels))
            slope = slope.astype(np.float32) * np.float32(weight)
            bias_gradients[layer] = slope.sum(0)
            ref = self._outputs[number]
            gradient = ref.quantity.gradient.view()[:count, 0, 0]
            gradient[:] = 0
            gradient[:, list(ref.places)] = slope
        p.weight_gradients[:] = 0
        self._execute(p.backward, True, True, count)
        source, norms = self._sources, p.gradients + p.norms.shape[1]
        np.sum(p.weight_gradients[:, : p.gradients], axis=0, out=source[: p.gradients])
        source[p.gradients : norms], source[norms : p.bias_start] = p.norms[[N_D_GAMMA, N_D_BETA]]
        if p.biases:
            biases = [bias_gradients[layer] for layer, _ in p.biases]
            source[p.bias_start : -1] = np.concatenate(biases)
        np.take(source, p.gradient_index, out=self.gradients, mode="clip")
        self._update_statistics(count)
        return float(loss), correct

    def _set_masks(self, masks: dict[int, np.ndarray], count: int) -> None:
        p = self._plan
        for row, layer in enumerate(p.factor_layers):
            p.factors[row, :count] = masks.get(layer, 1.0)
        for layer, step in p.mask_layers.items():
            if layer in masks:
                places = list(p.refs[layer].places)
                shape = (count, *self.network.layers[layer].shape)
                step.array[:count][..., places] = masks[layer].reshape(shape)
            else:
                step.array[:count] = 1

    def _update_statistics(self, count: int) -> None:
        norms, d = self._plan.norms, self._decay
        number = self._pixels * count
        unbiased = norms[N_VARIANCE, self._norm_at] * (number / np.maximum(number - 1, 1))
        for at, batch in ((self._means, norms[N_MEAN, self._norm_at]), (self._variances, unbiased)):
            self.statistics[at] = d * self.statistics[at] + (1 - d) * batch

    def batch_logits(self, images: np.ndarray) -> np.ndarray:
        """Returns logits (N, classes) float32 with the batch's own statistics, N at most `batch`."""
        self._load(images)
        self._set_masks({}, len(images))
        self._plan.sums[:] = 0
        self._execute(self._plan.forward, False, True, len(images))
        return self._logits(0, len(images))

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Returns logits (N, classes) float32 with running statistics, any N."""
        p = self._plan
        for row in range(len(p.factor_layers)):
            p.factors[row] = 1
        places, epsilon = self._norm_at, p.epsilon[self._norm_at]
        found = []
        for start in range(0, len(images), self.batch):
            part = images[start : start + self.batch]
            self._load(part)
            scale = p.norms[N_GAMMA, places] / np.sqrt(self.statistics[self._variances] + epsilon)
            p.norms[N_SCALE, places] = scale
            p.norms[N_SHIFT, places] = (
                p.norms[N_BETA, places] - self.statistics[self._means] * scale
            )
            self._execute(p.forward, False, False, len(part))
            found.append(self._logits(0, len(part)))
        classes = self.network.classes
        return np.concatenate(found) if found else np.zeros((0, classes), np.float32)

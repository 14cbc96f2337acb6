"""The reference backend: a network run layer by layer with the functions of the layers' records.

The definition that other backends are compared with: slow, plain NumPy, float64 or float32. The
functions stand in `zero.nn.layers`.

Called by `zero.nn.make_model` (backend "reference") and by tests.
"""

from __future__ import annotations

import math

import numpy as np

from zero.errors import NetworkError
from zero.nn.arrays import Arrays
from zero.nn.layers import LAYER_KINDS
from zero.nn.layers.record import Call
from zero.nn.loss import softmax_cross_entropy
from zero.nn.network import Network
from zero.nn.weights import batch_norms, initial_statistics, views


class ReferenceModel:
    """A network with its parameters, on NumPy.

    Attributes:
        network: the network.
        parameters: (n,) trainable values, zeros at first; written in place by the caller.
        gradients: (n,) of the last training step.
        statistics: (m,) running means and variances, see `weights.initial_statistics`.
        activations: bytes that a training step makes and drops again, about.
    """

    def __init__(
        self, network: Network, batch: int, dtype: str = "float64", arrays: Arrays | None = None
    ):
        self.network, self.batch, self.dtype = network, batch, np.dtype(dtype)
        size = sum(p.size for p in network.parameters)
        arrays = arrays or Arrays()
        self.parameters = arrays.zeros(size, self.dtype)
        self.gradients = arrays.zeros(size, self.dtype)
        self.statistics = initial_statistics(network, dtype)
        self._statistics: dict[int, list[np.ndarray]] = {}
        for layer, start, channels in batch_norms(network):
            both = self.statistics[start : start + 2 * channels]
            self._statistics[layer] = [both[:channels], both[channels:]]
        self.activation_bytes = batch * self.dtype.itemsize * _values_of_a_step(network)
        arrays.bytes += self.activation_bytes

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
        """Writes the gradients of a batch's loss and updates the running statistics.

        All layers run, the auxiliary head too. Changes no parameter.

        Args:
            images: (N, H, W, C), at most `batch` of them.
            labels: (N,) integers below the number of classes.
            masks: layer index -> factors, drop_path (N,), dropout (N, values of the layer);
                layers that are not in it change nothing.
            label_smoothing: see `softmax_cross_entropy`.
            auxiliary_weight: of the auxiliary head's loss in the sum.
            taught, taught_weight, mixed: see `softmax_cross_entropy`.

        Returns:
            The loss, and how many examples the main head got right (of equal logits the first
            counts as its answer).

        Raises:
            NetworkError: images or labels that do not fit.
        """
        check_batch(self.network, images, self.batch, labels)
        with np.errstate(all="ignore"):  # a diverging network's loss says so
            calls, values = self._forward(images, True, masks or {}, len(self.network.layers))
            heads = [(self.network.output, 1.0)]
            if self.network.auxiliary is not None:
                heads.append((self.network.auxiliary, auxiliary_weight))
            loss, to_values = 0.0, {}
            for head, weight in heads:
                part, gradient = softmax_cross_entropy(
                    values[head][:, 0, 0], labels, label_smoothing, taught, taught_weight, mixed
                )
                loss += weight * part
                to_values[head] = weight * gradient[:, None, None]
            self._backward(calls, to_values)
            for index, statistics in self._statistics.items():
                update = LAYER_KINDS[calls[index].layer.kind].statistics
                new = update(calls[index]) if update else statistics
                for old, value in zip(statistics, new, strict=True):
                    old[:] = value
        right = values[self.network.output][:, 0, 0].argmax(1) == labels
        return loss, int(right.sum())

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Returns the main head's logits (N, classes), with running statistics and no masks.

        Raises:
            NetworkError: images that do not fit.
        """
        check_batch(self.network, images)
        logits = np.zeros((len(images), self.network.classes), self.dtype)
        last = self.network.output + 1
        with np.errstate(all="ignore"):
            for start in range(0, len(images), self.batch):
                part = slice(start, start + self.batch)
                _, values = self._forward(images[part], False, {}, last)
                logits[part] = values[-1][:, 0, 0]
        return logits

    def batch_logits(self, images: np.ndarray) -> np.ndarray:
        """Returns the main head's logits (N, classes) with the batch's own statistics and no masks.

        For weights whose running statistics mean nothing: shared ones. Changes nothing.
        """
        check_batch(self.network, images, self.batch)
        with np.errstate(all="ignore"):
            _, values = self._forward(images, True, {}, self.network.output + 1)
        return values[-1][:, 0, 0]

    def differentiate(
        self, images: np.ndarray, slopes: np.ndarray, training: bool = True
    ) -> np.ndarray:
        """Writes the gradients of a sum of logits, as for `train_step`; returns that of the images.

        Changes nothing else. There are no masks.

        Args:
            images: (N, H, W, C).
            slopes: (N, classes), what each logit counts in the sum.
            training: whether batch_norm uses the batch's statistics; gradients are right only then, or
                without batch_norm.

        Returns:
            (N, H, W, C), zeros where the logits do not depend on the images.
        """
        check_batch(self.network, images, self.batch)
        with np.errstate(all="ignore"):
            calls, _ = self._forward(images, training, {}, self.network.output + 1)
            to_values = {self.network.output: np.asarray(slopes, self.dtype)[:, None, None]}
            self._backward(calls, to_values)
        return to_values.get(0, np.zeros(images.shape, self.dtype))

    def activations(
        self,
        images: np.ndarray,
        training: bool = False,
        masks: dict[int, np.ndarray] | None = None,
    ) -> list[np.ndarray]:
        """Returns every layer's output (N, H, W, C); changes nothing.

        training: batch_norm uses the batch's statistics.
        """
        check_batch(self.network, images)
        return self._forward(images, training, masks or {}, len(self.network.layers))[1]

    def _forward(
        self, images: np.ndarray, training: bool, masks: dict[int, np.ndarray], count: int
    ) -> tuple[list[Call], list[np.ndarray]]:
        """Runs the first `count` layers; returns what each was given and what it made."""
        parameters = views(self.network, self.parameters)
        calls: list[Call] = []
        values: list[np.ndarray] = []
        for index, layer in enumerate(self.network.layers[:count]):
            inputs = [values[i] for i in layer.inputs] or [np.asarray(images, self.dtype)]
            statistics = self._statistics.get(index, [])
            call = Call(layer, inputs, parameters[index], statistics, training, masks.get(index))
            calls.append(call)
            values.append(LAYER_KINDS[layer.kind].forward(call))
        return calls, values

    def _backward(self, calls: list[Call], to_values: dict[int, np.ndarray]) -> None:
        """Writes `gradients`, given those of the heads; a layer sums those of its readers."""
        self.gradients[:] = 0
        gradients = views(self.network, self.gradients)
        for index in reversed(range(1, len(calls))):
            if index not in to_values:
                continue  # nothing that counts reads this layer
            call = calls[index]
            backward = LAYER_KINDS[call.layer.kind].backward
            to_inputs, to_parameters = backward(call, to_values.pop(index))
            for place, value in zip(gradients[index], to_parameters, strict=True):
                place[:] = value
            for source, value in zip(call.layer.inputs, to_inputs, strict=True):
                to_values[source] = to_values[source] + value if source in to_values else value


def _values_of_a_step(network: Network) -> int:
    """Returns about how many values of one image a training step holds at its worst.

    All layers' outputs; and, walking back, the gradients that wait, and a layer's own temporaries.
    """
    sizes = [math.prod(layer.shape) for layer in network.layers]
    waiting = {network.output: sizes[network.output]}
    if network.auxiliary is not None:
        waiting[network.auxiliary] = sizes[network.auxiliary]
    most = 0
    for index in reversed(range(1, len(sizes))):
        layer = network.layers[index]
        read = sum(sizes[i] for i in layer.inputs)
        temporaries = LAYER_KINDS[layer.kind].temporaries(layer, read, sizes[index])
        most = max(most, sum(waiting.values()) + temporaries)
        if waiting.pop(index, None) is not None:
            waiting |= {i: sizes[i] for i in layer.inputs}
    layers = zip(sizes, network.layers, strict=True)
    return most + sum(size for size, layer in layers if not LAYER_KINDS[layer.kind].view)


def check_batch(
    network: Network,
    images: np.ndarray,
    batch: int | None = None,
    labels: np.ndarray | None = None,
) -> None:
    """Checks that a batch fits a network and, if given, the model's largest batch.

    Raises:
        NetworkError: it does not.
    """
    wanted = network.layers[0].shape
    if images.ndim != 4 or images.shape[1:] != wanted:
        raise NetworkError(
            f"images of shape {tuple(images.shape)} given to a network for (N, height, width, "
            f"channels) = (N, {', '.join(map(str, wanted))})"
        )
    if batch is not None and not 0 < len(images) <= batch:
        raise NetworkError(
            f"{len(images)} images given to a model made for batches of 1 to {batch}"
        )
    if labels is None:
        return
    if labels.shape != (len(images),):
        raise NetworkError(f"{len(images)} images need as many labels; got {tuple(labels.shape)}")
    if labels.min() < 0 or labels.max() >= network.classes:
        raise NetworkError(
            f"labels from {labels.min()} to {labels.max()} given to a network of "
            f"{network.classes} classes; allowed: 0 to {network.classes - 1}"
        )

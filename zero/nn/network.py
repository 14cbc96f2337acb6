"""Networks as lists of layers: what every backend runs, every export writes, every count is of.

A `Network` is a tuple of layers in order of execution; a layer names the layers it reads by their
index. Shapes are (height, width, channels) of one example; batches are channels-last, (N, H, W, C).
`Builder` makes networks and infers shapes. What a kind of layer is and computes stands in its record in
`zero.nn.layers`.

Called by `zero.cells` (genome to network), the backends and the exports.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from zero.errors import NetworkError
from zero.nn.layers import LAYER_KINDS, kind_of
from zero.nn.layers.record import Layer, Normal, Pad, Shape, Uniform
from zero.nn.layers.windows import pads_of

Kernel = int | tuple[int, int]
Padding = str | Pad


@dataclass(frozen=True)
class Parameter:
    """A trainable array: its name ("LAYER/weight"), shape, layer, and place in the flat vector.

    decays, initial: see `zero.nn.layers.record.Trainable`.
    """

    name: str
    shape: tuple[int, ...]
    layer: int
    start: int
    decays: bool
    initial: float | Normal | Uniform

    @property
    def size(self) -> int:
        """Number of values."""
        return math.prod(self.shape)

    @property
    def role(self) -> str:
        """The last part of the name: weight, bias, gamma or beta."""
        return self.name.rpartition("/")[2]


@dataclass(frozen=True)
class Network:
    """Layers in order of execution; layer 0 is the input.

    output: index of the logits, shape (1, 1, classes). auxiliary: index of the auxiliary head's
    logits, used in training only, or None. The auxiliary head's layers come last.
    """

    layers: tuple[Layer, ...]
    output: int
    auxiliary: int | None = None

    def input_shapes(self, index: int) -> list[Shape]:
        """Returns the shapes that a layer reads."""
        return [self.layers[i].shape for i in self.layers[index].inputs]

    @property
    def classes(self) -> int:
        """Number of classes."""
        return self.layers[self.output].shape[2]

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """Every trainable array, in layer order, with its place in the flat vector."""
        found: list[Parameter] = []
        start = 0
        for index, layer in enumerate(self.layers):
            for x in LAYER_KINDS[layer.kind].parameters(layer, self.input_shapes(index)):
                name = f"{layer.name}/{x.role}"
                found.append(Parameter(name, x.shape, index, start, x.decays, x.initial))
                start += found[-1].size
        return tuple(found)

    @cached_property
    def without_auxiliary(self) -> Network:
        """The same network without the auxiliary head."""
        if self.auxiliary is None:
            return self
        return Network(self.layers[: self.output + 1], self.output)

    @property
    def num_parameters(self) -> int:
        """Number of trainable values without the auxiliary head, as the papers count."""
        return sum(p.size for p in self.without_auxiliary.parameters)

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds of one example's forward pass, without the auxiliary head."""
        plain = self.without_auxiliary
        return sum(
            LAYER_KINDS[layer.kind].multiply_adds(layer, plain.input_shapes(index))
            for index, layer in enumerate(plain.layers)
        )

    def activation_bytes(self, batch: int) -> int:
        """Returns an estimate of a training step's activation memory in float32.

        Counts the output of each layer whose record says so. Half as much again for gradients, which
        share memory: over 22 cell networks all buffers took 1.2 to 1.5 times the outputs, over 15 mobile
        ones 1.3 to 1.7 times.
        """
        readers: list[list[Layer]] = [[] for _ in self.layers]
        for layer in self.layers:
            for i in layer.inputs:
                readers[i].append(layer)
        counted = []
        for layer, read_by in zip(self.layers, readers, strict=True):
            rule = LAYER_KINDS[layer.kind].in_memory
            if rule(read_by) if callable(rule) else rule:
                counted.append(layer)
        return 6 * batch * sum(math.prod(layer.shape) for layer in counted)


class Builder:
    """Makes a network layer by layer; methods take and return layers' indices.

    Raises (from every method that pads or strides): NetworkError where nothing would be left of the
    image.
    """

    def __init__(self, shape: Shape, epsilon: float = 1e-5, decay: float = 0.9):
        self.layers = [Layer("input", "input", (), shape)]
        self.epsilon, self.decay = epsilon, decay
        self._scopes: list[str] = []
        self._names: set[str] = {"input"}

    @contextmanager
    def scope(self, name: str) -> Iterator[None]:
        """Puts `name/` before the names of the layers made within."""
        self._scopes.append(name)
        try:
            yield
        finally:
            self._scopes.pop()

    def shape(self, x: int) -> Shape:
        """Returns a layer's output shape."""
        return self.layers[x].shape

    def add_layer(self, kind: str, *inputs: int, shape: Shape = (0, 0, 0), **settings: Any) -> int:
        """Adds a layer of any kind.

        Args:
            kind: a name in `LAYER_KINDS`.
            inputs: the layers that it reads.
            shape: what does not follow from these, such as (0, 0, channels) of a convolution.
            settings: other fields of `Layer`.

        Raises:
            NetworkError: there is no such kind, its inputs do not fit, or nothing is left of the image.
        """
        rule = kind_of(kind).shape
        stem = "/".join([*self._scopes, kind])
        name, count = stem, 1
        while name in self._names:
            count += 1
            name = f"{stem}{count}"
        given = Layer(kind, name, inputs, shape, **settings)
        shape = rule(given, [self.layers[x].shape for x in inputs])
        if min(shape) < 1:
            raise NetworkError(
                f"{name}: nothing is left of the image (output {shape[0]} x {shape[1]} pixels, "
                f"{shape[2]} channels); use larger images, or a skeleton with fewer reductions"
            )
        self._names.add(name)
        height, width, channels = map(operator.index, shape)  # half a channel is found here
        self.layers.append(Layer(kind, name, inputs, (height, width, channels), **settings))
        return len(self.layers) - 1

    def _window(
        self,
        kind: str,
        x: int,
        channels: int,
        kernel: Kernel,
        stride: int,
        dilation: int,
        pad: Padding,
    ) -> int:
        rows, columns = (kernel, kernel) if isinstance(kernel, int) else kernel
        kernel = (rows, columns)
        pads = pads_of(self.shape(x)[:2], kernel, stride, dilation, pad)
        return self.add_layer(kind, x, shape=(0, 0, channels), kernel=kernel, stride=stride,
                              dilation=dilation, pad=pads)  # fmt: skip

    def conv(
        self,
        x: int,
        channels: int,
        kernel: Kernel = 1,
        stride: int = 1,
        dilation: int = 1,
        pad: Padding = "same",
    ) -> int:
        """Convolution; pad: "same", "symmetric", "valid" or (top, bottom, left, right)."""
        return self._window("conv", x, channels, kernel, stride, dilation, pad)

    def depthwise(
        self, x: int, kernel: Kernel, stride: int = 1, dilation: int = 1, pad: Padding = "same"
    ) -> int:
        """Depthwise convolution, one filter a channel."""
        return self._window("depthwise", x, 0, kernel, stride, dilation, pad)

    def pool(
        self, kind: str, x: int, kernel: Kernel, stride: int = 1, pad: Padding = "same"
    ) -> int:
        """Pooling; kind: "max", "min" or "avg"."""
        return self._window(f"{kind}_pool", x, 0, kernel, stride, 1, pad)

    def batch_norm(self, x: int) -> int:
        """Batch normalisation with the builder's epsilon and decay."""
        return self.add_layer("batch_norm", x, epsilon=self.epsilon, decay=self.decay)

    def relu(self, x: int) -> int:
        """Rectifier."""
        return self.add_layer("relu", x)

    def add(self, *xs: int) -> int:
        """Sum of layers of equal shapes; of one layer: that layer."""
        return xs[0] if len(xs) == 1 else self.add_layer("add", *xs)

    def concat(self, *xs: int) -> int:
        """Channels of layers of equal height and width, one after the other; of one: that layer."""
        return xs[0] if len(xs) == 1 else self.add_layer("concat", *xs)

    def first_channels(self, x: int, channels: int) -> int:
        """The first channels of a layer; all of them: that layer."""
        if channels == self.shape(x)[2]:
            return x
        return self.add_layer("slice", x, shape=(0, 0, channels))

    def zero(self, x: int, shape: Shape) -> int:
        """Zeros of a shape."""
        return self.add_layer("zero", x, shape=shape)

    def drop_path(self, x: int, share: float) -> int:
        """Scheduled drop path; share: see `Layer.rate`."""
        return self.add_layer("drop_path", x, rate=share)

    def dropout(self, x: int, rate: float) -> int:
        """Dropout; a rate of 0: that layer."""
        return self.add_layer("dropout", x, rate=rate) if rate else x

    def global_pool(self, x: int) -> int:
        """Mean over pixels."""
        return self.add_layer("global_pool", x)

    def squeeze_excite(
        self, x: int, channels: int, activation: str = "relu", gate: str = "sigmoid"
    ) -> int:
        """Squeeze-excite: each channel times a factor that the image's mean channels say.

        Mean over pixels, linear layer to `channels`, activation, linear layer back, gate; both with a
        bias. Hu et al. 2018 (Squeeze-and-Excitation Networks, section 3); activation, gate: kinds of
        layers.
        """
        y = self.add_layer(activation, self.linear(self.global_pool(x), channels))
        factors = self.add_layer(gate, self.linear(y, self.shape(x)[2]))
        return self.add_layer("scale_channels", x, factors)

    def linear(self, x: int, outputs: int, bias: bool = True) -> int:
        """Linear layer on all values of its input."""
        return self.add_layer("linear" if bias else "linear_no_bias", x, shape=(0, 0, outputs))

    def network(self, output: int, auxiliary: int | None = None) -> Network:
        """Returns the network; the auxiliary head's layers must come after `output`."""
        return Network(tuple(self.layers), output, auxiliary)

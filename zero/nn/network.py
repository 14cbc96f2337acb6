"""Networks as lists of layers: what every backend runs, every export writes, every count is of.

A `Network` is a tuple of layers in order of execution; a layer names the layers it reads by their
index. Shapes are (height, width, channels) of one example; batches are channels-last, (N, H, W, C).
`Builder` makes networks and infers shapes. What a kind of layer computes is defined by
`zero.nn.reference`; `KINDS` here lists them with their parameters and multiply-adds.

Called by `zero.cells` (genome to network), the backends and the exports.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

from zero.errors import NetworkError

Shape = tuple[int, int, int]
Pad = tuple[int, int, int, int]


@dataclass(frozen=True)
class Layer:
    """One layer; fields that its kind does not use keep their defaults.

    kind: a name in `KINDS`. name: unique in the network, the same for the same place in the same
    cell whatever stands beside it (weights are kept and inherited by it). inputs: indices of earlier
    layers. shape: of the output. kernel: (height, width). pad: rows and columns of zeros at top,
    bottom, left and right; negative: that many are cut off instead. rate: dropout's share of zeroed
    values; for drop_path the share of the schedule's drop probability that this layer takes, in
    (0, 1]. epsilon, decay: batch_norm's; running = decay * running + (1 - decay) * batch.
    """

    kind: str
    name: str
    inputs: tuple[int, ...]
    shape: Shape
    kernel: tuple[int, int] = (1, 1)
    stride: int = 1
    dilation: int = 1
    pad: Pad = (0, 0, 0, 0)
    rate: float = 0.0
    epsilon: float = 1e-5
    decay: float = 0.9


@dataclass(frozen=True)
class Parameter:
    """A trainable array: its name ("LAYER/weight"), shape, layer, and place in the flat vector.

    decays: whether weight decay applies (to weights, not to batch norm and biases).
    """

    name: str
    shape: tuple[int, ...]
    layer: int
    start: int
    decays: bool

    @property
    def size(self) -> int:
        """Number of values."""
        return math.prod(self.shape)

    @property
    def role(self) -> str:
        """The last part of the name: weight, bias, gamma or beta."""
        return self.name.rpartition("/")[2]


@dataclass(frozen=True)
class Kind:
    """A kind of layer.

    parameters: (layer, input shapes) -> (role, shape) of each parameter; multiply_adds: (layer,
    input shapes) -> multiply-adds for one example (of convolutions and linear layers; everything
    else counts nothing, as in the papers' tables).
    """

    description: str
    parameters: Callable[[Layer, list[Shape]], list[tuple[str, tuple[int, ...]]]]
    multiply_adds: Callable[[Layer, list[Shape]], int]


def _none(layer: Layer, inputs: list[Shape]) -> list:
    return []


def _nothing(layer: Layer, inputs: list[Shape]) -> int:
    return 0


def _pixels(layer: Layer) -> int:
    return layer.shape[0] * layer.shape[1]


KINDS: dict[str, Kind] = {
    "input": Kind("the images", _none, _nothing),
    "relu": Kind("max(x, 0)", _none, _nothing),
    "conv": Kind(
        "convolution without bias; weight (kh, kw, in, out)",
        lambda y, x: [("weight", (*y.kernel, x[0][2], y.shape[2]))],
        lambda y, x: _pixels(y) * math.prod(y.kernel) * x[0][2] * y.shape[2],
    ),
    "depthwise": Kind(
        "convolution of each channel by itself, without bias; weight (kh, kw, channels)",
        lambda y, x: [("weight", (*y.kernel, y.shape[2]))],
        lambda y, x: _pixels(y) * math.prod(y.kernel) * y.shape[2],
    ),
    "batch_norm": Kind(
        "batch normalisation per channel; gamma, beta (c,); running mean and variance beside them",
        lambda y, x: [("gamma", (y.shape[2],)), ("beta", (y.shape[2],))],
        _nothing,
    ),
    "max_pool": Kind("largest value of a window; padding never wins", _none, _nothing),
    "min_pool": Kind("smallest value of a window; padding never wins", _none, _nothing),
    "avg_pool": Kind("mean of a window's values; padding does not count", _none, _nothing),
    "add": Kind("sum of its inputs", _none, _nothing),
    "concat": Kind("its inputs' channels one after the other", _none, _nothing),
    "slice": Kind("the first channels of its input", _none, _nothing),
    "zero": Kind("zeros, whatever the input", _none, _nothing),
    "drop_path": Kind("the whole example times 0 or 1/keep, in training only", _none, _nothing),
    "dropout": Kind("each value times 0 or 1/keep, in training only", _none, _nothing),
    "global_pool": Kind("mean over all pixels, shape (1, 1, c)", _none, _nothing),
    "linear": Kind(
        "x @ weight + bias; weight (in, out), bias (out,)",
        lambda y, x: [("weight", (math.prod(x[0]), y.shape[2])), ("bias", (y.shape[2],))],
        lambda y, x: math.prod(x[0]) * y.shape[2],
    ),
    "linear_no_bias": Kind(
        "x @ weight; weight (in, out)",
        lambda y, x: [("weight", (math.prod(x[0]), y.shape[2]))],
        lambda y, x: math.prod(x[0]) * y.shape[2],
    ),
}


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
        found, start = [], 0
        for index, layer in enumerate(self.layers):
            for role, shape in KINDS[layer.kind].parameters(layer, self.input_shapes(index)):
                name = f"{layer.name}/{role}"
                found.append(Parameter(name, shape, index, start, role == "weight"))
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
            KINDS[layer.kind].multiply_adds(layer, plain.input_shapes(index))
            for index, layer in enumerate(plain.layers)
        )

    def activation_bytes(self, batch: int) -> int:
        """Returns an estimate of a training step's activation memory in float32.

        Counts the output of each layer, but not of those that the cpu backend computes on the fly
        or writes elsewhere: relu, batch_norm, depthwise, drop_path, dropout, slice, concat. Half as much
        again for gradients, which share memory: over 22 cell networks all buffers took 1.2 to 1.5
        times the outputs.
        """
        fused = {"relu", "batch_norm", "depthwise", "drop_path", "dropout", "slice", "concat"}
        kept = (layer for layer in self.layers if layer.kind not in fused)
        return 6 * batch * sum(math.prod(layer.shape) for layer in kept)


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

    def _add(self, kind: str, inputs: tuple[int, ...], shape: Shape, **settings) -> int:
        stem = "/".join([*self._scopes, kind])
        name, count = stem, 1
        while name in self._names:
            count += 1
            name = f"{stem}{count}"
        if min(shape) < 1:
            raise NetworkError(
                f"{name}: nothing is left of the image (output {shape[0]} x {shape[1]} pixels, "
                f"{shape[2]} channels); use larger images, or a skeleton with fewer reductions"
            )
        self._names.add(name)
        shape = tuple(
            operator.index(size) for size in shape
        )  # half a channel is found where it is made
        self.layers.append(Layer(kind, name, inputs, shape, **settings))
        return len(self.layers) - 1

    def _window(self, x: int, kernel, stride: int, dilation: int, pad) -> tuple[tuple, Pad, tuple]:
        """Returns kernel, pads and output size of a sliding window."""
        kernel = (kernel, kernel) if isinstance(kernel, int) else tuple(kernel)
        pads: list[int] = []
        sizes = []
        for axis in range(2):
            size, reach = self.shape(x)[axis], dilation * (kernel[axis] - 1)
            if pad == "same":  # TensorFlow's: as many outputs as size / stride, rounded up
                total = max((-(-size // stride) - 1) * stride + reach + 1 - size, 0)
                before, after = total // 2, total - total // 2
            elif pad == "symmetric":  # PyTorch's padding = dilation * (kernel - 1) / 2
                before = after = reach // 2
            elif pad == "valid":
                before = after = 0
            else:
                before, after = pad[2 * axis : 2 * axis + 2]
            pads += [before, after]
            room = size + before + after - reach - 1
            sizes.append(room // stride + 1 if room >= 0 else 0)
        return kernel, tuple(pads), tuple(sizes)

    def conv(self, x: int, channels: int, kernel=1, stride=1, dilation=1, pad="same") -> int:
        """Convolution; pad: "same", "symmetric", "valid" or (top, bottom, left, right)."""
        kernel, pads, size = self._window(x, kernel, stride, dilation, pad)
        return self._add("conv", (x,), (*size, channels), kernel=kernel, stride=stride,
                         dilation=dilation, pad=pads)  # fmt: skip

    def depthwise(self, x: int, kernel, stride=1, dilation=1, pad="same") -> int:
        """Depthwise convolution, one filter a channel."""
        kernel, pads, size = self._window(x, kernel, stride, dilation, pad)
        return self._add("depthwise", (x,), (*size, self.shape(x)[2]), kernel=kernel,
                         stride=stride, dilation=dilation, pad=pads)  # fmt: skip

    def pool(self, kind: str, x: int, kernel, stride=1, pad="same") -> int:
        """Pooling; kind: "max", "min" or "avg"."""
        kernel, pads, size = self._window(x, kernel, stride, 1, pad)
        return self._add(f"{kind}_pool", (x,), (*size, self.shape(x)[2]), kernel=kernel,
                         stride=stride, pad=pads)  # fmt: skip

    def batch_norm(self, x: int) -> int:
        """Batch normalisation with the builder's epsilon and decay."""
        return self._add("batch_norm", (x,), self.shape(x), epsilon=self.epsilon, decay=self.decay)

    def relu(self, x: int) -> int:
        """Rectifier."""
        return self._add("relu", (x,), self.shape(x))

    def add(self, *xs: int) -> int:
        """Sum of layers of equal shapes; of one layer: that layer."""
        if len(xs) == 1:
            return xs[0]
        shapes = {self.shape(x) for x in xs}
        if len(shapes) > 1:
            raise NetworkError(f"cannot add layers of different shapes {sorted(shapes)}")
        return self._add("add", tuple(xs), self.shape(xs[0]))

    def concat(self, *xs: int) -> int:
        """Channels of layers of equal height and width, one after the other; of one: that layer."""
        if len(xs) == 1:
            return xs[0]
        sizes = {self.shape(x)[:2] for x in xs}
        if len(sizes) > 1:
            raise NetworkError(f"cannot concatenate layers of different sizes {sorted(sizes)}")
        return self._add("concat", tuple(xs), (*sizes.pop(), sum(self.shape(x)[2] for x in xs)))

    def first_channels(self, x: int, channels: int) -> int:
        """The first channels of a layer; all of them: that layer."""
        if channels == self.shape(x)[2]:
            return x
        return self._add("slice", (x,), (*self.shape(x)[:2], channels))

    def zero(self, x: int, shape: Shape) -> int:
        """Zeros of a shape."""
        return self._add("zero", (x,), shape)

    def drop_path(self, x: int, share: float) -> int:
        """Scheduled drop path; share: see `Layer.rate`."""
        return self._add("drop_path", (x,), self.shape(x), rate=share)

    def dropout(self, x: int, rate: float) -> int:
        """Dropout; a rate of 0: that layer."""
        return self._add("dropout", (x,), self.shape(x), rate=rate) if rate else x

    def global_pool(self, x: int) -> int:
        """Mean over pixels."""
        return self._add("global_pool", (x,), (1, 1, self.shape(x)[2]))

    def linear(self, x: int, outputs: int, bias: bool = True) -> int:
        """Linear layer on all values of its input."""
        return self._add("linear" if bias else "linear_no_bias", (x,), (1, 1, outputs))

    def network(self, output: int, auxiliary: int | None = None) -> Network:
        """Returns the network; the auxiliary head's layers must come after `output`."""
        return Network(tuple(self.layers), output, auxiliary)

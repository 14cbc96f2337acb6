"""From layers to steps: what is fused with what.

A ReLU, a batch normalisation or drop path is no step: the reader applies it when it loads its
input. A depthwise convolution and the 1x1 convolution after it are one step. Members of a
concatenation are written where the concatenation lies. Weights and their gradients are packed for
the kernels, through index arrays, so that the padding of channels concerns nobody else.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from zero.errors import NetworkError
from zero.nn.arrays import Arrays
from zero.nn.cpu import steps as k
from zero.nn.layers import LAYER_KINDS
from zero.nn.layers.record import CpuRole, Layer
from zero.nn.network import Network

PAD = 8  # channels come in multiples of this


def padded(channels: int) -> int:
    """Returns the number of channels in memory."""
    return -(-channels // PAD) * PAD


def _whole(size: int) -> int:
    """Returns that many values in whole cache lines."""
    return -(-size // 16) * 16


@dataclass(eq=False)
class Buffer:
    """Values of a batch, or a range of another buffer's channels."""

    height: int
    width: int
    channels: int  # padded
    parent: Buffer | None = None
    offset: int = 0  # channels
    # Of gradients: the ranges of channels written so far, and whether it must start as zeros.
    written: list[tuple[int, int]] = field(default_factory=list)
    zeroed: bool = False
    first: int = -1  # steps of the backward run between which it is needed
    last: int = -1
    array: np.ndarray | None = None

    def root(self) -> tuple[Buffer, int]:
        """Returns the buffer that owns the memory, and where this one's channels start in it."""
        buffer, offset = self, 0
        while buffer.parent is not None:
            offset += buffer.offset
            buffer = buffer.parent
        return buffer, offset

    def place(self) -> tuple[int, int, int]:
        """Returns (address, bytes from image to image, bytes from pixel to pixel)."""
        root, offset = self.root()
        pixel = 4 * root.channels
        address = root.array.ctypes.data + 4 * offset
        return address, root.height * root.width * pixel, pixel

    def view(self) -> np.ndarray:
        """Returns the values, (N, H, W, channels)."""
        root, offset = self.root()
        return root.array[..., offset : offset + self.channels]


@dataclass(eq=False)
class Quantity:
    """Something that has a gradient: a buffer's values, or their batch normalisation."""

    buffer: Buffer
    norm: int = -1  # first channel in `Plan.norms`, -1: the values themselves
    epsilon: float = 0.0
    readers: int = 0
    norms: list[Quantity] = field(default_factory=list)  # batch normalisations of these values
    gradient: Buffer | None = None
    factor: int = -1  # row of `Plan.factors` that the gradient is to be multiplied with


@dataclass(frozen=True)
class Ref:
    """What a layer's output is to its readers: how to load it.

    places: where each channel lies in memory.
    """

    quantity: Quantity
    places: tuple[int, ...]
    relu: int = k.NO_RELU
    factor: int = -1


@dataclass(frozen=True)
class Packing:
    """How a parameter lies among the packed weights and gradients.

    inputs, outputs: where its channels lie among size_in and size_out padded ones; of a depthwise
    filter, outputs is None and size_out 1. at: place of the weights, back: of those for the gradient of
    the inputs, transposed (depthwise: taps reversed); gradient: of its own gradient.
    """

    number: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...] | None
    size_in: int
    size_out: int
    taps: int
    at: int
    back: int
    gradient: int

    @property
    def used(self) -> int:
        """Padded input channels whose weights are read forward."""
        return self.size_in if self.outputs is None else max(self.inputs) + 1

    def indices(self, start: int, nothing: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns what stands at `at` and `back`, and the places of the parameter's own gradients.

        The first two are indices of parameters, of which this one's begin at `start`; `nothing` is
        that of a 0. All int64, flat.
        """
        columns = (0,) if self.outputs is None else self.outputs
        index = np.full((self.taps, self.size_in, self.size_out), nothing)
        where = np.ix_(range(self.taps), self.inputs, columns)
        shape = (self.taps, len(self.inputs), len(columns))
        index[where] = np.arange(start, start + math.prod(shape)).reshape(shape)
        places = np.arange(index.size).reshape(index.shape)[where]
        back = index[::-1] if self.outputs is None else index.transpose(0, 2, 1)
        return index[:, : self.used].ravel(), back.ravel(), places.ravel()


@dataclass(eq=False)
class Step:
    """A step before addresses are known."""

    kind: int
    inputs: list[Ref]
    output: Quantity | None
    fields: dict[int, int] = field(default_factory=dict)
    depthwise: Layer | None = None
    window: Layer | None = None
    weights: dict[str, int] = field(default_factory=dict)  # places in packed weights and gradients
    array: np.ndarray | None = None  # counts, channel numbers or mask
    stats: Quantity | None = None  # batch normalisation whose sums it makes
    memory: int = 0  # bytes that a thread needs
    result: Ref | None = None


class Fusion:
    """A network as steps.

    Attributes:
        steps: in order of execution.
        quantities: all buffers' values.
        refs: by layer, how its output is read.
        packings: of every weight. packed: size of all packed weights; gradients: of their gradients.
        factor_layers, mask_layers: drop path and dropout. biases: (layer, parameter's number).
        norm_layers: (layer, its first channel among those of all batch normalisations).
    """

    def __init__(self, network: Network, batch: int, arrays: Arrays):
        self.network, self.batch, self.arrays = network, batch, arrays
        self.steps: list[Step] = []
        self.quantities: list[Quantity] = []
        self.norm_channels = 0
        self.packings: list[Packing] = []
        self.packed = 0
        self.gradients = 0  # size of a chunk's packed gradients
        self.factor_layers: list[int] = []  # layers of drop path
        self.mask_layers: dict[int, Step] = {}
        self.biases: list[tuple[int, int]] = []  # (layer, parameter's number)
        self.norm_layers: list[tuple[int, int]] = []  # (layer, first channel)
        self.parameters_of: dict[int, dict[str, int]] = {}
        for number, parameter in enumerate(network.parameters):
            self.parameters_of.setdefault(parameter.layer, {})[parameter.role] = number
        self.refs: dict[int, Ref] = {}
        self._readers = self._all_readers()
        for index in range(len(network.layers)):
            self._plan_layer(index, network.layers[index])
        self.outputs = [network.output]
        if network.auxiliary is not None:
            self.outputs.append(network.auxiliary)
        for index in self.outputs:
            ref = self.refs[index]
            if ref.quantity.norm >= 0 or ref.relu or ref.factor >= 0:
                ref = self.refs[index] = self._copied(ref, ref.places)
            ref.quantity.readers += 1

    def _all_readers(self) -> dict[int, list[int]]:
        """Returns each layer's readers.

        Also of layers that reach no output: their batch normalisations have statistics all the same.
        """
        layers = self.network.layers
        readers: dict[int, list[int]] = {index: [] for index in range(len(layers))}
        for index, layer in enumerate(layers):
            for i in layer.inputs:
                readers[i].append(index)
        return readers

    def _new(self, shape, channels: int) -> Quantity:
        buffer = Buffer(shape[0], shape[1], channels)
        quantity = Quantity(buffer)
        self.quantities.append(quantity)
        return quantity

    def _read(self, index: int) -> Ref:
        ref = self.refs[index]
        ref.quantity.readers += 1
        return ref

    def _emit(self, kind: int, inputs: list[Ref], shape, places, channels: int, **more) -> Step:
        """Returns a new step; its result's channels lie at `places` of `channels`."""
        step = Step(kind, inputs, self._new(shape, channels), **more)
        step.result = Ref(step.output, tuple(places))
        self.steps.append(step)
        return step

    def _copied(self, ref: Ref, places) -> Ref:
        """Returns the same values as they are, in memory of their own, channels at `places`."""
        ref.quantity.readers += 1
        buffer = ref.quantity.buffer
        places = tuple(places)
        shape = (buffer.height, buffer.width)
        if places == ref.places:
            return self._emit(k.ADD, [ref], shape, places, buffer.channels).result
        return self._gathered(ref, places)

    def _gathered(self, ref: Ref, places: tuple[int, ...]) -> Ref:
        """Returns the same channels at other places, or the first ones of them."""
        buffer = ref.quantity.buffer
        size = padded(max(places) + 1)
        step = self._emit(k.GATHER, [ref], (buffer.height, buffer.width), places, size)
        step.array = np.full(size, -1, dtype=np.int64)
        step.array[list(places)] = ref.places[: len(places)]
        return step.result

    def _plan_layer(self, index: int, layer: Layer) -> None:
        role = _role(layer)
        if role is None:
            raise NetworkError(
                f"layer '{layer.name}': backend cpu has no '{layer.kind}' "
                f"({LAYER_KINDS[layer.kind].description}); use backend reference"
            )
        ref = PLANNERS[role](self, index, layer)
        if ref is not None:
            self.refs[index] = ref

    def _plan_input(self, index: int, layer: Layer) -> Ref:
        channels = layer.shape[2]
        quantity = self._new(layer.shape, padded(channels))
        self.input = quantity
        return Ref(quantity, tuple(range(channels)))

    def _plan_relu(self, index: int, layer: Layer) -> Ref:
        ref = self.refs[layer.inputs[0]]
        return replace(ref, relu=max(ref.relu, k.A_RELU))

    def _plan_relu6(self, index: int, layer: Layer) -> Ref:
        ref = self.refs[layer.inputs[0]]
        if ref.factor >= 0:  # which comes last in a load
            ref = self._copied(ref, ref.places)
        return replace(ref, relu=k.A_RELU6)

    def _plan_drop_path(self, index: int, layer: Layer) -> Ref:
        ref = self.refs[layer.inputs[0]]
        if ref.factor >= 0:
            ref = self._copied(ref, ref.places)
        self.factor_layers.append(index)
        return Ref(ref.quantity, ref.places, ref.relu, len(self.factor_layers) - 1)

    def _plan_batch_norm(self, index: int, layer: Layer) -> Ref:
        ref = self.refs[layer.inputs[0]]
        if ref.quantity.norm >= 0 or ref.relu or ref.factor >= 0:
            ref = self._copied(ref, ref.places)
        values = ref.quantity
        norm = Quantity(values.buffer, self.norm_channels, layer.epsilon)
        self.norm_channels += values.buffer.channels
        values.norms.append(norm)
        self.norm_layers.append((index, norm.norm))
        before = next((s for s in self.steps if s.output is values), None)
        if before is not None and before.kind == k.CONV and before.stats is None:
            before.stats = norm
        else:
            self.steps.append(Step(k.NORM, [], values, stats=norm))
        return Ref(norm, ref.places)

    def _plan_conv(self, index: int, layer: Layer) -> Ref | None:
        source = layer.inputs[0]
        before = self.network.layers[source]
        if (
            _role(before) is CpuRole.DEPTHWISE
            and _is_pointwise(layer)
            and self._readers[source] == [index]
        ):
            return self._convolution(before.inputs[0], before, (source, before), (index, layer))
        return self._convolution(source, layer, None, (index, layer))

    def _plan_depthwise(self, index: int, layer: Layer) -> Ref | None:
        readers = [self.network.layers[r] for r in self._readers[index]]
        if len(readers) == 1 and _is_pointwise(readers[0]):
            return None  # together with that one
        return self._convolution(layer.inputs[0], layer, (index, layer), None)

    def _convolution(self, source: int, window: Layer, depthwise, dense) -> Ref:
        """Plans a CONV; depthwise, dense: (index, layer) or None."""
        ref = self._read(source)
        shape = (dense or depthwise)[1].shape
        size_in = ref.quantity.buffer.channels
        places = ref.places if dense is None else tuple(range(shape[2]))
        size_out = size_in if dense is None else padded(shape[2])
        step = self._emit(k.CONV, [ref], shape, places, size_out, window=window,
                          depthwise=depthwise and depthwise[1])  # fmt: skip
        if depthwise:
            number = self.parameters_of[depthwise[0]]["weight"]
            self._weight(step, "depthwise", number, ref.places, None, size_in, 1)
        if dense:
            number = self.parameters_of[dense[0]]["weight"]
            taps = 1 if depthwise else math.prod(window.kernel)
            step.fields[k.TAPS] = taps
            self._weight(step, "dense", number, ref.places, places, size_in, size_out, taps)
        return step.result

    def _weight(self, step, name, number, inputs, outputs, size_in, size_out, taps=None) -> None:
        """Gives a weight its places among the packed weights and gradients."""
        taps = taps or self.network.parameters[number].size // len(inputs)
        size, back = taps * size_in * size_out, self.packed
        at = back + _whole(size)
        packing = Packing(
            number, inputs, outputs, size_in, size_out, taps, at, back, self.gradients
        )
        self.packings.append(packing)
        self.packed = at + _whole(taps * packing.used * size_out)
        self.gradients += _whole(size)
        if outputs is not None:
            step.fields[k.USED] = packing.used
        step.weights["depthwise back" if outputs is None else "back"] = back
        step.weights[name] = at
        step.weights[f"{name} gradient"] = packing.gradient

    def _plan_pool(self, index: int, layer: Layer) -> Ref:
        ref = self._read(layer.inputs[0])
        step = self._emit(k.POOL, [ref], layer.shape, ref.places, ref.quantity.buffer.channels,
                          window=layer)  # fmt: skip
        step.fields[k.MODE] = MODES[_role(layer)]
        step.array = _window_counts(layer, self.network.layers[layer.inputs[0]].shape)
        return step.result

    def _plan_add(self, index: int, layer: Layer) -> Ref:
        refs = self._at_equal_places(layer)
        common = refs[0].places
        while len(refs) > k.MAX_INPUTS:
            part, refs = refs[: k.MAX_INPUTS], refs[k.MAX_INPUTS :]
            for ref in part:
                ref.quantity.readers += 1
            channels = part[0].quantity.buffer.channels
            refs.append(self._emit(k.ADD, part, layer.shape, common, channels).result)
        for ref in refs:
            ref.quantity.readers += 1
        channels = refs[0].quantity.buffer.channels
        return self._emit(k.ADD, refs, layer.shape, common, channels).result

    def _plan_concat(self, index: int, layer: Layer) -> Ref:
        members, places, offset = [], [], 0
        whole = self._new(layer.shape, 0)
        for i in layer.inputs:
            ref = self.refs[i]
            buffer = ref.quantity.buffer
            plain = ref.quantity.norm < 0 and not ref.relu and ref.factor < 0
            plain = plain and all(s.output is not ref.quantity for s in self.mask_layers.values())
            if not plain or buffer.parent is not None or ref.quantity is self.input:
                ref = self._copied(ref, ref.places)
                buffer = ref.quantity.buffer
            buffer.parent, buffer.offset = whole.buffer, offset
            members.append(ref)
            places += [offset + p for p in ref.places]
            offset += buffer.channels
        whole.buffer.channels = offset
        # Reads nothing in the forward run; in the backward run it stands for the whole.
        self.steps.append(Step(-1, members, whole))
        for ref in members:
            ref.quantity.readers += 1
        return Ref(whole, tuple(places))

    def _plan_slice(self, index: int, layer: Layer) -> Ref:
        ref = self.refs[layer.inputs[0]]
        ref.quantity.readers += 1
        return self._gathered(ref, tuple(range(layer.shape[2])))

    def _plan_zero(self, index: int, layer: Layer) -> Ref:
        return Ref(self._new(layer.shape, padded(layer.shape[2])), tuple(range(layer.shape[2])))

    def _plan_dropout(self, index: int, layer: Layer) -> Ref:
        ref = self._read(layer.inputs[0])
        buffer = ref.quantity.buffer
        step = self._emit(k.MASK, [ref], layer.shape, ref.places, buffer.channels)
        shape = (self.batch, buffer.height, buffer.width, buffer.channels)
        step.array = self.arrays.full(shape, 1)
        self.mask_layers[index] = step
        return step.result

    def _on_values(self, ref: Ref, mode: int) -> Step:
        """Returns a new step over all values."""
        ref.quantity.readers += 1
        buffer = ref.quantity.buffer
        shape = (buffer.height, buffer.width)
        return self._emit(k.CURVE, [ref], shape, ref.places, buffer.channels, fields={k.MODE: mode})

    def _plan_curve(self, index: int, layer: Layer) -> Ref:
        return self._on_values(self.refs[layer.inputs[0]], MODES[_role(layer)]).result

    def _at_equal_places(self, layer: Layer) -> list[Ref]:
        """Returns a layer's inputs, copied where their channels lie at different places."""
        refs = [self.refs[i] for i in layer.inputs]
        common = refs[0].places
        if any(ref.places != common for ref in refs):
            common = tuple(range(layer.shape[2]))
            refs = [r if r.places == common else self._copied(r, common) for r in refs]
        return refs

    def _plan_channel_factors(self, index: int, layer: Layer) -> Ref:
        refs = self._at_equal_places(layer)
        for ref in refs:
            ref.quantity.readers += 1
        channels = refs[0].quantity.buffer.channels
        return self._emit(k.CHANNEL_FACTORS, refs, layer.shape, refs[0].places, channels).result

    def _plan_global_pool(self, index: int, layer: Layer) -> Ref:
        ref = self._read(layer.inputs[0])
        channels = ref.quantity.buffer.channels
        return self._emit(k.MEAN, [ref], layer.shape, ref.places, channels).result

    def _plan_linear(self, index: int, layer: Layer) -> Ref:
        shape = self.network.layers[layer.inputs[0]].shape
        window = Layer("conv", layer.name, layer.inputs, layer.shape, kernel=shape[:2])
        ref = self._convolution(layer.inputs[0], window, None, (index, window))
        bias = self.parameters_of[index].get("bias")
        if bias is None:
            return ref
        if index in (self.network.output, self.network.auxiliary) and not self._readers[index]:
            self.biases.append((index, bias))  # the model adds it to the logits
            return ref
        step = self._on_values(ref, k.PLAIN)
        self._weight(step, "bias", bias, ref.places, None, ref.quantity.buffer.channels, 1)
        return step.result


MODES = {
    CpuRole.LARGEST: k.MAX,
    CpuRole.SMALLEST: k.MIN,
    CpuRole.AVERAGE: k.AVERAGE,
    CpuRole.SIGMOID: k.SIGMOID,
    CpuRole.HARD_SIGMOID: k.HARD_SIGMOID,
    CpuRole.SWISH: k.SWISH,
    CpuRole.HARD_SWISH: k.HARD_SWISH,
}

# What plans a layer of a role: it returns how its output is read; None: nobody reads it by itself.
PLANNERS: dict[CpuRole, Callable[[Fusion, int, Layer], Ref | None]] = {
    CpuRole.IMAGES: Fusion._plan_input,
    CpuRole.RELU: Fusion._plan_relu,
    CpuRole.RELU6: Fusion._plan_relu6,
    CpuRole.NORM: Fusion._plan_batch_norm,
    CpuRole.FACTOR: Fusion._plan_drop_path,
    CpuRole.CONVOLUTION: Fusion._plan_conv,
    CpuRole.DEPTHWISE: Fusion._plan_depthwise,
    CpuRole.LARGEST: Fusion._plan_pool,
    CpuRole.SMALLEST: Fusion._plan_pool,
    CpuRole.AVERAGE: Fusion._plan_pool,
    CpuRole.SUM: Fusion._plan_add,
    CpuRole.CONCATENATION: Fusion._plan_concat,
    CpuRole.FIRST_CHANNELS: Fusion._plan_slice,
    CpuRole.ZEROS: Fusion._plan_zero,
    CpuRole.MASK: Fusion._plan_dropout,
    CpuRole.SIGMOID: Fusion._plan_curve,
    CpuRole.HARD_SIGMOID: Fusion._plan_curve,
    CpuRole.SWISH: Fusion._plan_curve,
    CpuRole.HARD_SWISH: Fusion._plan_curve,
    CpuRole.CHANNEL_FACTORS: Fusion._plan_channel_factors,
    CpuRole.MEAN: Fusion._plan_global_pool,
    CpuRole.PRODUCT: Fusion._plan_linear,
}


def _role(layer: Layer) -> CpuRole | None:
    return LAYER_KINDS[layer.kind].cpu


def _is_pointwise(layer: Layer) -> bool:
    """Returns whether a layer is a 1x1 convolution of every pixel."""
    plain = layer.kernel == (1, 1) and layer.stride == 1 and layer.pad == (0, 0, 0, 0)
    return plain and _role(layer) is CpuRole.CONVOLUTION


def _window_counts(layer: Layer, shape) -> np.ndarray:
    """Returns 1 / the number of pixels in each output pixel's window, float32 (H, W), or 0."""
    inside = []
    for axis in range(2):
        start = np.arange(layer.shape[axis]) * layer.stride - layer.pad[2 * axis]
        at = start[:, None] + np.arange(layer.kernel[axis])
        inside.append(((at >= 0) & (at < shape[axis])).sum(1))
    counts = np.outer(*inside)
    return np.where(counts > 0, 1.0 / np.maximum(counts, 1), 0).astype(np.float32)

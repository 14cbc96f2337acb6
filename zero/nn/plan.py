"""From a network to the steps that `zero.nn.kernels` executes: what is fused, and where all lies.

A ReLU, a batch normalisation or drop path is no step: the reader applies it when it loads its
input. A depthwise convolution and the 1x1 convolution after it are one step. Members of a
concatenation are written where the concatenation lies. The gradient of a sum is shared with those
inputs that nothing else reads.

Batches lie as (N, H, W, channels padded to a multiple of 8). Parameters and gradients are kept in
the network's own order and copied through index arrays, so that padding concerns nobody else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from zero.errors import NetworkError
from zero.nn import kernels as k
from zero.nn.network import Layer, Network
from zero.nn.simd import widest

CHUNKS = 8  # parts of a batch that threads take and that sums are made of, whatever the threads
LINE = 64  # bytes of a cache line
PAD = 8  # channels come in multiples of this

# Rows of `Plan.norms`, float32 (channels of all batch normalisations).
(GAMMA, BETA, MEAN, VARIANCE, SCALE, SHIFT, FACTOR_D, FACTOR_Y, CONSTANT, D_GAMMA,
 D_BETA) = range(11)  # fmt: skip
NORM_ROWS = 11


def padded(channels: int) -> int:
    """Returns the number of channels in memory."""
    return -(-channels // PAD) * PAD


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
    relu: bool = False
    factor: int = -1


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
    memory: int = 0


class Plan:
    """See the module's docstring.

    Attributes:
        forward, backward: int64 (steps, FIELDS).
        memory: bytes that each thread needs.
        bytes: of all buffers.
    """

    def __init__(self, network: Network, batch: int):
        self.network, self.batch = network, batch
        self.steps: list[Step] = []
        self.quantities: list[Quantity] = []
        self.norm_channels = 0
        self.pack: list[np.ndarray] = []  # index into (parameters, 0) for each packed weight
        self.packed = 0
        self.gradients = 0  # size of a chunk's packed gradients
        self.gradient_places: dict[int, np.ndarray] = {}  # parameter number -> packed places
        self.factor_layers: list[int] = []  # layers of drop path
        self.mask_layers: dict[int, Step] = {}
        self.biases: list[tuple[int, int]] = []  # (layer, parameter's number)
        self.norm_layers: list[tuple[int, int]] = []  # (layer, first channel)
        self._constants: list[np.ndarray] = []
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
        self._plan_norms()
        self._allocate_forward()
        self._plan_backward()

    # --- forward --------------------------------------------------------------------------------

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
        output = self._new(shape, channels)
        step = Step(kind, inputs, output, **more)
        self.steps.append(step)
        self._last = Ref(output, tuple(places))
        return step

    def _dense(self, channels: int) -> range:
        return range(channels)

    def _copied(self, ref: Ref, places) -> Ref:
        """Returns the same values as they are, in memory of their own, channels at `places`."""
        ref.quantity.readers += 1
        buffer = ref.quantity.buffer
        places = tuple(places)
        shape = (buffer.height, buffer.width)
        if places == ref.places:
            self._emit(k.ADD, [ref], shape, places, buffer.channels)
            return self._last
        return self._gathered(ref, places)

    def _gathered(self, ref: Ref, places: tuple[int, ...]) -> Ref:
        """Returns the same channels at other places, or the first ones of them."""
        buffer = ref.quantity.buffer
        size = padded(max(places) + 1)
        step = self._emit(k.GATHER, [ref], (buffer.height, buffer.width), places, size)
        step.array = np.full(size, -1, dtype=np.int64)
        step.array[list(places)] = ref.places[: len(places)]
        return self._last

    def _plan_layer(self, index: int, layer: Layer) -> None:
        method = getattr(self, f"_plan_{layer.kind}", None)
        if method is None:
            raise NetworkError(f"layer '{layer.name}': backend cpu has no '{layer.kind}'")
        ref = method(index, layer)
        if ref is not None:
            self.refs[index] = ref

    def _plan_input(self, index: int, layer: Layer) -> Ref:
        channels = layer.shape[2]
        quantity = self._new(layer.shape, padded(channels))
        self.input = quantity
        return Ref(quantity, tuple(self._dense(channels)))

    def _plan_relu(self, index: int, layer: Layer) -> Ref:
        ref = self.refs[layer.inputs[0]]
        return Ref(ref.quantity, ref.places, True, ref.factor)

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
        maker = next((s for s in self.steps if s.output is values), None)
        if maker is not None and maker.kind == k.CONV and maker.stats is None:
            maker.stats = norm
        else:
            self.steps.append(Step(k.NORM, [], values, stats=norm))
        return Ref(norm, ref.places)

    def _plan_conv(self, index: int, layer: Layer) -> Ref | None:
        source = layer.inputs[0]
        before = self.network.layers[source]
        if (
            before.kind == "depthwise"
            and layer.kernel == (1, 1)
            and layer.stride == 1
            and layer.pad == (0, 0, 0, 0)
            and self._readers[source] == [index]
        ):
            return self._convolution(before.inputs[0], before, (source, before), (index, layer))
        return self._convolution(source, layer, None, (index, layer))

    def _plan_depthwise(self, index: int, layer: Layer) -> Ref | None:
        readers = [self.network.layers[r] for r in self._readers[index]]
        if (
            len(readers) == 1
            and readers[0].kind == "conv"
            and readers[0].kernel == (1, 1)
            and readers[0].stride == 1
            and readers[0].pad == (0, 0, 0, 0)
        ):
            return None  # together with that one
        return self._convolution(layer.inputs[0], layer, (index, layer), None)

    def _convolution(self, source: int, window: Layer, depthwise, dense) -> Ref:
        """Plans a CONV; depthwise, dense: (index, layer) or None."""
        ref = self._read(source)
        shape = (dense or depthwise)[1].shape
        size_in = ref.quantity.buffer.channels
        places = ref.places if dense is None else tuple(self._dense(shape[2]))
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
        return self._last

    def _weight(self, step, name, number, inputs, outputs, size_in, size_out, taps=None) -> None:
        """Gives a weight its places among the packed weights and gradients."""
        parameter = self.network.parameters[number]
        nothing = sum(p.size for p in self.network.parameters)
        source = np.arange(parameter.start, parameter.start + parameter.size)
        if outputs is None:
            taps = parameter.size // len(inputs)
            index = np.full((taps, size_in), nothing)
            index[:, list(inputs)] = source.reshape(taps, len(inputs))
        else:
            index = np.full((taps, size_in, size_out), nothing)
            where = np.ix_(range(taps), list(inputs), list(outputs))
            index[where] = source.reshape(taps, len(inputs), len(outputs))
            step.weights["back"] = self._packed(np.ascontiguousarray(index.transpose(0, 2, 1)))
            step.fields[k.USED] = max(inputs) + 1
        used = index if outputs is None else index[:, : max(inputs) + 1]
        step.weights[name] = self._packed(np.ascontiguousarray(used))
        step.weights[f"{name} gradient"] = self.gradients
        places = np.flatnonzero(index.ravel() != nothing)
        # In the parameter's own order.
        order = np.argsort(index.ravel()[places], kind="stable")
        self.gradient_places[number] = self.gradients + places[order]
        self.gradients += -(-index.size // 16) * 16

    def _packed(self, index: np.ndarray) -> int:
        size = -(-index.size // 16) * 16
        full = np.full(size, sum(p.size for p in self.network.parameters))
        full[: index.size] = index.ravel()
        self.pack.append(full)
        self.packed += size
        return self.packed - size

    def _plan_pool(self, index: int, layer: Layer) -> Ref:
        ref = self._read(layer.inputs[0])
        mode = {"max_pool": k.MAX, "min_pool": k.MIN, "avg_pool": k.AVERAGE}[layer.kind]
        step = self._emit(k.POOL, [ref], layer.shape, ref.places, ref.quantity.buffer.channels,
                          window=layer)  # fmt: skip
        step.fields[k.MODE] = mode
        step.array = _window_counts(layer, self.network.layers[layer.inputs[0]].shape)
        return self._last

    _plan_max_pool = _plan_min_pool = _plan_avg_pool = _plan_pool

    def _plan_add(self, index: int, layer: Layer) -> Ref:
        refs = [self.refs[i] for i in layer.inputs]
        common = refs[0].places
        if any(ref.places != common for ref in refs):
            common = tuple(self._dense(layer.shape[2]))
            refs = [r if r.places == common else self._copied(r, common) for r in refs]
        while len(refs) > k.MAX_INPUTS:
            part, refs = refs[: k.MAX_INPUTS], refs[k.MAX_INPUTS :]
            for ref in part:
                ref.quantity.readers += 1
            self._emit(k.ADD, part, layer.shape, common, part[0].quantity.buffer.channels)
            refs.append(self._last)
        for ref in refs:
            ref.quantity.readers += 1
        self._emit(k.ADD, refs, layer.shape, common, refs[0].quantity.buffer.channels)
        return self._last

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
        return self._gathered(ref, tuple(self._dense(layer.shape[2])))

    def _plan_zero(self, index: int, layer: Layer) -> Ref:
        return Ref(self._new(layer.shape, padded(layer.shape[2])), tuple(range(layer.shape[2])))

    def _plan_dropout(self, index: int, layer: Layer) -> Ref:
        ref = self._read(layer.inputs[0])
        buffer = ref.quantity.buffer
        step = self._emit(k.MASK, [ref], layer.shape, ref.places, buffer.channels)
        step.array = np.ones((self.batch, buffer.height, buffer.width, buffer.channels), np.float32)
        self.mask_layers[index] = step
        return self._last

    def _plan_global_pool(self, index: int, layer: Layer) -> Ref:
        ref = self._read(layer.inputs[0])
        self._emit(k.MEAN, [ref], layer.shape, ref.places, ref.quantity.buffer.channels)
        return self._last

    def _plan_linear(self, index: int, layer: Layer) -> Ref:
        outputs = (self.network.output, self.network.auxiliary)
        if layer.kind == "linear":
            if index not in outputs:
                raise NetworkError(
                    f"layer '{layer.name}': backend cpu has linear layers with a bias only as outputs"
                )
            self.biases.append((index, self.parameters_of[index]["bias"]))
        shape = self.network.layers[layer.inputs[0]].shape
        window = Layer("conv", layer.name, layer.inputs, layer.shape, kernel=shape[:2])
        return self._convolution(layer.inputs[0], window, None, (index, window))

    _plan_linear_no_bias = _plan_linear

    # --- memory ---------------------------------------------------------------------------------

    def _constant(self, array: np.ndarray) -> int:
        """Keeps an array and returns its address."""
        array = np.ascontiguousarray(array)
        self._constants.append(array)
        return array.ctypes.data

    def _plan_norms(self) -> None:
        parameters, norms = self.network.parameters, self.norm_channels
        nothing = sum(p.size for p in parameters)
        self.norms = np.zeros((NORM_ROWS, max(norms, 1)), dtype=np.float32)
        self.gamma_index = np.full(max(norms, 1), nothing)
        self.beta_index = np.full(max(norms, 1), nothing)
        self.epsilon = np.ones(max(norms, 1))
        self.norm_places: dict[int, np.ndarray] = {}
        for index, first in self.norm_layers:
            ref = self.refs[index]
            where = first + np.array(ref.places)
            self.norm_places[index] = where
            for role, target in (("gamma", self.gamma_index), ("beta", self.beta_index)):
                parameter = parameters[self.parameters_of[index][role]]
                target[where] = np.arange(parameter.start, parameter.start + parameter.size)
            size = ref.quantity.buffer.channels
            self.epsilon[first : first + size] = ref.quantity.epsilon
        # Where each parameter's gradient comes from: (packed sums, D_GAMMA, D_BETA, biases, 0).
        sizes = [self.gradients, max(norms, 1), max(norms, 1)]
        starts = np.concatenate([[0], np.cumsum(sizes)])
        self.bias_start = int(starts[3])
        total = sum(parameters[n].size for _, n in self.biases)
        index = np.full(nothing, self.bias_start + total)
        for number, places in self.gradient_places.items():
            p = parameters[number]
            index[p.start : p.start + p.size] = places
        for layer, _ in self.norm_layers:
            for role, start in (("gamma", starts[1]), ("beta", starts[2])):
                p = parameters[self.parameters_of[layer][role]]
                index[p.start : p.start + p.size] = start + self.norm_places[layer]
        at = self.bias_start
        for _, number in self.biases:
            p = parameters[number]
            index[p.start : p.start + p.size] = np.arange(at, at + p.size)
            at += p.size
        self.gradient_index = index
        self.pack_index = np.concatenate(self.pack) if self.pack else np.zeros(0, dtype=np.int64)

    def _allocate_forward(self) -> None:
        batch = self.batch
        self.weights = aligned(max(self.packed, 1))
        self.weight_gradients = aligned(CHUNKS * max(self.gradients, 16)).reshape(CHUNKS, -1)
        self.sums = np.zeros((CHUNKS, 2 * max(self.norm_channels, 1)), dtype=np.float64)
        self.factors = np.ones((max(len(self.factor_layers), 1), batch), dtype=np.float32)
        self.one_offset = self._constant(np.zeros(1, dtype=np.int64))
        self.bytes = 0
        for quantity in self.quantities:
            buffer = quantity.buffer
            if buffer.parent is None:
                self._give_memory(buffer)

    def _give_memory(self, buffer: Buffer) -> None:
        shape = (self.batch, buffer.height, buffer.width, buffer.channels)
        buffer.array = aligned(math.prod(shape)).reshape(shape)
        self.bytes += buffer.array.nbytes

    def _vector(self, *channels: int) -> int:
        return 16 if widest() == 16 and all(c % 16 == 0 for c in channels) else 8

    # --- rows -----------------------------------------------------------------------------------

    def _row(self, step: Step) -> np.ndarray:
        """Returns the step's fields but for its gradients."""
        s = np.zeros(k.FIELDS, dtype=np.int64)
        s[k.KIND] = step.kind
        for name, value in step.fields.items():
            s[name] = value
        sizes = []
        if step.output is not None:
            out = step.output.buffer
            s[k.Y], s[k.Y_IMAGE], s[k.Y_PIXEL] = out.place()
            s[k.Y_HEIGHT], s[k.Y_WIDTH], s[k.Y_CHANNELS] = out.height, out.width, out.channels
            sizes.append(out.channels)
        if step.kind == k.ADD:
            s[k.INPUTS] = len(step.inputs)
            for number, ref in enumerate(step.inputs):
                at = k.FIRST_INPUT + number * k.INPUT_FIELDS
                i = s[at : at + k.INPUT_FIELDS]
                i[k.I_X], i[k.I_IMAGE], i[k.I_PIXEL] = ref.quantity.buffer.place()
                i[k.I_SCALE], i[k.I_SHIFT], i[k.I_RELU], i[k.I_FACTOR] = self._load(ref)
                sizes.append(ref.quantity.buffer.channels)
        elif step.inputs:
            ref = step.inputs[0]
            x = ref.quantity.buffer
            s[k.X], s[k.X_IMAGE], s[k.X_PIXEL] = x.place()
            s[k.X_HEIGHT], s[k.X_WIDTH], s[k.X_CHANNELS] = x.height, x.width, x.channels
            s[k.SCALE], s[k.SHIFT], s[k.RELU], s[k.FACTOR] = self._load(ref)
            sizes.append(x.channels)
            self._geometry(step, s)
        if step.stats is not None:
            self._sums(s, step.stats)
        s[k.VECTOR] = self._vector(*sizes)
        return s

    def _load(self, ref: Ref) -> tuple[int, int, int, int]:
        """Returns (scale, shift, relu, factor) of a load."""
        scale = shift = factor = 0
        if ref.quantity.norm >= 0:
            scale, shift = (self._norm(row, ref.quantity) for row in (SCALE, SHIFT))
        if ref.factor >= 0:
            factor = self.factors.ctypes.data + ref.factor * self.factors.strides[0]
        return scale, shift, int(ref.relu), factor

    def _norm(self, row: int, quantity: Quantity) -> int:
        return self.norms.ctypes.data + row * self.norms.strides[0] + 4 * quantity.norm

    def _sums(self, s: np.ndarray, norm: Quantity) -> None:
        s[k.SUMS] = self.sums.ctypes.data + 16 * norm.norm
        s[k.SUMS_CHUNK] = self.sums.strides[0]
        s[k.MEAN_OF] = self._norm(MEAN, norm)
        s[k.FIRST_CHANNEL] = norm.norm

    def _geometry(self, step: Step, s: np.ndarray) -> None:
        """Fills in the loaded image, windows, weights and places in the thread's memory."""
        height, width, channels = s[k.X_HEIGHT], s[k.X_WIDTH], s[k.X_CHANNELS]
        out_height, out_width, out_channels = s[k.Y_HEIGHT], s[k.Y_WIDTH], s[k.Y_CHANNELS]
        window = step.window
        s[k.SAMPLE], s[k.U_HEIGHT], s[k.U_WIDTH] = 1, height, width
        s[k.ONE_OFFSET] = self.one_offset
        s[k.STRIDE] = s[k.TAPS_Y] = s[k.TAPS_X] = s[k.DILATION] = 1
        e_size = out_height * out_width * max(channels, out_channels)
        if window is not None:
            (rows, columns), dilation = window.kernel, window.dilation
            top, _, left, _ = window.pad
            s[k.TOP], s[k.LEFT] = -top, -left
            s[k.TAPS_Y], s[k.TAPS_X], s[k.DILATION] = rows, columns, dilation
            if step.kind == k.CONV and step.depthwise is None and (rows, columns) == (1, 1):
                s[k.SAMPLE], s[k.U_HEIGHT], s[k.U_WIDTH] = window.stride, out_height, out_width
            else:
                s[k.STRIDE] = window.stride
                reach_y, reach_x = dilation * (rows - 1), dilation * (columns - 1)
                u_height = (out_height - 1) * window.stride + reach_y + 1
                u_width = (out_width - 1) * window.stride + reach_x + 1
                cut_y = cut_x = 0
                if step.kind == k.POOL:
                    # All pixels are loaded, since all get a gradient; windows start further in.
                    cut_y, cut_x = max(0, -top), max(0, -left)
                    s[k.TOP], s[k.LEFT] = min(0, -top), min(0, -left)
                    u_height = max(u_height + cut_y, height + max(0, top))
                    u_width = max(u_width + cut_x, width + max(0, left))
                s[k.U_HEIGHT], s[k.U_WIDTH] = u_height, u_width
                y, x = np.divmod(np.arange(rows * columns), columns)
                offsets = ((y * dilation + cut_y) * u_width + x * dilation + cut_x) * 4 * channels
                s[k.OFFSETS] = self._constant(offsets.astype(np.int64))
                e_channels = out_channels if step.depthwise is None else channels
                e_size = self._gather_geometry(s, window, reach_y, reach_x, e_channels)
                if step.kind == k.POOL:
                    e_size = u_height * u_width * channels
        if step.kind == k.CONV:
            s[k.CHUNK] = self.weight_gradients.strides[0]
            weights, gradients = self.weights.ctypes.data, self.weight_gradients.ctypes.data
            for name, where, place in (
                ("depthwise", k.DEPTHWISE, weights),
                ("dense", k.WEIGHT, weights),
                ("back", k.WEIGHT_BACK, weights),
                ("depthwise gradient", k.DEPTHWISE_GRADIENT, gradients),
                ("dense gradient", k.GRADIENT, gradients),
            ):
                if name in step.weights:
                    s[where] = place + 4 * step.weights[name]
        exact = s[k.TOP] == s[k.LEFT] == 0 and (s[k.U_HEIGHT], s[k.U_WIDTH]) == (height, width)
        s[k.PIXELS] = height * width if exact else 0
        if step.array is not None:
            s[k.COUNTS] = self._constant(step.array)
        # Room for: the loaded image (or sums), the depthwise result, gradients, and results.
        u = max(s[k.U_HEIGHT] * s[k.U_WIDTH] * channels, 2 * out_channels)
        v = max(height * width, s[k.U_HEIGHT] * s[k.U_WIDTH]) * channels
        v = max(v, out_height * out_width * max(channels, out_channels))
        at = 0
        for name, size in (
            (k.AT_U, u),
            (k.AT_D, out_height * out_width * channels),
            (k.AT_E, e_size),
            (k.AT_V, v),
        ):
            s[name] = at
            at += -(-4 * int(size) // LINE) * LINE + LINE
        step.memory = at

    def _gather_geometry(self, s, window: Layer, reach_y: int, reach_x: int, channels: int) -> int:
        """Fills in the image that gradients of a window's input are gathered from; its size."""
        top, _, left, _ = window.pad
        low_y, low_x = min(0, reach_y - top), min(0, reach_x - left)
        e_top, e_left = reach_y - top - low_y, reach_x - left - low_x
        e_height = max(int(s[k.X_HEIGHT]) + reach_y - low_y,
                       (int(s[k.Y_HEIGHT]) - 1) * window.stride + e_top + 1)  # fmt: skip
        e_width = max(int(s[k.X_WIDTH]) + reach_x - low_x,
                      (int(s[k.Y_WIDTH]) - 1) * window.stride + e_left + 1)  # fmt: skip
        s[k.E_TOP], s[k.E_LEFT], s[k.E_HEIGHT], s[k.E_WIDTH] = e_top, e_left, e_height, e_width
        s[k.E_FIRST] = (-low_y * e_width - low_x) * 4 * channels
        rows, columns = window.kernel
        y, x = np.divmod(np.arange(rows * columns), columns)
        back = ((rows - 1 - y) * e_width + (columns - 1 - x)) * window.dilation * 4 * channels
        s[k.OFFSETS_BACK] = self._constant(back.astype(np.int64))
        return e_height * e_width * channels

    # --- backward -------------------------------------------------------------------------------

    def _plan_backward(self) -> None:
        """Walks the steps in reverse: who writes, adds to or shares which gradient."""
        rows: list[tuple[np.ndarray, dict[int, Buffer]]] = []
        self._gradients: list[Buffer] = []
        for index in self.outputs:
            quantity = self.refs[index].quantity
            self._write(quantity, 0)
        forward = {id(step): self._row(step) for step in self.steps if step.kind >= 0}
        memory = 0
        for step in reversed(self.steps):
            if step.kind == k.NORM:
                continue
            values, now = step.output, len(rows)
            fused = step.kind not in (k.ADD, -1)
            alone = fused and len(values.norms) == 1 and values.readers == 0
            for norm in values.norms:
                if norm.gradient is None:
                    continue
                s = np.zeros(k.FIELDS, dtype=np.int64)
                buffer = values.buffer
                s[k.KIND], s[k.VECTOR] = k.NORM, self._vector(buffer.channels)
                s[k.Y], s[k.Y_IMAGE], s[k.Y_PIXEL] = buffer.place()
                s[k.Y_HEIGHT], s[k.Y_WIDTH] = buffer.height, buffer.width
                s[k.Y_CHANNELS] = buffer.channels
                self._sums(s, norm)
                rows.append((s, self._result(s, norm, len(rows))))
                memory = max(memory, 4 * buffer.channels * 2 + LINE)
                if not alone:
                    t = s.copy()
                    t[k.KIND] = k.SPREAD
                    self._through(t, norm)
                    used = self._result(t, norm, len(rows))
                    t[k.G_ADD] = self._write(values, len(rows))
                    used[k.G] = values.gradient
                    rows.append((t, used))
                    memory = max(memory, 4 * buffer.height * buffer.width * buffer.channels)
            if step.kind < 0:
                if values.gradient is not None:
                    self._need(values, now)
                for ref in step.inputs:
                    self._gradient_of(ref.quantity)
                continue
            memory = max(memory, step.memory)
            source = values.norms[0] if alone else values
            if source.gradient is None:
                continue
            if step.kind not in (k.CONV, k.ADD) and step.inputs[0].quantity is self.input:
                continue  # nothing to learn, and images need no gradient
            s = forward[id(step)].copy()
            now = len(rows)
            used = self._result(s, source, now)
            if alone:
                self._through(s, source)
            if step.kind == k.ADD:
                self._share(step, s, source, used, now)
            else:
                quantity = step.inputs[0].quantity
                if quantity is not self.input:
                    s[k.G_ADD] = self._write(quantity, now)
                    used[k.G] = quantity.gradient
            rows.append((s, used))
        self._place_gradients(rows)
        self.memory = memory + LINE
        self.forward = np.array([forward[id(s)] for s in self.steps if s.kind >= 0])
        self.backward = np.array([s for s, _ in rows]).reshape(-1, k.FIELDS)

    def _gradient_of(self, quantity: Quantity) -> Buffer:
        """Returns where a quantity's gradient lies: in that of its concatenation, if it has one."""
        if quantity.gradient is None:
            buffer = quantity.buffer
            if quantity.norm < 0 and buffer.parent is not None:
                whole = next(q for q in self.quantities if q.buffer is buffer.parent)
                quantity.gradient = Buffer(buffer.height, buffer.width, buffer.channels,
                                           self._gradient_of(whole), buffer.offset)  # fmt: skip
            else:
                quantity.gradient = Buffer(buffer.height, buffer.width, buffer.channels)
                self._gradients.append(quantity.gradient)
        return quantity.gradient

    def _write(self, quantity: Quantity, now: int) -> int:
        """Notes a write to a gradient; returns whether it adds to what is there."""
        buffer = self._gradient_of(quantity)
        root, start = buffer.root()
        end = start + buffer.channels
        covered = self._covered(root, start, end)
        self._touch(root, now)
        if covered == 0:
            root.written.append((start, end))
            return 0
        if covered < end - start:
            root.zeroed = True
            root.written.append((start, end))
        return 1

    def _covered(self, root: Buffer, start: int, end: int) -> int:
        return len({c for a, b in root.written for c in range(max(a, start), min(b, end))})

    def _touch(self, root: Buffer, now: int) -> None:
        root.first = now if root.first < 0 else root.first
        root.last = max(root.last, now)

    def _need(self, quantity: Quantity, now: int) -> None:
        """Notes a read of a gradient; what nobody wrote is 0."""
        root, start = quantity.gradient.root()
        end = start + quantity.gradient.channels
        if self._covered(root, start, end) < end - start:
            root.zeroed = True
        self._touch(root, now)

    def _result(self, s: np.ndarray, quantity: Quantity, now: int) -> dict[int, Buffer]:
        """Fills in the gradient that a step starts from."""
        self._need(quantity, now)
        if quantity.factor >= 0:
            s[k.D_FACTOR] = self.factors.ctypes.data + quantity.factor * self.factors.strides[0]
        return {k.D: quantity.gradient}

    def _through(self, s: np.ndarray, norm: Quantity) -> None:
        s[k.COEFFICIENTS] = self._norm(FACTOR_D, norm)
        s[k.COEFFICIENT] = self.norms.strides[0]

    def _share(self, step: Step, s, source: Quantity, used: dict, now: int) -> None:
        """A sum's gradient: shared where an input has no other reader, else written or added."""
        for number, ref in enumerate(step.inputs):
            quantity = ref.quantity
            at = k.FIRST_INPUT + number * k.INPUT_FIELDS
            placed = quantity.norm < 0 and quantity.buffer.parent is not None
            if (
                quantity.readers == 1
                and not quantity.norms
                and not placed
                and not ref.relu
                and quantity is not self.input
                and quantity.gradient is None
                and (ref.factor < 0 or source.factor < 0)
            ):
                quantity.gradient = source.gradient
                quantity.factor = max(ref.factor, source.factor)
                s[at + k.I_SAME] = 1
            elif quantity is not self.input:
                s[at + k.I_G_ADD] = self._write(quantity, now)
                used[at + k.I_G] = quantity.gradient

    def _place_gradients(self, rows: list[tuple[np.ndarray, dict[int, Buffer]]]) -> None:
        """Gives gradients memory; those that are not needed at the same time share it."""
        free: list[tuple[int, np.ndarray]] = []  # (step after which it is free, memory)
        for buffer in sorted(self._gradients, key=lambda b: b.first):
            if buffer.first < 0:
                buffer.first = buffer.last = 0
            size = self.batch * buffer.height * buffer.width * buffer.channels
            shape = (self.batch, buffer.height, buffer.width, buffer.channels)
            fits = [
                (len(m), n)
                for n, (until, m) in enumerate(free)
                if until < buffer.first and size <= len(m) <= 4 * size
            ]
            if buffer.zeroed or not fits:
                memory = aligned(size)
                self.bytes += memory.nbytes
            else:
                memory = free.pop(min(fits)[1])[1]
            buffer.array = memory[:size].reshape(shape)
            if not buffer.zeroed:
                free.append((buffer.last, memory))
        for s, used in rows:
            for at, buffer in used.items():
                s[at : at + 3] = buffer.place()

    @property
    def zeroed(self) -> list[np.ndarray]:
        """Gradients that start as zeros."""
        return [b.array for b in self._gradients if b.zeroed]


def aligned(size: int) -> np.ndarray:
    """Returns float32 zeros that start at a cache line; a vector's length more than asked for."""
    raw = np.zeros(4 * size + 2 * LINE, dtype=np.uint8)
    start = -raw.ctypes.data % LINE
    return raw[start : start + 4 * size].view(np.float32)


def _window_counts(layer: Layer, shape) -> np.ndarray:
    """Returns 1 / the number of pixels in each output pixel's window, float32 (H, W), or 0."""
    inside = []
    for axis in range(2):
        start = np.arange(layer.shape[axis]) * layer.stride - layer.pad[2 * axis]
        at = start[:, None] + np.arange(layer.kernel[axis])
        inside.append(((at >= 0) & (at < shape[axis])).sum(1))
    counts = np.outer(*inside)
    return np.where(counts > 0, 1.0 / np.maximum(counts, 1), 0).astype(np.float32)

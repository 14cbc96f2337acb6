"""Where a network's steps find all that they need: memory, weights, and who writes which gradient.

`zero.nn.cpu.fusion` makes the steps. Batches lie as (N, H, W, channels padded to a multiple of 8). The
gradient of a sum is shared with those inputs that nothing else reads; gradients that are not needed
at the same time share memory.
"""

from __future__ import annotations

import numpy as np

from zero.nn.arrays import LINE, Arrays
from zero.nn.cpu import steps as k
from zero.nn.cpu.fusion import (
    Buffer,
    Fusion,
    Quantity,
    Ref,
    Step,
)
from zero.nn.cpu.simd import widest
from zero.nn.layers.record import Layer
from zero.nn.network import Network

CHUNKS = 8  # parts of a batch that threads take and that sums are made of, whatever the threads


class Plan(Fusion):
    """See the module's docstring.

    Attributes:
        forward, backward: int64 (steps, FIELDS).
        memory: bytes that each thread needs.
        activations: bytes of all values and their gradients.
        norms: float32 (NORM_ROWS, channels of all batch normalisations).
        factors: float32 (drop paths, batch).
    """

    def __init__(self, network: Network, batch: int, arrays: Arrays):
        super().__init__(network, batch, arrays)
        self._constants: list[np.ndarray] = []
        self._plan_norms()
        self._allocate_forward()
        self._plan_backward()

    # --- memory ---------------------------------------------------------------------------------

    def _constant(self, array: np.ndarray) -> int:
        """Keeps an array and returns its address."""
        array = np.ascontiguousarray(array)
        self._constants.append(array)
        return array.ctypes.data

    def _plan_norms(self) -> None:
        parameters, norms = self.network.parameters, self.norm_channels
        nothing = sum(p.size for p in parameters)
        self.norms = self.arrays.zeros((k.NORM_ROWS, max(norms, 1)))
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
        # Where each parameter's gradient comes from: (packed sums, k.N_D_GAMMA, k.N_D_BETA, biases, 0).
        sizes = [self.gradients, max(norms, 1), max(norms, 1)]
        starts = np.concatenate([[0], np.cumsum(sizes)])
        self.bias_start = int(starts[3])
        self.sources = self.bias_start + sum(parameters[n].size for _, n in self.biases) + 1
        self.gradient_index = index = self.arrays.zeros(nothing, np.int64)
        self.pack_index = self.arrays.zeros(self.packed, np.int64)
        if not self.arrays.real:
            return
        index[:] = self.sources - 1
        self.pack_index[:] = nothing
        for packing in self.packings:
            p = parameters[packing.number]
            dense, back, places = packing.indices(p.start, nothing)
            self.pack_index[packing.at : packing.at + len(dense)] = dense
            self.pack_index[packing.back : packing.back + len(back)] = back
            index[p.start : p.start + p.size] = packing.gradient + places
        for layer, _ in self.norm_layers:
            for role, start in (("gamma", starts[1]), ("beta", starts[2])):
                p = parameters[self.parameters_of[layer][role]]
                index[p.start : p.start + p.size] = start + self.norm_places[layer]
        at = self.bias_start
        for _, number in self.biases:
            p = parameters[number]
            index[p.start : p.start + p.size] = np.arange(at, at + p.size)
            at += p.size

    def _allocate_forward(self) -> None:
        zeros = self.arrays.zeros
        self.weights = zeros(max(self.packed, 1))
        self.weight_gradients = zeros((CHUNKS, max(self.gradients, 16)))
        self.sums = zeros((CHUNKS, 2 * max(self.norm_channels, 1)), np.float64)
        self.factors = self.arrays.full((max(len(self.factor_layers), 1), self.batch), 1)
        self.one_offset = self._constant(np.zeros(1, dtype=np.int64))
        self.activations = 0
        for quantity in self.quantities:
            buffer = quantity.buffer
            if buffer.parent is None:
                self._give_memory(buffer)

    def _give_memory(self, buffer: Buffer) -> None:
        shape = (self.batch, buffer.height, buffer.width, buffer.channels)
        buffer.array = self.arrays.zeros(shape)
        self.activations += buffer.array.nbytes

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
                self._other(i, ref)
                sizes.append(ref.quantity.buffer.channels)
        elif step.inputs:
            ref = step.inputs[0]
            x = ref.quantity.buffer
            s[k.X], s[k.X_IMAGE], s[k.X_PIXEL] = x.place()
            s[k.X_HEIGHT], s[k.X_WIDTH], s[k.X_CHANNELS] = x.height, x.width, x.channels
            s[k.SCALE], s[k.SHIFT], s[k.RELU], s[k.FACTOR] = self._load(ref)
            sizes.append(x.channels)
            self._geometry(step, s)
            if step.kind == k.CHANNEL_FACTORS:
                self._other(s[k.FIRST_INPUT :], step.inputs[1])
        if step.stats is not None:
            self._sums(s, step.stats)
        s[k.VECTOR] = self._vector(*sizes)
        return s

    def _other(self, i: np.ndarray, ref: Ref) -> None:
        """Fills in an input that has fields of its own."""
        i[k.I_X], i[k.I_IMAGE], i[k.I_PIXEL] = ref.quantity.buffer.place()
        i[k.I_SCALE], i[k.I_SHIFT], i[k.I_RELU], i[k.I_FACTOR] = self._load(ref)

    def _load(self, ref: Ref) -> tuple[int, int, int, int]:
        """Returns (scale, shift, relu, factor) of a load."""
        scale = shift = factor = 0
        if ref.quantity.norm >= 0:
            scale, shift = (self._norm(row, ref.quantity) for row in (k.N_SCALE, k.N_SHIFT))
        if ref.factor >= 0:
            factor = self.factors.ctypes.data + ref.factor * self.factors.strides[0]
        return scale, shift, ref.relu, factor

    def _norm(self, row: int, quantity: Quantity) -> int:
        return self.norms.ctypes.data + row * self.norms.strides[0] + 4 * quantity.norm

    def _sums(self, s: np.ndarray, norm: Quantity) -> None:
        s[k.SUMS] = self.sums.ctypes.data + 16 * norm.norm
        s[k.SUMS_CHUNK] = self.sums.strides[0]
        s[k.MEAN_OF] = self._norm(k.N_MEAN, norm)
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
                e_size = self._gather_geometry(
                    s, window, step.depthwise, reach_y, reach_x, e_channels
                )
                if step.kind == k.POOL and s[k.MODE] == k.AVERAGE:
                    s[k.DEPTHWISE] = self._constant(np.ones(channels, dtype=np.float32))
                elif step.kind == k.POOL:
                    e_size = u_height * u_width * channels
        if step.weights:
            s[k.CHUNK] = self.weight_gradients.strides[0]
            weights, gradients = self.weights.ctypes.data, self.weight_gradients.ctypes.data
            for name, where, place in (
                ("depthwise", k.DEPTHWISE, weights),
                ("depthwise back", k.DEPTHWISE_BACK, weights),
                ("dense", k.WEIGHT, weights),
                ("bias", k.WEIGHT, weights),
                ("back", k.WEIGHT_BACK, weights),
                ("depthwise gradient", k.DEPTHWISE_GRADIENT, gradients),
                ("dense gradient", k.GRADIENT, gradients),
                ("bias gradient", k.GRADIENT, gradients),
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

    def _gather_geometry(self, s, window: Layer, depthwise, reach_y, reach_x, channels) -> int:
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
        back = (y * e_width + x) * window.dilation * 4 * channels
        if depthwise is None:
            back = back[::-1]  # with the weights as they are; those of a depthwise one are reversed
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
        made = {id(step.output) for step in self.steps if step.kind != k.NORM}
        for step in reversed(self.steps):
            values, now = step.output, len(rows)
            if step.kind == k.NORM and id(values) in made:
                continue  # with the step that makes the values
            fused = step.kind not in (k.ADD, k.NORM, -1)
            alone = fused and len(values.norms) == 1 and values.readers == 0
            norms = [step.stats] if step.kind == k.NORM else values.norms
            for norm in norms:
                if norm.gradient is None:
                    continue
                s, used = self._norm_row(values.buffer, norm, len(rows))
                rows.append((s, used))
                memory = max(memory, 8 * values.buffer.channels + LINE)
                if not alone and step.kind != k.NORM:
                    rows.append(self._spread(s, values, norm, len(rows)))
                    size = values.buffer.height * values.buffer.width * values.buffer.channels
                    memory = max(memory, 4 * size)
            if step.kind == k.NORM:
                continue
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
            if all(ref.quantity is self.input for ref in step.inputs) and not step.weights:
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
                if step.kind == k.CHANNEL_FACTORS and step.inputs[1].quantity is not self.input:
                    at, quantity = k.FIRST_INPUT, step.inputs[1].quantity
                    s[at + k.I_G_ADD] = self._write(quantity, now)
                    used[at + k.I_G] = quantity.gradient
            rows.append((s, used))
        self._place_gradients(rows)
        self.memory = memory + LINE
        self.forward = np.array([forward[id(s)] for s in self.steps if s.kind >= 0])
        self.backward = np.array([s for s, _ in rows]).reshape(-1, k.FIELDS)

    def _norm_row(self, buffer: Buffer, norm: Quantity, now: int):
        """Returns a NORM of the backward run, and the gradients that it uses."""
        s = np.zeros(k.FIELDS, dtype=np.int64)
        s[k.KIND], s[k.VECTOR] = k.NORM, self._vector(buffer.channels)
        s[k.Y], s[k.Y_IMAGE], s[k.Y_PIXEL] = buffer.place()
        s[k.Y_HEIGHT], s[k.Y_WIDTH], s[k.Y_CHANNELS] = buffer.height, buffer.width, buffer.channels
        self._sums(s, norm)
        return s, self._result(s, norm, now)

    def _spread(self, norm_row: np.ndarray, values: Quantity, norm: Quantity, now: int):
        """Returns a SPREAD, and the gradients that it uses."""
        s = norm_row.copy()
        s[k.KIND] = k.SPREAD
        self._through(s, norm)
        used = self._result(s, norm, now)
        s[k.G_ADD] = self._write(values, now)
        return s, used | {k.G: values.gradient}

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
        s[k.COEFFICIENTS] = self._norm(k.N_FACTOR_D, norm)
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
                memory = self.arrays.zeros(size)
                self.activations += memory.nbytes
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

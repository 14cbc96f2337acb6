"""What the steps of a plan do, forward and backward, for one image at a time, compiled.

`make_kernels(width)` returns the functions for channels in vectors of `width` float32. Images are
channels-last, their channels padded with zeros to whole vectors. What a step works on lies in its
thread's own memory, one image at a time, small enough for the core's cache; what a forward step
computed there is computed anew for its gradient.
"""

from __future__ import annotations

from functools import cache
from types import SimpleNamespace

import numpy as np

from zero.jit.decorators import jit
from zero.nn.cpu.curves import make_curves
from zero.nn.cpu.loads import (
    INFINITY,
    NONE,
    ONCE,
    ONE,
    ZERO,
    make_loads,
)
from zero.nn.cpu.products import make_products
from zero.nn.cpu.simd import (
    make_simd,
    read_float,
    read_word,
    write_float,
)
from zero.nn.cpu.steps import (
    ADD,
    AT_D,
    AT_E,
    AT_U,
    AT_V,
    AVERAGE,
    CHANNEL_FACTORS,
    CHUNK,
    CONV,
    COUNTS,
    CURVE,
    D_FACTOR,
    D_IMAGE,
    D_PIXEL,
    DEPTHWISE,
    DEPTHWISE_BACK,
    DEPTHWISE_GRADIENT,
    DILATION,
    E_FIRST,
    E_HEIGHT,
    E_LEFT,
    E_TOP,
    E_WIDTH,
    FIRST_INPUT,
    G_ADD,
    G_IMAGE,
    G_PIXEL,
    GATHER,
    GRADIENT,
    I_FACTOR,
    I_G,
    I_G_ADD,
    I_G_IMAGE,
    I_G_PIXEL,
    I_IMAGE,
    I_PIXEL,
    I_RELU,
    I_SAME,
    I_SCALE,
    I_SHIFT,
    I_X,
    INPUT_FIELDS,
    INPUTS,
    KIND,
    LEFT,
    MASK,
    MAX,
    MEAN,
    MODE,
    NORM,
    OFFSETS,
    OFFSETS_BACK,
    ONE_OFFSET,
    PIXELS,
    POOL,
    SPREAD,
    STRIDE,
    SUMS,
    TAPS,
    TAPS_X,
    TAPS_Y,
    TOP,
    U_HEIGHT,
    U_WIDTH,
    USED,
    WEIGHT,
    WEIGHT_BACK,
    X_CHANNELS,
    X_HEIGHT,
    X_WIDTH,
    Y_CHANNELS,
    Y_HEIGHT,
    Y_IMAGE,
    Y_PIXEL,
    Y_WIDTH,
    D,
    G,
    Y,
)


@cache
def make_kernels(width: int) -> SimpleNamespace:
    """Returns `forward` and `backward`: (step, image, chunk, thread's memory, train) -> None."""
    simd = make_simd(width)
    load, store, splat, fma = simd.load, simd.store, simd.splat, simd.fma
    add, multiply, subtract = simd.add, simd.multiply, simd.subtract
    maximum, minimum, if_equal = simd.maximum, simd.minimum, simd.if_equal
    products, loads = make_products(width), make_loads(width)
    fill, matmul, outer = products.fill, products.matmul, products.outer
    windows, windows_gradient = products.windows, products.windows_gradient
    scale_of, factor_of, bounds = loads.scale_of, loads.factor_of, loads.bounds
    load_image, load_gradient = loads.load_image, loads.load_gradient
    accumulate, accumulate_image = loads.accumulate, loads.accumulate_image
    accumulate_sampled = loads.accumulate_sampled
    curves = make_curves(width)
    forward_curve, backward_curve = curves.forward_curve, curves.backward_curve
    forward_channels, backward_channels = curves.forward_channels, curves.backward_channels
    sum_values, sum_gradients = loads.sum_values, loads.sum_gradients
    wide = 4 * width

    @jit
    def forward_conv(s, image, chunk, memory, train):
        u, d = memory + s[AT_U], memory + s[AT_D]
        y = s[Y] + image * s[Y_IMAGE]
        pixel = 4 * s[X_CHANNELS]
        load_image(s, image, u, ZERO)
        stride, u_row = s[STRIDE], s[U_WIDTH] * pixel
        taps, rows = s[TAPS], s[Y_HEIGHT] * s[Y_WIDTH]
        if s[DEPTHWISE] != 0:
            to, to_pixel = (d, pixel) if taps else (y, s[Y_PIXEL])
            windows(u, pixel, u_row, stride, s[DILATION], s[OFFSETS], s[TAPS_Y], s[TAPS_X],
                    s[DEPTHWISE], pixel, to, to_pixel, s[Y_HEIGHT], s[Y_WIDTH],
                    s[X_CHANNELS])  # fmt: skip
            if taps:
                matmul(d, pixel, s[ONE_OFFSET], ONCE, s[USED], s[WEIGHT], y, s[Y_PIXEL], rows,
                       s[Y_CHANNELS])  # fmt: skip
        elif taps == 1:
            matmul(u, pixel, s[ONE_OFFSET], ONCE, s[USED], s[WEIGHT], y, s[Y_PIXEL], rows,
                   s[Y_CHANNELS])  # fmt: skip
        else:
            for row in range(s[Y_HEIGHT]):
                matmul(u + row * stride * u_row, stride * pixel, s[OFFSETS], taps, s[USED],
                       s[WEIGHT], y + row * s[Y_WIDTH] * s[Y_PIXEL], s[Y_PIXEL], s[Y_WIDTH],
                       s[Y_CHANNELS])  # fmt: skip
        if train and s[SUMS] != 0:
            sum_values(s, image, chunk, u)

    @jit
    def clear_around(s, e, pixel):
        """Writes zeros around the result's gradients, and between them if the stride is not 1."""
        row, first, height, columns = s[E_WIDTH] * pixel, s[E_TOP], s[Y_HEIGHT], s[Y_WIDTH]
        if s[STRIDE] > 1:
            fill(e, s[E_HEIGHT] * row, ZERO)
            return
        left, right = s[E_LEFT] * pixel, (s[E_LEFT] + columns) * pixel
        fill(e, first * row, ZERO)
        for y in range(first, first + height):
            fill(e + y * row, left, ZERO)
            fill(e + y * row + right, row - right, ZERO)
        fill(e + (first + height) * row, (s[E_HEIGHT] - first - height) * row, ZERO)

    @jit
    def backward_conv(s, image, chunk, memory):
        u, d, e, v = memory + s[AT_U], memory + s[AT_D], memory + s[AT_E], memory + s[AT_V]
        channels, out_channels = s[X_CHANNELS], s[Y_CHANNELS]
        pixel, out_pixel = 4 * channels, 4 * out_channels
        stride, u_row, taps = s[STRIDE], s[U_WIDTH] * pixel, s[TAPS]
        rows = s[Y_HEIGHT] * s[Y_WIDTH]
        gradient = s[GRADIENT] + chunk * s[CHUNK]
        load_image(s, image, u, ZERO)
        if s[DEPTHWISE] == 0 and taps == 1:
            load_gradient(s, image, e, out_pixel, s[Y_WIDTH] * out_pixel)
            outer(u, pixel, s[ONE_OFFSET], rows, e, out_pixel, gradient, channels, out_channels)
            if s[G] != 0:
                matmul(e, out_pixel, s[ONE_OFFSET], ONCE, out_channels, s[WEIGHT_BACK], v, pixel, rows,
                       channels)  # fmt: skip
                accumulate_sampled(s, image, v)
            return
        # e: gradients laid out so that each loaded pixel gathers from it.
        e_pixel = pixel if s[DEPTHWISE] != 0 else out_pixel
        e_row = s[E_WIDTH] * e_pixel
        first_e = e + s[E_TOP] * e_row + s[E_LEFT] * e_pixel
        clear_around(s, e, e_pixel)
        if s[DEPTHWISE] == 0:
            load_gradient(s, image, first_e, stride * e_pixel, stride * e_row)
            for tap in range(taps):
                shift = read_word(s[OFFSETS] + 8 * tap)
                for row in range(s[Y_HEIGHT]):
                    outer(u + shift + row * stride * u_row, stride * pixel, s[ONE_OFFSET],
                          s[Y_WIDTH], first_e + row * stride * e_row, stride * e_pixel,
                          gradient + tap * channels * out_pixel, channels, out_channels)  # fmt: skip
            if s[G] != 0:
                for row in range(s[X_HEIGHT]):
                    matmul(e + s[E_FIRST] + row * e_row, e_pixel, s[OFFSETS_BACK], taps,
                           out_channels, s[WEIGHT_BACK], v + row * s[X_WIDTH] * pixel, pixel,
                           s[X_WIDTH], channels)  # fmt: skip
                accumulate_image(s, image, v, pixel, s[X_WIDTH] * pixel, ONE)
            return
        if taps:
            # v: first the gradient of the result, and at last that of the loaded pixels.
            load_gradient(s, image, v, out_pixel, s[Y_WIDTH] * out_pixel)
            windows(u, pixel, u_row, stride, s[DILATION], s[OFFSETS], s[TAPS_Y], s[TAPS_X],
                    s[DEPTHWISE], pixel, d, pixel, s[Y_HEIGHT], s[Y_WIDTH], channels)  # fmt: skip
            outer(d, pixel, s[ONE_OFFSET], rows, v, out_pixel, gradient, channels, out_channels)
            for row in range(s[Y_HEIGHT]):
                matmul(v + row * s[Y_WIDTH] * out_pixel, out_pixel, s[ONE_OFFSET], ONCE, out_channels,
                       s[WEIGHT_BACK], first_e + row * stride * e_row, stride * e_pixel,
                       s[Y_WIDTH], channels)  # fmt: skip
        else:
            load_gradient(s, image, first_e, stride * e_pixel, stride * e_row)
        windows_gradient(u, pixel, u_row, stride, s[DILATION], s[TAPS_Y], s[TAPS_X], first_e,
                         stride * e_pixel, stride * e_row, s[Y_HEIGHT], s[Y_WIDTH],
                         s[DEPTHWISE_GRADIENT] + chunk * s[CHUNK], channels)  # fmt: skip
        if s[G] != 0:
            windows(e + s[E_FIRST], pixel, e_row, ONCE, s[DILATION], s[OFFSETS_BACK], s[TAPS_Y],
                    s[TAPS_X], s[DEPTHWISE_BACK], pixel, v, pixel, s[X_HEIGHT], s[X_WIDTH],
                    channels)  # fmt: skip
            accumulate_image(s, image, v, pixel, s[X_WIDTH] * pixel, ONE)

    @jit
    def times_parts(s, values, pixel, row):
        """Multiplies each pixel of the result with its 1 / pixels in its window (COUNTS)."""
        for y in range(s[Y_HEIGHT]):
            for x in range(s[Y_WIDTH]):
                part = splat(read_float(s[COUNTS] + 4 * (y * s[Y_WIDTH] + x)))
                at = values + y * row + x * pixel
                for to in range(at, at + 4 * s[X_CHANNELS], wide):
                    store(to, multiply(load(to), part))

    @jit
    def forward_average(s, image, memory):
        """Sums are a depthwise convolution whose weights are 1."""
        u, y = memory + s[AT_U], s[Y] + image * s[Y_IMAGE]
        load_image(s, image, u, ZERO)
        pixel = 4 * s[X_CHANNELS]
        windows(u, pixel, s[U_WIDTH] * pixel, s[STRIDE], ONCE, s[OFFSETS], s[TAPS_Y], s[TAPS_X],
                s[DEPTHWISE], NONE, y, s[Y_PIXEL], s[Y_HEIGHT], s[Y_WIDTH],
                s[X_CHANNELS])  # fmt: skip
        times_parts(s, y, s[Y_PIXEL], s[Y_WIDTH] * s[Y_PIXEL])

    @jit
    def backward_average(s, image, memory):
        e, v = memory + s[AT_E], memory + s[AT_V]
        pixel, stride = 4 * s[X_CHANNELS], s[STRIDE]
        row = s[E_WIDTH] * pixel
        first = e + s[E_TOP] * row + s[E_LEFT] * pixel
        clear_around(s, e, pixel)
        load_gradient(s, image, first, stride * pixel, stride * row)
        times_parts(s, first, stride * pixel, stride * row)
        windows(e + s[E_FIRST], pixel, row, ONCE, ONCE, s[OFFSETS_BACK], s[TAPS_Y], s[TAPS_X],
                s[DEPTHWISE], NONE, v, pixel, s[X_HEIGHT], s[X_WIDTH], s[X_CHANNELS])  # fmt: skip
        accumulate_image(s, image, v, pixel, s[X_WIDTH] * pixel, ONE)

    @jit
    def forward_extreme(s, image, memory):
        """Largest or smallest values."""
        u, y = memory + s[AT_U], s[Y] + image * s[Y_IMAGE]
        largest, taps, stride = s[MODE] == MAX, s[TAPS_Y] * s[TAPS_X], s[STRIDE]
        load_image(s, image, u, -INFINITY if largest else INFINITY)
        pixel = 4 * s[X_CHANNELS]
        for row in range(s[Y_HEIGHT]):
            for x in range(s[Y_WIDTH]):
                start = u + (row * s[U_WIDTH] + x) * stride * pixel
                p = row * s[Y_WIDTH] + x
                alone = read_float(s[COUNTS] + 4 * p) == ZERO  # nothing but padding
                for channel in range(0, pixel, wide):
                    value = load(start + channel + read_word(s[OFFSETS]))
                    for tap in range(1, taps):
                        other = load(start + channel + read_word(s[OFFSETS] + 8 * tap))
                        value = maximum(value, other) if largest else minimum(value, other)
                    store(y + p * s[Y_PIXEL] + channel, splat(ZERO) if alone else value)

    @jit
    def backward_extreme(s, image, memory):
        """All of a pixel's gradient goes to the first largest (smallest) value of its window."""
        u, e, v = memory + s[AT_U], memory + s[AT_E], memory + s[AT_V]
        taps, stride, pixel = s[TAPS_Y] * s[TAPS_X], s[STRIDE], 4 * s[X_CHANNELS]
        load_gradient(s, image, v, pixel, s[Y_WIDTH] * pixel)
        load_image(s, image, u, -INFINITY if s[MODE] == MAX else INFINITY)
        y = s[Y] + image * s[Y_IMAGE]
        fill(e, s[U_HEIGHT] * s[U_WIDTH] * pixel, ZERO)
        for row in range(s[Y_HEIGHT]):
            for x in range(s[Y_WIDTH]):
                start = (row * s[U_WIDTH] + x) * stride * pixel
                p = row * s[Y_WIDTH] + x
                for channel in range(0, pixel, wide):
                    rest = load(v + p * pixel + channel)
                    result = load(y + p * s[Y_PIXEL] + channel)
                    for tap in range(taps):
                        at = start + channel + read_word(s[OFFSETS] + 8 * tap)
                        part = if_equal(load(u + at), result, rest)
                        store(e + at, add(load(e + at), part))
                        rest = subtract(rest, part)
        first = e - (s[TOP] * s[U_WIDTH] + s[LEFT]) * pixel
        accumulate_image(s, image, first, pixel, s[U_WIDTH] * pixel, ONE)

    @jit
    def forward_add(s, image):
        y = s[Y] + image * s[Y_IMAGE]
        pixels = s[Y_HEIGHT] * s[Y_WIDTH]
        for k in range(s[INPUTS]):
            i = s[FIRST_INPUT + k * INPUT_FIELDS : FIRST_INPUT + (k + 1) * INPUT_FIELDS]
            x = i[I_X] + image * i[I_IMAGE]
            factor = factor_of(i[I_FACTOR], image)
            floor, ceiling = bounds(i[I_RELU], factor)
            for channel in range(0, 4 * s[Y_CHANNELS], wide):
                scale, shift = scale_of(i[I_SCALE], i[I_SHIFT], channel, factor)
                at, to = x + channel, y + channel
                if k:
                    for _ in range(pixels):
                        value = minimum(maximum(fma(load(at), scale, shift), floor), ceiling)
                        store(to, add(load(to), value))
                        at, to = at + i[I_PIXEL], to + s[Y_PIXEL]
                else:
                    for _ in range(pixels):
                        value = maximum(fma(load(at), scale, shift), floor)
                        store(to, minimum(value, ceiling))
                        at, to = at + i[I_PIXEL], to + s[Y_PIXEL]

    @jit
    def backward_add(s, image):
        d = s[D] + image * s[D_IMAGE]
        own = factor_of(s[D_FACTOR], image)
        for k in range(s[INPUTS]):
            i = s[FIRST_INPUT + k * INPUT_FIELDS : FIRST_INPUT + (k + 1) * INPUT_FIELDS]
            if i[I_SAME] or i[I_G] == 0:
                continue
            accumulate(d, s[D_PIXEL], NONE, own * factor_of(i[I_FACTOR], image),
                       i[I_X] + image * i[I_IMAGE], i[I_PIXEL], NONE, i[I_SCALE], i[I_SHIFT],
                       i[I_RELU], i[I_G] + image * i[I_G_IMAGE], i[I_G_PIXEL], NONE, i[I_G_ADD], ONCE,
                       s[Y_HEIGHT] * s[Y_WIDTH], s[Y_CHANNELS])  # fmt: skip

    @jit
    def forward_mean(s, image, memory):
        u, y = memory + s[AT_U], s[Y] + image * s[Y_IMAGE]
        load_image(s, image, u, ZERO)
        pixels, pixel = s[X_HEIGHT] * s[X_WIDTH], 4 * s[X_CHANNELS]
        part = splat(np.float32(1.0 / pixels))
        for channel in range(0, pixel, wide):
            total = splat(ZERO)
            for p in range(pixels):
                total = add(total, load(u + p * pixel + channel))
            store(y + channel, multiply(total, part))

    @jit
    def backward_mean(s, image, memory):
        v = memory + s[AT_V]
        load_gradient(s, image, v, NONE, NONE)
        part = np.float32(1.0 / (s[X_HEIGHT] * s[X_WIDTH]))
        accumulate_image(s, image, v, NONE, NONE, part)

    @jit
    def times_mask(s, image, values):
        """Multiplies values with the image's part of the mask."""
        mask = s[COUNTS] + image * s[PIXELS] * 4 * s[X_CHANNELS]
        for at in range(0, s[PIXELS] * 4 * s[X_CHANNELS], wide):
            store(values + at, multiply(load(values + at), load(mask + at)))

    @jit
    def forward_mask(s, image, memory, train):
        y = s[Y] + image * s[Y_IMAGE]
        load_image(s, image, y, ZERO)
        if train:
            times_mask(s, image, y)

    @jit
    def backward_mask(s, image, memory):
        v = memory + s[AT_V]
        pixel = 4 * s[X_CHANNELS]
        load_gradient(s, image, v, pixel, s[X_WIDTH] * pixel)
        times_mask(s, image, v)
        accumulate_image(s, image, v, pixel, s[X_WIDTH] * pixel, ONE)

    @jit
    def forward_gather(s, image, memory):
        u, y = memory + s[AT_U], s[Y] + image * s[Y_IMAGE]
        load_image(s, image, u, ZERO)
        for p in range(s[Y_HEIGHT] * s[Y_WIDTH]):
            for k in range(s[Y_CHANNELS]):
                source = read_word(s[COUNTS] + 8 * k)
                value = ZERO if source < 0 else read_float(u + 4 * (p * s[X_CHANNELS] + source))
                write_float(y + p * s[Y_PIXEL] + 4 * k, value)

    @jit
    def backward_gather(s, image, memory):
        e, v = memory + s[AT_E], memory + s[AT_V]
        load_gradient(s, image, e, 4 * s[Y_CHANNELS], s[Y_WIDTH] * 4 * s[Y_CHANNELS])
        pixel = 4 * s[X_CHANNELS]
        fill(v, s[X_HEIGHT] * s[X_WIDTH] * pixel, ZERO)
        for p in range(s[Y_HEIGHT] * s[Y_WIDTH]):
            for k in range(s[Y_CHANNELS]):
                source = read_word(s[COUNTS] + 8 * k)
                if source >= 0:
                    value = read_float(e + 4 * (p * s[Y_CHANNELS] + k))
                    write_float(v + 4 * (p * s[X_CHANNELS] + source), value)
        accumulate_image(s, image, v, pixel, s[X_WIDTH] * pixel, ONE)

    @jit
    def backward_spread(s, image, memory):
        """Y, D: input and gradient of a batch normalisation; G: gradient of its input."""
        v = memory + s[AT_V]
        pixel = 4 * s[Y_CHANNELS]
        load_gradient(s, image, v, pixel, s[Y_WIDTH] * pixel)
        accumulate(v, pixel, NONE, ONE, NONE, NONE, NONE, NONE, NONE, NONE,
                   s[G] + image * s[G_IMAGE], s[G_PIXEL], NONE, s[G_ADD], ONCE,
                   s[Y_HEIGHT] * s[Y_WIDTH], s[Y_CHANNELS])  # fmt: skip

    @jit
    def forward(s, image, chunk, memory, train):
        kind = s[KIND]
        if kind == CONV:
            forward_conv(s, image, chunk, memory, train)
        elif kind == POOL and s[MODE] == AVERAGE:
            forward_average(s, image, memory)
        elif kind == POOL:
            forward_extreme(s, image, memory)
        elif kind == ADD:
            forward_add(s, image)
        elif kind == MEAN:
            forward_mean(s, image, memory)
        elif kind == MASK:
            forward_mask(s, image, memory, train)
        elif kind == GATHER:
            forward_gather(s, image, memory)
        elif kind == CURVE:
            forward_curve(s, image, memory)
        elif kind == CHANNEL_FACTORS:
            forward_channels(s, image, memory)
        elif kind == NORM and train:
            sum_values(s, image, chunk, memory)

    @jit
    def backward(s, image, chunk, memory):
        kind = s[KIND]
        if kind == CONV:
            backward_conv(s, image, chunk, memory)
        elif kind == POOL and s[MODE] == AVERAGE:
            backward_average(s, image, memory)
        elif kind == POOL:
            backward_extreme(s, image, memory)
        elif kind == ADD:
            backward_add(s, image)
        elif kind == MEAN:
            backward_mean(s, image, memory)
        elif kind == MASK:
            backward_mask(s, image, memory)
        elif kind == GATHER:
            backward_gather(s, image, memory)
        elif kind == NORM:
            sum_gradients(s, image, chunk, memory)
        elif kind == CURVE:
            backward_curve(s, image, chunk, memory)
        elif kind == CHANNEL_FACTORS:
            backward_channels(s, image, memory)
        elif kind == SPREAD:
            backward_spread(s, image, memory)

    return SimpleNamespace(forward=forward, backward=backward)

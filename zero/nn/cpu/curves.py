"""Steps over all values: sigmoids and their like, a bias, an image's channels times their factors.

Compiled; see `zero.nn.cpu.kernels`. Nothing is fused: values go through memory by themselves, so
each costs about as much as a 3x3 depthwise convolution, or half a 1x1 convolution of 64 channels to 64.
"""

from __future__ import annotations

from functools import cache
from types import SimpleNamespace

import numpy as np

from zero.jit.decorators import jit
from zero.nn.cpu.loads import NONE, ONCE, ONE, ZERO, make_loads
from zero.nn.cpu.simd import make_simd
from zero.nn.cpu.steps import (
    AT_E,
    AT_U,
    AT_V,
    CHUNK,
    FIRST_INPUT,
    GRADIENT,
    HARD_SIGMOID,
    HARD_SWISH,
    I_FACTOR,
    I_G,
    I_G_ADD,
    I_G_IMAGE,
    I_IMAGE,
    I_RELU,
    I_SCALE,
    I_SHIFT,
    I_X,
    MODE,
    PIXELS,
    SIGMOID,
    SWISH,
    WEIGHT,
    X_CHANNELS,
    X_WIDTH,
    Y_IMAGE,
    Y_PIXEL,
    G,
    Y,
)

HALF, THREE, SIXTH = np.float32(0.5), np.float32(3), np.float32(1 / 6)


@cache
def make_curves(width: int) -> SimpleNamespace:
    """Returns the steps for channels in vectors of `width` float32, each forward and backward."""
    simd, loads = make_simd(width), make_loads(width)
    load, store, splat, fma = simd.load, simd.store, simd.splat, simd.fma
    add, multiply, subtract = simd.add, simd.multiply, simd.subtract
    maximum, minimum, positive, sigmoid = simd.maximum, simd.minimum, simd.positive, simd.sigmoid
    scale_of, factor_of, bounds = loads.scale_of, loads.factor_of, loads.bounds
    load_image, load_gradient = loads.load_image, loads.load_gradient
    accumulate, accumulate_image = loads.accumulate, loads.accumulate_image
    wide = 4 * width

    @jit
    def hard(v):
        value = fma(v, splat(SIXTH), splat(HALF))
        return minimum(maximum(value, splat(ZERO)), splat(ONE))

    @jit
    def hard_slope(v):
        inside = positive(add(v, splat(THREE)), splat(SIXTH))
        return positive(subtract(splat(THREE), v), inside)

    @jit
    def curve(mode, v):
        if mode == SIGMOID:
            return sigmoid(v)
        if mode == HARD_SIGMOID:
            return hard(v)
        if mode == SWISH:
            return multiply(v, sigmoid(v))
        if mode == HARD_SWISH:
            return multiply(v, hard(v))
        return v

    @jit
    def slope(mode, v):
        if mode == SIGMOID or mode == SWISH:
            s = sigmoid(v)
            of_s = multiply(s, subtract(splat(ONE), s))
            return of_s if mode == SIGMOID else fma(v, of_s, s)
        if mode == HARD_SIGMOID:
            return hard_slope(v)
        if mode == HARD_SWISH:
            return fma(v, hard_slope(v), hard(v))
        return splat(ONE)

    @jit
    def bias_of(s, channel):
        return load(s[WEIGHT] + channel) if s[WEIGHT] != 0 else splat(ZERO)

    @jit
    def forward_curve(s, image, memory):
        """Channels of padding get the curve's value at 0, which no weight reads."""
        u, y = memory + s[AT_U], s[Y] + image * s[Y_IMAGE]
        load_image(s, image, u, ZERO)
        pixel = 4 * s[X_CHANNELS]
        for channel in range(0, pixel, wide):
            bias, at, to = bias_of(s, channel), u + channel, y + channel
            for _ in range(s[PIXELS]):
                store(to, curve(s[MODE], add(load(at), bias)))
                at, to = at + pixel, to + s[Y_PIXEL]

    @jit
    def backward_curve(s, image, chunk, memory):
        u, v = memory + s[AT_U], memory + s[AT_V]
        pixel = 4 * s[X_CHANNELS]
        load_image(s, image, u, ZERO)
        load_gradient(s, image, v, pixel, s[X_WIDTH] * pixel)
        for channel in range(0, pixel, wide):
            bias, total, at = bias_of(s, channel), splat(ZERO), channel
            for _ in range(s[PIXELS]):
                value = multiply(load(v + at), slope(s[MODE], add(load(u + at), bias)))
                store(v + at, value)
                total = add(total, value)
                at += pixel
            if s[WEIGHT] != 0:
                to = s[GRADIENT] + chunk * s[CHUNK] + channel
                store(to, add(load(to), total))
        if s[G] != 0:
            accumulate_image(s, image, v, pixel, s[X_WIDTH] * pixel, ONE)

    @jit
    def factors_at(i, image, channel):
        """Returns the factors of an image's channels, as loaded."""
        drop = factor_of(i[I_FACTOR], image)
        scale, shift = scale_of(i[I_SCALE], i[I_SHIFT], channel, drop)
        floor, ceiling = bounds(i[I_RELU], drop)
        value = fma(load(i[I_X] + image * i[I_IMAGE] + channel), scale, shift)
        return minimum(maximum(value, floor), ceiling)

    @jit
    def forward_channels(s, image, memory):
        u, y = memory + s[AT_U], s[Y] + image * s[Y_IMAGE]
        i = s[FIRST_INPUT:]
        load_image(s, image, u, ZERO)
        pixel = 4 * s[X_CHANNELS]
        for channel in range(0, pixel, wide):
            factors, at, to = factors_at(i, image, channel), u + channel, y + channel
            for _ in range(s[PIXELS]):
                store(to, multiply(load(at), factors))
                at, to = at + pixel, to + s[Y_PIXEL]

    @jit
    def backward_channels(s, image, memory):
        """A factor's gradient is the sum over pixels of gradient times value."""
        u, v, sums = memory + s[AT_U], memory + s[AT_V], memory + s[AT_E]
        i = s[FIRST_INPUT:]
        pixel = 4 * s[X_CHANNELS]
        load_image(s, image, u, ZERO)
        load_gradient(s, image, v, pixel, s[X_WIDTH] * pixel)
        for channel in range(0, pixel, wide):
            factors, total, at = factors_at(i, image, channel), splat(ZERO), channel
            for _ in range(s[PIXELS]):
                gradient = load(v + at)
                total = fma(gradient, load(u + at), total)
                store(v + at, multiply(gradient, factors))
                at += pixel
            store(sums + channel, total)
        if s[G] != 0:
            accumulate_image(s, image, v, pixel, s[X_WIDTH] * pixel, ONE)
        if i[I_G] != 0:
            accumulate(sums, NONE, NONE, factor_of(i[I_FACTOR], image),
                       i[I_X] + image * i[I_IMAGE], NONE, NONE, i[I_SCALE], i[I_SHIFT], i[I_RELU],
                       i[I_G] + image * i[I_G_IMAGE], NONE, NONE, i[I_G_ADD], ONCE, ONCE,
                       s[X_CHANNELS])  # fmt: skip

    return SimpleNamespace(
        forward_curve=forward_curve,
        backward_curve=backward_curve,
        forward_channels=forward_channels,
        backward_channels=backward_channels,
    )

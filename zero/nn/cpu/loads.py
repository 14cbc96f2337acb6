"""Reading images and gradients with what stands before them, and sums for batch normalisation.

Compiled. Neither a ReLU nor a batch normalisation nor drop path goes through memory by itself: see
`zero.nn.cpu.steps` for what it means to load an image.
"""

from __future__ import annotations

from functools import cache
from types import SimpleNamespace

import numpy as np

from zero.jit.decorators import jit
from zero.nn.cpu.products import make_products
from zero.nn.cpu.simd import (
    make_simd,
    read_double,
    read_float,
    write_double,
)
from zero.nn.cpu.steps import (
    A_RELU6,
    COEFFICIENT,
    COEFFICIENTS,
    D_FACTOR,
    D_IMAGE,
    D_PIXEL,
    FACTOR,
    G_ADD,
    G_IMAGE,
    G_PIXEL,
    LEFT,
    MEAN_OF,
    PIXELS,
    RELU,
    SAMPLE,
    SCALE,
    SHIFT,
    SUMS,
    SUMS_CHUNK,
    TOP,
    U_HEIGHT,
    U_WIDTH,
    X_CHANNELS,
    X_HEIGHT,
    X_IMAGE,
    X_PIXEL,
    X_WIDTH,
    Y_CHANNELS,
    Y_HEIGHT,
    Y_IMAGE,
    Y_PIXEL,
    Y_WIDTH,
    D,
    G,
    X,
    Y,
)

INFINITY = np.float32(np.inf)
ZERO, ONE, SIX = np.float32(0), np.float32(1), np.float32(6)
# For arguments: numba compiles a function anew for each number written as a literal.
NONE, ONCE = np.int64(0), np.int64(1)


@cache
def make_loads(width: int) -> SimpleNamespace:
    """Returns the functions for channels in vectors of `width` float32; see their docstrings."""
    simd = make_simd(width)
    load, store, splat, fma = simd.load, simd.store, simd.splat, simd.fma
    add, multiply, subtract = simd.add, simd.multiply, simd.subtract
    maximum, minimum, positive = simd.maximum, simd.minimum, simd.positive
    fill = make_products(width).fill
    wide = 4 * width

    @jit
    def scale_of(scale, shift, channel, factor):
        """Returns (scale, shift) of a load at a channel, times the factor."""
        f = splat(factor)
        if scale != 0:
            return multiply(load(scale + channel), f), multiply(load(shift + channel), f)
        return f, splat(ZERO)

    @jit
    def factor_of(factors, image):
        return read_float(factors + 4 * image) if factors != 0 else ONE

    @jit
    def bounds(relu, factor):
        """Returns (floor, ceiling) of a load, times the factor."""
        ceiling = SIX * factor if relu == A_RELU6 else INFINITY
        return splat(ZERO if relu else -INFINITY), splat(ceiling)

    @jit
    def load_image(s, image, to, border):
        """Writes the loaded image, U_HEIGHT x U_WIDTH pixels; `border` where there is none."""
        x = s[X] + image * s[X_IMAGE]
        factor = factor_of(s[FACTOR], image)
        channels, sample, left = s[X_CHANNELS], s[SAMPLE], s[LEFT]
        to_pixel = 4 * channels
        # Columns of the loaded image that lie within the values.
        first = min(max(0, -(left // sample)), s[U_WIDTH])
        last = max(first, min(s[U_WIDTH], (s[X_WIDTH] - 1 - left) // sample + 1))
        floor, ceiling = bounds(s[RELU], factor)
        for y in range(s[U_HEIGHT]):
            from_y = y * sample + s[TOP]
            to_row = to + y * s[U_WIDTH] * to_pixel
            if from_y < 0 or from_y >= s[X_HEIGHT]:
                fill(to_row, s[U_WIDTH] * to_pixel, border)
                continue
            fill(to_row, first * to_pixel, border)
            fill(to_row + last * to_pixel, (s[U_WIDTH] - last) * to_pixel, border)
            row = x + (from_y * s[X_WIDTH] + left) * s[X_PIXEL]
            step = sample * s[X_PIXEL]
            for channel in range(0, to_pixel, wide):
                scale, shift = scale_of(s[SCALE], s[SHIFT], channel, factor)
                at, at_to = row + first * step + channel, to_row + first * to_pixel + channel
                for _ in range(last - first):
                    value = maximum(fma(load(at), scale, shift), floor)
                    store(at_to, minimum(value, ceiling))
                    at += step
                    at_to += to_pixel

    @jit
    def accumulate(d, d_pixel, d_row, factor, x, x_pixel, x_row, scale, shift, relu, g, g_pixel,
                   g_row, adds, height, columns, channels):  # fmt: skip
        """Gradient of loaded pixels, d, to that of what was loaded, g: written or added."""
        f = splat(factor)
        for y in range(height):
            for channel in range(0, 4 * channels, wide):
                at_d, at_x, at_g = d + y * d_row + channel, x + y * x_row + channel, g + y * g_row
                at_g += channel
                if relu == A_RELU6:
                    a, b = scale_of(scale, shift, channel, ONE)
                    six = splat(SIX)
                    for _ in range(columns):
                        value = fma(load(at_x), a, b)
                        value = positive(subtract(six, value), positive(value, load(at_d)))
                        value = multiply(value, f)
                        store(at_g, add(value, load(at_g)) if adds else value)
                        at_d, at_x, at_g = at_d + d_pixel, at_x + x_pixel, at_g + g_pixel
                elif relu:
                    a, b = scale_of(scale, shift, channel, ONE)
                    if adds:
                        for _ in range(columns):
                            value = positive(fma(load(at_x), a, b), load(at_d))
                            store(at_g, fma(value, f, load(at_g)))
                            at_d, at_x, at_g = at_d + d_pixel, at_x + x_pixel, at_g + g_pixel
                    else:
                        for _ in range(columns):
                            value = positive(fma(load(at_x), a, b), load(at_d))
                            store(at_g, multiply(value, f))
                            at_d, at_x, at_g = at_d + d_pixel, at_x + x_pixel, at_g + g_pixel
                elif adds:
                    for _ in range(columns):
                        store(at_g, fma(load(at_d), f, load(at_g)))
                        at_d, at_g = at_d + d_pixel, at_g + g_pixel
                else:
                    for _ in range(columns):
                        store(at_g, multiply(load(at_d), f))
                        at_d, at_g = at_d + d_pixel, at_g + g_pixel

    @jit
    def accumulate_image(s, image, d, d_pixel, d_row, factor):
        """`accumulate` for all pixels that a step loads; d: gradient of its pixel (0, 0)."""
        x, g = s[X] + image * s[X_IMAGE], s[G] + image * s[G_IMAGE]
        accumulate(d, d_pixel, d_row, factor * factor_of(s[FACTOR], image), x, s[X_PIXEL],
                   s[X_WIDTH] * s[X_PIXEL], s[SCALE], s[SHIFT], s[RELU], g, s[G_PIXEL],
                   s[X_WIDTH] * s[G_PIXEL], s[G_ADD], s[X_HEIGHT], s[X_WIDTH],
                   s[X_CHANNELS])  # fmt: skip

    @jit
    def accumulate_sampled(s, image, d):
        """`accumulate` where a step loads single pixels; the others' gradient is 0."""
        x, g = s[X] + image * s[X_IMAGE], s[G] + image * s[G_IMAGE]
        sample, left, pixel = s[SAMPLE], s[LEFT], 4 * s[X_CHANNELS]
        if sample == 1 and s[PIXELS] == s[U_HEIGHT] * s[U_WIDTH]:
            accumulate_image(s, image, d, pixel, s[X_WIDTH] * pixel, ONE)
            return
        if not s[G_ADD]:
            for p in range(s[X_HEIGHT] * s[X_WIDTH]):
                fill(g + p * s[G_PIXEL], pixel, ZERO)
        first = min(max(0, -(left // sample)), s[U_WIDTH])
        last = max(first, min(s[U_WIDTH], (s[X_WIDTH] - 1 - left) // sample + 1))
        factor = factor_of(s[FACTOR], image)
        for y in range(s[U_HEIGHT]):
            from_y = y * sample + s[TOP]
            if from_y < 0 or from_y >= s[X_HEIGHT]:
                continue
            at = from_y * s[X_WIDTH] + first * sample + left
            accumulate(d + (y * s[U_WIDTH] + first) * pixel, pixel, NONE, factor, x + at * s[X_PIXEL],
                       sample * s[X_PIXEL], NONE, s[SCALE], s[SHIFT], s[RELU], g + at * s[G_PIXEL],
                       sample * s[G_PIXEL], NONE, ONCE, ONCE, last - first, s[X_CHANNELS])  # fmt: skip

    @jit
    def load_gradient(s, image, to, to_pixel, to_row):
        """Writes the gradient of the step's result, through a batch normalisation if there is one."""
        d = s[D] + image * s[D_IMAGE]
        y = s[Y] + image * s[Y_IMAGE]
        f = factor_of(s[D_FACTOR], image)
        coefficients, apart = s[COEFFICIENTS], s[COEFFICIENT]
        for row in range(s[Y_HEIGHT]):
            start = row * s[Y_WIDTH]
            for channel in range(0, 4 * s[Y_CHANNELS], wide):
                at_d, at_y = d + start * s[D_PIXEL] + channel, y + start * s[Y_PIXEL] + channel
                at = to + row * to_row + channel
                if coefficients != 0:
                    c = coefficients + channel
                    a, b, e = multiply(load(c), splat(f)), load(c + apart), load(c + 2 * apart)
                    for _ in range(s[Y_WIDTH]):
                        store(at, fma(load(at_d), a, fma(load(at_y), b, e)))
                        at_d, at_y, at = at_d + s[D_PIXEL], at_y + s[Y_PIXEL], at + to_pixel
                else:
                    a = splat(f)
                    for _ in range(s[Y_WIDTH]):
                        store(at, multiply(load(at_d), a))
                        at_d, at = at_d + s[D_PIXEL], at + to_pixel

    @jit
    def sum_values(s, image, chunk, temporary):
        """Adds up the result's values and their squares.

        float32 sums of one image, less its first pixel so that they stay small, then float64.
        """
        y, channels = s[Y] + image * s[Y_IMAGE], s[Y_CHANNELS]
        pixels, pixel = s[Y_HEIGHT] * s[Y_WIDTH], s[Y_PIXEL]
        for channel in range(0, 4 * channels, wide):
            at = y + channel
            center = load(at)
            first, second = splat(ZERO), splat(ZERO)
            first2, second2 = splat(ZERO), splat(ZERO)
            for _ in range(pixels // 2):
                value, other = subtract(load(at), center), subtract(load(at + pixel), center)
                first, second = add(first, value), fma(value, value, second)
                first2, second2 = add(first2, other), fma(other, other, second2)
                at += 2 * pixel
            if pixels % 2:
                value = subtract(load(at), center)
                first, second = add(first, value), fma(value, value, second)
            store(temporary + channel, add(first, first2))
            store(temporary + 4 * channels + channel, add(second, second2))
        sums = s[SUMS] + chunk * s[SUMS_CHUNK]
        for c in range(channels):
            center = np.float64(read_float(y + 4 * c))
            first = np.float64(read_float(temporary + 4 * c))
            second = np.float64(read_float(temporary + 4 * (channels + c)))
            second += center * (2 * first + pixels * center)
            write_double(sums + 8 * c, read_double(sums + 8 * c) + first + pixels * center)
            to = sums + 8 * (channels + c)
            write_double(to, read_double(to) + second)

    @jit
    def sum_gradients(s, image, chunk, temporary):
        """Adds up the gradients and their products with the values less the mean."""
        y, d = s[Y] + image * s[Y_IMAGE], s[D] + image * s[D_IMAGE]
        f = splat(factor_of(s[D_FACTOR], image))
        pixels = s[Y_HEIGHT] * s[Y_WIDTH]
        for channel in range(0, 4 * s[Y_CHANNELS], wide):
            center = load(s[MEAN_OF] + channel)
            first, second, at, at_d = splat(ZERO), splat(ZERO), y + channel, d + channel
            for _ in range(pixels):
                value = load(at_d)
                first = add(first, value)
                second = fma(value, subtract(load(at), center), second)
                at, at_d = at + s[Y_PIXEL], at_d + s[D_PIXEL]
            store(temporary + channel, multiply(first, f))
            store(temporary + 4 * s[Y_CHANNELS] + channel, multiply(second, f))
        sums = s[SUMS] + chunk * s[SUMS_CHUNK]
        for c in range(2 * s[Y_CHANNELS]):
            total = read_double(sums + 8 * c) + np.float64(read_float(temporary + 4 * c))
            write_double(sums + 8 * c, total)

    return SimpleNamespace(
        scale_of=scale_of,
        factor_of=factor_of,
        bounds=bounds,
        load_image=load_image,
        load_gradient=load_gradient,
        accumulate=accumulate,
        accumulate_image=accumulate_image,
        accumulate_sampled=accumulate_sampled,
        sum_values=sum_values,
        sum_gradients=sum_gradients,
    )

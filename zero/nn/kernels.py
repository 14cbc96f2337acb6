"""What the steps of a plan do, forward and backward, for one image at a time, compiled.

`make_kernels(width)` returns the functions for channels in vectors of `width` float32. A step is a
row of int64: its kind, addresses and sizes, in the fields named below; `zero.nn.plan` fills them in.

To *load* an image means x -> factor * max(scale * x + shift, floor): scale and shift of a batch
normalisation that stands before, floor 0 for a ReLU (else minus infinity), factor from drop path. So
none of these goes through memory by itself; gradients load the image once more. Images are
channels-last, their channels padded with zeros to whole vectors. What a step works on lies in its
thread's own memory, one image at a time, small enough for the core's cache.
"""

from __future__ import annotations

from functools import cache
from types import SimpleNamespace

import numpy as np

from zero.jit import jit
from zero.nn.simd import (
    make_simd,
    read_double,
    read_float,
    read_word,
    write_double,
    write_float,
)

# Kinds of steps, each on loaded images.
CONV = 0  # a depthwise convolution or none, then another one or none; sums for batch normalisation
POOL = 1  # largest, smallest or mean value of a window
ADD = 2  # sum
MEAN = 3  # mean over pixels
MASK = 4  # times an array (dropout)
GATHER = 5  # a choice of channels
NORM = 6  # forward: the sums that a batch normalisation needs; backward: those of its gradient
SPREAD = 7  # backward only: gradient through a batch normalisation whose input has other readers

MAX, MIN, AVERAGE = range(3)  # MODE of a POOL
MAX_INPUTS = 12  # of an ADD

# Fields of a step. Lengths from image to image and pixel to pixel are in bytes, like addresses; an
# address of 0 says that there is no such thing.
(
    KIND, VECTOR, MODE,
    # What it loads: values, padded channels; scale, shift: (channels,); factor: (images,).
    X, X_IMAGE, X_PIXEL, X_HEIGHT, X_WIDTH, X_CHANNELS, SCALE, SHIFT, RELU, FACTOR,
    # Where the gradient of that goes, and whether it is added to what is there.
    G, G_IMAGE, G_PIXEL, G_ADD,
    # The loaded image: pixel (y, x) is (y * SAMPLE + TOP, x * SAMPLE + LEFT) of the values, or 0.
    # PIXELS: of the values, if it is exactly these.
    TOP, LEFT, SAMPLE, U_HEIGHT, U_WIDTH, PIXELS,
    # The window that a depthwise convolution, another one or a pool moves over the loaded image.
    TAPS_Y, TAPS_X, STRIDE, DILATION, OFFSETS, ONE_OFFSET,
    # Weights: of the depthwise convolution (taps, c), of the other one (taps, USED, out) and
    # transposed (taps, out, in); gradients, (taps, in, out): of chunk k at GRADIENT + k * CHUNK.
    # USED: channels of the loaded image that have weights.
    DEPTHWISE, DEPTHWISE_GRADIENT, TAPS, USED, WEIGHT, WEIGHT_BACK, GRADIENT, CHUNK,
    # What it writes.
    Y, Y_IMAGE, Y_PIXEL, Y_HEIGHT, Y_WIDTH, Y_CHANNELS,
    # Gradient of that: factor * values, through a batch normalisation if there are coefficients
    # (3, COEFFICIENT apart).
    D, D_IMAGE, D_PIXEL, D_FACTOR, COEFFICIENTS, COEFFICIENT,
    # Batch normalisation of the result: sums of chunk k (2, c) float64 at SUMS + k * SUMS_CHUNK,
    # means (c,); number of its first channel.
    SUMS, SUMS_CHUNK, MEAN_OF, FIRST_CHANNEL,
    # The image of gradients from which a window's input gradient is gathered: pixel (y, x) of the
    # result's gradient lies at (y * STRIDE + E_TOP, x * STRIDE + E_LEFT).
    E_HEIGHT, E_WIDTH, E_TOP, E_LEFT, E_FIRST, OFFSETS_BACK,
    # Places in the thread's memory.
    AT_U, AT_D, AT_E, AT_V,
    COUNTS,  # POOL: 1 / pixels in the window of each output pixel, or 0; GATHER: channel numbers
    INPUTS,
) = range(65)  # fmt: skip
# An ADD's inputs follow, each with these fields; SAME: its gradient is the sum's own.
(I_X, I_IMAGE, I_PIXEL, I_SCALE, I_SHIFT, I_RELU, I_FACTOR, I_G, I_G_IMAGE, I_G_PIXEL, I_G_ADD,
 I_SAME) = range(12)  # fmt: skip
FIRST_INPUT, INPUT_FIELDS = 65, 12
FIELDS = FIRST_INPUT + MAX_INPUTS * INPUT_FIELDS

BLOCK = 64  # rows of a product at a time
OUTER_BLOCK = 6144  # float32 of both factors of an outer product at a time
INFINITY = np.float32(np.inf)
ZERO, ONE = np.float32(0), np.float32(1)


@cache
def make_kernels(width: int) -> SimpleNamespace:
    """Returns `forward` and `backward`: (step, image, chunk, thread's memory, train) -> None."""
    simd = make_simd(width)
    load, store, splat, fma = simd.load, simd.store, simd.splat, simd.fma
    add, multiply, subtract = simd.add, simd.multiply, simd.subtract
    maximum, minimum = simd.maximum, simd.minimum
    positive, if_equal = simd.positive, simd.if_equal
    matmul_8x2, matmul_4x2, matmul_1x2 = (simd.tile("matmul", n, 2) for n in (8, 4, 1))
    matmul_8x1, matmul_4x1, matmul_1x1 = (simd.tile("matmul", n, 1) for n in (8, 4, 1))
    outer_8x2, outer_8x1, outer_16x1 = (simd.tile("outer", *n) for n in ((8, 2), (8, 1), (16, 1)))
    window_8, window_4, window_1 = (simd.window(n) for n in (8, 4, 1))
    gradient_1, gradient_3, gradient_5, gradient_7 = (simd.window_gradient(n) for n in (1, 3, 5, 7))
    wide = 4 * width

    @jit
    def fill(to, size, value):
        """Writes a number to `size` bytes, whole vectors."""
        v = splat(value)
        for at in range(to, to + size, wide):
            store(at, v)

    # --- convolutions -------------------------------------------------------------------------

    @jit
    def matmul_rows(a, a_row, offsets, taps, count, b, b_row, c, c_row, rows, two):
        """`matmul` for one or two vectors of columns."""
        row = 0
        while row < rows:
            if rows >= 8:
                row = min(row, rows - 8)  # the last tile may overlap the one before
                at, to = a + row * a_row, c + row * c_row
                if two:
                    matmul_8x2(at, a_row, 0, offsets, taps, count, b, b_row, to, c_row, 0)
                else:
                    matmul_8x1(at, a_row, 0, offsets, taps, count, b, b_row, to, c_row, 0)
                row += 8
            elif rows >= 4:
                row = min(row, rows - 4)
                at, to = a + row * a_row, c + row * c_row
                if two:
                    matmul_4x2(at, a_row, 0, offsets, taps, count, b, b_row, to, c_row, 0)
                else:
                    matmul_4x1(at, a_row, 0, offsets, taps, count, b, b_row, to, c_row, 0)
                row += 4
            else:
                at, to = a + row * a_row, c + row * c_row
                if two:
                    matmul_1x2(at, a_row, 0, offsets, taps, count, b, b_row, to, c_row, 0)
                else:
                    matmul_1x1(at, a_row, 0, offsets, taps, count, b, b_row, to, c_row, 0)
                row += 1

    @jit
    def matmul(a, a_row, offsets, taps, count, b, c, c_row, rows, columns):
        """c[row] = sum over taps t and i < count of a[row + offsets[t], i] * b[t, i]."""
        b_row = 4 * columns
        for row in range(0, rows, BLOCK):  # a block of rows stays in the nearest cache
            at, to, height = a + row * a_row, c + row * c_row, min(BLOCK, rows - row)
            done = 0
            while done < columns:
                two = columns - done >= 2 * width
                matmul_rows(at, a_row, offsets, taps, count, b + 4 * done, b_row, to + 4 * done,
                            c_row, height, two)  # fmt: skip
                done += 2 * width if two else width

    @jit
    def outer(a, a_pixel, one_offset, pixels, b, b_pixel, c, rows, columns):
        """c[row, column] += sum over pixels of a[pixel, row] * b[pixel, column]."""
        c_row = 4 * columns
        block = max(32, OUTER_BLOCK // (rows + columns))
        for pixel in range(0, pixels, block):
            at_a, count = a + pixel * a_pixel, min(block, pixels - pixel)
            done = 0
            while done < columns:
                at_b, to = b + pixel * b_pixel + 4 * done, c + 4 * done
                two = columns - done >= 2 * width
                row = 0
                while row < rows:
                    at, at_c = at_a + 4 * row, to + row * c_row
                    if two:
                        outer_8x2(at, 0, a_pixel, one_offset, 1, count, at_b, b_pixel, at_c, c_row,
                                  1)  # fmt: skip
                        row += 8
                    elif rows - row >= 16:
                        outer_16x1(at, 0, a_pixel, one_offset, 1, count, at_b, b_pixel, at_c, c_row,
                                   1)  # fmt: skip
                        row += 16
                    else:
                        outer_8x1(at, 0, a_pixel, one_offset, 1, count, at_b, b_pixel, at_c, c_row,
                                  1)  # fmt: skip
                        row += 8
                done += 2 * width if two else width

    @jit
    def windows(a, a_pixel, a_row, offsets, taps, weights, weight_step, c, c_pixel, height, columns,
                channels):  # fmt: skip
        """c[y, x] = sum over taps t of a[y, x + offsets[t]] * weights[t], channel by channel."""
        for y in range(height):
            for channel in range(0, 4 * channels, wide):
                at_a, at_c = a + y * a_row + channel, c + y * columns * c_pixel + channel
                w = weights + channel
                x = 0
                while x < columns:
                    if columns >= 8:
                        x = min(x, columns - 8)
                        window_8(at_a + x * a_pixel, a_pixel, offsets, taps, w, weight_step,
                                 at_c + x * c_pixel, c_pixel)  # fmt: skip
                        x += 8
                    elif columns >= 4:
                        x = min(x, columns - 4)
                        window_4(at_a + x * a_pixel, a_pixel, offsets, taps, w, weight_step,
                                 at_c + x * c_pixel, c_pixel)  # fmt: skip
                        x += 4
                    else:
                        window_1(at_a + x * a_pixel, a_pixel, offsets, taps, w, weight_step,
                                 at_c + x * c_pixel, c_pixel)  # fmt: skip
                        x += 1

    @jit
    def windows_gradient(a, a_pixel, a_row, tap_row, tap_step, taps_y, taps_x, b, b_pixel, b_row,
                         height, columns, c, channels):  # fmt: skip
        """c[ty, tx] += sum over pixels of a[pixel + tap] * b[pixel], channel by channel."""
        c_step = 4 * channels
        for ty in range(taps_y):
            for channel in range(0, 4 * channels, wide):
                to = c + ty * taps_x * c_step + channel
                for y in range(height):
                    at_a, at_b = a + y * a_row + ty * tap_row + channel, b + y * b_row + channel
                    if taps_x == 3:
                        gradient_3(at_a, a_pixel, tap_step, columns, at_b, b_pixel, to, c_step)
                    elif taps_x == 5:
                        gradient_5(at_a, a_pixel, tap_step, columns, at_b, b_pixel, to, c_step)
                    elif taps_x == 7:
                        gradient_7(at_a, a_pixel, tap_step, columns, at_b, b_pixel, to, c_step)
                    else:
                        for tx in range(taps_x):
                            gradient_1(at_a + tx * tap_step, a_pixel, 0, columns, at_b, b_pixel,
                                       to + tx * c_step, 0)  # fmt: skip

    # --- loading ------------------------------------------------------------------------------

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
    def load_image(s, image, to, border):
        """Writes the loaded image, U_HEIGHT x U_WIDTH pixels; `border` where there is none."""
        x = s[X] + image * s[X_IMAGE]
        factor = factor_of(s[FACTOR], image)
        channels, sample, left = s[X_CHANNELS], s[SAMPLE], s[LEFT]
        to_pixel = 4 * channels
        # Columns of the loaded image that lie within the values.
        first = min(max(0, -(left // sample)), s[U_WIDTH])
        last = max(first, min(s[U_WIDTH], (s[X_WIDTH] - 1 - left) // sample + 1))
        floor = splat(ZERO if s[RELU] else -INFINITY)
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
                    store(at_to, maximum(fma(load(at), scale, shift), floor))
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
                if relu:
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
            accumulate(d + (y * s[U_WIDTH] + first) * pixel, pixel, 0, factor, x + at * s[X_PIXEL],
                       sample * s[X_PIXEL], 0, s[SCALE], s[SHIFT], s[RELU], g + at * s[G_PIXEL],
                       sample * s[G_PIXEL], 0, 1, 1, last - first, s[X_CHANNELS])  # fmt: skip

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

    # --- batch normalisation ------------------------------------------------------------------

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

    # --- steps --------------------------------------------------------------------------------

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
            windows(u, stride * pixel, stride * u_row, s[OFFSETS], s[TAPS_Y] * s[TAPS_X],
                    s[DEPTHWISE], pixel, to, to_pixel, s[Y_HEIGHT], s[Y_WIDTH],
                    s[X_CHANNELS])  # fmt: skip
            if taps:
                matmul(d, pixel, s[ONE_OFFSET], 1, s[USED], s[WEIGHT], y, s[Y_PIXEL], rows,
                       s[Y_CHANNELS])  # fmt: skip
        elif taps == 1:
            matmul(u, pixel, s[ONE_OFFSET], 1, s[USED], s[WEIGHT], y, s[Y_PIXEL], rows,
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
                matmul(e, out_pixel, s[ONE_OFFSET], 1, out_channels, s[WEIGHT_BACK], v, pixel, rows,
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
            windows(u, stride * pixel, stride * u_row, s[OFFSETS], s[TAPS_Y] * s[TAPS_X],
                    s[DEPTHWISE], pixel, d, pixel, s[Y_HEIGHT], s[Y_WIDTH], channels)  # fmt: skip
            outer(d, pixel, s[ONE_OFFSET], rows, v, out_pixel, gradient, channels, out_channels)
            for row in range(s[Y_HEIGHT]):
                matmul(v + row * s[Y_WIDTH] * out_pixel, out_pixel, s[ONE_OFFSET], 1, out_channels,
                       s[WEIGHT_BACK], first_e + row * stride * e_row, stride * e_pixel,
                       s[Y_WIDTH], channels)  # fmt: skip
        else:
            load_gradient(s, image, first_e, stride * e_pixel, stride * e_row)
        dilation = s[DILATION]
        windows_gradient(u, stride * pixel, stride * u_row, dilation * u_row, dilation * pixel,
                         s[TAPS_Y], s[TAPS_X], first_e, stride * e_pixel, stride * e_row,
                         s[Y_HEIGHT], s[Y_WIDTH], s[DEPTHWISE_GRADIENT] + chunk * s[CHUNK],
                         channels)  # fmt: skip
        if s[G] != 0:
            windows(e + s[E_FIRST], pixel, e_row, s[OFFSETS_BACK], s[TAPS_Y] * s[TAPS_X],
                    s[DEPTHWISE], pixel, v, pixel, s[X_HEIGHT], s[X_WIDTH], channels)  # fmt: skip
            accumulate_image(s, image, v, pixel, s[X_WIDTH] * pixel, ONE)

    @jit
    def forward_pool(s, image, chunk, memory):
        u, y = memory + s[AT_U], s[Y] + image * s[Y_IMAGE]
        mode, taps, stride = s[MODE], s[TAPS_Y] * s[TAPS_X], s[STRIDE]
        load_image(s, image, u, ZERO if mode == AVERAGE else INFINITY if mode == MIN else -INFINITY)
        pixel = 4 * s[X_CHANNELS]
        for row in range(s[Y_HEIGHT]):
            for x in range(s[Y_WIDTH]):
                start = u + (row * s[U_WIDTH] + x) * stride * pixel
                p = row * s[Y_WIDTH] + x
                part = read_float(s[COUNTS] + 4 * p)
                for channel in range(0, pixel, wide):
                    value = load(start + channel + read_word(s[OFFSETS]))
                    for tap in range(1, taps):
                        other = load(start + channel + read_word(s[OFFSETS] + 8 * tap))
                        if mode == MAX:
                            value = maximum(value, other)
                        elif mode == MIN:
                            value = minimum(value, other)
                        else:
                            value = add(value, other)
                    if mode == AVERAGE or part == ZERO:
                        value = multiply(value, splat(part)) if mode == AVERAGE else splat(ZERO)
                    store(y + p * s[Y_PIXEL] + channel, value)

    @jit
    def backward_pool(s, image, chunk, memory):
        u, e, v = memory + s[AT_U], memory + s[AT_E], memory + s[AT_V]
        mode, taps, stride = s[MODE], s[TAPS_Y] * s[TAPS_X], s[STRIDE]
        pixel = 4 * s[X_CHANNELS]
        load_gradient(s, image, v, pixel, s[Y_WIDTH] * pixel)
        if mode != AVERAGE:
            load_image(s, image, u, INFINITY if mode == MIN else -INFINITY)
        y = s[Y] + image * s[Y_IMAGE]
        fill(e, s[U_HEIGHT] * s[U_WIDTH] * pixel, ZERO)
        for row in range(s[Y_HEIGHT]):
            for x in range(s[Y_WIDTH]):
                start = (row * s[U_WIDTH] + x) * stride * pixel
                p = row * s[Y_WIDTH] + x
                for channel in range(0, pixel, wide):
                    rest = load(v + p * pixel + channel)
                    if mode == AVERAGE:
                        rest = multiply(rest, splat(read_float(s[COUNTS] + 4 * p)))
                        for tap in range(taps):
                            at = start + channel + read_word(s[OFFSETS] + 8 * tap)
                            store(e + at, add(load(e + at), rest))
                    else:
                        result = load(y + p * s[Y_PIXEL] + channel)
                        for tap in range(taps):
                            at = start + channel + read_word(s[OFFSETS] + 8 * tap)
                            part = if_equal(load(u + at), result, rest)  # to the first one only
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
            floor = splat(ZERO if i[I_RELU] else -INFINITY)
            for channel in range(0, 4 * s[Y_CHANNELS], wide):
                scale, shift = scale_of(i[I_SCALE], i[I_SHIFT], channel, factor)
                at, to = x + channel, y + channel
                if k:
                    for _ in range(pixels):
                        value = maximum(fma(load(at), scale, shift), floor)
                        store(to, add(load(to), value))
                        at, to = at + i[I_PIXEL], to + s[Y_PIXEL]
                else:
                    for _ in range(pixels):
                        store(to, maximum(fma(load(at), scale, shift), floor))
                        at, to = at + i[I_PIXEL], to + s[Y_PIXEL]

    @jit
    def backward_add(s, image):
        d = s[D] + image * s[D_IMAGE]
        own = factor_of(s[D_FACTOR], image)
        for k in range(s[INPUTS]):
            i = s[FIRST_INPUT + k * INPUT_FIELDS : FIRST_INPUT + (k + 1) * INPUT_FIELDS]
            if i[I_SAME] or i[I_G] == 0:
                continue
            accumulate(d, s[D_PIXEL], 0, own * factor_of(i[I_FACTOR], image),
                       i[I_X] + image * i[I_IMAGE], i[I_PIXEL], 0, i[I_SCALE], i[I_SHIFT],
                       i[I_RELU], i[I_G] + image * i[I_G_IMAGE], i[I_G_PIXEL], 0, i[I_G_ADD], 1,
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
        load_gradient(s, image, v, 0, 0)
        accumulate_image(s, image, v, 0, 0, np.float32(1.0 / (s[X_HEIGHT] * s[X_WIDTH])))

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
        accumulate(v, pixel, 0, ONE, 0, 0, 0, 0, 0, 0, s[G] + image * s[G_IMAGE], s[G_PIXEL], 0,
                   s[G_ADD], 1, s[Y_HEIGHT] * s[Y_WIDTH], s[Y_CHANNELS])  # fmt: skip

    @jit
    def forward(s, image, chunk, memory, train):
        kind = s[KIND]
        if kind == CONV:
            forward_conv(s, image, chunk, memory, train)
        elif kind == POOL:
            forward_pool(s, image, chunk, memory)
        elif kind == ADD:
            forward_add(s, image)
        elif kind == MEAN:
            forward_mean(s, image, memory)
        elif kind == MASK:
            forward_mask(s, image, memory, train)
        elif kind == GATHER:
            forward_gather(s, image, memory)
        elif kind == NORM and train:
            sum_values(s, image, chunk, memory)

    @jit
    def backward(s, image, chunk, memory):
        kind = s[KIND]
        if kind == CONV:
            backward_conv(s, image, chunk, memory)
        elif kind == POOL:
            backward_pool(s, image, chunk, memory)
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
        elif kind == SPREAD:
            backward_spread(s, image, memory)

    return SimpleNamespace(forward=forward, backward=backward)

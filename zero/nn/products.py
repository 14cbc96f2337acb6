"""Convolutions of one image, whatever is around them: products and moving windows, compiled."""

from __future__ import annotations

from functools import cache
from types import SimpleNamespace

from zero.jit import jit
from zero.nn.simd import make_simd

BLOCK = 64  # rows of a product at a time
OUTER_BLOCK = 6144  # float32 of both factors of an outer product at a time


@cache
def make_products(width: int) -> SimpleNamespace:
    """Returns the functions for channels in vectors of `width` float32; see their docstrings."""
    simd = make_simd(width)
    store, splat = simd.store, simd.splat
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

    return SimpleNamespace(
        fill=fill, matmul=matmul, outer=outer, windows=windows, windows_gradient=windows_gradient
    )

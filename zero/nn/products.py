"""Convolutions of one image, whatever is around them: products and moving windows, compiled."""

from __future__ import annotations

from functools import cache
from types import SimpleNamespace

from zero.jit import jit
from zero.nn.simd import make_simd, read_word

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
    sparse_8, sparse_4, sparse_1 = (simd.sparse_window(n) for n in (8, 4, 1))
    window_8x3, window_8x5, window_8x7 = (simd.window(8, n) for n in (3, 5, 7))
    window_4x3, window_4x5, window_4x7 = (simd.window(4, n) for n in (3, 5, 7))
    gradient_8x3x3, gradient_4x3x3, gradient_1x3x3 = (
        simd.window_gradient(n, 3, 3) for n in (8, 4, 1)
    )
    gradient_8x5, gradient_4x5, gradient_1x5 = (simd.window_gradient(n, 1, 5) for n in (8, 4, 1))
    gradient_8x7, gradient_4x7, gradient_1x7 = (simd.window_gradient(n, 1, 7) for n in (8, 4, 1))
    gradient_1x1 = simd.window_gradient(1, 1, 1)
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
    def sparse_windows(a, a_pixel, a_row, offsets, taps, weights, weight_step, c, c_pixel, height,
                       columns, channels):  # fmt: skip
        """c[y, x] = sum over taps t of a[y, x + offsets[t]] * weights[t], channel by channel."""
        for y in range(height):
            for channel in range(0, 4 * channels, wide):
                at_a, at_c = a + y * a_row + channel, c + y * columns * c_pixel + channel
                w = weights + channel
                x = 0
                while x < columns:
                    if columns >= 8:
                        x = min(x, columns - 8)
                        sparse_8(at_a + x * a_pixel, a_pixel, offsets, taps, w, weight_step,
                                 at_c + x * c_pixel, c_pixel)  # fmt: skip
                        x += 8
                    elif columns >= 4:
                        x = min(x, columns - 4)
                        sparse_4(at_a + x * a_pixel, a_pixel, offsets, taps, w, weight_step,
                                 at_c + x * c_pixel, c_pixel)  # fmt: skip
                        x += 4
                    else:
                        sparse_1(at_a + x * a_pixel, a_pixel, offsets, taps, w, weight_step,
                                 at_c + x * c_pixel, c_pixel)  # fmt: skip
                        x += 1

    @jit
    def dense_windows(a, a_pixel, a_row, taps_y, taps_x, weights, weight_step, c, c_pixel, height,
                      columns, channels):  # fmt: skip
        """`sparse_windows` for taps side by side, 3, 5 or 7 in a row, and at least 4 columns."""
        for y in range(height):
            for channel in range(0, 4 * channels, wide):
                at_a, at_c = a + y * a_row + channel, c + y * columns * c_pixel + channel
                w = weights + channel
                x = 0
                while x < columns:
                    if columns >= 8:
                        x = min(x, columns - 8)
                        to, source = at_c + x * c_pixel, at_a + x * a_pixel
                        if taps_x == 3:
                            window_8x3(source, a_pixel, a_row, taps_y, w, weight_step, to, c_pixel)
                        elif taps_x == 5:
                            window_8x5(source, a_pixel, a_row, taps_y, w, weight_step, to, c_pixel)
                        else:
                            window_8x7(source, a_pixel, a_row, taps_y, w, weight_step, to, c_pixel)
                        x += 8
                    else:
                        x = min(x, columns - 4)
                        to, source = at_c + x * c_pixel, at_a + x * a_pixel
                        if taps_x == 3:
                            window_4x3(source, a_pixel, a_row, taps_y, w, weight_step, to, c_pixel)
                        elif taps_x == 5:
                            window_4x5(source, a_pixel, a_row, taps_y, w, weight_step, to, c_pixel)
                        else:
                            window_4x7(source, a_pixel, a_row, taps_y, w, weight_step, to, c_pixel)
                        x += 4

    @jit
    def windows(a, a_pixel, a_row, stride, dilation, offsets, taps_y, taps_x, weights, weight_step,
                c, c_pixel, height, columns, channels):  # fmt: skip
        """Moves a window over an image, its weights channel by channel (`sparse_windows`)."""
        side_by_side = stride == 1 and dilation == 1 and read_word(offsets) == 0
        if side_by_side and columns >= 4 and (taps_x == 3 or taps_x == 5 or taps_x == 7):
            dense_windows(a, a_pixel, a_row, taps_y, taps_x, weights, weight_step, c, c_pixel,
                          height, columns, channels)  # fmt: skip
        else:
            sparse_windows(a, stride * a_pixel, stride * a_row, offsets, taps_y * taps_x, weights,
                           weight_step, c, c_pixel, height, columns, channels)  # fmt: skip

    @jit
    def gradient_columns(wide_, taps_y, taps_x, a, pixel, row, tap_row, b, b_pixel, b_row, height, c,
                         c_step):  # fmt: skip
        """Weight gradients of some columns of pixels: 8, 4 or 1."""
        if taps_y == 3 and taps_x == 3:
            if wide_ == 8:
                gradient_8x3x3(a, pixel, row, tap_row, b, b_pixel, b_row, height, c, c_step)
            elif wide_ == 4:
                gradient_4x3x3(a, pixel, row, tap_row, b, b_pixel, b_row, height, c, c_step)
            else:
                gradient_1x3x3(a, pixel, row, tap_row, b, b_pixel, b_row, height, c, c_step)
            return
        for ty in range(taps_y):
            at, to = a + ty * tap_row, c + ty * taps_x * c_step
            if taps_x == 5:
                if wide_ == 8:
                    gradient_8x5(at, pixel, row, tap_row, b, b_pixel, b_row, height, to, c_step)
                elif wide_ == 4:
                    gradient_4x5(at, pixel, row, tap_row, b, b_pixel, b_row, height, to, c_step)
                else:
                    gradient_1x5(at, pixel, row, tap_row, b, b_pixel, b_row, height, to, c_step)
            elif wide_ == 8:
                gradient_8x7(at, pixel, row, tap_row, b, b_pixel, b_row, height, to, c_step)
            elif wide_ == 4:
                gradient_4x7(at, pixel, row, tap_row, b, b_pixel, b_row, height, to, c_step)
            else:
                gradient_1x7(at, pixel, row, tap_row, b, b_pixel, b_row, height, to, c_step)

    @jit
    def windows_gradient(a, a_pixel, a_row, stride, dilation, taps_y, taps_x, b, b_pixel, b_row,
                         height, columns, c, channels):  # fmt: skip
        """c[ty, tx] += sum over pixels of a[pixel + tap] * b[pixel], channel by channel."""
        c_step = 4 * channels
        dense = stride == 1 and dilation == 1 and (taps_x == 5 or taps_x == 7 or
                                                   (taps_x == 3 and taps_y == 3))  # fmt: skip
        for channel in range(0, 4 * channels, wide):
            at_a, at_b, at_c = a + channel, b + channel, c + channel
            if dense:
                x = 0
                while x < columns:
                    some = 8 if columns - x >= 8 else 4 if columns - x >= 4 else 1
                    gradient_columns(some, taps_y, taps_x, at_a + x * a_pixel, a_pixel, a_row,
                                     a_row, at_b + x * b_pixel, b_pixel, b_row, height, at_c,
                                     c_step)  # fmt: skip
                    x += some
                continue
            for tap in range(taps_y * taps_x):
                shift = dilation * ((tap // taps_x) * a_row + (tap % taps_x) * a_pixel)
                for y in range(height):
                    # Down a row instead of a column: one pixel after the other.
                    gradient_1x1(at_a + shift + y * stride * a_row, 0, stride * a_pixel, 0,
                                 at_b + y * b_row, 0, b_pixel, columns, at_c + tap * c_step,
                                 c_step)  # fmt: skip

    return SimpleNamespace(
        fill=fill, matmul=matmul, outer=outer, windows=windows, windows_gradient=windows_gradient
    )

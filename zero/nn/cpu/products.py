"""Convolutions of one image, whatever is around them: products and moving windows, compiled."""

from __future__ import annotations

from functools import cache
from types import SimpleNamespace

from zero.jit.decorators import jit
from zero.nn.cpu.simd import make_simd, read_word

BLOCK = 64  # rows of a product at a time
OUTER_BLOCK = 6144  # float32 of both factors of an outer product at a time


@cache
def make_products(width: int) -> SimpleNamespace:
    """Returns the functions for channels in vectors of `width` float32; see their docstrings."""
    simd = make_simd(width)
    store, splat = simd.store, simd.splat
    outer_8x2, outer_8x1, outer_16x1 = (simd.tile("outer", *n) for n in ((8, 2), (8, 1), (16, 1)))
    one_tap_gradient = simd.window_gradient(1, 1, 1)
    wide = 4 * width

    @jit
    def fill(to, size, value):
        """Writes a number to `size` bytes, whole vectors."""
        v = splat(value)
        for at in range(to, to + size, wide):
            store(at, v)

    def make_matmul_rows(vectors):
        """Returns `matmul` for that many vectors of columns."""
        tile_8, tile_4, tile_1 = (simd.tile("matmul", n, vectors) for n in (8, 4, 1))

        @jit
        def matmul_rows(a, a_row, offsets, taps, count, b, b_row, c, c_row, rows):
            some = 8 if rows >= 8 else 4 if rows >= 4 else 1
            for start in range(0, rows, some):
                row = min(start, rows - some)  # the last tile may overlap the one before
                at, to = a + row * a_row, c + row * c_row
                if some == 8:
                    tile_8(at, a_row, 0, offsets, taps, count, b, b_row, to, c_row, 0)
                elif some == 4:
                    tile_4(at, a_row, 0, offsets, taps, count, b, b_row, to, c_row, 0)
                else:
                    tile_1(at, a_row, 0, offsets, taps, count, b, b_row, to, c_row, 0)

        return matmul_rows

    one_vector, two_vectors = make_matmul_rows(1), make_matmul_rows(2)

    @jit
    def matmul(a, a_row, offsets, taps, count, b, c, c_row, rows, columns):
        """c[row] = sum over taps t and i < count of a[row + offsets[t], i] * b[t, i]."""
        b_row = 4 * columns
        for row in range(0, rows, BLOCK):  # a block of rows stays in the nearest cache
            at, to, height = a + row * a_row, c + row * c_row, min(BLOCK, rows - row)
            done = 0
            while done < columns:
                at_b, at_c = b + 4 * done, to + 4 * done
                if columns - done >= 2 * width:
                    two_vectors(at, a_row, offsets, taps, count, at_b, b_row, at_c, c_row, height)
                    done += 2 * width
                else:
                    one_vector(at, a_row, offsets, taps, count, at_b, b_row, at_c, c_row, height)
                    done += width

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

    tile_8, tile_4, tile_1 = (simd.sparse_window(n) for n in (8, 4, 1))

    @jit
    def sparse_row(a, a_pixel, offsets, taps, weights, step, c, c_pixel, columns):
        """A row of `windows`, taps anywhere."""
        some = 8 if columns >= 8 else 4 if columns >= 4 else 1
        for start in range(0, columns, some):
            x = min(start, columns - some)
            at, to = a + x * a_pixel, c + x * c_pixel
            if some == 8:
                tile_8(at, a_pixel, offsets, taps, weights, step, to, c_pixel)
            elif some == 4:
                tile_4(at, a_pixel, offsets, taps, weights, step, to, c_pixel)
            else:
                tile_1(at, a_pixel, offsets, taps, weights, step, to, c_pixel)

    def make_row(taps_x):
        """Returns a row of `windows` for that many taps side by side, at least 4 columns."""
        tile_8, tile_4 = simd.window(8, taps_x), simd.window(4, taps_x)

        @jit
        def row(a, a_pixel, a_row, taps_y, weights, step, c, c_pixel, columns):
            some = 8 if columns >= 8 else 4
            for start in range(0, columns, some):
                x = min(start, columns - some)
                at, to = a + x * a_pixel, c + x * c_pixel
                if some == 8:
                    tile_8(at, a_pixel, a_row, taps_y, weights, step, to, c_pixel)
                else:
                    tile_4(at, a_pixel, a_row, taps_y, weights, step, to, c_pixel)

        return row

    row_3, row_5, row_7 = make_row(3), make_row(5), make_row(7)

    @jit
    def windows(a, a_pixel, a_row, stride, dilation, offsets, taps_y, taps_x, weights, step, c,
                c_pixel, height, columns, channels):  # fmt: skip
        """c[y, x] = sum over taps t of a[stride * (y, x) + offsets[t]] * weights[t].

        Channel by channel. Taps side by side load each pixel once for all taps in a row.
        """
        taps = taps_y * taps_x
        dense = stride == 1 and dilation == 1 and read_word(offsets) == 0 and columns >= 4
        for y in range(height):
            for channel in range(0, 4 * channels, wide):
                at, to = a + y * stride * a_row + channel, c + y * columns * c_pixel + channel
                w = weights + channel
                if dense and taps_x == 3:
                    row_3(at, a_pixel, a_row, taps_y, w, step, to, c_pixel, columns)
                elif dense and taps_x == 5:
                    row_5(at, a_pixel, a_row, taps_y, w, step, to, c_pixel, columns)
                elif dense and taps_x == 7:
                    row_7(at, a_pixel, a_row, taps_y, w, step, to, c_pixel, columns)
                else:
                    sparse_row(at, stride * a_pixel, offsets, taps, w, step, to, c_pixel, columns)

    def make_gradient(taps_y, taps_x):
        """Returns `windows_gradient` of one vector of channels, for that many taps side by side."""
        tile_8, tile_4, tile_1 = (simd.window_gradient(n, taps_y, taps_x) for n in (8, 4, 1))

        @jit
        def gradient(a, a_pixel, a_row, b, b_pixel, b_row, height, columns, c, c_step):
            x = 0
            while x < columns:
                at_a, at_b, left = a + x * a_pixel, b + x * b_pixel, columns - x
                if left >= 8:
                    tile_8(at_a, a_pixel, a_row, a_row, at_b, b_pixel, b_row, height, c, c_step)
                    x += 8
                elif left >= 4:
                    tile_4(at_a, a_pixel, a_row, a_row, at_b, b_pixel, b_row, height, c, c_step)
                    x += 4
                else:
                    tile_1(at_a, a_pixel, a_row, a_row, at_b, b_pixel, b_row, height, c, c_step)
                    x += 1

        return gradient

    gradient_3x3, gradient_5, gradient_7 = (
        make_gradient(3, 3),
        make_gradient(1, 5),
        make_gradient(1, 7),
    )

    @jit
    def sparse_gradient(a, a_pixel, a_row, b, b_pixel, b_row, height, columns, c):
        """`windows_gradient` of one vector of channels and one tap."""
        for y in range(height):
            # Down a row instead of a column: one pixel after the other.
            one_tap_gradient(a + y * a_row, 0, a_pixel, 0, b + y * b_row, 0, b_pixel, columns, c, 0)

    @jit
    def windows_gradient(a, a_pixel, a_row, stride, dilation, taps_y, taps_x, b, b_pixel, b_row,
                         height, columns, c, channels):  # fmt: skip
        """c[ty, tx] += sum over pixels of a[pixel + tap] * b[pixel], channel by channel."""
        c_step = 4 * channels
        dense = stride == 1 and dilation == 1
        for channel in range(0, 4 * channels, wide):
            at_a, at_b, at_c = a + channel, b + channel, c + channel
            if dense and taps_y == 3 and taps_x == 3:
                gradient_3x3(at_a, a_pixel, a_row, at_b, b_pixel, b_row, height, columns, at_c,
                             c_step)  # fmt: skip
                continue
            for ty in range(taps_y):
                line, to = at_a + ty * dilation * a_row, at_c + ty * taps_x * c_step
                if dense and taps_x == 5:
                    gradient_5(line, a_pixel, a_row, at_b, b_pixel, b_row, height, columns, to,
                               c_step)  # fmt: skip
                elif dense and taps_x == 7:
                    gradient_7(line, a_pixel, a_row, at_b, b_pixel, b_row, height, columns, to,
                               c_step)  # fmt: skip
                else:
                    for tx in range(taps_x):
                        sparse_gradient(line + tx * dilation * a_pixel, stride * a_pixel,
                                        stride * a_row, at_b, b_pixel, b_row, height, columns,
                                        to + tx * c_step)  # fmt: skip

    return SimpleNamespace(
        fill=fill, matmul=matmul, outer=outer, windows=windows, windows_gradient=windows_gradient
    )

"""Vectors of float32 for numba, and the three inner loops of convolutions, written as LLVM.

`make_simd(width)` returns functions for compiled code on one vector of `width` float32: a register
with AVX-512 (16) or AVX (8). Memory is named by addresses, plain int64 counts of bytes, so that
nothing is counted or checked; the kernels that call this know their buffers.

The inner loops keep a tile of sums in registers and go through memory once: LLVM does not find that
form by itself, because it cannot prove that the arrays do not overlap.
"""

from __future__ import annotations

from functools import cache
from types import SimpleNamespace

from llvmlite import binding, ir
from numba.core import cgutils, types
from numba.core.datamodel import models
from numba.core.extending import intrinsic, register_model

FLOAT, I64, I1 = ir.FloatType(), ir.IntType(64), ir.IntType(1)


class VectorType(types.Type):
    """numba type of `width` float32 in a register."""

    def __init__(self, width: int):
        self.width = width
        super().__init__(name=f"Vector(float32, {width})")


@register_model(VectorType)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, dmm, fe_type):
        super().__init__(dmm, fe_type, ir.VectorType(FLOAT, fe_type.width))


@cache
def widest() -> int:
    """Returns how many float32 a register of this processor holds: 16 or 8."""
    return 16 if binding.get_host_cpu_features().get("avx512f") else 8


def _call(builder, name: str, result, *arguments):
    kind = ir.FunctionType(result, [a.type for a in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), arguments)


@cache
def make_simd(width: int) -> SimpleNamespace:
    """Returns the functions on vectors of `width` float32 for compiled code."""
    vec = VectorType(width)
    vector = ir.VectorType(FLOAT, width)
    zeros = ir.Constant(vector, [0.0] * width)
    bytes_ = 4 * width

    def pointer(builder, address):
        return builder.inttoptr(address, vector.as_pointer())

    def load_at(builder, address):
        return builder.load(pointer(builder, address), align=4)

    def load_float(builder, address):
        value = builder.load(builder.inttoptr(address, FLOAT.as_pointer()), align=4)
        return spread(builder, value)

    def spread(builder, value):
        one = builder.insert_element(ir.Constant(vector, ir.Undefined), value, I64(0))
        mask = ir.Constant(ir.VectorType(ir.IntType(32), width), [0] * width)
        return builder.shuffle_vector(one, ir.Constant(vector, ir.Undefined), mask)

    def fma_(builder, a, b, c):
        return _call(builder, f"llvm.fma.v{width}f32", vector, a, b, c)

    def offset(builder, address, count, step=None):
        """Returns address + count * step; count an int or a value."""
        if isinstance(count, int):
            if count == 0:
                return address
            if step is None:
                return builder.add(address, I64(count))
            count = I64(count)
        return builder.add(address, count if step is None else builder.mul(count, step))

    def tap_shift(builder, offsets, tap):
        """Returns the int64 offsets[tap]."""
        where = builder.add(offsets, builder.mul(tap, I64(8)))
        return builder.load(builder.inttoptr(where, I64.as_pointer()), align=8)

    def write_sums(builder, to, sums):
        """Writes vectors from their places to addresses."""
        for address, place in zip(to, sums, strict=True):
            builder.store(builder.load(place), pointer(builder, address), align=4)

    def simple(arguments: int, make):
        """Returns an intrinsic from vectors to a vector."""
        if arguments == 1:

            @intrinsic
            def function(typing, a):
                return vec(vec), lambda context, builder, signature, args: make(builder, *args)
        elif arguments == 2:

            @intrinsic
            def function(typing, a, b):
                return vec(vec, vec), lambda context, builder, signature, args: make(builder, *args)
        else:

            @intrinsic
            def function(typing, a, b, c):
                return (
                    vec(vec, vec, vec),
                    lambda context, builder, signature, args: make(builder, *args),
                )

        return function

    @intrinsic
    def load(typing, address):
        """The vector at an address."""
        return vec(types.int64), lambda c, builder, s, args: load_at(builder, args[0])

    @intrinsic
    def store(typing, address, value):
        """Writes a vector to an address."""

        def generate(context, builder, signature, args):
            builder.store(args[1], pointer(builder, args[0]), align=4)
            return context.get_dummy_value()

        return types.void(types.int64, vec), generate

    @intrinsic
    def splat(typing, value):
        """The vector of `width` times the same number."""
        return vec(types.float32), lambda c, builder, s, args: spread(builder, args[0])

    def positive_(builder, x, value):
        return builder.select(builder.fcmp_ordered(">", x, zeros), value, zeros)

    def if_equal_(builder, x, y, value):
        return builder.select(builder.fcmp_ordered("==", x, y), value, zeros)

    def number(value):
        return ir.Constant(vector, [value] * width)

    def sigmoid_(builder, x):
        """1 / (1 + exp(-x)) to 1e-7; exp(t) = 2^n exp(r), r by Cephes' polynomial of expf."""
        integers = ir.VectorType(ir.IntType(32), width)
        t = extreme("<")(builder, extreme(">")(builder, x, number(-80.0)), number(80.0))
        # Adding 1.5 * 2^23 rounds to a whole number, which then stands in the lowest bits.
        shifted = fma_(builder, t, number(-1.44269504), number(12582912.0))
        n = builder.fsub(shifted, number(12582912.0))
        r = fma_(builder, n, number(-0.693359375), builder.fsub(zeros, t))
        r = fma_(builder, n, number(2.12194440e-4), r)
        p = number(1.9875691500e-4)
        for c in (
            1.3981999507e-3,
            8.3334519073e-3,
            4.1665795894e-2,
            1.6666665459e-1,
            0.50000001201,
        ):
            p = fma_(builder, p, r, number(c))
        p = builder.fadd(fma_(builder, builder.fmul(p, r), r, r), number(1.0))
        bits = builder.shl(builder.bitcast(shifted, integers), ir.Constant(integers, [23] * width))
        bits = builder.add(bits, ir.Constant(integers, [127 << 23] * width))
        power = builder.fmul(p, builder.bitcast(bits, vector))
        return builder.fdiv(number(1.0), builder.fadd(number(1.0), power))

    def extreme(name):
        """Returns b where it is beyond a, else a: a NaN in a stays one."""

        def make(builder, a, b):
            return builder.select(builder.fcmp_ordered(name, b, a), b, a)

        return make

    def tile(kind: str, rows: int, vectors: int):
        """Returns the loop that adds products to a tile of rows x vectors.

        (a, row_step, step, offsets, taps, count, b, b_step, c, c_step, add) -> None. For each tap t
        and i in range(count), row r of the tile gets A * B, where
        "matmul": A is the float at a + offsets[t] + r * row_step + 4 * i (step is not used),
        "outer":  A is the float at a + offsets[t] + 4 * r + i * step (row_step is not used),
        and B is the row of vectors at b, which moves on by b_step. The tile lies at c, its rows
        c_step apart; add: whether it is added to what is there.
        """

        @intrinsic
        def run(typing, a, row_step, step, offsets, taps, count, b, b_step, c, c_step, add):
            def generate(context, builder, signature, args):
                a, row_step, step, offsets, taps, count, b, b_step, c, c_step, add = args
                sums = [cgutils.alloca_once_value(builder, zeros) for _ in range(rows * vectors)]
                to = [
                    builder.add(offset(builder, c, r, c_step), I64(v * bytes_))
                    for r in range(rows)
                    for v in range(vectors)
                ]
                with builder.if_then(builder.icmp_signed("!=", add, I64(0))):
                    for address, place in zip(to, sums, strict=True):
                        builder.store(load_at(builder, address), place)
                at_b = cgutils.alloca_once_value(builder, b)
                with cgutils.for_range(builder, taps) as tap:
                    shift = tap_shift(builder, offsets, tap.index)
                    at_a = cgutils.alloca_once_value(builder, builder.add(a, shift))
                    with cgutils.for_range(builder, count):
                        start_b, start_a = builder.load(at_b), builder.load(at_a)
                        row_b = [
                            load_at(builder, offset(builder, start_b, v * bytes_))
                            for v in range(vectors)
                        ]
                        for r in range(rows):
                            if kind == "matmul":
                                value = load_float(builder, offset(builder, start_a, r, row_step))
                            else:
                                value = load_float(builder, offset(builder, start_a, 4 * r))
                            for v in range(vectors):
                                place = sums[r * vectors + v]
                                total = fma_(builder, value, row_b[v], builder.load(place))
                                builder.store(total, place)
                        builder.store(builder.add(start_b, b_step), at_b)
                        forward = I64(4) if kind == "matmul" else step
                        builder.store(builder.add(start_a, forward), at_a)
                write_sums(builder, to, sums)
                return context.get_dummy_value()

            return types.void(*[types.int64] * 11), generate

        return run

    def window(pixels: int, taps_x: int):
        """Returns the loop of a depthwise convolution on a row of `pixels`, taps side by side.

        (a, pixel, row, taps_y, b, b_step, c, c_pixel) -> None: pixel x, at c + x * c_pixel, becomes
        the sum over (ty, tx) of the vector at a + (x + tx) * pixel + ty * row times the one at
        b + (ty * taps_x + tx) * b_step. Each vector is loaded once for all pixels that need it.
        """

        @intrinsic
        def run(typing, a, pixel, row, taps_y, b, b_step, c, c_pixel):
            def generate(context, builder, signature, args):
                a, pixel, row, taps_y, b, b_step, c, c_pixel = args
                sums = [cgutils.alloca_once_value(builder, zeros) for _ in range(pixels)]
                at_a = cgutils.alloca_once_value(builder, a)
                at_b = cgutils.alloca_once_value(builder, b)
                with cgutils.for_range(builder, taps_y):
                    start, weight = builder.load(at_a), builder.load(at_b)
                    weights = [
                        load_at(builder, offset(builder, weight, tx, b_step))
                        for tx in range(taps_x)
                    ]
                    for j in range(pixels + taps_x - 1):
                        value = load_at(builder, offset(builder, start, j, pixel))
                        for tx in range(taps_x):
                            if 0 <= j - tx < pixels:
                                place = sums[j - tx]
                                total = fma_(builder, value, weights[tx], builder.load(place))
                                builder.store(total, place)
                    builder.store(builder.add(start, row), at_a)
                    builder.store(offset(builder, weight, I64(taps_x), b_step), at_b)
                write_sums(builder, [offset(builder, c, x, c_pixel) for x in range(pixels)], sums)
                return context.get_dummy_value()

            return types.void(*[types.int64] * 8), generate

        return run

    def sparse_window(pixels: int):
        """Returns the loop of a depthwise convolution on a row of `pixels`, taps anywhere.

        (a, a_pixel, offsets, taps, b, b_step, c, c_pixel) -> None: pixel x, at c + x * c_pixel,
        becomes the sum over taps of the vector at a + x * a_pixel + offsets[t] times the one at
        b + t * b_step.
        """

        @intrinsic
        def run(typing, a, a_pixel, offsets, taps, b, b_step, c, c_pixel):
            def generate(context, builder, signature, args):
                a, a_pixel, offsets, taps, b, b_step, c, c_pixel = args
                sums = [cgutils.alloca_once_value(builder, zeros) for _ in range(pixels)]
                with cgutils.for_range(builder, taps) as tap:
                    shift = tap_shift(builder, offsets, tap.index)
                    start = builder.add(a, shift)
                    weight = load_at(builder, offset(builder, b, tap.index, b_step))
                    for x, place in enumerate(sums):
                        value = load_at(builder, offset(builder, start, x, a_pixel))
                        total = fma_(builder, value, weight, builder.load(place))
                        builder.store(total, place)
                write_sums(builder, [offset(builder, c, x, c_pixel) for x in range(pixels)], sums)
                return context.get_dummy_value()

            return types.void(*[types.int64] * 8), generate

        return run

    def window_gradient(pixels: int, taps_y: int, taps_x: int):
        """Returns the loop of a depthwise convolution's weight gradient, over columns of `pixels`.

        (a, pixel, row, tap_row, b, b_pixel, b_row, height, c, c_step) -> None: the vector at
        c + (ty * taps_x + tx) * c_step gets added, for y in range(height) and x in range(pixels),
        the vector at a + y * row + ty * tap_row + (x + tx) * pixel times the one at b + y * b_row +
        x * b_pixel.
        """

        @intrinsic
        def run(typing, a, pixel, row, tap_row, b, b_pixel, b_row, height, c, c_step):
            def generate(context, builder, signature, args):
                a, pixel, row, tap_row, b, b_pixel, b_row, height, c, c_step = args
                taps = taps_y * taps_x
                to = [offset(builder, c, t, c_step) for t in range(taps)]
                sums = [
                    cgutils.alloca_once_value(builder, load_at(builder, address)) for address in to
                ]
                at_a = cgutils.alloca_once_value(builder, a)
                at_b = cgutils.alloca_once_value(builder, b)
                with cgutils.for_range(builder, height):
                    start_a, start_b = builder.load(at_a), builder.load(at_b)
                    values = [
                        load_at(builder, offset(builder, start_b, x, b_pixel))
                        for x in range(pixels)
                    ]
                    for ty in range(taps_y):
                        line = offset(builder, start_a, ty, tap_row)
                        for j in range(pixels + taps_x - 1):
                            other = load_at(builder, offset(builder, line, j, pixel))
                            for tx in range(taps_x):
                                if 0 <= j - tx < pixels:
                                    place = sums[ty * taps_x + tx]
                                    total = fma_(
                                        builder, other, values[j - tx], builder.load(place)
                                    )
                                    builder.store(total, place)
                    builder.store(builder.add(start_a, row), at_a)
                    builder.store(builder.add(start_b, b_row), at_b)
                write_sums(builder, to, sums)
                return context.get_dummy_value()

            return types.void(*[types.int64] * 10), generate

        return run

    return SimpleNamespace(
        width=width,
        load=load,
        store=store,
        splat=splat,
        fma=simple(3, fma_),  # a * b + c
        add=simple(2, lambda builder, a, b: builder.fadd(a, b)),
        subtract=simple(2, lambda builder, a, b: builder.fsub(a, b)),
        multiply=simple(2, lambda builder, a, b: builder.fmul(a, b)),
        maximum=simple(2, extreme(">")),
        minimum=simple(2, extreme("<")),
        positive=simple(2, positive_),  # (x, value): value where x > 0, else 0
        sigmoid=simple(1, sigmoid_),
        if_equal=simple(3, if_equal_),  # (x, y, value): value where x == y, else 0
        tile=tile,
        window=window,
        sparse_window=sparse_window,
        window_gradient=window_gradient,
    )


def _number(type_, llvm_type):
    """Returns the functions that read and write one number at an address."""

    @intrinsic
    def read(typing, address):
        def generate(context, builder, signature, args):
            return builder.load(builder.inttoptr(args[0], llvm_type.as_pointer()))

        return type_(types.int64), generate

    @intrinsic
    def write(typing, address, value):
        def generate(context, builder, signature, args):
            value = context.cast(builder, args[1], signature.args[1], type_)
            builder.store(value, builder.inttoptr(args[0], llvm_type.as_pointer()))
            return context.get_dummy_value()

        return types.void(types.int64, type_), generate

    return read, write


read_float, write_float = _number(types.float32, FLOAT)
read_double, write_double = _number(types.float64, ir.DoubleType())
read_word, _ = _number(types.int64, I64)


@intrinsic
def fetch_add(typing, address, value):
    """Adds to the int64 at an address, as one step for all threads; returns what was there."""

    def generate(context, builder, signature, args):
        place = builder.inttoptr(args[0], I64.as_pointer())
        return builder.atomic_rmw("add", place, args[1], "seq_cst")

    return types.int64(types.int64, types.int64), generate


@intrinsic
def load_shared(typing, address):
    """The int64 at an address as other threads have written it."""

    def generate(context, builder, signature, args):
        place = builder.inttoptr(args[0], I64.as_pointer())
        return builder.load_atomic(place, "seq_cst", 8)

    return types.int64(types.int64), generate


@intrinsic
def give_way(typing):
    """Lets another thread or process have the core."""

    def generate(context, builder, signature, args):
        kind = ir.FunctionType(ir.IntType(32), [])
        function = cgutils.get_or_insert_function(builder.module, kind, "sched_yield")
        builder.call(function, [])
        return context.get_dummy_value()

    return types.void(), generate

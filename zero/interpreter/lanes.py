"""SIMD lanes for numba: one value of a program's memory on W tasks at once, as one LLVM vector.

`make_lanes(dtype, lanes)` returns functions for compiled code, each an LLVM instruction or two. A
lane holds one task, so a program is decoded once and runs on W tasks; rows are loaded and stored
whole, which LLVM cannot do by itself because it cannot prove that two rows do not overlap (measured:
four times slower).

Arithmetic is plain IEEE without contraction. exp is computed in lanes (range reduction and a
polynomial, error below 1 unit in the last place or so in float64); the other transcendental functions
call libm for each lane.
"""

from __future__ import annotations

from functools import cache
from types import SimpleNamespace

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.datamodel import models
from numba.core.extending import intrinsic, register_model

from zero import rng

_LIBM = {
    "sin": "sin", "cos": "cos", "tan": "tan", "arcsin": "asin", "arccos": "acos",
    "arctan": "atan", "tanh": "tanh", "log": "log",
}  # fmt: skip


class LanesType(types.Type):
    """numba type of `lanes` values of `dtype` in one register (or a few)."""

    def __init__(self, dtype: str, lanes: int):
        self.dtype, self.lanes = dtype, lanes
        super().__init__(name=f"Lanes({dtype}, {lanes})")


class MaskType(types.Type):
    """numba type of one condition per lane."""

    def __init__(self, lanes: int):
        self.lanes = lanes
        super().__init__(name=f"Mask({lanes})")


def _element(dtype: str) -> ir.Type:
    return {"float64": ir.DoubleType(), "float32": ir.FloatType()}[dtype]


@register_model(LanesType)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, dmm, fe_type):
        super().__init__(dmm, fe_type, ir.VectorType(_element(fe_type.dtype), fe_type.lanes))


@register_model(MaskType)
class _MaskModel(models.PrimitiveModel):
    def __init__(self, dmm, fe_type):
        super().__init__(dmm, fe_type, ir.VectorType(ir.IntType(1), fe_type.lanes))


def _splat(builder, value, lanes: int):
    vector = ir.Constant(ir.VectorType(value.type, lanes), ir.Undefined)
    vector = builder.insert_element(vector, value, ir.Constant(ir.IntType(32), 0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes)
    return builder.shuffle_vector(vector, ir.Constant(vector.type, ir.Undefined), zeros)


def _constant(vector_type: ir.VectorType, value):
    return ir.Constant(vector_type, [value] * vector_type.count)


def _call(builder, name: str, result: ir.Type, *arguments):
    function_type = ir.FunctionType(result, [a.type for a in arguments])
    function = cgutils.get_or_insert_function(builder.module, function_type, name)
    return builder.call(function, arguments)


def _suffix(vector_type: ir.VectorType) -> str:
    bits = {"double": "f64", "float": "f32"}[str(vector_type.element)]
    return f"v{vector_type.count}{bits}"


def _each_lane(builder, value, function):
    """Applies a scalar function to every lane."""
    result = ir.Constant(value.type, ir.Undefined)
    for lane in range(value.type.count):
        index = ir.Constant(ir.IntType(32), lane)
        x = function(builder.extract_element(value, index))
        result = builder.insert_element(result, x, index)
    return result


def _pointer(builder, start, index, vector_type):
    return builder.bitcast(builder.gep(start, [index]), vector_type.as_pointer())


def _exp(builder, x):
    """exp(x) = 2**k * exp(r), |r| <= ln(2)/2, by the Taylor polynomial of degree 13 (float32: 7)."""
    vector = x.type
    double = str(vector.element) == "double"
    suffix = _suffix(vector)
    # Beyond these, the result is 0 or infinity; clamping keeps 2**k in range. NaN passes through
    # because both comparisons are false for it.
    low, high = (-746.0, 710.0) if double else (-104.0, 89.0)
    low, high = _constant(vector, low), _constant(vector, high)
    clamped = builder.select(builder.fcmp_ordered("<", x, low), low, x)
    clamped = builder.select(builder.fcmp_ordered(">", clamped, high), high, clamped)
    k = builder.fmul(clamped, _constant(vector, float(1.0 / np.log(2.0))))
    k = _call(builder, f"llvm.rint.{suffix}", vector, k)
    # ln(2) in two parts, the first exact to few bits, so that r loses nothing.
    first, second = (
        (6.93147180369123816490e-01, 1.90821492927058770002e-10)
        if double
        else (0.693359375, -2.12194440e-4)
    )
    r = builder.fsub(clamped, builder.fmul(k, _constant(vector, first)))
    r = builder.fsub(r, builder.fmul(k, _constant(vector, second)))
    degree = 13 if double else 7
    coefficients = [1.0]
    for n in range(1, degree + 1):
        coefficients.append(coefficients[-1] / n)
    y = _constant(vector, coefficients[degree])
    for n in range(degree - 1, -1, -1):
        y = builder.fadd(builder.fmul(y, r), _constant(vector, coefficients[n]))
    # 2**k in two halves, because k itself can lie outside the exponent's range near the ends.
    integer = ir.VectorType(ir.IntType(64 if double else 32), vector.count)
    bias, shift = (1023, 52) if double else (127, 23)
    safe = builder.select(
        builder.fcmp_ordered("ord", k, k), k, _constant(vector, 0.0)
    )  # NaN has no integer
    whole = builder.fptosi(safe, integer)
    half = builder.ashr(whole, _constant(integer, 1))
    for part in (half, builder.sub(whole, half)):
        bits = builder.shl(builder.add(part, _constant(integer, bias)), _constant(integer, shift))
        y = builder.fmul(y, builder.bitcast(bits, vector))
    return y


def _philox(builder, key, words):
    """Returns the four output words as vectors of i64; see `zero.rng.philox`."""
    vector = words[0].type
    lanes = vector.count
    mask, shift = _constant(vector, 0xFFFFFFFF), _constant(vector, 32)
    i64 = ir.IntType(64)
    k0 = builder.and_(key, ir.Constant(i64, 0xFFFFFFFF))
    k1 = builder.lshr(key, ir.Constant(i64, 32))
    x0, x1, x2, x3 = words
    for step in range(rng.ROUNDS):
        if step:
            k0 = builder.and_(builder.add(k0, ir.Constant(i64, rng.W0)), mask_of(i64))
            k1 = builder.and_(builder.add(k1, ir.Constant(i64, rng.W1)), mask_of(i64))
        p0 = builder.mul(x0, _constant(vector, rng.M0))
        p1 = builder.mul(x2, _constant(vector, rng.M1))
        x0 = builder.xor(builder.xor(builder.lshr(p1, shift), x1), _splat(builder, k0, lanes))
        x1 = builder.and_(p1, mask)
        x2 = builder.xor(builder.xor(builder.lshr(p0, shift), x3), _splat(builder, k1, lanes))
        x3 = builder.and_(p0, mask)
    return x0, x1, x2, x3


def mask_of(integer: ir.IntType) -> ir.Constant:
    """Returns the low 32 bits set."""
    return ir.Constant(integer, 0xFFFFFFFF)


def _unit(builder, high, low):
    """Returns float64 lanes in (0, 1); see `zero.rng.unit`."""
    vector = high.type
    bits = builder.or_(
        builder.shl(high, _constant(vector, 20)), builder.lshr(low, _constant(vector, 12))
    )
    double = ir.VectorType(ir.DoubleType(), vector.count)
    x = builder.fadd(builder.uitofp(bits, double), _constant(double, 0.5))
    return builder.fmul(x, _constant(double, 2.0**-52))


@cache
def make_lanes(dtype: str, lanes: int) -> SimpleNamespace:
    """Returns the functions on lanes for compiled code, and `W` (the number of lanes).

    Args:
        dtype: "float64" or "float32".
        lanes: W, a power of two.
    """
    value_type, mask_type = LanesType(dtype, lanes), MaskType(lanes)
    vector = ir.VectorType(_element(dtype), lanes)
    align = np.dtype(dtype).itemsize
    i64s = ir.VectorType(ir.IntType(64), lanes)

    @intrinsic
    def load(typing, start, index):
        """W values from an index on; `start` as `zero.struct.address` gives it."""

        def generate(context, builder, signature, arguments):
            index = context.cast(builder, arguments[1], signature.args[1], types.intp)
            pointer = _pointer(builder, arguments[0], index, vector)
            return builder.load(pointer, align=align)

        return value_type(start, index), generate

    @intrinsic
    def store(typing, start, index, value):
        """Writes W values from an index on; `start` as `zero.struct.address` gives it."""

        def generate(context, builder, signature, arguments):
            index = context.cast(builder, arguments[1], signature.args[1], types.intp)
            pointer = _pointer(builder, arguments[0], index, vector)
            builder.store(arguments[2], pointer, align=align)
            return context.get_dummy_value()

        return types.void(start, index, value_type), generate

    @intrinsic
    def splat(typing, number):
        """The same number in every lane."""

        def generate(context, builder, signature, arguments):
            number = context.cast(builder, arguments[0], signature.args[0], types.float64)
            if dtype == "float32":
                number = builder.fptrunc(number, ir.FloatType())
            return _splat(builder, number, lanes)

        return value_type(number), generate

    def binary(instruction):
        @intrinsic
        def operation(typing, a, b):
            def generate(context, builder, signature, arguments):
                return getattr(builder, instruction)(*arguments)

            return value_type(value_type, value_type), generate

        return operation

    def compare(condition):
        @intrinsic
        def operation(typing, a, b):
            def generate(context, builder, signature, arguments):
                return builder.fcmp_ordered(condition, *arguments)

            return mask_type(value_type, value_type), generate

        return operation

    def unary(function):
        @intrinsic
        def operation(typing, a):
            def generate(context, builder, signature, arguments):
                return function(builder, arguments[0])

            return value_type(value_type), generate

        return operation

    def libm(name):
        symbol = name if dtype == "float64" else name + "f"

        def scalar(builder):
            return lambda x: _call(builder, symbol, vector.element, x)

        return unary(lambda builder, a: _each_lane(builder, a, scalar(builder)))

    def llvm(name):
        return unary(lambda builder, a: _call(builder, f"llvm.{name}.{_suffix(vector)}", vector, a))

    @intrinsic
    def where(typing, mask, a, b):
        """Lane by lane: a where the mask is set, else b."""

        def generate(context, builder, signature, arguments):
            return builder.select(*arguments)

        return value_type(mask_type, value_type, value_type), generate

    def bits(predicate):
        @intrinsic
        def operation(typing, a, b):
            """Bit i of the result: the comparison in lane i (true where either is NaN)."""

            def generate(context, builder, signature, arguments):
                flags = builder.fcmp_unordered(predicate, *arguments)
                number = builder.bitcast(flags, ir.IntType(lanes))
                return builder.zext(number, ir.IntType(64)) if lanes < 64 else number

            return types.int64(value_type, value_type), generate

        return operation

    def words_of(builder, arguments):
        """Counter words as i64 lanes from (key, element, example, stream, keys, offset)."""
        _, element, example, stream = arguments[:4]
        mask = mask_of(ir.IntType(64))
        return [_splat(builder, builder.and_(x, mask), lanes) for x in (element, example, stream)]

    def draw(finish):
        @intrinsic
        def operation(typing, key, element, example, stream, keys, offset, first, second):
            """One random number a lane; `keys[offset...]` (int64) are the tasks' keys."""

            def generate(context, builder, signature, arguments):
                arguments = [
                    context.cast(builder, a, t, types.int64) if isinstance(t, types.Integer) else a
                    for a, t in zip(arguments, signature.args, strict=True)
                ]
                pointer = _pointer(builder, arguments[4], arguments[5], i64s)
                tasks = builder.load(pointer, align=8)
                words = _philox(builder, arguments[0], [*words_of(builder, arguments), tasks])
                result = finish(builder, words, arguments[6], arguments[7])
                return result if dtype == "float64" else builder.fptrunc(result, vector)

            arguments = (key, element, example, stream, keys, offset, types.float64, types.float64)
            return value_type(*arguments), generate

        return operation

    def finish_uniform(builder, words, low, high):
        u = _unit(builder, words[0], words[1])
        width = _splat(builder, builder.fsub(high, low), lanes)
        lows = _splat(builder, low, lanes)
        inside = builder.fadd(lows, builder.fmul(u, width))
        ordered = builder.fcmp_ordered("<", low, high)
        return builder.select(ordered, inside, lows)

    def finish_gaussian(builder, words, mean, stdev):
        u, v = _unit(builder, words[0], words[1]), _unit(builder, words[2], words[3])
        double = u.type
        log = _each_lane(builder, u, lambda x: _call(builder, "log", ir.DoubleType(), x))
        radius = builder.fmul(_constant(double, -2.0), log)
        radius = _call(builder, f"llvm.sqrt.{_suffix(double)}", double, radius)
        angle = builder.fmul(_constant(double, float(2.0 * np.pi)), v)
        cosine = _each_lane(builder, angle, lambda x: _call(builder, "cos", ir.DoubleType(), x))
        normal = builder.fmul(radius, cosine)
        scaled = builder.fmul(_splat(builder, stdev, lanes), normal)
        return builder.fadd(_splat(builder, mean, lanes), scaled)

    return SimpleNamespace(
        W=lanes,
        load=load,
        store=store,
        splat=splat,
        add=binary("fadd"),
        sub=binary("fsub"),
        mul=binary("fmul"),
        div=binary("fdiv"),
        neg=unary(lambda builder, a: builder.fneg(a)),
        lt=compare("<"),
        le=compare("<="),
        gt=compare(">"),
        ge=compare(">="),
        where=where,
        absolute=llvm("fabs"),
        sqrt=llvm("sqrt"),
        exp=unary(_exp),
        bits_above=bits(">"),
        uniform=draw(finish_uniform),
        gaussian=draw(finish_gaussian),
        **{name: libm(symbol) for name, symbol in _LIBM.items()},
    )

"""Arithmetic on LLVM vectors: what `handlers.py` and `lanes.py` are written with.

A vector holds one value of W tasks. Arithmetic is plain IEEE without contraction. exp, log, sin and
cos are computed on whole vectors (range reduction and a polynomial, error below 1 unit in the last
place or so; float32 goes through float64 but for exp); the other transcendental functions, and sines
of large numbers, call libm for each lane. The polynomials of log, sin and cos are those of fdlibm
(Sun Microsystems, 1993), those of exp are Taylor's.
"""

from __future__ import annotations

import math

import numpy as np
from llvmlite import ir

from zero.rng.philox import M0, M1, ROUNDS, W0, W1

I32, I64 = ir.IntType(32), ir.IntType(64)
_LIBM = {"tan": "tan", "arcsin": "asin", "arccos": "acos", "arctan": "atan", "tanh": "tanh"}
_LOG = (
    6.666666666666735130e-01, 3.999999999940941908e-01, 2.857142874366239149e-01,
    2.222219843214978396e-01, 1.818357216161805012e-01, 1.531383769920937332e-01,
    1.479819860511658591e-01,
)  # fmt: skip
_SIN = (
    -1.66666666666666324348e-01, 8.33333333332248946124e-03, -1.98412698298579493134e-04,
    2.75573137070700676789e-06, -2.50507602534068634195e-08, 1.58969099521155010221e-10,
)  # fmt: skip
_COS = (
    4.16666666666666019037e-02, -1.38888888888741095749e-03, 2.48015872894767294178e-05,
    -2.75573143513906633035e-07, 2.08757232129817482790e-09, -1.13596475577881948265e-11,
)  # fmt: skip
# ln(2) and pi / 2 in parts that are exact to few bits, so that range reduction loses nothing.
_LN2 = (6.93147180369123816490e-01, 1.90821492927058770002e-10)
_HALF_PI = (1.57079632673412561417e00, 6.07710050630396597660e-11, 2.02226624879595063154e-21)
_LARGE = 1e5  # above, range reduction would need more parts


def element(dtype: str) -> ir.Type:
    """Returns the LLVM type of "float64" or "float32"."""
    return {"float64": ir.DoubleType(), "float32": ir.FloatType()}[dtype]


def constant(vector: ir.VectorType, value) -> ir.Constant:
    """Returns a vector with the same number in every lane."""
    return ir.Constant(vector, [value] * vector.count)


def splat(builder, value, lanes: int):
    """Returns a vector of `lanes` copies of a value."""
    vector = ir.Constant(ir.VectorType(value.type, lanes), ir.Undefined)
    vector = builder.insert_element(vector, value, ir.Constant(I32, 0))
    zeros = ir.Constant(ir.VectorType(I32, lanes), [0] * lanes)
    return builder.shuffle_vector(vector, ir.Constant(vector.type, ir.Undefined), zeros)


def call(builder, name: str, result: ir.Type, *arguments):
    """Calls an external function or LLVM intrinsic, declared where need be."""
    function = builder.module.globals.get(name)
    if function is None:
        function_type = ir.FunctionType(result, [a.type for a in arguments])
        function = ir.Function(builder.module, function_type, name)
    return builder.call(function, arguments)


def _is_double(vector: ir.VectorType) -> bool:
    return str(vector.element) == "double"


def _llvm(builder, name: str, x):
    suffix = f"v{x.type.count}{'f64' if _is_double(x.type) else 'f32'}"
    return call(builder, f"llvm.{name}.{suffix}", x.type, x)


def _libm(builder, name: str, x):
    """Applies a function of libm to every lane."""
    symbol = name if _is_double(x.type) else name + "f"
    result = ir.Constant(x.type, ir.Undefined)
    for lane in range(x.type.count):
        index = ir.Constant(I32, lane)
        y = call(builder, symbol, x.type.element, builder.extract_element(x, index))
        result = builder.insert_element(result, y, index)
    return result


def _polynomial(builder, x, coefficients):
    """Returns c[0] + c[1] x + c[2] x**2 + ..., by halves: the parts do not wait for each other."""
    terms = [constant(x.type, c) for c in coefficients]
    while len(terms) > 1:
        pairs = zip(terms[::2], terms[1::2], strict=False)
        joined = [builder.fadd(low, builder.fmul(high, x)) for low, high in pairs]
        terms = joined + terms[len(terms) // 2 * 2 :]
        x = builder.fmul(x, x)
    return terms[0]


def exp(builder, x):
    """Returns e**x = 2**k e**r, |r| <= ln(2)/2, by a polynomial of degree 13 (float32: 7)."""
    vector = x.type
    double = _is_double(vector)
    # Beyond these, the result is 0 or infinity; clamping keeps 2**k in range. NaN passes through
    # because both comparisons are false for it.
    low, high = (-746.0, 710.0) if double else (-104.0, 89.0)
    low, high = constant(vector, low), constant(vector, high)
    clamped = builder.select(builder.fcmp_ordered("<", x, low), low, x)
    clamped = builder.select(builder.fcmp_ordered(">", clamped, high), high, clamped)
    k = builder.fmul(clamped, constant(vector, float(1.0 / np.log(2.0))))
    k = _llvm(builder, "rint", k)
    first, second = _LN2 if double else (0.693359375, -2.12194440e-4)
    r = builder.fsub(clamped, builder.fmul(k, constant(vector, first)))
    r = builder.fsub(r, builder.fmul(k, constant(vector, second)))
    # 1 + (r + r**2 (1/2! + r/3! + ...)): the rounding of the polynomial hardly counts.
    factorials = [math.factorial(n) for n in range(2, 14 if double else 8)]
    y = builder.fmul(builder.fmul(r, r), _polynomial(builder, r, [1.0 / n for n in factorials]))
    y = builder.fadd(constant(vector, 1.0), builder.fadd(r, y))
    # 2**k in two halves, because k itself can lie outside the exponent's range near the ends.
    integer = ir.VectorType(I64 if double else I32, vector.count)
    bias, shift = (1023, 52) if double else (127, 23)
    is_number = builder.fcmp_ordered("ord", k, k)
    safe = builder.select(is_number, k, constant(vector, 0.0))  # NaN has no integer
    whole = builder.fptosi(safe, integer)
    half = builder.ashr(whole, constant(integer, 1))
    for part in (half, builder.sub(whole, half)):
        bits = builder.shl(builder.add(part, constant(integer, bias)), constant(integer, shift))
        y = builder.fmul(y, builder.bitcast(bits, vector))
    return y


def _in_double(function):
    """Returns the function for both dtypes, computed in float64."""

    def either(builder, x):
        if _is_double(x.type):
            return function(builder, x)
        double = ir.VectorType(ir.DoubleType(), x.type.count)
        return builder.fptrunc(function(builder, builder.fpext(x, double)), x.type)

    return either


def _log(builder, x):
    """Returns the logarithm: e ln(2) + log(1 + f), sqrt(1/2) <= 1 + f < sqrt(2)."""
    b, vector = builder, x.type

    def number(value):
        return constant(vector, value)

    integer = ir.VectorType(I64, vector.count)
    tiny = b.fcmp_ordered("<", x, number(2.0**-1022))
    scaled = b.select(tiny, b.fmul(x, number(2.0**54)), x)
    # The exponent counts from sqrt(1/2), not from 1: then 1 + f lies around 1.
    bits = b.sub(b.bitcast(scaled, integer), constant(integer, 0x3FE6A09E667F3BCD))
    exponent = b.sitofp(b.ashr(bits, constant(integer, 52)), vector)
    exponent = b.fsub(exponent, b.select(tiny, number(54.0), number(0.0)))
    bits = b.add(
        b.and_(bits, constant(integer, (1 << 52) - 1)), constant(integer, 0x3FE6A09E667F3BCD)
    )
    f = b.fsub(b.bitcast(bits, vector), number(1.0))
    s = b.fdiv(f, b.fadd(f, number(2.0)))
    z = b.fmul(s, s)
    r = b.fmul(z, _polynomial(b, z, _LOG))
    half = b.fmul(number(0.5), b.fmul(f, f))
    low = b.fadd(b.fmul(s, b.fadd(half, r)), b.fmul(exponent, number(_LN2[1])))
    high = b.fmul(exponent, number(_LN2[0]))
    y = b.fsub(high, b.fsub(b.fsub(half, low), f))
    y = b.select(b.fcmp_ordered("<", x, number(np.inf)), y, x)  # infinity and NaN as they are
    y = b.select(b.fcmp_ordered("==", x, number(0.0)), number(-np.inf), y)
    return b.select(b.fcmp_ordered("<", x, number(0.0)), number(np.nan), y)


def _wave(builder, x, quarter: int):
    """Returns sin(x + quarter pi / 2), |x| up to `_LARGE`: x = n pi / 2 + r, |r| <= pi / 4."""
    b, vector = builder, x.type
    integer = ir.VectorType(I64, vector.count)
    n = _llvm(b, "rint", b.fmul(x, constant(vector, float(2.0 / np.pi))))
    first, second, third = (b.fmul(n, constant(vector, part)) for part in _HALF_PI)
    first = b.fsub(x, first)
    r = b.fsub(first, second)
    lost = b.fsub(b.fsub(first, r), second)  # by the rounding of r
    tail = b.fsub(lost, third)
    r, before = b.fadd(r, tail), r
    tail = b.fadd(b.fsub(before, r), tail)
    z = b.fmul(r, r)
    sine = b.fmul(b.fmul(z, r), _polynomial(b, z, _SIN))
    sine = b.fadd(r, b.fadd(sine, tail))
    half = b.fmul(constant(vector, 0.5), z)
    rough = b.fsub(constant(vector, 1.0), half)
    rest = b.fsub(b.fsub(constant(vector, 1.0), rough), half)
    rest = b.fadd(rest, b.fsub(b.fmul(b.fmul(z, z), _polynomial(b, z, _COS)), b.fmul(r, tail)))
    cosine = b.fadd(rough, rest)
    # NaN and what is too large have no whole number; their lanes are replaced or NaN anyway.
    fits = b.fcmp_ordered("<", _llvm(b, "fabs", n), constant(vector, 2.0**31))
    whole = b.fptosi(b.select(fits, n, constant(vector, 0.0)), integer)
    whole = b.add(whole, constant(integer, quarter))
    odd = b.icmp_signed("!=", b.and_(whole, constant(integer, 1)), constant(integer, 0))
    minus = b.icmp_signed("!=", b.and_(whole, constant(integer, 2)), constant(integer, 0))
    y = b.select(odd, cosine, sine)
    return b.select(minus, b.fneg(y), y)


def _wave_anywhere(symbol: str, quarter: int):
    """Returns sin or cos of any number: by libm where a lane is too large."""

    def function(builder, x):
        b = builder
        y = _wave(b, x, quarter)
        large = b.fcmp_ordered(">", _llvm(b, "fabs", x), constant(x.type, _LARGE))
        flags = b.bitcast(large, ir.IntType(x.type.count))
        near = b.block
        with b.if_then(b.icmp_unsigned("!=", flags, flags.type(0)), likely=False):
            exact = _libm(b, symbol, x)
            far = b.block
        result = b.phi(x.type)
        result.add_incoming(y, near)
        result.add_incoming(exact, far)
        return result

    return function


# The functions of formulas (`zero.programs.ops.FUNCTIONS`): (builder, vectors...) -> vector.
FUNCTIONS = {
    "exp": exp,
    "log": _in_double(_log),
    "sin": _in_double(_wave_anywhere("sin", 0)),
    "cos": _in_double(_wave_anywhere("cos", 1)),
    "sqrt": lambda builder, x: _llvm(builder, "sqrt", x),
    "abs": lambda builder, x: _llvm(builder, "fabs", x),
    "where": lambda builder, mask, a, b: builder.select(mask, a, b),
    **{
        name: lambda builder, x, symbol=symbol: _libm(builder, symbol, x)
        for name, symbol in _LIBM.items()
    },
}


# --- random numbers -----------------------------------------------------------------------------


def philox(builder, key, words):
    """Returns the four output words as vectors of i64; see `zero.rng.philox.philox`."""
    vector = words[0].type
    low, shift = constant(vector, 0xFFFFFFFF), constant(vector, 32)
    low_word = ir.Constant(I64, 0xFFFFFFFF)
    k0, k1 = builder.and_(key, low_word), builder.lshr(key, ir.Constant(I64, 32))
    x0, x1, x2, x3 = words
    for step in range(ROUNDS):
        if step:
            k0 = builder.and_(builder.add(k0, ir.Constant(I64, W0)), low_word)
            k1 = builder.and_(builder.add(k1, ir.Constant(I64, W1)), low_word)
        p0 = builder.mul(x0, constant(vector, M0))
        p1 = builder.mul(x2, constant(vector, M1))
        x0 = builder.xor(builder.lshr(p1, shift), builder.xor(x1, splat(builder, k0, vector.count)))
        x1 = builder.and_(p1, low)
        x2 = builder.xor(builder.lshr(p0, shift), builder.xor(x3, splat(builder, k1, vector.count)))
        x3 = builder.and_(p0, low)
    return x0, x1, x2, x3


def _unit(builder, high, low):
    """Returns float64 lanes in (0, 1); see `zero.rng.philox.unit`."""
    vector = high.type
    bits = builder.or_(
        builder.shl(high, constant(vector, 20)), builder.lshr(low, constant(vector, 12))
    )
    double = ir.VectorType(ir.DoubleType(), vector.count)
    x = builder.fadd(builder.uitofp(bits, double), constant(double, 0.5))
    return builder.fmul(x, constant(double, 2.0**-52))


def uniform(builder, words, low, high):
    """Returns float64 lanes from U(low, high); see `zero.rng.philox.uniform`."""
    lanes = words[0].type.count
    width = splat(builder, builder.fsub(high, low), lanes)
    lows = splat(builder, low, lanes)
    inside = builder.fadd(lows, builder.fmul(_unit(builder, words[0], words[1]), width))
    return builder.select(builder.fcmp_ordered("<", low, high), inside, lows)


def gaussian(builder, words, mean, stdev):
    """Returns float64 lanes from N(mean, stdev); see `zero.rng.philox.gaussian`."""
    u, v = _unit(builder, words[0], words[1]), _unit(builder, words[2], words[3])
    lanes = u.type.count
    radius = builder.fmul(constant(u.type, -2.0), _log(builder, u))
    radius = _llvm(builder, "sqrt", radius)
    angle = builder.fmul(constant(u.type, float(2.0 * np.pi)), v)
    normal = builder.fmul(radius, _wave(builder, angle, 1))
    scaled = builder.fmul(splat(builder, stdev, lanes), normal)
    return builder.fadd(splat(builder, mean, lanes), scaled)

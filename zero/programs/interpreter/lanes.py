"""SIMD lanes for numba: one value of a program's memory on W tasks at once, as one LLVM vector.

`make_lanes(dtype, lanes)` returns functions for compiled code, each an LLVM instruction or two. A
lane holds one task, so a program is decoded once and runs on W tasks; rows are loaded and stored
whole, which LLVM cannot do by itself because it cannot prove that two rows do not overlap (measured:
four times slower). `execute` runs decoded instructions.
"""

from __future__ import annotations

from functools import cache
from types import SimpleNamespace

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.core.datamodel import models
from numba.core.extending import intrinsic, register_model

from zero.programs.interpreter import vectors
from zero.programs.interpreter.handlers import ROW


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


@register_model(LanesType)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, dmm, fe_type):
        vector = ir.VectorType(vectors.element(fe_type.dtype), fe_type.lanes)
        super().__init__(dmm, fe_type, vector)


@register_model(MaskType)
class _MaskModel(models.PrimitiveModel):
    def __init__(self, dmm, fe_type):
        super().__init__(dmm, fe_type, ir.VectorType(ir.IntType(1), fe_type.lanes))


@intrinsic
def execute(typing, code, row, memory, base, context):
    """Executes decoded instructions from a row on (see `zero.programs.interpreter.handlers`).

    memory, base: address, and the index where the block's memory starts.
    """

    def generate(context_, builder, signature, arguments):
        code, row, memory, base, context = arguments
        byte = ir.IntType(8).as_pointer()
        first = builder.gep(code, [builder.mul(row, row.type(ROW))])
        handler = builder.load(first)
        pointers = [builder.bitcast(p, byte) for p in (first, builder.gep(memory, [base]), context)]
        function_type = ir.FunctionType(ir.VoidType(), [byte] * 3)
        target = builder.inttoptr(handler, function_type.as_pointer())
        builder.call(target, pointers)
        return context_.get_dummy_value()

    return types.void(code, types.int64, memory, types.int64, context), generate


@cache
def make_lanes(dtype: str, lanes: int) -> SimpleNamespace:
    """Returns the functions on lanes for compiled code, and `W` (the number of lanes).

    Args:
        dtype: "float64" or "float32".
        lanes: W, a power of two.
    """
    value_type, mask_type = LanesType(dtype, lanes), MaskType(lanes)
    vector = ir.VectorType(vectors.element(dtype), lanes)
    align = np.dtype(dtype).itemsize

    def pointer(context, builder, signature, arguments):
        index = context.cast(builder, arguments[1], signature.args[1], types.intp)
        return builder.bitcast(builder.gep(arguments[0], [index]), vector.as_pointer())

    @intrinsic
    def load(typing, start, index):
        """W values from an index on; `start` as `zero.jit.struct.address` gives it."""

        def generate(context, builder, signature, arguments):
            return builder.load(pointer(context, builder, signature, arguments), align=align)

        return value_type(start, index), generate

    @intrinsic
    def store(typing, start, index, value):
        """Writes W values from an index on; `start` as `zero.jit.struct.address` gives it."""

        def generate(context, builder, signature, arguments):
            to = pointer(context, builder, signature, arguments)
            builder.store(arguments[2], to, align=align)
            return context.get_dummy_value()

        return types.void(start, index, value_type), generate

    @intrinsic
    def prefetch(typing, start, index):
        """Begins to bring the cache line with that element nearer; does nothing else."""

        def generate(context, builder, signature, arguments):
            to = pointer(context, builder, signature, arguments)
            to = builder.bitcast(to, ir.IntType(8).as_pointer())
            flags = [ir.Constant(vectors.I32, x) for x in (0, 3, 1)]  # read, keep, data
            vectors.call(builder, "llvm.prefetch.p0", ir.VoidType(), to, *flags)
            return context.get_dummy_value()

        return types.void(start, index), generate

    @intrinsic
    def splat(typing, number):
        """The same number in every lane."""

        def generate(context, builder, signature, arguments):
            number = context.cast(builder, arguments[0], signature.args[0], types.float64)
            if dtype == "float32":
                number = builder.fptrunc(number, ir.FloatType())
            return vectors.splat(builder, number, lanes)

        return value_type(number), generate

    def binary(instruction):
        @intrinsic
        def operation(typing, a, b):
            def generate(context, builder, signature, arguments):
                return getattr(builder, instruction)(*arguments)

            return value_type(value_type, value_type), generate

        return operation

    def unary(function):
        @intrinsic
        def operation(typing, a):
            def generate(context, builder, signature, arguments):
                return function(builder, arguments[0])

            return value_type(value_type), generate

        return operation

    @intrinsic
    def greater(typing, a, b):
        """Lane by lane: whether a > b."""

        def generate(context, builder, signature, arguments):
            return builder.fcmp_ordered(">", *arguments)

        return mask_type(value_type, value_type), generate

    @intrinsic
    def where(typing, mask, a, b):
        """Lane by lane: a where the mask is set, else b."""

        def generate(context, builder, signature, arguments):
            return builder.select(*arguments)

        return value_type(mask_type, value_type, value_type), generate

    @intrinsic
    def bits_above(typing, a, b):
        """Bit i of the result: a > b in lane i (true where either is NaN)."""

        def generate(context, builder, signature, arguments):
            flags = builder.fcmp_unordered(">", *arguments)
            number = builder.bitcast(flags, ir.IntType(lanes))
            return builder.zext(number, ir.IntType(64)) if lanes < 64 else number

        return types.int64(value_type, value_type), generate

    return SimpleNamespace(
        W=lanes,
        load=load,
        store=store,
        prefetch=prefetch,
        splat=splat,
        add=binary("fadd"),
        sub=binary("fsub"),
        mul=binary("fmul"),
        div=binary("fdiv"),
        neg=unary(lambda builder, a: builder.fneg(a)),
        gt=greater,
        where=where,
        absolute=unary(vectors.FUNCTIONS["abs"]),
        exp=unary(vectors.exp),
        bits_above=bits_above,
    )

"""Bundles of arrays and numbers that compiled functions take as one argument.

`pack` turns a NamedTuple into a handle that compiled code reads by the same field names. The arrays are
shared, so what compiled code writes is seen in the tuple; numbers are copied. A NamedTuple itself would
work too, but numba passes each of its arrays as seven arguments, and a bundle of fifty arrays then takes
a minute to compile; numba's own structs count references at every access, which costs more than the
access.

`Functions` does the same for compiled functions: code that takes them as one argument is compiled for
those that it is given, as if it named them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import from_dtype
from numba.core import types
from numba.core.datamodel import models
from numba.core.extending import NativeValue, intrinsic, register_model, typeof_impl, unbox
from numba.core.imputils import lower_constant, lower_getattr_generic
from numba.core.typing.templates import AttributeTemplate, infer_getattr
from numba.np.arrayobj import populate_array


class StructType(types.Type):
    """numba type of a handle.

    It is the address of 8-byte words: one for a number, a struct or nothing (None); for an array its
    address and shape, or its address alone (`pack`).
    """

    def __init__(self, name: str, fields: tuple[tuple[str, types.Type], ...]):
        self.fields = fields
        super().__init__(name=f"{name}({', '.join(f'{n}: {t}' for n, t in fields)})")

    def word_of(self, name: str) -> int:
        """Returns where a field's words start."""
        at = 0
        for field, kind in self.fields:
            if field == name:
                return at
            at += 1 + (kind.ndim if isinstance(kind, types.Array) else 0)
        raise AssertionError(name)


class Struct:
    """A handle as `pack` makes it; it keeps the arrays alive."""

    def __init__(self, value: tuple):
        fields, words, self.kept = [], [], [value]
        by_address = getattr(value, "BY_ADDRESS", ())
        for name, x in zip(value._fields, value, strict=True):
            kind, new = self._field(x)
            if name in by_address:
                kind, new = types.CPointer(kind.dtype), new[:1]
            fields.append((name, kind))
            words += new
        self.type = StructType(type(value).__name__, tuple(fields))
        self.words = np.array(words, dtype=np.int64)
        self.address = self.words.ctypes.data

    def _field(self, x: Any) -> tuple[types.Type, list[int]]:
        """Returns a field's type and its words."""
        if x is None:
            return types.none, [0]
        if isinstance(x, np.ndarray):
            assert x.flags.c_contiguous
            return types.Array(from_dtype(x.dtype), x.ndim, "C"), [x.ctypes.data, *x.shape]
        if isinstance(x, tuple):
            inside = Struct(x)
            self.kept.append(inside)
            return inside.type, [inside.address]
        if isinstance(x, bool | np.bool_):
            return types.boolean, [int(x)]
        if isinstance(x, float):
            return types.float64, [int(np.float64(x).view(np.int64))]
        return types.int64, [int(x)]


def pack(value: tuple) -> Struct:
    """Returns the handle of a NamedTuple of C-contiguous arrays, numbers, None and such tuples.

    The class may name fields in `BY_ADDRESS`: compiled code gets the address of such an array (see
    `address`), because handing an array on counts a reference.
    """
    return Struct(value)


@typeof_impl.register(Struct)
def _type_of(value, context):
    return value.type


@register_model(StructType)
class _StructModel(models.PrimitiveModel):
    def __init__(self, dmm, fe_type):
        super().__init__(dmm, fe_type, ir.IntType(8).as_pointer())


@unbox(StructType)
def _unbox(kind, handle, c):
    address = c.pyapi.object_getattr_string(handle, "address")
    pointer = c.pyapi.long_as_voidptr(address)
    c.pyapi.decref(address)
    return NativeValue(pointer)


@infer_getattr
class _StructFields(AttributeTemplate):
    key = StructType

    def generic_resolve(self, struct, name):
        return dict(struct.fields).get(name)


@lower_getattr_generic(StructType)
def _read_field(context, builder, struct, start, name):
    kind, first = dict(struct.fields)[name], struct.word_of(name)
    word = ir.IntType(64)

    def read(index, as_type):
        at = builder.gep(start, [ir.Constant(word, 8 * index)])
        value = builder.load(builder.bitcast(at, as_type.as_pointer()), align=8)
        # Nobody writes these words, so LLVM may read them once and keep them.
        value.set_metadata("invariant.load", builder.module.add_metadata([]))
        return value

    if isinstance(kind, types.Array):
        array = context.make_array(kind)(context, builder)
        size = context.get_abi_sizeof(context.get_data_type(kind.dtype))
        shape = [read(first + 1 + k, word) for k in range(kind.ndim)]
        strides = [ir.Constant(word, size)]
        for length in shape[:0:-1]:
            strides.insert(0, builder.mul(strides[0], length))
        data = read(first, array.data.type)
        populate_array(array, data, shape, strides, ir.Constant(word, size), meminfo=None)
        return array._getvalue()
    if isinstance(kind, types.NoneType):
        return context.get_dummy_value()
    if isinstance(kind, types.Boolean):
        return builder.trunc(read(first, word), ir.IntType(1))
    return read(first, context.get_value_type(kind))


class Functions:
    """Compiled functions by name, a global of compiled code; takes no time there.

    numba's cache cannot keep code that hands functions on as values: they would be addresses in this
    process. Here they are part of the type.
    """

    def __init__(self, **functions: Callable[..., Any]):
        self.kept = functions  # the type itself does not keep them
        self.type = FunctionsType(
            tuple((name, types.Dispatcher(function)) for name, function in functions.items())
        )


class FunctionsType(types.Type):
    """numba type of `Functions`."""

    def __init__(self, fields: tuple[tuple[str, types.Dispatcher], ...]):
        self.fields = fields
        places = [f"{n}: {t.dispatcher.__module__}.{t.dispatcher.__qualname__}" for n, t in fields]
        super().__init__(name=f"Functions({', '.join(places)})")

    @property
    def key(self) -> tuple:
        """What two of them are the same by."""
        return self.fields


@typeof_impl.register(Functions)
def _type_of_functions(value, context):
    return value.type


@register_model(FunctionsType)
class _FunctionsModel(models.StructModel):
    def __init__(self, dmm, fe_type):
        super().__init__(dmm, fe_type, [])  # no value at all


@lower_constant(FunctionsType)
def _functions_constant(context, builder, kind, value):
    return ir.Constant(context.get_value_type(kind), ir.Undefined)


@infer_getattr
class _FunctionsFields(AttributeTemplate):
    key = FunctionsType

    def generic_resolve(self, functions, name):
        return dict(functions.fields).get(name)


@lower_getattr_generic(FunctionsType)
def _read_function(context, builder, kind, value, name):
    return context.get_dummy_value()


@intrinsic
def address(typing, array):
    """The address of an array's data, to be indexed like a one-dimensional array, unchecked."""

    def generate(context, builder, signature, arguments):
        return context.make_array(signature.args[0])(context, builder, arguments[0]).data

    if not isinstance(array, types.Array):
        return None
    return types.CPointer(array.dtype)(array), generate


def aligned_zeros(shape: int | tuple[int, ...], dtype) -> np.ndarray:
    """Returns zeros that start at a cache line; large ones take memory where they are written to.

    What lies across two lines takes twice as long.
    """
    shape, dtype = shape if isinstance(shape, tuple) else (int(shape),), np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    room = np.zeros(size + 64, dtype=np.uint8)
    first = -room.ctypes.data % 64
    return room[first : first + size].view(dtype).reshape(shape)


def arrays_of(value, prefix: str = "") -> dict[str, np.ndarray]:
    """Returns the arrays of a struct by dotted name, those of structs inside it included."""
    found = {}
    for name, field in zip(value._fields, value, strict=True):
        if isinstance(field, np.ndarray):
            found[prefix + name] = field
        elif isinstance(field, tuple) and hasattr(field, "_fields"):
            found.update(arrays_of(field, f"{prefix}{name}."))
    return found

"""Bundles of arrays that compiled functions take as one argument.

`@struct` on a NamedTuple class makes a numba struct type beside it. `pack` turns an instance into a
handle that compiled code reads by the same field names; the arrays are shared, so what compiled code
writes is seen in the instance. A NamedTuple itself would work too, but numba passes each of its arrays
as seven arguments, and a bundle of fifty arrays then takes a minute to compile.
"""

from __future__ import annotations

import numpy as np
from numba.core import types
from numba.core.extending import intrinsic
from numba.experimental import structref

STRUCTS: list[type] = []


def struct(cls: type) -> type:
    """Returns the NamedTuple class, known to numba from now on."""
    name = f"{cls.__name__}Struct"
    fields = {"preprocess_fields": lambda self, fields: tuple(fields)}
    struct_type = structref.register(type(f"{name}Type", (types.StructRef,), fields))
    proxy = type(name, (structref.StructRefProxy,), {})
    # numba finds both by name when it reads its disk cache.
    for made in (struct_type, proxy):
        made.__module__ = __name__
        globals()[made.__name__] = made
    structref.define_constructor(proxy, struct_type, cls._fields)
    structref.define_boxing(struct_type, proxy)
    STRUCTS.append(cls)
    return cls


def makers_text() -> str:
    """Returns source of one function a struct, which makes its handle from its fields."""
    text = []
    for cls in STRUCTS:
        name, fields = cls.__name__, ", ".join(cls._fields)
        text.append(
            f"\n\n@_entry\ndef make_{name}({fields}):\n"
            f'    """A handle of {name}."""\n    return structs.{name}Struct({fields})\n'
        )
    return "".join(text)


def pack(module, value):
    """Returns the handle of a struct (and of those inside it), made by a generated module."""
    if isinstance(value, tuple) and type(value) in STRUCTS:
        return getattr(module, f"make_{type(value).__name__}")(*(pack(module, v) for v in value))
    return value


@intrinsic
def address(typing, array):
    """The address of an array's data, to be indexed like a one-dimensional array, unchecked."""

    def generate(context, builder, signature, arguments):
        return context.make_array(signature.args[0])(context, builder, arguments[0]).data

    if not isinstance(array, types.Array):
        return None
    return types.CPointer(array.dtype)(array), generate


def arrays_of(value, prefix: str = "") -> dict[str, np.ndarray]:
    """Returns the arrays of a struct by dotted name, those of structs inside it included."""
    found = {}
    for name, field in zip(value._fields, value, strict=True):
        if isinstance(field, np.ndarray):
            found[prefix + name] = field
        elif isinstance(field, tuple) and hasattr(field, "_fields"):
            found.update(arrays_of(field, f"{prefix}{name}."))
    return found

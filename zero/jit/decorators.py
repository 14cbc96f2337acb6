"""How compiled functions are compiled: three decorators, used everywhere.

`jit` is for functions that others call. `error_model="numpy"`: division by zero gives infinity instead
of an exception. No fastmath: it makes isfinite(nan) true. Nothing here is cached on its own: numba's
cache does not see edits in imported files.

`plain_or_jit` is for functions that are plain Python where Python calls them, and compiled like those of
`jit` where compiled code does.

`entry` is for the functions of generated modules, whose names carry a hash of all compiled source
(`zero.jit.cache`): those are cached. They are compiled in a forked process, which leaves the code in
the cache and can be ended at any moment: a compilation takes a minute, and LLVM listens to no signal.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
from numba.extending import register_jitable

from zero.jit.cache import compiled_aside
from zero.jit.machine_code import CheckedFiles

jit = numba.njit(error_model="numpy", nogil=True)
plain_or_jit = register_jitable(error_model="numpy", nogil=True)


def entry(function: Callable[..., Any]) -> Any:
    """Returns the function compiled at its first call, or loaded from the cache."""
    dispatcher = numba.njit(error_model="numpy", nogil=True, cache=True)(function)
    dispatcher._cache._cache_file = CheckedFiles.like(dispatcher._cache._cache_file)
    load = dispatcher._cache.load_overload

    def load_or_compile(signature: Any, context: Any) -> Any:
        # Called with numba's lock held, so no other thread is in the compiler at the fork.
        found = load(signature, context)
        if found is None and compiled_aside(lambda: dispatcher.compile(signature)):
            found = load(signature, context)
        return found  # None: this process compiles it

    dispatcher._cache.load_overload = load_or_compile
    return dispatcher


def prepare(function: Any, *arguments: Any) -> None:
    """Compiles or loads an entry for such arguments without calling it; anything else is called.

    An evaluation on wide data takes seconds, and memory that a process forked later would copy.
    """
    if hasattr(function, "typeof_pyval"):
        function.compile(tuple(map(function.typeof_pyval, arguments)))
    else:
        function(*arguments)

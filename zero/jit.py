"""How compiled functions are compiled: one decorator, used everywhere.

`error_model="numpy"`: division by zero gives infinity instead of an exception. No fastmath: it makes
isfinite(nan) true. Nothing here is cached on its own: numba's cache does not see edits in imported
files. `zero.interpreter.cpu` writes the entry points into a module whose name carries a hash of all
compiled source, and caches those.
"""

import numba

jit = numba.njit(error_model="numpy", nogil=True)

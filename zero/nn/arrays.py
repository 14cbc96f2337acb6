"""Where the large arrays of a training come from, so that their bytes are known before they are made.

`Arrays(real=False)` makes none: it counts. What allocates through it (models, optimizers, averages) is
its own estimate. Called by the backends and `zero.nn.train`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

DType = str | type | np.dtype[Any]

LINE = 64  # bytes of a cache line
SPARE = 1 << 20  # of an arena, for what is lost between arrays


class Arrays:
    """Makes arrays, and counts their bytes.

    Args:
        real: whether to make them. If not, they have shape and dtype but no memory of their own, and
            cannot be written to.

    Attributes:
        bytes: of all arrays so far.
    """

    def __init__(self, real: bool = True):
        self.real, self.bytes = real, 0

    def zeros(self, shape: int | tuple[int, ...], dtype: DType = "float32") -> np.ndarray:
        """Returns zeros that start at a cache line; a vector's length more is allocated."""
        dtype = np.dtype(dtype)
        size = math.prod(shape if isinstance(shape, tuple) else (shape,)) * dtype.itemsize
        self.bytes += size
        if not self.real:
            return np.broadcast_to(np.zeros((), dtype), shape)
        raw = np.zeros(size + 2 * LINE, dtype=np.uint8)
        start = -raw.ctypes.data % LINE
        return raw[start : start + size].view(dtype).reshape(shape)

    def full(
        self, shape: int | tuple[int, ...], value: float, dtype: DType = "float32"
    ) -> np.ndarray:
        """Returns an array of one value, as `zeros` does."""
        array = self.zeros(shape, dtype)
        if self.real:
            array[:] = value
        return array

    def copy(self, array: np.ndarray) -> np.ndarray:
        """Returns a copy of an array."""
        made = self.zeros(array.shape, array.dtype)
        if self.real:
            made[:] = array
        return made


class Arena(Arrays):
    """Memory that one model after the other is made in, so that to make one asks the system for none.

    `begin` takes it back from the last model, which must not be used any more.
    """

    def __init__(self) -> None:
        super().__init__()
        self._block = np.zeros(0, np.uint8)
        self._at = 0

    def reserve(self, size: int) -> None:
        """Makes room for models of about so many bytes, as an `Arrays` that is not real counts them."""
        self._at = size + SPARE
        self.begin()

    def begin(self) -> None:
        """Makes all memory free again; as much as was ever needed is kept."""
        if self._at > len(self._block):
            self._block = np.zeros(0, np.uint8)  # given back before the larger one is made
            self._block = super().zeros(self._at, np.uint8)
        self._at, self.bytes = 0, 0

    def zeros(self, shape: int | tuple[int, ...], dtype: DType = "float32") -> np.ndarray:
        """Returns zeros that start at a cache line, in the arena as far as there is room."""
        dtype = np.dtype(dtype)
        size = math.prod(shape if isinstance(shape, tuple) else (shape,)) * dtype.itemsize
        start, self._at = self._at, self._at + -(-(size + LINE) // LINE) * LINE
        if self._at > len(self._block):
            return super().zeros(shape, dtype)
        self.bytes += size
        place = self._block[start : start + size]
        place[:] = 0
        return place.view(dtype).reshape(shape)

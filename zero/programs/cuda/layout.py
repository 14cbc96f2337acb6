"""How a program's memory lies on the lanes of a GPU: which lane has what, and where.

A *unit* of `lanes` threads (a warp, or a block where a task needs more than 32 threads) runs one
program on `tasks` tasks side by side; `group` lanes share a task. Of every vector, lane l of a task has
the elements l, l + group, l + 2 group, ...; of every matrix, the rows with these numbers. So most
instructions stay within a lane. Neighbouring lanes find their values side by side, which is what
shared memory (no bank conflicts) and global memory (whole lines) are fast at:

* scalar s of a lane: s * lanes + lane (each lane of a task has a copy);
* element e of a lane of the vector at `place`: place + e * lanes + lane;
* column j of row e of a lane of the matrix at `place`:
  place + ((e * padded / chunk + j / chunk) * lanes + lane) * chunk + j % chunk.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

WARP = 32
ROW_BYTES, SPAN_BYTES = 16, 48
REGISTER_BYTES = 128  # of a lane, for a matrix


@dataclass(frozen=True)
class UnitLayout:
    """A layout of memory, which a kernel is compiled for; sizes count elements of the dtype.

    dtype: "float64" or "float32". features: F. group: threads a task, a power of two. shared: whether
    programs' memory is in shared memory. lanes: threads of a unit, by default a warp or more.
    """

    dtype: str
    features: int
    group: int
    shared: bool = True
    lanes: int = 0

    def __post_init__(self):
        if not self.lanes:
            object.__setattr__(self, "lanes", max(WARP, self.group))

    @property
    def tasks(self) -> int:
        """Tasks of a unit."""
        return self.lanes // self.group

    @property
    def each(self) -> int:
        """Elements of a vector and rows of a matrix that a lane has."""
        return -(-self.features // self.group)

    @property
    def itemsize(self) -> int:
        """Bytes of an element."""
        return np.dtype(self.dtype).itemsize

    @property
    def chunk(self) -> int:
        """Elements that are read at once: 16 bytes."""
        return 16 // self.itemsize

    @property
    def padded(self) -> int:
        """Elements of a row, with what fills up the last chunk."""
        return -(-self.features // self.chunk) * self.chunk

    @property
    def vector_size(self) -> int:
        """Elements of a vector on all lanes."""
        return self.each * self.lanes

    @property
    def matrix_size(self) -> int:
        """Elements of a matrix on all lanes."""
        return self.each * self.padded * self.lanes

    @property
    def resident(self) -> bool:
        """Whether a lane's rows of one matrix find room in its registers; the same for all memory."""
        return self.each * self.padded * self.itemsize <= REGISTER_BYTES

    def groups(self, tasks: int) -> int:
        """Returns how many units a program needs for that many tasks."""
        return -(-tasks // self.tasks)

    def memory(self, scalars: int, vectors: int, matrices: int) -> int:
        """Returns the elements that a unit needs for so many addresses."""
        return scalars * self.lanes + vectors * self.vector_size + matrices * self.matrix_size

    def unit_bytes(self, rows: int, memory: int) -> int:
        """Returns the bytes of shared memory of a unit: for program, example, sums and memory."""
        partial = self.itemsize * 2 * WARP if self.lanes > WARP else 0  # sums over several warps
        ahead = (self.each + 1) * self.lanes * self.itemsize  # the next example
        held = memory * self.itemsize if self.shared else 0
        parts = (SPAN_BYTES, rows * ROW_BYTES, partial, -(-ahead // 16) * 16, -(-held // 16) * 16)
        return sum(parts)

    def in_global_memory(self) -> UnitLayout:
        """Returns the layout with programs' memory outside shared memory."""
        return replace(self, shared=False)


def best_layout(features: int, dtype: str) -> UnitLayout:
    """Returns the layout for that many features.

    Two rows of a matrix a lane: fewer lanes a task mean fewer instructions for each task, more lanes less
    waste where tasks do not fill a warp. One row, where only that leaves room for a matrix in registers,
    and where a task has several warps. `benchmarks/gpu_interpreter.py --sweep` compares them on a card.
    """
    group = 1
    while group < 256 and group * (2 if group < WARP else 1) < features:
        group *= 2
    layout = UnitLayout(dtype, features, group)
    closer = replace(layout, group=2 * group, lanes=0)
    return closer if closer.lanes == WARP and closer.resident > layout.resident else layout

"""What a machine is given to compile."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class KernelSource:
    """A kernel to compile: CUDA C text that includes nothing and defines the kernel `evaluate`.

    lanes: threads of a block. shared: whether its memory is shared memory rather than global memory,
    which decides what the L1 cache gets. options: for NVRTC.
    """

    text: str
    lanes: int
    shared: bool
    options: tuple[str, ...]

"""How much memory a step may plan for, and how amounts of it are written.

Called by `zero.read_images` and `zero.nn.train`.
"""

from __future__ import annotations

import os
from pathlib import Path

# The rest is for the interpreter, the data and the other programs.
USABLE_SHARE = 0.8
CONTAINER_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


def usable_bytes() -> int:
    """Returns 80 % of the machine's memory, or of the container's where that is less.

    Not what happens to be free: then a run's decisions would depend on what else the machine does.
    """
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for file in CONTAINER_LIMITS:
        try:
            total = min(total, int(file.read_text()))
        except (OSError, ValueError):  # no such file here, or the word "max"
            continue
    return int(USABLE_SHARE * total)


def gigabytes(size: float) -> str:
    """Returns an amount of memory as text: "12.3 GB"; small ones as "4.5 MB"."""
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"

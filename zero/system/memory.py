"""How much memory a step may plan for, and how amounts of it are written.

Called by `zero.data.image_files`, `zero.cells.kind`, `zero.nn.train` and the command line.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from pathlib import Path

# The rest is for the system and the other programs.
USABLE_SHARE = 0.8
CONTROL_GROUPS = Path("/sys/fs/cgroup")
OWN_GROUPS = Path("/proc/self/cgroup")


def usable_bytes() -> int:
    """Returns 80 % of the machine's memory, or of the least limit on this process's.

    Limits are those of its control groups (containers, systemd, job schedulers), also of the groups
    around them, and those of `ulimit -v` and `-d`.

    Not what happens to be free: then a run's decisions would depend on what else the machine does.
    """
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA):
        limit, _ = resource.getrlimit(kind)
        if limit != resource.RLIM_INFINITY:
            total = min(total, limit)
    for file in _limit_files():
        try:
            total = min(total, int(file.read_text()))
        except (OSError, ValueError):  # no such file here, or the word "max"
            continue
    return int(USABLE_SHARE * total)


def _limit_files() -> Iterator[Path]:
    """Yields where limits of this process's control groups may stand, version 2 and 1."""
    try:
        lines = OWN_GROUPS.read_text().splitlines()
    except OSError:  # no Linux
        return
    for line in lines:
        _, kinds, path = line.split(":", 2)  # 0::/PATH, or NUMBER:memory:/PATH
        if kinds == "":
            root, name = CONTROL_GROUPS, "memory.max"
        elif "memory" in kinds.split(","):
            root, name = CONTROL_GROUPS / "memory", "memory.limit_in_bytes"
        else:
            continue
        # A container that does not see its own path has its group at the root.
        inner = Path(path.strip("/"))
        for group in (inner, *inner.parents):
            yield root / group / name


def gigabytes(size: float) -> str:
    """Returns an amount of memory as text: "12.3 GB"; small ones as "4.5 MB"."""
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"

"""How long this process has been there, for budgets of time that a command counts from its beginning."""

from __future__ import annotations

import os
import time


def process_began() -> float:
    """Returns when this process began, by `time.monotonic`; where that cannot be told, now."""
    now = time.monotonic()
    try:
        with open("/proc/self/stat") as file:  # the name in brackets may hold blanks
            started = float(file.read().rpartition(")")[2].split()[19])
        with open("/proc/uptime") as file:
            up = float(file.read().split()[0])
        age = up - started / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return now
    return now - max(0.0, age)

"""What a process and those that it has waited for have used."""

from __future__ import annotations

import resource
import sys


def core_seconds() -> float:
    """Returns seconds of computing, of all cores together, since this process began."""
    own, others = _both()
    return own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime


def peak_bytes() -> int:
    """Returns the most memory that one of the processes has had resident."""
    unit = 1 if sys.platform == "darwin" else 1024
    return max(used.ru_maxrss for used in _both()) * unit


def _both() -> list[resource.struct_rusage]:
    return [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]

"""The errors that users see: one base class, children by who must act.

A message says what was given, what is allowed, where (file, key, line or instruction) and what to
do. The command line prints it as one line; `--debug` shows the trace.
"""

import difflib
from collections.abc import Iterable


class ZeroError(Exception):
    """Base of every error that the engine raises on purpose."""


class ConfigError(ZeroError):
    """A run's YAML file, or an option given beside it, is wrong."""


class ProgramError(ZeroError):
    """A program's text, an instruction or an op is wrong."""


class TaskError(ZeroError):
    """Data cannot be read, or no task can be made from it."""


class ArchiveError(ZeroError):
    """A run folder, an archive or a checkpoint cannot be read or written."""


class DeviceError(ZeroError):
    """A backend cannot be used on this machine."""


def unknown_name(kind: str, name: str, known: Iterable[str]) -> str:
    """Returns a one-line message: `kind` has no `name`; the nearest and the known names."""
    known = sorted(known)
    near = difflib.get_close_matches(str(name), known, n=1)
    hint = f"; did you mean '{near[0]}'?" if near else ""
    return f"unknown {kind} '{name}'{hint} (known: {', '.join(known)})"


class NetworkError(ZeroError):
    """A genome or network that cannot be: loops, unknown ops, shapes that do not fit."""

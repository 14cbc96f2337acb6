"""Faults in the user's own Python code (`imports`), told in one line: file, line, what was raised."""

from __future__ import annotations

import inspect
import os
import sysconfig
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

_ZERO = f"{Path(__file__).parents[1]}{os.sep}"
_STANDARD = sysconfig.get_paths()["stdlib"]


def fault_of(error: BaseException) -> str:
    """Returns "FILE, line N: KIND: TEXT" of an error that the user's code raised.

    The line is the deepest one of code that is neither this package's nor an installed library's.
    Messages of our own go without KIND.
    """
    from zero.errors import ZeroError

    text = " ".join(str(error).split())
    if not isinstance(error, ZeroError):
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}, line {error.lineno}: {type(error).__name__}: {error.msg}"
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith((_ZERO, "<"))
    ]
    own = [frame for frame in frames if not _installed(frame.filename)]
    for frame in reversed(own or frames):
        return f"{frame.filename}, line {frame.lineno}: {text}"
    return text


def _installed(filename: str) -> bool:
    # An environment may show libraries of others: those of the user, of the system, of a parent.
    folders = ("site-packages", "dist-packages")
    return filename.startswith(_STANDARD) or any(f in Path(filename).parts for f in folders)


def place_of(function: Callable[..., Any]) -> str:
    """Returns "FILE, line N" where a function begins, "" where nobody knows."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return f"{code.co_filename}, line {code.co_firstlineno}" if code else ""


def is_own(function: Callable[..., Any]) -> bool:
    """Returns whether a function stands outside this package."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return code is None or not code.co_filename.startswith(_ZERO)

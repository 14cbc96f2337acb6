"""The compiled code, loaded from the cache: half a minute of compiling the first time on a machine."""

from __future__ import annotations

from functools import cache
from importlib import resources
from types import ModuleType

from zero.jit.cache import load, path_of


@cache
def module() -> ModuleType:
    """Returns the module with the functions of `zero.functions.entries`."""
    text = resources.files("zero.functions").joinpath("entries.py").read_text()
    return load(path_of("functions", text), text)

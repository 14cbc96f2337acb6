"""Search methods: which individual is the next parent. One file per method in this folder.

A method is a module with `DESCRIPTION` (one line), `choose(slot_fitness, settings, rng)` (plain Python
that numba can compile; returns a slot or `zero.evolution.loop.RANDOM`) and `settings(search) -> list of
numbers` from the config's `search:` section. Its name in YAML is the module's name, found by listing
the folder.
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

from zero.errors import ConfigError, unknown_name

# The methods that read search.tournament; known without importing them, which takes a compiler.
TOURNAMENTS = ("regularized_evolution",)


def names() -> list[str]:
    """Returns the names of the search methods."""
    return sorted(m.name for m in pkgutil.iter_modules(__path__))


def get(name: str) -> ModuleType:
    """Returns the module of a search method.

    Raises:
        ConfigError: there is none of that name.
    """
    if name not in names():
        raise ConfigError(unknown_name("search method", name, names()))
    return importlib.import_module(f"{__name__}.{name}")


def methods() -> dict[str, str]:
    """Returns the description of every search method by name."""
    return {name: get(name).DESCRIPTION for name in names()}

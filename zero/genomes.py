"""The kinds of genomes by name; a kind's code is imported when it is asked for.

A kind is a `zero.runs.kind.Kind`: it owns its section of a config, its evaluation and islands, its
columns in an archive, and how it is shown and exported. Nothing outside a kind's own package asks
which kind it is dealing with.

A kind of one's own is registered by `register`, called in a file that the config `imports`, or by an
installed package's entry point in the group `zero.genomes`, which names the object.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from zero.errors import ConfigError, unknown_name

# name -> where the kind is: module:object, or the object itself
_PLACES: dict[str, Any] = {
    "programs": "zero.programs.kind:PROGRAMS",
    "cells": "zero.cells.kind:CELLS",
    "pipelines": "zero.pipelines.kind:PIPELINES",
    "functions": "zero.functions.kind:FUNCTIONS",
}
# name -> the section of a config that says that it is about such genomes
_SECTIONS: dict[str, str] = {
    "programs": "program", "cells": "cells", "pipelines": "pipelines",
    "functions": "functions",
}  # fmt: skip
DEFAULT = "programs"  # of a config without any of these sections, and of the first archives


def register(kind: Any) -> None:
    """Makes a kind known in this process.

    Args:
        kind: a `zero.runs.kind.Kind`; a config that has its `section` is about its genomes.

    Raises:
        ConfigError: another kind has its name or its section.
    """
    known = _PLACES.get(kind.name)
    again = known is not None and type(known).__qualname__ == type(kind).__qualname__
    if not again and (kind.name in _PLACES or kind.section in _SECTIONS.values()):
        raise ConfigError(
            f"kind of genome '{kind.name}' with section '{kind.section}': there is one already"
        )
    _PLACES[kind.name], _SECTIONS[kind.name] = kind, kind.section


def names() -> list[str]:
    """Returns the names of all kinds."""
    return list(_PLACES)


def get(name: str) -> Any:
    """Returns the kind of that name, a `zero.runs.kind.Kind`.

    Raises:
        ConfigError: there is none.
    """
    if name not in _PLACES:
        _find_installed()
    if name not in _PLACES:
        raise ConfigError(
            f"{unknown_name('kind of genome', name, _PLACES)}; one of your own is known where its "
            "file is imported"
        )
    place = _PLACES[name]
    if isinstance(place, str):
        module, _, attribute = place.partition(":")
        place = _PLACES[name] = getattr(importlib.import_module(module), attribute)
    return place


def of_settings(settings: Mapping[str, Any]) -> Any:
    """Returns the kind that a config's settings are about, by its sections."""
    return get(name_of(settings) or DEFAULT)


def name_of(settings: Mapping[str, Any]) -> str | None:
    """Returns the name of the kind that settings are about; None if none known here has a section."""
    found = [name for name, section in _SECTIONS.items() if section in settings]
    return next((name for name in found if name != DEFAULT), DEFAULT if found else None)


def has_known(settings: Mapping[str, Any]) -> bool:
    """Returns whether settings have the section of a kind that is known in this process."""
    return name_of(settings) is not None


def _find_installed() -> None:
    """Registers the kinds of installed packages."""
    from importlib import metadata  # here, for it takes 30 ms

    for entry in metadata.entry_points(group="zero.genomes"):
        if entry.name not in _PLACES:
            register(entry.load())

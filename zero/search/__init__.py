"""Search methods: which genome is tried next. One file a method in this folder; see `protocol`.

A method's name in YAML is its module's name, found by listing the folder.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from types import ModuleType
from typing import Any

from zero.errors import ConfigError, unknown_name

DEFAULT = "regularized_evolution"
# What methods are made with.
_NO_METHODS = (
    "columns", "controller", "decisions", "neighbourhood", "one_shot", "pareto", "predicting",
    "predictors", "protocol", "section",
)  # fmt: skip

# What a rule for parents has, and what a method that proposes genomes by itself.
RULE, PROPOSES = ("choose", "numbers"), ("make", "NEEDS")
# What methods may need of a space (`protocol`), and the method of a space that has it.
OFFERS = {"neighbours": "neighbours", "decisions": "choices", "growth": "grown",
          "supernet": "supernet", "mixture": "mixture"}  # fmt: skip


def names() -> list[str]:
    """Returns the names of the search methods."""
    found = (module.name for module in pkgutil.iter_modules(__path__))
    return sorted(name for name in found if name not in _NO_METHODS)


def get(name: str) -> ModuleType:
    """Returns the module of a search method.

    Raises:
        ConfigError: there is none of that name, or its file lacks something that a method has.
    """
    method = sys.modules.get(
        f"{__name__}.{name}"
    )  # asked often, and the folder takes a while to list
    if method is None or name in _NO_METHODS:
        if name not in names():
            raise ConfigError(unknown_name("search method", name, names()))
        method = importlib.import_module(f"{__name__}.{name}")
    one_of = RULE if hasattr(method, "choose") or not hasattr(method, "make") else PROPOSES
    missing = [part for part in ("DESCRIPTION", "Settings", *one_of) if not hasattr(method, part)]
    if missing:
        raise ConfigError(
            f"{method.__file__} is not complete as a search method: it has no "
            f"{' and no '.join(missing)}; each has DESCRIPTION, Settings, and "
            f"{' and '.join(RULE)} or {' and '.join(PROPOSES)}"
        )
    return method


def methods() -> dict[str, str]:
    """Returns the description of every search method by name."""
    return {name: get(name).DESCRIPTION for name in names()}


def chooses_parents(name: str) -> bool:
    """Returns whether a method is a rule for parents, which serves every kind of genome."""
    return hasattr(get(name), "choose")


def breeds(name: str) -> bool:
    """Returns whether a method ever makes a child of a parent."""
    return getattr(get(name), "BREEDS", True)


def inherits(name: str) -> bool:
    """Returns whether a method's children begin with what their parent learnt, if nobody says."""
    return getattr(get(name), "INHERITS", False)


def lacking(name: str, space: Any) -> list[str]:
    """Returns what a method needs that a space does not have: keys of `OFFERS`."""
    needs = getattr(get(name), "NEEDS", ())
    return [need for need in needs if not hasattr(space, OFFERS[need])]


def decides(name: str) -> bool:
    """Returns whether a method makes genomes decision by decision."""
    return "decisions" in getattr(get(name), "NEEDS", ())


def shares_weights(name: str) -> bool:
    """Returns whether a method trains a network of all genomes."""
    return "supernet" in getattr(get(name), "NEEDS", ())


def keys_of(name: object) -> list[str]:
    """Returns the keys of a method's settings, none if there is no such method here."""
    if not isinstance(name, str) or name not in names():
        return []
    return [key for key in get(name).Settings.model_fields if key != "method"]

"""Sections of settings: their base, and checks across keys, also of a section that is wrong in part.

A model lists its checks: functions that yield (keys, what is wrong). A section whose keys are all
right is a model, one with wrong keys a `Part`, and both take the same checks: one that asks for a
value that is wrong in itself ends there (`Unknown`), the others go on. So all that can be known of
a file is told at once.

Called by the models of settings and by `zero.config.read`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from types import UnionType
from typing import Annotated, Any, ClassVar, Union, get_args, get_origin

from pydantic import BaseModel, model_validator

Found = tuple[tuple[str | int, ...], str]  # keys from the section on, and what is wrong there
Check = Callable[[Any], Iterable[Found]]


class Unknown(Exception):
    """A value that a check asked for is wrong in itself."""


class Mistakes(ValueError):
    """What the checks of a model found; pydantic wraps it."""

    def __init__(self, found: list[Found]):
        named = (f"{'.'.join(map(str, keys))}: {text}" if keys else text for keys, text in found)
        super().__init__("; ".join(named))


class Settings(BaseModel):
    """Base of all sections: the word none for null, and checks across keys."""

    checks: ClassVar[tuple[Check, ...]] = ()

    @model_validator(mode="before")
    @classmethod
    def none_words(cls, data: Any) -> Any:
        """Returns the data with None for the word none, where that can mean nothing else."""
        return without_none_words(cls, data)

    @model_validator(mode="after")
    def _across(self) -> Settings:
        found = list(across(self, self.checks))
        if found:
            raise Mistakes(found)
        return self


def without_none_words(model: type[BaseModel], data: Any) -> Any:
    """Returns a model's data with None for the word none, where that can mean nothing else."""
    if not isinstance(data, dict) or "none" not in data.values():
        return data
    words = _none_words(model)
    return {k: None if k in words and v == "none" else v for k, v in data.items()}


@cache
def _none_words(model: type[BaseModel]) -> frozenset[str]:
    """Returns the keys that may be null and that no text can be given for."""
    fields = model.model_fields.items()
    members = {name: set(members_of(field.annotation)) for name, field in fields}
    return frozenset(
        name for name, found in members.items() if type(None) in found and str not in found
    )


def members_of(annotation: Any) -> Iterator[Any]:
    """Yields the types that a type stands for: a union's members, without what annotates them."""
    origin = get_origin(annotation)
    if origin in (Union, UnionType):
        for member in get_args(annotation):
            yield from members_of(member)
    elif origin is Annotated:
        yield from members_of(get_args(annotation)[0])
    else:
        yield annotation


def plain(value: Any) -> Any:
    """Returns a value from Python as a YAML file would give it: NumPy's numbers, tuples, paths."""
    if isinstance(value, Mapping):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    to_list = getattr(value, "tolist", None)  # NumPy's numbers and arrays, pandas' columns
    return to_list() if callable(to_list) else value


class Part:
    """What is known of a section that is wrong in part.

    values: the right ones, by key. wrong: the other keys, with what is known nevertheless: a number
    that is only too large or too small, the right items of a list, else None. model_fields_set: the
    keys that were given.
    """

    def __init__(self, values: dict[str, Any], wrong: dict[str, Any], given: set[str]):
        self._values, self._wrong, self.model_fields_set = values, wrong, given

    def __getattr__(self, name: str) -> Any:
        if name in self._wrong:
            raise Unknown(name)
        if name in self._values:
            return self._values[name]
        raise AttributeError(name)


def roughly(settings: Any, name: str) -> Any:
    """Returns the value of a key, a number out of its range and what is right of a list too."""
    if isinstance(settings, Part) and settings._wrong.get(name) is not None:
        return settings._wrong[name]
    return getattr(settings, name)


def changed(settings: Any, **values: Any) -> Any:
    """Returns a section with other values; a model's are not validated."""
    if isinstance(settings, Part):
        return Part(settings._values | values, settings._wrong, settings.model_fields_set)
    return settings.model_copy(update=values)


def across(settings: Any, checks: Iterable[Check]) -> Iterator[Found]:
    """Yields what the checks find in a model or a `Part`."""
    for check in checks:
        try:
            yield from check(settings)
        except Unknown:
            continue

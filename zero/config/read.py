"""Sections of a run's settings, read so that every mistake in them is found at once.

Called by the kinds' own config files and `zero.tasks.read`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from typing import Any

from pydantic import BaseModel, ValidationError, create_model

from zero.config.settings import (
    Found,
    Part,
    Settings,
    across,
    members_of,
    without_none_words,
)
from zero.config.words import plain_mistakes
from zero.config.yaml import (
    Document,
    Loc,
    Problem,
    dotted,
)
from zero.errors import unknown_name

_OUT_OF_RANGE = ("greater_than", "greater_than_equal", "less_than", "less_than_equal")


def read_section(
    document: Document, model: type[Settings], data: dict[str, Any], loc: Loc = ()
) -> tuple[Any, list[Problem]]:
    """Returns the model that `data` describes, a `Part` if it is wrong in part, and all problems.

    loc: where `data` stands in the document.
    """
    problems: list[Problem] = []
    data = _whole_numbers(data)
    try:
        return model.model_validate(data, strict=True), problems
    except ValidationError:
        data = _respelt(document, model, data, loc, problems)
    try:
        return model.model_validate(data, strict=True), problems
    except ValidationError as error:
        wrong: dict[Loc, str] = {}
        for at, kind, message, at_key in plain_mistakes(model, data, error):
            wrong.setdefault(at, kind)
            if kind != "value_error" or not _is_section(model, data, at):
                problems.append(document.problem((*loc, *at), message, at_key))
    return _part(document, model, data, wrong, loc, problems), problems


def _whole_numbers(data: Any) -> Any:
    """Returns the data with 1000000 for 1e6: YAML has no whole numbers with exponents."""
    if isinstance(data, dict):
        return {key: _whole_numbers(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_whole_numbers(value) for value in data]
    return int(data) if isinstance(data, float) and data.is_integer() else data


def _part(
    document: Document,
    model: type[Settings],
    data: dict[str, Any],
    mistakes: dict[Loc, str],
    loc: Loc,
    problems: list[Problem],
) -> Part:
    """Returns what is known of a section; adds what its checks find, mistakes: kinds by location."""
    data = without_none_words(model, data)
    values: dict[str, Any] = {}
    wrong: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        inside = {at[1:]: kind for at, kind in mistakes.items() if at[:1] == (name,)}
        raw, section = data.get(name), section_in(field.annotation)
        if not inside and name not in data:
            values[name] = field.get_default(call_default_factory=True)
        elif not inside:
            values[name] = _validated(model, name, raw)
        elif section and isinstance(raw, dict):
            values[name] = _part(document, section, raw, inside, (*loc, name), problems)
        else:
            wrong[name] = _rough(model, name, raw, inside)
    part = Part(values, wrong, set(data))
    problems += [placed(document, data, loc, found) for found in across(part, model.checks)]
    return part


def _rough(model: type[Settings], name: str, raw: Any, inside: dict[Loc, str]) -> Any:
    """Returns what is known of a wrong value; see `Part`."""
    if isinstance(raw, int | float) and not isinstance(raw, bool):
        return raw if inside.get(()) in _OUT_OF_RANGE else None
    if isinstance(raw, list) and () not in inside:
        right = [item for i, item in enumerate(raw) if not any(at[0] == i for at in inside)]
        with suppress(ValidationError):  # too few are left
            return _validated(model, name, right)
    return None


def placed(document: Document, data: Any, loc: Loc, found: Found) -> Problem:
    """Returns the problem that a section's check found: at the key, at the section if it is absent."""
    keys, message = found
    for key in keys:
        try:
            data = data[key]
        except (KeyError, IndexError, TypeError):
            return document.problem(loc, f"{dotted(keys)}: {message}")
    return document.problem((*loc, *keys), message)


def _validated(model: type[BaseModel], name: str, value: Any) -> Any:
    """Returns what the model makes of the value of one of its fields."""
    return getattr(_alone(model, name).model_validate({name: value}, strict=True), name)


@cache
def _alone(model: type[BaseModel], name: str) -> type[BaseModel]:
    """Returns a model with one of the model's fields."""
    field = model.model_fields[name]
    definition: dict[str, Any] = {name: (field.annotation, field)}
    return create_model(model.__name__, __config__=model.model_config, **definition)


def section_in(annotation: Any) -> type[Settings] | None:
    """Returns the section that a field's type may be, None if it is none."""
    members = (m for m in members_of(annotation) if isinstance(m, type))
    return next((m for m in members if issubclass(m, Settings)), None)


def _is_section(model: type[Settings], data: Any, loc: Loc) -> bool:
    """Returns whether a section stands at a location: `_part` makes its checks."""
    for name in loc:
        field = model.model_fields.get(name) if isinstance(name, str) else None
        section = section_in(field.annotation) if field else None
        if section is None:
            return False
        model, data = section, data.get(name)
    return isinstance(data, dict)


def _respelt(
    document: Document,
    model: type[Settings],
    data: dict[str, Any],
    loc: Loc,
    problems: list[Problem],
) -> dict[str, Any]:
    """Returns the data with misspelt keys as they were meant, so that what they hold is checked."""
    keys = list(model.model_fields)
    result = {}
    for key, value in data.items():
        meant = meant_key(document, key, value, data, keys, loc, problems)
        field = model.model_fields.get(meant)
        section = section_in(field.annotation) if field else None
        if section and isinstance(value, dict):
            value = _respelt(document, section, value, (*loc, meant), problems)
        result[meant] = value
    return result


def meant_key(
    document: Document,
    key: str,
    value: Any,
    data: dict[str, Any],
    keys: Iterable[str],
    loc: Loc,
    problems: list[Problem],
) -> str:
    """Returns the key that a misspelt one must mean, and adds the problem; others as they are."""
    keys = list(keys)
    near = difflib.get_close_matches(str(key), keys, n=1, cutoff=0.75)
    if key in keys or not near or near[0] in data or value in ({}, [], None):
        return key
    message = unknown_name("key", key, keys)
    problems.append(document.problem((*loc, key), message, at_key=True))
    document.spelt[*loc, near[0]] = (*document.as_spelt(loc), key)
    return near[0]

"""The section `search:` of a run: a union by `method`, for each kind of genome.

A kind gives its own keys and which methods can serve it (a subclass of `SearchSettings`), a method its
settings; `settings_model` puts both together. Keys of other methods are ignored: a config stays valid
when its method alone is changed, as by `--set search.method=random_search`, and so do older runs'.

Called by the configs of the kinds of genomes.
"""

from __future__ import annotations

from collections.abc import Collection
from copy import copy
from difflib import get_close_matches
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, create_model
from pydantic.json_schema import models_json_schema

from zero import search
from zero.config.files import absolute
from zero.config.read import meant_key, read_section
from zero.config.sections import as_tuple
from zero.config.settings import Settings, changed
from zero.config.words import must_be
from zero.config.yaml import Document, Problem
from zero.errors import unknown_name
from zero.search.protocol import SearchSettings, StartSettings

Kind = TypeVar("Kind", bound=SearchSettings)

SECTION, METHOD, START = "search", "method", "start_from"


# --- models ---------------------------------------------------------------------------------------


@cache
def settings_model(kind: type[Kind], method: str) -> type[Kind]:
    """Returns the model of the section for a kind of genome and a method.

    Its keys: method, those of the method, those of the kind; where islands are of Python objects also
    those of a start from earlier runs.
    """
    own: type[SearchSettings] = search.get(method).Settings
    fields: dict[str, Any] = {METHOD: (Literal[method], method)}
    for name, default in kind.defaults.items():
        if name in own.model_fields:
            field = copy(own.model_fields[name])
            field.default = default
            fields[name] = (field.annotation, field)
    create: Any = create_model
    bases = (own,) if kind is SearchSettings else (kind, own)
    model = create(
        f"{kind.__name__}_{method}",
        __base__=bases if kind.compiled else (*bases, StartSettings),
        __doc__=own.__doc__,
        __module__=kind.__module__,
        **fields,
    )
    model.checks = (*own.checks, *kind.checks)
    return model


def default_settings(kind: type[Kind]) -> Kind:
    """Returns the section of a kind of genome where nothing is given."""
    return settings_model(kind, search.DEFAULT)()


def of_method(kind: type[SearchSettings], data: Any) -> Any:
    """Returns the section that a dict describes, by its method; anything else as it is."""
    if not isinstance(data, dict):
        return data
    name = data.get(METHOD, search.DEFAULT)
    model = settings_model(kind, name if isinstance(name, str) else search.DEFAULT)
    return model.model_validate(_without_others(model, data))


def models_of(kind: type[SearchSettings]) -> list[type[SearchSettings]]:
    """Returns the models of the section for a kind of genome, one a method."""
    return [settings_model(kind, name) for name in methods_for(kind)]


def schema_of(
    model: type[BaseModel], kind: type[SearchSettings], *others: type[BaseModel]
) -> tuple[dict[str, Any], dict[type[BaseModel], dict[str, Any]]]:
    """Returns the JSON schema of a config with a section `search`, a union by its method.

    others: more models, to be among its definitions.

    Returns: the schema, and the references to the other models by model.
    """
    searches = models_of(kind)
    refs, whole = models_json_schema([(m, "validation") for m in (model, *others, *searches)])
    definitions = whole["$defs"]

    def definition(of: type[BaseModel]) -> dict[str, Any]:
        return definitions[refs[of, "validation"]["$ref"].removeprefix("#/$defs/")]

    # One after the other rather than all at once, so that what is wrong with a key is told at the key.
    by_method = {
        name: refs[m, "validation"] for name, m in zip(methods_for(kind), searches, strict=True)
    }
    section = by_method.pop(search.DEFAULT)
    for name, form in by_method.items():
        named = {"properties": {METHOD: {"const": name}}, "required": [METHOD]}
        section = {"if": named, "then": form, "else": section}
    definition(model)["properties"][SECTION] = section
    schema = {**refs[model, "validation"], "$defs": definitions}
    return schema, {m: refs[m, "validation"] for m in others}


def methods_for(kind: type[SearchSettings]) -> list[str]:
    """Returns the names of the methods that can search a kind of genome."""
    return [name for name in search.names() if _serves(name, kind)]


def _serves(method: str, kind: type[SearchSettings]) -> bool:
    if search.chooses_parents(method):
        return True
    return not kind.compiled and set(search.get(method).NEEDS) <= set(kind.offers)


def _without_others(model: type[SearchSettings], data: dict[str, Any]) -> dict[str, Any]:
    """Returns the data without keys that only other methods have."""
    others = _keys_of_methods() - set(model.model_fields)
    return {key: value for key, value in data.items() if key not in others}


def _keys_of_methods() -> set[str]:
    return {key for name in search.names() for key in search.keys_of(name)}


# --- reading --------------------------------------------------------------------------------------


def read_search(
    document: Document,
    data: dict[str, Any],
    kind: type[SearchSettings],
    keys: Collection[str],
    folder: Path,
) -> tuple[Any, list[Problem]]:
    """Takes the section out of a run's data; returns its settings and all problems.

    The settings are a `Part` where they are wrong in part. keys: all that the data may have; the
    section's own may be misspelt. folder: where relative paths start.
    """
    problems: list[Problem] = []
    key = _key_of_section(document, data, keys, problems)
    if key is None:
        return default_settings(kind), problems
    given = data.pop(key)
    if isinstance(given, kind):  # made in Python
        return given, problems
    if not isinstance(given, dict):
        known = ", ".join(settings_model(kind, search.DEFAULT).model_fields)
        message = must_be(f"a section with keys of {known}", given)
        return default_settings(kind), [*problems, document.problem((SECTION,), message)]
    given = dict(given)
    problems += _starts(document, given, kind, folder)
    method = given.get(METHOD, search.DEFAULT)
    if METHOD not in given:
        misspelt = get_close_matches(METHOD, map(str, given), n=1, cutoff=0.75)
        method = given[misspelt[0]] if misspelt else method
    unfit = _unfit(method, kind)
    if unfit:  # the other keys are checked as those of the method that was meant
        near = get_close_matches(str(method), methods_for(kind), n=1)
        method = near[0] if near else search.DEFAULT
    model = settings_model(kind, method)
    settings, found = read_section(document, model, _without_others(model, given), (SECTION,))
    if unfit:  # instead of what the model says of it
        mine = document.problem((SECTION, METHOD), unfit)
        found = [p for p in found if p.loc != mine.loc or p.message.startswith("unknown key")]
        found.append(mine)
    return settings, problems + found


def _starts(
    document: Document, given: dict[str, Any], kind: type[SearchSettings], folder: Path
) -> list[Problem]:
    """Makes the earlier runs' paths absolute; tells where a kind has another way to start from one."""
    if START not in given:
        return []
    if kind.instead_of_start:
        del given[START]
        return [document.problem((SECTION, START), kind.instead_of_start)]
    if given[START] in (None, "none"):
        del given[START]
        return []
    runs = as_tuple(given[START])
    if isinstance(runs, tuple):
        here = partial(absolute, document, loc=(SECTION, START), folder=folder)
        given[START] = [here(run) if isinstance(run, str) and run else run for run in runs]
    return []


def _key_of_section(
    document: Document, data: dict[str, Any], keys: Collection[str], problems: list[Problem]
) -> str | None:
    """Returns the key of the section, None if there is none; adds the problem of a misspelt one."""
    if SECTION in data:
        return SECTION
    for key, value in data.items():
        if key not in keys and get_close_matches(str(key), keys, n=1) == [SECTION]:
            if meant_key(document, key, value, data, keys, (), problems) == SECTION:
                return key
    return None


def _unfit(method: Any, kind: type[SearchSettings]) -> str:
    """Returns why a kind of genome cannot be searched by what was given as the method, "" if it can."""
    fitting = methods_for(kind)
    if not isinstance(method, str):
        return must_be("text", method)
    if method not in search.names():
        return unknown_name("search method", method, fitting)
    if method not in fitting:
        return f"{method} cannot search {kind.genomes}; use one of {', '.join(fitting)}"
    return ""


def read_config(
    document: Document,
    data: dict[str, Any],
    model: type[Settings],
    kind: type[SearchSettings],
    folder: Path,
) -> tuple[Any, list[Problem]]:
    """Returns a run's config (what is known of it, if it is wrong in part), and all problems.

    model: of the config, with a section `search` of that kind of genome. folder: where relative paths
    in that start.
    """
    settings, problems = read_search(document, data, kind, model.model_fields, folder)
    config, found = read_section(document, model, data)
    return changed(config, search=settings), problems + found

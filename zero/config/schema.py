"""JSON schemas of settings, made true to what a YAML file may say: editors complete and check by them."""

from __future__ import annotations

from typing import Any

from zero import genomes

Schema = dict[str, Any]


def config_schema(kind: str | None = None) -> Schema:
    """Returns the JSON schema (draft 2020-12) of a run's YAML file, for editors.

    kind: of genome, for files of that kind only; None: a file is checked as one of the kind whose
    section it has.

    Raises:
        ConfigError: there is no such kind.
    """
    found: Schema = {}
    definitions: Schema = {}
    for name in genomes.names() if kind is None else [kind]:
        of_kind = genomes.get(name)
        schema = _prefixed(of_kind.schema(), f"{name}.")
        definitions |= {f"{name}.{key}": part for key, part in schema.pop("$defs", {}).items()}
        if found:  # the default kind is the first
            found = {"if": {"required": [of_kind.section]}, "then": schema, "else": found}
        else:
            found = schema
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "zero run"}
    return {**head, **found, "$defs": with_none_words(definitions)}


def _prefixed(schema: Any, prefix: str) -> Any:
    """Returns the schema with another beginning of the names of its definitions."""
    if isinstance(schema, list):
        return [_prefixed(item, prefix) for item in schema]
    if not isinstance(schema, dict):
        return schema
    start = "#/$defs/"
    return {
        key: start + prefix + value.removeprefix(start)
        if key == "$ref" and isinstance(value, str)
        else _prefixed(value, prefix)
        for key, value in schema.items()
    }


def with_none_words(schema: Any) -> Any:
    """Returns a JSON schema that takes the word none where null is allowed and text is not.

    The same rule as `zero.config.settings.without_none_words`, by which files are read.
    """
    if isinstance(schema, list):
        return [with_none_words(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {key: with_none_words(value) for key, value in schema.items()}
    choices = schema.get("anyOf", [])
    if {"type": "null"} in choices and not any(map(_is_text, choices)):
        schema["anyOf"] = [*choices, {"const": "none"}]
    return schema


def _is_text(schema: Schema) -> bool:
    return schema.get("type") == "string" and not {"enum", "const"} & set(schema)

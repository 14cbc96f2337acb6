"""The JSON schema of configs, with which editors complete and check YAML."""

from __future__ import annotations

from typing import Any

from zero import genomes


def config_schema() -> dict[str, Any]:
    """Returns the JSON schema of a run's YAML file; which kind it is about is told by its sections."""
    definitions: dict[str, Any] = {}
    schemas = {}
    for name in genomes.names():
        schema = _prefixed(genomes.get(name).schema(), f"{name}.")
        definitions |= {f"{name}.{key}": part for key, part in schema.pop("$defs", {}).items()}
        schemas[name] = schema
    found = schemas.pop(genomes.DEFAULT)
    for name, schema in schemas.items():
        section = genomes.get(name).section
        found = {"if": {"required": [section]}, "then": schema, "else": found}
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "zero run"}
    return {**head, **found, "$defs": definitions}


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

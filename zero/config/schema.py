"""JSON schemas of settings, made true to what a YAML file may say: editors complete and check by them.

Called by `zero.programs.config`.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]


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

"""Mistakes in a run's settings in plain words: where, what was given, what is allowed.

pydantic finds what is wrong with each key; what is allowed there is read from the model's JSON
schema, so that a new key or task family needs no words of its own. Called by `zero.config.read`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.errors import PydanticInvalidForJsonSchema

from zero.config.yaml import Loc, Problem, dotted
from zero.errors import unknown_name, visible, what_is, written

Schema = dict[str, Any]  # JSON schema, or its definitions by name

# Of one section or list; more are one mistake repeated, or no file for a run.
MAX_REPORTED = 40

_DIGITS = re.compile(r"[-+]?[0-9][0-9,_' ]*(\.[0-9]+)?([eE][-+]?[0-9]+)?")


def report(problems: list[Problem]) -> str:
    """Returns the problems as lines in the file's order, each once."""
    lines: dict[str, Loc] = {}
    for problem in sorted(problems, key=lambda p: p.order):
        lines.setdefault(str(problem), problem.loc[:-1])
    shown: list[str] = []
    shown_of: Counter[Loc] = Counter()
    more: Counter[Loc] = Counter()
    for line, section in lines.items():
        shown_of[section] += 1
        if shown_of[section] <= MAX_REPORTED:
            shown.append(line)
        else:
            more[section] += 1
    for section, number in more.items():
        shown.append(f"and {number} more mistakes" + (f" in {dotted(section)}" if section else ""))
    return "\n".join(shown)


def expected(schema: Schema, definitions: Schema) -> str:
    """Returns what a JSON schema allows, in words: `a whole number of at least 1`."""
    if "expected" in schema:
        return schema["expected"]
    if "$ref" in schema:
        return expected(definitions[schema["$ref"].removeprefix("#/$defs/")], definitions)
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            words = [expected(part, definitions) for part in schema[several]]
            # Where any text is allowed, the word none is one.
            words = ["null" if w == "none" and "text" in words else w for w in words]
            return " or ".join(dict.fromkeys(words))
    values = schema.get("enum", [schema["const"]] if "const" in schema else None)
    if values is not None:
        return ("one of " if len(values) > 1 else "") + ", ".join(map(written, values))
    kind = schema.get("type")
    if kind in ("integer", "number"):
        return ("a whole number" if kind == "integer" else "a number") + _range(schema)
    if kind == "array":
        items = schema.get("prefixItems")
        if items:
            return f"a list of {len(items)} items"
        inner = schema.get("items")
        return (
            "a list"
            + _length(schema)
            + (f" (each {expected(inner, definitions)})" if inner else "")
        )
    if kind == "object":
        keys = ", ".join(schema.get("properties", {}))
        return "a section" + (f" with keys of {keys}" if keys else " (KEY: VALUE lines)")
    return {"string": "text", "boolean": "true or false", "null": "none"}.get(
        str(kind), "another value"
    )


def _length(schema: Schema) -> str:
    low, high = schema.get("minItems"), schema.get("maxItems")
    if low == high:
        return "" if low is None else f" of {low}"
    return f" of at least {low}" if high is None else f" of {low or 0} to {high}"


def _range(schema: Schema) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if low is not None and high is not None:
        return f" from {low:,} to {high:,}"
    words = {" of at least": low, " above": above, " of at most": high, " below": below}
    return ",".join(f"{w} {v:,}" for w, v in words.items() if v is not None)


def got(value: Any) -> str:
    """Returns a value as a YAML file would show it, short."""
    if value is None or isinstance(value, bool):
        return {None: "nothing (null)", True: "true", False: "false"}[value]
    if isinstance(value, dict):
        return "a section"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    if not isinstance(value, str | int | float):  # made in Python
        return what_is(value)
    text = " ".join(visible(str(value)).split())
    text = text if len(text) <= 60 else text[:57] + "..."
    return f'"{text}"' if isinstance(value, str) else text


def must_be(words: str, value: Any) -> str:
    """Returns the message for a value that is not what `words` say."""
    hint = ""
    if "number" in words and _is_digits(value):
        hint = "; write " + re.sub("[,_' ]", "", value)
    return f"must be {words}, got {got(value)}{hint}"


def plain_mistakes(
    model: type[BaseModel], data: Any, error: ValidationError
) -> Iterator[tuple[Loc, str, str, bool]]:
    """Yields location, pydantic's kind, message and whether a key is meant, of each mistake."""
    root = _schema(model)
    definitions = root.get("$defs", {})
    found = [(item, *_followed(item, data, root, definitions)) for item in error.errors(
        include_url=False
    )]  # fmt: skip
    inside = {loc[:size] for _, loc, *_ in found for size in range(len(loc))}
    for item, loc, value, schema, parent in found:
        kind, at_key = item["type"], item["loc"][-1:] == ("[key]",)
        if kind == "extra_forbidden":
            at_key = True
            message = unknown_name("key", str(loc[-1]), _keys_of(parent, definitions))
        elif kind in ("value_error", "assertion_error"):
            message = " ".join(str(item["ctx"]["error"]).split())
        elif kind == "missing":
            message = f"is missing; it must be {expected(schema, definitions)}"
        elif loc in inside:
            continue  # another member of a union; what is wrong in the right one is shown
        elif schema:
            loose = not model.model_config.get("strict")
            words = _words(kind, value) if loose else ""
            message = must_be(words or expected(schema, definitions), value)
        else:
            message = f"{item['msg'][:1].lower()}{item['msg'][1:]}, got {got(value)}"
        yield loc, kind, message, at_key


@cache
def _schema(model: type[BaseModel]) -> Schema:
    try:
        return model.model_json_schema()
    except PydanticInvalidForJsonSchema:
        return {}


def _words(kind: str, value: Any) -> str:
    """Returns what matters most where true or a text with a number stands for a number, else ""."""
    of_number = kind in ("int_type", "float_type")
    return "a number" if of_number and (isinstance(value, bool) or _is_digits(value)) else ""


def _is_digits(value: Any) -> bool:
    return isinstance(value, str) and bool(_DIGITS.fullmatch(value.strip()))


def _followed(
    item: Any, data: Any, root: Schema, definitions: Schema
) -> tuple[Loc, Any, Schema, Schema]:
    """Returns the location of an error in the data, the value, its schema and the one around it."""
    value, schema, parent = data, root, root
    loc: Loc = ()
    for part in item["loc"]:
        # Unions put the names of their members into the location: the data has no such keys.
        last = item["type"] == "missing" and part == item["loc"][-1]
        if not last and not _has(value, part):
            continue
        parent, schema = schema, _inside(schema, part, definitions) or {}
        value, loc = (None if last else value[part]), (*loc, part)
    return loc, value, schema, parent


def _inside(schema: Schema, part: str | int, definitions: Schema) -> Schema | None:
    """Returns the schema of the item `part` of what `schema` describes, None if it has none."""
    if "$ref" in schema:
        return _inside(definitions[schema["$ref"].removeprefix("#/$defs/")], part, definitions)
    for choice in schema.get("anyOf", []):
        found = _inside(choice, part, definitions)
        if found is not None:
            return found
    if isinstance(part, int):
        items = schema.get("prefixItems", [])
        return items[part] if part < len(items) else schema.get("items")
    extra = schema.get("additionalProperties")
    return schema.get("properties", {}).get(part, extra if isinstance(extra, dict) else None)


def _keys_of(schema: Schema, definitions: Schema) -> list[str]:
    if "$ref" in schema:
        return _keys_of(definitions[schema["$ref"].removeprefix("#/$defs/")], definitions)
    keys = list(schema.get("properties", {}))
    return keys + [k for choice in schema.get("anyOf", []) for k in _keys_of(choice, definitions)]


def _has(data: Any, part: str | int) -> bool:
    if isinstance(part, int):
        return isinstance(data, list) and part < len(data)
    return isinstance(data, dict) and part in data

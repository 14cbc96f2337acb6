"""`zero list`."""

import json
from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Any

import typer

from zero.cli import completion
from zero.cli.common import Debug, guarded
from zero.errors import ZeroError
from zero.runs.tables import print_pairs, print_paragraph, print_table


class Topic(StrEnum):
    """What `zero list` knows."""

    ops = "ops"
    tasks = "tasks"
    programs = "programs"
    mutations = "mutations"
    searches = "searches"
    configs = "configs"
    families = "families"
    metrics = "metrics"


@guarded
def list_(
    topic: Topic,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME",
            help="Only those with one of these in their name.",
            autocompletion=completion.listed,
        ),
    ] = None,
    debug: Debug = False,
) -> None:
    """List what configs and programs may name."""
    known = completion.names_of(topic.value)
    wanted = [n for n in known if not names or any(w.lower() in n.lower() for w in names)]
    if not wanted:
        raise ZeroError(f"none of {topic.value} has {' or '.join(map(repr, names))} in its name; "
                        f"zero list {topic.value} shows all")  # fmt: skip
    _LISTS[topic](wanted)


def _list_ops(names: list[str]) -> None:
    from zero.programs.ops import get_op

    print_table(
        ("number", "name", "text", "signature", "cost"),
        [
            (op.number, op.name, _example(op), op.signature, f"{op.cost:,}")
            for op in map(get_op, names)
        ],
    )


def _list_tasks(names: list[str]) -> None:
    from zero.tasks import task_families

    families = task_families()
    for name in names:
        print_paragraph(f"{name}: {families[name].__doc__.splitlines()[0]}", "", "  ")
        print_table(("  key", "value", "default", "meaning"), _keys_of(families[name]))
        print()


def _list_programs(names: list[str]) -> None:
    from zero.programs import library

    rows = [(n, len(library.program(n)), library.description(n)) for n in names]
    print_table(("name", "instructions", "what it is"), rows)


def _list_mutations(names: list[str]) -> None:
    from zero.programs.mutation_names import MUTATIONS

    print_table(("name", "what it does"), [(n, MUTATIONS[n]) for n in names])


def _list_searches(names: list[str]) -> None:
    from zero.search import methods

    print_table(("name", "what it does"), [(n, methods()[n]) for n in names])


def _list_configs(names: list[str]) -> None:
    from zero.config.shipped import header, shipped_configs

    shipped = shipped_configs()
    print_table(("name", "what it does"), [(n, header(shipped[n])) for n in names])


def _list_families(names: list[str]) -> None:
    from zero.pipelines.families import families

    known = families()
    for name in names:
        family = known[name]
        print_paragraph(f"{name}: {family.about}", "", "  ")
        rows = [("for", _problems(p for p in PROBLEMS if family.learner(p)))]
        shared = [p.name for p in family.parameters]
        rows += [("decides", ", ".join(shared))] if shared else []
        for word, more in (
            ("of classes", family.classifier_parameters), ("of numbers", family.regressor_parameters),
        ):  # fmt: skip
            rows += [(f"  {word}", ", ".join(p.name for p in more))] if more else []
        if family.package:
            state = "installed" if family.is_installed() else BOOST
            rows.append(("needs", f"{family.package}: {state}"))
        print_pairs([(f"  {key}", value) for key, value in rows])


def _list_metrics(names: list[str]) -> None:
    from zero.pipelines.metrics import ALSO, METRICS, USUAL

    rows = []
    for name in names:
        usual = [problem for problem in PROBLEMS if USUAL[problem] == name]
        also = [other for other, known in ALSO.items() if known == name]
        problems = _problems(METRICS[name].problems)
        rows.append((name, problems, ", ".join(also), _problems(usual) if usual else ""))
    print_table(("name", "for", "also called", "default for"), rows)


PROBLEMS = ("binary", "multiclass", "regression")
BOOST = "pip install 'zero-discovery[boost]'"


def _problems(found: Iterable[str]) -> str:
    """Returns the problems that something is for, in words."""
    names = list(found)
    return "all" if len(names) == len(PROBLEMS) else ", ".join(names)


_LISTS = {
    Topic.ops: _list_ops, Topic.tasks: _list_tasks, Topic.programs: _list_programs,
    Topic.mutations: _list_mutations, Topic.searches: _list_searches, Topic.configs: _list_configs,
    Topic.families: _list_families, Topic.metrics: _list_metrics,
}  # fmt: skip


def _example(op: Any) -> str:
    """Returns how an instruction of the op is written, with named constants."""
    return op.listing.format(*(c.name for c in op.constants), o=3, a=1, b=2)


def _keys_of(family: Any) -> list[tuple]:
    """Returns (key, values, default, meaning) of a task family's keys, its own ones first."""
    from zero.tasks import TaskFamily

    schema = family.model_json_schema()
    rows = []
    for key, field in schema["properties"].items():
        needed = "" if key not in schema.get("required", ()) else "required"
        default = json.dumps(field["default"]) if "default" in field else needed
        row = (f"  {key}", _values(field, schema), default, field.get("description", ""))
        rows.append((key in TaskFamily.model_fields, row))
    return [row for _, row in sorted(rows, key=lambda r: r[0])]


def _values(field: dict[str, Any], schema: dict[str, Any]) -> str:
    """Returns the values that a JSON schema allows, in words."""
    if "$ref" in field:
        parts = schema["$defs"][field["$ref"].rpartition("/")[2]].get("properties", {})
        return "{" + ", ".join(parts) + "}"
    if "anyOf" in field:
        return " or ".join(dict.fromkeys(_values(f, schema) for f in field["anyOf"]))
    if "enum" in field:
        return ", ".join(str(v) if str(v)[:1].isalnum() else repr(v) for v in field["enum"])
    if field.get("type") == "array":
        return f"list of {_values(field.get('items', {}), schema)}"
    low, high = field.get("minimum"), field.get("maximum")
    words = {"integer": "int", "string": "text", "boolean": "true, false", "null": "null"}
    text = words.get(field.get("type"), field.get("type", "any"))
    if low is not None:
        text += f" {low}..{high}" if high is not None else f" from {low}"
    return text

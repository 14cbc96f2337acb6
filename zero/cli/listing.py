"""`zero list`."""

import json
import math
import shlex
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from zero.cli import completion
from zero.cli.common import Debug, guarded
from zero.errors import ZeroError
from zero.runs.tables import Whole, print_pairs, print_paragraph, print_table


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
    runs = "runs"


@guarded
def list_(
    topic: Topic,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME",
            help="Only those with one of these in their name; of runs the folder [default: runs].",
            autocompletion=completion.listed,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Of runs: as JSON.")] = False,
    debug: Debug = False,
) -> None:
    """List what configs and programs may name, or the runs in a folder and how far each has come."""
    if topic is Topic.runs:
        _list_runs(names or (["runs"] if Path("runs").exists() else ["."]), as_json)
        return
    if as_json:
        raise ZeroError("--json is for `zero list runs`; leave it out")
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
        # A family of the user's own need not say what it is.
        about = (families[name].__doc__ or "").strip().splitlines()
        print_paragraph(f"{name}: {about[0]}" if about else name, "", "  ")
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


def _list_runs(folders: list[str], as_json: bool) -> None:
    from zero.runs.progress import duration
    from zero.runs.summaries import find_runs

    found = [run for folder in folders for run in find_runs(folder)]
    if as_json:
        print(json.dumps([run.plain() for run in found], indent=2))
        return
    if not found:
        print(f"no runs in {', '.join(folders)}; `zero run CONFIG` makes one in runs/")
        return
    rows = []
    for run in found:
        state = run.state if run.reason is None else f"{run.state}: {run.reason}"
        fitness = "-" if math.isnan(run.fitness) else f"{run.fitness:.6f}"
        count = "-" if run.individuals is None else f"{run.individuals:,}"
        time = "-" if run.seconds is None else duration(run.seconds)
        what = (run.kind or "-") + (" (training)" if run.training else "")
        began = (run.started or "-")[:16].replace("T", " ")
        rows.append((Whole(str(run.folder)), what, state, fitness, count, began, time))
    print_table(("run", "of", "state", "best fitness", "individuals", "started", "took"), rows)
    stopped = next((run for run in found if run.state == "stopped"), None)
    if stopped:
        print(f"\ngo on with one that is stopped: zero resume {shlex.quote(str(stopped.folder))}")


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

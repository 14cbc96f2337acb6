"""The command line: parse, call, print. Nothing is decided here.

How commands end, and what they share, stands in `zero.cli.common`; `bench conformance` also ends with
1 when cases differ. Results go to standard output, progress to standard error. Heavy imports stand
inside the commands, so that `zero --help` answers at once. Commands about cells: `zero.cli.cells`.
"""

import json
import shlex
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from zero.cells import view as cli_cell_runs
from zero.cli import (
    cells as cli_cells,
)
from zero.cli import (
    completion as cli_completion,
)
from zero.cli import (
    figures as cli_figures,
)
from zero.cli import (
    nas_table as cli_nas_table,
)
from zero.cli import (
    trainings as cli_trainings,
)
from zero.cli.common import (
    Backend,
    Commands,
    Config,
    Debug,
    Dtype,
    IslandCount,
    JsonFile,
    JsonLog,
    MaxSeconds,
    Quiet,
    Seconds,
    Seed,
    Set,
    checked_config,
    compiling_shown,
    guarded,
    json_number,
    print_figures,
    reporting,
    shown_fitness,
    time_left,
)
from zero.cli.tables import (
    Whole,
    print_pairs,
    print_paragraph,
    print_table,
)
from zero.errors import ConfigError, DeviceError, ZeroError

app = typer.Typer(
    help="Discovers machine-learning algorithms by evolution, from empty programs.",
    no_args_is_help=True,
    cls=Commands,
    rich_markup_mode=None,  # rich help would double the time that `zero --help` takes
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
bench = typer.Typer(
    help="Measure speed, and compare with recorded cases.",
    no_args_is_help=True,
    cls=Commands,
    rich_markup_mode=None,
)
app.add_typer(bench, name="bench")

# Why a run ended, in words; the keys stand in archives and logs.
REASONS = {
    "individuals": "all individuals of the budget were made",
    "train_steps": "all train steps of the budget were taken",
    "seconds": "budget.seconds have passed",
    "fitness": "budget.fitness was reached",
    "patience": "no improvement for budget.patience individuals",
    "sufficient_fitness": "experiments.sufficient_fitness was reached on the select tasks",
    "experiments": "all experiments were made",
    "interrupted": "stopped by Ctrl-C or another signal",
    "max_seconds": "--max-seconds have passed",
}
RESUMABLE = ("interrupted", "max_seconds")


class Topic(StrEnum):
    """What `zero list` knows."""

    ops = "ops"
    tasks = "tasks"
    programs = "programs"
    mutations = "mutations"
    searches = "searches"
    configs = "configs"


ProgramName = Annotated[
    str,
    typer.Argument(
        metavar="PROGRAM",
        help="Program file, shipped program, RUN or RUN#ID.",
        autocompletion=cli_completion.programs,
    ),
]


def _version(wanted: bool) -> None:
    if wanted:
        from zero import __version__

        print(f"zero {__version__}")
        raise typer.Exit()


@app.callback()
def top(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Discovers machine-learning algorithms by evolution, from empty programs."""


def main() -> None:
    """Runs the command that `sys.argv` names and exits."""
    app(prog_name="zero")


# --- run and resume -------------------------------------------------------------------------------


@app.command()
@guarded
def run(
    config: Config,
    settings: Set = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The run's folder [default: runs/NAME-001 ...]."),
    ] = None,
    seed: Seed = None,
    islands: IslandCount = None,
    max_seconds: MaxSeconds = None,
    quiet: Quiet = False,
    json_log: JsonLog = False,
    debug: Debug = False,
) -> None:
    """Evolve programs or cells as a config says."""
    left = time_left(max_seconds)
    checked = checked_config(config, settings, seed, islands)
    from zero.runs.run import start

    with reporting(quiet, json_log) as reporter:
        outcome = start(checked, out, reporter, command=sys.argv, max_seconds=left())
    _tell_outcome(outcome, json_log)


@app.command()
@guarded
def resume(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder.")],
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="A larger budget, such as budget.individuals=1e7; repeatable.",
        ),
    ] = None,
    max_seconds: MaxSeconds = None,
    quiet: Quiet = False,
    json_log: JsonLog = False,
    debug: Debug = False,
) -> None:
    """Go on with a run or a training that was stopped or killed, or give a run a larger budget."""
    left = time_left(max_seconds)
    if cli_cells.is_training(folder):
        cli_cells.resume_training(folder, left, quiet, json_log, settings)
        return
    from zero.runs import run

    with reporting(quiet, json_log) as reporter:
        outcome = run.resume(folder, reporter, left(), settings=settings or [])
    _tell_outcome(outcome, json_log)


def _tell_outcome(outcome: Any, as_json: bool) -> None:
    """Prints what a run found and how to go on; exits with 130 if it was interrupted."""
    folder = str(outcome.folder)
    cells = outcome.kind == "cells"
    if as_json:
        event = {"event": "outcome", "folder": folder, "reason": outcome.reason}
        event |= {"individuals": outcome.individuals, "train_steps": outcome.train_steps}
        event |= {"seconds": outcome.seconds}
        of_kind = cli_cell_runs.outcome_event if cells else _program_event
        print(json.dumps(event | of_kind(outcome)))
    else:
        rows = _totals(outcome.reason, outcome.individuals, outcome.train_steps, outcome.seconds)
        if cells:
            cli_cell_runs.print_outcome(outcome)
        elif outcome.program is None:
            print("no program was evaluated")
        else:
            text = str(outcome.program)
            short = _simplified(text)
            print(f"\n{short}")
            print_table(*cli_figures.outcome_table(outcome))
            if outcome.final:
                final = {**outcome.details, "fitness": outcome.final.fitness}
                final["chance"] = outcome.details["chance"]["final"]
                for note in cli_figures.notes(final):
                    print_paragraph(note)
            print()
        rows.append(("folder", Whole(folder)))
        quoted = shlex.quote(folder)
        if outcome.reason in RESUMABLE:
            rows.append(("final figures", "not yet: taken when the run ends"))
            rows.append(("go on with", Whole(f"zero resume {quoted}")))
        print_pairs([*rows, ("look with", Whole(f"zero show {quoted}"))])
    if outcome.reason == "interrupted":
        sys.stdout.flush()
        raise typer.Exit(130)


def _program_event(outcome: Any) -> dict[str, Any]:
    """Returns what the JSON line of a run's end says of the program that was found."""
    return {
        **cli_figures.figures_event(outcome),
        "program": outcome.program and str(outcome.program),
        "simplified": outcome.program and _simplified(str(outcome.program)),
    }


# --- show -----------------------------------------------------------------------------------------


@app.command()
@guarded
def show(
    what: Annotated[
        str,
        typer.Argument(
            metavar="RUN|PROGRAM",
            help="A run's folder, or as for evaluate.",
            autocompletion=cli_completion.programs,
        ),
    ],
    lineage: Annotated[
        bool, typer.Option("--lineage", help="From which programs it came, oldest first.")
    ] = False,
    raw: Annotated[
        bool, typer.Option("--raw", help="With instructions that change no prediction, too.")
    ] = False,
    debug: Debug = False,
) -> None:
    """Show a run, which may be going on, or a program."""
    from zero.programs import library

    path = Path(what)
    if cli_cells.is_training(path):
        cli_trainings.show_training(path)
        return
    if what not in library.PROGRAMS and (path.is_dir() or path.suffix == ".h5"):
        _show_run(path, lineage, raw)
        return
    from zero.runs.run import load_program

    run_name, mark, record_id = what.rpartition("#")
    is_record = bool(mark) and not path.exists()
    data = record = None
    if is_record and record_id.isdigit() and Path(run_name).exists():
        from zero.runs.archive import find_record, read_archive

        data = read_archive(run_name)
        record = find_record(data, int(record_id))
        if data.kind == "cells":
            cli_cell_runs.print_record(Path(run_name), data, record, lineage)
            return
    program = load_program(what)
    if is_record:
        print_paragraph(_record_line(record), "# ")  # a comment: the output is a program's text
    print(program if raw else _simplified(str(program)), end="")
    if lineage:
        if not is_record:
            raise ZeroError(f"{what} has no lineage; give a run's folder, or RUN#ID")
        print()
        _lineage_table(data, record.id)


def _show_run(path: Path, lineage: bool, raw: bool) -> None:
    from zero.config import yaml as yaml_loader
    from zero.runs.archive import best_record, read_archive
    from zero.runs.folder import RunFolder

    folder = RunFolder.open(path) if path.is_dir() else None
    if folder and not folder.archive_path.exists():
        data, text = None, folder.config_text()
    else:
        data = read_archive(path)
        text = data.config
    settings = yaml_loader.parse(text, str(path)).data  # unchecked: nothing is imported for it
    results = data and data.results
    events = folder.events() if folder else []
    seconds = [e["seconds"] for e in events if e.get("seconds")]
    cells = "cells" in settings
    keys = ("name", "seed", "backend", "dtype")
    rows = [(key, str(settings.get(key))) for key in keys]
    batch = (settings.get("search") or {}).get("batch") or 1
    rows += [("batch", str(batch))] if batch > 1 else []
    rows += [("islands", str((settings.get("islands") or {}).get("count"))), ("from", str(path))]
    rows += cli_cell_runs.setting_rows(settings) if cells else []
    if results:
        rows += _totals(results["reason"], results["individuals"], results["train_steps"],
                        seconds[-1] if seconds else None)  # fmt: skip
    elif data and _has_stopped(events):  # without results: no individual was evaluated
        summaries = [e.summary for e in data.experiments]
        rows += _totals(events[-1]["reason"], sum(s.individuals for s in summaries),
                        sum(s.train_steps for s in summaries),
                        seconds[-1] if seconds else None)  # fmt: skip
        if events[-1]["reason"] in RESUMABLE:
            rows += [("go on with", f"zero resume {path}")]
    else:
        rows += [("ended", f"not yet: it goes on, or after a stop with `zero resume {path}`")]
        if data:
            summaries = [e.summary for e in data.experiments]
            rows += _totals(None, sum(s.individuals for s in summaries),
                            sum(s.train_steps for s in summaries), None)  # fmt: skip
    record = best_record(data) if data else None
    if cells:
        rows += cli_cell_runs.figure_rows(path, data, record) if record else []
    elif results and results["final"]:
        for name in ("search", "select", "final"):
            shown = cli_figures.with_chance(_spread(results[name]), results[name])
            rows.append((f"{name} fitness", shown))
        rows += [("", note) for note in cli_figures.notes(results["final"])]
    elif record:
        rows.append(("search fitness", shown_fitness(record.fitness)))
        rows.append(("select fitness", shown_fitness(record.select_fitness)))
        if results:
            rows.append(("final fitness", f"not yet; `zero resume {path}` goes on to it"))
    print_pairs(rows)
    if record is None:
        print("\nno candidate yet" if cells else "\nno program yet")
        return
    if cells:
        cli_cell_runs.print_run(path, data, record, lineage)
        return
    text = results["program"] if results else record.text
    _print_program(f"record {record.id}", text, raw)
    print()
    print_table(
        ("experiment", "ended", "individuals", "train steps", "search", "select", "record"),
        [
            (n, s.reason or "not yet", f"{s.individuals:,}", f"{s.train_steps:,}",
             shown_fitness(s.search_fitness), shown_fitness(s.select_fitness),
             "-" if s.candidate < 0 else s.candidate)
            for n, s in enumerate((e.summary for e in data.experiments), 1)
        ],
    )  # fmt: skip
    if lineage:
        print()
        _lineage_table(data, record.id)
        print(f"\nthe program of one of them: zero show '{path}#RECORD'")


def _has_stopped(events: list[dict[str, Any]]) -> bool:
    """Returns whether a run's log says that it has ended, or was stopped, and why."""
    last = events[-1] if events else {}
    return last.get("event") == "finish" and "reason" in last


def _lineage_table(data: Any, record_id: int) -> None:
    from zero.runs.archive import lineage

    chain = lineage(data, record_id)
    # Most steps change nothing that is measured: the first, the last and the others are told.
    told = [
        record
        for before, record in zip([None, *chain], chain, strict=False)
        if before is None or record is chain[-1] or record.fitness != before.fitness
    ]
    print(f"lineage: {len(told)} of {len(chain)} records, those that changed the fitness")
    print_table(
        ("record", "island", "individuals", "mutation", "search", "select"),
        [
            (r.id, r.island, f"{r.individuals:,}", r.mutation, shown_fitness(r.fitness),
             shown_fitness(r.select_fitness))
            for r in told
        ],
    )  # fmt: skip


def _record_line(record: Any) -> str:
    parent = f", parent {record.parent}" if record.parent >= 0 else ""
    return (
        f"record {record.id}: search fitness {shown_fitness(record.fitness)}, select fitness "
        f"{shown_fitness(record.select_fitness)}, individual {record.individuals:,} of island "
        f"{record.island}{parent}"
    )


def _simplified(text: str) -> str:
    """Returns a program's text without dead instructions; as it is if its ops are unknown here."""
    from zero.errors import ProgramError
    from zero.programs.program import parse_program

    try:
        program = parse_program(text)
    except ProgramError:  # ops of the user's own, which only the run's config imports
        return text
    from zero.programs.simplified import simplify

    return str(simplify(program))


def _print_program(name: str, text: str, raw: bool) -> None:
    """Prints a program under a line that says what it is; raw: as it was found."""
    short = _simplified(text)
    told = f"program ({name}, {_counted(text)})"
    if not raw and short != text:
        told = (
            f"program ({name}, {_counted(short)}; as found {_counted(text)}, of which the others "
            "change no prediction: --raw)"
        )
    print()
    print_paragraph(f"{told}:")
    print(text if raw else short, end="")


def _counted(program: Any) -> str:
    length = sum(line.startswith(" ") for line in str(program).splitlines())
    return "1 instruction" if length == 1 else f"{length} instructions"


# --- evaluate, list and validate ------------------------------------------------------------------


@app.command()
@guarded
def evaluate(
    program: ProgramName,
    config: Config,
    settings: Set = None,
    tasks: Annotated[bool, typer.Option("--tasks", help="The fitness on every task too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    debug: Debug = False,
) -> None:
    """Evaluate a program on a config's select and final tasks."""
    checked = _of_programs(checked_config(config, settings))
    from zero.runs import run

    loaded = run.load_program(program)
    maker = run.Maker(checked, loaded)
    found = {}
    with compiling_shown():
        for purpose in ("select", "final"):
            # Nothing here forks: on backend cuda the GPU itself, unlike within a run.
            _, found[purpose] = maker.figures(loaded, purpose, 0, on_gpu=True)
    if as_json:
        for part in found.values():
            part["task_fitness"] = [json_number(f) for f in part["task_fitness"]]
        print(json.dumps({"program": str(loaded), "config": checked.name, **found}, indent=2))
        return
    print_pairs([
        ("program", f"{program} ({_counted(loaded)})"),
        *(
            (f"{purpose} fitness", cli_figures.with_chance(_spread(part), part))
            for purpose, part in found.items()
        ),
        *(("", note) for note in cli_figures.notes(found["final"])),
    ])  # fmt: skip
    if tasks:
        for purpose, part in found.items():
            print()
            pairs = zip(part["task_names"], part["task_fitness"], strict=True)
            print_table((f"{purpose} task", "fitness"), [(n, shown_fitness(f)) for n, f in pairs])


@app.command("list")
@guarded
def list_(
    topic: Topic,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME",
            help="Only those with one of these in their name.",
            autocompletion=cli_completion.listed,
        ),
    ] = None,
    debug: Debug = False,
) -> None:
    """List what configs and programs may name."""
    known = cli_completion.names_of(topic.value)
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


_LISTS = {
    Topic.ops: _list_ops, Topic.tasks: _list_tasks, Topic.programs: _list_programs,
    Topic.mutations: _list_mutations, Topic.searches: _list_searches, Topic.configs: _list_configs,
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


@app.command()
@guarded
def validate(
    config: Config,
    settings: Set = None,
    data: Annotated[bool, typer.Option("--data", help="Read the tasks' data as well.")] = False,
    debug: Debug = False,
) -> None:
    """Check a config and tell every mistake."""
    checked = checked_config(config, settings)
    from zero.runs.run import kind_of

    maker = kind_of(checked)(checked)
    if data:
        maker.check()
    else:
        maker.check_code()
    print(f"{checked.name}: no mistakes")
    for note in maker.notes() if data else ():
        print(f"note: {note}")
    try:
        maker.check_device()
    except DeviceError as error:  # no mistake of the config, which may be for another machine
        print(f"on this machine it does not run: {error}")
    if data:
        if checked.genomes == "cells":
            cli_cell_runs.print_checked(maker)
            return
        from zero.programs.figures import CHANCE, chance

        rows = []
        for purpose in ("search", "select", "final"):
            tasks = maker.tasks(purpose, 0)
            sizes = (tasks.train_x.shape[1], tasks.valid_x.shape[1], tasks.features)
            rows.append((purpose, tasks.num_tasks, *sizes, shown_fitness(chance(tasks).mean())))
        print_table(("tasks", "count", "train", "valid", "features", "chance"), rows)
        print(f"chance: the mean fitness of a predictor that says {CHANCE[tasks.metric]}")


# --- bench ----------------------------------------------------------------------------------------


@bench.command()
@guarded
def conformance(
    file: Annotated[Path, typer.Argument(help="Recorded cases, .jsonl or .jsonl.gz.")],
    backend: Annotated[Backend, typer.Option(help="The interpreter to check.")] = Backend.cpu,
    dtype: Annotated[Dtype, typer.Option(help="Of its numbers.")] = Dtype.float64,
    debug: Debug = False,
) -> None:
    """Compare a backend with recorded cases."""
    from zero.bench.conformance import read_cases, run_cases

    outcome = run_cases(read_cases(file), backend.value, dtype.value)
    for kind, name in (("op", "ops"), ("algorithm", "algorithms")):
        skipped = f", {outcome.skipped[kind]} skipped" if outcome.skipped[kind] else ""
        print(f"{name}: {outcome.passed[kind]}/{outcome.total[kind]} passed{skipped}")
    for line in outcome.differences[:10]:
        print(line)
    if len(outcome.differences) > 10:
        print(f"... and {len(outcome.differences) - 10} more")
    if outcome.differences:
        raise typer.Exit(1)


@bench.command("search")
@guarded
def bench_search(
    config: Config,
    seconds: Seconds = 10.0,
    islands: IslandCount = None,
    seed: Seed = None,
    backend: Annotated[Backend | None, typer.Option(help="Same as --set backend=NAME.")] = None,
    json_file: JsonFile = None,
    settings: Set = None,
    debug: Debug = False,
) -> None:
    """Measure the individuals per second of a search."""
    checked = _of_programs(checked_config(config, settings, seed, islands, backend))
    from zero.bench.speed import search_speed

    with compiling_shown():
        figures = search_speed(checked, seconds)
    print_figures(figures, json_file)


@bench.command("evaluate")
@guarded
def bench_evaluate(
    config: Config,
    program: Annotated[
        str,
        typer.Option(
            metavar="PROGRAM",
            help="As for `zero evaluate`.",
            autocompletion=cli_completion.programs,
        ),
    ],
    seconds: Seconds = 3.0,
    backend: Annotated[Backend | None, typer.Option(help="Same as --set backend=NAME.")] = None,
    json_file: JsonFile = None,
    settings: Set = None,
    debug: Debug = False,
) -> None:
    """Measure the evaluations per second of a program."""
    checked = _of_programs(checked_config(config, settings, backend=backend))
    from zero.bench.speed import evaluation_speed
    from zero.runs.run import load_program

    with compiling_shown():
        figures = evaluation_speed(checked, load_program(program), seconds)
    print_figures({"program": program, **figures}, json_file)


def _of_programs(config: Any) -> Any:
    """Returns the config if its genomes are programs.

    Raises:
        ConfigError: they are cells.
    """
    if config.genomes != "programs":
        raise ConfigError(
            f"{config.name} is about cells; this command needs a config for programs (for cells: "
            "zero run, zero train)"
        )
    return config


# --- words and tables -----------------------------------------------------------------------------


def _spread(part: dict[str, Any] | None) -> str:
    """Returns a set's fitness, and how it varies over tasks."""
    if part is None:
        return "-"
    tasks = part["task_fitness"]
    if len(tasks) < 2:
        return shown_fitness(part["fitness"])
    low, high = (shown_fitness(f(tasks)) for f in (min, max))
    return f"{shown_fitness(part['fitness'])}  ({len(tasks)} tasks: {low} to {high})"


def _totals(reason: str | None, individuals: int, steps: int, seconds: float | None) -> list[tuple]:
    from zero.runs.progress import duration

    rows = [] if reason is None else [("ended", f"{reason}: {REASONS.get(reason, reason)}")]
    rows += [("individuals", f"{individuals:,}"), ("train steps", f"{steps:,}")]
    return rows if seconds is None else [*rows, ("time", duration(seconds))]


cli_cells.register(app)  # after the others: help lists commands in this order
cli_nas_table.register(bench)

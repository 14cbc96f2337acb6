"""`zero explain` and `zero tune`."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from zero.cli import completion, train
from zero.cli.common import (
    Config,
    Debug,
    ProgramName,
    Set,
    TrustImports,
    checked_config,
    compiling_shown,
    guarded,
)
from zero.errors import ArchiveError, ConfigError
from zero.runs.tables import Whole, print_paragraph, print_table, shown_fitness

_QUIET_SECONDS = 3.0  # between lines of progress

Evaluations = Annotated[
    int, typer.Option(metavar="N", min=2, help="How often programs may be evaluated.")
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object.")]


@guarded
def explain(
    what: Annotated[
        str,
        typer.Argument(
            metavar="RUN|PROGRAM",
            help="A run's folder, RUN#ID, a program's file or a shipped program.",
            autocompletion=completion.programs,
        ),
    ],
    config: Annotated[
        str | None,
        typer.Argument(
            metavar="[CONFIG]",
            help="Its tasks measure the parts; a run has its own.",
            autocompletion=completion.configs,
        ),
    ] = None,
    settings: Set = None,
    evaluations: Evaluations = 300,
    as_json: AsJson = False,
    trust_imports: TrustImports = False,
    debug: Debug = False,
) -> None:
    """Explain a program: its pieces, what each part is worth, where it came in.

    Of a run over a table it also tells which columns count.
    """
    from zero.programs.explain.report import explain as sections_of
    from zero.programs.find import load_program
    from zero.runs.reports.text import print_parts

    run, record = _run_in(what)
    data, kept = None, None
    if run is not None:
        data = _archive(run)
        own = run / "config.yaml"
        if record is None and config is None:
            kept = _kept(run)
        config = config or (str(own) if own.is_file() else None)
    domain = None
    if config is not None:  # first: it imports ops of the user's own
        domain = _domain(config, settings)
    elif settings:
        raise ConfigError("--set changes a config; give one, as in `zero explain PROGRAM CONFIG`")
    if data is None:
        program, chain = load_program(what), []
    else:
        from zero.programs.explain.lineage import chain_of

        chain = chain_of(data, record)
        program = chain[-1][1]
    with compiling_shown():
        sections = sections_of(program, domain, evaluations, chain, _progress("explain"), kept)
    if as_json:
        print(json.dumps({section.key: section.data for section in sections}, indent=2))
        return
    for number, section in enumerate(sections):
        if number:
            print()
        print_parts(section.parts)
    if domain is None:
        print()
        print_paragraph(
            f"With a config, such as `zero explain {what} CONFIG`, it also tells what each instruction is "
            "worth on its tasks, which constants matter, and proves the simplification there."
        )
    elif data is not None and data.results is None:
        print()
        print_paragraph("The run has not ended: this is its best program so far.")


@guarded
def tune(
    program: ProgramName,
    config: Config,
    settings: Set = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write the program there.")
    ] = None,
    evaluations: Evaluations = 300,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Of the constants tried.")] = 0,
    as_json: AsJson = False,
    trust_imports: TrustImports = False,
    debug: Debug = False,
) -> None:
    """Tune a program's constants on a config's select tasks; final tasks tell the gain."""
    from zero.programs.explain.measure import fitness_of
    from zero.programs.explain.report import tuned
    from zero.programs.explain.sections import as_json as difference_json
    from zero.programs.find import load_program
    from zero.system.files import write_bytes

    domain = _domain(config, settings)
    loaded = load_program(program)
    with compiling_shown():
        found, before, now, gain = tuned(loaded, domain, evaluations, seed, _progress("tune"))
    if output is not None and found.changed:
        write_bytes(output, str(found.program).encode())
    if as_json:
        figures = {
            "select": {
                "before": fitness_of(found.base),
                "tuned": fitness_of(found.best),
                "gain": difference_json(found.gain),
            },
            "final": {
                "before": fitness_of(before),
                "tuned": fitness_of(now),
                "gain": difference_json(gain),
            },
        }
        changed = [
            {"constant": k.name, "before": k.value, "tuned": value} for k, value in found.changed
        ]
        about = {"program": str(found.program), "changed": changed}
        print(json.dumps({**about, "evaluations": found.evaluations, **figures}, indent=2))
        return
    if not found.changed:
        print_paragraph(
            f"No gain: of {found.evaluations:,} evaluations none was better on the select tasks "
            f"({shown_fitness(fitness_of(found.base))}), so the constants stay as they are"
            f"{'' if output is None else f' and {output} is not written'}."
        )
        return
    print(found.program)
    columns = ("tasks", "before", "tuned", "gain", "95 % interval")
    rows = [
        (name, *(shown_fitness(fitness_of(e)) for e in pair), shown_fitness(d.value), _interval(d))
        for name, pair, d in (
            ("select, tuned on", (found.base, found.best), found.gain),
            ("final, held out", (before, now), gain),
        )
    ]
    print_table(columns, rows)
    print()
    if gain.low > 0:
        print_paragraph("The gain on the final tasks, which tuning has not seen, is beyond chance.")
    elif gain.high < 0:
        print_paragraph("On the final tasks, which tuning has not seen, it is worse than before.")
    else:
        print_paragraph("On the final tasks, which tuning has not seen, there is no certain gain.")
    if output is not None:
        print_paragraph(Whole(f"written to {output}"))


def _interval(difference: Any) -> str:
    return f"{shown_fitness(difference.low)} to {shown_fitness(difference.high)}"


def _run_in(what: str) -> tuple[Path | None, int | None]:
    """Returns the run's folder or archive that a user names and the record's number, None for none."""
    from zero.programs import library
    from zero.runs.discoveries import KIND
    from zero.system.trees import kind_of_file

    name, mark, record = what.rpartition("#")
    path, number = (Path(name), int(record)) if mark and record.isdigit() else (Path(what), None)
    is_archive = (
        path.suffix == ".h5" and kind_of_file(path) != KIND
    )  # a library's entry is a program
    is_run = what not in library.PROGRAMS and (path.is_dir() or is_archive)
    return (path, number) if is_run else (None, None)


def _archive(run: Path) -> Any:
    from zero.programs.explain.lineage import read_run

    if train.of_network(run):
        raise ArchiveError(f"{run} is a training of a network, and only programs can be explained")
    from zero.runs.load import know_kind

    know_kind(run)
    return read_run(run)


def _kept(run: Path) -> Any:
    """Returns the outcome as the run over a table has trained it, None if it keeps none."""
    from zero.programs.model import FILE, load_model

    return load_model(run / FILE) if (run / FILE).is_file() else None


def _domain(config: str, settings: list[str] | None) -> Any:
    from zero.programs.config import of_programs

    checked = of_programs(checked_config(config, settings))
    from zero.programs.domain import ProgramsDomain

    return ProgramsDomain(checked)


def _progress(what: str) -> Callable[[int], None]:
    """Returns what tells on standard error, every few seconds, how many evaluations were made."""
    last = time.monotonic()

    def told(made: int) -> None:
        nonlocal last
        if time.monotonic() - last > _QUIET_SECONDS:
            print(f"{what}: {made:,} evaluations", file=sys.stderr)
            last = time.monotonic()

    return told

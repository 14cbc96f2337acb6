"""`zero bench`: measure speed, and compare with recorded cases."""

from pathlib import Path
from typing import Annotated

import typer

from zero.cli import completion
from zero.cli.common import (
    BackendName,
    Commands,
    Config,
    Debug,
    Dtype,
    IslandCount,
    JsonFile,
    Seconds,
    Seed,
    Set,
    TrustImports,
    checked_config,
    compiling_shown,
    guarded,
    print_figures,
)

bench = typer.Typer(
    help="Compare search methods, measure speed, compare with recorded cases.",
    no_args_is_help=True,
    cls=Commands,
    rich_markup_mode=None,
)


@bench.command()
@guarded
def conformance(
    file: Annotated[Path, typer.Argument(help="Recorded cases, .jsonl or .jsonl.gz.")],
    backend: Annotated[
        BackendName, typer.Option(help="The interpreter to check.")
    ] = BackendName.cpu,
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
    backend: Annotated[BackendName | None, typer.Option(help="Same as --set backend=NAME.")] = None,
    json_file: JsonFile = None,
    settings: Set = None,
    trust_imports: TrustImports = False,
    debug: Debug = False,
) -> None:
    """Measure the individuals per second of a search."""
    from zero.bench.speed import search_speed
    from zero.programs.config import of_programs

    checked = of_programs(checked_config(config, settings, seed, islands, backend))

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
            autocompletion=completion.programs,
        ),
    ],
    seconds: Seconds = 3.0,
    backend: Annotated[BackendName | None, typer.Option(help="Same as --set backend=NAME.")] = None,
    json_file: JsonFile = None,
    settings: Set = None,
    trust_imports: TrustImports = False,
    debug: Debug = False,
) -> None:
    """Measure the evaluations per second of a program."""
    from zero.bench.speed import evaluation_speed
    from zero.programs.config import of_programs
    from zero.programs.find import load_program

    checked = of_programs(checked_config(config, settings, backend=backend))

    with compiling_shown():
        figures = evaluation_speed(checked, load_program(program), seconds)
    print_figures({"program": program, **figures}, json_file)

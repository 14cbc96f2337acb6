"""`zero fit`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from zero.cli.common import (
    Debug,
    IslandCount,
    JsonLog,
    OutFolder,
    Quiet,
    Seed,
    Set,
    checked_config,
    guarded,
    reporting,
    with_options,
)


@guarded
def fit(
    table: Annotated[
        str, typer.Argument(metavar="TABLE", help="CSV, TSV, Parquet, Excel, NPY or NPZ file.")
    ],
    target: Annotated[
        str | None, typer.Option("--target", "-t", metavar="COLUMN", help="What to predict.")
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(
            metavar="S",
            min=0.1,
            help="Of everything, from the start to the last file [default: 60].",
        ),
    ] = None,
    candidates: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Pipelines to try, instead of seconds: the same result each time.",
        ),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="What to maximise [default: by the target; zero list metrics]."
        ),
    ] = None,
    families: Annotated[
        str | None,
        typer.Option(
            metavar="A,B", help="Of learners [default: all that suit; zero list families]."
        ),
    ] = None,
    test: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Test rows [default: a fifth of the table].")
    ] = None,
    groups: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Rows of equal cells stay together.")
    ] = None,
    time: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="Later rows are predicted from earlier ones."),
    ] = None,
    weights: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="How much each row counts.")
    ] = None,
    ignore: Annotated[
        str | None, typer.Option(metavar="A,B", help="Columns that are not used.")
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Of search [default: smac; zero list searches]."),
    ] = None,
    settings: Set = None,
    out: OutFolder = None,
    seed: Seed = None,
    islands: IslandCount = None,
    quiet: Quiet = False,
    json_log: JsonLog = False,
    debug: Debug = False,
) -> None:
    """Find a good model for a table: preparation, learner and hyperparameters, and an ensemble of the best.

    Prints a leaderboard; `zero predict RUN NEW.csv` uses what is kept, `zero export RUN -o FILE.py` writes
    the best pipeline as Python, `zero report RUN -o FILE.html` a page. `zero resume RUN` goes on after a
    stop.
    """
    from zero.cli.run import print_outcome
    from zero.pipelines import fit as of_table
    from zero.system.age import process_began

    began = process_began()
    listed = {"families": families, "table.ignore": ignore}
    given = {
        "metric": metric, "table.test_path": None if test is None else str(test),
        "table.groups": groups, "table.time": time, "table.weights": weights,
        **{key: value and [v.strip() for v in value.split(",")] for key, value in listed.items()},
    }  # fmt: skip
    chosen = of_table.settings(table, target, given)
    if candidates is not None:
        chosen.append(f"budget.individuals={candidates}")
        chosen += ["pipelines.seconds=null"] if seconds is None else []
    if seconds is not None or candidates is None:
        chosen.append(f"pipelines.seconds={of_table.SECONDS if seconds is None else seconds}")
    if candidates is None:
        chosen.append("budget.individuals=null")
    if method is not None:
        chosen.append(f"search.method={method}")
    config = checked_config(of_table.CONFIG, [*chosen, *with_options(settings, seed, islands)])
    from zero.runs.run import start

    with reporting(quiet, json_log) as reporter:
        outcome = start(config, out, reporter, command=sys.argv, began=began)
    print_outcome(outcome, json_log)

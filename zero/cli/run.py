"""`zero run` and `zero resume`."""

import json
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from zero import genomes
from zero.cli import train
from zero.cli.common import (
    Config,
    Debug,
    IslandCount,
    JsonLog,
    MaxSeconds,
    OutFolder,
    Quiet,
    Seed,
    Set,
    checked_config,
    guarded,
    reporting,
    time_left,
    totals,
    with_options,
)
from zero.runs.tables import Whole, print_pairs
from zero.system.signals import RESUMABLE


@guarded
def run(
    config: Config,
    settings: Set = None,
    target: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN", help="What to predict, where CONFIG is a table such as my.csv."
        ),
    ] = None,
    out: OutFolder = None,
    seed: Seed = None,
    islands: IslandCount = None,
    max_seconds: MaxSeconds = None,
    quiet: Quiet = False,
    json_log: JsonLog = False,
    debug: Debug = False,
) -> None:
    """Evolve programs or cells as a config says.

    CONFIG may also be a table, with --target: the shipped config own_csv then searches on it, from the
    linear program or the network, whichever does better before. Its settings are written beside the table,
    such as my.yaml for my.csv, unless there is such a file.
    """
    left = time_left(max_seconds)
    from zero.programs import own_table

    given = with_options(settings, seed, islands)
    if own_table.is_table(config):
        config, given = _of_table(config, target, given, quiet)
    elif target is not None:
        raise own_table.no_table()
    checked = checked_config(config, given)
    from zero.runs.run import start

    with reporting(quiet, json_log) as reporter:
        outcome = start(checked, out, reporter, command=sys.argv, max_seconds=left())
    print_outcome(outcome, json_log)


def _of_table(
    path: str, target: str | None, given: list[str], quiet: bool
) -> tuple[str, list[str]]:
    """Returns the config and the settings that search on a table; keeps them beside it, as YAML."""
    from zero.programs import own_table

    if target is None:
        raise own_table.needs_target(path)
    given = [*own_table.settings(path, target), *given]
    given = [*own_table.fitted(checked_config(own_table.CONFIG, given)), *given]
    done = own_table.keep(path, given)
    if not quiet:
        print(done, file=sys.stderr)
    return own_table.CONFIG, given


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
    if train.of_network(folder):
        train.resume(folder, left, quiet, json_log, settings)
        return
    from zero.runs import run

    with reporting(quiet, json_log) as reporter:
        outcome = run.resume(folder, reporter, left(), settings=settings or [])
    print_outcome(outcome, json_log)


def print_outcome(outcome: Any, as_json: bool) -> None:
    """Prints what a run found and how to go on; exits with 130 if it was interrupted."""
    folder = str(outcome.folder)
    view = genomes.get(outcome.kind).view
    if as_json:
        event = {"event": "outcome", "folder": folder, "reason": outcome.reason}
        event |= {"individuals": outcome.individuals, "train_steps": outcome.train_steps}
        event |= {"seconds": outcome.seconds}
        print(json.dumps(event | view.event(outcome)))
    else:
        rows = totals(outcome.reason, outcome.individuals, outcome.train_steps, outcome.seconds)
        view.print_outcome(outcome)
        rows.append(("folder", Whole(folder)))
        quoted = shlex.quote(folder)
        if outcome.reason in RESUMABLE:
            rows.append(("final figures", "not yet: taken when the run ends"))
            rows.append(("go on with", Whole(f"zero resume {quoted}")))
        print_pairs([*rows, ("look with", Whole(f"zero show {quoted}"))])
    if outcome.reason == "interrupted":
        sys.stdout.flush()
        raise typer.Exit(130)

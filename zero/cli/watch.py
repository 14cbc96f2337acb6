"""`zero watch`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from zero.cli.common import Debug, JsonLog, guarded


@guarded
def watch(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder.")],
    once: Annotated[bool, typer.Option("--once", help="Print how it stands, and end.")] = False,
    json_log: JsonLog = False,
    debug: Debug = False,
) -> None:
    """Watch a run that goes on, as it shows itself, from anywhere: another terminal, another machine's disk.

    Reads the run's files alone; Ctrl-C ends watching, never the run. Ends when the run does, and then
    shows what it found.
    """
    from zero.cli.show import show_folder
    from zero.runs.progress import make_reporter
    from zero.runs.watch import watch as follow

    mode = "json" if json_log else "plain" if once else "auto"
    with make_reporter(mode, sys.stdout, interval=0.0 if once else 2.0) as reporter:
        end = follow(run, reporter, once)
    if end == "ended" and not json_log:
        print()
        show_folder(run)

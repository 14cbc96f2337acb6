"""What the command line's files share: how commands end, common options, words and tables.

Every command ends in one of these ways: 0; 1 after `error: ...` on standard error (one line, for a
config one line a mistake; `--debug` adds the trace); 2 after a wrong option; 130 after Ctrl-C.
"""

import functools
import json
import math
import os
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from zero.cli import completion
from zero.errors import ConfigError, ZeroError
from zero.runs.reasons import REASONS
from zero.runs.tables import json_number, print_pairs, shown


class Commands(TyperGroup):
    """A group of commands whose help has every command's whole description."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Writes the list of commands; the usual one cuts what is longer than a line."""
        commands = {name: self.get_command(ctx, name) for name in self.list_commands(ctx)}
        rows = [(n, c.get_short_help_str(limit=1000)) for n, c in commands.items() if not c.hidden]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


class BackendName(StrEnum):
    """Names of `zero.programs.evaluator.BACKENDS`."""

    cpu = "cpu"
    reference = "reference"
    cuda = "cuda"


class Dtype(StrEnum):
    """Number types."""

    float64 = "float64"
    float32 = "float32"


def _positive(option: typer.CallbackParam, value: float | None) -> float | None:
    if value is not None and not (math.isfinite(value) and value > 0):
        endless = value == math.inf and option.name == "max_seconds"
        hint = "; leave it out for no limit" if endless else ""
        raise typer.BadParameter(f"{value} is not a number of seconds above 0{hint}")
    return value


Config = Annotated[
    str,
    typer.Argument(
        metavar="CONFIG",
        help="YAML file or shipped config.",
        autocompletion=completion.configs,
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Change a setting, such as seed=2; repeatable."
    ),
]
Seed = Annotated[int | None, typer.Option(metavar="N", min=0, help="Same as --set seed=N.")]
IslandCount = Annotated[
    int | None, typer.Option(metavar="N", min=1, help="Same as --set islands.count=N.")
]
MaxSeconds = Annotated[
    float | None,
    typer.Option(
        metavar="S", callback=_positive, help="Stop after this time, for `zero resume` to go on."
    ),
]
Seconds = Annotated[
    float, typer.Option(metavar="S", callback=_positive, help="How long to measure.")
]
OutFolder = Annotated[
    Path | None,
    typer.Option("--out", metavar="DIR", help="The run's folder [default: runs/NAME-001 ...]."),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only the outcome.")]
JsonLog = Annotated[bool, typer.Option("--json-log", help="One JSON object a line to stdout.")]
TrustImports = Annotated[
    bool,
    typer.Option(
        "--trust-imports", help="Execute the Python files that a run from elsewhere imports."
    ),
]
Debug = Annotated[bool, typer.Option("--debug", help="Show the trace of an error.")]
JsonFile = Annotated[
    Path | None, typer.Option("--json", metavar="FILE", help="Write the figures to this file.")
]


# --- how every command ends -----------------------------------------------------------------------


def guarded(command: Callable[..., None]) -> Callable[..., None]:
    """Returns the command with errors turned into lines and exit codes; `debug` is an option."""

    @functools.wraps(command)
    def run(*args: Any, **options: Any) -> None:
        try:
            with _trusting(bool(options.get("trust_imports"))):
                command(*args, **options)
            sys.stdout.flush()  # here a full disk or a closed pipe can still be told
        except BrokenPipeError:
            _close_stdout()
            raise typer.Exit(1) from None
        except (ZeroError, OSError, MemoryError) as error:
            if options["debug"]:
                traceback.print_exc()
            for line in _lines_of(error):
                print(f"error: {line}", file=sys.stderr)
            if isinstance(error, OSError):
                _close_stdout()
            raise typer.Exit(1) from None
        except KeyboardInterrupt:
            if options["debug"]:
                traceback.print_exc()
            print("interrupted", file=sys.stderr)
            raise typer.Exit(130) from None

    return run


def _trusting(wanted: bool) -> AbstractContextManager[None]:
    if not wanted:
        return nullcontext()
    from zero.config.trust import trusting

    return trusting()


def _lines_of(error: BaseException) -> list[str]:
    """Returns what the user reads about an error: a line, or one for each mistake of a config."""
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return [f"{where}{error.strerror or error}"]
    if isinstance(error, MemoryError):
        return [f"out of memory ({str(error) or 'no more can be had'}); set a smaller population, "
                "evaluation.cache.size or tasks"]  # fmt: skip
    lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    # A failed worker's message ends with its trace, which is for --debug.
    return lines if isinstance(error, ConfigError) else lines[:1]


def _close_stdout() -> None:
    """Sends what is still buffered to nowhere: Python would fail on it once more when it exits."""
    try:
        sys.stdout.flush()
    except OSError:
        with suppress(OSError, ValueError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, sys.stdout.fileno())
            os.close(null)


def checked_config(
    name: str,
    settings: list[str] | None,
    seed: int | None = None,
    islands: int | None = None,
    backend: BackendName | None = None,
):
    """Returns the checked config with what was given beside it."""
    from zero.config.load import load_config

    return load_config(name, with_options(settings, seed, islands, backend))


def with_options(
    settings: list[str] | None,
    seed: int | None = None,
    islands: int | None = None,
    backend: BackendName | None = None,
) -> list[str]:
    """Returns settings, KEY=VALUE each, with those that have options of their own."""
    options = {"seed": seed, "islands.count": islands, "backend": backend}
    given = [f"{key}={value}" for key, value in options.items() if value is not None]
    return [*(settings or []), *given]


def time_left(max_seconds: float | None) -> Callable[[], float | None]:
    """Returns what tells how much of --max-seconds, which count from now, is left."""
    began = time.monotonic()
    return lambda: max_seconds and max(0.0, max_seconds - (time.monotonic() - began))


@contextmanager
def compiling_shown():
    """Shows what is compiled, on standard error, for commands that show nothing else there."""
    from zero.jit import compiling

    with reporting(False, False) as reporter, compiling.telling(reporter.compiling):
        yield


@contextmanager
def reporting(quiet: bool, json_log: bool):
    """Gives a reporter of a run's progress for as long as the run goes on."""
    from zero.runs.progress import make_reporter

    # JSON lines and a live view on one screen would overwrite each other.
    hidden = quiet or (json_log and sys.stdout.isatty())
    mode, lines = "none" if hidden else "auto", sys.stdout if json_log else None
    with make_reporter(mode, sys.stderr, json_stream=lines) as reporter:
        yield reporter


# --- words -----------------------------------------------------------------------------------------


def print_figures(figures: dict[str, Any], json_file: Path | None) -> None:
    """Prints a benchmark's figures; writes them to a file as JSON, if wished."""
    from zero.system.files import write_bytes

    if json_file is not None:
        figures = {k: json_number(v) if isinstance(v, float) else v for k, v in figures.items()}
        write_bytes(json_file, json.dumps(figures, indent=2).encode() + b"\n")
    print_pairs([(k.replace("_", " "), shown(v)) for k, v in figures.items() if k != "versions"])


# --- how a run ended --------------------------------------------------------------------------------


def totals(reason: str | None, individuals: int, steps: int, seconds: float | None) -> list[tuple]:
    """Returns why a run ended (None: it goes on), and what it has used, for people."""
    from zero.runs.progress import duration

    rows = [] if reason is None else [("ended", f"{reason}: {REASONS.get(reason, reason)}")]
    rows += [("individuals", f"{individuals:,}"), ("train steps", f"{steps:,}")]
    return rows if seconds is None else [*rows, ("time", duration(seconds))]


ProgramName = Annotated[
    str,
    typer.Argument(
        metavar="PROGRAM",
        help="Program file, shipped program, RUN or RUN#ID.",
        autocompletion=completion.programs,
    ),
]

"""`zero train`, and what `zero resume` does with the folder of a training."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from zero import genomes
from zero.cli import completion
from zero.cli.common import (
    Debug,
    JsonLog,
    MaxSeconds,
    Quiet,
    Seed,
    Set,
    TrustImports,
    guarded,
    time_left,
    with_options,
)
from zero.errors import ConfigError


@guarded
def train(
    genome: Annotated[
        str,
        typer.Argument(
            metavar="GENOME",
            help="Program (shipped, file) or cells (published, file, text), RUN or RUN#ID.",
            autocompletion=completion.genomes,
        ),
    ],
    data: Annotated[
        str,
        typer.Argument(
            metavar="TABLE|CONFIG",
            help="For a program a table, with --target; for both a YAML file or shipped config.",
            autocompletion=completion.configs,
        ),
    ],
    target: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="What to predict, of a table.")
    ] = None,
    problem: Annotated[
        str | None,
        typer.Option(help="regression, binary or multiclass [default: as the target looks]."),
    ] = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN", help="A table's column that is no feature; repeatable."),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Times that a table's rows are gone through."),
    ] = None,
    find_rate: Annotated[
        bool,
        typer.Option(
            "--find-rate",
            help="Train no network, but look for its learning rate: curve, picture, suggestion.",
        ),
    ] = False,
    settings: Set = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="DIR", help="Its folder [default: runs/train-NAME-001 ...]."
        ),
    ] = None,
    seed: Seed = None,
    threads: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, max=1024, help="Of a network; by default one a core."),
    ] = None,
    max_seconds: MaxSeconds = None,
    quiet: Quiet = False,
    json_log: JsonLog = False,
    trust_imports: TrustImports = False,
    debug: Debug = False,
) -> None:
    """Train one program on a table, or one network of cells, for `zero predict` and `zero export`.

    A program learns from all rows but the test rows; scores on these stand beside those of known
    predictors. A network is trained in full, as a config says of its cells' last training: --set
    cells.training.epochs=50 means this training; `zero resume` goes on with one that was stopped.
    --find-rate takes 100 steps with rising learning rates and says which one suits.
    """
    left = time_left(max_seconds)
    from zero.jit import compiling
    from zero.programs import own_table
    from zero.runs.kind import Training

    of_table = {"target": target, "problem": problem, "ignore": ignore, "epochs": epochs}
    given = with_options(settings, seed)
    if find_rate and max_seconds is not None:
        raise ConfigError(
            "--find-rate takes 100 steps and cannot go on later; leave --max-seconds out"
        )
    if own_table.is_table(data):
        if target is None:
            raise own_table.needs_target(data)
        chosen = {key: value for key, value in of_table.items() if value is not None}
        own = [f"tasks.search.{key}={json.dumps(value)}" for key, value in chosen.items()]
        data, given = own_table.CONFIG, [*own_table.settings(data, target), *own, *given]
    else:
        for key in (key for key, value in of_table.items() if value is not None):
            raise own_table.no_table(f"--{key}")
    kind = _kind_of(data)
    _check(genome, kind)
    reporter = _reporter(quiet, json_log)
    wanted = Training(genome, data, given, out, threads, left(), reporter, sys.argv)
    with compiling.telling(reporter.compiling):
        found = kind.find_rate(wanted) if find_rate else kind.train(wanted)
    if find_rate:
        kind.view.print_rate(found, json_log)
        return
    _tell(kind, found, json_log)


def _kind_of(config: str) -> Any:
    """Returns the kind of genome that a config is about; cells, if nobody can tell."""
    from zero.config import yaml
    from zero.config.load import find_config

    return genomes.of_settings(yaml.read(*find_config(config)).data)


def _check(genome: str, kind: Any) -> None:
    """Raises ConfigError if a name that comes with zero is of a genome of another kind than the config's."""
    for other in map(genomes.get, genomes.names()):
        if other is not kind and other.ships(genome):
            raise ConfigError(
                f"{genome} is one of zero's {other.name}, and what it is to be trained by is about "
                f"{kind.name}; {other.how_to_train.format(genome=genome)}"
            )


def is_training(path: Path) -> bool:
    """Returns whether a path is the folder of a training."""
    from zero.runs.folder import RunFolder

    return of_network(path) or (path / RunFolder.TRAINED).is_file()


def of_network(path: Path) -> bool:
    """Returns whether it is that of a network, which may go on."""
    # zero.cells.train_config.GENOME; to import it takes a second
    return (path / "genome.txt").is_file()


def resume(
    folder: Path,
    left: Callable[[], float | None],
    quiet: bool,
    json_log: bool,
    settings: list[str] | None,
) -> None:
    """Does what `zero resume` does with the folder of a training of a network; left: of `time_left`.

    Raises:
        ConfigError: there are settings.
    """
    from zero.cells import train_run
    from zero.jit import compiling

    if settings:
        raise ConfigError(
            f"--set {settings[0]}: {folder} is a training, which goes on with the settings that it "
            "began with; for others train anew"
        )
    reporter = _reporter(quiet, json_log)
    with compiling.telling(reporter.compiling):
        found = train_run.resume(folder, left(), reporter)
    _tell(genomes.get("cells"), found, json_log)


def _reporter(quiet: bool, json_log: bool) -> Any:
    """Returns the `zero.runs.progress.TrainingReporter` that the options ask for."""
    from zero.runs.progress import TrainingReporter, make_reporter

    # As for runs: on one screen the two would mix.
    hidden = quiet or (json_log and sys.stdout.isatty())
    lines = make_reporter("none" if hidden else "plain", sys.stderr)
    events = make_reporter("json" if json_log else "none", sys.stdout, interval=0.0)
    return TrainingReporter(lines, events)


def _tell(kind: Any, found: Any, as_json: bool) -> None:
    """Prints what a training came to; exits with 130 if it was interrupted."""
    kind.view.print_training(found, as_json)
    if found.reason == "interrupted":
        sys.stdout.flush()
        raise typer.Exit(130)

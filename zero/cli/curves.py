"""`zero curves`."""

from pathlib import Path
from typing import Annotated

import typer

from zero.cli import completion
from zero.cli.common import Debug, guarded
from zero.errors import ArchiveError


@guarded
def curves(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN",
            help="A run's folder or archive; it may go on.",
            autocompletion=completion.runs,
        ),
    ],
    to: Annotated[
        str,
        typer.Option(
            metavar="FORM",
            help="csv, jsonl, tensorboard or mlflow.",
            autocompletion=completion.trackers,
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="PATH",
            help="A file, of tensorboard and mlflow a folder; new.",
        ),
    ],
    debug: Debug = False,
) -> None:
    """Write the curves of a run for other tools; while it runs, `track: [csv]` in its config does."""
    from zero.config import yaml
    from zero.runs import tracking
    from zero.runs.archive import read_archive
    from zero.runs.curves import points_of_archive
    from zero.runs.load import know_kind
    from zero.system.files import check_place

    (tracker,) = tracking.make([to], output)
    path = Path(run)
    know_kind(path)
    data = read_archive(path)
    check_place(output)
    if output.is_file() or (output.is_dir() and any(output.iterdir())):
        raise ArchiveError(f"{output} is there already; give another")
    settings = yaml.parse(data.config, run).data
    points = points_of_archive(data)
    with tracker:
        info = {key: settings.get(key) for key in ("name", "backend", "dtype")}
        tracker.start({**info, "seed": data.seed, "folder": str(path)})
        tracker.points(points)
        tracker.finish({"reason": (data.results or {}).get("reason")})
    print(f"wrote {output}: {len(points):,} points")

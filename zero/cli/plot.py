"""`zero plot`."""

from pathlib import Path
from typing import Annotated

import typer

from zero.cli.common import Debug, TrustImports, guarded
from zero.errors import ConfigError, unknown_name
from zero.system.foreign import content_of


@guarded
def plot(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="File to write: .svg or .png.")
    ],
    what: Annotated[
        str | None,
        typer.Option(
            metavar="PICTURE",
            help="curve, lineage, pareto; of a table's test rows roc, pr, calibration, confusion or "
            "residuals; of cells cells, training, confusion, mistakes [default: the first that there is].",
        ),
    ] = None,
    trust_imports: TrustImports = False,
    debug: Debug = False,
) -> None:
    """Draw a picture of a run or a training."""
    from zero.runs.load import kind_of
    from zero.runs.pictures import check, save

    with content_of(run):
        known = kind_of(run).pictures(run)
    name = what or next(iter(known))
    if name not in known:
        raise ConfigError(f"{run}: {unknown_name('picture', name, known)}")
    check(output)
    with content_of(run):
        save(known[name], output)
    print(f"wrote {output}")

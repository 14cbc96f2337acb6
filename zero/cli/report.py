"""`zero report`."""

from pathlib import Path
from typing import Annotated

import typer

from zero.cli.common import Debug, TrustImports, guarded
from zero.errors import ConfigError
from zero.system.foreign import content_of


@guarded
def report(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUN",
            help="Folder of a run, a training or a comparison; figures of a benchmark, as JSON.",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="HTML page; otherwise text is printed."
        ),
    ] = None,
    trust_imports: TrustImports = False,
    debug: Debug = False,
) -> None:
    """Report on a run: what was asked, the data, what was found, and what its figures are worth.

    The page stands alone: one file, which fetches nothing.
    """
    from zero.bench import report as comparison
    from zero.runs.load import kind_of
    from zero.runs.reports.page import page
    from zero.runs.reports.text import print_report
    from zero.system.files import write_bytes

    if output is not None and output.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"reports are HTML pages: give -o {output.with_suffix('.html')}")
    with content_of(run):
        if comparison.is_comparison(run):
            found = comparison.report(run)
        else:
            found = kind_of(run).report(run)
        text = None if output is None else page(found)
        if text is None:
            print_report(found)
    if output is None or text is None:
        return
    write_bytes(output, text.encode())
    print(f"wrote {output}")

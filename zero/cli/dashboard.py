"""`zero dashboard`."""

from pathlib import Path
from typing import Annotated

import typer

from zero.cli.common import Debug, guarded


@guarded
def dashboard(
    folder: Annotated[
        Path, typer.Argument(metavar="[DIR]", help="Folder of runs, or a run.", show_default=False)
    ] = Path("runs"),
    write: Annotated[
        bool,
        typer.Option("--write", help="Let its pages begin runs, on tables and images given there."),
    ] = False,
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Where to listen; beyond loopback with a token.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(metavar="N", min=0, max=65535, help="0: any that is free.")
    ] = 8421,
    upload_mb: Annotated[
        int, typer.Option("--upload-mb", metavar="N", min=1, help="Most megabytes of an upload.")
    ] = 500,
    debug: Debug = False,
) -> None:
    """Show runs in a browser: side by side, live, compared, with their programs, lineage and reports.

    DIR is runs/ by default. Reads the runs' files alone. With --write a page takes a table or images and
    begins runs, which are runs like any other. Ctrl-C ends the dashboard, never a run.
    """
    from zero.dashboard.serve import check_installed, serve
    from zero.errors import ConfigError

    check_installed()
    if write:
        folder.mkdir(parents=True, exist_ok=True)
    if not folder.is_dir():
        raise ConfigError(
            f"there is no folder {folder}; give the one that your runs are in, or --write to begin in it"
        )
    serve(folder, host, port, write, upload_mb * 1_000_000, print_at_once, debug)
    print("closed")


def print_at_once(text: str) -> None:
    """Prints a line, also where standard output is a pipe."""
    print(text, flush=True)

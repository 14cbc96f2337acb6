"""The command line: parse, call, print. Nothing is decided here.

How commands end, and what they share, stands in `zero.cli.common`; `bench conformance` also ends with
1 when cases differ. Results go to standard output, progress to standard error. Heavy imports stand
inside the commands, so that `zero --help` answers at once.
"""

from typing import Annotated

import typer

from zero.cli import (
    archive,
    bench,
    cells,
    curves,
    dashboard,
    evaluate,
    explain,
    export,
    fit,
    listing,
    nas_table,
    plot,
    predict,
    report,
    run,
    schema,
    search_methods,
    show,
    train,
    watch,
)
from zero.cli.common import Commands

app = typer.Typer(
    help="Discovers machine-learning algorithms by evolution, from empty programs.",
    no_args_is_help=True,
    cls=Commands,
    rich_markup_mode=None,  # rich help would double the time that `zero --help` takes
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from zero import __version__

        print(f"zero {__version__}")
        raise typer.Exit()


@app.callback()
def top(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Discovers machine-learning algorithms by evolution, from empty programs."""


def main() -> None:
    """Runs the command that `sys.argv` names and exits."""
    app(prog_name="zero")


# Help lists the commands in this order.
for command in (
    fit.fit,
    run.run,
    run.resume,
    watch.watch,
    show.show,
    dashboard.dashboard,
    evaluate.evaluate,
    predict.predict,
    report.report,
    plot.plot,
    curves.curves,
    explain.explain,
    explain.tune,
):
    app.command()(command)
app.command("list")(listing.list_)
app.command()(evaluate.validate)
archive.register(app)
app.add_typer(bench.bench, name="bench")
cells.register(app)
app.command()(train.train)
app.command()(export.export)
nas_table.register(bench.bench)
search_methods.register(bench.bench)
schema.register(app)

"""The command line's `zero schema`: what editors complete and check configs by."""

import json
from typing import Annotated

import typer

from zero.cli.common import Debug, guarded


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("schema")(schema)


def _kinds(incomplete: str) -> list[str]:
    """Returns the kinds of genomes that begin so, for the shell's TAB."""
    from zero import genomes

    return [kind for kind in genomes.names() if kind.startswith(incomplete)]


@guarded
def schema(
    kind: Annotated[
        str | None,
        typer.Option(
            metavar="KIND",
            help="Only of configs for this kind of genome, such as programs or cells.",
            autocompletion=_kinds,
        ),
    ] = None,
    debug: Debug = False,
) -> None:
    """Print the JSON schema of configs, for editors."""
    from zero.config.schema import config_schema

    print(json.dumps(config_schema(kind), indent=2, allow_nan=False))

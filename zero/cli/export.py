"""`zero export`."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from zero import genomes
from zero.cli import completion
from zero.cli.common import Debug, TrustImports, guarded
from zero.errors import ArchiveError


class Form(StrEnum):
    """Forms of exports; each kind of genome has some of them."""

    python = "python"
    c = "c"
    latex = "latex"
    onnx = "onnx"
    json = "json"
    numpy = "numpy"  # what networks' python was once called


@guarded
def export(
    what: Annotated[
        str,
        typer.Argument(
            metavar="PROGRAM|RUN",
            help="Run or training, RUN#ID, program, model or weights.",
            autocompletion=completion.programs,
        ),
    ],
    to: Annotated[
        Form | None,
        typer.Option(
            "--to",
            "--format",
            metavar="FORM",
            help="python, c, latex, onnx or json; else by the ending of FILE.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Otherwise text is printed."),
    ] = None,
    opset: Annotated[
        int | None,
        typer.Option(metavar="N", min=13, max=21, help="ONNX's operators [default: 15]."),
    ] = None,
    trust_imports: TrustImports = False,
    debug: Debug = False,
) -> None:
    """Write what was found in a form that runs, or is read, without zero.

    A run that keeps its trained model gives a predictor, preparation of a table's rows included; another
    run, and a program, gives the algorithm alone, which is yet to be trained. Networks of cells are
    written as ONNX or as Python, whose weights stand in an NPZ file beside it. RUN may be paused.
    """

    def note(text: str) -> None:
        print(text, file=sys.stderr)

    form = Form.python if to is Form.numpy else to
    found = _kind_of(what).export(what, form and form.value, output, note, opset)
    if isinstance(found, str):
        print(found, end="")
        return
    for path in found:
        print(f"wrote {path}")


def _kind_of(what: str) -> Any:
    """Returns the kind of genome of what a user names; raises ArchiveError if it is nothing."""
    from zero.runs.load import kind_of
    from zero.system.trees import kind_of_file

    name, mark, record = what.rpartition("#")
    run = Path(name) if mark and record.isdigit() else Path(what)
    if (run.is_dir() and not _is_shipped(what)) or kind_of_file(run) == "archive":
        return kind_of(run)
    kinds = map(genomes.get, genomes.names())
    found = next((kind for kind in kinds if kind.has(what)), None)
    if found is None:
        raise ArchiveError(
            f"there is no {what}; give the folder of a run or of a training, a program (`zero list "
            "programs`), or a file of one, of a model or of weights"
        )
    return found


def _is_shipped(what: str) -> bool:
    from zero.programs import library

    return what in library.PROGRAMS

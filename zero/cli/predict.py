"""`zero predict`."""

import csv
import io
import json
import math
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from zero.cli.common import Debug, TrustImports, compiling_shown, guarded
from zero.errors import ConfigError, visible
from zero.runs.model import Predictions
from zero.runs.tables import json_number, print_table, shown

ENDINGS = (".csv", ".jsonl")


@guarded
def predict(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN", help="Folder of a run or of a training, its archive, or a saved model."
        ),
    ],
    data: Annotated[
        Path,
        typer.Argument(metavar="DATA", help="Your file, or your folder: what the run was of."),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help=f"File to write: {' or '.join(ENDINGS)}."
        ),
    ] = None,
    trust_imports: TrustImports = False,
    debug: Debug = False,
) -> None:
    """Predict your own data with what a run has found.

    Prints a table, or CSV where standard output is no terminal.
    """
    if output is not None and output.suffix not in ENDINGS:
        raise ConfigError(
            f"cannot tell how to write {output}: give a name in {' or '.join(ENDINGS)}"
        )
    if output is not None and output.exists() and data.exists() and output.samefile(data):
        raise ConfigError(f"{output} is the file to predict and would be lost; give another name")
    from zero.runs.load import load
    from zero.system.files import write_bytes
    from zero.system.foreign import content_of

    with compiling_shown():
        model = load(run)
        with content_of(run):
            found = model.predictions(data)
    for note in found.notes:
        print(f"note: {note}", file=sys.stderr)
    if output is not None:
        text = _as_csv(found) if output.suffix == ".csv" else _as_json_lines(found)
        # A file's name that is no text is written as the bytes that it is.
        write_bytes(output, text.encode(errors="surrogateescape"))
        print(f"wrote {output}")
    elif sys.stdout.isatty():
        columns = list(found.columns.items())[: found.brief]
        names, values = tuple(name for name, _ in columns), [column for _, column in columns]
        rows = zip(*values, strict=True)
        print_table(names, [tuple(_shown(value) for value in row) for row in rows])
    else:
        print(_as_csv(found).encode(errors="surrogateescape").decode(errors="replace"), end="")


def _as_csv(found: Predictions) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(found.columns)
    writer.writerows(zip(*found.columns.values(), strict=True))
    return text.getvalue()


def _as_json_lines(found: Predictions) -> str:
    rows = zip(*found.columns.values(), strict=True)
    return "".join(
        json.dumps(dict(zip(found.columns, map(_plain, row), strict=True))) + "\n" for row in rows
    )


def _plain(value: Any) -> Any:
    """Returns a value as JSON has it: no NumPy numbers, null for what is no number."""
    value = value.item() if hasattr(value, "item") else value
    return json_number(value) if isinstance(value, float) else value


def _shown(value: Any) -> str:
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, str):
        return visible(value)
    return "-" if isinstance(value, float) and math.isnan(value) else shown(value)

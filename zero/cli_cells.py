"""The command line's part on cells: `zero cells ...`, and what trains and exports them.

`register` puts the commands into the command line; see `zero.cli` and `zero.cli_common`.
"""

import json
import re
import sys
from collections.abc import Callable
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from zero import cli_completion
from zero.cli_common import (
    Commands,
    Config,
    Debug,
    JsonLog,
    MaxSeconds,
    Quiet,
    Seed,
    Set,
    guarded,
    time_left,
)
from zero.cli_tables import print_pairs, print_table
from zero.errors import ConfigError, NetworkError

cells = typer.Typer(
    help="Look at cell genomes: published ones, or your own.",
    no_args_is_help=True,
    cls=Commands,
    rich_markup_mode=None,
)


def register(app: typer.Typer) -> None:
    """Adds the commands of this file to the command line."""
    app.add_typer(cells, name="cells")
    app.command()(train)
    app.command("export")(export_)


class CellTopic(StrEnum):
    """What `zero cells list` knows."""

    cells = "cells"
    ops = "ops"
    spaces = "spaces"
    skeletons = "skeletons"


CellName = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="Published cell, genome's file or text, RUN or RUN#ID.",
        autocompletion=cli_completion.cells,
    ),
]
NormalCells = Annotated[
    int | None,
    typer.Option(metavar="N", min=0, help="Normal cells between two reductions."),
]
Filters = Annotated[
    int | None, typer.Option(metavar="F", min=1, help="Channels of the first cells' nodes.")
]
Layers = Annotated[
    int | None, typer.Option(metavar="L", min=1, help="Cells in all, instead of --normal-cells.")
]
Classes = Annotated[int | None, typer.Option(metavar="K", help="Number of classes.")]
SkeletonName = Annotated[
    str | None,
    typer.Option(
        "--skeleton",
        metavar="NAME",
        help="See `zero cells list skeletons`.",
        autocompletion=cli_completion.skeletons,
    ),
]
Image = Annotated[
    str | None,
    typer.Option("--image", metavar="HxWxC", help="Size of the images, such as 28x28x1."),
]
Batch = Annotated[int, typer.Option(metavar="B", min=1, help="Images in a training step.")]


def _find(what: str) -> Any:
    """Returns the cell that a user names, as a `zero.cells.published.Published`."""
    from dataclasses import replace

    from zero.cells.published import find_cell

    try:
        is_run = Path(what.partition("#")[0] or ".").is_dir()
    except OSError:  # a genome's text is too long to be a file's name
        is_run = False
    if not is_run:
        return find_cell(what)
    from zero.train_config import find_genome

    name, genome = find_genome(what)
    return replace(find_cell(str(genome)), name=name)


@cells.command("list")
@guarded
def list_(
    topic: Annotated[CellTopic, typer.Argument(metavar="[TOPIC]", show_choices=True,
              help="cells, ops, spaces or skeletons.")] = CellTopic.cells,
    debug: Debug = False,
) -> None:  # fmt: skip
    """List published cells, ops, search spaces or skeletons."""
    if topic == CellTopic.ops:
        from zero.cells.ops import CELL_OPS

        print_table(("op", "what it is"), [(op.name, op.description) for op in CELL_OPS.values()])
    elif topic == CellTopic.spaces:
        from zero.cells.spaces import SPACES

        rows = [(s.name, s.description, ", ".join(s.ops)) for s in SPACES.values()]
        print_table(("space", "what it is", "ops"), rows)
    elif topic == CellTopic.skeletons:
        from zero.cells.published import PRESETS
        from zero.cells.skeletons import KINDS

        rows = [
            (name, _size(p.skeleton), _image(p.image_shape), p.classes,
             KINDS[p.skeleton.kind].description)
            for name, p in PRESETS.items()
        ]  # fmt: skip
        print_table(("skeleton", "size", "images", "classes", "what it is"), rows)
    else:
        from zero.cells.published import PUBLISHED

        rows = []
        for cell in PUBLISHED.values():
            cost = _built(cell)["cost"]
            rows.append((cell.name, cell.source, cell.preset, f"{cost.parameters:,}",
                         f"{cost.multiply_adds / 1e6:,.1f}"))  # fmt: skip
        columns = ("name", "from", "skeleton", "parameters", "million mult-adds")
        print_table(columns, rows)


@cells.command()
@guarded
def show(name: CellName, debug: Debug = False) -> None:
    """Show a genome's cells, and what its network costs."""
    cell = _find(name)
    genome, built = cell.genome, _built(cell)
    print(f"{cell.name}{f' ({cell.source})' if cell.source else ''}")
    print(f"\n{genome.listing()}\n")
    print_pairs(_figures(built))
    print(f"\ntext\n{genome}")


@cells.command()
@guarded
def count(
    name: CellName,
    normal_cells: NormalCells = None,
    filters: Filters = None,
    layers: Layers = None,
    classes: Classes = None,
    skeleton: SkeletonName = None,
    image: Image = None,
    batch: Batch = 64,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    debug: Debug = False,
) -> None:
    """Count parameters, multiply-adds and memory of a genome's network, before any training."""
    cell = _find(name)
    built = _built(cell, normal_cells, filters, layers, classes, skeleton, image, batch)
    if as_json:
        figures = {"cell": cell.name, "genome": str(cell.genome), **built, **asdict(built["cost"])}
        figures["skeleton"] = asdict(built["skeleton"])
        del figures["cost"]
        print(json.dumps(figures, indent=2))
        return
    print_pairs([("cell", cell.name), *_figures(built)])


@cells.command()
@guarded
def draw(
    name: CellName,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="SVG file to write.")
    ] = None,
    debug: Debug = False,
) -> None:
    """Draw a genome's cells as SVG, to a file or to standard output."""
    from zero.cells.drawing import draw_svg
    from zero.store import write_bytes

    cell = _find(name)
    drawing = draw_svg(cell.genome, cell.name)
    if output is None:
        print(drawing, end="")
    else:
        write_bytes(output, drawing.encode())


# --- training and exporting -----------------------------------------------------------------------


@guarded
def train(
    genome: Annotated[
        str,
        typer.Argument(
            metavar="GENOME",
            help="Published cell, genome's file or text, RUN or RUN#ID.",
            autocompletion=cli_completion.cells,
        ),
    ],
    config: Config,
    settings: Set = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Its folder [default: runs/train-NAME-001 ...]."),
    ] = None,
    seed: Seed = None,
    threads: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, max=1024, help="Threads; by default one for each core."),
    ] = None,
    max_seconds: MaxSeconds = None,
    quiet: Quiet = False,
    json_log: JsonLog = False,
    debug: Debug = False,
) -> None:
    """Train one network in full, as a config says of its cells' last training.

    Settings such as --set cells.training.epochs=50 or --set cells.skeleton.filters=16 mean this
    training. `zero resume` goes on with one that was stopped.
    """
    left = time_left(max_seconds)
    from zero import compiling, train_run
    from zero.train_config import training_config

    given = [*(settings or []), *([] if seed is None else [f"seed={seed}"])]
    checked = training_config(config, given)
    told = _told(quiet, json_log)
    with compiling.telling(told[0].compiling):
        found = train_run.start(genome, checked, out, threads, left(), told, sys.argv)
    _tell_training(found, json_log)


def is_training(path: Path) -> bool:
    """Returns whether a path is the folder of a training."""
    return (path / "genome.txt").is_file()  # zero.train_config.GENOME; to import it takes a second


def resume_training(
    folder: Path,
    left: Callable[[], float | None],
    quiet: bool,
    json_log: bool,
    settings: list[str] | None,
) -> None:
    """Does what `zero resume` does with the folder of a training; left: of `time_left`.

    Raises:
        ConfigError: there are settings.
    """
    from zero import compiling, train_run

    if settings:
        raise ConfigError(
            f"--set {settings[0]}: {folder} is a training, which goes on with the settings that it "
            "began with; for others train anew"
        )
    told = _told(quiet, json_log)
    with compiling.telling(told[0].compiling):
        found = train_run.resume(folder, left(), told)
    _tell_training(found, json_log)


def _told(quiet: bool, json_log: bool) -> tuple:
    """Returns who is told of a training: reporters for lines to people, and for events."""
    from zero.progress import make_reporter

    # As for runs: on one screen the two would mix.
    hidden = quiet or (json_log and sys.stdout.isatty())
    people = make_reporter("none" if hidden else "plain", sys.stderr)
    return people, make_reporter("json" if json_log else "none", sys.stdout, interval=0.0)


def _tell_training(found: Any, as_json: bool) -> None:
    """Prints what a training came to; exits with 130 if it was interrupted."""
    from zero.cli_trainings import print_figures

    if as_json:
        kept = {k: v for k, v in found.figures.items() if k not in ("curve", "run")}
        head = {"event": "outcome", "folder": str(found.folder), "reason": found.reason}
        print(json.dumps(head | kept))
    else:
        print_figures(found.folder, found.reason, found.figures)
    if found.reason == "interrupted":
        sys.stdout.flush()
        raise typer.Exit(130)


class ExportFormat(StrEnum):
    """Keys of `zero.export.FORMATS`."""

    onnx = "onnx"
    numpy = "numpy"


@guarded
def export_(
    source: Annotated[
        Path, typer.Argument(metavar="FOLDER|WEIGHTS", help="Of a run or a training, or a file.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="Such as net.onnx or net.py.")
    ],
    format_: Annotated[
        ExportFormat | None,
        typer.Option("--format", help="Otherwise by the ending of FILE: .onnx or .py."),
    ] = None,
    debug: Debug = False,
) -> None:
    """Write a trained network as ONNX, or as a Python file that needs NumPy only.

    Both take images (N, height, width, channels) with pixel values as in the training images; the
    Python file reads its weights from the NPZ file written beside it. Programs cannot be exported.
    """
    from zero.export import export

    for path in export(source, output, format_):
        print(f"wrote {path}")


def _built(
    cell: Any,
    normal_cells: int | None = None,
    filters: int | None = None,
    layers: int | None = None,
    classes: int | None = None,
    skeleton: str | None = None,
    image: str | None = None,
    batch: int = 64,
) -> dict[str, Any]:
    """Builds a cell's network; returns its skeleton, image_shape, classes, batch and cost."""
    from zero.cells.cost import cost_of
    from zero.cells.published import get_preset
    from zero.cells.skeletons import build_network

    preset = get_preset(skeleton or cell.preset)
    whole = preset.skeleton.resized(normal_cells, filters, layers)
    shape = preset.image_shape if image is None else _image_shape(image)
    classes = preset.classes if classes is None else classes
    network = build_network(cell.genome, whole, shape, classes)
    return {
        "skeleton": whole,
        "image_shape": shape,
        "classes": classes,
        "batch": batch,
        "cost": cost_of(network, batch),
    }


def _figures(built: dict[str, Any]) -> list[tuple[str, str]]:
    """Returns names and values of what a network is and costs."""
    cost, batch = built["cost"], built["batch"]
    return [
        ("skeleton", f"{built['skeleton'].kind}, {_size(built['skeleton'])}"),
        ("images", f"{_image(built['image_shape'])}, {built['classes']} classes"),
        ("parameters", f"{cost.parameters:,}"),
        ("multiply-adds", f"{cost.multiply_adds:,} an image"),
        ("memory", f"{cost.activation_bytes / 2**20:,.1f} MiB of activations, batch {batch}"),
        ("time", f"{cost.seconds_per_step:.3g} s a training step of {batch} images (estimated)"),
    ]


def _size(skeleton: Any) -> str:
    number = f"{skeleton.layers} cells" if skeleton.layers else f"N {skeleton.normal_cells}"
    return f"{number}, F {skeleton.filters}"


def _image(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))


def _image_shape(text: str) -> tuple[int, ...]:
    parts = text.lower().split("x")
    if len(parts) != 3 or not all(re.fullmatch(r"[1-9][0-9]{0,3}", p) for p in parts):
        raise NetworkError(
            f"'{text}' is no image size; write HEIGHTxWIDTHxCHANNELS, such as 28x28x1"
        )
    return tuple(map(int, parts))

"""The command line's part on cells: `zero cells ...`.

`register` puts the commands into the command line; see `zero.cli.main` and `zero.cli.common`.
"""

import json
import re
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from zero.cli import completion
from zero.cli.common import (
    Commands,
    Debug,
    Set,
    TrustImports,
    guarded,
)
from zero.errors import NetworkError
from zero.runs.tables import print_pairs, print_table

cells = typer.Typer(
    help="Look at cell genomes: published ones, or your own.",
    no_args_is_help=True,
    cls=Commands,
    rich_markup_mode=None,
)


def register(app: typer.Typer) -> None:
    """Adds the commands of this file to the command line."""
    app.add_typer(cells, name="cells")


class CellTopic(StrEnum):
    """What `zero cells list` knows."""

    cells = "cells"
    ops = "ops"
    blocks = "blocks"
    spaces = "spaces"
    skeletons = "skeletons"
    scores = "scores"


CellName = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="Published cell, genome's file or text, RUN or RUN#ID.",
        autocompletion=completion.cells,
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
        autocompletion=completion.skeletons,
    ),
]
Image = Annotated[
    str | None,
    typer.Option("--image", metavar="HxWxC", help="Size of the images, such as 28x28x1."),
]
Batch = Annotated[
    int | None, typer.Option(metavar="B", min=1, help="Images in a training step [default: 64].")
]
LikeTraining = Annotated[
    str | None,
    typer.Argument(metavar="[CONFIG]", help="Put into the network that `zero train` would take."),
]


def _find(what: str) -> Any:
    """Returns the cell that a user names, as a `zero.cells.published.Published`."""
    from dataclasses import replace

    from zero.cells.published import find_cell
    from zero.cells.train_config import find_genome

    if not _run_of(what):
        return find_cell(what)
    name, genome = find_genome(what)
    return replace(find_cell(str(genome)), name=name)


def _run_of(what: str) -> Path | None:
    """Returns the run or training that a user names, None if it is something else."""
    from zero.cells.published import PUBLISHED
    from zero.cells.train_config import is_run

    name, mark, _ = what.rpartition("#")
    path = Path(name if mark else what)
    return path if what not in PUBLISHED and is_run(path) else None


def _find_placed(what: str, config: str | None, settings: list[str] | None) -> tuple[Any, list]:
    """Returns the cell that a user names, and what it is put into (`zero.cells.placing`)."""
    from zero.cells.placing import of_config, of_preset, of_run
    from zero.cells.train_config import training_config

    if config is not None:  # first: it imports ops of the user's own, which the genome may have
        placings = [of_config(training_config(config, settings or []))]
        return _find(what), placings
    cell, path = _find(what), _run_of(what)
    return cell, [of_preset(cell.preset)] if path is None else of_run(path, "#" in what)


@cells.command("list")
@guarded
def list_(
    topic: Annotated[CellTopic, typer.Argument(metavar="[TOPIC]", show_choices=True,
              help="cells, ops, blocks, spaces, skeletons or scores.")] = CellTopic.cells,
    debug: Debug = False,
) -> None:  # fmt: skip
    """List published cells, ops of cells, blocks of stacks, search spaces, skeletons or scores."""
    if topic == CellTopic.ops:
        from zero.cells.ops import CELL_OPS

        print_table(("op", "what it is"), [(op.name, op.description) for op in CELL_OPS.values()])
    elif topic == CellTopic.blocks:
        from zero.cells.blocks import BLOCKS

        print_table(("block", "what it is"), [(b.name, b.description) for b in BLOCKS.values()])
    elif topic == CellTopic.spaces:
        from zero.cells.spaces import SPACES

        rows = [(s.name, s.description, ", ".join(s.ops)) for s in SPACES.values()]
        print_table(("space", "what it is", "ops"), rows)
    elif topic == CellTopic.scores:
        from zero.nn.scores import SCORES

        print_table(("score", "what it is"), [(n, kind.description) for n, kind in SCORES.items()])
    elif topic == CellTopic.skeletons:
        from zero.cells.networks.skeletons import SKELETONS
        from zero.cells.published import PRESETS

        rows = [
            (name, p.skeleton.size, _image(p.image_shape), p.classes,
             SKELETONS[p.skeleton.kind].description)
            for name, p in PRESETS.items()
        ]  # fmt: skip
        print_table(("skeleton", "size", "images", "classes", "what it is"), rows)
    else:
        from zero.cells.placing import of_preset
        from zero.cells.published import PUBLISHED

        rows = []
        for cell in PUBLISHED.values():
            cost = _built(cell, of_preset(cell.preset))["cost"]
            rows.append((cell.name, cell.source, cell.preset, f"{cost.parameters:,}",
                         f"{cost.multiply_adds / 1e6:,.1f}"))  # fmt: skip
        columns = ("name", "from", "skeleton", "parameters", "million mult-adds")
        print_table(columns, rows)


@cells.command()
@guarded
def show(
    name: CellName,
    config: LikeTraining = None,
    settings: Set = None,
    trust_imports: TrustImports = False,
    debug: Debug = False,
) -> None:
    """Show a genome's cells, and what its network costs."""
    cell, placings = _find_placed(name, config, settings)
    genome = cell.genome
    print(f"{cell.name}{f' ({cell.source})' if cell.source else ''}")
    print(f"\n{genome.listing()}\n")
    for placing in placings:
        print_pairs(_figures(_built(cell, placing)))
        print()
    print(f"text\n{genome}")


@cells.command()
@guarded
def count(
    name: CellName,
    config: LikeTraining = None,
    settings: Set = None,
    normal_cells: NormalCells = None,
    filters: Filters = None,
    layers: Layers = None,
    classes: Classes = None,
    skeleton: SkeletonName = None,
    image: Image = None,
    batch: Batch = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    trust_imports: TrustImports = False,
    debug: Debug = False,
) -> None:
    """Count parameters, multiply-adds and memory of a genome's network, before any training.

    Of a run's cells it is the network that the run trained, with CONFIG the one that `zero train`
    makes of it, else the published one; options change its size.
    """
    from dataclasses import replace

    from zero.cells.placing import of_preset

    cell, placings = _find_placed(name, config, settings)
    if skeleton is not None:
        placings = [of_preset(skeleton)]
    counted = []
    for placing in placings:
        changes: dict[str, Any] = {
            "skeleton": placing.skeleton.resized(normal_cells, filters, layers)
        }
        changes |= {} if image is None else {"image_shape": _image_shape(image)}
        changes |= {} if classes is None else {"classes": classes}
        changes |= {} if batch is None else {"batch": batch}
        counted.append(_built(cell, replace(placing, **changes)))
    if as_json:
        first, *others = [_plain(built) for built in counted]
        last = {"last_training": others[0]} if others else {}
        figures = {"cell": cell.name, "genome": str(cell.genome), **first, **last}
        print(json.dumps(figures, indent=2))
        return
    for number, built in enumerate(counted):
        print_pairs([("cell", cell.name), *_figures(built)] if not number else _figures(built))
        print(end="\n" if number + 1 < len(counted) else "")


@cells.command()
@guarded
def score(
    name: CellName,
    config: Annotated[str, typer.Argument(metavar="CONFIG", help="Whose images and network.")],
    settings: Set = None,
    batch: Annotated[
        int, typer.Option(metavar="B", min=2, help="Train images that scores look at.")
    ] = 32,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    trust_imports: TrustImports = False,
    debug: Debug = False,
) -> None:
    """Score a genome's network before any training, in the network that a config's search trains."""
    from zero.cells.config import CellsConfig
    from zero.cells.filters import scores_of
    from zero.config.load import load_config

    loaded = load_config(config, settings or [])
    if not isinstance(loaded, CellsConfig) or loaded.cells.images is None:
        raise NetworkError(f"{config}: scores need a config with cells.images")
    cell = _find(name)
    found = scores_of(cell.genome, loaded, batch)
    if as_json:
        print(json.dumps({"cell": cell.name, "genome": str(cell.genome), **found}, indent=2))
        return
    counts = ("parameters", "multiply_adds")
    shown = [(k, f"{int(v):,}" if k in counts else f"{v:.6g}") for k, v in found.items()]
    print_pairs([("cell", cell.name), *shown])


@cells.command()
@guarded
def draw(
    name: CellName,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="SVG file to write.")
    ] = None,
    trust_imports: TrustImports = False,
    debug: Debug = False,
) -> None:
    """Draw a genome's cells as SVG, to a file or to standard output."""
    from zero.cells.drawing.svg import draw_svg
    from zero.system.files import write_bytes

    cell = _find(name)
    drawing = draw_svg(cell.genome, cell.name)
    if output is None:
        print(drawing, end="")
    else:
        write_bytes(output, drawing.encode())


def _built(cell: Any, placing: Any) -> dict[str, Any]:
    """Builds a cell's network; returns it with its placing and its cost."""
    from zero.cells.cost import cost_of

    network = placing.network(cell.genome, cell.name)
    cost, build = cost_of(network, placing.batch), placing.builder(cell.genome, cell.name)
    return {"placing": placing, "network": network, "cost": cost, "build": build}


def _needed(built: dict[str, Any]) -> Any:
    """Returns what a process that trains it takes, but for the images; None if the cpu cannot."""
    from zero.nn.train_memory import training_memory

    placing = built["placing"]
    try:
        return training_memory(
            built["network"],
            placing.training,
            placing.batch,
            checkpoints=True,
            build=built["build"],
        )
    except NetworkError:
        return None


def _memory(built: dict[str, Any]) -> str:
    """Returns in words what training takes, and whether that is too much."""
    from zero.system.memory import gigabytes, usable_bytes

    needed, usable = _needed(built), usable_bytes()
    batch = f"batch {built['placing'].batch}"
    if needed is None:
        return f"{built['cost'].activation_bytes / 2**20:,.1f} MiB of activations, {batch}"
    parts = (needed.total, needed.activations, needed.weights)
    whole, activations, weights = (f"{size / 2**20:,.0f} MiB" for size in parts)
    text = f"{whole} to train ({activations} of activations, {weights} of weights), {batch}"
    if needed.total > usable:
        text += f"; too large here: {gigabytes(usable)} usable"
    return text


def _plain(built: dict[str, Any]) -> dict[str, Any]:
    """Returns what `_built` gave as JSON has it."""
    placing = {k: v for k, v in asdict(built["placing"]).items() if k != "training"}
    needed = _needed(built)
    return {**placing, **asdict(built["cost"]), "training_bytes": needed and needed.total}


def _figures(built: dict[str, Any]) -> list[tuple[str, str]]:
    """Returns names and values of what a network is and costs."""
    cost, placing = built["cost"], built["placing"]
    batch = placing.batch
    return [
        ("skeleton", f"{placing.skeleton} ({placing.of})"),
        ("images", f"{_image(placing.image_shape)}, {placing.classes} classes"),
        ("parameters", f"{cost.parameters:,}"),
        ("multiply-adds", f"{cost.multiply_adds:,} an image"),
        ("memory", _memory(built)),
        ("time", f"{cost.seconds_per_step:.3g} s a training step of {batch} images (estimated)"),
    ]


def _image(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))


def _image_shape(text: str) -> tuple[int, ...]:
    parts = text.lower().split("x")
    if len(parts) != 3 or not all(re.fullmatch(r"[1-9][0-9]{0,3}", p) for p in parts):
        raise NetworkError(
            f"'{text}' is no image size; write HEIGHTxWIDTHxCHANNELS, such as 28x28x1"
        )
    return tuple(map(int, parts))

"""What a genome's cells are put into where a user names it: the one rule for every command.

* a published cell, or a genome's text or file: the published skeleton of its space, with its images;
* with a config: what `zero train` makes of it, the last training's skeleton and the config's images;
* RUN#ID: what that run's search trained it in;
* RUN: the same, and then, where the run's config has a section `final`, the last training's;
* a training's folder: what it trains.

Called by `zero.cells.train_run` and the command line.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from zero.cells.config import (
    Cells,
    CellsConfig,
    skeleton_of,
    training_of,
)
from zero.cells.evaluator import TABLE_BATCH, TABLE_CLASSES, TABLE_IMAGE
from zero.cells.genome import Genome
from zero.cells.networks.build import build_network
from zero.cells.networks.skeletons import Skeleton
from zero.cells.published import get_preset
from zero.cells.train_config import is_training
from zero.config import yaml as yaml_loader
from zero.data.images import load_images
from zero.errors import ArchiveError, NetworkError
from zero.nn.layers.record import Shape
from zero.nn.network import Network
from zero.nn.stages import Build
from zero.nn.train_settings import TrainSettings
from zero.runs.archive import read_archive
from zero.runs.folder import RunFolder


@dataclass(frozen=True)
class Placing:
    """A network but for its cells.

    image_shape: (height, width, channels). batch: images in a training step. of: whose it is, in
    words. training: how it is trained.
    """

    skeleton: Skeleton
    image_shape: Shape
    classes: int
    batch: int
    of: str
    training: TrainSettings = field(default_factory=TrainSettings)

    def network(self, genome: Genome, name: str) -> Network:
        """Returns a genome's network; name: of the genome, for messages.

        Raises:
            NetworkError: The cells do not fit the skeleton, or that not the images.
        """
        try:
            return build_network(genome, self.skeleton, self.image_shape, self.classes)
        except NetworkError as error:
            raise NetworkError(f"{name}: {error}") from None

    def builder(self, genome: Genome, name: str) -> Build:
        """Returns what makes a genome's network for images of any shape; arguments as for `network`."""
        return lambda shape: replace(self, image_shape=shape).network(genome, name)


def of_preset(name: str, batch: int = 64) -> Placing:
    """Returns the placing of a published skeleton; raises NetworkError if there is none."""
    preset = get_preset(name)
    return Placing(preset.skeleton, preset.image_shape, preset.classes, batch, name)


def of_training(config: CellsConfig, shape: Shape, classes: int) -> Placing:
    """Returns the placing of a training; config: of `zero.cells.train_config.training_config`."""
    return _of_cells(config.cells, shape, classes, False, f"of config {config.name}")


def of_config(config: CellsConfig) -> Placing:
    """Returns `of_training`'s with the config's images, which are read.

    Raises:
        TaskError: They cannot be read.
    """
    data = load_images(config.cells.images)
    return of_training(config, data.image_shape, len(data.classes))


def of_run(path: Path, record: bool = False) -> list[Placing]:
    """Returns the placings of a run over cells or of a training: search's, then last training's.

    path: its folder or archive. record: of one of its candidates, which only the search trained.

    Raises:
        ArchiveError: The run cannot be read, or is one over programs.
        TaskError: Its images are needed for their size, and cannot be read.
    """
    folder = path if path.is_dir() else path.parent
    text = RunFolder.open(path).config_text() if path.is_dir() else read_archive(path).config
    cells = cells_of(yaml_loader.parse(text, str(path)).data)
    if cells is None:
        raise ArchiveError(f"{path} is no run over cells, or its config cannot be read")
    shape, classes = _images_of(folder, cells)
    of = "of the training" if is_training(path) else "of the run's search"
    of += ", in full" if cells.fidelity else ""
    found = [_of_cells(cells, shape, classes, False, of)]
    if not record and cells.final is not None:
        found.append(_of_cells(cells, shape, classes, True, "of the run's last training"))
    return found


def cells_of(settings: dict[str, Any]) -> Cells | None:
    """Returns the section `cells` of a run's settings; None if it has none that can be read."""
    try:
        return Cells.model_validate(settings["cells"])
    except (KeyError, ValidationError):
        return None


def image_set_of(folder: Path) -> dict[str, Any]:
    """Returns what run.json says of a run's images (`ImageData.summary`); {} if nothing."""
    info = RunFolder(folder, None).info() if (folder / RunFolder.INFO).exists() else {}
    return info.get("image_set") or {}


def _images_of(folder: Path, cells: Cells) -> tuple[Shape, int]:
    """Returns the shape of a run's images, and the number of classes."""
    kept = image_set_of(folder)
    if kept:
        return tuple(kept["shape"]), len(kept["classes"])
    if cells.images is None:
        return TABLE_IMAGE, TABLE_CLASSES
    data = load_images(cells.images)  # the run of an older version
    return data.image_shape, len(data.classes)


def _of_cells(cells: Cells, shape: Shape, classes: int, final: bool, of: str) -> Placing:
    training = training_of(cells, final)
    batch = training.batch if cells.images is not None else TABLE_BATCH
    return Placing(skeleton_of(cells, final), shape, classes, batch, of, training)

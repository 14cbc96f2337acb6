"""What `zero train` trains, and how: the genome that a user names, and a config read for it.

Called by `zero.cells.train_run` and the command line.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from zero.cells.config import (
    CellsConfig,
    SkeletonSettings,
    TableSettings,
    skeleton_of,
    training_of,
)
from zero.cells.genome import Genome
from zero.cells.published import PUBLISHED, find_cell
from zero.cells.text import parse_genome
from zero.config import yaml
from zero.config.files import import_again
from zero.config.load import checked, load_config
from zero.errors import ArchiveError, ConfigError, NetworkError
from zero.runs.archive import best_record, find_record, read_archive
from zero.runs.folder import RunFolder

GENOME = "genome.txt"  # in the folder of a training


def find_genome(what: str) -> tuple[str, Genome]:
    """Returns a name and the genome that a user means.

    Args:
        what: a published cell, a file with a genome's text, the text, the folder of a run over cells
            (its best candidate) or of a training, or RUN#ID (that candidate).

    Raises:
        NetworkError: it is none of them, or the text is no genome.
        ArchiveError: the run cannot be read, has no such candidate, or is one over programs.
    """
    run, mark, number = what.rpartition("#")
    path = Path(run if mark else what)
    if what in PUBLISHED or not is_run(path):
        cell = find_cell(what)
        return cell.name, cell.genome
    import_again(path if path.is_dir() else path.parent)
    name = path.resolve().stem if path.suffix == ".h5" else path.resolve().name
    if not mark and is_training(path):
        return name, read_genome(path)
    if mark and not number.isdigit():
        raise ArchiveError(f"'{what}': after # stands the number of a record")
    data = read_archive(path)
    if data.kind != "cells":
        raise ArchiveError(
            f"{path} is a run over {data.kind}, and the config is about cells; a program is trained "
            "on a table: zero train RUN my.csv --target COLUMN"
        )
    record = find_record(data, int(number)) if mark else best_record(data)
    if record is None:
        raise ArchiveError(f"{path} holds no candidate yet")
    return f"{name}-{number}" if mark else name, parse_genome(record.text)


def is_run(path: Path) -> bool:
    """Returns whether a path is a folder or an archive, so that of a run or a training."""
    try:
        return path.is_dir() or (path.suffix == ".h5" and path.is_file())
    except OSError:  # a genome's text is too long to be a file's name
        return False


def is_training(path: str | Path) -> bool:
    """Returns whether a path is the folder of a training."""
    return (Path(path) / GENOME).is_file()


def read_genome(path: Path) -> Genome:
    """Returns the genome of a training's folder.

    Raises:
        ArchiveError: it cannot be read, or is another one than run.json has.
    """
    try:
        genome = parse_genome((path / GENOME).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, NetworkError) as error:
        raise ArchiveError(f"{path / GENOME} holds no genome: {error}") from None
    folder = RunFolder(path, None)
    info = folder.info() if (path / RunFolder.INFO).exists() else {}
    if info.get("genome", str(genome)) != str(genome):
        raise ArchiveError(
            f"{path / GENOME} is damaged, or has been changed since the training began; put back what "
            f"{RunFolder.INFO} has: {info['genome']}"
        )
    return genome


def training_config(name: str | Path, settings: Iterable[str] = ()) -> CellsConfig:
    """Returns a config whose sections skeleton, training and images are those of a full training.

    Those of `cells.final` are put into them, then the settings; so `cells.training.epochs=50` means
    this training, whether the config has a section `final` or not.

    Args:
        name: a YAML file, or a shipped config.
        settings: KEY=VALUE, applied in order.

    Raises:
        ConfigError: one line per mistake; or the config is about programs or about a table.
    """
    settings = list(settings)
    try:
        config = load_config(name)
    except ConfigError:  # it may need the settings to be right, such as the images' path
        config = load_config(name, settings)
    document = yaml.Document(str(name), _unfolded(config, name).model_dump(mode="json"))
    for setting in settings:
        document.override(setting)
    return _unfolded(checked(document, Path.cwd()), name)


def _unfolded(config: Any, name: str | Path) -> CellsConfig:
    """Returns the config with its last training as its only one, without what a search needs."""
    if config.genomes != "cells":
        raise ConfigError(f"{name} is about programs; a network needs one with cells")
    cells = config.cells
    if isinstance(cells.evaluate, TableSettings):
        raise ConfigError(
            f"{name} looks accuracies up in a table; zero train needs a config with cells.images"
        )
    own = {**asdict(skeleton_of(cells, final=True)), "kind": cells.skeleton.kind}
    changes = {
        "skeleton": SkeletonSettings(**own),
        "training": training_of(cells, final=True),
        "images": (cells.final and cells.final.images) or cells.images,
        "final": None,
        "fidelity": None,
        "halving": None,
        "extrapolation": None,
        "published": (),
    }
    return config.model_copy(update={"cells": cells.model_copy(update=changes)})

"""The file of a trained network of cells: what `zero.nn.saved` writes of a genome and its skeleton."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from zero.cells.evaluator import Weights
from zero.cells.genome import Genome
from zero.cells.networks.build import build_network
from zero.cells.networks.skeletons import Skeleton
from zero.data.images import ImageData
from zero.nn.saved import save_network


def save_weights(
    path: Path, genome: Genome, skeleton: Skeleton, data: ImageData, weights: Weights, **extra: Any
) -> None:
    """Writes a network that was trained on the images; extra: as for `zero.nn.saved.save_network`.

    Raises:
        ArchiveError: as `save_network` does.
    """
    *network, layers, preparation = saved_form(genome, skeleton, data)
    save_network(path, *network, *weights, extra, layers, preparation)


def saved_form(genome: Genome, skeleton: Skeleton, data: ImageData) -> tuple:
    """Returns the arguments of `zero.nn.saved.network_tree`."""
    network = build_network(genome, skeleton, data.image_shape, len(data.classes))
    return (
        str(genome), asdict(skeleton), data.image_shape, data.classes, data.mean, data.std, network,
        data.preparation,
    )  # fmt: skip

"""The points of a run's curves, over all its experiments: from a run that goes on, or from its archive."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from zero.runs.archive import CURVE_COLUMNS, ArchiveData
from zero.runs.progress import Point

Part = tuple[Any, int, int]  # an experiment's curve (points, 6), its individuals and train steps


def points_of(parts: Iterable[Part]) -> list[Point]:
    """Returns the points of experiments' curves, in order, with counts of the whole run."""
    found: list[Point] = []
    individuals = train_steps = 0
    names = list(CURVE_COLUMNS)
    for number, (curve, made, taken) in enumerate(parts, 1):
        for row in np.asarray(curve, dtype=np.float64).tolist():
            point: Point = dict(zip(names, row, strict=True))
            point["experiment"] = number
            point["individuals"] = individuals + int(point["individuals"])
            point["train_steps"] = train_steps + int(point["train_steps"])
            point["cache_hits"] = int(point["cache_hits"])
            if not found or point["individuals"] > found[-1]["individuals"]:
                found.append(point)
        individuals, train_steps = individuals + made, train_steps + taken
    return found


def points_of_archive(data: ArchiveData) -> list[Point]:
    """Returns the points of an archive's curves."""
    return points_of(
        (
            np.array([[getattr(p, name) for name in CURVE_COLUMNS] for p in e.curve]),
            e.summary.individuals,
            e.summary.train_steps,
        )
        for e in data.experiments
    )

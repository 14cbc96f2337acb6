"""Predictions of the best candidates for the rows that they were not trained on, in files of the run.

They make ensembles possible without training anything again. A file's name is the key of the pipeline, so
that a run that goes on writes the same files again. Called by islands and by the end of a run.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zero.data.arrays import read_npz
from zero.errors import ArchiveError, TaskError
from zero.system.files import make_folder, write_bytes
from zero.system.foreign import from_json

MOST = 40  # pipelines of an island whose predictions are kept


@dataclass(frozen=True, eq=False)
class Kept:
    """What is kept of a candidate.

    key, text, seed, number, mutation, fitness: of its record. values: (N, K) predictions. seconds: that all
    folds took.
    """

    key: str
    text: str
    seed: int
    number: int
    mutation: str
    fitness: float
    values: np.ndarray
    seconds: float

    @property
    def genome(self) -> tuple[str, ...]:
        """The pipeline."""
        return tuple(self.text.split())


class Predictions:
    """The folder with the predictions of one run."""

    def __init__(self, folder: Path):
        self.folder = folder

    def keep(self, record: Any, values: np.ndarray, seconds: float) -> None:
        """Keeps the predictions (N, K) of a record's candidate, and the seconds that they took."""
        make_folder(self.folder)
        told = {
            "text": record.text, "seed": str(record.seed), "number": record.number,
            "mutation": record.mutation, "fitness": record.fitness, "seconds": seconds,
        }  # fmt: skip
        data = io.BytesIO()
        np.savez(data, values=values.astype(np.float32), told=json.dumps(told))
        write_bytes(self._path(record.key), data.getvalue())

    def all(self) -> list[Kept]:
        """Returns what is kept, the best first.

        Raises:
            ArchiveError: a file is damaged.
        """
        found = [self._read(path) for path in self.folder.glob("*.npz")]
        return sorted(found, key=lambda k: (-k.fitness, k.number))

    def drop(self, key: str) -> None:
        """Removes predictions that are not needed."""
        self._path(key).unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.npz"

    def _read(self, path: Path) -> Kept:
        try:
            values, text = read_npz(path, ("values", "told"))
            told = from_json(str(text))
            if values.ndim != 2 or values.dtype.kind != "f":
                raise ValueError("its predictions are no table of numbers")
            return Kept(
                path.stem, str(told["text"]), int(told["seed"]), int(told["number"]),
                str(told["mutation"]), float(told["fitness"]), values.astype(np.float64),
                float(told["seconds"]),
            )  # fmt: skip
        except (TaskError, ValueError, KeyError, TypeError, OverflowError) as error:
            why = " ".join(str(error).split())[:200]
            raise ArchiveError(
                f"{path} is damaged: {why}; remove it, and an ensemble is made without that pipeline"
            ) from None

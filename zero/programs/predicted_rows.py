"""The predictions of a table's test rows that a run keeps in its folder, in a file for people and pictures.

`test_predictions.csv` has a line for each test row: `row` (its number in the user's file or frame, from 1
below the header; with `test_path` in that file), the target, `prediction` and, for classes, `probability of
NAME` of each; then the same of logistic or ridge regression, under its name; `weight`, if rows have some.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zero.errors import ArchiveError
from zero.programs.scores import THIS, Predicted, Truth
from zero.system.files import write_bytes

FILE = "test_predictions.csv"
_CHANCE = "probability of "


@dataclass(frozen=True, eq=False)
class PredictedRows:
    """What predictors said of test rows.

    numbers (N,): of the rows. target: the column's name. classes: names by label, none for a regression.
    predictors: `THIS` and one that it is held against, by name.
    """

    numbers: np.ndarray
    target: str
    classes: tuple[str, ...]
    truth: Truth
    predictors: Mapping[str, Predicted]


def save(rows: PredictedRows, folder: Path) -> None:
    """Writes the file into a run's folder, in one step."""
    columns: list[tuple[str, Sequence[Any]]] = [
        ("row", rows.numbers.tolist()),
        (rows.target, _named(rows, rows.truth.y)),
    ]
    for name, found in rows.predictors.items():
        this = name == THIS
        columns.append(("prediction" if this else name, _named(rows, found.values)))
        if found.chances is not None:
            for k, label in enumerate(rows.classes):
                heading = f"{_CHANCE}{label}" if this else f"{name}: {_CHANCE}{label}"
                columns.append((heading, found.chances[:, k].tolist()))
    if rows.truth.weights is not None:
        columns.append(("weight", rows.truth.weights.tolist()))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([heading for heading, _ in columns])
    writer.writerows(zip(*(values for _, values in columns), strict=True))
    write_bytes(folder / FILE, text.getvalue().encode(errors="surrogateescape"))


def _named(rows: PredictedRows, values: np.ndarray) -> list[Any]:
    """Returns numbers, or names of classes for their labels."""
    if not rows.classes:
        return values.tolist()
    return np.array(rows.classes, dtype=object)[values.astype(np.int64)].tolist()


def load(folder: Path) -> PredictedRows:
    """Returns what `save` wrote.

    Raises:
        ArchiveError: there is no such file, or it is another by now.
    """
    path = folder / FILE
    if not path.is_file():
        raise ArchiveError(
            f"{folder} has no {FILE}: a run over a table of your own writes it when it ends"
        )
    try:
        text = path.read_bytes().decode(errors="surrogateescape")
        heading, *rows = csv.reader(io.StringIO(text, newline=""))
        return _read(heading, rows)
    except (OSError, ValueError, IndexError, KeyError, csv.Error) as error:
        raise ArchiveError(f"{path} is not as the run wrote it: {error}") from None


def _read(heading: list[str], rows: list[list[str]]) -> PredictedRows:
    classes = tuple(
        name.removeprefix(_CHANCE)
        for name in heading[3 : 3 + (len(heading) - 3) // 2]
        if name.startswith(_CHANCE)
    )
    size = 1 + len(classes)
    names = {THIS: 2, heading[2 + size]: 2 + size}
    if not rows or len(heading) not in (2 + 2 * size, 3 + 2 * size):
        raise ValueError("columns or rows are missing")
    columns = list(zip(*rows, strict=True))
    place = {name: label for label, name in enumerate(classes)}

    def numbers(column: Sequence[str]) -> np.ndarray:
        return np.array([float(cell) for cell in column])

    def values(column: Sequence[str]) -> np.ndarray:
        return np.array([float(place[cell]) for cell in column]) if classes else numbers(column)

    predictors = {}
    for name, at in names.items():
        chances = [numbers(column) for column in columns[at + 1 : at + size]]
        predictors[name] = Predicted(
            values(columns[at]), np.stack(chances, axis=1) if classes else None
        )
    weights = numbers(columns[-1]) if len(heading) == 3 + 2 * size else None
    truth = Truth(values(columns[1]), len(classes), weights)
    return PredictedRows(
        numbers(columns[0]).astype(np.int64), heading[1], classes, truth, predictors
    )

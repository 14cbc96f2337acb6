"""`zero.load` of a run over a table: its trained program, for new rows from files, frames and arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from zero.data.columns import numbers_of
from zero.data.frames import of_arrays, of_frame
from zero.data.table import Reading, Table, Wanted
from zero.data.tables import read_table
from zero.errors import ArchiveError, TaskError, visible
from zero.programs.model import FILE, KIND, TableModel, load_model
from zero.runs.model import Model, Predictions
from zero.system.trees import kind_of_file


class TablePredictor(Model):
    """See `zero.runs.model.Model`; `table` is the model itself.

    Rows may be a frame with the columns that the program was trained on, in any order and among others, or
    an array with just those columns in their order.
    """

    def __init__(self, table: TableModel):
        self.table = table
        self.classes = table.classes

    @classmethod
    def of_run(cls, path: Path) -> TablePredictor:
        """Returns the model that a run's folder keeps, or that a file holds.

        Raises:
            ArchiveError: there is none.
        """
        if kind_of_file(path) == KIND:
            return cls(load_model(path))
        folder = path if path.is_dir() else path.parent
        if not (folder / FILE).is_file():
            raise ArchiveError(
                f"{folder} has no {FILE}: a run over a table of your own writes it when it ends (`zero "
                f"resume {folder}`, or train what it has so far: `zero train {folder} TABLE --target "
                "COLUMN`); runs over other tasks have nothing to predict"
            )
        return cls(load_model(folder / FILE))

    @property
    def takes(self) -> list[tuple[str, str]]:
        """The columns of rows that it takes, with their kinds."""
        return [(plan.name, plan.kind) for plan in self.table.preparation.columns]

    def predict(self, x: Any) -> np.ndarray:
        """Returns the prediction for each row, (N,): class names, or numbers."""
        return self.table.predict_table(self._rows(x).features)

    def predict_proba(self, x: Any) -> np.ndarray:
        """Returns the probability of each class for each row, (N, K)."""
        if not self.classes:
            raise TaskError(f"'{visible(self.table.target)}' is a number and has no probabilities")
        features = self.table.preparation.features(self._rows(x).features)
        return self.table.trained.probabilities(features)

    def predictions(self, path: Path) -> Predictions:
        """Returns the predictions for a file's rows; a column of each class's probability follows."""
        reading = Reading(**self.table.reading)
        target = self.table.target
        found = read_table(path, self._wanted, reading)
        try:
            features = self.table.preparation.features(found.features)
        except TaskError as error:
            raise TaskError(f"{path}: {error}") from None
        columns: dict[str, Any] = {target: self.table.predict_features(features).tolist()}
        if self.classes:
            chances = self.table.trained.probabilities(features)
            for k, name in enumerate(self.classes):
                columns[f"probability of {name}"] = chances[:, k].tolist()
        return Predictions(columns, (*found.notes, *self._new(found)))

    def _new(self, found: Table) -> list[str]:
        """Returns notes on cells unlike those that training has seen."""
        notes = []
        for plan in self.table.preparation.columns:
            column, name = found.features[plan.name], f"column '{visible(plan.name)}'"
            if plan.kind == "category" and not plan.other and column.texts and plan.known:
                new = [t for t in column.texts if t not in plan.known]
                if new:
                    shown = ", ".join(visible(t) for t in new[:5])
                    notes.append(f"{name} has texts that training has not seen: {shown}")
            elif plan.kind == "number" and plan.high > plan.low:
                values, room = numbers_of(column, found.decimal)[0], plan.high - plan.low
                far = np.flatnonzero((values < plan.low - room) | (values > plan.high + room))
                if len(far):
                    row = "1 row has" if len(far) == 1 else f"{len(far):,} rows have"
                    notes.append(
                        f"{name}: {row} values far from those of training ({plan.low:g} to "
                        f"{plan.high:g}), such as {values[far[0]]:g}; what is predicted for them means little"
                    )
        return notes

    @property
    def _wanted(self) -> Wanted:
        return Wanted(only=[plan.name for plan in self.table.preparation.columns])

    def _rows(self, x: Any) -> Table:
        names = [plan.name for plan in self.table.preparation.columns]
        if hasattr(x, "columns"):
            return of_frame(x, self._wanted, "the rows")
        x = np.asarray(x)
        if x.ndim != 2 or x.shape[1] != len(names):
            raise TaskError(
                f"rows of shape {x.shape}; expected (N, {len(names)}), the columns "
                f"{', '.join(visible(n) for n in names)}, or a frame"
            )
        return of_arrays(x, None, names, where="the rows")

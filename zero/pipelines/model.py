"""What a run over pipelines leaves behind to predict with: trained pipelines, and their mix.

In a run's folder `models/` holds a trained pipeline for each member (`zero.pipelines.saved`) and
`model.json`, which says what rows they take and what they predict. Loading executes nothing of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from zero.errors import ArchiveError, TaskError
from zero.pipelines import saved
from zero.pipelines.ensemble import Mix
from zero.pipelines.evaluator import said
from zero.runs.model import Model, Predictions

MODELS, FILE, VERSION = "models", "model.json", 1


@dataclass(frozen=True, eq=False)
class PipelineModel(Model):
    """See the module's docstring.

    problem, target: as of the table. classes: names in the order of the chances' columns; none of a
    regression. columns: that rows need, `zero.data.frame_of.FrameColumn`. members: texts of the pipelines,
    files: of the trained ones. mix: how their predictions are put together. reading: how the table was read.
    """

    problem: str
    target: str
    columns: tuple[Any, ...]
    members: tuple[str, ...]
    files: tuple[Path, ...]
    mix: Mix
    classes: tuple[str, ...] = ()
    reading: Mapping[str, Any] = field(default_factory=dict)

    @property
    def takes(self) -> Sequence[tuple[str, str]]:
        """The columns of rows that it takes, with their kinds."""
        return [(column.name, column.kind) for column in self.columns]

    @cached_property
    def pipelines(self) -> list[Any]:
        """The trained pipelines; of classes they know numbers, in the order of `classes`."""
        return [saved.load(path) for path in self.files]

    def with_pipelines(self, trained: list[Any]) -> PipelineModel:
        """Returns the model with other trained pipelines for its members."""
        changed = replace(self)
        vars(changed)["pipelines"] = trained
        return changed

    def frame(self, x: Any) -> Any:
        """Returns rows as pipelines take them.

        x: a frame with the columns' names, or an array with as many columns.

        Raises:
            TaskError: columns are missing.
        """
        from zero.data.frame_of import rows_like, wanted_rows
        from zero.data.frames import of_arrays, of_frame

        names = [column.name for column in self.columns]
        wanted = wanted_rows(self.columns)
        if hasattr(x, "columns"):
            return rows_like(of_frame(x, wanted, "X"), self.columns, "X")[0]
        width = np.shape(x)[1] if np.ndim(x) == 2 else 0
        if width != len(names):
            raise TaskError(f"X has shape {np.shape(x)}; expected (rows, {len(names)})")
        return rows_like(of_arrays(x, None, names, wanted, "X"), self.columns, "X")[0]

    def said(self, frame: Any) -> np.ndarray:
        """Returns the predictions (N, K) for rows of `frame`: chances of classes, or numbers (N, 1)."""
        return self.mix.of([said(p, frame, len(self.classes)) for p in self.pipelines])

    def predict(self, x: Any) -> np.ndarray:
        """Returns the prediction for each row (N,): numbers, or names of classes."""
        return self._named(self.said(self.frame(x)))

    def predict_proba(self, x: Any) -> np.ndarray:
        """Returns the chance of each class for each row, (N, K)."""
        if not self.classes:
            raise TaskError(f"'{self.target}' is a number and has no classes; use predict")
        return self.said(self.frame(x))

    def _named(self, found: np.ndarray) -> np.ndarray:
        if not self.classes:
            return found[:, 0]
        return np.array(self.classes, dtype=object)[found.argmax(axis=1)]

    def predictions(self, path: Path) -> Predictions:
        """Returns the predictions for the rows of a file."""
        from zero.data.frame_of import rows_like, wanted_rows
        from zero.data.table import Reading
        from zero.data.tables import read_table

        table = read_table(path, wanted_rows(self.columns), Reading(**self.reading))
        frame, notes = rows_like(table, self.columns)
        found = self.said(frame)
        columns: dict[str, Sequence[Any]] = {"prediction": self._named(found).tolist()}
        for k, name in enumerate(self.classes):
            columns[f"probability of {name}"] = found[:, k].tolist()
        return Predictions(columns, tuple(notes))


def describe(domain: Any, members: Sequence[str], mix: Mix, trainings: Mapping[str, Any]) -> None:
    """Writes what a run's trained pipelines are for, and removes those that are not used.

    members: their keys. trainings: by key, with the `text` of each.
    """
    from zero.data.frame_of import frame_columns
    from zero.system.sealed import write_sealed

    data, table = domain.data, domain.table
    assert domain.folder is not None
    folder = domain.folder / MODELS
    tree = {
        "version": VERSION, "problem": data.problem, "classes": list(data.classes),
        "target": data.target, "metric": domain.metric.name,
        "columns": [asdict(column) for column in frame_columns(data)],
        "members": [{"file": f"{key}.skops", "text": trainings[key]["text"]} for key in members],
        "weights": mix.weights.tolist(),
        "coefficients": None if mix.coefficients is None else mix.coefficients.tolist(),
        "intercept": None if mix.intercept is None else mix.intercept.tolist(),
        "reading": {k: getattr(table, k) for k in ("delimiter", "decimal", "encoding", "x", "y")},
    }  # fmt: skip
    write_sealed(folder / FILE, tree, indent=1)
    for path in folder.glob("*.skops"):
        if path.stem not in members:
            path.unlink()


def load_model(path: Path) -> PipelineModel:
    """Returns the model of a run.

    path: its folder, or its archive.

    Raises:
        ArchiveError: it has none yet, or one that is damaged.
    """
    from zero.data.frame_of import FrameColumn
    from zero.system.sealed import read_sealed

    folder = (path if path.is_dir() else path.parent) / MODELS
    if not (folder / FILE).is_file():
        raise ArchiveError(f"{path} has no trained model yet: `zero resume` ends the run")
    try:
        tree = read_sealed(folder / FILE)
        if tree["version"] > VERSION:
            raise ArchiveError(f"{folder / FILE} is of a newer zero; update this one")
        arrays = [
            None if tree[name] is None else np.array(tree[name], dtype=np.float64)
            for name in ("weights", "coefficients", "intercept")
        ]
        files = [str(m["file"]) for m in tree["members"]]
        if any(Path(name).name != name for name in files) or len(files) != len(arrays[0]):  # type: ignore[arg-type]
            raise ValueError("members")
        return PipelineModel(
            tree["problem"], tree["target"],
            tuple(FrameColumn(**column) for column in tree["columns"]),
            tuple(m["text"] for m in tree["members"]), tuple(folder / name for name in files),
            Mix(*arrays), tuple(tree["classes"]), tree["reading"],  # type: ignore[arg-type]
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArchiveError(f"{folder / FILE} is damaged: {type(error).__name__}: {error}") from None

"""The user's own data: a table with a target column, for regression or binary classification.

From YAML: a CSV, NPY or NPZ file. From Python: `table_from_arrays` and `table_from_frame`.
The rows are split into test rows, the same for every task, and the rest, which each task splits
anew into train and valid rows; only final tasks score on the test rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field, PrivateAttr, StrictInt, StrictStr

from zero.config.settings import Check, Found, plain
from zero.data.splits import (
    Size,
    find_file,
    read_error,
    rng_for,
    split_sizes,
    standardize,
)
from zero.data.table_checks import TableData, check_table
from zero.data.tables import (
    Column,
    RawTable,
    from_arrays,
    from_frame,
    read_array_table,
    read_csv,
    read_npz_table,
)
from zero.errors import ConfigError, TaskError, what_is
from zero.tasks import Metric, Purpose, Task, TaskFamily

DELIMITERS = {".csv": ",", ".txt": ",", ".tsv": "\t"}
IN_MEMORY = "(in memory)"


ColumnKey = StrictStr | StrictInt


def _check_path(table: Any) -> Iterator[Found]:
    if table.path != IN_MEMORY and _suffix(table) not in (*DELIMITERS, ".npy", ".npz"):
        yield ("path",), f"'{table.path}' should end in .csv, .txt, .tsv, .npy or .npz"


def _check_target(table: Any) -> Iterator[Found]:
    if table.path == IN_MEMORY:
        return
    if _suffix(table) == ".npz" and table.target is not None:
        yield ("target",), "an NPZ file has its targets in array 'y'; leave it out"
    if _suffix(table) != ".npz" and table.target is None:
        yield ("target",), "give the target column's name, or its number from 0"


def _suffix(table: Any) -> str:
    return Path(table.path).suffix.lower()


class Table(TaskFamily):
    """Predict a table's target column from its other columns.

    Features are standardised by the train rows' mean and population std, a regression target too:
    an error of 1 is one standard deviation of the target. Of a binary target's two values the
    larger (numbers by size, text by alphabet) has label 1; task names say which it is. A task's
    data seed picks its train and valid rows; the parameter seed its random projection, if
    `features` asks for one. The splits of a binary table keep the classes' shares; no part lacks one.
    """

    kind: ClassVar[str] = "table"
    checks: ClassVar[tuple[Check, ...]] = (_check_path, _check_target)

    path: str = Field(description="CSV, TSV, NPY or NPZ file")
    target: ColumnKey | None = Field(
        None, description="target column: its name or number from 0 (not for NPZ)"
    )
    problem: Literal["regression", "binary"] = Field(description="regression | binary")
    x: str = Field("X", description="name of the features in an NPZ file")
    y: str = Field("y", description="name of the targets in an NPZ file")
    features_columns: list[ColumnKey] | None = Field(
        None, min_length=1, description="the feature columns; default all but the target"
    )
    ignore: list[ColumnKey] = Field(default=[], description="columns that are no features")
    delimiter: Literal[",", ";", "\t"] | None = Field(
        None, description="between the cells of a CSV file; default a comma"
    )
    features: int | None = Field(
        None, ge=1, le=4096, description="project randomly to that many features; default no"
    )
    train: Size | None = Field(None, description="train rows, count or fraction; default 0.6")
    valid: Size | None = Field(None, description="valid rows, count or fraction; default 0.2")
    test: Size | None = Field(None, description="test rows, count or fraction; default 0.2")
    split_seed: int = Field(0, ge=0, lt=2**63, description="picks the test rows")

    _data: TableData | None = PrivateAttr(None)

    @property
    def metric(self) -> Metric:  # type: ignore[override]
        """How predictions are scored: "accuracy" for binary, "rms_error" for regression."""
        return "accuracy" if self.problem == "binary" else "rms_error"

    def positive_label(self) -> str:
        """Returns the target value that has label 1; an empty string for regression."""
        return self.data().positive

    def notes(self) -> tuple[str, ...]:
        """Returns what was left out of the table."""
        return self.data().notes

    def resolve_paths(self, base: Path) -> Table:
        """Returns the family with `path` made absolute; relative ones start at `base`."""
        if self.path == IN_MEMORY:
            return self
        return self.model_copy(update={"path": str(find_file(self.path, base))})

    def make(self, data_seed: int, param_seed: int, purpose: Purpose) -> Task:
        """Returns the task of these seeds. A final task scores on the test rows.

        Raises:
            TaskError: the table cannot be read or used, or is too small for the sizes.
        """
        data, rows = self.data(), self.rows(data_seed)
        train, scored = rows["train"], rows["test" if purpose == "final" else "valid"]
        for part in ("train", "valid", "test"):
            labels = data.y[rows[part]]
            if np.ptp(labels) == 0 and (self.problem == "binary" or part == "train"):
                raise TaskError(self._one_value(data, part, labels))
        train_x, scored_x = standardize(data.x[train], data.x[scored])
        if self.features is not None:
            rng = rng_for("table/projection", param_seed)
            matrix = rng.standard_normal((data.x.shape[1], self.features))
            train_x, scored_x = standardize(train_x @ matrix, scored_x @ matrix)
        train_y, scored_y = data.y[train], data.y[scored]
        if self.problem == "regression":
            train_y, scored_y = standardize(train_y, scored_y)
        label = data.target_name + (f"={data.positive}" if data.positive else "")
        name = f"{Path(data.where).stem}-{label}-seed{data_seed}"
        return Task(name, train_x, train_y, scored_x, scored_y, scored)

    def _one_value(self, data: TableData, part: str, labels: np.ndarray) -> str:
        rows = f"the {len(labels)} {part} rows all have the same '{data.target_name}'"
        if len(labels) == 1:
            rows = f"there is only one {part} row, of one '{data.target_name}'"
        said = f"{data.where}: {rows}"
        if self.problem == "binary":
            ones = int(data.y.sum())
            counts = f"{ones} of {len(data.y)} rows"
            if len(data.y) - ones < ones:
                counts = f"{len(data.y) - ones} of {len(data.y)} rows do not have '{data.positive}'"
            else:
                counts += f" have '{data.positive}'"
            said += f" ({counts}), so no accuracy on them would mean anything"
        return f"{said}; give a larger {part} size or more data"

    def rows(self, data_seed: int) -> dict[str, np.ndarray]:
        """Returns the row numbers, from 0, of the train, valid and test rows of a data seed.

        The test rows follow from `split_seed` alone, and no other part ever has one of them. The
        order is that of a stratified split, no random one.
        """
        data, sizes = self.data(), self._sizes()
        order = self._order(data.y, "table/test", self.split_seed)
        test, rest = order[: sizes["test"]], np.sort(order[sizes["test"] :])
        rest = rest[self._order(data.y[rest], "table/split", data_seed)]
        train, valid = rest[: sizes["train"]], rest[sizes["train"] :][: sizes["valid"]]
        return {"train": train, "valid": valid, "test": test}

    def stored(self, path: Path) -> Table:
        """Returns the family reading from `path`, to which data given as arrays are written."""
        if self.path != IN_MEMORY:
            return self
        data = self.data()
        np.savez_compressed(path, **{self.x: data.x, self.y: data.y})
        changes = {"path": str(path), "target": None, "features_columns": None, "ignore": []}
        stored = self.model_copy(update=changes)
        stored._data = None
        return stored

    def check_apart(self, other: TaskFamily) -> None:
        """Raises TaskError if `other` may use this family's test rows; see `TaskFamily`."""
        if not isinstance(other, Table) or self.path != other.path:
            return
        if self.path == IN_MEMORY and self._data is not other._data:
            return
        same = ("split_seed", "problem", "target", "y")
        differing = [key for key in same if getattr(self, key) != getattr(other, key)]
        if not differing and self._sizes()["test"] > other._sizes()["test"]:
            differing = ["test"]
        if differing:
            raise TaskError(
                f"{self.path}: '{differing[0]}' differs between the final and other tasks, so test "
                "rows could be trained on; give the same to search, select and final tasks"
            )

    def data(self) -> TableData:
        """Returns the table, read once per process and again if its file has changed."""
        if self._data is not None:
            return self._data
        path = find_file(self.path, Path())
        keep = None if self.features_columns is None else tuple(self.features_columns)
        key = (path, self.target, self.problem, keep, tuple(self.ignore), self.delimiter)
        key += (self.x, self.y)
        try:
            stamp = (path.stat().st_mtime_ns, path.stat().st_size)
        except (OSError, ValueError) as error:  # a path with NUL is a ValueError
            raise read_error(path, error) from None
        if _loaded.get(key, (None,))[0] != stamp:
            _loaded[key] = (stamp, check_table(self._read(path), self.problem))
        return _loaded[key][1]

    def _read(self, path: Path) -> RawTable:
        suffix = path.suffix.lower()
        columns = (self.features_columns, self.ignore)
        if suffix == ".npz":
            return read_npz_table(path, (self.x, self.y), *columns)
        if suffix == ".npy":
            return read_array_table(path, self.target, *columns)
        delimiter = self.delimiter or DELIMITERS[suffix]
        return read_csv(path, self.target, *columns, delimiter)

    def _sizes(self) -> dict[str, int]:
        """Returns the number of train, valid and test rows; checks `features` on the way."""
        data = self.data()
        if self.features is not None and self.features > data.x.shape[1]:
            raise TaskError(
                f"{data.where}: features: {self.features} wanted, the table has {data.x.shape[1]} "
                f"feature columns; give at most {data.x.shape[1]}, or leave it out"
            )
        given = {"train": self.train, "valid": self.valid, "test": self.test}
        return split_sizes(len(data.x), given, data.where)

    def _order(self, y: np.ndarray, what: str, seed: int) -> np.ndarray:
        """Returns the rows in a random order, of which every stretch has the classes' shares."""
        rng = rng_for(what, seed)
        if self.problem == "regression":
            return rng.permutation(len(y))
        # Each class is spread evenly over (0, 1), with a random row at every place.
        position = np.empty(len(y))
        for label in (0.0, 1.0):
            rows = rng.permutation(np.flatnonzero(y == label))
            position[rows] = (np.arange(len(rows)) + rng.random()) / max(1, len(rows))
        return np.argsort(position, kind="stable")


_loaded: dict[tuple, tuple[tuple, TableData]] = {}


def table_from_arrays(
    X: Any,
    y: Any,
    problem: Literal["regression", "binary"],
    columns: list[str] | None = None,
    **keys: Any,
) -> Table:
    """Returns a task family over features X (N, F) and targets y (N,), both copied.

    Args:
        X: numbers.
        y: numbers for regression; any two distinct values for binary.
        problem: "regression" or "binary".
        columns: names of the F columns; default "0", "1", ...
        keys: other keys of the family: train, valid, test, split_seed, count, features, ignore, ...

    Raises:
        TaskError: the data are unusable. ConfigError: a key is wrong; a line each.
    """
    family = _in_memory("table_from_arrays", {"problem": problem, **keys}, ("target",))
    if columns is not None:
        columns = plain(columns)
        if not isinstance(columns, list):
            raise TaskError(
                f"table_from_arrays: columns is a list of names, got {what_is(columns)}"
            )
    raw = from_arrays(X, y, columns, family.features_columns, family.ignore, "arrays")
    family._data = check_table(raw, problem)
    return family


def table_from_frame(
    frame: Any, target: Column, problem: Literal["regression", "binary"], **keys: Any
) -> Table:
    """Returns a task family over a pandas frame with a target column; the data are copied.

    Args:
        frame: a pandas frame; feature columns hold numbers or bools, leave others out with `ignore`.
        target: the target column's name, or its number from 0.
        problem: "regression" or "binary".
        keys: as for `table_from_arrays`.

    Raises:
        TaskError: the data are unusable. ConfigError: a key is wrong; a line each.
    """
    if not all(hasattr(frame, name) for name in ("columns", "iloc")):
        hint = "; for arrays there is zero.table_from_arrays" if hasattr(frame, "shape") else ""
        raise TaskError(f"table_from_frame takes a pandas frame, got {what_is(frame)}{hint}")
    if target is None:
        raise TaskError(
            "table_from_frame: target is the name of the frame's target column, got None"
        )
    family = _in_memory("table_from_frame", {"target": target, "problem": problem, **keys})
    target = family.target
    raw = from_frame(frame, target, family.features_columns, family.ignore)
    family._data = check_table(raw, problem)
    return family


def _in_memory(where: str, keys: dict[str, Any], unused: tuple[str, ...] = ()) -> Table:
    """Returns the family of data that Python gives; `unused` keys have no meaning there."""
    from zero.tasks.read import read_family

    for key in ("path", "x", "y", "delimiter", *unused):
        if key in keys:
            raise ConfigError(f"{where}: {key}: is for files only; leave it out")
    return read_family(Table, {"path": IN_MEMORY, **keys}, where)

"""The user's own data: a table with a target column, for regression or classes.

From YAML: a CSV, TSV, Parquet, Excel, NPY or NPZ file. From Python: `table_from_arrays` and
`table_from_frame`. The rows are split into test rows, the same for every task; select rows, on which only
select tasks score; and the rest, which each task splits anew into train and valid rows. So what a search
picked out of very many is chosen and counted on rows that it has not seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field, PrivateAttr, StrictInt, StrictStr

from zero.config.settings import Check, Found, plain
from zero.data.columns import Column
from zero.data.frames import by_label, of_arrays, of_frame
from zero.data.parts import PARTS, Parts, Split
from zero.data.prepare import ColumnKind, ColumnPlan, Preparation, fit, plan_column, raw_features
from zero.data.splits import Size, find_file, read_error, rng_for
from zero.data.table import Name, Reading, Wanted, concatenate
from zero.data.table import Table as Raw
from zero.data.tables import (
    IN_MEMORY,
    STORED,
    check_path,
    check_target,
    read_table,
)
from zero.data.target import Problem
from zero.data.understand import TableData, from_tree, to_tree, understand
from zero.errors import ConfigError, TaskError, visible, what_is
from zero.system.trees import read_tree, write_tree
from zero.tasks import Metric, Purpose, Task, TaskFamily

BLOCK = 1 << 16  # rows that are prepared at a time
MOST_KEPT = 4_000_000  # raw features that are worked out for all rows at once
ColumnKey = StrictStr | StrictInt


def _check_split(table: Any) -> Iterator[Found]:
    given = [key for key in SPLITS if getattr(table, key) is not None]
    if len(given) > 1:
        yield (given[1],), f"{' and '.join(given)} exclude each other; give one of them"
    if table.test_path is not None and table.test is not None:
        yield ("test",), "the rows of test_path are the test rows; leave it out"


SPLITS = ("test_path", "split_by", "groups", "time")


class Table(TaskFamily):
    """Predict a table's target column from its other columns.

    Columns of numbers, texts (categories) and dates become features (`zero.data.prepare`), standardised
    by the train rows, a regression target too: an error of 1 is one standard deviation of the target. Of
    a binary target's two values the larger (numbers by size, text by alphabet) has label 1; task names
    say which it is. For more classes each task tells one of them from the rest, in turn. A task's data
    seed picks its train and valid rows; the parameter seed its random projection, if `features` asks for
    one. Splits keep the classes' shares; no part lacks one.

    With `weights` a row of weight 2 counts as two rows: after the rows are split, each task draws from its
    train and its scored rows as many as there are, each row in proportion to its weight (`drawn_by_weight`,
    by the data seed), and the final figure weighs the test rows themselves.
    """

    kind: ClassVar[str] = "table"
    checks: ClassVar[tuple[Check, ...]] = (check_path, check_target, _check_split)

    path: str = Field(description="CSV, TSV, Parquet, Excel, NPY or NPZ file; also .gz of text")
    target: ColumnKey | None = Field(
        None, description="target column: its name or number from 0 (not for NPZ)"
    )
    problem: Problem | None = Field(
        None, description="regression | binary | multiclass; default what the target looks like"
    )
    x: str = Field("X", description="name of the features in an NPZ file")
    y: str = Field("y", description="name of the targets in an NPZ file")
    features_columns: list[ColumnKey] | None = Field(
        None, min_length=1, description="the feature columns; default all but the target"
    )
    ignore: list[ColumnKey] = Field(default=[], description="columns that are no features")
    types: dict[str, ColumnKind] = Field(
        default={}, description="what columns are, by name: number | category | date"
    )
    missing: Literal["median", "mean", "refuse"] = Field(
        "median", description="what stands for empty cells, of the train rows; refuse: an error"
    )
    categories: Literal["one_hot", "refuse"] = Field(
        "one_hot", description="columns of texts: a feature for each text; refuse: an error"
    )
    delimiter: Literal[",", ";", "\t", "|"] | None = Field(
        None, description="between the cells of a text file; default as it seems"
    )
    decimal: Literal[".", ","] | None = Field(
        None, description="before the decimals of numbers; default as it seems"
    )
    header: int | None = Field(
        None,
        ge=0,
        description="line of the columns' names, from 1; 0: there is none; default the first",
    )
    encoding: str | None = Field(
        None, description="of a text file; default UTF-8, or as its mark says"
    )
    features: int | None = Field(
        None, ge=1, le=4096, description="project randomly to that many features; default no"
    )
    train: Size | None = Field(
        None, description="train rows, count or fraction; default half, 4000 at most"
    )
    valid: Size | None = Field(
        None, description="valid rows, count or fraction; default a sixth, 2000 at most"
    )
    select: Size | Literal[0] | None = Field(
        None,
        description="rows that only select tasks score on; 0: they score on valid rows; default a sixth, "
        "10,000 at most, but 0 below 200 rows and where train and valid are given",
    )
    test: Size | None = Field(
        None, description="test rows, count or fraction; default a sixth, 50,000 at most"
    )
    split_seed: int = Field(0, ge=0, lt=2**63, description="picks the test and select rows")
    test_path: str | None = Field(None, description="file of the test rows, with the same columns")
    split_by: ColumnKey | None = Field(
        None, description="column that says test, select, valid or train for each row; no feature"
    )
    groups: ColumnKey | None = Field(
        None, description="column whose equal cells stay in one part, such as a patient; no feature"
    )
    time: ColumnKey | None = Field(
        None,
        description="column of dates or numbers: later rows are predicted from earlier ones; no feature",
    )
    weights: ColumnKey | None = Field(
        None,
        description="column of numbers of at least 0: a row of weight 2 counts as two rows; no feature",
    )
    epochs: int = Field(
        10, ge=1, le=100_000, description="times the train examples are gone through"
    )

    _data: TableData | None = PrivateAttr(None)

    @property
    def metric(self) -> Metric:  # type: ignore[override]
        """How predictions are scored: "accuracy" for classes, "rms_error" for numbers."""
        problem = self.problem or self.data().problem
        return "rms_error" if problem == "regression" else "accuracy"

    def positive_label(self) -> str:
        """Returns the target value that has label 1 of a binary target, else an empty string."""
        return self.data().positive

    def notes(self) -> tuple[str, ...]:
        """Returns how the table was understood, and what was left out of it."""
        return self.data().notes

    def resolve_paths(self, base: Path) -> Table:
        """Returns the family with its paths made absolute; relative ones start at `base`."""
        if self.path == IN_MEMORY:
            return self
        update = {"path": str(find_file(self.path, base))}
        if self.test_path is not None:
            update["test_path"] = str(find_file(self.test_path, base))
        return self.model_copy(update=update)

    # --- tasks ----------------------------------------------------------------------------------

    def make(self, data_seed: int, param_seed: int, purpose: Purpose) -> Task:
        """Returns the task of these seeds. Select tasks score on select rows, final ones on test rows.

        Raises:
            TaskError: the table cannot be read or used, or is too small for the sizes.
        """
        data = self.data()
        rows, weights = self.rows(data_seed), data.weights
        scored = {"final": "test", "select": "select"}.get(purpose, "valid")
        if scored == "select" and len(rows["select"]) == 0:
            scored = "valid"
        valid_weights = None
        if weights is not None:
            for part in ("train", scored):
                if part == "test":
                    valid_weights = weights[rows["test"]]
                    self._some_weight("test", valid_weights)
                else:
                    rows[part] = self._drawn(part, rows[part], rng_for(f"table/{part}", data_seed))
        label = self._label_of(data_seed)
        y = data.y if label is None else (data.y == label).astype(np.float64)
        prepared = self.preparation(rows["train"], param_seed)
        for part in ("train", scored):
            if np.ptp(y[rows[part]]) == 0 and (label is not None or part == "train"):
                raise TaskError(self._one_value(part, y[rows[part]], label))
        train_x, scored_x = (self.features_of(rows[part], prepared) for part in ("train", scored))
        train_y, scored_y = y[rows["train"]], y[rows[scored]]
        if (
            label is not None
            and valid_weights is not None
            and np.ptp(scored_y[valid_weights > 0]) == 0
        ):
            raise TaskError(
                f"{data.where}: of the {len(scored_y)} test rows all that have a weight have the same "
                f"'{visible(data.target)}', so no accuracy on them would mean anything; give a larger test "
                "size or other weights"
            )
        if label is None:
            train_y, scored_y = (
                (part - prepared.target_mean) / prepared.target_scale
                for part in (train_y, scored_y)
            )
        told = data.target if label is None else f"{data.target}={data.classes[label]}"
        name = f"{Path(data.where).stem}-{told}-seed{data_seed}"
        return Task(name, train_x, train_y, scored_x, scored_y, rows[scored], valid_weights)

    def _drawn(self, part: str, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Returns as many of the rows, drawn in proportion to their weights; all of them without weights."""
        weights = self.data().weights
        if weights is None:
            return rows
        self._some_weight(part, weights[rows])
        return rows[drawn_by_weight(weights[rows], rng)]

    def _some_weight(self, part: str, weights: np.ndarray) -> None:
        if not weights.any():
            data = self.data()
            raise TaskError(
                f"{data.where}: the {len(weights)} {part} rows all have weight 0 in column "
                f"'{visible(data.special['weights'].name)}'; give a larger {part} size or other weights"
            )

    def _label_of(self, data_seed: int) -> int | None:
        """Returns the class that a task tells from the rest, None for a regression."""
        data = self.data()
        if data.problem == "regression":
            return None
        return 1 if data.problem == "binary" else data_seed % len(data.classes)

    def preparation(self, train: np.ndarray, param_seed: int = 0) -> Preparation:
        """Returns what is done to rows before a program sees them, by these train rows."""
        data, matrix = self.data(), None
        if self.features is not None:
            rng = rng_for("table/projection", param_seed)
            matrix = rng.standard_normal((self.width, self.features))
        target = data.y[train] if data.problem == "regression" else None
        how = "mean" if self.missing == "mean" else "median"
        return fit(self.plans, self.raw_of(train), how, target, matrix, data.decimal)

    def rows(self, data_seed: int) -> dict[str, np.ndarray]:
        """Returns the row numbers, from 0, of the train, valid, select and test rows of a data seed.

        The test and the select rows are the same for all data seeds, and no other part ever has one of
        them. The order is no random one.
        """
        data = self.data()
        if data.problem == "multiclass":
            data_seed //= len(data.classes)  # each class in turn is told from the rest on one split
        return self.parts.draw(data_seed)

    def rows_to_keep_learning(self) -> np.ndarray:
        """Returns all rows that no final figure is counted on, in the order of the table."""
        test = np.zeros(len(self.data()), dtype=bool)
        test[self.parts.test] = True
        return np.flatnonzero(~test)

    def rows_to_keep(self) -> np.ndarray:
        """Returns the rows that an outcome is trained on to be kept: the same, drawn by their weights."""
        return self._drawn("other", self.rows_to_keep_learning(), rng_for("table/kept", 0))

    @property
    def parts(self) -> Parts:
        """Which rows are test and select rows, and which those that tasks draw from."""
        return self._known("parts", lambda: Parts(self.data(), self._split))

    def raw_of(self, rows: np.ndarray) -> np.ndarray:
        """Returns the raw features of rows (N, R), see `zero.data.prepare`."""
        data = self.data()
        if len(data) * self.width <= MOST_KEPT:
            every = self._known("raw", lambda: self._raw(data.columns))
            return every[rows]
        # Of a large table few rows are asked for, and all would be in memory once more.
        return self._raw([column.take(rows) for column in data.columns])

    def features_of(self, rows: np.ndarray, prepared: Preparation) -> np.ndarray:
        """Returns the features of rows (N, F)."""
        x = np.empty((len(rows), prepared.num_features))
        for start in range(0, len(rows), BLOCK):  # each step of preparing makes a copy
            block = slice(start, start + BLOCK)
            x[block] = prepared.of_raw(self.raw_of(rows[block]))
        return x

    def _raw(self, columns: Sequence[Column]) -> np.ndarray:
        return raw_features(self.plans, {c.name: c for c in columns}, self.data().decimal)

    @property
    def width(self) -> int:
        """Number of raw features R."""
        return sum(len(plan.features) for plan in self.plans)

    @property
    def plans(self) -> tuple[ColumnPlan, ...]:
        """How columns become features, found without the test rows."""
        return self._known("plans", self._plan)

    def _plan(self) -> tuple[ColumnPlan, ...]:
        data, known = self.data(), np.concatenate([self.parts.select, self.parts.rest])
        plans = tuple(
            plan_column(column.take(known), kind)
            for column, kind in zip(data.columns, data.kinds, strict=True)
        )
        width = sum(len(plan.features) for plan in plans)
        if self.features is not None and self.features > width:
            raise TaskError(
                f"{data.where}: features: {self.features} wanted, the table has {width} features; give at "
                f"most {width}, or leave it out"
            )
        return plans

    @property
    def _split(self) -> Split:
        by = [key for key in ("split_by", "groups", "time") if getattr(self, key) is not None]
        sizes = {part: getattr(self, part) for part in PARTS}
        return Split(sizes, self.split_seed, by[0] if by else None)

    def _known(self, what: str, make: Callable[[], Any]) -> Any:
        """Returns what is made once of a table and a way of splitting it, for all families of both."""
        key = f"{what} {self._split} {self.features}"
        known = self.data().known
        if key not in known:
            known[key] = make()
        return known[key]

    def _one_value(self, part: str, labels: np.ndarray, label: int | None) -> str:
        data = self.data()
        rows = f"the {len(labels)} {part} rows all have the same '{visible(data.target)}'"
        if label is not None and len(data.classes) > 2:
            rows = f"the {len(labels)} {part} rows hold no or only rows of one class"
        if len(labels) == 1:
            rows = f"there is only one {part} row, of one '{visible(data.target)}'"
        said = f"{data.where}: {rows}"
        if label is not None:
            ones, name = int((data.y == label).sum()), visible(data.classes[label])
            counts = f"{ones} of {len(data)} rows have '{name}'"
            if len(data) - ones < ones:
                counts = f"{len(data) - ones} of {len(data)} rows do not have '{name}'"
            said += f" ({counts}), so no accuracy on them would mean anything"
        return f"{said}; give a larger {part} size or more data"

    # --- keeping and comparing ------------------------------------------------------------------

    def stored(self, path: Path) -> Table:
        """Returns the family reading from `path`, to which data given as arrays are written."""
        if self.path != IN_MEMORY:
            return self
        path = path.with_suffix(STORED)
        write_tree(path, to_tree(self.data()), "table", 1, compress=True)
        changes = {
            "path": str(path), "target": None, "features_columns": None, "ignore": [], "types": {},
            "split_by": self._given("split_by"), "groups": self._given("groups"), "time": self._given("time"),
            "weights": self._given("weights"),
        }  # fmt: skip
        stored = self.model_copy(update=changes)
        stored._data = None
        return stored

    def _given(self, key: str) -> str | None:
        """Returns the name of a special column, whose number means nothing in another file."""
        return None if getattr(self, key) is None else self.data().special[key].name

    def check_apart(self, other: TaskFamily) -> None:
        """Raises TaskError if `other` may use this family's test rows; see `TaskFamily`."""
        if not isinstance(other, Table) or self.path != other.path:
            return
        if self.path == IN_MEMORY and self._data is not other._data:
            return
        same = ("split_seed", "problem", "target", "y", *SPLITS)
        differing = [key for key in same if getattr(self, key) != getattr(other, key)]
        if not differing and self.parts.sizes["test"] > other.parts.sizes["test"]:
            differing = ["test"]
        if differing:
            raise TaskError(
                f"{self.path}: '{differing[0]}' differs between the final and other tasks, so test "
                "rows could be trained on; give the same to search, select and final tasks"
            )

    # --- reading --------------------------------------------------------------------------------

    @property
    def reading(self) -> Reading:
        """How text files are read."""
        return Reading(self.delimiter, self.decimal, self.header, self.encoding, self.x, self.y)

    def data(self) -> TableData:
        """Returns the table, read once per process and again if its file has changed."""
        if self._data is not None:
            return self._data
        paths = [find_file(p, Path()) for p in (self.path, self.test_path) if p is not None]
        key = str(
            (
                paths,
                self._wanted(),
                self.reading,
                self.problem,
                self.types,
                self.missing,
                self.categories,
            )
        )
        stamps = []
        for path in paths:
            try:
                stamps.append((path.stat().st_mtime_ns, path.stat().st_size))
            except (OSError, ValueError) as error:  # a path with NUL is a ValueError
                raise read_error(path, error) from None
        if _loaded.get(key, (None,))[0] != stamps:
            _loaded[key] = (stamps, self._read(paths))
        return _loaded[key][1]

    def _wanted(self) -> Wanted:
        keys = ("split_by", "groups", "time", "weights")
        keys = tuple(key for key in keys if getattr(self, key) is not None)
        special = {key: getattr(self, key) for key in keys}
        return Wanted(self.target, self.features_columns, tuple(self.ignore), special)

    def _read(self, paths: list[Path]) -> TableData:
        if paths[0].suffix == STORED:
            return from_tree(read_tree(paths[0], "table", 1), paths[0])
        table = read_table(paths[0], self._wanted(), self.reading)
        tests = 0
        if len(paths) > 1:
            more = read_table(paths[1], self._wanted(), self.reading)
            if set(more.features) != set(table.features):
                lacking = sorted(set(table.features) ^ set(more.features))
                raise TaskError(
                    f"{paths[1]}: its columns are not those of {paths[0]}: {', '.join(map(visible, lacking))}"
                )
            table, tests = concatenate(table, more), more.rows
        return self._understood(table, tests)

    def _understood(self, table: Raw, tests: int = 0) -> TableData:
        return understand(
            table, self.problem, self.types, self.missing, self.categories,
            self.features_columns is not None, tests,
        )  # fmt: skip


def drawn_by_weight(weights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Returns as many of N rows as there are, in order, each in proportion to its weight.

    A row of N / sum of weights times its weight is drawn that often, rounded up or down at random (systematic
    sampling), so that rows of equal weights are drawn once each.
    """
    upto = np.cumsum(weights) / weights.sum()
    points = (np.arange(len(weights)) + rng.uniform(0.01, 0.99)) / len(weights)
    last = np.flatnonzero(weights)[-1]  # sums may end just below 1
    return np.minimum(np.searchsorted(upto, points, side="right"), last)


_loaded: dict[str, tuple[list[tuple[int, int]], TableData]] = {}


def table_from_arrays(
    X: Any,
    y: Any,
    problem: Problem | None = None,
    columns: list[str] | None = None,
    **keys: Any,
) -> Table:
    """Returns a task family over features X (N, F) and targets y (N,), both copied.

    Args:
        X: numbers or texts.
        y: numbers for regression; any distinct values for classes.
        problem: "regression", "binary" or "multiclass"; by default what y looks like.
        columns: names of the F columns; default "0", "1", ...
        keys: other keys of the family: train, valid, test, split_seed, count, features, ignore, ...

    Raises:
        TaskError: the data are unusable. ConfigError: a key is wrong; a line each.
    """
    if columns is None and hasattr(X, "columns"):
        keys = by_label(X.columns, keys)
    family = _in_memory("table_from_arrays", {"problem": problem, **keys}, ("target",))
    if columns is not None:
        columns = plain(columns)
        if not isinstance(columns, list):
            raise TaskError(
                f"table_from_arrays: columns is a list of names, got {what_is(columns)}"
            )
    family._data = family._understood(of_arrays(X, y, columns, family._wanted(), "arrays"))
    return family


def table_from_frame(
    frame: Any, target: Name, problem: Problem | None = None, **keys: Any
) -> Table:
    """Returns a task family over a pandas frame with a target column; the data are copied.

    Args:
        frame: a pandas frame (one of polars is converted).
        target: the target column's label, such as a name; in a frame whose labels are texts also its
            number from 0. All other keys that name columns take the same.
        problem: "regression", "binary" or "multiclass"; by default what the target looks like.
        keys: as for `table_from_arrays`.

    Raises:
        TaskError: the data are unusable. ConfigError: a key is wrong; a line each.
    """
    if not all(hasattr(frame, name) for name in ("columns", "iloc")) and not hasattr(
        frame, "to_pandas"
    ):
        hint = "; for arrays there is zero.table_from_arrays" if hasattr(frame, "shape") else ""
        raise TaskError(f"table_from_frame takes a pandas frame, got {what_is(frame)}{hint}")
    if target is None:
        raise TaskError(
            "table_from_frame: target is the name of the frame's target column, got None"
        )
    keys = by_label(frame.columns, {"target": target, "problem": problem, **keys})
    family = _in_memory("table_from_frame", keys)
    family._data = family._understood(of_frame(frame, family._wanted()))
    return family


def _in_memory(where: str, keys: dict[str, Any], unused: tuple[str, ...] = ()) -> Table:
    """Returns the family of data that Python gives; `unused` keys have no meaning there."""
    from zero.tasks.read import read_family

    files = ("path", "x", "y", "delimiter", "decimal", "header", "encoding", "test_path")
    for key in (*files, *unused):
        if key in keys:
            raise ConfigError(f"{where}: {key}: is for files only; leave it out")
    return read_family(Table, {"path": IN_MEMORY, **keys}, where)

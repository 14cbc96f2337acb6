"""The table of a run over pipelines: where it is, what its columns are, which rows are kept for the end.

From YAML: a CSV, TSV, Parquet, Excel, NPY or NPZ file. From Python: `zero.AutoClassifier` and
`zero.AutoRegressor`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field, PrivateAttr, StrictInt, StrictStr

from zero.config.sections import Section
from zero.config.settings import Check, Found
from zero.data.parts import times
from zero.data.splits import Size, find_file
from zero.data.tables import IN_MEMORY, STORED, check_path, check_target, ending
from zero.data.understand import Kind
from zero.errors import TaskError

STORED_VERSION = 1
FEW = 50  # rows below which none are kept apart for a test, where nobody says
TEST = 0.2  # of the rows, where nobody says
MOST_TESTS = 50_000
ColumnKey = StrictStr | StrictInt


def _check_split(table: Any) -> Iterator[Found]:
    if table.test_path is not None and table.test is not None:
        yield ("test",), "the rows of test_path are the test rows; leave it out"
    if table.groups is not None and table.time is not None:
        yield ("time",), "groups and time exclude each other; give one of them"


class TableSettings(Section):
    """A table.

    path: of the file. target: the column to predict, its name or number from 0. problem: what that asks for;
    default what it looks like. ignore: columns that are not used. types: what columns are, by name, where
    it is not what they look like. test: rows, count or share, that nothing sees before the end; 0 for none;
    default a fifth, 50,000 at most, none of fewer than 50. test_path: a file of them instead. split_seed:
    picks them. groups: column whose equal cells stay together, such as a patient. time: column of dates or
    numbers: later rows are predicted from earlier ones. weights: column of numbers; a row of weight 2 counts
    as two. positive: the class that a score such as f1 or precision is of, of two; default the second in
    order. delimiter, decimal, header, encoding: of a text file; default as it seems. x, y: arrays of an
    NPZ file.
    """

    checks: ClassVar[tuple[Check, ...]] = (check_path, check_target, _check_split)

    path: str
    target: ColumnKey | None = None
    problem: Literal["regression", "binary", "multiclass"] | None = None
    ignore: list[ColumnKey] = Field(default=[])
    types: dict[str, Kind] = Field(default={})
    test: Size | Literal[0] | None = None
    test_path: str | None = None
    split_seed: int = Field(0, ge=0, lt=2**63)
    groups: ColumnKey | None = None
    time: ColumnKey | None = None
    weights: ColumnKey | None = None
    delimiter: Literal[",", ";", "\t", "|"] | None = None
    decimal: Literal[".", ","] | None = None
    header: int | None = Field(None, ge=0)
    encoding: str | None = None
    x: str = "X"
    y: str = "y"

    _data: Any = PrivateAttr(None)
    _kept: bool = PrivateAttr(True)

    def data(self) -> Any:
        """Returns the table, a `zero.data.understand.TableData`; read once.

        Raises:
            TaskError: it cannot be read or used.
        """
        if self._data is None:
            self._data = self._read()
        return self._data

    def _read(self) -> Any:
        from zero.data.table import Reading, Wanted, concatenate
        from zero.data.tables import read_table
        from zero.data.understand import from_tree, understand
        from zero.system.trees import read_tree

        if ending(self.path) == STORED:
            tree = read_tree(Path(self.path), "table", STORED_VERSION)
            return from_tree(tree, Path(self.path))
        reading = Reading(self.delimiter, self.decimal, self.header, self.encoding, self.x, self.y)
        wanted = Wanted(self.target, None, self.ignore, self._special(), rename=True)
        table, tests = read_table(Path(self.path), wanted, reading), 0
        if self.test_path is not None:
            more = read_table(Path(self.test_path), wanted, reading)
            tests, table = len(more.target or ()), concatenate(table, more)
        return understand(
            table,
            self.problem,
            self.types,
            texts=True,
            lenient=True,
            tests=tests,
        )

    def _special(self) -> dict[str, Any]:
        keys = ("groups", "time", "weights")
        return {key: getattr(self, key) for key in keys if getattr(self, key) is not None}

    def with_data(self, data: Any, kept: bool = True) -> TableSettings:
        """Returns the section with a table that Python gives.

        kept: whether a run puts it into its folder, without which it can't be resumed.
        """
        changed = self.model_copy(update={"path": IN_MEMORY})
        changed._data, changed._kept = data, kept
        return changed

    def stored(self, folder: Path) -> TableSettings:
        """Returns the section with its table in a file of the folder, if it is in memory only."""
        from zero.data.understand import to_tree
        from zero.system.trees import write_tree

        if self.path != IN_MEMORY or not self._kept:
            return self
        path = folder / f"table{STORED}"
        write_tree(path, to_tree(self.data()), "table", STORED_VERSION)
        changed = self.model_copy(update={"path": str(path.resolve())})
        changed._data = self.data()
        return changed

    def resolved(self, base: Path) -> TableSettings:
        """Returns the section with absolute paths; relative ones start at `base`.

        Raises:
            TaskError: there is no such file.
        """
        if self.path == IN_MEMORY:
            return self
        update = {"path": str(find_file(self.path, base))}
        if self.test_path is not None:
            update["test_path"] = str(find_file(self.test_path, base))
        return self.model_copy(update=update)

    # --- rows -------------------------------------------------------------------------------------

    def rows(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns the numbers of the rows to search with, rising, and of the test rows.

        Raises:
            TaskError: too few are left.
        """
        from zero.data.folds import folds

        data = self.data()
        total = len(data)
        if data.tests:
            return np.arange(total - data.tests), np.arange(total - data.tests, total)
        size = self._tests(total)
        if size == 0:
            return np.arange(total), np.arange(0)
        if size > total - 2:
            raise TaskError(
                f"{data.where}: {size} test rows of {total} leave fewer than 2 to search with; give a "
                "smaller test, or test: 0"
            )
        count = max(2, round(total / size))
        found = folds(data.y, len(data.classes), count, self.split_seed, **self.apart())
        test = np.sort(found[-1][1])[:] if self.time is None else found[-1][1]
        return np.setdiff1d(np.arange(total), test), test

    def _tests(self, total: int) -> int:
        if self.test is None:
            return 0 if total < FEW else min(round(TEST * total), MOST_TESTS)
        return round(self.test * total) if self.test < 1 else int(self.test)

    def apart(self, rows: np.ndarray | None = None) -> dict[str, Any]:
        """Returns what rows belong together, as `zero.data.folds.folds` takes it; rows: None for all."""
        from zero.data.columns import as_text

        data, found = self.data(), dict[str, Any]()
        if self.groups is not None:
            found["groups"] = as_text(data.special["groups"]).values
        if self.time is not None:
            found["time"] = times(data)
        return found if rows is None else {key: values[rows] for key, values in found.items()}

"""Which rows of a table are train, valid, select and test rows.

Test and select rows are the same for every task; each task draws its train and valid rows from the rest.
Parts keep the classes' shares, unless the user splits by a column, by groups or by time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from zero.data.columns import as_text
from zero.data.splits import rng_for, split_sizes
from zero.data.understand import TableData
from zero.errors import TaskError, visible

PARTS = ("train", "valid", "select", "test")
FEW = 200  # rows of a table, below which none are kept for select tasks alone
# Rows of a part where nobody says how many: a search needs no more of a large table, and the trained
# program that a run keeps gets all rows but the test's.
MOST_ROWS = {"train": 4000, "valid": 2000, "select": 10_000, "test": 50_000}
# What a split_by column may say, in any case.
WORDS = {
    "test": "test",
    "select": "select",
    "train": "train",
    "valid": "valid",
    "validation": "valid",
    "val": "valid",
}


@dataclass(frozen=True)
class Split:
    """How a table is to be split.

    sizes: of each of `PARTS` a count, a fraction or None (see `zero.data.splits.split_sizes`); select may be
    0. seed: picks the test and select rows. by: "time", "groups" or "split_by", by the table's special column
    of that name; None: at random.
    """

    sizes: Mapping[str, float | None]
    seed: int = 0
    by: str | None = None


class Parts:
    """The rows (numbers from 0) of a table's parts.

    Attributes:
        test, select: rows that only final and select tasks score on; select may be empty.
        rest: the other rows, of which `draw` takes train and valid rows.
        sizes: rows of each part.

    Raises:
        TaskError: the table is too small for the sizes, or the column that it is split by is unusable.
    """

    def __init__(self, data: TableData, split: Split):
        self._data, self._split = data, split
        self._fixed: tuple[np.ndarray, np.ndarray] | None = (
            None  # train and valid rows as a column says
        )
        self.sizes: dict[str, int] = {}
        self.test, self.select, self.rest = (
            self._by_column() if split.by == "split_by" else self._by_sizes()
        )

    def draw(self, seed: int) -> dict[str, np.ndarray]:
        """Returns the rows of each of `PARTS` for a seed, which picks the train and valid rows.

        The order of the rows is no random one.
        """
        sizes, rest, data = self.sizes, self.rest, self._data
        rng = rng_for("table/split", seed)
        if self._fixed is not None:
            train, valid = self._fixed
        elif self._split.by == "time":
            wanted = sizes["train"] + sizes["valid"]
            start = int(rng.integers(len(rest) - wanted + 1))
            train = rest[start : start + sizes["train"]]
            valid = rest[start + sizes["train"] : start + wanted]
        elif self._split.by == "groups":
            order = self._by_groups(rest, rng)
            valid, cut = order[: sizes["valid"]], self._end_of_group(order, sizes["valid"])
            train = order[cut:][: sizes["train"]]
        else:
            wanted = sizes["train"] + sizes["valid"]
            order = rest[spread(data.y[rest], len(data.classes), rng, wanted)]
            train, valid = order[: sizes["train"]], order[sizes["train"] :]
        return {"train": train, "valid": valid, "select": self.select, "test": self.test}

    # --- by sizes ---------------------------------------------------------------------------------

    def _by_sizes(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns the test, the select and the other rows; sets the sizes."""
        data, given = self._data, dict(self._split.sizes)
        rows = len(data)
        few = rows < FEW or not (given["train"] is None or given["valid"] is None)
        if given["select"] == 0 or (given["select"] is None and few):
            given.pop("select")  # select tasks score on valid rows
        rng = rng_for("table/test", self._split.seed)
        if data.tests:
            test, rest = np.arange(rows - data.tests, rows), np.arange(rows - data.tests)
            given.pop("test")
            self._set_sizes(len(rest), given)
            self.sizes["test"] = len(test)
        else:
            self._set_sizes(rows, given)
            test, rest = self._cut(np.arange(rows), self.sizes["test"], rng)
        select, rest = self._cut(rest, self.sizes.get("select", 0), rng)
        wanted = self.sizes["train"] + self.sizes["valid"]
        if wanted > len(rest):  # groups do not end where sizes do
            self.sizes["train"] -= wanted - len(rest)
        if self._split.by == "groups":
            self._check_groups(len(select), rest)
            self._shrink_to_groups(rest)
        return test, select, rest

    def _set_sizes(self, rows: int, given: dict[str, float | None]) -> None:
        sizes = split_sizes(rows, given, self._data.where)
        if self._split.by == "time" and given["train"] is None:
            sizes["train"] = max(1, sizes["train"] * 3 // 4)  # so that windows of time differ
        for part, size in sizes.items():
            self.sizes[part] = size if given[part] is not None else min(size, MOST_ROWS[part])

    def _cut(
        self, rows: np.ndarray, size: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns `size` of the rows, and the others: the latest, whole groups, or random ones."""
        data = self._data
        if self._split.by == "time":
            order = rows[np.argsort(times(data)[rows], kind="stable")]
            return order[len(order) - size :], order[: len(order) - size]
        if self._split.by == "groups":
            order = self._by_groups(rows, rng)
            size = self._end_of_group(order, size)
        else:
            first = spread(data.y[rows], len(data.classes), rng, size)
            return rows[first], np.delete(rows, first)
        return order[:size], np.sort(order[size:])

    # --- by groups --------------------------------------------------------------------------------

    def _by_groups(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Returns the rows group by group, groups in a random order."""
        groups = as_text(self._data.special["groups"]).values[rows]
        if not len(rows):
            return rows
        distinct = np.unique(groups)
        place = np.empty(int(distinct.max()) + 2, dtype=np.int64)
        place[distinct] = rng.permutation(len(distinct))
        return rows[np.argsort(place[groups], kind="stable")]

    def _end_of_group(self, order: np.ndarray, size: int) -> int:
        """Returns where the group of the last of the first `size` rows ends."""
        groups = as_text(self._data.special["groups"]).values[order]
        while size < len(order) and groups[size] == groups[size - 1]:
            size += 1
        return size

    def _check_groups(self, select: int, rest: np.ndarray) -> None:
        """Raises TaskError if there are fewer groups than parts."""
        groups = as_text(self._data.special["groups"]).values
        wanted = (
            "train, valid, select and test" if "select" in self.sizes else "train, valid and test"
        )
        left = len(np.unique(groups[rest]))
        if left < 2 or ("select" in self.sizes and select == 0):
            name = visible(self._data.special["groups"].name)
            number = len(np.unique(groups))
            found = f"{number} group{' is' if number == 1 else 's are'}"
            raise TaskError(
                f"{self._data.where}, column '{name}': {found} too few or too unequal "
                f"for {wanted} rows of their own; give another column or smaller sizes"
            )

    def _shrink_to_groups(self, rest: np.ndarray) -> None:
        """Takes off the train rows what whole groups may need beside the valid rows."""
        groups = as_text(self._data.special["groups"]).values[rest]
        largest = int(np.bincount(groups + 1).max())
        self.sizes["train"] -= max(
            0, self.sizes["train"] + self.sizes["valid"] + largest - 1 - len(rest)
        )
        if self.sizes["train"] < 1:
            raise TaskError(
                f"{self._data.where}: groups are too large for train and valid rows of their own; give "
                "smaller sizes"
            )

    # --- by a column ------------------------------------------------------------------------------

    def _by_column(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns the test, the select and the other rows; sets the sizes."""
        data, given = self._data, self._split.sizes
        found = self._named()
        rest = np.sort(np.concatenate([found["train"], found["valid"]]))
        select = found["select"]
        if len(select) == 0 and given["select"] != 0:
            sizes = split_sizes(
                len(rest), {"train": None, "valid": None, "select": None}, data.where
            )
            if len(found["valid"]):
                select, rest = found["valid"], found["train"]
            else:
                rng = rng_for("table/test", self._split.seed)
                select, rest = self._cut(rest, sizes["select"], rng)
        elif len(found["valid"]):
            self._fixed = found["train"], found["valid"]
        sizes = split_sizes(
            len(rest), {"train": given["train"], "valid": given["valid"]}, data.where
        )
        if self._fixed is None:
            self.sizes = {part: min(size, MOST_ROWS[part]) for part, size in sizes.items()}
        else:
            self.sizes = {"train": len(self._fixed[0]), "valid": len(self._fixed[1])}
        self.sizes |= {"test": len(found["test"]), "select": len(select)}
        return found["test"], select, rest

    def _named(self) -> dict[str, np.ndarray]:
        """Returns the rows of each part by what the column says; raises TaskError if it is unusable."""
        data = self._data
        column = as_text(data.special["split_by"])
        assert column.texts is not None
        where = f"{data.where}, column '{visible(column.name)}'"
        names = np.array([*(text.lower() for text in column.texts), ""])[column.values]
        unknown = sorted(set(names.tolist()) - set(WORDS))
        if unknown:
            raise TaskError(
                f"{where}: {unknown[0]!r}; split_by needs test, select, valid or train in every row"
            )
        part = np.array([WORDS[name] for name in names.tolist()])
        found = {name: np.flatnonzero(part == name) for name in PARTS}
        for name in ("test", "train"):
            if len(found[name]) == 0:
                raise TaskError(f"{where}: no row says '{name}'")
        return found


def spread(y: np.ndarray, classes: int, rng: np.random.Generator, size: int) -> np.ndarray:
    """Returns `size` of the rows in a random order, of which every stretch has the classes' shares.

    classes: how many; 0 of numbers.
    """
    if classes == 0:
        return rng.permutation(len(y))[:size]
    # Each class is spread evenly over (0, 1), with a random row at every place.
    position = np.empty(len(y))
    for label in range(classes):
        rows = rng.permutation(np.flatnonzero(y == label))
        position[rows] = (np.arange(len(rows)) + rng.random()) / max(1, len(rows))
    # Sorting all of very many rows would take long. So many are here or before at least: each class lacks
    # less than one.
    first = np.flatnonzero(position <= (size + classes) / len(y))
    return first[np.argsort(position[first], kind="stable")][:size]


def times(data: TableData) -> np.ndarray:
    """Returns when each row was."""
    column = data.special["time"]
    if column.texts is not None or column.empty.any():
        raise TaskError(
            f"{data.where}, column '{visible(column.name)}': time needs a date or a number in every row"
        )
    return column.values

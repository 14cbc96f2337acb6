"""What a search over pipelines knows of a table before it looks at any row: how large, what columns.

Which decisions a pipeline has depends on it, so it is kept with the run.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from zero.data.understand import TableData
from zero.pipelines.families import Problem

MOST_CATEGORIES = 50  # of a column that have a feature of their own


@dataclass(frozen=True)
class Facts:
    """See the module's docstring.

    rows: that pipelines are trained on. classes: how many, 0 of a regression. numbers, categories, dates,
    texts: the columns' names. gaps: whether cells of numbers or dates are empty. one_hot: about how many
    features the categories make, each of its own.
    """

    problem: Problem
    rows: int
    classes: int
    numbers: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    dates: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    gaps: bool = False
    one_hot: int = 0

    @property
    def width(self) -> int:
        """About how many features there are before anything is made of them."""
        return len(self.numbers) + len(self.categories) + 5 * len(self.dates) + len(self.texts)

    def tree(self) -> dict[str, Any]:
        """Returns it as plain values."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    @staticmethod
    def from_tree(tree: dict[str, Any]) -> Facts:
        """Returns what `tree` gave."""
        values: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in tree.items()
        }
        return Facts(**values)


def facts_of(data: TableData, rows: int) -> Facts:
    """Returns the facts of a table of which so many rows are trained on."""
    names: dict[str, list[str]] = {"number": [], "category": [], "date": [], "text": []}
    gaps, one_hot = False, 0
    for column, kind in zip(data.columns, data.kinds, strict=True):
        names[kind].append(column.name)
        if kind in ("number", "date"):
            gaps = gaps or bool(column.empty.any())
        elif kind == "category":
            one_hot += min(len(column.texts or ()), MOST_CATEGORIES)
    return Facts(
        data.problem, rows, len(data.classes), tuple(names["number"]), tuple(names["category"]),
        tuple(names["date"]), tuple(names["text"]), gaps, one_hot,
    )  # fmt: skip

"""What an archive keeps of a formula that was evaluated."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from zero.evolution.object_records import ObjectRecord
from zero.runs.records import BaseRecord, columns_of, get_array, get_texts

COLUMNS = {"error": np.float64, "operations": np.int64, "seed": np.uint64, "same_as": np.int64}
TEXTS = ("constants", "reason")


@dataclass(eq=False)
class RawFormula(ObjectRecord):
    """A candidate on an island; see `FormulaRecord`."""

    error: float = math.inf
    operations: int = 0
    constants: str = ""

    FIGURES = (*ObjectRecord.FIGURES, "error", "operations", "constants")


@dataclass(eq=False)
class FormulaRecord(BaseRecord):
    """One formula; all are kept, whatever became of them.

    text: its instructions. error: the worst one at the search's points, inf if it failed. fitness: minus its
    decimal logarithm. operations: how many it has. constants: fitted ones, in the order of the text, to
    33 digits. seed: of the fit's draws. same_as: id of the same formula that was evaluated before; -1.
    reason: why it failed, "" if it did not.
    """

    error: float
    operations: int
    seed: int
    same_as: int
    constants: str
    reason: str


def columns(rows: Sequence[FormulaRecord]) -> dict[str, Any]:
    """See `zero.runs.kind.Kind.columns`."""
    return {
        **columns_of(rows, COLUMNS),
        **{name: [getattr(r, name) for r in rows] for name in TEXTS},
    }


def from_columns(tree: dict[str, Any], count: int) -> dict[str, Any]:
    """See `zero.runs.kind.Kind.from_columns`."""
    found: dict[str, Any] = {
        name: get_array(tree, name, dtype, (count,)).tolist() for name, dtype in COLUMNS.items()
    }
    for name in TEXTS:
        found[name] = get_texts(tree, name, count)
    if count and min(found["operations"]) < 0:
        raise ValueError("a record's 'operations' is negative")
    return found


def front_of(records: Sequence[Any]) -> list[Any]:
    """Returns of each number of operations the record of least error, where none with fewer has less."""
    best: dict[int, Any] = {}
    for record in sorted(records, key=lambda r: (r.error, r.id)):
        if math.isfinite(record.error):
            best.setdefault(record.operations, record)
    found: list[Any] = []
    for _, record in sorted(best.items()):
        if not found or record.error < found[-1].error:
            found.append(record)
    return found

"""What an archive keeps of a pipeline that was evaluated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from zero.evolution.object_records import ObjectRecord
from zero.runs.records import BaseRecord, columns_of, get_array, get_texts

COLUMNS = {
    "accuracy": np.float64,
    "decisions": np.int64,
    "train_steps": np.int64,
    "seed": np.uint64,
    "same_as": np.int64,
}
CURVE = ("share", "score")


@dataclass(eq=False)
class RawPipeline(ObjectRecord):
    """A candidate on an island; decisions: that are not as usual."""

    decisions: int = 0

    FIGURES = (*ObjectRecord.FIGURES, "decisions")


@dataclass(eq=False)
class PipelineRecord(BaseRecord):
    """One pipeline; all are kept, whatever became of them.

    text: its decisions. accuracy: its score by the run's metric, larger is better, of the rows that it was
    not trained on; NaN if it failed. fitness: by the objective, the score where there is no other.
    decisions: that are not as usual. train_steps: parts of its evaluation that were done. seed: of all that
    is random in it. same_as: id of the same pipeline that was evaluated before; -1. reason: why it failed or
    was stopped, "" if it was not. curve: float64 (parts, 2), the share of the work done and the score so far.
    """

    accuracy: float
    decisions: int
    train_steps: int
    seed: int
    same_as: int
    reason: str
    curve: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))


def columns(rows: Sequence[PipelineRecord]) -> dict[str, Any]:
    """See `zero.runs.kind.Kind.columns`."""
    parts = np.array([len(r.curve) for r in rows], dtype=np.int64)
    curve = np.full((len(rows), max(parts, default=0), 2), np.nan)
    for kept, row in zip(curve, rows, strict=True):
        kept[: len(row.curve)] = row.curve
    return {
        **columns_of(rows, COLUMNS), "reason": [r.reason for r in rows], "parts": parts, "curve": curve,
    }  # fmt: skip


def from_columns(tree: dict[str, Any], count: int) -> dict[str, Any]:
    """See `zero.runs.kind.Kind.from_columns`."""
    found: dict[str, Any] = {
        name: get_array(tree, name, dtype, (count,)).tolist() for name, dtype in COLUMNS.items()
    }
    found["reason"] = get_texts(tree, "reason", count)
    parts = get_array(tree, "parts", np.int64, (count,)).tolist()
    curve = get_array(tree, "curve", np.float64, (count, None, 2))
    if count and (min(parts) < 0 or max(parts) > curve.shape[1]):
        raise ValueError(f"a record's 'parts' are none of the {curve.shape[1]} in its curve")
    found["curve"] = [kept[:n] for kept, n in zip(curve, parts, strict=True)]
    return found

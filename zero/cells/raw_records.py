"""What an island of cells keeps of a candidate, and how that is stored in checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from zero.evolution.records import RawRecord


@dataclass(eq=False)
class RawCell(RawRecord):
    """One candidate: as `zero.runs.records.CellRecord`, with `key`, by which duplicates are found."""

    text: str
    key: str
    accuracy: float
    parameters: int
    multiply_adds: int
    activation_bytes: int
    latency: float
    train_steps: int
    seed: int
    same_as: int
    reason: str
    curve: np.ndarray


TEXTS = ("mutation", "text", "key", "reason")


def pack_records(records: Sequence[RawCell]) -> dict[str, Any]:
    """Returns records as one array or list of texts a column."""
    if not records:
        return {}
    columns: dict[str, Any] = {}
    for name in (field.name for field in fields(RawCell)):
        values = [getattr(record, name) for record in records]
        if name == "curve":
            columns["epochs"] = np.array([len(v) for v in values])
            columns["curve"] = np.concatenate(values)
        elif name in TEXTS:
            columns[name] = values
        else:
            columns[name] = np.array(values, dtype=np.uint64 if name == "seed" else None)
    return columns


def unpack_records(columns: dict[str, Any]) -> list[RawCell]:
    """Returns the records that `pack_records` was given."""
    if not columns:
        return []
    columns = dict(columns)
    ends = np.cumsum(columns.pop("epochs"))
    columns["curve"] = np.split(columns["curve"], ends[:-1])
    for name, values in columns.items():
        if isinstance(values, np.ndarray):
            columns[name] = values.tolist()
    names = list(columns)
    return [
        RawCell(**dict(zip(names, row, strict=True))) for row in zip(*columns.values(), strict=True)
    ]

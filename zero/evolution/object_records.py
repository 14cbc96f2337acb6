"""What an island of Python objects keeps of every individual, and how that is stored in checkpoints."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, TypeVar

import numpy as np

from zero.evolution.records import RawRecord


@dataclass(eq=False)
class ObjectRecord(RawRecord):
    """One candidate, whatever became of it; a kind of genome adds figures of its own.

    text: the genome. key: candidates of one key are the same. accuracy: share that the evaluation
    found right, NaN if it was not evaluated. train_steps: what that took. seed: of the evaluation.
    same_as: number of the candidate whose figures it took over, -1 = none. reason: why it was not
    evaluated in full, "" if it was. curve: float64 (epochs, 2).

    FIGURES: fields that one candidate takes over from another of the same key.
    """

    text: str
    key: str
    accuracy: float = math.nan
    train_steps: int = 0
    seed: int = 0
    same_as: int = -1
    reason: str = ""
    curve: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))

    FIGURES: ClassVar[tuple[str, ...]] = ("accuracy", "fitness", "seed", "reason")

    def take_figures(self, other: ObjectRecord) -> None:
        """Takes over another candidate's figures."""
        for name in self.FIGURES:
            setattr(self, name, getattr(other, name))
        self.same_as = other.number

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)

    def __setitem__(self, name: str, value: Any) -> None:
        setattr(self, name, value)


R = TypeVar("R", bound=ObjectRecord)


def pack_records(records: Sequence[ObjectRecord]) -> dict[str, Any]:
    """Returns records of one type as one array or list of texts a column."""
    if not records:
        return {}
    columns: dict[str, Any] = {}
    for name in (column.name for column in fields(records[0])):
        values = [getattr(record, name) for record in records]
        if name == "curve":
            columns["epochs"] = np.array([len(v) for v in values])
            columns["curve"] = np.concatenate(values)
        elif isinstance(values[0], str):
            columns[name] = values
        else:
            columns[name] = np.array(values, dtype=np.uint64 if name == "seed" else None)
    return columns


def unpack_records(kind: type[R], columns: dict[str, Any]) -> list[R]:
    """Returns the records of a type that `pack_records` was given."""
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
        kind(**dict(zip(names, row, strict=True))) for row in zip(*columns.values(), strict=True)
    ]

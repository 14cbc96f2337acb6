"""What an island of programs keeps of an individual, and how that is stored in checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from zero.evolution.records import RawRecord
from zero.programs.program import Program, from_arrays


@dataclass(eq=False)
class RawProgram(RawRecord):
    """One program.

    task_fitness: (tasks,) float64, NaN where it was not kept. code, consts, sizes: the program, as
    `zero.programs.program.from_arrays` takes it.
    """

    task_fitness: np.ndarray
    code: np.ndarray
    consts: np.ndarray
    sizes: np.ndarray

    @property
    def program(self) -> Program:
        """The program itself, made anew."""
        return from_arrays(self.code, self.consts, self.sizes)


COLUMNS = [field.name for field in fields(RawProgram)]


def pack_records(records: Sequence[RawProgram]) -> dict[str, Any]:
    """Returns records as one array a column: thousands of small arrays are slow to store."""
    if not records:
        return {}
    columns: dict[str, Any] = {}
    for name in COLUMNS:
        values = [getattr(record, name) for record in records]
        if name in ("code", "consts"):
            length, width = max(len(value) for value in values), values[0].shape[1]
            padded = np.zeros((len(records), length, width), values[0].dtype)
            for row, value in zip(padded, values, strict=True):
                row[: len(value)] = value
            columns[name] = padded
        else:
            columns[name] = values if name == "mutation" else np.array(values)
    return columns


def unpack_records(columns: dict[str, Any]) -> list[RawProgram]:
    """Returns the records that `pack_records` was given."""
    records = []
    for k in range(len(columns.get("number", ()))):
        values = {name: columns[name][k] for name in COLUMNS}
        used = int(values["sizes"].sum())
        values["code"], values["consts"] = values["code"][:used], values["consts"][:used]
        plain = {n: v.item() if isinstance(v, np.generic) else v for n, v in values.items()}
        records.append(RawProgram(**plain))
    return records

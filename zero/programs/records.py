"""What an archive keeps of a program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from zero.runs.records import BaseRecord, get_array, stack


@dataclass(eq=False)
class Record(BaseRecord):
    """One kept program of a run; see `zero.runs.archive`."""

    task_fitness: np.ndarray  # (T,) float64
    code: np.ndarray  # (L, 4) int16, L equal for all records of an experiment
    consts: np.ndarray  # (L, 3) float64
    sizes: np.ndarray  # (3,) int16


def columns(rows: Sequence[Record]) -> dict[str, Any]:
    """See `zero.runs.kind.Kind.columns`."""
    return {
        "task_fitness": stack([r.task_fitness for r in rows], np.float64, (0,)),
        "code": stack([r.code for r in rows], np.int16, (0, 4)),
        "consts": stack([r.consts for r in rows], np.float64, (0, 3)),
        "sizes": stack([r.sizes for r in rows], np.int16, (3,)),
    }


def from_columns(tree: dict[str, Any], count: int, num_ops: int) -> dict[str, Any]:
    """See `zero.runs.kind.Kind.from_columns`."""
    task_fitness = get_array(tree, "task_fitness", np.float64, (count, None))
    code = get_array(tree, "code", np.int16, (count, None, 4))
    length = code.shape[1]
    consts = get_array(tree, "consts", np.float64, (count, length, 3))
    sizes = get_array(tree, "sizes", np.int16, (count, 3))
    if count:
        if sizes.min() < 0 or sizes.sum(axis=1, dtype=np.int64).max() > length:
            raise ValueError(f"a record's sizes do not fit into {length} instructions")
        if length and code[:, :, 0].max() >= num_ops:
            raise ValueError("a record uses an op that has no name")
    return {"task_fitness": task_fitness, "code": code, "consts": consts, "sizes": sizes}

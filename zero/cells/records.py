"""What an archive keeps of a candidate of a run over cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from zero.runs.records import BaseRecord, columns_of, get_array, get_texts

COLUMNS = {
    "accuracy": np.float64,
    "parameters": np.int64,
    "multiply_adds": np.int64,
    "activation_bytes": np.int64,
    "latency": np.float64,
    "train_steps": np.int64,
    "seed": np.uint64,
    "same_as": np.int64,
}
CANDIDATE_CURVE = ("train_loss", "valid_accuracy")


@dataclass(eq=False)
class CellRecord(BaseRecord):
    """One candidate of a run over cells; all are kept, whatever became of them.

    id, parent, island, individuals, steps, mutation, fitness, is_best, select_fitness: as for
    programs (fitness: of the config's objective, -inf without one; parent: the individual that was
    mutated, -1 for random ones). text: the genome. accuracy: share of the valid images that the
    trained network gets right, NaN if it was not trained. parameters, multiply_adds (of one image),
    activation_bytes (of a training step) are those of the network that was trained. latency: seconds
    of one prediction, NaN unless the config's objective measures it. train_steps: batches that it
    was trained on. seed: of its weights and its training. same_as: id of the candidate whose figures
    it took over, being the same cells in other words; -1. reason: why it was not trained in full, ""
    if it was. curve: float64 (epochs, 2), see `CANDIDATE_CURVE`.
    """

    accuracy: float
    parameters: int
    multiply_adds: int
    activation_bytes: int
    latency: float
    train_steps: int
    seed: int
    same_as: int
    reason: str
    curve: np.ndarray = field(default_factory=lambda: np.zeros((0, len(CANDIDATE_CURVE))))


def columns(rows: Sequence[CellRecord]) -> dict[str, Any]:
    """See `zero.runs.kind.Kind.columns`."""
    epochs = np.array([len(r.curve) for r in rows], dtype=np.int64)
    curve = np.full((len(rows), max(epochs, default=0), len(CANDIDATE_CURVE)), np.nan)
    for kept, row in zip(curve, rows, strict=True):
        kept[: len(row.curve)] = row.curve
    return {
        **columns_of(rows, COLUMNS),
        "reason": [r.reason for r in rows],
        "epochs": epochs,
        "curve": curve,
    }


def from_columns(tree: dict[str, Any], count: int, num_ops: int) -> dict[str, Any]:
    """See `zero.runs.kind.Kind.from_columns`."""
    found: dict[str, Any] = {
        name: get_array(tree, name, dtype, (count,)).tolist() for name, dtype in COLUMNS.items()
    }
    found["reason"] = get_texts(tree, "reason", count)
    epochs = get_array(tree, "epochs", np.int64, (count,)).tolist()
    curve = get_array(tree, "curve", np.float64, (count, None, len(CANDIDATE_CURVE)))
    if count and (min(epochs) < 0 or max(epochs) > curve.shape[1]):
        raise ValueError(f"a record's 'epochs' are none of the {curve.shape[1]} in its curve")
    for name in ("parameters", "multiply_adds", "activation_bytes", "train_steps"):
        if min(found[name], default=0) < 0:
            raise ValueError(f"a record's '{name}' is negative")
    found["curve"] = [kept[:n] for kept, n in zip(curve, epochs, strict=True)]
    return found

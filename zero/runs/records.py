"""Records of an archive: what is kept of each individual, by kind of genome, and how it is stored.

`KINDS` has an entry for each kind of genome. What both kinds have in common (`COMMON_COLUMNS`,
mutation and text) is read and written here once; a kind adds columns of its own.

Called by `zero.runs.archive`, whose docstring describes the columns of programs; those of cells are at
`CellRecord`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

COMMON_COLUMNS = {
    "id": np.int64,
    "parent": np.int64,
    "island": np.int64,
    "individuals": np.int64,
    "steps": np.int64,
    "fitness": np.float64,
    "is_best": np.bool_,
    "select_fitness": np.float64,
}
CELL_COLUMNS = {
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
class BaseRecord:
    """What is kept of every genome; the schema of `zero.runs.archive` gives the meaning of the fields."""

    id: int
    parent: int
    island: int
    individuals: int
    steps: int
    mutation: str
    fitness: float
    is_best: bool
    select_fitness: float
    text: str


@dataclass(eq=False)
class Record(BaseRecord):
    """One kept program of a run; see `zero.runs.archive`."""

    task_fitness: np.ndarray  # (T,) float64
    code: np.ndarray  # (L, 4) int16, L equal for all records of an experiment
    consts: np.ndarray  # (L, 3) float64
    sizes: np.ndarray  # (3,) int16


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


def records_tree(rows: Sequence[Any], kind: str) -> dict[str, Any]:
    """Returns the records of an experiment as columns."""
    names = sorted({r.mutation for r in rows})
    tree: dict[str, Any] = columns_of(rows, COMMON_COLUMNS)
    tree["mutation_names"] = names
    tree["mutation"] = np.array([names.index(r.mutation) for r in rows], dtype=np.int16)
    tree["text"] = [r.text for r in rows]
    return tree | KINDS[kind].own_columns(rows)


def records_from_tree(tree: dict[str, Any], kind: str, num_ops: int) -> list[Any]:
    """Returns the records that `records_tree` was given; raises ValueError where they cannot be.

    num_ops: how many ops a program's instructions may use.
    """
    count = get_array(tree, "id", np.int64, (None,)).shape[0]
    columns = {
        name: get_array(tree, name, dtype, (count,)).tolist()
        for name, dtype in COMMON_COLUMNS.items()
    }
    texts = get_texts(tree, "text", count)
    names = get_texts(tree, "mutation_names")
    mutation = get_array(tree, "mutation", np.int16, (count,))
    own = KINDS[kind].from_columns(tree, count, num_ops)
    if count and (mutation.min() < 0 or mutation.max() >= len(names)):
        raise ValueError("a record's mutation has no name")
    _check_parents(dict(zip(columns["id"], columns["parent"], strict=True)))
    for name in ("id", "island", "individuals", "steps"):
        if min(columns[name], default=0) < 0:
            raise ValueError(f"a record's '{name}' is negative")
    return [
        KINDS[kind].record(
            **{name: column[i] for name, column in columns.items()},
            mutation=names[mutation[i]],
            text=texts[i],
            **{name: column[i] for name, column in own.items()},
        )
        for i in range(count)
    ]


# --- programs -------------------------------------------------------------------------------------


def _program_columns(rows: Sequence[Record]) -> dict[str, Any]:
    return {
        "task_fitness": _stack([r.task_fitness for r in rows], np.float64, (0,)),
        "code": _stack([r.code for r in rows], np.int16, (0, 4)),
        "consts": _stack([r.consts for r in rows], np.float64, (0, 3)),
        "sizes": _stack([r.sizes for r in rows], np.int16, (3,)),
    }


def _programs_from(tree: dict[str, Any], count: int, num_ops: int) -> dict[str, Any]:
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


# --- cells ----------------------------------------------------------------------------------------


def _cell_columns(rows: Sequence[CellRecord]) -> dict[str, Any]:
    epochs = np.array([len(r.curve) for r in rows], dtype=np.int64)
    curve = np.full((len(rows), max(epochs, default=0), len(CANDIDATE_CURVE)), np.nan)
    for kept, row in zip(curve, rows, strict=True):
        kept[: len(row.curve)] = row.curve
    return {
        **columns_of(rows, CELL_COLUMNS),
        "reason": [r.reason for r in rows],
        "epochs": epochs,
        "curve": curve,
    }


def _cells_from(tree: dict[str, Any], count: int, num_ops: int) -> dict[str, Any]:
    found: dict[str, Any] = {
        name: get_array(tree, name, dtype, (count,)).tolist()
        for name, dtype in CELL_COLUMNS.items()
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


@dataclass(frozen=True)
class RecordKind:
    """How the records of a kind of genome are made, stored and read."""

    record: type
    own_columns: Callable[[Sequence[Any]], dict[str, Any]]
    from_columns: Callable[[dict[str, Any], int, int], dict[str, Any]]


KINDS = {
    "programs": RecordKind(Record, _program_columns, _programs_from),
    "cells": RecordKind(CellRecord, _cell_columns, _cells_from),
}


# --- reading trees with care ----------------------------------------------------------------------


def columns_of(rows: Sequence[Any], columns: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Returns one array for each of the rows' attributes that `columns` names with their dtype."""
    return {
        name: np.array([getattr(row, name) for row in rows], dtype=dtype)
        for name, dtype in columns.items()
    }


def _stack(arrays: list[np.ndarray], dtype: Any, empty_shape: tuple[int, ...]) -> np.ndarray:
    if not arrays:
        return np.zeros((0, *empty_shape), dtype)
    stacked = np.stack(arrays)
    if not np.array_equal(stacked, stacked.astype(dtype), equal_nan=stacked.dtype.kind == "f"):
        raise ValueError(f"values of a record do not fit into {np.dtype(dtype)}")
    return stacked.astype(dtype)


def get(tree: Any, key: str, kind: Any) -> Any:
    """Returns tree[key] if it is of that type, else raises ValueError."""
    if not isinstance(tree, dict) or key not in tree:
        raise ValueError(f"'{key}' is missing")
    # bool is an int for Python, but not here.
    if not isinstance(tree[key], kind) or (kind is int and isinstance(tree[key], bool)):
        raise ValueError(f"'{key}' is of type {type(tree[key]).__name__}")
    return tree[key]


def get_array(tree: Any, key: str, dtype: Any, shape: tuple[int | None, ...]) -> np.ndarray:
    """Returns tree[key] if it is an array of that type and shape (None: any length)."""
    array: np.ndarray = get(tree, key, np.ndarray)
    fits = array.ndim == len(shape) and all(
        want is None or want == have for want, have in zip(shape, array.shape, strict=True)
    )
    if array.dtype != dtype or not fits:
        wanted = tuple("any" if s is None else s for s in shape)
        raise ValueError(
            f"'{key}' is {array.dtype} {array.shape}, expected {np.dtype(dtype)} {wanted}"
        )
    return array


def get_texts(tree: Any, key: str, length: int | None = None) -> list[str]:
    """Returns tree[key] if it is a list of texts, of that length if one is given."""
    texts: list[str] = get(tree, key, list)
    if not all(isinstance(t, str) for t in texts) or length not in (None, len(texts)):
        raise ValueError(f"'{key}' is not a list of {'' if length is None else length} texts")
    return texts


def _check_parents(parents: dict[int, int]) -> None:
    """Raises ValueError if a parent cannot be an id, or somebody is their own ancestor.

    A parent that is not recorded is allowed: the lineage starts after it.
    """
    if min(parents.values(), default=-1) < -1:
        raise ValueError("a record's 'parent' is below -1")
    safe: set[int] = set()
    for start in parents:
        path: set[int] = set()
        step = start
        while step in parents and step not in safe:
            if step in path:
                raise ValueError(f"record {step} is its own ancestor")
            path.add(step)
            step = parents[step]
        safe |= path

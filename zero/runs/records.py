"""Records of an archive: what is kept of each individual, and how it is stored.

What the records of all kinds have in common (`COMMON_COLUMNS`, mutation and text) is read and written
here once; a kind of genome adds columns of its own. `zero.runs.archive` describes them all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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


def records_tree(rows: Sequence[Any], kind: Any) -> dict[str, Any]:
    """Returns the records of an experiment as columns; kind: a `zero.runs.kind.Kind`."""
    names = sorted({r.mutation for r in rows})
    tree: dict[str, Any] = columns_of(rows, COMMON_COLUMNS)
    tree["mutation_names"] = names
    tree["mutation"] = np.array([names.index(r.mutation) for r in rows], dtype=np.int16)
    tree["text"] = [r.text for r in rows]
    return tree | kind.columns(rows)


def records_from_tree(tree: dict[str, Any], kind: Any, num_ops: int) -> list[Any]:
    """Returns the records that `records_tree` was given; raises ValueError where they cannot be.

    kind: a `zero.runs.kind.Kind`. num_ops: how many ops the archive names.
    """
    count = get_array(tree, "id", np.int64, (None,)).shape[0]
    columns = {
        name: get_array(tree, name, dtype, (count,)).tolist()
        for name, dtype in COMMON_COLUMNS.items()
    }
    texts = get_texts(tree, "text", count)
    names = get_texts(tree, "mutation_names")
    mutation = get_array(tree, "mutation", np.int16, (count,))
    own = kind.from_columns(tree, count, num_ops)
    if count and (mutation.min() < 0 or mutation.max() >= len(names)):
        raise ValueError("a record's mutation has no name")
    _check_parents(dict(zip(columns["id"], columns["parent"], strict=True)))
    for name in ("id", "island", "individuals", "steps"):
        if min(columns[name], default=0) < 0:
            raise ValueError(f"a record's '{name}' is negative")
    return [
        kind.record(
            **{name: column[i] for name, column in columns.items()},
            mutation=names[mutation[i]],
            text=texts[i],
            **{name: column[i] for name, column in own.items()},
        )
        for i in range(count)
    ]


# --- reading trees with care ----------------------------------------------------------------------


def columns_of(rows: Sequence[Any], columns: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Returns one array for each of the rows' attributes that `columns` names with their dtype."""
    return {
        name: np.array([getattr(row, name) for row in rows], dtype=dtype)
        for name, dtype in columns.items()
    }


def stack(arrays: list[np.ndarray], dtype: Any, empty_shape: tuple[int, ...]) -> np.ndarray:
    """Returns the arrays as one of that type; raises ValueError where values do not fit into it."""
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

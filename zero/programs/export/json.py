"""A program or a trained model as JSON: all of it, to the last bit, and back.

An object with these keys; floats are written so that they read back the same, NaN and the infinities are the
texts "nan", "inf" and "-inf".

    format        "zero program"
    version       1
    program       the program's text
    notes         texts by name; figures and provenance
    model         null for a program alone, else an object with
      dtype         "float64" or "float32", of memories
      metric        "accuracy" or "rms_error"
      memories      for each output {"s": [...], "v": [[...]], "m": [[[...]]]}
      seed_key      as text, a 64-bit number; with task_keys (one for each output) and step it names
      task_keys, step    the draws of random ops
      problem       "regression", "binary" or "multiclass"
      classes       names by rising label; target: the column; epochs: of training
      preparation   as `zero.data.prepare.Preparation`: columns, mean, scale, ...
      reading       how its table was read, plain values by name
      about         texts by name
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from zero.data.prepare import PARTS, ColumnPlan, Preparation
from zero.errors import ArchiveError, ProgramError
from zero.programs.export.source import Source
from zero.programs.model import TableModel
from zero.programs.program import (
    MAX_ADDRESSES,
    Memory,
    Program,
    memory_needed,
    parse_program,
    validate_program,
)

FORMAT, VERSION = "zero program", 1
_ODD = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def to_json(source: Source) -> str:
    """Returns the text, which ends in a newline."""
    model = source.model
    tree = {
        "format": FORMAT, "version": VERSION, "program": str(source.program),
        "notes": dict(source.notes), "model": None if model is None else _model_tree(model),
    }  # fmt: skip
    return json.dumps(_plain(tree), indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def _model_tree(model: TableModel) -> dict[str, Any]:
    trained = model.trained
    preparation = {
        name: getattr(model.preparation, name) for name in Preparation.__dataclass_fields__
    }
    return {
        "dtype": trained.dtype, "metric": trained.metric,
        "memories": [{kind: banks.bank(kind) for kind in "svm"} for banks in trained.memories],
        "seed_key": str(trained.seed_key), "task_keys": list(trained.task_keys), "step": trained.step,
        "problem": model.problem, "classes": list(model.classes), "target": model.target,
        "epochs": model.epochs,
        "preparation": preparation | {"columns": [asdict(c) for c in model.preparation.columns]},
        "reading": dict(model.reading), "about": dict(model.about),
    }  # fmt: skip


def _plain(value: Any) -> Any:
    """Returns a tree in JSON's types; float32 values are the float64 values that they equal."""
    if isinstance(value, dict):
        return {str(key): _plain(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


# --- reading ---------------------------------------------------------------------------------------


def _odd(value: object) -> object:
    return _ODD[value] if isinstance(value, str) and value in _ODD else value


Number = Annotated[float, BeforeValidator(_odd)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Plain = None | bool | int | float | str | list["Plain"] | dict[str, "Plain"]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class _Column(_Strict):
    name: str
    kind: Literal["number", "category", "date"]
    fill: Number
    missing: bool
    categories: list[str]
    known: list[str]
    other: bool
    form: str | None
    parts: list[Literal["days", "month", "weekday", "hour"]] = Field(max_length=len(PARTS))
    low: Number
    high: Number


class _Preparation(_Strict):
    columns: list[_Column]
    mean: list[Number]
    scale: list[Number]
    target_mean: Finite
    target_scale: Finite
    matrix: list[list[Number]] | None
    mean_after: list[Number] | None
    scale_after: list[Number] | None
    decimal: Literal[".", ","]


class _Memory(_Strict):
    s: list[Number]
    v: list[list[Number]]
    m: list[list[list[Number]]]


class _Model(_Strict):
    dtype: Literal["float64", "float32"]
    metric: Literal["accuracy", "rms_error"]
    memories: list[_Memory] = Field(min_length=1)
    seed_key: str = Field(pattern=r"^[0-9]{1,20}$")
    task_keys: list[Annotated[int, Field(ge=0, lt=2**32)]]
    step: int = Field(ge=0, lt=2**53)
    problem: Literal["regression", "binary", "multiclass"]
    classes: list[str]
    target: str
    epochs: int = Field(ge=0, lt=2**53)
    preparation: _Preparation
    reading: dict[str, Any]
    about: dict[str, str]


class _File(_Strict):
    format: Literal["zero program"]
    version: Literal[1]
    program: str
    notes: dict[str, str]
    model: _Model | None


def from_json(text: str | bytes, where: str | Path = "the text") -> Program | TableModel:
    """Returns what `to_json` wrote: a program alone, or a model.

    Raises:
        ArchiveError: the text is no such JSON, or its parts contradict each other.
    """
    try:
        tree = json.loads(text, parse_constant=_no_constant)
        file = _File.model_validate(tree)
        program = parse_program(file.program, "program")
        validate_program(program, Memory(MAX_ADDRESSES, MAX_ADDRESSES, MAX_ADDRESSES))
        return program if file.model is None else _model_of(program, file.model, where)
    except ValidationError as error:
        first = error.errors()[0]
        at = ".".join(map(str, first["loc"])) or "its top"
        raise ArchiveError(f"{where} holds no program of zero: {at}: {first['msg']}") from error
    except MemoryError as error:
        raise ArchiveError(f"{where} holds more than the memory has room for") from error
    except (ValueError, ProgramError, RecursionError, OverflowError) as error:
        reason = " ".join(str(error).split())
        raise ArchiveError(f"{where} holds no program of zero: {reason}") from error


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON; write it as a text")


def _array(nested: Any, dtype: str, shape: tuple[int, ...], what: str) -> np.ndarray:
    """Returns nested lists of that shape as an array; raises ValueError for another."""
    with np.errstate(over="ignore"):
        # Of no rows the lists do not tell how long these are.
        array = np.array(nested, dtype) if nested else np.zeros((0, *shape[1:]), dtype)
    if array.shape != shape:
        raise ValueError(f"{what} has the shape {array.shape} where {shape} is needed")
    return array


def _model_of(program: Program, model: _Model, where: str | Path) -> TableModel:
    memory, features = (
        memory_needed(program),
        len(model.memories[0].v[0]) if model.memories[0].v else 0,
    )
    shapes = {
        "s": (memory.scalars,), "v": (memory.vectors, features),
        "m": (memory.matrices, features, features),
    }  # fmt: skip
    memories = [
        {k: _array(getattr(m, k), model.dtype, shape, f"memory {k}") for k, shape in shapes.items()}
        for m in model.memories
    ]
    if int(model.seed_key) >= 2**64:
        raise ValueError("seed_key is no number of 64 bits")
    tree = {
        "program": str(program), "memories": memories, "metric": model.metric,
        "seed_key": int(model.seed_key).to_bytes(8, "little"), "step": model.step,
        "task_keys": model.task_keys, "preparation": _preparation_tree(model.preparation),
        "problem": model.problem, "classes": model.classes, "target": model.target,
        "epochs": model.epochs, "reading": model.reading, "about": model.about,
    }  # fmt: skip
    return TableModel.from_tree(tree, where)


def _preparation_tree(given: _Preparation) -> dict[str, Any]:
    tree = given.model_dump()
    plans = [ColumnPlan(**column) for column in tree["columns"]]
    raw = sum(len(plan.features) for plan in plans)
    shapes: dict[str, tuple[int, ...]] = {"mean": (raw,), "scale": (raw,)}
    after = ("matrix", "mean_after", "scale_after")
    if any(tree[name] is not None for name in after):
        features = len(tree["mean_after"] or [])
        shapes |= {"matrix": (raw, features), "mean_after": (features,), "scale_after": (features,)}
    for name, shape in shapes.items():
        if tree[name] is None:
            raise ValueError(f"preparation lacks {name}")
        tree[name] = _array(tree[name], "float64", shape, name)
    return tree

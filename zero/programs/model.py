"""A predictor over tables: a trained program with all that is done to a row before and after it.

Kept in a run's folder as `model.h5`, a tree of plain arrays, numbers and texts (`zero.system.trees`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from zero.data.columns import Column
from zero.data.prepare import Preparation
from zero.errors import ArchiveError
from zero.programs.interpreter.reference import Banks, sigmoid
from zero.programs.program import Memory, memory_needed, parse_program
from zero.programs.trained import Trained
from zero.system.trees import Tree, read_tree, write_tree

FILE, KIND = "model.h5", "model"
VERSION = 1
Problem = Literal["regression", "binary", "multiclass"]


@dataclass(frozen=True, eq=False)
class TableModel:
    """See the module's docstring.

    trained: one output, or one a class for "multiclass". classes: the names, by rising label; of two,
    the output is the second's; none for a regression. target: the column that is predicted. epochs: that
    it was trained for. reading: how its table was read (`zero.data.tables`), for other files. about: figures
    and provenance, for notes in exports: plain texts by name.
    """

    trained: Trained
    preparation: Preparation
    problem: Problem
    classes: tuple[str, ...]
    target: str
    epochs: int
    reading: Mapping[str, Any] = field(default_factory=dict)
    about: Mapping[str, str] = field(default_factory=dict)

    def predict_table(self, table: Mapping[str, Column]) -> np.ndarray:
        """Returns what is predicted for a table's rows: numbers, or names of classes.

        Raises:
            TaskError: columns are missing, or cells are not what they should be.
        """
        return self.predict_features(self.preparation.features(table))

    def predict_features(self, x: np.ndarray) -> np.ndarray:
        """Returns what is predicted for features (N, F) as the program sees them."""
        if self.problem == "regression":
            scores = self.trained.scores(x)[:, 0].astype(np.float64)
            return scores * self.preparation.target_scale + self.preparation.target_mean
        return np.array(self.classes)[self.labels(x)]

    def labels(self, x: np.ndarray) -> np.ndarray:
        """Returns the number of each row's class (N,): of equal ones the first."""
        if self.problem == "binary":
            return (sigmoid(self.trained.scores(x)[:, 0]) > 0.5).astype(np.int64)
        return self.trained.probabilities(x).argmax(axis=1)

    def to_tree(self) -> Tree:
        """Returns it as a tree."""
        trained = self.trained
        memories = [
            {"s": banks.s, "v": banks.v, "m": banks.m} for banks in trained.memories
        ]  # in full: what goes on training needs more than predictions do
        return {
            "program": str(trained.program), "memories": memories, "metric": trained.metric,
            "seed_key": trained.seed_key.to_bytes(8, "little"), "step": trained.step,
            "task_keys": list(trained.task_keys), "preparation": self.preparation.to_tree(),
            "problem": self.problem, "classes": list(self.classes), "target": self.target,
            "epochs": self.epochs, "reading": dict(self.reading), "about": dict(self.about),
        }  # fmt: skip

    @classmethod
    def from_tree(cls, tree: Tree, where: str | Path) -> TableModel:
        """Returns what `to_tree` gave; raises ArchiveError where something is missing or contradicts."""
        try:
            program = parse_program(tree["program"], str(where))
            memory = memory_needed(program)
            trained = Trained(
                program, tuple(_banks(m, memory) for m in tree["memories"]), tree["metric"],
                int.from_bytes(tree["seed_key"], "little"), tuple(tree["task_keys"]), tree["step"],
            )  # fmt: skip
            preparation = Preparation.from_tree(tree["preparation"])
            model = cls(
                trained, preparation, tree["problem"], tuple(tree["classes"]), tree["target"],
                tree["epochs"], tree["reading"], tree["about"],
            )  # fmt: skip
            model._check()
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise ArchiveError(
                f"{where} holds no model: {type(error).__name__}: {error}"
            ) from error
        return model

    def _check(self) -> None:
        outputs = len(self.classes) if self.problem == "multiclass" else 1
        if len(self.trained.memories) != outputs or len(self.trained.task_keys) != outputs:
            raise ValueError(f"{len(self.trained.memories)} memories for {outputs} outputs")
        if self.preparation.num_features != self.trained.features:
            raise ValueError("memory and preparation differ in features")
        if len(self.classes) < 2 and self.problem != "regression":
            raise ValueError("fewer than two classes")

    def save(self, path: str | Path) -> None:
        """Writes it to a file, in one step."""
        write_tree(Path(path), self.to_tree(), KIND, VERSION, compress=True)


def _banks(tree: Mapping[str, Any], memory: Memory) -> Banks:
    """Returns a memory; raises ValueError where its arrays do not fit each other or the program."""
    s, v, m = (np.asarray(tree[name]) for name in ("s", "v", "m"))
    banks = Banks(memory, v.shape[-1], s.dtype.name)
    for name, array in (("s", s), ("v", v), ("m", m)):
        mine = banks.bank(name)
        if array.shape != mine.shape or array.dtype != mine.dtype or array.dtype.kind != "f":
            raise ValueError(
                f"memory {name} has shape {array.shape}, the program needs {mine.shape}"
            )
        mine[...] = array
    return banks


def load_model(path: Path) -> TableModel:
    """Returns the model that a file holds.

    Raises:
        ArchiveError: it cannot be read, or holds none.
    """
    tree = read_tree(path, KIND, VERSION)
    return TableModel.from_tree(tree, path)

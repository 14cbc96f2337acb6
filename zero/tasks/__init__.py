"""Tasks: what programs are evaluated on. One file per task family in this folder.

A family is a class derived from `TaskFamily`: its fields are the keys that a YAML file may give
under `tasks: {search: {type: NAME, ...}}`, its method `make` builds one `Task`. Families are found
by importing the modules of this folder (in sorted order), so adding one touches one file and its
test. `common`, `sources`, `table_data` and `read_*` hold what families share.

Called by `zero.programs.config` (validation of the keys) and `zero.runs.run` (`make_task_set`).
"""

from __future__ import annotations

import importlib
import pkgutil
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, get_args

import numpy as np
from pydantic import ConfigDict, Field

from zero.config.settings import Settings
from zero.data.splits import rng_for
from zero.errors import TaskError, ZeroError, unknown_name, what_is
from zero.system.own_code import fault_of, is_own, place_of
from zero.tasks.networks import Network, NetworkTraining, Part

PURPOSES = ("search", "select", "final")
Purpose = Literal["search", "select", "final"]
Metric = Literal["rms_error", "accuracy"]
METRICS = get_args(Metric)
Labels = Literal["scalar", "vector"]

SeedList = list[Annotated[int, Field(ge=0, lt=2**63)]]


@dataclass(frozen=True)
class Task:
    """One data set.

    train_x (N, F), train_y (N,), valid_x (V, F), valid_y (V,): float64, finite. classes: 0, or K of vector
    labels: then each label is the number of a class, 0 to K - 1, and K is at most F. Programs train on
    `train` and are scored on `valid`; for a final task `valid` holds the test split. valid_ids (V,):
    which examples of the family's data these are, so that tasks that share some are not taken for
    independent; None: no other task has any of them. valid_weights (V,): how much each of these examples
    counts in final figures, at least 0; None: all alike. network: that a program helps to train, where
    it is no predictor (`TaskFamily.part`).
    """

    name: str
    train_x: np.ndarray
    train_y: np.ndarray
    valid_x: np.ndarray
    valid_y: np.ndarray
    valid_ids: np.ndarray | None = None
    valid_weights: np.ndarray | None = None
    classes: int = 0
    network: Network | None = None


@dataclass(frozen=True, repr=False)
class TaskSet:
    """T tasks of equal shape, stacked.

    names: T strings. keys (T,) uint32: name each task's random draws. train_x (T, N, F), train_y
    (T, N), valid_x (T, V, F), valid_y (T, V): float64, C-contiguous. metric: how predictions are
    scored. epochs: how often the train examples are gone through (at least 1). valid_ids (T, V) int64:
    equal where tasks share an example; None: they share none. valid_weights (T, V): how much each counts;
    None: all alike. Only `zero.programs.evaluator.Evaluator` heeds them, not the search. classes: see `Task`;
    what programs see of them says `zero.programs.interpreter.reference.run`. training: how networks are
    trained where programs are a part of that; None: programs are predictors.
    """

    names: tuple[str, ...]
    keys: np.ndarray
    train_x: np.ndarray
    train_y: np.ndarray
    valid_x: np.ndarray
    valid_y: np.ndarray
    metric: Metric
    epochs: int = 1
    valid_ids: np.ndarray | None = None
    valid_weights: np.ndarray | None = None
    classes: int = 0
    training: NetworkTraining | None = None

    def __repr__(self) -> str:
        classes = f"{self.classes} classes, " if self.classes else ""
        return (
            f"<TaskSet: {self.num_tasks} tasks of {self.features} features, {classes}"
            f"{self.train_x.shape[1]} train and {self.valid_x.shape[1]} valid examples, {self.metric}>"
        )

    @property
    def num_tasks(self) -> int:
        """Number of tasks T."""
        return self.train_x.shape[0]

    @property
    def features(self) -> int:
        """Number of features F, the length of a program's vectors; 1 where it trains networks."""
        return self.train_x.shape[2] if self.training is None else 1

    @property
    def steps(self) -> int:
        """Train steps of a task in each epoch."""
        return self.train_x.shape[1] if self.training is None else self.training.steps

    @property
    def labels(self) -> Labels:
        """Whether programs see labels as scalars or as vectors."""
        return "vector" if self.classes else "scalar"


class TaskFamily(Settings):
    """Base of the task families: the keys that all of them have.

    A subclass sets `kind` (its name in YAML, the value of `type`) and `metric`, adds its own fields
    and defines `make`.
    """

    model_config = ConfigDict(extra="forbid")

    kind: ClassVar[str]
    metric: ClassVar[Metric]  # a family whose keys decide it overrides this with a property
    # "vector": the classes of `Task.classes`, with the metric accuracy.
    labels: ClassVar[Labels] = "scalar"
    # Whether `make` gives the examples of each part in a random order already. If not, `make_task`
    # shuffles them: programs remember, and would learn the order instead of the task.
    shuffled: ClassVar[bool] = False
    # What a program is here; unless it is a predictor, tasks have a network, and the family gives `steps`
    # (of each epoch) and, for a loss, the learning rate `rate`.
    part: ClassVar[Part] = "predictor"

    count: int = Field(1, ge=1, le=4096, description="number of tasks")
    epochs: int = Field(
        1, ge=1, le=100_000, description="times the train examples are gone through"
    )
    data_seeds: SeedList = Field(
        default=[], description="seeds of the tasks' data; missing ones count up from the last"
    )
    param_seeds: SeedList = Field(
        default=[], description="seeds of the tasks' hidden parameters; missing ones count up"
    )

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        """Checks a family of the user's own as soon as its file is imported."""
        if "kind" not in cls.__dict__ or cls.__module__.startswith(f"{__name__}."):
            return
        kind, cls.kind = cls.kind, ""  # as long as it is wrong, no config can ask for it
        metric = getattr(cls, "metric", None)
        if not isinstance(kind, str) or not kind:
            fault = f"kind must be text, got {what_is(kind)}"
        elif getattr(task_families().get(kind), "__module__", "").startswith(f"{__name__}."):
            fault = f"a shipped task family has kind '{kind}' already; choose another"
        elif not isinstance(metric, property) and metric not in METRICS:
            got = f", got {what_is(metric)}" if metric is not None else ""
            fault = f"metric must be one of {', '.join(METRICS)}{got}"
        elif cls.labels not in get_args(Labels):
            fault = (
                f"labels must be one of {', '.join(get_args(Labels))}, got {what_is(cls.labels)}"
            )
        elif cls.labels == "vector" and metric != "accuracy":
            fault = "with vector labels metric must be accuracy"
        else:
            cls.kind = kind
            return
        raise TaskError(f"task family {cls.__name__}: {fault}")

    def make(self, data_seed: int, param_seed: int, purpose: Purpose) -> Task:
        """Returns the task that these seeds name; the same arguments give the same bits.

        The order of the examples carries nothing, see `shuffled`.
        """
        raise NotImplementedError

    def resolve_paths(self, base: Path) -> TaskFamily:
        """Returns the family with its file paths made absolute; relative ones start at `base`.

        A family without paths returns itself. `base` is the folder of the YAML file.
        """
        return self

    def stored(self, path: Path) -> TaskFamily:
        """Returns the family with its data in a file: written to `path` (.npz) if there is none.

        A run needs it, so that it can be resumed in another process.
        """
        return self

    def notes(self) -> tuple[str, ...]:
        """Returns what a person should know of the data before a run, a line each."""
        return ()

    def check_apart(self, other: TaskFamily) -> None:
        """Raises TaskError if `other` may train or score on this family's test rows.

        To be called on the final family with the search and the select family. Families that draw
        fresh numbers have nothing to check.
        """


def task_families() -> dict[str, type[TaskFamily]]:
    """Returns every task family by its name in YAML."""
    for module in sorted(m.name for m in pkgutil.iter_modules(__path__)):
        importlib.import_module(f"{__name__}.{module}")
    found: dict[str, type[TaskFamily]] = {}
    todo = list(TaskFamily.__subclasses__())
    while todo:
        family = todo.pop()
        todo.extend(family.__subclasses__())
        if family.__dict__.get("kind"):
            found[family.kind] = family
    return dict(sorted(found.items()))


def make_task(family: TaskFamily, data_seed: int, param_seed: int, purpose: Purpose) -> Task:
    """Returns the task that these seeds name, its examples in random order, checked.

    Checked are shapes, that all is finite, and that no class is missing in a part.
    """
    task = _made(family, data_seed, param_seed, purpose)
    parts = {}
    for name in ("train_x", "train_y", "valid_x", "valid_y"):
        try:
            parts[name] = np.ascontiguousarray(getattr(task, name), dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise TaskError(
                f"task '{task.name}': {name} is no array of numbers: {error}"
            ) from error
    for split in ("train", "valid"):
        x, y = parts[f"{split}_x"], parts[f"{split}_y"]
        if x.ndim != 2 or y.shape != x.shape[:1] or len(x) == 0:
            raise TaskError(
                f"task '{task.name}': {split} examples have shape {x.shape} and labels {y.shape}; "
                "expected (N, F) and (N,) with N of at least 1"
            )
        if not (np.isfinite(x).all() and np.isfinite(y).all()):
            raise TaskError(f"task '{task.name}': NaN or infinity in the {split} examples")
        if family.labels == "vector":
            _check_classes(task, split, y, x.shape[1])
        elif family.metric == "accuracy" and len(np.unique(y > 0.5)) < 2:
            raise TaskError(
                f"task '{task.name}': all {len(y)} {_PART_NAMES[purpose, split]} examples are of class "
                f"{int(y[0] > 0.5)}, so that no figure would mean anything; give a larger size or more "
                "examples of the other class"
            )
    if parts["train_x"].shape[1] != parts["valid_x"].shape[1]:
        raise TaskError(f"task '{task.name}': train and valid examples differ in features")
    ids, weights = task.valid_ids, task.valid_weights
    if not family.shuffled:
        for split in ("train", "valid"):
            rng = rng_for(f"{family.kind}/order/{split}", data_seed)
            order = rng.permutation(len(parts[f"{split}_y"]))
            for name in (f"{split}_x", f"{split}_y"):
                parts[name] = np.ascontiguousarray(parts[name][order])
            if split == "valid":
                ids, weights = (None if a is None else a[order] for a in (ids, weights))
    classes = task.classes if family.labels == "vector" else 0
    return Task(
        task.name, **parts, valid_ids=ids, valid_weights=weights, classes=classes,
        network=task.network,
    )  # fmt: skip


def _check_classes(task: Task, split: str, y: np.ndarray, features: int) -> None:
    """Raises TaskError if the labels of a part are no class numbers of a task that can be evaluated."""
    if not 2 <= task.classes <= features:
        raise TaskError(
            f"task '{task.name}': {task.classes} classes and {features} features; one-hot labels need at "
            "least 2 classes and as many features"
        )
    if not np.isin(y, np.arange(task.classes)).all():
        raise TaskError(
            f"task '{task.name}': the {split} labels must be the classes' numbers, 0 to {task.classes - 1}"
        )
    if len(np.unique(y)) < 2:
        raise TaskError(f"task '{task.name}': all {split} examples are of class {int(y[0])}")


def _made(family: TaskFamily, data_seed: int, param_seed: int, purpose: Purpose) -> Task:
    """Returns what `make` returns; a fault of a family of the user's own is told in one line."""
    own = is_own(family.make)
    try:
        task = family.make(data_seed, param_seed, purpose)
    except (Exception, SystemExit) as error:
        if not own or isinstance(error, ZeroError):
            raise
        raise TaskError(f"task family '{family.kind}' failed: {fault_of(error)}") from error
    if not isinstance(task, Task) or not isinstance(task.name, str):
        found = what_is(task) if not isinstance(task, Task) else f"one named {what_is(task.name)}"
        raise TaskError(
            f"task family '{family.kind}': make must return a zero.tasks.Task with a name that is "
            f"text, got {found} ({place_of(family.make)})"
        )
    return task


_PART_NAMES = {
    (purpose, split): "test" if (purpose, split) == ("final", "valid") else split
    for purpose in PURPOSES
    for split in ("train", "valid")
}


def seeds_of(
    given: list[int], count: int, purpose: Purpose, what: str, experiment: int
) -> list[int]:
    """Returns `count` seeds: those given, then counting up from the last one given.

    Without any, they start at a number made from purpose, what they are for and the experiment, so
    that search, select and final tasks never share data unless a config asks for it. For an
    experiment above 0, search and select tasks take new seeds even where some are given (spec,
    section 6.8: the final tasks always keep theirs).
    """
    if given and (experiment == 0 or purpose == "final"):
        seeds = list(given[:count])
    else:
        tag = f"{purpose}/{what}/{0 if purpose == 'final' else experiment}"
        if given:
            tag += f"/{given[0]}"
        # 2**20 seeds apart: no two starts come close in practice.
        seeds = [zlib.crc32(tag.encode()) << 20]
    while len(seeds) < count:
        seeds.append(seeds[-1] + 1)
    return seeds


def make_task_set(family: TaskFamily, purpose: Purpose, experiment: int = 0) -> TaskSet:
    """Returns the family's tasks for one purpose.

    Args:
        family: a task family with its settings.
        purpose: "search", "select" or "final"; decides seeds and which split is scored.
        experiment: the number of the experiment when experiments draw new tasks, else 0.

    Raises:
        TaskError: the data cannot be read, or its tasks differ in shape.

    Same arguments and data files, same bits.
    """
    if not isinstance(family, TaskFamily):
        raise TaskError(
            "make_task_set takes a task family, such as zero.table_from_frame returns, got "
            f"{what_is(family)}"
        )
    if not isinstance(purpose, str) or purpose not in PURPOSES:
        raise TaskError(unknown_name("purpose", purpose, PURPOSES))
    if not isinstance(experiment, int | np.integer) or experiment < 0:
        raise TaskError(
            f"experiment must be a whole number of at least 0, got {what_is(experiment)}"
        )
    data_seeds = seeds_of(family.data_seeds, family.count, purpose, "data", experiment)
    param_seeds = seeds_of(family.param_seeds, family.count, purpose, "param", experiment)
    pairs = list(zip(data_seeds, param_seeds, strict=True))
    tasks = [make_task(family, d, p, purpose) for d, p in pairs]
    shapes = {(t.train_x.shape, t.valid_x.shape, *([t.classes] * (t.classes > 0))) for t in tasks}
    if len(shapes) > 1:
        raise TaskError(
            f"{family.kind}: tasks of one set must have equal shapes, found {sorted(shapes)}; "
            "give 'train' and 'valid' sizes that every task can fill"
        )
    keys = [
        zlib.crc32(f"{family.kind}/{t.name}/{d}/{p}/{i}".encode())
        for i, (t, (d, p)) in enumerate(zip(tasks, pairs, strict=True))
    ]
    ids, weights = [t.valid_ids for t in tasks], [t.valid_weights for t in tasks]
    return TaskSet(
        names=tuple(t.name for t in tasks),
        keys=np.array(keys, dtype=np.uint32),
        train_x=np.stack([t.train_x for t in tasks]),
        train_y=np.stack([t.train_y for t in tasks]),
        valid_x=np.stack([t.valid_x for t in tasks]),
        valid_y=np.stack([t.valid_y for t in tasks]),
        metric=family.metric,
        epochs=family.epochs,
        valid_ids=_stacked(ids),
        valid_weights=_stacked(weights),
        classes=tasks[0].classes,
        training=_training(family, tasks),
    )


def _training(family: TaskFamily, tasks: list[Task]) -> NetworkTraining | None:
    """Returns how the tasks' networks are trained, None where programs are predictors."""
    networks = tuple(task.network for task in tasks if task.network is not None)
    if family.part == "predictor":
        return None
    if len(networks) < len(tasks):
        raise TaskError(f"{family.kind}: part is {family.part}, so every task must have a network")
    return NetworkTraining(
        family.part, getattr(family, "steps", 1), getattr(family, "rate", 0.0), networks
    )


def _stacked(parts: list[np.ndarray | None]) -> np.ndarray | None:
    found = [part for part in parts if part is not None]
    return np.stack(found) if len(found) == len(parts) else None

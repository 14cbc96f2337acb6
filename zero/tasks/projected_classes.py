"""Projected classification into many classes with vector labels (paper, section 4.3; spec, section 9.4).

All classes of a labelled set, or those given, are split, projected to a few features by a random matrix,
and standardised, as in `zero.tasks.projected_binary`: the test rows of a class are the same for every
seed, no search ever sees them, and the final tasks score on them. The paper's tasks (CIFAR-10, 45,000
train and 5000 validation examples, 16 features, 1000 projections) are not public: the split and the
projections are drawn here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from zero.config.settings import Check
from zero.data.sources import Labelled, SourceName, load_source
from zero.data.splits import find_file, rng_for, split_sizes
from zero.errors import TaskError
from zero.tasks import Labels, Metric, Purpose, Task, TaskFamily
from zero.tasks.projected_binary import (
    ClassId,
    SeedRange,
    Size,
    check_official_test,
    check_path,
    projected,
)


class ProjectedClasses(TaskFamily):
    """Tell the classes of a labelled set apart, with vector labels, from randomly projected features.

    A task's data seed picks the seed of split and projection, counting up from `seeds.min`. The parameter
    seed changes nothing. Class k of K is the k-th of the source's class ids, in rising order.
    """

    kind: ClassVar[str] = "projected_classes"
    checks: ClassVar[tuple[Check, ...]] = (check_path, check_official_test)
    metric: ClassVar[Metric] = "accuracy"
    labels: ClassVar[Labels] = "vector"
    shuffled: ClassVar[bool] = True

    source: SourceName = Field("digits", description="where the examples come from")
    path: str | None = Field(None, description="folder of the source's files, or the NPZ file")
    x: str = Field("X", description="name of the features in an NPZ file")
    y: str = Field("y", description="name of the class ids in an NPZ file")
    projection: Literal["gaussian", "none"] = Field(
        "gaussian", description="gaussian: a random matrix; none: the features as they are"
    )
    features: int | None = Field(
        None, ge=1, le=4096, description="projected size; default 16, or all if there are fewer"
    )
    classes: Annotated[list[ClassId], Field(min_length=2)] | None = Field(
        None, description="the classes to tell apart, at most `features`; default all"
    )
    train: Size | None = Field(None, description="train examples; default 60 %")
    valid: Size | None = Field(None, description="valid examples; default 20 %")
    test: Size | None = Field(None, description="test examples; default 20 %")
    seeds: SeedRange = Field(default_factory=SeedRange, description="split and projection seeds")
    max_per_class: int | None = Field(None, ge=3, description="use each class's first K examples")
    official_test: bool = Field(False, description="test on the source's own test images")

    def resolve_paths(self, base: Path) -> ProjectedClasses:
        """Returns the family with `path` made absolute; relative ones start at `base`."""
        if self.path is None:
            return self
        return self.model_copy(update={"path": str(find_file(self.path, base))})

    def make(self, data_seed: int, param_seed: int, purpose: Purpose) -> Task:
        """Returns the task of this data seed. A final task scores on the test rows.

        Raises:
            TaskError: the source cannot be read, lacks a class, or is too small for the sizes.
        """
        data = self._load("train")
        classes = self._classes(data)
        seed = self.seeds.min + data_seed % (self.seeds.max - self.seeds.min)
        rows = self.rows(seed)
        test_data = self._load("test") if self.official_test else data
        scored = (test_data, rows["test"]) if purpose == "final" else (data, rows["valid"])
        train_x, valid_x = projected(self, data, rows["train"], *scored, seed)
        return Task(
            f"{data.name}-{len(classes)}classes-seed{seed}",
            train_x,
            np.searchsorted(classes, data.labels[rows["train"]]).astype(np.float64),
            valid_x,
            np.searchsorted(classes, scored[0].labels[scored[1]]).astype(np.float64),
            scored[1],
            classes=len(classes),
        )

    def check_apart(self, other: TaskFamily) -> None:
        """Raises TaskError if `other` may use this family's test rows; see `TaskFamily`."""
        if not isinstance(other, ProjectedClasses) or self.official_test:
            return
        mine, others = self._load("train"), other._load("train")
        if mine is not others:
            return
        if (self.max_per_class, self._classes(mine)) != (
            other.max_per_class,
            other._classes(others),
        ):
            raise TaskError(
                f"{self.source}: the final tasks have other classes or another max_per_class than the search "
                "or select tasks, so test rows could be trained on; give the same to all"
            )
        kept = 0 if other.official_test else other._sizes(others)["test"]
        if self._sizes(mine)["test"] > kept:
            raise TaskError(
                f"{self.source}: the final tasks test on {self._sizes(mine)['test']} examples but "
                f"others keep only {kept} apart, so test rows could be trained on; give the same "
                "'test' size to search, select and final tasks"
            )

    def _load(self, part: Literal["train", "test"]) -> Labelled:
        return load_source(self.source, self.path, part, (self.x, self.y))

    def _classes(self, data: Labelled) -> list[int]:
        """Returns the class ids of the tasks, in rising order."""
        known = list(data.rows_of)
        wanted = sorted(set(self.classes or known))
        if missing := [c for c in wanted if c not in data.rows_of]:
            raise TaskError(f"{data.name}: has no class {missing[0]}; its classes are {known}")
        return wanted

    def _sizes(self, data: Labelled) -> dict[str, int]:
        """Returns the number of train, valid and test rows of all classes together."""
        classes = self._classes(data)
        rows = sum(len(data.rows_of[c][: self.max_per_class]) for c in classes)
        given = {"train": self.train, "valid": self.valid, "test": self.test}
        if self.official_test:
            tests = self._load("test").rows_of
            given["test"] = self.test or sum(len(tests.get(c, ())) for c in classes)
            rows += given[
                "test"
            ]  # they come from elsewhere and leave all rows to the other two parts
        return split_sizes(rows, given, data.name)

    def rows(self, seed: int) -> dict[str, np.ndarray]:
        """Returns the row numbers, in the source, of the train, valid and test examples of a split.

        Each part has the classes in the shares that the source has. The test rows are the same for all
        seeds, and no other part ever has one of them. With `official_test` they are rows of the official
        test set.
        """
        data = self._load("train")
        classes, sizes = self._classes(data), self._sizes(data)
        owned = [data.rows_of[c][: self.max_per_class] for c in classes]
        tested = owned
        if self.official_test:
            tests = self._load("test").rows_of
            tested = [tests.get(c, np.zeros(0, dtype=np.int64)) for c in classes]
        # Independent of the seed: the test rows of a class are the first ones of this order.
        tested = [
            rng_for("projected_classes/test", c).permutation(own)
            for c, own in zip(classes, tested, strict=True)
        ]
        if sizes["test"] > (most := sum(map(len, tested))):
            raise TaskError(
                f"{data.name}: test: {sizes['test']} examples wanted of {most}; give a smaller size"
            )
        counts = _shared(sizes["test"], [len(own) for own in tested])
        test = np.concatenate([own[:n] for own, n in zip(tested, counts, strict=True)])
        if not self.official_test:
            owned = [np.sort(own[n:]) for own, n in zip(tested, counts, strict=True)]
        rng = rng_for("projected_classes/split", seed)
        owned = [rng.permutation(own) for own in owned]
        train = _shared(sizes["train"], [len(own) for own in owned])
        left = [own[n:] for own, n in zip(owned, train, strict=True)]
        valid = _shared(sizes["valid"], [len(own) for own in left])
        parts = {
            "train": [own[:n] for own, n in zip(owned, train, strict=True)],
            "valid": [own[:n] for own, n in zip(left, valid, strict=True)],
            "test": [test],
        }
        return {name: rng.permutation(np.concatenate(rows)) for name, rows in parts.items()}


def _shared(number: int, have: list[int]) -> list[int]:
    """Returns how many of each class to take for `number` in all, in proportion to what there is.

    Each at most what there is, which must be enough in all; differences of rounding fall to the first.
    """
    ends = np.cumsum(have)
    cuts = -(-number * ends // ends[-1])  # rounded up
    taken = np.diff(np.concatenate([[0], cuts]))
    return [int(n) for n in taken]

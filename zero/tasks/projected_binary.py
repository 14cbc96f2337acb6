"""Projected binary classification: two classes of any labelled set (spec, sections 5.5 and 5.6).

The examples of two classes are split, projected to a few features by a random matrix, and
standardised. Departures from the original, both so that no test row is ever seen by a search: the
test rows of a class are the same for every seed and pair (the original draws them anew with each
split), and the final tasks score on them (the original never reads its test split; spec, section 8,
row 38). Random numbers have the original's distributions, not its values.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import ConfigDict, Field

from zero.config.settings import (
    Check,
    Found,
    Settings,
    roughly,
)
from zero.data.sources import (
    BUNDLED,
    WITH_OFFICIAL_TEST,
    Labelled,
    SourceName,
    load_source,
)
from zero.data.splits import (
    find_file,
    rng_for,
    split_sizes,
    standardize,
)
from zero.errors import TaskError
from zero.tasks import Metric, Purpose, Task, TaskFamily

DEFAULT_FEATURES = 16
# Rows projected at a time: as float64, 1000 CIFAR images take 25 MB.
BLOCK = 1000

ClassId = Annotated[int, Field(ge=0)]
ClassPair = Annotated[list[ClassId], Field(min_length=2, max_length=2)]
Size = Annotated[int, Field(ge=1, lt=2**40)]


def _check_seeds(seeds: Any) -> Iterator[Found]:
    if seeds.min >= seeds.max:
        yield (), f"min {seeds.min} must be below max {seeds.max}"


class SeedRange(Settings):
    """The seeds of splits and projections: min, ..., max - 1."""

    model_config = ConfigDict(extra="forbid")
    checks: ClassVar[tuple[Check, ...]] = (_check_seeds,)

    min: int = Field(0, ge=0, lt=2**31, description="first seed")
    max: int = Field(100, ge=1, le=2**31, description="one more than the last seed")


def _check_fixed(family: Any) -> Iterator[Found]:
    fixed = family.positive_class, family.negative_class
    if (fixed[0] is None) != (fixed[1] is None):
        yield (), "positive_class and negative_class: give both or neither"
    elif fixed[0] is not None and fixed[0] == fixed[1]:
        yield (), f"positive_class and negative_class are both {fixed[0]}"


def _check_fixed_alone(family: Any) -> Iterator[Found]:
    if family.positive_class is not None and (family.pairs is not None or family.held_out_pairs):
        yield (), "positive_class fixes the pair; leave out pairs and held_out_pairs"


def _each_pair(key: str) -> Check:
    def check(family: Any) -> Iterator[Found]:
        for i, pair in enumerate(roughly(family, key) or []):
            if pair[0] == pair[1]:
                yield (key, i), f"pair {pair}: a pair has two different classes"

    return check


def _check_pairs_left(family: Any) -> Iterator[Found]:
    if family.pairs is not None and not without(family.pairs, family.held_out_pairs):
        yield ("pairs",), "none is left (an empty list, or all of them are held out)"


def check_path(family: Any) -> Iterator[Found]:
    """Checks that a source has a path where it needs one, and only there."""
    if family.source in BUNDLED and family.path is not None:
        yield ("path",), f"source '{family.source}' comes with scikit-learn; leave it out"
    if family.source in ("mnist", "cifar10", "arrays") and family.path is None:
        yield ("path",), f"source '{family.source}' needs it"


def check_official_test(family: Any) -> Iterator[Found]:
    """Checks that a source has the test set that is asked for."""
    if family.official_test and family.source not in WITH_OFFICIAL_TEST:
        yield ("official_test",), f"source '{family.source}' has no official test set"


def without(pairs: list[list[int]], held_out: list[list[int]]) -> list[list[int]]:
    """Returns the pairs that are not held out, in whichever order their classes stand."""
    kept_apart = {frozenset(pair) for pair in held_out}
    return [pair for pair in pairs if frozenset(pair) not in kept_apart]


class ProjectedBinary(TaskFamily):
    """Tell two classes of a labelled set apart from randomly projected features.

    A task's data seed picks a class pair and a seed below `seeds.max`; that seed picks split and
    projection. The parameter seed changes nothing, as in the original.
    """

    kind: ClassVar[str] = "projected_binary"
    checks: ClassVar[tuple[Check, ...]] = (
        _check_fixed, _check_fixed_alone, _each_pair("pairs"), _each_pair("held_out_pairs"),
        _check_pairs_left, check_path, check_official_test,
    )  # fmt: skip
    metric: ClassVar[Metric] = "accuracy"
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
    train: Size | None = Field(None, description="train examples; default 60 % of a pair")
    valid: Size | None = Field(None, description="valid examples; default 20 %")
    test: Size | None = Field(None, description="test examples; default 20 %")
    positive_class: ClassId | None = Field(None, description="class with label 1, fixes the pair")
    negative_class: ClassId | None = Field(None, description="class with label 0, fixes the pair")
    pairs: list[ClassPair] | None = Field(None, description="the pairs to draw from; default all")
    held_out_pairs: list[ClassPair] = Field(default=[], description="pairs that are never drawn")
    seeds: SeedRange = Field(default_factory=SeedRange, description="split and projection seeds")
    max_per_class: int | None = Field(None, ge=3, description="use each class's first K examples")
    official_test: bool = Field(False, description="test on the source's own test images")

    def resolve_paths(self, base: Path) -> ProjectedBinary:
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
        positive, negative, seed = self.draw(data_seed)
        rows = self.rows(data_seed)
        test_data = self._load("test") if self.official_test else data
        scored = (test_data, rows["test"]) if purpose == "final" else (data, rows["valid"])
        train_x, valid_x = projected(self, data, rows["train"], *scored, seed)
        return Task(
            f"{data.name}-{positive}v{negative}-seed{seed}",
            train_x,
            (data.labels[rows["train"]] == positive).astype(np.float64),
            valid_x,
            (scored[0].labels[scored[1]] == positive).astype(np.float64),
            scored[1],
        )

    def check_apart(self, other: TaskFamily) -> None:
        """Raises TaskError if `other` may use this family's test rows; see `TaskFamily`."""
        if not isinstance(other, ProjectedBinary) or self.official_test:
            return
        mine, others = self._load("train"), other._load("train")
        if mine is not others:
            return
        if self.max_per_class != other.max_per_class:
            raise TaskError(
                f"{self.source}: max_per_class is {self.max_per_class} for the final tasks and "
                f"{other.max_per_class} for others, so test rows could be trained on; give the same"
            )
        kept = 0 if other.official_test else other._sizes(others)["test"]
        if self._sizes(mine)["test"] > kept:
            raise TaskError(
                f"{self.source}: the final tasks test on {self._sizes(mine)['test']} examples but "
                f"others keep only {kept} apart, so test rows could be trained on; give the same "
                "'test' size to search, select and final tasks"
            )

    def _load(self, part: str) -> Labelled:
        return load_source(self.source, self.path, part, (self.x, self.y))

    def draw(self, data_seed: int) -> tuple[int, int, int]:
        """Returns the positive class, the negative class and the seed of split and projection."""
        data, seeds = self._load("train"), self.seeds
        classes = list(data.rows_of)
        named = {c for pair in [*(self.pairs or []), *self.held_out_pairs] for c in pair}
        named |= {c for c in (self.positive_class, self.negative_class) if c is not None}
        if missing := sorted(named - set(classes)):
            raise TaskError(f"{data.name}: has no class {missing[0]}; its classes are {classes}")
        if self.positive_class is not None and self.negative_class is not None:
            seed = seeds.min + data_seed % (seeds.max - seeds.min)
            return self.positive_class, self.negative_class, seed
        every = [[a, b] for i, a in enumerate(classes) for b in classes[i + 1 :]]
        allowed = without(self.pairs or every, self.held_out_pairs)
        if not allowed:
            raise TaskError(f"{data.name}: no class pair is left (its classes are {classes})")
        rng = rng_for("projected_binary/pair", data_seed)
        pair = allowed[rng.integers(len(allowed))]
        return min(pair), max(pair), int(rng.integers(seeds.min, seeds.max))

    def _sizes(self, data: Labelled) -> dict[str, int]:
        """Returns the number of train, valid and test rows, the same for every pair."""
        # All classes count, not only those of the allowed pairs: so search and final tasks with
        # different pairs keep equally many test rows apart.
        rows = 2 * min(len(rows[: self.max_per_class]) for rows in data.rows_of.values())
        given = {"train": self.train, "valid": self.valid, "test": self.test}
        if self.official_test:
            tests = 2 * min(len(rows) for rows in self._load("test").rows_of.values())
            given["test"] = self.test or tests
            # They come from elsewhere and leave all rows to the other two parts.
            rows += given["test"]
        if None not in given.values():
            return {part: int(size or 0) for part, size in given.items()}
        sizes = split_sizes(rows, given, f"{data.name}, its smallest classes")
        # Even sizes, so that the classes are exactly balanced.
        return {part: n if given[part] else max(2, n - n % 2) for part, n in sizes.items()}

    def rows(self, data_seed: int) -> dict[str, np.ndarray]:
        """Returns the row numbers, in the source, of a data seed's train, valid and test examples.

        Half of each part belongs to either class where the classes' sizes allow it. A class's test
        rows are the same for all seeds and pairs, and no other part ever has one of them. With
        `official_test` they are rows of the official test set.
        """
        data = self._load("train")
        positive, negative, seed = self.draw(data_seed)
        sizes = self._sizes(data)
        half = [sizes["test"] // 2, sizes["test"] - sizes["test"] // 2]
        rest, test = [], []
        for class_id, count in zip((positive, negative), half, strict=True):
            # This order depends on the class only: the test rows are its first ones for all seeds.
            rng = rng_for("projected_binary/test", class_id)
            own = rng.permutation(data.rows_of[class_id][: self.max_per_class])
            if self.official_test:
                rest.append(own)
                own = rng.permutation(self._load("test").rows_of.get(class_id, []))
            else:
                # As many stay apart of every class, whichever side of a pair it is on.
                rest.append(own[half[1] :])
            if len(own) < count:
                raise TaskError(
                    f"{data.name}: class {class_id} has {len(own)} examples, but test: "
                    f"{sizes['test']} takes {count} of it; give a smaller size"
                )
            test.append(own[:count])
        wanted = sizes["train"] + sizes["valid"]
        if wanted > len(rest[0]) + len(rest[1]) or 0 in (len(rest[0]), len(rest[1])):
            raise TaskError(
                f"{data.name}: train {sizes['train']} + valid {sizes['valid']} examples wanted of "
                f"classes {positive} and {negative}, which have {len(rest[0]) + len(rest[1])} "
                f"besides {sizes['test']} for the test; give smaller sizes"
            )
        positives = min(max(wanted // 2, wanted - len(rest[1])), len(rest[0]))
        in_train = round(positives * sizes["train"] / wanted)
        rng = rng_for("projected_binary/split", seed)
        rest = [rng.permutation(np.sort(rows)) for rows in rest]
        cut, end = [in_train, sizes["train"] - in_train], [positives, wanted - positives]
        parts = {
            "train": [rest[0][: cut[0]], rest[1][: cut[1]]],
            "valid": [rest[0][cut[0] : end[0]], rest[1][cut[1] : end[1]]],
            "test": test,
        }
        return {name: rng.permutation(np.concatenate(rows)) for name, rows in parts.items()}


def projected(
    family: Any, data: Labelled, train: np.ndarray, scored: Labelled, rows: np.ndarray, seed: int
) -> list[np.ndarray]:
    """Returns the features of the train rows and the scored rows, projected, standardised.

    family: has the keys `features` and `projection`. The seed decides the projection, whatever the classes.
    """
    raw = data.x.shape[1]
    size = family.features or (raw if family.projection == "none" else min(raw, DEFAULT_FEATURES))
    if size > raw or (family.projection == "none" and size != raw):
        allowed = f"{raw}" if family.projection == "none" else f"at most {raw}"
        raise TaskError(
            f"{data.name}: features: {size} wanted, the examples have {raw}; give {allowed}, "
            "or leave it out"
        )
    if scored.x.shape[1] != raw:
        raise TaskError(
            f"{data.name}: test examples have {scored.x.shape[1]} features, others {raw}"
        )
    matrix = None
    if family.projection == "gaussian":
        # Depends on the seed alone, so all pairs share it; no scaling, as in the original.
        matrix = rng_for("projected_binary/projection", seed).standard_normal((raw, size))
    return standardize(_project(data.x, train, matrix), _project(scored.x, rows, matrix))


def _project(x: np.ndarray, rows: np.ndarray, matrix: np.ndarray | None) -> np.ndarray:
    """Returns the rows of x as float64, times the matrix if there is one."""
    blocks = [x[rows[i : i + BLOCK]].astype(np.float64) for i in range(0, len(rows), BLOCK)]
    return np.concatenate([block if matrix is None else block @ matrix for block in blocks])

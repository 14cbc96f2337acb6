"""Configuration of a run over cells: the section `cells`, and what stands beside it in the file.

A YAML file with a section `cells` is of this form. Checks across keys stand at the end; they also take
what is known of a config that is wrong in part (`zero.config.settings`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, SerializeAsAny

from zero import search
from zero.cells import fidelity
from zero.cells.cost import WEIGHED
from zero.cells.distillation import Distillation
from zero.cells.fidelity import Fidelity
from zero.cells.networks.skeletons import SKELETONS, Skeleton, usual_kind
from zero.cells.published import PUBLISHED, as_listed
from zero.cells.score_settings import ScoreFilter, check_scores
from zero.cells.spaces import SPACES, get_space, space_with_ops
from zero.config.checks import OF_EVERY_RUN
from zero.config.sections import (
    Budget,
    Positive,
    Repetitions,
    RunConfig,
    RunName,
    Section,
    Whole,
    as_tuple,
    fitted_to_population,
    one_of,
)
from zero.config.settings import (
    Found,
    Part,
    Unknown,
    across,
    changed,
)
from zero.config.words import must_be
from zero.config.yaml import Document, Problem
from zero.data.images import ImageSettings
from zero.data.splits import find_file
from zero.errors import NetworkError, ZeroError, unknown_name
from zero.evolution.extrapolation import Extrapolation, check_looks, check_points
from zero.evolution.halving import Halving, check_rungs, halving_word
from zero.evolution.objective import OBJECTIVES, Objective, weighed
from zero.nn.train_settings import TrainSettings
from zero.runs.tracking import Track
from zero.search.protocol import SearchSettings
from zero.search.section import default_settings, methods_for, of_method, read_config

Names = Annotated[tuple[str, ...], BeforeValidator(as_tuple)]


class SkeletonSettings(Section):
    """The network around the cells (`zero cells list skeletons`).

    kind: by default slim_cifar for nasnet and amoebanet, chain for metaqnn, else the one of the space's
    name. normal_cells: between two reductions (NAS-Benches, hierarchical: cells a stage). filters:
    channels of the first cells' nodes (chain: F in the names of layers). layers: number of cells
    instead, of kind darts. auxiliary: with the auxiliary head. drop_path: with layers for scheduled drop
    path (training.drop_path says how much).
    """

    kind: Annotated[str, one_of("kind of skeleton", lambda: SKELETONS)] | None = None
    normal_cells: Whole = Field(Skeleton.normal_cells, ge=0, le=100)
    filters: Whole = Field(Skeleton.filters, ge=1, le=4096)
    layers: Whole = Field(Skeleton.layers, ge=0, le=300)
    stem_filters: Whole = Field(Skeleton.stem_filters, ge=1, le=4096)
    auxiliary: bool = False
    dropout: float = Field(0.0, ge=0, lt=1)
    drop_path: bool = False


class TableSettings(Section):
    """A table of evaluated cells in NAS-Bench-201's form, instead of training.

    table: CSV or CSV.gz with a column `arch`. select: column that the search sees. report: column of
    the final figure, which it does not.
    """

    table: str = Field(min_length=1)
    select: str = Field(min_length=1)
    report: str = Field(min_length=1)


class CellBudget(Section):
    """The most that a candidate may cost, known before any training; others are drawn again.

    multiply_adds: of one image. activation_bytes and seconds_per_step (an estimate, the same on all
    machines): of a training step.
    """

    parameters: Positive | None = None
    multiply_adds: Positive | None = None
    activation_bytes: Positive | None = None
    seconds_per_step: float | None = Field(None, gt=0)


def _objective_word(value: Any) -> Any:
    if value == "balanced_accuracy":
        return {"metric": value}
    if isinstance(value, str) and value not in OBJECTIVES:
        raise ValueError(unknown_name("objective", value, (*OBJECTIVES, "balanced_accuracy")))
    return {"kind": value} if isinstance(value, str) else value


def _costs(value: Any) -> Any:
    if not isinstance(value, list | tuple):
        return value
    wrong = [name for name in value if name not in WEIGHED]
    if wrong or not value:
        raise ValueError(must_be(f"some of {', '.join(WEIGHED)}", wrong[0] if wrong else value))
    return tuple(value)


class CellObjective(Objective):
    """What candidates are compared by (`zero.evolution.objective`).

    latency (seconds to predict an image) is measured, so that no two runs with it are the same.
    """

    cost: Annotated[
        Literal[WEIGHED] | Annotated[tuple[Literal[WEIGHED], ...], Field(min_length=1)],
        BeforeValidator(_costs),
    ] = "parameters"


class FinalSettings(Section):
    """The last training of the best cells, in a larger network and longer; what is left out stays.

    training, images: instead of the sections of that name in cells, whole; images of the same size
    and classes. epochs: of cells.training, changed alone. warm_start: it starts as the network that the
    search trained, wider or deeper; where that cannot be, with the weights of layers of the same shape.
    """

    normal_cells: Whole | None = Field(None, ge=0, le=100)
    filters: Whole | None = Field(None, ge=1, le=4096)
    layers: Whole | None = Field(None, ge=0, le=300)
    auxiliary: bool | None = None
    drop_path: bool | None = None
    epochs: Positive | None = None
    training: TrainSettings | None = None
    images: ImageSettings | None = None
    warm_start: bool = False


def _published_names(value: Any) -> Any:
    """Returns names of published cells as they are listed, however they are written."""
    names = as_tuple(value)
    if not isinstance(names, tuple | list):
        return value
    return tuple(as_listed(name) if isinstance(name, str) else name for name in names)


class Cells(Section):
    """The cells that a search may visit, and how they are evaluated.

    space: `zero cells list spaces`. ops: a choice of ops instead of the space's own. evaluate:
    `train`, or a table. threads: of one training; decides nothing about its result. published: cells
    trained like the outcome and set beside it. inherit_weights: children start with the weights of
    those of their parent's layers that they share; `exact`: they start as their parent's network where
    they only add to it (`zero.nn.net2net`), else in this way; if nobody says, the method does (beam: yes).
    retrain_duplicates: the same cells are trained again, from other weights. scores: candidates are drawn
    by a score that takes no training. fidelity: what candidates are trained with instead of the full
    thing. extrapolation: stops those that will not become the best. ensemble: of so many of the best
    candidates as the search trained them, set beside the outcome. distillation: candidates learn from the
    best so far as well. none switches a section off.
    """

    space: Annotated[str, one_of("space", lambda: SPACES)] = "amoebanet"
    ops: Names | None = None
    skeleton: SkeletonSettings = SkeletonSettings()
    images: ImageSettings | None = None
    training: TrainSettings = TrainSettings()
    evaluate: Literal["train"] | TableSettings = "train"
    budget: CellBudget = CellBudget()
    objective: Annotated[CellObjective, BeforeValidator(_objective_word)] = CellObjective()
    fidelity: Fidelity | None = None
    halving: Annotated[Halving, BeforeValidator(halving_word)] | None = None
    extrapolation: Extrapolation | None = None
    inherit_weights: bool | Literal["exact"] | None = None
    retrain_duplicates: bool = False
    threads: Whole = Field(1, ge=1, le=1024)
    final: FinalSettings | None = None
    published: Annotated[Names, BeforeValidator(_published_names)] = ()
    scores: ScoreFilter | None = None
    ensemble: Whole | None = Field(None, ge=2, le=100)
    distillation: Distillation | None = None


class CellSearch(SearchSettings):
    """What a search over cells has beside its method's settings; mutations are those of the space."""

    genomes: ClassVar[str] = "cells"
    offers: ClassVar[tuple[str, ...]] = (
        "neighbours", "decisions", "growth", "supernet", "mixture",
    )  # fmt: skip
    defaults: ClassVar[dict[str, Any]] = {"population": 100, "tournament": 25}


class CellIslands(Section):
    """Processes that evolve side by side and exchange migrants."""

    count: Whole = Field(1, ge=1, le=1024)
    migrate_every: Positive = 50
    migrants: Whole = Field(5, ge=0)


class CellExperiments(Repetitions):
    """Repetitions over cells, each with other weights too."""


class CellsConfig(RunConfig):
    """A checked run over cells.

    tuning: in words, what was tried with these data before these settings; decides nothing, a report
    has to tell it (`zero show RUN --checklist`).
    """

    genomes: ClassVar[str] = "cells"

    name: RunName = "run"
    seed: Whole = Field(0, ge=0, lt=2**63)
    backend: Literal["cpu", "reference"] = "cpu"
    dtype: Literal["float32", "float64"] = "float32"
    imports: list[str] = Field(default=[])
    report: bool = True
    cells: Cells
    search: Annotated[
        SerializeAsAny[CellSearch], BeforeValidator(partial(of_method, CellSearch))
    ] = default_settings(CellSearch)
    islands: CellIslands = CellIslands()
    experiments: CellExperiments = CellExperiments()
    budget: Budget = Budget()
    track: Track = ()
    tuning: str | None = None


# --- from settings to what cells are made with --------------------------------------------------


def space_of(cells: Cells) -> Any:
    """Returns the space of genomes; raises NetworkError for ops that there are not."""
    return get_space(cells.space) if cells.ops is None else space_with_ops(cells.space, cells.ops)


def skeleton_of(cells: Cells, final: bool = False) -> Skeleton:
    """Returns the skeleton of the search, or of the last training."""
    own = cells.skeleton.model_dump()
    if own["kind"] is None:
        own["kind"] = _kind_of(cells)
    if final and cells.final is not None:
        others = {"epochs", "training", "images", "warm_start"}
        own |= cells.final.model_dump(exclude=others, exclude_none=True)
    return Skeleton(**own)


def training_of(cells: Cells, final: bool = False) -> TrainSettings:
    """Returns the settings of a candidate's training, or of the last one."""
    if not final or cells.final is None:
        return cells.training
    training = cells.final.training or cells.training
    if cells.final.epochs is None:
        return training
    return TrainSettings(**{**training.model_dump(), "epochs": cells.final.epochs})


# --- reading and checks -------------------------------------------------------------------------


def read_cells(
    document: Document, data: dict[str, Any], folder: Path, check_files: bool = True
) -> tuple[Any, list[Problem]]:
    """Returns a run's config (what is known of it, if it is wrong in part), and all problems.

    Arguments as for `zero.runs.kind.Kind.read`; there is no file that only a start reads.
    """
    config, problems = read_config(document, data, CellsConfig, CellSearch, folder)
    for loc, message in across(config, (*OF_EVERY_RUN, *_CHECKS)):
        problem = document.problem(loc, message)
        # An item's place is told, but not its number: lists of one item may be written without [].
        shown = problem.loc[:-1] if isinstance(loc[-1], int) else problem.loc
        problems.append(replace(problem, loc=shown))
    if isinstance(config, CellsConfig):
        if not problems:
            config = config.model_copy(update=fitted_to_population(config))
            config = config.model_copy(update={"cells": _inheriting(config)})
        config, found = _with_paths(document, config, folder)
        problems += found
    return config, problems


def _inheriting(config: CellsConfig) -> Cells:
    """Returns the section with what the method says of weights, where nobody does."""
    cells = config.cells
    if cells.inherit_weights is not None or isinstance(cells.evaluate, TableSettings):
        return cells
    inherits = search.inherits(config.search.method)
    return cells.model_copy(update={"inherit_weights": inherits})


def _check_ops(config: Any) -> Iterator[Found]:
    cells, loc, faulty = config.cells, ("cells", "ops"), False
    for i, op in enumerate(cells.ops or ()):
        try:
            SPACES[cells.space].form.check_op(op)
        except NetworkError as error:
            faulty = True
            yield (*loc, i), str(error)
    if cells.ops is not None and (not cells.ops or len(set(cells.ops)) < len(cells.ops)):
        given = ", ".join(cells.ops)
        yield loc, f"a space needs at least one op, each named once; got {given}"
    elif cells.ops is not None and not faulty:
        try:
            space_with_ops(cells.space, cells.ops)
        except NetworkError as error:
            yield loc, str(error)


def _check_method(config: Any) -> Iterator[Found]:
    """A method that cells in general can be searched by may need what one space does not have."""
    method, space = config.search.method, SPACES[config.cells.space]
    if search.lacking(method, space):
        fitting = [n for n in methods_for(CellSearch) if not search.lacking(n, space)]
        message = f"{method} cannot search the space {space.name}; use one of {', '.join(fitting)}"
        yield ("search", "method"), message


def _check_supernet(config: Any) -> Iterator[Found]:
    """A supernet is trained on images, which a table has not."""
    method = config.search.method
    if search.shares_weights(method) and isinstance(config.cells.evaluate, TableSettings):
        yield (
            ("search", "method"),
            (
                f"{method} trains a supernet on images, and cells.evaluate is a table; search "
                "images with it, and look its cells up in the table"
            ),
        )


def _check_published(config: Any) -> Iterator[Found]:
    for i, name in enumerate(config.cells.published):
        if name not in PUBLISHED:
            message = unknown_name("published cell", name, PUBLISHED)
            yield ("cells", "published", i), message


def _kind_of(cells: Any) -> str:
    """Returns the kind of skeleton."""
    return cells.skeleton.kind or usual_kind(cells.space)


def _check_form(config: Any) -> Iterator[Found]:
    cells = config.cells
    kind, needed = _kind_of(cells), SPACES[cells.space].form
    if SKELETONS[kind].form is not needed:
        fitting = ", ".join(name for name, k in SKELETONS.items() if k.form is needed)
        message = f"kind {kind} does not fit the space {cells.space}; use one of: {fitting}"
        yield ("cells", "skeleton"), message


def _check_skeleton(config: Any) -> Iterator[Found]:
    skeleton = config.cells.skeleton
    try:
        Skeleton(_kind_of(config.cells), layers=skeleton.layers, normal_cells=skeleton.normal_cells)
    except NetworkError as error:
        yield ("cells", "skeleton"), str(error)


def _check_final_skeleton(config: Any) -> Iterator[Found]:
    cells, final = config.cells, config.cells.final
    if final is None or list(across(config, [_check_skeleton])):
        return
    sizes = {}
    for key in ("layers", "normal_cells"):
        own = getattr(final, key)
        sizes[key] = getattr(cells.skeleton, key) if own is None else own
    try:
        Skeleton(_kind_of(cells), **sizes)
    except NetworkError as error:
        yield ("cells", "final"), str(error)


def _check_final_training(config: Any) -> Iterator[Found]:
    cells, final = config.cells, config.cells.final
    if final is None or final.epochs is None:
        return
    if "training" in final.model_fields_set and final.training is not None:
        yield ("cells", "final", "epochs"), "give final.epochs or final.training, not both"
    elif not list(across(cells.training, TrainSettings.checks)):
        training = changed(cells.training, epochs=final.epochs)
        for keys, message in across(training, TrainSettings.checks):
            yield ("cells", "final"), f"{'.'.join(map(str, keys))}: {message}"


def _check_warm_start(config: Any) -> Iterator[Found]:
    final, skeleton = config.cells.final, config.cells.skeleton
    if final is None or not final.warm_start:
        return
    for key in ("filters", "normal_cells", "layers"):
        least, given = getattr(skeleton, key), getattr(final, key)
        if given is not None and given < least:
            message = f"must be at least the search's ({least}) with warm_start, got {given}"
            yield ("cells", "final", key), message


def _check_target(config: Any) -> Iterator[Found]:
    objective = config.cells.objective
    if objective.kind == "mnasnet" and objective.target is None:
        message = "mnasnet needs a target, such as target: 100000 for cost: parameters"
        yield ("cells", "objective"), message


def _check_halving_rises(config: Any) -> Iterator[Found]:
    halving = config.cells.halving
    if halving and halving.epochs and list(halving.epochs) != sorted(set(halving.epochs)):
        yield ("cells", "halving", "epochs"), "must rise"


def _check_halving_ends(config: Any) -> Iterator[Found]:
    halving = config.cells.halving
    if halving and not list(_check_halving_rises(config)):
        for keys, message in check_rungs(halving, *fidelity.epochs_of(config.cells)):
            yield ("cells", "halving", *keys), message


def _check_extrapolation(config: Any) -> Iterator[Found]:
    settings, objective = config.cells.extrapolation, config.cells.objective
    if settings is None:
        return
    if objective.metric != "accuracy":
        message = "follows curves of accuracy; leave it out, or give objective.metric: accuracy"
        yield ("cells", "extrapolation"), message
    elif objective.kind != "accuracy" and objective.cost == "latency":
        message = "needs a cost that is known before training, which latency is not; leave it out"
        yield ("cells", "extrapolation"), message


def _check_looks(config: Any) -> Iterator[Found]:
    settings = config.cells.extrapolation
    if settings is not None:
        for keys, message in check_looks(settings, *fidelity.epochs_of(config.cells)):
            yield ("cells", "extrapolation", *keys), message


def _check_points(config: Any) -> Iterator[Found]:
    settings = config.cells.extrapolation
    if settings is not None and not list(across(config, [_check_looks])):
        for keys, message in check_points(settings):
            yield ("cells", "extrapolation", *keys), message


def _is_table(cells: Any) -> bool:
    return isinstance(cells.evaluate, TableSettings | Part)


def _check_images(config: Any) -> Iterator[Found]:
    if not _is_table(config.cells) and config.cells.images is None:
        yield ("cells", "images"), "is missing; it must be a section such as {source: digits}"


def _check_table(config: Any) -> Iterator[Found]:
    cells = config.cells
    if not _is_table(cells):
        return
    unused = {"images": None, "halving": None, "final": None, "published": ()}
    unused |= {"ensemble": None, "distillation": None, "fidelity": None, "extrapolation": None}
    unused |= {"inherit_weights": False, "training": TrainSettings()}
    for key, default in unused.items():
        if key in cells.model_fields_set and _differs(cells, key, default):
            yield ("cells", key), "has no meaning with a table; leave it out"
    if cells.space != "nas_bench_201":
        yield ("cells", "evaluate"), "a table needs space: nas_bench_201"


def _differs(cells: Any, key: str, default: Any) -> bool:
    try:
        return getattr(cells, key) not in (default, None)
    except Unknown:
        return True


def _check_metric(config: Any) -> Iterator[Found]:
    if _is_table(config.cells) and config.cells.objective.metric != "accuracy":
        yield ("cells", "objective", "metric"), "a table has no accuracies by class"


def _check_latency(config: Any) -> Iterator[Found]:
    if _is_table(config.cells) and "latency" in weighed(config.cells.objective):
        yield ("cells", "objective", "cost"), "latency cannot be measured from a table"


def _check_dtype(config: Any) -> Iterator[Found]:
    if config.dtype == "float64" and config.backend == "cpu":
        yield ("dtype",), "float64 needs backend: reference; cpu trains in float32"


_CHECKS = (
    _check_method, _check_supernet, _check_ops, _check_published, _check_form, _check_skeleton,
    _check_final_skeleton,
    _check_final_training, _check_warm_start, _check_target, _check_halving_rises, _check_halving_ends,
    _check_images, _check_table, check_scores, _check_metric, _check_latency, _check_dtype,
    _check_extrapolation, _check_looks, _check_points, *fidelity.CHECKS,
)  # fmt: skip


def _with_paths(
    document: Document, config: CellsConfig, folder: Path
) -> tuple[CellsConfig, list[Problem]]:
    """Returns the config with absolute paths; those on the command line start where the user is."""
    cells, changes = config.cells, {}
    problems: list[Problem] = []

    def base(*keys: str) -> Path:
        return Path.cwd() if document.override_of(("cells", *keys)) else folder

    def resolved(images: ImageSettings, *keys: str) -> ImageSettings:
        try:
            return images.resolve_paths(base(*keys, "path"))
        except ZeroError as error:
            problems.append(document.problem(("cells", *keys, "path"), str(error)))
            return images

    if cells.images is not None:
        changes["images"] = resolved(cells.images, "images")
    if cells.final is not None and cells.final.images is not None:
        images = resolved(cells.final.images, "final", "images")
        changes["final"] = cells.final.model_copy(update={"images": images})
    if isinstance(cells.evaluate, TableSettings):
        path = find_file(cells.evaluate.table, base("evaluate", "table"))
        changes["evaluate"] = cells.evaluate.model_copy(update={"table": str(path)})
    changed = cells.model_copy(update=changes)
    return config.model_copy(update={"cells": changed}), problems

"""The config of a run over pipelines."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, SerializeAsAny

from zero.config.checks import check_end, check_lengths, check_migrants
from zero.config.sections import (
    Budget,
    IslandSettings,
    Positive,
    Repetitions,
    RunConfig,
    RunName,
    Section,
    Whole,
    as_tuple,
    fitted_to_population,
)
from zero.config.settings import Check, Found, across
from zero.config.yaml import Document, Problem
from zero.errors import ZeroError
from zero.evolution.halving import Halving, check_rungs, halving_word
from zero.evolution.objective import Objective
from zero.pipelines.table import TableSettings
from zero.runs.tracking import Track
from zero.search.protocol import StartSettings
from zero.search.section import default_settings, of_method, read_config

Names = Annotated[tuple[str, ...], BeforeValidator(as_tuple)]


class EnsembleSettings(Section):
    """What is made of several pipelines.

    members: of the best so many are chosen from. size: draws, one pipeline each, the same one more than once
    (Caruana et al. 2004). stacking: whether a linear model on their predictions is tried as well.
    """

    members: Positive = 25
    size: Positive = 25
    stacking: bool = True


def _check_shares(section: Any) -> Iterator[Found]:
    shares = section.shares
    if list(shares) != sorted(set(shares)) or shares[-1] != 1:
        yield ("shares",), "must rise and end with 1"


class FidelitySettings(Section):
    """What candidates are trained with before they are trained in full.

    shares: of the rows, and of the trees or rounds, one after the other; the last is 1.
    """

    checks: ClassVar[tuple[Check, ...]] = (_check_shares,)

    shares: Annotated[
        tuple[Annotated[float, Field(gt=0, le=1)], ...], BeforeValidator(as_tuple)
    ] = Field((0.1, 0.3, 1.0), min_length=2)


class PipelineObjective(Objective):
    """What candidates are compared by.

    kind: accuracy, which is the score by `metric` of the section, or pareto, against cost: decisions, how
    many a pipeline has that are not as usual.
    """

    cost: Literal["decisions"] | tuple[Literal["decisions"], ...] = "decisions"


def _objective_word(value: Any) -> Any:
    return {"kind": value} if isinstance(value, str) else value


class Pipelines(Section):
    """The pipelines that a search may visit, and how they are judged.

    table: what to predict from what. metric: a scorer of scikit-learn by its name (`zero list metrics`);
    default roc_auc of two classes, neg_log_loss of more, neg_root_mean_squared_error of numbers. families:
    of learners (`zero list families`); default all that suit the table's size, without evolved_program.
    programs: runs, RUN#ID or files of programs of your own, for the family program. folds: of
    cross-validation; default 5, fewer for many rows. seconds: of the whole run, from reading to the last
    training; none: as the budget says. candidate_seconds: that one pipeline may take in all folds; default a
    quarter of `seconds`, else an hour. memory: MiB that one may take beyond the table. rows: that
    a search sees at most; what is kept is trained on all if there is time; default all, with `seconds` 1,500
    for each. portfolio: whether
    pipelines that did well on other tables come first. refit_with_test: whether what is kept is trained on
    the test rows as well, once they have been scored. none switches a section off.
    """

    table: TableSettings
    metric: str | None = None
    families: Names | None = None
    programs: Names = ()
    folds: Whole | None = Field(None, ge=2, le=100)
    seconds: float | None = Field(None, gt=0)
    candidate_seconds: float | None = Field(None, gt=0)
    memory: Positive = 3072
    rows: Positive | None = None
    portfolio: bool = True
    refit_with_test: bool = False
    objective: Annotated[PipelineObjective, BeforeValidator(_objective_word)] = PipelineObjective()
    fidelity: FidelitySettings | None = None
    halving: Annotated[Halving, BeforeValidator(halving_word)] | None = None
    ensemble: EnsembleSettings | None = EnsembleSettings()


class PipelineSearch(StartSettings):
    """A search over pipelines has its method's settings only."""

    genomes: ClassVar[str] = "pipelines"
    offers: ClassVar[tuple[str, ...]] = ("neighbours", "decisions")
    defaults: ClassVar[dict[str, Any]] = {"population": 50, "tournament": 5}


class PipelineIslands(IslandSettings):
    """Processes that search side by side and exchange migrants."""

    count: Whole = Field(2, ge=1, le=1024)
    migrate_every: Positive = 10
    migrants: Whole = Field(3, ge=0)


class PipelinesConfig(RunConfig):
    """A checked run over pipelines."""

    genomes: ClassVar[str] = "pipelines"

    name: RunName = "run"
    seed: Whole = Field(0, ge=0, lt=2**63)
    backend: Literal["sklearn"] = "sklearn"
    dtype: Literal["float64"] = "float64"
    imports: list[str] = Field(default=[])
    report: bool = True
    pipelines: Pipelines
    search: Annotated[
        SerializeAsAny[PipelineSearch], BeforeValidator(partial(of_method, PipelineSearch))
    ] = default_settings(PipelineSearch)
    islands: PipelineIslands = PipelineIslands()
    experiments: Repetitions = Repetitions()
    budget: Budget = Budget()
    track: Track = ()


def _check_metric(config: Any) -> Iterator[Found]:
    from zero.pipelines import metrics

    name, problem = config.pipelines.metric, config.pipelines.table.problem
    problems: list[Any] = [problem] if problem else ["binary", "multiclass", "regression"]
    errors = []
    for each in problems:
        try:
            metrics.metric_for(name, each)
            return
        except ZeroError as error:
            errors.append(str(error))
    yield ("pipelines", "metric"), errors[0]


def _check_families(config: Any) -> Iterator[Found]:
    from zero.pipelines.families import named

    for k, name in enumerate(config.pipelines.families or ()):
        try:
            named([name])
        except ZeroError as error:
            yield ("pipelines", "families", k), str(error)
    if config.pipelines.families == ():
        yield ("pipelines", "families"), "name at least one family, or leave it out for all"


def _check_halving(config: Any) -> Iterator[Found]:
    own = config.pipelines
    if own.halving is not None:
        parts = len(own.fidelity.shares) if own.fidelity else own.folds or 5
        for keys, message in check_rungs(own.halving, parts, "the parts of an evaluation"):
            yield ("pipelines", "halving", *keys), message


def _check_end(config: Any) -> Iterator[Found]:
    """Checks that something ends the run, which the seconds of all of it do."""
    if config.pipelines.seconds is None:
        yield from check_end(config)


_CHECKS: tuple[Check, ...] = (
    check_migrants, _check_end, check_lengths, _check_metric, _check_families, _check_halving,
)  # fmt: skip


def read_pipelines(
    document: Document, data: dict[str, Any], folder: Path, check_files: bool
) -> tuple[Any, list[Problem]]:
    """Returns a run's config (what is known of it, if it is wrong in part), and all problems.

    Arguments as for `zero.runs.kind.Kind.read`.
    """
    if isinstance(data.get("search"), dict):
        data["search"].setdefault("method", "smac")
    elif "search" not in data:
        data["search"] = {"method": "smac"}
    config, problems = read_config(document, data, PipelinesConfig, PipelineSearch, folder)
    problems += [document.problem(*found) for found in across(config, _CHECKS)]
    if isinstance(config, PipelinesConfig):
        if not problems:
            config = config.model_copy(update=fitted_to_population(config))
        given = document.override_of(("pipelines", "table", "path"))
        try:  # what is given on the command line starts where the user is
            own = config.pipelines
            table = own.table.resolved(Path.cwd() if given else folder)
            own = own.model_copy(update={"table": table})
            config = config.model_copy(update={"pipelines": own})
        except ZeroError as error:
            problems.append(document.problem(("pipelines", "table", "path"), str(error)))
    return config, problems

"""The config of a run over formulas."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, SerializeAsAny

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
    one_of,
)
from zero.config.settings import Check, Found
from zero.evolution.objective import Objective
from zero.runs.tracking import Track
from zero.search.protocol import SearchSettings
from zero.search.section import default_settings, of_method


def _targets() -> list[str]:
    from zero.functions.targets import TARGETS

    return list(TARGETS)


Operator = Literal["+", "-", "*", "/"]


def _check_points(section: Any) -> Iterator[Found]:
    if section.points < 4 * section.operations:
        message = f"must be at least 4 times functions.operations ({4 * section.operations})"
        yield ("points",), f"{message}, got {section.points}"


class FormulaObjective(Objective):
    """What formulas are compared by.

    kind: pareto, error against operations; accuracy, the error alone. cost: operations.
    """

    kind: Literal["accuracy", "pareto"] = "pareto"
    cost: Literal["operations"] | tuple[Literal["operations"], ...] = "operations"


class Functions(Section):
    """The function to be computed, and the formulas that may compute it.

    target: exp2, rsqrt, sin, tanh or erf, on the interval that `zero validate NAME --data` tells. operations:
    that a formula may have, each of + - * / counting one. operators: that it may use. starts: draws of
    constants that a fit begins with, beside those from the parent's. steps: of each start. points: at which a
    formula's worst error is looked for during the search; its outcome is checked at 10,000. alike: so many
    formulas of one number of operations and one error count, since they are one function in other words.
    objective: what counts.
    """

    checks: ClassVar[tuple[Check, ...]] = (_check_points,)

    target: Annotated[str, one_of("function", _targets)] = "exp2"
    operations: Whole = Field(12, ge=1, le=20)
    operators: Annotated[tuple[Operator, ...], BeforeValidator(as_tuple)] = Field(
        ("+", "-", "*", "/"), min_length=1
    )
    starts: Whole = Field(8, ge=0, le=1000)
    steps: Positive = 60
    points: Whole = Field(129, ge=17, le=4097)
    alike: Positive = 3
    objective: FormulaObjective = FormulaObjective()


class FormulaSearch(SearchSettings):
    """The section `search:` of a run over formulas: its method's settings only."""

    genomes: ClassVar[str] = "functions"
    offers: ClassVar[tuple[str, ...]] = ("decisions",)
    defaults: ClassVar[dict[str, Any]] = {"population": 100, "tournament": 5}


class FormulaBudget(Budget):
    """When the whole run stops; fitness is minus the decimal logarithm of the worst error."""

    fitness: float | None = Field(None, gt=0, le=40)


class FormulaRepetitions(Repetitions):
    """Experiments, each from a fresh population; 0: until fitness suffices."""

    sufficient_fitness: float | None = Field(None, gt=0, le=40)


class FunctionsConfig(RunConfig):
    """A checked run over formulas."""

    genomes: ClassVar[str] = "functions"

    name: RunName = "run"
    seed: Whole = Field(0, ge=0, lt=2**63)
    backend: Literal["cpu"] = "cpu"
    dtype: Literal["float64"] = "float64"
    imports: list[str] = Field(default=[])
    report: bool = True
    functions: Functions
    search: Annotated[
        SerializeAsAny[FormulaSearch], BeforeValidator(partial(of_method, FormulaSearch))
    ] = default_settings(FormulaSearch)
    islands: IslandSettings = IslandSettings()
    experiments: FormulaRepetitions = FormulaRepetitions()
    budget: FormulaBudget = FormulaBudget()
    track: Track = ()

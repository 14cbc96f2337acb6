"""Zero's own programs as learners: shipped ones, those of a user's runs, and programs evolved for the rows.

A program that exists is trained like any other learner; `evolved_program` searches for one on the rows that
it is given, so that inside cross-validation no search sees the rows that it is judged by.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from zero.pipelines.families import Family, Problem, register
from zero.pipelines.parameters import choice, whole

SHIPPED = ("linear_with_bias", "neural_network")


def _program(values: dict[str, Any], problem: Problem) -> dict[str, Any]:
    return {"program": values["program"], "epochs": values["epochs"]}


@cache
def _warm_up(problem: Problem) -> None:
    """Loads the compiled interpreter."""
    import numpy as np

    from zero.sklearn import DiscoveredClassifier, DiscoveredRegressor

    x, y = np.arange(8.0)[:, None], np.arange(8) % (3 if problem == "multiclass" else 2)
    learner = DiscoveredRegressor if problem == "regression" else DiscoveredClassifier
    learner(epochs=1).fit(x, y).predict(x)


PROGRAM = register(
    Family(
        "program",
        "a program that was discovered, or one to begin with",
        "zero.sklearn:DiscoveredClassifier",
        "zero.sklearn:DiscoveredRegressor",
        parameters=(
            choice("program", *SHIPPED),
            whole("epochs", 1, 100, 7, log=True, default=10),
        ),
        translate=_program,
        scaled=True,
        weighted=False,
        cells=100_000_000,
        warm_up=_warm_up,
    )
)
register(
    Family(
        "evolved_program",
        "a program that evolution finds for the rows",
        "zero.sklearn:EvolvedClassifier",
        "zero.sklearn:EvolvedRegressor",
        parameters=(whole("individuals", 500, 50_000, 6, log=True, default=5000),),
        scaled=True,
        weighted=False,
        cells=20_000_000,
        warm_up=_warm_up,
    )
)


def with_programs(programs: Mapping[str, str]) -> Family:
    """Returns the family `program` with programs of the user's beside the shipped ones.

    programs: label -> text of the program.
    """
    names, *others = PROGRAM.parameters
    values = (*names.values, *programs)

    def translate(given: dict[str, Any], problem: Problem) -> dict[str, Any]:
        found = _program(given, problem)
        return {**found, "program": programs.get(found["program"], found["program"])}

    parameters = (replace(names, values=values), *others)
    return replace(PROGRAM, parameters=parameters, translate=translate)

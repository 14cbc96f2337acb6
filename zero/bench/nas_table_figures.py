"""Figures of runs on a table of evaluated cells (`zero.bench.nas_table`)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from zero.bench.nas_table_runs import INDIVIDUALS_MADE, QUERIES, SAMPLING, Trajectory
from zero.bench.nas_table_searches import descriptions
from zero.cells.table import CellTable

_CURVE = (1, 2, 5)  # times powers of ten: the numbers of queries at which a curve has points
_REGRET_POINTS = 10  # of a regret curve, for each power of ten


def figures(
    name: str,
    runs: list[Trajectory],
    table: CellTable,
    select: str,
    report: str,
    budget: float,
    of: str = QUERIES,
    begin: float = 1,
    went_on: bool = True,
) -> dict[str, Any]:
    """Returns the statistics of a search's runs: see `zero.bench.nas_table.compare`.

    budget, of: so many queries or seconds. begin: of curves; every run has a result there. went_on:
    whether runs went on beyond the budget until they met the optimum or could not.
    """
    budget, of = (1, QUERIES) if name == SAMPLING else (budget, of)
    selected, reported = table.columns[select], table.columns[report]
    rows = np.array([run.row_at(budget, of) for run in runs])
    mean_random = reported.mean()
    found_spread = spread(reported[rows])
    found = {
        "description": descriptions()[name],
        "runs": len(runs),
        "budget": budget,
        **found_spread,
        "relative_improvement_percent": _ratio(
            100 * (found_spread["mean"] - mean_random), mean_random
        ),
        "regret": float(reported.max() - found_spread["mean"]),
        "select": spread(selected[rows]),
    }
    if name == SAMPLING:
        return found

    def curve(points: list[float]) -> dict[str, Any]:
        at = [spread(reported[[run.row_at(point, of) for run in runs]]) for point in points]
        return {
            of: points,
            "mean": [point["mean"] for point in at],
            "standard_error": [point["standard_error"] for point in at],
        }

    repeats = {}
    if of == QUERIES:
        counted = spread(reported[[run.row_at(budget, INDIVIDUALS_MADE) for run in runs]])
        repeats = {"mean": counted["mean"], "standard_error": counted["standard_error"]}
    points = {x * 10**k for k in range(9) for x in _CURVE if begin <= x * 10**k < budget}
    regret = curve(_evenly(begin, budget, of))
    regret["mean"] = [float(reported.max() - mean) for mean in regret["mean"]]
    return (
        found
        | _optimum(runs, selected, budget, of, went_on, repeats)
        | {"curve": curve(sorted(points | {budget})), "regret_curve": regret}
    )


def _optimum(
    runs: list[Trajectory],
    selected: np.ndarray,
    budget: float,
    of: str,
    went_on: bool,
    repeats: dict[str, Any],
) -> dict[str, Any]:
    """Returns how soon runs met the optimum; repeats: the figures where every individual counts."""
    reached = np.array([selected[run.rows[-1]] == selected.max() for run in runs])
    queries, used, made = (
        np.array([getattr(run, name)[-1] for run in runs])
        for name in (QUERIES, of, INDIVIDUALS_MADE)
    )
    within = float((reached & (used <= budget)).mean())
    # A run that never meets the optimum still ends with it once the rest of the table is queried.
    counted = spread(np.where(reached, queries, len(selected)))
    mean, error, median = (counted[key] for key in ("mean", "standard_error", "median"))
    if not went_on and not reached.all():  # nobody knows when; the median is known if half did
        mean = error = None
        median = median if reached.mean() > 0.5 else None
    if repeats:
        all_made = float(made.mean()) if reached.all() else None
        repeats = {"counting_repeats": repeats | {"queries_to_optimum_mean": all_made}}
    return {
        "queries_to_optimum_mean": mean,
        "queries_to_optimum_standard_error": error,
        "queries_to_optimum_median": median,
        "reached_optimum": float(reached.mean()),
        "reached_optimum_within_budget": within,
        **repeats,
    }


def _evenly(begin: float, budget: float, of: str) -> list[float]:
    """Returns points from begin to budget, evenly on a logarithmic axis, whole numbers of queries."""
    number = 2 + math.ceil(_REGRET_POINTS * math.log10(max(budget / begin, 1)))
    points = np.geomspace(begin, budget, number)[1:-1]
    inner = np.unique(np.round(points)) if of == QUERIES else points
    whole = int if of == QUERIES else float
    return sorted({whole(begin), *map(whole, inner), whole(budget)})


def spread(values: np.ndarray) -> dict[str, float | None]:
    """Returns mean, std (of a sample), standard error of the mean, median, min and max."""
    number = len(values)
    std = float(values.std(ddof=1)) if number > 1 else None
    return {
        "mean": float(values.mean()),
        "std": std,
        "standard_error": None if std is None else std / math.sqrt(number),
        "median": float(np.median(values)),
        "min": float(values.min()),
        "max": float(values.max()),
    }


def _ratio(value: float, unit: float) -> float | None:
    return float(value / unit) if unit else None


def standard_errors_apart(one: dict[str, Any], other: dict[str, Any]) -> float | None:
    """Returns by how many standard errors of their difference the first mean is above the other."""
    if one["standard_error"] is None:
        return None
    error = math.hypot(one["standard_error"], other["standard_error"])
    return _ratio(one["mean"] - other["mean"], error)


def milliseconds_a_proposal(runs: list[Trajectory]) -> float:
    """Returns the CPU time of a search's own for each individual, of the median run: a measurement.

    An individual is a query or a cell that came up again.
    """
    return float(np.median([1000 * run.cpu_seconds / run.all_individuals for run in runs]))

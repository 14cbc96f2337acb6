"""Search methods compared on a table of evaluated cells (`zero bench nas-table`).

An individual is a row of the table and its evaluation a look-up. Methods of `zero.search` that are
rules for parents run through `zero.evolution.loop.run_block`, the compiled loop that evolves programs;
the others are asked for rows and told their values. Beside them stands random sampling (one draw).

What counts: a *query* is a cell looked up for the first time in a run. A cell that comes up again
costs nothing, for its score is known, and enters the population like any other. Published figures
count alike: random search is said to need 7,782 queries on average for the best of 15,625 cells,
half of them, which only holds without repeats. `counting_repeats` has the figures of the other count.

A run goes on until it meets the optimum of the select column or has queried the whole table, so the
mean number of queries is not cut off at the budget; the figures at the budget are read from the same
runs. Lindauer and Hutter 2020 and Yang et al. 2020 say what a comparison has to report: `_protocol`.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zero import search
from zero.bench.nas_table_runs import (
    MAX_PASSES,
    SAMPLING,
    RowLookup,
    Trajectory,
    make_lookup,
    trajectories,
)
from zero.cells.table import CellTable, read_cell_table
from zero.errors import ConfigError, unknown_name
from zero.runs.folder import run_info

# Settings by method, found on NAS-Bench-201's CIFAR-10 validation column: see `TUNING`.
TUNED: dict[str, dict[str, int]] = {
    "regularized_evolution": {"population": 10, "tournament": 8},
    "local_search": {"population": 10},
    "random_search": {},
}
TUNING = (
    "benchmarks/nas_table.py on NAS-Bench-201's column cifar10_val, with seeds of its own, at the "
    "cost of 500 runs of 100 queries for each of 53 settings of evolution and 10 of local search"
)

_CURVE = (1, 2, 5)  # times powers of ten: the numbers of queries at which a curve has points


# --- which searches there are ---------------------------------------------------------------------

RANDOM_SEARCH = "random_search"
ALWAYS = (SAMPLING, RANDOM_SEARCH)
ALIASES = {"random": RANDOM_SEARCH}


def descriptions() -> dict[str, str]:
    """Returns what every search does, by name, in the order of reports."""
    found = {SAMPLING: "one random cell, whatever its score"}
    # Rules for parents first.
    methods = {n: d for n, d in search.methods().items() if not search.decides(n)}
    found |= dict(sorted(methods.items(), key=lambda m: not search.chooses_parents(m[0])))
    return {name: found[name] for name in (*ALWAYS, *(n for n in found if n not in ALWAYS))}


def chosen(names: Sequence[str] | None) -> list[str]:
    """Returns the searches to run, the two random ones always among them; None: all there are.

    Raises:
        ConfigError: there is none of that name.
    """
    known = descriptions()
    wanted = list(known) if names is None else [ALIASES.get(name, name) for name in names]
    for name in wanted:
        if name not in known:
            raise ConfigError(unknown_name("search", name, [*known, *ALIASES]))
    return [name for name in known if name in wanted or name in ALWAYS]


def settings_of(name: str, given: dict[str, int | None]) -> dict[str, int]:
    """Returns a method's settings: those given that it has, the others from `TUNED`.

    Raises:
        ConfigError: a tournament larger than the population.
    """
    if name == SAMPLING or not search.chooses_parents(name):
        return {}
    usual = TUNED.get(name, TUNED["regularized_evolution"])
    settings = {key: given.get(key) or value for key, value in usual.items()}
    population = settings.get("population", 1)
    if (given.get("tournament") or 1) > population and "tournament" in settings:
        raise ConfigError(
            f"a tournament of {given['tournament']} in a population of {population}; give "
            "--tournament of at most --population"
        )
    if "tournament" in settings:
        settings["tournament"] = min(settings["tournament"], population)
    return settings


# --- figures --------------------------------------------------------------------------------------


def figures(
    name: str, runs: list[Trajectory], table: CellTable, select: str, report: str, budget: int
) -> dict[str, Any]:
    """Returns the statistics of a search's runs: see `compare`."""
    budget = 1 if name == SAMPLING else budget
    selected, reported = table.columns[select], table.columns[report]
    rows = np.array([run.row_at(budget) for run in runs])
    mean_random = reported.mean()
    spread = _spread(reported[rows])
    found = {
        "description": descriptions()[name],
        "runs": len(runs),
        "budget": budget,
        **spread,
        "relative_improvement_percent": _ratio(100 * (spread["mean"] - mean_random), mean_random),
        "select": _spread(selected[rows]),
    }
    if name == SAMPLING:
        return found
    points = sorted({x * 10**k for k in range(9) for x in _CURVE if x * 10**k < budget} | {budget})
    curve = [_spread(reported[[run.row_at(point) for run in runs]]) for point in points]
    repeats = _spread(reported[[run.row_at(budget, repeats=True) for run in runs]])
    reached = np.array([selected[run.rows[-1]] == selected.max() for run in runs])
    queries = np.array([run.queries[-1] for run in runs])
    made = np.array([run.individuals[-1] for run in runs])
    # A run that never meets the optimum still ends with it once the rest of the table is queried.
    to_optimum = _spread(np.where(reached, queries, len(table)))
    return found | {
        "queries_to_optimum_mean": to_optimum["mean"],
        "queries_to_optimum_standard_error": to_optimum["standard_error"],
        "queries_to_optimum_median": to_optimum["median"],
        "reached_optimum": float(reached.mean()),
        "reached_optimum_within_budget": float((reached & (queries <= budget)).mean()),
        "counting_repeats": {
            "mean": repeats["mean"],
            "standard_error": repeats["standard_error"],
            "queries_to_optimum_mean": float(made.mean()) if reached.all() else None,
        },
        "curve": {
            "queries": points,
            "mean": [point["mean"] for point in curve],
            "standard_error": [point["standard_error"] for point in curve],
        },
    }


def _spread(values: np.ndarray) -> dict[str, float | None]:
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


# --- the comparison -------------------------------------------------------------------------------


def compare(
    file: str | Path,
    select: str,
    report: str,
    searches: Sequence[str] | None = None,
    runs: int = 500,
    budget: int | None = None,
    seed: int = 0,
    population: int | None = None,
    tournament: int | None = None,
    skip_known: bool = False,
) -> dict[str, Any]:
    """Returns the comparison of search methods on a table; higher values are better.

    Args:
        file: see `zero.cells.table.read_cell_table`.
        select: the column that searches see and by which a run's result is chosen.
        report: the column that is read once for each result.
        searches: names in `descriptions()`; None: all. The two random ones always run.
        runs: independent runs of each search.
        budget: queries (see above) after which a run's result is taken; None: 100, or all cells if
            there are fewer.
        seed: the same figures come from the same seed; runs have streams of their own.
        population, tournament: of the methods that have them; None: as tuned.
        skip_known: children are drawn among the neighbours not yet queried, while there are any.

    Returns:
        searches: by name (`random` is `random_search` once more) mean, std, standard_error, median,
        min and max over runs of the reported column; relative_improvement_percent over the mean of
        all cells; select: the same of the select column; settings; queries_to_optimum_mean,
        _standard_error and _median, where a run that never meets the optimum counts as the
        table's size; reached_optimum: the share of runs that did; counting_repeats: figures where
        every individual is a query; curve: mean of the reported column after so many queries;
        standard_errors_above_random_search. table: what was read. protocol: sentences for a report.
        select, report, runs, budget, seed, skip_known, machine, commit, versions.

    Raises:
        TaskError: the table cannot be used.
        ConfigError: no such search, a tournament above the population, a budget above the table.
    """
    names = chosen(searches)
    given = {"population": population, "tournament": tournament}
    settings = {name: settings_of(name, given) for name in names}
    table = read_cell_table(file, [select, report])
    budget = min(100, len(table)) if budget is None else budget
    if budget > len(table):
        raise ConfigError(
            f"a budget of {budget} queries is more than the {len(table)} cells of {file}; give "
            f"--budget {len(table)} or less"
        )
    lookup = make_lookup(table, select, skip_known)
    found = {}
    for name in names:
        made = trajectories(name, lookup, settings[name], runs, seed)
        found[name] = {
            "settings": settings[name],
            **figures(name, made, table, select, report, budget),
        }
    for name, entry in found.items():
        if name not in ALWAYS:
            entry["standard_errors_above_random_search"] = standard_errors_apart(
                entry, found[RANDOM_SEARCH]
            )
    info = run_info(seed, [])
    return {
        "select": select,
        "report": report,
        "runs": runs,
        "budget": budget,
        "seed": seed,
        "skip_known": skip_known,
        "table": _facts(table, lookup, file, select, report),
        "searches": found | {alias: found[name] for alias, name in ALIASES.items()},
        "protocol": _protocol(table, settings, given, select, report, budget, runs, skip_known),
        "machine": {"cpu": info["cpu"], "cores": info["cpu_count"], "platform": info["platform"]},
        "commit": info["commit"],
        "versions": info["versions"],
    }


def _facts(table: CellTable, lookup: RowLookup, file, select: str, report: str) -> dict[str, Any]:
    """Returns what was read: sizes, and what is best and usual in it."""
    selected, reported = table.columns[select], table.columns[report]
    best = int(selected.argmax())
    return {
        "file": Path(file).name,
        "sha256": hashlib.sha256(Path(file).read_bytes()).hexdigest(),
        "cells": len(table),
        "possible_cells": table.possible,
        "nodes": table.nodes,
        "ops": list(table.ops),
        "cells_without_neighbour": int((lookup.degree == 0).sum()),
        "optimum": table.arch(best),
        "optimum_select": float(selected[best]),
        "optimum_report": float(reported[best]),
        "cells_at_optimum": int((selected == selected[best]).sum()),
        "best_report": float(reported.max()),
        "mean_select": float(selected.mean()),
        "mean_report": float(reported.mean()),
        "std_report": float(reported.std()),
    }


def _protocol(table, settings, given, select, report, budget, runs, skip_known) -> dict[str, str]:
    """Returns what a report has to say beside the figures, one sentence or two for each point."""
    selection = (
        f"searches see '{select}' only; of a run's queried cells the best in it is its result, and "
        f"'{report}' is read once for that cell"
    )
    if select == report:
        selection = f"searches see and are judged by '{select}', so the figures are optimistic"
    repeated = (
        "children are drawn among the neighbours not yet queried while there are any"
        if skip_known
        else "a child that was queried before enters the population with its known score"
    )
    partial = (
        "the table is complete: a mutation is another op on one edge"
        if len(table) == table.possible
        else f"the table lists {len(table)} of {table.possible} cells: random cells are uniform over "
        "its rows, a mutation goes to a listed cell with another op on one edge, and to a random row "
        "where none is listed"
    )
    tuned = ", ".join(
        f"{name} {' '.join(f'{key} {value}' for key, value in values.items())}"
        for name, values in settings.items()
        if values
    )
    origin = f"{'given by the user, else ' if any(given.values()) else ''}tuned by {TUNING}"
    late = [
        n for n, s in settings.items() if n != RANDOM_SEARCH and s.get("population", 0) >= budget
    ]
    if late:
        origin += f"; {', '.join(late)} not done with its first random population within the budget"
    return {
        "selection": selection,
        "budget": f"{budget} queries, each a cell looked up for the first time in its run; "
        f"{repeated}, at no cost (counting_repeats: where every individual counts)",
        "duplicates": "each string is a cell; isomorphic cells are not merged",
        "space": partial,
        "runs": f"{runs} runs of each search, from random streams of their own",
        "baselines": "random sampling: the result of one draw; random search: the best of the same "
        "number of queries; relative improvement: over the mean of all cells",
        "optimum": "runs go on beyond the budget until they meet the best cell of the select column; "
        f"one that cannot ({MAX_PASSES} times the table's size of individuals) counts as {len(table)}",
        "settings": f"{tuned or 'none'} ({origin})",
        "cost": "no network is trained: a query stands for one training as the table's authors did it",
    }

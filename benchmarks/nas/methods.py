"""All search methods on a table at equal budgets, one after the other, beside published rows."""

import csv
import hashlib
import math
import time
from pathlib import Path
from typing import Any

from zero.bench.nas_table import plans
from zero.bench.nas_table_figures import figures, milliseconds_a_proposal, standard_errors_apart
from zero.bench.nas_table_runs import goes_on, make_lookup, trajectories
from zero.bench.nas_table_searches import (
    RANDOM_SEARCH,
    SAMPLING,
    Contestant,
    all_settings,
    chosen,
    descriptions,
)
from zero.cells.table import CellTable, read_cell_table

# Beside every method as it is: settings of published rows. The method has to be there.
EXTRA = (
    "regularized_evolution:population=10:tournament=3",
    "regularized_evolution:population=50:tournament=10",
    "reinforce:learning_rate=0.01",
)
# Data sets of published rows by our column: test accuracy of the fully trained cell.
DATA = {
    "cifar10_test_200": "CIFAR-10",
    "cifar100_test_200": "CIFAR-100",
    "imagenet16_120_test_200": "ImageNet16-120",
}
PUBLISHED = Path(__file__).with_name("published.csv")
KEPT = (
    "mean", "std", "standard_error", "median", "regret", "queries_to_optimum_mean",
    "queries_to_optimum_median", "reached_optimum", "reached_optimum_within_budget",
    "counting_repeats",
)  # fmt: skip


def contestants(only: list[str] | None) -> list[Contestant]:
    """Returns the searches to run: every one that a table can serve and `EXTRA`, or those named."""
    if only is not None:
        wanted = [one for one in chosen(only) if one.label != SAMPLING]
        return [one for one in wanted if one.label != RANDOM_SEARCH or one.label in only]
    methods = [name for name in descriptions() if name != SAMPLING]
    extra = [name for name in EXTRA if name.split(":")[0] in methods]
    return [one for one in chosen([*methods, *extra]) if one.label != SAMPLING]


def beginning(file: Path, select: str, reports: list[str], budgets: list[int], seed: int) -> dict:
    """Returns the part without searches: what has to be the same for results to be gone on with."""
    table = read_cell_table(file, [select, *reports], None)
    best = table.columns[select].argmax()
    return {
        "file": file.name,
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "cells": len(table),
        "select": select,
        "budgets": budgets,
        "seed": seed,
        "reports": {
            name: {
                "highest": float(table.columns[name].max()),
                "of_best_selected": float(table.columns[name][best]),
            }
            for name in reports
        },
        "published": published(),
        "searches": {},
    }


def published() -> list[dict[str, Any]]:
    """Returns the rows of the literature, and of a simulation apart from this code."""
    with PUBLISHED.open(newline="") as file:
        rows = list(csv.DictReader(file))
    numbers = {"queries": int, "runs": int, "mean": float, "sd": float}
    return [{key: numbers.get(key, str)(value) for key, value in row.items()} for row in rows]


def run(one: Contestant, table: CellTable, part: dict, runs: int) -> dict:
    """Returns a search's figures at every budget in every reported column, from the same runs."""
    lookup = make_lookup(table, part["select"])
    entry: dict[str, Any] = {
        "method": one.method, "runs": runs, "settings": {}, "milliseconds_a_proposal": {},
        "reports": {name: {} for name in part["reports"]}, "regret_curves": {},
    }  # fmt: skip
    began = time.perf_counter()
    for settings, budgets, stop in plans(one, {}, part["budgets"]):
        made = trajectories(one.method, lookup, settings, runs, part["seed"], stop)
        for budget in budgets:
            entry["settings"][str(budget)] = all_settings(one.method, settings)
            entry["milliseconds_a_proposal"][str(budget)] = milliseconds_a_proposal(made)
            for report in part["reports"]:
                found = figures(
                    one.method, made, table, part["select"], report, budget,
                    went_on=goes_on(one.method),
                )  # fmt: skip
                entry["reports"][report][str(budget)] = {key: found[key] for key in KEPT}
                if budget == part["budgets"][-1]:
                    entry["regret_curves"][report] = found["regret_curve"]
    entry["seconds"] = round(time.perf_counter() - began, 1)
    return entry


def above_random(part: dict, label: str, report: str, budget: int) -> float | None:
    """Returns how many standard errors a search is above random search, None without that one."""
    if label == RANDOM_SEARCH or RANDOM_SEARCH not in part["searches"]:
        return None
    one, other = (
        part["searches"][name]["reports"][report][str(budget)] for name in (label, RANDOM_SEARCH)
    )
    return standard_errors_apart(one, other)


def beside_published(part: dict) -> list[dict[str, Any]]:
    """Returns published rows on data sets of which there is a column, with our figures, None if we have none.

    ours: mean where cells that come up again cost nothing. ours_repeats: where every individual counts,
    as in the authors' simulations; of that are the difference and how many of its standard errors it is.
    """
    columns = {data: column for column, data in DATA.items() if column in part["reports"]}
    rows = []
    for row in part["published"]:
        if row["data"] not in columns:
            continue
        entry = part["searches"].get(row["ours"], {}).get("reports", {})
        found = entry.get(columns[row["data"]], {}).get(str(row["queries"]))
        ours = repeats = difference = errors = None
        if found is not None:
            ours, repeats = found["mean"], found["counting_repeats"]["mean"]
            difference = repeats - row["mean"]
            own = found["counting_repeats"]["standard_error"]
            if own is not None:
                errors = difference / math.hypot(row["sd"] / math.sqrt(row["runs"]), own)
        rows.append(
            row
            | {
                "ours_mean": ours,
                "ours_repeats": repeats,
                "difference": difference,
                "standard_errors": errors,
            }
        )
    return rows


def draw(part: dict, report: str, path: Path) -> None:
    """Draws the regret of all searches at the largest budget."""
    from zero.bench.nas_table_plot import regret_curves
    from zero.runs.pictures import save

    curves = {name: e["regret_curves"][report] for name, e in part["searches"].items()}
    title = f"'{report}' below its highest\n{part['file']}"
    save(regret_curves(curves, title, "queries"), path)

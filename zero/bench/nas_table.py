"""Search methods compared on a table of evaluated cells (`zero bench nas-table`).

An individual is a row of the table and its evaluation a look-up. Methods of `zero.search` that are
rules for parents run through `zero.evolution.loop.run_block`, the compiled loop that evolves programs;
the others are asked for rows and told their values. Beside them stands random sampling (one draw).

What counts: a *query* is a cell looked up for the first time in a run. A cell that comes up again
costs nothing, for its score is known, and enters the population like any other. Published figures
count alike: random search is said to need 7,782 queries on average for the best of 15,625 cells,
half of them, which only holds without repeats. `counting_repeats` has the figures of the other count.

A run of a rule for parents or of local search goes on until it meets the optimum of the select column
or has queried the whole table, so the mean number of queries is not cut off at the budget; the figures
at the budget are read from the same runs. Other methods may never get there: their policies make up
their minds, or each proposal takes long. Their runs end at the budget, later if that is asked for, or
where nothing new comes up. Lindauer and Hutter 2020 and Yang et al. 2020 say what a comparison has to
report: `_protocol`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from zero.bench.nas_table_figures import figures, milliseconds_a_proposal, standard_errors_apart
from zero.bench.nas_table_runs import (
    MAX_PASSES,
    MAX_REPEATS,
    QUERIES,
    SAMPLING,
    SECONDS,
    RowLookup,
    Stop,
    goes_on,
    make_lookup,
    trajectories,
)
from zero.bench.nas_table_searches import (
    ALIASES,
    ALWAYS,
    RANDOM_SEARCH,
    TUNED,
    TUNING,
    Contestant,
    all_settings,
    chosen,
    settings_of,
)
from zero.cells.table import CellTable, read_cell_table
from zero.cells.table_forms import StringForm
from zero.errors import ConfigError
from zero.runs.folder import run_info

Budgets = float | Sequence[float]


def compare(
    file: str | Path,
    select: str,
    report: str,
    searches: Sequence[str] | None = None,
    runs: int = 500,
    budget: Budgets | None = None,
    seed: int = 0,
    population: int | None = None,
    tournament: int | None = None,
    skip_known: bool = False,
    *,
    to_optimum: int | None = None,
    alphabet: str | None = None,
    seconds_column: str | None = None,
    seconds: Budgets | None = None,
    measured: bool = False,
) -> dict[str, Any]:
    """Returns the comparison of search methods on a table; higher values are better.

    Args:
        file: see `zero.cells.table.read_cell_table`.
        select: the column that searches see and by which a run's result is chosen.
        report: the column that is read once for each result.
        searches: names of `zero.bench.nas_table_searches`, with settings or without; None: all. The two
            random ones always run.
        runs: independent runs of each search.
        budget: queries (see above) after which a run's result is taken, or several such numbers; None:
            100, or all cells if there are fewer.
        seed: the same figures come from the same seed; runs have streams of their own.
        population, tournament: of the methods that have them; None: as tuned.
        skip_known: children are drawn among the neighbours not yet queried, while there are any (rules
            for parents).
        to_optimum: let the runs of the other methods, too, go on beyond the budget until they meet the
            optimum, for at most so many queries.
        alphabet: symbols of the table's strings (`zero.cells.table_forms.StringForm`); None: cells, or
            strings of whatever symbols they have, as the first row is.
        seconds_column: what a query takes.
        seconds: the budget, or several, instead of queries: what is done within so many counts.
        measured: whether to say what proposing a cell took each search.

    Returns:
        searches: by name (`random` is `random_search` once more) mean, std, standard_error, median,
        min and max over runs of the reported column; relative_improvement_percent over the mean of
        all cells; regret: how far the mean is below the column's highest; select: the same of the
        select column; settings; queries_to_optimum_mean, _standard_error and _median, where a run that
        goes on and never meets the optimum counts as the table's size (None where runs ended at the
        budget before they could); reached_optimum: the share of runs that did; counting_repeats:
        figures where every individual is a query; curve and regret_curve: means after so many queries
        or seconds; standard_errors_above_random_search; all at the largest budget, and `budgets`, where
        there are several: the same at each. table: what was read. protocol: sentences for a report.
        select, report, runs, budget, budgets, budget_of, seed, skip_known, machine, commit, versions.
        milliseconds_a_proposal, if `measured`: by search; alone not the same each time.

    Raises:
        TaskError: the table cannot be used.
        ConfigError: no such search or setting, a tournament above the population, a budget above the
            table or below one query.
    """
    contestants = chosen(searches)
    given = {"population": population, "tournament": tournament}
    for one in contestants:  # before the table is read
        settings_of(one.method, given, one.own)
    form = None if alphabet is None else StringForm(alphabet)
    timed = [] if seconds_column is None else [seconds_column]
    table = read_cell_table(file, [select, report, *timed], form)
    budgets, of = _budgets(table, file, budget, seconds, seconds_column)
    begin = 1.0 if of == QUERIES else float(table.columns[timed[0]].max())
    lookup = make_lookup(table, select, skip_known, seconds_column)
    found: dict[str, dict[str, Any]] = {}
    milliseconds = {}
    for one in contestants:
        by_budget = {}
        for settings, at, stop in plans(one, given, budgets, of, begin, to_optimum):
            made = trajectories(one.method, lookup, settings, runs, seed, stop)
            went_on = goes_on(one.method) or to_optimum is not None
            for amount in at:
                by_budget[amount] = {
                    "settings": all_settings(one.method, settings),
                    **figures(one.method, made, table, select, report, amount, of, begin, went_on),
                }
            milliseconds[one.label] = milliseconds_a_proposal(made)
        if one.label not in ALWAYS:
            for amount, entry in by_budget.items():
                random_search = found[RANDOM_SEARCH]
                at_this = random_search.get("budgets", {}).get(f"{amount:.10g}", random_search)
                entry["standard_errors_above_random_search"] = standard_errors_apart(entry, at_this)
        found[one.label] = by_budget[budgets[-1]]
        if len(budgets) > 1 and one.method != SAMPLING:  # which is one query, whatever the budget
            several = {f"{amount:.10g}": by_budget[amount] for amount in budgets}
            found[one.label] = found[one.label] | {"budgets": several}
    info = run_info(seed, [])
    return {
        "select": select,
        "report": report,
        "runs": runs,
        "budget": budgets[-1],
        "budgets": budgets,
        "budget_of": of,
        "seed": seed,
        "skip_known": skip_known,
        "table": _facts(table, lookup, file, select, report),
        "searches": found | {alias: found[name] for alias, name in ALIASES.items()},
        "protocol": _protocol(
            table, contestants, found, given, select, report, budgets, of, runs, skip_known,
            to_optimum,
        ),
        "machine": {"cpu": info["cpu"], "cores": info["cpu_count"], "platform": info["platform"]},
        "commit": info["commit"],
        "versions": info["versions"],
        **({"milliseconds_a_proposal": milliseconds} if measured else {}),
    }  # fmt: skip


def plans(
    one: Contestant,
    given: dict[str, int | None],
    budgets: Sequence[float],
    of: str = QUERIES,
    query: float = 1,
    to_optimum: int | None = None,
) -> Iterator[tuple[dict[str, Any], list[float], Stop]]:
    """Yields the runs that a search needs for several budgets: settings, budgets, where to stop.

    A method that plans for the budget needs runs of its own for each, any other one's last for all.

    query: how much of a budget a query takes.
    """
    plans: list[tuple[dict[str, Any], list[float]]] = []
    for amount in budgets:
        settings = settings_of(one.method, given, one.own, max(1, int(amount / query)))
        if plans and plans[-1][0] == settings:
            plans[-1][1].append(amount)
        else:
            plans.append((settings, [amount]))
    for settings, at in plans:
        if of == QUERIES:
            yield settings, at, Stop(max(to_optimum or 0, int(max(at))))
        else:
            yield settings, at, Stop(to_optimum, max(at))


def _budgets(
    table: CellTable,
    file: str | Path,
    queries: Budgets | None,
    seconds: Budgets | None,
    column: str | None,
) -> tuple[list[float], str]:
    """Returns the budgets, smallest first, and what they are of."""
    if (seconds is None) != (column is None):
        raise ConfigError("give --seconds and --seconds-column together, or neither")
    if seconds is not None and column is not None:
        if queries is not None:
            raise ConfigError("give --budget or --seconds, not both")
        found = sorted({float(x) for x in _several(seconds)})
        taken = table.columns[column]
        if taken.min() <= 0:
            raise ConfigError(
                f"column '{column}' of {file} has {taken.min():g}; seconds of a query are above 0"
            )
        if found[0] < taken.max():
            raise ConfigError(
                f"a budget of {found[0]:g} seconds is less than one query of {file} may take "
                f"({taken.max():g}); give --seconds {taken.max():g} or more"
            )
        return list(found), SECONDS
    whole = sorted({int(x) for x in _several(min(100, len(table)) if queries is None else queries)})
    if whole[-1] > len(table):
        raise ConfigError(
            f"a budget of {whole[-1]} queries is more than the {len(table)} cells of {file}; give "
            f"--budget {len(table)} or less"
        )
    return list(whole), QUERIES


def _several(budget: Budgets) -> Sequence[float]:
    return [budget] if isinstance(budget, int | float) else budget


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


def _protocol(
    table: CellTable,
    contestants: list[Contestant],
    found: dict[str, dict[str, Any]],
    given: dict[str, int | None],
    select: str,
    report: str,
    budgets: list[float],
    of: str,
    runs: int,
    skip_known: bool,
    to_optimum: int | None,
) -> dict[str, str]:
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
        f"the table is complete: a mutation is {table.form.change}"
        if len(table) == table.possible
        else f"the table lists {len(table)} of {table.possible} cells: random cells are uniform over "
        f"its rows, a mutation goes to a listed cell with {table.form.change}, and to a random row "
        "where none is listed"
    )
    amounts = " and ".join(f"{amount:,.10g}" for amount in budgets)
    counted = f"{amounts} queries, each a cell looked up for the first time in its run; "
    if of == SECONDS:
        counted = (
            f"{amounts} seconds that the table says its queries take, each a cell looked up for the "
            "first time in its run; what is done within them counts; "
        )
    return {
        "selection": selection,
        "budget": f"{counted}{repeated}, at no cost"
        + (" (counting_repeats: where every individual counts)" if of == QUERIES else ""),
        "duplicates": f"each row is a {table.form.name} of its own; isomorphic networks are not merged",
        "space": partial,
        "runs": f"{runs} runs of each search, from random streams of their own",
        "baselines": "random sampling: the result of one draw; random search: the best of the same "
        f"number of {of}; relative improvement: over the mean of all cells",
        "optimum": _of_optimum(contestants, len(table), to_optimum),
        "settings": _of_settings(contestants, found, given, budgets, of),
        "cost": "no network is trained: a query stands for one training as the table's authors did it",
    }


def _of_optimum(contestants: list[Contestant], size: int, to_optimum: int | None) -> str:
    text = (
        "runs go on beyond the budget until they meet the best cell of the select column; "
        f"one that cannot ({MAX_PASSES} times the table's size of individuals) counts as {size}"
    )
    ending = [o.label for o in contestants if o.label not in ALWAYS and not goes_on(o.method)]
    if ending:
        at = "at the budget" if to_optimum is None else f"after {to_optimum} queries"
        text += (
            f"; those of {', '.join(ending)} end {at}, or where {MAX_REPEATS} individuals in a row "
        )
        text += "were known"
    return text


def _of_settings(
    contestants: list[Contestant],
    found: dict[str, dict[str, Any]],
    given: dict[str, int | None],
    budgets: list[float],
    of: str,
) -> str:
    def listed(methods: list[Contestant]) -> str:
        settings = {one.label: found[one.label]["settings"] for one in methods}
        return ", ".join(
            f"{name} {' '.join(f'{key} {value}' for key, value in values.items())}"
            for name, values in settings.items()
            if values
        )

    tuned = listed([one for one in contestants if one.method in TUNED])
    others = listed([one for one in contestants if one.method not in TUNED])
    origin = f"{'given by the user, else ' if any(given.values()) else ''}tuned by {TUNING}"
    late = [
        one.label
        for one in contestants
        if one.label not in ALWAYS
        and of == QUERIES
        and found[one.label]["settings"].get("population", 0) >= budgets[0]
    ]
    if late:
        origin += f"; {', '.join(late)} not done with its first random population within the budget"
    text = f"{tuned or 'none'} ({origin})"
    return text + (f"; {others} (as the method has them, not tuned here)" if others else "")

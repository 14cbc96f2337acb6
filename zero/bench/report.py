"""Reports on comparisons of search methods, from their figures.

The commands write these as JSON (`--json`); a comparison of methods keeps its own in its folder, too.
"""

from __future__ import annotations

import shlex
from functools import partial
from pathlib import Path
from typing import Any

from zero.errors import ArchiveError
from zero.runs.progress import duration
from zero.runs.reports.common import picture
from zero.runs.reports.parts import Bullets, Commands, Pairs, Part, Report, Section, Table
from zero.runs.tables import shown_fitness
from zero.system.foreign import from_json

FILE = "comparison.json"  # in the folder of a comparison


def is_comparison(path: Path) -> bool:
    """Returns whether a path is that of a comparison's figures, or of the folder that keeps them."""
    return path.suffix == ".json" or (path / FILE).is_file()


def report(path: Path) -> Report:
    """Returns the report on a comparison.

    path: its JSON, or the folder of one.

    Raises:
        ArchiveError: it cannot be read, or holds no comparison.
    """
    file = path / FILE if path.is_dir() else path
    try:
        result = from_json(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArchiveError(f"{file} cannot be read as JSON: {error}") from None
    try:
        if "methods" in result:
            return _of_methods(result)
        if "searches" in result:
            return _of_table(result)
    except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
        raise ArchiveError(f"{file} is no sound comparison: {error!r}") from None
    raise ArchiveError(
        f"{file} holds no comparison of search methods; give what `zero bench search-methods CONFIG` or "
        "`zero bench nas-table FILE` wrote by --json FILE"
    )


def _of_methods(result: dict[str, Any]) -> Report:
    from zero.bench import search_methods as bench
    from zero.bench.differences import in_words

    rows = sorted(result["methods"].items(), key=lambda entry: -entry[1]["mean"])
    best, entry = rows[0]
    by = result["by"]
    beyond = [d for d in result["differences"] if d["beyond_noise"] and d["first"] == best]
    seeds = len(result["seeds"])
    others = ", ".join(d["second"] for d in beyond) if beyond else "none of the others"
    answer = (
        f"{best} has the highest mean {by} fitness, {shown_fitness(entry['mean'])} over {seeds} seeds; "
        f"beyond noise it is better than {others}."
    )
    table = [
        (name, shown_fitness(e["mean"]), "-" if e["std"] is None else f"{e['std']:.4f}",
         *(shown_fitness(e[key]) for key in ("min", "max")),
         *(f"{e[key]:,.0f}" for key in ("individuals", "train_steps")), duration(e["seconds"]))
        for name, e in rows
    ]  # fmt: skip
    columns = ("method", f"{by} fitness", "std", "min", "max", "individuals", "train steps", "time")
    words = in_words(bench.known_differences(result))
    again = f"zero bench search-methods {shlex.quote(result['config'])} --seeds {seeds}"
    again += "".join(f" --set {shlex.quote(s)}" for s in result["settings"])
    return Report(
        f"Search methods on {result['config']}",
        [
            Section("Figures", [Table(columns, table, 7), *([Bullets(words)] if words else [])]),
            Section("Best so far", [picture(
                partial(bench.draw, result), "methods",
                "Mean best fitness so far; bands of two standard errors.",
            )]),
            Section("How it was done", [
                Pairs([("seeds", ", ".join(map(str, result["seeds"]))), *_machine(result)])
            ]),
            Section("How to reproduce it", [Commands([(again, "the same comparison once more:")])]),
        ],
        answer,
    )  # fmt: skip


def _of_table(result: dict[str, Any]) -> Report:
    from zero.bench.nas_table_plot import of_comparison
    from zero.bench.nas_table_searches import ALIASES

    table = result["table"]
    found: dict[str, Any] = {}
    for name, entry in result["searches"].items():
        if name not in ALIASES:
            found[name] = list(entry["budgets"].values())[-1] if entry.get("budgets") else entry
    rows = sorted(found.items(), key=lambda e: -e[1]["mean"])
    best, entry = rows[0]
    figures = [
        (name, *(_number(e.get(key)) for key in
                 ("mean", "std", "regret", "queries_to_optimum_mean", "standard_errors_above_random_search")))
        for name, e in rows
    ]  # fmt: skip
    columns = (
        "search",
        "mean",
        "std",
        "regret",
        "queries to optimum",
        "std errors above random search",
    )
    curves: list[Part] = [
        picture(of_comparison(result), "regret", "Mean regret; bands of one standard error.")
    ]
    facts = [
        ("table", f"{table['file']}: {table['cells']:,} of {table['possible_cells']:,} cells"),
        ("sha256", table["sha256"]),
        ("mean cell", _number(table["mean_report"])),
        ("best cell", f"{_number(table['optimum_report'])}: {table['optimum']}"),
        *((str(k), str(v)) for k, v in result["protocol"].items()),
        ("seed", str(result["seed"])),
        *_machine(result),
    ]
    return Report(
        f"Search methods on {table['file']}, '{result['report']}'",
        [
            Section(f"After {result['budget']:,.10g} {result['budget_of']}", [Table(columns, figures, 5)]),
            Section("Regret", curves),
            Section("How it was done", [Pairs(facts)]),
        ],
        f"{best} comes highest: {_number(entry['mean'])} in the mean of {result['runs']} runs after "
        f"{result['budget']:,.10g} {result['budget_of']}; the best cell has "
        f"{_number(table['optimum_report'])}.",
    )  # fmt: skip


def _machine(result: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        ("machine", ", ".join(f"{k} {v}" for k, v in result["machine"].items())),
        ("commit", str(result["commit"])),
        ("versions", ", ".join(f"{k} {v}" for k, v in result["versions"].items())),
    ]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"

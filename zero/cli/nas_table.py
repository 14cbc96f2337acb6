"""The command line's `zero bench nas-table`; see `zero.bench.nas_table`."""

import csv
import io
import json
from pathlib import Path
from typing import Annotated, Any

import typer

from zero.cli.common import Debug, JsonFile, guarded
from zero.runs.tables import print_pairs, print_table


def register(bench: typer.Typer) -> None:
    """Adds the command to `zero bench`."""
    bench.command("nas-table")(nas_table)


def _amounts(text: str) -> list[float]:
    """Returns the numbers of a list such as 100,500."""
    try:
        found = [float(part) for part in text.split(",")]
    except ValueError:
        found = []
    if not found or not all(0 < x < float("inf") for x in found):
        raise typer.BadParameter(f"'{text}' is not a number above 0, or several, like 100,500")
    return found


def _whole_amounts(text: str) -> list[float]:
    found = _amounts(text)
    if not all(x.is_integer() for x in found):
        raise typer.BadParameter(f"'{text}' is not a whole number, or several, like 100,500")
    return found


Amounts = list[float]  # of options that take several in one


@guarded
def nas_table(
    file: Annotated[
        Path,
        typer.Argument(
            help="CSV or CSV.gz with a column 'arch' of NAS-Bench-201 strings, or of strings such as "
            "00121020, one symbol a place."
        ),
    ],
    select: Annotated[
        str, typer.Option(metavar="COLUMN", help="What searches see; higher is better.")
    ],
    report: Annotated[
        str, typer.Option(metavar="COLUMN", help="What is read once for each run's result.")
    ],
    searches: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,...",
            help="Besides random sampling and search; with settings: A:KEY=VALUE [default: all].",
        ),
    ] = None,
    runs: Annotated[int, typer.Option(metavar="N", min=1, help="Runs of each search.")] = 500,
    budget: Annotated[
        Any,
        typer.Option(
            metavar="N,...",
            parser=_whole_amounts,
            help="Cells that a run may query, or several such numbers [default: 100, or all].",
        ),
    ] = None,
    seconds: Annotated[
        Any,
        typer.Option(
            metavar="S,...", parser=_amounts, help="Budget in seconds that queries take, instead."
        ),
    ] = None,
    seconds_column: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="The seconds that a query takes.")
    ] = None,
    to_optimum: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Let runs of every search go on to the optimum, for at most N queries [default: "
            "those of rules for parents and local search, without end].",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Of all runs.")] = 0,
    population: Annotated[
        int | None,
        typer.Option(metavar="N", min=2, max=100_000, help="Of searches that have one."),
    ] = None,
    tournament: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Of regularised evolution.")
    ] = None,
    skip_known: Annotated[
        bool, typer.Option("--skip-known", help="Make children of cells not yet queried only.")
    ] = False,
    alphabet: Annotated[
        str | None,
        typer.Option(
            metavar="SYMBOLS", help="Of strings, like 012 [default: the symbols they have]."
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw regret over queries: .svg or .png."),
    ] = None,
    csv_file: Annotated[
        Path | None,
        typer.Option("--csv", metavar="FILE", help="Write a row for each search and budget."),
    ] = None,
    json_file: JsonFile = None,
    debug: Debug = False,
) -> None:
    """Compare search methods on a table of evaluated cells."""
    from zero.bench.nas_table import compare
    from zero.system.files import check_place, write_bytes

    if plot is not None:
        from zero.runs.pictures import check, save

        check(plot)
    for output in (plot, csv_file, json_file):
        if output is not None:
            check_place(output)
    names = None if searches is None else [n.strip() for n in searches.split(",") if n.strip()]
    result = compare(
        file, select, report, names, runs, budget, seed, population, tournament, skip_known,
        to_optimum=to_optimum, alphabet=alphabet, seconds_column=seconds_column, seconds=seconds,
        measured=True,
    )  # fmt: skip
    if json_file is not None:
        write_bytes(json_file, json.dumps(result, indent=2).encode() + b"\n")
    if csv_file is not None:
        write_bytes(csv_file, _as_csv(result).encode())
    if plot is not None:
        from zero.bench.nas_table_plot import of_comparison

        save(of_comparison(result), plot)
    _tell(result)


# The figures of a row of the CSV, after search, method's settings, budget and what that is of.
_FIGURES = (
    "runs", "mean", "std", "standard_error", "median", "min", "max", "relative_improvement_percent",
    "regret", "standard_errors_above_random_search", "queries_to_optimum_mean",
    "queries_to_optimum_standard_error", "queries_to_optimum_median", "reached_optimum",
    "reached_optimum_within_budget",
)  # fmt: skip


def _rows(result: dict[str, Any], number: int | None = None) -> list[tuple[str, dict[str, Any]]]:
    """Returns the name and the entry of every search, at every budget or at the one of that number."""
    from zero.bench.nas_table import ALIASES

    found = []
    for name, entry in result["searches"].items():
        at = list(entry.get("budgets", {"": entry}).values())
        if number is not None:
            at = [at[number]] if len(at) > 1 else at
        found += [(name, one) for one in at if name not in ALIASES]
    return found


def _as_csv(result: dict[str, Any]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ("search", "settings", "budget", "budget_of", *_FIGURES, "milliseconds_a_proposal")
    )
    for name, entry in _rows(result):
        figures = (entry.get(key) for key in _FIGURES)
        milliseconds = result["milliseconds_a_proposal"][name]
        settings = json.dumps(entry["settings"])
        writer.writerow(
            (name, settings, entry["budget"], result["budget_of"], *figures, milliseconds)
        )
    return text.getvalue()


def _tell(result: dict[str, Any]) -> None:
    for number, amount in enumerate(result["budgets"]):
        found = _rows(result, number)
        if len(result["budgets"]) > 1:
            print(f"{amount:,.10g} {result['budget_of']}\n")
        print_table(
            ("search", "mean", "std", "std error", "median", "min", "max"),
            [
                (name, *(_shown(entry[key]) for key in (
                    "mean", "std", "standard_error", "median", "min", "max")))
                for name, entry in found
            ],
        )  # fmt: skip
        print()
        print_table(
            ("search", "over mean cell %", "std errors above random search", "queries to optimum",
             "median", "met it %", "ms each"),
            [
                (
                    name,
                    _shown(entry["relative_improvement_percent"]),
                    _shown(entry.get("standard_errors_above_random_search"), 1),
                    _shown(entry.get("queries_to_optimum_mean"), 1),
                    _shown(entry.get("queries_to_optimum_median"), 1),
                    _shown(100 * entry["reached_optimum"] if "reached_optimum" in entry else None, 1),
                    _shown(result["milliseconds_a_proposal"][name]),
                )
                for name, entry in found
            ],
        )  # fmt: skip
        print()
    table = result["table"]
    pairs = [
        ("table", f"{table['file']}: {table['cells']:,} of {table['possible_cells']:,} cells"),
        ("mean cell", f"{_shown(table['mean_report'])} in '{result['report']}'"),
        (
            "best cell",
            f"{_shown(table['optimum_select'])} in '{result['select']}', "
            f"{_shown(table['optimum_report'])} in '{result['report']}' "
            f"(the highest there: {_shown(table['best_report'])}): {table['optimum']}",
        ),
        *result["protocol"].items(),
        ("seed", str(result["seed"])),
        ("machine", ", ".join(f"{k} {v}" for k, v in result["machine"].items())),
        ("commit", str(result["commit"])),
        ("versions", ", ".join(f"{k} {v}" for k, v in result["versions"].items())),
    ]
    print_pairs(pairs)


def _shown(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}f}"

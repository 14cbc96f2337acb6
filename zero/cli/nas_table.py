"""The command line's `zero bench nas-table`; see `zero.bench.nas_table`."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from zero.cli.common import Debug, JsonFile, guarded
from zero.runs.tables import print_pairs, print_table


def register(bench: typer.Typer) -> None:
    """Adds the command to `zero bench`."""
    bench.command("nas-table")(nas_table)


@guarded
def nas_table(
    file: Annotated[
        Path, typer.Argument(help="CSV or CSV.gz with a column 'arch' of NAS-Bench-201 strings.")
    ],
    select: Annotated[
        str, typer.Option(metavar="COLUMN", help="What searches see; higher is better.")
    ],
    report: Annotated[
        str, typer.Option(metavar="COLUMN", help="What is read once for each run's result.")
    ],
    searches: Annotated[
        str | None,
        typer.Option(metavar="A,B,...", help="Besides random sampling and search [default: all]."),
    ] = None,
    runs: Annotated[int, typer.Option(metavar="N", min=1, help="Runs of each search.")] = 500,
    budget: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Cells that a run may query [default: 100, or all]."),
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
    json_file: JsonFile = None,
    debug: Debug = False,
) -> None:
    """Compare search methods on a table of evaluated cells."""
    from zero.bench.nas_table import compare

    names = None if searches is None else [n.strip() for n in searches.split(",") if n.strip()]
    result = compare(
        file, select, report, names, runs, budget, seed, population, tournament, skip_known
    )
    if json_file is not None:
        from zero.system.files import write_bytes

        write_bytes(json_file, json.dumps(result, indent=2).encode() + b"\n")
    _tell(result)


def _tell(result: dict[str, Any]) -> None:
    from zero.bench.nas_table import ALIASES

    found = {n: entry for n, entry in result["searches"].items() if n not in ALIASES}
    print_table(
        ("search", "mean", "std", "std error", "median", "min", "max"),
        [
            (name, *(_shown(entry[key]) for key in (
                "mean", "std", "standard_error", "median", "min", "max")))
            for name, entry in found.items()
        ],
    )  # fmt: skip
    print()
    print_table(
        ("search", "improvement %", "std errors above random search", "queries to optimum",
         "optimum met %"),
        [
            (
                name,
                _shown(entry["relative_improvement_percent"]),
                _shown(entry.get("standard_errors_above_random_search"), 1),
                _shown(entry.get("queries_to_optimum_mean"), 1),
                _shown(100 * entry["reached_optimum"] if "reached_optimum" in entry else None, 1),
            )
            for name, entry in found.items()
        ],
    )  # fmt: skip
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
    print()
    print_pairs(pairs)


def _shown(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}f}"

"""The command line's `zero bench search-methods`; see `zero.bench.search_methods`."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from zero.cli.common import Config, Debug, JsonFile, Set, TrustImports, guarded
from zero.runs.progress import duration
from zero.runs.tables import Whole, print_pairs, print_paragraph, print_table, shown_fitness


def register(bench: typer.Typer) -> None:
    """Adds the command to `zero bench`."""
    bench.command("search-methods")(search_methods)


@guarded
def search_methods(
    config: Config,
    methods: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,...",
            help="Besides random_search; NAME:KEY=VALUE has settings of its own "
            "[default: all that serve the config].",
        ),
    ] = None,
    seeds: Annotated[
        int, typer.Option(metavar="N", min=1, max=10_000, help="Runs of each method.")
    ] = 6,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="For all runs; the same again goes on [default: runs/compare-NAME]."
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw the best so far over individuals: .svg or .png."),
    ] = None,
    json_file: JsonFile = None,
    settings: Set = None,
    trust_imports: TrustImports = False,
    debug: Debug = False,
) -> None:
    """Compare search methods on a config, seed by seed, at equal budgets."""
    from zero.bench import report
    from zero.bench import search_methods as bench
    from zero.config.load import load_config
    from zero.runs import pictures
    from zero.runs.reports.page import page
    from zero.system.files import check_place, write_bytes

    if plot is not None:
        pictures.check(plot)
    for output in (plot, json_file):
        if output is not None:
            check_place(output)
    checked = load_config(config, settings or [])
    wanted = None if methods is None else [name for name in methods.split(",") if name.strip()]
    out = out or Path("runs") / f"compare-{checked.name}"

    def tell(run: bench.MethodRun, number: int, of: int) -> None:
        figures = f"search {shown_fitness(run.search)}, final {shown_fitness(run.final)}"
        taken = duration(run.seconds)
        print(f"{number}/{of} {run.method}, seed {run.seed}: {figures}, {taken}", file=sys.stderr)

    try:
        result = bench.compare(config, settings or [], wanted, seeds, out, tell, sys.argv)
    except bench.Stopped:
        print(f"stopped; the same command goes on with {out}", file=sys.stderr)
        raise typer.Exit(130) from None
    text = json.dumps(result, indent=2).encode() + b"\n"
    for file in (out / report.FILE, *([json_file] if json_file is not None else [])):
        write_bytes(file, text)
    write_bytes(out / "report.html", page(report.report(out)).encode())
    _tell(result)
    print_pairs([("report", Whole(out / "report.html"))])
    if plot is not None:
        pictures.save(lambda figure: bench.draw(result, figure), plot)
        print(f"wrote {plot}")


def _tell(result: dict[str, Any]) -> None:
    from zero.bench.differences import in_words
    from zero.bench.search_methods import known_differences

    by = result["by"]
    rows = sorted(result["methods"].items(), key=lambda entry: -entry[1]["mean"])
    improved = any(e["relative_improvement_percent"] is not None for _, e in rows)
    print_table(
        ("method", f"{by} fitness", "std", "min", "max", "individuals", "train steps", "time",
         *(["over random, %"] if improved else [])),
        [
            (
                name, shown_fitness(e["mean"]), "" if e["std"] is None else f"{e['std']:.4f}",
                shown_fitness(e["min"]), shown_fitness(e["max"]), f"{e['individuals']:,.0f}",
                f"{e['train_steps']:,.0f}", duration(e["seconds"]),
                *([_percent(e["relative_improvement_percent"])] if improved else []),
            )
            for name, e in rows
        ],
    )  # fmt: skip
    if by == "search":
        print_paragraph(
            "the runs have no final figure: what is compared is what the search itself saw"
        )
    print()
    notes = in_words(known_differences(result))
    if improved:
        notes.append(
            "over random: the search's best above the mean of the random candidates of the same run"
        )
    for sentence in notes:
        print_paragraph(sentence, "* ", "  ")


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:+.2f}"

"""`zero archive ...`: a user's library of discoveries across runs.

`register` puts the commands into the command line; see `zero.cli.main` and `zero.cli.common`.
"""

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from zero.cli.common import Commands, Debug, guarded
from zero.errors import ConfigError
from zero.runs.tables import Whole, print_pairs, print_table, shown, shown_fitness

archive = typer.Typer(
    help="Keep discoveries of many runs in a library.",
    no_args_is_help=True,
    cls=Commands,
    rich_markup_mode=None,
)


def register(app: typer.Typer) -> None:
    """Adds the commands of this file to the command line."""
    app.add_typer(archive, name="archive")


class Order(StrEnum):
    """See `zero.collection.library.Sort`."""

    fitness = "fitness"
    size = "size"
    date = "date"


LibraryFolder = Annotated[
    Path | None,
    typer.Option(
        "--library",
        metavar="DIR",
        help="The library [default: ZERO_LIBRARY, else the user's data folder].",
    ),
]
Id = Annotated[str, typer.Argument(metavar="ID", help="First digits of an id, see `list`.")]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON.")]


@archive.command()
@guarded
def add(
    runs: Annotated[
        list[str], typer.Argument(metavar="RUN...", help="A run's folder, or RUN#ID of a record.")
    ],
    every: Annotated[
        bool, typer.Option("--all", help="All that were once the best of their run.")
    ] = False,
    library: LibraryFolder = None,
    debug: Debug = False,
) -> None:
    """Add what runs have found: the outcome of each, or its best so far."""
    from zero.collection.adding import discoveries_in
    from zero.collection.library import SHOWN

    kept = _library(library)
    found = [(run, discovery) for run in runs for discovery in discoveries_in(run, every)]
    for run, discovery in found:
        _, new = kept.add(discovery)
        state = "added" if new else "already there"
        print(f"{discovery.form[:SHOWN]}  {state}: record {discovery.run['record']} of {run}")
    print(f"library {kept.folder}", file=sys.stderr)


@archive.command("list")
@guarded
def list_(
    kind: Annotated[str | None, typer.Option(metavar="KIND", help="Of genome only.")] = None,
    task: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Only of tasks with this in their name.")
    ] = None,
    top: Annotated[int | None, typer.Option(metavar="N", min=1, help="So many at most.")] = None,
    sort: Annotated[
        Order,
        typer.Option(
            metavar="KEY", help="fitness (final, else of the search), size or date, best first."
        ),
    ] = Order.fitness,
    as_json: AsJson = False,
    library: LibraryFolder = None,
    debug: Debug = False,
) -> None:
    """List the library: each genome once, however many runs found it."""
    from zero.collection.library import SHOWN

    kept = _library(library)
    entries = kept.entries(kind, task, sort.value, top)
    _tell(kept.problems)
    if as_json:
        print(json.dumps([entry.plain() for entry in entries], indent=2))
        return
    if not entries:
        print("no discovery in the library" + (" is like that" if kind or task else ""))
        return
    print_table(
        ("id", "kind", "task", "search", "final", "size", "found", "added", "run"),
        [
            (Whole(e.id[:SHOWN]), e.kind, e.task, _fitness(e.fitness), _fitness(e.final_fitness),
             f"{e.size:,}", e.findings, e.added[:10], e.runs[0])
            for e in entries
        ],
    )  # fmt: skip


@archive.command()
@guarded
def show(
    entry: Id,
    raw: Annotated[bool, typer.Option("--raw", help="The genome's text as it was found.")] = False,
    as_json: AsJson = False,
    library: LibraryFolder = None,
    debug: Debug = False,
) -> None:
    """Show a discovery: genome, figures, lineage, and where it comes from."""
    kept = _library(library)
    found = kept.find(entry)
    findings = kept.read(found)
    if as_json:
        print(json.dumps([f.plain() for f in findings], indent=2, allow_nan=False))
        return
    print_discovery(findings, found.files[0], raw)


def print_discovery(findings: list[Any], file: Path, raw: bool) -> None:
    """Prints what is known of a genome; findings: `Discovery` of it, the best first, in that file."""
    best = findings[0]
    rows = [("id", best.form), ("kind", best.kind), ("task", best.task), *_figure_rows(best)]
    for key, numbers in (("cost", best.cost), ("run took", best.effort)):
        if numbers:
            words = (f"{name.replace('_', ' ')} {shown(value)}" for name, value in numbers.items())
            rows.append((key, ", ".join(words)))
    print_pairs(rows)
    print(f"\n{best.text.rstrip() if raw else _genome(best)}\n\nfound by:")
    print_table(
        ("run", "record", "seed", "search", "final", "machine", "zero", "added"),
        [
            (f.name, f.run["record"], f.run["seed"], shown_fitness(f.fitness),
             shown_fitness(f.final_fitness), str(f.machine.get("cpu", "-")), f.run["zero_version"],
             f.added[:10])
            for f in findings
        ],
    )  # fmt: skip
    several = {part: kept[1] for part, kept in best.tasks.items() if len(kept[1]) > 1}
    if several:
        print()
        print_table(
            ("tasks", "number", "least fitness", "largest"),
            [(p, len(f), shown_fitness(min(f)), shown_fitness(max(f))) for p, f in several.items()],
        )
    if len(best.lineage) > 1:
        print("\nlineage:")
        print_table(
            ("record", "individuals", "mutation", "fitness"),
            [(a.id, f"{a.individuals:,}", a.mutation, shown_fitness(a.fitness)) for a in best.lineage],
        )  # fmt: skip
    print()
    print_pairs([("file", Whole(str(file)))])


@archive.command()
@guarded
def diff(
    first: Id,
    second: Id,
    as_json: AsJson = False,
    library: LibraryFolder = None,
    debug: Debug = False,
) -> None:
    """Show how two discoveries differ: their genomes, line by line, and their figures."""
    from zero.collection.comparing import difference
    from zero.collection.library import SHOWN

    kept = _library(library)
    old, new = (kept.read(kept.find(entry))[0] for entry in (first, second))
    lines = difference(old, new)
    if as_json:
        print(json.dumps({"lines": lines, "first": old.plain(), "second": new.plain()}, indent=2))
        return
    print("\n".join(lines) + "\n")
    figures = zip(_figure_rows(old), _figure_rows(new), strict=True)
    print_table(
        ("", old.form[:SHOWN], new.form[:SHOWN]), [(name, a, b) for (name, a), (_, b) in figures]
    )


@archive.command()
@guarded
def merge(
    others: Annotated[list[Path], typer.Argument(metavar="LIBRARY...", help="Other libraries.")],
    library: LibraryFolder = None,
    debug: Debug = False,
) -> None:
    """Add all that other libraries have."""
    from zero.collection.library import Library

    kept = _library(library)
    for folder in others:
        other = Library(folder)
        new, old = kept.merge(other)
        _tell(other.problems)
        print(f"{folder}: {new} added, {old} already there")


@archive.command()
@guarded
def export(
    entry: Id,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="FILE",
            help=".txt: the genome, for other commands; .json: all that is known; .h5: the entry; or a "
            "form of `zero export`, such as .py.",
        ),
    ],
    library: LibraryFolder = None,
    debug: Debug = False,
) -> None:  # fmt: skip
    """Write a discovery to a file, for other commands: `zero explain FILE.txt`, `zero evaluate FILE.txt`.

    A copy of the entry, FILE.h5, does as well, and can be named in a config's search.start_from.
    """
    from zero.collection.export import export as write

    kept = _library(library)
    found = kept.find(entry)
    best = kept.read(found)[0]
    for path in write(best, found.files[0], output, lambda text: _tell([text])):
        print(f"wrote {path}")


# --- shared ---------------------------------------------------------------------------------------


def _library(folder: Path | None) -> Any:
    from zero.collection.library import Library

    return Library(folder)


def _tell(lines: list[str]) -> None:
    for line in lines:
        print(f"note: {line}", file=sys.stderr)


def _fitness(value: float | None) -> str:
    return "-" if value is None else shown_fitness(value)


def _figure_rows(found: Any) -> list[tuple[str, str]]:
    return [
        ("search fitness", shown_fitness(found.fitness)),
        ("select fitness", shown_fitness(found.select_fitness)),
        ("final fitness", shown_fitness(found.final_fitness)),
        ("size", f"{found.size:,} {found.size_unit.removesuffix('s' if found.size == 1 else '')}"),
    ]


def _genome(found: Any) -> str:
    """Returns a genome as people read it, where its kind is known here."""
    from zero import genomes

    try:
        return "\n".join(genomes.get(found.kind).lines(found.text, found.canonical))
    except ConfigError:
        return str(found.text).rstrip()

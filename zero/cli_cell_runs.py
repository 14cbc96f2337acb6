"""What the command line prints of runs over cells: their outcome, and `zero show`.

Called by `zero.cli`, which does the same for programs.
"""

import math
from pathlib import Path
from typing import Any

from zero.cli_common import json_number, shown_fitness
from zero.cli_tables import Whole, print_pairs, print_table


def outcome_event(outcome: Any) -> dict[str, Any]:
    """Returns what the JSON line of a run's end says of the cells that were found."""
    final = outcome.final.fitness if outcome.final else math.nan
    return {
        "fitness": json_number(outcome.search_fitness),
        "valid_accuracy": json_number(outcome.details.get("valid_accuracy", math.nan)),
        "test_accuracy": json_number(final),
        "parameters": outcome.details.get("parameters"),
        "multiply_adds": outcome.details.get("multiply_adds"),
        "published": {
            name: {"valid_accuracy": json_number(valid), "test_accuracy": json_number(test)}
            for name, (valid, test) in outcome.baselines.items()
        },
        "genome": outcome.program and str(outcome.program),
    }


def print_outcome(outcome: Any) -> None:
    """Prints the cells that a run found and their figures."""
    if outcome.program is None:
        made = outcome.individuals
        print(f"none of {made:,} candidates could be trained" if made else "no candidate was made")
        return
    print()
    print(outcome.program.listing())
    final = outcome.final.fitness if outcome.final else math.nan
    own = (outcome.details.get("valid_accuracy", math.nan), final)
    print()
    print_table(
        ("cells", "fitness", "valid accuracy", "test accuracy", "parameters"),
        [
            ("discovered", shown_fitness(outcome.search_fitness), *map(shown_fitness, own),
             f"{outcome.details['parameters']:,}"),
            *(
                (f"{name} (published)", "", *map(shown_fitness, pair), "")
                for name, pair in outcome.baselines.items()
            ),
        ],
    )  # fmt: skip
    if outcome.details.get("failed"):
        print(f"the last training failed: {outcome.details['failed']}")
        print("the figures are those of the network that the search trained")
    print()


def print_text(text: str) -> None:
    """Prints a genome's cells for people to read, then its text."""
    from zero.cells.genome import parse_genome
    from zero.errors import NetworkError

    try:
        print(parse_genome(text).listing())
    except NetworkError:  # ops of the user's own, which only the run's config imports
        print("cells with ops of one's own, as text")
    print(f"\n{text}\n")


def setting_rows(settings: dict[str, Any]) -> list[tuple[str, str]]:
    """Returns what a run's settings say of space and network."""
    cells = settings.get("cells") or {}
    skeleton = cells.get("skeleton") or {}
    size = ", ".join(f"{k} {skeleton[k]}" for k in ("normal_cells", "filters") if k in skeleton)
    evaluate, images = cells.get("evaluate"), cells.get("images") or {}
    epochs = (cells.get("training") or {}).get("epochs")
    how = f"{images.get('source')}, {epochs} epochs"
    if isinstance(evaluate, dict):
        how = f"{evaluate.get('table')}, column {evaluate.get('select')}"
    return [
        ("space", str(cells.get("space"))),
        ("skeleton", size),
        ("evaluated on", how),
        *_search_rows(settings.get("search") or {}, cells),
    ]


def _search_rows(search: dict[str, Any], cells: dict[str, Any]) -> list[tuple[str, str]]:
    """Returns what the settings say of the search method, and of what is not as usual in it."""
    words = [str(search.get("method")), f"population {search.get('population')}"]
    if search.get("method") == "regularized_evolution":
        words.append(f"tournament {search.get('tournament')}")
    objective = cells.get("objective") or {}
    if objective.get("kind", "accuracy") != "accuracy":
        target = f", target {objective['target']:,}" if objective["kind"] == "mnasnet" else ""
        words.append(f"{objective['kind']} of accuracy and {objective['cost']}{target}")
    if cells.get("halving"):
        words.append("successive halving")
    if cells.get("inherit_weights"):
        words.append("weights inherited")
    return [("search", ", ".join(words))]


def figure_rows(data: Any, record: Any) -> list[tuple[str, str]]:
    """Returns the figures of a run's best candidate, and of all of them."""
    records = [r for e in data.experiments for r in e.records]
    rows = [
        ("fitness", shown_fitness(record.fitness)),
        ("valid accuracy", shown_fitness(record.accuracy)),
    ]
    results = data.results or {}
    final = results.get("final")
    if final:
        network = ", of the network of the search"
        if final.get("failed"):
            network += f" (the last training failed: {final['failed']})"
        if final.get("retrained"):
            network = f", after {final['epochs']} epochs with {final['parameters']:,} parameters"
        column = "" if "retrained" in final else ", from the table"
        told = shown_fitness(final["fitness"])
        rows.append(("test accuracy", told + (column or network)))
    rows += [
        ("parameters", f"{record.parameters:,}"),
        ("multiply-adds", f"{record.multiply_adds:,} an image"),
        ("activations", f"{record.activation_bytes / 2**20:,.1f} MiB in a training step"),
    ]
    if not math.isnan(record.latency):
        rows.append(("latency", f"{1000 * record.latency:.3f} ms an image, measured"))
    sampled = results.get("random_sampling")
    if sampled and sampled["count"]:
        rows.append((
            "random sampling",
            f"{shown_fitness(sampled['mean'])} valid accuracy, standard deviation "
            f"{sampled['std']:.4f}, of {sampled['count']} random candidates",
        ))  # fmt: skip
        if sampled["mean"] > 0:
            gain = 100 * (record.accuracy - sampled["mean"]) / sampled["mean"]
            rows.append(("over random", f"{gain:+.2f} % of that mean"))
    failed = [r.reason for r in records if math.isinf(r.fitness)]
    same = sum(r.same_as >= 0 for r in records)
    rows.append(("candidates", f"{len(records):,}, {same:,} of them as others before"))
    if failed:
        rows.append(("failed", f"{len(failed):,}, such as: {failed[0]}"))
    return rows


def print_run(path: Path, data: Any, record: Any, lineage: bool) -> None:
    """Prints the best cells of a run, and what else its archive says."""
    print(f"\nrecord {record.id}:")
    print_text(record.text)
    files = {"drawing": "best.svg", "weights": "best_weights.h5", "genome": "best.txt"}
    if path.is_dir() and data.results:
        rows = [
            (name, Whole(path / file)) for name, file in files.items() if (path / file).exists()
        ]
        print_pairs(rows)
        print()
    _print_comparisons(data)
    print_table(
        ("experiment", "ended", "candidates", "train steps", "fitness", "record"),
        [
            (n, s.reason or "not yet", f"{s.individuals:,}", f"{s.train_steps:,}",
             shown_fitness(s.search_fitness), "-" if s.candidate < 0 else s.candidate)
            for n, s in enumerate((e.summary for e in data.experiments), 1)
        ],
    )  # fmt: skip
    if lineage:
        print()
        print_lineage(data, record.id)
        print(f"\nthe cells of one of them: zero show '{path}#RECORD'")


def _print_comparisons(data: Any) -> None:
    """Prints published cells and the Pareto front, where the run has them."""
    results = data.results or {}
    if results.get("published"):
        print_table(
            ("published cell", "valid accuracy", "test accuracy", "parameters"),
            [
                (name, shown_fitness(f["select"]), shown_fitness(f["final"]),
                 f"{f['parameters']:,}")
                for name, f in results["published"].items()
            ],
        )  # fmt: skip
        print()
    if "front" in results:
        by_id = {r.id: r for e in data.experiments for r in e.records}
        print("candidates that no other beats in both accuracy and cost:")
        print_table(
            ("record", "valid accuracy", "parameters", "multiply-adds", "latency, ms"),
            [
                (r.id, shown_fitness(r.accuracy), f"{r.parameters:,}", f"{r.multiply_adds:,}",
                 "" if math.isnan(r.latency) else f"{1000 * r.latency:.3f}")
                for r in (by_id[number] for number in results["front"].tolist())
            ],
        )  # fmt: skip
        print()


def print_record(data: Any, record: Any, lineage: bool) -> None:
    """Prints one candidate: figures as comments, then its genome's text."""
    for name, value in _record_rows(record):
        print(f"# {name}: {value}")
    print(record.text)
    if lineage:
        print()
        print_lineage(data, record.id)


def _record_rows(record: Any) -> list[tuple[str, str]]:
    rows = [
        ("record", f"{record.id}, candidate {record.individuals:,} of island {record.island}"),
        ("parent", f"{record.parent}, {record.mutation}" if record.parent >= 0 else "none"),
        ("fitness", shown_fitness(record.fitness)),
        ("valid accuracy", shown_fitness(record.accuracy)),
        ("parameters", f"{record.parameters:,}"),
        ("multiply-adds", f"{record.multiply_adds:,}"),
        ("seed", str(record.seed)),
    ]
    if record.reason:
        rows.append(("reason", record.reason))
    if record.same_as >= 0:
        rows.append(("same as", str(record.same_as)))
    for epoch, (loss, accuracy) in enumerate(record.curve.tolist(), 1):
        rows.append((f"epoch {epoch}", f"train loss {loss:.4f}, valid accuracy {accuracy:.4f}"))
    return rows


def print_lineage(data: Any, record_id: int) -> None:
    """Prints the candidates that a candidate descends from, oldest first."""
    from zero.archive import lineage

    print("lineage:")
    print_table(
        ("record", "island", "candidate", "mutation", "fitness", "valid accuracy", "parameters"),
        [
            (r.id, r.island, f"{r.individuals:,}", r.mutation, shown_fitness(r.fitness),
             shown_fitness(r.accuracy), f"{r.parameters:,}")
            for r in lineage(data, record_id)
        ],
    )  # fmt: skip


def print_checked(kind: Any) -> None:
    """Prints what `zero validate --data` says of a run over cells."""
    from zero.cell_config import skeleton_of

    skeleton = skeleton_of(kind.cells)
    rows = [("space", f"{kind.space.name}: {', '.join(kind.space.ops)}")]
    rows.append(("skeleton", f"{skeleton.kind}, N {skeleton.normal_cells}, F {skeleton.filters}"))
    if kind.is_table:
        rows.append(("table", f"{len(kind.evaluator.table):,} cells"))
    else:
        data = kind.data
        shape = " x ".join(map(str, data.image_shape))
        rows.append(("images", f"{data.name}, {shape}, {len(data.classes)} classes"))
        rows += [
            (p, f"{len(getattr(data, f'{p}_x')):,} images") for p in ("train", "valid", "test")
        ]
    print_pairs(rows)

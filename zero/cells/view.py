"""What people are shown of runs over cells: their outcome, their figures, one candidate."""

import math
from pathlib import Path
from typing import Any

from zero.cells.option_rows import (
    fidelity_of,
    option_words,
    outcome_text,
    settings_of,
    stopped_rows,
)
from zero.cells.view_rows import by_class_row, image_rows, print_text, supernet_rows
from zero.data.classes import largest, largest_share
from zero.runs.tables import Whole, json_number, print_pairs, print_table, shown_fitness
from zero.runs.view import View


class CellsView(View):
    """See `zero.runs.view.View`."""

    def print_training(self, found: Any, as_json: bool) -> None:
        """Prints what a training of a network came to."""
        from zero.cells.training_view import print_training

        print_training(found, as_json)

    def print_rate(self, found: Any, as_json: bool) -> None:
        """Prints the learning rate that a range test suggests."""
        from zero.cells.training_view import print_rate

        print_rate(found, as_json)

    def show_training(self, folder: Path) -> None:
        """Prints the figures of a training, and its curve."""
        from zero.cells.training_view import show_training

        show_training(folder)

    def event(self, outcome: Any) -> dict[str, Any]:
        """Returns what the JSON line of a run's end says of the cells that were found."""
        final = outcome.final.fitness if outcome.final else math.nan
        return {
            "fitness": json_number(outcome.search_fitness),
            **({"fidelity": outcome.details["fidelity"]} if "fidelity" in outcome.details else {}),
            "valid_accuracy": json_number(outcome.details.get("valid_accuracy", math.nan)),
            "test_accuracy": json_number(final),
            **_class_figures(outcome.details),
            **_ensemble_figures(outcome.details),
            "parameters": outcome.details.get("parameters"),
            "multiply_adds": outcome.details.get("multiply_adds"),
            "published": {
                name: {"valid_accuracy": json_number(valid), "test_accuracy": json_number(test)}
                for name, (valid, test) in outcome.baselines.items()
            },
            "genome": outcome.program and str(outcome.program),
        }

    def print_outcome(self, outcome: Any) -> None:
        """Prints the cells that a run found and their figures."""
        if outcome.program is None:
            made = outcome.individuals
            print(
                f"none of {made:,} candidates could be trained" if made else "no candidate was made"
            )
            return
        print()
        print(outcome.program.listing())
        final = outcome.final.fitness if outcome.final else math.nan
        details, images = outcome.details, outcome.details.get("images")
        own = (details.get("valid_accuracy", math.nan), final, details.get("balanced", math.nan))
        balanced = details.get("published_balanced") or {}
        rows = [
            ("discovered", shown_fitness(outcome.search_fitness), *map(shown_fitness, own),
             f"{details['parameters']:,}"),
            *(
                (f"{name} (published)", "", *map(shown_fitness, pair),
                 shown_fitness(balanced.get(name, math.nan)), "")
                for name, pair in outcome.baselines.items()
            ),
        ]  # fmt: skip
        if details.get("ensemble"):
            rows.insert(1, _ensemble_row(details["ensemble"]))
        if images is not None:
            rows.append(_constant_row(images))
        print()
        columns = ("cells", "fitness", "valid accuracy", "test accuracy", "test, balanced")
        print_table((*columns, "parameters"), rows)
        if details.get("right") is not None:
            print_pairs([by_class_row(images, details["right"])])
        if shared := supernet_rows(details.get("supernet")):
            print_pairs(shared)
        if details.get("failed"):
            print(f"the last training failed: {details['failed']}")
            if "fidelity" not in details:
                print("the figures are those of the network that the search trained")
        if text := outcome_text(details, final):
            print(text)
        print()

    def setting_rows(self, settings: dict[str, Any]) -> list[tuple[str, str]]:
        """Returns what a run's settings say of space and network."""
        cells = settings.get("cells") or {}
        evaluate, images = cells.get("evaluate"), cells.get("images") or {}
        epochs = (cells.get("training") or {}).get("epochs")
        how = f"{images.get('source')}, {epochs} epochs"
        if isinstance(evaluate, dict):
            how = f"{evaluate.get('table')}, column {evaluate.get('select')}"
        return [
            ("space", str(cells.get("space"))),
            *_skeleton_rows(settings),
            ("evaluated on", how),
            *_search_rows(settings.get("search") or {}, cells),
        ]

    def figure_rows(self, path: Path, data: Any, record: Any) -> list[tuple[str, str]]:
        """Returns the figures of a run's best candidate, and of all of them; path: of the run."""
        records = [r for e in data.experiments for r in e.records]
        rows = [
            ("fitness", shown_fitness(record.fitness)),
            ("valid accuracy", shown_fitness(record.accuracy)),
        ]
        cells = settings_of(data)
        if fidelity := fidelity_of(cells):
            rows.append(("fidelity", f"{fidelity}, of both; costs are of the full network"))
        results = data.results or {}
        final = results.get("final")
        if final:
            network = ", of the network of the search"
            if final.get("failed") and math.isnan(final["fitness"]):
                network = f" (the last training failed: {final['failed']})"
            elif final.get("failed"):
                network += f" (the last training failed: {final['failed']})"
            if final.get("retrained"):
                network = (
                    f", after {final['epochs']} epochs with {final['parameters']:,} parameters"
                )
            if final.get("warm_start"):
                network += f", from the search's weights ({final['warm_start']})"
            column = "" if "retrained" in final else ", from the table"
            shown = shown_fitness(final["fitness"])
            rows.append(("test accuracy", shown + (column or network)))
        rows += _class_rows(path, results, final)
        rows += supernet_rows(results.get("supernet"))
        if "ensemble" in results:
            rows.append(("ensemble", _ensemble_words(results["ensemble"])))
        rows += [
            ("parameters", f"{record.parameters:,}"),
            ("multiply-adds", f"{record.multiply_adds:,} an image"),
            ("activations", f"{record.activation_bytes / 2**20:,.1f} MiB in a training step"),
        ]
        if not math.isnan(record.latency):
            rows.append(("latency", f"{record.latency:.6f} s an image, measured"))
        sampled = results.get("random_sampling")
        if sampled and sampled["count"]:
            # By balanced accuracy, where that is the fitness.
            balanced = sampled.get("metric", "accuracy") != "accuracy"
            own, of = (record.fitness, "balanced ") if balanced else (record.accuracy, "")
            rows.append((
                "random sampling",
                f"{shown_fitness(sampled['mean'])} {of}valid accuracy, standard deviation "
                f"{sampled['std']:.4f}, of {sampled['count']} random candidates",
            ))  # fmt: skip
            if sampled["mean"] > 0:
                gain = 100 * (own - sampled["mean"]) / sampled["mean"]
                rows.append(("over random", f"{gain:+.2f} % of that mean{_unequal(data, record)}"))
        failed = [r.reason for r in records if math.isinf(r.fitness)]
        same = sum(r.same_as >= 0 for r in records)
        rows.append(("candidates", f"{len(records):,}, {same:,} of them as others before"))
        rows += stopped_rows(cells, records)
        if failed:
            rows.append(("failed", f"{len(failed):,}, such as: {failed[0]}"))
        return rows

    def print_run(self, path: Path, data: Any, record: Any, lineage: bool, raw: bool) -> None:
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
        self.print_experiments(data)
        if lineage:
            print()
            self.print_lineage(data, record.id)
            print(f"\nthe cells of one of them: zero show '{path}#RECORD'")

    def print_record(self, path: Path, data: Any, record: Any, lineage: bool, raw: bool) -> None:
        """Prints one candidate: figures as comments, then its genome's text; path: of its run."""
        images = _images_of(path, data.results)
        valid = [row for row in image_rows(images) if row[0] == "valid"] if images else []
        fidelity = fidelity_of(settings_of(data))
        lower = [("fidelity", f"{fidelity}; costs are of the full network")] if fidelity else []
        for name, value in [*_record_rows(record), *lower, *valid]:
            print(f"# {name}: {value}")
        print(record.text)
        if lineage:
            print()
            self.print_lineage(data, record.id)

    def print_lineage(self, data: Any, record_id: int) -> None:
        """Prints the candidates that a candidate descends from, oldest first."""
        from zero.runs.archive import lineage

        print("lineage:")
        print_table(
            ("record", "island", "candidate", "mutation", "fitness", "valid accuracy", "parameters"),
            [
                (r.id, r.island, f"{r.individuals:,}", r.mutation, shown_fitness(r.fitness),
                 shown_fitness(r.accuracy), f"{r.parameters:,}")
                for r in lineage(data, record_id)
            ],
        )  # fmt: skip

    def print_checked(self, domain: Any) -> None:
        """Prints what `zero validate --data` says of a run over cells."""
        from zero.cells.config import skeleton_of

        skeleton = skeleton_of(domain.cells)
        rows = [("space", f"{domain.space.name}: {', '.join(domain.space.ops)}")]
        rows.append(("skeleton", str(skeleton)))
        last = skeleton_of(domain.cells, final=True)
        rows += [("last skeleton", f"{last} (the last training's)")] if last != skeleton else []
        if domain.is_table:
            rows.append(("table", f"{len(domain.evaluator.table):,} cells"))
        else:
            images = domain.data.summary()
            shape = " x ".join(map(str, images["shape"]))
            rows.append(("images", f"{images['name']}, {shape}, {len(images['classes'])} classes"))
            rows += image_rows(images)
            if domain.final_data is not domain.data:
                rows += [
                    (f"last {name}", text) for name, text in image_rows(domain.final_data.summary())
                ]
            rows += [("note", text) for text in domain.notes()]
        print_pairs(rows)


def _class_figures(details: dict[str, Any]) -> dict[str, Any]:
    """Returns what the outcome's JSON says of classes; nothing for a table's."""
    images, right = details.get("images"), details.get("right")
    if images is None:
        return {}
    counts = images["counts"]
    found = {
        "valid_images_of_largest_class": largest_share(counts["valid"], counts["train"]),
        "test_images_of_largest_class": largest_share(counts["test"], counts["train"]),
    }
    if right is not None:
        found["valid_balanced_accuracy"] = details["select_balanced"]
        found["test_balanced_accuracy"] = details["balanced"]
        found["test_accuracy_by_class"] = {
            name: int(r) / n if n else None
            for name, r, n in zip(images["classes"], right, counts["test"], strict=True)
        }
    return found


def _ensemble_row(figures: dict[str, Any]) -> tuple:
    """Returns the outcome table's row of an ensemble."""
    shares = (figures["valid"], figures["final"], figures["balanced"])
    return f"ensemble of {len(figures['numbers'])}", "", *map(shown_fitness, shares), ""


def _ensemble_figures(details: dict[str, Any]) -> dict[str, Any]:
    """Returns what the outcome's JSON says of an ensemble."""
    figures = details.get("ensemble")
    if not figures:
        return {}
    return {
        "ensemble": {
            "records": figures["numbers"].tolist(),
            "valid_accuracy": figures["valid"],
            "test_accuracy": figures["final"],
        }
    }


def _ensemble_words(figures: dict[str, Any]) -> str:
    """Returns an ensemble's figures, and those of its best member alone."""
    shown = {name: shown_fitness(figures[name]) for name in ("valid", "final")}
    alone = {name: shown_fitness(figures[f"member_{name}"][0]) for name in ("valid", "final")}
    return (
        f"valid {shown['valid']}, test {shown['final']}: the {len(figures['numbers'])} best candidates as "
        f"the search trained them; the best one alone: {alone['valid']}, {alone['final']}"
    )


def _constant_row(images: dict[str, Any]) -> tuple:
    """Returns the outcome table's row of always answering with the class of most train images."""
    counts = images["counts"]
    name = images["classes"][largest(counts["train"])]
    shares = (largest_share(counts[part], counts["train"]) for part in ("valid", "test"))
    present = sum(n > 0 for n in counts["test"])
    return f"always '{name}'", "", *map(shown_fitness, (*shares, 1 / present)), ""


def _skeleton_rows(settings: dict[str, Any]) -> list[tuple[str, str]]:
    """Returns the search's skeleton, and the last training's where it has another."""
    from zero.cells.config import skeleton_of
    from zero.cells.placing import cells_of

    cells = cells_of(settings)
    if cells is None:  # of another version
        return []
    search, last = skeleton_of(cells), skeleton_of(cells, final=True)
    rows = [("skeleton", str(search))]
    return rows if last == search else [*rows, ("last skeleton", f"{last} (the last training's)")]


def _search_rows(search: dict[str, Any], cells: dict[str, Any]) -> list[tuple[str, str]]:
    """Returns what the settings say of the search method, and of what is not as usual in it."""
    from zero.search import keys_of

    words = [str(search.get("method"))]
    words += [f"{key} {search[key]}" for key in keys_of(search.get("method")) if key in search]
    objective = cells.get("objective") or {}
    if objective.get("kind", "accuracy") != "accuracy":
        costs = objective["cost"]
        costs = costs if isinstance(costs, list | tuple) else [costs]
        unit = " s" if "latency" in costs else ""
        target = f", target {objective['target']:,}{unit}" if objective["kind"] == "mnasnet" else ""
        words.append(f"{objective['kind']} of accuracy and {', '.join(costs)}{target}")
    if objective.get("metric", "accuracy") != "accuracy":
        words.append("by balanced accuracy")
    words += option_words(cells)
    if cells.get("inherit_weights"):
        exact = cells["inherit_weights"] == "exact"
        words.append("weights inherited" + (", exactly where that can be" if exact else ""))
    if cells.get("distillation"):
        words.append("distilled from the best so far")
    scores = cells.get("scores")
    if scores:
        how = (
            f"best of {scores['candidates']}"
            if scores["candidates"]
            else f"best {scores['keep']:.0%}"
        )
        words.append(f"drawn by {scores['filter']} ({how})")
    if search.get("start_from"):
        words.append(f"started from {', '.join(search['start_from'])}")
    return [("search", ", ".join(words))]


def _class_rows(
    path: Path, results: dict[str, Any], final: dict[str, Any] | None
) -> list[tuple[str, str]]:
    """Returns what is known of a run's classes; of older versions' runs nothing is."""
    rows, images = [], _images_of(path, results)
    if images and final and "right" in final:
        images = _images_of(path, results, bool(final.get("retrained")))
        shown = [shown_fitness(final[key]) for key in ("select_balanced", "balanced")]
        rows.append(("balanced accuracy", f"valid {shown[0]}, test {shown[1]}"))
        rows.append(by_class_row(images, final["right"].tolist()))
    return [*rows, *image_rows(images)] if images else rows


def _images_of(path: Path, results: dict[str, Any] | None, last: bool = False) -> dict[str, Any]:
    """Returns the summary of a run's images, or of its last training's; {} if there is none."""
    from zero.cells.placing import image_set_of

    kept = (results or {}).get("final_images" if last else "images")
    if kept is None:
        return image_set_of(path if path.is_dir() else path.parent)
    return {**kept, "counts": {k: v.tolist() for k, v in kept["counts"].items()}}


def _unequal(data: Any, record: Any) -> str:
    """Returns a warning where a candidate's weights were inherited: it was trained for longer."""
    from zero.runs.archive import lineage

    cells = settings_of(data)
    if not cells.get("inherit_weights"):
        return ""
    steps = {r.id: r.train_steps for e in data.experiments for r in e.records}
    ancestors = lineage(data, record.id)
    if len(ancestors) == 1:
        return ""
    whole = sum(steps[r.same_as if r.same_as >= 0 else r.id] for r in ancestors)
    first = [r.train_steps for e in data.experiments for r in e.records
             if r.parent < 0 and r.same_as < 0 and not r.reason]  # fmt: skip
    return (
        f"; no equal training: with weights inherited from {len(ancestors) - 1} ancestors up to "
        f"{whole:,} steps are in its weights, in a random candidate's {max(first, default=0):,}"
    )


def _print_comparisons(data: Any) -> None:
    """Prints published cells and the Pareto front, where the run has them."""
    results = data.results or {}
    if results.get("published"):
        print_table(
            ("published cell", "valid accuracy", "test accuracy", "test, balanced", "parameters"),
            [
                (name, shown_fitness(f["select"]), shown_fitness(f["final"]),
                 shown_fitness(f.get("balanced", math.nan)), f"{f['parameters']:,}")
                for name, f in results["published"].items()
            ],
        )  # fmt: skip
        print()
    if "front" in results:
        _print_front(data)
        print()


def _print_front(data: Any) -> None:
    by_id = {r.id: r for e in data.experiments for r in e.records}
    reference = data.results.get("hypervolume_reference", {})  # by cost; older runs have none
    memory = "activation_bytes" in reference
    print("candidates that no other beats in accuracy and all costs:")
    print_table(
        ("record", "valid accuracy", "parameters", "multiply-adds",
         *(["activation bytes"] if memory else []), "latency, s"),
        [
            (r.id, shown_fitness(r.accuracy), f"{r.parameters:,}", f"{r.multiply_adds:,}",
             *([f"{r.activation_bytes:,}"] if memory else []),
             "" if math.isnan(r.latency) else f"{r.latency:.6f}")
            for r in (by_id[number] for number in data.results["front"].tolist())
        ],
    )  # fmt: skip
    if reference:
        costs = ", ".join(f"{name} below {most:,.6g}" for name, most in reference.items())
        share = data.results["hypervolume"]
        print(f"hypervolume: {share:.4f} of the box of accuracies from 0 to 1, {costs}")


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

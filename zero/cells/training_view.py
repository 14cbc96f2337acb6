"""What people are shown of trainings of networks: their outcome, and `zero show`.

Called by `zero.cells.view`.
"""

import json
import shlex
from pathlib import Path
from typing import Any

from zero.cells.view_rows import by_class_row, image_rows, print_text
from zero.runs.progress import duration
from zero.runs.tables import Whole, print_pairs, print_table

# Why a training stopped, in words.
ENDS = {
    "epochs": "all epochs were trained",
    "seconds": "cells.training.seconds have passed",
    "accuracy": "cells.training.accuracy was reached",
    "diverged": "it diverged",
    "interrupted": "stopped by Ctrl-C or another signal",
    "max_seconds": "--max-seconds have passed",
    "paused": "not yet: it goes on, or after a stop with zero resume",
}
PAUSES = ("interrupted", "max_seconds", "paused")


def show_training(folder: Path) -> None:
    """Does what `zero show` does with the folder of a training."""
    from zero.cells.train_run import read_figures

    figures = read_figures(folder)
    print_figures(folder, figures["reason"], figures)
    print()
    print_text(figures["genome"])
    print_table(
        ("epoch", "train loss", "train accuracy", "valid accuracy"),
        [
            (r["epoch"], *(f"{r[k]:.6f}" for k in ("train_loss", "train_accuracy", "valid_accuracy")))
            for r in figures["curve"]
        ],
    )  # fmt: skip


def print_training(found: Any, as_json: bool) -> None:
    """Prints what a training came to, a `zero.cells.train_run.Trained`; as_json: as a line of JSON."""
    if not as_json:
        print_figures(found.folder, found.reason, found.figures)
        return
    kept = {k: v for k, v in found.figures.items() if k not in ("curve", "run")}
    head = {"event": "outcome", "folder": str(found.folder), "reason": found.reason}
    print(json.dumps(head | kept))


def print_rate(found: Any, as_json: bool) -> None:
    """Prints what a range test found, a `zero.cells.find_rate.FoundRate`; as_json: as a line of JSON."""
    test, folder = found.test, str(found.folder)
    if as_json:
        values = {"suggestion": test.suggestion, "lowest": test.lowest, "steepest": test.steepest}
        head = {"event": "rate", "cell": found.name, "folder": folder, "steps": len(test.rates)}
        print(json.dumps({**head, **values, "configured": found.configured}))
        return
    print_pairs([
        ("suggested", f"--set cells.training.learning_rate={test.suggestion:.2g}"),
        ("configured", f"{found.configured:.2g}"),
        ("loss falls fastest", f"at {test.steepest:.2g}"),
        ("loss is lowest", f"at {test.lowest:.2g}, of {len(test.rates)} steps from "
         f"{test.rates[0]:.2g} to {test.rates[-1]:.2g}"),
        ("curve", Whole(f"{folder}/rates.csv")),
        ("picture", Whole(f"{folder}/rates.svg, rates.png")),
    ])  # fmt: skip


def print_figures(folder: Path, reason: str, figures: dict[str, Any]) -> None:
    """Prints how far a training has come, where it is, and what to do next.

    reason: why it stopped. figures: of train.json; none where it was stopped before it began.
    """
    rows = rows_of(figures, reason) if figures else [("ended", f"{reason}: {ENDS[reason]}")]
    print_pairs([*rows, *_places(folder, reason)])


def rows_of(figures: dict[str, Any], reason: str | None = None) -> list[tuple[str, str]]:
    """Returns the figures of a training; reason: why it stopped, by default as they say."""
    reason = reason or str(figures["reason"])
    images, test = figures["images"], figures["test_accuracy"]
    right = figures.get("test_right_by_class")
    summary = {**images, "classes": images.get("class_names")}  # absent: an older version's
    last = figures["curve"][-1] if figures["curve"] else None
    rows = [
        ("cell", figures["cell"]),
        (
            "images",
            f"{images['name']}, {'x'.join(map(str, images['shape']))}, {images['classes']} classes",
        ),
        *([("skeleton", str(_skeleton(figures)))] if "skeleton" in figures else []),
        ("parameters", f"{figures['parameters']:,}"),
        ("multiply-adds", f"{figures['multiply_adds']:,} an image"),
        ("ended", f"{reason}: {ENDS.get(reason, reason)}"),
        ("epochs", f"{figures['epochs']:,}, {figures['steps']:,} steps"),
        ("time", duration(figures["seconds"])),
    ]
    if last is not None:
        best = f"{figures['best_valid_accuracy']:.6f} in epoch {figures['best_epoch']}"
        rows += [
            ("train loss", f"{last['train_loss']:.6f}"),
            ("train accuracy", f"{last['train_accuracy']:.6f}"),
            ("valid accuracy", f"{last['valid_accuracy']:.6f} (highest {best})"),
        ]
    if test is not None:
        rows.append(("test accuracy", f"{test:.6f}"))
    balanced = figures.get("valid_balanced_accuracy")
    if balanced is not None:
        test_text = "" if right is None else f", test {figures['test_balanced_accuracy']:.6f}"
        rows.append(("balanced accuracy", f"valid {balanced:.6f}{test_text}"))
    if right is not None:
        rows.append(by_class_row(summary, right))
    return [*rows, *image_rows(summary)] if summary["classes"] else rows


def _skeleton(figures: dict[str, Any]) -> Any:
    from zero.cells.networks.skeletons import Skeleton

    return Skeleton(**figures["skeleton"])


def _places(folder: Path, reason: str) -> list[tuple[str, str]]:
    quoted = shlex.quote(str(folder))
    if reason in PAUSES:
        return [("folder", Whole(folder)), ("go on with", Whole(f"zero resume {quoted}"))]
    if reason == "diverged":
        return [("folder", Whole(folder))]
    return [("folder", Whole(folder)), ("export with", Whole(f"zero export {quoted} -o net.onnx"))]

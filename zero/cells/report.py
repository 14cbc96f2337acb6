"""What there is to report on a run over cells, or on the training of one network."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zero.cells.pictures import (
    Tested,
    confusion,
    curves_of_training,
    data_of,
    mistakes,
    pictures,
    tested,
    tested_training,
)
from zero.cells.supernet.told import section as supernet_section
from zero.cells.view_rows import image_rows
from zero.errors import ZeroError, visible
from zero.runs.reports import common
from zero.runs.reports.common import RunFiles
from zero.runs.reports.parts import Code, Commands, Pairs, Part, Picture, Report, Section, Table
from zero.runs.tables import shown_fitness

if TYPE_CHECKING:
    from zero.cells.domain import CellsDomain

MOST_FRONT = 20  # rows of the table of the front


def report(run: RunFiles, domain: CellsDomain | None) -> Report:
    """Returns the report.

    domain: of the run; None: it is made anew. Where its images are gone, what needs them is left out, and the
    report says so.
    """
    found, why = _tested(run, domain)
    drawn = pictures(run, found)
    elsewhere = ("train", "valid", "test", "by class")  # in sections of their own
    figures = run.view.figure_rows(run.path, run.data, run.best)
    figures = [row for row in figures if row[0] not in elsewhere]
    shown = _cells(run.best.text, listing=True)
    return Report(
        f"{run.settings.get('name')}: cells of a network for {_images_named(run)}, run {run.name}",
        [
            common.asked(run),
            Section("The cells", [*filter(None, [common.unfinished(run)]), *shown]),
            Section("How good they are", [*_compared(run), Pairs(figures)]),
            *_classes(run, found, why, drawn),
            *_training(drawn),
            *supernet_section(run.results, drawn),
            *_costs(run, drawn),
            common.progress(run, drawn),
            *common.ancestry(run, drawn),
            *_data(run),
            Section("Use it", [Commands(_uses(run.path, run.best.id))]),
            common.checked(run),
            common.cost(run),
            common.reproduced(run),
        ],
        _answer(run),
    )  # fmt: skip


def _images_named(run: RunFiles) -> str:
    images = run.results.get("images") or run.info.get("image_set")
    if images:
        return str(images["name"])
    return str(
        ((run.settings.get("cells") or {}).get("images") or {}).get("source") or "a table of cells"
    )


def _answer(run: RunFiles) -> str:
    results, final = run.results, run.results.get("final") or {}
    said = f"The best cells of {run.individuals:,} candidates"
    if not final:
        accuracy = shown_fitness(run.best.accuracy)
        return f"{said} have valid accuracy {accuracy} so far; there is no test figure yet."
    images = results.get("images")
    what = "test images right" if images else "in the table's column of reports"
    figure = f"{final['fitness']:.4f}"
    if images:
        low, high = _interval(run, final["fitness"])
        figure += f" (95 % interval {low:.4f} to {high:.4f}) of the"
    parts = [f"{said} have {figure} {what}"]
    published = results.get("published") or {}
    parts += [f"{name} {figures['final']:.4f}" for name, figures in sorted(published.items())]
    sampled = results.get("random_sampling") or {}
    if sampled.get("count"):
        parts.append(
            f"in the search {run.best.accuracy:.4f} of the valid images, random candidates "
            f"{sampled['mean']:.4f} in the mean"
        )
    size = final.get("parameters") or run.best.parameters
    return "; ".join(parts) + f". The network has {size:,} parameters."


def _cells(text: str, listing: bool) -> list[Part]:
    """Returns the drawing of a genome's text, its cells line by line if that is wished, and the text."""
    from zero.cells.drawing.svg import draw_svg
    from zero.cells.text import parse_genome

    try:
        genome = parse_genome(text)
    except ZeroError:  # ops of the user's own, which only the run's config imports
        return [Code(text)]
    listed = [Code(genome.listing())] if listing else []
    return [Picture(draw_svg(genome), "What reads what, from left to right."), *listed, Code(text)]


def _compared(run: RunFiles) -> list[Part]:
    results, final = run.results, run.results.get("final") or {}
    if not final:
        return []

    def row(name: str, f: dict[str, Any], valid: str, test: str) -> tuple[str, ...]:
        shown = [shown_fitness(float(f[key])) if f.get(key) is not None else "-"
                 for key in (valid, test, "balanced")]  # fmt: skip
        if run.results.get("images") and f.get(test) is not None:
            low, high = _interval(run, float(f[test]))
            shown[1] += f"\n({low:.4f} to {high:.4f})"
        return name, *shown, f"{f['parameters']:,}" if f.get("parameters") else "-"

    rows = [row("discovered", final, "valid_accuracy", "fitness")]
    rows += [
        row(f"{name} (published)", figures, "select", "final")
        for name, figures in sorted((results.get("published") or {}).items())
    ]
    columns = ("cells", "valid accuracy", "test accuracy", "test, balanced", "parameters")
    parts: list[Part] = [Table(columns, rows, 4)]
    if results.get("images"):
        parts.append("Below accuracies on test images: 95 % interval over the images.")
    return parts


def _interval(run: RunFiles, accuracy: float) -> tuple[float, float]:
    """Returns the 95 % interval of an accuracy on the test images."""
    final = run.results.get("final") or {}
    images = run.results["final_images" if final.get("retrained") else "images"]
    return common.share_interval(accuracy, sum(map(int, images["counts"]["test"])))


def _tested(run: RunFiles, domain: CellsDomain | None) -> tuple[Tested | None, str]:
    from zero.cells.domain import CellsDomain
    from zero.config.load import load_config

    if not (run.path / "best_weights.h5").is_file():
        return None, ""
    try:
        if domain is None:
            config: Any = load_config(str(run.path / run.folder.CONFIG))
            domain = CellsDomain(config)
        return (
            (None, "")
            if domain.is_table
            else (tested(run.path, domain.config, data_of(run, domain)), "")
        )
    except ZeroError as error:
        return None, str(error).splitlines()[0]


def _classes(run: RunFiles, found: Tested | None, why: str, drawn: dict[str, Any]) -> list[Section]:
    final, parts = run.results.get("final") or {}, list[Part]()
    images = run.results.get("final_images" if final.get("retrained") else "images")
    if images and final.get("right") is not None:
        rows = [
            (visible(name), f"{n:,}", f"{right:,}", f"{right / n:.4f}" if n else "-")
            for name, right, n in zip(
                images["classes"],
                map(int, final["right"]),
                map(int, images["counts"]["test"]),
                strict=True,
            )
        ]
        parts.append(Table(("class", "test images", "right", "share"), rows, 3))
    parts += _mistaken(found, drawn)
    if why:
        parts.append(
            f"The network was not asked about single images, for these cannot be read here: {why}"
        )
    return [Section("Classes and mistakes", parts)] if parts else []


def _mistaken(found: Tested | None, drawn: dict[str, Any]) -> list[Part]:
    if found is None:
        return []
    return [
        common.picture(drawn["confusion"], "confusion", "What test images are taken for."),
        common.picture(
            drawn["mistakes"], "mistakes", "The mistakes that the network was surest about."
        ),
    ]


def _training(drawn: dict[str, Any]) -> list[Section]:
    if "training" not in drawn:
        return []
    about = "Trainings in the search: the outcome's, and behind it those of other candidates."
    return [
        Section("How candidates trained", [common.picture(drawn["training"], "training", about)])
    ]


def _costs(run: RunFiles, drawn: dict[str, Any]) -> list[Section]:
    import numpy as np

    from zero.runs.reports.charts import front_of

    records = [r for e in run.data.experiments for r in e.records if np.isfinite(r.accuracy)]
    points = np.array([(r.multiply_adds, r.accuracy) for r in records], dtype=float).reshape(-1, 2)
    front = [records[k] for k in front_of(points)][-MOST_FRONT:]
    rows = [
        (f"#{r.id}", f"{r.multiply_adds:,}", f"{r.parameters:,}", f"{r.accuracy:.4f}")
        for r in front
    ]
    return [Section("What accuracy costs", [
        common.picture(drawn["pareto"], "pareto", "All candidates, as the search trained them."),
        Table(("on the front", "multiply-adds", "parameters", "valid accuracy"), rows, 3),
    ])]  # fmt: skip


def _data(run: RunFiles) -> list[Section]:
    images = run.results.get("images") or run.info.get("image_set")
    rows = []
    if images:
        shape = " x ".join(str(n) for n in images["shape"])
        rows = [
            ("images", f"{images['name']}, {shape}, {len(images['classes'])} classes"),
            *image_rows(images),
        ]
    rows += [("note", text) for text in run.notes]
    return [Section("Data", [Pairs(rows)])] if rows else []


def _uses(path: Path, record: int) -> list[tuple[str, str]]:
    uses = []
    if (path / "best_weights.h5").is_file():
        uses += [
            (f"zero predict {path} IMAGES -o predictions.csv", "Classify a folder of images:"),
            (
                f"zero export {path} -o model.py",
                "Take the network away, as Python with NumPy alone (.onnx: ONNX):",
            ),
        ]
    return [
        *uses,
        (f"zero train '{path}#{record}' CONFIG", "Train these cells once more, as a config says:"),
    ]


# --- trainings --------------------------------------------------------------------------------------------


def of_training(path: Path) -> Report:
    """Returns the report on the training of one network, from its folder."""
    from zero.cells.train_run import read_figures
    from zero.cells.training_view import rows_of

    figures = read_figures(path)
    test = figures.get("test_accuracy")
    reached = f"{test:.4f} of the test images right" if test is not None else "no test figure yet"
    parts: list[Part] = [Pairs(rows_of(figures))]
    if figures["curve"]:
        draw = partial(curves_of_training, figures["curve"])
        parts.append(common.picture(draw, "training", "Loss and accuracies over epochs."))
    sections = [
        Section("The training", parts),
        Section("The cells", _cells(figures["genome"], listing=False)),
    ]
    with suppress(ZeroError):  # the images are gone, or it has no network yet
        found = tested_training(path)
        drawn = {"confusion": partial(confusion, found), "mistakes": partial(mistakes, found)}
        sections.append(Section("Classes and mistakes", _mistaken(found, drawn)))
    config = path / "config.yaml"
    sections.append(Section("How to reproduce it", [
        Commands([(f"zero train '{figures['cell']}' {config} --out AGAIN", "the same training once more:")])
    ]))  # fmt: skip
    images = figures["images"]["name"]
    return Report(
        f"{figures['cell']} trained on {images}: the training {path.resolve().name}", sections,
        f"After {figures['epochs']:,} epochs {reached}; {figures['parameters']:,} parameters.",
    )  # fmt: skip

"""Pictures and the report's section of a search with shared weights."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from zero.cells.view_rows import supernet_rows
from zero.runs.pictures import FOURTH, INK, OTHER, OWN, SOFT, THIRD, Draw
from zero.runs.reports import common
from zero.runs.reports.parts import Pairs, Part, Section

COLUMNS = 6  # edges beside each other


def pictures(results: dict[str, Any]) -> dict[str, Draw]:
    """Returns what can be drawn of a run's search with shared weights, by name."""
    figures, found = results.get("supernet") or {}, dict[str, Draw]()
    if len(figures.get("scored", ())):
        found["scores"] = partial(scores, figures)
    if len(figures.get("shares", ())):
        found["shares"] = partial(shares, figures)
    return found


def section(results: dict[str, Any], drawn: dict[str, Draw]) -> list[Section]:
    """Returns the report's section, none where no weights were shared."""
    figures = results.get("supernet")
    if not figures:
        return []
    parts: list[Part] = [Pairs(supernet_rows(figures))]
    about = {
        "scores": "Random cells: what they get right with shared weights, and trained from nothing.",
        "shares": "Each edge's shares of the ops after every epoch.",
    }
    parts += [common.picture(drawn[n], n, text) for n, text in about.items() if n in drawn]
    return [Section("The network of all candidates", parts)]


def scores(figures: dict[str, Any], figure: Any) -> None:
    """Draws scores with shared weights against fitness."""
    figure.set_size_inches(4.6, 3.8)
    axes = figure.subplots()
    axes.plot(figures["scored"], figures["fitness"], "o", color=OWN, ms=5)
    axes.set(
        xlabel="accuracy with shared weights", ylabel="fitness",
        title=f"Kendall's tau {float(figures['tau']):.2f}",
    )  # fmt: skip


def shares(figures: dict[str, Any], figure: Any) -> None:
    """Draws the curves of shares over epochs, edge by edge."""
    values, edges, ops = np.asarray(figures["shares"]), figures["edges"], figures["ops"]
    columns = min(COLUMNS, len(edges))
    rows = -(-len(edges) // columns)
    figure.set_size_inches(1.6 * columns + 1, 1.5 * rows + 0.8)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    colours = [OWN, OTHER, THIRD, FOURTH, INK, SOFT]
    epochs = np.arange(1, len(values) + 1)
    for number, axes in enumerate(grid.flat):
        if number >= len(edges):
            axes.set_visible(False)
            continue
        for op, name in enumerate(ops):
            style = "-" if op < len(colours) else "--"
            colour = colours[op % len(colours)]
            axes.plot(epochs, values[:, number, op], style, color=colour, lw=1.2, label=name)
        axes.set_title(str(edges[number]), fontsize=8)
        axes.xaxis.get_major_locator().set_params(integer=True)
    lines, names = grid.flat[0].get_legend_handles_labels()
    figure.legend(lines, names, loc="outside lower center", ncols=min(len(ops), 5))

"""Figures of programs for people: beside each what chance gives, and what to make of it."""

from __future__ import annotations

import math
from typing import Any

from zero.cli.common import json_number, shown_fitness

PURPOSES = ("search", "select", "final")


def outcome_table(outcome: Any) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Returns headings and rows: the discovered program, the shipped ones, chance."""
    headings = ("program", *(f"{purpose} fitness" for purpose in PURPOSES))
    rows = [("discovered", *map(shown_fitness, figures(outcome).values()))]
    rows += [
        (f"{name} (shipped)", "", *map(shown_fitness, pair))
        for name, pair in outcome.baselines.items()
    ]
    if chance := outcome.details.get("chance"):
        named = f"({_chance_name(outcome.details)})"
        rows.append((named, *(shown_fitness(chance[purpose]) for purpose in PURPOSES)))
    return headings, rows


def figures(outcome: Any) -> dict[str, float]:
    """Returns search, select and final fitness; NaN where it is not known."""
    return {
        "search": outcome.search_fitness,
        "select": outcome.select_fitness,
        "final": outcome.final.fitness if outcome.final else math.nan,
    }


def figures_event(outcome: Any) -> dict[str, Any]:
    """Returns the same for a line of JSON."""
    event: dict[str, Any] = {
        f"{name}_fitness": json_number(f) for name, f in figures(outcome).items()
    }
    event["baselines"] = {
        name: {"select_fitness": select, "final_fitness": final}
        for name, (select, final) in outcome.baselines.items()
    }
    keys = ("chance", "interval", "lasting_fitness", "order_matters", "departures")
    return event | {key: outcome.details[key] for key in keys if key in outcome.details}


def notes(final: dict[str, Any]) -> list[str]:
    """Returns what a person must be told of a final figure; final: from `Maker.figures`.

    A run of an older version has no such parts, and no notes.
    """
    if "interval" not in final:
        return []
    low, high = final["interval"]
    said = [f"final fitness, 95 % interval over the examples: {low:.4f} to {high:.4f}"]
    if low <= final["chance"]:
        always = _chance_name(final)
        said.append(f"not beyond chance: a predictor that says {always} has {final['chance']:.4f}")
    if final["order_matters"]:
        why = "; ".join(final.get("departures", ["memory lasts from row to row"]))
        said.append(
            f"counted as in the search ({why}) the final fitness would be "
            f"{final['lasting_fitness']:.4f}; that of a predictor, row by row after all training, is "
            f"{final['fitness']:.4f}"
        )
    return said


def with_chance(shown: str, part: dict[str, Any] | None) -> str:
    """Returns a figure as shown, and what chance gives on the same tasks."""
    if not part or "chance" not in part:
        return shown
    return f"{shown}; {_chance_name(part)}: {shown_fitness(part['chance'])}"


def _chance_name(part: dict[str, Any]) -> str:
    from zero.programs.figures import CHANCE  # what it imports takes long

    return CHANCE[part["metric"]]

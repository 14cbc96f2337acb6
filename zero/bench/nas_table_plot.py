"""A picture of searches on a table of evaluated cells: regret over queries (`zero.bench.nas_table`)."""

from __future__ import annotations

from typing import Any

import numpy as np

from zero.bench.nas_table_searches import ALIASES, RANDOM_SEARCH
from zero.runs.pictures import Draw

# Okabe and Ito's, dark enough for lines; after them the same with other dashes.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#7a5195")
DASHES = ("-", "--", ":", "-.")


def regret_curves(curves: dict[str, dict[str, Any]], title: str, of: str) -> Draw:
    """Returns a picture of mean regret over queries or seconds, both axes logarithmic.

    Args:
        curves: by search, as `regret_curve` of `zero.bench.nas_table.compare`: points, mean and
            standard_error. Bands cover one standard error to both sides; a mean of 0 has no place on
            such an axis.
        title, of: of the picture, and what the points are of.
    """
    last = {name: curve["mean"][-1] for name, curve in curves.items()}
    names = sorted(curves, key=lambda name: (-last[name], name))  # as the lines end, from above
    means = [mean for curve in curves.values() for mean in curve["mean"] if mean > 0]
    floor = 0.7 * min(means, default=1.0)  # bands go down to 0, which is nowhere
    styles = [(colour, dash) for dash in DASHES for colour in COLOURS]

    def draw(figure: Any) -> None:
        figure.set_size_inches(8, 5.4 + 0.12 * len(names))
        axes = figure.subplots()
        others = 0
        for name in names:
            colour, dash = "#444444", "--"
            if name != RANDOM_SEARCH:
                colour, dash = styles[others % len(styles)]
                others += 1
            x, mean = np.array(curves[name][of]), np.array(curves[name]["mean"], dtype=float)
            mean[mean <= 0] = np.nan
            errors = curves[name]["standard_error"]
            if errors[0] is not None:
                low, high = mean - errors, mean + errors
                axes.fill_between(
                    x, np.maximum(low, floor), high, color=colour, alpha=0.18, linewidth=0
                )
            axes.plot(x, mean, dash, color=colour, linewidth=1.5, label=name)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlim(
            min(c[of][0] for c in curves.values()), max(c[of][-1] for c in curves.values())
        )
        axes.set_ylim(bottom=floor)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,g}")
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        low, high = axes.get_ylim()
        few = high / low < 20  # so few powers of ten that values between them are told too
        axes.yaxis.set_minor_formatter(lambda value, _: f"{value:.3g}" if few else "")
        axes.set_xlabel(of)
        axes.set_ylabel("mean regret")
        axes.set_title(title)
        figure.legend(loc="outside lower center", ncols=2)

    return draw


def of_comparison(result: dict[str, Any]) -> Draw:
    """Returns the picture of a result of `zero.bench.nas_table.compare`."""
    curves = {
        name: entry["regret_curve"]
        for name, entry in result["searches"].items()
        if "regret_curve" in entry and name not in ALIASES
    }
    table = result["table"]
    bands = ", bands of one standard error" if result["runs"] > 1 else ""
    title = f"'{result['report']}' below its highest, {result['runs']} runs{bands}\n{table['file']}"
    return regret_curves(curves, title, result["budget_of"])

"""A drawing of cells in a matplotlib figure, for PNG: what `draw_svg` writes, read back.

Only the elements and attributes that `zero.cells.drawing.svg` uses are known here.
"""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

_NUMBER = r"-?\d+(?:\.\d+)?"
_POINTS = 0.75  # of a pixel


def draw_into(svg: str, figure: Any) -> None:
    """Draws the SVG text of a genome into an empty figure, which takes its size."""
    root = ElementTree.fromstring(svg)
    width, height = float(root.get("width", 0)), float(root.get("height", 0))
    figure.set_layout_engine("none")
    figure.set_size_inches(width * _POINTS / 72, height * _POINTS / 72)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.axis("off")
    _group(root, axes, 0.0, 0.0, 1.0)


def _group(group: Any, axes: Any, x: float, y: float, opacity: float) -> None:
    for element in group:
        tag = element.tag.rpartition("}")[2]
        if tag == "g":
            moved = [float(n) for n in re.findall(_NUMBER, element.get("transform", ""))] or [0, 0]
            shade = opacity * float(element.get("opacity", 1))
            _group(element, axes, x + moved[0], y + moved[1], shade)
        elif tag in _DRAWN:
            _DRAWN[tag](element, axes, x, y, opacity * float(element.get("opacity", 1)))


def _rect(element: Any, axes: Any, x: float, y: float, opacity: float) -> None:
    from matplotlib.patches import FancyBboxPatch

    left, top, width, height, radius = (
        float(element.get(name)) for name in ("x", "y", "width", "height", "rx")
    )
    radius = min(radius, width / 2, height / 2)
    axes.add_patch(FancyBboxPatch(
        (x + left, y + top), width, height, boxstyle=f"round,pad=0,rounding_size={radius}",
        facecolor=element.get("fill"), edgecolor=element.get("stroke") or "none",
        linewidth=float(element.get("stroke-width", 0)) * _POINTS, alpha=opacity,
        zorder=len(axes.get_children()),
    ))  # fmt: skip


def _path(element: Any, axes: Any, x: float, y: float, opacity: float) -> None:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    points: list[tuple[float, float]] = []
    codes: list[Any] = []
    at = (0.0, 0.0)
    for letter, text in re.findall(r"([MHVCmhvc])([^MHVCmhvc]*)", element.get("d", "")):
        n = [float(number) for number in re.findall(_NUMBER, text)]
        if letter in "mhv":  # from where the pen is
            n = [n[0] + at[letter == "v"], *([n[1] + at[1]] if letter == "m" else [])]
        kind = letter.upper()
        if kind == "C":
            new = list(zip(n[::2], n[1::2], strict=True))
        elif kind == "H":
            new = [(n[0], at[1])]
        elif kind == "V":
            new = [(at[0], n[0])]
        else:
            new = [(n[0], n[1])]
        code = {"M": Path.MOVETO, "C": Path.CURVE4}.get(kind, Path.LINETO)
        points += new
        codes += [code] * len(new)
        at = new[-1]
    moved = [(x + a, y + b) for a, b in points]
    axes.add_patch(PathPatch(
        Path(moved, codes), facecolor="none", edgecolor=element.get("stroke"), alpha=opacity,
        linewidth=float(element.get("stroke-width", 1)) * _POINTS, capstyle="butt",
        zorder=len(axes.get_children()),
    ))  # fmt: skip


def _text(element: Any, axes: Any, x: float, y: float, opacity: float) -> None:
    size = float(element.get("font-size") or 12.5)
    axes.text(
        x + float(element.get("x")), y + float(element.get("y")), (element.text or "").replace("$", r"\$"),
        color=element.get("fill"), fontsize=size * _POINTS * 0.96, alpha=opacity, va="baseline",
        ha={"start": "left", "middle": "center"}[element.get("text-anchor", "start")],
        weight="bold" if element.get("font-weight") else "normal", rotation_mode="anchor",
        rotation=90 if "rotate" in element.get("transform", "") else 0, zorder=len(axes.get_children()),
    )  # fmt: skip


_DRAWN = {"rect": _rect, "path": _path, "text": _text}

"""Drawings of a run over pipelines, as SVG made by hand: its leaderboard, and its search.

Called by `zero.pipelines.report`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

WIDTH, NAMES, MARGIN, LINE = 720, 230, 20, 24
MOST_DOTS = 1000
HEIGHT = 260
NEAR = 0.8  # share of the candidates, the best ones, that a picture of a search has room for


def _ticks(low: float, high: float) -> list[float]:
    """Returns round numbers between two."""
    step = 10 ** math.floor(math.log10((high - low) / 2))
    for times in (1, 2, 5, 10):
        if (high - low) / (step * times) <= 5:
            step *= times
            break
    first = math.ceil(low / step)
    return [k * step for k in range(first, math.floor(high / step) + 1)]


def _range(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    room = 0.06 * (high - low) or 0.05 * abs(high) or 1.0
    return low - room, high + room


_STYLE = "width: 100%; font: 12px system-ui, sans-serif; fill: var(--ink)"  # of a page's variables


def _svg(height: float, parts: Sequence[str]) -> str:
    inner = "\n".join(parts)
    return f'<svg viewBox="0 0 {WIDTH} {height:g}" role="img" style="{_STYLE}">\n{inner}\n</svg>'


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    at = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line {at} style="stroke: var(--line)"/>'


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def dots(rows: Sequence[tuple[str, float, float]], name: str) -> str:
    """Returns a picture of rows (name, validation, test): a dot for each, filled for the first.

    name: of the score.
    """
    known = [v for _, *pair in rows for v in pair if math.isfinite(v)]
    if not known:
        return ""
    low, high = _range(known)
    bottom = MARGIN + LINE * len(rows)

    def x(value: float) -> float:
        return NAMES + (WIDTH - NAMES - MARGIN) * (value - low) / (high - low)

    parts = []
    for tick in _ticks(low, high):
        parts += [
            _line(x(tick), MARGIN / 2, x(tick), bottom),
            _text(x(tick), bottom + 16, f"{tick:.4g}", "middle"),
        ]
    for place, (label, validation, test) in enumerate(rows):
        y = MARGIN + LINE * (place + 0.5)
        short = label if len(label) <= 34 else label[:33] + "…"
        parts.append(_text(NAMES - 12, y + 4, short, "end"))
        if math.isfinite(test):
            parts.append(
                f'<circle cx="{x(test):.1f}" cy="{y:.1f}" r="5" '
                'style="fill: none; stroke: var(--other); stroke-width: 2"/>'
            )
        if math.isfinite(validation):
            parts.append(
                f'<circle cx="{x(validation):.1f}" cy="{y:.1f}" r="4" style="fill: var(--own)"/>'
            )
    parts.append(_text(WIDTH - MARGIN, bottom + 34, name, "end"))
    return _svg(bottom + 42, parts)


def search(scores: Sequence[float], best: Sequence[float], name: str) -> str:
    """Returns a picture of a search: each candidate's score, and the best so far.

    scores: in the order of the candidates, NaN of those that failed. best: so far, as many.
    """
    known = [v for v in scores if math.isfinite(v)]
    if len(known) < 2:
        return ""
    known.sort(key=lambda v: abs(v - best[-1]))
    low, high = _range([best[-1], known[int(NEAR * (len(known) - 1))]])
    left, bottom, count = 70.0, HEIGHT - 45.0, len(scores)

    def x(place: float) -> float:
        return left + (WIDTH - left - MARGIN) * place / max(1, count - 1)

    def y(value: float) -> float:
        share = (min(max(value, low), high) - low) / (high - low)
        return bottom - (bottom - MARGIN) * share

    parts = []
    for tick in _ticks(low, high):
        parts += [
            _line(left, y(tick), WIDTH - MARGIN, y(tick)),
            _text(left - 8, y(tick) + 4, f"{tick:.4g}", "end"),
        ]
    for tick in _ticks(1, count) if count > 2 else []:
        if tick == int(tick):
            parts.append(_text(x(tick - 1), bottom + 18, f"{int(tick):,}", "middle"))
    every = math.ceil(count / MOST_DOTS)
    for place in range(0, count, every):
        if math.isfinite(scores[place]):
            parts.append(
                f'<circle cx="{x(place):.1f}" cy="{y(scores[place]):.1f}" r="2" '
                'style="fill: var(--soft); opacity: .6"/>'
            )
    steps: list[tuple[float, float]] = []
    for place, value in enumerate(best):
        if math.isfinite(value):
            if steps and steps[-1][1] != y(value):
                steps.append((x(place), steps[-1][1]))
                steps.append((x(place), y(value)))
            elif not steps:
                steps.append((x(place), y(value)))
    steps.append((x(count - 1), steps[-1][1]))
    path = " ".join(f"{px:.1f},{py:.1f}" for px, py in steps)
    parts += [
        f'<polyline points="{path}" style="fill: none; stroke: var(--own); stroke-width: 2"/>',
        _text(left, 12, name),
        _text(WIDTH - MARGIN, bottom + 36, "candidates", "end"),
    ]
    return _svg(HEIGHT, parts)

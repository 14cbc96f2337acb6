"""Tables for people: as wide as the terminal, 80 columns where there is none; no word is ever cut.

`COLUMNS` sets another width. What must stay in one piece to be copied is given as `Whole`.
"""

import math
import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

_GAP = "  "


class Whole(str):
    """A text that is never wrapped: a path, a command to copy."""


def width() -> int:
    """Returns how many columns there are to print in."""
    return max(20, shutil.get_terminal_size((80, 24)).columns)


def wrapped(text: str, columns: int) -> list[str]:
    """Returns the text's lines, broken at spaces only; at least one."""
    if isinstance(text, Whole) or len(text) <= columns:
        return [text]
    room = max(columns, 1)
    return textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False) or [""]


def print_paragraph(text: str, indent: str = "", further: str | None = None) -> None:
    """Prints a paragraph; further: the indent of all lines but the first, by default the same."""
    further = indent if further is None else further
    lines = wrapped(text, width() - max(len(indent), len(further)))
    for number, line in enumerate(lines):
        print((further if number else indent) + line)


def print_pairs(rows: Iterable[tuple[str, str]]) -> None:
    """Prints names and values in two columns; a value too wide for its column goes below its name."""
    rows = list(rows)
    first = max(len(name) for name, _ in rows)
    room = width() - first - len(_GAP)
    for name, value in rows:
        if _longest_word(value) > room and not isinstance(value, Whole):
            print(name)
            print_paragraph(value, "    ")
            continue
        for number, line in enumerate(wrapped(value, room)):
            print(f"{'' if number else name:<{first}}{_GAP}{line}".rstrip())


def print_table(columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> None:
    """Prints a table; columns of figures to the right. Where it is too wide, row by row as pairs."""
    cells = [[c if isinstance(c, str) else str(c) for c in row] for row in rows]
    figures = [
        bool(cells) and all(_is_figure(row[n]) for row in cells) for n in range(len(columns))
    ]
    widths = _widths([columns, *cells])
    if widths is None:
        for row in cells:
            print(row[0].strip())
            pairs = [(f"  {name.strip()}", text) for name, text in zip(columns, row, strict=True)]
            print_pairs([(name, text) for name, text in pairs[1:] if text.strip()] or [("", "")])
        return
    for number, texts in enumerate([columns, *cells]):
        parts = [wrapped(text, w) for text, w in zip(texts, widths, strict=True)]
        for line in range(max(map(len, parts))):
            pieces = [part[line] if line < len(part) else "" for part in parts]
            aligned = [
                text.rjust(w) if right else text.ljust(w)
                for text, w, right in zip(pieces, widths, figures, strict=True)
            ]
            text = _GAP.join(aligned).rstrip()
            print(f"\x1b[1m{text}\x1b[0m" if number == 0 and _bold() else text)


def _widths(rows: Sequence[Sequence[str]]) -> list[int] | None:
    """Returns the columns' widths, None if their longest words together are too wide."""
    by_column = list(zip(*rows, strict=True))
    widths = [max(map(len, column)) for column in by_column]
    least = [max(map(_longest_word, column)) for column in by_column]
    room = width() - len(_GAP) * (len(widths) - 1)
    if sum(least) > room:
        return None
    cells = [max(map(len, column[1:]), default=0) for column in by_column]
    while sum(widths) > room:  # the widest of those that can be narrower gives way, titles first
        can = [n for n, w in enumerate(widths) if w > least[n]]
        widest = max(can, key=lambda n: (widths[n] > cells[n], widths[n]))
        widths[widest] -= 1
    return widths


def _longest_word(text: str) -> int:
    if isinstance(text, Whole):
        return len(text)
    start = len(text) - len(text.lstrip())  # an indent belongs to the first word
    return max(start + len(text.split()[0]), *map(len, text.split())) if text.strip() else 0


def _is_figure(text: str) -> bool:
    return text in ("", "-") or text.replace(",", "").replace(".", "").lstrip("-").isdigit()


def _bold() -> bool:
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM", "dumb") == "dumb"
    return sys.stdout.isatty() and not plain


# --- figures as text --------------------------------------------------------------------------------


def shown(value: Any) -> str:
    """Returns a figure as people read it."""
    if isinstance(value, dict):
        return ", ".join(f"{k} {v}" for k, v in value.items())
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) and value >= 10_000 else str(value)


def json_number(value: float) -> float | None:
    """Returns the number, None where JSON has none for it."""
    return float(value) if math.isfinite(value) else None


def shown_fitness(value: float) -> str:
    """Returns a fitness with six decimals, '-' for none."""
    return "-" if math.isnan(value) else f"{value:.6f}"

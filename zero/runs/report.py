"""Reports on runs: what a kind of genome has to say of one, as a page that stands alone, or as text.

A kind makes a `Report` (`zero.runs.kind.Kind.report`), of sections with paragraphs, pairs, tables, commands
and pictures; `page` and `print_report` show it. Called by `zero report`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from zero.runs.tables import Whole, print_pairs, print_paragraph, print_table


@dataclass(frozen=True)
class Pairs:
    """Names and values."""

    rows: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Table:
    """Rows of cells below names of columns; figures: how many of the last columns are numbers."""

    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    figures: int = 0


@dataclass(frozen=True)
class Commands:
    """Lines to copy, and what each does."""

    lines: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Picture:
    """A drawing, which text leaves out; svg: an element. about: what is seen."""

    svg: str
    about: str


Part = str | Pairs | Table | Commands | Picture


@dataclass(frozen=True)
class Section:
    """A part of a report; texts are paragraphs."""

    title: str
    parts: Sequence[Part]


@dataclass(frozen=True)
class Report:
    """See the module's docstring."""

    title: str
    sections: Sequence[Section]


def print_report(report: Report) -> None:
    """Prints a report as text, without its pictures."""
    print_paragraph(report.title)
    for section in report.sections:
        parts = [part for part in section.parts if not isinstance(part, Picture)]
        if parts:
            print(f"\n{section.title.upper()}\n")
        for number, part in enumerate(parts):
            if number:
                print()
            _print(part)


def _print(part: Part) -> None:
    if isinstance(part, str):
        print_paragraph(part)
    elif isinstance(part, Pairs):
        print_pairs(part.rows)
    elif isinstance(part, Table):
        print_table(part.columns, part.rows)
    elif isinstance(part, Commands):
        print_pairs([(about, Whole(line)) for line, about in part.lines])


# --- as a page ------------------------------------------------------------------------------------

_STYLE = """
:root { --ink: #1c2024; --soft: #5c656e; --line: #d9dde1; --paper: #fff;
  --own: #2f5fb3; --other: #b3622f; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e7ea; --soft: #9aa4ad; --line: #3a4046; --paper: #17191c;
    --own: #7ea6ee; --other: #e69a68; }
}
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 52rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
table { border-collapse: collapse; width: 100%; font-size: .95rem; display: block; overflow-x: auto; }
th, td { text-align: left; vertical-align: top; padding: .3rem 1rem .3rem 0;
  border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
th { color: var(--soft); font-weight: 600; } td.figure, th.figure { text-align: right;
  font-variant-numeric: tabular-nums; white-space: nowrap; }
pre { background: color-mix(in srgb, var(--line) 40%, transparent); padding: .7rem 1rem; overflow-x: auto; }
figure { margin: 1rem 0; } figcaption { color: var(--soft); font-size: .9rem; }
svg { width: 100%; height: auto; } svg text { font: 12px system-ui, sans-serif; fill: var(--ink); }
"""


def page(report: Report) -> str:
    """Returns a report as one HTML page, which fetches nothing."""
    body = [f"<h1>{escape(report.title)}</h1>"]
    for section in report.sections:
        body.append(f"<h2>{escape(section.title)}</h2>")
        body += [_html(part) for part in section.parts]
    head = (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(report.title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
    )
    return head + "\n".join(body) + "\n</body>\n</html>\n"


def _html(part: Part) -> str:
    if isinstance(part, Pairs):
        rows = [
            f"<tr><th>{escape(name)}</th><td>{escape(text)}</td></tr>" for name, text in part.rows
        ]
        return "<table>\n" + "\n".join(rows) + "\n</table>"
    if isinstance(part, Table):
        width = len(part.columns)
        kinds = [' class="figure"' if k >= width - part.figures else "" for k in range(width)]

        def row(tag: str, cells: Sequence[str]) -> str:
            made = [f"<{tag}{k}>{escape(c)}</{tag}>" for k, c in zip(kinds, cells, strict=True)]
            return f"<tr>{''.join(made)}</tr>"

        rows = [row("th", part.columns), *(row("td", cells) for cells in part.rows)]
        return "<table>\n" + "\n".join(rows) + "\n</table>"
    if isinstance(part, Commands):
        lines = [f"<p>{escape(about)}</p>\n<pre>{escape(line)}</pre>" for line, about in part.lines]
        return "\n".join(lines)
    if isinstance(part, Picture):
        about = escape(part.about)
        return f"<figure>\n{part.svg}\n<figcaption>{about}</figcaption>\n</figure>"
    return f"<p>{escape(part)}</p>"

"""A report as text, without its pictures, for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from zero.runs.reports.parts import Bullets, Code, Commands, Pairs, Part, Picture, Report, Table
from zero.runs.tables import Whole, print_pairs, print_paragraph, print_table


def print_report(report: Report) -> None:
    """Prints a report."""
    print_paragraph(report.title)
    if report.answer:
        print()
        print_paragraph(report.answer)
    for section in report.sections:
        if any(not isinstance(part, Picture) for part in section.parts):
            print(f"\n{section.title.upper()}\n")
            print_parts(section.parts)


def print_parts(parts: Sequence[Part]) -> None:
    """Prints parts with an empty line between them; pictures are left out."""
    shown = [part for part in parts if not isinstance(part, Picture)]
    for number, part in enumerate(shown):
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
    elif isinstance(part, Bullets):
        for sentence in part.sentences:
            print_paragraph(sentence, "* ", "  ")
    elif isinstance(part, Code):
        print(part.text.rstrip())

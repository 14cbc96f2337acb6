"""A report as text, without its pictures, for a terminal."""

from __future__ import annotations

from zero.runs.reports.parts import Code, Commands, Pairs, Part, Picture, Report, Table
from zero.runs.tables import Whole, print_pairs, print_paragraph, print_table


def print_report(report: Report) -> None:
    """Prints a report."""
    print_paragraph(report.title)
    if report.answer:
        print()
        print_paragraph(report.answer)
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
    elif isinstance(part, Code):
        print(part.text.rstrip())

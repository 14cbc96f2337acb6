"""A report as one HTML page that stands alone: it fetches nothing, prints well, and follows a dark system."""

from __future__ import annotations

from importlib import resources

from zero.runs.reports.parts import Picture, Report, Section

MOST_BYTES = 1_000_000  # of a page


def page(report: Report) -> str:
    """Returns the page; where it would be larger than `MOST_BYTES`, the largest pictures are left out."""
    from jinja2 import Environment, StrictUndefined

    source = resources.files(__package__).joinpath("page.html").read_text(encoding="utf-8")
    template = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    ).from_string(source)
    while True:
        made = template.render(report=report, form=lambda part: type(part).__name__)
        largest = _largest(report)
        if largest is None or len(made.encode()) <= MOST_BYTES:
            return made
        report = _without(report, largest)


def _largest(report: Report) -> Picture | None:
    pictures = [p for s in report.sections for p in s.parts if isinstance(p, Picture)]
    return max(pictures, key=lambda picture: len(picture.svg), default=None)


def _without(report: Report, left_out: Picture) -> Report:
    note = f"A picture is left out, for it is too large for this page: {left_out.about}"
    sections = [
        Section(s.title, [note if part is left_out else part for part in s.parts])
        for s in report.sections
    ]
    return Report(report.title, sections, report.answer)

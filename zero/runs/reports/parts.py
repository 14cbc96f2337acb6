"""What a report on a run consists of; kinds of genomes make them (`zero.runs.kind.Kind.report`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Pairs:
    """Names and values."""

    rows: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Table:
    """Rows of cells below names of columns.

    figures: how many of the last columns are numbers. code: whether the first is lines of code.
    """

    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    figures: int = 0
    code: bool = False


@dataclass(frozen=True)
class Commands:
    """Lines to copy, and what each does."""

    lines: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Bullets:
    """Sentences that stand beside each other."""

    sentences: Sequence[str]


@dataclass(frozen=True)
class Code:
    """Lines whose breaks and spaces count, such as a program's."""

    text: str


@dataclass(frozen=True)
class Picture:
    """A drawing, which text leaves out; svg: an element, whose texts are escaped. about: what is seen."""

    svg: str
    about: str


Part = str | Pairs | Table | Commands | Bullets | Code | Picture


@dataclass(frozen=True)
class Section:
    """A part of a report; texts are paragraphs."""

    title: str
    parts: Sequence[Part]


@dataclass(frozen=True)
class Report:
    """What there is to report on a run.

    title: what was asked. answer: what came out, in one line.
    """

    title: str
    sections: Sequence[Section]
    answer: str = ""

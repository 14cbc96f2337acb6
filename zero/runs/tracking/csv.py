"""Curves as a CSV file: a header, then a row for each point; a figure that is no number is empty."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

from zero.runs.progress import Point
from zero.runs.tracking import COLUMNS, Tracker, register
from zero.system.files import cannot_write


class LineTracker(Tracker):
    """A text file with one line for each point, to which lines are only added."""

    header = ""

    def line(self, point: Point) -> str:
        """Returns a point's line, without its end."""
        raise NotImplementedError

    def individuals(self, line: str) -> int | None:
        """Returns the individuals in a line, None if it is no point's."""
        raise NotImplementedError

    def open(self, place: Path, info: dict[str, Any]) -> int:
        """Reads where an earlier process ended; a line cut short by a kill is removed."""
        self.path, last = place, -1
        try:
            with open(place, "a+b") as file:
                file.seek(0)
                content = file.read()
                whole = content[: content.rfind(b"\n") + 1]
                file.truncate(len(whole))
                if not whole:
                    file.write(self.header.encode())
        except OSError as error:
            raise cannot_write(place, error) from error
        for line in whole.decode("utf-8", "replace").splitlines():
            last = max(last, self.individuals(line) or -1)
        return last

    def write(self, points: list[Point]) -> None:
        """Adds a line for each."""
        text = "".join(self.line(point) + "\n" for point in points)
        handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            os.write(handle, text.encode())
        finally:
            os.close(handle)


@register
class CsvTracker(LineTracker):
    """See the module's docstring."""

    name = "csv"
    about = "curves.csv, a table"
    file = "curves.csv"
    header = ",".join(COLUMNS) + "\n"

    def line(self, point: Point) -> str:
        """Returns the values, with all their digits."""
        values = [point[name] for name in COLUMNS]
        return ",".join(repr(v) if math.isfinite(v) else "" for v in values)

    def individuals(self, line: str) -> int | None:
        """Returns the first value."""
        first = line.partition(",")[0]
        return int(first) if first.isdecimal() else None

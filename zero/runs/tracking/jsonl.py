"""Curves as JSON lines: an object for each point; a figure that is no number is null."""

from __future__ import annotations

import json
import math

from zero.runs.progress import Point
from zero.runs.tracking import COLUMNS, register
from zero.runs.tracking.csv import LineTracker


@register
class JsonLinesTracker(LineTracker):
    """See the module's docstring."""

    name = "jsonl"
    about = "curves.jsonl, a JSON object a line"
    file = "curves.jsonl"

    def line(self, point: Point) -> str:
        """Returns the point as an object."""
        values = {name: point[name] for name in COLUMNS}
        return json.dumps({k: v if math.isfinite(v) else None for k, v in values.items()})

    def individuals(self, line: str) -> int | None:
        """Returns the key of that name."""
        try:
            found = json.loads(line).get("individuals")
        except (ValueError, AttributeError, RecursionError):
            return None
        return found if isinstance(found, int) else None

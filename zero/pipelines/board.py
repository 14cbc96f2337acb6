"""The leaderboard of a run over pipelines, as it is kept and shown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Row:
    """A line: what it is, its score in cross-validation and on the test rows (NaN: none), its record."""

    name: str
    validation: float
    test: float
    record: int
    text: str


@dataclass(frozen=True)
class Board:
    """See the module's docstring.

    metric: of all scores, larger is better. used: what is kept of the run, a row's name. rows: in no order.
    final: the score of what is kept, on the test rows. promised: its score in cross-validation that played no
    part in choosing it; nested: that of the best pipeline chosen so. best: what the search maximised.
    failed: candidates that failed, by cause.
    """

    metric: str
    used: str
    rows: Sequence[Row]
    final: float
    promised: float
    nested: float
    best: float
    failed: Mapping[str, int] = field(default_factory=dict)

    @property
    def ordered(self) -> list[Row]:
        """The rows, the best in cross-validation first."""
        return sorted(
            self.rows, key=lambda r: -r.validation if not math.isnan(r.validation) else math.inf
        )

    def tree(self) -> dict[str, Any]:
        """Returns it as plain values."""
        return asdict(self) | {"rows": [asdict(row) for row in self.ordered]}

    @staticmethod
    def from_tree(tree: Mapping[str, Any]) -> Board:
        """Returns what `tree` gave."""
        return Board(**{**tree, "rows": [Row(**row) for row in tree["rows"]]})

"""What is counted: what was done to runs, and what must never follow from it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

FAULTS = {  # all of them must stay 0
    "not_opened": "archives and checkpoints that do not open",
    "lost": "things reported as saved that are not there any more",
    "different": "resumed runs that are not, byte for byte, what the unbroken one is",
    "tracebacks": "tracebacks, and errors of more than one line",
    "refused": "runs that could not go on though they should",
    "orphans": "processes that outlive their run",
    "hung": "processes that do not end",
    "left": "temporary files that the end of a run leaves",
    "wrong": "damaged files that were taken for sound ones",
    "both": "two processes at work in one folder",
    "grown": "memory, files, handles or logs that grow",
}
EXAMPLES = 20  # of faults that are kept in words


@dataclass
class Counts:
    """What was done (by name: kills, damaged files and so on), the faults, some in words, and figures."""

    done: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)

    def fault(self, kind: str, what: str) -> None:
        """Counts a fault, one of `FAULTS`."""
        assert kind in FAULTS
        self.faults[kind] += 1
        if len(self.examples) < EXAMPLES:
            self.examples.append(f"{kind}: {what}"[:1500])

    def add(self, other: Counts) -> None:
        """Adds what others counted."""
        self.done += other.done
        self.faults += other.faults
        self.figures |= other.figures
        self.examples = [*self.examples, *other.examples][:EXAMPLES]

    @property
    def total(self) -> int:
        """How many faults there were."""
        return sum(self.faults.values())

    def tree(self) -> dict[str, Any]:
        """Returns the counts as JSON has them; faults that were not seen are there as 0."""
        faults = {kind: self.faults[kind] for kind in FAULTS}
        tree = {
            "done": dict(sorted(self.done.items())),
            "faults": faults,
            "examples": self.examples,
        }
        return tree | ({"figures": self.figures} if self.figures else {})

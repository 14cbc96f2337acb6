"""What an island of cells keeps of a candidate, and how that is stored in checkpoints."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from zero.evolution.object_records import ObjectRecord


@dataclass(eq=False)
class RawCell(ObjectRecord):
    """One candidate: as `zero.runs.records.CellRecord`, with `key`, by which duplicates are found."""

    parameters: int = 0
    multiply_adds: int = 0
    activation_bytes: int = 0
    latency: float = math.nan

    COSTS: ClassVar[tuple[str, ...]] = ("parameters", "multiply_adds", "activation_bytes")
    FIGURES: ClassVar[tuple[str, ...]] = (*ObjectRecord.FIGURES, *COSTS, "latency")

"""What an island keeps of an individual while a run goes on: the part that all kinds of genome share.

A kind of genome adds fields of its own (the genome, its figures) in a subclass, and knows how its
records are stored as columns. What the archive keeps of them is in `zero.runs.records`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(eq=False)
class RawRecord:
    """One individual, as its island recorded it.

    number: unique in the run. parent: number of the recorded ancestor, -1 = none. island: where it was
    made. individuals: made on that island until then. steps: mutations since the parent. mutation: name
    of the last of these. fitness: on the search tasks. is_best: whether it was the best until then.
    select_fitness: what candidates are chosen by, NaN where it was not evaluated.
    """

    number: int
    parent: int
    island: int
    individuals: int
    steps: int
    mutation: str
    fitness: float
    is_best: bool
    select_fitness: float

"""What every space of genomes of networks offers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:  # names are completed by the shell without it
    import numpy as np

    from zero.cells.forms.form import Form
    from zero.cells.genome import Genome
    from zero.search.decisions import Decisions


class Space(Protocol):
    """A frozen dataclass; name, description and ops are fields, form and mutations the class's.

    ops: what its genomes are made of, which a user may choose. form: the class of what genomes
    consist of. mutations: the names of its mutations. `choices`, `genome_of` and `decisions_of` make a
    genome a sequence of decisions (`zero.search.protocol.DecisionSpace`), in the order that the class
    states. One that grows has `smallest` and `grown` too (`zero.search.protocol.GrowingSpace`).
    """

    name: Any
    description: Any
    ops: Any
    form: type[Form]
    mutations: Sequence[str]

    def check(self, genome: Genome) -> None:
        """Raises NetworkError if the genome is none of this space."""

    def random(self, rng: np.ndarray) -> Genome:
        """Returns a genome drawn at random."""

    def mutate(self, genome: Genome, rng: np.ndarray) -> tuple[Genome, str]:
        """Returns a mutated genome and the mutation's name."""

    def neighbours(self, genome: Genome) -> list[Genome]:
        """Returns all genomes that one mutation can make of this one, without itself."""

    def choices(self, decisions: Decisions) -> Sequence[str]:
        """Returns the names of which the next decision is one."""

    def genome_of(self, decisions: Decisions) -> Genome:
        """Returns the genome of a complete sequence of decisions; raises ZeroError for others."""

    def decisions_of(self, genome: Genome) -> Decisions:
        """Returns the genome's decisions; NetworkError if it is none or no decisions give it."""

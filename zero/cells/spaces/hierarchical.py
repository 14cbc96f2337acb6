"""The space of hierarchical representations (Liu et al. 2018)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zero.cells.forms.hierarchy import IDENTITIES, NONE, Hierarchy, edges_of
from zero.cells.genome import Genome
from zero.errors import NetworkError, unknown_name
from zero.search.decisions import Decisions, checked

if TYPE_CHECKING:  # names are completed by the shell without it
    import numpy as np


@dataclass(frozen=True)
class HierarchicalSpace:
    """Motifs of ops and a cell of motifs; see `zero.cells.forms.hierarchy`.

    Random genomes are the trivial one, all edges of which are identities, mutated so many times
    (`diversify`, the paper's 1,000). motif_nodes, cell_nodes: input and output among them.

    Decisions: the labels of all edges, motif by motif, then the cell's, by target, then by source.
    """

    name: str
    description: str
    ops: tuple[str, ...]
    motifs: int = 6
    motif_nodes: int = 4
    cell_nodes: int = 5
    diversify: int = 1000

    form = Hierarchy
    mutations = ("motif", "cell")

    @property
    def cell_labels(self) -> tuple[str, ...]:
        """What the cell's edges can have."""
        return (NONE, *(f"m{k}" for k in range(1, self.motifs + 1)))

    def check(self, genome: Genome) -> None:
        """Raises NetworkError if the genome is none of this space."""
        found = genome.normal
        if genome.reduction is not None or not isinstance(found, Hierarchy):
            raise NetworkError(f"{self.name}: a genome has motifs and one cell, a Hierarchy")
        try:
            found.check()
            if len(found.motifs) != self.motifs:
                raise NetworkError(f"{len(found.motifs)} motifs; it must be {self.motifs}")
            for k, labels in enumerate(found.motifs, 1):
                _check_size(f"m{k}", labels, self.motif_nodes)
                for op in labels:
                    if op not in (*self.ops, NONE):
                        raise NetworkError(
                            f"m{k}: {unknown_name(f'op of {self.name}', op, self.ops)}"
                        )
                if NONE in labels and NONE not in self.ops:
                    raise NetworkError(f"m{k} lacks an edge, and '{NONE}' is no op of this space")
            _check_size("cell", found.cell, self.cell_nodes)
        except NetworkError as error:
            raise NetworkError(f"{self.name}: {error}") from None

    def trivial(self) -> Genome:
        """Returns the genome of identities, the first op where there is no identity."""
        op = next((op for op in self.ops if op in IDENTITIES), self.ops[0])
        motif = (op,) * len(edges_of(self.motif_nodes))
        cell = ("m1",) * len(edges_of(self.cell_nodes))
        return Genome(self.name, Hierarchy((motif,) * self.motifs, cell))

    def random(self, rng: np.ndarray) -> Genome:
        """Returns the trivial genome after `diversify` mutations."""
        labels = list(self._labels(self.trivial()))
        for _ in range(self.diversify):
            place, label, _ = self._drawn(rng)
            labels[place] = label
        return self._made(labels)

    def mutate(self, genome: Genome, rng: np.ndarray) -> tuple[Genome, str]:
        """Returns the genome with the label of one edge drawn anew, perhaps the same.

        Drawn evenly: whether it is in a motif or in the cell, the motif, the node that the edge ends
        in, the one where it starts, and its label, `none` among them. The mutation's name is "motif" or
        "cell".
        """
        place, label, name = self._drawn(rng)
        labels = list(self._labels(genome))
        labels[place] = label
        return self._made(labels), name

    def _drawn(self, rng: np.ndarray) -> tuple[int, str, str]:
        """Returns the number of an edge, its new label and the mutation's name."""
        from zero.rng.splitmix import below

        name = self.mutations[int(below(rng, 2))]
        in_motif = name == "motif"
        motif = int(below(rng, self.motifs)) if in_motif else self.motifs
        target = 1 + int(below(rng, (self.motif_nodes if in_motif else self.cell_nodes) - 1))
        source = int(below(rng, target))
        labels = self.ops if in_motif else self.cell_labels
        place = motif * len(edges_of(self.motif_nodes)) + target * (target - 1) // 2 + source
        return place, labels[int(below(rng, len(labels)))], name

    def neighbours(self, genome: Genome) -> list[Genome]:
        """Returns the genomes that differ in one edge's label."""
        return list(self._others(list(self._labels(genome))))

    def _others(self, labels: list[str]) -> Iterator[Genome]:
        for place, old in enumerate(labels):
            for label in self._choices_at(place):
                if label != old:
                    yield self._made([*labels[:place], label, *labels[place + 1 :]])

    def _choices_at(self, place: int) -> tuple[str, ...]:
        in_motifs = self.motifs * len(edges_of(self.motif_nodes))
        if place < in_motifs:
            return self.ops
        return self.cell_labels if place < in_motifs + len(edges_of(self.cell_nodes)) else ()

    def choices(self, decisions: Decisions) -> tuple[str, ...]:
        """Returns the ops or motifs of which the next decision is one."""
        return self._choices_at(len(decisions))

    def genome_of(self, decisions: Decisions) -> Genome:
        """Returns the genome of a complete sequence of decisions; raises ZeroError for others."""
        return self._made(list(checked(self.choices, decisions)))

    def decisions_of(self, genome: Genome) -> Decisions:
        """Returns the genome's decisions; NetworkError if it is none of this space."""
        self.check(genome)
        return self._labels(genome)

    def _labels(self, genome: Genome) -> tuple[str, ...]:
        found = genome.normal
        return (*(label for labels in found.motifs for label in labels), *found.cell)

    def _made(self, labels: list[str]) -> Genome:
        size = len(edges_of(self.motif_nodes))
        motifs = [tuple(labels[k * size : (k + 1) * size]) for k in range(self.motifs)]
        return Genome(self.name, Hierarchy(tuple(motifs), tuple(labels[self.motifs * size :])))


def _check_size(name: str, labels: tuple[str, ...], nodes: int) -> None:
    if len(labels) != len(edges_of(nodes)):
        raise NetworkError(
            f"{name} has {len(labels)} edges; {nodes} nodes have {len(edges_of(nodes))}"
        )

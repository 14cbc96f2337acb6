"""The space of Google's Model Search: stacks of registered blocks (`zero.cells.blocks`)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from zero.cells.blocks import DEPTH, END, get_block
from zero.cells.forms.stack import Stack
from zero.cells.genome import Genome
from zero.errors import NetworkError, unknown_name
from zero.search.decisions import Decisions, checked

if TYPE_CHECKING:  # names are completed by the shell without it
    import numpy as np

Blocks = tuple[str, ...]


def _below(rng: np.ndarray, n: int) -> int:
    from zero.rng.splitmix import below

    return int(below(rng, n))


@dataclass(frozen=True)
class BlockSpace:
    """Stacks of blocks, those of images before the dense ones.

    ops: the blocks' names; `depthN`, at most N blocks (8 if it is not said).

    Decisions: the blocks, from the images on, then "end" where there could be more. It grows as in the
    source: a block of images at the end of those, a dense one at the very end.
    """

    name: str
    description: str
    ops: Blocks

    form = Stack
    mutations = ("insert", "replace", "remove")

    def __post_init__(self) -> None:
        if len(self.ops) - len(self.blocks) > 1:
            raise NetworkError(f"{self.name} has more than one depth; name one")
        if not self.blocks:
            raise NetworkError(f"{self.name} has no block; name one at least")

    @cached_property
    def blocks(self) -> Blocks:
        """The names of its blocks."""
        return tuple(op for op in self.ops if not DEPTH.fullmatch(op))

    @cached_property
    def most(self) -> int:
        """The most blocks of a stack."""
        return next((int(found[1]) for op in self.ops if (found := DEPTH.fullmatch(op))), 8)

    def check(self, genome: Genome) -> None:
        """Raises NetworkError if the genome is none of this space."""
        stack = genome.normal
        if genome.reduction is not None or not isinstance(stack, Stack):
            raise NetworkError(f"{self.name}: a genome is one stack of blocks")
        for name in stack.blocks:
            if name not in self.blocks:
                words = unknown_name(f"block of {self.name}", name, self.blocks)
                raise NetworkError(f"{self.name}: {words}")
        try:
            stack.check()
        except NetworkError as error:
            raise NetworkError(f"{self.name}: {error}") from None
        if len(stack.blocks) > self.most:
            raise NetworkError(
                f"{self.name}: {len(stack.blocks)} blocks; at most {self.most} are allowed"
            )

    def random(self, rng: np.ndarray) -> Genome:
        """Returns a genome; the number of blocks and each of them drawn evenly, dense ones put last."""
        count = 1 + _below(rng, self.most)
        drawn = [self.blocks[_below(rng, len(self.blocks))] for _ in range(count)]
        return self._genome(tuple(sorted(drawn, key=lambda name: get_block(name).dense)))

    def mutate(self, genome: Genome, rng: np.ndarray) -> tuple[Genome, str]:
        """Returns the genome with a block more, another or less, and the mutation's name.

        Of the mutations that can be made one is drawn evenly, then one of all that it can make.
        """
        made = {name: stacks for name in self.mutations if (stacks := self._changed(genome, name))}
        if not made:
            return genome, "replace"
        name = list(made)[_below(rng, len(made))]
        return self._genome(made[name][_below(rng, len(made[name]))]), name

    def neighbours(self, genome: Genome) -> list[Genome]:
        """Returns all genomes with one block more, another or less."""
        stacks = [stack for name in self.mutations for stack in self._changed(genome, name)]
        return [self._genome(stack) for stack in stacks]

    def smallest(self) -> list[Genome]:
        """Returns the stacks of one block."""
        return [self._genome((name,)) for name in self.blocks]

    def grown(self, genome: Genome) -> list[Genome]:
        """Returns the stacks with one block more at the end of its kind, none of the largest size."""
        blocks, images = genome.normal.blocks, genome.normal.of_images
        if len(blocks) >= self.most:
            return []
        ends = {name: len(blocks) if get_block(name).dense else images for name in self.blocks}
        return [self._genome((*blocks[:at], name, *blocks[at:])) for name, at in ends.items()]

    def size_of(self, genome: Genome) -> int:
        """Returns the number of blocks."""
        return len(genome.normal.blocks)

    def choices(self, decisions: Decisions) -> tuple[str, ...]:
        """Returns the blocks, or "end", of which the next decision is one."""
        if len(decisions) == self.most or END in decisions:
            return ()
        return (*self._following(decisions), *([END] if decisions else []))

    def genome_of(self, decisions: Decisions) -> Genome:
        """Returns the genome of a complete sequence of decisions; raises ZeroError for others."""
        made = checked(self.choices, decisions)
        return self._genome(tuple(name for name in made if name != END))

    def decisions_of(self, genome: Genome) -> Decisions:
        """Returns the genome's decisions; NetworkError if it is none of this space."""
        self.check(genome)
        blocks: Blocks = genome.normal.blocks
        return blocks if len(blocks) == self.most else (*blocks, END)

    def _genome(self, blocks: Blocks) -> Genome:
        return Genome(self.name, Stack(blocks))

    def _following(self, blocks: Blocks) -> Blocks:
        """Returns the blocks that can follow."""
        dense = bool(blocks) and get_block(blocks[-1]).dense
        return tuple(n for n in self.blocks if get_block(n).dense or not dense)

    def _changed(self, genome: Genome, mutation: str) -> list[Blocks]:
        """Returns the different stacks that a mutation can make of one."""
        old: Blocks = genome.normal.blocks
        places = range(len(old) + (mutation == "insert"))
        if mutation == "remove":
            made = [(*old[:at], *old[at + 1 :]) for at in places if len(old) > 1]
        else:
            kept = 0 if mutation == "insert" else 1
            room = len(old) + 1 - kept <= self.most
            made = [(*old[:at], n, *old[at + kept :]) for at in places for n in self.blocks if room]
        return [stack for stack in dict.fromkeys(made) if stack != old and self._is_ordered(stack)]

    def _is_ordered(self, blocks: Blocks) -> bool:
        dense = [get_block(name).dense for name in blocks]
        return dense == sorted(dense)

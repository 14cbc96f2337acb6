"""Networks around MobileNetV2: the space of MnasNet (Tan et al. 2019, section 4.1)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from zero.cells.forms.mobile import FIELDS, MOBILENET, MobileStages, Stage, choice_of
from zero.cells.genome import Genome
from zero.errors import NetworkError
from zero.search.decisions import Decisions, checked, drawn

if TYPE_CHECKING:  # names are completed by the shell without it
    import numpy as np


@dataclass(frozen=True)
class MobileSpace:
    """Seven stages of equal blocks, see `zero.cells.forms.mobile`.

    ops: what each stage chooses from: ops, kernels (`k3`), widths (`w0.75`), blocks more or less than
    MobileNetV2's (`n-1`, `n0`, `n+1`; at least one is left), `plain` or `se`, and skips; at least one of
    each. Genomes may be written down with other widths and numbers of blocks.

    Decisions: stage by stage op, kernel, width, number of blocks (`n3`), squeeze-excite, skip. Random
    genomes draw each evenly.
    """

    name: str
    description: str
    ops: tuple[str, ...]

    form = MobileStages
    mutations = FIELDS

    def __post_init__(self) -> None:
        for field in FIELDS:
            if not self._named[field]:
                raise NetworkError(
                    f"{self.name} has no choice of {field}; a space needs at least one of each: an op, a "
                    "kernel (k3), a width (w1), blocks (n0), plain or se, and none, id or pool"
                )

    @cached_property
    def _named(self) -> dict[str, tuple[str, ...]]:
        """The choices, by what they are about."""
        about = {name: choice_of(name) for name in self.ops}
        return {field: tuple(n for n in self.ops if about[n] == field) for field in FIELDS}

    @cached_property
    def _choices(self) -> tuple[tuple[str, ...], ...]:
        """The names that each decision chooses from."""
        found = []
        for _, blocks, _ in MOBILENET:
            counts = sorted({max(blocks + int(name[1:]), 1) for name in self._named["blocks"]})
            of_stage = self._named | {"blocks": tuple(f"n{count}" for count in counts)}
            found += [of_stage[field] for field in FIELDS]
        return tuple(found)

    def check(self, genome: Genome) -> None:
        """Raises NetworkError if the genome is none of this space."""
        if genome.reduction is not None or not isinstance(genome.normal, MobileStages):
            raise NetworkError(f"{self.name}: a genome has one network, of MobileStages")
        try:
            genome.normal.check()
        except NetworkError as error:
            raise NetworkError(f"{self.name}: {error}") from None
        for place, name in enumerate(_names(genome)):
            field = FIELDS[place % len(FIELDS)]
            if field not in ("width", "blocks") and name not in self._choices[place]:
                possible = ", ".join(self._choices[place])
                where = f"stage {place // len(FIELDS) + 1}: {field}"
                raise NetworkError(f"{self.name}: {where} is {name}; it must be one of {possible}")

    def random(self, rng: np.ndarray) -> Genome:
        """Returns a genome, every decision drawn evenly."""
        return self.genome_of(drawn(self.choices, rng))

    def mutate(self, genome: Genome, rng: np.ndarray) -> tuple[Genome, str]:
        """Returns the genome with one decision made otherwise, drawn evenly as its place is.

        The mutation is called by what the decision is about.
        """
        from zero.rng.splitmix import below

        places = [place for place in range(len(self._choices)) if self._others(genome, place)]
        if not places:
            return genome, FIELDS[0]
        place = places[int(below(rng, len(places)))]
        others = self._others(genome, place)
        changed = _changed(genome, place, others[int(below(rng, len(others)))])
        return changed, FIELDS[place % len(FIELDS)]

    def neighbours(self, genome: Genome) -> list[Genome]:
        """Returns the genomes that differ in one decision."""
        return [
            _changed(genome, place, name)
            for place in range(len(self._choices))
            for name in self._others(genome, place)
        ]

    def _others(self, genome: Genome, place: int) -> list[str]:
        own = _names(genome)[place]
        return [name for name in self._choices[place] if name != own]

    def choices(self, decisions: Decisions) -> tuple[str, ...]:
        """Returns the names of which the next decision is one."""
        return self._choices[len(decisions)] if len(decisions) < len(self._choices) else ()

    def genome_of(self, decisions: Decisions) -> Genome:
        """Returns the genome of a complete sequence of decisions; raises ZeroError for others."""
        made, size = checked(self.choices, decisions), len(FIELDS)
        stages = [_stage(made[k : k + size]) for k in range(0, len(made), size)]
        return Genome(self.name, MobileStages(tuple(stages)))

    def decisions_of(self, genome: Genome) -> Decisions:
        """Returns the genome's decisions; NetworkError if it is none or no decisions give it."""
        self.check(genome)
        made = _names(genome)
        for place, name in enumerate(made):
            if name not in self._choices[place]:
                possible = ", ".join(self._choices[place])
                raise NetworkError(
                    f"{self.name}: {name} in stage {place // len(FIELDS) + 1} was written down; "
                    f"decisions give {possible}"
                )
        return made


def _names(genome: Genome) -> Decisions:
    """Returns the names of all that a genome chose, in the order of decisions."""
    return tuple(
        name
        for s in genome.normal.stages
        for name in (
            s.op,
            f"k{s.kernel}",
            f"w{s.width:g}",
            f"n{s.blocks}",
            "se" if s.squeeze else "plain",
            s.skip,
        )
    )


def _fields(field: str, name: str) -> dict[str, Any]:
    """Returns a stage's field that a name gives, and its value."""
    read = {"kernel": int, "width": float, "blocks": int}
    if field in read:
        return {field: read[field](name[1:])}
    return {field: name == "se" if field == "squeeze" else name}


def _stage(names: Decisions) -> Stage:
    fields: dict[str, Any] = {}
    for field, name in zip(FIELDS, names, strict=True):
        fields |= _fields(field, name)
    return Stage(**fields)


def _changed(genome: Genome, place: int, name: str) -> Genome:
    stages, number = list(genome.normal.stages), place // len(FIELDS)
    stages[number] = replace(stages[number], **_fields(FIELDS[place % len(FIELDS)], name))
    return replace(genome, normal=MobileStages(tuple(stages)))

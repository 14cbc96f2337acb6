"""A kind of genome in one file: bit strings, whose fitness is the share of ones (OneMax)."""

from __future__ import annotations

from functools import cached_property, partial
from typing import Annotated, ClassVar

import numpy as np
from pydantic import BeforeValidator, Field, SerializeAsAny

from zero import genomes
from zero.config.sections import (
    Budget,
    IslandSettings,
    Repetitions,
    RunConfig,
    RunName,
    Section,
    Whole,
)
from zero.evolution.object_island import Measured
from zero.rng import splitmix
from zero.runs.kind import Kind
from zero.runs.object_domain import ObjectDomain
from zero.search.decisions import checked
from zero.search.protocol import SearchSettings
from zero.search.section import default_settings, of_method


class Bits(Section):
    """length: of the strings."""

    length: Whole = Field(16, ge=1, le=1000)


class BitsSearch(SearchSettings):
    """A search over bit strings has its method's settings only."""

    genomes: ClassVar[str] = "bits"
    offers: ClassVar[tuple[str, ...]] = ("neighbours", "decisions")
    defaults: ClassVar[dict] = {"population": 20, "tournament": 4}


class BitsConfig(RunConfig):
    """A checked run over bit strings."""

    genomes: ClassVar[str] = "bits"

    name: RunName = "run"
    seed: Whole = Field(0, ge=0)
    backend: str = "python"
    dtype: str | None = None
    imports: list[str] = Field(default=[])
    report: bool = True
    bits: Bits = Bits()
    search: Annotated[
        SerializeAsAny[BitsSearch], BeforeValidator(partial(of_method, BitsSearch))
    ] = default_settings(BitsSearch)
    islands: IslandSettings = IslandSettings()
    experiments: Repetitions = Repetitions()
    budget: Budget = Budget()


class BitsSpace:
    """Strings of 0 and 1 of one length; a mutation flips one, decisions are the digits from the left."""

    mutations = ("flip",)

    def __init__(self, length):
        self.length = length

    def random(self, rng):
        return "".join(str(splitmix.below(rng, 2)) for _ in range(self.length))

    def mutate(self, genome, rng):
        return self._flipped(genome, splitmix.below(rng, self.length)), "flip"

    def neighbours(self, genome):
        return [self._flipped(genome, place) for place in range(self.length)]

    def choices(self, decisions):
        return ("0", "1") if len(decisions) < self.length else ()

    def genome_of(self, decisions):
        return "".join(checked(self.choices, decisions))

    def decisions_of(self, genome):
        return tuple(genome)

    def text(self, genome):
        return genome

    def parse(self, text):
        return text

    @staticmethod
    def _flipped(genome, place):
        return genome[:place] + "10"[int(genome[place])] + genome[place + 1 :]


class BitsEvaluator:
    """Counts."""

    def key(self, genome):
        return genome

    def begin(self, genome, seed, name, parent=None):
        return Measured(np.mean([int(bit) for bit in genome]))


class BitsDomain(ObjectDomain):
    """What a run over bit strings is made of."""

    evaluator = BitsEvaluator()

    def __init__(self, config):
        self.config = config

    @cached_property
    def search_space(self):
        return BitsSpace(self.config.bits.length)

    def final(self, genome):
        return genome.count("1") / len(genome)


class BitsKind(Kind):
    """Bit strings."""

    name, section, config, search = "bits", "bits", BitsConfig, BitsSearch

    def domain(self, config):
        return BitsDomain(config)


genomes.register(BitsKind())

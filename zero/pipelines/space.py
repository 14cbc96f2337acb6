"""The genomes 'pipelines': sequences of decisions, first the family of the learner, then what it asks for.

A genome is the tuple of its decisions, such as ("family=ridge", "alpha=1", "scaling=standard", ...).
Decisions that others make meaningless are not in it, so equal pipelines are equal genomes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from zero.errors import ZeroError
from zero.pipelines import preparing
from zero.pipelines.facts import Facts
from zero.pipelines.families import Family
from zero.pipelines.parameters import Parameter
from zero.rng import splitmix
from zero.search.decisions import altered, checked, decided, drawn

Pipeline = tuple[str, ...]

FAMILY = "family"
CONSTANT = "constant"
CHANGES = "decision"  # the name of the only mutation
KEPT = 100_000  # beginnings of genomes whose next decisions are remembered


class PipelineSpace:
    """See the module's docstring; a `zero.search.protocol.DecisionSpace` with neighbours.

    Args:
        facts: of the table.
        families: of learners, by which all decisions begin.
    """

    mutations = (CHANGES,)

    def __init__(self, facts: Facts, families: Sequence[Family]):
        self.facts = facts
        self.families = {family.name: family for family in families}
        self._first = tuple(f"{FAMILY}={name}" for name in self.families)
        self._asked: dict[str, tuple[Parameter, ...]] = {
            family.name: (
                *family.parameters_for(facts.problem),
                *preparing.parameters(facts, family),
            )
            for family in families
        }
        self.choices = lru_cache(KEPT)(self._choices)

    # --- decisions --------------------------------------------------------------------------------

    def _choices(self, decisions: Pipeline) -> tuple[str, ...]:
        """Returns the names of which the next decision is one, none if all are made."""
        if not decisions:
            return self._first
        parameter = self._next(self.values(decisions))
        return () if parameter is None else parameter.decisions

    def _next(self, values: dict[str, Any]) -> Parameter | None:
        for parameter in self._asked[values[FAMILY]]:
            if parameter.name not in values and parameter.is_asked(values):
                return parameter
        return None

    def values(self, decisions: Pipeline) -> dict[str, Any]:
        """Returns what was decided, by name; of the family its name.

        Raises:
            ZeroError: a decision is none of this space.
        """
        name = decisions[0].removeprefix(f"{FAMILY}=")
        if name not in self._asked:
            raise ZeroError(f"'{decisions[0]}' is none of {', '.join(self._first)}")
        known = {parameter.name: parameter for parameter in self._asked[name]}
        values: dict[str, Any] = {FAMILY: name}
        for decision in decisions[1:]:
            key, _, word = decision.partition("=")
            try:
                values[key] = known[key].value(word)
            except KeyError:
                raise ZeroError(f"'{decision}' is no decision of the family {name}") from None
        return values

    def family(self, genome: Pipeline) -> Family:
        """Returns the family of a genome's learner."""
        return self.families[genome[0].removeprefix(f"{FAMILY}=")]

    def genome_of(self, decisions: Pipeline) -> Pipeline:
        """Returns the genome of a complete sequence; raises ZeroError where it is none."""
        return checked(self.choices, decisions)

    @property
    def constant(self) -> Pipeline:
        """The pipeline that looks at no feature."""
        return (f"{FAMILY}={CONSTANT}",)

    def decisions_of(self, genome: Pipeline) -> Pipeline:
        """Returns the genome: it is its decisions."""
        return genome

    def usual(self, family: str, **values: str) -> Pipeline:
        """Returns the pipeline of a family that nobody tuned, but for these decisions.

        Those that the space does not have are left as they are.
        """

        def choose(done: Pipeline, names: Sequence[str]) -> str:
            if not done:
                return f"{FAMILY}={family}"
            key = names[0].partition("=")[0]
            wanted = f"{key}={values.get(key)}"
            if wanted in names:
                return wanted
            return next(p.usual for p in self._asked[family] if p.name == key)

        return decided(self.choices, choose)

    # --- genomes ----------------------------------------------------------------------------------

    def random(self, rng: np.ndarray) -> Pipeline:
        """Returns a genome, every decision drawn evenly; not the constant one, with which searches begin."""
        others = [name for name in self._first if name != self.constant[0]]
        if not others:
            return self.constant
        family = others[splitmix.below(rng, len(others))]
        return (family, *drawn(lambda done: self.choices((family, *done)), rng))

    def mutate(self, genome: Pipeline, rng: np.ndarray) -> tuple[Pipeline, str]:
        """Returns a genome with one decision made otherwise."""
        return altered(self.choices, genome, rng), CHANGES

    def neighbours(self, genome: Pipeline) -> list[Pipeline]:
        """Returns all genomes with one decision made otherwise; what that asks anew is as usual."""
        found = []
        for place in range(len(genome)):
            for name in self.choices(genome[:place]):
                if name != genome[place]:
                    found.append(self._with(genome, place, name))
        return found

    def _with(self, genome: Pipeline, place: int, name: str) -> Pipeline:
        old = {d.partition("=")[0]: d for d in genome}
        family = (name if place == 0 else genome[0]).removeprefix(f"{FAMILY}=")

        def choose(done: Pipeline, names: Sequence[str]) -> str:
            if len(done) == place:
                return name
            key = names[0].partition("=")[0]
            if old.get(key) in names:
                return old[key]
            return next(p.usual for p in self._asked[family] if p.name == key)

        return decided(self.choices, choose)

    def text(self, genome: Pipeline) -> str:
        """Returns a genome as text."""
        return " ".join(genome)

    def parse(self, text: str) -> Pipeline:
        """Returns the genome that a text stands for; raises ZeroError where it is none of this space."""
        return self.genome_of(tuple(text.split()))

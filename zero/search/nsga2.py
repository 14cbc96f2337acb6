"""NSGA-II: parents are those that few others beat in both accuracy and costs, and keep apart.

Deb et al. 2002 ("A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II"). A generation is as many
children as `population` holds parents; then the best of parents and children become the next parents:
whole fronts that nobody outside them dominates, one after the other, and of the front that does not fit
those with most room around them. A child's parent is the better of two drawn, by front, then by room.
With probability `crossover` a child takes each decision from one of two such parents, where it can be
made there; every child is mutated once.

Fitness is weighed against all costs that the objective names (`kind: pareto`); without any, the fronts
are the order of fitness, and this is plain selection of the best of parents and children. A genome counts
once among them, so that no front fills with one genome, and children of what is there already are drawn
again as long as that helps. Genomes that failed are never parents; the first generation is random.

When to use it: for the whole range from small and fast to large and accurate in one run, at two or more
generations; for accuracy alone ageing evolution and surrogates take fewer evaluations.

Cost: some ten microseconds a genome and, at a generation's end, the comparison of all pairs of twice the
population: milliseconds for 100.

Source: Deb et al. 2002; as a search for networks Lu et al. 2019 ("NSGA-Net").
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from pydantic import Field

from zero.errors import ZeroError
from zero.rng import splitmix
from zero.search.decisions import Decisions, decided
from zero.search.pareto import crowding, dominance_fronts
from zero.search.protocol import DecisionSpace, Proposal, Searcher, SearchSettings

DESCRIPTION = "fronts of accuracy and costs, and room within them (NSGA-II)"
NEEDS = ("decisions",)

CROSSOVER = "crossover"  # the mutation of a child of two parents, whatever else was changed
TRIES = 20  # of a child that is not there already


class Settings(SearchSettings):
    """population: parents, and children of a generation. crossover: how often a child has two."""

    crossover: float = Field(0.5, ge=0, le=1)


@dataclass(frozen=True)
class _Member:
    """An individual that may be a parent; rank: of its front and its room, smaller is better."""

    text: str
    genome: Any
    number: int
    fitness: float
    costs: tuple[float, ...]
    rank: tuple[int, float] = (0, 0.0)


class Nsga2:
    """See the module's docstring; a `zero.search.protocol.Searcher`."""

    def __init__(self, space: DecisionSpace, settings: Settings, rng: np.ndarray):
        self.space, self.settings, self.rng = space, settings, rng
        self.parents: list[_Member] = []
        self.children: list[_Member] = []
        self.told = 0  # individuals of this generation

    def ask(self) -> Proposal:
        """Returns a child of one or two parents, a random genome as long as there are none."""
        if not self.parents:
            return Proposal(self.space.random(self.rng))
        there = {member.text for member in (*self.parents, *self.children)}
        for _ in range(TRIES):
            proposal = self._child()
            if self.space.text(proposal.genome) not in there:
                break
        return proposal

    def _child(self) -> Proposal:
        parent = self._tournament()
        genome = parent.genome
        if splitmix.unit(self.rng) < self.settings.crossover:
            genome = self._crossed(parent, self._tournament())
        mutated, name = self.space.mutate(genome, self.rng)
        if genome != parent.genome:
            name = CROSSOVER
        return Proposal(mutated, parent.number, int(mutated != parent.genome), name)

    def _tournament(self) -> _Member:
        one, other = (self.parents[splitmix.below(self.rng, len(self.parents))] for _ in range(2))
        return other if other.rank < one.rank else one

    def _crossed(self, one: _Member, other: _Member) -> Any:
        """Returns a genome of which each decision is one parent's, the first's if that is refused."""
        space = self.space
        try:
            both = [space.decisions_of(member.genome) for member in (one, other)]

            def choose(done: Decisions, names: Sequence[str]) -> str:
                place = len(done)
                made = [d[place] for d in both if place < len(d) and d[place] in names]
                made = made or list(names)
                return made[splitmix.below(self.rng, len(made))]

            return space.genome_of(decided(space.choices, choose))
        except ZeroError:
            return one.genome

    def tell(
        self,
        proposal: Proposal,
        number: int,
        fitness: float,
        train_steps: int = 0,
        costs: Sequence[float] = (),
    ) -> None:
        """Takes a result, also of an individual from elsewhere; may end a generation."""
        self.told += 1
        text = self.space.text(proposal.genome)
        there = any(member.text == text for member in (*self.parents, *self.children))
        if math.isfinite(fitness) and not there:
            genome, spent = proposal.genome, tuple(map(float, costs))
            self.children.append(_Member(text, genome, number, float(fitness), spent))
        if self.told >= self.settings.population:
            self.parents = survivors([*self.parents, *self.children], self.settings.population)
            self.children, self.told = [], 0

    def state(self) -> dict[str, Any]:
        """Returns where the search stands."""
        members = [*self.parents, *self.children]
        return {
            "rng": self.rng.copy(),
            "genomes": [member.text for member in members],
            "numbers": np.array([member.number for member in members], dtype=np.int64),
            "fitness": np.array([member.fitness for member in members], dtype=np.float64),
            "costs": _costs(members),
            "parents": len(self.parents),
            "told": self.told,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Takes over a state that `state` gave."""
        self.rng[:] = state["rng"]
        known = {member.text: member.genome for member in (*self.parents, *self.children)}
        columns = (state["genomes"], state["numbers"], state["fitness"], state["costs"])
        members = []
        for text, number, fitness, costs in zip(*columns, strict=True):
            genome = known[text] if text in known else self.space.parse(text)
            spent = tuple(costs.tolist())
            members.append(_Member(text, genome, int(number), float(fitness), spent))
        count = int(state["parents"])
        self.parents = survivors(members[:count], count)
        self.children, self.told = members[count:], int(state["told"])


def _costs(members: Sequence[_Member]) -> np.ndarray:
    """Returns the members' costs (n, m), what is unknown as the largest there is."""
    widths = {len(member.costs) for member in members}
    width = max(widths, default=0)
    if len(widths) == 1:  # at once: a state is taken before every proposal
        costs = np.array([member.costs for member in members]).reshape(len(members), width)
        return np.where(np.isnan(costs), np.inf, costs)
    costs = np.full((len(members), width), np.inf)
    for row, member in zip(costs, members, strict=True):
        row[: len(member.costs)] = member.costs
    return np.where(np.isnan(costs), np.inf, costs)


def survivors(members: Sequence[_Member], count: int) -> list[_Member]:
    """Returns the best `count` of individuals in the order that they stand in, with their ranks.

    The ranks are those among the survivors. Of equal ones the first survive.
    """
    if len(members) > count:
        ranks = _ranks(members)
        best = sorted(range(len(members)), key=lambda k: ranks[k])[:count]
        members = [members[k] for k in sorted(best)]
    ranks = _ranks(members)
    return [replace(member, rank=rank) for member, rank in zip(members, ranks, strict=True)]


def _ranks(members: Sequence[_Member]) -> list[tuple[int, float]]:
    """Returns for each its front, and minus the room that it has there: smaller is better."""
    fitness, costs = np.array([member.fitness for member in members]), _costs(members)
    fronts, room = dominance_fronts(fitness, costs), np.zeros(len(members))
    values = np.column_stack([fitness, costs])
    for number in np.unique(fronts):
        inside = np.flatnonzero(fronts == number)
        room[inside] = crowding(values[inside])
    return list(zip(fronts.tolist(), (-room).tolist(), strict=True))


def make(space: DecisionSpace, settings: Settings, rng: np.ndarray) -> Searcher:
    """Returns the search."""
    return Nsga2(space, settings, rng)

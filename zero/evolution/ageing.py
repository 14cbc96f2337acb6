"""Searches over Python objects and the latest individuals that they made, one at a time.

`Ageing` is the evolutionary loop of `zero.evolution.loop` as a `Searcher`: what a rule for parents needs,
and the same individuals from the same random stream as the compiled loop makes. `Following` keeps the
latest individuals of any other searcher. Both have them as a `Population`, for migration, curves and
limits, whatever proposes genomes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from zero import search
from zero.evolution.loop import SearchFunctions, SearchState, new_individual, replace_oldest
from zero.evolution.population import (
    BEST,
    BEST_AT,
    COPY,
    FILLED,
    FIRST,
    INDIVIDUALS,
    Population,
    new_record,
)
from zero.jit.struct import arrays_of
from zero.search.protocol import (
    FIRST_MUTATION,
    MIGRATION,
    RANDOM_MUTATION,
    Proposal,
    Searcher,
    SearchSettings,
    Space,
)


class Latest:
    """The latest individuals of a search: what `Ageing` and `Following` share.

    Args:
        space: of genomes.
        population: an empty one.
        rng: the search's random stream.
        numbering: int64 (2,): numbers are count * numbering[0] + numbering[1].
    """

    def __init__(
        self, space: Space, population: Population, rng: np.ndarray, numbering: np.ndarray
    ):
        self.space, self.population, self.rng, self.numbering = space, population, rng, numbering
        self.genomes: list[Any] = [None] * len(population.number)
        # As the loop has it; a rule for parents sets its numbers.
        self._loop = SearchState(
            population, np.zeros(0), self.genomes, space, None, rng, numbering, batch=None
        )
        self._asked: tuple[Proposal, int] | None = None  # and its record, until it is told

    def ask(self) -> Proposal:
        """Returns the genome to evaluate next."""
        raise NotImplementedError

    def advance(self, should_stop: Callable[[], bool]) -> bool:
        """Does what there is to do before the next `ask`, as far as `should_stop` lets it.

        Returns whether all of it is done.
        """
        return True

    @property
    def said(self) -> str:
        """What it does in `advance`, in words."""
        return ""

    def tell(
        self,
        proposal: Proposal,
        number: int,
        fitness: float,
        train_steps: int = 0,
        costs: Sequence[float] = (),
    ) -> None:
        """Lets a proposal take the place of the oldest; number: as the numbering gives it."""
        if self._asked is None or self._asked[0] is not proposal:
            row = self._record_of(proposal)
        else:
            row = self._asked[1]
        self._asked = None
        replace_oldest(self._loop, row, fitness, train_steps)

    def _record_of(self, proposal: Proposal) -> int:
        """Returns a new record of an individual without ancestors."""
        p, row = self.population, int(new_record(self.population))
        self.genomes[row] = proposal.genome
        p.parent[row], p.steps[row], p.mutation[row] = -1, 0, FIRST
        return row

    def settle(
        self, slot: int, genome: Any, number: int, fitness: float, costs: Sequence[float] = ()
    ) -> None:
        """Lets an individual from another island take the place of the one in a slot."""
        p, row = self.population, self._record_of(Proposal(genome, mutation=MIGRATION))
        p.number[row], p.fitness[row] = number, fitness
        p.slots[slot], p.slot_fitness[slot] = row, fitness
        if fitness > p.best[0]:
            p.best[0] = fitness
            p.counts[BEST], p.counts[BEST_AT] = row, p.counts[INDIVIDUALS]

    @property
    def filled(self) -> int:
        """How many individuals are alive."""
        return int(self.population.counts[FILLED])

    def parents(self) -> set[int]:
        """Returns the numbers of individuals that may yet become parents: those alive."""
        return {int(n) for n in self.population.number[self.population.slots[: self.filled]]}

    # --- state ----------------------------------------------------------------------------------

    def arrays(self) -> dict[str, np.ndarray]:
        """Returns the arrays that the future depends on, by name, not copied."""
        return {**arrays_of(self.population, "population."), "rng": self.rng}

    def mark(self) -> dict[str, Any]:
        """Returns what `back` needs."""
        return {"arrays": {name: array.copy() for name, array in self.arrays().items()}}

    def back(self, mark: dict[str, Any]) -> None:
        """Makes it as if what was asked since the mark had not been asked."""
        self._asked = None
        for name, array in self.arrays().items():
            array[...] = mark["arrays"][name]

    def texts(self) -> list[str]:
        """Returns the genomes of the living, by slot."""
        return [self.space.text(self.genomes[row]) for row in self.population.slots[: self.filled]]

    def state(self) -> dict[str, Any]:
        """Returns all that the future depends on; to be called when nothing is asked."""
        return {**self.mark(), "genomes": self.texts()}

    def restore(self, state: dict[str, Any]) -> None:
        """Takes over a state that `state` gave."""
        self.back(state)
        for row, text in zip(self.population.slots, state["genomes"], strict=False):
            self.genomes[row] = self.space.parse(text)


class Ageing(Latest):
    """Ageing evolution with a rule for parents; see `zero.search.protocol`.

    Args:
        choose, numbers: the rule, and what it needs of its settings.
        space, population, rng, numbering: as for `Latest`.
    """

    def __init__(
        self,
        choose: Callable[..., int],
        numbers: list[float],
        space: Space,
        population: Population,
        rng: np.ndarray,
        numbering: np.ndarray,
    ):
        super().__init__(space, population, rng, numbering)
        self._loop = self._loop._replace(settings=np.array(numbers, dtype=np.float64))
        self._functions = SearchFunctions(
            choose, self._create_first, self._create, self._breed, _told_by_whoever_asks
        )
        self._made = Proposal(None)  # by the function that the loop called last

    def ask(self) -> Proposal:
        """Returns a first or random genome, or a child of the parent that the rule chooses."""
        row = new_individual(self._functions, self._loop)
        self._asked = self._made, int(row)
        return self._made

    def _create_first(self, genomes: list[Any], row: int, space: Space, rng: np.ndarray) -> None:
        genomes[row] = space.random(rng)
        self._made = Proposal(genomes[row], mutation=FIRST_MUTATION)

    def _create(self, genomes: list[Any], row: int, space: Space, rng: np.ndarray) -> None:
        genomes[row] = space.random(rng)
        self._made = Proposal(genomes[row], mutation=RANDOM_MUTATION)

    def _breed(
        self,
        genomes: list[Any],
        parent: int,
        row: int,
        space: Space,
        evaluator: None,
        rng: np.ndarray,
    ) -> int:
        genomes[row], name = space.mutate(genomes[parent], rng)
        changed = genomes[row] != genomes[parent]
        number = int(self.population.number[parent])
        self._made = Proposal(genomes[row], number, int(changed), name)
        return space.mutations.index(name) if changed else COPY


class Following(Latest):
    """The latest individuals of another searcher, which decides what is asked.

    Args:
        searcher: draws from the same random stream.
        space, population, rng, numbering: as for `Latest`.
    """

    def __init__(
        self,
        searcher: Searcher,
        space: Space,
        population: Population,
        rng: np.ndarray,
        numbering: np.ndarray,
    ):
        super().__init__(space, population, rng, numbering)
        self.searcher = searcher

    def advance(self, should_stop: Callable[[], bool]) -> bool:
        """Lets a searcher that learns before it proposes do so."""
        advance: Any = getattr(self.searcher, "advance", None)
        return advance is None or bool(advance(should_stop))

    @property
    def said(self) -> str:
        """What the searcher says."""
        return str(getattr(self.searcher, "said", ""))

    def ask(self) -> Proposal:
        """Returns what the searcher proposes."""
        proposal = self.searcher.ask()
        self._asked = proposal, self._record_of(proposal)
        return proposal

    def tell(
        self,
        proposal: Proposal,
        number: int,
        fitness: float,
        train_steps: int = 0,
        costs: Sequence[float] = (),
    ) -> None:
        """Tells the searcher as well."""
        super().tell(proposal, number, fitness, train_steps)
        self.searcher.tell(proposal, number, fitness, train_steps, costs)

    def settle(
        self, slot: int, genome: Any, number: int, fitness: float, costs: Sequence[float] = ()
    ) -> None:
        """Tells the searcher as well."""
        super().settle(slot, genome, number, fitness, costs)
        self.searcher.tell(Proposal(genome, mutation=MIGRATION), number, fitness, 0, costs)

    def parents(self) -> set[int]:
        """Adds those that the searcher keeps for longer."""
        kept: Any = getattr(self.searcher, "parents", list)
        return super().parents() | set(kept())

    def mark(self) -> dict[str, Any]:
        """Returns what `back` needs, the searcher's state included."""
        return {**super().mark(), "searcher": self.searcher.state()}

    def back(self, mark: dict[str, Any]) -> None:
        """Takes the searcher back as well."""
        super().back(mark)
        self.searcher.restore(mark["searcher"])


def _told_by_whoever_asks(genomes: Any, record: int, evaluator: Any) -> tuple[float, int]:
    raise AssertionError("a searcher evaluates nothing")


def make_searcher(
    settings: SearchSettings,
    space: Any,
    population: Population,
    rng: np.ndarray,
    numbering: np.ndarray,
) -> Ageing | Following:
    """Returns the search that the settings describe, over a space of Python objects."""
    method = search.get(settings.method)
    if search.chooses_parents(settings.method):
        numbers = method.numbers(settings)
        return Ageing(method.choose, numbers, space, population, rng, numbering)
    searcher = method.make(space, settings, rng)
    return Following(searcher, space, population, rng, numbering)

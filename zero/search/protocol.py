"""What a search method is: it proposes genomes (`ask`) and hears what they are worth (`tell`).

A method is a module of this folder, and all there is of it stands in its file:

* `DESCRIPTION`, one line;
* `Settings`, the section `search:` of a run with this method, a `SearchSettings`;
* either a *rule for parents* in the population of the latest individuals, which serves every kind of
  genome and is compiled for programs: `choose(slot_fitness, numbers, rng)`, plain Python that numba can
  compile, returns a slot or `RANDOM`; `numbers(settings)` returns what it needs of the settings;
* or `make(space, settings, rng)`, which returns a `Searcher` over a space of Python objects, and
  `NEEDS`, the names of what it asks of the space beyond `Space`;
* methods that share weights (`one_shot`) train a network of all genomes before they propose one: their
  searchers have `advance(should_stop)`, which a run calls between its checkpoints until it returns True;
* `BREEDS = False` if it never makes a child, so that mutations do not matter to it;
* `INHERITS = True` if its children begin with what they can take over of their parent, unless told not
  to.

Method files are imported to check a config, without a compiler: they draw by `zero.rng.splitmix`, which
is imported as `from zero.rng import splitmix`, only when it is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Protocol, Self

import numpy as np
from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema

from zero.config.sections import as_tuple
from zero.config.settings import Settings

# What `choose` returns instead of a slot, for a new random individual.
RANDOM = -1
# Mutations of individuals without a parent. Drawn evenly, as a space's random genomes are: of those the mean
# is what random sampling finds.
FIRST_MUTATION, RANDOM_MUTATION, TOO_FEW_MUTATION = "first", "random", "too_few_results"
AT_RANDOM = (FIRST_MUTATION, RANDOM_MUTATION, TOO_FEW_MUTATION)
# By what a method has learnt; from another search; from an earlier one.
DRAWN_MUTATION, MIGRATION, START_MUTATION = "drawn", "migration", "start"


def _whole(value: Any) -> Any:
    """Returns 1e6 as 1000000, anything else unchanged."""
    is_whole = isinstance(value, float) and value.is_integer()
    return int(value) if is_whole else value


Positive = Annotated[int, Field(ge=1), BeforeValidator(_whole)]


class SearchSettings(Settings):
    """The section `search:`; a method's settings and a kind of genome's own keys are subclasses.

    population: the latest individuals. Where a method has parents they are among them; migrants and
    the curve's mean are in any case.

    A kind of genome says what methods it can serve: `compiled`, those that are rules for parents only,
    else also those that need no more of a space than is in `offers`. defaults: of methods' settings,
    where they are other ones for this kind. instead_of_start: what a person is told who wants to start
    from an earlier run, where that goes another way than `StartSettings`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    genomes: ClassVar[str] = ""
    compiled: ClassVar[bool] = False
    offers: ClassVar[tuple[str, ...]] = ()
    defaults: ClassVar[dict[str, Any]] = {}
    instead_of_start: ClassVar[str] = ""

    method: str
    population: Annotated[int, Field(ge=2, le=10_000_000), BeforeValidator(_whole)] = 1000

    def fitted(self) -> Self:
        """Returns the settings, defaults that nobody gave cut to what was given."""
        return self


_RUN = {"type": "string", "minLength": 1}
Runs = Annotated[
    tuple[Annotated[str, Field(min_length=1)], ...],
    BeforeValidator(as_tuple),
    WithJsonSchema(
        {
            "anyOf": [_RUN, {"type": "array", "items": _RUN}],
            "expected": "a run's folder, RUN#ID, or a list of these",
        }
    ),
]


class StartSettings(SearchSettings):
    """What every search over Python objects has: earlier runs that it starts from, whatever its method.

    start_from: folders (or archives) of runs over the same genomes; RUN#ID: a record. The best of each run
    is evaluated first, before the method's own proposals, and told to the method. start_from_count: the
    best so many different ones of each run.
    """

    start_from: Runs = ()
    start_from_count: Positive = 1


@dataclass(frozen=True)
class Proposal:
    """A genome to evaluate, and how it was made.

    parent: number of the individual that it was made from, -1 = none. steps: 1 if it differs from that
    one, else 0. mutation: the name of what changed, or one of those without a parent.
    """

    genome: Any
    parent: int = -1
    steps: int = 0
    mutation: str = RANDOM_MUTATION


class Space(Protocol):
    """What a search over Python objects asks of a space of genomes; rng: see `zero.rng.splitmix`.

    Genomes are never changed, and equal ones are ==.
    """

    @property
    def mutations(self) -> Sequence[str]:
        """The names of what `mutate` does."""

    def random(self, rng: np.ndarray) -> Any:
        """Returns a genome drawn at random."""

    def mutate(self, genome: Any, rng: np.ndarray) -> tuple[Any, str]:
        """Returns a genome made from another one, and the mutation's name."""

    def text(self, genome: Any) -> str:
        """Returns a text that stands for the genome."""

    def parse(self, text: str) -> Any:
        """Returns the genome that a text of `text` stands for."""


class NeighbourSpace(Space, Protocol):
    """A space that can list what is near a genome; methods that ask for it NEED "neighbours"."""

    def neighbours(self, genome: Any) -> Sequence[Any]:
        """Returns all genomes one step away, without itself, always in the same order."""


class DecisionSpace(Space, Protocol):
    """A space whose genomes are sequences of categorical decisions; methods NEED "decisions".

    A sequence is a tuple of names without white space, one for each decision, in an order that is the
    space's own. Which names are possible depends on the decisions before. Every sequence that
    `choices` leads to is a genome's, and every genome that the space draws has one. For both ways:
    `zero.search.decisions`.
    """

    def choices(self, decisions: tuple[str, ...]) -> Sequence[str]:
        """Returns the names of which the next decision is one, none if all are made.

        decisions: made so far, each one of its choices.
        """

    def genome_of(self, decisions: tuple[str, ...]) -> Any:
        """Returns the genome of a complete sequence.

        Raises:
            ZeroError: it is none, or the genome is not wanted (it costs too much): draw another one.
        """

    def decisions_of(self, genome: Any) -> tuple[str, ...]:
        """Returns the sequence of a genome, of a wanted one or not.

        Raises:
            ZeroError: the genome was written down with something that no decision gives.
        """


class GrowingSpace(Space, Protocol):
    """A space with genomes of all sizes; methods that grow small ones NEED "growth"."""

    def smallest(self) -> Sequence[Any]:
        """Returns all genomes of the smallest size, always in the same order."""

    def grown(self, genome: Any) -> Sequence[Any]:
        """Returns all genomes one size larger that hold this one, always in the same order.

        None if the genome is as large as the space allows. Where the space has `allows(genome)`, what
        is not allowed may be among them, since to know it takes time: ask before one is proposed.
        """

    def size_of(self, genome: Any) -> int:
        """Returns how large a genome is: 1 for the smallest, one more for each step of `grown`."""


class Searcher(Protocol):
    """A search that goes on, one individual at a time: `ask`, evaluate, `tell`, `ask`, ...

    The same seed and the same answers give the same proposals. `state` may be called before an `ask`; a
    searcher of the same settings that `restore`s it goes on in the same way. A proposal that is given up
    is as if it had not been asked for once the state before it is restored.
    """

    def ask(self) -> Proposal:
        """Returns the genome to evaluate next."""

    def tell(
        self,
        proposal: Proposal,
        number: int,
        fitness: float,
        train_steps: int = 0,
        costs: Sequence[float] = (),
    ) -> None:
        """Takes the result of a proposal, or of an individual that came from another search.

        number: the individual's own, by which it is called if it becomes a parent. fitness: larger is
        better; -inf or NaN if the genome cannot be used. costs: what the objective weighs fitness
        against, smaller is better, the same figures in the same order for all; none where it weighs
        nothing.
        """

    def state(self) -> dict[str, Any]:
        """Returns all that the future depends on, as a tree of arrays, texts and plain numbers."""

    def restore(self, state: dict[str, Any]) -> None:
        """Takes over a state that `state` gave."""


class KeepsParents(Searcher, Protocol):
    """A search whose parents may be older than the latest individuals."""

    def parents(self) -> Sequence[int]:
        """Returns the numbers of individuals that may yet become parents, latest ones or not."""

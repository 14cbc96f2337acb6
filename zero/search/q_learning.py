"""Q-learning: what each choice after each prefix of decisions is worth, learnt from all genomes so far.

Baker et al. 2017 ("Designing Neural Network Architectures using Reinforcement Learning", MetaQNN). A
genome's decisions are made one by one, with probability epsilon evenly, else the one of the highest
value, ties evenly. Values start at 0.5. After each result, results so far are drawn with replacement and
replayed, each from its last decision to its first:

    Q(prefix, choice) += rate * (best value after the choice, or the reward at the end - Q(prefix, choice))

Epsilon falls with the number of different genomes, in the paper's proportions: 1 for 55 % of `schedule`,
0.9 to 0.7 for 4 % each, 0.6 to 0.1 for 6 % each, 0.1 from then on; or as `epsilons` say. The reward, an
accuracy in the paper, is here the share of results that are worse (half of equal ones among them), which
serves fitness of any scale: failed genomes have the lowest. With `shaped` every decision is given an even
part of it, and not the last one all of it, so that the first values move as soon as the last (Zhong et al.
2018, "Practical Block-wise Neural Network Architecture Generation", BlockQNN).

When to use it: few decisions, many trainings. More than half of them are random, as published; with a
hundred it is hardly better than random search.

Cost: below a millisecond for a genome of a dozen decisions.

Source: Baker, Gupta, Naik and Raskar 2017; replay, start and schedule as in the authors' code
(`metaqnn`), the rate ten times theirs, since fewer than 500 genomes would hardly move the values.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import BeforeValidator, Field

from zero.config.sections import as_tuple
from zero.config.settings import Check, Found
from zero.rng import splitmix
from zero.search.decisions import Decisions, decided, genome_drawn, shares_worse
from zero.search.protocol import (
    DRAWN_MUTATION,
    RANDOM_MUTATION,
    DecisionSpace,
    Positive,
    Proposal,
    Searcher,
    SearchSettings,
)

# Where a genome's decisions stand, last one first: the values of a prefix and the choice's place there.
Path = list[tuple[list[float], int]]

DESCRIPTION = "tabular Q-learning over prefixes of decisions, with replay (MetaQNN)"
NEEDS = ("decisions",)
BREEDS = False

START = 0.5  # of values
# Models of the paper for each epsilon, 2,700 in all.
EPSILONS = ((1.0, 1500), (0.9, 100), (0.8, 100), (0.7, 100),
            *((tenth / 10, 150) for tenth in range(6, 0, -1)))  # fmt: skip


def _check_epsilons(settings: Any) -> Iterator[Found]:
    if settings.epsilons is None:
        return
    values = [value for value, _ in settings.epsilons]
    total = sum(models for _, models in settings.epsilons)
    if values != sorted(set(values), reverse=True):
        yield ("epsilons",), f"must fall; got {', '.join(f'{v:g}' for v in values)}"
    if "schedule" in settings.model_fields_set and settings.schedule != total:
        message = (
            f"are for {total} genomes together, but schedule is {settings.schedule}; leave it out"
        )
        yield ("epsilons",), message


Share = Annotated[float, Field(ge=0, le=1)]
Step = Annotated[tuple[Share, Positive], BeforeValidator(as_tuple)]


class Settings(SearchSettings):
    """rate: of learning. replay: genomes for each result. schedule: different genomes, see epsilon.

    epsilons: instead, pairs of an epsilon and for how many different genomes it holds; the last one holds
    from then on. shaped: whether each decision has a part of the reward.
    """

    checks: ClassVar[tuple[Check, ...]] = (_check_epsilons,)

    rate: float = Field(0.1, gt=0, le=1)
    replay: Positive = 128
    schedule: Positive = 100
    epsilons: list[Step] | None = Field(None, min_length=1)
    shaped: bool = False


def epsilon(
    different: int, schedule: int, epsilons: Sequence[tuple[float, int]] = EPSILONS
) -> float:
    """Returns the share of decisions that are random after so many different genomes."""
    total, left = sum(models for _, models in epsilons), 0
    for value, models in epsilons:
        left += models
        if different * total < left * schedule:
            return value
    return epsilons[-1][0]


class QLearning:
    """See the module's docstring; a `zero.search.protocol.Searcher`."""

    def __init__(self, space: DecisionSpace, settings: Settings, rng: np.ndarray):
        self.space, self.settings, self.rng = space, settings, rng
        self._forget()

    def _forget(self) -> None:
        self.values: dict[Decisions, list[float]] = {}  # prefix -> value of each of its choices
        self.known: dict[Decisions, int] = {}  # different genomes, in order, with their numbers
        self.texts: list[str] = []  # of them
        self.paths: list[Path] = []
        self.results: list[int] = []  # numbers of genomes
        self.fitness: list[float] = []

    def ask(self) -> Proposal:
        """Returns a genome whose decisions are the best known or random."""
        epsilons = self.settings.epsilons or EPSILONS
        schedule = self.settings.schedule
        if self.settings.epsilons:
            schedule = sum(models for _, models in epsilons)
        random = epsilon(len(self.known), schedule, epsilons)

        def chosen(decisions: Decisions, names: Sequence[str]) -> str:
            values = self.values.get(decisions)
            if values is not None and splitmix.unit(self.rng) >= random:
                best = max(values)
                names = [name for name, value in zip(names, values, strict=True) if value == best]
            return names[splitmix.below(self.rng, len(names))]

        genome = genome_drawn(self.space, lambda: decided(self.space.choices, chosen))
        if genome is None:
            return Proposal(self.space.random(self.rng))
        return Proposal(genome, mutation=RANDOM_MUTATION if random == 1 else DRAWN_MUTATION)

    def tell(
        self,
        proposal: Proposal,
        number: int,
        fitness: float,
        train_steps: int = 0,
        costs: Sequence[float] = (),
    ) -> None:
        """Learns from a result, also of an individual from elsewhere."""
        decisions = self.space.decisions_of(proposal.genome)
        if decisions not in self.known:
            self._know(decisions, self.space.text(proposal.genome))
        self.results.append(self.known[decisions])
        self.fitness.append(-math.inf if math.isnan(fitness) else float(fitness))
        rewards = shares_worse(self.fitness).tolist()
        for _ in range(self.settings.replay):
            row = splitmix.below(self.rng, len(self.results))
            self._learn(self.paths[self.results[row]], rewards[row])

    def _know(self, decisions: Decisions, text: str) -> None:
        self.known[decisions] = len(self.known)
        self.texts.append(text)
        path = []
        for place, name in enumerate(decisions):
            prefix = decisions[:place]
            names = list(self.space.choices(prefix))
            values = self.values.setdefault(prefix, [START] * len(names))
            path.append((values, names.index(name)))
        self.paths.append(path[::-1])

    def _learn(self, path: Path, reward: float) -> None:
        rate, part = self.settings.rate, 0.0
        if self.settings.shaped:
            reward = part = reward / len(path)
        for values, choice in path:
            values[choice] += rate * (reward - values[choice])
            reward = part + max(values)

    def state(self) -> dict[str, Any]:
        """Returns where the search stands; values in the order in which `_know` makes them."""
        return {
            "rng": self.rng.copy(),
            "genomes": list(self.texts),
            "values": np.array([v for node in self.values.values() for v in node], np.float64),
            "results": np.array(self.results, np.int64),
            "fitness": np.array(self.fitness, np.float64),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Takes over a state that `state` gave."""
        self.rng[:] = state["rng"]
        self._forget()
        for text in state["genomes"]:
            self._know(self.space.decisions_of(self.space.parse(text)), text)
        values = iter(state["values"].tolist())
        for node in self.values.values():
            node[:] = [next(values) for _ in node]
        self.results, self.fitness = state["results"].tolist(), state["fitness"].tolist()


def make(space: DecisionSpace, settings: Settings, rng: np.ndarray) -> Searcher:
    """Returns the search."""
    return QLearning(space, settings, rng)

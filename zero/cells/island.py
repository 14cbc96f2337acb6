"""One island of cells: the same loop as for programs, in plain Python, with every candidate recorded.

`zero.evolution.loop.run_block` makes individuals one at a time. Training one may take minutes; so that a run
can be stopped and saved meanwhile, an evaluation pauses between batches: the loop is left by an
exception, population and random stream go back to what they were before the individual, and the
half-trained network is kept. When the loop goes on it makes the very same individual and finds its
training begun. A state therefore holds whole individuals and at most one training, and where it was
cut decides nothing.

Every candidate becomes a record, also the failed ones: diverged, too large for the memory, making no
network. Their fitness is -inf. A candidate whose cells were trained before on this island (or came
here) takes over that one's figures, unless duplicates are to be trained anew.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from zero.cells.cost import Budget
from zero.cells.evaluator import Weights
from zero.cells.genome import Genome, parse_genome
from zero.cells.raw_records import RawCell, pack_records, unpack_records
from zero.errors import NetworkError
from zero.evolution import loop
from zero.evolution.halving import Halving
from zero.evolution.island import BaseIsland, Limits
from zero.evolution.objective import Objective, pareto_ranks
from zero.evolution.population import (
    BEST,
    BEST_AT,
    COPY,
    FILLED,
    FIRST,
    INDIVIDUALS,
    new_population,
    new_record,
)
from zero.jit.struct import arrays_of
from zero.rng.philox import key_for

DRAWS = 1000  # of a genome within the budget, before a candidate is given up
COSTS = ("parameters", "multiply_adds", "activation_bytes")


@dataclass(frozen=True)
class Rules:
    """How an island treats its candidates: see the configuration's section `cells`."""

    objective: Objective = field(default_factory=Objective)
    budget: Budget = field(default_factory=Budget)
    halving: Halving | None = None
    retrain_duplicates: bool = False
    inherit_weights: bool = False


@dataclass
class _Made:
    """How an individual was made: parent's number, mutation, whether that changed anything, fault."""

    parent: int = -1
    mutation: str = "random"
    steps: int = 0
    reason: str = ""


class _Pause(Exception):
    """Leaves the loop in the middle of an individual."""


def draw_within(budget: Budget, evaluator: Any, draw: Callable[[], Genome], tries: int):
    """Returns the first of so many genomes that is within the budget, or None.

    Genomes that make no network count as too expensive.
    """
    for _ in range(tries):
        genome = draw()
        try:
            if budget.exceeded(evaluator.cost(genome)) is None:
                return genome
        except NetworkError:
            continue
    return None


class CellIsland(BaseIsland):
    """See the module's docstring.

    Args:
        space: of genomes, see `zero.cells.spaces`.
        evaluator: see `zero.cells.evaluator`.
        method: a module of `zero.search`.
        size: population size.
        settings: numbers of the search method.
        rules: what counts, and which candidates are trained how far.
        seed, experiment, index, count, limits, migrants: as for `zero.evolution.island.BaseIsland`.
    """

    longest_block = 1  # so that a pause costs one individual's draws at most

    def __init__(
        self,
        space: Any,
        evaluator: Any,
        method: Any,
        size: int,
        settings: list[float],
        rules: Rules,
        seed: int,
        experiment: int,
        index: int,
        count: int,
        limits: Limits,
        migrants: int,
    ):
        super().__init__(
            new_population(size), seed, experiment, index, count, limits,
            min(migrants, size) if count > 1 else 0, curve_every=max(1, size // 10),
        )  # fmt: skip
        self.space, self.evaluator, self.method, self.rules = space, evaluator, method, rules
        self.settings = np.array(settings, dtype=np.float64)
        self.seed, self.experiment = seed, experiment
        self.genomes: list[Genome | None] = [None] * len(self.population.number)
        self.known: dict[str, int] = {}  # key -> number of the candidate that was trained
        self.rungs: list[list[float]] = [
            [] for _ in (rules.halving.epochs if rules.halving else ())
        ]
        self.weights: dict[int, Weights] = {}  # of the living, for their children to inherit
        self.best_weights: dict[str, Any] | None = None  # of the best that was trained here
        self.trial: Any = None  # in progress
        self.trial_state: dict[str, Any] | None = None  # the same, before it is taken up again
        self.duplicates = 0  # candidates that took over another one's figures
        self._made = _Made()  # of the individual that is being made

    # --- making and evaluating an individual ----------------------------------------------------

    def _run_block(self, quota: int, limits: np.ndarray) -> int:
        p = self.population
        if self.rules.objective.kind == "pareto":
            self._rank()
        kept = {name: array.copy() for name, array in self._arrays().items()}
        try:
            return loop.run_block(
                self.method.choose, self._create_first, self._create, self._breed, self._evaluate,
                p, self.settings, self.genomes, self.space, self.evaluator, self.rng, quota, limits,
                self.numbering,
            )  # fmt: skip
        except _Pause:
            for name, array in self._arrays().items():
                array[...] = kept[name]
            return loop.QUOTA

    def _rank(self) -> None:
        """Gives the living the fitness by which they are chosen as parents."""
        p = self.population
        filled = int(p.counts[FILLED])
        costs = [self._cost(self.records[int(n)]) for n in p.number[p.slots[:filled]]]
        p.slot_fitness[:filled] = pareto_ranks(self._living_fitness(), np.array(costs))

    def _create_first(self, genomes, record, space, rng) -> None:
        self._create(genomes, record, space, rng)
        self._made.mutation = "first"

    def _create(self, genomes, record, space, rng) -> None:
        genome = draw_within(self.rules.budget, self.evaluator, lambda: space.random(rng), DRAWS)
        reason = "" if genome else f"none of {DRAWS} random genomes is within cells.budget"
        genomes[record] = genome or space.random(rng)
        self._made = _Made(reason=reason)

    def _breed(self, genomes, parent, record, space, rng) -> int:
        old, names = genomes[parent], [""]

        def draw() -> Genome:
            genome, names[0] = space.mutate(old, rng)
            return genome

        genome = draw_within(self.rules.budget, self.evaluator, draw, DRAWS)
        if genome is None:  # the parent itself is within the budget
            genome, names = old, ["identity"]
        genomes[record] = genome
        number, changed = int(self.population.number[parent]), genome != old
        self._made = _Made(number, names[0], int(changed))
        return space.mutations.index(names[0]) if changed else COPY

    def _evaluate(self, genomes, row, evaluator) -> tuple[float, int]:
        """Returns fitness and train steps of a candidate, and records it; may raise `_Pause`."""
        count = int(self.population.counts[INDIVIDUALS]) + 1
        number = int(count * self.numbering[0] + self.numbering[1])
        genome, made = genomes[row], self._made
        key = evaluator.key(genome)
        names = ("candidate", self.experiment, key)
        if self.rules.retrain_duplicates:
            names = (*names, number)
        record = RawCell(
            number=number,
            parent=made.parent,
            island=self.index,
            individuals=count,
            steps=made.steps,
            mutation=made.mutation,
            fitness=-math.inf,
            is_best=False,
            select_fitness=math.nan,
            text=str(genome),
            key=key,
            accuracy=math.nan,
            parameters=0,
            multiply_adds=0,
            activation_bytes=0,
            latency=math.nan,
            train_steps=0,
            seed=key_for(self.seed, *names),
            same_as=-1,
            reason=made.reason,
            curve=np.zeros((0, 2)),
        )
        twin = None if self.rules.retrain_duplicates else self.records.get(self.known.get(key, -1))
        if twin is not None:
            same = ("accuracy", *COSTS, "latency", "fitness", "seed", "reason")
            for name in same:
                setattr(record, name, getattr(twin, name))
            record.same_as = twin.number
            self.duplicates += 1
            if twin.number in self.weights:
                self.weights[number] = self.weights[twin.number]
        elif not made.reason:
            try:
                self._train(genome, record)
            except NetworkError as error:
                record.reason = str(error)
                self.trial = self.trial_state = None
        self._keep(record, row)
        return record.fitness, record.train_steps

    def _train(self, genome: Genome, record: RawCell) -> None:
        """Trains a candidate and writes its figures into its record; may raise `_Pause`.

        Raises:
            NetworkError: it cannot be trained.
        """
        rules = self.rules
        cost = self.evaluator.cost(genome)
        for name in COSTS:
            setattr(record, name, getattr(cost, name))
        trial = self._trial(genome, record)
        rung = None
        while not trial.ended:
            before = trial.epochs
            trial.step(self._is_late)
            at = None
            if rules.halving is not None and not trial.ended and trial.epochs > before:
                at = rules.halving.rung(trial.epochs)
            if at is not None:
                reached = rules.objective.accuracy_of(trial)
                on = rules.halving.goes_on(reached, self.rungs[at])
                self.rungs[at].append(reached)
                if not on:
                    rung = at
                    break
            if not trial.ended and self._is_late():
                raise _Pause
        self.trial = None
        record.accuracy, record.curve = trial.accuracy, trial.curve
        record.train_steps, record.reason = trial.steps, trial.reason
        if trial.reason:
            return
        if rules.objective.measures_latency:
            record.latency = self.evaluator.latency(genome)
        record.fitness = rules.objective.fitness(
            rules.objective.accuracy_of(trial), self._cost(record)
        )
        if rung is not None:
            record.fitness = rules.halving.fitness(record.fitness, rung)
            record.reason = f"stopped by cells.halving after {trial.epochs} epochs"
        self._keep_weights(trial, record)

    def _is_late(self) -> bool:
        return time.perf_counter() >= self.deadline

    def _trial(self, genome: Genome, record: RawCell) -> Any:
        """Returns the training of the candidate, taken up where it was left if it was begun."""
        if self.trial is None:
            parent = None
            if self.rules.inherit_weights and record.parent in self.weights:
                text = self.records[record.parent].text
                parent = (parse_genome(text), self.weights[record.parent])
            name = f"candidate {record.number}"
            trial = self.evaluator.begin(genome, record.seed, name, parent)
            if self.trial_state is not None:
                trial.restore(self.trial_state)
                self.trial_state = None
            self.trial = trial
        return self.trial

    def _cost(self, record: RawCell) -> float:
        return float(getattr(record, self.rules.objective.cost))

    def _keep_weights(self, trial: Any, record: RawCell) -> None:
        better = record.fitness > self.population.best[0]
        if not better and not self.rules.inherit_weights:
            return
        weights = trial.weights()
        if weights is not None and self.rules.inherit_weights:
            self.weights[record.number] = weights
        if weights is not None and better:
            self.best_weights = {
                "number": record.number, "parameters": weights[0], "statistics": weights[1],
            }  # fmt: skip

    def _keep(self, record: RawCell, row: int) -> None:
        """Adds a record, and forgets the weights of the dead."""
        self.records[record.number] = record
        self.known.setdefault(record.key, record.number)
        if self.rules.inherit_weights:
            p = self.population
            living = {int(n) for n in p.number[p.slots[: p.counts[FILLED]]]} | {record.number}
            self.weights = {n: w for n, w in self.weights.items() if n in living}

    # --- what the rounds ask --------------------------------------------------------------------

    def _record_best(self) -> RawCell:
        p = self.population
        record = self.records[int(p.number[p.counts[BEST]])]
        record.is_best, record.select_fitness = True, record.fitness
        # Nothing else is asked of a candidate than of all, so it need not wait for the round's end.
        self.checked = record.number
        self.candidate = {
            "number": record.number,
            "search_fitness": record.fitness,
            "select_fitness": record.fitness,
        }
        return record

    def _select_fitness(self, record: RawCell) -> float:
        return record.fitness

    def _living_fitness(self) -> np.ndarray:
        # Not the slots', which `_rank` writes.
        p = self.population
        return p.fitness[p.slots[: p.counts[FILLED]]]

    def _hits(self) -> tuple[int, int]:
        return self.duplicates, self.individuals

    def _emigrants(self) -> dict[str, Any]:
        people = []
        for number in self.population.number[self.population.slots[self.sent]]:
            person = dict(vars(self.records[int(number)]))
            if int(number) in self.weights:
                person["weights"] = list(self.weights[int(number)])
            people.append(person)
        return {"people": people}

    def _take_arrivals(self, people: list[dict[str, Any]]) -> None:
        """Keeps records of individuals of all islands."""
        self.arrivals = {"people": people} if people else None

    def _immigrate(self, people: list[dict[str, Any]]) -> None:
        p = self.population
        for slot, person in zip(self.sent, people, strict=False):
            person = dict(person)
            weights = person.pop("weights", None)
            number = person["number"]
            if weights is not None:
                self.weights[number] = tuple(weights)
            record = self.records.setdefault(number, RawCell(**person | {"is_best": False}))
            self.known.setdefault(record.key, number)
            row = int(new_record(p))
            self.genomes[row] = parse_genome(record.text)
            p.number[row], p.parent[row], p.steps[row] = number, -1, 0
            p.mutation[row], p.fitness[row] = FIRST, record.fitness
            p.slots[slot], p.slot_fitness[slot] = row, record.fitness
            if record.fitness > p.best[0]:
                p.best[0] = record.fitness
                p.counts[BEST], p.counts[BEST_AT] = row, p.counts[INDIVIDUALS]

    # --- state ----------------------------------------------------------------------------------

    def _arrays(self) -> dict[str, np.ndarray]:
        return {**arrays_of(self.population, "population."), "rng": self.rng}

    def _own_state(self) -> dict[str, Any]:
        p = self.population
        return {
            "records": pack_records(list(self.records.values())),
            "genomes": [str(self.genomes[row]) for row in p.slots[: p.counts[FILLED]]],
            "known": {
                "keys": list(self.known),
                "numbers": np.array(list(self.known.values()), dtype=np.int64),
            },
            "duplicates": self.duplicates,
            "rungs": [np.array(rung, dtype=np.float64) for rung in self.rungs],
            "weights": [[n, *weights] for n, weights in self.weights.items()],
            "best_weights": self.best_weights,
            "trial": self.trial.state() if self.trial is not None else self.trial_state,
        }

    def _take_own_state(self, state: dict[str, Any]) -> None:
        self.records = {r.number: r for r in unpack_records(state["records"])}
        for row, text in zip(self.population.slots, state["genomes"], strict=False):
            self.genomes[row] = parse_genome(text)
        known = state["known"]
        self.known = dict(zip(known["keys"], known["numbers"].tolist(), strict=True))
        self.duplicates = state["duplicates"]
        self.rungs = [rung.tolist() for rung in state["rungs"]]
        self.weights = {n: tuple(weights) for n, *weights in state["weights"]}
        self.best_weights = state["best_weights"]
        self.trial, self.trial_state = None, state["trial"]

    def stats(self) -> dict[str, Any]:
        """Returns the numbers shown while the run goes on; `now`: what is being trained, in words."""
        now = ""
        if self.trial is not None:
            accuracy = "" if math.isnan(self.trial.accuracy) else f", {self.trial.accuracy:.3f}"
            epoch = min(self.trial.epochs + 1, self.trial.all_epochs)
            now = f"epoch {epoch} of {self.trial.all_epochs}{accuracy}"
        return {**super().stats(), "now": now}

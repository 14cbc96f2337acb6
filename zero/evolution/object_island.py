"""One island of Python objects whose evaluation is slow: every candidate is recorded, none is lost.

A searcher (`zero.search.protocol`) is asked for one candidate at a time and told its fitness. To evaluate
one may take minutes; so that a run can be stopped and saved meanwhile, an evaluation pauses. A state
taken then is the one before the candidate was asked for, with the half-done evaluation beside it: a
restored island asks again, gets the very same candidate and finds its evaluation begun. A state
therefore holds whole individuals and at most one evaluation, and where it was cut decides nothing.

Every candidate becomes a record, also those that fail; their fitness is -inf. A candidate of a key that
was evaluated before on this island (or came here) takes over that one's figures, unless duplicates are
to be evaluated anew. Where only train steps, a fitness or seconds limit a run, an island ends once `IDLE`
candidates in a row were evaluated before or failed unseen: else it would go on for ever.

A kind of genome gives an `ObjectEvaluator`, its records and what else it knows of a candidate: see the
methods of `ObjectIsland` that say "a kind may".
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

import numpy as np

from zero.errors import ZeroError
from zero.evolution import loop
from zero.evolution.ageing import Ageing, make_searcher
from zero.evolution.extrapolation import Extrapolation
from zero.evolution.halving import Rungs
from zero.evolution.island import NEVER, BaseIsland, Limits
from zero.evolution.object_records import ObjectRecord, pack_records, unpack_records
from zero.evolution.objective import Objective
from zero.evolution.population import (
    BEST,
    BEST_AT,
    FILLED,
    INDIVIDUALS,
    TRAIN_STEPS,
    new_population,
)
from zero.evolution.stopping import Stopping
from zero.rng.philox import key_for
from zero.search.pareto import pareto_ranks
from zero.search.protocol import START_MUTATION, Proposal, SearchSettings

IDLE = 1000  # candidates in a row without an evaluation, after which a search finds no other ones


class Trial(Protocol):
    """One candidate's evaluation, taken step by step.

    ended: whether nothing is left to do. reason: why it failed, "" if it did not. epochs, all_epochs:
    parts done, and that there will be. accuracy, balanced_accuracy: shares, NaN before the first part.
    curve: float64 (epochs, 2), what is kept of each part, last its accuracy. steps: what it took.
    """

    ended: bool
    reason: str
    epochs: int
    all_epochs: int
    accuracy: float
    balanced_accuracy: float
    curve: np.ndarray
    steps: int

    def step(self, should_stop: Callable[[], bool] | None = None) -> None:
        """Goes on to the end of the part, or until `should_stop`, asked often."""

    def state(self) -> dict[str, Any]:
        """Returns what `restore` needs."""

    def restore(self, state: dict[str, Any]) -> None:
        """Goes on from a state."""


class Measured:
    """The trial of a genome whose evaluation takes no time: it has ended when it begins."""

    ended, reason, epochs, all_epochs, steps = True, "", 1, 1, 0

    def __init__(self, fitness: float):
        self.accuracy = self.balanced_accuracy = float(fitness)
        self.curve = np.zeros((0, 2))

    def step(self, should_stop: Callable[[], bool] | None = None) -> None:
        """Has nothing left to do."""

    def state(self) -> dict[str, Any]:
        """Returns nothing: whoever goes on measures again."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Has nothing to go on from."""


class ObjectEvaluator(Protocol):
    """Evaluates the genomes of a kind."""

    def key(self, genome: Any) -> str:
        """Returns a text that genomes share which need no second evaluation."""

    def begin(self, genome: Any, seed: int, name: str, parent: Any = None) -> Trial:
        """Returns the trial of a genome, not begun.

        seed: of all that is random in it. name: for messages. parent: what it inherits, None = nothing.

        Raises:
            ZeroError: it cannot be evaluated; of a type in `ObjectIsland.unusable`.
        """


@dataclass(frozen=True)
class Rules:
    """How an island treats its candidates."""

    objective: Objective = field(default_factory=Objective)
    halving: Rungs | None = None
    extrapolation: Extrapolation | None = None
    retrain_duplicates: bool = False


@dataclass
class _Pending:
    """The candidate in progress: its record, and the search before it was asked for."""

    proposal: Proposal
    record: Any
    mark: dict[str, Any]


class _Pause(Exception):
    """Leaves an evaluation in its middle."""


class ObjectIsland(BaseIsland):
    """See the module's docstring.

    record_type: of the records. section: of the config, for messages. unusable: errors that mean that a
    candidate cannot be evaluated.

    Args:
        space: of genomes, see `zero.search.protocol.Space`.
        evaluator: see `ObjectEvaluator`.
        settings: the config's section `search`.
        rules: what counts, and which candidates are evaluated how far.
        seed, experiment, index, count, limits, migrants: as for `zero.evolution.island.BaseIsland`.
    """

    starts: Sequence[Any] = ()  # genomes that are evaluated before any that the searcher proposes
    longest_block = 1  # so that a best candidate and a limit are met at once
    record_type: ClassVar[type[Any]] = ObjectRecord
    section: ClassVar[str] = ""
    unusable: ClassVar[tuple[type[ZeroError], ...]] = (ZeroError,)

    def __init__(
        self,
        space: Any,
        evaluator: Any,
        settings: SearchSettings,
        rules: Any,
        seed: int,
        experiment: int,
        index: int,
        count: int,
        limits: Limits,
        migrants: int,
    ):
        size = settings.population
        super().__init__(
            new_population(size), seed, experiment, index, count, limits,
            min(migrants, size) if count > 1 else 0, curve_every=max(1, size // 10),
        )  # fmt: skip
        self.space, self.evaluator, self.rules = space, evaluator, rules
        self.seed, self.experiment = seed, experiment
        self.searcher = make_searcher(settings, space, self.population, self.rng, self.numbering)
        # Other methods compare fitness and costs by themselves.
        self.ranks = rules.objective.kind == "pareto" and isinstance(self.searcher, Ageing)
        self.known: dict[str, int] = {}  # key -> number of the candidate that was evaluated
        self.stopping = Stopping(rules, self.section, self._costs, self._traits)
        self.pending: _Pending | None = None
        self.trial: Any = None  # of what is pending, once it is begun
        self.trial_state: dict[str, Any] | None = None  # the same, before it is taken up again
        self.duplicates = 0  # candidates that took over another one's figures
        self.evaluated_at = 0  # individuals when one was evaluated last

    # --- what a kind of genome gives ------------------------------------------------------------

    def _refusal(self, genome: Any) -> str:
        """Returns why a genome is not to be evaluated; a kind may."""
        return ""

    def _before(self, genome: Any, record: Any) -> None:
        """Writes down what is known of a candidate without evaluating it; a kind may."""

    def _traits(self, record: Any) -> list[float]:
        """Returns what is known of a candidate before it is evaluated, as numbers; a kind may."""
        return []

    def _inheritance(self, record: Any) -> Any:
        """Returns what a candidate inherits; a kind may."""
        return None

    def _after(self, genome: Any, record: Any) -> None:
        """Writes down what is measured of a candidate that was evaluated; a kind may."""

    def _finished(self, trial: Any, record: Any) -> None:
        """Keeps what it wants of a trial that has a fitness; a kind may."""

    def _taken_over(self, record: Any) -> None:
        """Follows a candidate that took over the figures of `same_as`; a kind may."""

    def _kept(self, record: Any) -> None:
        """Follows a record that was added, before its individual is alive; a kind may."""

    def _sent_along(self, number: int) -> dict[str, Any]:
        """Returns what an emigrant takes with it beside its record; a kind may."""
        return {}

    def _arrived(self, number: int, immigrant: dict[str, Any]) -> None:
        """Takes what was sent along with an immigrant's record out of it; a kind may."""

    # --- evaluating an individual ---------------------------------------------------------------

    def _run_block(self, quota: int, limits: np.ndarray) -> int:
        counts = self.population.counts
        for _ in range(quota):
            if counts[INDIVIDUALS] >= limits[0] or counts[TRAIN_STEPS] >= limits[1]:
                return loop.LIMIT
            if self.pending is None and not self.searcher.advance(self._is_late):
                return loop.QUOTA
            pending = self.pending = self.pending or self._asked()
            genome, record = pending.proposal.genome, pending.record
            try:
                self._evaluate(genome, record)
            except _Pause:
                return loop.QUOTA
            self.pending = None
            self.records[record.number] = record
            self.known.setdefault(record.key, record.number)
            if _is_evaluated(record):
                self.evaluated_at = record.individuals
            self._kept(record)
            self.searcher.tell(
                pending.proposal, record.number, record.fitness, record.train_steps,
                self._against(record),
            )  # fmt: skip
            if counts[BEST_AT] == counts[INDIVIDUALS]:
                return loop.IMPROVED
        return loop.QUOTA

    def _check_limits(self, round_end: int) -> None:
        limits = self.limits
        endless = limits.individuals == limits.patience == NEVER
        if endless and not self.reason and self.individuals - self.evaluated_at >= IDLE:
            self.reason = "exhausted"
        super()._check_limits(round_end)

    def _asked(self) -> _Pending:
        """Returns the next candidate."""
        if self.ranks:
            self._rank()
        mark = self.searcher.mark()
        made = int(self.population.counts[INDIVIDUALS])
        if made < len(self.starts):
            proposal = Proposal(self.starts[made], mutation=START_MUTATION)
        else:
            proposal = self.searcher.ask()
        return _Pending(proposal, self._record(proposal), mark)

    def _rank(self) -> None:
        """Gives the living the fitness by which they are chosen as parents."""
        p = self.population
        filled = int(p.counts[FILLED])
        costs = [self._against(self.records[int(n)]) for n in p.number[p.slots[:filled]]]
        p.slot_fitness[:filled] = pareto_ranks(self._living_fitness(), np.array(costs))

    def _record(self, proposal: Proposal) -> Any:
        count = int(self.population.counts[INDIVIDUALS]) + 1
        number = int(count * self.numbering[0] + self.numbering[1])
        key = self.evaluator.key(proposal.genome)
        names: tuple[str | int, ...] = ("candidate", self.experiment, key)
        if self.rules.retrain_duplicates:
            names = (*names, number)
        return self.record_type(
            number=number,
            parent=proposal.parent,
            island=self.index,
            individuals=count,
            steps=proposal.steps,
            mutation=proposal.mutation,
            fitness=-math.inf,
            is_best=False,
            select_fitness=math.nan,
            text=self.space.text(proposal.genome),
            key=key,
            seed=key_for(self.seed, *names),
        )

    def _evaluate(self, genome: Any, record: Any) -> None:
        """Writes a candidate's figures into its record; may raise `_Pause`."""
        twin = None
        if not self.rules.retrain_duplicates:
            twin = self.records.get(self.known.get(record.key, -1))
        if twin is not None:
            record.take_figures(twin)
            self.duplicates += 1
            self._taken_over(record)
            return
        record.reason = self._refusal(genome)
        if record.reason:
            return
        try:
            self._before(genome, record)
            self._go_through(genome, record)
        except self.unusable as error:
            record.reason = str(error)
            self.trial = self.trial_state = None

    def _go_through(self, genome: Any, record: Any) -> None:
        trial = self._trial(genome, record)
        stopped = None
        while not trial.ended:
            before = trial.epochs
            trial.step(self._is_late)
            if not trial.ended and trial.epochs > before:
                best = float(self.population.best[0])
                stopped = self.stopping.stopped(trial, record, self.records, best)
                if stopped:
                    break
            if not trial.ended and self._is_late():
                raise _Pause
        self.trial = None
        record.accuracy, record.curve = trial.accuracy, trial.curve
        record.train_steps, record.reason = trial.steps, trial.reason
        if trial.reason:
            return
        self._after(genome, record)
        accuracy = self.rules.objective.accuracy_of(trial)
        record.fitness = self.rules.objective.fitness(accuracy, self._costs(record))
        if stopped:
            record.reason, record.fitness = stopped.reason, stopped.fitness(record.fitness)
        self._finished(trial, record)

    def _is_late(self) -> bool:
        return time.perf_counter() >= self.deadline

    def _trial(self, genome: Any, record: Any) -> Any:
        """Returns the trial of the candidate, taken up where it was left if it was begun."""
        if self.trial is None:
            name, parent = f"candidate {record.number}", self._inheritance(record)
            trial = self.evaluator.begin(genome, record.seed, name, parent)
            if self.trial_state is not None:
                trial.restore(self.trial_state)
                self.trial_state = None
            self.trial = trial
        return self.trial

    def _costs(self, record: Any) -> tuple[float, ...]:
        """Returns the figures that the objective weighs accuracy against."""
        return tuple(float(getattr(record, name)) for name in self.rules.objective.weighed)

    def _against(self, record: Any) -> tuple[float, ...]:
        """Returns what is weighed against fitness, which mnasnet's holds already."""
        return self._costs(record) if self.rules.objective.kind == "pareto" else ()

    def _end_round(self) -> None:
        # Where an experiment ends, the candidate in progress is none of it.
        if self.pending is not None:
            self.searcher.back(self.pending.mark)
            self.pending = self.trial = None
        super()._end_round()

    # --- what the rounds ask --------------------------------------------------------------------

    def _record_best(self) -> Any:
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

    def _select_fitness(self, record: Any) -> float:
        return record.fitness

    def _living_fitness(self) -> np.ndarray:
        # Not the slots', which `_rank` writes.
        p = self.population
        return p.fitness[p.slots[: p.counts[FILLED]]]

    def _hits(self) -> tuple[int, int]:
        return self.duplicates, self.individuals

    def _emigrants(self) -> dict[str, Any]:
        numbers = self.population.number[self.population.slots[self.sent]].tolist()
        # Plain dicts: they are stored in checkpoints until the report is answered.
        return {"emigrants": [vars(self.records[n]) | self._sent_along(n) for n in numbers]}

    def _take_arrivals(self, immigrants: list[dict[str, Any]]) -> None:
        """Keeps emigrants of all islands."""
        self.arrivals = {"immigrants": immigrants} if immigrants else None

    def _immigrate(self, arrivals: dict[str, Any]) -> None:
        for slot, immigrant in zip(self.sent.tolist(), arrivals["immigrants"], strict=False):
            immigrant, number = dict(immigrant), immigrant["number"]
            self._arrived(number, immigrant)
            record = self.record_type(**immigrant | {"is_best": False})
            record = self.records.setdefault(number, record)
            self.known.setdefault(record.key, number)
            genome = self.space.parse(record.text)
            self.searcher.settle(slot, genome, number, record.fitness, self._against(record))

    # --- state ----------------------------------------------------------------------------------

    def _arrays(self) -> dict[str, np.ndarray]:
        return self.pending.mark["arrays"] if self.pending else self.searcher.arrays()

    def _own_state(self) -> dict[str, Any]:
        mark = self.pending.mark if self.pending else self.searcher.mark()
        return {
            "records": pack_records(list(self.records.values())),
            "genomes": self.searcher.texts(),
            "searcher": mark.get("searcher"),
            "known": {
                "keys": list(self.known),
                "numbers": np.array(list(self.known.values()), dtype=np.int64),
            },
            "duplicates": self.duplicates,
            "rungs": [np.array(rung, dtype=np.float64) for rung in self.stopping.rungs],
            "trial": self.trial.state() if self.trial is not None else self.trial_state,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Takes over a state that `state` gave, also of an older version."""
        self.pending = None
        super().restore(state)

    def _take_own_state(self, state: dict[str, Any]) -> None:
        self.records = {r.number: r for r in unpack_records(self.record_type, state["records"])}
        self.searcher.restore(state)
        known = state["known"]
        self.known = dict(zip(known["keys"], known["numbers"].tolist(), strict=True))
        self.duplicates = state["duplicates"]
        own = (r for r in self.records.values() if r.island == self.index and _is_evaluated(r))
        self.evaluated_at = max((r.individuals for r in own), default=0)
        self.stopping.rungs = [rung.tolist() for rung in state["rungs"]]
        self.trial, self.trial_state = None, state["trial"]

    def stats(self) -> dict[str, Any]:
        """Returns the numbers shown while the run goes on; `now`: what is being done, in words."""
        now = self.searcher.said
        if self.trial is not None:
            accuracy = "" if math.isnan(self.trial.accuracy) else f", {self.trial.accuracy:.3f}"
            epoch = min(self.trial.epochs + 1, self.trial.all_epochs)
            now = f"epoch {epoch} of {self.trial.all_epochs}{accuracy}"
        return {**super().stats(), "now": now}


def _is_evaluated(record: Any) -> bool:
    """Returns whether a candidate told something new: no duplicate, nor one that failed unseen."""
    return record.same_as < 0 and (record.train_steps > 0 or math.isfinite(record.accuracy))

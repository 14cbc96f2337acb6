"""What every island does, whatever its genomes are: rounds, limits, curves and who migrates.

`BaseIsland` lets a kind of island (programs: `zero.programs.island`, cells: `zero.cells.island`) evolve in
blocks and does the bookkeeping in between. What it offers to the outside is all that
`zero.evolution.workers` and `zero.runs.run` use: `advance`, `begin_round`, `receive`, `state`,
`restore`, `stats`, and the attributes `report` and `waiting`. No decision depends on a clock.

A kind of island gives the methods that raise NotImplementedError here.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from zero.evolution import loop
from zero.evolution.population import (
    BEST,
    BEST_AT,
    FILLED,
    INDIVIDUALS,
    TRAIN_STEPS,
    Population,
)
from zero.evolution.records import RawRecord
from zero.rng.splitmix import below, new_state

MAX_CURVE = 1000
ID_STRIDE = 1 << 44  # individuals' numbers of different experiments lie this far apart
NEVER = np.iinfo(np.int64).max

State = dict[str, Any]  # a tree of arrays and plain values: see `BaseIsland.state`
Report = dict[str, Any]  # of a round: see `BaseIsland.begin_round`


@dataclass(frozen=True)
class Limits:
    """When an island ends its experiment by itself; its own share where islands share a budget."""

    individuals: int = NEVER
    train_steps: int = NEVER
    patience: int = NEVER
    fitness: float = np.inf
    round: int = 10_000


class BaseIsland:
    """See the module's docstring.

    Args:
        population: an empty one.
        seed, experiment, index, count: name the random stream; `count` islands in all.
        limits: when to stop.
        migrants: how many individuals are exchanged after each round.
        curve_every: individuals between points of the curve.
    """

    longest_block = 1_000_000  # individuals

    def __init__(
        self,
        population: Population,
        seed: int,
        experiment: int,
        index: int,
        count: int,
        limits: Limits,
        migrants: int,
        curve_every: int,
    ):
        self.population, self.limits, self.index, self.count = population, limits, index, count
        self.migrants = migrants
        self.rng = new_state(seed, "search", experiment, index)
        self.numbering = np.array([count, index + experiment * ID_STRIDE], dtype=np.int64)
        # What the generic loop does not know: bookkeeping between blocks.
        self.round = 0
        self.reason: str | None = None  # why the island ended its experiment
        self.waiting = False  # at the end of a round
        self.report: dict[str, Any] | None = None  # of an earlier round, not answered yet
        self.arrivals: dict[str, Any] | None = None  # immigrants, to be let in after this round
        self.sent = np.zeros(0, dtype=np.int64)  # slots whose individuals were sent away
        self.records: dict[int, Any] = {}  # of the kind's `RawRecord`
        self.curve: list[list[float]] = []
        self.curve_every = curve_every
        self.checked = -1  # number of the individual that was last evaluated on the select tasks
        self.candidate: dict[str, Any] | None = None
        self.before_end: dict[str, Any] | None = None  # see `_end_round_early`
        self.deadline = np.inf  # when `advance` is to come back, by `time.perf_counter`
        self._quota = 1

    # --- what a kind of island gives ------------------------------------------------------------

    def _run_block(self, quota: int, limits: np.ndarray) -> int:
        """Runs `zero.evolution.loop.run_block` and returns what that does.

        limits: as for `zero.evolution.batches.run_batches`; the third is where the round ends.
        """
        raise NotImplementedError

    def _bred(self) -> int:
        """Returns individuals made so far, those in flight included; sets the length of blocks."""
        return self.individuals

    def _record_best(self) -> RawRecord:
        """Keeps the best individual as a record that `is_best`; returns it."""
        raise NotImplementedError

    def _select_fitness(self, record: Any) -> float:
        """Returns what a run's candidates are chosen by."""
        raise NotImplementedError

    def _first_records(self) -> Sequence[RawRecord]:
        """Returns the record of the first individual, if it is kept and is not the best one."""
        return []

    def _hits(self) -> tuple[int, int]:
        """Returns how many evaluations a cache saved, and of how many."""
        raise NotImplementedError

    def _emigrants(self) -> dict[str, Any]:
        """Sends away the individuals in the slots `sent`; returns what the report says of them."""
        raise NotImplementedError

    def _immigrate(self, arrivals: dict[str, Any]) -> None:
        """Lets those who arrived take the slots of those sent away."""
        raise NotImplementedError

    def _take_arrivals(self, answer: Any) -> None:
        """Sets `arrivals` to who is to arrive at the end of the round, according to an answer."""
        raise NotImplementedError

    def _arrays(self) -> dict[str, np.ndarray]:
        """Returns every array that the future depends on, by name."""
        raise NotImplementedError

    def _own_state(self) -> dict[str, Any]:
        """Returns the rest of the state that is not kept here; with at least "records"."""
        raise NotImplementedError

    def _take_own_state(self, state: dict[str, Any]) -> None:
        """Takes over what `_own_state` gave; the arrays are there already."""
        raise NotImplementedError

    def _living_fitness(self) -> np.ndarray:
        """Returns the fitness of every living individual."""
        return self.population.slot_fitness[: self.population.counts[FILLED]]

    # --- running --------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Makes ready what `advance` needs and the process that made the island must not have."""

    @property
    def individuals(self) -> int:
        """Individuals made so far."""
        return int(self.population.counts[INDIVIDUALS])

    def advance(self, seconds: float) -> RawRecord | None:
        """Evolves for about that long, to the end of a round or to a new best individual.

        Returns the new best individual's record, or None. At the end of a round `waiting` is set;
        then, once the last report is answered, `begin_round` is next. An island that has ended its
        experiment passes through the rounds that the others still have.
        """
        counts, limits = self.population.counts, self.limits
        self.deadline = time.perf_counter() + seconds
        while True:
            round_end = min((self.round + 1) * limits.round, limits.individuals)
            stop = min(round_end, self._next_curve())
            if counts[FILLED]:
                stop = min(stop, int(counts[BEST_AT]) + limits.patience)
            if self.reason:
                stop = 0
            began, before = time.perf_counter(), self._bred()
            code = self._run_block(self._quota, np.array([stop, limits.train_steps, round_end]))
            now = time.perf_counter()
            # Blocks of about a twentieth of a second; their length decides nothing.
            rate = (self._bred() - before) / max(now - began, 1e-9)
            if code == loop.QUOTA:
                self._quota = int(max(1, min(rate * 0.05, self._quota * 4, self.longest_block)))
            best = self._record_best() if code == loop.IMPROVED else None
            if self.individuals >= self._next_curve():
                self._add_to_curve()
            self._check_limits(round_end)
            if best is not None or self.waiting or now >= self.deadline:
                return best

    def _check_limits(self, round_end: int) -> None:
        counts, limits = self.population.counts, self.limits
        if self.population.best[0] >= limits.fitness:
            self.reason = "fitness"
        elif counts[INDIVIDUALS] >= limits.individuals:
            self.reason = "individuals"
        elif counts[TRAIN_STEPS] >= limits.train_steps:
            self.reason = "train_steps"
        elif counts[INDIVIDUALS] - counts[BEST_AT] >= limits.patience:
            self.reason = "patience"
        if self.individuals >= (self.round + 1) * limits.round:
            self._end_round()
        elif self.reason:
            self._end_round_early()

    def _end_round_early(self) -> None:
        """Ends a round that a larger budget would have gone on with; keeps the state before that."""
        if self.before_end is None:
            self.before_end = {**self.state(), "reason": None}
        self._end_round()

    def _end_round(self) -> None:
        """Evaluates a new best individual on the select tasks and draws who migrates."""
        self.waiting = True
        best = int(self.population.counts[BEST])
        number = int(self.population.number[best]) if best >= 0 else -1
        if best >= 0 and number != self.checked:
            # What the search starts from is a candidate, too: it may well stay the best one.
            begins = [] if self.checked >= 0 else self._first_records()
            self.checked = number
            for record in (*begins, self._record_best()):
                self._consider(record)
        filled = int(self.population.counts[FILLED])
        slots = np.arange(filled)
        for k in range(min(self.migrants, filled)):  # a partial shuffle: drawn without replacement
            other = k + below(self.rng, filled - k)
            slots[k], slots[other] = slots[other], slots[k]
        self.sent = slots[: self.migrants].astype(np.int64)

    def _consider(self, record: RawRecord) -> None:
        """Makes a record the candidate if none was better on the select tasks."""
        fitness = record.select_fitness = self._select_fitness(record)
        if self.candidate is None or not fitness < self.candidate["select_fitness"]:
            self.candidate = {
                "number": record.number,
                "search_fitness": record.fitness,
                "select_fitness": fitness,
            }

    def _next_curve(self) -> int:
        done = self.curve[-1][0] if self.curve else 0
        return int(done) + self.curve_every

    def _mean_and_spread(self) -> tuple[float, float]:
        # A fixed order of summation, and NaN-free even where every individual failed.
        fitness = self._living_fitness()
        finite = fitness[np.isfinite(fitness)]
        return (float(finite.mean()), float(finite.std())) if len(finite) else (0.0, 0.0)

    def _add_to_curve(self) -> None:
        mean, spread = self._mean_and_spread()
        steps = int(self.population.counts[TRAIN_STEPS])
        best = float(self.population.best[0])
        self.curve.append([self.individuals, steps, best, mean, spread, self._hits()[0]])
        if len(self.curve) > MAX_CURVE:
            self.curve = self.curve[1::2]
            self.curve_every *= 2

    # --- exchange with other islands ------------------------------------------------------------

    def begin_round(self) -> dict[str, Any]:
        """Sends emigrants away, lets immigrants take their places, and goes on.

        Returns the report of the round that ended, to be answered before the next one's.
        """
        self.report = {
            "island": self.index,
            "round": self.round,
            "reason": self.reason,
            "best_fitness": float(self.population.best[0]),
            "unimproved": int(self.individuals - self.population.counts[BEST_AT]),
            "candidate": dict(self.candidate) if self.candidate else None,
            "sent": len(self.sent),
            **self._emigrants(),
        }
        if self.arrivals:
            self._immigrate(self.arrivals)
        self.arrivals = None
        self.round += 1
        self.waiting = False
        return self.report

    def receive(self, answer: Any) -> None:
        """Takes the answer to the last report: who is to arrive at the end of the round."""
        self._take_arrivals(answer)
        assert self.report is not None
        if self.before_end is not None and self.report["round"] < self.before_end["round"]:
            self.before_end |= {"report": None, "arrivals": self.arrivals}
        self.report = None

    # --- state ----------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Returns everything that the future depends on, as a tree of arrays and plain values."""
        return {
            "arrays": {name: array.copy() for name, array in self._arrays().items()},
            "round": self.round,
            "reason": self.reason,
            "waiting": self.waiting,
            "sent": self.sent.copy(),
            "report": self.report,
            "arrivals": self.arrivals,
            "curve": np.array(self.curve, dtype=np.float64).reshape(-1, 6),
            "curve_every": self.curve_every,
            "checked": self.checked,
            "candidate": dict(self.candidate) if self.candidate else None,
            "before_end": self.before_end,
            **self._own_state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Takes over a state that `state` gave."""
        for name, array in self._arrays().items():
            array[...] = state["arrays"][name]
        self.round, self.reason = state["round"], state["reason"]
        self.waiting, self.sent = state["waiting"], state["sent"]
        self.report = _renamed(state["report"], "emigrants")
        self.arrivals = _renamed(state["arrivals"], "immigrants")
        self.curve = [list(row) for row in state["curve"]]
        self.curve_every, self.checked = state["curve_every"], state["checked"]
        self.candidate = dict(state["candidate"]) if state["candidate"] else None
        self.before_end = state.get("before_end")
        self._take_own_state(state)

    def stats(self) -> dict[str, Any]:
        """Returns the numbers shown while the run goes on."""
        hits, evaluations = self._hits()
        return {
            "individuals": self.individuals,
            "train_steps": int(self.population.counts[TRAIN_STEPS]),
            "best_fitness": float(self.population.best[0]),
            "mean_fitness": self._mean_and_spread()[0],
            "hits": hits,
            "evaluations": evaluations,
        }


def _renamed(tree: dict[str, Any] | None, key: str) -> dict[str, Any] | None:
    """Returns a report or arrivals of an older version with today's key for those who migrate."""
    if tree is None or "people" not in tree:
        return tree
    return {name: value for name, value in tree.items() if name != "people"} | {key: tree["people"]}


def reopened(states: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], bool]:
    """Returns islands' states to go on from where a larger budget allows it, and whether exactly.

    An island that a budget ends passes through the rounds that others still have, and ends its last
    round before its time. What it was before that is in its state. It is as if the larger budget had
    been given at first, unless others met what it sent in rounds that it passed through.

    states: of a pause or of an experiment's end, as `zero.evolution.workers` returns them.
    """
    found, exact = [], True
    for state in states:
        before = state.get("before_end")
        answered = state["report"]["round"] - 1 if state["report"] else state["round"] - 1
        if before is not None and before["round"] > answered:
            state = before
        elif before is not None or state["reason"] is not None:
            exact = False
        report = state["report"] and {**state["report"], "reason": None}
        found.append({**state, "reason": None, "report": report, "before_end": None})
    return found, exact

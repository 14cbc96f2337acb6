"""What a run shows of itself while it goes on: sums over its islands, rates and forecasts."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from zero.runs.budgets import COUNTED, whole_limits
from zero.runs.progress import nearest_limit, seconds_left
from zero.runs.state import Experiment


class SearchClock:
    """Seconds of the search alone, which budget.seconds are of; stands still at first.

    earlier: seconds that earlier processes searched.
    """

    def __init__(self, earlier: float = 0.0):
        self._before, self._since = earlier, math.inf

    def start(self) -> None:
        """Goes on; does nothing if it does."""
        self._since = min(self._since, time.monotonic())

    def stop(self) -> None:
        """Stands still."""
        self._before, self._since = self.seconds, math.inf

    @property
    def seconds(self) -> float:
        """All that was searched so far."""
        return self._before + max(0.0, time.monotonic() - self._since)


class Totals:
    """The figures of a run that goes on.

    Args:
        config: of the run.
        clock: of its search.
        final_seconds: (train steps, the seconds that they took) -> about how long what follows the
            search will take, None if unknown (`zero.runs.domain.Domain.final_seconds`).
        tasks_of: as `zero.runs.domain.Domain.tasks_of_islands` returns it; fitness is on tasks 0.

    islands: what each island of the experiment that goes on tells (`stats`).
    """

    def __init__(
        self,
        config: Any,
        clock: SearchClock,
        final_seconds: Callable[[int, float], float | None],
        tasks_of: Sequence[int] = (),
    ):
        self._tasks_of = tasks_of
        self.config, self.clock, self.final_seconds = config, clock, final_seconds
        self.islands: list[dict[str, Any]] = []
        self._evolving_since: float | None = None
        self._done_before: dict[str, int] = {}

    def evolving(self, finished: Sequence[Experiment]) -> None:
        """Begins to count rates; they leave out compiling, and what earlier processes did."""
        if self._evolving_since is None:
            self._evolving_since = time.monotonic()
            self._done_before = self.done(finished)

    def experiment_ended(self) -> None:
        """Forgets what the islands made: the finished experiment is counted as such."""
        self.islands = [stats | dict.fromkeys(COUNTED, 0) for stats in self.islands]

    def best_fitness(self) -> float:
        """Returns the best on any island, -inf without any."""
        return max((stats["best_fitness"] for stats in self._with_first_tasks()), default=-math.inf)

    def _with_first_tasks(self) -> list[dict[str, Any]]:
        of = self._tasks_of or [0] * len(self.islands)
        return [stats for stats, k in zip(self.islands, of, strict=False) if k == 0]

    def done(self, finished: Sequence[Experiment]) -> dict[str, int]:
        """Returns individuals and train steps of the whole run so far."""
        return {
            key: sum(getattr(e, key) for e in finished) + sum(s[key] for s in self.islands)
            for key in COUNTED
        }

    def shown(self, finished: Sequence[Experiment], seconds: float) -> dict[str, Any]:
        """Returns the figures for a reporter's `update`; seconds: that the run has taken."""
        stats, config = self.islands, self.config
        evaluations = max(1, sum(s["evaluations"] for s in stats))
        best, done = self.best_fitness(), self.done(finished)
        totals: dict[str, Any] = {
            **done,
            "best_fitness": best if math.isfinite(best) else None,
            "mean_fitness": float(np.mean([s["mean_fitness"] for s in self._with_first_tasks()]))
            if stats
            else None,
            "cache_hits": sum(s["hits"] for s in stats) / evaluations,
            "seconds": seconds,
            "islands": config.islands.count,
        }
        proposals = sum(s.get("proposals", 0) for s in stats)
        if proposals > evaluations:  # a search that throws proposals away before it evaluates them
            totals["proposals_per_individual"] = proposals / evaluations
        now = [f"island {k}: {s['now']}" for k, s in enumerate(stats) if s.get("now")]
        if now:
            totals["now"] = "; ".join(now)
        if config.experiments.max != 1:
            totals["experiment"] = len(finished) + 1
        if self._evolving_since is not None:
            totals |= self._forecast(done, time.monotonic() - self._evolving_since)
        return totals

    def _forecast(self, done: dict[str, int], elapsed: float) -> dict[str, Any]:
        """Returns rates, the nearest limit and what is left; elapsed: seconds of this process."""
        recent: dict[str, Any] = {key: done[key] - self._done_before[key] for key in done}
        recent["seconds"] = max(elapsed, 1e-9)
        limits, searched = whole_limits(self.config), self.clock.seconds
        found: dict[str, Any] = {
            "individuals_per_second": recent["individuals"] / recent["seconds"],
            "nearest": nearest_limit(limits, {**done, "seconds": searched}),
        }
        before = {**self._done_before, "seconds": searched - recent["seconds"]}
        remaining = {key: limits[key] and limits[key] - was for key, was in before.items()}
        known = recent["seconds"] >= 1  # a forecast from the first individuals would be wild
        found["seconds_left"] = seconds_left(remaining, recent) if known else None
        after = self.final_seconds(recent["train_steps"], recent["seconds"])
        if after is not None and known:
            found["seconds_after"] = after
        return found

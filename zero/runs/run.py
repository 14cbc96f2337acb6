"""A run: from a config to islands, experiments, checkpoints, an archive and a final figure.

`start` begins a run in a new folder, `resume` goes on with one. A run is one or more experiments
(spec, section 6.8): each evolves a fresh population on the search tasks; at the end of each round
its best program is evaluated on the select tasks, and the best one there is its candidate. The
run's outcome is the candidate best on the select tasks, and only it sees the final tasks.

A budget of individuals is met exactly, one of train steps is passed by the last individual. Islands
share both. What ends an experiment otherwise (fitness, patience) is seen when all islands have
reported a round; they finish the one that they are in by then (`zero.evolution.workers`).

Everything that decides the outcome is in the islands' states, which checkpoints hold exactly, so a
run that is stopped or killed and resumed ends with the same archive, byte for byte, as an unbroken
one. A stop acts within a second or two, whatever the run is doing; what comes after a search (final
figures, baselines) is then left to `resume`. A budget of seconds is of the search alone. A run can be
resumed with a larger budget, also one that its budget ended: the last checkpoint holds the islands'
states then. What is particular to programs and to cells of networks is in `zero.programs.kind` and
`zero.cells.kind`.
"""

from __future__ import annotations

import functools
import math
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from zero import genomes
from zero.config import imports
from zero.config.load import config_to_yaml
from zero.config.sections import Budget, RunConfig
from zero.errors import ArchiveError, ConfigError, ZeroError, what_is
from zero.jit import cache as code_cache
from zero.jit import compiling
from zero.runs.archive import ArchiveData, CurvePoint, ExperimentData, Summary, write_archive
from zero.runs.domain import Conclusion, Domain
from zero.runs.folder import RunFolder, run_info, zero_version
from zero.runs.notebook import default_reporter
from zero.runs.progress import Reporter, nearest_limit, seconds_left
from zero.runs.settings import (
    BUDGETS,
    change_settings,
    check_unchanged,
    settings_of,
    with_larger_budget,
)
from zero.system.signals import Stop, Stops

__all__ = ["CHECKPOINT_SECONDS", "Outcome", "resume", "start"]

CHECKPOINT_SECONDS = 10.0
_FOREVER = np.iinfo(np.int64).max


@dataclass(frozen=True, repr=False)
class Outcome:
    """What a run found: its folder, why it ended, and the best program with its figures.

    program (for cells the genome) is None when no individual was evaluated. final is None where it was
    not evaluated, as after a stop that `resume` goes on from; for cells its fitness is the accuracy
    on the test images; individuals, train_steps and seconds are totals, seconds those of all
    processes with reading and compiling. baselines: for each shipped program in `BASELINES` (each
    published cell that the config names) its fitness on the select and on the final tasks, none
    after such a stop. kind: "programs" or "cells". details: more figures by name, of programs: chance
    (search, select, final: the fitness of a predictor that looks at no feature), interval (95 %, of
    the final fitness), lasting_fitness, order_matters and departures (see
    `zero.programs.kind.Maker.figures`).
    """

    folder: Path
    reason: str
    program: Any
    search_fitness: float
    select_fitness: float
    final: Any
    individuals: int
    train_steps: int
    seconds: float
    baselines: dict[str, tuple[float, float]]
    kind: str = genomes.DEFAULT
    details: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        final = "none" if self.final is None else f"{self.final.fitness:.4f}"
        return (
            f"<Outcome of '{self.folder}': ended by {self.reason}, {self.individuals} individuals, "
            f"final fitness {final}>"
        )


# --- starting and resuming ------------------------------------------------------------------------


def start(
    config: RunConfig,
    out: str | Path | None = None,
    reporter: Reporter | None = None,
    command: list[str] | None = None,
    max_seconds: float | None = None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    quiet: bool = False,
) -> Outcome:
    """Runs a config in a new folder and returns the outcome.

    Args:
        config: from `zero.programs.config.load_config` or `make_config`.
        out: the run's folder, new or empty; by default runs/NAME-001 and so on.
        reporter: is told what happens; by default it is shown where there is a terminal or a notebook.
        command: kept in the run's record.
        max_seconds: stop after this time, with reading and compiling, so that `resume` can go on; no
            part of the config. 0 stops as soon as anything can be kept, None never.
        checkpoint_seconds: time between checkpoints; decides nothing about the outcome.
        quiet: shows nothing where no reporter is given.

    Raises:
        ZeroError: an argument is none of these, data, programs or the folder cannot be used, or no
            space is left.
    """
    if not isinstance(config, RunConfig):
        hints = {dict: "; make one with zero.make_config", str: "; load one with zero.load_config"}
        raise ConfigError(
            f"start takes a config, got {what_is(config)}{hints.get(type(config), '')}"
        )
    _check_arguments(reporter, max_seconds, checkpoint_seconds)
    if command is not None and not (
        isinstance(command, list | tuple) and all(isinstance(word, str) for word in command)
    ):
        raise ConfigError(f"command must be a list of texts or None, got {what_is(command)}")
    if out is not None:
        out = _path(out, "out")
    if command is None and out is not None and out.is_dir() and any(out.iterdir()):
        raise ArchiveError(
            f"folder {out} is not empty; give another as out, or, if it is a run, go on with it: "
            f"zero.resume({str(out)!r})"
        )
    stops = Stops(max_seconds)
    with _shown(reporter, quiet) as reporter:
        return _start(config, out, reporter, command, stops, checkpoint_seconds)


def _start(
    config: RunConfig,
    out: Path | None,
    reporter: Reporter,
    command: list[str] | None,
    stops: Stops,
    checkpoint_seconds: float,
) -> Outcome:
    kind = genomes.get(config.genomes).domain(config)
    kind.check_device()
    if config.backend != "reference":
        code_cache.cache_folder()  # where it cannot be used, nothing has begun
    with RunFolder.create(out, config.name, config_to_yaml(config), {}) as folder:
        info = run_info(config.seed, command or []) | kind.info()
        try:
            stored = kind.stored(folder.path)
            if stored is not kind:  # data that came as arrays: from here on they are in the folder
                kind = stored
                folder.write_config(config_to_yaml(kind.config))
            info["settings"] = settings_of(folder.config_text())
            info["imports"] = imports.keep(config.imports, folder.path)
            folder.write_info(info)
            run = _Run(kind, folder, info, reporter, stops, checkpoint_seconds)
            return run.go(None)
        except ZeroError:
            if not folder.checkpoints.paths():  # it has not begun: a fault of the data, say
                folder.discard()
            raise


@contextmanager
def _shown(reporter: Reporter | None, quiet: bool) -> Iterator[Reporter]:
    """Gives the reporter, or the default one for as long as a run goes on."""
    if reporter is not None:
        yield reporter
        return
    with Reporter() if quiet else default_reporter() as reporter:
        yield reporter


def _check_arguments(reporter: Any, max_seconds: Any, checkpoint_seconds: Any) -> None:
    """Raises ConfigError if an argument of `start` or `resume` is none of those allowed."""
    for name, value in (("max_seconds", max_seconds), ("checkpoint_seconds", checkpoint_seconds)):
        if name == "max_seconds" and value is None:
            continue
        number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
        if not number or not math.isfinite(value) or value < 0:
            hint = " (None: no limit)" if name == "max_seconds" else ""
            raise ConfigError(
                f"{name} must be a number of seconds, 0 or more{hint}, got {what_is(value)}"
            )
    if reporter is not None and not all(
        hasattr(reporter, n) for n in ("start", "update", "finish")
    ):
        raise ConfigError(f"reporter must be a zero.Reporter or None, got {what_is(reporter)}")


def _path(value: Any, name: str) -> Path:
    if not isinstance(value, str | os.PathLike):
        raise ConfigError(f"{name} must be a folder's path, got {what_is(value)}")
    return Path(value)


def resume(
    path: str | Path,
    reporter: Reporter | None = None,
    max_seconds: float | None = None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    settings: Iterable[str] = (),
    quiet: bool = False,
) -> Outcome:
    """Goes on with a run from its newest readable checkpoint; the outcome is as if never broken.

    A run that has ended, by whatever budget, stays as it is unless it is given a larger one.
    Arguments as for `start`.

    Args:
        settings: `KEY=VALUE` of a larger budget, such as "budget.individuals=1e6". Where the run
            cannot go on exactly as if that had been its budget from the start, it says so.

    Raises:
        ArchiveError: it is no run folder, it is in use, or no checkpoint can be read.
        ConfigError: its settings have been changed, or `settings` are anything but a larger budget.
        ZeroError: the run's data have changed since.
    """
    path = _path(path, "resume: the run")
    _check_arguments(reporter, max_seconds, checkpoint_seconds)
    stops = Stops(max_seconds)
    with _shown(reporter, quiet) as reporter, RunFolder.open(path, write=True) as folder:
        info = folder.info()
        if not check_unchanged(folder, info):
            reporter.message(
                "an older zero began this run, without a record of its settings and imports: "
                "changes of these would not be noticed"
            )
        for line in imports.changed(folder.path):
            reporter.message(line)
        old, config = with_larger_budget(folder.path / RunFolder.CONFIG, settings)
        kind = genomes.get(config.genomes).resumed(config, info)
        state, skipped = folder.checkpoints.load() or (None, [])
        for text in skipped:
            reporter.message(f"{text}; going on from an older checkpoint")
        run = _Run(kind, folder, info, reporter, stops, checkpoint_seconds)
        if state is not None:
            state = {**state, "budget": state.get("budget") or old.budget.model_dump()}
        if config != old:
            run.budget_before = old.budget.model_dump()
        if state is None or state.get("reason") is None:
            kind.check_device()
        return run.go(state)


class _Run:
    """One process's share of a run: from a state (or none) to the end or an interruption."""

    def __init__(
        self,
        kind: Domain,
        folder: RunFolder,
        info: dict[str, Any],
        reporter: Reporter,
        stops: Stops,
        checkpoint_seconds: float,
    ):
        self.kind, self.config, self.folder, self.reporter = kind, kind.config, folder, reporter
        self.info, self.stops, self.checkpoint_seconds = info, stops, checkpoint_seconds
        stops.on_signal = lambda: reporter.message(
            "stopping; Ctrl-C again stops at once (then `zero resume`)"
        )
        self.experiment = 0
        self.finished: list[dict[str, Any]] = []  # experiments that ended
        self.ended_states: list[dict] | None = None  # of the last one, for a larger budget
        self.archived: list[ExperimentData] = []  # the same, as the archive has them
        self.next_archive = 0.0
        self.stats: list[dict[str, Any]] = []
        self.budget_before: dict[str, Any] | None = None  # if the config's is a larger one
        self.evolving_since: float | None = None  # when this process began to evolve
        self.done_before: dict[str, int] = {}
        self.ended_by: str | None = None  # what ended the experiment, decided at the end of a round
        self.closing: Any = None  # what the kind of genome does once the search has ended
        self.closed = False  # whether it is done with that
        self.earlier_seconds = 0.0
        self.began = time.monotonic()
        # What budget.seconds are of: the search alone.
        self.earlier_search = 0.0
        self.searching_since: float | None = None
        self.out_of_time = False  # budget.seconds have passed

    # --- the course of a run --------------------------------------------------------------------

    def go(self, state: dict[str, Any] | None) -> Outcome:
        """Runs from a checkpoint's state, or from the start."""
        states, reason = None, None
        if state is not None:
            self.experiment, self.finished = state["experiment"], state["finished"]
            self.earlier_seconds, states = state["seconds"], state["islands"]
            self.earlier_search = state.get("search_seconds", self.earlier_seconds)
            self.closing, reason = state.get("closing"), state.get("reason")
            self.ended_states = state.get("ended_states")
        with self.stops.listening():
            try:
                with self.stops.at_once(anywhere=True):
                    digest = self._read_data()
                self._keep_data(digest)  # not within: a stop would come between two files
            except Stop:
                self._take_budget()
                self._begin(state)
                return self._conclude(str(self.stops.why), states, reading=True)
            self._take_budget()
            self._begin(state)
            if state is not None and state["budget"] != self.config.budget.model_dump():
                states, reason = self._reopen(states, reason, Budget(**state["budget"]))
            while reason is None:
                if states is None:
                    self._checkpoint(None)
                states, ended = self._run_experiment(states)
                if not ended:
                    # The budget of seconds ends a run for good, other interruptions do not.
                    reason = "seconds" if self.out_of_time else None
                    self._checkpoint(states, reason)
                    if reason is None:
                        return self._conclude(str(self.stops.why), states)
                    break
                self._finish_experiment(states)
                self.ended_states, states = states, None
                reason = self._reason_to_end()
                self.experiment += 1
                if reason is not None:
                    self._checkpoint(None, reason)
            if not self._close(reason, states):
                return self._conclude(str(self.stops.why), states)
            return self._conclude(reason, states)

    def _read_data(self) -> str:
        """Reads the data; checks them where that was not done, else that they are the same.

        Returns: their digest.

        Raises:
            ZeroError: they cannot be used, or have changed.
        """
        known = self.info.get("data")
        if known is None:
            self.kind.check()
        digest = self.kind.data_digest()
        if known not in (None, digest):
            raise ConfigError(
                f"the data of {self.folder.path} have changed since the run began, so it cannot go "
                "on as if unbroken; put the old files back, or start a new run"
            )
        return digest

    def _keep_data(self, digest: str) -> None:
        """Writes what the data are to the run's folder, unless it is there."""
        if "data" in self.info:
            return
        if self.kind.config != self.config:  # defaults that were cut to what the data have
            self.config = self.kind.config
            change_settings(self.folder, self.info, config_to_yaml(self.config))
        self.info |= {"data": digest, **self.kind.data_info()}
        self.folder.write_info(self.info)

    def _begin(self, state: dict[str, Any] | None) -> None:
        config = self.config
        self.reporter.start({
            "name": config.name, "seed": config.seed, "islands": config.islands.count,
            "backend": config.backend, "dtype": config.dtype, "folder": str(self.folder.path),
        })  # fmt: skip
        if state is None and "data" in self.info:  # they are read
            for note in self.kind.notes():
                self._message(f"note: {note}")
        self.folder.log("start" if state is None else "resume", seconds=self.earlier_seconds)

    # --- a larger budget ------------------------------------------------------------------------

    def _take_budget(self) -> None:
        """Writes the config's budget, if it is a larger one, to the run's folder."""
        if self.budget_before is None:
            return
        old, new = self.budget_before, self.config.budget.model_dump()
        changes = {key: [old[key], new[key]] for key in BUDGETS if old[key] != new[key]}
        self.info["budgets"] = [*self.info.get("budgets", []), changes]
        change_settings(self.folder, self.info, config_to_yaml(self.config))
        words = ", ".join(f"budget.{k} {a} to {b}" for k, (a, b) in changes.items())
        self._message(f"the run's budget becomes larger: {words}")

    def _reopen(
        self, states: list[dict] | None, reason: str | None, old: Budget
    ) -> tuple[list[dict] | None, str | None]:
        """Returns states and reason to end with the config's budget, which is larger than the old.

        states, reason: of the checkpoint.
        """
        from zero.evolution.island import reopened

        new, exact = self.config.budget, True
        was_over = reason is not None
        if reason == "seconds" and old.seconds != new.seconds:
            reason = None
        elif reason is not None and states is None and self._was_cut(old):
            if self.ended_states is None:
                raise ArchiveError(
                    f"{self.folder.path}: an older zero ended this run and kept nothing to go on "
                    "from; start a new one with a larger budget"
                )
            states, reason = self.ended_states, None
            self.finished.pop()
            self.experiment -= 1
        elif reason is not None and states is None:
            reason = self._reason_to_end()
        if reason is not None:
            self._message(f"the larger budget changes nothing: the run had ended by {reason}")
            return states, reason
        if states is not None:
            states, exact = reopened(states)
            exact = exact and not self._was_drained(states, old)
        if was_over:
            self.closing = self.kind.reopened(self.closing)
            self.ended_states = None
        if not exact:
            text = "it goes on, but not exactly as if the larger budget had been given at first"
            self._message(text)
            self.info["budgets_not_exact"] = True
            self.folder.write_info(self.info)
        return states, None

    def _was_cut(self, old: Budget) -> bool:
        """Returns whether the old budget, not the new one, ended the last experiment."""
        last, new = self.finished[-1], self.config.budget
        key = last["reason"]
        if key in ("fitness", "patience"):
            return getattr(old, key) != getattr(new, key)
        if key not in ("individuals", "train_steps"):
            return False
        before = self.finished[:-1]
        return self._left(before, old)[key] != self._left(before, new)[key]

    def _was_drained(self, states: list[dict], old: Budget) -> bool:
        """Returns whether the old budget had kept a pipeline of batches from being filled."""
        from zero.evolution.population import INDIVIDUALS

        if (getattr(self.config.search, "batch", 1) or 1) == 1:
            return False
        limits = [self.kind.limits(self._left(self.finished, old), k) for k in range(len(states))]
        return any(
            state["arrays"]["population.counts"][INDIVIDUALS] % limit.round
            and limit.individuals < (state["round"] + 1) * limit.round
            for state, limit in zip(states, limits, strict=True)
        )

    # --- after the search -----------------------------------------------------------------------

    def _close(self, reason: str, states: list[dict] | None) -> bool:
        """Lets the kind of genome do what comes after the search; returns whether it is done."""
        best = _best_candidate(self._experiments(states), self.kind)
        if best is not None:
            saved = time.monotonic()

            def save(closing: Any) -> None:
                nonlocal saved
                self.closing = closing
                if time.monotonic() - saved >= self.checkpoint_seconds:
                    self._checkpoint(states, reason)
                    saved = time.monotonic()

            try:
                with self.stops.at_once(), compiling.telling(self.reporter.compiling):
                    self.closing, self.closed = self.kind.finish(
                        best[0], self.closing, self.stops.wanted, save, self._closing_now
                    )
            except Stop:
                self.closed = False
            if self.closing is not None:
                self._checkpoint(states, reason)
        return best is None or self.closed

    def _closing_now(self, text: str) -> None:
        totals = self._totals()
        for key in ("seconds_left", "seconds_after"):  # of the search, which is over
            totals.pop(key, None)
        self.reporter.update({**totals, "now": text})

    def _experiments(self, states: list[dict] | None) -> list[dict[str, Any]]:
        """Returns all experiments; states: of the one that goes on."""
        going = [] if states is None else [_experiment_of(states, None, self.kind)]
        return [*self.finished, *going]

    def _search_is_over(self) -> bool:
        budget = self.config.budget.seconds
        self.out_of_time = self.out_of_time or (budget is not None and self.searched >= budget)
        return self.out_of_time or self.stops.wanted()

    @property
    def searched(self) -> float:
        """Seconds that the run has searched, in earlier processes too."""
        since = self.searching_since
        return self.earlier_search + (0.0 if since is None else time.monotonic() - since)

    @property
    def seconds(self) -> float:
        """Seconds that the run has taken, in earlier processes too."""
        return self.earlier_seconds + time.monotonic() - self.began

    def _left(self, finished: list[dict], budget: Budget) -> dict[str, int]:
        """Returns what the budgets of run and experiment leave for the next experiment."""
        experiments, left = self.config.experiments, {}
        for key in ("individuals", "train_steps"):
            used = sum(e[key] for e in finished)
            total = getattr(budget, key)
            whole = _FOREVER if total is None else max(0, total - used)
            left[key] = min(whole, getattr(experiments, key) or _FOREVER)
        return left

    def _run_experiment(self, states: list[dict] | None) -> tuple[list[dict] | None, bool]:
        from zero.evolution.workers import Islands

        try:
            with self.stops.at_once(), compiling.telling(self.reporter.compiling):
                islands = self.kind.islands(
                    self.experiment, self._left(self.finished, self.config.budget)
                )
                self.reporter.baselines(self.kind.baselines(self.experiment))
        except Stop:
            return states, False
        if states is not None:
            # Shown from the first moment: what was reached before.
            for island, state in zip(islands, states, strict=True):
                island.restore(state)
        self.stats = [island.stats() for island in islands]
        self.ended_by = None
        running = Islands(
            [lambda island=island: island for island in islands],
            states,
            self._exchange,
            self._progress,
            self._message,
            self._checkpoint,
            self.checkpoint_seconds,
            self.kind.groups(),
            self._evolve,
        )
        try:
            return running.run(self._search_is_over, self.stops.wanted)
        finally:
            self.earlier_search, self.searching_since = self.searched, None

    def _evolve(self) -> None:
        """Starts the clock of the search: all is compiled."""
        now = time.monotonic()
        self.searching_since = self.searching_since or now
        if self.evolving_since is None:
            # Rates and forecasts leave out compiling, and what earlier processes did.
            self.evolving_since = now
            self.done_before = self._done()

    def _exchange(self, reports: list[dict]) -> list[Any] | None:
        """Returns who migrates to each island after a round, None to end the experiment.

        Depends on the reports alone: after a crash it is asked once more.
        """
        from zero.evolution.migration import distribute

        self.ended_by = self._end_of_experiment(reports)
        if self.ended_by is not None:
            return None
        return self.kind.answers(reports, distribute(reports, self.config.seed, self.experiment))

    def _end_of_experiment(self, reports: list[dict]) -> str | None:
        reasons = [r["reason"] for r in reports]
        if "fitness" in reasons:
            return "fitness"
        wanted = self.config.experiments.sufficient_fitness
        found = [r["candidate"]["select_fitness"] for r in reports if r["candidate"]]
        if wanted is not None and any(f >= wanted for f in found):
            return "sufficient_fitness"
        # An island that has used up its share of a budget waits until all have.
        if all(reasons):
            return reasons[0]
        if len(reports) > 1 and self.config.budget.patience:
            # Islands keep step: so many individuals of each since the best one was found.
            best = max(r["best_fitness"] for r in reports)
            unimproved = max(r["unimproved"] for r in reports if r["best_fitness"] == best)
            if unimproved * len(reports) >= self.config.budget.patience:
                return "patience"
        return None

    def _finish_experiment(self, states: list[dict]) -> None:
        self.finished.append(_experiment_of(states, self.ended_by, self.kind))
        # From now on the finished experiment is counted there.
        self.stats = [s | {"individuals": 0, "train_steps": 0} for s in self.stats]
        last = self.finished[-1]
        self.folder.log("experiment", **{k: v for k, v in last.items() if k not in _BULKY})
        shown = (
            f"experiment {self.experiment + 1} ended ({last['reason']}): search fitness "
            f"{last['search_fitness']:.6f}, select fitness {last['select_fitness']:.6f}"
        )
        if self.config.experiments.max != 1:
            self._message(shown)

    def _reason_to_end(self) -> str | None:
        """Returns why the run is over after an experiment, None if another one follows."""
        budget, experiments, last = self.config.budget, self.config.experiments, self.finished[-1]
        enough = experiments.sufficient_fitness
        if enough is not None and last["select_fitness"] >= enough:
            return "sufficient_fitness"
        if last["reason"] in ("fitness", "patience"):
            return last["reason"]
        for key in ("individuals", "train_steps"):
            total = getattr(budget, key)
            if total is not None and sum(e[key] for e in self.finished) >= total:
                return key
        if experiments.max and len(self.finished) >= experiments.max:
            return last["reason"] if experiments.max == 1 else "experiments"
        return None

    # --- telling and keeping --------------------------------------------------------------------

    def _message(self, text: str) -> None:
        self.reporter.message(text)
        self.folder.log("message", text=text)

    def _progress(self, island: int, stats: dict, best: dict | None) -> None:
        self.stats[island] = stats
        if best is not None and best["fitness"] >= max(s["best_fitness"] for s in self.stats):
            shown = {"individual": self._totals()["individuals"], "fitness": best["fitness"]}
            where = {"island": island, "experiment": self.experiment}
            self.reporter.improvement({**shown, **where, "program": self.kind.shown(best)})
            self.folder.log("improvement", **shown, id=best["number"], seconds=self.seconds)
        self.reporter.update(self._totals())

    def _totals(self) -> dict[str, Any]:
        stats, config = self.stats, self.config
        evaluations = max(1, sum(s["evaluations"] for s in stats))
        best = max((s["best_fitness"] for s in stats), default=-math.inf)
        done = self._done()
        totals = {
            **done,
            "best_fitness": best if math.isfinite(best) else None,
            "mean_fitness": float(np.mean([s["mean_fitness"] for s in stats])) if stats else None,
            "cache_hits": sum(s["hits"] for s in stats) / evaluations,
            "seconds": self.seconds,
            "islands": config.islands.count,
        }
        now = [f"island {k}: {s['now']}" for k, s in enumerate(stats) if s.get("now")]
        if now:
            totals["now"] = "; ".join(now)
        if config.experiments.max != 1:
            totals["experiment"] = self.experiment + 1
        if self.evolving_since is None:
            return totals
        recent = {k: done[k] - self.done_before[k] for k in done}
        recent["seconds"] = max(time.monotonic() - self.evolving_since, 1e-9)
        totals["individuals_per_second"] = recent["individuals"] / recent["seconds"]
        budget = self._limits()
        totals["nearest"] = nearest_limit(budget, {**done, "seconds": self.searched})
        for key, before in (
            *self.done_before.items(),
            ("seconds", self.searched - recent["seconds"]),
        ):
            budget[key] = budget[key] and budget[key] - before
        # A forecast from the first individuals would be wild.
        known = recent["seconds"] >= 1
        totals["seconds_left"] = seconds_left(budget, recent) if known else None
        after = self.kind.closing_seconds(recent["train_steps"], recent["seconds"])
        if after is not None and known:
            totals["seconds_after"] = after
        return totals

    def _limits(self) -> dict[str, Any]:
        """Returns what the whole run may take, None where there is no limit."""
        limits, experiments = self.config.budget.model_dump(), self.config.experiments
        for key in ("individuals", "train_steps"):
            each = getattr(experiments, key)
            if each and experiments.max:
                limits[key] = min(limits[key] or _FOREVER, each * experiments.max)
        return limits

    def _done(self) -> dict[str, int]:
        """Returns individuals and train steps of the whole run so far."""
        return {
            key: sum(part[key] for part in (*self.finished, *self.stats))
            for key in ("individuals", "train_steps")
        }

    def _checkpoint(self, states: list[dict] | None, reason: str | None = None) -> None:
        """Writes a checkpoint and the archive as it stands."""
        self.folder.checkpoints.save({
            "experiment": self.experiment,
            "finished": self.finished,
            "seconds": self.seconds,
            "search_seconds": self.searched,
            "budget": self.config.budget.model_dump(),
            "islands": states,
            "ended_states": self.ended_states if reason is not None else None,
            "reason": reason,
            "closing": self.closing,
        })  # fmt: skip
        # The archive is for onlookers until the run ends: a twentieth of the time is enough for it.
        began = time.monotonic()
        if states is not None and began >= self.next_archive:
            write_archive(self.folder.archive_path, self._archive(states, None))
            now = time.monotonic()
            self.next_archive = now + 20 * (now - began)

    def _archive(self, states: list[dict] | None, results: dict | None) -> ArchiveData:
        while len(self.archived) < len(self.finished):
            self.archived.append(_to_archive(self.finished[len(self.archived)], self.kind))
        experiments = list(self.archived)
        if states is not None:
            experiments.append(_to_archive(_experiment_of(states, None, self.kind), self.kind))
        return ArchiveData(
            seed=self.config.seed,
            config=self.folder.config_text(),
            ops=self.kind.ops(),
            zero_version=zero_version(),
            experiments=experiments,
            results=results,
            kind=self.config.genomes,
        )

    def _conclude(self, reason: str, states: list[dict] | None, reading: bool = False) -> Outcome:
        """Evaluates the best candidate for good, unless a stop was wished; writes it and the archive.

        reading: it was stopped before the data were read: the archive stays as it is.
        """
        experiments = self._experiments(states)
        best = _best_candidate(experiments, self.kind)
        totals = {k: sum(e[k] for e in experiments) for k in ("individuals", "train_steps")}
        found, results = Conclusion(None, None, {}, {}), None
        search = select = math.nan
        if best is not None:
            search, select = best[0]["fitness"], best[0]["select_fitness"]
            reason, found = self._concluded(reason, *best, experiments)
            results = {"record": best[0]["number"], "reason": reason, **totals, **found.results}
        if not reading or not self.folder.archive_path.exists():
            write_archive(self.folder.archive_path, self._archive(states, results))
        summary = {**self._totals(), **totals, "reason": reason}
        summary.pop("now", None)
        self.folder.log("finish", reason=reason, seconds=self.seconds, **totals)
        self.reporter.finish(summary)
        return Outcome(
            self.folder.path, reason, found.outcome, search, select, found.final,
            totals["individuals"], totals["train_steps"], self.seconds, found.baselines,
            self.config.genomes, found.details,
        )  # fmt: skip

    def _concluded(
        self, reason: str, record: dict[str, Any], number: int, experiments: list[dict]
    ) -> tuple[str, Conclusion]:
        """Returns why the run ended or stops, and what is known of its outcome."""
        from zero.evolution.forks import in_child

        closing = self.closing if self.closed else None
        if reason != self.stops.why:
            try:
                with self.stops.at_once():
                    # A single evaluation may take minutes: a child can be left in its middle.
                    return reason, in_child(
                        lambda: self.kind.conclude(
                            record, number, experiments, closing, self.folder
                        ),
                        patient=True,
                    )
            except Stop:
                reason = str(self.stops.why)
        return reason, self.kind.outline(record, self.folder)


_BULKY = ("records", "curve", "keepsake")


def _experiment_of(states: list[dict], reason: str | None, kind: Domain) -> dict[str, Any]:
    """Returns an experiment's records, curve and summary from its islands' states.

    reason: why it ended, None while it goes on.
    """
    from zero.evolution.population import INDIVIDUALS, TRAIN_STEPS

    records: dict[int, dict[str, Any]] = {}
    for state in states:
        for record in kind.unpack(state["records"]):
            known = records.get(record["number"])
            # An emigrant's ancestors are recorded on several islands; one knows its figures.
            if known is None or (record["is_best"], not math.isnan(record["select_fitness"])) > (
                known["is_best"],
                not math.isnan(known["select_fitness"]),
            ):
                records[record["number"]] = record
    ordered = sorted(records.values(), key=lambda r: (r["individuals"], r["island"]))
    best = -math.inf
    for record in ordered:  # best of the run, where islands each had their own
        record["is_best"] = bool(record["is_best"]) and record["fitness"] > best
        best = max(best, record["fitness"]) if record["is_best"] else best
    candidates = [s["candidate"] for s in states if s["candidate"]]
    chosen = max(
        candidates,
        key=lambda c: (_rank(c["select_fitness"]), c["search_fitness"], -c["number"]),
        default=None,
    )
    counts = [s["arrays"]["population.counts"] for s in states]
    number = int(chosen["number"]) if chosen else -1
    return {
        "records": kind.pack(ordered),
        "curve": _merged_curve([s["curve"] for s in states]),
        "reason": reason,
        "individuals": int(sum(c[INDIVIDUALS] for c in counts)),
        "train_steps": int(sum(c[TRAIN_STEPS] for c in counts)),
        "search_fitness": float(chosen["search_fitness"]) if chosen else math.nan,
        "select_fitness": float(chosen["select_fitness"]) if chosen else math.nan,
        "candidate": number,
        "keepsake": kind.keepsake(states, number),
    }


def _rank(fitness: float) -> float:
    """Returns a number to sort by: NaN last."""
    return -math.inf if math.isnan(fitness) else fitness


def _merged_curve(curves: list[np.ndarray]) -> np.ndarray:
    """Returns one curve for all islands: sums of counts, best of best, mean of mean and spread."""
    # Islands thin their curves as these grow, perhaps not all at the same moment.
    common = functools.reduce(np.intersect1d, [c[:, 0] for c in curves])
    stacked = np.stack([c[np.isin(c[:, 0], common)] for c in curves])
    merged = stacked.sum(axis=0)
    merged[:, 2] = stacked[:, :, 2].max(axis=0)
    merged[:, 3:5] = stacked[:, :, 3:5].mean(axis=0)
    return merged


def _best_candidate(experiments: list[dict], kind: Domain) -> tuple[dict[str, Any], int] | None:
    """Returns (record, experiment) of the candidate best on the select tasks; ties: the later.

    Without any candidate (stopped within the first round) it is the best on the search tasks.
    """
    best = None
    for number, experiment in enumerate(experiments):
        for record in kind.unpack(experiment["records"]):
            chosen = record["number"] == experiment["candidate"]
            if not chosen and not (experiment["candidate"] < 0 and record["is_best"]):
                continue
            rank = (chosen, _rank(record["select_fitness"] if chosen else record["fitness"]))
            if best is None or rank >= best[0]:
                best = (rank, record, number)
    return None if best is None else (best[1], best[2])


def _to_archive(experiment: dict[str, Any], kind: Domain) -> ExperimentData:
    records = kind.archived(kind.unpack(experiment["records"]))
    curve = [
        CurvePoint(int(p[0]), int(p[1]), float(p[2]), float(p[3]), float(p[4]), int(p[5]))
        for p in experiment["curve"]
    ]
    names = ("reason", "individuals", "train_steps", "search_fitness", "select_fitness")
    summary = Summary(**{k: experiment[k] for k in names}, candidate=experiment["candidate"])
    return ExperimentData(records, curve, summary)

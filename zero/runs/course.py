"""The course of a run: experiments one after another, checkpoints, what follows the search, the end.

Made by `zero.runs.run`, whose docstring says what a run is.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zero import genomes
from zero.config.load import config_to_yaml
from zero.evolution.records import RawRecord
from zero.jit import compiling
from zero.runs import budgets
from zero.runs.archive import ArchiveData, ExperimentData, write_archive
from zero.runs.curves import Part, points_of
from zero.runs.domain import Conclusion, Domain
from zero.runs.experiments import archived, best_candidate, experiment_of, merged_curve
from zero.runs.folder import zero_version
from zero.runs.reports.write import leave_report
from zero.runs.session import Session
from zero.runs.settings import BUDGETS
from zero.runs.state import Experiment, IslandState, RunState
from zero.runs.totals import SearchClock, Totals
from zero.system import usage
from zero.system.signals import Stop

SNAPSHOT_SECONDS = (
    10.0  # between states that a dead worker goes on from, where there are no checkpoints
)
# Seconds between lines of the log on how far a run has come: a thirtieth of its time, within these.
LOG_SECONDS = (2.0, 60.0)
ENOUGH = 10  # candidates that fail, after which time ends a search that has found nothing


@dataclass(frozen=True, repr=False)
class Outcome:
    """What a run found: its folder, why it ended, and the best program with its figures.

    program (for cells the genome) is None when no individual was evaluated. final is None where it was
    not evaluated, as after a stop that `resume` goes on from; for cells its fitness is the accuracy
    on the test images; individuals, train_steps and seconds are totals, seconds those of all
    processes with reading and compiling. baselines: for each shipped program in `BASELINES` (each
    published cell that the config names) its fitness on the select and on the final tasks, none
    after such a stop. kind: of genome, a name of `zero.genomes`. details: more figures by name, of
    programs: chance (search, select, final: the fitness of a predictor that looks at no feature),
    interval (95 %, of the final fitness), lasting_fitness, order_matters and departures (see
    `zero.programs.domain.ProgramsDomain.figures`).
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


class Run:
    """What one process does of a run: from a state to the end of the run or an interruption."""

    def __init__(self, domain: Domain, session: Session, state: RunState, resumed: bool = False):
        """resumed: whether the state is a checkpoint's."""
        self.domain, self.session, self.state, self.resumed = domain, session, state, resumed
        self.config: Any = domain.config
        self.reporter, self.stops, self.folder = session.reporter, session.stops, session.folder
        session.earlier_seconds = state.seconds
        domain.opened(session.folder.path, lambda: session.seconds)
        self.clock = SearchClock(state.search_seconds)
        self.tasks_of = domain.tasks_of_islands()
        self.totals = Totals(self.config, self.clock, domain.final_seconds, self.tasks_of)
        self.budget_before: dict[str, Any] | None = None  # if the config's is a larger one
        # The finished experiments, as the archive has them.
        self.archived: list[ExperimentData] = []
        self.next_archive = self.next_log = 0.0  # in `session.seconds`
        self.told = -1  # individuals at the last point of the curves that was told
        self.ended_by: str | None = None  # what ended the experiment, decided at the end of a round
        self.final_phase_done = False
        self.out_of_time = False  # the time for the search has passed

    # --- the course of a run --------------------------------------------------------------------

    def go(self) -> Outcome:
        """Runs to the end, or until it is stopped."""
        state, stops = self.state, self.stops
        with stops.listening():
            try:
                with stops.at_once(anywhere=True):
                    digest = self._read_data()
                self._record_data(digest)  # not within: a stop would come between two files
            except Stop:
                self._take_budget()
                self._begin()
                return self._conclude(str(stops.why), reading=True)
            self._take_budget()
            self._begin()
            if self.resumed and state.budget != self.config.budget.model_dump():
                budgets.reopen(state, self.domain, self.session)
            while state.reason is None:
                if state.islands is None:
                    self._checkpoint()
                if self._run_experiment():
                    self._finish_experiment()
                    continue
                # The budget of seconds ends a run for good, other interruptions do not.
                state.reason = "seconds" if self.out_of_time else None
                self._checkpoint()
                if state.reason is None:
                    return self._conclude(str(stops.why))
            if not self._final_phase():
                return self._conclude(str(stops.why))
            return self._conclude(state.reason)

    def _read_data(self) -> str:
        """Reads the data; checks them where that was not done, else that they are the same.

        Returns: their digest.

        Raises:
            ZeroError: they cannot be used, or have changed.
        """
        if "data" not in self.session.info:
            self.domain.check()
        digest = self.domain.data_digest()
        self.session.check_data("data", digest, "data", "run", "start a new run")
        return digest

    def _record_data(self, digest: str) -> None:
        """Writes what the data are to the run's folder, unless it is there."""
        session = self.session
        if "data" in session.info:
            return
        if self.domain.config != self.config:  # defaults that were cut to what the data have
            self.config = self.domain.config
            session.change_settings(config_to_yaml(self.config))
        session.info |= {"data": digest, **self.domain.data_info()}
        session.write_info()

    def _take_budget(self) -> None:
        """Writes the config's budget, if it is a larger one, to the run's folder."""
        if self.budget_before is None:
            return
        old, new, info = self.budget_before, self.config.budget.model_dump(), self.session.info
        changes = {key: [old[key], new[key]] for key in BUDGETS if old[key] != new[key]}
        info["budgets"] = [*info.get("budgets", []), changes]
        self.session.change_settings(config_to_yaml(self.config))
        words = ", ".join(f"budget.{k} {a} to {b}" for k, (a, b) in changes.items())
        self.session.message(f"the run's budget becomes larger: {words}")

    def _begin(self) -> None:
        config = self.config
        self.reporter.start({
            "name": config.name, "seed": config.seed, "islands": config.islands.count,
            "backend": config.backend, "dtype": config.dtype, "folder": str(self.folder.path),
            **self._searches(),
        })  # fmt: skip
        if not self.resumed and "data" in self.session.info:  # they are read
            for note in self.domain.notes():
                self.session.message(f"note: {note}")
        event = "resume" if self.resumed else "start"
        self.folder.log(event, seconds=self.session.earlier_seconds)

    def _searches(self) -> dict[str, str]:
        """Returns what each island searches, where they search different tasks."""
        kind = genomes.get(self.config.genomes)
        texts = kind.view.searches(kind.dump(self.config)) if len(set(self.tasks_of)) > 1 else []
        return {"searches": "; ".join(texts)} if texts else {}

    # --- an experiment --------------------------------------------------------------------------

    def _run_experiment(self) -> bool:
        """Evolves from the islands' states, or from new ones; returns whether the experiment ended."""
        from zero.evolution.workers import Islands

        state = self.state
        try:
            with self.stops.at_once(), compiling.telling(self.reporter.compiling):
                left = budgets.left(self.config, state.finished, self.config.budget.model_dump())
                islands = self.domain.islands(state.experiment, left)
                beside = self.domain.baselines(state.experiment)
                self.reporter.baselines(beside)
                self.folder.log("baselines", values=beside)
        except Stop:
            return False
        if state.islands is not None:
            # Shown from the first moment: what was reached before.
            for island, known in zip(islands, state.islands, strict=True):
                island.restore(known)
        self.totals.islands = [island.stats() for island in islands]
        self.ended_by = None
        every = self.session.checkpoint_seconds
        running = Islands(
            [_giving(island) for island in islands],
            state.islands,
            self._exchange,
            self._progress,
            self.session.message,
            self._snapshot,
            SNAPSHOT_SECONDS if every is None else every,
            self.domain.groups(),
            self._evolving,
        )
        try:
            state.islands, ended = running.run(self._search_is_over, self.stops.wanted)
            return ended
        finally:
            self.clock.stop()

    def _evolving(self) -> None:
        """Starts the clock of the search: all is compiled."""
        self.clock.start()
        self.totals.evolving(self.state.finished)

    def _search_is_over(self) -> bool:
        budget = self.config.budget.seconds
        self.out_of_time = self.out_of_time or (budget is not None and self.clock.seconds >= budget)
        if self._has_tried() and self.domain.search_ends(self.session.seconds):
            self.out_of_time = True
        return self.out_of_time or self.stops.wanted()

    def _has_tried(self) -> bool:
        """Returns whether a candidate was evaluated, or several could not be."""
        tried = self.totals.done(self.state.finished)["individuals"]
        return math.isfinite(self.totals.best_fitness()) or tried >= ENOUGH

    def _exchange(self, reports: list[dict[str, Any]]) -> list[Any] | None:
        """Returns who migrates to each island after a round, None to end the experiment.

        Depends on the reports alone: after a crash it is asked once more.
        """
        from zero.evolution.migration import distribute

        self.ended_by = budgets.end_of_experiment(self.config, reports, self.tasks_of)
        if self.ended_by is not None:
            return None
        drawn = distribute(reports, self.config.seed, self.state.experiment)
        return self.domain.answers(reports, drawn)

    def _finish_experiment(self) -> None:
        state = self.state
        assert state.islands is not None
        ended = experiment_of(state.islands, self.ended_by, self.domain)
        state.finished.append(ended)
        self.totals.experiment_ended()
        self.folder.log("experiment", **ended.summary())
        if self.config.experiments.max != 1:
            self.session.message(
                f"experiment {state.experiment + 1} ended ({ended.reason}): search fitness "
                f"{ended.search_fitness:.6f}, select fitness {ended.select_fitness:.6f}"
            )
        state.ended_islands, state.islands = state.islands, None
        state.reason = budgets.end_of_run(self.config, state.finished)
        state.experiment += 1
        if state.reason is not None:
            self._checkpoint()

    # --- telling and keeping --------------------------------------------------------------------

    def _shown(self) -> dict[str, Any]:
        return self.totals.shown(self.state.finished, self.session.seconds)

    def _progress(self, island: int, stats: dict[str, Any], best: RawRecord | None) -> None:
        self.totals.islands[island] = stats
        told = not self.tasks_of or self.tasks_of[island] == 0  # others' fitness is of other tasks
        if told and best is not None and best.fitness >= self.totals.best_fitness():
            shown = {"individual": self._shown()["individuals"], "fitness": best.fitness}
            where = {"island": island, "experiment": self.state.experiment}
            shown |= {**where, "program": self.domain.shown(best)}
            self.reporter.improvement(shown)
            seconds = self.session.seconds
            self.folder.log("improvement", **shown, id=best.number, seconds=seconds)
        self._tell(self._shown())

    def _tell(self, shown: dict[str, Any]) -> None:
        """Tells how far the run has come, and logs it now and then for who looks at its files."""
        self.reporter.update(shown)
        now = self.session.seconds
        if now >= self.next_log:
            self.folder.log("progress", **shown)
            least, most = LOG_SECONDS
            self.next_log = now + max(least, min(most, now / 30))

    def _snapshot(self, islands: list[IslandState]) -> None:
        self.state.islands = islands
        self._checkpoint()

    def _checkpoint(self) -> None:
        """Writes a checkpoint and the archive as it stands."""
        state, session = self.state, self.session
        state.seconds, state.search_seconds = session.seconds, self.clock.seconds
        state.budget = self.config.budget.model_dump()
        session.save(state.tree())
        self._tell_points()
        # The archive is for onlookers until the run ends: a twentieth of the time is enough for it.
        began = session.seconds
        if state.islands is not None and began >= self.next_archive:
            write_archive(self.folder.archive_path, self._archive(None))
            now = session.seconds
            self.next_archive = now + 20 * (now - began)

    def _tell_points(self) -> None:
        """Tells the points of the curves that were not told yet."""
        state = self.state
        parts: list[Part] = [(e.curve, e.individuals, e.train_steps) for e in state.finished]
        if state.islands is not None:
            parts.append((merged_curve([s["curve"] for s in state.islands], self.tasks_of), 0, 0))
        points = [p for p in points_of(parts) if p["individuals"] > self.told]
        if points:
            self.told = points[-1]["individuals"]
            self.reporter.points(points)

    def _experiments(self) -> list[Experiment]:
        """Returns all experiments, the one that goes on included."""
        going = self.state.islands
        return [*self.state.finished, *([experiment_of(going, None, self.domain)] if going else [])]

    def _archive(self, results: dict[str, Any] | None) -> ArchiveData:
        ended = self.state.finished
        self.archived += [archived(e, self.domain) for e in ended[len(self.archived) :]]
        going = self._experiments()[len(ended) :]
        return ArchiveData(
            seed=self.config.seed,
            config=self.folder.config_text(),
            ops=self.domain.ops(),
            zero_version=zero_version(),
            experiments=[*self.archived, *(archived(e, self.domain) for e in going)],
            results=results,
            kind=self.config.genomes,
        )

    # --- after the search -----------------------------------------------------------------------

    def _final_phase(self) -> bool:
        """Lets the kind of genome do what comes after the search; returns whether it is done."""
        state = self.state
        experiments = self._experiments()
        best = best_candidate(experiments, self.domain)
        if best is None:
            return True
        kept = experiments[best[1]].best_state

        def save(final_state: Any) -> None:
            state.final_state = final_state
            if self.session.save_is_due():
                self._checkpoint()

        def tell(text: str) -> None:
            shown = self._shown()
            for key in ("seconds_left", "seconds_after"):  # of the search, which is over
                shown.pop(key, None)
            self._tell({**shown, "now": text})

        try:
            with self.stops.at_once(), compiling.telling(self.reporter.compiling):
                state.final_state, self.final_phase_done = self.domain.final_phase(
                    best[0], state.final_state, self.stops.wanted, save, tell, kept
                )
        except Stop:
            self.final_phase_done = False
        if state.final_state is not None:
            self._checkpoint()
        return self.final_phase_done

    def _conclude(self, reason: str, reading: bool = False) -> Outcome:
        """Evaluates the best candidate for good, unless a stop was wished; writes it and the archive.

        reading: it was stopped before the data were read: the archive stays as it is.
        """
        experiments = self._experiments()
        best = best_candidate(experiments, self.domain)
        individuals = sum(e.individuals for e in experiments)
        steps = sum(e.train_steps for e in experiments)
        totals = {"individuals": individuals, "train_steps": steps}
        found, results = Conclusion(None, None, {}, {}), None
        search = select = math.nan
        if best is not None:
            search, select = best[0].fitness, best[0].select_fitness
            reason, found = self._conclusion(reason, *best, experiments)
            results = {"record": best[0].number, "reason": reason, **totals, **found.results}
        if not reading or not self.folder.archive_path.exists():
            write_archive(self.folder.archive_path, self._archive(results))
        summary = {**self._shown(), **totals, "reason": reason}
        summary.pop("now", None)
        final = math.nan if found.final is None else found.final.fitness
        figures = {"fitness": search, "select_fitness": select, "final_fitness": final}
        used = {"core_seconds": self.session.core_seconds, "peak_bytes": usage.peak_bytes()}
        seconds = self.session.seconds
        self._tell_points()
        self.folder.log("finish", reason=reason, seconds=seconds, **totals, **figures, **used)
        if self.config.report and results is not None and reason != self.stops.why:
            self._report()
        self.reporter.finish({**summary, **figures})
        return Outcome(
            self.folder.path, reason, found.outcome, search, select, found.final, individuals, steps,
            self.session.seconds, found.baselines, self.config.genomes, found.details,
        )  # fmt: skip

    def _report(self) -> None:
        """Writes the report."""
        self.reporter.update({**self._shown(), "now": "writing the report"})
        kind = genomes.get(self.config.genomes)
        leave_report(kind, self.folder.path, self.domain, self.stops, self.session.message)

    def _conclusion(
        self, reason: str, record: RawRecord, number: int, experiments: list[Experiment]
    ) -> tuple[str, Conclusion]:
        """Returns why the run ended or stops, and what is known of its outcome."""
        from zero.evolution.forks import in_child

        final_state = self.state.final_state if self.final_phase_done else None
        if reason != self.stops.why:
            try:
                with self.stops.at_once():
                    # A single evaluation may take minutes: a child can be left in its middle.
                    found: Conclusion = in_child(
                        lambda: self.domain.conclude(
                            record, number, experiments, final_state, self.folder
                        ),
                        patient=True,
                    )
                    return reason, found
            except Stop:
                reason = str(self.stops.why)
        return reason, self.domain.outline(record, self.folder)


def _giving(island: Any) -> Callable[[], Any]:
    return lambda: island

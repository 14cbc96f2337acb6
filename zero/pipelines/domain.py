"""Runs over pipelines: from a config to a table, folds, islands, and the outcome.

A run's outcome is the candidate of highest score in cross-validation; what it leaves behind, for
`zero predict` too, is that pipeline or an ensemble of the best, whichever promises more
(`zero.pipelines.last`), trained on all rows but the test rows. The final figure is its score on the test
rows, which nothing else sees.

The same config and table give the same archive, where no time is limited.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from zero.errors import ConfigError, TaskError, visible
from zero.evolution.object_island import Rules
from zero.pipelines import portfolio, saved
from zero.pipelines.config import PipelinesConfig
from zero.pipelines.evaluator import Folds, PipelineEvaluator, Rows
from zero.pipelines.facts import Facts, facts_of
from zero.pipelines.families import Family, named, suiting
from zero.pipelines.island import PipelineIsland
from zero.pipelines.last import Last
from zero.pipelines.metrics import Metric, metric_for
from zero.pipelines.predictions import Predictions
from zero.pipelines.records import PipelineRecord
from zero.pipelines.space import PipelineSpace
from zero.pipelines.view import BOARD
from zero.runs.domain import Conclusion, Score
from zero.runs.folder import RunFolder
from zero.runs.object_domain import ObjectDomain
from zero.runs.state import Experiment
from zero.system.sealed import write_sealed

ASKED_FOR = ("evolved_program",)  # families that are used only where somebody names them
MANY = 20_000  # rows from which on fewer folds do
FEWEST, A_SECOND = 5000, 1500  # rows that a search sees at least, and for each second of a run
HOUR = 3600.0
REPORT_SECONDS = 3.0  # that writing the report takes; at most a tenth of all


class PipelinesDomain(ObjectDomain):
    """What a run over pipelines is made of; see `zero.runs.domain.Domain`."""

    island, record = PipelineIsland, PipelineRecord
    config: PipelinesConfig

    def __init__(self, config: PipelinesConfig):
        self.config, self.own = config, config.pipelines
        self.folder: Path | None = None
        self.seconds: Callable[[], float] = lambda: 0.0

    def opened(self, folder: Path, seconds: Callable[[], float]) -> None:
        """Is told where the run is kept, and how long it has gone on."""
        self.folder, self.seconds = folder, seconds

    # --- data and what is made of them ------------------------------------------------------------

    @property
    def table(self) -> Any:
        """The section of the table."""
        return self.own.table

    @property
    def data(self) -> Any:
        """The table."""
        return self.table.data()

    @cached_property
    def split(self) -> tuple[np.ndarray, np.ndarray]:
        """The rows to search with, and the test rows."""
        return self.table.rows()

    @cached_property
    def rows(self) -> Rows:
        """All rows, as pipelines take them."""
        from zero.data.frame_of import frame_of

        data = self.data
        frame = frame_of(data.columns, data.kinds)
        return Rows(frame, data.y, data.weights, len(data.classes))

    @cached_property
    def sample(self) -> np.ndarray:
        """The rows that candidates see: all that are no test rows, or as many as the time is enough for."""
        from zero.data.folds import folds

        data, rows = self.data, self.split[0]
        most = self.own.rows
        if most is None and self.own.seconds is not None:
            most = max(FEWEST, round(A_SECOND * self.own.seconds))
        if most is None or len(rows) <= most or self.table.apart():
            return rows
        parts = folds(data.y[rows], len(data.classes), -(-len(rows) // most), self.config.seed)
        return rows[parts[0][1]]

    @cached_property
    def searched(self) -> Rows:
        """The rows to search with."""
        return self.rows.take(self.sample)

    @cached_property
    def whole(self) -> Rows:
        """All rows that are no test rows."""
        return (
            self.searched
            if len(self.sample) == len(self.split[0])
            else self.rows.take(self.split[0])
        )

    @cached_property
    def facts(self) -> Facts:
        """What the space depends on."""
        return facts_of(self.data, len(self.sample))

    @cached_property
    def metric(self) -> Metric:
        """What candidates are judged by."""
        return metric_for(self.own.metric, self.data.problem)

    @cached_property
    def families(self) -> list[Family]:
        """The families that are searched."""
        facts = self.facts
        width = facts.width + facts.one_hot
        if self.own.families is not None:
            found = named(self.own.families)
            serving = [f for f in found if f.learner(facts.problem) is not None]
            if not serving:
                fitting = [f.name for f in suiting(facts.problem, facts.rows, width)]
                raise ConfigError(
                    f"pipelines.families: {', '.join(self.own.families)} does not serve a target of the "
                    f"kind {facts.problem}; those that do: {', '.join(fitting)}"
                )
            found = serving
            found = list({f.name: f for f in [*named(["constant"]), *found]}.values())
        else:
            every = suiting(facts.problem, facts.rows, width)
            found = [family for family in every if family.name not in ASKED_FOR]
        if self.own.programs:
            found = [self._with_programs(f) if f.name == "program" else f for f in found]
        return found

    def _with_programs(self, family: Family) -> Family:
        from zero.pipelines.families.programs import with_programs

        return with_programs(self.programs)

    @cached_property
    def programs(self) -> dict[str, str]:
        """The texts of the user's own programs by label, from run.json if the run began earlier."""
        from zero.pipelines.families.programs import SHIPPED
        from zero.programs.find import load_program
        from zero.programs.program import format_program

        found = {}
        for name in self.own.programs:
            label = "_".join(Path(name).stem.split()) or "mine"
            if label in SHIPPED:
                label = f"my_{label}"
            while label in found:
                label += "_"
            found[label] = format_program(load_program(name))
        return found

    def info(self) -> dict[str, Any]:
        """Returns earlier runs' genomes, and the user's own programs."""
        kept = {"own_programs": self.programs} if self.own.programs else {}
        return {**super().info(), **kept}

    def recall(self, info: dict[str, Any]) -> None:
        """Takes over what `info` gave: files may be gone."""
        super().recall(info)
        if "own_programs" in info:
            self.programs = info["own_programs"]

    @cached_property
    def search_space(self) -> PipelineSpace:
        """The pipelines that a search may visit."""
        return PipelineSpace(self.facts, self.families)

    @cached_property
    def folds(self) -> Folds:
        """The rows, of those to search with, to train on and to predict, fold by fold."""
        from zero.data.folds import folds

        data, rows = self.data, self.sample
        count = self.own.folds or (5 if len(rows) < MANY else 3)
        seed, apart = self.config.seed, self.table.apart(rows)
        return folds(data.y[rows], len(data.classes), count, seed, where=data.where, **apart)

    @cached_property
    def limit(self) -> float:
        """The seconds that one candidate may take."""
        if self.own.candidate_seconds is not None:
            return self.own.candidate_seconds
        return HOUR if self.own.seconds is None else max(2.0, self.own.seconds / 4)

    @cached_property
    def evaluator(self) -> PipelineEvaluator:
        """Evaluates candidates."""
        shares = self.own.fidelity.shares if self.own.fidelity else ()
        return PipelineEvaluator(
            self.search_space, self.searched, self.folds, self.metric, shares,
            self.own.memory << 20, self.limit,
        )  # fmt: skip

    @property
    def rules(self) -> Rules:
        """What counts, and which candidates are evaluated how far."""
        parts = len(self.own.fidelity.shares) if self.own.fidelity else len(self.folds)
        halving = self.own.halving
        rungs = None if halving is None or parts < 2 else halving.rungs(parts)
        return Rules(self.own.objective, rungs)

    @property
    def predictions(self) -> Predictions | None:
        """Where the best candidates' predictions are kept."""
        return None if self.folder is None else Predictions(self.folder / "predictions")

    # --- what a run asks --------------------------------------------------------------------------

    def check(self) -> None:
        """Reads the table, and checks what depends on it."""
        data = self.data
        if len(self.split[0]) < 2:
            raise TaskError(f"{data.where}: only {len(self.split[0])} rows to search with; need 2")
        known = data.y[self.split[0]]
        if len(np.unique(known)) < 2:
            raise TaskError(
                f"{data.where}: all rows that are no test rows have the same '{visible(data.target)}'"
            )
        _ = self.metric, self.search_space, self.folds
        super().check()

    def stored(self, folder: Path) -> PipelinesDomain:
        """Returns the domain with a table in a file: one given in memory goes to the folder."""
        table = self.table.stored(folder)
        if table is self.table:
            return self
        own = self.own.model_copy(update={"table": table})
        return PipelinesDomain(self.config.model_copy(update={"pipelines": own}))

    def data_digest(self) -> str:
        """Returns a digest of the table."""
        found = hashlib.blake2b(digest_size=16)
        data = self.data
        for column in data.columns:
            found.update(f"{column.name}\0{column.form}\0".encode())
            found.update(np.ascontiguousarray(column.values).tobytes())
            found.update("\0".join(column.texts or ()).encode(errors="surrogateescape"))
        found.update(np.ascontiguousarray(data.y).tobytes())
        return found.hexdigest()

    def data_info(self) -> dict[str, Any]:
        """Returns what run.json keeps of the table."""
        data = self.data
        kinds = {kind: data.kinds.count(kind) for kind in dict.fromkeys(data.kinds)}
        return {
            "table": {
                "where": data.where, "target": data.target, "problem": data.problem,
                "classes": list(data.classes), "rows": len(self.split[0]),
                "test_rows": len(self.split[1]), "columns": kinds, "metric": self.metric.name,
                "folds": len(self.folds), "decimal": data.decimal, "facts": self.facts.tree(),
                "special": {key: column.name for key, column in data.special.items()},
                "dates": {c.name: c.form for c in [*data.columns, *data.special.values()] if c.form},
            }
        }  # fmt: skip

    def notes(self) -> list[str]:
        """Returns what a person should know of the table."""
        from zero.data.leaks import leaks

        data = self.data
        found = [*data.notes, *leaks(data)]
        if len(self.sample) < len(self.split[0]):
            found.append(
                f"{data.where}: the search sees {len(self.sample):,} of {len(self.split[0]):,} rows, as many "
                "as the time is enough for (pipelines.rows)"
            )
        if not len(self.split[1]):
            found.append(
                f"{data.where}: no test rows are kept apart; figures are of validation alone"
            )
        unweighted = [f.name for f in self.families if not f.weighted]
        if data.weights is not None and unweighted:
            found.append(
                f"{data.where}: weights are not heeded in training: {', '.join(unweighted)}"
            )
        return found

    def baselines(self, experiment: int) -> dict[str, float]:
        """Returns nothing: what people compare with is among the candidates."""
        return {}

    def islands(self, experiment: int, budget: dict[str, int]) -> list[Any]:
        """Returns the islands of an experiment, each with its share of the portfolio."""
        space, own = self.search_space, self.own
        first = portfolio.portfolio(space) if own.portfolio else portfolio.first_answer(space)
        self._import()
        islands = super().islands(experiment, budget)
        count = len(islands)
        for k, island in enumerate(islands):
            island.starts = [*island.starts, *first[k::count]]
            island.predictions = self.predictions
        return islands

    def _import(self) -> None:
        """Imports here what every process would else import for itself; what takes long is left to them."""
        from zero.pipelines.build import build

        for family in self.families:
            if family.warm_up is None and family.package is None:
                build(self.search_space, self.search_space.usual(family.name), 0)

    @property
    def total_seconds(self) -> float | None:
        """The seconds that there are for all but the report."""
        total = self.own.seconds
        if total is None or not self.config.report:
            return total
        return total - min(REPORT_SECONDS, 0.1 * total)

    def search_ends(self, seconds: float) -> bool:
        """Returns whether what follows the search must begin, for the run to end in time."""
        total = self.total_seconds
        if total is not None:  # asked by a process that only waits, while others search
            saved.warm_up()
        return total is not None and seconds >= total - reserve(total)

    def final_seconds(self, steps: int, seconds: float) -> float | None:
        """Returns about how long the last trainings will take."""
        total = self.total_seconds
        return None if total is None else reserve(total)

    # --- the end ----------------------------------------------------------------------------------

    @cached_property
    def last(self) -> Last:
        """What follows the search."""
        assert self.folder is not None
        return Last(self)

    def final_phase(
        self,
        best: Any,
        state: Any,
        should_stop: Callable[[], bool],
        save: Callable[[Any], None],
        tell: Callable[[str], None],
        kept: Any = None,
    ) -> tuple[Any, bool]:
        """Chooses an ensemble, and trains what is kept of the run."""
        return self.last.go(best, state, should_stop, save, tell)

    def conclude(
        self,
        best: Any,
        number: int,
        experiments: Sequence[Experiment],
        final_state: Any,
        folder: RunFolder,
    ) -> Conclusion:
        """Writes the leaderboard, best.txt and the model's description."""
        known = self.outline(best, folder)
        board = self.last.board(best, experiments, final_state)
        write_sealed(folder.path / BOARD, board.tree(), indent=1)
        final = board.final
        results = {**known.results}
        if not math.isnan(final):
            results["final"] = {"fitness": final}
        details = {**known.details, "board": board.tree(), "metric": self.metric.name}
        return Conclusion(
            known.outcome, None if math.isnan(final) else Score(final), {}, results, details
        )


def reserve(seconds: float) -> float:
    """Returns the part of a run's seconds that is left to what follows the search."""
    return min(max(0.15 * seconds, min(1.5, 0.4 * seconds)), 90.0)

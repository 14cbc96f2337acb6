"""An island of pipelines: what it keeps beside the records."""

from __future__ import annotations

from typing import Any, ClassVar

from zero.errors import ZeroError
from zero.evolution.object_island import ObjectIsland
from zero.pipelines.predictions import MOST, Predictions
from zero.pipelines.records import RawPipeline


class PipelineIsland(ObjectIsland):
    """See `zero.evolution.object_island.ObjectIsland`.

    predictions: where those of its best candidates are kept; None: nowhere.
    """

    record_type: ClassVar[type[Any]] = RawPipeline
    section: ClassVar[str] = "pipelines"
    unusable: ClassVar[tuple[type[ZeroError], ...]] = (ZeroError,)
    predictions: Predictions | None = None

    def _before(self, genome: Any, record: Any) -> None:
        usual = self.space.usual(self.space.family(genome).name)
        record.decisions = len(set(genome) - set(usual))

    def _finished(self, trial: Any, record: Any) -> None:
        if self.predictions is None or trial.epochs < trial.all_epochs:
            return
        better = sorted(
            (r for r in self.records.values() if r.island == self.index and not r.reason),
            key=lambda r: (-r.fitness, r.number),
        )
        keys = list(dict.fromkeys(r.key for r in better))
        if len(keys) < MOST or record.fitness > better[-1].fitness:
            self.predictions.keep(record, trial.predictions, trial.seconds)
            for key in keys[MOST - 1 :]:
                self.predictions.drop(key)

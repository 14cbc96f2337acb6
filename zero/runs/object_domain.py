"""Runs over genomes that are Python objects whose evaluation is slow: what they all have in common.

A kind of genome gives a space (`zero.search.protocol.Space`), an evaluator
(`zero.evolution.object_island.ObjectEvaluator`) and, if it wants one, a final figure; `ObjectDomain` has
the islands, the records, and the end of the run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any, ClassVar

import numpy as np

from zero.evolution.object_island import ObjectIsland, Rules
from zero.evolution.object_records import pack_records, unpack_records
from zero.runs.domain import Conclusion, Domain, Score
from zero.runs.folder import RunFolder
from zero.runs.records import BaseRecord
from zero.runs.state import Experiment


class ObjectDomain(Domain):
    """See the module's docstring.

    island: the class of islands. record: of the archive's records, whose fields the island's have.
    """

    island: ClassVar[type[ObjectIsland]] = ObjectIsland
    record: ClassVar[type[BaseRecord]] = BaseRecord

    @property
    def search_space(self) -> Any:
        """The genomes that a search may visit."""
        raise NotImplementedError

    @property
    def evaluator(self) -> Any:
        """What evaluates candidates."""
        raise NotImplementedError

    @property
    def rules(self) -> Rules:
        """What counts, and which candidates are evaluated how far."""
        return Rules()

    def final(self, genome: Any) -> float | None:
        """Returns the final figure of a run's outcome, None if there is none."""
        return None

    # --- what a run asks ------------------------------------------------------------------------

    def check(self) -> None:
        """Has nothing to check where a kind says nothing else."""

    def data_digest(self) -> str:
        """Returns the digest of no data."""
        return ""

    def islands(self, experiment: int, budget: dict[str, int]) -> list[Any]:
        """Returns the islands of an experiment."""
        config = self.config
        islands = [
            self.island(
                self.search_space, self.evaluator, config.search, self.rules, config.seed, experiment, k,
                config.islands.count, self.limits(budget, k), config.islands.migrants,
            )
            for k in range(config.islands.count)
        ]  # fmt: skip
        self._warm_up()
        return islands

    def _warm_up(self) -> None:
        """Compiles what islands use; what is compiled in a process is there in those it forks."""
        from zero.evolution.population import collect, new_population, new_record
        from zero.rng.splitmix import below, new_state, unit

        population, rng = new_population(2), new_state(0, "warm up")
        collect(population)
        new_record(population)
        unit(rng)
        below(rng, 2)

    def answers(self, reports: list[dict[str, Any]], drawn: list[np.ndarray]) -> list[Any]:
        """Returns the records of the individuals that each island receives."""
        return [
            [reports[sender]["emigrants"][place] for sender, place in pairs.tolist()]
            for pairs in drawn
        ]

    def pack(self, records: list[Any]) -> dict[str, Any]:
        """Returns raw records as columns."""
        return pack_records(records)

    def unpack(self, columns: dict[str, Any]) -> list[Any]:
        """Returns the raw records that `pack` was given."""
        return unpack_records(self.island.record_type, columns)

    def archived(self, raw: list[Any]) -> list[Any]:
        """Returns an experiment's candidates as the archive has them."""
        names = [f.name for f in fields(self.record) if f.name != "id"]
        return [self.record(id=r.number, **{n: getattr(r, n) for n in names}) for r in raw]

    def shown(self, record: Any) -> str:
        """Returns a raw record's genome as text for people."""
        return record.text

    def outline(self, best: Any, folder: RunFolder) -> Conclusion:
        """Returns the genome with the figures of the search; writes best.txt."""
        folder.write_best(f"{best.text}\n")
        part = {"fitness": best.fitness}
        results = {"genome": best.text, "search": part, "select": part, "final": None}
        genome = self.search_space.parse(best.text)
        return Conclusion(genome, None, {}, results, {"text": best.text})

    def conclude(
        self,
        best: Any,
        number: int,
        experiments: Sequence[Experiment],
        final_state: Any,
        folder: RunFolder,
    ) -> Conclusion:
        """Takes the final figure; writes best.txt."""
        known = self.outline(best, folder)
        final = self.final(known.outcome)
        if final is None:
            return known
        results = {**known.results, "final": {"fitness": final}}
        return Conclusion(known.outcome, Score(final), {}, results, known.details)

"""Runs over genomes that are Python objects whose evaluation is slow: what they all have in common.

A kind of genome gives a space (`zero.search.protocol.Space`), an evaluator
(`zero.evolution.object_island.ObjectEvaluator`) and, if it wants one, a final figure; `ObjectDomain` has
the islands, the records, and the end of the run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from zero.errors import ConfigError, ZeroError
from zero.evolution.object_island import ObjectIsland, Rules
from zero.evolution.object_records import pack_records, unpack_records
from zero.runs.domain import Conclusion, Domain, Score
from zero.runs.folder import RunFolder
from zero.runs.records import BaseRecord
from zero.runs.starts import Start, read_starts
from zero.runs.state import Experiment
from zero.search.decisions import checked


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

    # --- earlier runs that it starts from -------------------------------------------------------

    @property
    def genomes_wanted(self) -> str:
        """What genomes a run must be over to be started from, in words."""
        return self.config.genomes

    def adopted(self, text: str) -> Any:
        """Returns the genome of an earlier run's text as one of this run's space.

        Raises:
            ZeroError: it is none.
        """
        space = self.search_space
        genome = space.parse(text)
        if hasattr(space, "choices"):
            checked(space.choices, space.decisions_of(genome))
        return genome

    @cached_property
    def starts(self) -> list[Start]:
        """The earlier runs' genomes; a run that began earlier has them from its run.json."""
        search = self.config.search
        names = getattr(search, "start_from", ())
        if not names:
            return []
        wanted = self.genomes_wanted
        found = read_starts(names, search.start_from_count, self.config.genomes, wanted)
        for start in found:
            try:
                self.adopted(start.text)
            except ZeroError as error:
                raise ConfigError(
                    f"search.start_from: {start} is no genome of this run's space ({error}); "
                    f"start_from needs a run over {wanted}"
                ) from None
        return found

    def info(self) -> dict[str, Any]:
        """Returns the earlier runs' genomes."""
        return {"start_from": [vars(start) for start in self.starts]} if self.starts else {}

    def recall(self, info: dict[str, Any]) -> None:
        """Takes over the earlier runs' genomes: the runs may be gone."""
        self.starts = [Start(**kept) for kept in info.get("start_from", [])]

    # --- what a run asks ------------------------------------------------------------------------

    def check_code(self) -> None:
        """Reads the earlier runs."""
        _ = self.starts

    def check(self) -> None:
        """Has nothing else to check where a kind says nothing else."""
        self.check_code()

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
        genomes = [self.adopted(start.text) for start in self.starts]
        for k, island in enumerate(islands):  # dealt out, the best to the first
            island.starts = genomes[k :: len(islands)]
        self._warm_up()
        return islands

    def _warm_up(self) -> None:
        """Compiles what islands use; what is compiled in a process is there in those it forks."""
        from zero.rng.splitmix import below, new_state, unit

        rng = new_state(0, "warm up")
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

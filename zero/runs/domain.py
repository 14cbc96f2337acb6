"""What a run over genomes of some kind is made of: data, evaluators, islands, and the end.

A run (`zero.runs.course`) knows islands, budgets, checkpoints and an archive; everything that depends on
what a genome is goes through one `Domain`, which the kind (`zero.runs.kind`) makes for it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zero.config.sections import RunConfig
from zero.runs.folder import RunFolder
from zero.runs.state import Experiment, IslandState
from zero.system.trees import Tree

if TYPE_CHECKING:
    from zero.evolution.island import Limits


@dataclass(frozen=True)
class Conclusion:
    """What a kind of genome knows of a run's outcome.

    outcome: the program or genome. final: its final evaluation (with a `fitness`), None without one.
    baselines: name -> (select fitness, final fitness) of what it is set beside. results: for the
    archive, all but what a run adds. details: more figures for people, by name.
    """

    outcome: Any
    final: Any
    baselines: dict[str, tuple[float, float]]
    results: dict[str, Any]
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Score:
    """A final figure."""

    fitness: float


class Domain:
    """See the module's docstring; `config` is the run's.

    It has raw records of a class of its own, which it packs for checkpoints.
    """

    config: RunConfig

    def info(self) -> dict[str, Any]:
        """Returns what run.json keeps, beside the config, for `Kind.resumed`."""
        return {}

    def recall(self, info: dict[str, Any]) -> None:
        """Takes over what `info` gave when the run began."""

    def opened(self, folder: Path, seconds: Callable[[], float]) -> None:
        """Is told where the run is kept, and what gives the seconds that it has gone on, resumed or not."""

    def search_ends(self, seconds: float) -> bool:
        """Returns whether the search must end, for what follows to be done in the time that there is.

        seconds: that the run has gone on.
        """
        return False

    def check_code(self) -> None:
        """Tries the user's own code where that takes no data; raises a ZeroError."""

    def check(self) -> None:
        """Checks what only the data can tell, and the user's code; raises a ZeroError.

        May change defaults in `config`.
        """
        raise NotImplementedError

    def data_info(self) -> dict[str, Any]:
        """Returns what run.json keeps of the data, so that nobody needs to read them again."""
        return {}

    def notes(self) -> list[str]:
        """Returns what a person should know of the data, a line each."""
        return []

    def check_device(self) -> None:
        """Raises DeviceError if the config's backend cannot be used on this machine."""

    def stored(self, folder: Path) -> Domain:
        """Returns the domain with all data in files: those given as arrays go to the folder."""
        return self

    def data_digest(self) -> str:
        """Returns a digest of the run's data: a resumed run must find the same."""
        raise NotImplementedError

    def baselines(self, experiment: int) -> dict[str, float]:
        """Returns the search fitness of what people may compare with, by name; only to be shown."""
        return {}

    def shown(self, record: Any) -> str:
        """Returns a raw record's genome as text for people."""
        raise NotImplementedError

    def islands(self, experiment: int, budget: dict[str, int]) -> list[Any]:
        """Returns the islands of an experiment.

        budget: what the run has left for it: individuals, train_steps (all islands together).
        """
        raise NotImplementedError

    def groups(self) -> list[list[int]] | None:
        """Returns which islands share a process; None: each has its own."""
        return None

    def tasks_of_islands(self) -> list[int]:
        """Returns which of the run's search tasks each island has, by number; none where all have the same.

        Fitness can be compared among those of one number only; the run's own figures are of number 0.
        """
        return []

    def limits(self, budget: dict[str, int], index: int) -> Limits:
        """Returns when an island ends its experiment: its share of the budget, and the rest."""
        from zero.evolution.island import NEVER, Limits

        config, count = self.config, self.config.islands.count

        def share(total: int) -> int:
            return NEVER if total >= NEVER else total // count + (index < total % count)

        return Limits(
            individuals=share(budget["individuals"]),
            train_steps=share(budget["train_steps"]),
            # Several islands' patience is that of all together: see `zero.runs.budgets`.
            patience=config.budget.patience or NEVER if count == 1 else NEVER,
            fitness=config.budget.fitness or math.inf,
            round=config.islands.migrate_every,
        )

    def answers(self, reports: list[dict[str, Any]], drawn: list[np.ndarray]) -> list[Any]:
        """Returns what each island receives; drawn: as `zero.evolution.migration.distribute` returns it."""
        raise NotImplementedError

    def pack(self, records: list[Any]) -> Tree:
        """Returns raw records as columns, which are quicker to store."""
        raise NotImplementedError

    def unpack(self, columns: Tree) -> list[Any]:
        """Returns the raw records that `pack` was given."""
        raise NotImplementedError

    def best_state(self, states: Sequence[IslandState], candidate: int) -> Any:
        """Returns what is kept of a candidate beside its record, from islands' states; a tree or None.

        candidate: number of the experiment's best individual, -1 = none.
        """
        return None

    def ops(self) -> list[str]:
        """Returns the names of the ops that the archive's codes stand for."""
        return []

    def archived(self, raw: list[Any]) -> list[Any]:
        """Returns an experiment's records as the archive has them."""
        raise NotImplementedError

    def final_seconds(self, steps: int, seconds: float) -> float | None:
        """Returns about how long `final_phase` will take, None where there is nothing to do or to go by.

        steps: train steps of the search so far; seconds: that they took.
        """
        return None

    def final_phase(
        self,
        best: Any,
        state: Any,
        should_stop: Callable[[], bool],
        save: Callable[[Any], None],
        tell: Callable[[str], None],
        kept: Any = None,
    ) -> tuple[Any, bool]:
        """Does what a search's outcome needs before its final figure; may take long.

        Args:
            best: the raw record.
            state: what `save` got in an earlier process, None at first.
            should_stop: asked now and then.
            save: keeps a state to go on from; called now and then.
            tell: shows people what is being done.
            kept: what `best_state` gave of the candidate.

        Returns:
            The state, and whether it is done.
        """
        return state, True

    def reopened(self, state: Any) -> Any:
        """Returns what of `final_phase`'s state still holds if a larger budget lets the search go on."""
        return None

    def outline(self, best: Any, folder: RunFolder) -> Conclusion:
        """Returns what is known of a run's outcome without evaluating anything; writes it.

        For a stop: `resume` goes on. best, folder: as for `conclude`.
        """
        raise NotImplementedError

    def conclude(
        self,
        best: Any,
        number: int,
        experiments: Sequence[Experiment],
        final_state: Any,
        folder: RunFolder,
    ) -> Conclusion:
        """Evaluates a run's outcome and writes it to the folder.

        Args:
            best: the raw record.
            number: of its experiment.
            experiments: all of them.
            final_state: that `final_phase` returned once it was done, else None.
            folder: of the run.
        """
        raise NotImplementedError

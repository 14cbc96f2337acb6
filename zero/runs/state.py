"""Where a run stands: its experiments so far and the states of its islands, as checkpoints hold them."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from zero.system.trees import Tree

IslandState = dict[str, Any]  # as an island's `state` returns it

# What a checkpoint calls a field, where that is not its name: so it was called when checkpoints began,
# and those of all versions are read.
_KEYS = {
    "best_state": "keepsake",
    "final_state": "closing",
    "ended_islands": "ended_states",
}


@dataclass
class Experiment:
    """An experiment, ended or going on.

    records: as `zero.runs.domain.Domain.pack` returns them. curve: (points, 6) float64, the columns of
    `zero.evolution.island`. reason: why it ended, None while it goes on. search_fitness, select_fitness:
    of the candidate, NaN without one. candidate: number of its record, -1 = none. best_state: what the
    kind of genome keeps of the candidate beside its record (`Domain.best_state`).
    """

    records: Tree
    curve: np.ndarray
    reason: str | None
    individuals: int
    train_steps: int
    search_fitness: float
    select_fitness: float
    candidate: int
    best_state: Any = None

    def summary(self) -> dict[str, Any]:
        """Returns all but what is large: the fields of `zero.runs.archive.Summary`."""
        large = ("records", "curve", "best_state")
        return {name: value for name, value in vars(self).items() if name not in large}

    def tree(self) -> Tree:
        """Returns it as checkpoints hold it."""
        return _tree(self)

    @classmethod
    def from_tree(cls, tree: Tree) -> Experiment:
        """Returns the experiment that `tree` gave."""
        return cls(**_values(cls, tree))


@dataclass
class RunState:
    """All that a run needs to go on exactly.

    experiment: number of the one that goes on or is next. finished: those that ended. seconds: that the
    run has taken; search_seconds: that it has searched. budget: the config's at that time. islands: of
    the experiment that goes on, None where the next one has not begun. ended_islands: of the last
    experiment, kept where the run is over, for a larger budget. reason: why the search is over, None
    while it goes on. final_state: of what follows the search (`Domain.final_phase`).
    """

    experiment: int = 0
    finished: list[Experiment] = field(default_factory=list)
    seconds: float = 0.0
    search_seconds: float = 0.0
    budget: dict[str, Any] = field(default_factory=dict)
    islands: list[IslandState] | None = None
    ended_islands: list[IslandState] | None = None
    reason: str | None = None
    final_state: Any = None

    def tree(self) -> Tree:
        """Returns it as checkpoints hold it."""
        tree = _tree(self)
        tree["finished"] = [experiment.tree() for experiment in self.finished]
        if self.reason is None:
            tree[_KEYS["ended_islands"]] = None
        return tree

    @classmethod
    def from_tree(cls, tree: Tree, budget: dict[str, Any]) -> RunState:
        """Returns the state that `tree` gave; budget: the config's, for versions that kept none."""
        values = {"search_seconds": tree["seconds"], **_values(cls, tree)}
        values["finished"] = [Experiment.from_tree(part) for part in tree["finished"]]
        values["budget"] = values.get("budget") or budget
        return cls(**values)


def _tree(part: Experiment | RunState) -> Tree:
    return {_KEYS.get(name, name): value for name, value in vars(part).items()}


def _values(cls: type, tree: Tree) -> dict[str, Any]:
    """Returns a class's fields by name, as far as a tree has them: older versions lack some."""
    names = {_KEYS.get(f.name, f.name): f.name for f in fields(cls)}
    return {name: tree[key] for key, name in names.items() if key in tree}

"""When experiments and runs end, and how a run goes on that is given a larger budget.

A budget is a dict of the config's section: individuals, train_steps, seconds, fitness, patience, each
None where there is no limit. Islands share a budget of individuals or train steps, and experiments do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from zero.errors import ArchiveError
from zero.runs.domain import Domain
from zero.runs.session import Session
from zero.runs.state import Experiment, IslandState, RunState

FOREVER = int(np.iinfo(np.int64).max)
COUNTED = ("individuals", "train_steps")  # what a run counts, over its experiments


def left(config: Any, finished: Sequence[Experiment], budget: dict[str, Any]) -> dict[str, int]:
    """Returns what a budget and that of one experiment leave for the next one, by `COUNTED`."""
    found = {}
    for key in COUNTED:
        used = sum(getattr(experiment, key) for experiment in finished)
        total = budget.get(key)
        whole = FOREVER if total is None else max(0, total - used)
        found[key] = min(whole, getattr(config.experiments, key) or FOREVER)
    return found


def whole_limits(config: Any) -> dict[str, Any]:
    """Returns what a whole run may take, None where there is no limit."""
    limits: dict[str, Any] = config.budget.model_dump()
    for key in COUNTED:
        each = getattr(config.experiments, key)
        if each and config.experiments.max:
            limits[key] = min(limits[key] or FOREVER, each * config.experiments.max)
    return limits


def end_of_experiment(
    config: Any, reports: Sequence[dict[str, Any]], tasks_of: Sequence[int] = ()
) -> str | None:
    """Returns why an experiment ends after a round, None if it goes on.

    reports: of all islands. tasks_of: as `zero.runs.domain.Domain.tasks_of_islands` returns it; patience is
    over when it is with all tasks.
    """
    reasons: list[str | None] = [r["reason"] for r in reports]
    if "fitness" in reasons:
        return "fitness"
    wanted = config.experiments.sufficient_fitness
    found = [r["candidate"]["select_fitness"] for r in reports if r["candidate"]]
    if wanted is not None and any(f >= wanted for f in found):
        return "sufficient_fitness"
    # An island that has used up its share of a budget waits until all have.
    if all(reasons):
        return reasons[0]
    if len(reports) > 1 and config.budget.patience:
        # Islands keep step: so many individuals of each since the best one was found.
        of = tasks_of or [0] * len(reports)
        groups = [[r for r, k in zip(reports, of, strict=True) if k == one] for one in set(of)]
        unimproved = min(_unimproved(group) for group in groups)
        if unimproved * len(reports) >= config.budget.patience:
            return "patience"
    return None


def _unimproved(reports: Sequence[dict[str, Any]]) -> int:
    """Returns how many individuals the island made since it found what is the best of all."""
    best = max(r["best_fitness"] for r in reports)
    return max(int(r["unimproved"]) for r in reports if r["best_fitness"] == best)


def end_of_run(config: Any, finished: Sequence[Experiment]) -> str | None:
    """Returns why a run is over after its last experiment, None if another one follows."""
    budget, experiments, last = config.budget, config.experiments, finished[-1]
    enough = experiments.sufficient_fitness
    if enough is not None and last.select_fitness >= enough:
        return "sufficient_fitness"
    if last.reason in ("fitness", "patience", "exhausted"):
        return last.reason
    for key in COUNTED:
        total = getattr(budget, key)
        if total is not None and sum(getattr(e, key) for e in finished) >= total:
            return key
    if experiments.max and len(finished) >= experiments.max:
        return last.reason if experiments.max == 1 else "experiments"
    return None


# --- a larger budget ------------------------------------------------------------------------------


def reopen(state: RunState, domain: Domain, session: Session) -> None:
    """Changes the state of a checkpoint so that the run ends with the config's budget.

    That is larger than the state's. Says whether it changes anything, and whether the run goes on
    exactly as if the larger budget had been given at first.

    Raises:
        ArchiveError: the checkpoint lacks what that needs.
    """
    from zero.evolution.island import reopened

    config, old, exact = domain.config, state.budget, True
    new = config.budget.model_dump()
    was_over = state.reason is not None
    if state.reason == "seconds" and old.get("seconds") != new["seconds"]:
        state.reason = None
    elif was_over and state.islands is None:
        if _was_cut(config, state.finished, old, new):
            if state.ended_islands is None:
                raise ArchiveError(
                    f"{session.folder.path}: an older zero ended this run and kept nothing to go on "
                    "from; start a new one with a larger budget"
                )
            state.islands, state.reason = state.ended_islands, None
            state.finished.pop()
            state.experiment -= 1
        else:
            state.reason = end_of_run(config, state.finished)
    if state.reason is not None:
        session.message(f"the larger budget changes nothing: the run had ended by {state.reason}")
        return
    if state.islands is not None:
        state.islands, exact = reopened(state.islands)
        exact = exact and not _was_drained(domain, state.finished, state.islands, old)
    if was_over:
        state.final_state = domain.reopened(state.final_state)
        state.ended_islands = None
    if not exact:
        session.message(
            "it goes on, but not exactly as if the larger budget had been given at first"
        )
        session.info["budgets_not_exact"] = True
        session.write_info()


def _was_cut(
    config: Any, finished: Sequence[Experiment], old: dict[str, Any], new: dict[str, Any]
) -> bool:
    """Returns whether the old budget, not the new one, ended the last experiment."""
    key = finished[-1].reason
    if key in ("fitness", "patience"):
        return bool(old.get(key) != new[key])
    if key not in COUNTED:
        return False
    before = finished[:-1]
    return left(config, before, old)[key] != left(config, before, new)[key]


def _was_drained(
    domain: Domain,
    finished: Sequence[Experiment],
    states: Sequence[IslandState],
    old: dict[str, Any],
) -> bool:
    """Returns whether the old budget had kept a pipeline of batches from being filled."""
    from zero.evolution.population import INDIVIDUALS

    if (getattr(domain.config.search, "batch", 1) or 1) == 1:
        return False
    allowed = left(domain.config, finished, old)
    limits = [domain.limits(allowed, k) for k in range(len(states))]
    return any(
        state["arrays"]["population.counts"][INDIVIDUALS] % limit.round
        and limit.individuals < (state["round"] + 1) * limit.round
        for state, limit in zip(states, limits, strict=True)
    )

"""What a run makes of its islands' states: experiments, and the candidate that is its outcome."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import numpy as np

from zero.evolution.records import RawRecord
from zero.runs.archive import CurvePoint, ExperimentData, Summary
from zero.runs.domain import Domain
from zero.runs.state import Experiment, IslandState


def experiment_of(states: Sequence[IslandState], reason: str | None, domain: Domain) -> Experiment:
    """Returns an experiment's records, curve and summary from its islands' states.

    reason: why it ended, None while it goes on.
    """
    from zero.evolution.population import INDIVIDUALS, TRAIN_STEPS

    tasks_of = domain.tasks_of_islands() or [0] * len(states)
    candidates = [
        (s["candidate"], k) for s, k in zip(states, tasks_of, strict=True) if s["candidate"]
    ]
    chosen, chosen_on = max(
        candidates,
        key=lambda c: (_rank(c[0]["select_fitness"]), c[0]["search_fitness"], -c[0]["number"]),
        default=(None, 0),
    )
    records: dict[int, RawRecord] = {}
    known: dict[int, tuple[bool, ...]] = {}  # how much the one in `records` knows, to compare
    of_first: set[int] = set()  # those whose fitness is of the first tasks
    for state, tasks in zip(states, tasks_of, strict=True):
        for record in domain.unpack(state["records"]):
            number = record.number
            # An emigrant's ancestors are recorded on several islands; one knows its figures. Where islands
            # have other tasks, the outcome's are those it was chosen with.
            outcomes = chosen is not None and number == chosen["number"] and tasks == chosen_on
            knows = (outcomes, tasks == 0 and bool(record.is_best), *_known_of(record))
            if number not in known or knows > known[number]:
                records[number], known[number] = record, knows
                (of_first.add if tasks == 0 else of_first.discard)(number)
    ordered = sorted(records.values(), key=lambda r: (r.individuals, r.island))
    best = -math.inf
    for record in ordered:  # best of the run, where islands each had their own
        counts_here = bool(record.is_best) and record.number in of_first
        record.is_best = counts_here and record.fitness > best
        best = max(best, record.fitness) if record.is_best else best
    counts = [s["arrays"]["population.counts"] for s in states]
    number = int(chosen["number"]) if chosen else -1
    return Experiment(
        records=domain.pack(ordered),
        curve=merged_curve([s["curve"] for s in states], tasks_of),
        reason=reason,
        individuals=int(sum(c[INDIVIDUALS] for c in counts)),
        train_steps=int(sum(c[TRAIN_STEPS] for c in counts)),
        search_fitness=float(chosen["search_fitness"]) if chosen else math.nan,
        select_fitness=float(chosen["select_fitness"]) if chosen else math.nan,
        candidate=number,
        best_state=domain.best_state(states, number),
    )


def _known_of(record: RawRecord) -> tuple[bool, bool]:
    """Returns how much is known of a record's individual, to sort by."""
    return record.is_best, not math.isnan(record.select_fitness)


def _rank(fitness: float) -> float:
    """Returns a number to sort by: NaN last."""
    return -math.inf if math.isnan(fitness) else fitness


def merged_curve(curves: Sequence[np.ndarray], tasks_of: Sequence[int] = ()) -> np.ndarray:
    """Returns one curve for all islands: sums of counts, best of best, mean of mean and spread.

    tasks_of: as `Domain.tasks_of_islands` returns it; fitness is of the islands with tasks 0.
    """
    # Islands thin their curves as these grow, perhaps not all at the same moment.
    common = functools.reduce(np.intersect1d, [c[:, 0] for c in curves])
    stacked = np.stack([c[np.isin(c[:, 0], common)] for c in curves])
    merged: np.ndarray = stacked.sum(axis=0)
    first = stacked[[k == 0 for k in tasks_of]] if tasks_of else stacked
    merged[:, 2] = first[:, :, 2].max(axis=0)
    merged[:, 3:5] = first[:, :, 3:5].mean(axis=0)
    return merged


def best_candidate(
    experiments: Sequence[Experiment], domain: Domain
) -> tuple[RawRecord, int] | None:
    """Returns (record, experiment) of the candidate best on the select tasks; ties: the later.

    Without any candidate (stopped within the first round) it is the best on the search tasks; None
    without that.
    """
    best: tuple[tuple[bool, float], RawRecord, int] | None = None
    for number, experiment in enumerate(experiments):
        for record in domain.unpack(experiment.records):
            chosen = record.number == experiment.candidate
            if not chosen and not (experiment.candidate < 0 and record.is_best):
                continue
            rank = (chosen, _rank(record.select_fitness if chosen else record.fitness))
            if best is None or rank >= best[0]:
                best = (rank, record, number)
    return None if best is None else (best[1], best[2])


def archived(experiment: Experiment, domain: Domain) -> ExperimentData:
    """Returns an experiment as the archive has it."""
    curve = [
        CurvePoint(int(p[0]), int(p[1]), float(p[2]), float(p[3]), float(p[4]), int(p[5]))
        for p in experiment.curve
    ]
    records = domain.archived(domain.unpack(experiment.records))
    return ExperimentData(records, curve, Summary(**experiment.summary()))

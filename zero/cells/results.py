"""What an archive keeps of a run over cells beside its candidates; called by `zero.cells.domain`."""

from __future__ import annotations

from typing import Any

import numpy as np

from zero.cells.config import Cells
from zero.cells.raw_records import RawCell
from zero.data.images import ImageData
from zero.evolution.objective import Objective
from zero.search.pareto import hypervolume, pareto_front
from zero.search.protocol import AT_RANDOM


def random_sampling(records: list[RawCell], objective: Objective) -> dict[str, Any]:
    """Returns how good random candidates are: number, mean and spread of their accuracies.

    metric: which accuracy that is; the balanced one is known where it alone is the fitness.
    """
    balanced = objective.metric != "accuracy" and objective.kind != "mnasnet"
    column, metric = ("fitness", objective.metric) if balanced else ("accuracy", "accuracy")
    drawn = (r for r in records if r.parent < 0 and r.mutation in AT_RANDOM)
    found = [getattr(r, column) for r in drawn if r.reason == ""]
    values = np.array(found, dtype=np.float64)
    mean, std = (float(values.mean()), float(values.std())) if len(values) else (0.0, 0.0)
    return {"count": len(values), "mean": mean, "std": std, "metric": metric}


def plain(data: ImageData) -> dict[str, Any]:
    """Returns the images' summary as archives keep it."""
    summary = data.summary()
    counts = {part: np.array(n, dtype=np.int64) for part, n in summary["counts"].items()}
    return {**summary, "counts": counts}


def front_of(records: list[RawCell], cells: Cells) -> dict[str, Any]:
    """Returns the candidates that no other dominates, and the volume of what they dominate.

    front: their ids, cheapest first, int64 (n,). hypervolume: as a share of the box between accuracy 0
    and 1 and costs of 0 and `hypervolume_reference`, the budget of a candidate or else the largest cost
    of the run's.
    """
    whole, names = [r for r in records if r.reason == ""], cells.objective.weighed
    fitness = np.array([r.fitness for r in whole], dtype=np.float64)
    costs = np.array([[getattr(r, name) for name in names] for r in whole], dtype=np.float64)
    front = pareto_front(fitness, costs)
    found: dict[str, Any] = {"front": np.array([whole[k].number for k in front], dtype=np.int64)}
    if front:
        limits = [getattr(cells.budget, name, None) for name in names]
        largest = costs.max(axis=0).tolist()
        most = np.array([limit or most for limit, most in zip(limits, largest, strict=True)])
        losses = np.column_stack([-fitness[front], costs[front] / np.maximum(most, 1e-12)])
        found["hypervolume"] = hypervolume(losses, np.array([0.0, *np.ones(len(names))]))
        found["hypervolume_reference"] = dict(zip(names, most.tolist(), strict=True))
    return found

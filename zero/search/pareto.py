"""Which of several beat the others in what they are worth and in what they cost: fronts and their volume.

One individual dominates another if it has no less fitness and costs no more in anything, and is better
in one of them (Deb et al. 2002, "NSGA-II"). Costs are arrays (n,) of one or (n, m) of several figures.
"""

from __future__ import annotations

import numpy as np


def dominance_fronts(fitness: np.ndarray, costs: np.ndarray) -> np.ndarray:
    """Returns the number of each individual's front, int64 (n,): 0 is dominated by nobody.

    Equal individuals share a front.
    """
    values = _losses(fitness, costs)
    if values.shape[1] == 1:  # nothing but fitness
        return np.unique(values, return_inverse=True)[1].reshape(-1).astype(np.int64)
    fronts = np.full(len(values), -1, dtype=np.int64)
    left, number = np.arange(len(values)), 0
    while len(left):
        no_worse = np.ones((len(left), len(left)), dtype=np.bool_)  # row is no worse than column
        better = np.zeros_like(no_worse)
        for column in values[left].T:
            no_worse &= column[:, None] <= column
            better |= column[:, None] < column
        free = ~(no_worse & better).any(axis=0)
        fronts[left[free]] = number
        left, number = left[~free], number + 1
    return fronts


def crowding(values: np.ndarray) -> np.ndarray:
    """Returns how far the neighbours of each in a front are away, float64 (n,); values (n, m).

    The sum over the columns of the gap between the two next to it, as a share of the column's whole
    width; infinite at the ends.
    """
    room = np.zeros(len(values))
    for column in values.T:
        order = np.argsort(column, kind="stable")
        spread = column[order[-1]] - column[order[0]]
        gaps = np.full(len(column), np.inf)  # the ends of a front are never crowded
        if len(column) > 2 and 0 < spread < np.inf:
            gaps[order[1:-1]] = (column[order[2:]] - column[order[:-2]]) / spread
        room += gaps
    return room


def pareto_front(fitness: np.ndarray, costs: np.ndarray) -> list[int]:
    """Returns the places of those that nobody dominates, cheapest first; of equal ones the first.

    Those of one cost go by the next. Whoever failed (-inf, NaN) is none of them.
    """
    losses = _losses(fitness, costs)
    found: list[int] = []
    # Nobody is dominated by one that comes later in this order.
    for place in np.lexsort((losses[:, 0], *losses[:, :0:-1].T)).tolist():
        if not np.isfinite(losses[place, 0]):
            continue
        if not (losses[found] <= losses[place]).all(axis=1).any():
            found.append(place)
    return found


def pareto_ranks(fitness: np.ndarray, costs: np.ndarray) -> np.ndarray:
    """Returns what individuals are chosen by, float64 (n,), larger is better; failures keep -inf.

    Minus the front's number, plus less than 1 by how far the neighbours in the front are away.
    """
    ranks = np.full(len(fitness), -np.inf)
    alive = np.flatnonzero(np.isfinite(fitness))
    if len(alive) == 0:
        return ranks
    fitness, costs = np.asarray(fitness)[alive], np.asarray(costs, dtype=np.float64)[alive]
    fronts = dominance_fronts(fitness, costs)
    values = np.column_stack([fitness, costs])
    room = np.zeros(len(alive))
    for number in range(fronts.max() + 1):
        members = np.flatnonzero(fronts == number)
        room[members] = crowding(values[members])
    ranks[alive] = -fronts + np.where(
        np.isinf(room), 0.9, 0.9 * room / (1.0 + np.minimum(room, 1e9))
    )
    return ranks


def hypervolume(losses: np.ndarray, reference: np.ndarray) -> float:
    """Returns the volume that points dominate within a reference point, exactly.

    By slices along the last column (While et al. 2006, "A Faster Algorithm for Calculating
    Hypervolume", HSO), which is quick for some hundred points of up to four figures.

    Args:
        losses: (n, m), smaller is better in every column.
        reference: (m,), what is no better than it in all columns counts for nothing.
    """
    losses, reference = np.asarray(losses, dtype=np.float64), np.asarray(reference, np.float64)
    losses = losses[(losses < reference).all(axis=1)]
    if len(losses) == 0:
        return 0.0
    if losses.shape[1] == 1:
        return float(reference[0] - losses.min())
    losses = losses[np.argsort(losses[:, -1], kind="stable")]
    depths = np.diff(losses[:, -1], append=reference[-1])  # of slices, each of one point more
    if losses.shape[1] == 2:
        return float(depths @ (reference[0] - np.minimum.accumulate(losses[:, 0])))
    return sum(
        depth * hypervolume(losses[:count, :-1], reference[:-1])
        for count, depth in enumerate(depths.tolist(), 1)
        if depth > 0
    )


def _losses(fitness: np.ndarray, costs: np.ndarray) -> np.ndarray:
    """Returns minus fitness and the costs as columns, of which all are to be small."""
    worth = np.asarray(fitness, dtype=np.float64)
    spent = np.asarray(costs, dtype=np.float64).reshape(len(worth), -1 if len(worth) else 1)
    return np.column_stack([-worth, spent])

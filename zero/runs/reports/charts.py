"""Pictures of what every run has: its progress and its lineage, as `zero.runs.pictures.Draw`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from zero.runs.pictures import FOURTH, INK, LINE, OTHER, OWN, SOFT, THIRD, Draw

MOST_POINTS = 2000  # of a line; more can't be seen
MOST_STEPS = 24  # of a lineage that are named
_COLORS = (OTHER, THIRD, FOURTH, SOFT)  # of what stands beside


def curve(
    data: Any,
    events: Sequence[Mapping[str, Any]],
    noun: str,
    beside: Mapping[str, float] | None = None,
    random: tuple[np.ndarray, np.ndarray] | None = None,
    random_name: str = "random search",
) -> Draw:
    """Returns the picture of a run's best and mean fitness over individuals, and its best over time.

    Args:
        data: the run's archive. events: of its log.
        noun: what an individual is called.
        beside: fitness of what the run's best is to be compared with, by name.
        random, random_name: individuals and best fitness so far of a random search; what it is called.
    """
    return partial(_curve, data, list(events), noun, dict(beside or {}), random, random_name)


def _curve(
    data: Any,
    events: list[Mapping[str, Any]],
    noun: str,
    beside: dict[str, float],
    random: tuple[np.ndarray, np.ndarray] | None,
    random_name: str,
    figure: Any,
) -> None:
    figure.set_size_inches(8.4, 3.8)
    left, right = figure.subplots(1, 2, sharey=True)
    ends: list[int] = []
    for number, experiment in enumerate(data.experiments):
        points = _thinned(experiment.curve)
        at = np.array([p.individuals for p in points]) + sum(ends)
        ends.append(experiment.summary.individuals)
        label = number == 0
        means = np.array([p.mean_fitness for p in points])
        best = np.array([p.best_fitness for p in points])
        left.plot(
            at, _known(means), color=SOFT, lw=1, label="mean of the population" if label else None
        )
        left.plot(at, _known(best), color=OWN, lw=1.8, drawstyle="steps-post",
                  label=f"best {noun}" if label else None)  # fmt: skip
    if random is not None:
        left.plot(*random, color=OTHER, lw=1.4, ls="--", drawstyle="steps-post", label=random_name)
    times = [
        (e["seconds"], e["fitness"]) for e in events
        if e.get("event") == "improvement" and e.get("fitness") is not None and e.get("seconds")
    ]  # fmt: skip
    if times:
        seconds, fitness = np.array(times, dtype=float).T
        first = seconds[0]  # reading and compiling came before
        last = max([seconds[-1], *(e["seconds"] for e in events if e.get("seconds"))]) - first
        seconds -= first
        fitness = np.maximum.accumulate(fitness)
        right.plot(
            [*seconds, last], [*fitness, fitness[-1]], color=OWN, lw=1.8, drawstyle="steps-post"
        )
    for (name, value), color in zip(
        sorted(beside.items(), key=lambda b: -b[1]), _cycle(beside), strict=True
    ):
        for axes in (left, right):
            axes.axhline(value, color=color, lw=1, ls=":", label=name if axes is left else None)
    left.set(xlabel=f"{noun}s made", ylabel="search fitness", title="Over individuals")
    right.set(xlabel=f"seconds after the first {noun}", title="Over time")
    left.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    left.locator_params(axis="x", nbins=5)
    figure.legend(loc="outside lower center", ncols=3)


def lineage(chain: Sequence[Any], noun: str) -> Draw:
    """Returns the picture of how an outcome came to be: the fitness of its recorded ancestors.

    chain: the records, oldest first; steps that changed the fitness most are named by their mutation.
    """
    return partial(_lineage, list(chain), noun)


def _lineage(chain: list[Any], noun: str, figure: Any) -> None:
    fitness = _known(np.array([r.fitness for r in chain], dtype=float))
    gains = np.diff(fitness, prepend=np.nan)
    known = np.where(np.isnan(gains), -np.inf, np.abs(gains))
    # The first, the last, and the steps that changed most.
    wanted = {0, len(chain) - 1} | set(np.argsort(-known, kind="stable")[:MOST_STEPS].tolist())
    changed = [k for k in sorted(wanted) if k in (0, len(chain) - 1) or known[k] > 0]
    figure.set_size_inches(8.4, 1.2 + 0.3 * len(changed))
    axes = figure.subplots()
    ys = {k: len(changed) - n for n, k in enumerate(changed)}
    low = np.nanmin(fitness[changed], initial=np.inf)
    path = [(f, ys[k]) for k, f in zip(changed, fitness[changed], strict=True)]
    axes.plot([p[0] for p in path], [p[1] for p in path], color=LINE, lw=1.2, zorder=1)
    for k in changed:
        last = k == len(chain) - 1
        gain = gains[k]
        color = OWN if last else THIRD if gain > 0 else OTHER if gain < 0 else SOFT
        axes.scatter([fitness[k]], [ys[k]], s=42 if last else 26, color=color, zorder=2)
        text = f"{gain:+.3g}" if np.isfinite(gain) else f"{fitness[k]:.4f}"
        axes.annotate(text, (fitness[k], ys[k]), xytext=(7, 0), textcoords="offset points",
                      va="center", fontsize=8, color=INK)  # fmt: skip
    names = [f"{chain[k].mutation or 'start'}  #{chain[k].id}" for k in changed]
    axes.set_yticks([ys[k] for k in changed], names, fontsize=8)
    axes.set(xlabel="search fitness", ylim=(0.3, len(changed) + 0.7))
    if np.isfinite(low):
        axes.margins(x=0.12)
    left = len(chain) - len(changed)
    more = f"; {left:,} steps between that changed less are not shown" if left else ""
    axes.set_title(f"{len(chain):,} recorded steps to the {noun}{more}", fontsize=10)


def pareto(points: Sequence[tuple[float, float]], chosen: int, cost: str, value: str) -> Draw:
    """Returns the picture of costs and values of candidates, with the front of those that no other beats.

    points: cost (smaller is better) and value (larger is better) of each; chosen: the outcome's number.
    """
    return partial(_pareto, np.array(points, dtype=float).reshape(-1, 2), chosen, cost, value)


def front_of(points: np.ndarray) -> np.ndarray:
    """Returns the numbers of the points (N, 2) that no other beats in cost and value, by rising cost."""
    order = np.lexsort((-points[:, 1], points[:, 0]))
    best = np.maximum.accumulate(points[order, 1])
    new = (
        np.concatenate([[True], points[order[1:], 1] > best[:-1]])
        if len(order)
        else np.zeros(0, bool)
    )
    return order[new]


def _pareto(points: np.ndarray, chosen: int, cost: str, value: str, figure: Any) -> None:
    figure.set_size_inches(6.4, 4.2)
    axes = figure.subplots()
    finite = np.isfinite(points).all(axis=1)
    axes.scatter(*points[finite].T, s=12, color=SOFT, alpha=0.5, edgecolors="none",
                 rasterized=len(points) > MOST_POINTS, label="candidates")  # fmt: skip
    front = np.flatnonzero(finite)[front_of(points[finite])]
    axes.plot(*points[front].T, color=OTHER, lw=1.4, marker="o", ms=4, drawstyle="steps-post",
              label="front: no other is better in both")  # fmt: skip
    if chosen >= 0 and finite[chosen]:
        axes.scatter(*points[[chosen]].T, s=70, facecolors="none", edgecolors=OWN, linewidths=2,
                     label="outcome")  # fmt: skip
    axes.set(xlabel=cost, ylabel=value)
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:,.6g}")
    axes.legend(loc="lower right")


def _thinned(points: Sequence[Any]) -> list[Any]:
    step = max(1, -(-len(points) // MOST_POINTS))
    return [*points[:-1:step], *points[-1:]]


def _known(values: np.ndarray) -> np.ndarray:
    """Returns values with NaN for what is none: an infinity has no place in a picture."""
    return np.where(np.isfinite(values), values, np.nan)


def _cycle(names: Mapping[str, float]) -> list[str]:
    return [_COLORS[k % len(_COLORS)] for k in range(len(names))]

"""What the fits of `benchmarks/tables.py` say together; nothing is measured here.

A *turn* is a fold of a set; only those that every system has had count, so a benchmark that was interrupted
compares alike with alike. A fit that failed gets the score of a constant prediction, as in AMLB.
"""

import statistics
from typing import Any

import numpy as np

from .scores import HIGHER_IS_BETTER
from .sets import SETS
from .systems import SYSTEMS

DEFAULTS = ("linear", "forest", "boosting")
Fit = dict[str, Any]
Scores = dict[str, dict[str, list[float]]]


def goodness(fits: list[Fit]) -> Scores:
    """Returns for each set and system the scores over the turns that count; higher is better."""
    systems = {fit["system"] for fit in fits}
    turns: dict[tuple[str, int], dict[str, Fit]] = {}
    for fit in fits:
        turns.setdefault((fit["set"], fit["fold"]), {})[fit["system"]] = fit
    found: Scores = {}
    for (name, _), by_system in sorted(turns.items(), key=lambda turn: turn[0][1]):
        if set(by_system) != systems:
            continue
        sign = 1 if HIGHER_IS_BETTER[SETS[name].metric] else -1
        row = found.setdefault(name, {})
        for system, fit in by_system.items():
            value = fit["constant"] if fit["score"] is None else fit["score"]
            row.setdefault(system, []).append(sign * value)
    return {name: found[name] for name in SETS if name in found}


def mean_ranks(scores: Scores) -> dict[str, float]:
    """Returns the mean over sets of each system's rank by mean score; 1 is best, ties share."""
    from scipy.stats import rankdata

    systems = sorted({system for row in scores.values() for system in row})
    means = np.array([[np.mean(row[s]) for s in systems] for row in scores.values()])
    if not len(means):
        return {}
    ranks = rankdata(-np.round(means, 12), axis=1).mean(axis=0)
    return dict(sorted(zip(systems, map(float, ranks), strict=True), key=lambda item: item[1]))


def against(scores: Scores, one: str, other: str, constants: dict[str, float]) -> dict[str, Any]:
    """Returns how often a system is ahead of another, and Wilcoxon's two-sided p over the sets.

    Args:
        scores: Of `goodness`.
        one: The system that wins where it is better.
        other: The other.
        constants: A constant prediction's mean score of each set; higher is better. So that scores of
            different metrics can be compared, that is 0 and the best system's mean score 1.
    """
    from scipy.stats import wilcoxon

    differences = []
    for name, row in scores.items():
        means = {system: float(np.mean(values)) for system, values in row.items()}
        scale = max(means.values()) - constants[name]
        differences.append((means[one] - means[other]) / (scale if scale > 0 else 1.0))
    moved = [d for d in differences if abs(d) > 1e-12]
    p = float(wilcoxon(moved).pvalue) if len(moved) > 1 else None
    better = sum(d > 0 for d in moved)
    return {
        "sets": len(differences), "better": better, "worse": len(moved) - better,
        "median": statistics.median(differences) if differences else None, "p": p,
    }  # fmt: skip


def behind_defaults(scores: Scores, system: str) -> list[dict[str, Any]]:
    """Returns the sets where a system is worse than the best default, and by how much.

    `error` is the standard error of the mean difference over the folds, None for a single fold.
    """
    found = []
    for name, row in scores.items():
        defaults = [d for d in DEFAULTS if d in row]
        if system not in row or not defaults:
            continue
        best = max(defaults, key=lambda d: float(np.mean(row[d])))
        differences = np.array(row[system]) - np.array(row[best])
        if differences.mean() < 0:
            few = len(differences) < 2
            error = None if few else float(differences.std(ddof=1) / np.sqrt(len(differences)))
            found.append({
                "set": name, "default": best, "difference": float(differences.mean()), "error": error,
            })  # fmt: skip
    return found


def costs(fits: list[Fit], seconds: float) -> dict[str, Any]:
    """Returns the times, the memory and the failures of one system's fits.

    `over` are the fits that took longer than the budget by more than 1 s and 5 %, imports aside.
    """
    done = [fit for fit in fits if fit["failure"] is None]
    took = [fit["fit_seconds"] for fit in done]
    return {
        "fits": len(fits),
        "fit_seconds": {"median": statistics.median(took), "max": max(took)} if took else None,
        "process_seconds_max": max((fit["seconds"] for fit in fits), default=None),
        "over": sum(t > 1.05 * seconds + 1 for t in took),
        "peak_mb": {
            "median": statistics.median(fit["peak_mb"] for fit in fits),
            "max": max(fit["peak_mb"] for fit in fits),
        },
        "failures": [
            {key: fit[key] for key in ("set", "fold", "failure")} for fit in fits if fit["failure"]
        ],
    }


def summary(fits: list[Fit], seconds: float) -> dict[str, Any]:
    """Returns the whole summary; scores as they are, without a sign."""
    scores = goodness(fits)
    order = [system.__name__ for system in SYSTEMS]
    systems = [name for name in order if any(fit["system"] == name for fit in fits)]
    signs = {name: 1 if HIGHER_IS_BETTER[SETS[name].metric] else -1 for name in scores}
    constants = {
        name: signs[name] * float(np.mean([f["constant"] for f in fits if f["set"] == name]))
        for name in scores
    }
    table = {
        name: {
            "metric": SETS[name].metric, "folds": len(next(iter(row.values()))),
            "scores": {
                system: {
                    "mean": signs[name] * float(np.mean(row[system])),
                    "std": float(np.std(row[system], ddof=1)) if len(row[system]) > 1 else None,
                }
                for system in systems
            },
        }
        for name, row in scores.items()
    }  # fmt: skip
    ours = [name for name in systems if name.startswith("zero")]
    return {
        "mean_ranks": mean_ranks(scores),
        "sets": table,
        "against": {
            one: {o: against(scores, one, o, constants) for o in systems if o != one}
            for one in ours[:1] if scores
        },
        "behind_defaults": {name: behind_defaults(scores, name) for name in ours},
        "costs": {
            name: costs([f for f in fits if f["system"] == name], seconds) for name in systems
        },
    }  # fmt: skip


def in_words(found: dict[str, Any]) -> str:
    """Returns a summary as text, for a terminal."""
    lines = []
    reference = next(iter(found["against"]), None)
    head = f"{'system':<16}{'rank':>6}{'s':>8}{'max s':>8}{'over':>6}{'max MB':>8}{'failed':>8}"
    lines.append(head + (f"   {reference} better, worse, p" if reference else ""))
    for system in found["mean_ranks"] or found["costs"]:
        cost, rank = found["costs"][system], found["mean_ranks"].get(system)
        took = cost["fit_seconds"] or {"median": float("nan"), "max": float("nan")}
        line = f"{system:<16}{rank if rank is not None else float('nan'):>6.2f}"
        line += f"{took['median']:>8.1f}{took['max']:>8.1f}{cost['over']:>6}"
        line += f"{cost['peak_mb']['max']:>8.0f}{len(cost['failures']):>8}"
        beside = found["against"].get(reference, {}).get(system)
        if beside:
            p = "" if beside["p"] is None else f"{beside['p']:.3g}"
            line += f"   {beside['better']:>3} {beside['worse']:>3}  {p}"
        lines.append(line)
    systems = list(found["costs"])
    lines += ["", f"{'set':<14}" + "".join(f"{s[:15]:>16}" for s in systems)]
    for name, row in found["sets"].items():
        cells = [row["scores"][system]["mean"] for system in systems]
        lines.append(f"{name:<14}" + "".join(f"{value:>16.4f}" for value in cells))
    for system, sets in found["behind_defaults"].items():
        for row in sets:
            error = "" if row["error"] is None else f" (standard error {row['error']:.2g})"
            behind = f"{-row['difference']:.3g}{error}"
            lines.append(f"{system} behind {row['default']} on {row['set']} by {behind}")
    for system, cost in found["costs"].items():
        for row in cost["failures"]:
            lines.append(f"{system} failed on {row['set']}, fold {row['fold']}: {row['failure']}")
    return "\n".join(lines)

"""Search methods on a table of evaluated cells: tunes their settings, then compares them.

    python benchmarks/nas_table.py FILE [--select cifar10_val] [--report cifar10_test] [--runs 1000]

Tuning sees the select column only, and other random streams than the comparison. Its rule: settings
with which a run never met the optimum are out; of those whose mean of the select column after the
budget is within two standard errors (of the difference) of the best, the one that needs the fewest
individuals for the optimum is chosen. Both count every individual, repeats as well: the stricter
count. The comparison runs with the settings of `zero.bench.nas_table.TUNED`, which are to be what the
tuning found; a difference is told.

FILE: NAS-Bench-201's CIFAR-10 columns as CSV. Writes benchmarks/results/nas_table.json.
"""

import argparse
import json
import math
import time
from pathlib import Path

from zero.runs.folder import run_info

from zero.bench import nas_table
from zero.cells.table import read_cell_table

BUDGET, TUNING_SEED, SEED = 100, 1000, 0
POPULATIONS = (5, 10, 15, 20, 30, 50, 100)
TOURNAMENTS = (2, 3, 5, 8, 10, 12, 15, 20, 25, 30)
EVOLUTION, LOCAL = "regularized_evolution", "local_search"
GRIDS = {
    EVOLUTION: [
        {"population": p, "tournament": t} for p in POPULATIONS for t in TOURNAMENTS if t <= p
    ],
    LOCAL: [{"population": p} for p in (5, 8, 10, 12, 15, 20, 24, 30, 40, 50)],
}
# As published, not tuned here: NAS-Bench-201's own evolution, and that of AmoebaNet.
PUBLISHED = [{"population": 10, "tournament": 3}, {"population": 100, "tournament": 25}]


def tune(name: str, table, select: str, runs: int, skip_known: bool) -> dict:
    """Returns all settings tried with their figures, the chosen one, and what it cost."""
    lookup = nas_table.make_lookup(table, select, skip_known)
    tried, queries, individuals = [], 0, 0
    for settings in GRIDS[name]:
        made = nas_table.trajectories(name, lookup, settings, runs, TUNING_SEED)
        # The select column stands in for the reported one: that one is not read here.
        found = nas_table.figures(name, made, table, select, select, BUDGET)
        tried.append(
            {
                **settings,
                "mean": found["mean"],
                "queries_to_optimum_mean": found["queries_to_optimum_mean"],
                "reached_optimum": found["reached_optimum"],
                "counting_repeats": found["counting_repeats"],
            }
        )
        queries += sum(int(run.queries[-1]) for run in made)
        individuals += sum(int(run.individuals[-1]) for run in made)
    reaching = [t for t in tried if t["reached_optimum"] == 1]
    best = max((t["counting_repeats"] for t in reaching), key=lambda r: r["mean"])

    def close(entry: dict) -> bool:
        repeats = entry["counting_repeats"]
        error = math.hypot(best["standard_error"], repeats["standard_error"])
        return best["mean"] - repeats["mean"] <= 2 * error

    chosen = min(
        (t for t in reaching if close(t)),
        key=lambda t: t["counting_repeats"]["queries_to_optimum_mean"],
    )
    return {
        "method": name,
        "skip_known": skip_known,
        "column": select,
        "seed": TUNING_SEED,
        "runs_of_each": runs,
        "chosen": {key: chosen[key] for key in GRIDS[name][0]},
        "cost": {
            "settings": len(tried),
            "runs": runs * len(tried),
            "queries_within_budgets": runs * len(tried) * BUDGET,
            "queries_at_last_improvement": queries,
            "individuals_at_last_improvement": individuals,
        },
        "tried": tried,
    }


def variant(name: str, table, options, settings: dict, skip_known: bool, compared: dict) -> dict:
    """Returns the figures of a method with other settings, as `zero.bench.nas_table.compare` does."""
    lookup = nas_table.make_lookup(table, options.select, skip_known)
    made = nas_table.trajectories(name, lookup, settings, options.runs, SEED)
    found = nas_table.figures(name, made, table, options.select, options.report, BUDGET)
    apart = nas_table.standard_errors_apart(found, compared["searches"][nas_table.RANDOM_SEARCH])
    return {
        "method": name,
        "settings": settings,
        "skip_known": skip_known,
        **found,
        "standard_errors_above_random_search": apart,
    }


def line(name: str, entry: dict) -> str:
    text = f"{name:55} {entry['mean']:.3f} +- {entry['standard_error']:.3f}"
    if "queries_to_optimum_mean" in entry:
        text += f", {entry['queries_to_optimum_mean']:7.1f} queries to the optimum"
        apart = entry.get("standard_errors_above_random_search")
        text += "" if apart is None else f", {apart:5.1f} standard errors above random search"
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--select", default="cifar10_val")
    parser.add_argument("--report", default="cifar10_test")
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--tuning-runs", type=int, default=500)
    parser.add_argument(
        "--json", type=Path, default=Path(__file__).parent / "results/nas_table.json"
    )
    options = parser.parse_args()
    began = time.perf_counter()
    table = read_cell_table(options.file, [options.select])
    tuning = [
        tune(name, table, options.select, options.tuning_runs, skip_known)
        for name, skip_known in ((EVOLUTION, False), (EVOLUTION, True), (LOCAL, False))
    ]
    for found in tuning:
        print(found["method"], "skip known" * found["skip_known"], found["chosen"], found["cost"])
        if not found["skip_known"] and found["chosen"] != nas_table.TUNED[found["method"]]:
            print(f"  differs from TUNED: {nas_table.TUNED[found['method']]}")
    tuned_at = time.perf_counter()

    compared = nas_table.compare(
        options.file, options.select, options.report, runs=options.runs, budget=BUDGET, seed=SEED
    )
    for name, entry in compared["searches"].items():
        print(line(f"{name} {entry['settings'] or ''}", entry))
    table = read_cell_table(options.file, [options.select, options.report])
    others = [(tuning[1]["chosen"], True), (tuning[0]["chosen"], True)]
    others += [(settings, False) for settings in PUBLISHED]
    variants = [
        variant(EVOLUTION, table, options, settings, skip, compared) for settings, skip in others
    ]
    for entry in variants:
        name = f"{entry['method']} {entry['settings']}{' skip known' * entry['skip_known']}"
        print(line(name, entry))
    keys = ("commit", "cpu", "cpu_count", "platform", "versions", "started")
    results = {
        "machine": {k: v for k, v in run_info(SEED, []).items() if k in keys},
        "seconds": {
            "tuning": round(tuned_at - began, 1),
            "comparison": round(time.perf_counter() - tuned_at, 1),
        },
        "comparison": compared,
        "variants": variants,
        "tuning": tuning,
    }
    options.json.parent.mkdir(exist_ok=True)
    options.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()

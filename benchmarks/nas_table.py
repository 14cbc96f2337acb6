"""Search methods on a table of evaluated cells: tunes settings, compares, all methods at equal budgets.

    python benchmarks/nas_table.py FILE [--part methods] [--only METHOD,...] [--runs 500]

Part tuning sees the select column only, and other random streams than the comparison. Its rule: settings
with which a run never met the optimum are out; of those whose mean of the select column after the
budget is within two standard errors (of the difference) of the best, the one that needs the fewest
individuals for the optimum is chosen. Both count every individual, repeats as well: the stricter
count. The comparison, of evolution and local search, runs with the settings of
`zero.bench.nas_table.TUNED`, which are to be what the tuning found; a difference is told.

Part methods runs every method that a table can serve, as it is, at 100 and at 500 queries, and reads
several columns of the same runs: what searches see is the validation accuracy after 12 epochs, what is
reported the test accuracy after 12 and after 200 ("P1", the protocol of NAS-Bench-201's authors), beside
published rows (`nas/published.csv`). The result is written after each method, and a later call goes
on with what is missing; --only runs those named, again if need be. Nothing is tuned on these columns.

FILE: NAS-Bench-201's CIFAR-10 columns as CSV, those after 200 epochs among them. Writes
benchmarks/results/nas_table.json and, of part methods with matplotlib, nas_table.svg.
"""

import argparse
import json
import math
import time
from pathlib import Path

from nas import methods

from zero.bench import nas_table
from zero.bench.nas_table_runs import goes_on
from zero.bench.nas_table_searches import RANDOM_SEARCH, TUNED, descriptions
from zero.cells.table import read_cell_table
from zero.errors import ZeroError
from zero.runs.folder import run_info

BUDGET, TUNING_SEED, SEED = 100, 1000, 0
BUDGETS = [100, 500]
SLOW = "surrogate=100,progressive=100"  # runs of methods whose proposals take long
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
    made = nas_table.trajectories(name, lookup, settings, options.tuned_runs, SEED)
    found = nas_table.figures(name, made, table, options.select, options.report, BUDGET)
    apart = nas_table.standard_errors_apart(found, compared["searches"][RANDOM_SEARCH])
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


def tuning(options) -> dict:
    """Returns what tuning found, the comparison of the tuned methods and of some variants."""
    began = time.perf_counter()
    table = read_cell_table(options.file, [options.select])
    tuned = [
        tune(name, table, options.select, options.tuning_runs, skip_known)
        for name, skip_known in ((EVOLUTION, False), (EVOLUTION, True), (LOCAL, False))
    ]
    for found in tuned:
        print(found["method"], "skip known" * found["skip_known"], found["chosen"], found["cost"])
        if not found["skip_known"] and found["chosen"] != TUNED[found["method"]]:
            print(f"  differs from TUNED: {TUNED[found['method']]}")
    tuned_at = time.perf_counter()

    compared = nas_table.compare(
        options.file, options.select, options.report, [n for n in descriptions() if goes_on(n)],
        options.tuned_runs, BUDGET, SEED,
    )  # fmt: skip
    for name, entry in compared["searches"].items():
        print(line(f"{name} {entry['settings'] or ''}", entry))
    table = read_cell_table(options.file, [options.select, options.report])
    others = [(tuned[1]["chosen"], True), (tuned[0]["chosen"], True)]
    others += [(settings, False) for settings in PUBLISHED]
    variants = [
        variant(EVOLUTION, table, options, settings, skip, compared) for settings, skip in others
    ]
    for entry in variants:
        name = f"{entry['method']} {entry['settings']}{' skip known' * entry['skip_known']}"
        print(line(name, entry))
    return {
        "machine": machine(),
        "seconds": {
            "tuning": round(tuned_at - began, 1),
            "comparison": round(time.perf_counter() - tuned_at, 1),
        },
        "comparison": compared,
        "variants": variants,
        "tuning": tuned,
    }


def machine() -> dict:
    keys = ("commit", "cpu", "cpu_count", "platform", "versions", "started")
    return {k: v for k, v in run_info(SEED, []).items() if k in keys}


def all_methods(options, results: dict, write) -> None:
    """Runs the methods that are missing or named, and writes the results after each."""
    reports, budgets = options.reports.split(","), [int(b) for b in options.budgets.split(",")]
    part = methods.beginning(options.file, options.select, reports, budgets, SEED)
    old = results.get("methods", {})
    if all(old.get(key) == part[key] for key in part if key not in ("searches", "published")):
        part["searches"] = old["searches"]
        part["beside_published"] = methods.beside_published(part)
    elif old.get("searches"):
        print("the results there are of another table, seed, columns or budgets: all is run anew")
    results["methods"] = part
    only = None if options.only is None else options.only.split(",")
    slow = dict(one.split("=") for one in options.runs_of.split(",") if one)
    table = read_cell_table(options.file, [options.select, *reports], None)
    for one in methods.contestants(only):
        runs = int(slow.get(one.method, options.runs))
        known = part["searches"].get(one.label)
        if only is None and known is not None and known["runs"] == runs:
            print(f"{one.label}: there already")
            continue
        entry = methods.run(one, table, part, runs)
        part["searches"][one.label] = {**entry, "machine": machine()}
        part["beside_published"] = methods.beside_published(part)
        write()
        milliseconds = max(entry["milliseconds_a_proposal"].values())
        print(
            f"{one.label}: {runs} runs in {entry['seconds']:.0f} s, {milliseconds:.2f} ms a proposal"
        )
        for report in reports:
            figures = entry["reports"][report]
            means = ", ".join(f"{b}: {f['mean']:.3f} +- {f['std']:.3f}" for b, f in figures.items())
            print(f"  {report}: {means}", flush=True)
    try:
        methods.draw(part, reports[-1], options.json.with_suffix(".svg"))
    except ZeroError as error:
        print(error)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--part", choices=("tuning", "methods"), help="[default: both]")
    parser.add_argument("--select", default="cifar10_val")
    parser.add_argument("--report", default="cifar10_test", help="of part tuning")
    parser.add_argument("--reports", default="cifar10_test,cifar10_test_200", help="of methods")
    parser.add_argument("--budgets", default=",".join(map(str, BUDGETS)), help="of methods")
    parser.add_argument("--only", metavar="METHOD,...", help="of part methods")
    parser.add_argument("--runs", type=int, default=500, help="of each method")
    parser.add_argument("--runs-of", default=SLOW, help="of some methods [default: %(default)s]")
    parser.add_argument("--tuned-runs", type=int, default=1000, help="of the tuned methods")
    parser.add_argument("--tuning-runs", type=int, default=500)
    parser.add_argument(
        "--json", type=Path, default=Path(__file__).parent / "results/nas_table.json"
    )
    options = parser.parse_args()
    results = json.loads(options.json.read_text()) if options.json.exists() else {}

    def write() -> None:
        options.json.parent.mkdir(exist_ok=True)
        options.json.write_text(json.dumps(results, indent=1) + "\n")

    if options.part != "methods" and options.only is None:
        results.update(tuning(options))
        write()
    if options.part != "tuning":
        all_methods(options, results, write)
        write()


if __name__ == "__main__":
    main()

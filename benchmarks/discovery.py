"""Does the search find what it should? Success rates over seeds, beside random search.

    python benchmarks/discovery.py [--seeds 10] [--only linear_demo|quickstart|own_csv] [--json FILE]
    python benchmarks/discovery.py --batches 1 16 64 256 1024 [--seeds 10] [--json FILE]

`linear_demo`: until a program's select fitness is at least 0.9999, within 15 million individuals.
`quickstart` and `own_csv`, a table: the final fitness, which is a predictor's, beside that of the shipped
linear program on the same tasks, and chance. Random search gets, seed by seed, as many individuals as
evolution took. Every reported fitness is the run's own re-evaluation. Writes
benchmarks/results/discovery.json.

`--batches` measures, instead, what the batch size of evolution (`search.batch`) does to success per
individual: `linear_demo` once a size and seed.
"""

import argparse
import json
import math
import statistics
import tempfile
from pathlib import Path

from zero.config.load import load_config
from zero.runs.folder import run_info
from zero.runs.run import start

CONFIGS = ("linear_demo", "quickstart", "own_csv")
SUFFICIENT = 0.9999
BATCHED = "linear_demo"  # the config of the study of batch sizes


def one_run(config: str, seed: int, settings: list[str]) -> dict:
    """Returns the figures of one run."""
    with tempfile.TemporaryDirectory() as folder:
        outcome = start(load_config(config, [f"seed={seed}", *settings]), Path(folder) / "run")
    return {
        "seed": seed,
        "reason": outcome.reason,
        "individuals": outcome.individuals,
        "seconds": round(outcome.seconds, 2),
        "search_fitness": outcome.search_fitness,
        "select_fitness": outcome.select_fitness,
        "final_fitness": outcome.final.fitness if outcome.final else math.nan,
        "final_interval": outcome.details["interval"],
        "lasting_fitness": outcome.details["lasting_fitness"],
        "chance": outcome.details["chance"]["final"],
        "baselines": {name: pair[1] for name, pair in outcome.baselines.items()},
    }


def summary(config: str, runs: list[dict]) -> dict:
    """Returns how many runs succeeded, and medians."""
    if config == "linear_demo":
        good = [r for r in runs if r["select_fitness"] >= SUFFICIENT]
    else:
        good = [r for r in runs if r["final_fitness"] >= r["baselines"]["linear"]]
    return {
        "runs": len(runs),
        "successes": len(good),
        "median_individuals": statistics.median(r["individuals"] for r in runs),
        "median_seconds": statistics.median(r["seconds"] for r in runs),
        "median_final_fitness": statistics.median(r["final_fitness"] for r in runs),
        "median_linear_final_fitness": statistics.median(r["baselines"]["linear"] for r in runs),
    }


def measure(config: str, seeds: int) -> dict:
    """Returns the runs of both methods, and their summaries."""
    methods: dict[str, list[dict]] = {"regularized_evolution": [], "random_search": []}
    # Compiled before anything is timed.
    for method in methods:
        one_run(config, 0, [f"search.method={method}", "budget={individuals: 2000}"])
    for seed in range(1, seeds + 1):
        for method, runs in methods.items():
            settings = [f"search.method={method}"]
            if method == "random_search":
                evolved = methods["regularized_evolution"][-1]
                settings.append(f"budget={{individuals: {evolved['individuals']}}}")
            run = one_run(config, seed, settings)
            runs.append(run)
            print(
                f"{config:12} {method:21} seed {seed:2}: {run['individuals']:>10,} individuals, "
                f"{run['seconds']:7.1f} s, select {run['select_fitness']:.6f}, "
                f"final {run['final_fitness']:.6f} ({run['reason']})",
                flush=True,
            )
    return {m: {"summary": summary(config, runs), "runs": runs} for m, runs in methods.items()}


def batch_summary(runs: list[dict]) -> dict:
    """Returns how many runs succeeded, and what a success costs in individuals.

    Individuals of runs that failed count, too. The standard error takes the wait for a success to be
    memoryless, as experiments that start anew make it nearly.
    """
    successes = sum(r["select_fitness"] >= SUFFICIENT for r in runs)
    each = sum(r["individuals"] for r in runs) / successes if successes else None
    return {
        "runs": len(runs),
        "successes": successes,
        "median_individuals": statistics.median(r["individuals"] for r in runs),
        "individuals_per_success": each,
        "standard_error": each / math.sqrt(successes) if successes else None,
        "median_seconds": statistics.median(r["seconds"] for r in runs),
    }


def measure_batches(sizes: list[int], seeds: int) -> dict:
    """Returns the runs with each batch size, and their summaries; sizes take turns."""
    found: dict[int, list[dict]] = {size: [] for size in sizes}
    for seed in range(seeds + 1):
        for size, runs in found.items():
            settings = [f"search.batch={size}"]
            if seed == 0:  # compiled before anything is timed
                one_run(BATCHED, 1, [*settings, "budget={individuals: 2000}"])
                continue
            run = one_run(BATCHED, seed, settings)
            runs.append(run)
            print(
                f"batch {size:5} seed {seed:2}: {run['individuals']:>10,} individuals, "
                f"{run['seconds']:7.1f} s, select {run['select_fitness']:.6f} ({run['reason']})",
                flush=True,
            )
    search = load_config(BATCHED).search
    return {
        "config": BATCHED,
        "population": search.population,
        "sizes": {
            str(size): {"summary": batch_summary(runs), "runs": runs}
            for size, runs in found.items()
        },
    }


def write(path: Path, results: dict) -> None:
    """Writes all results."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(results, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--only", choices=CONFIGS)
    parser.add_argument("--batches", type=int, nargs="+", metavar="SIZE")
    parser.add_argument(
        "--json", type=Path, default=Path(__file__).parent / "results/discovery.json"
    )
    options = parser.parse_args()
    if options.batches and options.only not in (None, BATCHED):
        parser.error(f"--batches is about {BATCHED}, not {options.only}")
    chosen = [options.only] if options.only else list(CONFIGS)
    results = {}
    if options.json.exists():
        results = json.loads(options.json.read_text())
    keys = ("commit", "cpu", "cpu_count", "platform", "versions", "started")
    info = {k: v for k, v in run_info(0, []).items() if k in keys}
    if options.batches:
        results["batches"] = {
            "machine": info,
            **measure_batches(options.batches, options.seeds),
        }
        write(options.json, results)
        for size, part in results["batches"]["sizes"].items():
            print("batch", size, part["summary"])
        return
    for config in chosen:
        results[config] = {"machine": info, **measure(config, options.seeds)}
        write(options.json, results)
        for method in ("regularized_evolution", "random_search"):
            print(config, method, results[config][method]["summary"])


if __name__ == "__main__":
    main()

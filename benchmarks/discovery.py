"""Does the search find what it should? Success rates over seeds, beside random search.

    python benchmarks/discovery.py [--seeds 10] [--only linear_demo|quickstart] [--json FILE]

`linear_demo`: until a program's select fitness is at least 0.9999, within 15 million individuals.
`quickstart`: the final fitness, beside that of the shipped linear program on the same tasks. Random
search gets, seed by seed, as many individuals as evolution took. Every reported fitness is the run's
own re-evaluation. Writes benchmarks/results/discovery.json.
"""

import argparse
import json
import math
import statistics
import tempfile
from pathlib import Path

from zero.archive import run_info
from zero.config import load_config
from zero.run import start

CONFIGS = ("linear_demo", "quickstart")
SUFFICIENT = 0.9999


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--only", choices=CONFIGS)
    parser.add_argument(
        "--json", type=Path, default=Path(__file__).parent / "results/discovery.json"
    )
    options = parser.parse_args()
    chosen = [options.only] if options.only else list(CONFIGS)
    results = {}
    if options.json.exists():
        results = json.loads(options.json.read_text())
    for config in chosen:
        keys = ("commit", "cpu", "cpu_count", "platform", "versions", "started")
        info = {k: v for k, v in run_info(0, []).items() if k in keys}
        results[config] = {"machine": info, **measure(config, options.seeds)}
        options.json.parent.mkdir(exist_ok=True)
        options.json.write_text(json.dumps(results, indent=1) + "\n")
        for method in ("regularized_evolution", "random_search"):
            print(config, method, results[config][method]["summary"])


if __name__ == "__main__":
    main()

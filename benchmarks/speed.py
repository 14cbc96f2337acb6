"""Individuals and programs per second, beside the original engine and the arithmetic floor.

    python benchmarks/speed.py [--seconds 10] [--rounds 3] [--images SOURCE[:PATH]] [--json FILE]

The rows are measured in turns, `rounds` times, and the median is given with the smallest and largest.
First the compiled evaluator's fitness of the shipped network is compared with the reference
interpreter's. Rows on projected images need a labelled image set: by default Debian's Fashion-MNIST
(package dataset-fashion-mnist); which images they are does not change the work. Run it on a quiet
machine. Writes benchmarks/results/speed.json.
"""

import argparse
import json
import statistics
from pathlib import Path

from zero import library
from zero.archive import run_info
from zero.bench import evaluation_speed, search_speed
from zero.config import load_config
from zero.evaluator import Evaluator
from zero.tasks import from_settings, make_task_set

# The original engine, measured on the same class of machine: individuals or programs per second.
ORIGINAL = {
    "linear_demo": 30_000,
    "linear_integration": 42_000,
    "nonlinear_integration": 15_000,
    "network": 35,
}


def check() -> None:
    """Stops unless the compiled evaluator agrees with the reference before anything is timed."""
    tasks = make_task_set(
        from_settings({"type": "two_layer_regression", "count": 3, "train": 50, "valid": 20}),
        "search",
    )
    for name in ("linear", "neural_network"):
        program = library.program(name)
        compiled, reference = (Evaluator(tasks, b)(program).fitness for b in ("cpu", "reference"))
        assert abs(compiled - reference) < 1e-9, (name, compiled, reference)


def rows(images: str) -> dict[str, tuple]:
    """Returns what is measured: name -> (kind, config, overrides, islands, original)."""
    source, _, path = images.partition(":")
    baseline = [
        f"tasks.{purpose}.{key}={value}"
        for purpose in ("search", "select", "final")
        for key, value in (("source", source), ("path", path or "null"))
    ]
    single = ["dtype=float32"]
    found = {}
    for config in ("linear_demo", "linear_integration", "nonlinear_integration"):
        found[config] = ("search", config, [], 1, ORIGINAL[config])
        found[f"{config}, float32"] = ("search", config, single, 1, ORIGINAL[config])
    # Rounds of 10,000 last 40 ms here, and exchanging individuals costs some 10 ms.
    found["linear_demo, two islands"] = ("search", "linear_demo", [], 2, None)
    rarely = ["islands.migrate_every=200000"]
    found["linear_demo, two islands, migrating every 200,000"] = (
        "search", "linear_demo", rarely, 2, None,
    )  # fmt: skip
    name = "projected_binary_baseline"
    found["network on projected_binary_baseline"] = (
        "evaluate", name, baseline, 1, ORIGINAL["network"],
    )  # fmt: skip
    found["network on projected_binary_baseline, float32"] = (
        "evaluate", name, [*baseline, *single], 1, ORIGINAL["network"],
    )  # fmt: skip
    found[name] = ("search", name, baseline, 1, None)
    found[f"{name}, float32"] = ("search", name, [*baseline, *single], 1, None)
    return found


def measure(kind: str, config: str, overrides: list[str], islands: int, seconds: float) -> float:
    """Returns individuals or programs per second."""
    checked = load_config(config, [*overrides, f"islands.count={islands}"])
    if kind == "search":
        return search_speed(checked, seconds)["individuals_per_second"]
    return evaluation_speed(checked, library.program("neural_network"), seconds)[
        "programs_per_second"
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--images", default="fashion_mnist")
    parser.add_argument("--json", type=Path, default=Path(__file__).parent / "results/speed.json")
    options = parser.parse_args()
    check()
    todo = rows(options.images)
    rates: dict[str, list[float]] = {name: [] for name in todo}
    for round_ in range(options.rounds):
        for name, (kind, config, overrides, islands, _) in todo.items():
            rate = measure(kind, config, overrides, islands, options.seconds)
            rates[name].append(rate)
            print(f"round {round_ + 1}: {name:50} {rate:12,.1f} /s", flush=True)
    results = {}
    for name, (kind, _, _, islands, original) in todo.items():
        median = statistics.median(rates[name])
        results[name] = {
            "unit": "individuals/s" if kind == "search" else "programs/s",
            "islands": islands,
            "median": median,
            "smallest": min(rates[name]),
            "largest": max(rates[name]),
            "original": original,
            "times_original": original and median / original,
        }
    keys = ("commit", "cpu", "cpu_count", "platform", "versions", "started")
    machine = {k: v for k, v in run_info(0, []).items() if k in keys}
    results = {"machine": machine, "seconds": options.seconds, "rounds": options.rounds, **results}
    options.json.parent.mkdir(exist_ok=True)
    options.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()

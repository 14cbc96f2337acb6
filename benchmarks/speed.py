"""Individuals and programs per second, beside the original engine on the same machine.

    python benchmarks/speed.py [--seconds 10] [--rounds 5] [--original FOLDER]
        [--images SOURCE[:PATH]] [--json FILE]

The rows are measured in turns, `rounds` times with seeds 1, 2, ..., and the median is given with the
smallest and largest. First the compiled evaluator's fitness of the shipped network is compared with the
reference interpreter's. Rows on projected images need a labelled image set: by default Debian's
Fashion-MNIST (package dataset-fashion-mnist); which images they are does not change the work. Run it
on a quiet machine. Writes benchmarks/results/speed.json.

--original: a folder with a build of the original engine and five scripts, measured in turns with our
rows, same seeds and seconds: run_demo.sh, run_linear.sh, run_nonlinear.sh and run_baseline.sh take a
seed and print the original's progress lines ("indivs=..."), at least each hundredth of a second;
eval_net.sh prints "programs/s=..." for the shipped network on the baseline's tasks.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import time
from pathlib import Path

from zero.bench.speed import evaluation_speed, search_speed
from zero.config.load import load_config
from zero.programs import library
from zero.programs.domain import ProgramsDomain, initial_program
from zero.programs.evaluator import Evaluator
from zero.runs.folder import run_info
from zero.tasks import make_task_set
from zero.tasks.read import from_settings

# The original engine's figures on this class of machine when this project began (individuals or
# programs per second); machines of the class differ by up to two, so `--original` says more.
ORIGINAL = {
    "linear_demo": 30_000,
    "linear_integration": 42_000,
    "nonlinear_integration": 15_000,
    "network": 35,
}
SCRIPTS = {
    "linear_demo": "run_demo.sh",
    "linear_integration": "run_linear.sh",
    "nonlinear_integration": "run_nonlinear.sh",
    "projected_binary_baseline": "run_baseline.sh",
    "network": "eval_net.sh",
}
# Programs grow as this search goes on, so equal numbers are compared, not equal times.
FIRST = {"projected_binary_baseline": 4000}


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
    # Rounds of 10,000 last some 20 ms here, of which migration takes each island about 1 ms.
    found["linear_demo, two islands"] = ("search", "linear_demo", [], 2, None)
    # What two cores can do here at most: the islands never meet.
    found["linear_demo, two islands, never migrating"] = (
        "search", "linear_demo", ["islands.migrate_every=1000000000"], 2, None,
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


def measure(
    kind: str, config: str, overrides: list[str], islands: int, seconds: float, seed: int
) -> float:
    """Returns individuals or programs per second."""
    checked = load_config(config, [*overrides, f"islands.count={islands}", f"seed={seed}"])
    if kind == "evaluate":
        network = library.program("neural_network")
        return evaluation_speed(checked, network, seconds)["programs_per_second"]
    if config in FIRST:
        return speed_of_first(checked, FIRST[config])
    return search_speed(checked, seconds)["individuals_per_second"]


def speed_of_first(config, number: int) -> float:
    """Returns individuals per second over the first so many of one island."""
    island = ProgramsDomain(config, initial_program(config)).islands(
        0, {"individuals": number, "train_steps": 2**62}
    )[0]
    island.warm_up()
    began = time.perf_counter()
    while island.individuals < number:
        if island.waiting:
            island.begin_round()
        island.advance(60.0)
    return number / (time.perf_counter() - began)


def original_speed(folder: Path, name: str, seconds: float, seed: int) -> float:
    """Returns the original engine's individuals or programs per second."""
    process = subprocess.Popen(
        [folder / SCRIPTS[name], str(seed)], stdout=subprocess.PIPE, text=True, cwd=folder,
        env={**os.environ, "PROGRESS": "100"},
    )  # fmt: skip
    first = last = None
    try:
        for line in process.stdout:
            found = re.search(r"(indivs|programs/s)=([0-9.]+)", line)
            if found is None:
                continue
            if found[1] == "programs/s":
                last = float(found[2])
                continue
            now, number = time.perf_counter(), int(found[2])
            first = first or (now, number)
            if number < (last or first)[1]:
                break  # its next experiment has begun
            last = (now, number)
            enough = number >= FIRST[name] if name in FIRST else now - first[0] >= seconds
            if enough:
                break
    finally:
        process.kill()
        process.wait()
    if isinstance(last, float):
        return last
    return (last[1] - first[1]) / (last[0] - first[0])


def spread(values: list[float]) -> dict[str, float]:
    """Returns the median, smallest and largest."""
    return {
        "median": statistics.median(values), "smallest": min(values), "largest": max(values),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--original", type=Path)
    parser.add_argument("--images", default="fashion_mnist")
    parser.add_argument("--json", type=Path, default=Path(__file__).parent / "results/speed.json")
    options = parser.parse_args()
    check()
    todo = rows(options.images)
    rates: dict[str, list[float]] = {name: [] for name in todo}
    theirs: dict[str, list[float]] = {name: [] for name in SCRIPTS}

    def say(round_: int, name: str, rate: float) -> None:
        print(f"round {round_ + 1}: {name:50} {rate:12,.1f} /s", flush=True)

    for round_ in range(options.rounds):
        seed = 1 + round_
        for name, (kind, config, overrides, islands, _) in todo.items():
            rates[name].append(measure(kind, config, overrides, islands, options.seconds, seed))
            say(round_, name, rates[name][-1])
        for name in SCRIPTS if options.original else ():
            theirs[name].append(original_speed(options.original, name, options.seconds, seed))
            say(round_, f"the original, {name}", theirs[name][-1])
    results = {}
    for name, (kind, config, _, islands, _) in todo.items():
        row = "network" if kind == "evaluate" else config
        results[name] = {
            "unit": "individuals/s" if kind == "search" else "programs/s",
            "islands": islands,
            "first": FIRST.get(config) if kind == "search" else None,
            **spread(rates[name]),
            "original": ORIGINAL.get(row) if islands == 1 else None,
            "original_here": spread(theirs[row]) if theirs[row] and islands == 1 else None,
        }
    keys = ("commit", "cpu", "cpu_count", "platform", "versions", "started")
    machine = {k: v for k, v in run_info(0, []).items() if k in keys}
    results = {"machine": machine, "seconds": options.seconds, "rounds": options.rounds, **results}
    options.json.parent.mkdir(exist_ok=True)
    options.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()

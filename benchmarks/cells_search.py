"""Evolution against random search over cells on real images, and a published cell trained fully.

    python benchmarks/cells_search.py [--seeds 5] [--individuals 60] [--only search|published] [--json FILE]

Search: `amoebanet_fashion` with less data (1500 training images, 2 epochs of batch 32), so that a
candidate takes seconds; both methods train as many candidates for as many steps, one island on one
core each, two runs side by side. What is compared is the test accuracy of the network that a run
chose by its validation accuracy, as it was trained in the search; the 10,000 test images had no part
in the choice. Published: AmoebaNet-A, N = 1, F = 8, on all cores until the epochs are over.

Needs Fashion-MNIST where the config looks for it. Writes benchmarks/results/cells_search.json.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from zero.archive import run_info
from zero.config import load_config
from zero.run import start

METHODS = ("regularized_evolution", "random_search")
CONFIG = "amoebanet_fashion"
SEARCH = [
    "cells.images={source: fashion_mnist, train: 1500, valid: 1500}",
    "cells.training={epochs: 2, batch: 32, learning_rate: 0.05}",
    "cells.final=none",
    "cells.published=[]",
    "islands.count=1",
    "search.population=12",
    "search.tournament=4",
]
TRAINING = {"epochs": 15, "batch": 64, "learning_rate": 0.1, "pad": 2, "flip": True}


def one_run(method: str, seed: int, individuals: int) -> dict:
    """Returns the figures of one search."""
    settings = [*SEARCH, f"search.method={method}", f"seed={seed}",
                f"budget={{individuals: {individuals}}}"]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        outcome = start(load_config(CONFIG, settings), Path(folder) / "run")
        from zero.archive import read_archive

        data = read_archive(Path(folder) / "run")
    sampling = data.results["random_sampling"]
    return {
        "method": method,
        "seed": seed,
        "individuals": outcome.individuals,
        "train_steps": outcome.train_steps,
        "seconds": round(outcome.seconds, 1),
        "valid_accuracy": outcome.search_fitness,
        "test_accuracy": outcome.final.fitness,
        "random_candidates": dict(sampling),
        "genome": data.results["genome"],
    }


def compare(seeds: int, individuals: int, path: Path) -> dict:
    """Returns all searches and what they say; writes what there is after each pair."""
    runs: dict[str, list[dict]] = {method: [] for method in METHODS}
    result: dict = {}
    for seed in range(1, seeds + 1):
        command = [sys.executable, __file__, "--one"]
        started = [
            subprocess.Popen([*command, method, str(seed), "--individuals", str(individuals)],
                             stdout=subprocess.PIPE, text=True)
            for method in METHODS
        ]  # fmt: skip
        for method, process in zip(METHODS, started, strict=True):
            text, _ = process.communicate()
            if process.returncode:
                raise SystemExit(f"{method}, seed {seed}: failed")
            runs[method].append(json.loads(text.splitlines()[-1]))
            last = runs[method][-1]
            print(f"seed {seed} {method:<22} valid {last['valid_accuracy']:.4f} test "
                  f"{last['test_accuracy']:.4f} {last['seconds']:.0f} s", flush=True)  # fmt: skip
        result = {"settings": SEARCH, "individuals": individuals, "runs": runs} | summary(runs)
        save(path, "search", result)
    return result


def summary(runs: dict[str, list[dict]]) -> dict:
    """Returns means, spreads, and the difference seed by seed in standard errors."""
    found: dict = {}
    for method, rows in runs.items():
        found[method] = {}
        for key in ("valid_accuracy", "test_accuracy"):
            values = [row[key] for row in rows]
            found[method][key] = {
                "mean": statistics.mean(values),
                "std": statistics.stdev(values) if len(values) > 1 else None,
                "min": min(values),
                "max": max(values),
            }
    for key in ("valid_accuracy", "test_accuracy"):
        pairs = zip(*(runs[method] for method in METHODS), strict=True)
        gains = [a[key] - b[key] for a, b in pairs]
        error = statistics.stdev(gains) / math.sqrt(len(gains)) if len(gains) > 1 else None
        found[f"gain_in_{key}"] = {
            "mean": statistics.mean(gains),
            "standard_error": error,
            "standard_errors": statistics.mean(gains) / error if error else None,
            "seeds_better": sum(g > 0 for g in gains),
            "seeds": len(gains),
        }
    random = statistics.mean(r["random_candidates"]["mean"] for r in runs["random_search"])
    found["mean_random_candidate_valid_accuracy"] = random
    found["relative_improvement_percent"] = {
        method: 100 * (found[method]["valid_accuracy"]["mean"] - random) / random
        for method in METHODS
    }
    return found


def published() -> dict:
    """Returns the curve and test accuracy of AmoebaNet-A, N = 1, F = 8."""
    from zero.cells.published import get_published
    from zero.cells.skeletons import Skeleton, build_network
    from zero.images import ImageSettings, load_images
    from zero.nn.train import Trainer, TrainSettings

    data = load_images(ImageSettings(source="fashion_mnist"))
    skeleton = Skeleton(kind="slim_cifar", normal_cells=1, filters=8)
    network = build_network(get_published("amoebanet_a").genome, skeleton, (28, 28, 1), 10)
    began = time.perf_counter()
    threads = os.cpu_count() or 1
    trainer = Trainer(network, data, TrainSettings(**TRAINING), 1, "cpu", threads)
    curve = []
    for _ in range(TRAINING["epochs"]):
        trainer.run_epochs(1)
        record = trainer.result().curve[-1]
        seconds = round(time.perf_counter() - began, 1)
        curve.append({"epoch": record.epoch, "train_loss": record.train_loss,
                      "valid_accuracy": record.valid_accuracy, "seconds": seconds})  # fmt: skip
        print(f"epoch {record.epoch}: valid {record.valid_accuracy:.4f}, {seconds} s", flush=True)
    return {
        "cell": "amoebanet_a",
        "normal_cells": 1,
        "filters": 8,
        "parameters": network.num_parameters,
        "settings": TRAINING,
        "threads": threads,
        "curve": curve,
        "test_accuracy": trainer.test_accuracy(),
        "seconds": round(time.perf_counter() - began, 1),
    }


def save(path: Path, part: str, result: dict) -> None:
    """Writes a part of the results; the other part stays."""
    data = json.loads(path.read_text()) if path.exists() else {}
    data[part] = result | {"info": run_info(0, [])}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data, indent=1) + "\n")


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--individuals", type=int, default=60)
    parser.add_argument("--only", choices=("search", "published"))
    parser.add_argument("--one", nargs=2, metavar=("METHOD", "SEED"), help="one search, as JSON")
    default = Path(__file__).parent / "results" / "cells_search.json"
    parser.add_argument("--json", type=Path, default=default)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(one_run(options.one[0], int(options.one[1]), options.individuals)))
        return
    if options.only != "published":
        compare(options.seeds, options.individuals, options.json)
    if options.only != "search":
        save(options.json, "published", published())


if __name__ == "__main__":
    main()

"""Evolution against random search over cells on real images, and a published cell trained fully.

    python benchmarks/cells_search.py [--seeds 5] [--individuals 120] [--only PART] [--json FILE]

Search: Fashion-MNIST at 14 x 14 pixels (means of 2 x 2), 1000 training images, 2 epochs of batch 32, so
that a candidate takes a second or two; both methods train as many candidates for as many steps, one island
on one core each, two runs side by side. What is compared is the test accuracy of the network that a run
chose by its validation accuracy, as it was trained in the search; the 10,000 test images had no part
in the choice. Inheritance: evolution on digits, where children start from new weights or from their
parent's; seed by seed as many candidates. Published: AmoebaNet-A, N = 1, F = 8, on all cores until the
epochs are over. PART is one of search, inheritance, published.

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

import numpy as np

from zero.config.load import load_config
from zero.data.images import ImageSettings, load_images
from zero.runs.archive import read_archive
from zero.runs.folder import run_info
from zero.runs.run import start

PARTS = {  # what is compared, and the settings of both sides
    "search": {
        "regularized_evolution": ["search.method=regularized_evolution"],
        "random_search": ["search.method=random_search"],
    },
    "inheritance": {
        "inherited_weights": ["cells.inherit_weights=true"],
        "new_weights": ["cells.inherit_weights=false"],
    },
}
CONFIGS = {"search": "amoebanet_fashion", "inheritance": "amoebanet_digits"}
SMALL = [
    "cells.images={source: npz, path: IMAGES, train: 1000, valid: 2000, "
    "arrays: {x: X, y: y, test_x: test_X, test_y: test_y}}",
    "cells.training={epochs: 2, batch: 32, learning_rate: 0.05}",
    "cells.final=none",
    "cells.published=[]",
    "islands.count=1",
    "search.population=20",
    "search.tournament=6",
]
COMMON = {
    "search": SMALL,
    "inheritance": [
        "cells.training={epochs: 2, batch: 32, learning_rate: 0.05}",
        "cells.final=none",
        "cells.published=[]",
        "islands.count=1",
        "search.population=12",
        "search.tournament=4",
    ],
}
TRAINING = {"epochs": 5, "batch": 64, "learning_rate": 0.1, "pad": 2, "flip": True}


def small_images(path: Path) -> Path:
    """Writes Fashion-MNIST at half its size, and returns the file."""
    data = load_images(ImageSettings(source="fashion_mnist", valid=1))
    halves = {}
    for part in ("train", "test"):
        x = getattr(data, f"{part}_x")[..., 0].reshape(-1, 14, 2, 14, 2).mean((2, 4))
        prefix = "test_" if part == "test" else ""
        halves[f"{prefix}X"] = np.rint(x).astype(np.uint8)
        halves[f"{prefix}y"] = getattr(data, f"{part}_y")
    np.savez(path, **halves)
    return path


def one_run(part: str, method: str, seed: int, individuals: int) -> dict:
    """Returns the figures of one search."""
    with tempfile.TemporaryDirectory() as folder:
        common = COMMON[part]
        if part == "search":
            images = str(small_images(Path(folder) / "fashion.npz"))
            common = [setting.replace("IMAGES", images) for setting in common]
        settings = [*common, *PARTS[part][method], f"seed={seed}",
                    f"budget={{individuals: {individuals}}}"]  # fmt: skip
        outcome = start(load_config(CONFIGS[part], settings), Path(folder) / "run")
        data = read_archive(Path(folder) / "run")
    return {
        "method": method,
        "seed": seed,
        "individuals": outcome.individuals,
        "train_steps": outcome.train_steps,
        "seconds": round(outcome.seconds, 1),
        "valid_accuracy": outcome.search_fitness,
        "test_accuracy": outcome.final.fitness,
        "random_candidates": dict(data.results["random_sampling"]),
        "genome": data.results["genome"],
    }


def compare(part: str, seeds: int, individuals: int, path: Path) -> None:
    """Makes all searches of a part, two at a time; writes what there is after each pair."""
    methods = PARTS[part]
    runs: dict[str, list[dict]] = {method: [] for method in methods}
    for seed in range(1, seeds + 1):
        command = [sys.executable, __file__, "--individuals", str(individuals), "--one", part]
        started = [
            subprocess.Popen([*command, method, str(seed)], stdout=subprocess.PIPE, text=True)
            for method in methods
        ]
        for method, process in zip(methods, started, strict=True):
            text, _ = process.communicate()
            if process.returncode:
                raise SystemExit(f"{method}, seed {seed}: failed")
            runs[method].append(json.loads(text.splitlines()[-1]))
            last = runs[method][-1]
            print(f"seed {seed} {method:<22} valid {last['valid_accuracy']:.4f} test "
                  f"{last['test_accuracy']:.4f} {last['seconds']:.0f} s", flush=True)  # fmt: skip
        result = {"config": CONFIGS[part], "settings": COMMON[part], "individuals": individuals}
        save(path, part, result | {"runs": runs} | summary(runs))


def summary(runs: dict[str, list[dict]]) -> dict:
    """Returns means, spreads, and the first method's gain over the second, seed by seed."""
    found: dict = {}
    first, second = runs
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
        gains = [a[key] - b[key] for a, b in zip(runs[first], runs[second], strict=True)]
        error = statistics.stdev(gains) / math.sqrt(len(gains)) if len(gains) > 1 else None
        found[f"gain_in_{key}"] = {
            "mean": statistics.mean(gains),
            "standard_error": error,
            "standard_errors": statistics.mean(gains) / error if error else None,
            "seeds_better": sum(g > 0 for g in gains),
            "seeds": len(gains),
        }
    random = statistics.mean(r["random_candidates"]["mean"] for r in runs[second])
    found["mean_random_candidate_valid_accuracy"] = random
    found["relative_improvement_percent"] = {
        method: 100 * (found[method]["valid_accuracy"]["mean"] - random) / random for method in runs
    }
    return found


def published() -> dict:
    """Returns the curve and test accuracy of AmoebaNet-A, N = 1, F = 8."""
    from zero.cells.networks.build import build_network
    from zero.cells.networks.skeletons import Skeleton
    from zero.cells.published import get_published
    from zero.nn.train import Trainer
    from zero.nn.train_settings import TrainSettings

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
    keys = ("versions", "platform", "cpu", "cpu_count", "commit", "started")
    machine = {k: v for k, v in run_info(0, []).items() if k in keys}
    data[part] = result | {"machine": machine}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data, indent=1) + "\n")


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--individuals", type=int, default=120)
    parser.add_argument("--only", choices=(*PARTS, "published"))
    parser.add_argument("--one", nargs=3, metavar=("PART", "METHOD", "SEED"), help="one search")
    default = Path(__file__).parent / "results" / "cells_search.json"
    parser.add_argument("--json", type=Path, default=default)
    options = parser.parse_args()
    if options.one:
        part, method, seed = options.one
        print(json.dumps(one_run(part, method, int(seed), options.individuals)))
        return
    for part in PARTS:
        if options.only in (None, part):
            compare(part, options.seeds, options.individuals, options.json)
    if options.only in (None, "published"):
        save(options.json, "published", published())


if __name__ == "__main__":
    main()

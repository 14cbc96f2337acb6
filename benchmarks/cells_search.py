"""Evolution against random search over cells on real images, and a published cell trained fully.

    python benchmarks/cells_search.py [--seeds 5] [--individuals 120] [--only PART] [--json FILE]

Search: Fashion-MNIST at 14 x 14 pixels (means of 2 x 2), 1000 training images, 2 epochs of batch 32, so
that a candidate takes a second or two; both methods train as many candidates for as many steps, one island
on one core each, two runs side by side. What is compared is the test accuracy of the network that a run
chose by its validation accuracy, as it was trained in the search; the 10,000 test images had no part
in the choice. Inheritance: evolution on digits, where children start from new weights or from their
parent's; seed by seed as many candidates. Options: evolution on 300 digits with fidelity, halving and
extrapolation, each against off at equal train steps of the search; every outcome is trained in full once
more; 3 seeds, one run at a time, ten minutes or so of a quiet core, and only with --only options. Published:
AmoebaNet-A, N = 1, F = 8, on all cores until the epochs are over. PART is one of search, inheritance,
options, published.

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
# At 144 steps a training in full; the first is what the others are compared with.
OPTIONS = {
    "off": [],
    "fidelity_epochs": ["cells.fidelity={epochs: 4}"],
    "fidelity_images": ["cells.fidelity={images: 100}"],
    "fidelity_pixels": ["cells.fidelity={pixels: 4}"],
    "fidelity_filters": ["cells.fidelity={filters: 4}"],
    "asha": ["cells.halving={factor: 4}"],
    "hyperband": ["cells.halving={factor: 4, brackets: all}"],
    "extrapolation_regression": ["cells.extrapolation={after: 4}"],
    "extrapolation_power_law": ["cells.extrapolation={after: 4, fit: power_law}"],
}
OPTION_STEPS = 24 * 144
CONFIGS = {
    "search": "amoebanet_fashion",
    "inheritance": "amoebanet_digits",
    "options": "amoebanet_digits",
}
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
    "options": [
        "cells.space=nas_bench_201",
        "cells.skeleton={normal_cells: 1, filters: 8}",
        "cells.images={source: digits, train: 300, valid: 500}",
        "cells.training={epochs: 16, batch: 32, learning_rate: 0.1}",
        "cells.final={}",
        "cells.published=[]",
        "islands.count=1",
        "search.population=12",
        "search.tournament=4",
        f"budget={{train_steps: {OPTION_STEPS}}}",
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
        own = OPTIONS[method] if part == "options" else PARTS[part][method]
        settings = [*common, *own, f"seed={seed}"]
        if part != "options":
            settings.append(f"budget={{individuals: {individuals}}}")
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


def options(seeds: int, path: Path) -> None:
    """Makes the searches with each option and without, one at a time; writes what there is."""
    runs: dict[str, list[dict]] = {option: [] for option in OPTIONS}
    for seed in range(1, seeds + 1):
        for option in OPTIONS:
            runs[option].append(one_run("options", option, seed, 0))
            last = runs[option][-1]
            print(f"seed {seed} {option:<26} test {last['test_accuracy']:.4f} "
                  f"{last['individuals']} candidates {last['seconds']:.0f} s", flush=True)  # fmt: skip
        result = {"config": CONFIGS["options"], "settings": COMMON["options"], "options": OPTIONS}
        save(path, "options", result | {"runs": runs, "summary": against_off(runs)})


def against_off(runs: dict[str, list[dict]]) -> dict:
    """Returns for each option its means, and its gain over off in test accuracy, seed by seed."""
    found = {}
    for option, rows in runs.items():
        gains = [
            a["test_accuracy"] - b["test_accuracy"] for a, b in zip(rows, runs["off"], strict=True)
        ]
        found[option] = {
            key: statistics.mean(row[key] for row in rows)
            for key in ("test_accuracy", "individuals", "train_steps", "seconds")
        }
        found[option]["gain"] = statistics.mean(gains)
        error = statistics.stdev(gains) / math.sqrt(len(gains)) if len(gains) > 1 else None
        found[option]["standard_error"] = error
    return found


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
    parser.add_argument("--seeds", type=int, help="5, of options 3")
    parser.add_argument("--individuals", type=int, default=120)
    parser.add_argument("--only", choices=(*PARTS, "options", "published"))
    parser.add_argument("--one", nargs=3, metavar=("PART", "METHOD", "SEED"), help="one search")
    default = Path(__file__).parent / "results" / "cells_search.json"
    parser.add_argument("--json", type=Path, default=default)
    given = parser.parse_args()
    if given.one:
        part, method, seed = given.one
        print(json.dumps(one_run(part, method, int(seed), given.individuals)))
        return
    for part in PARTS:
        if given.only in (None, part):
            compare(part, given.seeds or 5, given.individuals, given.json)
    if given.only == "options":
        options(given.seeds or 3, given.json)
    if given.only in (None, "published"):
        save(given.json, "published", published())


if __name__ == "__main__":
    main()

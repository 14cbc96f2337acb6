"""Search with shared weights in NAS-Bench-201's space, and what a step of a supernet costs.

    python benchmarks/one_shot.py [--cifar10 FOLDER] [--table FILE] [--seeds 3] [--only PART]

Cells: each method trains its supernet (one cell a stage, 8 filters) on 2,000 of CIFAR-10's images, 10 epochs
of batch 64; the cell that it derives is looked up in the table of true accuracies, and so are 50 random
cells, for Kendall's tau between scores with shared weights and the table. Beside it: the mean of these
random cells. A minute or three for each method and seed.

Steps: a path's step against a step of the same network alone (model made once), and a mixture's step; the
fastest of several, in turn, one thread.

FILE has a column `arch` and `cifar10_val`, `cifar10_test`. Rows that are there are not made again. PART:
cells or steps. Writes benchmarks/results/one_shot.json.
"""

import argparse
import csv
import gzip
import math
import resource
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent / "paper"))
from rows import Rows

from zero.cells.domain import CellsDomain
from zero.cells.networks.build import build_network
from zero.cells.networks.skeletons import Skeleton
from zero.cells.spaces import get_space
from zero.cells.supernet.supernet import Supernet
from zero.config.load import make_config
from zero.data.images import ImageSettings, load_images
from zero.nn import make_model
from zero.nn.optimizers import clip_gradients
from zero.nn.train_settings import TrainSettings, make_optimizer
from zero.nn.weights import initial_parameters
from zero.rng.splitmix import new_state

METHODS: dict[str, dict[str, Any]] = {
    "random_sharing": {"method": "random_sharing", "samples": 100},
    "enas": {"method": "enas", "controller_steps": 10, "samples": 5, "final": 30},
    "darts": {"method": "darts", "alpha_learning_rate": 0.01},
    "darts, at most 1 skip": {"method": "darts", "alpha_learning_rate": 0.01, "skip_limit": 1},
}
STEPS = {
    "nas_bench_201, 28 x 28": ("nas_bench_201", Skeleton("nas_bench_201", filters=16), (28, 28, 1)),
    "darts, 28 x 28": ("darts", Skeleton("darts", layers=3, filters=8), (28, 28, 1)),
}


def true_accuracies(table: Path) -> dict[str, tuple[float, float]]:
    """Returns validation and test accuracy by cell, percent."""
    with gzip.open(table, "rt") as file:
        return {
            row["arch"]: (float(row["cifar10_val"]), float(row["cifar10_test"]))
            for row in csv.DictReader(file)
        }


def search(name: str, seed: int, cifar10: str, true: dict[str, tuple[float, float]]) -> dict:
    """Returns the row of a method and a seed."""
    from scipy.stats import kendalltau

    config = make_config({
        "seed": seed,
        "cells": {
            "space": "nas_bench_201",
            "skeleton": {"normal_cells": 1, "filters": 8},
            "images": {"source": "cifar10", "path": cifar10, "train": 2000, "valid": 500, "test": 100},
            "training": {"epochs": 1, "batch": 64, "learning_rate": 0.05},
        },
        "search": {"epochs": 10, "sample": 50, "candidates": 1, **METHODS[name]},
        "budget": {"individuals": 1},
    })  # fmt: skip
    (island,) = CellsDomain(config).islands(0, {"individuals": 1, "train_steps": 10**12})
    searcher = island.searcher.searcher
    began, cores = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_utime
    searcher.advance()
    ranked = sorted(searcher.derived, key=lambda cell: -searcher.scores[cell])
    arch = {cell: cell.partition(": ")[2] for cell in searcher.scores}
    sample = list(dict.fromkeys(searcher.drawn))
    of_sample = [true[arch[cell]][0] for cell in sample]
    tau = float(kendalltau([searcher.scores[cell] for cell in sample], of_sample).statistic)
    found = searcher.figures()
    return {
        "part": "cells", "method": name, "seed": seed, "cell": arch[ranked[0]],
        "valid": true[arch[ranked[0]]][0], "test": true[arch[ranked[0]]][1],
        "random_valid": float(np.mean(of_sample)),
        "random_test": float(np.mean([true[arch[cell]][1] for cell in sample])),
        "tau": None if math.isnan(tau) else tau, "sample": len(sample), "steps": found["steps"],
        "notes": found["notes"],
        "eigenvalues": [[int(e), v] for e, v in np.asarray(found.get("eigenvalues", [])).tolist()],
        "seconds": time.perf_counter() - began,
        "core_seconds": resource.getrusage(resource.RUSAGE_SELF).ru_utime - cores,
    }  # fmt: skip


def steps(name: str, rounds: int = 12) -> dict:
    """Returns the row of the steps' times, milliseconds."""
    space_name, skeleton, _ = STEPS[name]
    space, batch = get_space(space_name), 64
    data = load_images(ImageSettings(source="fashion_mnist", train=640, valid=64, test=64))
    settings = TrainSettings(epochs=10, batch=batch)
    net = Supernet(space, skeleton, data, settings, 1, split=True)
    rng, found = new_state(1, "one shot"), {"path": [], "alone": [], "mixture": []}
    shares = np.full((len(net.edges), len(net.ops)), 1 / len(net.ops))
    for number in range(rounds):
        genome, other = space.random(rng), space.random(rng)
        images, labels = net._parts["weights"](number)
        network = build_network(genome, skeleton, data.image_shape, 10)
        model, optimizer = make_model(network, batch), make_optimizer(network, settings)
        model.parameters[:] = initial_parameters(network, 0)
        model.train_step(images, labels)
        times = []
        for _ in range(3):
            began = time.perf_counter()
            net._parts["weights"](number)
            model.train_step(images, labels)
            clip_gradients(model.gradients, settings.clip)
            optimizer.step(model.parameters, model.gradients, 0.01)
            times.append(time.perf_counter() - began)
        found["alone"].append(min(times))
        times = []
        for _ in range(3):
            net.path(other)  # so that the genome's model is made anew
            began = time.perf_counter()
            net.train_path(number, genome)
            times.append(time.perf_counter() - began)
        found["path"].append(min(times))
        began = time.perf_counter()
        _, _, slopes = net.slopes("weights", number, shares)
        net.descend(number, slopes)
        found["mixture"].append(time.perf_counter() - began)
    return {
        "part": "steps", "case": name, "rounds": rounds,
        "alone_ms": 1e3 * sum(found["alone"]) / rounds, "path_ms": 1e3 * sum(found["path"]) / rounds,
        "path_over_alone": sum(found["path"]) / sum(found["alone"]),
        "mixture_ms": 1e3 * min(found["mixture"][1:]),
    }  # fmt: skip


def main() -> None:
    """Makes the rows that are missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cifar10", default="cifar10")
    parser.add_argument("--table", type=Path, default=Path("nas_bench_201_cifar10.csv.gz"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", choices=("cells", "steps"))
    given = parser.parse_args()
    rows = Rows("one_shot", Path(__file__).parent / "results")
    for name in STEPS if given.only != "cells" else ():
        if not rows.has(part="steps", case=name):
            rows.add(steps(name))
    if given.only == "steps":
        return
    true = true_accuracies(given.table)
    for seed in range(given.seeds):
        for name in METHODS:
            if not rows.has(part="cells", method=name, seed=seed):
                rows.add(search(name, seed, given.cifar10, true))


if __name__ == "__main__":
    main()

"""Optimisers and losses that a search finds, beside tuned ones of people's, on tasks that no search has seen.

    python benchmarks/paper/optimizers.py [--part optimizer|loss] [--seeds 5] [--plot]

Runs configs/discover_optimizer.yaml and configs/discover_loss.yaml for each seed and writes a row for each
outcome, and one for each shipped program, whose constants are tuned on the search tasks by a grid
(`zero.programs.parts`), to benchmarks/results/paper/optimizers.json; --plot draws optimizers.svg beside it
from the rows alone. What is there already is not measured again.

A row has the figures on the final tasks of the config (`unseen`: larger, worse conditioned; digit pairs never
seen), with 95 % intervals over tasks, and by how much it is fitter than the reference (tuned momentum; tuned
cross-entropy), paired by task. Beside them, on Fashion-MNIST:

* of an optimiser the test accuracy of a network 784-32-10 (rectified linear units, softmax cross-entropy,
  batches of 64) after two epochs on 55,000 images. All its steps are scaled by one factor, as a rate is
  tuned, the best of `FACTORS` for 5,000 other train images after 200 steps; mean of three starts;
* of a loss the accuracy of the config's network on 64 pairs of classes, with as many wrong labels (`fashion`)
  and with none (`fashion_clean`).
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from rows import RESULTS, Rows, core_seconds

from zero.config.load import load_config
from zero.data.sources import load_source
from zero.programs.domain import ProgramsDomain
from zero.programs.evaluator import Evaluator
from zero.programs.export import parts as exported
from zero.programs.figures import interval
from zero.programs.program import Program
from zero.programs.simplified import simplify
from zero.runs.pictures import save
from zero.runs.run import start
from zero.tasks import make_task_set
from zero.tasks.read import from_settings

CONFIGS = {"optimizer": "discover_optimizer", "loss": "discover_loss"}
REFERENCE = {"optimizer": "tuned momentum", "loss": "tuned cross_entropy"}
FACTORS = tuple(10.0 ** (k / 2) for k in range(-5, 3))
HIDDEN, BATCH, TUNED_STEPS, STARTS = 32, 64, 200, 3


# --- figures on tasks -----------------------------------------------------------------------------


def of_tasks(program: Program, reference: Program, evaluate: Evaluator) -> dict[str, Any]:
    """Returns a program's figures on tasks and its difference from the reference, paired."""
    found, other = evaluate(program), evaluate(reference)
    apart = found.task_fitness - other.task_fitness
    half = 1.96 * float(apart.std(ddof=1)) / np.sqrt(len(apart))
    training = evaluate.tasks.training
    assert training is not None
    networks = np.array([network.hidden > 0 for network in training.networks])
    row: dict[str, Any] = {
        "fitness": found.fitness,
        "interval": list(interval(evaluate.tasks, found)),
        "fitter": float(apart.mean()),
        "fitter_interval": [float(apart.mean() - half), float(apart.mean() + half)],
        "failed": float(np.mean(found.task_fitness == 0.0)),
        "tasks": len(apart),
    }
    if not networks.all():
        row["quadratics"] = float(found.task_fitness[~networks].mean())
        row["networks"] = float(found.task_fitness[networks].mean())
    return row


def of_fashion_pairs(program: Program, reference: Program, flipped: float) -> dict[str, Any]:
    """Returns a loss's figures on pairs of classes of Fashion-MNIST, test images included."""
    keys = {
        "type": "loss", "source": "fashion_mnist", "official_test": True, "count": 64, "features": 16,
        "train": 400, "valid": 200, "test": 1000, "hidden": 16, "batch": 16, "steps": 200, "rate": 0.1,
        "flipped": flipped,
    }  # fmt: skip
    tasks = make_task_set(from_settings(keys), "final")
    return of_tasks(program, reference, Evaluator(tasks))


# --- an optimiser on Fashion-MNIST -----------------------------------------------------------------


class Data:
    """Fashion-MNIST in a fixed random order: 55,000 images to train on, 5,000 to tune with, test images."""

    def __init__(self) -> None:
        train, test = (
            load_source("fashion_mnist", None, part, ("X", "y")) for part in ("train", "test")
        )
        order = np.random.default_rng(0).permutation(len(train.labels))
        x, self.y = self._scaled(train.x[order]), train.labels[order]
        self.x, self.test_x, self.test_y = x, self._scaled(test.x), test.labels

    @staticmethod
    def _scaled(x: np.ndarray) -> np.ndarray:
        return (x.reshape(len(x), -1).astype(np.float32) / 255.0 - 0.286) / 0.353


def accuracy(weights: list[np.ndarray], x: np.ndarray, y: np.ndarray) -> float:
    """Returns the share of images of which the network gives the right class the largest output."""
    first, biases, second, last = weights
    scores = np.maximum(x @ first + biases, 0) @ second + last
    return float(np.mean(scores.argmax(axis=1) == y))


def trained(
    make: Callable[[], Any], factor: float, steps: int, seed: int, data: Data
) -> list[np.ndarray]:
    """Returns the network's weights after so many steps of an optimiser, each scaled by the factor."""
    rng = np.random.default_rng(seed)
    sizes = [(784, HIDDEN), (HIDDEN,), (HIDDEN, 10), (10,)]
    scales = [np.sqrt(2 / 784), 0.0, np.sqrt(1 / HIDDEN), 0.0]
    weights = [
        (scale * rng.standard_normal(size)).astype(np.float32)
        for size, scale in zip(sizes, scales, strict=True)
    ]
    optimizers = [make() for _ in weights]
    rows = np.concatenate([rng.permutation(55_000) for _ in range(-(-steps * BATCH // 55_000))])
    for step in range(steps):
        batch = rows[step * BATCH : (step + 1) * BATCH]
        x, y = data.x[batch], data.y[batch]
        inside = x @ weights[0] + weights[1]
        active = np.maximum(inside, 0)
        scores = active @ weights[2] + weights[3]
        scores -= scores.max(axis=1, keepdims=True)
        shares = np.exp(scores)
        shares /= shares.sum(axis=1, keepdims=True)
        shares[np.arange(len(y)), y] -= 1
        shares /= len(y)
        back = (shares @ weights[2].T) * (inside > 0)
        slopes = [x.T @ back, back.sum(axis=0), active.T @ shares, shares.sum(axis=0)]
        for weight, optimizer, slope in zip(weights, optimizers, slopes, strict=True):
            weight -= np.float32(factor) * optimizer.step(slope)
    return weights


def of_fashion(program: Program, data: Data) -> dict[str, Any]:
    """Returns the test accuracy with an optimiser whose steps are scaled by a tuned factor."""
    module: dict[str, Any] = {}
    exec(exported.to_python(program, "optimizer", "optimizer", {}), module)
    make = module["Optimizer"]
    with np.errstate(all="ignore"):
        tuned = [
            accuracy(trained(make, f, TUNED_STEPS, 0, data), data.x[55_000:], data.y[55_000:])
            for f in FACTORS
        ]
        factor = FACTORS[int(np.argmax(tuned))]
        steps = 2 * (55_000 // BATCH)
        found = [
            accuracy(trained(make, factor, steps, 1 + k, data), data.test_x, data.test_y)
            for k in range(STARTS)
        ]
    return {
        "accuracy": float(np.mean(found)),
        "of_starts": found,
        "factor": factor,
        "tuning": tuned,
    }


# --- rows -------------------------------------------------------------------------------------------


def measured(
    part: str, program: Program, reference: Program, domain: Any, data: Data | None
) -> dict:
    """Returns all figures of a program; domain: of the config."""
    row = {
        "program": str(simplify(program)),
        "unseen": of_tasks(program, reference, domain.evaluator("final", 0)),
    }
    row["search"] = domain.evaluator("search", 0)(program).fitness
    if data is not None:
        return row | {"fashion": of_fashion(program, data)}
    flipped = domain.config.tasks.search.flipped
    return row | {
        "fashion": of_fashion_pairs(program, reference, flipped),
        "fashion_clean": of_fashion_pairs(program, reference, 0.0),
    }


def measure(part: str, seeds: int) -> None:
    """Adds the rows that are missing."""
    rows, data = Rows("optimizers"), None
    config = load_config(CONFIGS[part])
    domain = ProgramsDomain(config)
    shipped = domain._programs_beside(1, 0)
    reference = shipped[REFERENCE[part]]
    names = [name for name in shipped if not rows.has(part=part, method=name)]
    missing = [
        seed for seed in range(1, seeds + 1) if not rows.has(part=part, method="found", seed=seed)
    ]
    if part == "optimizer" and (names or missing):
        data = Data()
    for name in names:
        figures = measured(part, shipped[name], reference, domain, data)
        rows.add(
            {"part": part, "method": name, "tuned": "on the search tasks, by a grid", **figures}
        )
        print(part, name, figures["unseen"]["fitness"], flush=True)
    for seed in missing:
        begun, cores = time.perf_counter(), core_seconds()
        with tempfile.TemporaryDirectory() as folder:
            seeded = load_config(CONFIGS[part], [f"seed={seed}", "report=false"])
            outcome = start(seeded, Path(folder) / "run")
        cost = {
            "individuals": outcome.individuals,
            "seconds": round(time.perf_counter() - begun, 1),
            "core_seconds": round(core_seconds() - cores, 1),
        }
        figures = measured(part, outcome.program, reference, domain, data)
        rows.add({"part": part, "method": "found", "seed": seed, **cost, **figures})
        print(part, "seed", seed, figures["unseen"]["fitness"], flush=True)


def plot() -> None:
    """Draws the figures on unseen tasks and on Fashion-MNIST, with their intervals."""
    rows = Rows("optimizers").all()

    def draw(figure: Any) -> None:
        figure.set_size_inches(9, 6)
        grid = figure.subplots(2, 2)
        for line, part in zip(grid, CONFIGS, strict=True):
            own = [row for row in rows if row["part"] == part]
            for axes, what in zip(line, ("unseen", "fashion"), strict=True):
                for k, row in enumerate(own):
                    colour = "#0072b2" if row["method"] == "found" else "#444444"
                    figures = row[what]
                    value = figures.get("fitness", figures.get("accuracy"))
                    low, high = figures.get("interval") or (
                        min(figures["of_starts"]), max(figures["of_starts"])
                    )  # fmt: skip
                    axes.plot([low, high], [k, k], color=colour, linewidth=2)
                    axes.plot(value, k, "o", color=colour)
                named = [
                    f"found, seed {row['seed']}" if row["method"] == "found" else row["method"]
                    for row in own
                ]
                axes.set_yticks(range(len(own)), named, fontsize=8)
                axes.invert_yaxis()
                axes.grid(axis="x", alpha=0.3)
                axes.set_title(
                    {"unseen": "unseen tasks", "fashion": "Fashion-MNIST"}[what], fontsize=9
                )
                axes.set_xlabel(
                    "accuracy" if part == "loss" or what == "fashion" else "fitness", fontsize=8
                )
            line[0].set_ylabel({"optimizer": "optimisers", "loss": "losses"}[part])
        figure.set_layout_engine("tight")

    save(draw, RESULTS / "optimizers.svg")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", choices=list(CONFIGS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--plot", action="store_true", help="draw the rows that are there")
    options = parser.parse_args()
    if options.plot:
        plot()
    else:
        for which in [options.part] if options.part else CONFIGS:
            measure(which, options.seeds)
        plot()

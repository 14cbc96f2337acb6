"""The paper's best program at full size, beside a linear model and a network (Real et al. 2020, section 4.2).

    python benchmarks/paper/best_program.py DATA [--path FOLDER] [--pairs all] [--seeds N] [--learners NAME]

DATA: cifar10 (its files in FOLDER) or fashion_mnist. Tasks tell two classes apart by all pixels (3072, 784),
standardised: 8000 train examples, 2000 valid ones, and 2000 of the official test set for the final figures.
Everything is tuned on valid examples of three class pairs that are none of the nine held out, one seed each:

* the program: its constants, by the engine's own rule (`zero tune`), in one epoch; then 1, 2 or 3 epochs;
* the program in 3 epochs, for which its constants are tuned;
* the program without each of its ideas (the paper's ablations), likewise;
* logistic regression and a two-layer ReLU network by SGD: random settings, the best quarter of them in full;
  then the number of epochs.

The program runs by inner products (`bilinear.py`), after a check against the interpreter. As in the paper it
predicts with memory that lasts from one example to the next: the accumulated weights are in place from the
second on; here they are for the first too. The noise is the same in all pairs, and another for every seed.
Each pair, seed and learner is a row of results/paper/best_program.json; what is there is not done again.
"""

import argparse
from collections.abc import Iterator
from dataclasses import asdict
from itertools import combinations
from types import SimpleNamespace
from typing import Any

import bilinear
import numpy as np
import sgd
from rows import Rows, core_seconds

from zero.config.load import load_config
from zero.data.splits import rng_for
from zero.programs.evaluator import Evaluation
from zero.programs.explain.tune import tune
from zero.programs.interpreter import reference
from zero.programs.program import Program, memory_needed, parse_program
from zero.rng.philox import key_for
from zero.tasks import TaskSet
from zero.tasks.projected_binary import ProjectedBinary

FEATURES = {"cifar10": 3072, "fashion_mnist": 784}
# Not held out; of Fashion-MNIST such as are hard to tell apart: of most pairs all learners get 99.9 % right.
TUNING_PAIRS = {
    "cifar10": [(0, 2), (1, 9), (3, 7)],
    "fashion_mnist": [(0, 6), (2, 4), (5, 7)],
}
CONSTANTS = 60  # evaluations of a program with other constants, on each pair
SETTINGS = {"linear": ([0], 40), "network": ([64, 128, 256], 32)}  # sizes, number of trials
MOST_EPOCHS, FIRST_EPOCHS, PROGRAM_EPOCHS = 20, 4, 3
LONGER = "evolved in 3 epochs"
PROGRAMS = [*bilinear.variants(), LONGER]
Pair = tuple[int, int]


def variant_of(name: str) -> tuple[Program, bilinear.Variant]:
    """Returns the program of a name in `PROGRAMS`, and what it is."""
    return bilinear.variants()["evolved" if name == LONGER else name]


def held_out() -> list[Pair]:
    """Returns the nine pairs that nothing is tuned on."""
    pairs = load_config("projected_binary_baseline", check_files=False).tasks.final.pairs
    return [(min(pair), max(pair)) for pair in pairs]


class Data:
    """The tasks of one set of images, float32."""

    train, scored = 8000, 2000  # examples

    def __init__(self, name: str, path: str | None):
        self.name, self.path, self.features = name, path, FEATURES[name]

    def task(self, pair: Pair, seed: int, part: str) -> tuple[Any, Any, dict[str, Any]]:
        """Returns train examples, their labels, and {part: (examples, labels)}; part: valid or test."""
        family = ProjectedBinary(
            source=self.name, path=self.path, projection="none",
            train=self.train, valid=self.scored, test=self.scored,
            positive_class=pair[0], negative_class=pair[1], official_test=True,
        )  # fmt: skip
        task = family.make(seed, 0, "final" if part == "test" else "search")
        scored = (task.valid_x.astype(np.float32), task.valid_y)
        return task.train_x.astype(np.float32), task.train_y, {part: scored}

    def noise(self, seed: int, epochs: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns the draws of a seed, and their inner products."""
        program, _ = bilinear.variants()["evolved"]
        key = key_for(seed, "paper/best_program")
        r = bilinear.draws(program, self.features, self.train * epochs, key, 0, "float32")
        return r, r @ r.T


class Meter:
    """Evaluates a variant with other constants; for `tune`, instead of the engine's Meter."""

    def __init__(self, its: list[bilinear.Products], variant: bilinear.Variant, most: int):
        self.its, self.variant, self.most, self.made = its, variant, most, 0
        self.tasks = SimpleNamespace(num_tasks=len(its))

    @property
    def spent(self) -> bool:
        return self.made >= self.most

    def __call__(self, program: Program) -> list[Evaluation]:
        self.made += 1
        scores = [bilinear.run(its, program, self.variant) for its in self.its]
        fitness = np.array(
            [bilinear.accuracy(i, s, "valid") for i, s in zip(self.its, scores, strict=True)]
        )
        return [Evaluation(float(fitness.mean()), fitness, 0)]


def check() -> None:
    """Compares inner products with the interpreter, in float64 and as they are used, in float32.

    Raises:
        AssertionError: they differ.
    """
    rng = np.random.default_rng(0)
    x = rng.standard_normal((160, 24))
    y = (x[:, 0] + x[:, 1] * x[:, 2] > 0).astype(np.float64)
    arrays = (x[None, :100], y[None, :100], x[None, 100:], y[None, 100:])
    tasks = TaskSet(("check",), np.array([7], np.uint32), *arrays, "accuracy", epochs=2)
    for name, (program, variant) in bilinear.variants().items():
        trace = reference.run(
            program, memory_needed(program), tasks, 0, seed_key=5, independent=True
        )
        draws_of = bilinear.variants()["evolved"][0]
        for dtype, close in (("float64", 1e-9), ("float32", 1e-4)):
            r = bilinear.draws(draws_of, 24, 200, 5, 7, dtype)
            cast = x.astype(dtype)
            its = bilinear.products(
                cast[:100], y[:100], r, r @ r.T, {"valid": (cast[100:], y[100:])}
            )
            errors = bilinear.run(its, program, variant)["errors"]
            assert np.abs(errors - trace.train_errors).max() < close, name


def tune_programs(data: Data, rows: Rows, names: list[str]) -> None:
    """Adds rows for the program and its ablations: first the best constants, then the best epochs."""
    missing = [name for name in names if not rows.has(data=data.name, constants_of=name)]
    for longer in (False, True):
        tune_constants(
            data,
            rows,
            [n for n in missing if (n == LONGER) == longer],
            PROGRAM_EPOCHS if longer else 1,
        )
    missing = [name for name in names if not rows.has(data=data.name, tuned=name)]
    if LONGER in missing:
        missing.remove(LONGER)
        row = rows.where(data=data.name, constants_of=LONGER)[0]
        kept = {key: row[key] for key in ("data", "program", "pairs", "valid_accuracy")}
        rows.add(kept | {"tuned": LONGER, "epochs": PROGRAM_EPOCHS})
    if not missing:
        return
    noise = data.noise(0, PROGRAM_EPOCHS)
    programs = {n: rows.where(data=data.name, constants_of=n)[0]["program"] for n in missing}
    by_epochs: dict[str, dict[int, list[float]]] = {name: {} for name in missing}
    for pair in TUNING_PAIRS[data.name]:
        most = made(data.task(pair, 0, "valid"), noise)
        for epochs in range(1, PROGRAM_EPOCHS + 1):
            part = bilinear.shortened(most, epochs) if epochs < PROGRAM_EPOCHS else most
            for name in missing:
                scores = bilinear.run(
                    part, parse_program(programs[name], name), variant_of(name)[1]
                )
                accuracy = bilinear.accuracy(part, scores, "valid")
                by_epochs[name].setdefault(epochs, []).append(accuracy)
    for name in missing:
        means = {epochs: float(np.mean(each)) for epochs, each in by_epochs[name].items()}
        best = max(means, key=lambda epochs: means[epochs])
        rows.add({
            "data": data.name, "tuned": name, "program": programs[name], "epochs": best,
            "pairs": TUNING_PAIRS[data.name], "valid_accuracy_by_epochs": means,
            "valid_accuracy": means[best],
        })  # fmt: skip


def tune_constants(data: Data, rows: Rows, names: list[str], epochs: int) -> None:
    """Adds a row for each program with the constants that do best in so many epochs."""
    if not names:
        return
    noise = data.noise(0, epochs)
    its = [made(data.task(pair, 0, "valid"), noise) for pair in TUNING_PAIRS[data.name]]
    for name in names:
        program, variant = variant_of(name)
        before, meter = core_seconds(), Meter(its, variant, CONSTANTS)
        base = meter(program)
        tuned = None if name == "evolved, no noise" else tune(program, meter, base)
        rows.add({
            "data": data.name, "constants_of": name, "trials": meter.made,
            "program": str(program if tuned is None else tuned.program),
            "pairs": TUNING_PAIRS[data.name], "valid_accuracy_untuned": base[0].fitness,
            "valid_accuracy": base[0].fitness if tuned is None else tuned.best[0].fitness,
            "core_seconds": core_seconds() - before,
        })  # fmt: skip


def made(task: tuple[Any, Any, dict[str, Any]], noise: tuple[Any, Any]) -> bilinear.Products:
    """Returns the inner products of a task."""
    x, y, scored = task
    return bilinear.products(x, y, *noise, scored)


def tune_trained(data: Data, rows: Rows) -> None:
    """Adds a row for logistic regression and one for the network: settings and epochs."""
    tasks = [data.task(pair, 0, "valid") for pair in TUNING_PAIRS[data.name]]
    for name, (sizes, trials) in SETTINGS.items():
        if rows.has(data=data.name, tuned=name):
            continue
        before, rng = core_seconds(), rng_for(f"paper/best_program/{name}", 0)
        tried = [sgd.drawn(rng, sizes) for _ in range(trials)]
        first = [max(sgd.train(*tasks[0], s, FIRST_EPOCHS, 0)["valid"]) for s in tried]
        best: tuple[float, Any, int] = (0.0, None, 0)
        for i in np.argsort(first)[-(trials // 4) :]:
            each = [sgd.train(*task, tried[i], MOST_EPOCHS, 0)["valid"] for task in tasks]
            means = np.mean(each, axis=0)
            epochs = int(means.argmax()) + 1
            best = max(best, (float(means.max()), tried[i], epochs), key=lambda b: b[0])
        rows.add({
            "data": data.name, "tuned": name, "settings": asdict(best[1]), "epochs": best[2],
            "trials": trials, "in_full": trials // 4, "pairs": TUNING_PAIRS[data.name],
            "valid_accuracy": best[0], "core_seconds": core_seconds() - before,
        })  # fmt: skip
        print(name, best, flush=True)


def measure(data: Data, rows: Rows, pairs: list[Pair], seed: int, names: list[str]) -> None:
    """Adds the test accuracy of every learner on these pairs; one seed of split, weights and noise."""
    wanted = [*SETTINGS, *names]
    tuned = {name: rows.where(data=data.name, tuned=name)[0] for name in wanted}
    most = max(tuned[name]["epochs"] for name in names)
    noise = None
    for pair in pairs:
        key = {"data": data.name, "pair": list(pair), "seed": seed}
        missing = [name for name in tuned if not rows.has(**key, learner=name)]
        if not missing:
            continue
        task = data.task(pair, seed, "test")
        its = None
        for name, accuracy, seconds in measured(task, tuned, missing, seed):
            rows.add(key | {"learner": name, "accuracy": accuracy, "core_seconds": seconds})
        left = [name for name in missing if name in PROGRAMS]
        if not left:
            continue
        noise = noise or data.noise(seed, most)
        before = core_seconds()
        its = made(task, noise)
        shared = (core_seconds() - before) / len(left)
        for name in left:
            before, epochs = core_seconds(), tuned[name]["epochs"]
            part = bilinear.shortened(its, epochs) if epochs < most else its
            program = parse_program(tuned[name]["program"], name)
            scores = bilinear.run(part, program, variant_of(name)[1])
            seconds = core_seconds() - before + shared
            accuracy = bilinear.accuracy(part, scores, "test")
            rows.add(key | {"learner": name, "accuracy": accuracy, "core_seconds": seconds})
        print(pair, seed, flush=True)


def measured(
    task: tuple[Any, Any, dict[str, Any]], tuned: dict[str, Any], missing: list[str], seed: int
) -> Iterator[tuple[str, float, float]]:
    """Yields the name, test accuracy and core-seconds of logistic regression and the network."""
    for name in SETTINGS:
        if name in missing:
            before, row = core_seconds(), tuned[name]
            settings = sgd.Settings(**row["settings"])
            accuracy = sgd.train(*task, settings, row["epochs"], seed)["test"][-1]
            yield name, accuracy, core_seconds() - before


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", choices=list(FEATURES))
    parser.add_argument("--path", help="folder of the data's files; default: where they are kept")
    parser.add_argument("--pairs", choices=["held_out", "all"], default="held_out")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--learners", nargs="+", choices=PROGRAMS, default=PROGRAMS, metavar="NAME")
    options = parser.parse_args()
    data, rows = Data(options.data, options.path), Rows("best_program")
    check()
    tune_trained(data, rows)
    names = options.learners
    tune_programs(data, rows, names)
    pairs = held_out()
    if options.pairs == "all":
        pairs += [pair for pair in combinations(range(10), 2) if pair not in held_out()]
    for seed in range(options.seeds):
        measure(data, rows, pairs, seed, names)


if __name__ == "__main__":
    main()

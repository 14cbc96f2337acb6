"""The gallery: what each discovery is, in words, with its program, its figures, its lineage and a command.

Programs are those of `zero.programs.library`, figures those of files below benchmarks/results, so that
neither stands here a second time. To add an entry: put its program into the library, its figures into a
results file, and an `Entry` into `ENTRIES`. `docs/hooks.py` puts `page()` where docs/gallery.md says
`<!-- gallery -->`; `python docs/gallery.py` prints it.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zero.programs import library
from zero.programs.explain.motifs import motifs

RESULTS = Path(__file__).parents[1] / "benchmarks" / "results"
PAPER_BEST = {  # accuracy in %: program, logistic regression, network (Real et al. 2020, section 4.2)
    "cifar10": ("CIFAR-10", 84.06, 77.65, 82.22),
    "fashion_mnist": ("Fashion-MNIST", 98.60, 97.90, 98.21),
}


@dataclass(frozen=True)
class Entry:
    """A discovery.

    program: its name in the library. metric: of its tasks. words: what it does. command: does it again.
    figures, lineage: make Markdown of the content of a file of results, as `of_run` and `lineage_of_run`;
    results: that file, below benchmarks/results.
    """

    title: str
    program: str
    metric: str
    words: str
    command: str
    results: str
    figures: Callable[[Any], str]
    lineage: Callable[[Any], str]


def table(head: list[str], rows: list[list[str]]) -> str:
    """Returns a Markdown table; all columns but the first are flush right."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, rule, *rows))


def of_run(name: str) -> Callable[[Any], str]:
    """Returns what makes the table of figures of a run in gallery.json."""

    def figures(results: Any) -> str:
        found = results[name]
        low, high = found["final_interval"]
        rows = [["this program", f"{found['final_fitness']:.4f} ({low:.4f} to {high:.4f})"]]
        rows += [[f"`{k}`", f"{v:.4f}"] for k, v in found["baselines"].items()]
        rows.append(["a predictor that looks at nothing", f"{found['chance']:.4f}"])
        return table(["program", "final fitness (95 % interval)"], rows)

    return figures


def lineage_of_run(name: str) -> Callable[[Any], str]:
    """Returns what tells the lineage of a run in gallery.json."""

    def lineage(results: Any) -> str:
        found, first = results[name], results[name]["first"]
        rows = [
            [
                f"{leap['individuals']:,}",
                leap["mutation"],
                f"{leap['from']:.4f}",
                f"{leap['to']:.4f}",
            ]
            for leap in found["leaps"]
        ]
        text = (
            f"{found['ancestors']} ancestors that were kept, the first with a search fitness of "
            f"{first['fitness']:.4f}, up to {found['search_fitness']:.4f}; {found['individuals']:,} "
            f"individuals in the whole run. Found with {found['instructions_as_found']} instructions, shown "
            "without those that change nothing. The mutations that gained most, in the order in "
            "which they came:\n\n"
        )
        return text + table(["individual", "mutation", "search fitness before", "after"], rows)

    return lineage


def of_programs(name: str) -> Callable[[Any], str]:
    """Returns what makes the table of figures of shipped programs in gallery.json."""

    def figures(results: Any) -> str:
        rows = []
        for program, found in results[name]["figures"].items():
            low, high = found["interval"]
            rows.append([f"`{program}`", f"{found['fitness']:.4f} ({low:.4f} to {high:.4f})"])
        rows.append(["a predictor that looks at nothing", f"{found['chance']:.4f}"])
        return table(["program", "final fitness (95 % interval)"], rows)

    return figures


def says(text: str) -> Callable[[Any], str]:
    """Returns what makes the same text of all results."""
    return lambda _: text


def best_program(results: Any) -> str:
    """Returns the tables of paper/best_program.json: accuracy beside the paper's, and the ablations."""
    head = ["data", "learner", "test accuracy, %", "seeds", "paper", "difference"]
    rows, lost = [], []
    for data, (title, *paper) in PAPER_BEST.items():
        by = accuracies(results["rows"], data)
        shown = ("evolved", "evolved in 3 epochs", "linear", "network")
        for learner, theirs in zip(shown, (paper[0], *paper), strict=True):
            if by.get(learner):
                ours = 100 * statistics.mean(by[learner].values())
                rows.append([
                    title, learner.replace("evolved", "this program"), f"{ours:.2f}",
                    str(len(by[learner])), f"{theirs:.2f}", f"{ours - theirs:+.2f}",
                ])  # fmt: skip
        for learner, found in by.items():
            seeds = set(found) & set(by.get("evolved", {}))
            if "," in learner and seeds:
                each = [100 * (found[seed] - by["evolved"][seed]) for seed in seeds]
                what = learner.removeprefix("evolved, no ")
                lost.append([title, f"{statistics.mean(each):+.2f}", str(len(seeds)), what])
    text = table(head, rows)
    if lost:
        lost = [[title, what, by_, n] for title, by_, n, what in lost]
        text += "\n\nWithout one of its ideas, its constants tuned again:\n\n"
        text += table(["data", "without", "test accuracy, %", "seeds"], lost)
    return text


def accuracies(rows: list[dict[str, Any]], data: str) -> dict[str, dict[int, float]]:
    """Returns {learner: {seed: mean accuracy over the nine held-out pairs}}, of seeds with all nine."""
    from zero.config.load import load_config

    pairs = load_config("projected_binary_baseline", check_files=False).tasks.final.pairs
    wanted = {(min(pair), max(pair)) for pair in pairs}
    found: dict[str, dict[int, dict[tuple[int, ...], float]]] = {}
    for row in rows:
        if row["data"] == data and "learner" in row and tuple(row["pair"]) in wanted:
            seeds = found.setdefault(row["learner"], {})
            seeds.setdefault(row["seed"], {})[tuple(row["pair"])] = row["accuracy"]
    return {
        learner: {s: statistics.mean(by.values()) for s, by in seeds.items() if set(by) == wanted}
        for learner, seeds in found.items()
    }


ENTRIES = [
    Entry(
        "Linear regression, from random programs",
        "discovered_linear",
        "rms_error",
        "Gradient descent on the squared error, found from ten random instructions in Setup, two "
        "in Predict and eight in Learn. It does in an order of its own what the textbook does: "
        "Learn keeps the error times the features, the next Predict scales it by the learning "
        "rate, and the Learn after that adds it to the weights, one example late. The other "
        "constant scales only the first step, which is zero.",
        "zero run linear_demo --seed 1",
        "gallery.json",
        of_run("discovered_linear"),
        lineage_of_run("discovered_linear"),
    ),
    Entry(
        "Two handwritten digits, from empty programs",
        "discovered_digits",
        "accuracy",
        "A linear model by gradient descent on the log loss, better than the shipped one on pairs "
        "of digits that the search has not seen. Its step is not the last error alone: `s2` "
        "carries over part of the last product of error and step, so that the step is larger "
        "where errors follow each other. What is left of it when Predict comes is added three "
        "times as a small bias, which is worth nothing (`zero explain`). Of ten seeds it is the "
        "one of highest select fitness, so its final fitness is that of no choice by final tasks.",
        "zero run quickstart --seed 10",
        "gallery.json",
        of_run("discovered_digits"),
        lineage_of_run("discovered_digits"),
    ),
    Entry(
        "The best program of AutoML-Zero, 2020",
        "paper_best",
        "accuracy",
        "Found by Real, Liang, So and Le (2020, Fig. S1b) for pairs of CIFAR-10's classes, from "
        "empty programs. It sees every example twice, with noise added and taken away, and says "
        "a'Wb: a bilinear form, a quadratic model. Each step is divided by the norm of the "
        "gradient. What predicts is not W but the sum of all W that there were: Predict puts it "
        "in place when it has predicted, and Learn takes it back. So validation examples but the "
        "first see the averaged weights, and training sees the last ones. (Where each example is "
        "predicted from the memory that training left, as final figures of a run are, the "
        "averaged weights are never seen.)\n\nMeasured at full size, all pixels of the nine pairs "
        "held out, 8000 train examples, constants tuned on other pairs by the engine's rule, "
        "beside logistic regression and a two-layer ReLU network, both tuned. The CIFAR-10 images "
        "were JPEG copies, and the paper's figures may be means over other pairs, so that the "
        "learners here are best compared with each other.",
        "python benchmarks/paper/best_program.py fashion_mnist",
        "paper/best_program.json",
        best_program,
        says(
            "Evolved by the paper's authors in some 10,000 processes over five days; its "
            "ancestors are not published. `zero run cifar10_from_scratch_gpu` is that search."
        ),
    ),
    Entry(
        "A two-layer network with back-propagation",
        "neural_network",
        "rms_error",
        "Written by people: the program that evolution has to find again from random instructions "
        "(section 4.1 of the paper) or to better (4.2 and 4.3). ReLU, biases, steps down the "
        "gradient through both layers; the first layer's step uses last weights that have been "
        "changed already. On what such a network with other weights says, where a linear model is "
        "hardly better than the mean:",
        "zero evaluate neural_network nonlinear_integration --set tasks.final.count=50",
        "gallery.json",
        of_programs("neural_network"),
        says("None: it was written by hand, in the original engine and here."),
    ),
]


def page(entries: list[Entry] | None = None) -> str:
    """Returns the sections of all entries, Markdown."""
    return "\n\n".join(section(entry) for entry in entries or ENTRIES)


def section(entry: Entry) -> str:
    """Returns the section of an entry.

    Raises:
        ProgramError: the library has no such program.
    """
    results = json.loads((RESULTS / entry.results).read_text(encoding="utf-8"))
    program = library.program(entry.program)
    pieces = [f"* {m.name}: {m.sentence}" for m in motifs(program, entry.metric)]
    return "\n\n".join([
        f"## {entry.title}", entry.words, f"```\n{program}```", "\n".join(pieces),
        entry.figures(results), f"Lineage: {entry.lineage(results)}",
        f"Figures: `benchmarks/results/{entry.results}`. Do it again, and look at it:",
        f"```sh\n{entry.command}\nzero explain {entry.program} {explained_on(entry)}\n```",
    ])  # fmt: skip


def explained_on(entry: Entry) -> str:
    """Returns the config on whose tasks the program is explained: the one that its command names."""
    words = entry.command.split()
    if words[:2] == ["zero", "run"]:
        return words[2]
    return words[3] if words[:2] == ["zero", "evaluate"] else "quickstart"


if __name__ == "__main__":
    print(page())

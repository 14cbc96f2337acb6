"""The paper's adaptations: do few examples, haste or ten classes change what evolution makes of a network?

    python benchmarks/paper/adaptations.py [--seeds 5] [--only ARM ...] [--path CIFAR10] [--summary]

Each challenge of Real et al. 2020, section 4.3, and its control, as in `configs/paper/adapt_*.yaml` but
smaller: four tasks, fewer individuals, 2000 examples of ten classes. All begin with the two-layer network
and have, seed by seed, as many individuals. "One pass" is a smaller experiment of our own on haste, which
needs no CIFAR-10: softmax regression on 300 examples of ten digits, seen once or ten times.

A row of benchmarks/results/paper/adaptations.json is one run with its program; one that is there is not made
again. What a program does is asked of the program itself (`zero.programs.explain.adaptations`), so
`--summary` counts anew without a run: frequencies under the pressure and without it, Fisher's exact test,
the paper's figures beside them (adaptations_summary.json), and a picture of these, adaptations.svg.
"""

import argparse
import json
import tempfile
from pathlib import Path

from rows import RESULTS, Rows, core_seconds

from zero.config.load import load_config
from zero.programs.explain.adaptations import ADAPTATIONS, adaptations
from zero.programs.explain.exact import exact
from zero.programs.program import parse_program
from zero.runs import pictures
from zero.runs.run import start
from zero.tasks import PURPOSES

ROWS = Rows("adaptations")
SMALLER = {"count": {"search": 4, "select": 10, "final": 10}}
# Config and what is set in all of its tasks; few examples and fast training have the same control.
DIGITS = {"source": "digits", "path": "null", "official_test": "false", "train": 300, "valid": 100,
          "test": 300}  # fmt: skip
ARMS = {  # cheap ones first
    "one pass": ("adapt_ten_classes", {**DIGITS, "epochs": 1}),
    "ten passes": ("adapt_ten_classes", {**DIGITS, "epochs": 10}),
    "fast training": ("adapt_fast_training", {}),
    "ten classes": ("adapt_ten_classes", {"train": 2000, "valid": 500}),
    "two classes": ("adapt_fast_training", {"train": 2000, "valid": 500, "epochs": 1}),
    "few examples": ("adapt_few_examples", {}),
    "control of both": ("adapt_few_examples", {"train": 800}),
}
# Challenge, control, the adaptation, and how often the paper has it in each of thirty experiments.
CHALLENGES = (
    ("few examples", "control of both", "noisy ReLU", 8, 0),
    ("fast training", "control of both", "learning-rate decay", 30, 3),
    ("ten classes", "two classes", "learning rate from the mean of weights", 24, 0),
    ("one pass", "ten passes", "learning-rate decay", None, None),  # not in the paper
)
PAPER = 30


def settings_of(arm: str, seed: int, individuals: int, path: str) -> list[str]:
    """Returns what is set in the arm's config."""
    _, keys = ARMS[arm]
    found = [f"seed={seed}", f"budget.individuals={individuals}", "report=false"]
    for purpose in PURPOSES:
        own = {"path": path, **keys, "count": SMALLER["count"][purpose]}
        # Tasks of its own for each seed; final ones stay.
        if purpose != "final":
            own["data_seeds"] = f"[{1000 * seed + 100 * PURPOSES.index(purpose)}]"
        found += [f"tasks.{purpose}.{key}={value}" for key, value in own.items()]
    return found + (
        ["program.initial=softmax_regression"] if keys.get("source") == "digits" else []
    )


def one_run(arm: str, seed: int, individuals: int, path: str) -> dict:
    """Returns the row of one run."""
    before = core_seconds()
    config = load_config(ARMS[arm][0], settings_of(arm, seed, individuals, path))
    with tempfile.TemporaryDirectory() as folder:
        outcome = start(config, Path(folder) / "run")
    return {
        "arm": arm, "seed": seed, "individuals": individuals, "train_steps": outcome.train_steps,
        "core_seconds": round(core_seconds() - before, 1),
        "data": "digits" if "pass" in arm else "CIFAR-10, JPEG copies",
        "search_fitness": outcome.search_fitness, "select_fitness": outcome.select_fitness,
        "final_fitness": outcome.final.fitness, "chance": outcome.details["chance"]["final"],
        "baselines": {name: pair[1] for name, pair in outcome.baselines.items()},
        "labels": config.tasks.search.labels, "program": str(outcome.program),
    }  # fmt: skip


def measure(arms: list[str], seeds: int, individuals: int, path: str) -> None:
    """Adds the rows that are missing; arms take turns, so that all have as many."""
    for seed in range(1, seeds + 1):
        for arm in arms:
            if ROWS.has(arm=arm, seed=seed, individuals=individuals):
                continue
            row = one_run(arm, seed, individuals, path)
            ROWS.add(row)
            beside = ", ".join(f"{name} {f:.4f}" for name, f in row["baselines"].items())
            print(
                f"{arm:16} seed {seed:2}: {row['core_seconds']:6.1f} core-s, final "
                f"{row['final_fitness']:.4f} ({beside})",
                flush=True,
            )


def summary(individuals: int) -> list[dict]:
    """Returns how often each challenge's adaptation is found with the pressure and without."""
    from scipy.stats import fisher_exact

    has = {}
    for arm in ARMS:
        rows = ROWS.where(arm=arm, individuals=individuals)
        has[arm] = [
            adaptations(exact(parse_program(r["program"]), labels=r["labels"]).program, r["labels"])
            for r in rows
        ]
    found = []
    for challenge, control, name, paper, paper_control in CHALLENGES:
        counts = [sum(name in one for one in has[arm]) for arm in (challenge, control)]
        table = [
            [n, len(has[arm]) - n] for n, arm in zip(counts, (challenge, control), strict=True)
        ]
        found.append({
            "challenge": challenge, "adaptation": name, "found": counts[0], "of": len(has[challenge]),
            "found_in_control": counts[1], "of_control": len(has[control]),
            "p": float(fisher_exact(table, "greater").pvalue),
            **({"paper": [paper, PAPER], "paper_control": [paper_control, PAPER]}
               if paper is not None else {}),
            "all_found": {a: sum(a in one for one in has[challenge]) for a in ADAPTATIONS},
            "all_found_in_control": {a: sum(a in one for one in has[control]) for a in ADAPTATIONS},
        })  # fmt: skip
    return found


def draw(found: list[dict]):
    """Returns what draws the shares, ours and the paper's."""

    def picture(figure) -> None:
        figure.set_size_inches(8, 3.6)
        axes = figure.subplots()
        bars = (
            ("with the pressure", "found", "of", "paper", pictures.OWN),
            ("control", "found_in_control", "of_control", "paper_control", pictures.OTHER),
        )
        for k, (label, key, of, paper, color) in enumerate(bars):
            at = [2 * n + 0.8 * k - 0.4 for n in range(len(found))]
            ours = [row[key] / max(1, row[of]) for row in found]
            axes.bar(at, ours, 0.35, color=color, label=f"here, {label}")
            theirs = [row[paper][0] / row[paper][1] if paper in row else 0.0 for row in found]
            axes.bar([x + 0.36 for x in at], theirs, 0.35, color=color, alpha=0.35,
                     label=f"paper, {label}")  # fmt: skip
            for x, y, row in zip(at, ours, found, strict=True):
                axes.text(x, y + 0.01, f"{row[key]}/{row[of]}", ha="center", fontsize=8)
        axes.set_xticks([2 * n + 0.18 for n in range(len(found))],
                        [f"{r['challenge']}:\n{r['adaptation']}" for r in found])  # fmt: skip
        axes.set_ylim(0, 1.1)
        axes.set_ylabel("share of runs")
        axes.legend(ncols=2)
        axes.set_title("How often an adaptation is found")

    return picture


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--individuals", type=int, default=20_000)
    parser.add_argument("--only", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--path", default="cifar-10-batches-bin", help="folder of CIFAR-10")
    parser.add_argument("--summary", action="store_true", help="make no run")
    options = parser.parse_args()
    if not options.summary:
        measure(options.only, options.seeds, options.individuals, options.path)
    found = summary(options.individuals)
    (RESULTS / "adaptations_summary.json").write_text(json.dumps(found, indent=1) + "\n")
    pictures.save(draw(found), RESULTS / "adaptations.svg")
    for row in found:
        print(
            f"{row['challenge']:14} {row['adaptation']:40} {row['found']}/{row['of']} against "
            f"{row['found_in_control']}/{row['of_control']}, p {row['p']:.3g}"
            + (f" (paper: {row['paper'][0]}/{PAPER} against {row['paper_control'][0]}/{PAPER})"
               if "paper" in row else "")
        )  # fmt: skip


if __name__ == "__main__":
    main()

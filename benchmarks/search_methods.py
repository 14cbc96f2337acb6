"""Every search method over cells and whole networks on real images, at equal train steps.

    python benchmarks/search_methods.py [--only PART] [--seeds 5] [--methods A,B] [--out DIR] [--json FILE]

Parts: AmoebaNet's cells on digits; the same on Fashion-MNIST at 14 x 14 pixels (means of 2 x 2); stacks of
blocks on the latter. Each with all methods that serve the space, random search among them. A candidate is
trained for 2 epochs from new weights (methods that inherit weights by themselves do), runs have one island
and one thread. All runs have the same budget of train steps; as a method may propose again what it knows,
which costs no step, there is a limit of individuals as well. What is compared is the test accuracy of
the network that a run chose by its validation accuracy; test images had no part in any choice. Nothing is
tuned: methods have the settings that they ship with, populations fit the budget.

The same command goes on where it was stopped, and two parts can be made side by side on two cores.
Fashion-MNIST is Debian's package dataset-fashion-mnist. Writes benchmarks/results/search_methods.json and a
plot for each part.
"""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from cells_search import small_images

from zero.bench import search_methods
from zero.bench.differences import in_words
from zero.runs import pictures
from zero.runs.folder import run_info

RESULTS = Path(__file__).parent / "results"
CANDIDATES = 60  # whose train steps a run may take
SMALL = [
    "cells.training={epochs: 2, batch: 32, learning_rate: 0.05}",
    "cells.final=none",
    "cells.published=[]",
    "islands.count=1",
    "search.population=12",
]
FASHION = (
    "cells.images={source: npz, path: IMAGES, train: 600, valid: 1000, "
    "arrays: {x: X, y: y, test_x: test_X, test_y: test_y}}"
)
DIGITS = "cells.images={source: digits, train: 600, valid: 500}"
PARTS = {  # the config, settings, train steps of a candidate
    "digits": ("amoebanet_digits", [DIGITS], 2 * (600 // 32)),
    "fashion": ("amoebanet_digits", [FASHION], 2 * (600 // 32)),
    "fashion_blocks": ("search_beam", ["cells.ensemble=none", FASHION], 2 * (600 // 32)),
}


def make(part: str, methods: list[str] | None, seeds: int, out: Path) -> dict:
    """Returns the comparison of a part, and draws it."""
    config, settings, steps = PARTS[part]
    if any("IMAGES" in setting for setting in settings):
        images_file = out / "fashion.npz"
        if not images_file.exists():
            out.mkdir(parents=True, exist_ok=True)
            small_images(images_file)
        images = str(images_file.resolve())
        settings = [setting.replace("IMAGES", images) for setting in settings]
    budget = f"budget={{train_steps: {CANDIDATES * steps}, individuals: {4 * CANDIDATES}}}"
    found = search_methods.compare(
        config, [*SMALL, *settings, budget, "seed=1"], methods, seeds, out / part, told
    )
    pictures.save(
        lambda figure: search_methods.draw(found, figure), RESULTS / f"search_methods_{part}.svg"
    )
    print(part)
    for name, entry in sorted(found["methods"].items(), key=lambda e: -e[1]["mean"]):
        print(f"  {name:32} {entry['mean']:.4f} +- {entry['std'] or 0:.4f}  {entry['individuals']:.0f} "
              f"individuals, {entry['train_steps']:.0f} steps, {entry['seconds']:.0f} s")  # fmt: skip
    sentences = in_words(search_methods.known_differences(found))
    print("  " + "\n  ".join(sentences))
    for entry in found["methods"].values():
        at, mean, error = search_methods.bands([run.pop("curve") for run in entry["runs"]])
        entry["curve"] = {
            "individuals": at.tolist(),
            "mean": mean.round(6).tolist(),
            "standard_error": error.round(6).tolist(),
        }
        for run in entry["runs"]:
            del run["folder"]
    del found["out"]
    found["settings"] = [
        s if "IMAGES" not in s else FASHION for s in (*SMALL, *PARTS[part][1], budget)
    ]
    return found | {"sentences": sentences}


def told(run: search_methods.MethodRun, number: int, of: int) -> None:
    """Prints a run."""
    shown = {
        k: v for k, v in asdict(run).items() if k in ("search", "final", "individuals", "seconds")
    }
    print(number, of, run.method, run.seed, shown, file=sys.stderr, flush=True)


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=tuple(PARTS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--methods", help="default: all that serve the space")
    parser.add_argument("--out", type=Path, default=Path("runs/search_methods"))
    parser.add_argument("--json", type=Path, default=RESULTS / "search_methods.json")
    options = parser.parse_args()
    methods = options.methods.split(",") if options.methods else None
    for part in PARTS:
        if options.only not in (None, part):
            continue
        found = make(part, methods, options.seeds, options.out)
        data = json.loads(options.json.read_text()) if options.json.exists() else {}
        info = run_info(0, [])
        keys = ("versions", "platform", "cpu", "cpu_count", "commit", "started")
        data[part] = found | {"machine": {k: info[k] for k in keys}}
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(data, indent=1) + "\n")


if __name__ == "__main__":
    main()

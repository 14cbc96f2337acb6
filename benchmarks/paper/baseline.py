"""Searches on projected binary CIFAR-10, as in the paper's table S5, and upgrades of them one by one.

    python benchmarks/paper/baseline.py --path FOLDER [--variants "A;B"] [--seeds 1] [--steps 1e11]

`configs/projected_binary_baseline.yaml` in float32: 16 features, 10 search tasks, 8,000 examples seen once. A
run ends after `--steps` train steps of each island; the paper had 1e11 a process. What is reported
is the mean accuracy on 100 unseen tasks of held-out pairs, beside the shipped linear program and
network on the same tasks (the paper's: 0.702 and 0.729). FOLDER has the binary batches of CIFAR-10; name what
they are by `--data` where they are no original files.

Rows are added at each call, see `benchmarks/paper/rows.py`.
"""

import argparse
import math
import tempfile
from pathlib import Path

from rows import Rows, core_seconds

from zero.config.load import load_config
from zero.runs.run import start

CACHE = "evaluation.cache={train: 10, valid: 10}"
HURDLE = "evaluation.hurdle={train: 500, valid: 500}"
VARIANTS = {
    "basic": [],
    "cache": [CACHE],
    "cache, hurdle": [CACHE, HURDLE],
    "cache, proposals": [CACHE, "search.proposals={}"],
    "cache, hurdle, proposals": [CACHE, HURDLE, "search.proposals={}"],
}


def searched(options: argparse.Namespace, variant: str, seed: int) -> dict:
    """Returns the row of one run."""
    settings = [f"tasks.{part}.path={options.path}" for part in ("search", "select", "final")]
    settings += [f"seed={seed}", "dtype=float32", "report=false", *VARIANTS[variant]]
    settings += [f"islands.count={options.islands}"]
    settings += [f"budget={{train_steps: {options.steps * options.islands}}}"]
    config, began = load_config("projected_binary_baseline", settings), core_seconds()
    with tempfile.TemporaryDirectory() as folder:
        outcome = start(config, Path(folder) / "run")
    final = outcome.final.fitness if outcome.final else math.nan
    return {
        "data": options.data, "variant": variant, "seed": seed, "islands": options.islands,
        "steps": options.steps, "individuals": outcome.individuals,
        "search": outcome.search_fitness, "select": outcome.select_fitness, "unseen": final,
        "interval": outcome.details["interval"],
        "shipped": {name: pair[1] for name, pair in outcome.baselines.items()},
        "core_seconds": core_seconds() - began, "program": str(outcome.program),
    }  # fmt: skip


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--path", type=Path, required=True)
    parser.add_argument("--data", default="CIFAR-10")
    parser.add_argument("--variants", default=";".join(VARIANTS), help="separated by ;")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--steps", type=float, default=1e11)
    parser.add_argument("--islands", type=int, default=1)
    options = parser.parse_args()
    rows = Rows("baseline")
    for seed in range(1, options.seeds + 1):
        for variant in options.variants.split(";"):
            key = {"variant": variant, "seed": seed, "steps": options.steps}
            if not rows.has(**key, data=options.data, islands=options.islands):
                rows.add(searched(options, variant, seed))


if __name__ == "__main__":
    main()

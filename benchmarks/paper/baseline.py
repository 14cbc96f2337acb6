"""Searches on projected binary CIFAR-10, as in the paper's table S5, and upgrades of them one by one.

    python benchmarks/paper/baseline.py --path FOLDER [--variants "A;B"] [--first 1] [--seeds 1]

`configs/projected_binary_baseline.yaml` in float32: 16 features, 10 search tasks, 8,000 examples seen once. A
run ends after `--steps` train steps of each island; the paper had 1e11 a process. What is reported
is the mean accuracy on 100 unseen tasks of held-out pairs, beside the shipped linear program and
network on the same tasks (the paper's: 0.702 and 0.729). FOLDER has the binary batches of CIFAR-10; name what
they are by `--data` where they are no original files.

The variants of two islands are the paper's ablation (table S2), by the names of its rows: migration, the
cache, half of the workers on other images, the hurdle, all workers on other images. Those are
Fashion-MNIST, projected in the same way, which Debian ships and MNIST is not. They exchange half of their
populations every 500 individuals, some hundred times in 1e9 train steps, which are those of each island.

Rows are added at each call, see `benchmarks/paper/rows.py`.
"""

import argparse
import json
import math
import tempfile
from pathlib import Path

from rows import Rows, core_seconds

from zero.config import yaml
from zero.config.load import config_to_yaml, load_config
from zero.programs.domain import ProgramsDomain
from zero.programs.program import parse_program
from zero.runs.run import start

CACHE = "evaluation.cache={train: 10, valid: 10}"
HURDLE = "evaluation.hurdle={train: 500, valid: 500}"
PROPOSALS = "search.proposals={}"
VARIANTS = {
    "basic": [],
    "cache": [CACHE],
    "cache, hurdle": [CACHE, HURDLE],
    "cache, proposals": [CACHE, PROPOSALS],
    "cache, hurdle, proposals": [CACHE, HURDLE, PROPOSALS],
    "migration": [],
    "migration, cache": [CACHE],
    "half Fashion-MNIST": [],
    "half Fashion-MNIST, cache": [CACHE],
    "half Fashion-MNIST, cache, hurdle": [CACHE, HURDLE],
    "half Fashion-MNIST, cache, hurdle, proposals": [CACHE, HURDLE, PROPOSALS],
    "all Fashion-MNIST, cache": [CACHE],
}
CIFAR, FASHION = "cifar10", "fashion_mnist"
# What the islands of a variant search on, by the first word of its name; others have `--islands`, all CIFAR.
ISLANDS = {
    "migration": (CIFAR, CIFAR), "half Fashion-MNIST": (CIFAR, FASHION),
    "all Fashion-MNIST": (FASHION, FASHION),
}  # fmt: skip
MIGRATION = {"migrants": 50, "migrate_every": 500}


def islands_of(variant: str, given: int) -> tuple[str, ...]:
    """Returns the images that each island of a variant searches on; given: islands of the others."""
    return ISLANDS.get(variant.partition(",")[0], (CIFAR,) * given)


def search_tasks(images: tuple[str, ...], path: Path) -> str:
    """Returns the setting of the search tasks of islands on those images; path: of CIFAR-10's files."""
    plain = config_to_yaml(load_config("projected_binary_baseline", check_files=False))
    cifar = yaml.parse(plain, "the config").data["tasks"]["search"] | {"path": str(path)}
    # The pairs that are held out are CIFAR-10's.
    fashion = cifar | {"source": FASHION, "path": None, "held_out_pairs": []}
    families = [cifar if source == CIFAR else fashion for source in dict.fromkeys(images)]
    return f"tasks.search={json.dumps(families if len(families) > 1 else families[0])}"


def searched(options: argparse.Namespace, variant: str, seed: int) -> dict:
    """Returns the row of one run."""
    images = islands_of(variant, options.islands)
    settings = [f"tasks.{part}.path={options.path}" for part in ("search", "select", "final")]
    settings += [f"seed={seed}", "dtype=float32", "report=false", *VARIANTS[variant]]
    settings += [f"islands.count={len(images)}"]
    settings += [f"budget={{train_steps: {options.steps * len(images)}}}"]
    if variant.partition(",")[0] in ISLANDS:
        settings += [search_tasks(images, options.path)]
        settings += [f"islands.{key}={value}" for key, value in MIGRATION.items()]
    config, began = load_config("projected_binary_baseline", settings), core_seconds()
    with tempfile.TemporaryDirectory() as folder:
        outcome = start(config, Path(folder) / "run")
    final = outcome.final.fitness if outcome.final else math.nan
    program = str(outcome.program)
    return {
        "data": options.data, "variant": variant, "seed": seed, "islands": len(images),
        "steps": options.steps, "individuals": outcome.individuals,
        "search": outcome.search_fitness, "select": outcome.select_fitness, "unseen": final,
        "interval": outcome.details["interval"],
        "shipped": {name: pair[1] for name, pair in outcome.baselines.items()},
        "core_seconds": core_seconds() - began, "program": program,
        **as_the_paper(options.path, seed, program),
    }  # fmt: skip


def as_the_paper(path: Path, seed: int, program: str) -> dict:
    """Returns the accuracy on the unseen tasks as the original measures it.

    There memory goes from one example of validation to the next: a program may learn from features that it
    has seen without a label. Our own figure is that of a predictor, which knows training alone.
    """
    settings = [f"tasks.{part}.path={path}" for part in ("search", "select", "final")]
    config = load_config("projected_binary_baseline", [*settings, f"seed={seed}", "dtype=float32"])
    evaluate = ProgramsDomain(config).evaluator("final", 0)
    return {"unseen_as_paper": evaluate(parse_program(program)).fitness}


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--path", type=Path, required=True)
    parser.add_argument("--data", default="CIFAR-10")
    parser.add_argument("--variants", default=";".join(VARIANTS), help="separated by ;")
    parser.add_argument("--first", type=int, default=1, help="seed")
    parser.add_argument("--seeds", type=int, default=1, help="how many")
    parser.add_argument("--steps", type=float, default=1e11)
    parser.add_argument("--islands", type=int, default=1)
    options = parser.parse_args()
    rows = Rows("baseline")
    for row in rows.where(data=options.data):
        if "unseen_as_paper" not in row:  # of an earlier version
            rows.complete(row, as_the_paper(options.path, row["seed"], row["program"]))
    for seed in range(options.first, options.first + options.seeds):
        for variant in options.variants.split(";"):
            key = {"variant": variant, "seed": seed, "steps": options.steps}
            islands = len(islands_of(variant, options.islands))
            if not rows.has(**key, data=options.data, islands=islands):
                rows.add(searched(options, variant, seed))


if __name__ == "__main__":
    main()

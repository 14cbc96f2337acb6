"""Variants of the search on three problems: individuals to success, at least 20 seeds each.

    python benchmarks/paper/search.py [--problems A,B] [--variants A,B] [--seeds 20]

The problems are `configs/paper/search_*.yaml`: linear regression from random programs; back-propagation for a
network whose last layer learns already; binary Fashion-MNIST from no-ops. Beside them stands `demo`, the
shipped `linear_demo`, for its own sake. A run succeeds when its search
fitness reaches the config's `sufficient_fitness`; experiments begin anew after the config's number of
individuals, within its budget. *Individuals* are programs that were handed to evaluation; the mutations that
were looked at for them (`proposals`) and the full trainings that no cache saved (`trained`) are counted
apart.
A variant is a list of settings; `paper` is the paper's method: whatever a mutation makes is evaluated.

Settings of variants were chosen on seeds from 1001 on, which are not among the rows. Rows are added at each
call, see `benchmarks/paper/rows.py`.
"""

import argparse
from pathlib import Path

from alone import ENDLESS, ended
from rows import Rows, core_seconds

from zero.config.load import load_config
from zero.programs.domain import ProgramsDomain

FOLDER = Path(__file__).parents[2] / "configs" / "paper"
PROBLEMS = {
    "linear": FOLDER / "search_linear.yaml",
    "backprop": FOLDER / "search_backprop.yaml",
    "fashion": FOLDER / "search_fashion.yaml",
    "demo": FOLDER.parent / "linear_demo.yaml",
}
OFF, ON = "search.proposals=none", "search.proposals"
VARIANTS = {  # settings
    "paper": [OFF],
    "proposals": [ON + "={}"],
    "changed": [ON + "={novel: false, learns: false}"],
    "novel": [ON + "={learns: false}"],
    "learns": [ON + "={changed: false, novel: false}"],
    "removal twice": [OFF, "search.mutations={alter_parameter: 1, randomize_instruction: 1, "
                      "insert_instruction: 1, remove_instruction: 2}"],
    "median": [OFF, "evaluation.fitness=median"],
    "hurdle": [OFF, "evaluation.hurdle={train: 50, valid: 50}"],
    "population 100": [OFF, "search.population=100"],
    "proposals, population 300": [ON + "={}", "search.population=300"],
    "proposals, tournament 20": [ON + "={}", "search.tournament=20"],
    "proposals, no copies": [ON + "={}", "search.mutate_probability=1"],
    "proposals, hurdle": [ON + "={}", "evaluation.hurdle={train: 50, valid: 50}"],
    "proposals, tournament 5": [ON + "={}", "search.tournament=5"],
    "proposals, tournament 3": [ON + "={}", "search.tournament=3"],
    "proposals, again": [ON + "={again: 0.3}"],
    "proposals, constants": [ON + "={}", "+alter_constant"],
    "proposals, crossing": [ON + "={}", "+cross_function"],
    "proposals, removal twice": [ON + "={}", "search.mutations={alter_parameter: 1, "
                                 "randomize_instruction: 1, insert_instruction: 1, remove_instruction: 2}"],
}  # fmt: skip
NOT_FOR = {"linear": ("removal twice", "proposals, removal twice")}  # its sizes are fixed


def searched(problem: str, variant: str, seed: int) -> dict:
    """Returns the row of one run."""
    settings = VARIANTS[variant]
    if settings[-1].startswith("+"):  # one mutation more than the problem has
        weights = load_config(PROBLEMS[problem]).search.mutations | {settings[-1][1:]: 1.0}
        text = ", ".join(f"{name}: {weight:g}" for name, weight in weights.items())
        settings = [*settings[:-1], f"search.mutations={{{text}}}"]
    config = load_config(PROBLEMS[problem], [f"seed={seed}", *settings])
    domain = ProgramsDomain(config)
    domain.islands(0, ENDLESS)  # compiles
    began = core_seconds()
    total = {"individuals": 0, "proposals": 0, "trained": 0}
    best = 0.0
    for experiment in range(config.experiments.max or 15):
        island = ended(domain, experiment)
        stats = island.stats()
        total["individuals"] += stats["individuals"]
        total["proposals"] += stats["proposals"]
        total["trained"] += stats["evaluations"] - stats["hits"]
        best = max(best, float(island.population.best[0]))
        if island.reason == "fitness":
            break
    return {
        "problem": problem, "variant": variant, "settings": settings, "seed": seed,
        "success": island.reason == "fitness", **total, "best": best,
        "core_seconds": round(core_seconds() - began, 3),
    }  # fmt: skip


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--problems", default=",".join(PROBLEMS))
    parser.add_argument("--variants", default="paper;proposals", help="separated by ;")
    parser.add_argument("--seeds", type=int, default=20)
    options = parser.parse_args()
    rows = Rows("search")
    for seed in range(1, options.seeds + 1):  # in turns, so that what is there is even
        for problem in options.problems.split(","):
            for variant in options.variants.split(";"):
                key = {"problem": problem, "variant": variant, "seed": seed}
                if variant not in NOT_FOR.get(problem, ()) and not rows.has(**key):
                    rows.add(searched(problem, variant, seed))


if __name__ == "__main__":
    main()

"""Evolution beside random search on regression, over difficulty (Real et al. 2020, figure 4).

    python benchmarks/paper/fig4.py [--experiments 200] [--samples 1e8] [--only TASK] [--variant NAME]

Four tasks (`configs/paper/fig4_*.yaml`): the learning part of a linear and of an affine regressor, and both
whole. A program succeeds if its search fitness is at least what the config calls sufficient.

* Evolution: how many experiments succeed; each begins anew with other tasks.
* Random search: how often one random program succeeds, by drawing them from the same distribution. Only what
  can learn by data flow (`zero.programs.proposals.dependence`, which never says no to one that does) is
  evaluated, the others are counted as failures: so a million a second are drawn, and one in 10^8 is met.
* A whole affine regressor is too rare even so. Its rate is that of a right predict function, counted
  exactly by going through all of them, times that of random setup and learn beside one of these: of each
  of two kinds that differ in which addresses they leave free. Those that keep the bias in s1 are not
  counted: the rate is a little too low, the difficulty too high.

Difficulty is one over random search's rate, as in the paper. Rows are added at each call, see
`benchmarks/paper/rows.py`: experiments go on with the next seeds.
"""

import argparse
import itertools
from pathlib import Path

import numba
import numpy as np
from alone import ENDLESS, ended
from rows import Rows, core_seconds

from zero.config.load import load_config
from zero.programs import mutations
from zero.programs.domain import ProgramsDomain
from zero.programs.proposals import LEARNS, dependence
from zero.rng.splitmix import new_state

TASKS = ("fig4_linear_learn", "fig4_affine_learn", "fig4_linear", "fig4_affine")
BATCH = 20  # experiments in a row
CHUNK = 10_000_000  # random programs in a row
# Predict functions of an affine regressor: the product goes to a scalar of its own, or to s1.
FORMS = {
    "apart": "s3 = dot(v1, v0)\n  s1 = s3 + s4",
    "in place": "s1 = dot(v1, v0)\n  s1 = s1 + s4",
}
VARIANTS = {"paper": [], "proposals": ["search.proposals={}"]}


def evolved(task: str, variant: str, first: int) -> dict:
    """Returns a row of `BATCH` experiments with the seeds from `first` on."""
    config = load_config(f"configs/paper/{task}.yaml", [f"seed={first}", *VARIANTS[variant]])
    domain, began = ProgramsDomain(config), core_seconds()
    individuals = []
    for experiment in range(BATCH):
        island = ended(domain, experiment)
        individuals.append(island.individuals if island.reason == "fitness" else None)
    return {
        "what": "evolution", "task": task, "variant": variant, "seed": first,
        "experiments": BATCH, "successes": sum(n is not None for n in individuals),
        "individuals": individuals, "most": config.experiments.individuals,
        "core_seconds": core_seconds() - began,
    }  # fmt: skip


def sampler(module):
    """Returns a compiled loop that draws random programs and counts those that learn and that succeed."""
    evaluate, create = module.evaluate, mutations.create

    @numba.njit(error_model="numpy")
    def draw(genomes, space, evaluator, rng, number, sufficient):
        learning = successes = 0
        for _ in range(number):
            create(genomes, 0, space, rng)
            if dependence(genomes, 0, space) == LEARNS:
                learning += 1
                fitness, _ = evaluate(genomes, 0, evaluator)
                successes += fitness >= sufficient
        return learning, successes

    return draw


def drawn(task: str, form: str | None, number: int, folder: Path) -> dict:
    """Returns a row of `CHUNK` random programs; form: of predict, where that is given."""
    settings = []
    if form is not None:
        path = folder / f"{form}.txt"
        path.write_text(f"def Setup():\ndef Predict():\n  {FORMS[form]}\ndef Learn():\n")
        settings = [f"program.initial={path}", "program.predict={size: 2}"]
    config = load_config(f"configs/paper/{task}.yaml", settings)
    island, began = ProgramsDomain(config).islands(0, ENDLESS)[0], core_seconds()
    module = island.module
    learning, successes = sampler(module)(
        module.pack(island.genomes), module.pack(island.space), module.pack(island.arrays),
        new_state(number, "random programs", task, form), CHUNK,
        config.experiments.sufficient_fitness,
    )  # fmt: skip
    return {
        "what": "random", "task": task, "form": form, "seed": number, "programs": CHUNK,
        "can_learn": learning, "successes": successes, "core_seconds": core_seconds() - began,
    }  # fmt: skip


def share_of_form(form: str) -> float:
    """Returns how likely a random predict function of the affine config has that form, exactly.

    Two instructions, each a sum of two of five scalars or a product of two of three vectors, evenly; the
    result goes to one of s1 to s4.
    """
    sums = [
        ("sum", a, b, o, 0.5 / 100)
        for a, b, o in itertools.product(range(5), range(5), range(1, 5))
    ]
    dots = [
        ("dot", a, b, o, 0.5 / 36) for a, b, o in itertools.product(range(3), range(3), range(1, 5))
    ]
    total = 0.0
    for (_, a, b, out, p), (_, c, d, to, q) in itertools.product(dots, sums):
        bias = ({c, d} - {out}).pop() if out in (c, d) and c != d else None
        right = (a == 0) != (b == 0) and to == 1 and bias in (2, 3, 4)
        total += p * q * (right and (out == 1) == (form == "in place"))
    return total


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--experiments", type=int, default=200)
    parser.add_argument("--samples", type=float, default=1e8)
    parser.add_argument("--only", choices=TASKS)
    parser.add_argument("--variant", choices=tuple(VARIANTS), default="paper")
    options = parser.parse_args()
    rows = Rows("fig4")
    folder = Path("runs/fig4")
    folder.mkdir(parents=True, exist_ok=True)
    for task in (options.only,) if options.only else TASKS:
        for seed in range(1, options.experiments + 1, BATCH):
            key = {"what": "evolution", "task": task, "variant": options.variant, "seed": seed}
            if not rows.has(**key):
                rows.add(evolved(task, options.variant, seed))
        for form in FORMS if task == "fig4_affine" else (None,):
            for number in range(1, int(options.samples // CHUNK) + 1):
                if not rows.has(what="random", task=task, form=form, seed=number):
                    row = drawn(task, form, number, folder)
                    rows.add(row | ({} if form is None else {"share": share_of_form(form)}))


if __name__ == "__main__":
    np.seterr(all="ignore")
    main()

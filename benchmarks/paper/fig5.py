"""Does evolution find a network with back-propagation? (Real et al. 2020, figure 5.)

    python benchmarks/paper/fig5.py [--starts A,B] [--seeds 5] [--individuals N]

Three starts: `last layer` (`configs/paper/search_backprop.yaml`: a network of which only the last layer
learns is given, learn has to be completed, and the search goes on beyond the config's fitness), `random`
(`configs/paper/fig5.yaml`: random programs, 8 tasks) and `random, one task` (for which evolution may write
the teacher's weights into setup).

What was found is recognised by what it does, not by its text: it back-propagates if, on fresh examples, a
matrix of its moves along the gradient of its own loss (cosine of at least 0.95, by differences:
`zero.programs.explain.probe`). Rows are added at each call, see `benchmarks/paper/rows.py`.
"""

import argparse
import tempfile
from pathlib import Path

from rows import Rows, core_seconds

from zero.config.load import load_config
from zero.programs.domain import ProgramsDomain
from zero.programs.explain.exact import exact
from zero.programs.explain.flow import Flow
from zero.programs.explain.motifs import motifs
from zero.programs.explain.probe import cosine_with_gradient
from zero.programs.explain.values import Values
from zero.programs.program import parse_program
from zero.runs.run import start

FOLDER = Path(__file__).parents[2] / "configs" / "paper"
STARTS = {
    "last layer": (
        "search_backprop",
        [
            "experiments.sufficient_fitness=0.95",
            "experiments.individuals=1e6",
            "budget={individuals: 1e6}",
        ],
    ),
    "random": ("fig5", []),
    "random, one task": ("fig5", ["tasks.search.count=1", "experiments.max=10"]),
}
_LAST = ("s2 = s0 - s1", "s2 = s3 * s2", "v6 = s2 * v4", "v2 = v2 + v6")
_FIRST = (
    "v7 = s2 * v2",
    "v1 = heaviside(v3, 1.0)",
    "v7 = v1 * v7",
    "m1 = outer(v7, v0)",
    "m0 = m0 + m1",
)
BY_HAND = {"last layer": _LAST, "both layers": _LAST + _FIRST}  # learn, written by hand
RATES = (0.01, 0.02, 0.05, 0.1, 0.2)
ALONG = 0.95  # cosine from which on a change is a step along the gradient


def cosines(program) -> dict[str, float]:
    """Returns how near the changes of each matrix come to gradient descent: cosines by its name."""
    flow, found = Flow(Values(program)), {}
    for place in flow.updates:
        if place[0] != "m":
            continue
        last = [step.spot for step in flow.values.steps if step.spot[0] == 2]
        cosine = cosine_with_gradient(program, place, last[-1]) if last else None
        if cosine is not None:
            found[f"m{place[1]}"] = round(cosine, 4)
    return found


def searched(name: str, seed: int, individuals: float | None) -> dict:
    """Returns the row of one run."""
    config_name, settings = STARTS[name]
    more = [] if individuals is None else [f"budget={{individuals: {individuals:.0f}}}"]
    config = load_config(
        FOLDER / f"{config_name}.yaml", [f"seed={seed}", "report=false", *settings, *more]
    )
    began = core_seconds()
    with tempfile.TemporaryDirectory() as folder:
        outcome = start(config, Path(folder) / "run")
    short = exact(outcome.program).program
    along = cosines(short)
    return {
        "start": name, "seed": seed, "individuals": outcome.individuals, "reason": outcome.reason,
        "search": outcome.search_fitness, "select": outcome.select_fitness,
        "unseen": outcome.final.fitness if outcome.final else None,
        "sufficient": config.experiments.sufficient_fitness,
        "success": outcome.search_fitness >= 0.75,
        "cosines": along, "backpropagates": any(c >= ALONG for c in along.values()),
        "motifs": sorted({m.name for m in motifs(short, "rms_error")}),
        "core_seconds": round(core_seconds() - began, 1), "program": str(short),
    }  # fmt: skip


def by_hand(part: str, rate: float) -> dict:
    """Returns the row of a program by hand on the tasks of `last layer`; part: a key of `BY_HAND`."""
    domain = ProgramsDomain(load_config(FOLDER / "search_backprop.yaml"))
    text = str(domain.initial).split("def Learn():")[0].replace("s3 = 0.05", f"s3 = {rate}")
    program = parse_program(text + "def Learn():\n" + "".join(f"  {x}\n" for x in BY_HAND[part]))
    figures = {p: domain.evaluator(p, 0)(program).fitness for p in ("search", "select")}
    return {"part": part, "rate": rate, **figures}


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--starts", default=";".join(STARTS), help="separated by ;")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--individuals", type=float, help="budget of a run")
    options = parser.parse_args()
    known = Rows("fig5_by_hand")
    for part in BY_HAND:
        for rate in RATES:
            if not known.has(part=part, rate=rate):
                known.add(by_hand(part, rate))
    rows = Rows("fig5")
    for seed in range(1, options.seeds + 1):
        for name in options.starts.split(";"):
            if not rows.has(start=name, seed=seed):
                rows.add(searched(name, seed, options.individuals))


if __name__ == "__main__":
    main()

"""What the gallery of discoveries shows: runs made again, and shipped programs on their tasks.

    python benchmarks/gallery.py [--run NAME=FOLDER ...] [--only NAME]

Writes benchmarks/results/gallery.json, of which `docs/gallery.py` makes the page. `--run` takes a run that is
there already instead of making it.
"""

import argparse
import json
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

from zero.collection.adding import discoveries_in
from zero.config.load import load_config
from zero.programs.domain import ProgramsDomain
from zero.programs.explain.exact import exact
from zero.programs.find import load_program
from zero.programs.program import parse_program
from zero.runs.archive import read_archive
from zero.runs.folder import run_info
from zero.runs.run import start

RESULTS = Path(__file__).parent / "results" / "gallery.json"
RUNS = {  # entry: config and seed
    "discovered_linear": ("linear_demo", 1),
    "discovered_digits": ("quickstart", 10),
}
EVALUATED = {  # entry: config, settings, and the programs that stand beside it
    "neural_network": (
        "nonlinear_integration", ["tasks.final.count=50"], ["linear", "neural_network_damaged"],
    ),
}  # fmt: skip
LEAPS = 6  # of a lineage


def of_run(folder: Path, config: str, seed: int) -> dict[str, Any]:
    """Returns what a finished run says of its outcome.

    `program` is its shortest form (`zero explain`); `leaps` are the mutations that gained most, in the order
    in which they came.
    """
    (found,) = discoveries_in(str(folder))
    results = read_archive(folder).results or {}
    chain = found.lineage
    gains = [b.fitness - a.fitness for a, b in pairwise(chain)]
    largest = sorted(sorted(range(len(gains)), key=lambda i: -gains[i])[:LEAPS])
    return {
        "config": config,
        "seed": seed,
        "program": str(exact(parse_program(found.text)).program),
        "instructions_as_found": sum(map(len, parse_program(found.text).functions)),
        "individuals": results["individuals"],
        "search_fitness": found.fitness,
        "select_fitness": found.select_fitness,
        "final_fitness": found.final_fitness,
        "final_interval": results["final"]["interval"],
        "chance": results["final"]["chance"],
        "baselines": {name: part["final"] for name, part in results["baselines"].items()},
        "ancestors": len(chain) - 1,
        "first": {"individuals": chain[0].individuals, "fitness": chain[0].fitness},
        "leaps": [
            {
                "individuals": chain[i + 1].individuals,
                "mutation": chain[i + 1].mutation,
                "from": chain[i].fitness,
                "to": chain[i + 1].fitness,
            }
            for i in largest
        ],
    }


def of_programs(name: str, config: str, settings: list[str], others: list[str]) -> dict[str, Any]:
    """Returns the final figures of shipped programs on a config's tasks."""
    checked = load_config(config, settings)
    figures = {}
    for program in (name, *others):
        loaded = load_program(program)
        _, found = ProgramsDomain(checked, loaded).figures(loaded, "final", 0)
        figures[program] = {key: found[key] for key in ("fitness", "interval", "chance")}
    return {"config": config, "settings": settings, "figures": figures}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--run", action="append", default=[], metavar="NAME=FOLDER")
    parser.add_argument("--only", choices=[*RUNS, *EVALUATED])
    options = parser.parse_args()
    given = dict(part.split("=", 1) for part in options.run)
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name in [*RUNS, *EVALUATED]:
        if options.only not in (None, name):
            continue
        if name in EVALUATED:
            found = of_programs(name, *EVALUATED[name])
        elif name in given:
            found = of_run(Path(given[name]), *RUNS[name])
        else:
            config, seed = RUNS[name]
            with tempfile.TemporaryDirectory() as folder:
                start(load_config(config, [f"seed={seed}"]), Path(folder) / "run", quiet=True)
                found = of_run(Path(folder) / "run", config, seed)
        results[name] = found | {"machine": run_info(0, [])}
        RESULTS.write_text(json.dumps(results, indent=1, allow_nan=False) + "\n")


if __name__ == "__main__":
    main()

"""What kills, full disks, damaged files and the like do to runs: counts that must all be zero.

    python benchmarks/durability.py [--kills 1000] [--only kills,files] [--kinds programs,cells]
        [--jobs 2] [--seed 0] [--json FILE]

Small runs of every kind (programs with experiments, programs on a table, cells, the training of a network,
pipelines), each compared in the end, byte for byte, with an unbroken one. `PARTS` says what is done to
them, the files of `durable/` how. Most runs are forked from this process, with their code compiled; some
kills are of processes of their own (`python -m zero`). Exits with 1 if anything is counted that must not
be. Writes what was done and counted to benchmarks/results/durability.json; parts that are not run keep what
stands there.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from durable import clock, compiling, files, kills, soak, twice, writes
from durable.counts import FAULTS, Counts
from durable.jobs import each
from durable.kinds import MAKERS, Whole, kinds, warm, whole

from zero.runs.folder import run_info

ALONE = 0.05  # share of the kills that are of processes of their own
A_RUN = 7  # kills of one run, about
Tasks = list[Callable[[], Counts]]


class Plan:
    """What is to be done: unbroken runs to compare with, a folder to work in, and the options."""

    def __init__(self, wholes: list[Whole], home: Path, options: argparse.Namespace):
        self.wholes, self.home, self.options = wholes, home, options

    def share(self, total: int, number: int) -> int:
        """Returns the part of a total that the kind of that number has."""
        count = len(self.wholes)
        return total // count + (number < total % count)


def _kills(plan: Plan, name: str) -> Counts:
    """Runs killed at random moments until so many kills have come."""
    options, counts = plan.options, Counts()
    for number, ours in enumerate(plan.wholes):
        wanted, round_ = plan.share(options.kills, number), 0
        found = Counts()
        alone = round(ALONE * wanted / A_RUN + 0.4)
        while found.done["kills"] < wanted:
            left = -(-(wanted - found.done["kills"]) // A_RUN)
            tasks = []
            for k in range(left):
                seed = f"{options.seed}/{ours.kind.name}/{round_}/{k}"
                folder = plan.home / f"{ours.kind.name}-{round_}-{k}"
                own = round_ == 0 and k < alone
                tasks.append(partial(kills.killed_run, ours, folder, seed, own))
            found.add(each(f"{name}, {ours.kind.name}", tasks, options.jobs))
            round_ += 1
        found.done[f"kills, {ours.kind.name}"] = found.done["kills"]
        counts.add(found)
    return counts


def _of_tasks(make: Callable[[Plan, Whole], Tasks]) -> Callable[[Plan, str], Counts]:
    """Returns a part that does the tasks of each kind."""

    def part(plan: Plan, name: str) -> Counts:
        counts = Counts()
        for ours in plan.wholes:
            tasks = make(plan, ours)
            if tasks:
                counts.add(each(f"{name}, {ours.kind.name}", tasks, plan.options.jobs))
        return counts

    return part


def _soak(plan: Plan, name: str) -> Counts:
    """Runs each kind for as long as `--soak` says, `jobs` of them side by side."""
    seconds = plan.options.soak
    tasks = [partial(soak.soaked, ours.kind, plan.home, seconds) for ours in plan.wholes if seconds]
    return each(name, tasks, plan.options.jobs)


# What can be done to runs: name -> how.
PARTS: dict[str, Callable[[Plan, str], Counts]] = {
    "kills": _kills,
    "writes": _of_tasks(lambda p, w: writes.kills(w, p.home, p.options.every)),
    "disk": _of_tasks(lambda p, w: writes.full_disks(w, p.home, p.options.every)),
    "small disks": _of_tasks(lambda p, w: writes.small_disks(w, p.home, p.options.times)),
    "files": _of_tasks(lambda p, w: files.tasks(w, p.home, p.options.flips)),
    "compiling": _of_tasks(
        lambda p, w: compiling.tasks(w, p.home, -(-p.options.times // 4), p.options.flips // 3)
    ),
    "clock": _of_tasks(lambda p, w: clock.tasks(w, p.home, p.options.times)),
    "twice": _of_tasks(lambda p, w: twice.tasks(w, p.home, p.options.times)),
    "soak": _soak,
}


def measured(options: argparse.Namespace) -> dict[str, Counts]:
    """Returns what the parts counted that are wanted."""
    warm()
    found = {}
    with tempfile.TemporaryDirectory(prefix="durable-") as home:
        wholes = [whole(kind) for kind in kinds(Path(home), options.kinds)]
        for name in options.only:
            found[name] = PARTS[name](Plan(wholes, Path(home), options), name)
    return found


def written(path: Path, found: dict[str, Counts], seconds: float) -> int:
    """Adds what was counted to a file of results; returns how many faults there were this time."""
    keys = ("commit", "cpu", "cpu_count", "platform", "versions")
    machine = {k: v for k, v in run_info(0, []).items() if k in keys}
    known = json.loads(path.read_text()) if path.exists() else {}
    parts = known.get("parts", {})
    for name, counts in found.items():
        parts[name] = {**counts.tree(), "machine": machine}
    total = {f: sum(part["faults"].get(f, 0) for part in parts.values()) for f in FAULTS}
    results = {"faults": total, "parts": {n: parts[n] for n in PARTS if n in parts}}
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(results, indent=1) + "\n")
    return sum(counts.total for counts in found.values())


def _names(known: dict) -> Callable[[str], list[str]]:
    def parse(text: str) -> list[str]:
        names = [name.strip() for name in text.split(",")]
        unknown = [name for name in names if name not in known]
        if unknown:
            raise argparse.ArgumentTypeError(f"{unknown[0]} is none of {', '.join(known)}")
        return names

    return parse


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=1000, help="at random moments, of all kinds")
    parser.add_argument("--only", type=_names(PARTS), default=list(PARTS), help=", ".join(PARTS))
    parser.add_argument("--kinds", type=_names(MAKERS), default=None, help=", ".join(MAKERS))
    parser.add_argument("--every", type=int, default=1, help="at each N-th write; 1: at all")
    parser.add_argument("--times", type=int, default=20, help="sizes of disks, pairs and so on")
    parser.add_argument("--flips", type=int, default=6, help="bits turned in every file")
    parser.add_argument("--soak", type=float, default=0.0, help="seconds of each kind; 0: none")
    parser.add_argument("--jobs", type=int, default=2, help="runs side by side")
    parser.add_argument("--seed", type=int, default=0, help="of moments and targets")
    default = Path(__file__).parent / "results/durability.json"
    parser.add_argument("--json", type=Path, default=default)
    options = parser.parse_args()
    began = time.monotonic()
    found = measured(options)
    seconds = time.monotonic() - began
    faults = written(options.json, found, seconds)
    for name, counts in found.items():
        done = ", ".join(f"{n} {what}" for what, n in sorted(counts.done.items()))
        print(f"{name}: {done}; faults: {dict(counts.faults) or 'none'}")
    print(f"{faults} faults in {seconds:.0f} s")
    sys.exit(faults > 0)


if __name__ == "__main__":
    main()

"""Where the time of a search goes on one core: its stages, and the ops of full evaluations.

    python benchmarks/split.py [--seconds 5] [--images SOURCE[:PATH]] [--json FILE]

A search runs for that long. At some fifty points it is halted, and the next generation of children is
made again and again, each time one stage further; what a stage adds is its time. Then the search goes
on from where it was. Nothing is measured inside the search itself, so this does not slow it down.

* *select*: the tournament; *mutate*: copies the parent and changes it.
* *canonicalise*: checks the static cost, decodes the live instructions, names the program.
* *setup*: zeroes memory and runs setup. *cache*: hashes memory and looks the program up.
* *first examples*: looks whether it behaves like an earlier program, and keeps the outcome.
* *full evaluation*: trains and validates.
* *the rest*: what is left of the search's time (records, new bests, the ends of rounds), and what
  the replay did not catch: it may be negative.

A stage that only some children reach is scaled to how many reached it in the search. Ops are counted
in the predict and learn of children that were fully evaluated, steps that were not taken left out, and
each is timed by itself in rows of up to 64 of its instructions as they stood in those children.
Run it on a quiet machine. Writes benchmarks/results/split.json.
"""

import argparse
import json
import statistics
import time
from collections import Counter
from pathlib import Path

import numpy as np

from zero.config.load import load_config
from zero.config.sections import Budget, RunConfig
from zero.errors import ZeroError
from zero.evolution.population import FILLED, new_record
from zero.jit.decorators import jit
from zero.jit.struct import address
from zero.programs.config import Experiments
from zero.programs.domain import ProgramsDomain, initial_program
from zero.programs.interpreter import handlers
from zero.programs.interpreter.arrays import (
    BUDGET_FAILS,
    EVALUATED,
    FEC_HITS,
    SEEN_HITS,
)
from zero.programs.interpreter.handlers import HANDLER, ROW
from zero.programs.interpreter.lanes import execute
from zero.runs.folder import run_info

CONFIGS = (
    "linear_demo",
    "linear_integration",
    "nonlinear_integration",
    "projected_binary_baseline",
)
STAGES = (
    "select",
    "mutate",
    "canonicalise",
    "setup",
    "cache",
    "first examples",
    "full evaluation",
)
# How far a replay goes; EVALUATE with an evaluator of no epochs ends before the full evaluation.
RECORD, SELECT, MUTATE, CANONICALISE, SETUP, CACHE, EVALUATE = range(7)
POINTS = 50
COPIES = 64  # instructions of an op timed in a row
PASSES = 50
_FOREVER = 2**62


def drivers(module) -> tuple:
    """Returns (replay, census), compiled for the module's functions."""
    choose, breed, decode, start = module.choose, module.breed, module.decode, module.start
    lanes = module.W
    add_memory, find_bits, find = module.add_memory, module.find_bits, module.find
    over_budget, evaluate = module.over_budget, module.evaluate

    @jit
    def replay(level, children, island, settings, rng):
        """Makes children as the search does, up to a level; the sum keeps LLVM from skipping work."""
        population, genomes, space, e = island
        settings, rng = address(settings), address(rng)  # as in the search
        s, total = e.settings, np.uint64(0)
        for _ in range(children):
            row = new_record(population)
            if level == RECORD:
                total += np.uint64(row)
                continue
            slot = choose(population.slot_fitness, settings, rng)
            if level == SELECT:
                total += np.uint64(slot)
                continue
            breed(genomes, np.int64(population.slots[slot]), row, space, rng)
            if level == MUTATE:
                continue
            if level == EVALUATE:
                total += np.uint64(evaluate(genomes, row, e)[1])
                continue
            if s.budget > 0.0 and over_budget(genomes, row, e):
                continue
            key, _, random_setup = decode(genomes, row, e, False)
            total ^= key
            if level == CANONICALISE:
                continue
            for block in range(s.blocks):
                start(e, np.int64(block))
            if level == SETUP:
                continue
            found, bits = find_bits(e.seen, add_memory(e, key, random_setup))
            if found and s.fec_train:
                total += np.uint64(find(e.fec, bits, s.forget_every)[0])
            total ^= bits
        return total

    @jit
    def census(children, island, settings, rng, executed, seen, rows):
        """Counts by handler how often it ran in children fully evaluated, and keeps some of its rows.

        executed, seen (n,): times run, instructions met; rows (n, COPIES, ROW): a few of those.
        """
        population, genomes, space, e = island
        settings, rng = address(settings), address(rng)
        s = e.settings
        for _ in range(children):
            row = new_record(population)
            slot = choose(population.slot_fitness, settings, rng)
            breed(genomes, np.int64(population.slots[slot]), row, space, rng)
            c = e.counters
            before = c[SEEN_HITS] + c[FEC_HITS] + c[BUDGET_FAILS]
            evaluate(genomes, row, e)
            if c[SEEN_HITS] + c[FEC_HITS] + c[BUDGET_FAILS] != before:
                continue
            steps = examples = 0
            for block in range(s.blocks):
                last = 0  # a block's steps end when its last task has failed
                for task in range(block * lanes, min(s.tasks, (block + 1) * lanes)):
                    last = max(last, e.stopped[task] + 1)
                # The first examples' steps were taken before the full evaluation.
                steps += min(last, s.steps) - min(last, s.fec_train)
                if e.alive[block]:
                    examples += s.valid * s.epochs
            for function in range(1, 3):
                times = steps + examples if function == 1 else steps
                k = e.bounds[function]
                while True:
                    n = 0
                    while e.handlers[n] != e.code[k, HANDLER]:
                        n += 1
                    executed[n] += times
                    # The last ones met are kept: from many children, since each has few.
                    rows[n, seen[n] % COPIES] = e.code[k]
                    seen[n] += 1
                    if n == len(e.handlers) - len(handlers.EXTRA):  # the end
                        break
                    k += 1

    return replay, census


@jit
def execute_row(code, memory, context, times):
    """Executes a row of instructions that ends with END, again and again."""
    for _ in range(times):
        execute(address(code), np.int64(0), address(memory), np.int64(0), address(context))


class Split:
    """One config's search and what was measured of it.

    spent: nanoseconds by level of the replay, the last one with full evaluations; counted, replayed:
    how many reached a stage. Sums over individuals of the search: a generation that is replayed stands
    for those made since the last one, of which there are more where they take less time.
    """

    def __init__(self, config: RunConfig):
        config = config.model_copy(update={"budget": Budget(), "experiments": Experiments()})
        domain = ProgramsDomain(config, initial_program(config))
        budget = {"individuals": _FOREVER, "train_steps": _FOREVER}
        self.island = island = domain.islands(0, budget)[0]
        pack, arrays = island.module.pack, island.arrays
        brief = arrays._replace(settings=arrays.settings._replace(epochs=0))
        handles = [pack(x) for x in (island.population, island.genomes, island.space)]
        self.whole, self.brief = (*handles, pack(arrays)), (*handles, pack(brief))
        self.replay, self.census = drivers(island.module)
        self._forget()

    def _forget(self) -> None:
        self.seconds, self.individuals, self.since = 0.0, 0, 0
        self.counted, self.replayed = Counter(), Counter()
        self.spent = np.zeros(EVALUATE + 2)
        self.full_seconds = 0.0  # of the children whose ops were counted
        names = handlers.names()
        self.executed = np.zeros(len(names), dtype=np.int64)
        self.seen = np.zeros(len(names), dtype=np.int64)
        self.rows = np.zeros((len(names), COPIES, ROW), dtype=np.int64)

    def search(self, seconds: float) -> None:
        """Goes on with the search."""
        island, before = self.island, self._counters()
        first, began = island.individuals, time.process_time()
        while (took := time.process_time() - began) < seconds:
            if island.waiting:
                island.begin_round()
            island.advance(seconds - took)
        self.seconds += time.process_time() - began
        self.since = island.individuals - first
        self.individuals += self.since
        self.counted.update(self._counters() - before)

    def _counters(self) -> Counter:
        """Returns how many were looked at, and how many fully evaluated."""
        c = self.island.arrays.counters
        looked = int(c[EVALUATED] - c[BUDGET_FAILS] - c[SEEN_HITS])
        return Counter(looked=looked, full=looked - int(c[FEC_HITS]))

    def look(self) -> None:
        """Replays a generation of children level by level, and leaves the search as it was."""
        island = self.island
        state, size = island.state(), len(island.population.slots)
        each = self.since / size
        levels = [(level, self.brief) for level in range(EVALUATE + 1)] + [(EVALUATE, self.whole)]
        seconds = np.zeros(len(levels))
        for k, (level, handles) in enumerate(levels):
            arguments = (handles, island.settings, island.rng)
            self.replay(level, size // 10, *arguments)  # so that caches are as in the search
            before, began = self._counters(), time.process_time()
            self.replay(level, size, *arguments)
            seconds[k] = time.process_time() - began
            reached = self._counters() - before
            island.restore(state)
        self.spent += 1e9 * each * seconds
        self.full_seconds += seconds[-1] - seconds[-2]
        self.replayed.update({kind: each * number for kind, number in reached.items()})
        self.census(
            size, self.whole, island.settings, island.rng, self.executed, self.seen, self.rows
        )
        island.restore(state)

    def measure(self, seconds: float) -> dict:
        """Returns the config's row of the results."""
        while self.island.population.counts[FILLED] < len(self.island.population.slots):
            self.search(0.1)
        self.look()  # compiles
        self._forget()
        for _ in range(POINTS):
            self.search(seconds / POINTS)
            self.look()
        total = 1e9 * self.seconds / self.individuals
        stages = dict(zip(STAGES, (np.diff(self.spent) / self.individuals).tolist(), strict=True))
        for name, kind in (("first examples", "looked"), ("full evaluation", "full")):
            stages[name] *= self.counted[kind] / max(self.replayed[kind], 1)
        stages["the rest"] = total - sum(stages.values())
        return {
            "nanoseconds_per_individual": total,
            "stages": stages,
            **self.ops(),
        }

    def ops(self) -> dict:
        """Returns the time of each op, the one with most first, and their part of full evaluations."""
        names = handlers.names()
        end = names.index("END")
        empty = self._seconds_of([end])
        found = {}
        for n, name in enumerate(names):
            if n != end and self.executed[n]:
                took = self._seconds_of([n] * COPIES + [end]) - empty
                found[name] = (int(self.executed[n]), 1e9 * took / COPIES)
        total = sum(executed * each for executed, each in found.values())
        order = sorted(found.items(), key=lambda item: -item[1][0] * item[1][1])
        return {
            "ops": {
                name: {"share": executed * each / total, "nanoseconds": each, "executed": executed}
                for name, (executed, each) in order
            },
            "ops_of_full_evaluation": total / (1e9 * self.full_seconds),
        }

    def _seconds_of(self, numbers: list[int]) -> float:
        """Returns the time of a row of instructions, each one that was met in the search."""
        arrays = self.island.arrays
        rows = [self.rows[n][k % min(COPIES, self.seen[n])] for k, n in enumerate(numbers)]
        code, times = np.array(rows), []
        rng = np.random.default_rng(1)
        for _ in range(20):
            # Numbers as programs have them: after many products only zeros and infinities are left.
            arrays.mem[:] = rng.normal(size=len(arrays.mem))
            execute_row(code, arrays.mem, arrays.context, 1)
            began = time.process_time()
            execute_row(code, arrays.mem, arrays.context, PASSES)
            times.append((time.process_time() - began) / PASSES)
        return statistics.median(times)


def show(name: str, row: dict) -> None:
    """Prints a config's row, with bars."""
    total = row["nanoseconds_per_individual"]
    print(f"\n{name}: {total:,.0f} ns per individual, {1e9 / total:,.0f} individuals/s")
    for stage, each in row["stages"].items():
        share = each / total
        print(f"  {stage:24} {each:12,.0f} ns {100 * share:6.1f} %  {'#' * round(50 * share)}")
    part = 100 * row["ops_of_full_evaluation"]
    print(f"  ops of full evaluations, {part:.0f} % of their time")
    for op, found in row["ops"].items():
        share = found["share"]
        print(
            f"  {op:24} {found['nanoseconds']:12.1f} ns {100 * share:6.1f} %"
            f"  {'#' * round(50 * share)}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--images", default="fashion_mnist")
    parser.add_argument("--only", choices=CONFIGS)
    parser.add_argument("--json", type=Path, default=Path(__file__).parent / "results/split.json")
    options = parser.parse_args()
    source, _, path = options.images.partition(":")
    images = [
        f"tasks.{purpose}.{key}={value}"
        for purpose in ("search", "select", "final")
        for key, value in (("source", source), ("path", path or "null"))
    ]
    rows = {}
    for name in CONFIGS if options.only is None else [options.only]:
        config = load_config(name, images if name == "projected_binary_baseline" else [])
        try:
            rows[name] = Split(config).measure(options.seconds)
        except ZeroError as error:
            print(f"\n{name}: left out, {error}")
            continue
        show(name, rows[name])
    keys = ("commit", "cpu", "cpu_count", "platform", "versions", "started")
    machine = {k: v for k, v in run_info(0, []).items() if k in keys}
    options.json.parent.mkdir(exist_ok=True)
    options.json.write_text(json.dumps({"machine": machine, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()

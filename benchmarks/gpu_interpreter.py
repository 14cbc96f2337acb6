"""One GPU beside the cpu backend of the same machine: checked first, then timed.

    python benchmarks/gpu_interpreter.py [--images SOURCE[:PATH]] [--minutes 9] [--sweep]

First backend cuda is compared with recorded cases of the original engine, where the file is there or
`--cases` names it, and with the reference interpreter on random programs of all ops. Then rows are
measured in turns, `rounds` times with seeds 1, 2, ...: on the GPU, on one core, on all cores.
Writes benchmarks/results/gpu_interpreter.json after every figure, so a stop loses nothing; no figure
is begun that may not end within `minutes`. The first GPU is used (CUDA_VISIBLE_DEVICES chooses).

* A *network* row evaluates the shipped network in full, again and again, without caches. An *evolved
  population* row does so with every living program of a search of EVOLVED individuals on shorter tasks.
* A *search* row counts individuals. On the GPU there are as many islands as cores (threads that breed),
  and batches of the size that is cuda's default. "first N" stops each island after as many individuals
  on every side, because programs grow as the search goes on.
* *FLOP/s* are useful ones: additions, multiplications and comparisons of live instructions in the steps
  that were taken, each function call as one, over the float32 (float64) peak of the card's
  multiprocessors at its highest clock. *Shared memory* is the time that the loads and stores of the
  same instructions need there at least: a multiprocessor moves 128 bytes a cycle (gpu/cost.py).
  Instructions issued cannot be counted without a profiler; `where_time_goes` repeats each instruction
  of the network instead and gives the time that another one of it takes.

Projected images: any labelled set, see `--images`; without one, random images of as many classes and
rows as CIFAR-10 (which images they are does not change the work). `--sweep` compares numbers of lanes a
task instead; `--sanitize` prints how to run compute-sanitizer; `--host` tries the script itself, tiny,
with the GPU's code on the CPU, and writes nothing.
"""

import argparse
import dataclasses
import json
import multiprocessing
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import multiprocess
import numpy as np
from gpu.checks import check, workload
from gpu.cost import on_gpu, shares, where_time_goes
from gpu.programs import (
    Programs,
    domain_of_strangers,
    evolved,
    first_individuals,
    on_core,
    together,
)
from page import gpu_cells, sweep_cells

from zero import cuda
from zero.bench.speed import search_speed
from zero.config.load import load_config
from zero.errors import ZeroError
from zero.evolution.forks import in_child
from zero.programs import library
from zero.programs.cuda.layout import WARP, UnitLayout, best_layout
from zero.programs.domain import make_tasks, memory_of
from zero.programs.interpreter import cpu
from zero.programs.program import Memory, memory_needed
from zero.rng.philox import key_for
from zero.runs.folder import run_info

HERE = Path(__file__).resolve().parent
CASES = [root / "shared/conformance/reference_cases.jsonl.gz" for root in HERE.parents[:2]]
BASELINE = "projected_binary_baseline"
NETWORK, DEMO = f"network on {BASELINE}", "linear_demo"
FIRST = f"{BASELINE}, first individuals"
EVOLVED = 50_000
SHORTER = {"train": 800, "valid": 200}  # tasks on which the evolved populations were found
# Numbers a cycle and multiprocessor, multiplied and added: (float32, float64) by compute capability.
LANES = {
    70: (64, 32), 75: (64, 2), 80: (64, 32), 86: (128, 2), 89: (128, 2), 90: (128, 64),
    100: (128, 64), 120: (128, 2),
}  # fmt: skip


# --- what is measured -----------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Sizes:
    """How much is measured; tasks, search: changes of every config."""

    tasks: dict[str, int] = dataclasses.field(default_factory=dict)
    search: dict[str, int] = dataclasses.field(default_factory=dict)
    evolved: int = EVOLVED
    shorter: dict[str, int] = dataclasses.field(default_factory=lambda: SHORTER)
    first: int = 10_000
    checked: int = 60
    checked_features: tuple[int, ...] = (4, 16, 33)
    swept_features: tuple[int, ...] = (4, 16, 32)
    sanitized_features: tuple[int, ...] = (4, 10, 16, 33, 100)


TINY = Sizes(
    {"train": 30, "valid": 20, "count": 3}, {"population": 20}, evolved=200, shorter={}, first=100,
    checked=6, checked_features=(4,), swept_features=(4,), sanitized_features=(4, 33),
)  # fmt: skip


class Work(NamedTuple):
    """A row. kind: "network", "population", "search" or "first"; times: how many `seconds` long."""

    kind: str
    config: str
    dtype: str = "float32"
    features: int | None = None
    sides: tuple[str, ...] = ("gpu", "core", "cores")
    times: int = 1


WORKS = {
    NETWORK: Work("network", BASELINE),
    DEMO: Work("search", "linear_demo"),
    FIRST: Work("first", BASELINE),
    BASELINE: Work("search", BASELINE, sides=("gpu",), times=3),
    "evolved population, F = 16": Work("population", BASELINE, features=16),
    "evolved population, F = 32": Work("population", BASELINE, features=32),
    f"{NETWORK}, float64": Work("network", BASELINE, "float64"),
    "nonlinear_integration": Work("search", "nonlinear_integration"),
}


class Bench:
    """Makes and measures rows. images: settings of the projected tasks' source."""

    def __init__(self, images: dict[str, Any], sizes: Sizes, cores: int, islands: int):
        self.images, self.sizes, self.cores, self.islands = images, sizes, cores, islands
        self._programs: dict[Any, Programs] = {}

    def config(self, work: Work, backend: str, islands: int, seed: int, **more: int):
        """Returns the row's config; more: settings of the search tasks."""
        tasks = dict(self.sizes.tasks)
        if work.config == BASELINE:
            tasks |= self.images | ({"features": work.features} if work.features else {})
        overrides = [f"backend={backend}", f"dtype={work.dtype}", f"seed={seed}",
                     f"islands.count={islands}"]  # fmt: skip
        for purpose in ("search", "select", "final"):
            overrides += [f"tasks.{purpose}.{k}={v}" for k, v in tasks.items()]
        overrides += [f"tasks.search.{k}={v}" for k, v in more.items()]
        overrides += [f"search.{k}={v}" for k, v in self.sizes.search.items()]
        if self.sizes.search:
            overrides.append("islands.migrants=5")
        return load_config(work.config, overrides)

    def programs(self, work: Work) -> Programs:
        """Returns what a network or population row evaluates, made once."""
        key = work.kind, work.features, work.dtype
        if key not in self._programs:
            config = self.config(work, "cpu", 1, 1)
            tasks = make_tasks(config, "search")
            if work.kind == "network":
                network = library.program("neural_network")
                genomes, starts = cpu.genome_of(network)
                needed, given = memory_needed(network), memory_of(config)
                memory = Memory(*(max(needed.of(k), given.of(k)) for k in "svm"))
                rows = np.zeros(1, np.int64)
            else:
                short = self.config(work, "cpu", 1, 1, **self.sizes.shorter)
                genomes, starts, rows = evolved(short, self.sizes.evolved)
                memory = memory_of(config)
            self._programs[key] = Programs(
                tasks, genomes, starts, rows, memory, key_for(config.seed, "evaluation"),
                config.evaluation.max_abs_error,
            )  # fmt: skip
        return self._programs[key]

    def measure(self, work: Work, side: str, seconds: float, seed: int) -> dict[str, Any]:
        """Returns the figures of one side of a row, with at least "rate", in a second.

        Nothing of this process touches the GPU, which does not survive a fork.
        """
        if work.kind in ("network", "population"):
            programs = self.programs(work)
            if side == "gpu":
                return in_child(lambda: on_gpu(programs, work.dtype, seconds))
            number = 1 if side == "core" else self.cores
            return together(number, lambda _, ready: on_core(programs, work.dtype, seconds, ready))
        backend = "cuda" if side == "gpu" else "cpu"
        islands = {"gpu": self.islands, "core": 1, "cores": self.cores}[side]
        if work.kind == "search":
            config = self.config(work, backend, islands, seed)
            found = search_speed(config, seconds)
            figures = {k: found[k] for k in ("individuals", "gpu_busy", "cache_hits") if k in found}
            figures["batch"], figures["islands"] = config.search.batch, islands
            return {"rate": found["individuals_per_second"], **figures}
        first = self.sizes.first
        if side == "gpu":
            config = self.config(work, backend, islands, seed)
            domain = domain_of_strangers(config)
            return in_child(lambda: first_individuals(domain, first)) | {
                "batch": config.search.batch, "islands": islands,
            }  # fmt: skip
        makers = [
            domain_of_strangers(self.config(work, backend, 1, 1000 * seed + k))
            for k in range(islands)
        ]
        return together(islands, lambda k, ready: first_individuals(makers[k], first, ready))


# --- the card and the checks ----------------------------------------------------------------------


def look_at_card() -> dict[str, Any]:
    """Returns the GPU's name, driver, versions and limits; to be called in a process of its own."""
    machine = cuda.open_machine()
    found: dict[str, Any] = {"gpu": machine.name, "driver": None, "cuda": None}
    if not hasattr(machine, "cuda"):
        return found
    runtime = machine.cuda.runtime
    version = runtime.runtimeGetVersion()
    # By number: cudaDevAttrClockRate (kHz), ...ComputeCapabilityMajor, ...Minor.
    clock, major, minor = (runtime.deviceGetAttribute(k, 0) for k in (13, 75, 76))
    found["cuda"] = f"{version // 1000}.{version % 1000 // 10}"
    found["driver"] = driver_version() or f"CUDA {runtime.driverGetVersion()}"
    found |= {"compute_capability": f"{major}.{minor}", "multiprocessors": machine.cores,
              "clock_hz": clock * 1000}  # fmt: skip
    if lanes := LANES.get(10 * major + minor):
        rates = [2.0 * n * machine.cores * clock * 1000 for n in lanes]
        found["peak_flops"] = dict(zip(("float32", "float64"), rates, strict=True))
    return found


def driver_version() -> str | None:
    """Returns the driver's version, None where nvidia-smi does not tell."""
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.split("\n")[0].strip() or None


# --- the whole ------------------------------------------------------------------------------------


def random_images(path: Path, size: int = 64) -> None:
    """Writes labelled vectors, ten classes of 5,000 as in CIFAR-10: two clusters a class."""
    rng = np.random.default_rng(0)
    x = []
    for _ in range(10):
        centres = rng.normal(0, 16, (2, size))
        spread = rng.normal(0, 6, (size, size))
        x.append(centres[rng.integers(2, size=5000)] + rng.normal(size=(5000, size)) @ spread)
    pixels = np.clip(128 + np.concatenate(x), 0, 255).astype(np.uint8)
    np.savez(path, X=pixels, y=np.repeat(np.arange(10), 5000))


def spread(values: list[float]) -> dict[str, Any]:
    """Returns the median, smallest and largest, and all."""
    return {"median": statistics.median(values), "smallest": min(values), "largest": max(values),
            "rounds": values}  # fmt: skip


class Results:
    """The figures so far; written to `path`, if there is one, whenever something is added."""

    def __init__(self, path: Path | None, start: dict[str, Any]):
        self.path, self.data = path, {**start, "rows": {}}
        self.figures: dict[tuple[str, str], list[dict]] = {}

    def write(self) -> None:
        if self.path:
            self.path.parent.mkdir(exist_ok=True)
            part = self.path.with_suffix(".part")
            part.write_text(json.dumps(self.data, indent=1) + "\n")
            os.replace(part, self.path)

    def add(self, name: str, side: str, found: dict[str, Any]) -> None:
        """Takes one figure and brings all that follows from it up to date."""
        work, data = WORKS[name], self.data
        mine = self.figures.setdefault((name, side), [])
        mine.append(found)
        row = data["rows"].setdefault(name, {
            "unit": "programs/s" if work.kind in ("network", "population") else "individuals/s",
            "config": work.config, "dtype": work.dtype,
        })  # fmt: skip
        others = {k: v for k, v in found.items() if k not in ("rate", "gpu_busy")}
        row[side] = {**spread([figures["rate"] for figures in mine]), **others}
        if "gpu_busy" in found:
            row["gpu_busy"] = spread([figures["gpu_busy"] for figures in mine])
        if work.kind == "network" and "gpu" in row and "core" in row:
            apart = abs(row["gpu"]["fitness"] - row["core"]["fitness"])
            if apart > 0.01:
                self.told(name, f"fitness differs by {apart} between the backends")
        if "gpu" in row:
            row |= shares(row, data["card"], work.dtype)
            for other in ("core", "cores"):
                if other in row:
                    row[f"ratio_to_{other}"] = row["gpu"]["median"] / row[other]["median"]
        data |= headlines(data["rows"])
        self.write()

    def told(self, name: str, error: str) -> None:
        """Takes a row's failure."""
        self.data.setdefault("errors", {})[name] = error
        self.write()


def headlines(rows: dict[str, Any]) -> dict[str, float]:
    """Returns the figures that stand for all, as far as they are known."""
    wanted = {
        "projected_network_programs_per_second": (NETWORK, "gpu"),
        "cpu_core_projected_network_programs_per_second": (NETWORK, "core"),
        "linear_demo_individuals_per_second": (DEMO, "gpu"),
    }
    return {
        key: rows[name][side]["median"]
        for key, (name, side) in wanted.items()
        if side in rows.get(name, {})
    }


def print_table(head: list[str], rows: list[list[str]]) -> None:
    """Prints a table whose columns are as wide as they must be."""
    widths = [max(len(line[k]) for line in [head, *rows]) for k in range(len(head))]
    for line in [head, *rows]:
        print("  ".join(text.rjust(w) if k else text.ljust(w)
                        for k, (text, w) in enumerate(zip(line, widths, strict=True))))  # fmt: skip


def measure_all(bench: Bench, results: Results, options, until: float) -> bool:
    """Measures every row in turns; returns whether all was done in time."""
    last: dict[tuple[str, str], float] = {}
    for round_ in range(options.rounds):
        for name, work in WORKS.items():
            for side in work.sides:
                # The first time something may have to be compiled.
                seconds = options.seconds * work.times
                needed = last.get((name, side), seconds + (0 if options.host else 25))
                if time.monotonic() + needed > until:
                    print(f"no time for: round {round_ + 1}, {name}, {side}")
                    return False
                began = time.monotonic()
                try:
                    found = bench.measure(work, side, seconds, 1 + round_)
                except ZeroError as error:
                    print(f"{name}, {side}: {error}", flush=True)
                    results.told(f"{name}, {side}", str(error))
                    continue
                last[name, side] = time.monotonic() - began
                results.add(name, side, found)
                print(f"round {round_ + 1}: {name:45} {side:5} {found['rate']:14,.1f} /s",
                      flush=True)  # fmt: skip
    return True


def sweep(bench: Bench, options, until: float) -> list[dict[str, Any]]:
    """Returns programs a second of the network for each number of lanes a task, in turns."""
    rates: dict[UnitLayout, list[float]] = {}
    works = {f: Work("network", BASELINE, options.dtype, f) for f in bench.sizes.swept_features}
    for round_ in range(options.rounds):
        for features, work in works.items():
            programs, best = bench.programs(work), best_layout(features, options.dtype)
            group = max(1, features // 8)
            while group <= min(features, WARP) and time.monotonic() < until:
                layout = dataclasses.replace(best, group=group, lanes=0)
                found = in_child(
                    lambda p=programs, x=layout: on_gpu(p, options.dtype, options.seconds, x)
                )
                rates.setdefault(layout, []).append(found["rate"])
                print(f"round {round_ + 1}: {layout}: {found['rate']:,.0f} /s", flush=True)
                group *= 2
    return [
        {
            "features": x.features, "dtype": x.dtype, "group": x.group, "tasks_a_unit": x.tasks,
            "rows_a_lane": x.each, "is_default": x == best_layout(x.features, x.dtype),
            **spread(found),
        }
        for x, found in rates.items()
    ]  # fmt: skip


def out_of_time(*_: Any) -> None:
    """Ends a measurement that hangs, and its processes; what was measured is on disk."""
    print("out of time: a measurement did not end", file=sys.stderr, flush=True)
    for process in [*multiprocessing.active_children(), *multiprocess.active_children()]:
        process.kill()
    os._exit(3)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], epilog="See the beginning of this file for more."
    )
    add = parser.add_argument
    add("--images", metavar="SOURCE[:PATH]", help="projected images; by default random ones")
    add("--cases", type=Path, help="recorded cases to check with first")
    add("--minutes", type=float, default=9.0, help="when the last figure is to be there")
    add("--rounds", type=int, default=3)
    add("--seconds", type=float, default=3.0, help="of each figure")
    add("--cores", type=int, help="by default all of this machine")
    add("--islands", type=int, help="on the GPU; by default as many as cores")
    add("--json", type=Path, help="by default results/gpu_interpreter.json beside this file")
    add("--sweep", action="store_true", help="compare numbers of lanes a task instead")
    add("--dtype", choices=("float32", "float64"), default="float32", help="of the sweep")
    add("--sanitize", action="store_true", help="print how to run compute-sanitizer")
    add("--workload", action="store_true", help="small work, for compute-sanitizer")
    add("--host", action="store_true", help="to try the script itself: tiny, without a GPU")
    return parser.parse_args()


def main() -> int:
    options = arguments()
    if options.sanitize:
        for tool in ("memcheck", "racecheck", "synccheck"):
            print(f"compute-sanitizer --tool {tool} --error-exitcode 1 {sys.executable} "
                  f"{sys.argv[0]} --workload")  # fmt: skip
        return 0
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "0")  # the figures are those of one card
    if options.host:
        from zero.cuda.host import HostMachine

        cuda.open_machine = lambda index=0: HostMachine()
    try:
        if options.workload:
            workload((TINY if options.host else Sizes()).sanitized_features)
            return 0
        return benchmark(options)
    except ZeroError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; what was measured is in the results", file=sys.stderr)
        return 130


def benchmark(options: argparse.Namespace) -> int:
    until = time.monotonic() + 60 * options.minutes
    signal.signal(signal.SIGALRM, out_of_time)
    signal.alarm(int(60 * options.minutes) + 45)
    card = in_child(look_at_card)
    info = run_info(0, [])
    cores = options.cores or len(os.sched_getaffinity(0))
    path = options.json or (None if options.host else HERE / "results/gpu_interpreter.json")
    cases = options.cases
    if cases is None and not options.host:
        cases = next((path for path in CASES if path.exists()), None)
    print(f"{card['gpu']}, driver {card['driver']}, CUDA {card['cuda']}; {info['cpu']}, {cores} "
          "cores", flush=True)  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        if options.images:
            source, _, where = options.images.partition(":")
            images, told = {"source": source, "path": where or "null"}, options.images
        else:
            random_images(Path(folder) / "random.npz")
            images = {"source": "arrays", "path": Path(folder) / "random.npz"}
            told = "random, as many classes and rows as CIFAR-10"
        sizes = TINY if options.host else Sizes()
        bench = Bench(images, sizes, cores, options.islands or cores)
        checks = check(cases, sizes.checked_features, sizes.checked)
        print(f"checked: {json.dumps(checks)}", flush=True)
        keys = ("commit", "cpu", "platform", "versions", "started")
        start = {
            **{key: card[key] for key in ("gpu", "driver", "cuda")}, "commit": info["commit"],
            "machine": {k: info[k] for k in keys} | {"cpu_count": cores}, "card": card,
            "cores": cores, "images": told, "checks": checks, "seconds": options.seconds,
        }  # fmt: skip
        if options.sweep:
            found = sweep(bench, options, until)
            keep(path, "sweep", {**start, "dtype": options.dtype, "rows": found})
            print_table(*sweep_cells(found))
            return 0
        results = Results(path, start | kept(path, "sweep"))
        complete = measure_all(bench, results, options, until)
        if time.monotonic() + 60 * (not options.host) < until:
            programs = bench.programs(WORKS[NETWORK])
            seconds = options.seconds / 6
            found = in_child(lambda: where_time_goes(programs, "float32", seconds))
            results.data["where_time_goes"] = found
            print(json.dumps(found, indent=1))
    results.data["complete"] = complete and "errors" not in results.data
    results.write()
    print_table(*gpu_cells(results.data))
    return 0 if results.data["complete"] else 2


def kept(path: Path | None, key: str) -> dict[str, Any]:
    """Returns that key of an earlier file, if there is one."""
    old = json.loads(path.read_text()) if path and path.exists() else {}
    return {key: old[key]} if key in old else {}


def keep(path: Path | None, key: str, found: Any) -> None:
    """Writes one key into the file, beside what is there."""
    if path:
        old = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps({**old, key: found}, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())

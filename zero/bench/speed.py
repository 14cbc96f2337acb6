"""Speed of a search and of one program's evaluation (`zero bench search`, `zero bench evaluate`).

Everything is compiled and warmed up before the clock starts. Called by the command line and by the
scripts in benchmarks/; nothing in a run looks at these figures.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from zero.config.sections import Budget
from zero.errors import ZeroError
from zero.programs.backends import Repeater
from zero.programs.config import Experiments, ProgramsConfig
from zero.programs.domain import ProgramsDomain, initial_program, memory_of
from zero.programs.program import Memory, Program, memory_needed
from zero.runs.folder import run_info

_FOREVER = np.iinfo(np.int64).max
_SECONDS_A_CALL = 0.1  # long enough that the call itself costs nothing


@dataclass
class _Span:
    """What one island reported first and last: (when, individuals, known to a cache, GPU's seconds)."""

    first: tuple[float, int, int, float]
    last: tuple[float, int, int, float]
    best: float

    @property
    def individuals(self) -> int:
        return self.last[1] - self.first[1]

    @property
    def hits(self) -> int:
        return self.last[2] - self.first[2]

    @property
    def rate(self) -> float:
        return self.individuals / max(self.last[0] - self.first[0], 1e-9)

    @property
    def busy(self) -> float:
        return (self.last[3] - self.first[3]) / max(self.last[0] - self.first[0], 1e-9)


def search_speed(config: ProgramsConfig, seconds: float) -> dict[str, Any]:
    """Returns how many individuals the config's search makes in a second.

    Runs the islands of the first experiment without any budget, from a fresh population, for about
    that long. The islands' rates, each between its first and its last report, are added: starting
    processes and compiling do not count. Writes nothing to disk.

    Returns: individuals, seconds, individuals_per_second, islands, best_fitness, cache_hits (the
    share of individuals that a cache knew), and what `_circumstances` adds; for cuda also gpus and
    gpu_busy, the share of the time in which a GPU had a launch to work on, however small. Individuals
    follow from the seed; their number from the clock.

    Raises:
        DeviceError: the config's backend cannot be used here.
        ZeroError: a worker failed, or no time was enough for a second report.
    """
    from zero.evolution.forks import WorkerFailed
    from zero.evolution.migration import distribute
    from zero.evolution.workers import Islands

    config = config.model_copy(update={"budget": Budget(), "experiments": Experiments()})
    domain = ProgramsDomain(config, initial_program(config))
    domain.check_device()
    domain.check()
    islands = domain.islands(0, {"individuals": _FOREVER, "train_steps": _FOREVER})
    spans: dict[int, _Span] = {}

    def exchange(reports: list[dict]) -> list[Any]:
        return distribute(reports, config.seed, 0)

    def on_progress(island: int, stats: dict, _best: dict | None) -> None:
        busy = stats.get("busy_seconds", 0.0)
        seen = (time.perf_counter(), stats["individuals"], stats["hits"], busy)
        span = spans.setdefault(island, _Span(seen, seen, -math.inf))
        span.last, span.best = seen, stats["best_fitness"]

    def on_message(text: str) -> None:
        raise WorkerFailed(f"{text}; the measurement would be wrong")

    def should_stop() -> bool:
        if len(spans) < len(islands):
            return False
        began = max(span.first[0] for span in spans.values())
        return time.perf_counter() - began >= seconds

    Islands(
        [lambda island=island: island for island in islands],
        None, exchange, on_progress, on_message, lambda _states: None, snapshot_every=math.inf,
        groups=domain.groups(),
    ).run(should_stop)  # fmt: skip
    individuals = sum(span.individuals for span in spans.values())
    rate = sum(span.rate for span in spans.values())
    if individuals == 0:
        raise ZeroError(f"no island reported twice within {seconds} seconds; give more --seconds")
    more = {}
    groups = domain.groups()  # of the islands, by GPU
    if groups is not None:
        busy = sum(span.busy for span in spans.values())
        more = {"gpus": len(groups), "gpu_busy": busy / len(groups)}
    return {
        "individuals": individuals,
        "seconds": individuals / rate,
        "individuals_per_second": rate,
        "islands": len(islands),
        "best_fitness": max(span.best for span in spans.values()),
        "cache_hits": sum(span.hits for span in spans.values()) / individuals,
        **more,
        **_circumstances(config),
    }


def evaluation_speed(config: ProgramsConfig, program: Program, seconds: float) -> dict[str, Any]:
    """Returns how many full evaluations of a program the backend does in a second.

    An evaluation trains and validates on all of the config's search tasks, without caches and hurdles,
    with the code that a search uses. cpu and reference use one core; programs have the config's
    addresses, or more if this one needs more. cuda uses one GPU, on which many copies of the program
    run at once: as many as fill the card a few times, in each of two launches in flight.

    Returns: programs_per_second, microseconds_per_program, evaluations, seconds, fitness,
    train_steps (of one evaluation), instructions, and what `_circumstances` adds; for cuda also gpu
    (its name) and programs_a_launch.

    Raises:
        DeviceError: the config's backend cannot be used here.
    """
    domain = ProgramsDomain(config, Program())
    needed, given = memory_needed(program), memory_of(config)
    memory = Memory(*(max(needed.of(kind), given.of(kind)) for kind in "svm"))
    repeater = domain.backend.repeater(
        domain.setup("search", 0), config.search.method, program, memory
    )
    times = 1
    while True:  # how often a call should repeat
        took = _seconds_of(repeater, times)
        if took >= min(_SECONDS_A_CALL, seconds) / 2:
            break
        times *= 2 if took <= 0 else max(2, min(100, int(_SECONDS_A_CALL / took)))
    evaluations, elapsed = 0, 0.0
    while elapsed < seconds:
        elapsed += _seconds_of(repeater, times)
        evaluations += times * repeater.at_once
    return {
        "programs_per_second": evaluations / elapsed,
        "microseconds_per_program": 1e6 * elapsed / evaluations,
        "evaluations": evaluations,
        "seconds": elapsed,
        "fitness": repeater.fitness,
        "train_steps": repeater.train_steps,
        "instructions": len(program),
        **repeater.details,
        **_circumstances(config),
    }


def _seconds_of(repeater: Repeater, times: int) -> float:
    began = time.perf_counter()
    repeater.run(times)
    return time.perf_counter() - began


def _circumstances(config: ProgramsConfig) -> dict[str, Any]:
    """Returns what a figure depends on: config, backend, dtype, seed, machine, commit, versions."""
    info = run_info(config.seed, [])
    return {
        "config": config.name,
        "backend": config.backend,
        "dtype": config.dtype,
        "seed": config.seed,
        "machine": {"cpu": info["cpu"], "cores": info["cpu_count"], "platform": info["platform"]},
        "commit": info["commit"],
        "versions": info["versions"],
    }

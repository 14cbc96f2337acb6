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

from zero.errors import ZeroError
from zero.programs.config import Budget, Experiments, RunConfig
from zero.programs.interpreter.reference import combine
from zero.programs.kind import make_tasks
from zero.programs.program import Memory, Program, memory_needed
from zero.rng.philox import key_for
from zero.runs import run
from zero.runs.archive import run_info

_FOREVER = np.iinfo(np.int64).max
FILLED = 4  # how often the copies of a program in one launch fill a GPU
_SECONDS_A_CALL = 0.1  # long enough that the call itself costs nothing


@dataclass
class _Span:
    """What one island told first and last: (when, individuals, known to a cache, GPU's seconds)."""

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


def search_speed(config: RunConfig, seconds: float) -> dict[str, Any]:
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
    maker = run.Maker(config, run.initial_program(config))
    maker.check_device()
    maker.check()
    islands = maker.islands(0, {"individuals": _FOREVER, "train_steps": _FOREVER})
    spans: dict[int, _Span] = {}

    def exchange(reports: list[dict]) -> list[Any]:
        return distribute(reports, config.seed, 0)

    def on_progress(island: int, stats: dict, _best: dict | None) -> None:
        busy = stats.get("busy_seconds", 0.0)
        told = (time.perf_counter(), stats["individuals"], stats["hits"], busy)
        span = spans.setdefault(island, _Span(told, told, -math.inf))
        span.last, span.best = told, stats["best_fitness"]

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
        groups=maker.groups(),
    ).run(should_stop)  # fmt: skip
    individuals = sum(span.individuals for span in spans.values())
    rate = sum(span.rate for span in spans.values())
    if individuals == 0:
        raise ZeroError(f"no island reported twice within {seconds} seconds; give more --seconds")
    more = {}
    if config.backend == "cuda":
        gpus = len(maker.groups())
        more = {"gpus": gpus, "gpu_busy": sum(span.busy for span in spans.values()) / gpus}
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


def evaluation_speed(config: RunConfig, program: Program, seconds: float) -> dict[str, Any]:
    """Returns how many full evaluations of a program the backend does in a second.

    An evaluation trains and validates on all of the config's search tasks, without caches and hurdles,
    with the code that a search uses. cpu and reference use one core; programs have the config's
    addresses, or more if this one needs more. cuda uses one GPU, on which many copies of the program
    run at once: as many as fill the card `FILLED` times, in each of two launches in flight.

    Returns: programs_per_second, microseconds_per_program, evaluations, seconds, fitness,
    train_steps (of one evaluation), instructions, and what `_circumstances` adds; for cuda also gpu
    (its name) and programs_a_launch.

    Raises:
        DeviceError: the config's backend cannot be used here.
    """
    at_once, more = 1, {}
    if config.backend == "cuda":
        repeat, fitness, steps, more = _gpu_repeater(config, program)
        at_once = more["programs_a_launch"]
    else:
        repeat, fitness, steps = _repeater(config, program)
    times = 1
    while True:  # how often a call should repeat
        took = _seconds_of(repeat, times)
        if took >= min(_SECONDS_A_CALL, seconds) / 2:
            break
        times *= 2 if took <= 0 else max(2, min(100, int(_SECONDS_A_CALL / took)))
    evaluations, elapsed = 0, 0.0
    while elapsed < seconds:
        elapsed += _seconds_of(repeat, times)
        evaluations += times * at_once
    return {
        "programs_per_second": evaluations / elapsed,
        "microseconds_per_program": 1e6 * elapsed / evaluations,
        "evaluations": evaluations,
        "seconds": elapsed,
        "fitness": fitness,
        "train_steps": steps,
        "instructions": len(program),
        **more,
        **_circumstances(config),
    }


def _seconds_of(repeat, times: int) -> float:
    began = time.perf_counter()
    repeat(times)
    return time.perf_counter() - began


def _repeater(config: RunConfig, program: Program) -> tuple[Any, float, int]:
    """Returns (a function that evaluates so many times, fitness, train steps), warmed up."""
    maker = run.Maker(config, Program())
    tasks = maker.tasks("search", 0)
    if config.backend == "reference":
        evaluator = maker.evaluator("search", 0)

        def repeat(times: int) -> None:
            for _ in range(times):
                evaluator(program)

        result = evaluator(program)
        return repeat, result.fitness, result.train_steps
    from zero.programs.interpreter import cpu

    needed, given = memory_needed(program), run.memory_of(config)
    memory = Memory(*(max(needed.of(kind), given.of(kind)) for kind in "svm"))
    module = maker.module()
    genomes, starts = cpu.genome_of(program)
    handle = module.pack(
        cpu.new_evaluator(
            tasks, memory, starts, module=module, key=key_for(config.seed, "evaluation"),
            max_abs_error=config.evaluation.max_abs_error, combine=config.evaluation.fitness,
            seen_size=1,
        ),
    )  # fmt: skip
    genomes = module.pack(genomes)
    fitness, steps = module.evaluate_program(genomes, 0, handle)
    module.evaluate_many(genomes, 0, handle, 1)
    return lambda times: module.evaluate_many(genomes, 0, handle, times), fitness, int(steps)


def _gpu_repeater(config: RunConfig, program: Program) -> tuple[Any, float, int, dict[str, Any]]:
    """Returns (a function that makes so many launches, fitness, train steps, keys for the result)."""
    from zero import cuda
    from zero.programs.cuda.encode import encode_copies
    from zero.programs.cuda.evaluate import CudaEvaluator

    machine = cuda.open_machine()
    evaluator = CudaEvaluator(
        make_tasks(config, "search", 0), machine, config.dtype,
        key=key_for(config.seed, "evaluation"), max_abs_error=config.evaluation.max_abs_error,
    )  # fmt: skip
    rows, spans = encode_copies(program, evaluator.layout, 1)
    copies = FILLED * evaluator.at_once(spans)
    rows, spans = encode_copies(program, evaluator.layout, copies)
    streams = machine.stream(), machine.stream()

    def repeat(times: int) -> None:
        started: list[Any] = []
        for k in range(times):
            if len(started) == len(streams):
                started.pop(0).result()
            started.append(evaluator.start(rows, spans, streams[k % len(streams)]))
        for pending in started:
            pending.result()

    fitness, steps = evaluator.start(rows, spans, streams[0]).result()
    repeat(len(streams))
    more = {"gpu": machine.name, "programs_a_launch": copies}
    return repeat, combine(fitness[0], config.evaluation.fitness), int(steps[0].sum()), more


def _circumstances(config: RunConfig) -> dict[str, Any]:
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

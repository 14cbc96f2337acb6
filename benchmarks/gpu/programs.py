"""How fast programs are evaluated and individuals made, on the GPU and on cores; for gpu_interpreter.py."""

import multiprocessing
import threading
import time
from typing import Any, NamedTuple

import numpy as np

from zero import cuda
from zero.errors import ZeroError
from zero.programs.backends.cuda import FILLED
from zero.programs.cuda.encode import Encoder
from zero.programs.cuda.evaluate import CudaEvaluator
from zero.programs.cuda.layout import UnitLayout
from zero.programs.domain import ProgramsDomain
from zero.programs.interpreter import cpu
from zero.programs.program import Memory
from zero.tasks import TaskSet


class Programs(NamedTuple):
    """Rows of genomes, the tasks that they are evaluated on, and what evaluators are made with."""

    tasks: TaskSet
    genomes: Any
    starts: np.ndarray
    rows: np.ndarray
    memory: Memory
    key: int
    max_abs_error: float


def domain_of_strangers(config) -> ProgramsDomain:
    """Returns the domain of islands that never meet, compiled."""
    islands = config.islands.model_copy(update={"migrate_every": 10**9})
    domain = ProgramsDomain(config.model_copy(update={"islands": islands}))
    domain.evaluator("select", 0)
    return domain


def evolved(config, number: int) -> tuple[Any, np.ndarray, np.ndarray]:
    """Returns (genomes, starts, the living programs' rows) of one island after so many individuals."""
    (island,) = ProgramsDomain(config).islands(0, {"individuals": number, "train_steps": 2**62})
    advance(island, number)
    return island.genomes, island.starts, island.population.slots.astype(np.int64)


def advance(island, number: int, seconds: float = 60.0) -> None:
    """Evolves an island, in steps of so many seconds, until it has made so many individuals."""
    while island.individuals < number:
        if island.waiting:
            island.begin_round()
        island.advance(seconds)


def first_individuals(domain: ProgramsDomain, number: int, ready=lambda: None) -> dict[str, Any]:
    """Returns the rate at which the islands of a domain make their first individuals.

    The first generation, in which kernels are loaded, does not count.
    """
    config = domain.config
    budget = {"individuals": number * config.islands.count, "train_steps": 2**62}
    islands = domain.islands(0, budget)
    for island in islands:
        advance(island, config.search.population, 0.0)
    before = [(i.individuals, getattr(i.module, "busy_seconds", 0.0)) for i in islands]
    ready()
    began = time.perf_counter()
    threads = [threading.Thread(target=advance, args=(island, number)) for island in islands]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    made = sum(island.individuals for island in islands) - sum(made for made, _ in before)
    found = {"rate": made / seconds, "individuals": made}
    if config.backend == "cuda":
        busy = sum(island.module.busy_seconds for island in islands)
        found["gpu_busy"] = (busy - sum(seconds for _, seconds in before)) / seconds
    return found


def together(number: int, measure) -> dict[str, Any]:
    """Returns the sum of the rates of so many processes, `measure(k, ready)` each, at the same time.

    measure calls ready() when all is compiled; the other figures are the first process's.
    """
    context = multiprocessing.get_context("fork")
    barrier, queue = context.Barrier(number), context.SimpleQueue()

    def work(k: int) -> None:
        found = None
        try:
            found = measure(k, barrier.wait)
        finally:
            if found is None:
                barrier.abort()
            queue.put((k, found))

    processes = [context.Process(target=work, args=(k,), daemon=True) for k in range(number)]
    for process in processes:
        process.start()
    found = dict(queue.get() for _ in processes)
    for process in processes:
        process.join()
    if None in found.values():
        raise ZeroError("a process of the cpu backend failed; its message is above")
    return {**found[0], "rate": sum(figures["rate"] for figures in found.values())}


def on_core(programs: Programs, dtype: str, seconds: float, ready=lambda: None) -> dict[str, Any]:
    """Returns full evaluations a second of the cpu backend on this process's core."""
    module = cpu.build(dtype, cpu.lanes_for(programs.tasks.num_tasks))
    evaluator = cpu.new_evaluator(
        programs.tasks, programs.memory, programs.starts, module=module, key=programs.key,
        max_abs_error=programs.max_abs_error, seen_size=1,
    )  # fmt: skip
    handle, genomes = module.pack(evaluator), module.pack(programs.genomes)
    fitness = [module.evaluate_program(genomes, row, handle)[0] for row in programs.rows]
    ready()
    number, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        for row in programs.rows:
            module.evaluate_program(genomes, row, handle)
        number += len(programs.rows)
    rate = number / (time.perf_counter() - began)
    return {"rate": rate, "evaluations": number, "fitness": float(np.mean(fitness))}


class Launches:
    """A batch that is launched again and again, two at a time: the programs `FILLED` times a GPU's room."""

    def __init__(self, programs: Programs, dtype: str, layout: UnitLayout | None = None):
        self.programs, machine = programs, cuda.open_machine()
        self.evaluator = CudaEvaluator(
            programs.tasks, machine, dtype, key=programs.key,
            max_abs_error=programs.max_abs_error, layout=layout,
        )  # fmt: skip
        encode = Encoder(self.evaluator.layout, programs.starts)
        once = encode(programs.genomes, programs.rows)
        copies = -(-FILLED * self.evaluator.at_once(once[1]) // len(programs.rows))
        self.rows, self.spans = encode(programs.genomes, np.tile(programs.rows, copies))
        self.streams = machine.stream(), machine.stream()
        self.fitness, self.taken = self.start(0).result()
        self.start(1).result()

    def start(self, number: int):
        """Launches the batch."""
        return self.evaluator.start(self.rows, self.spans, self.streams[number % 2])

    def seconds(self, least: float) -> tuple[float, int]:
        """Returns (seconds, launches) of at least that many seconds."""
        began, number = time.perf_counter(), 1
        flying = self.start(0)
        while time.perf_counter() - began < least:
            following = self.start(number)
            number += 1
            flying.result()
            flying = following
        flying.result()
        return time.perf_counter() - began, number

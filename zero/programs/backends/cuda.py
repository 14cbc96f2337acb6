"""The backend `cuda`: the CPU breeds, GPUs evaluate."""

from __future__ import annotations

from typing import Any

import numpy as np

from zero import cuda
from zero.errors import DeviceError
from zero.programs.backends import EvaluationSetup, Measured, Repeater, SearchModule
from zero.programs.cuda import search as gpu_search
from zero.programs.cuda.encode import encode_copies, encode_program
from zero.programs.cuda.evaluate import CudaEvaluator
from zero.programs.interpreter import cpu
from zero.programs.interpreter.reference import combine
from zero.programs.program import Memory, Program

FILLED = 4  # how often the copies of a program in one launch fill a GPU


def _refuse_networks(setup: EvaluationSetup) -> None:
    """Raises DeviceError for tasks in which programs are a part of training networks."""
    if setup.tasks.training is not None:
        part = setup.tasks.training.part
        raise DeviceError(
            f"cuda does not train networks, and here programs are their {part}; use cpu"
        )


class CudaRunner:
    """Evaluates one program at a time; see `zero.programs.backends.ProgramRunner`."""

    def __init__(self, setup: EvaluationSetup):
        _refuse_networks(setup)
        self._setup, machine = setup, cuda.open_machine()
        self._stream = machine.stream()
        self._evaluator = CudaEvaluator(
            setup.tasks, machine, setup.dtype, key=setup.seed_key,
            max_abs_error=setup.max_abs_error, strict=setup.strict,
            independent=setup.independent,
        )  # fmt: skip

    def __call__(self, program: Program, memory: Memory) -> Measured:
        """Evaluates a program."""
        setup = self._setup
        rows, spans = encode_program(program, self._evaluator.layout)
        pending = self._evaluator.start(rows, spans, self._stream, traces=setup.keep_errors)
        found = pending.results()
        taken, errors = found["taken"][0], None
        if setup.keep_errors:
            # A task that fails ends one step short of those that take all of them, or at the last.
            failed = ~(found["train_errors"][0, :, -1] <= setup.max_abs_error)
            failed |= taken < setup.all_steps
            errors = np.where(failed[:, None], np.nan, found["valid_errors"][0].astype(np.float64))
        return found["fitness"][0], int(taken.sum()), errors


class CudaBackend:
    """See `zero.programs.backends.Backend`."""

    # One program at a time leaves a GPU idle, and a process that forks islands must not touch it.
    for_one_program = "cpu"
    shares_module = False
    slow = False

    def check(self) -> None:
        """Opens a GPU, which initialises CUDA: this process must not fork workers afterwards."""
        cuda.open_machine()

    def devices(self) -> list[str]:
        """Returns the names of the GPUs."""
        return gpu_search.gpu_names()

    def groups(self, islands: int) -> list[list[int]] | None:
        """Returns the islands of each GPU."""
        gpus = len(self.devices())
        return [list(range(n, islands, gpus)) for n in range(min(islands, gpus))]

    def modules(self, setup: EvaluationSetup, search: str, islands: int) -> list[SearchModule]:
        """Returns each island's module; those of one GPU share it."""
        _refuse_networks(setup)
        compiled = cpu.build(setup.dtype, cpu.lanes_for(setup.tasks.num_tasks), search)
        found: dict[int, SearchModule] = {}
        for number, group in enumerate(self.groups(islands) or []):
            gpu = gpu_search.Gpu(
                number, setup.tasks, setup.dtype, setup.seed_key, setup.max_abs_error
            )
            found |= {island: gpu_search.CudaModule(gpu, compiled) for island in group}
        return [found[island] for island in range(islands)]

    def runner(self, setup: EvaluationSetup, module: SearchModule | None = None) -> CudaRunner:
        """Returns what evaluates single programs, on the first GPU."""
        return CudaRunner(setup)

    def repeater(
        self, setup: EvaluationSetup, search: str, program: Program, memory: Memory
    ) -> Repeater:
        """Returns launches of copies that fill a GPU `FILLED` times, two in flight."""
        _refuse_networks(setup)
        machine = cuda.open_machine()
        evaluator = CudaEvaluator(
            setup.tasks, machine, setup.dtype, key=setup.seed_key,
            max_abs_error=setup.max_abs_error,
        )  # fmt: skip
        rows, spans = encode_copies(program, evaluator.layout, 1)
        copies = FILLED * evaluator.at_once(spans)
        rows, spans = encode_copies(program, evaluator.layout, copies)
        streams = machine.stream(), machine.stream()

        def run(times: int) -> None:
            started: list[Any] = []
            for k in range(times):
                if len(started) == len(streams):
                    started.pop(0).result()
                started.append(evaluator.start(rows, spans, streams[k % len(streams)]))
            for pending in started:
                pending.result()

        fitness, steps = evaluator.start(rows, spans, streams[0]).result()
        run(len(streams))
        details = {"gpu": machine.name, "programs_a_launch": copies}
        figure = combine(fitness[0], setup.combine)
        return Repeater(run, figure, int(steps[0].sum()), copies, details)


BACKEND = CudaBackend()

"""The backend `cpu`: compiled for this machine's processor."""

from __future__ import annotations

from typing import Any

import numpy as np

from zero.programs.backends import (
    EvaluationSetup,
    Measured,
    NoDevice,
    Repeater,
    SearchModule,
    repeated,
)
from zero.programs.interpreter import cpu
from zero.programs.interpreter.arrays import EvaluatorArrays
from zero.programs.program import Memory, Program


class CpuRunner:
    """Evaluates one program at a time; see `zero.programs.backends.ProgramRunner`."""

    def __init__(self, setup: EvaluationSetup, module: SearchModule):
        self._setup, self._module = setup, module
        self._arrays: EvaluatorArrays
        self._memory: Memory | None = None  # until there is room for a program
        self._widths = np.zeros(3, dtype=np.int64)

    def __call__(self, program: Program, memory: Memory) -> Measured:
        """Evaluates a program."""
        sizes = [len(f) for f in program.functions]
        if memory != self._memory or np.any(sizes > self._widths):
            # Room for this program and, so that it is seldom made anew, for all before it.
            self._memory, self._widths = memory, np.maximum(sizes, self._widths)
            self._make_room(program, memory)
        cpu.write_program(self._genomes, 0, self._starts, program)
        _, steps = self._module.evaluate_program(self._packed, 0, self._handle)
        tasks, setup = self._setup.tasks.num_tasks, self._setup
        fitness = self._arrays.task_fitness[:tasks].copy()
        return fitness, int(steps), self._errors() if setup.keep_errors else None

    def _make_room(self, program: Program, memory: Memory) -> None:
        setup = self._setup
        module: Any = self._module
        setup_width, predict, learn = self._widths.tolist()
        self._genomes, self._starts = cpu.genome_of(program, (setup_width, predict, learn))
        self._packed = module.pack(self._genomes)
        self._arrays = cpu.new_evaluator(
            setup.tasks, memory, self._starts, module=module, key=setup.seed_key,
            max_abs_error=setup.max_abs_error, seen_size=1, independent=setup.independent,
            keep_errors=setup.keep_errors,
        )  # fmt: skip
        self._handle = module.pack(self._arrays)

    def _errors(self) -> np.ndarray:
        setup = self._setup
        number, rows = setup.tasks.valid_y.shape
        failed = self._arrays.stopped[:number] < setup.all_steps
        if setup.tasks.training is not None:
            errors = self._arrays.row_errors[: number * rows].reshape(number, rows)
            return np.where(failed[:, None], np.nan, repeated(setup.tasks, errors))
        by_lane = self._arrays.row_errors.reshape(-1, rows, self._module.W).astype(np.float64)
        errors = by_lane.transpose(0, 2, 1).reshape(-1, rows)[:number]
        return np.where(failed[:, None], np.nan, errors)


def _module(setup: EvaluationSetup, search: str = "regularized_evolution") -> Any:
    return cpu.module_for(setup.tasks, setup.dtype, search)


class CpuBackend(NoDevice):
    """See `zero.programs.backends.Backend`."""

    for_one_program = "cpu"
    shares_module = True
    slow = False

    def modules(self, setup: EvaluationSetup, search: str, islands: int) -> list[SearchModule]:
        """Returns the one module of all islands."""
        return [_module(setup, search)] * islands

    def runner(self, setup: EvaluationSetup, module: SearchModule | None = None) -> CpuRunner:
        """Returns what evaluates single programs."""
        return CpuRunner(setup, _module(setup) if module is None else module)

    def repeater(
        self, setup: EvaluationSetup, search: str, program: Program, memory: Memory
    ) -> Repeater:
        """Returns a program's evaluation on one core."""
        module = _module(setup, search)
        genomes, starts = cpu.genome_of(program)
        arrays = cpu.new_evaluator(
            setup.tasks, memory, starts, module=module, key=setup.seed_key,
            max_abs_error=setup.max_abs_error, combine=setup.combine, seen_size=1,
        )  # fmt: skip
        packed, handle = module.pack(genomes), module.pack(arrays)
        fitness, steps = module.evaluate_program(packed, 0, handle)
        module.evaluate_many(packed, 0, handle, 1)
        return Repeater(
            lambda times: module.evaluate_many(packed, 0, handle, times), fitness, int(steps)
        )


BACKEND = CpuBackend()

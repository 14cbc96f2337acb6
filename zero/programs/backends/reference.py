"""The backend `reference`: NumPy, slow, the definition of what a program does."""

from __future__ import annotations

import numpy as np

from zero.programs.backends import (
    EvaluationSetup,
    Measured,
    NoDevice,
    Repeater,
    SearchModule,
    repeated,
)
from zero.programs.interpreter import reference, reference_networks
from zero.programs.interpreter.reference import combine
from zero.programs.program import Memory, Program, memory_needed


class ReferenceRunner:
    """Evaluates one program at a time; see `zero.programs.backends.ProgramRunner`."""

    def __init__(self, setup: EvaluationSetup):
        self._setup = setup

    def __call__(self, program: Program, memory: Memory) -> Measured:
        """Evaluates a program."""
        setup, tasks = self._setup, self._setup.tasks
        if tasks.training is not None:
            return self._of_networks(program, memory)
        traces = [
            reference.run(
                program, memory, tasks, task, seed_key=setup.seed_key,
                max_abs_error=setup.max_abs_error, dtype=setup.dtype,
                independent=setup.independent,
            )
            for task in range(tasks.num_tasks)
        ]  # fmt: skip
        errors = None
        if setup.keep_errors:
            errors = np.full(tasks.valid_y.shape, np.nan)
            for task, trace in enumerate(traces):
                if len(trace.train_errors) == setup.all_steps:
                    errors[task, : len(trace.valid_errors)] = trace.valid_errors
        fitness = np.array([trace.fitness for trace in traces])
        return fitness, sum(trace.train_steps for trace in traces), errors

    def _of_networks(self, program: Program, memory: Memory) -> Measured:
        setup, tasks = self._setup, self._setup.tasks
        traces = [
            reference_networks.run(
                program, memory, tasks, task, seed_key=setup.seed_key,
                max_abs_error=setup.max_abs_error, dtype=setup.dtype,
            )
            for task in range(tasks.num_tasks)
        ]  # fmt: skip
        errors = np.full(tasks.valid_y.shape, np.nan)
        for task, trace in enumerate(traces):
            errors[task, : len(trace.valid_errors)] = trace.valid_errors
        fitness = np.array([trace.fitness for trace in traces])
        found = repeated(tasks, errors) if setup.keep_errors else None
        return fitness, sum(trace.train_steps for trace in traces), found


class ReferenceBackend(NoDevice):
    """See `zero.programs.backends.Backend`."""

    for_one_program = "reference"
    shares_module = False
    slow = True

    def modules(self, setup: EvaluationSetup, search: str, islands: int) -> list[SearchModule]:
        """Returns the one module of all islands."""
        from zero.programs.reference_island import ReferenceModule  # it needs a compiler

        module = ReferenceModule(self.runner(setup), setup.combine, setup.dtype, search)
        return [module] * islands

    def runner(self, setup: EvaluationSetup, module: SearchModule | None = None) -> ReferenceRunner:
        """Returns what evaluates single programs."""
        return ReferenceRunner(setup)

    def repeater(
        self, setup: EvaluationSetup, search: str, program: Program, memory: Memory
    ) -> Repeater:
        """Returns a program's evaluation on one core, with as many addresses as it needs."""
        runner, needed = self.runner(setup), memory_needed(program, setup.tasks.labels)

        def run(times: int) -> None:
            for _ in range(times):
                runner(program, needed)

        task_fitness, steps, _ = runner(program, needed)
        return Repeater(run, combine(task_fitness, setup.combine), steps)


BACKEND = ReferenceBackend()

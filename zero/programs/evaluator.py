"""Fitness of programs on a task set, on any backend: the one interface above the interpreters.

The search itself calls the compiled evaluator directly (`zero.programs.island`); this is for everything that
looks at one program at a time: selection, final figures, `zero evaluate`, tests, Python users.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zero.errors import ConfigError, DeviceError, ProgramError, unknown_name, what_is
from zero.programs.program import (
    Memory,
    Program,
    memory_needed,
    validate_program,
)
from zero.tasks import TaskFamily, TaskSet

BACKENDS = ("cpu", "reference", "cuda")
DTYPES = ("float64", "float32")
COMBINE = ("mean", "median", "min")


@dataclass(frozen=True)
class Evaluation:
    """Result of one program on T tasks of V scored examples each.

    fitness: over tasks. task_fitness (T,). train_steps: of all tasks. errors (T, V): absolute errors
    of the last validation (for accuracy 1 where the class is wrong), NaN for a task that failed in
    training or in that validation; None unless the evaluator keeps them.
    """

    fitness: float
    task_fitness: np.ndarray
    train_steps: int
    errors: np.ndarray | None = None


def check_backend(backend: str) -> None:
    """Checks that a backend can be used here.

    For "cuda" it initialises CUDA in this process, which must not fork workers afterwards; a run asks
    `zero.programs.cuda.search.gpu_names` instead.

    Raises:
        DeviceError: there is no such backend, or it cannot run on this machine.
    """
    if not isinstance(backend, str) or backend not in BACKENDS:
        raise DeviceError(unknown_name("backend", backend, BACKENDS))
    if backend == "cuda":
        from zero import cuda

        cuda.open_machine()


def _check_arguments(tasks, dtype, memory, seed_key, max_abs_error, combine) -> None:
    """Raises ConfigError if an argument of `Evaluator` is none of those allowed."""
    if not isinstance(tasks, TaskSet):
        hint = ""
        if isinstance(tasks, TaskFamily):
            hint = '; make one of it with zero.make_task_set(family, "select")'
        raise ConfigError(f"an Evaluator takes a TaskSet, got {what_is(tasks)}{hint}")
    for what, value, known in (("dtype", dtype, DTYPES), ("combine", combine, COMBINE)):
        if not isinstance(value, str) or value not in known:
            raise ConfigError(unknown_name(what, value, known))
    if memory is not None and not isinstance(memory, Memory):
        raise ConfigError(
            f"memory must be a zero.programs.program.Memory or None, got {what_is(memory)}"
        )
    if isinstance(seed_key, bool) or not isinstance(seed_key, int | np.integer):
        raise ConfigError(f"seed_key must be a whole number, got {what_is(seed_key)}")
    if not isinstance(max_abs_error, int | float | np.number) or not max_abs_error > 0:
        raise ConfigError(f"max_abs_error must be a number above 0, got {what_is(max_abs_error)}")


class Evaluator:
    """Evaluates programs on one task set.

    Args:
        tasks: the task set.
        backend: "cpu" (compiled), "reference" (NumPy, slow) or "cuda" (one GPU, which one program at
            a time leaves almost idle; initialises CUDA in this process).
        dtype: "float64" or "float32".
        memory: addresses; by default as many as each program needs.
        seed_key: 64-bit key of the random ops' draws (`zero.rng.philox.key_for`).
        max_abs_error: training stops at an error above this.
        combine: "mean", "median" or "min" over tasks.
        module: for "cpu", a generated module to use instead of the one that suits the tasks.
        strict: for "cuda", sums of products are rounded as on the CPU.
        independent: the fitness of a predictor: validation rows know nothing of each other. Each is
            predicted from the memory that training left after its last epoch (random draws are the
            same for all), whatever came before it; 0 where training fails in any epoch. Otherwise
            memory lasts from row to row, as in the original engine, and the best epoch counts.
        keep_errors: evaluations hold the errors on every row.

    The fitness of a task is in [0, 1], 0 where training failed (spec, section 4). Same arguments,
    same bits on one machine; backends agree to rounding.

    Raises:
        ConfigError: an argument is none of these. DeviceError: the backend cannot be used here.
    """

    def __init__(
        self,
        tasks: TaskSet,
        backend: str = "cpu",
        dtype: str = "float64",
        memory: Memory | None = None,
        seed_key: int = 0,
        max_abs_error: float = 100.0,
        combine: str = "mean",
        module=None,
        strict: bool = False,
        independent: bool = False,
        keep_errors: bool = False,
    ):
        _check_arguments(tasks, dtype, memory, seed_key, max_abs_error, combine)
        check_backend(backend)
        self.tasks, self.memory, self.dtype = tasks, memory, dtype
        self.seed_key, self.max_abs_error, self.combine = seed_key, max_abs_error, combine
        self.independent, self.keep_errors = independent, keep_errors
        self._run = getattr(self, f"_run_{backend}")
        self._module, self._arrays, self._for = module, None, None
        if backend == "cuda":
            from zero import cuda
            from zero.programs.cuda.evaluate import CudaEvaluator

            machine = cuda.open_machine()
            self._stream = machine.stream()
            self._cuda = CudaEvaluator(
                tasks, machine, dtype, key=seed_key, max_abs_error=max_abs_error, strict=strict,
                independent=independent,
            )  # fmt: skip

    def __call__(self, program: Program) -> Evaluation:
        """Returns the program's evaluation.

        Raises:
            ProgramError: it is no program, or does not fit the memory.
        """
        if not isinstance(program, Program):
            hint = ""
            if isinstance(program, str):
                hint = (
                    "; load it with zero.load_program, or with "
                    "zero.programs.program.parse_program if it is text"
                )
            raise ProgramError(f"an Evaluator takes a Program, got {what_is(program)}{hint}")
        memory = self.memory or memory_needed(program)
        validate_program(program, memory)
        from zero.programs.interpreter.reference import combine

        task_fitness, steps, errors = self._run(program, memory)
        if errors is not None and self.tasks.metric == "rms_error":
            errors[~(errors <= self.max_abs_error).all(axis=1)] = np.nan
        return Evaluation(combine(task_fitness, self.combine), task_fitness, steps, errors)

    def __repr__(self) -> str:
        return f"<Evaluator: {self.dtype}, {self.combine} over {self.tasks!r}>"

    def _run_reference(self, program: Program, memory: Memory) -> tuple:
        from zero.programs.interpreter import reference

        traces = [
            reference.run(
                program, memory, self.tasks, task, seed_key=self.seed_key,
                max_abs_error=self.max_abs_error, dtype=self.dtype, independent=self.independent,
            )
            for task in range(self.tasks.num_tasks)
        ]  # fmt: skip
        steps = sum(t.train_steps for t in traces)
        errors = None
        if self.keep_errors:
            errors = np.full(self.tasks.valid_y.shape, np.nan)
            for task, trace in enumerate(traces):
                if len(trace.train_errors) == self._all_steps:
                    errors[task, : len(trace.valid_errors)] = trace.valid_errors
        return np.array([t.fitness for t in traces]), steps, errors

    @property
    def _all_steps(self) -> int:
        return self.tasks.epochs * self.tasks.train_x.shape[1]

    def _run_cuda(self, program: Program, memory: Memory) -> tuple:
        from zero.programs.cuda.encode import encode_program

        rows, spans = encode_program(program, self._cuda.layout)
        found = self._cuda.start(rows, spans, self._stream, traces=self.keep_errors).results()
        taken, errors = found["taken"][0], None
        if self.keep_errors:
            # A task that fails ends one step short of those that take all of them, or at the last.
            failed = ~(found["train_errors"][0, :, -1] <= self.max_abs_error)
            failed |= taken < self._all_steps
            errors = np.where(failed[:, None], np.nan, found["valid_errors"][0].astype(np.float64))
        return found["fitness"][0], int(taken.sum()), errors

    def _run_cpu(self, program: Program, memory: Memory) -> tuple:
        from zero.programs.interpreter import cpu

        if self._module is None:
            self._module = cpu.build(self.dtype, cpu.lanes_for(self.tasks.num_tasks))
        sizes = [len(f) for f in program.functions]
        if self._arrays is None or memory != self._for[0] or np.any(sizes > self._for[1]):
            # Room for this program and, so that it is seldom made anew, for all before it.
            widths = np.maximum(sizes, self._for[1] if self._for else 0)
            self._genomes, self._starts = cpu.genome_of(program, tuple(int(w) for w in widths))
            self._packed = self._module.pack(self._genomes)
            self._arrays = cpu.new_evaluator(
                self.tasks, memory, self._starts, module=self._module, key=self.seed_key,
                max_abs_error=self.max_abs_error, seen_size=1, independent=self.independent,
                keep_errors=self.keep_errors,
            )  # fmt: skip
            self._handle, self._for = self._module.pack(self._arrays), (memory, widths)
        cpu.write_program(self._genomes, 0, self._starts, program)
        _, steps = self._module.evaluate_program(self._packed, 0, self._handle)
        number = self.tasks.num_tasks
        fitness = self._arrays.task_fitness[:number].copy()
        return fitness, int(steps), self._errors_of_cpu() if self.keep_errors else None

    def _errors_of_cpu(self) -> np.ndarray:
        number, rows = self.tasks.valid_y.shape
        by_lane = self._arrays.row_errors.reshape(-1, rows, self._module.W).astype(np.float64)
        errors = by_lane.transpose(0, 2, 1).reshape(-1, rows)[:number]
        failed = self._arrays.stopped[:number] < self._all_steps
        return np.where(failed[:, None], np.nan, errors)

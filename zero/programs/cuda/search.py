"""The search with a GPU: the CPU breeds and looks into the caches, the GPU evaluates whole batches.

`CudaModule` stands in for a generated module (`zero.programs.interpreter.module`) and drives the pipeline of
`zero.evolution.batches`: batch k + 1 is bred, prepared and launched before batch k is waited for, so the GPU
has work while the CPU is busy. All that the future depends on is in `zero.evolution.batches.Batch`: after a
restore, what is in flight is launched again. Nothing is decided by a clock, or by what is ready first.

The hurdle is a launch of its own on its few examples; what passes is evaluated from scratch.

The islands of one GPU are threads of one process and share a `Gpu`: one copy of the data, and a card
that works on all their launches. A GPU is opened by the first use in the process that it is used in.
"""

from __future__ import annotations

import threading
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from zero.errors import DeviceError
from zero.evolution import batches
from zero.evolution.batches import (
    BATCHES,
    BRED,
    FINISHED,
    FULL,
    OLDER,
    PASSED,
    PREPARED,
    Batch,
)
from zero.evolution.forks import in_child
from zero.evolution.loop import LIMIT, QUOTA, SearchState
from zero.evolution.population import INDIVIDUALS, TRAIN_STEPS
from zero.programs.cuda.encode import Encoder
from zero.programs.cuda.layout import best_layout
from zero.programs.interpreter.arrays import EvaluatorArrays
from zero.tasks import TaskSet

if TYPE_CHECKING:
    from zero.programs.cuda.evaluate import CudaEvaluator, Pending


@cache
def gpu_names() -> list[str]:
    """Returns the names of the GPUs, at least one; asked once, in a process of its own.

    This process must not initialise CUDA: it forks islands later.

    Raises:
        DeviceError: there is none that can be used; says what is missing.
    """
    return in_child(_names)


def _names() -> list[str]:
    from zero import cuda
    from zero.cuda.device import devices

    try:
        first = cuda.open_machine(0)
    except DeviceError as error:
        if "InitializationError" in str(error):
            raise DeviceError(
                "this process has used a GPU already, and CUDA does not survive the fork of islands' "
                "processes; start the run in a new process"
            ) from error
        raise
    return devices() or [first.name]


class Gpu:
    """What the islands of one GPU share, which are threads of one process.

    Args:
        number: of the GPU.
        tasks: the search tasks.
        dtype: "float64" or "float32".
        key: 64-bit key of the random ops' draws.
        max_abs_error: training stops at an error above this.
    """

    def __init__(self, number: int, tasks: TaskSet, dtype: str, key: int, max_abs_error: float):
        self._number, self._tasks, self._dtype = number, tasks, dtype
        self._settings = {"key": key, "max_abs_error": max_abs_error}
        self._lock = threading.Lock()
        self._evaluator: CudaEvaluator | None = None
        self._machine: Any = None
        self._last: Any = None  # the latest moment at which the GPU is known to have been busy

    def open(self) -> CudaEvaluator:
        """Returns the evaluator on the search tasks; opens the GPU at the first call."""
        from zero import cuda
        from zero.programs.cuda.evaluate import CudaEvaluator

        with self._lock:
            if self._evaluator is None:
                self._machine = cuda.open_machine(self._number)
                self._evaluator = CudaEvaluator(
                    self._tasks, self._machine, self._dtype, **self._settings
                )
        return self._evaluator

    def streams(self, number: int) -> list[Any]:
        """Returns new streams of the opened GPU."""
        return [self._machine.stream() for _ in range(number)]

    def alone(self, pending: Pending) -> float:
        """Returns for how many seconds of a finished launch, as far as is known, no other one ran."""
        began, ended = pending.began, pending.ended
        with self._lock:
            if self._last is None:
                self._last = began
            since = max(began.seconds_since(self._last), 0.0)
            until = ended.seconds_since(self._last)
            if until > 0:
                self._last = ended
        return max(until - since, 0.0)


class _Packed(NamedTuple):
    """A tuple of arrays and its handle for compiled code."""

    value: Any
    handle: Any


class _Launch(NamedTuple):
    """What was launched for a half: its batch's serial number, its stage then, what to wait for.

    pending: None where there was nothing to evaluate.
    """

    serial: int
    stage: int
    pending: Pending | None


class CudaModule:
    """Stands in for a generated module, for one island; a `zero.programs.backends.SearchModule`.

    Breeding, decoding and caches are those of the compiled module, full evaluations are the GPU's.

    Args:
        gpu: shared with the other islands of that GPU.
        compiled: the module of the cpu backend.

    Attributes:
        busy_seconds: how long the GPU worked for this island; times at which it worked for several
            count for one of them. For benchmarks, decides nothing.
    """

    def __init__(self, gpu: Gpu, compiled: ModuleType):
        self._gpu, self._compiled = gpu, compiled
        self.DTYPE, self.W = compiled.DTYPE, compiled.W
        self.busy_seconds = 0.0
        self._evaluator: CudaEvaluator | None = None  # these three: once the GPU is opened
        self._encode: Encoder | None = None
        self._streams: list[Any] = []  # one a half
        self._launched: dict[int, _Launch] = {}  # by half

    def open_device(self, evaluator: _Packed) -> None:
        """Opens the GPU and compiles for it, unless that was done before."""
        self._open(evaluator.value)

    def _open(self, arrays: EvaluatorArrays) -> None:
        if self._evaluator is None:
            self._evaluator = self._gpu.open()
            self._streams = self._gpu.streams(2)
            self._encode = Encoder(self._evaluator.layout, arrays.starts)

    def pack(self, value: tuple) -> _Packed:
        """Returns what the other functions take for the tuple."""
        return _Packed(value, self._compiled.pack(value))

    def evaluate_program(self, genomes: _Packed, row: int, evaluator: _Packed) -> tuple:
        """As of the compiled module, on the CPU: (fitness, train steps taken)."""
        return self._compiled.evaluate_program(genomes.handle, row, evaluator.handle)

    def collect(self, population_: _Packed) -> None:
        """`zero.evolution.population.collect`."""
        self._compiled.collect(population_.handle)

    def run_block(self, state: _Packed, quota: int, limits: np.ndarray) -> int:
        """As of the compiled module: one individual at a time would leave a GPU idle."""
        return self._compiled.run_block(state.handle, quota, limits)

    def run_batches(self, state: _Packed, quota: int, limits: np.ndarray) -> int:
        """`zero.evolution.batches.run_batches` with evaluations on the GPU; comes back at the end of a batch.

        With a quota of 0 it only compiles.
        """
        counts, flying = state.value.population.counts, state.value.batch
        if quota <= 0:
            self._compile(state.value)
            return QUOTA
        for half in self._halves(flying):  # not launched yet where the state was restored
            self._begin(half, state)
        while quota > 0:
            if counts[INDIVIDUALS] >= limits[0] or counts[TRAIN_STEPS] >= limits[1]:
                return LIMIT
            rows = self._compiled.breed_batch(state.handle, limits[2])
            older, newer = self._halves(flying)
            if rows > 0:
                self._begin(older if flying.rows[newer] == 0 else newer, state)
                quota -= rows
                continue
            if flying.rows[older] == 0:
                return LIMIT  # nobody in flight, and nobody may be bred
            self._finish(older, state)
            code = self._compiled.insert_batch(state.handle, limits)
            if code != QUOTA:
                return code
        return QUOTA

    def _halves(self, flying: Batch) -> tuple[int, int]:
        """Returns the older half and the newer one."""
        older = int(flying.counts[OLDER])
        return older, 1 - older

    def _compile(self, state: SearchState) -> None:
        """Calls every compiled function so that it changes nothing."""
        compiled, nothing = self._compiled, np.zeros(3, np.int64)
        idle = state._replace(batch=batches.new_batch(state.batch.record.shape[1]))
        handle = compiled.pack(idle)
        compiled.breed_batch(handle, nothing[2])
        compiled.insert_batch(handle, nothing)
        compiled.prepare_batch(handle, 0)
        outcome = np.zeros((0, 1)), np.zeros((0, 1), np.int64)
        compiled.screen_batch(handle, 0, *outcome)
        compiled.finish_batch(handle, 0, *outcome)
        evaluator = state.evaluator
        layout = best_layout(evaluator.settings.features, self.DTYPE)
        Encoder(layout, evaluator.starts)(state.genomes, np.zeros(0, np.int64))

    # --- one batch ------------------------------------------------------------------------------

    def _begin(self, half: int, state: _Packed) -> None:
        """Brings a batch to where only the full evaluation is to be waited for, which is launched."""
        flying, s = state.value.batch, state.value.evaluator.settings
        if flying.rows[half] == 0 or flying.stage[half] == FINISHED:
            return
        if flying.stage[half] == BRED:
            self._compiled.prepare_batch(state.handle, half)
        if flying.stage[half] == PREPARED and s.hurdle_train:
            self._launch(
                half, FULL, state.value, {"steps": s.hurdle_train, "valid": s.hurdle_valid}
            )
            outcome = self._outcome(half, s.tasks)
            self._compiled.screen_batch(state.handle, half, *outcome)
        self._launch(half, PASSED if s.hurdle_train else FULL, state.value, {})

    def _finish(self, half: int, state: _Packed) -> None:
        """Waits for a batch's full evaluations and takes them over."""
        if state.value.batch.stage[half] != FINISHED:
            outcome = self._outcome(half, state.value.evaluator.settings.tasks)
            self._compiled.finish_batch(state.handle, half, *outcome)

    def _launch(self, half: int, status: int, state: SearchState, lengths: dict[str, int]) -> None:
        """Launches the rows of a half that have that status, unless that was done before.

        lengths: train steps and examples to validate on, where it is not all of them.
        """
        flying = state.batch
        newest = flying.rows[1 - half] == 0 or half != flying.counts[OLDER]
        serial, stage = int(flying.counts[BATCHES]) - (not newest), int(flying.stage[half])
        before = self._launched.pop(half, None)
        if before is not None and (before.serial, before.stage) == (serial, stage):
            self._launched[half] = before
            return
        if before is not None and before.pending is not None:
            before.pending.result()  # of a state that is no more; its memory is needed
        self._open(state.evaluator)
        rows = flying.rows[half]
        which = flying.record[half, :rows][flying.status[half, :rows] == status]
        pending = None
        if len(which):
            encoded = self._encode(state.genomes, which)
            pending = self._evaluator.start(*encoded, self._streams[half], **lengths)
        self._launched[half] = _Launch(serial, stage, pending)

    def _outcome(self, half: int, tasks: int) -> tuple[np.ndarray, np.ndarray]:
        """Waits for what was launched; returns (fitness (n, T), train steps taken (n, T) int64)."""
        pending = self._launched.pop(half).pending
        if pending is None:
            return np.zeros((0, tasks)), np.zeros((0, tasks), np.int64)
        fitness, taken = pending.result()
        self.busy_seconds += self._gpu.alone(pending)
        return fitness, taken.astype(np.int64)

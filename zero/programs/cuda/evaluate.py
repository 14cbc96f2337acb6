"""Fitness of many programs on a task set, on a GPU.

The tasks' data stay on the machine. A batch of programs is sorted by the memory that they need, from
little to what does not fit shared memory; each group is a launch of its own, because a launch gives all
its programs as much room as the largest needs. Within a launch the longest come first, so that no long
one is left alone at the end. Neither changes any result.
"""

from __future__ import annotations

import threading
from typing import Any, NamedTuple

import numpy as np

from zero.errors import DeviceError
from zero.programs.cuda import source
from zero.programs.cuda.encode import encode_program
from zero.programs.cuda.job import SPAN, new_job
from zero.programs.cuda.layout import UnitLayout, best_layout
from zero.programs.interpreter.reference import Banks, epoch_orders
from zero.programs.ops import OPS
from zero.programs.program import Instruction, Memory, Program
from zero.tasks import TaskSet

_MEMORY, _ROWS = SPAN.index("memory"), SPAN.index("rows")
_PREDICT_AT = SPAN.index("predict_at")
_DTYPES = {"fitness": np.float64, "taken": np.int32}  # of results; the others have the layout's
# Groups of launches: that many units of a program find room in the shared memory of one; then those in
# global memory.
_SHARES = (16, 4, 1)
_GROUPS = len(_SHARES) + 1
_RESERVED = 1024  # bytes of shared memory that CUDA takes for each block, beside the block's own
_MOST_GLOBAL = 1 << 31  # bytes of global memory for the units of one launch


class _Room:
    """Buffers of one batch: they grow as they must, and are used again."""

    def __init__(self, machine: Any):
        self._machine = machine
        self._buffers: dict[str, Any] = {}
        self._sizes: dict[str, int] = {}

    def of(self, name: str, size: int, dtype: Any) -> Any:
        """Returns a buffer of at least that many elements; its content is arbitrary."""
        size = max(size, 1)
        if self._sizes.get(name, 0) < size:
            self._buffers.pop(name, None)
            self._sizes[name] = 1 << (size - 1).bit_length()  # seldom made anew
            self._buffers[name] = self._machine.empty(self._sizes[name], dtype)
        return self._buffers[name]


class _Launch(NamedTuple):
    """Programs first..last of a batch, elements and shared memory of a unit, how many units there may be."""

    layout: UnitLayout
    kernel: Any
    first: int
    last: int
    unit_memory: int
    unit_bytes: int
    units: int


class Pending:
    """A batch that was started. began, ended: events of the machine around it."""

    def __init__(
        self, evaluator: CudaEvaluator, room: _Room, stream: Any, began: Any, order, shapes
    ):
        self._evaluator, self._room, self._stream = evaluator, room, stream
        self._order, self._shapes = order, shapes
        self.began, self.ended = began, stream.event()

    def _read(self, name: str, dtype: Any) -> np.ndarray:
        shape = self._shapes[name]
        size = int(np.prod(shape))
        data = self._room.of(name, size, dtype).read()[:size].reshape(shape)
        back = np.empty_like(data)
        back[self._order] = data
        return back

    def results(self) -> dict[str, np.ndarray]:
        """Returns all that was asked for by name, see `CudaEvaluator.start`; to be called once.

        Raises:
            DeviceError: a launch failed.
        """
        self.ended.wait()
        real = self._evaluator.layout.dtype
        with self._stream:
            found = {name: self._read(name, _DTYPES.get(name, real)) for name in self._shapes}
        self._evaluator.give_back(self._room)
        return found

    def result(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns (fitness (P, T) float64, train steps begun (P, T) int32); to be called once.

        Raises:
            DeviceError: a launch failed.
        """
        found = self.results()
        return found["fitness"], found["taken"]


class CudaEvaluator:
    """Evaluates batches of encoded programs on one task set, on one machine.

    Args:
        tasks: the task set; its numbers are rounded to the dtype.
        machine: what `zero.cuda.open_machine` returned.
        dtype: "float64" or "float32".
        key: 64-bit key of the random ops' draws.
        max_abs_error: training stops at an error above this.
        strict: sums of products are rounded as on the CPU.
        layout: by default the best one for the number of features; without `shared`, all memory is
            global.
        independent: validation rows know nothing of each other, as in `zero.programs.evaluator`.

    The fitness of a task is that of `zero.programs.interpreter.reference.run`, to rounding; same arguments on
    one card, same bits, whatever else is in the batch. For several threads, each with its own stream.
    """

    def __init__(
        self,
        tasks: TaskSet,
        machine: Any,
        dtype: str,
        *,
        key: int,
        max_abs_error: float = 100.0,
        strict: bool = False,
        layout: UnitLayout | None = None,
        independent: bool = False,
    ):
        self.layout = layout or best_layout(tasks.features, dtype)
        self._tasks, self._machine, self._strict = tasks, machine, strict
        self._independent = independent
        if tasks.classes:
            raise DeviceError("backend cuda knows no vector labels yet; use backend cpu")
        parts = ("train_x", "train_y", "valid_x", "valid_y")
        arrays = {name: getattr(tasks, name).astype(dtype) for name in parts}
        arrays["task_keys"] = tasks.keys.astype(np.uint32)
        arrays["order"] = epoch_orders(tasks.train_x.shape[1], tasks.epochs).reshape(-1)
        self._data = {name: machine.buffer(array) for name, array in arrays.items()}
        self._fields = {
            **{name: buffer.address for name, buffer in self._data.items()},
            "num_tasks": tasks.num_tasks,
            "train_stride": tasks.train_x.shape[1], "valid_stride": tasks.valid_x.shape[1],
            "accuracy": tasks.metric == "accuracy", "key": np.uint64(key),
            "max_abs_error": max_abs_error,
        }  # fmt: skip
        self._kernels: dict[tuple[UnitLayout, int], Any] = {}
        self._rooms: list[_Room] = []
        self._lock = threading.Lock()

    def give_back(self, room: _Room) -> None:
        """Takes the buffers of a batch that is done with."""
        with self._lock:
            self._rooms.append(room)

    def _launches(
        self, spans: np.ndarray, unit_memory: int | None = None
    ) -> tuple[np.ndarray, list[_Launch]]:
        """Returns (order of programs, the launches of programs in that order).

        unit_memory: elements that each unit has, by default as many as it needs.
        """
        layout = self.layout
        group = np.full(len(spans), _GROUPS - 1)
        if layout.shared:
            # A launch gives each unit room for the most rows and for the most memory.
            held = layout.unit_bytes(spans[:, _ROWS].max(initial=0), spans[:, _MEMORY])
            most = self._machine.shared_bytes + _RESERVED
            bounds = [most // n - _RESERVED for n in _SHARES]
            group = np.searchsorted(bounds, held)
        order = np.lexsort((spans[:, _PREDICT_AT] - spans[:, _ROWS], group))
        ends = np.searchsorted(group[order], np.arange(_GROUPS), "right")
        layouts = [layout] * len(_SHARES) + [layout.in_global_memory()]
        first, launches = 0, []
        for each, last in zip(layouts, ends.tolist(), strict=True):
            if last > first:
                part = spans[order[first:last]]
                memory = unit_memory or int(part[:, _MEMORY].max())
                unit_bytes = int(each.unit_bytes(int(part[:, _ROWS].max()), memory))
                kernel = self._kernel(each)
                units = kernel.units(unit_bytes)
                if not each.shared:
                    most = _MOST_GLOBAL // (memory * each.itemsize)
                    units = min(units, max(1, most))
                launches.append(_Launch(each, kernel, first, last, memory, unit_bytes, units))
            first = last
        return order, launches

    def _kernel(self, layout: UnitLayout) -> Any:
        """Returns the machine's kernel of a layout."""
        key = layout, len(OPS)  # ops may be added, but none changes its meaning
        if key not in self._kernels:
            text = source.kernel_source(layout, self._strict, self._independent)
            self._kernels[key] = self._machine.kernel(text)
        return self._kernels[key]

    def at_once(self, spans: np.ndarray) -> int:
        """Returns how many programs like these fill the machine, at least one."""
        units = min(launch.units for launch in self._launches(spans)[1])
        return -(-units // self.layout.groups(self._tasks.num_tasks))

    def start(
        self,
        rows: np.ndarray,
        spans: np.ndarray,
        stream: Any,
        steps: int | None = None,
        valid: int | None = None,
        traces: bool = False,
        memory: np.ndarray | None = None,
    ) -> Pending:
        """Starts the evaluation of P programs and returns at once.

        Args:
            rows, spans: from `zero.programs.cuda.encode.Encoder` for this layout; spans may name the
            same rows.
            stream: of the machine.
            steps: train steps in one epoch, instead of all of them; 0: only Setup runs.
            valid: examples to validate on, instead of all.
            traces: also keeps every error: results "train_errors" (P, T, all steps) and "valid_errors"
                (P, T, valid). What lies behind the step at which a task failed is arbitrary.
            memory: (P, groups, elements) programs' memory at the start, see `to_memory`, of all lanes of
                each group of tasks; result "memory" is what it is at the end.
        """
        with self._lock:
            room = self._rooms.pop() if self._rooms else None
        room = room or _Room(self._machine)
        tasks, layout = self._tasks, self.layout
        number, count = len(spans), tasks.num_tasks
        epochs = tasks.epochs if steps is None else 1
        steps = tasks.train_x.shape[1] if steps is None else steps
        valid = tasks.valid_x.shape[1] if valid is None else valid
        groups = layout.groups(count)
        shapes: dict[str, tuple[int, ...]] = {"fitness": (number, count), "taken": (number, count)}
        if traces:
            shapes["train_errors"] = (number, count, epochs * steps)
            shapes["valid_errors"] = (number, count, valid)
        if memory is not None:
            shapes["memory"] = memory.shape
        order, launches = self._launches(spans, None if memory is None else memory.shape[2])
        with stream:
            began = stream.event()
            room.of("rows", rows.size, np.int32).write(rows)
            room.of("spans", spans.size, np.int32).write(spans[order])
            room.of("queue", _GROUPS, np.uint32).write(np.zeros(_GROUPS, np.uint32))
            if memory is not None:
                room.of("initial", memory.size, layout.dtype).write(memory[order])
            items = [(launch.last - launch.first) * groups for launch in launches]
            units = [min(launch.units, n) for launch, n in zip(launches, items, strict=True)]
            sizes = [n * launch.unit_memory for n, launch in zip(units, launches, strict=True)]
            # Launches come one after the other, so they can have the same memory.
            shared = {}
            if any(not launch.layout.shared for launch in launches):
                shared["memory"] = room.of("units", max(sizes), layout.dtype).address
            # Where validation can fail, or every row begins with the memory that training left.
            if self._independent or (epochs > 1 and tasks.metric != "accuracy"):
                shared["frozen"] = room.of("frozen", max([0, *sizes]), layout.dtype).address
            for k, launch in enumerate(launches):
                job = new_job(
                    **self._fields, **shared, **self._places(room, launch.first, shapes, k),
                    num_programs=launch.last - launch.first, epochs=epochs, steps=steps,
                    valid=valid, unit_memory=launch.unit_memory, unit_bytes=launch.unit_bytes,
                )  # fmt: skip
                launch.kernel.launch(job, units[k], launch.unit_bytes)
        return Pending(self, room, stream, began, order, shapes)

    def _places(self, room: _Room, first: int, shapes: dict, k: int) -> dict:
        """Returns the addresses of launch k, which begins at program `first`."""
        real = self.layout.dtype
        places = {
            "code": room.of("rows", 1, np.int32).address,
            "programs": room.of("spans", 1, np.int32).address + 4 * len(SPAN) * first,
            "queue": room.of("queue", 1, np.uint32).address + 4 * k,
        }
        for name, shape in shapes.items():
            dtype = np.dtype(_DTYPES.get(name, real))
            at = first * int(np.prod(shape[1:])) * dtype.itemsize
            places[name] = room.of(name, int(np.prod(shape)), dtype).address + at
        if "memory" in places:
            places["final_memory"] = places.pop("memory")
            at = places["final_memory"] - room.of("memory", 1, real).address
            places["initial_memory"] = room.of("initial", 1, real).address + at
        return places


def run_on_machine(
    instructions: tuple[Instruction, ...],
    banks: list[Banks],
    machine: Any,
    dtype: str,
    strict: bool = False,
    layout: UnitLayout | None = None,
    key: int = 0,
    task_keys: np.ndarray | None = None,
) -> None:
    """Executes instructions as Setup, on one memory a task, in place; for tests.

    key, task_keys (T,): of random draws, as in `zero.programs.interpreter.reference.Draws`.
    """
    features = banks[0].v.shape[1]
    keys = np.zeros(len(banks), np.uint32) if task_keys is None else task_keys
    x, y = np.zeros((len(banks), 1, features)), np.zeros((len(banks), 1))
    tasks = TaskSet(("case",) * len(banks), keys, x, y, x, y, "rms_error")
    evaluator = CudaEvaluator(tasks, machine, dtype, key=key, strict=strict, layout=layout)
    layout = evaluator.layout
    rows, spans = encode_program(Program(setup=instructions), layout, _sizes(banks[0]))
    memory = to_memory(layout, banks, int(spans[0, _MEMORY]))[None]
    pending = evaluator.start(rows, spans, machine.stream(), steps=0, memory=memory)
    from_memory(layout, pending.results()["memory"][0], banks)


def _indices(
    layout: UnitLayout, memory: Memory, task: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns where a task's scalars (S, lanes of a task), vectors (V, F) and matrices (M, F, F) are."""
    f, g, lanes = layout.features, layout.group, layout.lanes
    i = np.arange(f)
    lane = task * g + i % g
    scalars = np.arange(memory.scalars)[:, None] * lanes + task * g + np.arange(g)
    at = memory.scalars * lanes
    vectors = at + np.arange(memory.vectors)[:, None] * layout.vector_size + i // g * lanes + lane
    at += memory.vectors * layout.vector_size
    chunk = (i // g * (layout.padded // layout.chunk))[:, None] + i // layout.chunk
    within = (chunk * lanes + lane[:, None]) * layout.chunk + i % layout.chunk
    matrices = at + np.arange(memory.matrices)[:, None, None] * layout.matrix_size + within
    return scalars, vectors, matrices


def to_memory(layout: UnitLayout, banks: list[Banks], size: int) -> np.ndarray:
    """Returns (groups, size): the memories of tasks as a program's units hold them, NaN elsewhere.

    Addresses keep their numbers, as they do in programs encoded with `memory`.
    """
    units = np.full((layout.groups(len(banks)), size), np.nan, layout.dtype)
    for task, bank in enumerate(banks):
        unit = units[task // layout.tasks]
        s, v, m = _indices(layout, _sizes(bank), task % layout.tasks)
        unit[s], unit[v], unit[m] = bank.s[:, None], bank.v, bank.m
    return units


def from_memory(layout: UnitLayout, units: np.ndarray, banks: list[Banks]) -> None:
    """Writes what the units hold into the memories of tasks; the opposite of `to_memory`."""
    for task, bank in enumerate(banks):
        unit = units[task // layout.tasks]
        s, v, m = _indices(layout, _sizes(bank), task % layout.tasks)
        assert all(np.array_equal(unit[s[:, k]], unit[s[:, 0]], True) for k in range(layout.group))
        bank.s[...], bank.v[...], bank.m[...] = unit[s[:, 0]], unit[v], unit[m]


def _sizes(bank: Banks) -> Memory:
    return Memory(len(bank.s), len(bank.v), len(bank.m))

"""The compiled interpreter for Python: an evaluator's arrays, rows of genomes, the compiled ops' addresses.

`build` returns the generated module that works on them. The ops are in `handlers.py`.
"""

from __future__ import annotations

import math
from types import ModuleType

import numpy as np

from zero.jit import cache
from zero.jit.struct import aligned_zeros
from zero.programs import fec
from zero.programs.interpreter import handlers, reference
from zero.programs.interpreter.arrays import (
    NUM_COUNTERS,
    EvaluatorArrays,
    EvaluatorSettings,
    Hurdle,
)
from zero.programs.interpreter.module import build
from zero.programs.interpreter.network_arrays import (
    keys_of,
    networks_of,
    order_of,
    unit_count,
)
from zero.programs.mutations import Genomes, new_genomes
from zero.programs.ops import OPS, op_tables
from zero.programs.program import Memory, Program, to_arrays
from zero.tasks import TaskSet

__all__ = [
    "banks_of", "build", "genome_of", "handler_addresses", "lanes_for", "module_for",
    "new_evaluator", "read_arrays", "write_program",
]  # fmt: skip

SEEN_SIZE = 1 << 17
_FAR = 1 << 18  # bytes of train data


def handler_addresses(dtype: str, lanes_: int, features: int, element: int) -> np.ndarray:
    """Returns the address of every compiled op; element: values of an element of a vector."""
    ops_ = tuple(OPS.values())
    return handlers.addresses(dtype, lanes_, features, element, cache.cache_folder(), ops_)


def banks_of(
    evaluator: EvaluatorArrays, mem: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns views of the first block's memory: scalars, vectors and matrices.

    mem: a copy of it to look at instead, such as `frozen`: what training left.

    Their shapes are (n, W), (n, F, W) and (n, F, F, W), the last axis shorter where elements lie closely.
    """
    s, mem = evaluator.settings, evaluator.mem if mem is None else mem
    f, size = s.features, mem.itemsize
    scalars = mem[: s.vectors_at].reshape(-1, evaluator.losses.size)
    number = (s.matrices_at - s.vectors_at) // s.vector_size
    strides = [size * x for x in (s.vector_size, s.element, 1)]
    vectors_ = np.lib.stride_tricks.as_strided(mem[s.vectors_at :], (number, f, s.element), strides)
    number = (s.temporary_at - s.matrices_at) // s.matrix_size
    strides = [size * x for x in (s.matrix_size, s.element, f * s.element, 1)]
    matrices = np.lib.stride_tricks.as_strided(
        mem[s.matrices_at :], (number, f, f, s.element), strides
    )
    return scalars, vectors_, matrices


def module_for(tasks: TaskSet, dtype: str, search: str = "regularized_evolution") -> ModuleType:
    """Returns the generated module that suits a task set; see `build`."""
    lanes_ = lanes_for(unit_count(tasks, 16))
    return build(dtype, lanes_, search, tasks.training is not None)


def lanes_for(tasks: int) -> int:
    """Returns how many lanes to use for that many tasks."""
    return 1 if tasks == 1 else 4 if tasks <= 4 else 8 if tasks <= 8 else 16


def _in_lanes(array: np.ndarray, stride: int, lanes_: int, dtype: str) -> np.ndarray:
    """Returns (T, ...) as (..., stride) in one row, and some zeros behind for the last lanes."""
    last = np.moveaxis(array, 0, -1)
    size = math.prod(last.shape[:-1]) * stride
    found = aligned_zeros(size + lanes_, dtype)
    found[:size].reshape(*last.shape[:-1], stride)[..., : len(array)] = last
    return found


def new_evaluator(
    tasks: TaskSet,
    memory: Memory,
    starts: np.ndarray,
    *,
    module: ModuleType,
    key: int,
    max_abs_error: float = 100.0,
    combine: str = "mean",
    budget: float = 0.0,
    cache_: tuple[int, int, int, int] | None = None,
    hurdle: tuple[int, int, float, int] | None = None,
    seen_size: int = SEEN_SIZE,
    independent: bool = False,
    keep_errors: bool = False,
) -> EvaluatorArrays:
    """Returns the arrays of an evaluator.

    Args:
        tasks: the task set; its numbers are rounded to the module's dtype.
        memory: how many addresses programs have.
        starts: (4,) where setup, predict and learn start in a row of `Genomes`, and its length.
        module: as returned by `build`; gives dtype and number of lanes.
        key: 64-bit key of the random ops' draws.
        budget: largest static cost of a program, 0 = no limit.
        cache_: functional equivalence cache: train and valid examples, size, forget_every.
        hurdle: train and valid examples, quantile, programs in the rolling window.
        seen_size: how many programs' canonical forms are remembered.
        independent: validation rows know nothing of each other, see `zero.programs.evaluator`.
        keep_errors: keeps the errors of the last validation.
    """
    dtype, lanes_ = module.DTYPE, module.W
    t, n, f = tasks.num_tasks, tasks.steps, tasks.features
    valid = tasks.valid_x.shape[1]
    units, networks = unit_count(tasks, lanes_), networks_of(tasks, dtype, lanes_)
    blocks = -(-units // lanes_)
    fits = networks is None and not tasks.classes and blocks == 1
    close = fits and handlers.RegisterLayout.fits(dtype, lanes_, f, t)
    element = t if close else lanes_
    vector, matrix = (-(-n * element // lanes_) * lanes_ for n in (f, f * f))  # whole lanes
    vectors_at = memory.scalars * lanes_
    matrices_at = vectors_at + memory.vectors * vector
    temporary_at = matrices_at + memory.matrices * matrix
    size = temporary_at + matrix
    fec_train, fec_valid, fec_size, forget = cache_ or (0, 0, 1, 0)
    hurdle_train, hurdle_valid, quantile, window = hurdle or (0, 0, 0.0, 1)
    length = max(int(starts[3]), 1)
    unsigned = np.uint64 if dtype == "float64" else np.uint32
    # Vectors that start at cache lines are faster, but large data is read from afar and kept small.
    far = n * f * blocks * lanes_ * np.dtype(dtype).itemsize > _FAR
    stride = t if far or close else blocks * lanes_
    mem = aligned_zeros(blocks * size, dtype)
    code = aligned_zeros((length + len(handlers.EXTRA), handlers.ROW), np.int64)
    task_keys = _in_lanes(keys_of(tasks, lanes_), blocks * lanes_, lanes_, "int64")
    context = np.zeros(handlers.CONTEXT, dtype=np.int64)
    context[handlers.KEY] = np.uint64(key).astype(np.int64)
    context[handlers.TEMPORARY] = temporary_at * mem.itemsize
    errors = np.zeros(blocks * (fec_train + fec_valid) * lanes_, dtype)
    return EvaluatorArrays(
        settings=EvaluatorSettings(
            features=f, tasks=t, blocks=blocks, train=n, valid=valid, epochs=tasks.epochs,
            steps=n * tasks.epochs, vectors_at=vectors_at, matrices_at=matrices_at,
            temporary_at=temporary_at, memory_size=size,
            keys_address=task_keys.ctypes.data, stride=stride, far=far and blocks == 1,
            advance=lanes_ if close else stride, vector_size=vector, matrix_size=matrix,
            element=element, accuracy=tasks.metric == "accuracy",
            combine=reference.COMBINE.index(combine), max_abs_error=float(max_abs_error),
            budget=float(budget),
            fec_train=fec_train, fec_valid=fec_valid, forget_every=forget,
            hurdle_train=hurdle_train, hurdle_valid=hurdle_valid,
            hurdle_quantile=float(quantile), independent=independent, classes=tasks.classes,
            units=units,
        ),
        tables=op_tables(),
        starts=np.asarray(starts, dtype=np.int64),
        **_data(tasks, stride, lanes_, dtype),
        keys=task_keys,
        mem=mem,
        mem_bits=mem.view(unsigned),
        saved=aligned_zeros(temporary_at, dtype),
        frozen=aligned_zeros(temporary_at, dtype),
        handlers=handler_addresses(dtype, lanes_, f, element),
        code=code,
        code_floats=code.view(np.float64),
        bounds=np.zeros(3, dtype=np.int64),
        slots=np.zeros((3 * 64 + 1, 2), dtype=np.int64),
        context=context,
        places=mem.itemsize * np.array(
            [[0, 0], [0, lanes_], [vectors_at, vector], [matrices_at, matrix]], dtype=np.int64
        ),
        live=np.zeros(length, dtype=np.uint8),
        used=np.zeros(4, dtype=np.uint64),
        needed=np.zeros(4, dtype=np.uint64),
        names=np.zeros((4, 64), dtype=np.int16),
        named=np.zeros((4, 64), dtype=np.int16),
        fresh=np.zeros(4, dtype=np.int16),
        begun=np.full(3, -1, dtype=np.int64),
        errors=errors,
        error_bits=errors.view(unsigned),
        losses=np.zeros(lanes_, dtype),
        fitness=np.zeros(max(t, blocks * lanes_)),
        task_fitness=np.zeros(max(t, blocks * lanes_)),
        sorted=np.zeros(t),
        stopped=np.zeros(max(t, blocks * lanes_), dtype=np.int64),
        row_errors=np.zeros(max(t, blocks * lanes_) * valid if keep_errors else 0, dtype),
        alive=np.zeros(blocks, dtype=np.int64),
        counters=np.zeros(NUM_COUNTERS, dtype=np.int64),
        seen=fec.new_cache(seen_size),
        fec=fec.new_cache(fec_size),
        hurdle=Hurdle(
            np.zeros(window), np.zeros(1, dtype=np.int64), np.full(1, -np.inf), np.zeros(window)
        ),
        networks=networks,
    )  # fmt: skip


def _data(tasks: TaskSet, stride: int, lanes_: int, dtype: str) -> dict[str, np.ndarray]:
    """Returns the arrays of the tasks' data and the order of the train examples."""
    parts = {name: getattr(tasks, name) for name in ("train_x", "train_y", "valid_x", "valid_y")}
    training = tasks.training
    if training is None:
        found = {name: _in_lanes(part, stride, lanes_, dtype) for name, part in parts.items()}
        order = reference.epoch_orders(tasks.steps, tasks.epochs).reshape(-1)
        return {**found, "order": order}
    if training.part == "loss":
        parts["train_y"] = np.where(tasks.train_y > 0.5, 1.0, -1.0)
    found = {}
    for name, part in parts.items():  # zeros behind, for the last lanes
        found[name] = np.append(part.astype(dtype).reshape(-1), np.zeros(lanes_, dtype))
    return {**found, "order": order_of(tasks)}


def genome_of(program: Program, widths: tuple[int, int, int] | None = None) -> tuple:
    """Returns (genomes of one row, starts) that hold a program.

    Args:
        program: any program.
        widths: room for setup, predict and learn; by default just enough.
    """
    sizes = [len(f) for f in program.functions]
    widths = tuple(max(w, n) for w, n in zip(widths or sizes, sizes, strict=True))
    starts = np.concatenate([[0], np.cumsum(widths)]).astype(np.int64)
    genomes = new_genomes(1, int(starts[3]))
    write_program(genomes, 0, starts, program)
    return genomes, starts


def write_program(genomes: Genomes, row: int, starts: np.ndarray, program: Program) -> None:
    """Writes a program to a row of genomes."""
    code, constants, sizes = to_arrays(program)
    done = 0
    for function, size in enumerate(sizes):
        at = int(starts[function])
        genomes.code[row, at : at + size] = code[done : done + size]
        genomes.constants[row, at : at + size] = constants[done : done + size]
        done += size
    genomes.sizes[row] = sizes


def read_arrays(genomes: Genomes, row: int, starts: np.ndarray) -> tuple:
    """Returns (code, constants, sizes) of a row in the form of `zero.programs.program.to_arrays`."""
    sizes = genomes.sizes[row].copy()
    rows = np.concatenate(
        [np.arange(starts[f], starts[f] + sizes[f], dtype=np.int64) for f in range(3)]
    )
    return genomes.code[row, rows].copy(), genomes.constants[row, rows].copy(), sizes

"""The arrays that the compiled evaluator works on, and their settings.

Tasks sit in lanes: `train_x` is (N, F, stride) in one row of memory, the others likewise, so that one
load takes the same value of W tasks. Lanes without a task hold zeros, or whatever lies behind where
data is packed closely; nobody looks at them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from zero.programs.fec import Cache
from zero.programs.interpreter.network_arrays import Networks
from zero.programs.ops import OpTables

# Places in `EvaluatorArrays.counters`.
EVALUATED, STEPS_TAKEN, SEEN_HITS, FEC_HITS, HURDLE_FAILS, BUDGET_FAILS = range(6)
NUM_COUNTERS = 8


class EvaluatorSettings(NamedTuple):
    """Numbers of an evaluation; sizes count examples, tasks or array elements.

    vectors_at, matrices_at, temporary_at, memory_size: layout of one block's memory; vector_size,
    matrix_size: room for one of them, whose elements hold `element` values (see
    `zero.programs.interpreter.handlers.RegisterLayout`). keys_address: of `EvaluatorArrays.keys`.
    stride: between values of a task's data. advance: how far W values of an example's features advance
    in the data. far: data does not fit the processor's caches and is fetched ahead. steps: train steps
    over all epochs. fec_*, hurdle_*: 0 when not in use. budget: largest static cost, 0 = no limit. combine:
    place in `zero.programs.interpreter.reference.COMBINE`.
    independent: validation rows know nothing of each other, see `zero.programs.evaluator`.
    classes: K of vector labels, 0 of scalar ones; with classes an element of a vector has W values.
    units: lanes of all blocks that hold something: tasks, or what `networks.py` says.
    """

    features: int
    tasks: int
    blocks: int
    train: int
    valid: int
    epochs: int
    steps: int
    vectors_at: int
    matrices_at: int
    temporary_at: int
    memory_size: int
    vector_size: int
    matrix_size: int
    element: int
    keys_address: int
    stride: int
    advance: int
    far: bool
    accuracy: bool
    combine: int
    max_abs_error: float
    budget: float
    fec_train: int
    fec_valid: int
    forget_every: int
    hurdle_train: int
    hurdle_valid: int
    hurdle_quantile: float
    independent: bool
    classes: int
    units: int


class Hurdle(NamedTuple):
    """Rolling hurdle.

    window (n,) float64: early fitnesses; count (1,) int64; threshold (1,); sorted (n,): scratch.
    """

    window: np.ndarray
    count: np.ndarray
    threshold: np.ndarray
    sorted: np.ndarray


class EvaluatorArrays(NamedTuple):
    """Everything that `frame.evaluate` reads and writes; made by `zero.programs.interpreter.cpu`.

    Data: train_x, train_y, valid_x, valid_y, keys (tasks' keys, int64), order (example of each train
    step, int32). State that lasts between evaluations: seen, fec, hurdle, counters. The rest is
    scratch. mem and mem_bits (the same memory as unsigned integers), saved, frozen. The decoded program (see
    `handlers.py`): handlers, their addresses; code (L + 3, ROW) int64 and code_floats, the same memory;
    bounds (3,), where the functions start; slots (n, 2), the number of places in memory that it uses,
    then place and size of each; context (CONTEXT,) int64. For decoding: places (4, 2), by type
    number where addresses start and how far apart they are, in bytes; live, needed, used, names,
    named, fresh. begun (3,) int64: row, key and whether v0 is written of the program that is decoded and set
    up already, row -1 = none.
    Of the tasks: errors and error_bits (the same memory), losses, fitness, task_fitness, sorted,
    stopped, alive; row_errors, of the last validation, (blocks * valid * W,) or empty: not kept.
    networks: of tasks in which programs train some, None in others. There data are (T, N, F) in one row and
    row_errors (T * valid,).
    """

    settings: EvaluatorSettings
    tables: OpTables
    starts: np.ndarray
    train_x: np.ndarray
    train_y: np.ndarray
    valid_x: np.ndarray
    valid_y: np.ndarray
    keys: np.ndarray
    order: np.ndarray
    mem: np.ndarray
    mem_bits: np.ndarray
    saved: np.ndarray
    frozen: np.ndarray
    handlers: np.ndarray
    code: np.ndarray
    code_floats: np.ndarray
    bounds: np.ndarray
    slots: np.ndarray
    context: np.ndarray
    places: np.ndarray
    live: np.ndarray
    used: np.ndarray
    needed: np.ndarray
    names: np.ndarray
    named: np.ndarray
    fresh: np.ndarray
    begun: np.ndarray
    errors: np.ndarray
    error_bits: np.ndarray
    losses: np.ndarray
    fitness: np.ndarray
    task_fitness: np.ndarray
    sorted: np.ndarray
    stopped: np.ndarray
    row_errors: np.ndarray
    alive: np.ndarray
    counters: np.ndarray
    seen: Cache
    fec: Cache
    hurdle: Hurdle
    networks: Networks | None

"""A trained program: its memory after training, and predictions for many rows at once in NumPy.

Each row is predicted from the memory that training left, whatever came before it: the predictor whose
figure is told as final (`independent` of `zero.programs.evaluator.Evaluator`). Training runs on the
compiled interpreter; prediction needs no compiler.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import numpy as np

from zero.errors import ProgramError
from zero.programs.interpreter.reference import Banks, evaluate_formula, sigmoid
from zero.programs.ops import Op, get_op
from zero.programs.program import (
    FEATURES,
    LABEL,
    PREDICTION,
    Instruction,
    Program,
    memory_needed,
)
from zero.programs.simplified import simplify
from zero.rng import philox
from zero.rng.philox import key_for
from zero.tasks import Metric, TaskSet

BLOCK_BYTES = 1 << 23  # of the largest array that predicting a block of rows makes


@dataclass(frozen=True, eq=False)
class Trained:
    """A program and what training left in its memory; predicts `outputs` numbers a row.

    program: without dead instructions. memories: one for each output: several where each was trained to
    tell one class from the rest. metric: "accuracy" (the prediction's sigmoid is the probability of label
    1) or "rms_error". seed_key, task_keys (one for each memory), step: name the draws of random ops in
    predict, the same for every row.
    """

    program: Program
    memories: tuple[Banks, ...]
    metric: Metric
    seed_key: int = 0
    task_keys: tuple[int, ...] = (0,)
    step: int = 0

    @property
    def features(self) -> int:
        """Size of the vectors."""
        return self.memories[0].v.shape[1]

    @property
    def dtype(self) -> str:
        """Of memory and arithmetic."""
        return str(self.memories[0].s.dtype)

    def scores(self, x: np.ndarray) -> np.ndarray:
        """Returns the predictions s1 (N, outputs) for features x (N, F): before any sigmoid."""
        x = np.asarray(x)
        found = np.empty((len(x), len(self.memories)), self.dtype)
        rows = _block_rows(self.program, self.features)
        for start in range(0, len(x), rows):
            part = np.asarray(x[start : start + rows], self.dtype)
            for k, banks in enumerate(self.memories):
                found[start : start + rows, k] = self._predict(banks, part, self.task_keys[k])
        return found

    def probabilities(self, x: np.ndarray) -> np.ndarray:
        """Returns the probabilities of the classes (N, K) by rising label, each row's sum 1.

        K is 2 with one output. NaN predictions are no evidence: such an output has probability 0.
        """
        ones = sigmoid(np.nan_to_num(self.scores(x).astype(np.float64), nan=-np.inf))
        if ones.shape[1] == 1:
            return np.hstack([1.0 - ones, ones])
        total = ones.sum(axis=1, keepdims=True)
        even = np.full_like(ones, 1.0 / ones.shape[1])
        with np.errstate(all="ignore"):
            return np.where(total > 0, ones / total, even)

    def _predict(self, banks: Banks, x: np.ndarray, task_key: int) -> np.ndarray:
        rows = _Rows(banks, x, (self.seed_key, task_key, self.step))
        for instruction in self.program.predict:
            rows.execute(instruction)
        value, varies = rows.get("s", PREDICTION)
        return value if varies else np.broadcast_to(value, len(x))


def _block_rows(program: Program, features: int) -> int:
    """Returns how many rows are predicted at a time."""
    matrices = any(get_op(i.op).output == "m" for i in program.predict)
    return max(1, BLOCK_BYTES // (8 * features * (features if matrices else 1)))


class _Rows:
    """Memory of B rows at once: what is the same for all rows is held once.

    A value is (array, whether it has a first axis of B rows).
    """

    def __init__(self, banks: Banks, x: np.ndarray, draws: tuple[int, int, int]):
        self._banks, self._draws = banks, draws
        self._own: dict[tuple[str, int], tuple[np.ndarray, bool]] = {("v", FEATURES): (x, True)}

    def get(self, kind: str, address: int) -> tuple[np.ndarray, bool]:
        """Returns a value."""
        return self._own.get((kind, address)) or (self._banks.bank(kind)[address], False)

    def execute(self, instruction: Instruction) -> None:
        """Executes one instruction for all rows."""
        op = get_op(instruction.op)
        if not op.output:
            return
        addresses = (instruction.in1, instruction.in2)
        operands = [self.get(kind, at) for kind, at in zip(op.inputs, addresses, strict=False)]
        place = op.output, instruction.out
        with np.errstate(all="ignore"):
            self._own[place] = self._result(op, instruction, operands, place)

    def _result(
        self, op: Op, instruction: Instruction, operands: list[Any], place: tuple[str, int]
    ) -> tuple[np.ndarray, bool]:
        varies = any(v for _, v in operands)
        arrays = [array for array, _ in operands]
        dtype = self._banks.s.dtype.name
        match op.kind:
            case "map":
                # Scalars of rows stand beside vectors and matrices of rows.
                rank = {"s": 0, "v": 1, "m": 2}[op.output]
                wide = [
                    a.reshape(a.shape + (1,) * (rank + v - a.ndim)) if v and a.ndim == 1 else a
                    for a, v in operands
                ]
                result = evaluate_formula(op.formula, dtype, **dict(zip("ab", wide, strict=False)))
                shape = self._banks.bank(op.output).shape[1:]
                if result.shape[varies:] != shape:  # a scalar that is repeated
                    result = np.broadcast_to(result, result.shape[:varies] + shape)
                return result, varies
            case "reduce" | "reduce_rows" | "reduce_columns":
                a = arrays[0]
                axes = {"reduce": tuple(range(int(varies), a.ndim)), "reduce_rows": (-1,)}
                axis = axes.get(op.kind, (-2,))
                n = np.asarray(np.prod([a.shape[k] for k in axis]), dtype)
                return evaluate_formula(
                    op.formula, dtype, sum=a.sum(axis=axis), squares=(a * a).sum(axis=axis), n=n
                ), varies
            case "inner":
                return _inner(*operands), varies
            case "outer":
                return arrays[0][..., :, None] * arrays[1][..., None, :], varies
            case "matvec":
                if operands[0][1]:
                    return np.einsum("bij,bj->bi" if operands[1][1] else "bij,j->bi", *arrays), True
                return arrays[1] @ arrays[0].T, varies
            case "matmul":
                return np.matmul(*arrays), varies
            case "fill_columns":
                return np.broadcast_to(arrays[0][..., :, None], _square(arrays[0])), varies
            case "fill_rows":
                return np.broadcast_to(arrays[0][..., None, :], _square(arrays[0])), varies
            case "transpose":
                return np.swapaxes(arrays[0], -1, -2), varies
            case "const":
                old, varies = self.get(*place)
                *indices, value = instruction.constants
                features = self._banks.v.shape[1]
                at = tuple(int(np.float32(features) * np.float32(x)) for x in indices)
                new = np.array(old)  # of a number of NumPy's a copy could not be written to
                new[(..., *at)] = value
                return new, varies
            case "uniform" | "gaussian":
                key, task_key, step = self._draws
                shape = self._banks.bank(op.output).shape[1:]
                words = philox.counters(shape, step, philox.VALIDATE, instruction.stream, task_key)
                draw = philox.uniform if op.kind == "uniform" else philox.gaussian
                return draw(key, words, *instruction.constants).astype(dtype), False
        raise AssertionError(f"op kind {op.kind} is not defined")


def _inner(a: tuple[np.ndarray, bool], b: tuple[np.ndarray, bool]) -> np.ndarray:
    if a[1] and b[1]:
        return np.einsum("bf,bf->b", a[0], b[0])
    return a[0] @ b[0] if a[1] else b[0] @ a[0]


def _square(a: np.ndarray) -> tuple[int, ...]:
    return (*a.shape, a.shape[-1])


def labels_of(y: np.ndarray, classes: int) -> list[np.ndarray]:
    """Returns what each output is trained to be, (N,) each, for targets y (N,).

    classes: y holds numbers of so many classes, from 0: one output of two classes, of more one a class
    that tells it from the rest. 0: y holds numbers to predict.
    """
    if not classes:
        return [y]
    wanted = [1] if classes == 2 else range(classes)
    return [(y == label).astype(np.float64) for label in wanted]


def train(
    program: Program,
    x: np.ndarray,
    labels: Sequence[np.ndarray],
    metric: Metric,
    epochs: int = 1,
    *,
    dtype: str = "float64",
    seed_key: int = 0,
    task_keys: Sequence[int] | None = None,
    max_abs_error: float = 100.0,
    module: ModuleType | None = None,
) -> Trained:
    """Returns the program trained from zero, once for each output, on all rows in the order given.

    Args:
        program: valid in some memory.
        x: (N, F), finite.
        labels: for each output (N,), 0 or 1 for "accuracy".
        metric: as of the tasks that the program was found on.
        epochs: how often the rows are gone through, as in an evaluation.
        dtype, seed_key, max_abs_error: as for `zero.programs.evaluator.Evaluator`.
        task_keys: name each output's random draws; by default 0, 1, ...
        module: the generated module to use, by default one that suits the outputs.

    Raises:
        ProgramError: training failed: an error above max_abs_error, or NaN.

    Deterministic: same arguments, same bits on one machine.
    """
    from zero.programs.interpreter import cpu  # takes a compiler

    program = simplify(program)
    keys = range(len(labels)) if task_keys is None else task_keys
    keys = tuple(int(k) for k in keys)
    module = cpu.build(dtype, cpu.lanes_for(len(labels))) if module is None else module
    memories: list[Banks] = []
    for _, tasks in _in_lanes(x, labels, keys, metric, epochs, module):
        arrays, genomes = _evaluator(program, tasks, module, seed_key, max_abs_error)
        module.evaluate_program(module.pack(genomes), 0, module.pack(arrays))
        memories += _memories(program, arrays, arrays.frozen, tasks, module)
    return Trained(program, tuple(memories), metric, seed_key, keys, len(x) * epochs)


def go_on(
    trained: Trained,
    x: np.ndarray,
    labels: Sequence[np.ndarray],
    *,
    max_abs_error: float = 100.0,
    module: ModuleType | None = None,
) -> Trained:
    """Returns a trained program after training on more rows, each once, in the order given.

    Rows in two calls leave the memory that they leave in one, but for ops that draw at random in learn or
    predict: their draws begin anew.

    Args, raises: as for `train`.
    """
    from zero.programs.interpreter import cpu

    program, dtype = trained.program, trained.dtype
    module = cpu.build(dtype, cpu.lanes_for(len(labels))) if module is None else module
    seed_key = key_for(trained.seed_key, "go on", trained.step)
    memories: list[Banks] = []
    for number, tasks in _in_lanes(x, labels, trained.task_keys, trained.metric, 1, module):
        arrays, genomes = _evaluator(program, tasks, module, seed_key, max_abs_error)
        s, v, m = cpu.banks_of(arrays)
        for lane, banks in enumerate(trained.memories[number : number + tasks.num_tasks]):
            s[:, lane], v[..., lane], m[..., lane] = banks.s, banks.v, banks.m
        module.go_on_training(module.pack(genomes), 0, module.pack(arrays))
        memories += _memories(program, arrays, arrays.mem, tasks, module)
    return replace(trained, memories=tuple(memories), step=trained.step + len(x))


def _in_lanes(
    x: np.ndarray,
    labels: Sequence[np.ndarray],
    keys: Sequence[int],
    metric: Metric,
    epochs: int,
    module: ModuleType,
) -> Iterator[tuple[int, TaskSet]]:
    """Yields (number of the first output, tasks) for as many outputs at a time as there are lanes."""
    lanes: int = module.W
    for first in range(0, len(labels), lanes):
        y = np.stack([np.asarray(label, np.float64) for label in labels[first : first + lanes]])
        shared = np.broadcast_to(x, (len(y), *x.shape))
        yield first, TaskSet(
            tuple(str(k) for k in range(len(y))), np.array(keys[first : first + lanes], np.uint32),
            shared, y, shared[:, :1], y[:, :1], metric, epochs,
        )  # fmt: skip


def _evaluator(
    program: Program, tasks: TaskSet, module: ModuleType, seed_key: int, max_abs_error: float
) -> tuple[Any, Any]:
    """Returns (an evaluator's arrays, the program's genome)."""
    from zero.programs.interpreter import cpu

    genomes, starts = cpu.genome_of(program)
    arrays = cpu.new_evaluator(
        tasks, memory_needed(program), starts, module=module, key=seed_key,
        max_abs_error=max_abs_error, seen_size=1, independent=True,
    )  # fmt: skip
    return arrays, genomes


def _memories(
    program: Program, arrays: Any, mem: np.ndarray, tasks: TaskSet, module: ModuleType
) -> list[Banks]:
    """Returns what training left in `mem`; raises ProgramError if it failed."""
    from zero.programs.interpreter import cpu

    steps = tasks.epochs * tasks.train_x.shape[1]
    failed = np.flatnonzero(arrays.stopped[: tasks.num_tasks] < steps)
    if len(failed):
        raise ProgramError(
            f"training failed after {int(arrays.stopped[failed[0]]):,} of {steps:,} steps: an error "
            f"above {arrays.settings.max_abs_error:g}, or no number"
        )
    found = []
    s, v, m = cpu.banks_of(arrays, mem)
    for lane in range(tasks.num_tasks):
        banks = Banks(memory_needed(program), tasks.features, module.DTYPE)
        banks.s[...], banks.v[...], banks.m[...] = s[:, lane], v[..., lane], m[..., lane]
        banks.s[LABEL], banks.v[FEATURES] = 0.0, 0.0  # nobody knows them when a row is predicted
        found.append(banks)
    return found

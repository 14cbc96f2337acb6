"""The reference interpreter: plain NumPy, one task at a time, slow. The definition of a program.

`run` follows the original engine's evaluation (spec, section 4) and returns every error, so that
other interpreters can be compared with it example by example. Departures: random ops draw from a
counter-based generator (see `zero.rng.philox.philox`) instead of one shared stream, the order of the
examples in later epochs is NumPy's shuffle, the same for all tasks of a set, and a wrong class in
validation never counts as too large an error (the original compares it with max_abs_error, 100 unless set
below 1).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from zero.programs.ops import Op, get_op
from zero.programs.program import (
    CLASS_LABEL,
    CLASS_PREDICTION,
    FEATURES,
    LABEL,
    PREDICTION,
    Instruction,
    Memory,
    Program,
)
from zero.rng import philox
from zero.tasks import TaskSet

_NAMESPACE = {
    name: getattr(np, name)
    for name in (
        "sin", "cos", "tan", "arcsin", "arccos", "arctan", "tanh", "exp", "log", "sqrt", "abs",
        "where",
    )
}  # fmt: skip


class Banks:
    """A program's memory on one task: `s` (S,), `v` (V, F), `m` (M, F, F), all zero at first."""

    def __init__(self, memory: Memory, features: int, dtype: str = "float64"):
        self.s = np.zeros(memory.scalars, dtype)
        self.v = np.zeros((memory.vectors, features), dtype)
        self.m = np.zeros((memory.matrices, features, features), dtype)

    def bank(self, kind: str) -> np.ndarray:
        """Returns the bank of type "s", "v" or "m"."""
        return getattr(self, kind)

    def copy(self) -> Banks:
        """Returns a memory that holds the same."""
        other = object.__new__(Banks)
        other.s, other.v, other.m = self.s.copy(), self.v.copy(), self.m.copy()
        return other

    def become(self, other: Banks) -> None:
        """Takes over what another memory of the same sizes holds."""
        self.s[...], self.v[...], self.m[...] = other.s, other.v, other.m


@dataclass(frozen=True)
class Draws:
    """What names the random numbers of one execution; see `zero.rng.philox.philox`."""

    key: int = 0
    task: int = 0
    function: int = philox.SETUP
    example: int = 0


def evaluate_formula(formula: str, dtype: str, **values: np.ndarray) -> np.ndarray:
    """Returns the formula of an op evaluated over arrays of that dtype."""
    names = {**_NAMESPACE, **values, "__builtins__": {}}
    with np.errstate(all="ignore"):
        # Formulas come from the op table and were checked by `check_formula`, never from a file.
        return np.asarray(eval(formula, names), dtype)


def execute(instruction: Instruction, banks: Banks, draws: Draws) -> None:
    """Executes one instruction on the memory, in place."""
    op = get_op(instruction.op)
    if not op.output:
        return
    target = banks.bank(op.output)
    out = instruction.out
    operands = [
        banks.bank(kind)[address].copy()
        for kind, address in zip(op.inputs, (instruction.in1, instruction.in2), strict=False)
    ]
    if op.kind == "const":
        *indices, value = instruction.constants
        features = banks.v.shape[1]
        # The index is a float32 fraction of F, truncated in float32 (spec, section 1).
        place = tuple(int(np.float32(features) * np.float32(x)) for x in indices)
        target[(out, *place)] = value
        return
    with np.errstate(all="ignore"):
        target[out] = _result(op, instruction, operands, target[out].shape, target.dtype, draws)


def _result(op: Op, instruction, operands, shape, dtype, draws: Draws) -> np.ndarray:
    match op.kind:
        case "map":
            named = dict(zip("ab", operands, strict=False))
            return evaluate_formula(op.formula, dtype, **named)
        case "reduce":
            return _reduced(op.formula, operands[0].reshape(1, -1), dtype)[0]
        case "reduce_rows":
            return _reduced(op.formula, operands[0], dtype)
        case "reduce_columns":
            return _reduced(op.formula, operands[0].T, dtype)
        case "inner":
            return (operands[0] * operands[1]).sum()
        case "outer":
            return operands[0][:, None] * operands[1][None, :]
        case "matvec":
            return (operands[0] * operands[1][None, :]).sum(axis=1)
        case "matmul":
            return (operands[0][:, :, None] * operands[1][None, :, :]).sum(axis=1)
        case "fill_columns":
            return np.broadcast_to(operands[0][:, None], shape)
        case "fill_rows":
            return np.broadcast_to(operands[0][None, :], shape)
        case "transpose":
            return operands[0].T
        case "uniform" | "gaussian":
            first, second = instruction.constants
            words = philox.counters(
                shape, draws.example, draws.function, instruction.stream, draws.task
            )
            draw = philox.uniform if op.kind == "uniform" else philox.gaussian
            return draw(draws.key, words, first, second)
    raise AssertionError(f"op kind {op.kind} is not defined")


def _reduced(formula: str, rows: np.ndarray, dtype) -> np.ndarray:
    n = np.asarray(rows.shape[1], dtype)
    return evaluate_formula(
        formula, dtype, sum=rows.sum(axis=1), squares=(rows * rows).sum(axis=1), n=n
    )


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Returns 1 / (1 + exp(-x)) in the dtype of x."""
    with np.errstate(over="ignore"):
        return (1 / (1 + np.exp(-x))).astype(x.dtype)


def softmax(x: np.ndarray) -> np.ndarray:
    """Returns exp(x - max x) over its sum, in the dtype of x; NaN throughout where that is not defined."""
    with np.errstate(all="ignore"):
        powers = np.exp(x - x.max())
        return powers / powers.sum()


def largest(x: np.ndarray) -> int:
    """Returns the first place of the largest value; a NaN is larger than none, none than a leading NaN."""
    at = 0
    for k in range(1, len(x)):
        if x[k] > x[at]:
            at = k
    return at


def epoch_orders(examples: int, epochs: int) -> np.ndarray:
    """Returns the order of the train examples in each epoch: (epochs, examples) int32.

    The first epoch goes in stored order; each later one shuffles the order before it (spec, 5.3).
    """
    shuffle = np.random.default_rng([examples, 3274582109])
    orders = np.empty((epochs, examples), dtype=np.int32)
    order = np.arange(examples, dtype=np.int32)
    for epoch in range(epochs):
        if epoch:
            shuffle.shuffle(order)
        orders[epoch] = order
    return orders


@dataclass
class Trace:
    """What happened on one task: absolute errors in the order they arose, and the fitness.

    train_errors: of all train steps; shorter than the examples if training stopped early.
    valid_errors: of the last validation. train_steps: steps begun.
    """

    fitness: float = 0.0
    train_errors: list[float] = field(default_factory=list)
    valid_errors: list[float] = field(default_factory=list)
    train_steps: int = 0


def run(
    program: Program,
    memory: Memory,
    tasks: TaskSet,
    task: int,
    *,
    seed_key: int = 0,
    max_abs_error: float = 100.0,
    dtype: str = "float64",
    independent: bool = False,
) -> Trace:
    """Trains and validates a program on one task (spec, section 4.1).

    Args:
        program: must be valid in `memory`.
        tasks, task: the task set and the index of the task in it.
        seed_key: 64-bit key of the random ops' draws.
        max_abs_error: training stops at an error above this, or at NaN.
        dtype: of memory and arithmetic, "float64" or "float32".
        independent: validates once, after the last epoch, and every row begins with the memory that
            training left, random draws included; a departure from the original, whose memory lasts
            from row to row. The fitness is that of a predictor.

    Of tasks with K classes (vector labels; paper, section 4.3) the label is a vector, v1: one-hot in its
    first K elements in learn, zeros in predict. The prediction is v2: after each train step's predict its
    first K elements become their softmax and the rest zero, and the error is 1 - the probability of the
    right class (with two classes that of a sigmoid). In validation the class is that of the largest of
    the K outputs. s0 and s1 are scalars like all others.

    Returns the trace; its fitness, in [0, 1], is the best epoch's, 0 if the first one failed (of a
    predictor: if any failed).
    Deterministic: depends on the arguments alone.
    """
    banks = Banks(memory, tasks.features, dtype)
    task_key = int(tasks.keys[task])
    trace = Trace()
    accuracy = tasks.metric == "accuracy"
    limit = np.dtype(dtype).type(max_abs_error)

    classes = tasks.classes

    def call(function: int, instructions, example: int, x=None, label=None) -> None:
        if x is not None:
            banks.v[FEATURES] = x
            if classes:
                banks.v[CLASS_LABEL] = 0.0 if label is None else np.arange(len(x)) == label
            else:
                banks.s[LABEL] = label or 0.0
        draws = Draws(seed_key, task_key, function, example)
        for instruction in instructions:
            execute(instruction, banks, draws)

    call(philox.SETUP, program.setup, 0)
    train_x, train_y = tasks.train_x[task].astype(dtype), tasks.train_y[task].astype(dtype)
    valid_x, valid_y = tasks.valid_x[task].astype(dtype), tasks.valid_y[task].astype(dtype)
    step = 0
    for order in epoch_orders(len(train_x), tasks.epochs):
        for row in order:
            trace.train_steps += 1
            call(philox.PREDICT, program.predict, step, train_x[row])
            if classes:
                output = banks.v[CLASS_PREDICTION]
                output[:classes], output[classes:] = softmax(output[:classes]), 0.0
                error = 1 - output[int(train_y[row])]
            else:
                if accuracy:
                    banks.s[PREDICTION] = sigmoid(banks.s[PREDICTION])
                error = abs(train_y[row] - banks.s[PREDICTION])
            if not error <= limit:
                return trace
            trace.train_errors.append(float(error))
            call(philox.LEARN, program.learn, step, train_x[row], train_y[row])
            step += 1
        if independent and step < tasks.epochs * len(train_x):
            continue
        fitness = _validate(
            call, program, banks, valid_x, valid_y, tasks, limit, step, trace, independent
        )
        trace.fitness = max(trace.fitness, fitness)
    return trace


def _validate(
    call, program, banks, valid_x, valid_y, tasks, limit, step, trace, independent
) -> float:
    """Returns the fitness on the validation examples (spec, section 4.3)."""
    accuracy, classes = tasks.metric == "accuracy", tasks.classes
    trace.valid_errors = []
    loss = valid_x.dtype.type(0)
    trained = banks.copy()
    for row in range(len(valid_x)):
        if independent:
            banks.become(trained)
        call(philox.VALIDATE, program.predict, step if independent else step + row, valid_x[row])
        prediction = banks.s[PREDICTION]
        if classes:
            said = largest(banks.v[CLASS_PREDICTION, :classes])
            error = valid_x.dtype.type(said != valid_y[row])
            loss += error
        elif accuracy:
            # NaN counts as class 0 and does not stop (spec, section 8, row 8).
            error = valid_x.dtype.type((valid_y[row] > 0.5) != (sigmoid(prediction) > 0.5))
            loss += error
        else:
            error = abs(valid_y[row] - prediction)
            if not error <= limit:
                return 0.0
            loss += error * error
        trace.valid_errors.append(float(error))
    return fitness_of_loss(float(loss) / len(valid_x), accuracy)


def fitness_of_loss(loss: float, accuracy: bool) -> float:
    """Returns the fitness of a mean loss: 1 - loss, or 1 - (2 / pi) arctan(sqrt(loss))."""
    return 1.0 - loss if accuracy else 1.0 - 2.0 / np.pi * float(np.arctan(np.sqrt(loss)))


# How the fitness over tasks is made of those on each (spec, 4.4); the median is the upper one.
COMBINE = ("mean", "median", "min")


def combine(fitness: np.ndarray, how: str) -> float:
    """Returns the fitness over tasks; how: one of `COMBINE`."""
    if how == "mean":
        # One after the other, as compiled code does: np.mean rounds differently.
        return sum(float(x) for x in fitness) / len(fitness)
    ordered = np.sort(fitness)
    return float(ordered[len(ordered) // 2] if how == "median" else ordered[0])

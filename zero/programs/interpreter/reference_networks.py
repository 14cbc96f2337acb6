"""The reference for programs that are a part of training a network (`zero.tasks.networks`): NumPy, slow.

The definition of what such a program does; `networks.py` is the same compiled. The two add up in
different orders.
"""

from __future__ import annotations

import numpy as np

from zero.programs.interpreter.reference import (
    Banks,
    Draws,
    Trace,
    execute,
    fitness_of_loss,
)
from zero.programs.program import FEATURES, LABEL, PREDICTION, Memory, Program
from zero.rng import philox
from zero.tasks import TaskSet
from zero.tasks.networks import Network, batches

SMALLEST = 1e-12  # root mean square errors count as at least this


def unit_keys(task_key: int, number: int) -> np.ndarray:
    """Returns the keys (number,) of the random draws of a task's parameters: each draws its own."""
    return (
        np.uint32(task_key) + np.arange(number, dtype=np.uint32) * np.uint32(2654435769)
    ).astype(np.uint32)


def unpacked(weights: np.ndarray, features: int, hidden: int) -> tuple[np.ndarray, ...]:
    """Returns views of parameters (P,): first weights (F, H), biases (H,), second weights (H,), bias (1,)."""
    first, rest = weights[: features * hidden], weights[features * hidden :]
    return first.reshape(features, hidden), rest[:hidden], rest[hidden:-1], rest[-1:]


def outputs(weights: np.ndarray, x: np.ndarray, hidden: int) -> np.ndarray:
    """Returns the network's outputs (n,) for examples (n, F)."""
    if not hidden:
        return x @ weights
    first, biases, second, bias = unpacked(weights, x.shape[1], hidden)
    return np.maximum(x @ first + biases, 0) @ second + bias


def gradient(weights: np.ndarray, x: np.ndarray, hidden: int, by_output: np.ndarray) -> np.ndarray:
    """Returns the gradient (P,) of a sum over examples (n, F) whose derivatives by the outputs are given."""
    if not hidden:
        return by_output @ x
    first, biases, second, _ = unpacked(weights, x.shape[1], hidden)
    inside = x @ first + biases
    active = np.maximum(inside, 0)
    by_inside = np.where(inside > 0, by_output[:, None] * second, inside.dtype.type(0))
    parts = x.T @ by_inside, by_inside.sum(axis=0), by_output @ active, by_output.sum()
    return np.concatenate([np.ravel(part) for part in parts])


class _Unit:
    """A program and its memory: of one parameter, or the loss of all examples."""

    def __init__(self, program: Program, memory: Memory, dtype: str, seed_key: int, key: int):
        self.program, self.seed_key, self.key = program, seed_key, key
        self.banks = Banks(memory, 1, dtype)
        self._call(program.setup, philox.SETUP, 0)

    def _call(self, instructions, function: int, step: int) -> None:
        for instruction in instructions:
            execute(instruction, self.banks, Draws(self.seed_key, self.key, function, step))

    def step_for(self, slope: float, step: int) -> float:
        """Returns what an optimiser subtracts from its parameter, given its slope in the gradient."""
        self._see(slope)
        self._call(self.program.predict, philox.PREDICT, step)
        found = self.banks.s[PREDICTION]
        self._see(slope)
        self._call(self.program.learn, philox.LEARN, step)
        return found

    def derivative(self, label: float, output: float, step: int) -> float:
        """Returns a loss's derivative by the output; memory stays as it was."""
        kept = self.banks.copy()
        self._see(output)
        self.banks.s[LABEL], self.banks.s[PREDICTION] = label, output
        self._call(self.program.predict, philox.PREDICT, step)
        found = self.banks.s[PREDICTION]
        self.banks.become(kept)
        return found

    def _see(self, value: float) -> None:
        self.banks.s[LABEL] = value
        self.banks.v[FEATURES] = value


def run(
    program: Program,
    memory: Memory,
    tasks: TaskSet,
    task: int,
    *,
    seed_key: int = 0,
    max_abs_error: float = 100.0,
    dtype: str = "float64",
) -> Trace:
    """Trains one task's network with a program as its optimiser or its loss, and scores it.

    Arguments as for `zero.programs.interpreter.reference.run`. Each round of `steps` steps is
    followed by the errors on the valid examples. Metric rms_error: the fitness is
    1 - (2 / pi) arctan(e), e the geometric mean of the rounds' root mean square errors; 0
    where one is above max_abs_error or NaN, with which training ends. Accuracy: that after the last
    round, where a NaN means class 0. The trace has the errors after the last round, none where it failed.
    """
    training = tasks.training
    assert training is not None
    network: Network = training.networks[task]
    hidden, kind = network.hidden, np.dtype(dtype).type
    weights = network.start.astype(dtype)
    train_x, train_y = tasks.train_x[task].astype(dtype), tasks.train_y[task].astype(dtype)
    valid_x = tasks.valid_x[task, : network.valid].astype(dtype)
    valid_y = tasks.valid_y[task, : network.valid].astype(dtype)
    signs = np.where(train_y > 0.5, 1, -1).astype(dtype)
    key = int(tasks.keys[task])
    steps = training.steps * tasks.epochs
    rows_of = batches(network.train, network.batch, steps, key)
    share, rate = kind(1.0 / network.batch), kind(training.rate)
    keys = unit_keys(key, len(weights)) if training.part == "optimizer" else [0]
    units = [_Unit(program, memory, dtype, seed_key, int(k)) for k in keys]
    trace, logs, accuracy = Trace(), 0.0, tasks.metric == "accuracy"
    with np.errstate(all="ignore"):
        for step, rows in enumerate(rows_of):
            trace.train_steps += 1
            x, out = train_x[rows], outputs(weights, train_x[rows], hidden)
            if training.part == "optimizer":
                slopes = gradient(weights, x, hidden, (out - train_y[rows]) * share)
                weights -= np.array(
                    [unit.step_for(g, step) for unit, g in zip(units, slopes, strict=True)], dtype
                )
            else:
                pairs = zip(signs[rows], out, strict=True)
                slopes = np.array([units[0].derivative(*pair, step) for pair in pairs], dtype)
                weights -= rate * gradient(weights, x, hidden, slopes * share)
            if (step + 1) % training.steps:
                continue
            out = outputs(weights, valid_x, hidden)
            if accuracy:
                errors = ((valid_y > 0.5) != (out > 0)).astype(dtype)
            else:
                errors = np.abs(valid_y - out)
                mean = float((errors * errors).sum()) / len(errors)
                if not np.sqrt(mean) <= max_abs_error:
                    trace.valid_errors = []
                    return trace
                logs += np.log(max(np.sqrt(mean), SMALLEST))
            trace.valid_errors = [float(e) for e in errors]
    if accuracy:
        trace.fitness = fitness_of_loss(float(errors.mean()), True)
    else:
        trace.fitness = fitness_of_loss(float(np.exp(2 * logs / tasks.epochs)), False)
    return trace

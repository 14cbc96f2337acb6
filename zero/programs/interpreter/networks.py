"""Programs that are a part of training networks, compiled: `zero.programs.interpreter.reference_networks`.

This file is part of a generated module for such tasks, not imported by itself
(`zero.programs.interpreter.module`): it stands behind `frame.py`, whose names it uses, and its `_rest` takes
the place of the one there. In the lanes of memory sit parameters, each with a memory of its own, of
all tasks one after the other (`EvaluatorSettings.units`); for a loss examples, which share one block.
"""
# ruff: noqa: F821

import math

import numpy as np

from zero.jit.decorators import jit
from zero.jit.struct import address
from zero.programs.interpreter.handlers import EXAMPLE, FUNCTION
from zero.programs.interpreter.lanes import execute
from zero.programs.interpreter.reference_networks import SMALLEST
from zero.rng.philox import LEARN, PREDICT

ZERO, ONE = np.dtype(DTYPE).type(0), np.dtype(DTYPE).type(1)


@jit
def _active(x):
    """Returns x or 0, whichever is larger; NaN stays."""
    return ZERO if x <= ZERO else x


@jit
def _output(n, task, x, at, features):
    """Returns the output for the example that starts at `at`; leaves the hidden sums in `n.inside`."""
    hidden, w = n.hidden[task], n.first[task]
    weights, inside = n.weights, n.inside
    if hidden == 0:
        found = ZERO
        for f in range(features):
            found += x[at + f] * weights[w + f]
        return found
    biases = w + features * hidden
    for h in range(hidden):
        inside[h] = weights[biases + h]
    for f in range(features):
        value, row = x[at + f], w + f * hidden
        for h in range(hidden):
            inside[h] += value * weights[row + h]
    found = weights[biases + 2 * hidden]
    for h in range(hidden):
        found += _active(inside[h]) * weights[biases + hidden + h]
    return found


@jit
def _add_gradient(n, task, x, at, features, slope):
    """Adds an example's gradient to `n.slopes`; slope: the derivative by its output, `inside` as it was then."""
    hidden, w = n.hidden[task], n.first[task]
    weights, inside, slopes = n.weights, n.inside, n.slopes
    if hidden == 0:
        for f in range(features):
            slopes[w + f] += slope * x[at + f]
        return
    biases = w + features * hidden
    for h in range(hidden):
        slopes[biases + hidden + h] += slope * _active(inside[h])
        inside[h] = slope * weights[biases + hidden + h] if inside[h] > ZERO else ZERO
        slopes[biases + h] += inside[h]
    slopes[biases + 2 * hidden] += slope
    for f in range(features):
        value, row = x[at + f], w + f * hidden
        for h in range(hidden):
            slopes[row + h] += value * inside[h]


@jit
def _forget_gradient(n, task):
    for k in range(n.first[task], n.first[task + 1]):
        n.slopes[k] = ZERO


@jit
def _row(e, task, step, place):
    """Returns where the features of an example of a task's batch start, and where its label is."""
    n = e.networks
    batch = n.batch[task]
    row = task * n.rows + e.order[n.orders[task] + step * batch + place]
    return row * n.features, row


@jit
def _find_gradient(e, task, step):
    """Writes the gradient of the mean squared error, halved, on the step's batch to `slopes`."""
    n = e.networks
    _forget_gradient(n, task)
    for place in range(n.batch[task]):
        at, row = _row(e, task, step, place)
        found = _output(n, task, e.train_x, at, n.features)
        slope = (found - e.train_y[row]) * n.share[task]
        _add_gradient(n, task, e.train_x, at, n.features, slope)


@jit
def _take_steps(e, step, writes_features):
    """Calls the program for every parameter of all tasks."""
    s, n = e.settings, e.networks
    mem, code = address(e.mem), address(e.code)
    slopes, weights = address(n.slopes), address(n.weights)
    predict, learn, features_at = e.bounds[1], e.bounds[2], s.vectors_at
    for block in range(s.blocks):
        base, at = block * s.memory_size, block * W
        context = context_of(e, block, PREDICT)
        context[EXAMPLE] = step
        slope = load(slopes, at)
        store(mem, base, slope)
        store(mem, base + features_at, slope)
        execute(code, predict, mem, base, context)
        store(weights, at, sub(load(weights, at), load(mem, base + W)))
        store(mem, base, slope)
        if writes_features:
            store(mem, base + features_at, slope)
        context[FUNCTION] = LEARN
        execute(code, learn, mem, base, context)


@jit
def _find_outputs(e, task, step):
    """Writes the outputs for the step's batch to `outputs` and their labels, -1 or 1, to `labels`."""
    n = e.networks
    for place in range(n.batch[task]):
        at, row = _row(e, task, step, place)
        n.outputs[n.places[task] + place] = _output(n, task, e.train_x, at, n.features)
        n.labels[n.places[task] + place] = e.train_y[row]


@jit
def _find_derivatives(e, step):
    """Puts the derivatives that the program gives in place of the outputs; memory is as setup left it."""
    s, n = e.settings, e.networks
    mem, code, saved = address(e.mem), address(e.code), address(e.saved)
    outputs, labels = address(n.outputs), address(n.labels)
    context = context_of(e, np.int64(0), PREDICT)
    context[EXAMPLE] = step
    for at in range(0, n.places[s.tasks], W):
        put_back(e, saved, 0)
        output = load(outputs, at)
        store(mem, 0, load(labels, at))
        store(mem, W, output)
        store(mem, s.vectors_at, output)
        execute(code, e.bounds[1], mem, np.int64(0), context)
        store(outputs, at, load(mem, W))


@jit
def _descend(e, task, step):
    """Takes one step down the gradient that the derivatives in `outputs` give."""
    n = e.networks
    _forget_gradient(n, task)
    for place in range(n.batch[task]):
        at, _ = _row(e, task, step, place)
        _output(n, task, e.train_x, at, n.features)
        slope = n.outputs[n.places[task] + place] * n.share[task]
        _add_gradient(n, task, e.train_x, at, n.features, slope)
    for k in range(n.first[task], n.first[task + 1]):
        n.weights[k] -= n.rate[0] * n.slopes[k]


@jit
def _score(e, task):
    """Returns the loss, summed over the valid examples; writes their errors where they are kept."""
    s, n = e.settings, e.networks
    loss = ZERO
    keeps = len(e.row_errors) > 0
    for k in range(n.valid[task]):
        row = task * s.valid + k
        found = _output(n, task, e.valid_x, row * n.features, n.features)
        label = e.valid_y[row]
        if s.accuracy:
            error = ONE if (label > 0.5) != (found > ZERO) else ZERO
            loss += error
        else:
            error = abs(label - found)
            loss += error * error
        if keeps:
            e.row_errors[row] = error
    return np.float64(loss) / n.valid[task]


@jit
def _begin(e):
    """Puts all networks at their start."""
    s, n = e.settings, e.networks
    for k in range(len(n.start)):
        n.weights[k] = n.start[k]
    for task in range(s.tasks):
        n.alive[task], n.logs[task], e.stopped[task] = 1, 0.0, s.steps
        e.task_fitness[task] = 0.0
    if n.loss:
        keep_memory(e, address(e.saved), 0)


@jit
def _one_step(e, step, writes_features):
    """Takes one step with all networks that have not failed."""
    s, n = e.settings, e.networks
    for task in range(s.tasks):
        if n.alive[task]:
            if n.loss:
                _find_outputs(e, task, step)
            else:
                _find_gradient(e, task, step)
    if not n.loss:
        _take_steps(e, step, writes_features)
        return
    _find_derivatives(e, step)
    for task in range(s.tasks):
        if n.alive[task]:
            _descend(e, task, step)


@jit
def _rest(e, done, writes_features):
    """Trains the networks and scores them; returns (fitness, train steps of all)."""
    s, n = e.settings, e.networks
    _begin(e)
    number, taken, step = s.tasks, np.int64(0), np.int64(0)
    for _ in range(s.epochs):
        for _ in range(n.steps):
            _one_step(e, step, writes_features)
            step += 1
        taken += number * n.steps
        if s.accuracy and step < s.steps:
            continue
        for task in range(s.tasks):
            if not n.alive[task]:
                continue
            loss = _score(e, task)
            if s.accuracy:
                e.task_fitness[task] = 1.0 - loss
            elif math.sqrt(loss) <= s.max_abs_error:
                n.logs[task] += math.log(max(math.sqrt(loss), SMALLEST))
            else:
                n.alive[task], e.stopped[task] = 0, step - 1
                number -= 1
        if number == 0:
            break
    if not s.accuracy:
        for task in range(s.tasks):
            if n.alive[task]:
                mean = math.exp(2.0 * n.logs[task] / s.epochs)
                e.task_fitness[task] = 1.0 - 2.0 / math.pi * math.atan(math.sqrt(mean))
    return combine(e.task_fitness, s, e.sorted), taken

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
def _output(n, task, x, at, place):
    """Returns the output for the example whose features start at `at`; leaves its hidden sums in `inside`.

    x: address of the features. place: in the batch. Rows of weights are read W at a time, what lies
    behind the last one too: nobody looks at the sums of that.
    """
    hidden, w, features = n.hidden[task], n.first[task], n.features
    weights, inside = address(n.weights), address(n.inside)
    if hidden == 0:
        found = ZERO
        for f in range(features):
            found += x[at + f] * weights[w + f]
        return found
    biases, to = w + features * hidden, place * n.pitch
    for h in range(0, hidden, W):
        total = load(weights, biases + h)
        for f in range(features):
            total = add(total, mul(splat(x[at + f]), load(weights, w + f * hidden + h)))
        store(inside, to + h, total)
    found = weights[biases + 2 * hidden]
    for h in range(hidden):
        found += _active(inside[to + h]) * weights[biases + hidden + h]
    return found


@jit
def _row(e, task, step, place):
    """Returns the example in a place of a task's batch."""
    n = e.networks
    order = address(e.order)
    return task * n.rows + order[n.orders[task] + step * n.batch[task] + place]


@jit
def _find_gradient(e, task, step):
    """Writes the gradient to `slopes`, given the derivatives by the outputs, and hidden sums of all places.

    Rows are written W at a time, from the first task's first on, so that what one store writes behind its
    row is then overwritten.
    """
    n = e.networks
    hidden, w, features, batch = n.hidden[task], n.first[task], n.features, n.batch[task]
    weights, inside, slopes = address(n.weights), address(n.inside), address(n.slopes)
    x, derivatives = address(e.train_x), address(n.outputs)
    places, zero = n.places[task], splat(0.0)
    if hidden == 0:
        for f in range(0, features, W):
            total = zero
            for place in range(batch):
                at = _row(e, task, step, place) * features + f
                total = add(total, mul(splat(derivatives[places + place]), load(x, at)))
            store(slopes, w + f, total)
        return
    rows, backs = address(n.at), address(n.backs)
    biases = w + features * hidden
    seconds = biases + hidden
    by_bias = ZERO
    for place in range(batch):
        rows[place] = _row(e, task, step, place) * features
        slope, to = derivatives[places + place], (places + place) * n.pitch
        by_bias += slope
        for h in range(hidden):
            backs[to + h] = slope * weights[seconds + h] if inside[to + h] > ZERO else ZERO
    for f in range(features):
        for h in range(0, hidden, W):
            total = zero
            for place in range(batch):
                back = load(backs, (places + place) * n.pitch + h)
                total = add(total, mul(splat(x[rows[place] + f]), back))
            store(slopes, w + f * hidden + h, total)
    for h in range(hidden):
        by_first, by_second = ZERO, ZERO
        for place in range(batch):
            at = (places + place) * n.pitch + h
            by_first += backs[at]
            by_second += derivatives[places + place] * _active(inside[at])
        slopes[biases + h], slopes[seconds + h] = by_first, by_second
    slopes[seconds + hidden] = by_bias


@jit
def _find_outputs(e, task, step):
    """Writes the outputs for the step's batch to `outputs` and their labels to `labels`."""
    n = e.networks
    x, y, features = address(e.train_x), address(e.train_y), n.features
    outputs, labels, places = address(n.outputs), address(n.labels), n.places[task]
    for place in range(n.batch[task]):
        row = _row(e, task, step, place)
        outputs[places + place] = _output(n, task, x, row * features, places + place)
        labels[places + place] = y[row]


@jit
def _differ(e, task):
    """Puts the derivatives of the mean squared error, halved, in place of the outputs."""
    n = e.networks
    outputs, labels = address(n.outputs), address(n.labels)
    for place in range(n.places[task], n.places[task + 1]):
        outputs[place] = (outputs[place] - labels[place]) * n.share[task]


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
    """Takes one step down the gradient that the program's derivatives in `outputs` give."""
    n = e.networks
    outputs, weights, slopes = address(n.outputs), address(n.weights), address(n.slopes)
    for place in range(n.places[task], n.places[task + 1]):
        outputs[place] *= n.share[task]
    _find_gradient(e, task, step)
    rate = n.rate[0]
    for k in range(n.first[task], n.first[task + 1]):
        weights[k] -= rate * slopes[k]


@jit
def _score(e, task):
    """Returns the loss, summed over the valid examples; writes their errors where they are kept."""
    s, n = e.settings, e.networks
    loss = ZERO
    keeps = len(e.row_errors) > 0
    x, y, nowhere = address(e.valid_x), address(e.valid_y), np.int64(0)
    for k in range(n.valid[task]):
        row = task * s.valid + k
        found = _output(n, task, x, row * n.features, nowhere)
        label = y[row]
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
            _find_outputs(e, task, step)
            if not n.loss:
                _differ(e, task)
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

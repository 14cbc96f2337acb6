"""Vector labels in the compiled evaluator: the class of each task's example, in lanes.

Labels are class numbers 0 to K - 1 in the data and one-hot in memory; where, and what becomes of a
prediction, says `zero.programs.interpreter.reference.run`. An element of a vector has W values here.

This file is part of a generated module, not imported by itself (`zero.programs.interpreter.module`): it
uses the names of `frame.py`, which stands before it.
"""
# ruff: noqa: F821

from zero.jit.decorators import jit
from zero.programs.program import CLASS_LABEL, CLASS_PREDICTION


@jit
def places_of_classes(s, base):
    """Returns where the label vector and the prediction vector start in a block's memory."""
    vectors_at = base + s.vectors_at
    return vectors_at + CLASS_LABEL * s.vector_size, vectors_at + CLASS_PREDICTION * s.vector_size


@jit
def show_class(mem, at, s, label):
    """Writes the one-hot vector of the labels; all zeros of a label below 0."""
    zero, one, half = splat(0.0), splat(1.0), splat(0.5)
    for k in range(s.features):
        off = absolute(sub(label, splat(float(k))))
        store(mem, at + k * W, where(gt(off, half), zero, one))


@jit
def softmax(mem, at, s, label):
    """Makes probabilities of the prediction, zeros behind the classes; returns 1 - that of the label."""
    zero, one = splat(0.0), splat(1.0)
    largest = load(mem, at)
    for k in range(1, s.classes):
        x = load(mem, at + k * W)
        largest = where(gt(x, largest), x, largest)
    total = zero
    for k in range(s.classes):
        x = exp(sub(load(mem, at + k * W), largest))
        store(mem, at + k * W, x)
        total = add(total, x)
    right = zero
    for k in range(s.classes):
        p = div(load(mem, at + k * W), total)
        store(mem, at + k * W, p)
        right = where(gt(label, splat(k - 0.5)), p, right)
    for k in range(s.classes, s.features):
        store(mem, at + k * W, zero)
    return sub(one, right)


@jit
def wrong_class(mem, at, s, label):
    """Returns 1 in the lanes where the largest output is not that of the label's class, else 0."""
    zero, one, half = splat(0.0), splat(1.0), splat(0.5)
    largest, says = load(mem, at), zero
    for k in range(1, s.classes):
        x = load(mem, at + k * W)
        larger = gt(x, largest)
        largest = where(larger, x, largest)
        says = where(larger, splat(float(k)), says)
    return where(gt(absolute(sub(label, says)), half), one, zero)

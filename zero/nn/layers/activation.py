"""Functions of each value by itself: the rectifier, and what is random in training."""

# mypy: allow-untyped-defs, allow-untyped-calls
# Text that goes into users' files has no annotations.

from __future__ import annotations

import numpy as np

from zero.nn.layers.record import (
    Call,
    CpuRole,
    Gradients,
    LayerKind,
    MaskOf,
    Prediction,
    numpy_call,
    onnx_node,
    same_shape,
)


def relu_forward(c: Call) -> np.ndarray:
    """max(x, 0)."""
    return np.maximum(c.inputs[0], 0)


def relu_backward(c: Call, gradient: np.ndarray) -> Gradients:
    """The gradient at 0 is 0."""
    return [gradient * (c.inputs[0] > 0)], []


def relu(x):
    """max(x, 0)."""
    return np.maximum(x, 0)


def masked(c: Call, shape: tuple[int, ...]) -> np.ndarray:
    """The input times the mask, of that shape."""
    x = c.inputs[0]
    return x if c.mask is None else x * np.asarray(c.mask, x.dtype).reshape(shape)


def masked_backward(c: Call, gradient: np.ndarray, shape: tuple[int, ...]) -> Gradients:
    """The gradient times the same mask."""
    if c.mask is None:
        return [gradient], []
    return [gradient * np.asarray(c.mask, c.inputs[0].dtype).reshape(shape)], []


def _of_examples(c: Call) -> tuple[int, ...]:
    return len(c.inputs[0]), 1, 1, 1


def _of_values(c: Call) -> tuple[int, ...]:
    return c.inputs[0].shape


LAYERS = (
    LayerKind(
        "relu",
        "max(x, 0)",
        shape=same_shape,
        forward=relu_forward,
        backward=relu_backward,
        cpu=CpuRole.RELU,
        onnx=onnx_node("Relu"),
        numpy=numpy_call(relu),
        in_memory=False,
    ),
    LayerKind(
        "drop_path",
        "the whole example times 0 or 1/keep, in training only",
        shape=same_shape,
        forward=lambda c: masked(c, _of_examples(c)),
        backward=lambda c, gradient: masked_backward(c, gradient, _of_examples(c)),
        cpu=CpuRole.FACTOR,
        in_memory=False,
        view=True,
        mask=MaskOf.EXAMPLE,
        prediction=Prediction.NOTHING,
    ),
    LayerKind(
        "dropout",
        "each value times 0 or 1/keep, in training only",
        shape=same_shape,
        forward=lambda c: masked(c, _of_values(c)),
        backward=lambda c, gradient: masked_backward(c, gradient, _of_values(c)),
        cpu=CpuRole.MASK,
        in_memory=False,
        mask=MaskOf.VALUE,
        prediction=Prediction.NOTHING,
    ),
)

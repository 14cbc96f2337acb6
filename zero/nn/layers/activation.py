"""Functions of each value by itself: rectifiers, sigmoids, and what is random in training.

ReLU6 and its use: Sandler et al. 2018 (MobileNetV2). Swish: Ramachandran et al. 2017; hard sigmoid and
h-swish, its stand-ins without exponentials: Howard et al. 2019 (MobileNetV3, section 5.2).
"""

# mypy: allow-untyped-defs, allow-untyped-calls
# Text that goes into users' files has no annotations.

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from zero.nn.layers.record import (
    Call,
    CpuRole,
    Gradients,
    Layer,
    LayerKind,
    MaskOf,
    OnnxGraph,
    Prediction,
    PredictionStep,
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


def relu6_forward(c: Call) -> np.ndarray:
    """min(max(x, 0), 6)."""
    return np.clip(c.inputs[0], 0, 6)


def relu6_backward(c: Call, gradient: np.ndarray) -> Gradients:
    """The gradients at 0 and 6 are 0."""
    x = c.inputs[0]
    return [gradient * ((x > 0) & (x < 6))], []


def relu6(x):
    """min(max(x, 0), 6)."""
    return np.clip(x, 0, 6)


def sigmoid(x):
    """1 / (1 + exp(-x)), in the form that no x makes too large."""
    return 0.5 * np.tanh(0.5 * x) + 0.5


def hard_sigmoid(x):
    """A line from 0 at -3 to 1 at 3, instead of a sigmoid."""
    return np.clip(x / 6 + 0.5, 0, 1)


def swish(x):
    """The product x * sigmoid(x)."""
    return x * sigmoid(x)


def h_swish(x):
    """The product x * hard_sigmoid(x)."""
    return x * hard_sigmoid(x)


def _hard_slope(x: np.ndarray) -> np.ndarray:
    """The slope of hard_sigmoid; that at its corners is 0."""
    return ((x > -3) & (x < 3)) / x.dtype.type(6)


def sigmoid_backward(c: Call, gradient: np.ndarray) -> Gradients:
    """The slope is s * (1 - s)."""
    s = sigmoid(c.inputs[0])
    return [gradient * s * (1 - s)], []


def hard_sigmoid_backward(c: Call, gradient: np.ndarray) -> Gradients:
    """The slopes at -3 and 3 are 0."""
    return [gradient * _hard_slope(c.inputs[0])], []


def swish_backward(c: Call, gradient: np.ndarray) -> Gradients:
    """The slope is s + x * s * (1 - s)."""
    x = c.inputs[0]
    s = sigmoid(x)
    return [gradient * (s + x * s * (1 - s))], []


def h_swish_backward(c: Call, gradient: np.ndarray) -> Gradients:
    """As swish's, with the slope of hard_sigmoid."""
    x = c.inputs[0]
    return [gradient * (hard_sigmoid(x) + x * _hard_slope(x))], []


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


def _relu6_onnx(graph: OnnxGraph, step: PredictionStep, inputs: list[str]) -> str:
    least, most = (graph.constant(f"{step.layer.name}/{n}", np.float32(n)) for n in (0, 6))
    return graph.node("Clip", *inputs, least, most, to=step.layer.name)


def _gate_onnx(op: str, **attributes: Any) -> Callable[[OnnxGraph, PredictionStep, list[str]], str]:
    """Returns the writer of x * op(x)."""

    def write(graph: OnnxGraph, step: PredictionStep, inputs: list[str]) -> str:
        return graph.node("Mul", *inputs, graph.node(op, *inputs, **attributes), to=step.layer.name)

    return write


_HARD = {"alpha": 1 / 6, "beta": 0.5}  # ONNX's HardSigmoid has others as defaults


def _several(layer: Layer, read: int, made: int) -> int:
    return 4 * made


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
        "relu6",
        "max(x, 0), at most 6",
        shape=same_shape,
        forward=relu6_forward,
        backward=relu6_backward,
        cpu=CpuRole.RELU6,
        onnx=_relu6_onnx,
        numpy=numpy_call(relu6),
        in_memory=False,
    ),
    LayerKind(
        "sigmoid",
        "1 / (1 + exp(-x))",
        shape=same_shape,
        forward=lambda c: sigmoid(c.inputs[0]),
        backward=sigmoid_backward,
        cpu=CpuRole.SIGMOID,
        onnx=onnx_node("Sigmoid"),
        numpy=numpy_call(sigmoid),
        temporaries=_several,
    ),
    LayerKind(
        "hard_sigmoid",
        "x / 6 + 1/2, at least 0 and at most 1",
        shape=same_shape,
        forward=lambda c: hard_sigmoid(c.inputs[0]),
        backward=hard_sigmoid_backward,
        cpu=CpuRole.HARD_SIGMOID,
        onnx=onnx_node("HardSigmoid", **_HARD),
        numpy=numpy_call(hard_sigmoid),
        temporaries=_several,
    ),
    LayerKind(
        "swish",
        "x * sigmoid(x)",
        shape=same_shape,
        forward=lambda c: swish(c.inputs[0]),
        backward=swish_backward,
        cpu=CpuRole.SWISH,
        onnx=_gate_onnx("Sigmoid"),
        numpy=numpy_call(swish, sigmoid),
        temporaries=_several,
    ),
    LayerKind(
        "h_swish",
        "x * hard_sigmoid(x)",
        shape=same_shape,
        forward=lambda c: h_swish(c.inputs[0]),
        backward=h_swish_backward,
        cpu=CpuRole.HARD_SWISH,
        onnx=_gate_onnx("HardSigmoid", **_HARD),
        numpy=numpy_call(h_swish, hard_sigmoid),
        temporaries=_several,
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

"""Linear layers on all values of an example, with and without a bias."""

# mypy: allow-untyped-defs, allow-untyped-calls
# Text that goes into users' files has no annotations.

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from zero.nn.layers.record import (
    Call,
    CpuRole,
    Gradients,
    Layer,
    LayerKind,
    NumpyWriter,
    OnnxGraph,
    PredictionStep,
    Shape,
    Trainable,
    Uniform,
    call_text,
    weights_text,
)


def linear_forward(c: Call) -> np.ndarray:
    """All values of an example, in the order (H, W, C), @ weight, + bias if there is one."""
    x, (weight, *bias) = c.inputs[0], c.parameters
    return sum(bias, x.reshape(len(x), -1) @ weight)[:, None, None]


def linear_backward(c: Call, gradient: np.ndarray) -> Gradients:
    """As of any matrix product; the bias's is the gradient's sum over the batch."""
    x, (weight, *bias) = c.inputs[0], c.parameters
    gradient = gradient[:, 0, 0]
    to_weight = x.reshape(len(x), -1).T @ gradient
    return [(gradient @ weight.T).reshape(x.shape)], [to_weight, *(gradient.sum(0) for _ in bias)]


def linear(x, weight, bias=0.0):
    """All values of an example, rows first and channels last, times weight (values in, out)."""
    return (x.reshape(len(x), -1) @ weight + bias)[:, None, None]


def _onnx(graph: OnnxGraph, step: PredictionStep, inputs: list[str]) -> str:
    name, weight = step.layer.name, step.arrays["weight"]
    height, width, channels = graph.shape_read(step)
    # Rows of the weight are in the order of (H, W, C), the values here in that of (C, H, W).
    rows = np.arange(len(weight)).reshape(height, width, channels).transpose(2, 0, 1).ravel()
    arrays = [graph.constant(f"{name}/weight", weight[rows])]
    if "bias" in step.arrays:
        arrays.append(graph.constant(f"{name}/bias", step.arrays["bias"]))
    product = graph.node("Gemm", graph.node("Flatten", *inputs, axis=1), *arrays)
    return graph.node("Unsqueeze", product, graph.integers(2, 3), to=name)


def _parameters(bias: bool) -> Callable[[Layer, list[Shape]], list[Trainable]]:
    def parameters(layer: Layer, inputs: list[Shape]) -> list[Trainable]:
        fan_in, outputs = math.prod(inputs[0]), layer.shape[2]
        draw = Uniform(1 / math.sqrt(fan_in))
        weight = Trainable("weight", (fan_in, outputs), draw, decays=True)
        return [weight, Trainable("bias", (outputs,), 0.0)] if bias else [weight]

    return parameters


def _kind(name: str, description: str, bias: bool) -> LayerKind:
    return LayerKind(
        name,
        description,
        shape=lambda layer, inputs: (1, 1, layer.shape[2]),
        forward=linear_forward,
        backward=linear_backward,
        cpu=CpuRole.PRODUCT,
        onnx=_onnx,
        numpy=NumpyWriter(
            lambda layer, xs: call_text(linear, xs[0], weights_text(layer)), (linear,)
        ),
        parameters=_parameters(bias),
        multiply_adds=lambda layer, inputs: math.prod(inputs[0]) * layer.shape[2],
    )


LAYERS = (
    _kind("linear", "x @ weight + bias; weight (in, out), bias (out,)", bias=True),
    _kind("linear_no_bias", "x @ weight; weight (in, out)", bias=False),
)

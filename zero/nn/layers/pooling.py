"""Pools: one value of each window, or of the whole image, channel by channel."""

# mypy: allow-untyped-defs, allow-untyped-calls
# Text that goes into users' files has no annotations.

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

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
    call_text,
    negated,
    numpy_call,
    onnx_node,
    summed,
)
from zero.nn.layers.windows import (
    cropped,
    pad_or_crop,
    padded,
    places,
    taps,
    undo_pad,
    window_size,
)


def max_pool_forward(c: Call) -> np.ndarray:
    """The largest value of each window; padding never wins; 0 where there is nothing else."""
    image = pad_or_crop(c.inputs[0], c.layer.pad, -np.inf)
    largest = np.max([pixels for _, _, pixels in taps(c.layer, image)], axis=0)
    return np.where(_pixels_in_windows(c) > 0, largest, 0)


def max_pool_backward(c: Call, gradient: np.ndarray) -> Gradients:
    """The gradient goes to a window's first largest value, rows first, then columns."""
    image = pad_or_crop(c.inputs[0], c.layer.pad, -np.inf)
    winner = np.argmax([pixels for _, _, pixels in taps(c.layer, image)], axis=0)
    to_image = np.zeros_like(image)
    for place, (_, _, pixels) in enumerate(taps(c.layer, to_image)):
        pixels += gradient * (winner == place)
    return [undo_pad(to_image, c.layer.pad)], []


def min_pool_forward(c: Call) -> np.ndarray:
    """The smallest value of each window: minus the largest of -x."""
    return -max_pool_forward(negated(c))


def min_pool_backward(c: Call, gradient: np.ndarray) -> Gradients:
    """The two signs cancel."""
    return max_pool_backward(negated(c), gradient)


def avg_pool_forward(c: Call) -> np.ndarray:
    """The mean of each window's pixels; padding is not counted; 0 where there is nothing else."""
    image = pad_or_crop(c.inputs[0], c.layer.pad)
    total = summed(pixels for _, _, pixels in taps(c.layer, image))
    return total / np.maximum(_pixels_in_windows(c), 1)


def avg_pool_backward(c: Call, gradient: np.ndarray) -> Gradients:
    """Every pixel of a window gets the same share."""
    to_image = np.zeros_like(pad_or_crop(c.inputs[0], c.layer.pad))
    share = gradient / np.maximum(_pixels_in_windows(c), 1)
    for _, _, pixels in taps(c.layer, to_image):
        pixels += share
    return [undo_pad(to_image, c.layer.pad)], []


def _pixels_in_windows(c: Call) -> np.ndarray:
    """How many pixels, not padding, each window has: (1, H', W', 1)."""
    ones = np.ones_like(c.inputs[0][:1, :, :, :1])
    return summed(pixels for _, _, pixels in taps(c.layer, pad_or_crop(ones, c.layer.pad)))


def global_pool_forward(c: Call) -> np.ndarray:
    """The mean over all pixels."""
    return c.inputs[0].mean((1, 2), keepdims=True)


def global_pool_backward(c: Call, gradient: np.ndarray) -> Gradients:
    """Every pixel gets the same share."""
    x = c.inputs[0]
    return [np.broadcast_to(gradient / (x.shape[1] * x.shape[2]), x.shape)], []


# Copied into exported modules.


def max_pool(x, kernel, stride=1, pad=(0, 0, 0, 0)):
    """Largest value of each window; padding never wins."""
    out = None
    for _, _, part in places(padded(x, pad, -np.inf), kernel, stride):
        out = part if out is None else np.maximum(out, part)
    return out


def min_pool(x, kernel, stride=1, pad=(0, 0, 0, 0)):
    """Smallest value of each window; padding never wins."""
    return -max_pool(-x, kernel, stride, pad)


def avg_pool(x, kernel, stride=1, pad=(0, 0, 0, 0)):
    """Mean of each window's pixels; padding does not count."""
    ones = np.ones_like(x[:1, :, :, :1])
    count = sum(part for _, _, part in places(padded(ones, pad), kernel, stride))
    return sum(part for _, _, part in places(padded(x, pad), kernel, stride)) / count


def global_pool(x):
    """Mean over all pixels."""
    return x.mean((1, 2), keepdims=True)


def _numpy(function: Callable[..., Any], *calls: Callable[..., Any]) -> NumpyWriter:
    def call(layer: Layer, xs: list[str]) -> str:
        return call_text(function, xs[0], str(layer.kernel), stride=layer.stride, pad=layer.pad)

    return NumpyWriter(call, (function, padded, places, *calls))


def _onnx_window(graph: OnnxGraph, step: PredictionStep, x: str) -> tuple[str, dict[str, Any]]:
    layer = step.layer
    x, pads = cropped(graph, layer, x, graph.shape_read(step))
    return x, {"kernel_shape": layer.kernel, "strides": [layer.stride] * 2, "pads": pads}


def _max_onnx(graph: OnnxGraph, step: PredictionStep, inputs: list[str]) -> str:
    x, window = _onnx_window(graph, step, inputs[0])
    return graph.node("MaxPool", x, to=step.layer.name, **window)


def _min_onnx(graph: OnnxGraph, step: PredictionStep, inputs: list[str]) -> str:
    x, window = _onnx_window(graph, step, inputs[0])
    largest = graph.node("MaxPool", graph.node("Neg", x), **window)
    return graph.node("Neg", largest, to=step.layer.name)


def _avg_onnx(graph: OnnxGraph, step: PredictionStep, inputs: list[str]) -> str:
    x, window = _onnx_window(graph, step, inputs[0])
    return graph.node("AveragePool", x, to=step.layer.name, count_include_pad=0, **window)


def _shape(layer: Layer, inputs: list[Shape]) -> Shape:
    return *window_size(layer, inputs[0]), inputs[0][2]


def _temporaries(layer: Layer, read: int, made: int) -> int:
    """A copy for each place of the kernel, to compare them."""
    return math.prod(layer.kernel) * made + 3 * read + 3 * made


LAYERS = (
    LayerKind(
        "max_pool",
        "largest value of a window; padding never wins",
        shape=_shape,
        forward=max_pool_forward,
        backward=max_pool_backward,
        cpu=CpuRole.LARGEST,
        onnx=_max_onnx,
        numpy=_numpy(max_pool),
        drawn_as="max or min pooling",
        temporaries=_temporaries,
    ),
    LayerKind(
        "min_pool",
        "smallest value of a window; padding never wins",
        shape=_shape,
        forward=min_pool_forward,
        backward=min_pool_backward,
        cpu=CpuRole.SMALLEST,
        onnx=_min_onnx,
        numpy=_numpy(min_pool, max_pool),
        drawn_as="max or min pooling",
        temporaries=_temporaries,
    ),
    LayerKind(
        "avg_pool",
        "mean of a window's values; padding does not count",
        shape=_shape,
        forward=avg_pool_forward,
        backward=avg_pool_backward,
        cpu=CpuRole.AVERAGE,
        onnx=_avg_onnx,
        numpy=_numpy(avg_pool),
        drawn_as="average pooling",
    ),
    LayerKind(
        "global_pool",
        "mean over all pixels, shape (1, 1, c)",
        shape=lambda layer, inputs: (1, 1, inputs[0][2]),
        forward=global_pool_forward,
        backward=global_pool_backward,
        cpu=CpuRole.MEAN,
        onnx=onnx_node("GlobalAveragePool"),
        numpy=numpy_call(global_pool),
    ),
)

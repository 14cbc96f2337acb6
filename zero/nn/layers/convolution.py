"""Convolutions, without bias: of all channels, and of each channel by itself."""

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
    Prediction,
    PredictionStep,
    Shape,
    Trainable,
    call_text,
    he_normal,
    summed,
    weights_text,
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


def conv_forward(c: Call) -> np.ndarray:
    """The sum over the kernel's places of pixel @ weight[i, j]; padding is zeros."""
    (x,), (weight,) = c.inputs, c.parameters
    image = pad_or_crop(x, c.layer.pad)
    return summed(np.tensordot(pixels, weight[i, j], 1) for i, j, pixels in taps(c.layer, image))


def conv_backward(c: Call, gradient: np.ndarray) -> Gradients:
    """Each place of the kernel sends its share back to the pixels it read."""
    (x,), (weight,) = c.inputs, c.parameters
    image = pad_or_crop(x, c.layer.pad)
    to_image, to_weight = np.zeros_like(image), np.zeros_like(weight)
    for i, j, pixels in taps(c.layer, image):
        to_weight[i, j] = np.tensordot(pixels, gradient, ([0, 1, 2], [0, 1, 2]))
    for i, j, pixels in taps(c.layer, to_image):
        pixels += np.tensordot(gradient, weight[i, j].T, 1)
    return [undo_pad(to_image, c.layer.pad)], [to_weight]


def depthwise_forward(c: Call) -> np.ndarray:
    """As conv, but channel k reads channel k only: pixel * weight[i, j]."""
    (x,), (weight,) = c.inputs, c.parameters
    image = pad_or_crop(x, c.layer.pad)
    return summed(pixels * weight[i, j] for i, j, pixels in taps(c.layer, image))


def depthwise_backward(c: Call, gradient: np.ndarray) -> Gradients:
    """As conv's."""
    (x,), (weight,) = c.inputs, c.parameters
    image = pad_or_crop(x, c.layer.pad)
    to_image, to_weight = np.zeros_like(image), np.zeros_like(weight)
    for i, j, pixels in taps(c.layer, image):
        to_weight[i, j] = (pixels * gradient).sum((0, 1, 2))
    for i, j, pixels in taps(c.layer, to_image):
        pixels += gradient * weight[i, j]
    return [undo_pad(to_image, c.layer.pad)], [to_weight]


# Copied into exported modules.


def conv(x, weight, bias=0.0, stride=1, dilation=1, pad=(0, 0, 0, 0)):
    """Convolution; weight (kernel height, kernel width, channels in, channels out)."""
    pixels = places(padded(x, pad), weight.shape[:2], stride, dilation)
    return sum(np.tensordot(part, weight[i, j], 1) for i, j, part in pixels) + bias


def depthwise(x, weight, bias=0.0, stride=1, dilation=1, pad=(0, 0, 0, 0)):
    """Convolution of each channel by itself; weight (kernel height, kernel width, channels)."""
    pixels = places(padded(x, pad), weight.shape[:2], stride, dilation)
    return sum(part * weight[i, j] for i, j, part in pixels) + bias


def _numpy(function: Callable[..., Any]) -> NumpyWriter:
    def call(layer: Layer, xs: list[str]) -> str:
        settings = {"stride": layer.stride, "dilation": layer.dilation, "pad": layer.pad}
        return call_text(function, xs[0], weights_text(layer), **settings)

    return NumpyWriter(call, (function, padded, places))


def _onnx(graph: OnnxGraph, step: PredictionStep, x: str, weight: np.ndarray, groups: int) -> str:
    layer = step.layer
    x, pads = cropped(graph, layer, x, graph.shape_read(step))
    arrays = [graph.constant(f"{layer.name}/weight", weight.transpose(3, 2, 0, 1))]
    if "bias" in step.arrays:
        arrays.append(graph.constant(f"{layer.name}/bias", step.arrays["bias"]))
    return graph.node(
        "Conv", x, *arrays, to=layer.name, kernel_shape=layer.kernel, group=groups, pads=pads,
        strides=[layer.stride] * 2, dilations=[layer.dilation] * 2,
    )  # fmt: skip


def _temporaries(layer: Layer, read: int, made: int) -> int:
    return 3 * read + made


def _windows(layer: Layer) -> int:
    """Returns how many values a channel reads: pixels of the output times those of the kernel."""
    return layer.shape[0] * layer.shape[1] * math.prod(layer.kernel)


def _conv_shape(layer: Layer, inputs: list[Shape]) -> Shape:
    return *window_size(layer, inputs[0]), layer.shape[2]


def _conv_parameters(layer: Layer, inputs: list[Shape]) -> list[Trainable]:
    shape = (*layer.kernel, inputs[0][2], layer.shape[2])
    return [Trainable("weight", shape, he_normal(math.prod(shape[:-1])), decays=True)]


def _conv_onnx(graph: OnnxGraph, step: PredictionStep, inputs: list[str]) -> str:
    return _onnx(graph, step, inputs[0], step.arrays["weight"], 1)


CONV = LayerKind(
    "conv",
    "convolution without bias; weight (kh, kw, in, out)",
    shape=_conv_shape,
    forward=conv_forward,
    backward=conv_backward,
    cpu=CpuRole.CONVOLUTION,
    onnx=_conv_onnx,
    numpy=_numpy(conv),
    drawn_as="convolution",
    parameters=_conv_parameters,
    multiply_adds=lambda layer, inputs: _windows(layer) * inputs[0][2] * layer.shape[2],
    temporaries=_temporaries,
    prediction=Prediction.FOLDABLE,
)


def _depthwise_shape(layer: Layer, inputs: list[Shape]) -> Shape:
    return *window_size(layer, inputs[0]), inputs[0][2]


def _depthwise_parameters(layer: Layer, inputs: list[Shape]) -> list[Trainable]:
    shape = (*layer.kernel, layer.shape[2])
    return [Trainable("weight", shape, he_normal(math.prod(layer.kernel)), decays=True)]


def _depthwise_onnx(graph: OnnxGraph, step: PredictionStep, inputs: list[str]) -> str:
    weight = step.arrays["weight"][:, :, None, :]
    return _onnx(graph, step, inputs[0], weight, step.layer.shape[2])


def _apart(readers: list[Layer]) -> bool:
    """Returns whether the cpu backend keeps the result: not if a 1x1 convolution alone reads it."""
    return not (len(readers) == 1 and readers[0].kind == "conv" and readers[0].kernel == (1, 1))


DEPTHWISE = LayerKind(
    "depthwise",
    "convolution of each channel by itself, without bias; weight (kh, kw, channels)",
    shape=_depthwise_shape,
    forward=depthwise_forward,
    backward=depthwise_backward,
    cpu=CpuRole.DEPTHWISE,
    onnx=_depthwise_onnx,
    numpy=_numpy(depthwise),
    drawn_as="separable convolution",
    parameters=_depthwise_parameters,
    multiply_adds=lambda layer, inputs: _windows(layer) * layer.shape[2],
    in_memory=_apart,
    temporaries=_temporaries,
    prediction=Prediction.FOLDABLE,
)

LAYERS = (CONV, DEPTHWISE)

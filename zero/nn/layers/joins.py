"""Layers that bring values together or choose among them: the images, sums, products, cuts."""

# mypy: allow-untyped-defs, allow-untyped-calls
# Text that goes into users' files has no annotations.

from __future__ import annotations

import numpy as np

from zero.errors import NetworkError
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
    call_text,
    numpy_call,
    onnx_node,
    summed,
)


def input_forward(c: Call) -> np.ndarray:
    """The images."""
    return c.inputs[0]


def input_backward(c: Call, gradient: np.ndarray) -> Gradients:
    """As it is; nobody asks."""
    return [gradient], []


def add_forward(c: Call) -> np.ndarray:
    """The sum of the inputs."""
    return summed(c.inputs)


def add_backward(c: Call, gradient: np.ndarray) -> Gradients:
    """Every input gets the gradient."""
    return [gradient for _ in c.inputs], []


def concat_forward(c: Call) -> np.ndarray:
    """The inputs' channels one after the other."""
    return np.concatenate(c.inputs, axis=3)


def concat_backward(c: Call, gradient: np.ndarray) -> Gradients:
    """Every input gets its channels of the gradient."""
    ends = np.cumsum([x.shape[3] for x in c.inputs])
    return np.split(gradient, ends[:-1], axis=3), []


def scale_channels_forward(c: Call) -> np.ndarray:
    """Each channel of the first input times the second's one value of it."""
    return c.inputs[0] * c.inputs[1]


def scale_channels_backward(c: Call, gradient: np.ndarray) -> Gradients:
    """A factor's gradient is the sum over the pixels that it multiplies."""
    x, factors = c.inputs
    return [gradient * factors, (gradient * x).sum((1, 2), keepdims=True)], []


def slice_forward(c: Call) -> np.ndarray:
    """The first channels of the input, as many as the layer's shape has."""
    return c.inputs[0][..., : c.layer.shape[2]]


def slice_backward(c: Call, gradient: np.ndarray) -> Gradients:
    """The other channels get 0."""
    to_x = np.zeros_like(c.inputs[0])
    to_x[..., : c.layer.shape[2]] = gradient
    return [to_x], []


def zero_forward(c: Call) -> np.ndarray:
    """Zeros of the layer's shape."""
    x = c.inputs[0]
    return np.zeros((len(x), *c.layer.shape), x.dtype)


def zero_backward(c: Call, gradient: np.ndarray) -> Gradients:
    """The input does not matter."""
    return [np.zeros_like(c.inputs[0])], []


# Copied into exported modules.


def add(*xs):
    """Sum of layers."""
    return sum(xs[1:], xs[0])


def concat(*xs):
    """Channels of layers one after the other."""
    return np.concatenate(xs, axis=3)


def scale_channels(x, factors):
    """Each channel of x times its factor."""
    return x * factors


def first_channels(x, channels):
    """The first channels of a layer."""
    return x[..., :channels]


def zeros(x, shape):
    """Zeros, as many examples as in x."""
    return np.zeros((len(x), *shape), np.float32)


def _add_onnx(graph: OnnxGraph, step: PredictionStep, inputs: list[str]) -> str:
    return graph.node("Add" if len(inputs) == 2 else "Sum", *inputs, to=step.layer.name)


def _slice_onnx(graph: OnnxGraph, step: PredictionStep, inputs: list[str]) -> str:
    first, end, axis = (graph.integers(n) for n in (0, step.layer.shape[2], 1))
    return graph.node("Slice", *inputs, first, end, axis, to=step.layer.name)


def _zero_onnx(graph: OnnxGraph, step: PredictionStep, inputs: list[str]) -> str:
    height, width, channels = step.layer.shape
    first, end = graph.integers(0), graph.integers(1)
    count = graph.node("Slice", graph.node("Shape", *inputs), first, end, first)
    shape = graph.node("Concat", count, graph.integers(channels, height, width), axis=0)
    return graph.node("ConstantOfShape", shape, to=step.layer.name)


def _add_shape(layer: Layer, inputs: list[Shape]) -> Shape:
    if len(set(inputs)) > 1:
        raise NetworkError(f"cannot add layers of different shapes {sorted(set(inputs))}")
    return inputs[0]


def _concat_shape(layer: Layer, inputs: list[Shape]) -> Shape:
    sizes = {(height, width) for height, width, _ in inputs}
    if len(sizes) > 1:
        raise NetworkError(f"cannot concatenate layers of different sizes {sorted(sizes)}")
    return *inputs[0][:2], sum(channels for _, _, channels in inputs)


def _scale_channels_shape(layer: Layer, inputs: list[Shape]) -> Shape:
    if len(inputs) != 2 or inputs[1] != (1, 1, inputs[0][2]):
        raise NetworkError(
            f"scale_channels reads a layer and its channels' factors (1, 1, channels), given: {inputs}"
        )
    return inputs[0]


LAYERS = (
    LayerKind(
        "input",
        "the images",
        shape=lambda layer, inputs: layer.shape,
        forward=input_forward,
        backward=input_backward,
        cpu=CpuRole.IMAGES,
    ),
    LayerKind(
        "add",
        "sum of its inputs",
        shape=_add_shape,
        forward=add_forward,
        backward=add_backward,
        cpu=CpuRole.SUM,
        onnx=_add_onnx,
        numpy=numpy_call(add),
        prediction=Prediction.SUM,
    ),
    LayerKind(
        "concat",
        "its inputs' channels one after the other",
        shape=_concat_shape,
        forward=concat_forward,
        backward=concat_backward,
        cpu=CpuRole.CONCATENATION,
        onnx=onnx_node("Concat", axis=1),
        numpy=numpy_call(concat),
        in_memory=False,
        prediction=Prediction.PARTS,
    ),
    LayerKind(
        "scale_channels",
        "channels times factors: of (h, w, c) and (1, 1, c)",
        shape=_scale_channels_shape,
        forward=scale_channels_forward,
        backward=scale_channels_backward,
        cpu=CpuRole.CHANNEL_FACTORS,
        onnx=onnx_node("Mul"),
        numpy=numpy_call(scale_channels),
        temporaries=lambda layer, read, made: made,
    ),
    LayerKind(
        "slice",
        "the first channels of its input",
        shape=lambda layer, inputs: (*inputs[0][:2], layer.shape[2]),
        forward=slice_forward,
        backward=slice_backward,
        cpu=CpuRole.FIRST_CHANNELS,
        onnx=_slice_onnx,
        numpy=NumpyWriter(
            lambda layer, xs: call_text(first_channels, xs[0], str(layer.shape[2])),
            (first_channels,),
        ),
        in_memory=False,
        view=True,
    ),
    LayerKind(
        "zero",
        "zeros, whatever the input",
        shape=lambda layer, inputs: layer.shape,
        forward=zero_forward,
        backward=zero_backward,
        cpu=CpuRole.ZEROS,
        onnx=_zero_onnx,
        numpy=NumpyWriter(lambda layer, xs: call_text(zeros, xs[0], str(layer.shape)), (zeros,)),
        drawn_as="zeros",
        prediction=Prediction.ZEROS,
    ),
)

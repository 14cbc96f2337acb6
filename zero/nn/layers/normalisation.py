"""Batch normalisation (Ioffe and Szegedy, 2015)."""

# mypy: allow-untyped-defs, allow-untyped-calls
# Text that goes into users' files has no annotations.

from __future__ import annotations

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
    same_shape,
    weights_text,
)


def batch_moments(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and biased variance of each channel, (c,) each."""
    return x.mean((0, 1, 2)), x.var((0, 1, 2))


def forward(c: Call) -> np.ndarray:
    """Returns gamma * (x - mean) / sqrt(variance + epsilon) + beta.

    Mean and biased variance of the batch in training, else the running ones.
    """
    (x,), (gamma, beta) = c.inputs, c.parameters
    mean, variance = batch_moments(x) if c.training else c.statistics
    return gamma * (x - mean) / np.sqrt(variance + c.layer.epsilon) + beta


def backward(c: Call, gradient: np.ndarray) -> Gradients:
    """The batch's mean and variance depend on x too."""
    (x,), (gamma, _) = c.inputs, c.parameters
    mean, variance = batch_moments(x)
    deviation = np.sqrt(variance + c.layer.epsilon)
    normal = (x - mean) / deviation
    to_gamma, to_beta = (gradient * normal).sum((0, 1, 2)), gradient.sum((0, 1, 2))
    count = x[..., 0].size
    to_x = gamma / deviation * (gradient - (to_beta + normal * to_gamma) / count)
    return [to_x], [to_gamma, to_beta]


def running_statistics(c: Call) -> list[np.ndarray]:
    """The running mean and variance after this batch.

    The batch's variance counts as the unbiased one, sum of squares / (count - 1), as PyTorch's
    does; with one value a channel it is 0.
    """
    (x,), decay = c.inputs, c.layer.decay
    mean, variance = batch_moments(x)
    count = x[..., 0].size
    variance = variance * (count / max(count - 1, 1))
    batch = (mean, variance)
    return [decay * old + (1 - decay) * new for old, new in zip(c.statistics, batch, strict=True)]


def scale_and_shift(step: PredictionStep) -> tuple[np.ndarray, np.ndarray]:
    """Returns a batch norm's float64 (c,) arrays: output = input * scale + shift."""
    gamma, beta, mean, variance = (
        step.arrays[role].astype(np.float64) for role in ("gamma", "beta", "mean", "variance")
    )
    scale = gamma / np.sqrt(variance + step.layer.epsilon)
    return scale, beta - mean * scale


def scale_shift(x, scale, shift):
    """What is left of a batch normalisation after training."""
    return x * scale + shift


def _numpy_arrays(step: PredictionStep) -> dict[str, np.ndarray]:
    scale, shift = scale_and_shift(step)
    return {"scale": scale.astype(np.float32), "shift": shift.astype(np.float32)}


def _onnx(graph: OnnxGraph, step: PredictionStep, inputs: list[str]) -> str:
    # Not BatchNormalization: before opset 14 readers differ on whether that is in training.
    name = step.layer.name
    scale, shift = (values[:, None, None] for values in scale_and_shift(step))
    scaled = graph.node("Mul", *inputs, graph.constant(f"{name}/scale", scale))
    return graph.node("Add", scaled, graph.constant(f"{name}/shift", shift), to=name)


def _parameters(layer: Layer, inputs: list[Shape]) -> list[Trainable]:
    channels = (layer.shape[2],)
    return [Trainable("gamma", channels, 1.0), Trainable("beta", channels, 0.0)]


LAYERS = (
    LayerKind(
        "batch_norm",
        "batch normalisation per channel; gamma, beta (c,); running mean and variance beside them",
        shape=same_shape,
        forward=forward,
        backward=backward,
        cpu=CpuRole.NORM,
        onnx=_onnx,
        numpy=NumpyWriter(
            lambda layer, xs: call_text(scale_shift, xs[0], weights_text(layer)),
            (scale_shift,),
            _numpy_arrays,
        ),
        parameters=_parameters,
        in_memory=False,
        temporaries=lambda layer, read, made: 4 * made,
        statistics=running_statistics,
        prediction=Prediction.SCALE_AND_SHIFT,
    ),
)

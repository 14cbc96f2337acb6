"""What each kind of layer computes, forward and backward, in plain NumPy: the definition.

`LAYERS` maps a kind to its two functions. Other backends compute the same, faster; tests compare
them with this file, layer by layer. Arrays are channels-last, (N, H, W, C); loops go over a
kernel's places, never over pixels. Nothing is random: masks come from the caller.

Called by `zero.nn.reference` and by tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from zero.nn.network import Layer, Pad


@dataclass
class Call:
    """What a layer's functions are given.

    inputs: one array (N, H, W, C) for each input. parameters: arrays in the order of
    `network.KINDS`. statistics: running mean and variance of a batch_norm, else empty.
    training: batch_norm uses the batch's own statistics. mask: factors of drop_path (N,) or
    dropout (N, values); None: no factors.
    """

    layer: Layer
    inputs: list[np.ndarray]
    parameters: list[np.ndarray]
    statistics: list[np.ndarray]
    training: bool
    mask: np.ndarray | None


# A backward function returns the gradients of the inputs and those of the parameters.
Gradients = tuple[list[np.ndarray], list[np.ndarray]]


def pad_or_crop(x: np.ndarray, pad: Pad, fill: float = 0.0) -> np.ndarray:
    """Returns x with pad = (top, bottom, left, right) rows and columns more; negative: fewer.

    The gradient of padding is cropping by as much, and the other way round.
    """
    top, bottom, left, right = pad
    more = [(0, 0), (max(top, 0), max(bottom, 0)), (max(left, 0), max(right, 0)), (0, 0)]
    x = np.pad(x, more, constant_values=fill)
    rows = slice(max(-top, 0), x.shape[1] - max(-bottom, 0))
    columns = slice(max(-left, 0), x.shape[2] - max(-right, 0))
    return x[:, rows, columns]


def _minus(pad: Pad) -> Pad:
    return tuple(-p for p in pad)


def taps(layer: Layer, padded: np.ndarray) -> Iterator[tuple[int, int, np.ndarray]]:
    """Yields row i and column j of the kernel, and what all windows have there: a view.

    The view (N, H', W', C) has one pixel for each output pixel. Row-major order.
    """
    height, width, _ = layer.shape
    for i in range(layer.kernel[0]):
        for j in range(layer.kernel[1]):
            top, left = i * layer.dilation, j * layer.dilation
            rows = slice(top, top + (height - 1) * layer.stride + 1, layer.stride)
            columns = slice(left, left + (width - 1) * layer.stride + 1, layer.stride)
            yield i, j, padded[:, rows, columns]


def relu(c: Call) -> np.ndarray:
    """max(x, 0)."""
    return np.maximum(c.inputs[0], 0)


def relu_backward(c: Call, gradient: np.ndarray) -> Gradients:
    """The gradient at 0 is 0."""
    return [gradient * (c.inputs[0] > 0)], []


def conv(c: Call) -> np.ndarray:
    """The sum over the kernel's places of pixel @ weight[i, j]; padding is zeros."""
    (x,), (weight,) = c.inputs, c.parameters
    padded = pad_or_crop(x, c.layer.pad)
    return sum(np.tensordot(pixels, weight[i, j], 1) for i, j, pixels in taps(c.layer, padded))


def conv_backward(c: Call, gradient: np.ndarray) -> Gradients:
    """Each place of the kernel sends its share back to the pixels it read."""
    (x,), (weight,) = c.inputs, c.parameters
    padded = pad_or_crop(x, c.layer.pad)
    to_padded, to_weight = np.zeros_like(padded), np.zeros_like(weight)
    for i, j, pixels in taps(c.layer, padded):
        to_weight[i, j] = np.tensordot(pixels, gradient, ([0, 1, 2], [0, 1, 2]))
    for i, j, pixels in taps(c.layer, to_padded):
        pixels += np.tensordot(gradient, weight[i, j].T, 1)
    return [pad_or_crop(to_padded, _minus(c.layer.pad))], [to_weight]


def depthwise(c: Call) -> np.ndarray:
    """As conv, but channel k reads channel k only: pixel * weight[i, j]."""
    (x,), (weight,) = c.inputs, c.parameters
    padded = pad_or_crop(x, c.layer.pad)
    return sum(pixels * weight[i, j] for i, j, pixels in taps(c.layer, padded))


def depthwise_backward(c: Call, gradient: np.ndarray) -> Gradients:
    """As conv's."""
    (x,), (weight,) = c.inputs, c.parameters
    padded = pad_or_crop(x, c.layer.pad)
    to_padded, to_weight = np.zeros_like(padded), np.zeros_like(weight)
    for i, j, pixels in taps(c.layer, padded):
        to_weight[i, j] = (pixels * gradient).sum((0, 1, 2))
    for i, j, pixels in taps(c.layer, to_padded):
        pixels += gradient * weight[i, j]
    return [pad_or_crop(to_padded, _minus(c.layer.pad))], [to_weight]


def batch_moments(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and biased variance of each channel, (c,) each."""
    return x.mean((0, 1, 2)), x.var((0, 1, 2))


def batch_norm(c: Call) -> np.ndarray:
    """Returns gamma * (x - mean) / sqrt(variance + epsilon) + beta (Ioffe and Szegedy, 2015).

    Mean and biased variance of the batch in training, else the running ones.
    """
    (x,), (gamma, beta) = c.inputs, c.parameters
    mean, variance = batch_moments(x) if c.training else c.statistics
    return gamma * (x - mean) / np.sqrt(variance + c.layer.epsilon) + beta


def batch_norm_backward(c: Call, gradient: np.ndarray) -> Gradients:
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


def max_pool(c: Call) -> np.ndarray:
    """The largest value of each window; padding never wins; 0 where there is nothing else."""
    padded = pad_or_crop(c.inputs[0], c.layer.pad, -np.inf)
    largest = np.max([pixels for _, _, pixels in taps(c.layer, padded)], axis=0)
    return np.where(_pixels_in_windows(c) > 0, largest, 0)


def max_pool_backward(c: Call, gradient: np.ndarray) -> Gradients:
    """The gradient goes to a window's first largest value, rows first, then columns."""
    padded = pad_or_crop(c.inputs[0], c.layer.pad, -np.inf)
    winner = np.argmax([pixels for _, _, pixels in taps(c.layer, padded)], axis=0)
    to_padded = np.zeros_like(padded)
    for place, (_, _, pixels) in enumerate(taps(c.layer, to_padded)):
        pixels += gradient * (winner == place)
    return [pad_or_crop(to_padded, _minus(c.layer.pad))], []


def min_pool(c: Call) -> np.ndarray:
    """The smallest value of each window: minus the largest of -x."""
    return -max_pool(_negated(c))


def min_pool_backward(c: Call, gradient: np.ndarray) -> Gradients:
    """The two signs cancel."""
    return max_pool_backward(_negated(c), gradient)


def _negated(c: Call) -> Call:
    return Call(c.layer, [-c.inputs[0]], c.parameters, c.statistics, c.training, c.mask)


def avg_pool(c: Call) -> np.ndarray:
    """The mean of each window's pixels; padding is not counted; 0 where there is nothing else."""
    padded = pad_or_crop(c.inputs[0], c.layer.pad)
    total = sum(pixels for _, _, pixels in taps(c.layer, padded))
    return total / np.maximum(_pixels_in_windows(c), 1)


def avg_pool_backward(c: Call, gradient: np.ndarray) -> Gradients:
    """Every pixel of a window gets the same share."""
    to_padded = np.zeros_like(pad_or_crop(c.inputs[0], c.layer.pad))
    share = gradient / np.maximum(_pixels_in_windows(c), 1)
    for _, _, pixels in taps(c.layer, to_padded):
        pixels += share
    return [pad_or_crop(to_padded, _minus(c.layer.pad))], []


def _pixels_in_windows(c: Call) -> np.ndarray:
    """How many pixels, not padding, each window has: (1, H', W', 1)."""
    ones = np.ones_like(c.inputs[0][:1, :, :, :1])
    return sum(pixels for _, _, pixels in taps(c.layer, pad_or_crop(ones, c.layer.pad)))


def add(c: Call) -> np.ndarray:
    """The sum of the inputs."""
    return sum(c.inputs)


def add_backward(c: Call, gradient: np.ndarray) -> Gradients:
    """Every input gets the gradient."""
    return [gradient for _ in c.inputs], []


def concat(c: Call) -> np.ndarray:
    """The inputs' channels one after the other."""
    return np.concatenate(c.inputs, axis=3)


def concat_backward(c: Call, gradient: np.ndarray) -> Gradients:
    """Every input gets its channels of the gradient."""
    ends = np.cumsum([x.shape[3] for x in c.inputs])
    return np.split(gradient, ends[:-1], axis=3), []


def first_channels(c: Call) -> np.ndarray:
    """The first channels of the input, as many as the layer's shape has."""
    return c.inputs[0][..., : c.layer.shape[2]]


def first_channels_backward(c: Call, gradient: np.ndarray) -> Gradients:
    """The other channels get 0."""
    to_x = np.zeros_like(c.inputs[0])
    to_x[..., : c.layer.shape[2]] = gradient
    return [to_x], []


def zero(c: Call) -> np.ndarray:
    """Zeros of the layer's shape."""
    x = c.inputs[0]
    return np.zeros((len(x), *c.layer.shape), x.dtype)


def zero_backward(c: Call, gradient: np.ndarray) -> Gradients:
    """The input does not matter."""
    return [np.zeros_like(c.inputs[0])], []


def masked(c: Call) -> np.ndarray:
    """The input times the mask: a factor for each example (drop_path) or value (dropout)."""
    return c.inputs[0] if c.mask is None else c.inputs[0] * _factors(c)


def masked_backward(c: Call, gradient: np.ndarray) -> Gradients:
    """The gradient times the same mask."""
    return [gradient if c.mask is None else gradient * _factors(c)], []


def _factors(c: Call) -> np.ndarray:
    x = c.inputs[0]
    shape = (len(x), 1, 1, 1) if c.layer.kind == "drop_path" else x.shape
    return np.asarray(c.mask, x.dtype).reshape(shape)


def global_pool(c: Call) -> np.ndarray:
    """The mean over all pixels."""
    return c.inputs[0].mean((1, 2), keepdims=True)


def global_pool_backward(c: Call, gradient: np.ndarray) -> Gradients:
    """Every pixel gets the same share."""
    x = c.inputs[0]
    return [np.broadcast_to(gradient / (x.shape[1] * x.shape[2]), x.shape)], []


def linear(c: Call) -> np.ndarray:
    """All values of an example, in the order (H, W, C), @ weight, + bias if there is one."""
    x, (weight, *bias) = c.inputs[0], c.parameters
    return sum(bias, x.reshape(len(x), -1) @ weight)[:, None, None]


def linear_backward(c: Call, gradient: np.ndarray) -> Gradients:
    """As of any matrix product; the bias's is the gradient's sum over the batch."""
    x, (weight, *bias) = c.inputs[0], c.parameters
    gradient = gradient[:, 0, 0]
    to_weight = x.reshape(len(x), -1).T @ gradient
    return [(gradient @ weight.T).reshape(x.shape)], [to_weight, *(gradient.sum(0) for _ in bias)]


Forward = Callable[[Call], np.ndarray]
Backward = Callable[[Call, np.ndarray], Gradients]

# Every kind of `network.KINDS` but "input".
LAYERS: dict[str, tuple[Forward, Backward]] = {
    "relu": (relu, relu_backward),
    "conv": (conv, conv_backward),
    "depthwise": (depthwise, depthwise_backward),
    "batch_norm": (batch_norm, batch_norm_backward),
    "max_pool": (max_pool, max_pool_backward),
    "min_pool": (min_pool, min_pool_backward),
    "avg_pool": (avg_pool, avg_pool_backward),
    "add": (add, add_backward),
    "concat": (concat, concat_backward),
    "slice": (first_channels, first_channels_backward),
    "zero": (zero, zero_backward),
    "drop_path": (masked, masked_backward),
    "dropout": (masked, masked_backward),
    "global_pool": (global_pool, global_pool_backward),
    "linear": (linear, linear_backward),
    "linear_no_bias": (linear, linear_backward),
}


def softmax_cross_entropy(
    logits: np.ndarray, labels: np.ndarray, smoothing: float = 0.0
) -> tuple[float, np.ndarray]:
    """Returns the mean loss of a batch and its gradient.

    The target is 1 - smoothing for the label, plus smoothing / classes for every class (Szegedy et
    al., 2016, section 7; PyTorch's label_smoothing).

    Args:
        logits: (N, classes).
        labels: (N,) integers below `classes`.
        smoothing: in [0, 1).
    """
    count, classes = logits.shape
    shifted = logits - logits.max(1, keepdims=True)
    log_probabilities = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    targets = np.full_like(logits, smoothing / classes)
    targets[np.arange(count), labels] += 1 - smoothing
    loss = -(targets * log_probabilities).sum() / count
    return float(loss), (np.exp(log_probabilities) - targets) / count

"""The functions that `zero.nn.export.numpy` copies into the modules it writes.

Text of this file's functions becomes part of users' files, so they need NumPy only and call only
each other. They compute what `zero.nn.reference` defines, for prediction, in float32.
"""

from __future__ import annotations

import numpy as np


def relu(x):
    """max(x, 0)."""
    return np.maximum(x, 0)


def padded(x, pad, value=0.0):
    """Adds rows and columns of `value` at top, bottom, left, right; negative: cuts them off."""
    top, bottom, left, right = pad
    more = [(0, 0), (max(top, 0), max(bottom, 0)), (max(left, 0), max(right, 0)), (0, 0)]
    rows = slice(max(-top, 0), x.shape[1] - max(-bottom, 0))
    columns = slice(max(-left, 0), x.shape[2] - max(-right, 0))
    return np.pad(x[:, rows, columns], more, constant_values=value)


def places(x, kernel, stride, dilation=1):
    """Yields each place (i, j) of a kernel with the pixels that lie under it, (N, H, W, C)."""
    height, width = ((x.shape[a + 1] - dilation * (kernel[a] - 1) - 1) // stride for a in (0, 1))
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            top, left = i * dilation, j * dilation
            rows = slice(top, top + height * stride + 1, stride)
            yield i, j, x[:, rows, left : left + width * stride + 1 : stride]


def conv(x, weight, bias=0.0, stride=1, dilation=1, pad=(0, 0, 0, 0)):
    """Convolution; weight (kernel height, kernel width, channels in, channels out)."""
    pixels = places(padded(x, pad), weight.shape[:2], stride, dilation)
    return sum(np.tensordot(part, weight[i, j], 1) for i, j, part in pixels) + bias


def depthwise(x, weight, bias=0.0, stride=1, dilation=1, pad=(0, 0, 0, 0)):
    """Convolution of each channel by itself; weight (kernel height, kernel width, channels)."""
    pixels = places(padded(x, pad), weight.shape[:2], stride, dilation)
    return sum(part * weight[i, j] for i, j, part in pixels) + bias


def scale_shift(x, scale, shift):
    """What is left of a batch normalisation after training."""
    return x * scale + shift


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


def add(*xs):
    """Sum of layers."""
    return sum(xs[1:], xs[0])


def concat(*xs):
    """Channels of layers one after the other."""
    return np.concatenate(xs, axis=3)


def first_channels(x, channels):
    """The first channels of a layer."""
    return x[..., :channels]


def zeros(x, shape):
    """Zeros, as many examples as in x."""
    return np.zeros((len(x), *shape), np.float32)


def global_pool(x):
    """Mean over all pixels."""
    return x.mean((1, 2), keepdims=True)


def linear(x, weight, bias=0.0):
    """All values of an example, rows first and channels last, times weight (values in, out)."""
    return (x.reshape(len(x), -1) @ weight + bias)[:, None, None]

"""Windows that slide over an image: what convolutions and pools have in common.

Loops go over a kernel's places, never over pixels.
"""

# mypy: allow-untyped-defs, allow-untyped-calls
# Text that goes into users' files has no annotations.

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from zero.errors import NetworkError
from zero.nn.layers.record import Layer, OnnxGraph, Pad, Shape


def pads_of(
    size: tuple[int, int],
    kernel: tuple[int, int],
    stride: int,
    dilation: int,
    pad: str | Pad,
) -> Pad:
    """Returns the pads of a window over an image of that height and width.

    pad: "same" (TensorFlow's: as many outputs as size / stride, rounded up), "symmetric" (PyTorch's
    padding = dilation * (kernel - 1) / 2), "valid" (none) or (top, bottom, left, right). Raises
    NetworkError for other words.
    """
    found: list[int] = []
    for axis in range(2):
        reach = dilation * (kernel[axis] - 1)
        if pad == "same":
            total = max((-(-size[axis] // stride) - 1) * stride + reach + 1 - size[axis], 0)
            found += [total // 2, total - total // 2]
        elif pad == "symmetric":
            found += [reach // 2, reach // 2]
        elif pad == "valid":
            found += [0, 0]
        elif isinstance(pad, str):
            raise NetworkError(
                f"unknown padding '{pad}'; use same, symmetric, valid or (top, bottom, left, right)"
            )
        else:
            found += pad[2 * axis : 2 * axis + 2]
    top, bottom, left, right = found
    return top, bottom, left, right


def window_size(layer: Layer, shape: Shape) -> tuple[int, int]:
    """Returns height and width of what a window makes of an image; 0 where it does not fit in."""
    sizes = []
    for axis in range(2):
        room = shape[axis] + layer.pad[2 * axis] + layer.pad[2 * axis + 1]
        room -= layer.dilation * (layer.kernel[axis] - 1) + 1
        sizes.append(room // layer.stride + 1 if room >= 0 else 0)
    return sizes[0], sizes[1]


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


def undo_pad(x: np.ndarray, pad: Pad) -> np.ndarray:
    """Returns x as it was before `pad_or_crop`, with zeros for what was cropped."""
    top, bottom, left, right = pad
    return pad_or_crop(x, (-top, -bottom, -left, -right))


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


# --- in exported modules: copied as text, see `record.NumpyWriter` ------------------------------


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


# --- in ONNX ------------------------------------------------------------------------------------


def cropped(graph: OnnxGraph, layer: Layer, x: str, shape: Shape) -> tuple[str, list[int]]:
    """Returns x without the rows and columns that negative pads cut off, and ONNX's pads."""
    top, bottom, left, right = layer.pad
    if min(layer.pad) < 0:
        starts = graph.integers(max(-top, 0), max(-left, 0))
        ends = graph.integers(shape[0] - max(-bottom, 0), shape[1] - max(-right, 0))
        x = graph.node("Slice", x, starts, ends, graph.integers(2, 3))
    return x, [max(p, 0) for p in (top, left, bottom, right)]

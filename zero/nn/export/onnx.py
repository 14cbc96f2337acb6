"""A trained network as an ONNX model, for onnxruntime and everything else that reads ONNX.

Input "images": float32 (N, height, width, channels), pixel values as in the images the network was
trained on; normalisation and the change to ONNX's channels-first order are in the graph. Output
"logits": float32 (N, classes); the class with the largest is the answer. N is free. Class names,
genome and notes are in the model's metadata.

Batch norms are folded into convolutions where possible, see `zero.nn.export.inference`. `WRITERS` has one
function for each kind of layer. The onnx package is imported where it is used.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np

from zero.errors import DeviceError, NetworkError
from zero.nn.export.inference import Step, inference_steps
from zero.nn.network import Layer, Network

# Nothing here needs a newer opset than 13. With 15 goes IR 8, which runtimes have read since 2021, and
# a definition of batch normalisation that leaves no doubt whether it is in training.
OLDEST_OPSET, OPSET, NEWEST_OPSET = 13, 15, 21
MOST_BYTES = 2**31 - 2**20  # one ONNX file holds 2 GiB


def to_onnx(
    network: Network,
    parameters: np.ndarray,
    statistics: np.ndarray,
    mean: np.ndarray,
    std: np.ndarray,
    classes: tuple[str, ...],
    notes: dict[str, str] | None = None,
    opset: int = OPSET,
) -> bytes:
    """Returns the model's file content; equal arguments give equal bytes.

    Args:
        network: with or without its auxiliary head, which is left out.
        parameters: (n,) flat; the auxiliary head's at the end may be missing.
        statistics: (m,) flat, likewise.
        mean: (channels,); the network sees (pixel - mean) / std.
        std: (channels,), above 0.
        classes: a name for each label.
        notes: further metadata, such as the genome.
        opset: version of ONNX's operators, from `OLDEST_OPSET` to `NEWEST_OPSET`; the IR version is the
            oldest that goes with it.

    Raises:
        NetworkError: another opset; arrays that do not fit, or a model too large for an ONNX file.
        DeviceError: the onnx package is not installed.
    """
    try:
        import onnx
    except ImportError as error:
        raise DeviceError(
            "writing ONNX needs the onnx package: pip install 'zero-discovery[export]'"
        ) from error
    if not OLDEST_OPSET <= opset <= NEWEST_OPSET:
        raise NetworkError(f"opset {opset}: it must be from {OLDEST_OPSET} to {NEWEST_OPSET}")
    if 4 * parameters.size > MOST_BYTES:
        raise NetworkError(
            f"{parameters.size} parameters are more than an ONNX file can hold; "
            "export with --format numpy"
        )
    steps, output = inference_steps(network, parameters, statistics)
    graph = _Graph(onnx, steps)
    height, width, channels = steps[0].layer.shape
    graph.tensors[0] = graph.normalised("images", mean, std)
    for index, step in steps.items():
        if index:
            inputs = [graph.tensors[i] for i in step.inputs]
            graph.tensors[index] = WRITERS[step.layer.kind](graph, step, inputs)
    graph.node("Flatten", graph.tensors[output], to="logits", axis=1)

    helper, float32 = onnx.helper, onnx.TensorProto.FLOAT
    versions = [helper.make_opsetid("", opset)]
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "network",
            [helper.make_tensor_value_info("images", float32, ["N", height, width, channels])],
            [helper.make_tensor_value_info("logits", float32, ["N", network.classes])],
            list(graph.initializers.values()),
        ),
        producer_name="zero",
        ir_version=helper.find_min_ir_version_for(versions),
        opset_imports=versions,
    )
    names = json.dumps(list(classes), ensure_ascii=False)
    for key, value in sorted(({**(notes or {}), "classes": names}).items()):
        model.metadata_props.add(key=key, value=value)
    return model.SerializeToString(deterministic=True)


class _Graph:
    """Nodes and constants as they are added; `tensors` names each step's (N, C, H, W) output."""

    def __init__(self, onnx: Any, steps: dict[int, Step]):
        self.onnx, self.steps = onnx, steps
        self.nodes: list[Any] = []
        self.initializers: dict[str, Any] = {}
        self.tensors: dict[int, str] = {}
        self._names = {"images", "logits"} | {step.layer.name for step in steps.values()}

    def node(self, op: str, *inputs: str, to: str | None = None, **attributes: Any) -> str:
        """Adds a node; returns its output's name: `to`, or a new one."""
        name = to or self._new_name(op)
        self.nodes.append(self.onnx.helper.make_node(op, inputs, [name], name=name, **attributes))
        return name

    def constant(self, name: str, values: Any, dtype: type = np.float32) -> str:
        """Adds an array; returns its name, which is `name`."""
        if name not in self.initializers:
            array = np.ascontiguousarray(values, dtype)
            self.initializers[name] = self.onnx.numpy_helper.from_array(array, name)
        return name

    def integers(self, *values: int) -> str:
        """Returns the name of an int64 vector; equal ones are the same."""
        return self.constant("int_" + "_".join(str(v) for v in values), values, np.int64)

    def normalised(self, images: str, mean: np.ndarray, std: np.ndarray) -> str:
        centred = self.node("Sub", images, self.constant("mean", mean))
        scaled = self.node("Div", centred, self.constant("std", std))
        return self.node("Transpose", scaled, to="input", perm=[0, 3, 1, 2])

    def cropped(self, layer: Layer, x: str, shape: tuple[int, int, int]) -> tuple[str, list[int]]:
        """Returns x without the rows and columns that negative pads cut off, and ONNX's pads."""
        top, bottom, left, right = layer.pad
        if min(layer.pad) < 0:
            starts = self.integers(max(-top, 0), max(-left, 0))
            ends = self.integers(shape[0] - max(-bottom, 0), shape[1] - max(-right, 0))
            x = self.node("Slice", x, starts, ends, self.integers(2, 3))
        return x, [max(p, 0) for p in (top, left, bottom, right)]

    def shape_read(self, step: Step) -> tuple[int, int, int]:
        return self.steps[step.inputs[0]].layer.shape

    def _new_name(self, op: str) -> str:
        number = 1
        while f"{op}_{number}" in self._names:
            number += 1
        self._names.add(f"{op}_{number}")
        return f"{op}_{number}"


def _simple(op: str, **attributes: Any) -> Callable[[_Graph, Step, list[str]], str]:
    return lambda graph, step, inputs: graph.node(op, *inputs, to=step.layer.name, **attributes)


def _convolution(graph: _Graph, step: Step, inputs: list[str]) -> str:
    layer, weight = step.layer, step.arrays["weight"]
    groups = 1
    if layer.kind == "depthwise":
        weight, groups = weight[:, :, None, :], layer.shape[2]
    x, pads = graph.cropped(layer, inputs[0], graph.shape_read(step))
    arrays = [graph.constant(f"{layer.name}/weight", weight.transpose(3, 2, 0, 1))]
    if "bias" in step.arrays:
        arrays.append(graph.constant(f"{layer.name}/bias", step.arrays["bias"]))
    return graph.node(
        "Conv", x, *arrays, to=layer.name, kernel_shape=layer.kernel, group=groups, pads=pads,
        strides=[layer.stride] * 2, dilations=[layer.dilation] * 2,
    )  # fmt: skip


def _pool(graph: _Graph, step: Step, inputs: list[str]) -> str:
    layer = step.layer
    x, pads = graph.cropped(layer, inputs[0], graph.shape_read(step))
    window = {"kernel_shape": layer.kernel, "strides": [layer.stride] * 2, "pads": pads}
    if layer.kind == "avg_pool":
        return graph.node("AveragePool", x, to=layer.name, count_include_pad=0, **window)
    if layer.kind == "max_pool":
        return graph.node("MaxPool", x, to=layer.name, **window)
    largest = graph.node("MaxPool", graph.node("Neg", x), **window)
    return graph.node("Neg", largest, to=layer.name)


def _batch_norm(graph: _Graph, step: Step, inputs: list[str]) -> str:
    name = step.layer.name
    roles = ("gamma", "beta", "mean", "variance")
    arrays = [graph.constant(f"{name}/{role}", step.arrays[role]) for role in roles]
    epsilon = step.layer.epsilon
    return graph.node("BatchNormalization", *inputs, *arrays, to=name, epsilon=epsilon)


def _add(graph: _Graph, step: Step, inputs: list[str]) -> str:
    return graph.node("Add" if len(inputs) == 2 else "Sum", *inputs, to=step.layer.name)


def _slice(graph: _Graph, step: Step, inputs: list[str]) -> str:
    first, end, axis = (graph.integers(n) for n in (0, step.layer.shape[2], 1))
    return graph.node("Slice", *inputs, first, end, axis, to=step.layer.name)


def _zero(graph: _Graph, step: Step, inputs: list[str]) -> str:
    height, width, channels = step.layer.shape
    first, end = graph.integers(0), graph.integers(1)
    count = graph.node("Slice", graph.node("Shape", *inputs), first, end, first)
    shape = graph.node("Concat", count, graph.integers(channels, height, width), axis=0)
    return graph.node("ConstantOfShape", shape, to=step.layer.name)


def _linear(graph: _Graph, step: Step, inputs: list[str]) -> str:
    name, weight = step.layer.name, step.arrays["weight"]
    height, width, channels = graph.shape_read(step)
    # Rows of the weight are in the order of (H, W, C), the values here in that of (C, H, W).
    rows = np.arange(len(weight)).reshape(height, width, channels).transpose(2, 0, 1).ravel()
    arrays = [graph.constant(f"{name}/weight", weight[rows])]
    if "bias" in step.arrays:
        arrays.append(graph.constant(f"{name}/bias", step.arrays["bias"]))
    product = graph.node("Gemm", graph.node("Flatten", *inputs, axis=1), *arrays)
    return graph.node("Unsqueeze", product, graph.integers(2, 3), to=name)


WRITERS: dict[str, Callable[[_Graph, Step, list[str]], str]] = {
    "relu": _simple("Relu"),
    "conv": _convolution,
    "depthwise": _convolution,
    "batch_norm": _batch_norm,
    "max_pool": _pool,
    "min_pool": _pool,
    "avg_pool": _pool,
    "add": _add,
    "concat": _simple("Concat", axis=1),
    "slice": _slice,
    "zero": _zero,
    "global_pool": _simple("GlobalAveragePool"),
    "linear": _linear,
    "linear_no_bias": _linear,
}

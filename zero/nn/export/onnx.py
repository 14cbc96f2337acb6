"""A trained network as an ONNX model, for onnxruntime and everything else that reads ONNX.

Input "images": float32 (N, height, width, channels), pixel values as in the images the network was
trained on; normalisation and the change to ONNX's channels-first order are in the graph. Output
"logits": float32 (N, classes); the class with the largest is the answer. N is free. Class names,
genome and notes are in the model's metadata; the range of pixel values is in the input's text.

Batch norms are folded into convolutions where possible, see `zero.nn.export.inference`. How a
layer is written stands in its record. The onnx package is imported where it is used.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from zero.data.preparation import Preparation
from zero.errors import DeviceError, NetworkError
from zero.nn.export.inference import inference_steps
from zero.nn.layers import LAYER_KINDS
from zero.nn.layers.record import PredictionStep, Shape
from zero.nn.network import Network

# Nothing here needs a newer opset than 13. With 15 goes IR 8, which runtimes have read since 2021.
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
    preparation: Preparation | None = None,
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
        preparation: what images went through; the model's text says which pixel values they had, which no
            operator can check.

    Raises:
        NetworkError: another opset; arrays that do not fit, a kind of layer that has no such export, or a
            model too large for an ONNX file.
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
            graph.tensors[index] = _write(graph, step, inputs)
    graph.node("Flatten", graph.tensors[output], to="logits", axis=1)

    values = _values_text(preparation)
    helper, float32 = onnx.helper, onnx.TensorProto.FLOAT
    versions = [helper.make_opsetid("", opset)]
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "network",
            [
                helper.make_tensor_value_info(
                    "images", float32, ["N", height, width, channels], doc_string=values
                )
            ],
            [helper.make_tensor_value_info("logits", float32, ["N", network.classes])],
            list(graph.initializers.values()),
        ),
        producer_name="zero",
        doc_string=f"images: (N, {height}, {width}, {channels}) float32, {values} They are normalised "
        "in the graph. logits: (N, classes); metadata has the classes in this order, and what images "
        "went through in training.",
        ir_version=helper.find_min_ir_version_for(versions),
        opset_imports=versions,
    )
    names = json.dumps(list(classes), ensure_ascii=False)
    for key, value in sorted(({**(notes or {}), "classes": names}).items()):
        model.metadata_props.add(key=key, value=value)
    return model.SerializeToString(deterministic=True)


def _values_text(preparation: Preparation | None) -> str:
    """Returns which pixel values the input has, in words."""
    if preparation is None:
        return "pixel values as in the images of training."
    low, high = preparation.low, preparation.high
    return (
        f"pixel values from {low:g} to {high:g} as in training, which is not checked: on another scale, "
        "answers are wrong."
    )


class _Graph:
    """An `OnnxGraph`: nodes and constants as they are added; `tensors` names each step's output."""

    def __init__(self, onnx: Any, steps: dict[int, PredictionStep]):
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
            array: np.ndarray = np.ascontiguousarray(values, dtype)
            self.initializers[name] = self.onnx.numpy_helper.from_array(array, name)
        return name

    def integers(self, *values: int) -> str:
        """Returns the name of an int64 vector; equal ones are the same."""
        return self.constant("int_" + "_".join(str(v) for v in values), values, np.int64)

    def normalised(self, images: str, mean: np.ndarray, std: np.ndarray) -> str:
        centred = self.node("Sub", images, self.constant("mean", mean))
        scaled = self.node("Div", centred, self.constant("std", std))
        return self.node("Transpose", scaled, to="input", perm=[0, 3, 1, 2])

    def shape_read(self, step: PredictionStep) -> Shape:
        """Returns the shape of a step's first input."""
        return self.steps[step.inputs[0]].layer.shape

    def _new_name(self, op: str) -> str:
        number = 1
        while f"{op}_{number}" in self._names:
            number += 1
        self._names.add(f"{op}_{number}")
        return f"{op}_{number}"


def _write(graph: _Graph, step: PredictionStep, inputs: list[str]) -> str:
    kind = LAYER_KINDS[step.layer.kind]
    if kind.onnx is None:
        raise NetworkError(
            f"layer '{step.layer.name}': '{kind.name}' ({kind.description}) has no export to ONNX"
        )
    return kind.onnx(graph, step, inputs)

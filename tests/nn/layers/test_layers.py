"""Every kind of layer is whole: its record, what it costs, what each backend and export makes of it."""

import ast
import importlib.util
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import nn_cases as cases
import numpy as np
import pytest

from zero.cells.cost import cost_of
from zero.cells.drawing.svg import FAMILIES
from zero.data.images import ImageSettings, load_images
from zero.errors import NetworkError
from zero.nn import layers, make_model
from zero.nn.cpu.fusion import PLANNERS
from zero.nn.cpu.model import CpuModel
from zero.nn.export.numpy import to_numpy
from zero.nn.export.onnx import to_onnx
from zero.nn.layers import LAYER_KINDS
from zero.nn.layers.record import (
    CpuRole,
    LayerKind,
    MaskOf,
    NumpyWriter,
    Prediction,
    Trainable,
    call_text,
    he_normal,
    same_shape,
    weights_text,
)
from zero.nn.masks import masked_layers
from zero.nn.network import Builder
from zero.nn.reference import ReferenceModel
from zero.nn.saved import load_network, save_network
from zero.nn.train import train
from zero.nn.train_settings import TrainSettings
from zero.nn.weights import initial_parameters

# What a kind does not have, and why. A new kind needs none of these, or its reason here.
EXCEPTIONS = {
    ("input", "onnx"): "step 0 of every export; what normalises the images makes it",
    ("input", "numpy"): "as in ONNX",
    ("drop_path", "onnx"): "hands its input on in prediction",
    ("drop_path", "numpy"): "hands its input on in prediction",
    ("dropout", "onnx"): "hands its input on in prediction",
    ("dropout", "numpy"): "hands its input on in prediction",
}

# A network of each kind but for the head: (builder, layer of 6 x 5 x 8) -> layer.
SMALL = {
    "input": lambda b, x: b.add(x, b.conv(0, 8)),
    "relu": lambda b, x: b.relu(x),
    "relu6": lambda b, x: b.add_layer("relu6", x),
    "sigmoid": lambda b, x: b.add_layer("sigmoid", x),
    "hard_sigmoid": lambda b, x: b.add_layer("hard_sigmoid", x),
    "swish": lambda b, x: b.add_layer("swish", x),
    "h_swish": lambda b, x: b.add_layer("h_swish", x),
    "scale_channels": lambda b, x: b.add_layer("scale_channels", x, b.global_pool(b.conv(x, 8))),
    "conv": lambda b, x: b.conv(x, 5, 3),
    "depthwise": lambda b, x: b.depthwise(x, 3, 2),
    "batch_norm": lambda b, x: b.batch_norm(b.relu(x)),
    "max_pool": lambda b, x: b.pool("max", x, 3),
    "min_pool": lambda b, x: b.pool("min", x, 3, 2),
    "avg_pool": lambda b, x: b.pool("avg", x, 3),
    "add": lambda b, x: b.add(x, b.relu(x)),
    "concat": lambda b, x: b.concat(x, b.conv(x, 3)),
    "slice": lambda b, x: b.first_channels(x, 3),
    "zero": lambda b, x: b.concat(b.zero(x, (6, 5, 2)), x),
    "drop_path": lambda b, x: b.drop_path(x, 0.5),
    "dropout": lambda b, x: b.dropout(x, 0.5),
    "global_pool": lambda b, x: b.global_pool(x),
    "linear": lambda b, x: b.linear(x, 4),
    "linear_no_bias": lambda b, x: b.linear(x, 4, bias=False),
}
CLASSES = ("a", "b", "c", "d")
MEAN, STD = np.array([0.5, -1.0, 0.0], np.float32), np.array([2.0, 1.0, 3.0], np.float32)


def small(kind, inside=False):
    """Returns a network in which the kind stands; inside: never as the output."""
    b = Builder((6, 5, 3))
    x = SMALL[kind](b, b.conv(0, 8, 3))
    is_output = b.shape(x) == (1, 1, 4) and not inside
    return b.network(x if is_output else b.linear(b.relu(x), 4, bias=False))


def excepted(kind, *whats):
    return any((kind, what) in EXCEPTIONS for what in whats)


def test_there_is_a_network_of_every_kind():
    assert set(SMALL) == set(LAYER_KINDS)
    for kind in LAYER_KINDS:
        assert kind in {layer.kind for layer in small(kind).layers}


@pytest.mark.parametrize("name", LAYER_KINDS)
def test_a_record_is_whole(name):
    kind = LAYER_KINDS[name]
    assert kind.name == name and kind.description
    for what in ("cpu", "onnx", "numpy"):
        assert (getattr(kind, what) is None) == excepted(name, what), f"{name}: {what}"
    assert kind.drawn_as in (None, *FAMILIES)


def test_exceptions_are_about_kinds_that_there_are():
    assert {kind for kind, _ in EXCEPTIONS} <= set(LAYER_KINDS)
    assert {what for _, what in EXCEPTIONS} == {"onnx", "numpy"}


def test_every_role_is_served_and_used():
    kinds = LAYER_KINDS.values()
    assert set(PLANNERS) == set(CpuRole) == {kind.cpu for kind in kinds}
    assert {kind.prediction for kind in kinds} == set(Prediction)
    assert {kind.mask for kind in kinds} == {None, *MaskOf}


@pytest.mark.parametrize("make", [make for _, make in cases.NETWORKS[::3]])
def test_counts_are_those_of_the_arrays(make):
    network = make()
    images, _ = cases.some_batch(network, 2)
    # Drop path is off, which leaves its input as it is.
    dropouts = masked_layers(network, MaskOf.VALUE)
    masks = {i: np.full((2, math.prod(layer.shape)), 0.5) for i, layer in dropouts}
    values = ReferenceModel(network, 2).activations(images, True, masks)
    learnt, products = 0, 0
    for index, (layer, value) in enumerate(zip(network.layers, values, strict=True)):
        kind, read = LAYER_KINDS[layer.kind], network.input_shapes(index)
        assert value.shape == (2, *layer.shape) and kind.shape(layer, read) == layer.shape
        assert kind.view == any(np.shares_memory(value, values[i]) for i in layer.inputs)
        arrays = {p.role: np.zeros(p.shape) for p in kind.parameters(layer, read)}
        own = sum(array.size for array in arrays.values())
        # Each weight takes part in one product for each pixel that is made.
        multiplied = arrays.get("weight", np.zeros(0)).size * layer.shape[0] * layer.shape[1]
        assert kind.multiply_adds(layer, read) == multiplied, layer.name
        if index <= network.output:
            learnt, products = learnt + own, products + multiplied
    assert (network.num_parameters, network.multiply_adds) == (learnt, products)


@pytest.mark.parametrize("kind", LAYER_KINDS)
def test_the_backend_cpu_agrees(kind):
    cases.check_model_agrees(CpuModel, small(kind), 2e-4)
    cases.check_model_agrees(CpuModel, small(kind, inside=True), 2e-4)


def logits_of(network, images):
    model = ReferenceModel(network, 4)
    model.parameters[:], model.statistics[:] = cases.recorded_start(network)
    return model.predict((images.astype(np.float64) - MEAN) / STD)


def numpy_logits(network, images, folder):
    start = cases.recorded_start(network)
    source, weights = to_numpy(network, *start, MEAN, STD, CLASSES, "model.npz")
    (folder / "model.py").write_text(source, encoding="utf-8")
    (folder / "model.npz").write_bytes(weights)
    spec = importlib.util.spec_from_file_location("model", folder / "model.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.predict(images)


def onnx_logits(network, images):
    onnx = pytest.importorskip("onnx")
    from onnx.reference import ReferenceEvaluator

    model = onnx.load_from_string(
        to_onnx(network, *cases.recorded_start(network), MEAN, STD, CLASSES)
    )
    onnx.checker.check_model(model, full_check=True)
    return ReferenceEvaluator(model).run(None, {"images": images})[0]


@pytest.mark.parametrize("kind", LAYER_KINDS)
def test_the_exports_agree(kind, tmp_path):
    network = small(kind)
    images = cases.some_batch(network, 3)[0].astype(np.float32)
    wanted = logits_of(network, images)
    assert cases.difference(numpy_logits(network, images, tmp_path), wanted) < 1e-5
    assert cases.difference(onnx_logits(network, images), wanted) < 1e-5


def test_records_need_neither_backends_nor_what_they_export_to():
    folder = Path(layers.__file__).parent
    for path in folder.glob("*.py"):
        tree = ast.parse(path.read_text())
        found = {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
        found |= {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
        ours = {name for name in found if name.startswith("zero")}
        assert all(name == "zero.errors" or "zero.nn.layers" in name for name in ours), path.name
    heavy = {"numba", "llvmlite", "onnx", "scipy", "sklearn", "h5py", "pydantic"}
    code = f"import sys, zero.nn.network; print(sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


# --- a kind of one's own: nothing but a record --------------------------------------------------


def scaled_square(x, factor):
    """Each value times itself and its channel's factor."""
    return x * x * factor


def _forward(c):
    (x,), (factor,) = c.inputs, c.parameters
    return x * x * factor


def _backward(c, gradient):
    (x,), (factor,) = c.inputs, c.parameters
    return [2 * x * factor * gradient], [(gradient * x * x).sum((0, 1, 2))]


def _onnx(graph, step, inputs):
    factor = step.arrays["factor"][:, None, None]
    factor = graph.constant(f"{step.layer.name}/factor", factor)
    return graph.node("Mul", graph.node("Mul", *inputs, *inputs), factor, to=step.layer.name)


SQUARE = LayerKind(
    "square",
    "x * x * factor",
    shape=same_shape,
    forward=_forward,
    backward=_backward,
    parameters=lambda layer, inputs: [Trainable("factor", inputs[0][2:], he_normal(2))],
    onnx=_onnx,
    numpy=NumpyWriter(
        lambda layer, xs: call_text(scaled_square, xs[0], weights_text(layer)), (scaled_square,)
    ),
)


@pytest.fixture
def square(monkeypatch):
    """Registers the kind, and returns what makes a network with it."""
    monkeypatch.setitem(LAYER_KINDS, "square", SQUARE)

    def make(shape=(6, 5, 3), classes=4):
        b = Builder(shape)
        with b.scope("own"):
            x = b.add_layer("square", b.batch_norm(b.conv(0, 8, 3)))
        return b.network(b.linear(x, classes))

    return make


def test_a_kind_of_one_s_own_is_counted_and_kept(square, tmp_path):
    network = square()
    assert [p.name for p in network.parameters][3] == "own/square/factor"
    assert network.num_parameters == 27 * 8 + 2 * 8 + 8 + 240 * 4 + 4
    assert cost_of(network).multiply_adds == 30 * 27 * 8 + 240 * 4
    parameters, statistics = cases.recorded_start(network)
    shape = network.layers[0].shape
    values = (parameters, statistics)
    save_network(tmp_path / "a.h5", "", {}, shape, CLASSES, MEAN, STD, *values, network=network)
    assert load_network(tmp_path / "a.h5").network == network


def test_a_kind_of_one_s_own_has_right_gradients_and_learns(square):
    network = square()
    cases.check_gradients(cases.layer_call(network.layers[:4]))
    data = load_images(ImageSettings(train=400, valid=100, test=100))
    network = square((8, 8, 1), 10)
    settings = TrainSettings(epochs=4, batch=20, learning_rate=0.02)
    result = train(network, data, settings, 0, "reference")
    assert result.valid_accuracy > 0.5
    factor = network.parameters[3]
    place = slice(factor.start, factor.start + factor.size)
    start = initial_parameters(network, 0)[place]
    assert start.std() > 0.3 and np.abs(result.parameters[place] - start).min() > 1e-4


def test_a_kind_of_one_s_own_is_exported(square, tmp_path):
    network = square()
    images = cases.some_batch(network, 3)[0].astype(np.float32)
    wanted = logits_of(network, images)
    assert cases.difference(numpy_logits(network, images, tmp_path), wanted) < 1e-5
    assert cases.difference(onnx_logits(network, images), wanted) < 1e-5


def test_what_a_kind_does_not_have_is_reported_in_a_line(square, monkeypatch):
    network = square()
    message = (
        r"layer 'own/square': backend cpu has no 'square' \(x \* x \* factor\); use backend ref"
    )
    with pytest.raises(NetworkError, match=message):
        make_model(network, 4)
    monkeypatch.setitem(LAYER_KINDS, "square", replace(SQUARE, onnx=None, numpy=None))
    start = cases.recorded_start(network)
    with pytest.raises(NetworkError, match=r"'own/square': .* has no export to NumPy"):
        to_numpy(network, *start, MEAN, STD, CLASSES, "model.npz")
    pytest.importorskip("onnx")
    with pytest.raises(NetworkError, match=r"'own/square': .* has no export to ONNX"):
        to_onnx(network, *start, MEAN, STD, CLASSES)


def test_unknown_kinds_are_reported_in_a_line():
    with pytest.raises(NetworkError, match=r"unknown kind of layer 'rellu'.*did you mean 'relu'"):
        Builder((4, 4, 3)).add_layer("rellu", 0)

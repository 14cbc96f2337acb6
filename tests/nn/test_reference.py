"""The definition of the layers: gradients against central differences, values against hand-made ones."""

import itertools
from dataclasses import replace

import nn_cases as cases
import numpy as np
import pytest

from zero.errors import DeviceError, NetworkError
from zero.nn import make_model
from zero.nn.layers import LAYER_KINDS
from zero.nn.loss import softmax_cross_entropy
from zero.nn.network import Builder
from zero.nn.reference import ReferenceModel

SHAPE = (5, 7, 3)


def _one_layer(shape, body):
    """Returns the layers of a network that ends with the layer to test."""
    b = Builder(shape)
    body(b)
    return b.layers


def _layer_cases():
    """Yields (kind, name, layers); the last layer is tested on inputs of its inputs' shapes."""
    for name, (kernel, stride, dilation, pad, image) in cases.WINDOWS.items():
        shape, window = (*image, 3), (kernel, stride, dilation, pad)
        yield "conv", name, _one_layer(shape, lambda b, w=window: b.conv(0, 4, *w))
        yield "depthwise", name, _one_layer(shape, lambda b, w=window: b.depthwise(0, *w))
        if dilation == 1:
            for kind in ("max", "min", "avg"):
                window = (kind, 0, kernel, stride, pad)
                layers = _one_layer(shape, lambda b, w=window: b.pool(*w))
                yield f"{kind}_pool", name, layers

    def three(b, make):
        make(b.conv(0, 3), b.conv(0, 3), b.conv(0, 3))

    plain = {
        "relu": lambda b: b.relu(0),
        "relu6": lambda b: b.add_layer("relu6", 0),
        "sigmoid": lambda b: b.add_layer("sigmoid", 0),
        "hard_sigmoid": lambda b: b.add_layer("hard_sigmoid", 0),
        "swish": lambda b: b.add_layer("swish", 0),
        "h_swish": lambda b: b.add_layer("h_swish", 0),
        "scale_channels": lambda b: b.add_layer("scale_channels", 0, b.global_pool(0)),
        "batch_norm": lambda b: b.batch_norm(0),
        "add": lambda b: three(b, b.add),
        "concat": lambda b: b.concat(b.conv(0, 2), b.conv(0, 5), b.conv(0, 1)),
        "slice": lambda b: b.first_channels(0, 2),
        "zero": lambda b: b.zero(0, (3, 4, 2)),
        "drop_path": lambda b: b.drop_path(0, 1.0),
        "dropout": lambda b: b.dropout(0, 0.5),
        "global_pool": lambda b: b.global_pool(0),
        "linear": lambda b: b.linear(0, 4),
        "linear_no_bias": lambda b: b.linear(0, 4, bias=False),
    }
    for kind, body in plain.items():
        yield kind, "5x7", _one_layer(SHAPE, body)
        yield kind, "one_pixel", _one_layer((1, 1, 3), body)


LAYER_CASES = list(_layer_cases())


@pytest.mark.parametrize(
    "kind, name, layers", LAYER_CASES, ids=lambda x: x if type(x) is str else ""
)
def test_gradients_of_a_layer_are_its_central_differences(kind, name, layers):
    cases.check_gradients(cases.layer_call(layers))


def test_every_kind_of_layer_is_defined_and_has_a_gradient_case():
    kinds = set(LAYER_KINDS) - {"input"}
    assert {kind for kind, _, _ in LAYER_CASES} == kinds
    assert {layers[-1].kind for _, _, layers in LAYER_CASES} == kinds


def test_the_cases_for_all_backends_hold_every_kind_and_every_channel_count():
    networks = [make() for _, make in cases.NETWORKS]
    assert {layer.kind for n in networks for layer in n.layers} == set(LAYER_KINDS)
    channels = {layer.shape[2] for n in networks for layer in n.layers if layer.kind == "depthwise"}
    assert channels >= set(cases.CHANNELS)
    assert len({name for name, _ in cases.NETWORKS}) == len(networks) > 100


def _slopes_and_gradient(network):
    """Returns the loss's slope along a random line of the parameters, by differences and gradient.

    A ReLU or max pool that switches within a step spoils the difference, so there is a second and
    a third one, with smaller steps.
    """
    model = ReferenceModel(network, 4)
    model.parameters[:] = start = cases.some_parameters(network)
    masks = cases.some_masks(network, 4)
    images, labels = cases.clear_batch(model, 4, masks, enough=1e-6)
    line = cases.normal(start.shape, "line")

    def loss(step):
        model.parameters[:] = start + step * line
        return model.train_step(images, labels, masks, 0.1, 0.4)[0]

    slopes = [(loss(step) - loss(-step)) / (2 * step) for step in (1e-6, 1e-7, 1e-8)]
    loss(0.0)
    return slopes, float(model.gradients @ line)


ALL = cases.NETWORKS + cases.CELLS


@pytest.mark.parametrize("name, make", ALL, ids=[name for name, _ in ALL])
def test_gradients_of_whole_networks_are_their_central_differences(name, make):
    slopes, gradient = _slopes_and_gradient(make())
    assert any(s == pytest.approx(gradient, rel=1e-5, abs=1e-7) for s in slopes), slopes


def _network(shape, body):
    b = Builder(shape)
    return b.network(body(b))


def _image(rows):
    return np.array(rows, float)[None, :, :, None]


def _pooled(kind, rows, *window):
    network = _network(
        (len(rows), len(rows[0]), 1), lambda b: b.linear(b.pool(kind, 0, *window), 1)
    )
    return ReferenceModel(network, 1).activations(_image(rows))[1][0, :, :, 0].tolist()


def test_pools_by_hand():
    rows = [[-1, -2, -3], [-4, -5, -6]]
    assert _pooled("max", rows, 3) == [[-1, -1, -2], [-1, -1, -2]]
    assert _pooled("min", [[1, 2, 3], [4, 5, 6]], 3) == [[1, 1, 2], [1, 1, 2]]
    assert _pooled("avg", [[1, 2, 3], [4, 5, 6]], 3) == [[3, 3.5, 4], [3, 3.5, 4]]
    assert _pooled("avg", [[2, 4], [6, 8]], 2, 2, "valid") == [[5]]
    # Windows of padding alone: the last row and column are outside the image.
    shifted = ("avg", [[1, 2, 3], [4, 5, 6], [7, 8, 9]], 1, 2, (-1, 1, -1, 1))
    assert _pooled(*shifted) == [[5, 0], [0, 0]]
    assert _pooled("max", *shifted[1:]) == _pooled("min", *shifted[1:]) == [[5, 0], [0, 0]]


@pytest.mark.parametrize("kind", ["max", "min"])
def test_the_first_of_equal_values_gets_a_pools_gradient(kind):
    layers = _one_layer((2, 3, 1), lambda b: b.pool(kind, 0, 2, 1, "valid"))
    call = cases.layer_call(layers)
    call.inputs = [_image([[7, 7, 7], [7, 7, 7]])]
    (to_x,), _ = LAYER_KINDS[f"{kind}_pool"].backward(call, _image([[1, 10]]))
    assert to_x[0, :, :, 0].tolist() == [[1, 10, 0], [0, 0, 0]]


def test_relu_by_hand():
    call = cases.layer_call(_one_layer((1, 3, 1), lambda b: b.relu(0)))
    call.inputs = [_image([[-2, 0, 2]])]
    relu = LAYER_KINDS["relu"]
    assert relu.forward(call).ravel().tolist() == [0, 0, 2]
    assert relu.backward(call, np.ones((1, 1, 3, 1)))[0][0].ravel().tolist() == [0, 0, 1]


CURVES = {  # values and slopes at -4, 0, 1, 3, 7
    "relu6": ([0, 0, 1, 3, 6], [0, 0, 1, 1, 0]),
    "sigmoid": (
        [0.0179862, 0.5, 0.7310586, 0.9525741, 0.9990889],
        [0.0176627, 0.25, 0.1966119, 0.0451767, 0.0009102],
    ),
    "hard_sigmoid": ([0, 0.5, 2 / 3, 1, 1], [0, 1 / 6, 1 / 6, 0, 0]),
    "swish": (
        [-0.0719448, 0, 0.7310586, 2.8577224, 6.9936227],
        [-0.0526646, 0.5, 0.9276705, 1.0881042, 1.0054604],
    ),
    "h_swish": ([0, 0, 2 / 3, 3, 7], [0, 0.5, 5 / 6, 1, 1]),
}


@pytest.mark.parametrize("name", CURVES)
def test_curves_by_hand(name):
    values, slopes = CURVES[name]
    call = cases.layer_call(_one_layer((1, 5, 1), lambda b: b.add_layer(name, 0)))
    call.inputs = [_image([[-4, 0, 1, 3, 7]])]
    kind = LAYER_KINDS[name]
    assert kind.forward(call).ravel() == pytest.approx(values, abs=1e-7)
    found = kind.backward(call, np.ones((1, 1, 5, 1)))[0][0]
    assert found.ravel() == pytest.approx(slopes, abs=1e-7)
    call.inputs = [_image([[-1e4, 1e4]])]  # nothing overflows
    assert np.isfinite(kind.forward(call)).all()


def test_squeeze_excite_is_a_factor_for_each_channel():
    b = Builder((4, 3, 6))
    y = b.squeeze_excite(0, 2, "swish", "hard_sigmoid")
    network = b.network(b.linear(y, 3))
    # 6 -> 2 -> 6 with biases, then 72 values to 3 with a bias
    assert network.num_parameters == (6 * 2 + 2) + (2 * 6 + 6) + (72 * 3 + 3)
    assert network.multiply_adds == 6 * 2 + 2 * 6 + 72 * 3
    model = ReferenceModel(network, 2)
    model.parameters[:] = cases.some_parameters(network)
    images, _ = cases.some_batch(network, 2)
    factors = model.activations(images)[y] / images
    assert factors == pytest.approx(np.broadcast_to(factors[:, :1, :1], factors.shape))
    assert ((factors > 0) & (factors < 1)).all()
    assert np.ptp(factors, axis=0).max() > 0.001, "the factors are each image's own"


def test_factors_of_channels_must_fit():
    b = Builder((4, 3, 6))
    with pytest.raises(NetworkError, match=r"factors \(1, 1, channels\), given"):
        b.add_layer("scale_channels", 0, b.linear(0, 5))


@pytest.mark.parametrize("name", cases.WINDOWS)
def test_convolutions_are_sums_over_pixels(name):
    kernel, stride, dilation, pad, image = cases.WINDOWS[name]
    call = cases.layer_call(
        _one_layer((*image, 3), lambda b: b.conv(0, 4, kernel, stride, dilation, pad)), 2
    )
    (x,), (weight,), y = call.inputs, call.parameters, call.layer
    expected = np.zeros((2, *y.shape))
    for row, column in np.ndindex(*y.shape[:2]):
        for i, j in np.ndindex(*y.kernel):
            top = row * stride + i * dilation - y.pad[0]
            left = column * stride + j * dilation - y.pad[2]
            rows = range(max(-y.pad[0], 0), image[0] + min(y.pad[1], 0))
            columns = range(max(-y.pad[2], 0), image[1] + min(y.pad[3], 0))
            if top in rows and left in columns:  # neither padding nor cut off
                expected[:, row, column] += x[:, top, left] @ weight[i, j]
    conv, depthwise = LAYER_KINDS["conv"].forward, LAYER_KINDS["depthwise"].forward
    assert conv(call) == pytest.approx(expected, abs=1e-12)
    # A depthwise convolution is one whose weights are a diagonal.
    diagonal = cases.layer_call(
        _one_layer((*image, 3), lambda b: b.depthwise(0, kernel, stride, dilation, pad))
    )
    diagonal.inputs, (filters,) = [x], diagonal.parameters
    call.parameters = [filters[..., None] * np.eye(3)]
    assert depthwise(diagonal) == pytest.approx(conv(call), abs=1e-12)


def test_batch_norm_in_training_and_prediction():
    network = _network((1, 2, 1), lambda b: b.linear(b.batch_norm(0), 2))
    model = ReferenceModel(network, 2)
    gamma, beta = model.parameters[:2].reshape(2, 1)
    gamma[:], beta[:] = 3, 10
    images = np.array([1.0, 2, 3, 6]).reshape(2, 1, 2, 1)
    values = model.activations(images, training=True)[1]
    assert values.mean() == pytest.approx(10) and values.std() == pytest.approx(3, rel=1e-5)
    assert model.statistics.tolist() == [0, 1], "activations change nothing"
    model.train_step(images, np.array([0, 1]))
    # mean 3; squares 4 + 1 + 0 + 9 = 14, of which a third is the unbiased variance
    assert model.statistics == pytest.approx([0.1 * 3, 0.9 + 0.1 * 14 / 3])
    expected = 3 * (images - 0.3) / np.sqrt(0.9 + 1.4 / 3 + 1e-5) + 10
    assert model.activations(images)[1] == pytest.approx(expected)


def test_a_single_value_a_channel_has_no_variance():
    network = _network((1, 1, 2), lambda b: b.linear(b.batch_norm(0), 2))
    model = ReferenceModel(network, 1)
    model.train_step(np.full((1, 1, 1, 2), 5.0), np.array([1]))
    assert model.statistics == pytest.approx([0.5, 0.5, 0.9, 0.9])


def test_masks_multiply_in_training_only():
    b = Builder((1, 2, 1))
    x = b.dropout(b.drop_path(0, 1.0), 0.5)
    model = ReferenceModel(b.network(b.linear(x, 2)), 2)
    images = np.ones((2, 1, 2, 1))
    masks = {1: np.array([0, 2]), 2: np.array([[1, 3], [0, 5]])}
    assert model.activations(images, True, masks)[2].ravel().tolist() == [0, 0, 0, 10]
    assert model.activations(images, True)[2].ravel().tolist() == [1, 1, 1, 1]
    model.parameters[:] = 1
    assert model.predict(images).tolist() == [[3, 3], [3, 3]]


def test_linear_reads_rows_then_columns_then_channels():
    network = _network((2, 2, 2), lambda b: b.linear(0, 1))
    model = ReferenceModel(network, 1)
    model.parameters[:8] = 10.0 ** np.arange(8)
    model.parameters[8] = 0.5
    assert model.predict(np.arange(1.0, 9).reshape(1, 2, 2, 2)).item() == 87654321.5


def test_the_loss_by_hand():
    logits, labels = np.log([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]]), np.array([0, 1])
    loss, gradient = softmax_cross_entropy(logits, labels)
    assert loss == pytest.approx(-(np.log(0.5) + np.log(0.1)) / 2)
    assert gradient == pytest.approx(np.array([[-0.5, 0.25, 0.25], [0.1, -0.9, 0.8]]) / 2)
    smooth, gradient = softmax_cross_entropy(logits[:1], labels[:1], 0.3)
    assert smooth == pytest.approx(-0.8 * np.log(0.5) - 0.2 * np.log(0.25))
    assert gradient == pytest.approx(np.array([[0.5 - 0.8, 0.25 - 0.1, 0.25 - 0.1]]))
    assert softmax_cross_entropy(logits + 1e4, labels)[0] == pytest.approx(loss), "no overflow"


def test_a_teacher_adds_its_own_cross_entropy():
    rng = np.random.default_rng(4)
    logits, labels = rng.standard_normal((5, 3)), np.array([0, 2, 1, 1, 0])
    taught = rng.dirichlet(np.ones(3), 5)
    loss, gradient = softmax_cross_entropy(logits, labels, 0.1, taught, 0.7)
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    own = softmax_cross_entropy(logits, labels, 0.1)[0]
    assert loss == pytest.approx(own - 0.7 * (taught * np.log(shares)).sum(axis=1).mean())
    for place in np.ndindex(logits.shape):
        step = np.zeros_like(logits)
        step[place] = 1e-6
        up, down = (
            softmax_cross_entropy(logits + sign * step, labels, 0.1, taught, 0.7)[0]
            for sign in (1, -1)
        )
        assert gradient[place] == pytest.approx((up - down) / 2e-6, abs=1e-8)


def test_counts_of_right_answers():
    network = _network((1, 1, 3), lambda b: b.linear(0, 3, bias=False))
    model = ReferenceModel(network, 4)
    model.parameters[:] = np.eye(3).ravel()
    images = np.array([[1, 0, 0], [0, 2, 1], [1, 1, 0], [0, 0, 0]], float).reshape(4, 1, 1, 3)
    assert model.train_step(images, np.array([0, 1, 0, 0]))[1] == 4, "of equals the first"
    assert model.train_step(images, np.array([1, 1, 1, 2]))[1] == 1


def test_an_auxiliary_head_without_weight_learns_nothing():
    network = dict(cases.NETWORKS)["auxiliary_head"]()
    plain = network.without_auxiliary
    images, labels = cases.some_batch(network, 4)
    both = []
    for n in (network, plain):
        model = ReferenceModel(n, 4)
        model.parameters[:] = cases.some_parameters(network)[: model.parameters.size]
        both.append((model.train_step(images, labels), model))
    (with_head, a), (without, b) = both
    assert with_head == without
    assert np.array_equal(a.gradients[: b.gradients.size], b.gradients)
    assert not a.gradients[b.gradients.size :].any()
    assert np.array_equal(a.statistics[: b.statistics.size], b.statistics)
    assert np.array_equal(a.predict(images), b.predict(images))
    loss, _ = a.train_step(images, labels, auxiliary_weight=0.4)
    assert loss > with_head[0] and a.gradients[b.gradients.size :].any()


def test_predictions_do_not_depend_on_the_batch():
    network = dict(cases.NETWORKS)["random_1"]()
    images, _ = cases.some_batch(network, 7)
    found = []
    for batch in (1, 3, 7):
        model = ReferenceModel(network, batch)
        model.parameters[:] = cases.some_parameters(network)
        found.append(model.predict(images))
    assert found[0] == pytest.approx(found[2], abs=1e-12)
    assert found[1] == pytest.approx(found[2], abs=1e-12)


@pytest.mark.parametrize("dtype, tolerance", [("float64", 1e-12), ("float32", 2e-3)])
def test_the_comparison_for_backends_holds_for_the_reference_itself(dtype, tolerance):
    def make_reference(network, batch):
        model = make_model(network, batch, "reference", dtype)
        assert model.parameters.dtype == model.predict(images(network, 1)).dtype == dtype
        return model

    def images(network, count):
        return cases.some_batch(network, count)[0].astype(dtype)

    for _, make in itertools.islice(cases.NETWORKS, 0, None, 9):
        cases.check_model_agrees(make_reference, make(), tolerance)


@pytest.mark.parametrize("kind", sorted(set(LAYER_KINDS) - {"input", "zero"}))
def test_the_comparison_for_backends_finds_a_wrong_gradient(kind, monkeypatch):
    """A backend whose gradient is a thousandth off in one kind of layer is found out."""
    networks = (make() for _, make in cases.NETWORKS)
    network = next(n for n in networks if kind in {layer.kind for layer in n.layers})
    record = LAYER_KINDS[kind]

    class Wrong(ReferenceModel):
        def train_step(self, *args, **options):
            with monkeypatch.context() as patch:
                off = lambda call, gradient: record.backward(call, gradient * 1.001)  # noqa: E731
                patch.setitem(LAYER_KINDS, kind, replace(record, backward=off))
                return super().train_step(*args, **options)

    with pytest.raises(AssertionError):
        cases.check_model_agrees(Wrong, network, 2e-4)


@pytest.mark.parametrize(
    "images, labels, message",
    [
        ((3, 8, 8, 1), [0, 1, 2], r"images of shape \(3, 8, 8, 1\).* \(N, 8, 8, 3\)"),
        ((8, 8, 3), [0, 1, 2], "images of shape"),
        ((5, 8, 8, 3), [0, 1, 2, 3, 0], "5 images .* batches of 1 to 4"),
        ((0, 8, 8, 3), [], "0 images"),
        ((3, 8, 8, 3), [0, 1], "3 images need as many labels"),
        ((3, 8, 8, 3), [0, 1, 4], "labels from 0 to 4 .* 4 classes; allowed: 0 to 3"),
        ((3, 8, 8, 3), [0, -1, 3], "labels from -1"),
    ],
)
def test_batches_that_do_not_fit(images, labels, message):
    network = _network((8, 8, 3), lambda b: b.linear(b.global_pool(0), 4))
    model = ReferenceModel(network, 4)
    with pytest.raises(NetworkError, match=message):
        model.train_step(np.zeros(images), np.array(labels, np.int64))
    if images[1:] != (8, 8, 3):
        with pytest.raises(NetworkError, match=message):
            model.predict(np.zeros(images))


def test_no_images_have_no_logits():
    network = _network((8, 8, 3), lambda b: b.linear(b.global_pool(0), 4))
    assert ReferenceModel(network, 4).predict(np.zeros((0, 8, 8, 3))).shape == (0, 4)


def test_a_diverged_network_says_so_by_its_loss():
    network = _network((8, 8, 3), lambda b: b.linear(b.relu(b.conv(0, 4)), 4))
    model = ReferenceModel(network, 2, "float32")
    model.parameters[:] = 1e30
    loss, _ = model.train_step(np.ones((2, 8, 8, 3), np.float32), np.array([0, 1]))
    assert not np.isfinite(loss)


@pytest.mark.parametrize(
    "backend, dtype, message",
    [
        ("cuda", "float32", "'cuda' does not train networks yet"),
        ("torch", "float32", r"unknown backend 'torch' \(known: cpu, reference\)"),
        ("cpu", "float64", "backend 'cpu' has no dtype 'float64'; allowed: float32"),
        ("reference", "float16", "no dtype 'float16'"),
    ],
)
def test_backends_that_are_not_there(backend, dtype, message):
    network = _network((8, 8, 3), lambda b: b.linear(0, 2))
    with pytest.raises(DeviceError, match=message):
        make_model(network, 2, backend, dtype)

"""Zero-cost scores against what follows from their definitions on tiny networks."""

import itertools
import math

import numpy as np
import pytest

from zero.errors import NetworkError
from zero.nn.loss import softmax_cross_entropy
from zero.nn.network import Builder
from zero.nn.reference import ReferenceModel
from zero.nn.scores import SCORES, Batch, rounded, score, without_norms
from zero.nn.weights import initial_parameters


def network(norms=True, auxiliary=False):
    b = Builder((4, 4, 2))
    x = b.conv(0, 3, 3)
    x = b.relu(b.batch_norm(x) if norms else x)
    y = b.add(b.conv(x, 3), b.pool("avg", b.depthwise(x, 3), 3))
    output = b.linear(b.global_pool(b.relu(y)), 3)
    return b.network(output, b.linear(b.relu(x), 3) if auxiliary else None)


def batch(count=4, seed=0):
    rng = np.random.default_rng(seed)
    return Batch(rng.standard_normal((count, 4, 4, 2)), rng.integers(0, 3, count))


def model_of(net, seed=7):
    model = ReferenceModel(net, 8)
    model.parameters[:] = initial_parameters(net, seed, "float64")
    return model


def slopes(model, value, epsilon=1e-6):
    """Returns central differences of a value by each parameter."""
    found = np.zeros_like(model.parameters)
    for k, kept in enumerate(model.parameters.copy()):
        ends = []
        for step in (epsilon, -epsilon):
            model.parameters[k] = kept + step
            ends.append(value())
        model.parameters[k] = kept
        found[k] = (ends[0] - ends[1]) / (2 * epsilon)
    return found


def of_weights(net, flat):
    return [flat[p.start : p.start + p.size] for p in net.parameters if p.role == "weight"]


def test_grad_norm_and_snip_are_of_the_gradient_of_the_loss():
    net, data = network(), batch()
    model = model_of(net)

    def loss():
        logits = model.activations(data.images, training=True)[net.output][:, 0, 0]
        return softmax_cross_entropy(logits, data.labels)[0]

    gradient = of_weights(net, slopes(model, loss))
    norms = sum(np.sqrt((g**2).sum()) for g in gradient)
    assert score("grad_norm", net, 7, data) == pytest.approx(norms, rel=1e-6)
    weights = of_weights(net, model.parameters)
    products = sum(np.abs(w * g).sum() for w, g in zip(weights, gradient, strict=True))
    assert score("snip", net, 7, data) == pytest.approx(products, rel=1e-6)


def test_synflow_is_of_absolute_weights_without_batch_norm():
    plain = network(norms=False)
    model = model_of(plain)
    model.parameters[:] = np.abs(model.parameters)
    ones = np.ones((1, 4, 4, 2))
    gradient = slopes(model, lambda: model.predict(ones).sum())
    wanted = sum(
        (w * g).sum()
        for w, g in zip(
            of_weights(plain, model.parameters), of_weights(plain, gradient), strict=True
        )
    )
    assert score("synflow", network(), 7) == pytest.approx(wanted, rel=1e-6)
    assert without_norms(network()) == plain


def test_naswot_counts_rectifiers_that_agree():
    net, data = network(), batch()
    values = model_of(net).activations(data.images, training=True)
    codes = np.concatenate(
        [v.reshape(4, -1) > 0 for v, y in zip(values, net.layers, strict=True) if y.kind == "relu"],
        1,
    )
    kernel = [[np.sum(a == b) for b in codes] for a in codes]
    assert score("naswot", net, 7, data) == pytest.approx(math.log(np.linalg.det(kernel)))
    twice = Batch(data.images[[0, 0, 1, 2]], data.labels)
    assert score("naswot", net, 7, twice) == -math.inf


def test_jacob_cov_is_of_the_images_gradients():
    net, data = network(), batch(3)
    model = model_of(net)
    jacobians, epsilon = np.zeros((3, 32)), 1e-6
    for n, k in itertools.product(range(3), range(32)):
        ends = []
        for step in (epsilon, -epsilon):
            images = data.images.copy()
            images.reshape(3, -1)[n, k] += step
            ends.append(model.activations(images, training=True)[net.output].sum())
        jacobians[n, k] = (ends[0] - ends[1]) / (2 * epsilon)
    centred = jacobians - jacobians.mean(1, keepdims=True)
    norms = np.sqrt((centred**2).sum(1))
    values = np.linalg.eigvals(centred @ centred.T / norms / norms[:, None]).real + 1e-5
    wanted = -(np.log(values) + 1 / values).sum()
    assert score("jacob_cov", net, 7, data) == pytest.approx(wanted, rel=1e-4)


def test_counts_and_the_auxiliary_head():
    net = network()
    assert score("parameters", net, 0) == net.num_parameters
    assert score("multiply_adds", net, 0) == net.multiply_adds
    for name in SCORES:
        assert score(name, network(auxiliary=True), 7, batch()) == score(name, net, 7, batch())


@pytest.mark.parametrize("name", SCORES)
def test_scores_are_numbers_of_their_arguments_alone(name):
    first, again = (score(name, network(), 7, batch()) for _ in range(2))
    assert first == again and math.isfinite(first)
    looks = score(name, network(), 7, batch(seed=1)) != first
    assert looks == SCORES[name].images


def test_a_network_that_its_images_do_not_reach():
    b = Builder((4, 4, 2))
    net = b.network(b.linear(b.relu(b.zero(0, (2, 2, 2))), 3))
    found = {name: score(name, net, 7, batch()) for name in SCORES}
    assert found["jacob_cov"] == found["naswot"] == -math.inf
    assert found["synflow"] == 0


def test_mistakes_and_rounding():
    with pytest.raises(NetworkError, match="unknown score 'synflov'; did you mean 'synflow'"):
        score("synflov", network(), 0)
    with pytest.raises(NetworkError, match="the score naswot needs a batch of images"):
        score("naswot", network(), 0)
    assert rounded(123.4567891) == 123.457 and rounded(-math.inf) == -math.inf

"""Networks as lists of layers: shapes, names, counts, initial weights and inherited ones."""

import numpy as np
import pytest

from zero.errors import NetworkError
from zero.nn.network import Builder
from zero.nn.weights import (
    batch_norms,
    inherit,
    initial_parameters,
    initial_statistics,
    views,
)


def window(size, kernel, stride=1, dilation=1, pad="same", kind="conv"):
    """Returns the output's (height, width) and the pads of one sliding window."""
    b = Builder((*size, 3))
    x = {
        "conv": lambda: b.conv(0, 4, kernel, stride, dilation, pad),
        "depthwise": lambda: b.depthwise(0, kernel, stride, dilation, pad),
        "pool": lambda: b.pool("max", 0, kernel, stride, pad),
    }[kind]()
    return b.shape(x)[:2], b.layers[x].pad


@pytest.mark.parametrize("kind", ["conv", "depthwise", "pool"])
def test_same_padding_is_tensorflows(kind):
    assert window((32, 32), 3, kind=kind) == ((32, 32), (1, 1, 1, 1))
    assert window((32, 32), 3, 2, kind=kind) == ((16, 16), (0, 1, 0, 1))
    assert window((33, 7), 3, 2, kind=kind) == ((17, 4), (1, 1, 1, 1))
    assert window((5, 8), 5, 2, kind=kind) == ((3, 4), (2, 2, 1, 2))
    assert window((8, 8), (1, 7), 2, kind=kind) == ((4, 4), (0, 0, 2, 3))
    assert window((8, 8), 1, 2, kind=kind) == ((4, 4), (0, 0, 0, 0))


def test_symmetric_padding_is_pytorchs():
    assert window((32, 32), 3, 2, pad="symmetric") == ((16, 16), (1, 1, 1, 1))
    assert window((32, 31), 5, 2, 2, "symmetric") == ((16, 16), (4, 4, 4, 4))
    assert window((8, 8), (1, 7), pad="symmetric") == ((8, 8), (0, 0, 3, 3))
    assert window((8, 8), 3, pad="symmetric", kind="pool") == ((8, 8), (1, 1, 1, 1))


def test_valid_and_explicit_pads():
    assert window((8, 9), 5, 3, pad="valid") == ((2, 2), (0, 0, 0, 0))
    assert window((8, 8), 3, 1, 2, "valid") == ((4, 4), (0, 0, 0, 0))
    assert window((8, 8), 1, 2, pad=(-1, 1, -1, 1)) == ((4, 4), (-1, 1, -1, 1))
    assert window((8, 8), 3, pad=(2, 0, -1, 3)) == ((8, 8), (2, 0, -1, 3))


def test_shapes_of_the_other_layers():
    b = Builder((8, 6, 3))
    x = b.conv(0, 5, 3)
    expected = {
        b.batch_norm(x): (8, 6, 5),
        b.relu(x): (8, 6, 5),
        b.add(x, x, x): (8, 6, 5),
        b.concat(0, x, 0): (8, 6, 11),
        b.first_channels(x, 2): (8, 6, 2),
        b.zero(x, (4, 3, 7)): (4, 3, 7),
        b.drop_path(x, 0.5): (8, 6, 5),
        b.dropout(x, 0.5): (8, 6, 5),
        b.global_pool(x): (1, 1, 5),
        b.linear(x, 7): (1, 1, 7),
        b.linear(x, 7, bias=False): (1, 1, 7),
    }
    assert {i: b.shape(i) for i in expected} == expected


def test_what_changes_nothing_adds_no_layer():
    b = Builder((8, 8, 3))
    x = b.conv(0, 5)
    same = [b.add(x), b.concat(x), b.first_channels(x, 5), b.dropout(x, 0.0)]
    assert same == [x] * 4 and len(b.layers) == 2


def test_settings_reach_the_layer():
    b = Builder((8, 8, 3), epsilon=1e-3, decay=0.99)
    norm = b.layers[b.batch_norm(0)]
    assert (norm.epsilon, norm.decay) == (1e-3, 0.99)
    conv = b.layers[b.conv(0, 4, (1, 7), 2, 3, pad=(0, 0, 9, 9))]
    assert (conv.kernel, conv.stride, conv.dilation) == ((1, 7), 2, 3)
    assert b.layers[b.drop_path(0, 0.75)].rate == 0.75
    assert b.layers[b.dropout(0, 0.25)].rate == 0.25


def test_names_are_unique_and_say_where():
    b = Builder((8, 8, 3))
    b.relu(0)
    with b.scope("cell1"):
        b.relu(0)
        with b.scope("op"):
            b.conv(b.relu(0), 4)
            b.relu(0)
        b.relu(0)
    with b.scope("cell1"):
        b.relu(0)
    assert [y.name for y in b.layers] == [
        "input", "relu", "cell1/relu", "cell1/op/relu", "cell1/op/conv", "cell1/op/relu2",
        "cell1/relu2", "cell1/relu3",
    ]  # fmt: skip


def small(channels=4, extra=False):
    """Returns a network with an auxiliary head."""
    b = Builder((6, 6, 3))
    with b.scope("stem"):
        x = b.batch_norm(b.conv(0, channels, 3))
    if extra:
        with b.scope("extra"):
            x = b.add(x, b.batch_norm(b.conv(b.relu(x), channels, 3)))
    with b.scope("cell"):
        y = b.conv(b.depthwise(b.relu(x), 5, 2), 8)
    with b.scope("head"):
        logits = b.linear(b.global_pool(b.relu(b.batch_norm(y))), 10)
    with b.scope("auxiliary"):
        z = b.linear(b.batch_norm(b.conv(x, 2)), 10, bias=False)
    return b.network(logits, z)


def _arrays(network, flat):
    """Returns every parameter's array."""
    return [array for arrays in views(network, flat) for array in arrays]


def _named(network, flat):
    """Returns (name, array) of every parameter."""
    names = [p.name for p in network.parameters]
    return list(zip(names, _arrays(network, flat), strict=True))


def test_parameters_lie_one_after_the_other():
    network = small()
    found = [(p.name, p.shape, p.start, p.decays) for p in network.parameters]
    assert found == [
        ("stem/conv/weight", (3, 3, 3, 4), 0, True),
        ("stem/batch_norm/gamma", (4,), 108, False),
        ("stem/batch_norm/beta", (4,), 112, False),
        ("cell/depthwise/weight", (5, 5, 4), 116, True),
        ("cell/conv/weight", (1, 1, 4, 8), 216, True),
        ("head/batch_norm/gamma", (8,), 248, False),
        ("head/batch_norm/beta", (8,), 256, False),
        ("head/linear/weight", (8, 10), 264, True),
        ("head/linear/bias", (10,), 344, False),
        ("auxiliary/conv/weight", (1, 1, 4, 2), 354, True),
        ("auxiliary/batch_norm/gamma", (2,), 362, False),
        ("auxiliary/batch_norm/beta", (2,), 364, False),
        ("auxiliary/linear_no_bias/weight", (72, 10), 366, True),
    ]
    for p in network.parameters:
        assert network.layers[p.layer].name + "/" + p.role == p.name
    flat = np.arange(366 + 720)
    for p, array in zip(network.parameters, _arrays(network, flat), strict=True):
        assert array.shape == p.shape and array.flat[0] == p.start and array.base is not None


def test_counts_leave_the_auxiliary_head_out():
    network = small()
    assert network.num_parameters == 354
    # stem 36 pixels * 27 * 4, depthwise 9 pixels * 25 * 4, conv 9 * 4 * 8, linear 8 * 10
    assert network.multiply_adds == 3888 + 900 + 288 + 80
    assert network.classes == 10
    plain = network.without_auxiliary
    assert plain.auxiliary is None and plain.layers == network.layers[: network.output + 1]
    assert plain.parameters == network.parameters[:9] and plain.without_auxiliary is plain
    assert network.activation_bytes(32) == 32 * network.activation_bytes(1) > 0


@pytest.mark.parametrize(
    "build, message",
    [
        (lambda b: b.conv(0, 4, 5, pad="valid"), r"conv: nothing is left .* larger images"),
        (lambda b: b.pool("avg", b.pool("avg", 0, 3, 3, "valid"), 3, 3, "valid"), "avg_pool2"),
        (lambda b: b.depthwise(0, 1, pad=(-2, -2, 0, 0)), "0 x 4 pixels"),
        (lambda b: b.conv(0, 0), "0 channels"),
        (
            lambda b: b.conv(0, 4, 3, pad="reflect"),
            "unknown padding 'reflect'; use same, symmetric",
        ),
        (lambda b: b.add(0, b.conv(0, 4)), "cannot add layers of different shapes"),
        (lambda b: b.concat(0, b.pool("max", 0, 3, 2)), "cannot concatenate .* different sizes"),
    ],
)
def test_layers_that_cannot_be(build, message):
    with pytest.raises(NetworkError, match=message):
        build(Builder((4, 4, 3)))


def test_initial_parameters():
    b = Builder((8, 8, 16))
    x = b.batch_norm(b.conv(b.depthwise(0, 7), 64, 3))
    network = b.network(b.linear(x, 10))
    arrays = _arrays(network, initial_parameters(network, 5))
    depthwise, conv, gamma, beta, weight, bias = arrays
    assert depthwise.std() == pytest.approx(np.sqrt(2 / 49), rel=0.1)
    assert conv.std() == pytest.approx(np.sqrt(2 / (9 * 16)), rel=0.03)
    assert abs(conv.mean()) < 0.1 * conv.std()
    assert (gamma == 1).all() and not beta.any() and not bias.any()
    limit = 1 / np.sqrt(8 * 8 * 64)
    assert np.abs(weight).max() <= limit and weight.std() == pytest.approx(
        limit / np.sqrt(3), rel=0.03
    )


def test_initial_parameters_depend_on_seed_name_and_shape_only():
    network, other = small(), small(extra=True)
    first, again = initial_parameters(network, 1), initial_parameters(network, 1)
    assert first.dtype == np.float32 and np.array_equal(first, again)
    exact = initial_parameters(network, 1, "float64")
    assert exact.dtype == np.float64 and np.array_equal(first, exact.astype(np.float32))
    arrays = dict(_named(other, initial_parameters(other, 1)))
    for name, value in _named(network, first):
        assert np.array_equal(arrays[name], value), name
    assert not np.array_equal(initial_parameters(network, 2), first)
    weights = [v.ravel()[:32] for name, v in arrays.items() if "weight" in name]
    heads = {tuple(np.round(w[:3] / w.std(), 4)) for w in weights}
    assert len(heads) == len(weights), "every parameter has its own stream"


def first_of(network):
    return initial_parameters(network, 1)


def _named(network, flat):
    return [(p.name, flat[p.start : p.start + p.size].reshape(p.shape)) for p in network.parameters]


def test_initial_statistics():
    network = small()
    assert batch_norms(network) == [(2, 0, 4), (6, 8, 8), (11, 24, 2)]
    expected = [0] * 4 + [1] * 4 + [0] * 8 + [1] * 8 + [0] * 2 + [1] * 2
    assert initial_statistics(network).tolist() == expected
    assert initial_statistics(network).dtype == np.float32
    b = Builder((4, 4, 1))
    assert initial_statistics(b.network(b.linear(0, 2)), "float64").shape == (0,)


def _state(network, seed):
    """Returns parameters and statistics, all different."""
    statistics = initial_statistics(network)
    return initial_parameters(network, seed) + seed, np.arange(statistics.size) + 100.0 * seed


def test_inherited_weights():
    parent, child = small(), small(extra=True)
    old, old_statistics = _state(parent, 1)
    new, new_statistics = _state(child, 2)
    untouched, untouched_statistics = new.copy(), new_statistics.copy()
    copied = inherit(parent, old, old_statistics, child, new, new_statistics)
    assert copied == old.size
    parents = dict(_named(parent, old))
    for (name, value), (_, before) in zip(
        _named(child, new), _named(child, untouched), strict=True
    ):
        assert np.array_equal(value, parents.get(name, before)), name
    # stem, (extra), cell, auxiliary: the extra layer's statistics stay
    assert np.array_equal(new_statistics[:8], old_statistics[:8])
    assert np.array_equal(new_statistics[8:16], untouched_statistics[8:16])
    assert np.array_equal(new_statistics[16:], old_statistics[8:])


def test_parameters_of_another_shape_are_not_inherited():
    parent, child = small(4), small(6)
    old, old_statistics = _state(parent, 1)
    new, new_statistics = _state(child, 2)
    before = new_statistics.copy()
    copied = inherit(parent, old, old_statistics, child, new, new_statistics)
    # the head's batch norm and linear layer, the auxiliary head's batch norm and linear layer
    assert copied == 16 + 90 + 4 + 720
    assert np.array_equal(new_statistics[:12], before[:12])
    assert np.array_equal(new_statistics[12:], old_statistics[8:])

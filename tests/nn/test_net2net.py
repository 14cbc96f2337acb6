"""A child's network that starts as its parent's: wider, deeper, with larger windows and more branches."""

import numpy as np
import pytest
from cells_helpers import genomes
from nn_cases import some_batch, some_parameters, some_statistics

from zero.cells.networks.build import build_network
from zero.cells.networks.skeletons import Skeleton
from zero.cells.text import parse_genome
from zero.nn.net2net import inherit_exactly
from zero.nn.network import Builder
from zero.nn.reference import ReferenceModel
from zero.nn.weights import inherit, initial_parameters, initial_statistics


def started(parent, child, seed=None, images=None):
    """Returns a parent's model, a child's that inherited from it, and whether that was exact."""
    models = []
    for network in (parent, child):
        models.append(ReferenceModel(network, 8))
        models[-1].parameters[:] = some_parameters(network)
        models[-1].statistics[:] = some_statistics(network)
    old, new = models
    new.parameters[:] = initial_parameters(child, 5, "float64")
    new.statistics[:] = initial_statistics(child, "float64")
    exact = inherit_exactly(
        parent, old.parameters, old.statistics, child, new.parameters, new.statistics, seed, images
    )
    return old, new, exact


def assert_preserved(parent, child, seed=None):
    old, new, exact = started(parent, child, seed)
    assert exact
    images, labels = some_batch(parent, 5)
    np.testing.assert_allclose(new.predict(images), old.predict(images), rtol=0, atol=1e-10)
    assert np.abs(old.predict(images)).max() > 0.01
    new.train_step(images, labels)
    return new


def chain(first=4, second=6, kernel=3, deeper=False, branch=False, third=5):
    b = Builder((7, 6, 3))
    with b.scope("a"):
        x = b.relu(b.batch_norm(b.conv(0, first, kernel, 2)))
    if deeper:
        with b.scope("new"):
            x = b.relu(b.batch_norm(b.conv(x, first, 3)))
            x = b.batch_norm(b.depthwise(x, 5, dilation=2))
    with b.scope("b"):
        y = b.batch_norm(b.conv(b.depthwise(x, kernel), second))
        parts = [b.pool("avg", y, 3), b.dropout(b.conv(x, second), 0.1), b.drop_path(y, 0.5)]
    if branch:
        with b.scope("branch"):
            parts.append(b.drop_path(b.batch_norm(b.conv(b.relu(y), second, 3)), 0.5))
            parts.append(b.pool("max", b.conv(x, second), 3))
    with b.scope("c"):
        x = b.concat(b.add(*parts), b.conv(b.relu(y), third, 1), x)
        return b.network(b.linear(b.pool("max", x, 2, 2), 4))


CHANGES = {
    "wider": {"first": 7, "second": 15, "third": 11},
    "one layer wider": {"second": 7},
    "deeper": {"deeper": True},
    "larger windows": {"kernel": 5},
    "more branches": {"branch": True},
    "all": {"first": 9, "second": 8, "deeper": True, "kernel": 5, "branch": True},
    "nothing": {},
}


@pytest.mark.parametrize("seed", [None, 3])
@pytest.mark.parametrize("change", CHANGES)
def test_outputs_are_preserved(change, seed):
    assert_preserved(chain(), chain(**CHANGES[change]), seed)


@pytest.mark.parametrize("change", [{"first": 3}, {"kernel": 1}])
def test_what_is_not_exact_is_inherited_as_far_as_shapes_agree(change):
    parent, child = chain(), chain(**change)
    _, new, exact = started(parent, child)
    parameters = initial_parameters(child, 5, "float64")
    statistics = initial_statistics(child, "float64")
    old = some_parameters(parent), some_statistics(parent)
    inherit(parent, *old, child, parameters, statistics)
    assert not exact
    np.testing.assert_array_equal(new.parameters, parameters)
    np.testing.assert_array_equal(new.statistics, statistics)


def test_a_hidden_unit_that_is_doubled_by_hand():
    def network(units):
        b = Builder((1, 1, 2))
        return b.network(b.linear(b.relu(b.linear(0, units)), 2))

    old, new, exact = started(network(2), network(3))
    w, bias, out, _ = np.split(old.parameters, [4, 6, 10])
    mine, my_bias, my_out, _ = np.split(new.parameters, [6, 9, 15])
    w, mine = w.reshape(2, 2), mine.reshape(2, 3)
    out, my_out = out.reshape(2, 2), my_out.reshape(3, 2)
    assert exact
    np.testing.assert_array_equal(mine, w[:, [0, 1, 0]])
    np.testing.assert_array_equal(my_bias, bias[[0, 1, 0]])
    np.testing.assert_allclose(my_out, np.array([out[0] / 2, out[1], out[0] / 2]))


def test_a_new_batch_norm_is_about_the_identity_in_training_too():
    parent, child = chain(), chain(deeper=True)
    images, _ = some_batch(parent, 64)
    outputs = {}
    for given in (None, images):
        old, new, exact = started(parent, child, images=given)
        assert exact
        np.testing.assert_allclose(new.predict(images), old.predict(images), rtol=0, atol=1e-10)
        there, before = (
            next(i for i, y in enumerate(n.layers) if y.name == "b/depthwise")
            for n in (child, parent)
        )
        values, wanted = (
            m.activations(images, training=True)[i] for m, i in ((new, there), (old, before))
        )
        outputs[given is None] = np.abs(values - wanted).max()
    assert outputs[False] < 0.1 * outputs[True]


def test_copies_with_uneven_shares_learn_different_things():
    child = chain(second=12)
    new = assert_preserved(chain(), child, seed=1)
    p = next(p for p in child.parameters if p.name == "b/conv/weight")
    gradient = new.gradients[p.start : p.start + p.size].reshape(p.shape)[0, 0]
    assert np.abs(gradient[:, :6] - gradient[:, 6:]).max() > 1e-4


SPACES = ("nas_bench_201", "darts", "nasnet", "amoebanet")


@pytest.mark.parametrize("name", SPACES)
def test_networks_of_cells_with_more_filters(name):
    kind = name if name in ("nas_bench_201", "darts") else "slim_cifar"
    for genome in genomes(name, 6):
        parent, child = (
            build_network(genome, Skeleton(kind, normal_cells=1, filters=f), (8, 8, 3), 4)
            for f in (4, 6)
        )
        assert_preserved(parent, child, seed=2)


def cell(*ops, cells=1):
    a, b, c, d, e, f = ops
    genome = parse_genome(f"|{a}~0|+|{b}~0|{c}~1|+|{d}~0|{e}~1|{f}~2|")
    skeleton = Skeleton("nas_bench_201", normal_cells=cells, filters=4)
    return build_network(genome, skeleton, (8, 8, 3), 4)


SMALL, LARGE, SKIP, NONE = "nor_conv_1x1", "nor_conv_3x3", "skip_connect", "none"
BASE = (SMALL, NONE, SMALL, SKIP, NONE, SMALL)


@pytest.mark.parametrize("place, op", [(0, LARGE), (1, LARGE), (1, SMALL), (2, LARGE), (4, LARGE)])
def test_mutations_of_cells_that_add_something(place, op):
    ops = [*BASE[:place], op, *BASE[place + 1 :]]
    assert_preserved(cell(*BASE), cell(*ops))


def test_a_cell_that_had_no_path_gets_one():
    assert_preserved(cell(*[NONE] * 6), cell(NONE, NONE, NONE, LARGE, NONE, NONE))


@pytest.mark.parametrize("place, op", [(0, SKIP), (3, NONE), (1, "avg_pool_3x3"), (5, NONE)])
def test_mutations_of_cells_that_take_something_away(place, op):
    ops = [*BASE[:place], op, *BASE[place + 1 :]]
    assert not started(cell(*BASE), cell(*ops))[2]


def test_more_cells_are_the_identity_where_a_path_goes_past_their_ops():
    assert_preserved(cell(*BASE), cell(*BASE, cells=3))
    straight = (NONE, NONE, NONE, SMALL, NONE, NONE)
    assert not started(cell(*straight), cell(*straight, cells=2))[2]


def test_an_auxiliary_head_and_drop_path_change_nothing():
    (genome,) = genomes("darts", 2)[:1]
    parent, child = (
        build_network(
            genome, Skeleton("darts", 1, f, auxiliary=more, drop_path=more), (32, 32, 3), 4
        )
        for f, more in ((2, False), (3, True))
    )
    assert_preserved(parent, child)

"""The supernet: paths are the networks themselves, gradients are right, memory is known before."""

from functools import cache

import numpy as np
import pytest
from cells_helpers import stream

from zero.cells.networks.build import build_network
from zero.cells.networks.skeletons import Skeleton
from zero.cells.spaces import get_space
from zero.cells.supernet.candidates import candidates_of
from zero.cells.supernet.memory import check_memory, supernet_memory
from zero.cells.supernet.supernet import Supernet
from zero.cells.text import parse_genome
from zero.data.images import ImageSettings, load_images
from zero.errors import NetworkError
from zero.nn import make_model
from zero.nn.arrays import Arena
from zero.nn.loss import softmax_cross_entropy
from zero.nn.train_settings import TrainSettings

SETTINGS = TrainSettings(epochs=3, batch=16, learning_rate=0.1)
SKELETONS = {
    "nas_bench_201": Skeleton("nas_bench_201", normal_cells=1, filters=2),
    "darts": Skeleton("darts", layers=3, filters=2),
    "amoebanet": Skeleton("slim_cifar", normal_cells=0, filters=2),
}
EXACT = {"backend": "reference", "dtype": "float64"}


@cache
def images():
    return load_images(ImageSettings(source="digits", train=80, valid=40, test=20))


def supernet(name, seed=1, split=True, ops=None, **how):
    space = get_space(name if ops is None else f"{name}[{','.join(ops)}]")
    return Supernet(space, SKELETONS[name], images(), SETTINGS, seed, split, **how)


def some(name, count, label=""):
    rng = stream(name + label)
    return [get_space(name).random(rng) for _ in range(count)]


def even(net):
    return np.full((len(net.edges), len(net.ops)), 1 / len(net.ops))


# --- paths ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["cpu", "reference"])
@pytest.mark.parametrize("name", SKELETONS)
def test_a_path_computes_what_the_network_alone_computes(name, backend):
    net = supernet(name, backend=backend)
    for step, genome in enumerate(some(name, 6)):
        assert net.train_path(step, genome) > 0
    batch = images().valid_x[:16].astype(np.float32) / 16
    for genome in some(name, 4, "asked"):
        model, index = net.path(genome)
        found = model.batch_logits(batch)
        alone = build_network(genome, SKELETONS[name], images().image_shape, 10)
        other = make_model(alone, 16, backend)
        assert len(index) == len(other.parameters) == len(set(index.tolist()))
        other.parameters[:] = net.shared.values[index]
        assert np.array_equal(other.batch_logits(batch), found)


@pytest.mark.parametrize("name", SKELETONS)
def test_a_step_moves_the_active_weights_alone(name):
    net, genomes = supernet(name), some(name, 8)
    for step, genome in enumerate(genomes):
        net.train_path(step, genome)
    before = net.shared.values.copy()
    _, index = net.path(genomes[0])
    net.train_path(8, genomes[0])
    moved = np.flatnonzero(net.shared.values != before)
    assert len(moved) > len(index) / 2 and set(moved.tolist()) <= set(index.tolist())


def test_genomes_share_the_weights_of_an_op_at_a_place_and_no_others():
    net = supernet("nas_bench_201")
    space = net.candidates.space

    def places(*ops):
        genome = space.genome_of(ops)
        network, names = net._named(genome)
        index = net.shared.index(network, names)
        return {
            f"{names[p.layer]}/{p.role}": index[p.start : p.start + p.size].tolist()
            for p in network.parameters
        }

    one = places("nor_conv_1x1", "none", "skip_connect", "nor_conv_3x3", "none", "nor_conv_1x1")
    two = places("nor_conv_3x3", "none", "skip_connect", "nor_conv_3x3", "none", "nor_conv_1x1")
    both = {name for name in one if name in two}
    assert all(one[name] == two[name] for name in both)
    assert {n.rpartition("/")[0] for n in set(one) - both} == {
        f"cell{cell}/0>1/nor_conv_1x1/{layer}"
        for cell in (0, 1, 2)
        for layer in ("conv", "batch_norm")
    }
    left = [{k for n in found if n not in both for k in found[n]} for found in (one, two)]
    assert left[0] and left[1] and not left[0] & left[1]


def test_what_weights_start_with_does_not_depend_on_who_met_them_first():
    genomes = some("darts", 5)
    one, two = supernet("darts"), supernet("darts")
    for genome in genomes:
        one.path(genome)
    for genome in reversed(genomes):
        two.path(genome)
    for genome in genomes:
        models = [net.path(genome)[0].parameters.copy() for net in (one, two)]
        assert np.array_equal(*models)


def test_two_ops_alike_in_a_node_have_weights_of_their_own():
    net = supernet("amoebanet")
    cells = " ".join(["sep3(cur)+sep3(cur)", *["sep3(n1)+sep3(n1)"] * 4])
    _, index = net.path(parse_genome(f"amoebanet: normal {cells}; reduction {cells}"))
    assert len(set(index.tolist())) == len(index)


def test_trained_paths_know_more_than_chance():
    net = supernet("nas_bench_201")
    genome = net.candidates.space.genome_of(("nor_conv_3x3",) * 6)
    before = net.accuracy(genome)
    for step in range(60):
        loss = net.train_path(step % net.steps, genome)
    assert loss < 1.5 and net.accuracy(genome) > before + 0.15
    assert 0 <= net.accuracy(genome, batches=1, first=7) <= 1


def test_a_step_that_diverges_changes_nothing():
    net, genome = supernet("nas_bench_201"), some("nas_bench_201", 1)[0]
    net.path(genome)
    net.shared.values[:] = np.inf
    before = net.shared.values.copy()
    assert np.isnan(net.train_path(0, genome))
    assert np.array_equal(before, net.shared.values)


# --- gradients ------------------------------------------------------------------------------------


def noise(net):
    """Images without pixels alike, and weights that leave no value at a kink of ReLU or pooling."""
    rng = np.random.default_rng(5)
    net.shared.values += 0.1 * rng.standard_normal(len(net.shared.values))
    return rng.standard_normal((16, *images().image_shape)), np.arange(16) % 10


def loss_of_path(net, genome, batch, labels):
    model, index = net.path(genome)
    logits = model.batch_logits(batch)
    return softmax_cross_entropy(logits, labels)[0], model, index


@pytest.mark.parametrize("name", ["nas_bench_201", "darts"])
def test_gradients_of_shared_weights_agree_with_differences(name):
    net = supernet(name, **EXACT)
    genome = some(name, 1)[0]
    net.path(genome)
    batch, labels = noise(net)
    model, index = net.path(genome)
    model.train_step(batch, labels)
    gradients, small = model.gradients.copy(), 1e-6
    for place in np.random.default_rng(0).choice(len(index), 15, replace=False):
        values = []
        for sign in (1, -1):
            net.shared.values[index[place]] += sign * small
            values.append(loss_of_path(net, genome, batch, labels)[0])
            net.shared.values[index[place]] -= sign * small
        difference = (values[0] - values[1]) / (2 * small)
        assert gradients[place] == pytest.approx(difference, abs=2e-6, rel=1e-4)


@pytest.mark.parametrize("name", ["nas_bench_201", "darts"])
def test_gradients_of_a_mixture_agree_with_differences(name):
    net, small = supernet(name, **EXACT), 1e-6
    rng = np.random.default_rng(1)
    shares = rng.dirichlet(np.ones(len(net.ops)), len(net.edges))
    own = net.weights
    batch = noise(net)
    net.shared.values[net.mixture.index[net.mixture._fixed]] = own[net.mixture._fixed]

    def slopes(shares, weights):
        return net.mixture.slopes(*batch, shares, weights)

    _, to_shares, to_weights = slopes(shares, net.weights)
    none = net.ops.index("none")
    assert not to_shares[:, none].any() and np.count_nonzero(to_shares) == to_shares.size - len(
        shares
    )
    for edge in rng.permutation(len(net.edges))[:8]:
        op = int(rng.choice([k for k in range(len(net.ops)) if k != none]))
        values = []
        for sign in (1, -1):
            moved = shares.copy()
            moved[edge, op] += sign * small
            values.append(slopes(moved, net.weights)[0])
        difference = (values[0] - values[1]) / (2 * small)
        assert to_shares[edge, op] == pytest.approx(difference, abs=2e-6, rel=1e-4)
    moving = np.flatnonzero(to_weights)
    for place in rng.choice(moving, 8, replace=False):
        values = []
        for sign in (1, -1):
            weights = net.weights
            weights[place] += sign * small
            values.append(slopes(shares, weights)[0])
        difference = (values[0] - values[1]) / (2 * small)
        assert to_weights[place] == pytest.approx(difference, abs=2e-6, rel=1e-4)


@pytest.mark.parametrize("name", ["nas_bench_201", "darts"])
def test_backends_agree_on_a_mixture(name):
    shares, found = None, []
    for how in ({"backend": "cpu"}, EXACT):
        net = supernet(name, **how)
        shares = even(net)
        found.append(net.slopes("weights", 1, shares))
    (loss, to_shares, to_weights), (loss2, to_shares2, to_weights2) = found
    assert loss == pytest.approx(loss2, rel=1e-4)
    assert np.allclose(to_shares, to_shares2, atol=2e-4 * np.abs(to_shares2).max() + 1e-5)
    assert np.allclose(to_weights, to_weights2, atol=2e-3 * np.abs(to_weights2).max())


@pytest.mark.parametrize(
    ("name", "ops"), [("nas_bench_201", None), ("darts", ["id", "sep3", "dil3"])]
)
def test_a_mixture_of_one_op_an_edge_is_that_path(name, ops):
    net = supernet(name, ops=ops, **EXACT)
    batch, labels = net._parts["weights"](0)
    genome = net.candidates.space.random(stream("one op"))
    shares = np.zeros((len(net.edges), len(net.ops)))
    numbers = {str(edge): number for number, edge in enumerate(net.edges)}
    if name == "nas_bench_201":
        for number, op in enumerate(genome.normal.ops):
            shares[number, net.ops.index(op)] = 1
    else:
        for kind in ("normal", "reduction"):
            for node, pair in enumerate(getattr(genome, kind).nodes, 1):
                for op, state in pair:
                    source = ("prev", "cur", "n1", "n2", "n3")[state]
                    shares[numbers[f"{kind} {source}>n{node}"], net.ops.index(op)] = 1
    loss, _, _ = net.slopes("weights", 0, shares)
    assert loss_of_path(net, genome, batch, labels)[0] == pytest.approx(loss, rel=1e-9)


# --- what is derived, states, memory --------------------------------------------------------------


def test_the_strongest_ops_make_the_genome():
    net = supernet("nas_bench_201")
    shares = np.full((6, 5), 0.1)
    shares[:, net.ops.index("none")] = 0.6  # never derived
    for edge, op in enumerate([1, 2, 3, 4, 2, 1]):
        shares[edge, op] = 0.2
    assert net.strongest(shares).normal.ops == tuple(net.ops[k] for k in (1, 2, 3, 4, 2, 1))
    net = supernet("darts")
    shares = even(net) / 2
    numbers = {str(edge): number for number, edge in enumerate(net.edges)}
    for edge, op in (("normal n2>n4", "dil5"), ("normal prev>n4", "sep3"), ("reduction cur>n3", "id"),
                     ("reduction n1>n3", "max3")):  # fmt: skip
        shares[numbers[edge], net.ops.index(op)] = 0.5
    shares[numbers["normal cur>n4"], net.ops.index("none")] = 0.9
    genome = net.strongest(shares)
    net.candidates.space.check(genome)
    assert genome.normal.nodes[3] == (("sep3", 0), ("dil5", 3))
    assert genome.reduction.nodes[2] == (("id", 1), ("max3", 2))


@pytest.mark.parametrize("name", ["nas_bench_201", "darts"])
def test_it_goes_on_from_its_state(name):
    genomes = some(name, 6)
    whole, first, second = (supernet(name, seed=s) for s in (1, 1, 1))
    for step, genome in enumerate(genomes):
        whole.train_path(step, genome)
    for step, genome in enumerate(genomes[:3]):
        first.train_path(step, genome)
    state = first.state()
    first.train_path(3, genomes[0])
    second.path(genomes[5])  # others were met first
    second.restore(state)
    for step, genome in enumerate(genomes[3:], 3):
        second.train_path(step, genome)
    for genome in genomes:
        assert np.array_equal(*(net.path(genome)[0].parameters.copy() for net in (whole, second)))


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("name", SKELETONS)
def test_memory_is_known_and_what_would_fit_is_said(name, mixed):
    space, big = get_space(name), {**vars(SKELETONS[name]), "filters": 32}
    rest = (images(), SETTINGS, mixed)
    skeleton = Skeleton(**big)
    assert "takes about" in check_memory(space, skeleton, *rest)
    needed = supernet_memory(space, skeleton, *rest).total
    limit = needed - 1
    with pytest.raises(NetworkError, match="the supernet's training takes") as error:
        check_memory(space, skeleton, *rest, limit=limit)
    fits = int(str(error.value).rpartition("filters: ")[2].split()[0])
    assert 0 < fits < 32
    smaller = supernet_memory(space, Skeleton(**{**big, "filters": fits}), *rest).total
    assert smaller <= limit


def test_mixing_takes_more_memory_than_a_path():
    space, skeleton = get_space("nas_bench_201"), SKELETONS["nas_bench_201"]
    both = [supernet_memory(space, skeleton, images(), SETTINGS, m).total for m in (False, True)]
    assert both[0] < both[1]


def test_other_spaces_have_none():
    with pytest.raises(NetworkError, match="the space chain has no supernet"):
        candidates_of(get_space("chain"), SKELETONS["darts"])


def test_one_models_memory_is_the_next_ones():
    arena = Arena()
    arena.reserve(10_000)
    first = arena.zeros((10, 100))
    first[:] = 7
    where = first.ctypes.data
    arena.begin()
    second = arena.full((5, 60), 2.0)
    assert second.ctypes.data == where and (second == 2).all()
    third = arena.zeros(100, np.int64)
    large = arena.zeros(3_000_000)  # beyond the room
    assert not third.any() and not large.any() and third.ctypes.data % 64 == 0
    large[:] = 1
    assert not third.any() and (second == 2).all()
    arena.begin()
    assert not arena.zeros(3_000_000).any() and arena.bytes == 12_000_000

"""Networks of mobile stages: blocks, skips and strides are the published ones, at any size."""

from collections import Counter

import numpy as np
import pytest

from zero.cells.networks.build import build_network
from zero.cells.networks.mobile import strides_of
from zero.cells.networks.skeletons import Skeleton
from zero.cells.published import get_published
from zero.cells.text import parse_genome
from zero.errors import NetworkError
from zero.nn.arrays import Arrays
from zero.nn.cpu.model import CpuModel
from zero.nn.reference import ReferenceModel
from zero.nn.weights import initial_parameters

MOBILENET = get_published("mobilenet_v2").genome


def stages_of(network):
    """Returns each stage's layers."""
    found = {}
    for layer in network.layers:
        found.setdefault(layer.name.split("/")[0], []).append(layer)
    return found


def test_strides_by_image_size():
    """Smaller images are halved less often, and at least 4 x 4 pixels are left."""
    assert strides_of(224) == [2, 1, 2, 2, 2, 1, 2, 1]
    assert strides_of(32) == [1, 1, 1, 2, 2, 1, 2, 1]
    assert strides_of(8) == [1, 1, 1, 1, 1, 1, 2, 1]
    for side, left in ((224, 7), (64, 4), (32, 4), (28, 4), (8, 4), (7, 4), (6, 6), (1, 1)):
        network = build_network(MOBILENET, Skeleton("mnasnet", filters=2), (side, side, 3))
        assert stages_of(network)["stage7"][-1].shape == (left, left, 20)


def test_mobilenet_v2_in_layers():
    """Sandler et al. 2018, table 2: 17 blocks, of which 10 add their input."""
    network = build_network(MOBILENET, Skeleton("mobilenet_v2", filters=32), (224, 224, 3), 1000)
    kinds = Counter(layer.kind for layer in network.layers)
    assert kinds["depthwise"] == 17 and kinds["conv"] == 2 + 17 + 16 and kinds["add"] == 10
    assert kinds["relu6"] == 2 + 17 + 16 and kinds["relu"] == 0 and kinds["dropout"] == 0
    shapes = [layers[-1].shape for name, layers in stages_of(network).items() if "stage" in name]
    assert shapes == [
        (112, 112, 16), (56, 56, 24), (28, 28, 32), (14, 14, 64), (14, 14, 96), (7, 7, 160),
        (7, 7, 320),
    ]  # fmt: skip
    assert all(layer.epsilon == 1e-3 for layer in network.layers if layer.kind == "batch_norm")


def test_mnasnet_a1_squeezes_to_a_quarter_of_a_blocks_input():
    network = build_network(
        get_published("mnasnet_a1").genome, Skeleton("mnasnet", filters=32), (224, 224, 3), 1000
    )
    linear = [layer for layer in network.layers if layer.kind == "linear"]
    squeezed = [layer.shape[2] for layer in linear[:-1:2]]
    # stages 3, 5 and 6: the first block reads the stage before
    assert squeezed == [6, 10, 10, 20, 28, 28, 40, 40]
    widths = [layer.shape[2] for layer in network.layers if layer.kind == "scale_channels"]
    assert widths == [72, 120, 120, 480, 672, 672, 960, 960]


def small(words, **more):
    """Returns a network whose second stage is of these words, the others plain."""
    stages = ["sep-k3-w1-n1", words, *("sep-k3-w1-n1" for _ in range(5))]
    genome = parse_genome(f"mnasnet: {' '.join(stages)}")
    return build_network(genome, Skeleton("mnasnet", filters=32, **more), (8, 8, 3), 4)


@pytest.mark.parametrize(
    "words, kinds",
    [
        ("conv-k5-w1-n2", "conv batch_norm relu"),
        ("sep-k3-w1-n2", "depthwise batch_norm relu conv batch_norm"),
        ("mb3-k3-w1-n2", "conv batch_norm relu depthwise batch_norm relu conv batch_norm"),
        ("conv-k3-w1-n2-id", "conv batch_norm relu add"),
        ("sep-k3-w1-n2-pool", "depthwise batch_norm relu conv batch_norm avg_pool add"),
        (
            "sep-k3-w1-n2-se-id",
            "depthwise batch_norm relu global_pool linear relu linear sigmoid scale_channels conv "
            "batch_norm add",
        ),
    ],
)
def test_blocks_of_every_sort(words, kinds):
    """The first block changes the channels, so that only the second one adds its input."""
    layers = stages_of(small(words))["stage2"]
    second = [layer.kind for layer in layers if "/block2/" in layer.name]
    assert second == kinds.split()
    first = [layer.kind for layer in layers if "/block1/" in layer.name]
    assert first == [kind for kind in second if kind not in ("add", "avg_pool")]
    assert layers[-1].shape == (8, 8, 24)


def test_widths_follow_the_filters():
    for filters in (1, 8, 20, 48):
        network = build_network(MOBILENET, Skeleton("mnasnet", filters=filters))
        found = [layers[-1].shape[2] for n, layers in stages_of(network).items() if n != "head"]
        wanted = [3, 32, 16, 24, 32, 64, 96, 160, 320]
        assert found[1:] == [max(int(w * filters / 32 + 0.5), 1) for w in wanted[1:]]


def test_drop_path_is_where_inputs_are_added_and_grows_with_depth():
    network = build_network(MOBILENET, Skeleton("mnasnet", filters=4, drop_path=True))
    rates = [layer.rate for layer in network.layers if layer.kind == "drop_path"]
    assert len(rates) == 10 and rates == sorted(rates) and rates[-1] == 16 / 17
    with pytest.raises(NetworkError, match="mobile networks have no auxiliary head"):
        build_network(MOBILENET, Skeleton("mnasnet", auxiliary=True))


@pytest.mark.parametrize("name", ["mobilenet_v2", "mnasnet_a1"])
def test_the_estimate_of_memory_is_near_what_the_backend_takes(name):
    """A depthwise convolution before a batch norm is kept, unlike one of cells."""
    network = build_network(get_published(name).genome, Skeleton("mnasnet", filters=8))
    taken = CpuModel(network, 16, arrays=Arrays(real=False)).activation_bytes
    assert 0.8 < taken / network.activation_bytes(16) < 1.2


def test_a_mobile_network_can_be_trained():
    network = small("mb6-k5-w1-n2-se-pool")
    model = ReferenceModel(network, 8)
    model.parameters[:] = initial_parameters(network, 0)
    rng = np.random.default_rng(0)
    images, labels = rng.normal(size=(8, 8, 8, 3)), rng.integers(4, size=8)
    losses = []
    for _ in range(12):
        losses.append(model.train_step(images, labels)[0])
        model.parameters -= 0.05 * model.gradients
    assert losses[-1] < 0.5 * losses[0]

"""Networks of chains of layers: what is built of each layer, how images shrink, dropout."""

import pytest
from cells_helpers import stream

from zero.cells.networks.build import build_network
from zero.cells.networks.skeletons import Skeleton, skeletons_of
from zero.cells.published import get_preset
from zero.cells.spaces import get_space
from zero.cells.text import parse_genome
from zero.errors import NetworkError

# 14 pixels, 7 after the first pooling, 3 after the second.
SIZED = "chain[conv3x3-1F,conv1x1-2F,pool2s2,pool3s2,gap,fc4F,fc2F,skips,size14]"
DEEP = "conv3x3-1F conv1x1-2F conv3x3-1F(1) pool2s2 conv3x3-1F pool3s2 fc4F fc2F"


def network(text, shape=(14, 14, 1), kind="chain", **settings):
    skeleton = Skeleton(kind, filters=settings.pop("filters", 2), **settings)
    return build_network(parse_genome(f"{SIZED}: {text}"), skeleton, shape, 10)


def layers_of(found, kind):
    return {layer.name: layer for layer in found.layers if layer.kind == kind}


def test_layers_are_what_their_names_say():
    found = network(DEEP)
    assert {n: (x.kernel, x.shape) for n, x in layers_of(found, "conv").items()} == {
        "layer1/conv": ((3, 3), (14, 14, 2)),
        "layer2/conv": ((1, 1), (14, 14, 4)),
        "layer3/conv": ((3, 3), (14, 14, 2)),
        "layer5/conv": ((3, 3), (7, 7, 2)),
    }
    pools = layers_of(found, "max_pool").values()
    assert [(x.kernel, x.stride, x.shape) for x in pools] == [
        ((2, 2), 2, (7, 7, 2)), ((3, 3), 2, (3, 3, 2))
    ]  # fmt: skip
    full = layers_of(found, "linear_no_bias").values()
    assert [x.shape for x in full] == [(1, 1, 8), (1, 1, 4)]
    assert layers_of(found, "linear")["head/linear"].shape == (1, 1, 10)
    # Layer 2's 4 channels, then the 2 of layer 1.
    (joined,) = (i for i, x in enumerate(found.layers) if x.kind == "concat")
    reads = [found.layers[i].name for i in found.layers[joined].inputs]
    assert reads == ["layer2/relu", "layer1/relu"] and found.layers[joined].shape[2] == 6


def test_number_of_parameters():
    convs = 9 * 1 * 2 + 2 * 4 + 9 * 6 * 2 + 9 * 2 * 2
    full, head = 3 * 3 * 2 * 8 + 8 * 4, 4 * 10 + 10
    norms = 2 * (2 + 4 + 2 + 2 + 8 + 4)
    assert network(DEEP).num_parameters == convs + full + head + norms
    assert network(DEEP, kind="chain_plain").num_parameters == convs + full + head
    assert network("end").num_parameters == 14 * 14 * 10 + 10
    assert network("gap", (14, 14, 3)).num_parameters == 3 * 10 + 10


def test_batch_norm_is_the_kinds():
    kinds = ["conv", "batch_norm", "relu"]
    assert [x.kind for x in network("conv3x3-1F").layers] == ["input", *kinds, "linear"]
    plain = network("conv3x3-1F", kind="chain_plain")
    assert [x.kind for x in plain.layers] == ["input", "conv", "relu", "linear"]
    assert skeletons_of(parse_genome("metaqnn: end")) == ["chain", "chain_plain"]


def test_dropout_rises_to_the_skeletons_rate():
    """After layers 2, 4, 6, and the two fully connected ones (7, 8), each once."""
    rates = layers_of(network(DEEP, dropout=0.5), "dropout")
    assert [name.split("/")[0] for name in rates] == [f"layer{k}" for k in (2, 4, 6, 7, 8)]
    assert [x.rate for x in rates.values()] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])
    for text, places in (
        ("conv3x3-1F gap", []),
        ("conv3x3-1F conv3x3-1F gap", ["layer2"]),
        ("conv3x3-1F conv3x3-1F pool2s2 gap", ["layer2"]),
        ("end", []),
    ):
        found = layers_of(network(text, dropout=0.5), "dropout")
        assert [name.split("/")[0] for name in found] == places
    assert get_preset("chain").skeleton.dropout == 0.5  # MetaQNN's


def test_every_network_fits_images_of_the_size_that_the_space_reckons_with():
    for name, side in (("metaqnn", 32), ("chain", 32), (SIZED, 14)):
        space, rng = get_space(name), stream("sizes")
        for _ in range(40):
            build_network(space.random(rng), Skeleton("chain", filters=1), (side, side, 1), 10)


def test_what_cannot_be_built():
    with pytest.raises(NetworkError, match=r"layer 4: the image has 1 x 1 pixels here.* size8"):
        network("conv3x3-1F pool2s2 conv3x3-1F pool2s2", (3, 3, 1))
    with pytest.raises(NetworkError, match="no auxiliary head"):
        network("conv3x3-1F", auxiliary=True)
    with pytest.raises(NetworkError, match=r"does not fit .*: chain, chain_plain"):
        network("conv3x3-1F", kind="slim_cifar")
    with pytest.raises(NetworkError, match="has no cells; give its filters only"):
        Skeleton("chain").resized(layers=8)
    assert str(Skeleton("chain", filters=4).resized(filters=9)) == "chain, F 9"


def test_a_layer_keeps_its_name_where_others_change():
    """Weights are inherited by name."""
    names = [p.name for p in network("conv3x3-1F conv1x1-2F gap").parameters]
    other = [p.name for p in network("conv3x3-1F conv3x3-1F gap").parameters]
    assert names == other

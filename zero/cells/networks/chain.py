"""Networks of chains of layers (MetaQNN: Baker et al. 2017; Zoph and Le 2017)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from zero.cells.forms.chain import Chain, read_layer
from zero.cells.genome import Genome
from zero.cells.networks.skeleton import Skeleton, SkeletonKind
from zero.errors import NetworkError

if TYPE_CHECKING:  # names are completed by the shell without it
    from zero.nn.network import Builder, Network


def chain_network(
    b: Builder, genome: Genome, skeleton: Skeleton, classes: int, norm: bool = True
) -> Network:
    """Returns the network of a chain.

    Convolutions and fully connected layers have no bias; batch norm (norm) and ReLU follow them.

    With dropout, MetaQNN's: after every second layer and every fully connected one, but not after
    global pooling, of rates that rise evenly to `skeleton.dropout`.
    """
    if skeleton.auxiliary or skeleton.drop_path:
        raise NetworkError("chains of layers have no auxiliary head and no drop path")
    chain = genome.normal
    kinds = [read_layer(name).kind for name in chain.names]
    places = [
        k for k, kind in enumerate(kinds, 1) if kind == "fc" or (k % 2 == 0 and kind != "gap")
    ]
    outputs = [0]
    for number, (name, skips) in enumerate(chain.layers, 1):
        layer, channels = read_layer(name), read_layer(name).width * skeleton.filters
        with b.scope(f"layer{number}"):
            x = b.concat(outputs[-1], *(outputs[skip] for skip in skips))
            if layer.kind == "conv":
                x = b.conv(x, channels, layer.window)
            elif layer.kind == "pool":
                height, width, _ = b.shape(x)
                if min(height, width) < layer.window:
                    raise NetworkError(
                        f"layer {number}: the image has {height} x {width} pixels here, too few for "
                        f"{name}; tell the space how large images are, such as size8 in cells.ops"
                    )
                x = b.pool("max", x, layer.window, layer.stride, pad="valid")
            elif layer.kind == "fc":
                x = b.linear(x, channels, bias=False)
            else:
                x = b.global_pool(x)
            if layer.width:
                x = b.relu(b.batch_norm(x) if norm else x)
            if number in places:
                x = b.dropout(x, skeleton.dropout * (places.index(number) + 1) / len(places))
        outputs.append(x)
    with b.scope("head"):
        return b.network(b.linear(outputs[-1], classes))


CHAIN_SKELETONS: dict[str, SkeletonKind] = {
    "chain": SkeletonKind("chains of layers with batch norm", chain_network, Chain, stem=""),
    "chain_plain": SkeletonKind(
        "chains of layers without batch norm", partial(chain_network, norm=False), Chain, stem=""
    ),
}

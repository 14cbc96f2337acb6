"""Builds a genome's cells into a whole network, by the rules of a skeleton (`skeletons`)."""

from __future__ import annotations

from zero.cells.genome import Genome, GraphCell, PairCell
from zero.cells.networks.nas_bench import edge_network, graph_network
from zero.cells.networks.pair_cells import add_pair_cell
from zero.cells.networks.skeletons import SKELETONS, Skeleton, SkeletonKind, skeletons_of
from zero.cells.ops import relu_conv_bn
from zero.errors import NetworkError
from zero.nn.layers.record import Shape
from zero.nn.network import Builder, Network


def build_network(
    genome: Genome,
    skeleton: Skeleton,
    image_shape: Shape = (32, 32, 3),
    classes: int = 10,
) -> Network:
    """Returns the network of a genome's cells in a skeleton.

    Args:
        genome: Its cells.
        skeleton: The rest.
        image_shape: (height, width, channels) of the images.
        classes: Number of classes, at least 2.

    Raises:
        NetworkError: The cells are of another form than the skeleton's, the images too small for its
            reductions, or there are fewer than two classes.
    """
    kind = SKELETONS[skeleton.kind]
    if not isinstance(genome.normal, kind.form):
        raise NetworkError(
            f"a genome of space {genome.space} does not fit the skeleton {skeleton.kind}; "
            f"use one of: {', '.join(skeletons_of(genome))} (with a config, "
            f"add --set cells.space={genome.space.partition('[')[0]})"
        )
    if classes < 2:
        raise NetworkError(
            f"{classes} class{'' if classes == 1 else 'es'}; a network needs at least 2"
        )
    if len(image_shape) != 3 or min(image_shape) < 1:
        raise NetworkError(f"images of shape {image_shape}; it must be height, width, channels")
    b = Builder(tuple(image_shape), kind.epsilon, kind.decay)
    try:
        if kind.form is PairCell:
            return _pair_network(b, genome, skeleton, classes)
        build = graph_network if kind.form is GraphCell else edge_network
        return build(b, genome.normal, skeleton, classes)
    except NetworkError as error:
        size = " x ".join(map(str, image_shape))
        raise NetworkError(f"{skeleton.kind} on images of {size}: {error}") from None


def _pair_network(b: Builder, genome: Genome, skeleton: Skeleton, classes: int) -> Network:
    kind = SKELETONS[skeleton.kind]
    first, second = skeleton.reductions
    stem_cells = 2 if kind.stem == "imagenet" else 0
    total, channels = skeleton.cells + stem_cells, skeleton.filters
    prev, cur = _stem(b, genome, skeleton, total)
    attach = {"before": second - 1, "at": second, "after": second + 1}[kind.auxiliary]
    attached = None
    for number in range(skeleton.cells):
        reduction = number in (first, second)
        channels *= 2 if reduction else 1
        cell = genome.reduction if reduction and not kind.one_cell else genome.normal
        share = _share(skeleton, number + stem_cells, total)
        with b.scope(f"cell{number}"):
            new = add_pair_cell(
                b, cell, prev, cur, channels, 2 if reduction else 1, kind.rules, share
            )
        prev, cur = cur, new
        if number == attach:
            attached = new
    with b.scope("head"):
        x = b.relu(cur) if kind.relu_head else cur
        x = b.dropout(b.global_pool(x), skeleton.dropout)
        output = b.linear(x, classes, kind.head_bias)
    if not skeleton.auxiliary:
        return b.network(output)
    if attached is None:
        raise NetworkError(
            "there is no cell for the auxiliary head; use more cells, or no such head"
        )
    with b.scope("auxiliary"):
        return b.network(output, _auxiliary_head(b, attached, classes, kind))


def _share(skeleton: Skeleton, number: int, total: int) -> float:
    """Returns a cell's share of the drop path probability (Zoph et al. 2018: by depth)."""
    if not skeleton.drop_path:
        return 0.0
    return (number + 1) / total if SKELETONS[skeleton.kind].depth_drop else 1.0


def _stem(b: Builder, genome: Genome, skeleton: Skeleton, total: int) -> tuple[int | None, int]:
    """Adds the stem; returns prev (None: the first cell has none) and cur."""
    kind, channels = SKELETONS[skeleton.kind], skeleton.filters
    pad = kind.rules.pad(3)
    with b.scope("stem"):
        if kind.stem == "cifar":
            x = b.batch_norm(b.conv(0, skeleton.stem_channels, 3, pad=pad))
            return (None if kind.rules.calibration == "slim" else x), x
        if kind.stem == "darts_imagenet":
            x = b.batch_norm(b.conv(0, skeleton.stem_channels, 3, 2, pad=pad))
            first = b.batch_norm(b.conv(b.relu(x), channels, 3, 2, pad=pad))
            return first, relu_conv_bn(b, first, channels, 3, 2, pad=pad)
        prev, cur = None, b.batch_norm(b.conv(0, skeleton.stem_channels, 3, 2, pad="valid"))
    for number, divisor in enumerate((4, 2)):
        cell = genome.normal if kind.one_cell else genome.reduction
        width = max(channels // divisor, 1)
        with b.scope(f"stem_cell{number}"):
            share = _share(skeleton, number, total)
            new = add_pair_cell(b, cell, prev, cur, width, 2, kind.rules, share)
        prev, cur = cur, new
    return prev, cur


def _auxiliary_head(b: Builder, x: int, classes: int, kind: SkeletonKind) -> int:
    """Adds the auxiliary head: pooling, 1x1 to 128, the whole window to 768, linear.

    The papers pool 5x5 with stride 3 (DARTS on ImageNet: 2); images smaller than 5 are pooled whole.
    """
    height, width, _ = b.shape(x)
    large = kind.stem == "darts_imagenet"
    x = b.pool("avg", b.relu(x), (min(5, height), min(5, width)), 2 if large else 3, pad="valid")
    x = b.relu(b.batch_norm(b.conv(x, 128)))
    x = b.conv(x, 768, b.shape(x)[:2], pad="valid")
    x = b.relu(x if large else b.batch_norm(x))  # DARTS's code on ImageNet has no batch norm here
    return b.linear(x, classes, kind.head_bias)

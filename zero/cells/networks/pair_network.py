"""Networks of normal and reduction cells, as NASNet, AmoebaNet, DARTS and others have them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from zero.cells.forms.pair import PairCell
from zero.cells.genome import Genome
from zero.cells.networks.pair_cells import add_pair_cell
from zero.cells.networks.skeleton import Skeleton, SkeletonKind
from zero.cells.ops import DARTS, ENAS, relu_conv_bn
from zero.errors import NetworkError

if TYPE_CHECKING:  # names are completed by the shell without it
    from zero.nn.network import Builder, Network


def pair_network(b: Builder, genome: Genome, skeleton: Skeleton, classes: int) -> Network:
    """Returns the network of normal and reduction cells."""
    rules = skeleton.of_kind.rules

    def add_cell(
        name: str, prev: int | None, cur: int, channels: int, stride: int, share: float
    ) -> int:
        cell = getattr(genome, name)
        return add_pair_cell(b, cell, prev, cur, channels, stride, rules, share)

    return pair_stages(b, skeleton, classes, add_cell)


# (normal or reduction, prev, cur, channels, stride, share of drop path) -> output
AddCell = Callable[[str, "int | None", int, int, int, float], int]


def pair_stages(b: Builder, skeleton: Skeleton, classes: int, add_cell: AddCell) -> Network:
    """Returns the network of any normal and reduction cells."""
    kind = skeleton.of_kind
    first, second = skeleton.reductions
    stem_cells = 2 if kind.stem == "imagenet" else 0
    total, channels = skeleton.cells + stem_cells, skeleton.filters
    prev, cur = _stem(b, add_cell, skeleton, total)
    attach = {"before": second - 1, "at": second, "after": second + 1}[kind.auxiliary]
    attached = None
    for number in range(skeleton.cells):
        reduction = number in (first, second)
        channels *= 2 if reduction else 1
        name = "reduction" if reduction and not kind.one_cell else "normal"
        share = _share(skeleton, number + stem_cells, total)
        with b.scope(f"cell{number}"):
            new = add_cell(name, prev, cur, channels, 2 if reduction else 1, share)
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
    return (number + 1) / total if skeleton.of_kind.depth_drop else 1.0


def _stem(b: Builder, add_cell: AddCell, skeleton: Skeleton, total: int) -> tuple[int | None, int]:
    """Adds the stem; returns prev (None: the first cell has none) and cur."""
    kind, channels = skeleton.of_kind, skeleton.filters
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
        name = "normal" if kind.one_cell else "reduction"
        width = max(channels // divisor, 1)
        with b.scope(f"stem_cell{number}"):
            new = add_cell(name, prev, cur, width, 2, _share(skeleton, number, total))
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


_pair = partial(SkeletonKind, build=pair_network, form=PairCell)
PAIR_SKELETONS: dict[str, SkeletonKind] = {
    "slim_cifar": _pair("NASNet and AmoebaNet for small images (TF-slim)"),
    "slim_imagenet": _pair(
        "NASNet for ImageNet (TF-slim)", stem="imagenet", epsilon=1e-3, decay=0.9997
    ),
    "tpu_imagenet": _pair(
        "AmoebaNet for ImageNet (TPU code)",
        stem="imagenet",
        epsilon=1e-3,
        decay=0.9997,
        depth_drop=False,
    ),
    "pnasnet": _pair("PNASNet for small images: one cell, 3N of them", one_cell=True),
    "pnasnet_imagenet": _pair(
        "PNASNet for ImageNet", stem="imagenet", one_cell=True, epsilon=1e-3, decay=0.9997
    ),
    "darts": _pair(
        "DARTS for small images", rules=DARTS, auxiliary="at", depth_drop=False, relu_head=False
    ),
    "darts_imagenet": _pair(
        "DARTS for ImageNet",
        rules=DARTS,
        stem="darts_imagenet",
        auxiliary="at",
        depth_drop=False,
        relu_head=False,
    ),
    "enas": _pair("ENAS micro", rules=ENAS, auxiliary="after", head_bias=False),
}

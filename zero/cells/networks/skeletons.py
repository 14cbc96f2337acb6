"""Skeletons: from a genome's cells to a whole network, by the rules of the published ones.

A `Skeleton` says of which kind the network is (`KINDS`) and how large; `build_network` builds it.
Layers are named by their place, such as "cell3/n1/a/conv": the third node's first op of the fourth
cell, so that the same place in two genomes' networks has the same name.

Sources: Zoph et al. 2018 and the TF-slim code (slim), Real et al. 2019 and the TPU code (tpu), Liu et
al. 2018 (pnasnet), Pham et al. 2018 (enas), Liu et al. 2019 (darts), Ying et al. 2019, Dong and Yang
2020. Counts of parameters agree with the papers' to the integer (`zero.cells.published`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from zero.cells.genome import EdgeCell, Genome, GraphCell, PairCell
from zero.cells.networks.pair_cells import add_pair_cell
from zero.cells.ops import DARTS, ENAS, SLIM, Rules, check_op, relu_conv_bn
from zero.errors import NetworkError, unknown_name
from zero.nn.layers.record import Shape
from zero.nn.network import Builder, Network


@dataclass(frozen=True)
class Kind:
    """A kind of skeleton.

    rules: how ops are built. stem: "cifar" (one convolution), "imagenet" (a strided one, then two
    reduction cells), "darts_imagenet" (three strided ones). one_cell: reductions are normal cells with
    stride 2, 3N cells in all (PNASNet); else reduction cells of their own, 3N + 2 in all. form: of the
    cells. epsilon, decay: of batch norm. auxiliary: where the auxiliary head reads: "before" (the last
    cell before the second reduction), "at" (the second reduction), "after" (the cell after it).
    depth_drop: drop path grows with depth (the papers' scheduled drop path), else it is the same in
    all cells.
    """

    description: str
    rules: Rules = SLIM
    stem: str = "cifar"
    one_cell: bool = False
    form: type = PairCell
    epsilon: float = 1e-5
    decay: float = 0.9
    auxiliary: str = "before"
    depth_drop: bool = True
    relu_head: bool = True
    head_bias: bool = True


KINDS: dict[str, Kind] = {
    "slim_cifar": Kind("NASNet and AmoebaNet for small images (TF-slim)"),
    "slim_imagenet": Kind("NASNet for ImageNet (TF-slim)", stem="imagenet", epsilon=1e-3, decay=0.9997),
    "tpu_imagenet": Kind("AmoebaNet for ImageNet (TPU code)", stem="imagenet", epsilon=1e-3,
                         decay=0.9997, depth_drop=False),
    "pnasnet": Kind("PNASNet for small images: one cell, 3N of them", one_cell=True),
    "pnasnet_imagenet": Kind("PNASNet for ImageNet", stem="imagenet", one_cell=True, epsilon=1e-3,
                             decay=0.9997),
    "darts": Kind("DARTS for small images", DARTS, auxiliary="at", depth_drop=False, relu_head=False),
    "darts_imagenet": Kind("DARTS for ImageNet", DARTS, stem="darts_imagenet", auxiliary="at",
                           depth_drop=False, relu_head=False),
    "enas": Kind("ENAS micro", ENAS, auxiliary="after", head_bias=False),
    "nas_bench_101": Kind("NAS-Bench-101", form=GraphCell, decay=0.997),
    "nas_bench_201": Kind("NAS-Bench-201", form=EdgeCell),
}  # fmt: skip


@dataclass(frozen=True)
class Skeleton:
    """A network but for its cells.

    kind: a name in `KINDS`. normal_cells: N, the normal cells between two reductions (NAS-Benches:
    cells a stage). filters: F, channels of each node of the first cells. layers: number of cells, where
    it is not the one that follows from N (kinds darts and darts_imagenet); reductions then stand at a
    third and two thirds of it. stem_filters: of ImageNet's first convolution. auxiliary: with the
    auxiliary head, which helps in training and counts nothing. dropout: rate before the last layer.
    drop_path: with layers for scheduled drop path.
    """

    kind: str = "slim_cifar"
    normal_cells: int = 6
    filters: int = 32
    layers: int = 0
    stem_filters: int = 96
    auxiliary: bool = False
    dropout: float = 0.0
    drop_path: bool = False

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise NetworkError(unknown_name("kind of skeleton", self.kind, KINDS))
        for what, least in (
            ("normal_cells", 0),
            ("filters", 1),
            ("layers", 0),
            ("stem_filters", 1),
        ):
            value = getattr(self, what)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise NetworkError(f"{what} is {value!r}; it must be a whole number from {least}")
        if not 0 <= self.dropout < 1:
            raise NetworkError(f"dropout is {self.dropout!r}; it must be from 0 to below 1")
        if self.layers and "darts" not in self.kind:
            raise NetworkError(f"kind {self.kind} has 3 * normal_cells cells; layers must be 0")
        if self.layers in (1, 2) or (KINDS[self.kind].one_cell and self.normal_cells < 1):
            raise NetworkError("the skeleton has too few cells; normal_cells must be at least 1")

    @property
    def cells(self) -> int:
        """Number of cells, reductions among them, without ImageNet's stem cells."""
        if KINDS[self.kind].one_cell:
            return 3 * self.normal_cells
        return self.layers or 3 * self.normal_cells + 2

    @property
    def reductions(self) -> tuple[int, int]:
        """The numbers, from 0, of the cells that halve the image."""
        if KINDS[self.kind].one_cell:
            return self.normal_cells, 2 * self.normal_cells
        if self.layers:
            return self.layers // 3, 2 * self.layers // 3
        return self.normal_cells, 2 * self.normal_cells + 1

    @property
    def stem_channels(self) -> int:
        """Channels of the stem's first convolution."""
        kind = KINDS[self.kind]
        if kind.form is not PairCell:
            return self.filters
        wide = {"cifar": 3 * self.filters, "darts_imagenet": max(self.filters // 2, 1)}
        return wide.get(kind.stem, self.stem_filters)

    @property
    def size(self) -> str:
        """N (or the number of cells) and F in words."""
        number = f"{self.layers} cells" if self.layers else f"N {self.normal_cells}"
        return f"{number}, F {self.filters}"

    def __str__(self) -> str:
        """Kind, size, stem, and what else adds parameters, in words."""
        head = ", auxiliary head" if self.auxiliary else ""
        return f"{self.kind}, {self.size}, stem of {self.stem_channels} channels{head}"

    def resized(
        self, normal_cells: int | None = None, filters: int | None = None, layers: int | None = None
    ) -> Skeleton:
        """Returns the skeleton with another size; None keeps what it has.

        Args:
            normal_cells: N.
            filters: F.
            layers: Number of cells instead of N: 3N + 2 (PNASNet 3N, ENAS either; DARTS any from 3).

        Raises:
            NetworkError: Both N and layers are given, or there is no such number of cells.
        """
        changes: dict[str, int] = {} if filters is None else {"filters": filters}
        if normal_cells is not None:
            changes |= {"normal_cells": normal_cells, "layers": 0}
        if layers is None:
            return replace(self, **changes)
        if normal_cells is not None:
            raise NetworkError("normal cells and layers say the same; give one of them")
        if "darts" in self.kind:
            return replace(self, **changes, layers=layers)
        # ENAS's papers and code call 17 cells "15 layers".
        beyond = {"enas": (0, 2)}.get(self.kind, (0,) if KINDS[self.kind].one_cell else (2,))
        if KINDS[self.kind].form is not PairCell or layers % 3 not in beyond:
            have = " or ".join("3N + 2" if rest else "3N" for rest in beyond)
            if KINDS[self.kind].form is not PairCell:
                have = "N cells a stage; give normal cells"
            raise NetworkError(f"{layers} layers: the skeleton {self.kind} has {have}")
        return replace(self, **changes, normal_cells=layers // 3)


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
    kind = KINDS[skeleton.kind]
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
        from zero.cells.networks import nas_bench

        build = nas_bench.graph_network if kind.form is GraphCell else nas_bench.edge_network
        return build(b, genome.normal, skeleton, classes)
    except NetworkError as error:
        size = " x ".join(map(str, image_shape))
        raise NetworkError(f"{skeleton.kind} on images of {size}: {error}") from None


def check_ops(names: Iterable[str], kind: str) -> None:
    """Tries ops in small networks as a kind of skeleton has them; see `zero.cells.ops.check_op`."""
    rules = KINDS[kind].rules
    strides = (1, 2) if KINDS[kind].form is PairCell else (1,)
    for name in names:
        check_op(name, rules, strides)


def skeletons_of(genome: Genome) -> list[str]:
    """Returns the kinds of skeleton that a genome's cells fit."""
    return [name for name, kind in KINDS.items() if isinstance(genome.normal, kind.form)]


def _pair_network(b: Builder, genome: Genome, skeleton: Skeleton, classes: int) -> Network:
    kind = KINDS[skeleton.kind]
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
    return (number + 1) / total if KINDS[skeleton.kind].depth_drop else 1.0


def _stem(b: Builder, genome: Genome, skeleton: Skeleton, total: int) -> tuple[int | None, int]:
    """Adds the stem; returns prev (None: the first cell has none) and cur."""
    kind, channels = KINDS[skeleton.kind], skeleton.filters
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


def _auxiliary_head(b: Builder, x: int, classes: int, kind: Kind) -> int:
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

"""Networks of NAS-Bench-101 (Ying et al. 2019) and NAS-Bench-201 (Dong and Yang 2020) cells."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from zero.cells.forms.edge import EDGES, EdgeCell
from zero.cells.forms.graph import GraphCell
from zero.cells.genome import Genome
from zero.cells.networks.skeleton import Skeleton, SkeletonKind
from zero.cells.ops import SLIM, add_op, relu_conv_bn
from zero.errors import NetworkError

if TYPE_CHECKING:  # names are completed by the shell without it
    from zero.nn.network import Builder, Network


def _check(skeleton: Skeleton) -> None:
    if skeleton.auxiliary or skeleton.drop_path:
        raise NetworkError("the NAS-Bench skeletons have no auxiliary head and no drop path")


def graph_network(b: Builder, genome: Genome, skeleton: Skeleton, classes: int) -> Network:
    """Returns NAS-Bench-101's network: three stages of cells, 2x2 max pooling between them."""
    _check(skeleton)
    channels, cell = skeleton.filters, genome.normal.pruned
    with b.scope("stem"):
        x = _conv_bn_relu(b, 0, channels, 3)
    number = 0
    for stage in range(3):
        if stage:
            height, width, _ = b.shape(x)
            if min(height, width) < 2:
                raise NetworkError(f"the image has {height} x {width} pixels and cannot be halved")
            channels *= 2
            with b.scope(f"pool{stage}"):
                x = b.pool("max", x, 2, 2)
        for _ in range(skeleton.normal_cells):
            with b.scope(f"cell{number}"):
                x = _graph_cell(b, cell, x, channels)
            number += 1
    with b.scope("head"):
        x = b.dropout(b.global_pool(x), skeleton.dropout)
        return b.network(b.linear(x, classes))


def _conv_bn_relu(b: Builder, x: int, channels: int, kernel: int) -> int:
    return b.relu(b.batch_norm(b.conv(x, channels, kernel)))


def vertex_channels(cell: GraphCell, channels: int) -> list[int]:
    """Returns the channels of a pruned cell's vertices, the input's (0: any) first.

    Vertices that feed the output share its channels evenly, the first ones take what is left over;
    the others have as many as the widest vertex that they feed.
    """
    count = len(cell.vertices)
    feeding = [v for v in cell.output if v > 0]
    found = [0] * (count + 1)
    for place, vertex in enumerate(sorted(feeding)):
        found[vertex] = channels // len(feeding) + (place < channels % len(feeding))
    for vertex in range(count, 0, -1):
        if vertex not in feeding:
            readers = [v for v in range(1, count + 1) if vertex in cell.vertices[v - 1][1]]
            found[vertex] = max(found[v] for v in readers)
    return found


def _graph_cell(b: Builder, cell: GraphCell, x: int, channels: int) -> int:
    """Adds a pruned cell: edges from the input are 1x1 projections, other inputs are cut to size."""
    widths = vertex_channels(cell, channels)
    if min(widths[1:], default=1) < 1:
        raise NetworkError(
            f"{channels} channels are too few for {len(cell.output)} outputs; raise filters"
        )
    states = [x]
    for number, (op, reads) in enumerate(cell.vertices, 1):
        with b.scope(f"n{number}"):
            width = widths[number]
            inputs = [b.first_channels(states[r], width) for r in sorted(reads) if r]
            if 0 in reads:
                with b.scope("in"):
                    inputs.append(_conv_bn_relu(b, x, width, 1))
            states.append(add_op(b, op, b.add(*inputs), width, 1, SLIM))
    with b.scope("out"):
        parts = [states[v] for v in sorted(cell.output) if v]
        if not parts:
            return _conv_bn_relu(b, x, channels, 1)
        y = b.concat(*parts)
        return b.add(y, _conv_bn_relu(b, x, channels, 1)) if 0 in cell.output else y


def edge_network(b: Builder, genome: Genome, skeleton: Skeleton, classes: int) -> Network:
    """Returns NAS-Bench-201's network: three stages of cells, a residual block between them."""
    return edge_stages(b, skeleton, classes, partial(_edge_cell, b, genome.normal))


def edge_stages(
    b: Builder, skeleton: Skeleton, classes: int, add_cell: Callable[[int, int], int]
) -> Network:
    """Returns NAS-Bench-201's network of any cells; add_cell: (what it reads, channels) -> output."""
    _check(skeleton)
    channels = skeleton.filters
    with b.scope("stem"):
        x = b.batch_norm(b.conv(0, channels, 3))
    number = 0
    for stage in range(3):
        if stage:
            channels *= 2
            with b.scope(f"residual{stage}"):
                x = _residual(b, x, channels)
        for _ in range(skeleton.normal_cells):
            with b.scope(f"cell{number}"):
                x = add_cell(x, channels)
            number += 1
    with b.scope("head"):
        x = b.global_pool(b.relu(b.batch_norm(x)))
        return b.network(b.linear(b.dropout(x, skeleton.dropout), classes))


def _residual(b: Builder, x: int, channels: int) -> int:
    """Two ReLU-3x3-BN, the first of stride 2, beside 2x2 average pooling and a 1x1 convolution."""
    height, width, _ = b.shape(x)
    if min(height, width) < 2:
        raise NetworkError(f"the image has {height} x {width} pixels and cannot be halved")
    y = relu_conv_bn(b, x, channels, 3, 2, pad="symmetric")
    y = relu_conv_bn(b, y, channels, 3)
    # "same" equals the benchmark's unpadded pooling where the size is even, and fits where it is odd.
    return b.add(b.conv(b.pool("avg", x, 2, 2), channels), y)


def _edge_cell(b: Builder, cell: EdgeCell, x: int, channels: int) -> int:
    """Adds a cell; edges that the output does not depend on are left out."""
    live, states = cell.live, {0: x}
    for target in (1, 2, 3):
        if target not in live:
            continue
        parts = []
        for op, (source, end) in zip(cell.ops, EDGES, strict=True):
            if end == target and op != "none":
                with b.scope(f"{source}>{target}"):
                    parts.append(add_op(b, op, states[source], channels, 1, SLIM))
        with b.scope(f"n{target}"):
            states[target] = b.add(*parts) if parts else b.zero(x, b.shape(x))
    return states[3]


NAS_BENCH_SKELETONS: dict[str, SkeletonKind] = {
    "nas_bench_101": SkeletonKind("NAS-Bench-101", graph_network, GraphCell, decay=0.997),
    "nas_bench_201": SkeletonKind("NAS-Bench-201", edge_network, EdgeCell),
}

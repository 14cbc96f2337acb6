"""Networks of hierarchical cells (Liu et al. 2018)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zero.cells.forms.hierarchy import Hierarchy, live_edges, nodes_of
from zero.cells.genome import Genome
from zero.cells.networks.skeleton import Skeleton, SkeletonKind
from zero.cells.ops import SLIM, add_op
from zero.errors import NetworkError

if TYPE_CHECKING:  # names are completed by the shell without it
    from collections.abc import Callable

    from zero.nn.network import Builder, Network

SEPARABLE = "sep3x3-bn-relu"  # between cells


def hierarchical_network(b: Builder, genome: Genome, skeleton: Skeleton, classes: int) -> Network:
    """Returns the network: three stages of cells, a separable convolution after every cell.

    Those between stages halve the image and double the channels.
    """
    if skeleton.auxiliary or skeleton.drop_path:
        raise NetworkError("hierarchical cells have no auxiliary head and no drop path")
    channels, number = skeleton.filters, 0
    with b.scope("stem"):
        x = b.relu(b.batch_norm(b.conv(0, channels, 3)))
    for stage in range(3):
        for cell in range(skeleton.normal_cells):
            with b.scope(f"cell{number}"):
                x = _cell(b, genome.normal, x, channels)
            stride = 2 if stage < 2 and cell == skeleton.normal_cells - 1 else 1
            height, width, _ = b.shape(x)
            if stride == 2 and min(height, width) < 2:
                raise NetworkError(f"the image has {height} x {width} pixels and cannot be halved")
            channels *= stride
            with b.scope(f"separable{number}"):
                x = add_op(b, SEPARABLE, x, channels, stride, SLIM)
            number += 1
    with b.scope("head"):
        x = b.dropout(b.global_pool(x), skeleton.dropout)
        return b.network(b.linear(x, classes))


def _cell(b: Builder, form: Hierarchy, x: int, channels: int) -> int:
    def motif(label: str, state: int) -> int:
        labels = form.motif(label)
        return _graph(
            b, live_edges(labels), nodes_of(len(labels)), state, channels,
            lambda op, source: add_op(b, op, source, channels, 1, SLIM),
        )  # fmt: skip

    return _graph(b, form.live_cell, nodes_of(len(form.cell)), x, channels, motif)


def _graph(
    b: Builder,
    edges: list[tuple[int, int, str]],
    nodes: int,
    x: int,
    channels: int,
    edge: Callable[[str, int], int],
) -> int:
    """Adds the live edges of a graph; a node that several reach has their channels in a 1x1 convolution."""
    states = {0: x}
    for target in range(1, nodes):
        parts = []
        for source, end, label in edges:
            if end == target:
                with b.scope(f"{source}>{target}"):
                    parts.append(edge(label, states[source]))
        if len(parts) > 1:
            with b.scope(f"n{target}"):
                joined = b.conv(b.concat(*parts), channels)
                parts = [b.relu(b.batch_norm(joined))]
        if parts:
            states[target] = parts[0]
    return states[nodes - 1] if edges else b.zero(x, b.shape(x))


HIERARCHICAL_SKELETONS: dict[str, SkeletonKind] = {
    "hierarchical": SkeletonKind("hierarchical cells", hierarchical_network, Hierarchy),
}

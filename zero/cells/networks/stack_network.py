"""Networks of stacks: a first convolution, the blocks, and a linear layer.

A layer's name has its block's place and name and a digest of all blocks up to there, so that weights are
inherited (`zero.nn.weights.inherit`) by exactly the unchanged beginning of a stack: what is learnt
above other blocks is of no use. Source: Google Model Search, inheritance "snapshot".
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from zero.cells.blocks import add_block
from zero.cells.forms.stack import Stack
from zero.cells.genome import Genome
from zero.cells.networks.skeleton import Skeleton, SkeletonKind
from zero.errors import NetworkError

if TYPE_CHECKING:  # names are completed by the shell without it
    from zero.nn.network import Builder, Network


def stack_network(b: Builder, genome: Genome, skeleton: Skeleton, classes: int) -> Network:
    """Returns the network; the mean over pixels is taken before the first dense block or the last layer."""
    if skeleton.auxiliary or skeleton.drop_path:
        raise NetworkError("stacks of blocks have no auxiliary head and no drop path")
    stack: Stack = genome.normal
    images = stack.of_images
    with b.scope("stem"):
        x = b.relu(b.batch_norm(b.conv(0, skeleton.filters, 3)))
    for place, name in enumerate(stack.blocks):
        with b.scope(f"block{place}.{name}.{_digest(stack.blocks[: place + 1])}"):
            x = add_block(b, name, b.global_pool(x) if place == images else x)
    with b.scope(f"head.{_digest(stack.blocks)}"):
        x = b.global_pool(x) if images == len(stack.blocks) else x
        return b.network(b.linear(b.dropout(x, skeleton.dropout), classes))


def _digest(blocks: tuple[str, ...]) -> str:
    return hashlib.blake2b(" ".join(blocks).encode(), digest_size=4).hexdigest()


STACK_SKELETONS: dict[str, SkeletonKind] = {
    "blocks": SkeletonKind(
        "Model Search: a stack of blocks on a convolution", stack_network, Stack, stem=""
    )
}

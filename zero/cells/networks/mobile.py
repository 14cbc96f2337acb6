"""Networks of mobile stages: MobileNetV2 (Sandler et al. 2018) and MnasNet (Tan et al. 2019).

For images of 224 pixels they are the published ones. Smaller images are halved less often, so that at
least 4 x 4 pixels are left: what comes first keeps its size. All widths are in proportion to `filters`,
the stem's channels (32 in the published networks).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from zero.cells.forms.mobile import HEAD, MOBILENET, STEM, MobileStages, Stage
from zero.cells.genome import Genome
from zero.cells.networks.skeleton import Skeleton, SkeletonKind
from zero.errors import NetworkError

if TYPE_CHECKING:  # names are completed by the shell without it
    from zero.nn.network import Builder, Network

SQUEEZED = 0.25  # of a block's input channels
LEAST = 4  # pixels of the last image's sides


def strides_of(side: int) -> list[int]:
    """Returns the strides of the stem and of each stage's first block for images of that side."""
    strides = [2, *(stride for _, _, stride in MOBILENET)]
    places = [place for place, stride in enumerate(strides) if stride > 1]
    kept = 0
    while kept < len(places) and -(-side // 2 ** (kept + 1)) >= LEAST:
        kept += 1
    for place in places[: len(places) - kept]:
        strides[place] = 1
    return strides


def mobile_network(
    b: Builder, genome: Genome, skeleton: Skeleton, classes: int, activation: str
) -> Network:
    """Returns the network of a genome's stages; activation: a kind of layer.

    With drop path, what a block makes is dropped where its input is added to it, more often the later it
    comes.
    """
    if skeleton.auxiliary:
        raise NetworkError("mobile networks have no auxiliary head")
    stages, units = genome.normal.stages, genome.normal.channels
    first, *strides = strides_of(min(b.shape(0)[:2]))
    total, number, before = sum(stage.blocks for stage in stages), 0, STEM

    def scaled(channels: int) -> int:
        return max(int(channels * skeleton.filters / STEM + 0.5), 1)

    with b.scope("stem"):
        x = _active(b, b.conv(0, scaled(STEM), 3, first), activation)
    for place, (stage, channels) in enumerate(zip(stages, units, strict=True)):
        for block in range(stage.blocks):
            number += 1
            stride = strides[place] if block == 0 else 1
            with b.scope(f"stage{place + 1}/block{block + 1}"):
                y = _block(b, x, stage, scaled(channels), stride, activation)
                # By the widths in full, so that rounded ones do not decide what is added.
                skip = _skip(b, x, stage.skip, stride) if before == channels else None
                if skip is not None:
                    y = b.drop_path(y, number / total) if skeleton.drop_path else y
                    y = b.add(y, skip)
            x, before = y, channels
    with b.scope("head"):
        x = _active(b, b.conv(x, scaled(HEAD)), activation)
        return b.network(b.linear(b.dropout(b.global_pool(x), skeleton.dropout), classes))


def _active(b: Builder, x: int, activation: str) -> int:
    return b.add_layer(activation, b.batch_norm(x))


def _block(b: Builder, x: int, stage: Stage, channels: int, stride: int, activation: str) -> int:
    """Adds a block; squeeze-excite comes after its widest layer, its last batch norm has no activation.

    A plain convolution is followed by both.
    """
    inside = b.shape(x)[2]
    squeezed = max(int(SQUEEZED * inside), 1)
    if stage.op == "conv":
        y = _active(b, b.conv(x, channels, stage.kernel, stride), activation)
        return b.squeeze_excite(y, squeezed) if stage.squeeze else y
    if stage.expansion > 1:
        x = _active(b, b.conv(x, stage.expansion * inside), activation)
    y = _active(b, b.depthwise(x, stage.kernel, stride), activation)
    y = b.squeeze_excite(y, squeezed) if stage.squeeze else y
    return b.batch_norm(b.conv(y, channels))


def _skip(b: Builder, x: int, skip: str, stride: int) -> int | None:
    """Returns what a block adds of its input, None for nothing; an identity has no stride."""
    if skip == "pool":
        return b.pool("avg", x, 3, stride)
    return x if skip == "id" and stride == 1 else None


def _kind(description: str, activation: str) -> SkeletonKind:
    build = partial(mobile_network, activation=activation)
    return SkeletonKind(description, build, MobileStages, stem="", epsilon=1e-3)


MOBILE_SKELETONS: dict[str, SkeletonKind] = {
    "mnasnet": _kind("MnasNet: mobile stages with ReLU", "relu"),
    "mobilenet_v2": _kind("MobileNetV2: mobile stages with ReLU6", "relu6"),
}

"""Networks of seven stages around MobileNetV2, each of equal blocks (Tan et al. 2019, "MnasNet").

A stage is written as a word, such as `mb6-k5-w1.25-n3-se-id`:

* its op: `conv` (a convolution), `sep` (a depthwise one, then a 1x1 one) or `mb3`, `mb6` (a mobile
  inverted bottleneck: 1x1 convolution to 3 or 6 times the channels, depthwise, 1x1);
* `k5`: kernels of 5x5 pixels; `w1.25`: 1.25 times the channels that MobileNetV2 has there; `n3`: 3
  blocks;
* `se`: with squeeze-excite, of a quarter of the block's input channels;
* `id` or `pool`: blocks add their input to what they make, as it is or as 3x3 average pooling.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from zero.cells.drawing.parts import Part
from zero.cells.forms.form import Form
from zero.errors import NetworkError

# MobileNetV2's stages (Sandler et al. 2018, table 2): channels, blocks, stride of the first block.
MOBILENET = ((16, 1, 1), (24, 2, 2), (32, 3, 2), (64, 4, 2), (96, 3, 1), (160, 3, 2), (320, 1, 1))
STEM, HEAD = 32, 1280  # channels of its first convolution and of its last
NONE = "none"  # the skip of a stage whose blocks add nothing

_OP = r"conv|sep|mb[1-9]\d?"
_STAGE = re.compile(
    rf"({_OP})-k([13579])-w(\d{{1,2}}(?:\.\d{{1,4}})?)-n([1-9]\d?)(-se)?(?:-(id|pool))?"
)


@dataclass(frozen=True)
class Stage:
    """Blocks that follow one another; width: of channels, in MobileNetV2's; skip: id, pool or none."""

    op: str
    kernel: int
    width: float
    blocks: int
    squeeze: bool = False
    skip: str = NONE

    def __str__(self) -> str:
        more = "-se" * self.squeeze + (f"-{self.skip}" if self.skip != NONE else "")
        return f"{self.op}-k{self.kernel}-w{self.width:g}-n{self.blocks}{more}"

    @property
    def expansion(self) -> int:
        """How many times the channels a bottleneck has inside; 1 for other ops."""
        return int(self.op[2:]) if self.op.startswith("mb") else 1


@dataclass(frozen=True)
class MobileStages(Form):
    """Seven stages; what is before and after them, and their strides, is the skeleton's."""

    word = "network"
    strides = ()

    stages: tuple[Stage, ...]

    def __str__(self) -> str:
        return " ".join(map(str, self.stages))

    @property
    def channels(self) -> tuple[int, ...]:
        """The stages' channels at MobileNetV2's width, multiples of 4."""
        pairs = zip(self.stages, MOBILENET, strict=True)
        return tuple(max(int(base * stage.width + 2) // 4 * 4, 4) for stage, (base, *_) in pairs)

    def lines(self) -> list[str]:
        """Returns the network for people to read, a stage a line."""
        pairs = enumerate(zip(self.stages, self.channels, strict=True), 1)
        found = [
            f"stage{number} = {stage} ({channels / STEM:g} F channels)"
            for number, (stage, channels) in pairs
        ]
        return [*found, f"out = linear(mean(conv1x1(stage{len(MOBILENET)})))"]

    def check(self) -> None:
        """Raises NetworkError if there are not seven stages, or one cannot be written down."""
        if len(self.stages) != len(MOBILENET):
            raise NetworkError(
                f"the network has {len(self.stages)} stages; it must be {len(MOBILENET)}"
            )
        for number, stage in enumerate(self.stages, 1):
            if _STAGE.fullmatch(str(stage)) is None or _read(str(stage)) != stage:
                raise NetworkError(f"stage {number} is {stage}; {_LOOKS}")

    def canonical(self) -> str:
        """Returns a text that is equal for networks that differ in these only.

        Widths that round to the same channels; what is added to the only block of a stage, where its
        channels are others than those before it.
        """
        words, before = [], STEM
        for stage, channels in zip(self.stages, self.channels, strict=True):
            skip = stage.skip if stage.blocks > 1 or channels == before else NONE
            kept = (stage.op, stage.kernel, channels, stage.blocks, int(stage.squeeze), skip)
            words.append("-".join(map(str, kept)))
            before = channels
        return " ".join(words)

    def parts(self) -> list[Part]:
        """Returns the boxes of its drawing: images, stages, classes."""
        found = [Part("image", "input")]
        for number, stage in enumerate(self.stages):
            family = "convolution" if stage.op == "conv" else "separable convolution"
            found.append(Part(f"{number + 1}", "vertex", (number,), (str(stage),), family=family))
        return [*found, Part("out", "output", (len(self.stages),))]

    @classmethod
    def parse(cls, text: str) -> MobileStages:
        """Returns the network of its text; raises NetworkError if it is none."""
        return cls(tuple(_read(word) for word in text.split()))

    @classmethod
    def check_op(cls, name: str) -> None:
        """Raises NetworkError if a space of these networks can have no choice of that name."""
        choice_of(name)


_LOOKS = "stages look like mb6-k5-w1.25-n3-se-id, where -se and -id or -pool may be left out"


def _read(word: str) -> Stage:
    found = _STAGE.fullmatch(word)
    if not found or not float(found[3]):
        raise NetworkError(f"'{word}' is no stage; {_LOOKS}")
    op, kernel, width, blocks, squeeze, skip = found.groups()
    return Stage(op, int(kernel), float(width), int(blocks), bool(squeeze), skip or NONE)


# What a space's choices are about, by how they are written; blocks are more or less than MobileNetV2's.
_CHOICES = {
    "op": _OP,
    "kernel": r"k[13579]",
    "width": r"w\d{1,2}(?:\.\d{1,4})?",
    "blocks": r"n(?:0|[+-][1-9])",
    "squeeze": "plain|se",
    "skip": "none|id|pool",
}
FIELDS = tuple(_CHOICES)


def choice_of(name: str) -> str:
    """Returns which of `FIELDS` a choice is about; raises NetworkError if it is about none."""
    for field, pattern in _CHOICES.items():
        if re.fullmatch(pattern, name) and not re.fullmatch(r"w0+(?:\.0+)?", name):
            return field
    raise NetworkError(
        f"unknown choice '{name}'; choices look like conv, sep, mb6, k3, w0.75, n-1, n0, n+1, plain, se, "
        "none, id and pool"
    )

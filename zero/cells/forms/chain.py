"""Whole networks layer by layer: each layer reads the one before, and earlier ones by skip connections.

Layers, by their names:

* `conv3x3-2F`: 3x3 convolution with 2F filters, where F is `filters` of the skeleton. It may read
  earlier outputs too, whose channels are concatenated: `conv3x3-2F(1,3)` reads layers 1 and 3 besides the
  last. Only outputs of the same image size can be read so: those since the last pooling, its own
  among them. (Zoph and Le 2017 fill smaller ones up with zeros instead.)
* `pool2s2`: max pooling over 2x2 pixels with stride 2, nothing filled up.
* `gap`: global average pooling; nothing can follow it.
* `fc4F`: fully connected layer of 4F outputs; only others can follow it.

ReLU follows convolutions and fully connected layers. After all a linear layer gives the classes; a
network of nothing else is written `end`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from zero.cells.drawing.parts import Part
from zero.cells.forms.form import Form
from zero.errors import NetworkError

END = "end"
LIMITS = re.compile(r"(depth|size)([1-9]\d{0,3})|skips")  # what else a space's ops may say

_NAMES = re.compile(
    r"(?P<conv>conv(?P<field>[1-9]\d?)x(?P=field)-(?P<filters>[1-9]\d{0,3})F)"
    r"|(?P<pool>pool(?P<window>[1-9]\d?)s(?P<stride>[1-9]\d?))"
    r"|(?P<fc>fc(?P<width>[1-9]\d{0,3})F)|(?P<gap>gap)"
)


@dataclass(frozen=True)
class LayerWords:
    """What a layer's name says. kind: conv, pool, fc or gap. window: pixels; width: in units of F."""

    kind: str
    window: int = 0
    stride: int = 1
    width: int = 0


@lru_cache(maxsize=1024)
def read_layer(name: str) -> LayerWords:
    """Returns what a layer's name says; NetworkError if it is none."""
    found = _NAMES.fullmatch(name)
    if not found:
        raise NetworkError(
            f"unknown layer '{name}'; layers look like conv3x3-2F, pool2s2, fc4F and gap"
        )
    kind = found.lastgroup if found["gap"] else next(k for k in ("conv", "pool", "fc") if found[k])
    window, stride = found["field"] or found["window"] or 0, found["stride"] or 1
    return LayerWords(
        str(kind), int(window), int(stride), int(found["filters"] or found["width"] or 0)
    )


def readable(names: Sequence[str]) -> range:
    """Returns the earlier outputs that the last of these layers may read besides the one before it."""
    kinds = [read_layer(name).kind for name in names]
    if not kinds or kinds[-1] != "conv":
        return range(0)
    pools = [number for number, kind in enumerate(kinds, 1) if kind == "pool"]
    return range(max(pools, default=1), len(names) - 1)


@dataclass(frozen=True)
class Chain(Form):
    """layers: (name, numbers of the earlier layers that it reads besides the last), from layer 1 on."""

    word = "network"
    strides = ()

    layers: tuple[tuple[str, tuple[int, ...]], ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The layers' names."""
        return tuple(name for name, _ in self.layers)

    def __str__(self) -> str:
        words = [f"{n}({','.join(map(str, skips))})" if skips else n for n, skips in self.layers]
        return " ".join(words) or END

    def lines(self) -> list[str]:
        """Returns the network for people to read, a layer a line."""
        found = []
        for number, (name, skips) in enumerate(self.layers, 1):
            reads = [f"layer{k}" for k in (number - 1, *skips)] if number > 1 else ["image"]
            reads = [f"concat({', '.join(reads)})"] if skips else reads
            found.append(f"layer{number} = {name}({reads[0]})")
        last = f"layer{len(self.layers)}" if self.layers else "image"
        return [*found, f"out = linear({last})"]

    def check(self) -> None:
        """Raises NetworkError if a layer cannot stand where it does, or reads what it cannot."""
        for number, (_, skips) in enumerate(self.layers, 1):
            names = self.names[:number]
            kind, before = read_layer(names[-1]).kind, names[-2:-1]
            after = read_layer(before[0]).kind if before else ""
            if after == "gap" or (after == "fc" and kind != "fc"):
                raise NetworkError(f"layer {number}: {names[-1]} cannot follow {before[0]}")
            open_ = readable(names)
            for skip in skips:
                if skip not in open_:
                    which = ", ".join(map(str, open_)) or "none"
                    raise NetworkError(
                        f"layer {number}: {names[-1]} cannot read layer {skip} besides the last; those "
                        f"of its image size: {which}"
                    )
            if list(skips) != sorted(set(skips)):
                raise NetworkError(
                    f"layer {number}: name the layers that it reads in order, each once"
                )

    def canonical(self) -> str:
        """Returns the text: layers have an order."""
        return str(self)

    def parts(self) -> list[Part]:
        """Returns the boxes of its drawing."""
        families = {"conv": "convolution", "pool": "max or min pooling", "gap": "average pooling",
                    "fc": "fully connected"}  # fmt: skip
        found = [Part("image", "input")]
        for number, (name, skips) in enumerate(self.layers, 1):
            reads, family = (number - 1, *skips), families[read_layer(name).kind]
            found.append(Part(f"{number}", "joined", reads, (name,), family=family))
        return [*found, Part("out", "output", (len(self.layers),))]

    @classmethod
    def parse(cls, text: str) -> Chain:
        """Returns the network of its text; raises NetworkError if it is none."""
        layers = []
        words = re.sub(r" ?([,(]) ?| (?=\))", lambda m: m[1] or "", text).split()
        for word in words[:-1] if words and words[-1] == END else words:
            found = re.fullmatch(r"([^()]+)(?:\(((?:\d{1,4}(?:,\d{1,4})*)?)\))?", word)
            if not found:
                raise NetworkError(f"'{word}' is no layer, such as conv3x3-2F(1) or pool2s2")
            read_layer(found[1])
            skips = {int(skip) for skip in (found[2] or "").split(",") if skip}
            layers.append((found[1], tuple(sorted(skips))))
        if not words:
            raise NetworkError(f"there are no layers; write '{END}' for a network of none")
        return cls(tuple(layers))

    @classmethod
    def check_op(cls, name: str) -> None:
        """Raises NetworkError if a name is neither a layer's nor one of a space's limits."""
        if not LIMITS.fullmatch(name):
            try:
                read_layer(name)
            except NetworkError as error:
                raise NetworkError(
                    f"{error}; a space may also name skips, depth12 and size32"
                ) from None

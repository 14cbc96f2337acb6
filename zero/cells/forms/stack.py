"""Stacks of blocks: a whole network, block after block."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

from zero.cells.blocks import DEPTH, add_block, check_block, get_block
from zero.cells.drawing.parts import Part
from zero.cells.forms.form import Form
from zero.cells.ops import Rules
from zero.errors import NetworkError


@dataclass(frozen=True)
class Stack(Form):
    """Names of blocks (`zero.cells.blocks`), those of images first."""

    word: ClassVar[str] = "stack"

    blocks: tuple[str, ...]

    def __str__(self) -> str:
        return " ".join(self.blocks)

    def lines(self) -> list[str]:
        """Returns it for people to read, a block a line."""
        return [f"b{n} = {name}" for n, name in enumerate(self.blocks, 1)]

    @property
    def of_images(self) -> int:
        """How many blocks stand before the mean over pixels."""
        return sum(not get_block(name).dense for name in self.blocks)

    def check(self) -> None:
        """Raises NetworkError if there is no block, an unknown one, or one of images after a dense one."""
        if not self.blocks:
            raise NetworkError("a stack has at least one block")
        images = self.of_images
        for name in self.blocks[:images]:
            if get_block(name).dense:
                late = next(n for n in self.blocks[images:] if not get_block(n).dense)
                raise NetworkError(
                    f"{late} stands after {name}, which is fully connected; blocks of images come first"
                )

    def canonical(self) -> str:
        """Returns its text: no two stacks are the same network."""
        return str(self)

    def parts(self) -> list[Part]:
        """Returns the boxes of its drawing."""
        found = [Part("in", "input")]
        for number, name in enumerate(self.blocks, 1):
            found.append(Part(f"b{number}", "vertex", (number - 1,), (name,), family=_family(name)))
        return [*found, Part("out", "output", (len(self.blocks),))]

    @classmethod
    def parse(cls, text: str) -> Stack:
        """Returns the stack of its text; raises NetworkError if it is none."""
        for word in text.split():
            if not re.fullmatch(r"[\w.\-]+", word):
                raise NetworkError(
                    f"'{word}' is no block; write names, such as 'conv3 reduce3 dense'"
                )
        return Stack(tuple(text.split()))

    @classmethod
    def check_op(cls, name: str) -> None:
        """Raises NetworkError if a name is neither a block's nor a space's limit such as depth8."""
        if not DEPTH.fullmatch(name):
            get_block(name)

    @classmethod
    def try_op(cls, name: str, rules: Rules) -> None:
        """Tries a block in a small network; raises NetworkError if it fails."""
        if not DEPTH.fullmatch(name):
            check_block(name)


@lru_cache(maxsize=256)
def _family(name: str) -> str:
    """Returns what a block is drawn as."""
    from zero.cells.drawing.svg import family_of
    from zero.nn.network import Builder

    if get_block(name).dense:
        return "fully connected"
    builder = Builder((32, 32, 8))
    add_block(builder, name, 0)
    return family_of(builder.layers[1:])

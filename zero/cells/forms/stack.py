"""Stacks of blocks: a whole network, block after block."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from zero.cells.blocks import add_block, check_block, get_block
from zero.cells.drawing.parts import Part
from zero.cells.forms.form import Form
from zero.cells.ops import Rules
from zero.errors import NetworkError

if TYPE_CHECKING:  # names are completed by the shell without it
    from zero.nn.network import Builder


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
        boxes = [Part(f"b{n}", "vertex", (n - 1,), (b,)) for n, b in enumerate(self.blocks, 1)]
        return [Part("in", "input"), *boxes, Part("out", "output", (len(boxes),))]

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
        """Raises NetworkError if there is no such block."""
        get_block(name)

    @classmethod
    def try_op(cls, name: str, rules: Rules) -> None:
        """Tries a block in a small network; raises NetworkError if it fails."""
        check_block(name)

    @classmethod
    def add_op(cls, b: Builder, name: str, x: int) -> int:
        """Adds a block's layers."""
        return add_block(b, name, x)

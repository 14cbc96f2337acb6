"""What a form of genome is: the class of what a space's genomes consist of.

A space names its form, a kind of skeleton (`zero.cells.networks.skeletons`) the form that it builds
into networks. All else that is done with genomes, such as to write, read, compare and draw them, is a
method of the form: a new one needs its class, a space and a kind of skeleton.
"""

from __future__ import annotations

from typing import ClassVar, Self

from zero.cells.drawing.parts import Part
from zero.cells.ops import Rules, check_op, get_cell_op


class Form:
    """A frozen dataclass whose `str` is its text, without white space but single spaces.

    word: what one is called. reduces: a genome has two, a normal and a reduction cell. strides: with
    which the space's ops are used in networks (`zero.cells.ops.check_op`), none if they are no ops of
    cells.
    """

    word: ClassVar[str] = "cell"
    reduces: ClassVar[bool] = False
    strides: ClassVar[tuple[int, ...]] = (1,)

    def lines(self) -> list[str]:
        """Returns it for people to read, a node a line."""
        raise NotImplementedError

    def check(self) -> None:
        """Raises NetworkError if it is damaged, in whatever space it stands."""
        raise NotImplementedError

    def canonical(self) -> str:
        """Returns a text that two share only if they make the same network, by any names."""
        raise NotImplementedError

    def parts(self) -> list[Part]:
        """Returns the boxes of its drawing, each after those that it reads."""
        raise NotImplementedError

    def panels(self) -> dict[str, list[Part]]:
        """Returns the drawings of one that stands alone, by their headings."""
        return {self.word.capitalize(): self.parts()}

    @classmethod
    def parse(cls, text: str) -> Self:
        """Returns the one of a text, without the space's name; NetworkError if there is none."""
        raise NotImplementedError

    @classmethod
    def check_op(cls, name: str) -> None:
        """Raises NetworkError if a space of this form cannot have an op of that name."""
        get_cell_op(name)

    @classmethod
    def try_op(cls, name: str, rules: Rules) -> None:
        """Tries an op in a small network; raises NetworkError, for the user's own with its place."""
        check_op(name, rules, cls.strides)

"""What a form of genome is: the class of what a space's genomes consist of.

A space names its form, a kind of skeleton (`zero.cells.networks.skeletons`) the form that it builds
into networks. All else that is done with genomes, such as to write, read, compare and draw them, is a
method of the form: a new one needs its class, a space and a kind of skeleton.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

from zero.cells.drawing.parts import Part
from zero.cells.ops import SLIM, Rules, add_op, check_op, get_cell_op

if TYPE_CHECKING:  # names are completed by the shell without it
    from zero.nn.network import Builder


class Form:
    """A frozen dataclass whose `str` is its text, without white space but single spaces.

    word: what one is called. reduces: a genome has two, a normal and a reduction cell. strides: with
    which the space's ops are used in networks (`zero.cells.ops.check_op`). Forms whose ops are no ops
    of cells (`zero.cells.ops`) have methods of their own for all that is asked of an op.
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
        """Returns a text that two share exactly if they always make the same network."""
        raise NotImplementedError

    def parts(self) -> list[Part]:
        """Returns the boxes of its drawing, each after those that it reads."""
        raise NotImplementedError

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

    @classmethod
    def add_op(cls, b: Builder, name: str, x: int) -> int:
        """Adds the layers of an op that keeps the size; returns the index of its output."""
        return add_op(b, name, x, b.shape(x)[2], 1, SLIM)

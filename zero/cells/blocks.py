"""Blocks of stacks: what a name such as `residual3` becomes in a network, one entry of `BLOCKS` each.

A block's function makes layers of the last block's output, of any size, and returns the new output. Its
first convolution finds the width; blocks may change it and the size of the image. After the blocks of
images the mean over pixels is taken; blocks with `dense` come after it and read (1, 1, width). To add
a block, write its function and register it; it can then be named in genomes and in `cells.ops`:

    @block("conv9", "9x9 convolution")
    def conv9(b, x):
        return b.relu(b.batch_norm(b.conv(x, b.shape(x)[2], 9)))

Source: the blocks of Google's Model Search (github.com/google/model_search, 2021), with batch norm, which
those have not; Hu et al. 2018 (squeeze-excite); published cells as they stand in their papers.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zero.cells.normal_cells import NORMAL_CELLS
from zero.cells.ops import DARTS, SLIM, check_trains
from zero.errors import NetworkError, unknown_name
from zero.system.own_code import fault_of, is_own, place_of

if TYPE_CHECKING:  # names are completed by the shell without it
    from zero.nn.network import Builder

BlockFunction = Callable[["Builder", int], int]  # (builder, layer) -> layer

END = "end"  # no block's name: the decision that a stack has no more
DEPTH = re.compile(
    r"depth([1-9]\d{0,2})"
)  # nor such: how many blocks stacks of a space have at most


@dataclass(frozen=True)
class Block:
    """A block: its name in genomes, what it is in a few words, and the function that makes its layers.

    dense: it stands after the mean over pixels.
    """

    name: str
    description: str
    build: BlockFunction
    dense: bool = False


BLOCKS: dict[str, Block] = {}


def block(name: str, description: str, dense: bool = False) -> Callable:
    """Returns a decorator that registers a function as a block; see the module's text.

    Raises:
        NetworkError: The name is taken, or has other characters than letters, digits, `_`, `.`, `-`.
    """

    def register(function: BlockFunction) -> BlockFunction:
        if not re.fullmatch(r"[\w.\-]+", name) or name == END or DEPTH.fullmatch(name):
            raise NetworkError(
                f"'{name}' cannot name a block; use letters, digits, '_', '.' and '-' (not '{END}' or "
                "'depth8')"
            )
        if name in BLOCKS:
            raise NetworkError(f"there is a block '{name}' already; choose another name")
        BLOCKS[name] = Block(name, description, function, dense)
        return function

    return register


def get_block(name: str) -> Block:
    """Returns a block by its name.

    Raises:
        NetworkError: There is none; the message names the nearest.
    """
    if name not in BLOCKS:
        raise NetworkError(unknown_name("block", name, BLOCKS))
    return BLOCKS[name]


def add_block(b: Builder, name: str, x: int) -> int:
    """Adds a block's layers and returns the index of its output.

    Raises:
        NetworkError: Nothing would be left of the image; or the block is the user's own and raises
            something (then with file and line), or makes no layer that another block can read.
    """
    kind = get_block(name)
    try:
        y = kind.build(b, x)
    except (Exception, SystemExit) as error:
        if isinstance(error, NetworkError) and not is_own(kind.build):
            raise NetworkError(f"block '{name}': {error}") from None
        raise NetworkError(f"block '{name}' failed: {fault_of(error)}") from error
    if type(y) is not int or not 0 <= y < len(b.layers):
        made = f"returned {y!r}; it must return the layer that it made, such as b.relu(x)"
    elif kind.dense and b.shape(y)[:2] != (1, 1):
        made = f"made a layer of {b.shape(y)}; after the mean over pixels it must be (1, 1, width)"
    else:
        return y
    raise NetworkError(f"block '{name}' {made} ({place_of(kind.build)})")


def check_block(name: str) -> None:
    """Builds and trains a small network with a block for one step, as stacks have it.

    Raises:
        NetworkError: That fails; for a block of the user's own with file and line.
    """
    from zero.nn.network import Builder

    b = Builder((9, 8, 4))
    x = b.relu(0)
    with b.scope(name):
        y = add_block(b, name, b.global_pool(x) if get_block(name).dense else x)
    check_trains(b, y, f"block '{name}'", get_block(name).build)


# --- the table ----------------------------------------------------------------------------------


def _conv(kernel: int, wider: int = 1, stride: int = 1, dilation: int = 1) -> BlockFunction:
    """Convolution, batch norm, ReLU."""

    def build(b, x):
        channels = wider * b.shape(x)[2]
        return b.relu(
            b.batch_norm(b.conv(_halvable(b, x, stride), channels, kernel, stride, dilation))
        )

    return build


def _halvable(b: Builder, x: int, stride: int = 2) -> int:
    height, width, _ = b.shape(x)
    if stride == 2 and min(height, width) < 2:
        raise NetworkError(
            f"the image has {height} x {width} pixels here and cannot be halved; use larger images, "
            "or fewer blocks that halve them"
        )
    return x


def _separable(kernel: int) -> BlockFunction:
    def build(b, x):
        y = b.depthwise(x, kernel)
        return b.relu(b.batch_norm(b.conv(y, b.shape(x)[2])))

    return build


def _residual(kernel: int) -> BlockFunction:
    """Convolution, ReLU, convolution, plus the input, ReLU (He et al. 2016)."""

    def build(b, x):
        channels = b.shape(x)[2]
        y = b.relu(b.batch_norm(b.conv(x, channels, kernel)))
        return b.relu(b.add(b.batch_norm(b.conv(y, channels, kernel)), x))

    return build


def _published(name: str) -> BlockFunction:
    """A published normal cell, of about the input's width."""

    def build(b, x):
        from zero.cells.forms.pair import PairCell
        from zero.cells.networks.pair_cells import add_pair_cell

        cell = PairCell.parse(" ".join(NORMAL_CELLS[name].split()))
        channels = max(1, b.shape(x)[2] // len(cell.concat))
        return add_pair_cell(b, cell, None, x, channels, 1, DARTS if "darts" in name else SLIM)

    return build


def _dense(width: Callable[[int], int]) -> BlockFunction:
    """Linear layer, ReLU; width: of its output, by that of the input."""
    return lambda b, x: b.relu(b.linear(x, width(b.shape(x)[2])))


for _k in (1, 3, 5):
    block(f"conv{_k}", f"{_k}x{_k} convolution of the same width")(_conv(_k))
block("wide3", "3x3 convolution of twice the width")(_conv(3, wider=2))
block("reduce3", "3x3 convolution of twice the width that halves the image")(_conv(3, 2, stride=2))
block("dil3", "3x3 convolution of dilation 2")(_conv(3, dilation=2))
for _k in (3, 5):
    block(f"sep{_k}", f"{_k}x{_k} depthwise-separable convolution")(_separable(_k))
for _k in (3, 5):
    block(f"residual{_k}", f"two {_k}x{_k} convolutions plus the input")(_residual(_k))
block("max_pool3", "3x3 max pooling that halves the image")(
    lambda b, x: b.pool("max", _halvable(b, x), 3, 2)
)
block("avg_pool2", "2x2 average pooling that halves the image")(
    lambda b, x: b.pool("avg", _halvable(b, x), 2, 2)
)
block("squeeze_excite", "each channel times a factor that the mean channels say")(
    lambda b, x: b.squeeze_excite(x, max(1, b.shape(x)[2] // 4))
)
for _name in NORMAL_CELLS:
    block(_name, f"the published normal cell {_name}")(_published(_name))
block("dense", "fully connected, as wide as its input, at most 100", dense=True)(
    _dense(lambda width: min(width, 100))
)
block("dense_half", "fully connected, of half the width", dense=True)(
    _dense(lambda width: max(1, width // 2))
)
block("dense128", "fully connected, 128 wide", dense=True)(_dense(lambda width: 128))

"""Pair cells in networks: their inputs brought to one size, their nodes, and their output.

The published networks differ in how a cell's two inputs get its size and channels ("calibration"):

* slim (NASNet, PNASNet, AmoebaNet): cur always by ReLU, 1x1 convolution, batch norm; prev by ReLU and
  a factorised reduction where it is larger, by ReLU, 1x1 convolution, batch norm where its channels
  differ, else not at all. The first cell has no prev: the stem's output stands for it, as it is.
* darts: both always, as cur above; prev by ReLU and a factorised reduction where it is larger.
* enas: as slim, but cur twice over where its channels differ, and the first cell's prev is the stem's
  output, calibrated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zero.cells.forms.pair import PairCell, state_name
from zero.cells.ops import CELL_OPS, Rules, add_op, factorized_reduction, relu_conv_bn
from zero.errors import NetworkError

if TYPE_CHECKING:  # names are completed by the shell without it
    from zero.nn.network import Builder


def add_pair_cell(
    b: Builder,
    cell: PairCell,
    prev: int | None,
    cur: int,
    channels: int,
    stride: int,
    rules: Rules,
    drop_share: float = 0.0,
) -> int:
    """Adds a cell's layers and returns the index of its output.

    Args:
        b: Where the layers go.
        cell: The cell; nodes that its output does not depend on are left out.
        prev: Output of the cell before the last, None in the first cell.
        cur: Output of the last cell.
        channels: Of every node.
        stride: 1, or 2 for a cell that halves the image.
        rules: How ops and calibration are built.
        drop_share: `Layer.rate` of the drop paths after ops that are no identity; 0 for none.

    Raises:
        NetworkError: A cell of stride 2 gets an image of a single row or column.
    """
    height, width, _ = b.shape(cur)
    if stride == 2 and min(height, width) < 2:
        raise NetworkError(
            f"the image has {height} x {width} pixels here and cannot be halved; "
            "use larger images, or a skeleton with fewer reductions"
        )
    live = set(cell.live)
    states = dict(enumerate(calibrated(b, prev, cur, channels, rules, live)))
    for number, node in enumerate(cell.nodes, 2):
        if number not in live:
            continue
        with b.scope(state_name(number)):
            parts = []
            for side, (op, state) in zip("ab", node, strict=True):
                with b.scope(side):
                    step = stride if state < 2 else 1
                    parts.append(_op(b, op, states[state], channels, step, rules, drop_share))
            states[number] = b.add(*parts)
    size = _strided(b.shape(cur), stride)
    with b.scope("out"):
        return b.concat(*(_fitted(b, states[s], size, channels) for s in cell.concat))


def _strided(shape: tuple[int, ...], stride: int) -> tuple[int, int]:
    return -(-shape[0] // stride), -(-shape[1] // stride)


def _op(
    b: Builder, name: str, x: int, channels: int, stride: int, rules: Rules, share: float
) -> int:
    op, y = CELL_OPS[name], add_op(b, name, x, channels, stride, rules)
    # A strided identity is dropped in DARTS, where it is a layer of its own, and nowhere else.
    kept = op.identity and (stride == 1 or rules.calibration != "darts")
    return y if kept or not share else b.drop_path(y, share)


def calibrated(
    b: Builder, prev: int | None, cur: int, channels: int, rules: Rules, live: set[int]
) -> tuple[int, int]:
    """Returns prev and cur as the cell's ops read them; what nobody reads (live) is left as it is."""
    raw = cur
    if 1 in live:
        with b.scope("cur"):
            if rules.calibration == "enas" and b.shape(cur)[2] != channels:
                cur = relu_conv_bn(b, cur, channels)
            cur = relu_conv_bn(b, cur, channels)
    if 0 not in live or (prev is None and rules.calibration == "slim"):
        return raw if prev is None else prev, cur
    prev = raw if prev is None else prev
    with b.scope("prev"):
        if b.shape(prev)[:2] != b.shape(raw)[:2]:
            prev = factorized_reduction(b, b.relu(prev), channels)
        elif b.shape(prev)[2] != channels or rules.calibration == "darts":
            prev = relu_conv_bn(b, prev, channels)
    return prev, cur


def _fitted(b: Builder, x: int, size: tuple[int, int], channels: int) -> int:
    """Returns a state of the output's size: cell inputs may be larger or have other channels."""
    if b.shape(x)[:2] != size:
        return factorized_reduction(b, x, channels)
    return x if b.shape(x)[2] == channels else b.batch_norm(b.conv(x, channels))

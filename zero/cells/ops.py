"""Ops of cells: what a name such as `sep3` becomes in a network, one entry of `CELL_OPS` each.

An op's function makes the layers that turn a state of any size into one of the wanted channels and
stride. Where the published networks differ in an op's body, `Rules` says how. To add an op, write its
function and register it; it can then be named in genomes and in a space's list of ops:

    @cell_op("conv9", "9x9 convolution")
    def conv9(b, x, channels, stride, rules):
        return b.batch_norm(b.conv(b.relu(x), channels, 9, stride, pad=rules.pad(9)))

Sources: Zoph et al. 2018 (NASNet), Real et al. 2019 (AmoebaNet), Liu et al. 2019 (DARTS), and the code
published with them; Ying et al. 2019 (NAS-Bench-101), Dong and Yang 2020 (NAS-Bench-201).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zero.errors import NetworkError, unknown_name
from zero.system.own_code import fault_of, is_own, place_of

if TYPE_CHECKING:  # names are completed by the shell without it
    from zero.nn.network import Builder


@dataclass(frozen=True)
class Rules:
    """How a family of published networks builds its ops.

    padding: "same" (TensorFlow) or "symmetric" (PyTorch). bottleneck: convolutions of 3x3, 1x7 and
    7x1 and the like work at a quarter of the channels, between two 1x1 convolutions, and have batch
    norm and ReLU between 1x7 and 7x1; else none of it. identity: what an identity with stride 2 is:
    "conv" (ReLU, 1x1 convolution of stride 2, batch norm), "factorized" (a factorised reduction) or
    "relu_factorized" (after a ReLU). calibration: how a cell's inputs get its size, see
    `zero.cells.networks.pair_cells`.
    """

    name: str
    padding: str = "same"
    bottleneck: bool = True
    identity: str = "conv"
    calibration: str = "slim"

    def pad(self, kernel: int) -> str:
        """Returns the padding for a kernel; even ones have no symmetric padding."""
        return self.padding if kernel % 2 else "same"


SLIM = Rules("slim")  # NASNet, PNASNet and AmoebaNet
DARTS = Rules("darts", "symmetric", False, "relu_factorized", "darts")
ENAS = Rules("enas", identity="factorized", calibration="enas")
RULES = {rules.name: rules for rules in (SLIM, DARTS, ENAS)}

# (builder, layer, channels, stride 1 or 2, rules) -> layer of shape
# (ceil(height / stride), ceil(width / stride), channels)
OpFunction = Callable[["Builder", int, int, int, Rules], int]


@dataclass(frozen=True)
class CellOp:
    """An op: its name in genomes, what it is in a few words, and the function that makes its layers.

    identity: it hands its input on, so drop path leaves it alone.
    """

    name: str
    description: str
    build: OpFunction
    identity: bool = False


CELL_OPS: dict[str, CellOp] = {}


def cell_op(name: str, description: str, identity: bool = False) -> Callable:
    """Returns a decorator that registers a function as an op; see the module's text.

    Raises:
        NetworkError: The name is taken, or has other characters than letters, digits, `_`, `.`, `-`.
    """

    def register(function: OpFunction) -> OpFunction:
        if not re.fullmatch(r"[\w.\-]+", name) or name == "out":
            raise NetworkError(
                f"'{name}' cannot name an op; use letters, digits, '_', '.' and '-' (not 'out')"
            )
        if name in CELL_OPS:
            raise NetworkError(f"there is an op '{name}' already; choose another name")
        CELL_OPS[name] = CellOp(name, description, function, identity)
        return function

    return register


def get_cell_op(name: str) -> CellOp:
    """Returns an op by its name.

    Raises:
        NetworkError: There is none; the message names the nearest.
    """
    if name not in CELL_OPS:
        raise NetworkError(unknown_name("op", name, CELL_OPS))
    return CELL_OPS[name]


# --- ops in networks ----------------------------------------------------------------------------


def add_op(b: Builder, name: str, x: int, channels: int, stride: int, rules: Rules) -> int:
    """Adds an op's layers and returns the index of its output.

    Arguments as for `OpFunction`; name: of the op.

    Raises:
        NetworkError: Nothing would be left of the image; or the op is the user's own and raises
            something (then with file and line), or makes no layer of the size that it must.
    """
    op = get_cell_op(name)
    height, width, _ = b.shape(x)
    wanted = (-(-height // stride), -(-width // stride), channels)
    try:
        y = op.build(b, x, channels, stride, rules)
    except (Exception, SystemExit) as error:
        if isinstance(error, NetworkError) and not is_own(op.build):
            raise
        raise _fault(name, error) from error
    if type(y) is not int or not 0 <= y < len(b.layers):
        made = f"returned {y!r}; it must return the layer that it made, such as b.relu(x)"
    elif b.shape(y) != wanted:
        made = f"made a layer of {b.shape(y)}; it must be {wanted}"
    else:
        return y
    raise NetworkError(f"op '{name}' {made} ({place_of(op.build)})")


def _fault(name: str, error: BaseException) -> NetworkError:
    return NetworkError(f"op '{name}' failed: {fault_of(error)}")


def check_op(name: str, rules: Rules, strides: tuple[int, ...] = (1, 2)) -> None:
    """Builds and trains a small network of an op for one step, as cells have it.

    Raises:
        NetworkError: That fails; for an op of the user's own with file and line.
    """
    from zero.nn.network import Builder

    for stride in strides:
        for channels in (4, 6):  # as many as the op gets, and others
            b = Builder((9, 8, 4))
            with b.scope(name):
                y = add_op(b, name, b.relu(0), channels, stride, rules)
            check_trains(b, y, f"op '{name}'", get_cell_op(name).build)


def check_trains(b: Builder, y: int, what: str, build: Callable[..., int]) -> None:
    """Trains a small network for one step, which ends in a linear layer of the layer `y`'s mean pixel.

    what: that made its layers, and build: its function, for messages.

    Raises:
        NetworkError: That fails, with file and line of the function.
    """
    import numpy as np

    from zero.nn.reference import ReferenceModel
    from zero.nn.weights import initial_parameters

    network = b.network(b.linear(b.global_pool(y), 2))
    try:
        model = ReferenceModel(network, 2, "float32")
        model.parameters[:] = initial_parameters(network, 0, "float32")
        images = np.zeros((2, *b.shape(0)), dtype=np.float32)
        model.train_step(images, np.array([0, 1]))
    except Exception as error:
        raise NetworkError(
            f"{what} makes layers that cannot be trained ({place_of(build)}): {fault_of(error)}"
        ) from error


# --- parts that several ops and skeletons use ---------------------------------------------------


def relu_conv_bn(b: Builder, x: int, channels: int, kernel=1, stride=1, dilation=1, pad="same"):
    """ReLU, convolution, batch norm."""
    return b.batch_norm(b.conv(b.relu(x), channels, kernel, stride, dilation, pad))


def factorized_reduction(b: Builder, x: int, channels: int) -> int:
    """Halves height and width without losing half of the pixels' information, then batch norm.

    Two 1x1 convolutions of stride 2, the second one pixel further down and right, make half of the
    channels each (the second one more where the number is odd).
    """
    height, width, _ = b.shape(x)
    first = b.conv(x, channels // 2, 1, 2, pad="valid") if channels > 1 else None
    shifted = (-1, height % 2, -1, width % 2)
    second = b.conv(x, channels - channels // 2, 1, 2, pad=shifted)
    return b.batch_norm(second if first is None else b.concat(first, second))


def _separable(kernel: int, times: int, dilation: int = 1) -> OpFunction:
    """ReLU, depthwise, pointwise, batch norm; `times` over, the first with the stride."""

    def build(b, x, channels, stride, rules):
        for _ in range(times):
            x = b.depthwise(b.relu(x), kernel, stride, dilation, pad=rules.pad(kernel))
            x = b.batch_norm(b.conv(x, channels))
            stride = 1
        return x

    return build


def _pool(kind: str, kernel: int) -> OpFunction:
    def build(b, x, channels, stride, rules):
        x = b.pool(kind, x, kernel, stride, pad=rules.pad(kernel))
        return x if b.shape(x)[2] == channels else b.batch_norm(b.conv(x, channels))

    return build


def _convolutions(*kernels, dilation: int = 1, eighths: int = 2) -> OpFunction:
    """ReLU, convolution, batch norm for each kernel, the last with the stride.

    eighths: the bottleneck's share of the channels, where the rules want one. Stride 1 before stride
    2 computes the same as strides of one direction each, which layers do not have.
    """

    def build(b, x, channels, stride, rules):
        narrow = channels * eighths // 8 if rules.bottleneck else 0
        if narrow:
            x = relu_conv_bn(b, x, narrow)
        x = b.relu(x)
        for number, kernel in enumerate(kernels, 1):
            last = number == len(kernels)
            x = b.conv(
                x, narrow or channels, kernel, stride if last else 1, dilation, rules.padding
            )
            if last or rules.bottleneck:
                x = b.batch_norm(x)
            if rules.bottleneck and not last:
                x = b.relu(x)
        return relu_conv_bn(b, x, channels) if narrow else x

    return build


def _identity(b, x, channels, stride, rules):
    if stride == 1 and b.shape(x)[2] == channels:
        return x
    if stride == 1 or rules.identity == "conv":
        return relu_conv_bn(b, x, channels, 1, stride)
    return factorized_reduction(
        b, b.relu(x) if rules.identity == "relu_factorized" else x, channels
    )


# --- the table ----------------------------------------------------------------------------------

cell_op("id", "identity", identity=True)(_identity)
for _k in (3, 5, 7):
    cell_op(f"sep{_k}", f"{_k}x{_k} depthwise-separable convolution, twice")(_separable(_k, 2))
for _k in (3, 5):
    cell_op(f"dil{_k}", f"{_k}x{_k} depthwise-separable convolution of dilation 2")(
        _separable(_k, 1, dilation=2)
    )
cell_op("dil_sep5", "5x5 depthwise-separable convolution of dilation 2, twice")(
    _separable(5, 2, dilation=2)
)
cell_op("avg3", "3x3 average pooling")(_pool("avg", 3))
for _k in (2, 3, 5, 7):
    cell_op(f"max{_k}", f"{_k}x{_k} max pooling")(_pool("max", _k))
cell_op("min3", "3x3 min pooling")(_pool("min", 3))
cell_op("3x3", "3x3 convolution")(_convolutions(3))
cell_op("dil_3x3", "3x3 convolution of dilation 2")(_convolutions(3, dilation=2))
cell_op("1x3_3x1", "1x3 then 3x1 convolution")(_convolutions((1, 3), (3, 1), eighths=3))
cell_op("1x7_7x1", "1x7 then 7x1 convolution")(_convolutions((1, 7), (7, 1)))


@cell_op("1x1", "1x1 convolution")
def _conv1(b, x, channels, stride, rules):
    return relu_conv_bn(b, x, channels, 1, stride)


@cell_op("none", "zeros")
def _zeros(b, x, channels, stride, rules):
    height, width, _ = b.shape(x)
    return b.zero(x, (-(-height // stride), -(-width // stride), channels))


# Ops of the NAS-Benches, under the names that their tables use.
cell_op("skip_connect", "identity (NAS-Bench-201's name)", identity=True)(_identity)
cell_op("avg_pool_3x3", "3x3 average pooling (NAS-Bench-201's name)")(_pool("avg", 3))
cell_op("maxpool3x3", "3x3 max pooling (NAS-Bench-101's name)")(_pool("max", 3))


def _relu_first(kernel: int) -> OpFunction:
    def build(b, x, channels, stride, rules):
        return relu_conv_bn(b, x, channels, kernel, stride, pad=rules.pad(kernel))

    return build


def _relu_last(kernel: int) -> OpFunction:
    def build(b, x, channels, stride, rules):
        return b.relu(b.batch_norm(b.conv(x, channels, kernel, stride, pad=rules.pad(kernel))))

    return build


for _k in (1, 3):
    cell_op(f"nor_conv_{_k}x{_k}", f"ReLU, {_k}x{_k} convolution, batch norm (NAS-Bench-201)")(
        _relu_first(_k)
    )
    cell_op(f"conv{_k}x{_k}-bn-relu", f"{_k}x{_k} convolution, batch norm, ReLU (NAS-Bench-101)")(
        _relu_last(_k)
    )


def _depthwise_relu_last(separable: bool) -> OpFunction:
    def build(b, x, channels, stride, rules):
        x = b.depthwise(x, 3, stride, pad=rules.pad(3))
        if separable or b.shape(x)[2] != channels:
            x = b.conv(x, channels)
        return b.relu(b.batch_norm(x))

    return build


# Ops of hierarchical representations, the 1x1 convolution of which is NAS-Bench-101's.
cell_op("dw3x3-bn-relu", "3x3 depthwise convolution, batch norm, ReLU (Liu et al. 2018)")(
    _depthwise_relu_last(separable=False)
)
cell_op("sep3x3-bn-relu", "3x3 separable convolution, batch norm, ReLU (Liu et al. 2018)")(
    _depthwise_relu_last(separable=True)
)

"""What a layer is, and all that there is to know of a kind of layer: one record, `LayerKind`.

The records stand in the files beside this one, a family each; `zero.nn.layers.LAYER_KINDS` lists them.
Shapes are (height, width, channels) of one example; batches are channels-last, (N, H, W, C).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Any, Protocol

import numpy as np

Shape = tuple[int, int, int]
Pad = tuple[int, int, int, int]


@dataclass(frozen=True)
class Layer:
    """One layer; fields that its kind does not use keep their defaults.

    kind: a name in `LAYER_KINDS`. name: unique in the network, the same for the same place in the same
    cell whatever stands beside it (weights are kept and inherited by it). inputs: indices of earlier
    layers. shape: of the output. kernel: (height, width). pad: rows and columns of zeros at top,
    bottom, left and right; negative: that many are cut off instead. rate: dropout's share of zeroed
    values; for drop_path the share of the schedule's drop probability that this layer takes, in
    (0, 1]. epsilon, decay: batch_norm's; running = decay * running + (1 - decay) * batch.
    """

    kind: str
    name: str
    inputs: tuple[int, ...]
    shape: Shape
    kernel: tuple[int, int] = (1, 1)
    stride: int = 1
    dilation: int = 1
    pad: Pad = (0, 0, 0, 0)
    rate: float = 0.0
    epsilon: float = 1e-5
    decay: float = 0.9


@dataclass(frozen=True)
class Normal:
    """Draws values around 0."""

    deviation: float

    def __call__(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """Returns an array of that shape, float64."""
        return rng.normal(0.0, self.deviation, shape)


@dataclass(frozen=True)
class Uniform:
    """Draws values from -limit to limit."""

    limit: float

    def __call__(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """Returns an array of that shape, float64."""
        return rng.uniform(-self.limit, self.limit, shape)


def he_normal(fan_in: int) -> Normal:
    """Of variance 2 / fan-in (He et al., 2015)."""
    return Normal(math.sqrt(2 / fan_in))


@dataclass(frozen=True)
class Trainable:
    """An array that a layer learns.

    role: what it is to the layer, such as "weight". initial: the value of all its numbers before
    training, or what draws them. decays: whether weight decay applies (to weights, not to batch norm
    and biases).
    """

    role: str
    shape: tuple[int, ...]
    initial: float | Normal | Uniform
    decays: bool = False


@dataclass
class Call:
    """What a layer's functions are given.

    inputs: one array (N, H, W, C) for each input; of the input layer, the images. parameters: arrays in
    the order of `LayerKind.parameters`. statistics: running mean and variance, if the kind has them.
    training: batch_norm uses the batch's own statistics. mask: factors, of the shape that
    `LayerKind.mask` says; None: no factors.
    """

    layer: Layer
    inputs: list[np.ndarray]
    parameters: list[np.ndarray]
    statistics: list[np.ndarray]
    training: bool
    mask: np.ndarray | None


# A backward function returns the gradients of the inputs and those of the parameters.
Gradients = tuple[list[np.ndarray], list[np.ndarray]]


class MaskOf(Enum):
    """What has a random factor of its own in training."""

    EXAMPLE = auto()  # (N,), by the schedule of drop path
    VALUE = auto()  # (N, values), by the layer's rate


class CpuRole(Enum):
    """What a layer is to the cpu backend; `zero.nn.cpu.fusion` plans each of them."""

    IMAGES = auto()  # where the batch is copied to
    RELU = auto()  # no step: the reader applies it when it loads its input
    RELU6 = auto()  # the same
    NORM = auto()  # no step: the reader scales and shifts; the sums come from the step before
    FACTOR = auto()  # no step: the reader multiplies each image
    CONVOLUTION = auto()  # a step
    DEPTHWISE = auto()  # a step, the same as of a 1x1 convolution that alone reads it
    LARGEST = auto()  # a step over windows
    SMALLEST = auto()
    AVERAGE = auto()
    SUM = auto()  # a step
    CONCATENATION = auto()  # no step: its members are written where it lies
    FIRST_CHANNELS = auto()  # a step that copies
    ZEROS = auto()  # memory that nothing is written to
    MASK = auto()  # a step that multiplies each value
    SIGMOID = auto()  # a step over all values
    HARD_SIGMOID = auto()
    SWISH = auto()
    HARD_SWISH = auto()
    CHANNEL_FACTORS = auto()  # a step that multiplies each image's channels
    MEAN = auto()  # a step over all pixels
    PRODUCT = auto()  # a step: the convolution whose window is the whole image; one for a bias


class Prediction(Enum):
    """What a layer is in prediction, which `zero.nn.export` writes."""

    STEP = auto()  # a step of its own
    NOTHING = auto()  # its input
    FOLDABLE = auto()  # a step with a weight, channels last, that takes in a scale and a shift
    PARTS = auto()  # a step whose inputs take in their parts of a scale and shift
    SCALE_AND_SHIFT = auto()  # no step if all before it take it in
    SUM = auto()  # a step that leaves zeros out
    ZEROS = auto()  # a step that needs the number of images only


@dataclass(frozen=True)
class PredictionStep:
    """One step of prediction.

    layer: what it computes. inputs: indices of steps. arrays: float32; weight (and bias, also of a
    convolution) or gamma, beta, mean and variance.
    """

    layer: Layer
    inputs: tuple[int, ...]
    arrays: dict[str, np.ndarray]


class OnnxGraph(Protocol):
    """What an ONNX writer is given, `zero.nn.export.onnx`; tensors are named, (N, C, H, W)."""

    def node(self, op: str, *inputs: str, to: str | None = None, **attributes: Any) -> str:
        """Adds a node; returns its output's name: `to`, or a new one."""

    def constant(self, name: str, values: Any, dtype: type = np.float32) -> str:
        """Adds an array; returns its name, which is `name`."""

    def integers(self, *values: int) -> str:
        """Returns the name of an int64 vector; equal ones are the same."""

    def shape_read(self, step: PredictionStep) -> Shape:
        """Returns the shape of a step's first input."""


def onnx_node(op: str, **attributes: Any) -> Callable[[OnnxGraph, PredictionStep, list[str]], str]:
    """Returns the writer of a layer that is one node."""
    return lambda graph, step, inputs: graph.node(op, *inputs, to=step.layer.name, **attributes)


def call_text(function: Callable[..., Any], *given: str, **settings: object) -> str:
    """Returns a call in Python, without the settings that have the functions' default values."""
    defaults = {"stride": 1, "dilation": 1, "pad": (0, 0, 0, 0)}
    named = [f"{key}={value}" for key, value in settings.items() if value != defaults.get(key)]
    return f"{function.__name__}({', '.join([*given, *named])})"


def weights_text(layer: Layer) -> str:
    """Returns what stands for a layer's arrays in such a call."""
    return f'*w("{layer.name}")'


@dataclass(frozen=True)
class NumpyWriter:
    """How a layer is written as a line of Python that needs NumPy only.

    call: (layer, inputs' names) -> the call. functions: all that it calls, and that these call; their
    text is copied into users' files, so they use nothing but each other and `np`. arrays: (step) ->
    what `weights_text` gives them, by role (weight, bias, scale, shift, then others by name); None: the
    step's own.
    """

    call: Callable[[Layer, list[str]], str]
    functions: tuple[Callable[..., Any], ...]
    arrays: Callable[[PredictionStep], dict[str, np.ndarray]] | None = None


def numpy_call(function: Callable[..., Any], *calls: Callable[..., Any]) -> NumpyWriter:
    """Returns the writer of a layer that is `function` of its inputs; calls: what that calls."""
    return NumpyWriter(lambda layer, xs: call_text(function, *xs), (function, *calls))


def no_parameters(layer: Layer, inputs: list[Shape]) -> list[Trainable]:
    """Nothing to learn."""
    return []


def no_multiply_adds(layer: Layer, inputs: list[Shape]) -> int:
    """None; as in the papers' tables, where only convolutions and linear layers count."""
    return 0


def read_again(layer: Layer, read: int, made: int) -> int:
    """As many temporaries as values read."""
    return read


@dataclass(frozen=True)
class LayerKind:
    """A kind of layer.

    What it is:
        name: as `Layer.kind` names it. description: in words, for people. drawn_as: the family of
            `zero.cells.drawing` whose colours an op with such a layer has; None: it decides nothing.
        shape: (layer, inputs' shapes) -> output shape; what does not follow from the inputs, such as a
            convolution's channels, is taken from the layer's own. Raises NetworkError if the inputs do
            not fit; a size below 1 says that nothing is left.
        parameters: (layer, inputs' shapes) -> the arrays that it learns.
    What it costs:
        multiply_adds: (layer, inputs' shapes) -> of one example's forward pass.
        in_memory: whether its output counts in the estimate of a training step's memory; no for what
            the cpu backend computes on the fly or writes elsewhere. Or (layers that read it) -> whether.
        temporaries: (layer, values read, values made) -> about how many values `backward` has besides
            the gradients. view: whether its output takes no memory of its own (with drop path: while it
            is off).
    What it computes, the definition (plain NumPy, float64 or float32; nothing is random):
        forward: (call) -> (N, H, W, C). backward: (call, gradient of that) -> gradients.
        statistics: (call) -> running mean and variance after the batch; None: it has none.
        mask: what its random factors are of; None: it has none.
    How others compute it:
        cpu: its role in the backend cpu; None: that backend does not have it.
        prediction: what is left of it after training. onnx: (graph, step, inputs' names) -> name of the
            output. numpy: how it is written in Python. None: it cannot be exported.
    """

    name: str
    description: str
    shape: Callable[[Layer, list[Shape]], Shape]
    forward: Callable[[Call], np.ndarray]
    backward: Callable[[Call, np.ndarray], Gradients]
    cpu: CpuRole | None = None
    onnx: Callable[[OnnxGraph, PredictionStep, list[str]], str] | None = None
    numpy: NumpyWriter | None = None
    drawn_as: str | None = None
    parameters: Callable[[Layer, list[Shape]], list[Trainable]] = no_parameters
    multiply_adds: Callable[[Layer, list[Shape]], int] = no_multiply_adds
    in_memory: bool | Callable[[list[Layer]], bool] = True
    temporaries: Callable[[Layer, int, int], int] = read_again
    view: bool = False
    statistics: Callable[[Call], list[np.ndarray]] | None = None
    mask: MaskOf | None = None
    prediction: Prediction = Prediction.STEP


def same_shape(layer: Layer, inputs: list[Shape]) -> Shape:
    """The shape of the first input."""
    return inputs[0]


def summed(arrays: Iterable[np.ndarray]) -> np.ndarray:
    """Returns the sum of arrays of equal shapes."""
    return np.asarray(sum(arrays))


def negated(c: Call) -> Call:
    """Returns the call with its inputs' signs changed."""
    return replace(c, inputs=[-x for x in c.inputs])

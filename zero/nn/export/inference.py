"""A trained network as the few steps that prediction takes: what both exports write.

Against the layers of training: the auxiliary head, dropout and drop path are gone, as is all that
the logits do not depend on; equal layers without weights (a ReLU of the same layer) are one step;
zeros are not added; and a batch norm whose input is a convolution that nothing else reads, or a
concatenation of such convolutions, is folded into their weights and a bias. The folding is done in
float64 and rounded once, so logits differ from those of the layers by float32 rounding only. The
other batch norms stay.

Called by `zero.nn.export.onnx` and `zero.nn.export.numpy`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np

from zero.errors import NetworkError
from zero.nn.layers import LAYER_KINDS
from zero.nn.layers.normalisation import scale_and_shift
from zero.nn.layers.record import Layer, Prediction, PredictionStep
from zero.nn.network import Network
from zero.nn.weights import batch_norms


def inference_steps(
    network: Network, parameters: np.ndarray, statistics: np.ndarray
) -> tuple[dict[int, PredictionStep], int]:
    """Returns the steps in order of execution, by their layer's index, and that of the logits.

    Step 0, the input, is always there. parameters, statistics: flat, as the backends keep them;
    with or without the auxiliary head's at their ends.

    Raises:
        NetworkError: there are fewer values than the network needs.
    """
    plain = network.without_auxiliary
    arrays = _arrays_by_layer(plain, parameters, statistics)
    steps: dict[int, PredictionStep] = {}
    place: list[int] = []  # the step that computes each layer's output
    known: dict[tuple[Layer, tuple[int, ...]], int] = {}
    for index, layer in enumerate(plain.layers):
        inputs = tuple(place[i] for i in layer.inputs)
        what = LAYER_KINDS[layer.kind].prediction
        if what is Prediction.SUM:
            # Zeros add nothing; if all are zeros, one is as good as their sum.
            inputs = tuple(i for i in inputs if not _is(Prediction.ZEROS, steps[i])) or inputs[:1]
        if what is Prediction.NOTHING or (what is Prediction.SUM and len(inputs) == 1):
            place.append(inputs[0])
            continue
        if what is Prediction.ZEROS:
            inputs = (0,)  # it needs the number of images, and nothing else of any layer
        same = (replace(layer, name="", inputs=()), inputs)
        if not arrays[index] and same in known:
            place.append(known[same])
            continue
        known[same] = index
        place.append(index)
        steps[index] = PredictionStep(layer, inputs, arrays[index])
    output = place[plain.output]
    return _folded(_needed(steps, output), output)


def _is(what: Prediction, step: PredictionStep) -> bool:
    return LAYER_KINDS[step.layer.kind].prediction is what


def _arrays_by_layer(
    network: Network, parameters: np.ndarray, statistics: np.ndarray
) -> list[dict[str, np.ndarray]]:
    """Returns the float32 arrays of each layer, by role."""
    norms = batch_norms(network)
    for what, values, needed in (
        ("parameters", parameters, sum(p.size for p in network.parameters)),
        ("statistics", statistics, sum(2 * channels for _, _, channels in norms)),
    ):
        if values.ndim != 1 or values.size < needed:
            raise NetworkError(
                f"the network needs a flat array of {needed} {what}, given: shape {values.shape}"
            )
    arrays: list[dict[str, np.ndarray]] = [{} for _ in network.layers]
    for p in network.parameters:
        values = parameters[p.start : p.start + p.size].reshape(p.shape)
        arrays[p.layer][p.role] = values.astype(np.float32)
    for index, start, channels in norms:
        mean, variance = statistics[start : start + 2 * channels].astype(np.float32).reshape(2, -1)
        arrays[index] |= {"mean": mean, "variance": variance}
    return arrays


def _needed(steps: dict[int, PredictionStep], output: int) -> dict[int, PredictionStep]:
    """Returns the input and the steps that the output depends on."""
    needed, waiting = {0}, [output]
    while waiting:
        index = waiting.pop()
        if index not in needed:
            needed.add(index)
            waiting.extend(steps[index].inputs)
    return {index: step for index, step in steps.items() if index in needed}


def _folded(steps: dict[int, PredictionStep], output: int) -> tuple[dict[int, PredictionStep], int]:
    """Returns the steps with batch norms folded into convolutions, and the output's index."""
    readers = Counter(i for step in steps.values() for i in step.inputs)
    readers[output] += 1
    instead: dict[int, int] = {}  # of a folded batch norm: what takes its place
    done: dict[int, PredictionStep] = {}

    def can_fold(index: int) -> bool:
        step = done[index]
        if readers[index] != 1:
            return False
        return _is(Prediction.FOLDABLE, step) or (
            _is(Prediction.PARTS, step) and all(can_fold(i) for i in step.inputs)
        )

    def fold(index: int, scale: np.ndarray, shift: np.ndarray) -> None:
        step = done[index]
        if _is(Prediction.PARTS, step):
            widths = [done[i].layer.shape[2] for i in step.inputs]
            cuts = np.cumsum(widths)[:-1]
            for i, *part in zip(
                step.inputs, np.split(scale, cuts), np.split(shift, cuts), strict=True
            ):
                fold(i, *part)
            return
        weight = (step.arrays["weight"] * scale).astype(np.float32)  # the channels come last
        bias = (step.arrays.get("bias", 0.0) * scale + shift).astype(np.float32)
        done[index] = replace(step, arrays={"weight": weight, "bias": bias})

    for index, step in steps.items():
        step = replace(step, inputs=tuple(instead.get(i, i) for i in step.inputs))
        if _is(Prediction.SCALE_AND_SHIFT, step) and can_fold(step.inputs[0]):
            fold(step.inputs[0], *scale_and_shift(step))
            instead[index] = step.inputs[0]
            readers[step.inputs[0]] = readers[index]
        else:
            done[index] = step
    return done, instead.get(output, output)

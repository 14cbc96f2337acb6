"""The comparison of a backend with the reference, and the numbers that it and the recording use.

All numbers come from the engine's own counter-based generator, so they are the same with any version
of NumPy: recorded values rely on it.
"""

import math

import numpy as np
from nn_networks import (  # noqa: F401 (tests take all of it from here)
    CELLS,
    CHANNELS,
    NETWORKS,
    PUBLISHED,
    WINDOWS,
    pick,
    published_network,
)

from zero.nn.layers import LAYER_KINDS
from zero.nn.layers.record import Call, MaskOf
from zero.nn.layers.windows import pad_or_crop, taps
from zero.nn.reference import ReferenceModel
from zero.nn.weights import batch_norms, views
from zero.rng.philox import (
    counters,
    gaussian,
    key_for,
    uniform,
)


def normal(shape, *purpose):
    """Returns standard normal values of a shape, named by words and numbers."""
    return gaussian(key_for(7, *purpose), counters(tuple(shape), 0, 0, 0, 0), 0.0, 1.0)


def some_parameters(network):
    """Returns values for all parameters (n,), float64, none of them 0 or 1 as initial ones are."""
    flat = np.zeros(sum(p.size for p in network.parameters))
    for number, p in enumerate(network.parameters):
        values = normal(p.shape, "parameter", number)
        if p.role == "weight":  # the last axis of all weights does not count as fan-in
            values *= math.sqrt(p.shape[-1] / p.size)
        else:
            values = 0.3 * values + (p.role == "gamma")
        flat[p.start : p.start + p.size] = values.ravel()
    return flat


def some_statistics(network):
    """Returns running means and variances (m,), float64."""
    parts = [np.zeros(0)]
    for index, _, channels in batch_norms(network):
        key = key_for(7, "variance", index)
        parts.append(0.2 * normal((channels,), "mean", index))
        parts.append(uniform(key, counters((channels,), 0, 0, 0, 0), 0.5, 1.5))
    return np.concatenate(parts)


def some_batch(network, count, *purpose):
    """Returns images (count, H, W, C) that float32 holds exactly, and labels (count,) int64."""
    images = normal((count, *network.layers[0].shape), "images", *purpose).astype(np.float32)
    labels = np.array([pick(network.classes, "label", i, *purpose) for i in range(count)])
    return images.astype(np.float64), labels.astype(np.int64)


def some_masks(network, count):
    """Returns masks for every second drop_path and dropout layer, keeping three in four."""
    layers = [i for i, y in enumerate(network.layers) if LAYER_KINDS[y.kind].mask]
    masks = {}
    for index in layers[::2]:
        y = network.layers[index]
        one = LAYER_KINDS[y.kind].mask is MaskOf.EXAMPLE
        shape = (count,) if one else (count, math.prod(y.shape))
        kept = uniform(key_for(7, "mask", index), counters(shape, 0, 0, 0, 0), 0.0, 1.0) < 0.75
        masks[index] = (kept / 0.75).astype(np.float32)
    return masks


def checksums(network, flat):
    """Returns two sums over each parameter's values in a flat vector: (parameters, 2).

    The values, and their products with fixed normal values, which also tell places apart.
    """
    found = np.zeros((len(network.parameters), 2))
    for number, p in enumerate(network.parameters):
        values = np.asarray(flat[p.start : p.start + p.size], np.float64)
        found[number] = values.sum(), values @ normal((p.size,), "checksum")
    return found


CORNERS = {"relu": (0,), "relu6": (0, 6), "hard_sigmoid": (-3, 3), "h_swish": (-3, 3)}


def margin(network, values):
    """Returns how near a batch comes to where a ReLU or pool switches, and a gradient jumps.

    values: every layer's output. Exact ties do not count: every backend has them.
    """
    least = 1.0
    for layer in network.layers:
        x = values[layer.inputs[0]] if layer.inputs else None
        for corner in CORNERS.get(layer.kind, ()):
            least = min(least, np.abs(x - corner)[x != corner].min(initial=1.0))
        if layer.kind in ("max_pool", "min_pool") and layer.kernel != (1, 1):
            x = x if layer.kind == "max_pool" else -x
            padded = pad_or_crop(x, layer.pad, -np.inf)
            ordered = np.sort([pixels for _, _, pixels in taps(layer, padded)], axis=0)
            with np.errstate(invalid="ignore"):
                gaps = ordered[-1] - ordered[-2]
            least = min(least, gaps[gaps > 0].min(initial=1.0))
    return least


def clear_batch(model, count, masks=None, *purpose, enough=3e-5):
    """Returns a batch that keeps away from switches (`margin`), where rounding would count.

    model: a `ReferenceModel` with the parameters to be used. enough: a margin that will do.
    """
    best = (-1.0, None)
    for attempt in range(8):
        batch = some_batch(model.network, count, attempt, *purpose)
        values = model.activations(batch[0], training=True, masks=masks)
        best = max(best, (margin(model.network, values), batch), key=lambda pair: pair[0])
        if best[0] > enough:
            break
    return best[1]


# Layers by themselves.


def layer_call(layers, count=3):
    """Returns what the last of these layers is given: random inputs, parameters and mask."""
    layer = layers[-1]
    kind, shapes = LAYER_KINDS[layer.kind], [layers[i].shape for i in layer.inputs]
    inputs = [normal((count, *s), "input", i) for i, s in enumerate(shapes)]
    parameters = [normal(p.shape, p.role) for p in kind.parameters(layer, shapes)]
    shape = {MaskOf.EXAMPLE: (count,), MaskOf.VALUE: (count, inputs[0][0].size)}.get(kind.mask)
    mask = None if shape is None else np.abs(normal(shape, "mask"))
    return Call(layer, inputs, parameters, [], True, mask)


def check_gradients(call, epsilon=1e-5):
    """Compares the gradients of a layer's inputs and parameters with central differences."""
    kind = LAYER_KINDS[call.layer.kind]
    direction = normal((len(call.inputs[0]), *call.layer.shape), "direction")
    to_inputs, to_parameters = kind.backward(call, direction)
    arrays = call.inputs + call.parameters
    gradients = to_inputs + to_parameters
    assert [g.shape for g in gradients] == [a.shape for a in arrays]
    for number, (array, gradient) in enumerate(zip(arrays, gradients, strict=True)):
        # All values at once along a random line, then some of them one by one.
        lines = [normal(array.shape, "line", number)]
        for place in range(0, array.size, max(array.size // 8, 1)):
            lines.append(np.zeros(array.shape))
            lines[-1].flat[place] = 1.0
        start = array.copy()
        for line in lines:
            values = []
            for sign in (1, -1):
                array[...] = start + sign * epsilon * line
                values.append((kind.forward(call) * direction).sum())
            array[...] = start
            slope, expected = (values[0] - values[1]) / (2 * epsilon), (gradient * line).sum()
            assert abs(slope - expected) <= max(1e-6 * abs(expected), 1e-7), number


# The comparison.


def difference(found, expected, floor=0.0):
    """Returns the largest difference, as a share of the largest expected value (or `floor`)."""
    if expected.size == 0:
        return 0.0
    scale = max(float(np.abs(expected).max()), floor, 1e-30)
    found = np.asarray(found, np.float64)
    return float(np.nan_to_num(np.abs(found - expected), nan=np.inf).max()) / scale


def gradient_differences(network, found, expected):
    """Returns {parameter name: difference} of two flat gradients.

    A parameter whose gradients cancel (such as a shift before a batch norm) is held to a hundredth
    of the largest gradient of all.
    """
    floor = 0.01 * float(np.abs(expected).max(initial=0))
    pairs = zip(views(network, found), views(network, expected), strict=True)
    values = [pair for lists in pairs for pair in zip(*lists, strict=True)]
    return {
        p.name: difference(a, b, floor)
        for p, (a, b) in zip(network.parameters, values, strict=True)
    }


def check_model_agrees(make, network, tolerance, batch=6):
    """Compares a backend's model with the reference (float64) in everything that a model does.

    make: (network, batch) -> model. tolerance: see `difference`.
    """
    model, reference = make(network, batch), ReferenceModel(network, batch)
    dtype = model.parameters.dtype
    # Both get exactly the same numbers: those that float32 holds.
    start, statistics = recorded_start(network)
    for m in (model, reference):
        m.parameters[:], m.statistics[:] = start, statistics

    def compare_predictions(count):
        images, _ = some_batch(network, count, "predict")
        found, expected = model.predict(images.astype(dtype)), reference.predict(images)
        assert found.shape == expected.shape == (count, network.classes)
        wrong = difference(found, expected, 0.1)
        assert wrong < tolerance, f"logits of {count}: {wrong}"

    compare_predictions(batch + 3)  # a full chunk and a part
    masks = some_masks(network, batch)
    steps = [
        (batch, masks, 0.1, 0.4),
        (batch - 1, None, 0.0, 0.4),
        (batch, masks, 0.1, 0.4),
    ]
    gradients = []
    for step, (count, mask, smoothing, auxiliary) in enumerate(steps):
        if step == 2:  # as the first one in every bit
            model.statistics[:] = reference.statistics[:] = statistics
        images, labels = clear_batch(reference, count, mask, "train", step % 2)
        options = {"masks": mask, "label_smoothing": smoothing, "auxiliary_weight": auxiliary}
        loss, correct = model.train_step(images.astype(dtype), labels, **options)
        expected_loss, expected_correct = reference.train_step(images, labels, **options)
        assert abs(loss - expected_loss) < tolerance * max(expected_loss, 1), step
        assert correct == expected_correct, step
        wrong = {
            name: value
            for name, value in gradient_differences(
                network, model.gradients, reference.gradients
            ).items()
            if not value < tolerance
        }
        assert not wrong, (step, wrong)
        assert difference(model.statistics, reference.statistics) < tolerance, "statistics"
        gradients.append(model.gradients.copy())
    assert np.array_equal(gradients[0], gradients[2]), "the same step, other gradients"
    compare_predictions(1)
    compare_predictions(batch)
    assert np.array_equal(model.parameters, start), "a training step changed parameters"


# What was recorded from PyTorch (record_torch.py), and is done again by test_nn_recorded.py.

LEARNING_RATE, MOMENTUM = 0.005, 0.9
EVERY = 7  # of a flat vector's values that are recorded


def recorded_start(network):
    """Returns the parameters and statistics before the recorded steps, float32 numbers in float64."""
    both = some_parameters(network), some_statistics(network)
    return [values.astype(np.float32).astype(np.float64) for values in both]


def recorded_step(network, number=0, count=6):
    """Returns the arguments of a recorded training step, in `train_step`'s order."""
    images, labels = some_batch(network, count, "recorded", number)
    return {
        "images": images,
        "labels": labels,
        "masks": some_masks(network, count),
        "label_smoothing": 0.1,
        "auxiliary_weight": 0.4,
    }


def published_steps(network):
    """Yields the arguments of ten training steps, on two batches of 4 in turn."""
    for number in range(10):
        yield recorded_step(network, number % 2, 4)

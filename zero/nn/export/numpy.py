"""A trained network as a Python file that needs NumPy only, and an NPZ file of its weights.

The file has one line for each step of prediction and the few functions that they call, copied from the
layers' records (`zero.nn.layers.record.NumpyWriter`). Batch norms are folded into convolutions where
possible, see `zero.nn.export.inference`.
"""

from __future__ import annotations

import hashlib
import inspect
import io
from itertools import groupby

import numpy as np

from zero.data import pixels
from zero.data.preparation import Preparation
from zero.errors import NetworkError
from zero.nn.export.inference import inference_steps
from zero.nn.layers import LAYER_KINDS
from zero.nn.layers.record import NumpyWriter, PredictionStep, Shape
from zero.nn.network import Network

_MODULE = '''\
"""An image classifier in plain NumPy, written by `zero export`.

    logits = predict(images)    # (N, {classes}) float32, one for each of CLASSES
    names = classify(images)    # list of N of CLASSES
{usage}
images: (N, {height}, {width}, {channels}), pixel values as in the images it was trained on{values}; they
are normalised here. NOTES says what images went through before. The weights are in the NPZ file that WEIGHTS
names, beside this file.
"""

from __future__ import annotations

import hashlib
import io
{imports}from pathlib import Path

import numpy as np

NOTES = {notes}
CLASSES = {names}
WEIGHTS = {weights_name}
WEIGHTS_SHA256 = "{digest}"


def load_weights():
    """Returns the arrays by name; they must be those that this file was written with."""
    data = (Path(__file__).parent / WEIGHTS).read_bytes()
    if hashlib.sha256(data).hexdigest() != WEIGHTS_SHA256:
        raise ValueError(f"{{WEIGHTS}} is damaged or belongs to another network; export it again")
    with np.load(io.BytesIO(data), allow_pickle=False) as file:
        return {{name: file[name] for name in file.files}}


ARRAYS = load_weights()


def predict(images, batch=64, scale=None):
    """Returns the logits (N, {classes}) float32; `batch` images at a time.

    scale: what pixel values are multiplied by; where it is given, they are not checked.
    """
    images = np.asarray(images)
    if images.ndim != 4 or images.shape[1:] != {shape}:
        raise ValueError(f"images of shape {{images.shape}} given, expected (N, {expected})")
{check}    logits = np.zeros((len(images), {classes}), np.float32)
    for start in range(0, len(images), batch):
        part = images[start : start + batch].astype(np.float32)
        if scale is not None:
            part = part * np.float32(scale)
        logits[start : start + batch] = network((part - ARRAYS["mean"]) / ARRAYS["std"])
    return logits


def classify(images, batch=64, scale=None):
    """Returns the name of each image's class; arguments as for `predict`."""
    return [CLASSES[label] for label in predict(images, batch, scale).argmax(axis=1)]

{load}
def w(layer):
    """Returns a layer's arrays."""
    names = [f"{{layer}}/{{role}}" for role in {roles}]
    return [ARRAYS[name] for name in names if name in ARRAYS]


def network(x0):
    """Returns the logits of normalised images; a comment gives height x width x channels."""
{body}

{functions}'''

_USAGE = "    images = load(path)         # an image file, prepared as in training; needs Pillow\n"

_LOAD = '''
def load(path):
    """Returns an image file as `predict` takes it, (1, {height}, {width}, {channels}) uint8; needs Pillow.

    {what}
    """
    pixels = read_pixels(path, {size}, {channels}, {ground!r})
    if pixels.shape != {shape}:
        raise ValueError(f"{{path}}: an image of {{pixels.shape[:2]}} pixels, expected {size_of_images}")
    return pixels[None]

'''

ROLES = ("weight", "bias", "scale", "shift")  # in this order; those of other kinds follow by name


def to_numpy(
    network: Network,
    parameters: np.ndarray,
    statistics: np.ndarray,
    mean: np.ndarray,
    std: np.ndarray,
    classes: tuple[str, ...],
    weights_name: str,
    notes: dict[str, str] | None = None,
    preparation: Preparation | None = None,
) -> tuple[str, bytes]:
    """Returns the Python file's text and the NPZ file's content; equal arguments, equal results.

    Args:
        network: with or without its auxiliary head, which is left out.
        parameters: (n,) flat; the auxiliary head's at the end may be missing.
        statistics: (m,) flat, likewise.
        mean: (channels,); the network sees (pixel - mean) / std.
        std: (channels,), above 0.
        classes: a name for each label.
        weights_name: name of the NPZ file, to stand in the same folder as the Python file.
        notes: what the file says about the network, such as its genome.
        preparation: what images went through: the file then checks pixel values and, where they may
            come from image files, has a function `load` that does the same with one.

    Raises:
        NetworkError: arrays that do not fit; a kind of layer that has no such export.
    """
    steps, output = inference_steps(network, parameters, statistics)
    arrays = {"mean": np.asarray(mean, np.float32), "std": np.asarray(std, np.float32)}
    others: set[str] = set()
    for step in steps.values():
        for role, values in _arrays(step).items():
            arrays[f"{step.layer.name}/{role}"] = values
            others |= {role} - set(ROLES)
    file = io.BytesIO()
    np.savez(file, **arrays)
    weights = file.getvalue()

    body = _body(steps, output)
    height, width, channels = steps[0].layer.shape
    functions = _functions(steps)
    parts = dict.fromkeys(("usage", "values", "imports", "check", "load"), "")
    if preparation is not None:
        functions.append(inspect.getsource(pixels.check_range))
        parts |= {
            "values": f" ({preparation.low:g} to {preparation.high:g})",
            "check": "    if scale is None:\n"
            f"        check_range(images, {preparation.low!r}, {preparation.high!r})\n",
        }
        if preparation.reads_files(steps[0].layer.shape):
            parts |= {"usage": _USAGE, "imports": "import warnings\n"}
            parts["load"] = _load(preparation, steps[0].layer.shape)
            functions += _reading()
    source = _MODULE.format(
        classes=network.classes,
        height=height,
        width=width,
        channels=channels,
        shape=steps[0].layer.shape,
        expected=f"{height}, {width}, {channels}",
        notes=_literal(notes or {}),
        names=_literal(list(classes)),
        weights_name=_literal(weights_name),
        digest=hashlib.sha256(weights).hexdigest(),
        body=body,
        roles=(*ROLES, *sorted(others)),
        functions="\n\n".join(functions),
        **parts,
    )
    return source, weights


def _writer(step: PredictionStep) -> NumpyWriter:
    kind = LAYER_KINDS[step.layer.kind]
    if kind.numpy is None:
        raise NetworkError(
            f"layer '{step.layer.name}': '{kind.name}' ({kind.description}) has no export to NumPy"
        )
    return kind.numpy


def _arrays(step: PredictionStep) -> dict[str, np.ndarray]:
    if not step.arrays:
        return {}
    arrays = _writer(step).arrays
    return step.arrays if arrays is None else arrays(step)


def _body(steps: dict[int, PredictionStep], output: int) -> str:
    """Returns the lines of the function `network`: a paragraph for each cell, stem or head."""
    last_read = {i: index for index, step in steps.items() for i in step.inputs}
    last_read[output] = max(steps) + 1
    lines: list[str] = []
    alive = [0]
    items = [item for item in steps.items() if item[0]]
    for part, members in groupby(items, _part):
        lines += ([""] if lines else []) + ([f"# {part}"] if part else [])
        for index, step in members:
            call = _writer(step).call(step.layer, [f"x{i}" for i in step.inputs])
            lines.append(f"x{index} = {call}  # {' x '.join(map(str, step.layer.shape))}")
            alive.append(index)
        # Arrays that nothing reads any more would add up to several times the memory needed.
        dead = [i for i in alive if last_read[i] <= index and i != output]
        alive = [i for i in alive if i not in dead]
        if dead and index != max(steps):
            lines.append(f"del {', '.join(f'x{i}' for i in dead)}")
    lines.append(f"return x{output}.reshape(len(x{output}), -1)")
    return "\n".join(f"    {line}" if line else "" for line in lines)


def _part(item: tuple[int, PredictionStep]) -> str:
    """Returns the outermost scope of a step's layer: a cell, the stem; empty for others."""
    scope, _, _ = item[1].layer.name.rpartition("/")
    return scope.split("/")[0]


def _functions(steps: dict[int, PredictionStep]) -> list[str]:
    """Returns the text of the functions that the steps' lines call, by name."""
    used = {f.__name__: f for i, step in steps.items() if i for f in _writer(step).functions}
    return [inspect.getsource(used[name]) for name in sorted(used)]


def _load(preparation: Preparation, shape: Shape) -> str:
    """Returns the text of the function that reads an image file."""
    what = "As in training"
    if not preparation.files:
        what = "Training had arrays; image files are taken as they are"
    resized = f"scaled to {shape[0]} x {shape[1]} pixels" if preparation.resized else "not scaled"
    return _LOAD.format(
        height=shape[0],
        width=shape[1],
        channels=shape[2],
        shape=shape,
        size=shape[:2] if preparation.resized else None,
        size_of_images=shape[:2],
        ground=preparation.ground,
        what=f"{what}: turned as the camera says, on {preparation.ground} where it is transparent,\n    "
        f"{'grey' if shape[2] == 1 else 'red, green, blue'}, {resized}.",
    )


def _reading() -> list[str]:
    """Returns the text of what reads image files in training, whole, with its constants first."""
    constants = [f"{name} = {getattr(pixels, name)!r}\n" for name in pixels.CONSTANTS]
    return ["".join(constants), *(inspect.getsource(part) for part in pixels.READING)]


def _literal(value: str | list[str] | dict[str, str]) -> str:
    """Returns Python source of a value, readable where it is long; whatever a text holds is safe."""
    if isinstance(value, str):
        parts = value.splitlines(keepends=True)
        if len(parts) < 2:
            return repr(value)
        return "(\n" + "".join(f"        {part!r}\n" for part in parts) + "    )"
    if isinstance(value, dict):
        items = [f"{key!r}: {_literal(item)}" for key, item in value.items()]
    else:
        items = [_literal(item) for item in value]
    start, end = "{}" if isinstance(value, dict) else "[]"
    line = f"{start}{', '.join(items)}{end}"
    if len(line) < 80 and "\n" not in line:
        return line
    return f"{start}\n" + "".join(f"    {item},\n" for item in items) + end

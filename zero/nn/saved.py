"""A trained network as a file: genome text, skeleton, layers, class names, normalisation, weights.

Written by `zero train` and at the end of a run (best_weights.h5), read by `zero export`. It holds the
layers, so that whoever reads it needs no ops of the user's own; in files of older versions they are
missing, `zero.cells` builds the network again from genome and skeleton, and `SavedNetwork.check_fits`
tells whether the weights belong to it. The checkpoints of a training hold the same but for weights.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from zero.data.preparation import Preparation
from zero.errors import ArchiveError
from zero.nn.layers import LAYER_KINDS
from zero.nn.layers.record import Layer
from zero.nn.network import Network
from zero.nn.weights import batch_norms
from zero.system.foreign import from_json
from zero.system.trees import read_tree, write_tree

KIND = "network"
VERSION = 1


@dataclass(frozen=True)
class SavedNetwork:
    """A trained network.

    genome: its text. skeleton: the skeleton's settings as plain values (text, numbers, lists).
    image_shape: (height, width, channels). classes: a name for each label 0, 1, ... mean, std:
    float32 (channels,); the network sees (pixel - mean) / std, pixels as they stand in the user's
    images. parameters: float32 (n,), as `Network.parameters` lays them out, with or without the
    auxiliary head's, which come last; statistics: float32 (m,), for every batch_norm layer in layer
    order its mean, then its variance. extra: anything else worth knowing, such as
    "test_accuracy" (a share in [0, 1]), seed and epochs. network: its layers; preparation: what the
    images went through; both None in files of older versions.
    """

    genome: str
    skeleton: dict[str, Any]
    image_shape: tuple[int, int, int]
    classes: tuple[str, ...]
    mean: np.ndarray
    std: np.ndarray
    parameters: np.ndarray
    statistics: np.ndarray
    extra: dict[str, Any] = field(default_factory=dict)
    network: Network | None = None
    preparation: Preparation | None = None

    def notes(self) -> dict[str, str]:
        """Returns what an export says about the network: genome, skeleton, numbers, texts, images."""
        extra = {k: str(v) for k, v in self.extra.items() if isinstance(v, str | int | float)}
        extra |= {
            "input": "(N, height, width, channels), pixel values not normalised",
            "normalisation": "(pixel - mean) / std for each channel, part of the network; "
            f"mean {self.mean.tolist()}, std {self.std.tolist()}",
            "output": "(N, classes), logits in the order of the classes",
        }
        if self.preparation is None:
            extra["images"] = (
                "not recorded: what images went through before, an older version wrote this"
            )
        else:
            extra |= self.preparation.notes(self.image_shape)
        return {"genome": self.genome, "skeleton": json.dumps(self.skeleton), **extra}

    def check_fits(self, network: Network, where: str | Path = "the saved network") -> None:
        """Returns if the weights are those of `network`, with or without its auxiliary head.

        Raises:
            ArchiveError: image shape, classes, or the number of values differ.
        """
        plain = network.without_auxiliary
        if network.layers[0].shape != self.image_shape or network.classes != len(self.classes):
            raise ArchiveError(
                f"{where}: it is for images {self.image_shape} and {len(self.classes)} classes, "
                f"its genome makes a network for {network.layers[0].shape} and {network.classes}"
            )
        for what, found, allowed in (
            ("parameters", self.parameters.size, {count_parameters(n) for n in (plain, network)}),
            ("statistics", self.statistics.size, {count_statistics(n) for n in (plain, network)}),
        ):
            if found not in allowed:
                wanted = " or ".join(str(n) for n in sorted(allowed))
                raise ArchiveError(
                    f"{where} holds {found} {what}, but its genome and skeleton make a network of "
                    f"{wanted}; they do not belong together, or another version of zero wrote it"
                )


def count_parameters(network: Network) -> int:
    """Returns the length of the network's flat vector of parameters, auxiliary head included."""
    return sum(p.size for p in network.parameters)


def count_statistics(network: Network) -> int:
    """Returns the length of its flat vector of running statistics, auxiliary head included."""
    return sum(2 * channels for _, _, channels in batch_norms(network))


def save_network(
    path: str | Path,
    genome: str,
    skeleton: dict[str, Any],
    image_shape: tuple[int, int, int],
    classes: list[str] | tuple[str, ...],
    mean: np.ndarray,
    std: np.ndarray,
    parameters: np.ndarray,
    statistics: np.ndarray,
    extra: dict[str, Any] | None = None,
    network: Network | None = None,
    preparation: Preparation | None = None,
) -> None:
    """Writes a trained network in one step; equal networks give equal bytes.

    Arguments as the fields of `SavedNetwork`.

    Raises:
        ArchiveError: the file cannot be written, or the network is none that `load_network` takes
            back (such as weights that are not finite).
    """
    tree = {
        **network_tree(genome, skeleton, image_shape, classes, mean, std, network, preparation),
        "parameters": np.asarray(parameters, np.float32),
        "statistics": np.asarray(statistics, np.float32),
        "extra": _plain(extra or {}),
    }
    from_tree(tree, path)
    write_tree(path, tree, KIND, VERSION)


def network_tree(
    genome: str,
    skeleton: dict[str, Any],
    image_shape: tuple[int, int, int],
    classes: list[str] | tuple[str, ...],
    mean: np.ndarray,
    std: np.ndarray,
    network: Network | None,
    preparation: Preparation | None = None,
) -> dict[str, Any]:
    """Returns what a file holds of a network besides its weights; see `from_tree`."""
    return {
        "genome": genome,
        "skeleton": _plain(skeleton),
        "image_shape": [int(n) for n in image_shape],
        "classes": [str(name) for name in classes],
        "mean": np.asarray(mean, np.float32),
        "std": np.asarray(std, np.float32),
        **({} if network is None else {"layers": _layers_text(network)}),
        **({} if preparation is None else {"preparation": preparation.tree()}),
    }


def load_network(path: str | Path) -> SavedNetwork:
    """Returns what `save_network` wrote. Nothing in the file is executed.

    Raises:
        ArchiveError: the file is missing, foreign, cut off, damaged, of a newer version, or what it
            holds is no network.
    """
    return from_tree(read_tree(path, KIND, VERSION), path)


def from_tree(tree: dict[str, Any], path: str | Path) -> SavedNetwork:
    """Returns the network that a tree holds; raises ArchiveError where it holds none.

    tree: of `network_tree`, with parameters, statistics and extra. path: for messages.
    """

    def take(key: str, kind: type, what: str) -> Any:
        value = tree.get(key)
        if not isinstance(value, kind):
            found = "nothing" if key not in tree else type(value).__name__
            raise ArchiveError(f"{path}: '{key}' holds {found}, expected: {what}")
        return value

    shape = take("image_shape", list, "height, width and channels")
    if len(shape) != 3 or not all(type(n) is int and n > 0 for n in shape):
        raise ArchiveError(f"{path}: 'image_shape' is {shape}, expected: height, width, channels")
    classes = take("classes", list, "a list of names")
    if len(classes) < 2 or not all(type(name) is str for name in classes):
        raise ArchiveError(f"{path}: 'classes' is {classes}, expected: at least two names")
    arrays = {}
    for key, size in (
        ("mean", shape[2]),
        ("std", shape[2]),
        ("parameters", None),
        ("statistics", None),
    ):
        array = take(key, np.ndarray, "an array")
        wanted = (array.size,) if size is None else (size,)
        if array.dtype != np.float32 or array.shape != wanted:
            raise ArchiveError(
                f"{path}: '{key}' is {array.dtype} of shape {array.shape}, expected: float32 of "
                f"shape {wanted}"
            )
        if not np.isfinite(array).all():
            raise ArchiveError(f"{path}: '{key}' has values that are not finite numbers")
        arrays[key] = array
    if not (arrays["std"] > 0).all():
        raise ArchiveError(f"{path}: 'std' is {arrays['std'].tolist()}, expected: above 0")
    return SavedNetwork(
        genome=take("genome", str, "a genome's text"),
        skeleton=take("skeleton", dict, "the skeleton's settings"),
        image_shape=tuple(shape),
        classes=tuple(classes),
        extra=take("extra", dict, "a dict"),
        network=_network_of(take("layers", str, "text"), path) if "layers" in tree else None,
        preparation=_preparation_of(take("preparation", dict, "a dict"), path)
        if "preparation" in tree
        else None,
        **arrays,
    )


def _layers_text(network: Network) -> str:
    """Returns a network's layers as JSON, without what a layer has by default."""
    usual = {f.name: f.default for f in fields(Layer)}
    layers = [{k: v for k, v in vars(layer).items() if v != usual[k]} for layer in network.layers]
    return json.dumps({"output": network.output, "auxiliary": network.auxiliary, "layers": layers})


def _network_of(text: str, path: str | Path) -> Network:
    """Returns the network of `_layers_text`; raises ArchiveError where it is none."""
    try:
        found = from_json(text)
        layers = tuple(
            Layer(**{k: tuple(v) if isinstance(v, list) else v for k, v in layer.items()})
            for layer in [{"inputs": (), **layer} for layer in found["layers"]]
        )
        network = Network(layers, found["output"], found["auxiliary"])
        for number, layer in enumerate(layers):
            if layer.kind not in LAYER_KINDS or not all(0 <= i < number for i in layer.inputs):
                raise ValueError(f"layer {number} is none")
            if len(layer.shape) != 3 or not all(type(n) is int and n > 0 for n in layer.shape):
                raise ValueError(f"layer {number} has the shape {layer.shape}")
        if not 0 < network.output < len(layers) or network.auxiliary not in (
            None,
            *range(len(layers)),
        ):
            raise ValueError("its output is no layer")
        return network
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArchiveError(f"{path}: 'layers' holds no network: {error}") from None


def _preparation_of(tree: dict[str, Any], path: str | Path) -> Preparation:
    try:
        return Preparation.from_tree(tree)
    except ValueError as error:
        raise ArchiveError(f"{path}: 'preparation': {error}") from None


def _plain(value: Any) -> Any:
    """Returns the value with tuples as lists, as trees keep them."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value

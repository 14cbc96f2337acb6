"""Zero-cost scores: what a network promises before any training, from one batch of images.

Formulas as in Abdelfattah et al. 2021 ("Zero-Cost Proxies for Lightweight NAS") and their code; sums are over
the weights of convolutions and linear layers. Larger is better for all. They are computed in float64 by
the reference backend, at initial weights, without auxiliary head; the same arguments give the same score,
but for the last bits, which are the machine's: compare `rounded` ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from zero.errors import NetworkError, unknown_name
from zero.nn.network import Network
from zero.nn.reference import ReferenceModel
from zero.nn.weights import initial_parameters

_RECTIFIERS = ("relu", "relu6")
_SMALL = 1e-5  # added to eigenvalues, as in the authors' code


@dataclass(frozen=True)
class Batch:
    """Images (N, H, W, C), normalised, and their labels (N,)."""

    images: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class ScoreKind:
    """A score: (network, seed of its weights, batch) -> score. images: whether it looks at the batch."""

    description: str
    function: Callable[[Network, int, Batch], float]
    images: bool = True


def score(name: str, network: Network, seed: int, batch: Batch | None = None) -> float:
    """Returns a network's score, -inf where it is no number.

    Args:
        name: of `SCORES`.
        network: with or without auxiliary head.
        seed: of its initial weights.
        batch: may be None where the score looks at no image.

    Raises:
        NetworkError: there is no such score, or it needs a batch.
    """
    if name not in SCORES:
        raise NetworkError(unknown_name("score", name, SCORES))
    kind = SCORES[name]
    if batch is None:
        if kind.images:
            raise NetworkError(f"the score {name} needs a batch of images")
        batch = Batch(np.zeros((0, *network.layers[0].shape)), np.zeros(0, np.int64))
    value = float(kind.function(network.without_auxiliary, seed, batch))
    return -math.inf if math.isnan(value) else value


def rounded(value: float) -> float:
    """Returns a score to six digits."""
    return float(f"{value:.6g}")


# --- the scores -----------------------------------------------------------------------------------


def _model(network: Network, seed: int, batch: int) -> ReferenceModel:
    model = ReferenceModel(network, max(batch, 1), "float64")
    model.parameters[:] = initial_parameters(network, seed, "float64")
    return model


def _weights(network: Network, flat: np.ndarray) -> list[np.ndarray]:
    return [flat[p.start : p.start + p.size] for p in network.parameters if p.role == "weight"]


def _at_the_loss(network: Network, seed: int, batch: Batch) -> ReferenceModel:
    """Returns a model with the gradients of the batch's loss."""
    model = _model(network, seed, len(batch.images))
    model.train_step(batch.images, batch.labels)
    return model


def _parameters(network: Network, seed: int, batch: Batch) -> float:
    return network.num_parameters


def _multiply_adds(network: Network, seed: int, batch: Batch) -> float:
    return network.multiply_adds


def _grad_norm(network: Network, seed: int, batch: Batch) -> float:
    model = _at_the_loss(network, seed, batch)
    return sum(float(np.linalg.norm(g)) for g in _weights(network, model.gradients))


def _snip(network: Network, seed: int, batch: Batch) -> float:
    model = _at_the_loss(network, seed, batch)
    both = (_weights(network, flat) for flat in (model.parameters, model.gradients))
    return sum(float(np.abs(w * g).sum()) for w, g in zip(*both, strict=True))


def _synflow(network: Network, seed: int, batch: Batch) -> float:
    plain = without_norms(network)
    model = _model(plain, seed, 1)
    np.abs(model.parameters, out=model.parameters)
    ones = np.ones((1, *plain.layers[0].shape))
    model.differentiate(ones, np.ones((1, plain.classes)))
    both = (_weights(plain, flat) for flat in (model.parameters, model.gradients))
    return sum(float(np.abs(w * g).sum()) for w, g in zip(*both, strict=True))


def _naswot(network: Network, seed: int, batch: Batch) -> float:
    values = _model(network, seed, len(batch.images)).activations(batch.images, training=True)
    count = len(batch.images)
    kernel = np.zeros((count, count))
    for layer, value in zip(network.layers, values, strict=True):
        if layer.kind in _RECTIFIERS:
            on = (value.reshape(count, -1) > 0).astype(np.float64)
            kernel += on @ on.T + (1 - on) @ (1 - on).T
    sign, logarithm = np.linalg.slogdet(kernel)
    return logarithm if sign > 0 else -math.inf


def _jacob_cov(network: Network, seed: int, batch: Batch) -> float:
    count = len(batch.images)
    model = _model(network, seed, count)
    jacobians = model.differentiate(batch.images, np.ones((count, network.classes)))
    with np.errstate(all="ignore"):
        correlations = np.corrcoef(jacobians.reshape(count, -1))
    if not np.isfinite(correlations).all():  # an image that changes nothing
        return -math.inf
    values = np.linalg.eigvalsh(correlations) + _SMALL
    return -float((np.log(values) + 1 / values).sum())


def without_norms(network: Network) -> Network:
    """Returns the network without its batch normalisations; other layers keep their names."""
    places: dict[int, int] = {}
    layers = []
    for index, layer in enumerate(network.layers):
        if layer.kind == "batch_norm":
            places[index] = places[layer.inputs[0]]
            continue
        places[index] = len(layers)
        layers.append(replace(layer, inputs=tuple(places[i] for i in layer.inputs)))
    return Network(tuple(layers), places[network.output])


SCORES = {
    "parameters": ScoreKind("number of parameters", _parameters, images=False),
    "multiply_adds": ScoreKind("multiply-adds of an image", _multiply_adds, images=False),
    "synflow": ScoreKind(
        "sum of |weight x gradient of the outputs' sum|, of absolute weights and an image of ones, without "
        "batch norm (Tanaka et al. 2020)",
        _synflow,
        images=False,
    ),
    "snip": ScoreKind("sum of |weight x gradient of the loss| (Lee et al. 2019)", _snip),
    "grad_norm": ScoreKind("sum of the layers' norms of the gradient of the loss", _grad_norm),
    "naswot": ScoreKind(
        "log-determinant of how often two images have the same ReLUs on (Mellor et al. 2021)",
        _naswot,
    ),
    "jacob_cov": ScoreKind(
        "how little images' gradients are correlated (Mellor et al. 2020, first version)",
        _jacob_cov,
    ),
}

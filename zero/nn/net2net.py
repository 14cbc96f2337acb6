"""Weights with which a child's network computes what its parent's computes: Net2Net.

Chen, Goodfellow and Shlens 2016 ("Net2Net: Accelerating Learning via Knowledge Transfer"), and what follows
from it (Wei et al. 2016, "Network Morphism"; Elsken et al. 2018). `inherit_exactly` compares two networks
layer by layer and knows these differences:

* *wider*: a layer has more channels. They are copies of the old ones in turn, with their batch norm's
  numbers; what reads a channel c times has its weight in c parts, whose sum is the old one (section 2.3);
* *deeper*: a new convolution (stride 1, as many channels) or batch norm is the identity at first, a new
  ReLU where nothing is negative (section 2.4);
* *larger windows*: a kernel that grew has zeros around the old one;
* *more branches*: what a sum reads beside what it read before is 0 at first, by its last batch norm or
  convolution.

Layers correspond that have the same name, or the same one within their cell, and read the same. Outputs
are equal in prediction, to rounding. In training a new batch norm takes the batch's own mean and variance;
given images it undoes about that (as in the paper's appendix), without any the first steps differ.

Called by `zero.cells.evaluator`.
"""

from __future__ import annotations

import numpy as np

from zero.nn.channel_copies import Maps, shares
from zero.nn.layers.normalisation import batch_moments
from zero.nn.layers.record import Layer
from zero.nn.network import Network
from zero.nn.reference import ReferenceModel
from zero.nn.same_values import WINDOWS, Inexact, Plan, offsets
from zero.nn.weights import batch_norms, inherit, views
from zero.rng.philox import key_for


def inherit_exactly(
    parent: Network,
    parent_parameters: np.ndarray,
    parent_statistics: np.ndarray,
    child: Network,
    child_parameters: np.ndarray,
    child_statistics: np.ndarray,
    seed: int | None = None,
    images: np.ndarray | None = None,
) -> bool:
    """Copies to a child, in place, what makes it compute what its parent computes, if that is known.

    Else it does what `zero.nn.weights.inherit` does: layers of the same name and shape are copied. So are in
    any case those that the output does not depend on, such as an auxiliary head's.

    Args:
        parent, parent_parameters, parent_statistics: a network with its flat vectors.
        child, child_parameters, child_statistics: the same, with initial values.
        seed: of uneven shares among the copies of a channel, which so do not learn the same; None: even
            ones, as in the paper.
        images: (N, H, W, C) like those of a training, whose means and variances new batch norms have.

    Returns:
        Whether the outputs are the same.
    """
    inherit(parent, parent_parameters, parent_statistics, child, child_parameters, child_statistics)
    try:
        plan = Plan(parent, child)
        maps = Maps(plan)
        maps.of(child.output)  # each class as it was
        copies = {i: (maps.of(i), maps.read_by(i)) for i in plan.copied}
    except Inexact:
        return False
    old, new = views(parent, parent_parameters), views(child, child_parameters)
    old_norms, new_norms = (
        {i: (start, c) for i, start, c in batch_norms(n)} for n in (parent, child)
    )
    for i, source in plan.copied.items():
        layer, (channels, read) = child.layers[i], copies[i]
        if layer.kind == "batch_norm":
            for mine, theirs in zip(new[i], old[source], strict=True):
                mine[:] = theirs[channels]
            (at, c), (start, n) = new_norms[i], old_norms[source]
            for k in range(2):
                theirs = parent_statistics[start + k * n : start + (k + 1) * n]
                child_statistics[at + k * c : at + (k + 1) * c] = theirs[channels]
            continue
        share = shares(read, None if seed is None else key_for(seed, "shares", layer.name))
        if layer.kind in WINDOWS:
            weight = old[source][0][..., channels]
            if layer.kind == "conv":
                weight = weight[:, :, read] * share[:, None]
            new[i][0][:] = 0
            _inner(layer, parent.layers[source], new[i][0])[:] = weight
        else:
            (weight, *bias), size = old[source], child.layers[layer.inputs[0]].shape[:2]
            weight = weight.reshape(*size, -1, weight.shape[1])[..., channels]
            weight = weight[:, :, read] * share[:, None]
            new[i][0][:] = weight.reshape(-1, weight.shape[-1])
            for mine, theirs in zip(new[i][1:], bias, strict=True):
                mine[:] = theirs[channels]
    for i in plan.identities:
        _make_identity(child.layers[i], new[i])
        if i in new_norms:
            at, c = new_norms[i]
            child_statistics[at : at + 2 * c] = np.repeat([0, 1], c)
    for i in plan.zeroed:
        for array in new[i]:
            array[:] = 0
    norms = [i for i in plan.identities if i in new_norms]
    if norms and images is not None:
        model = ReferenceModel(child, len(images), str(child_parameters.dtype))
        model.parameters[:], model.statistics[:] = child_parameters, child_statistics
        values = model.activations(images)
        for i in norms:
            at, c = new_norms[i]
            mean, variance = batch_moments(values[child.layers[i].inputs[0]])
            # Rounded: whatever they are, it is the identity, and so they are the same on all machines.
            mean, variance = np.round(mean, 3), np.round(variance, 3)
            child_statistics[at : at + c], child_statistics[at + c : at + 2 * c] = mean, variance
            new[i][0][:], new[i][1][:] = np.sqrt(variance + child.layers[i].epsilon), mean
    return True


def _inner(layer: Layer, source: Layer, weight: np.ndarray) -> np.ndarray:
    """Returns the part of a layer's weight where its source's kernel lies."""
    rows, columns = offsets(source, layer) or (0, 0)
    height, width = source.kernel
    return weight[rows : rows + height, columns : columns + width]


def _make_identity(layer: Layer, arrays: list[np.ndarray]) -> None:
    if layer.kind == "batch_norm":  # with a running mean of 0 and variance of 1
        gamma, beta = arrays
        gamma[:], beta[:] = np.sqrt(1 + layer.epsilon), 0
        return
    (weight,) = arrays
    weight[:] = 0
    centre = layer.pad[0] // layer.dilation, layer.pad[2] // layer.dilation
    weight[centre] = np.eye(weight.shape[-1]) if layer.kind == "conv" else 1

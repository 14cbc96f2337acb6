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
are equal in prediction, to rounding. In training a new batch norm takes the batch's own mean and variance,
so that the first steps differ; so do random masks.

Called by `zero.cells.evaluator`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np

from zero.nn.layers.record import Layer
from zero.nn.network import Network
from zero.nn.weights import batch_norms, inherit, views
from zero.rng.philox import key_for

ZERO = -1  # instead of a layer of the parent: zeros
_NOTHING = ("dropout", "drop_path")  # change nothing in prediction
_WINDOWS = ("conv", "depthwise")
_LINEAR = ("linear", "linear_no_bias")
_LEARNT = (*_WINDOWS, *_LINEAR, "batch_norm")
_POOLS = ("max_pool", "min_pool", "avg_pool", "global_pool")
_SHARED = ("relu", "slice", *_POOLS)  # of one input, without parameters


class _Inexact(Exception):
    """No exact start is known."""


def inherit_exactly(
    parent: Network,
    parent_parameters: np.ndarray,
    parent_statistics: np.ndarray,
    child: Network,
    child_parameters: np.ndarray,
    child_statistics: np.ndarray,
    seed: int | None = None,
) -> bool:
    """Copies to a child, in place, what makes it compute what its parent computes, if that is known.

    Else it does what `zero.nn.weights.inherit` does: layers of the same name and shape are copied. So are in
    any case those that the output does not depend on, such as an auxiliary head's.

    Args:
        parent, parent_parameters, parent_statistics: a network with its flat vectors.
        child, child_parameters, child_statistics: the same, with initial values.
        seed: of uneven shares among the copies of a channel, which so do not learn the same; None: even
            ones, as in the paper.

    Returns:
        Whether the outputs are the same.
    """
    inherit(parent, parent_parameters, parent_statistics, child, child_parameters, child_statistics)
    try:
        plan = _Plan(parent, child)
        maps = _Maps(plan)
        copies = {i: (maps.of(i), maps.read_by(i)) for i in plan.copied}
    except _Inexact:
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
        share = _shares(read, None if seed is None else key_for(seed, "shares", layer.name))
        if layer.kind in _WINDOWS:
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
    return True


# --- which layers compute the same ----------------------------------------------------------------


class _Plan:
    """What each layer of the child is to compute.

    values: child layer -> the parent's layer whose values it has, or `ZERO`; layers that are in it not
    have values of their own, which must not count. copied: child layer -> the parent's whose parameters it
    gets. identities, zeroed: child layers that give their input, or zeros.

    Raises:
        _Inexact: the output would be another one.
    """

    def __init__(self, parent: Network, child: Network):
        self.parent, self.child = parent, child.without_auxiliary
        self.copied: dict[int, int] = {}
        self.identities: set[int] = set()
        self.zeroed: set[int] = set()
        self.values: dict[int, int] = {}
        self.same = _canonical(parent.without_auxiliary)
        self.positive = _not_negative(parent.without_auxiliary, self.same)
        layers = self.child.layers
        self.readers = Counter(i for layer in layers for i in set(layer.inputs))
        if layers[0].shape != parent.layers[0].shape:
            raise _Inexact
        for i, layer in enumerate(layers):
            value = self._value(i, layer)
            if value is not None:
                self.values[i] = value
        if self.values.get(child.output) != self.same[parent.output]:
            raise _Inexact

    def _value(self, i: int, layer: Layer) -> int | None:
        if layer.kind == "input":
            return 0
        if layer.kind == "zero":
            return ZERO
        if layer.kind == "add":
            return self._sum(i, layer)
        if layer.kind in _LEARNT:
            return self._learnt(i, layer)
        read = [self.values.get(x) for x in layer.inputs]
        if None in read:
            return None
        if layer.kind in _NOTHING or (layer.kind == "relu" and read[0] in self.positive):
            return read[0]
        if set(read) == {ZERO} and layer.kind != "concat":
            return ZERO
        for source in self._alike(layer):
            if [self.same[x] for x in self.parent.layers[source].inputs] == read:
                return self.same[source]
        return None

    def _alike(self, layer: Layer) -> Iterable[int]:
        """Yields the parent's layers that do the same to what they read, the same place's first."""
        end = self.parent.output + 1
        found = [k for k, y in enumerate(self.parent.layers[:end]) if y.kind == layer.kind]
        if layer.kind in _LEARNT:
            found = [k for k in found if _place(self.parent.layers[k]) == _place(layer)]
        names = [y.name for y in self.parent.layers]
        for k in sorted(found, key=lambda k: names[k] != layer.name):
            if _is_within(self.parent.layers[k], layer):
                yield k

    def _learnt(self, i: int, layer: Layer) -> int | None:
        (read,) = layer.inputs
        for source in self._alike(layer):
            (wanted,) = self.parent.layers[source].inputs
            if self._gets(read, self.same[wanted]) and self._fits(layer, source):
                self.copied[i] = source
                return self.same[source]
        value = self.values.get(read)
        if value is not None and _may_be_identity(layer, self.child.layers[read]):
            self.identities.add(i)
            return value
        return None

    def _fits(self, layer: Layer, source: int) -> bool:
        if layer.kind not in _LINEAR:
            return True
        sizes = [n.layers[y.inputs[0]].shape[:2]
                 for n, y in ((self.child, layer), (self.parent, self.parent.layers[source]))]  # fmt: skip
        return sizes[0] == sizes[1]

    def _gets(self, i: int, wanted: int) -> bool:
        """Returns whether a layer has these values, or can be made to give zeros where they are wanted."""
        if self.values.get(i) == wanted:
            return True
        return wanted == ZERO and i not in self.values and self._make_zero([i])

    def _sum(self, i: int, layer: Layer) -> int | None:
        """A sum of what the parent's sum is of, or of one thing, and of zeros."""
        known = [x for x in layer.inputs if self.values.get(x) not in (None, ZERO)]
        for source in self._alike(layer):
            wanted = [self.same[x] for x in self.parent.layers[source].inputs]
            if self._is_sum_of(layer, [w for w in wanted if w != ZERO]):
                return self.same[source]
        # What was there before comes first, so that a new branch beside it is the one of zeros.
        for x in sorted(known, key=lambda x: x in self.identities):
            if self._is_sum_of(layer, [self.values[x]]):
                return self.values[x]
        return ZERO if self._is_sum_of(layer, []) else None

    def _is_sum_of(self, layer: Layer, wanted: list[int]) -> bool:
        left = list(layer.inputs)
        for value in wanted:
            fitting = [x for x in left if self.values.get(x) == value]
            if not fitting:
                return False
            left.remove(min(fitting, key=lambda x: x in self.identities))
        return self._make_zero([x for x in left if self.values.get(x) != ZERO])

    def _make_zero(self, layers: list[int]) -> bool:
        """Makes layers give zeros, all or none of them; returns whether that can be."""
        found: list[tuple[int, bool]] = []
        if not all(self._zeroing(i, found) for i in layers):
            return False
        for i, is_end in found:
            self.values[i] = ZERO
            if is_end:
                self.zeroed.add(i)
                self.identities.discard(i)
                self.copied.pop(i, None)
        return True

    def _zeroing(self, i: int, found: list[tuple[int, bool]]) -> bool:
        """Adds the layers to be zeros for this one to be, and whether by their own parameters."""
        layer = self.child.layers[i]
        if self.values.get(i) == ZERO:
            return True
        if i in self.values and self.readers[i] > 1:
            return False  # others rely on its values
        found.append((i, layer.kind in _LEARNT))
        if layer.kind in _LEARNT:
            return True
        passing = (*_SHARED, *_NOTHING, "add", "concat")
        return layer.kind in passing and all(self._zeroing(x, found) for x in layer.inputs)


def _canonical(network: Network) -> list[int]:
    """Returns for each layer the first one with the same values, or `ZERO`, as far as that is easy."""
    found: list[int] = []
    positive: set[int] = {ZERO}
    for i, layer in enumerate(network.layers):
        read = [found[x] for x in layer.inputs]
        if layer.kind == "zero":
            found.append(ZERO)
        elif layer.kind in _NOTHING or (layer.kind == "relu" and read[0] in positive):
            found.append(read[0])
        elif layer.kind == "add" and len(parts := [x for x in read if x != ZERO]) < 2:
            found.append(parts[0] if parts else ZERO)
        else:
            found.append(i)
            if _gives_no_negatives(layer, read, positive):
                positive.add(i)
    return found


def _not_negative(network: Network, same: list[int]) -> set[int]:
    positive = {ZERO}
    for i, layer in enumerate(network.layers):
        if _gives_no_negatives(layer, [same[x] for x in layer.inputs], positive):
            positive.add(same[i])
    return positive


def _gives_no_negatives(layer: Layer, read: list[int], positive: set[int]) -> bool:
    if layer.kind == "relu":
        return True
    keeping = (*_SHARED, *_NOTHING, "add", "concat")
    return layer.kind in keeping and all(x in positive for x in read)


def _place(layer: Layer) -> str:
    """Returns a layer's name within its cell: cells have other numbers in deeper networks."""
    return layer.name.partition("/")[2] or layer.name


def _is_within(small: Layer, large: Layer) -> bool:
    """Returns whether a layer may do what another one of its kind does: as it is, wider, or larger."""
    if small.kind == "slice" or small.kind in _POOLS[:3]:
        return (small.kernel, small.stride, small.pad) == (large.kernel, large.stride, large.pad)
    if small.kind not in _WINDOWS:
        return small.epsilon == large.epsilon
    same = (small.stride, small.dilation) == (large.stride, large.dilation)
    return same and _offsets(small, large) is not None and small.shape[:2] == large.shape[:2]


def _offsets(small: Layer, large: Layer) -> list[int] | None:
    """Returns where a kernel lies in a larger one (rows, columns); None if it does not."""
    found = []
    for axis in range(2):
        further = large.pad[2 * axis] - small.pad[2 * axis]
        at, rest = divmod(further, large.dilation)
        if rest or at < 0 or at + small.kernel[axis] > large.kernel[axis]:
            return None
        found.append(at)
    return found


def _inner(layer: Layer, source: Layer, weight: np.ndarray) -> np.ndarray:
    """Returns the part of a layer's weight where its source's kernel lies."""
    rows, columns = _offsets(source, layer) or (0, 0)
    height, width = source.kernel
    return weight[rows : rows + height, columns : columns + width]


# --- the identity ---------------------------------------------------------------------------------


def _may_be_identity(layer: Layer, read: Layer) -> bool:
    if layer.kind == "batch_norm":
        return True
    if layer.kind not in _WINDOWS or layer.stride != 1 or layer.shape != read.shape:
        return False
    return all(
        layer.pad[2 * axis] % layer.dilation == 0
        and 0 <= layer.pad[2 * axis] // layer.dilation < layer.kernel[axis]
        for axis in range(2)
    )


def _make_identity(layer: Layer, arrays: list[np.ndarray]) -> None:
    if layer.kind == "batch_norm":  # with a running mean of 0 and variance of 1
        gamma, beta = arrays
        gamma[:], beta[:] = np.sqrt(1 + layer.epsilon), 0
        return
    (weight,) = arrays
    weight[:] = 0
    centre = layer.pad[0] // layer.dilation, layer.pad[2] // layer.dilation
    weight[centre] = np.eye(weight.shape[-1]) if layer.kind == "conv" else 1


# --- which channels are copies of which -----------------------------------------------------------


class _Maps:
    """Which channel of the parent's layer each channel of a child's layer is, an array a layer.

    Layers that are computed value by value, and those that are added, have the same; a convolution's is
    free, so that it takes what its readers need, else the old channels and then again from the first.
    """

    def __init__(self, plan: _Plan):
        self.plan = plan
        self.group = list(range(len(plan.child.layers)))
        for i, layer in enumerate(plan.child.layers):
            if plan.values.get(i, ZERO) == ZERO:
                continue
            elementwise = layer.kind in (
                "add",
                "batch_norm",
                "depthwise",
                "relu",
                *_NOTHING,
                *_POOLS,
            )
            if elementwise or i in plan.identities:
                for x in layer.inputs:
                    if plan.values.get(x, ZERO) != ZERO:
                        self.group[self._first(x)] = self._first(i)
        self.known: dict[int, np.ndarray] = {}
        self.asked: set[int] = set()

    def _first(self, i: int) -> int:
        while self.group[i] != i:
            i = self.group[i]
        return i

    def of(self, i: int) -> np.ndarray:
        """Returns a layer's map; raises _Inexact if there is none that serves."""
        first = self._first(i)
        if first in self.known:
            return self.known[first]
        if first in self.asked:
            raise _Inexact
        self.asked.add(first)
        layers, plan = self.plan.child.layers, self.plan
        members = [k for k in range(len(layers)) if self._first(k) == first]
        given = [found for k in members if (found := self._given(k)) is not None]
        before = self._width(members[0])
        if not given:
            given = [_in_turn(before, layers[i].shape[2])]
        if any(not np.array_equal(found, given[0]) for found in given[1:]):
            raise _Inexact
        if any(plan.values.get(k, ZERO) != ZERO and self._width(k) != before for k in members):
            raise _Inexact
        if len(np.unique(given[0])) < before:
            raise _Inexact  # a channel would be lost
        self.known[first] = given[0]
        return given[0]

    def read_by(self, i: int) -> np.ndarray:
        """Returns the map of what a layer reads that gets a layer's parameters."""
        read, plan = self.plan.child.layers[i].inputs[0], self.plan
        if plan.values[read] != ZERO:
            return self.of(read)
        (theirs,) = plan.parent.layers[plan.copied[i]].inputs
        before, now = plan.parent.layers[theirs].shape[2], plan.child.layers[read].shape[2]
        return _in_turn(before, now)

    def _width(self, i: int) -> int:
        value = self.plan.values.get(i, ZERO)
        if value == ZERO:
            return self.plan.child.layers[i].shape[2]
        return self.plan.parent.layers[value].shape[2]

    def _given(self, i: int) -> np.ndarray | None:
        """Returns the map that follows from what a layer is, None where it is free."""
        layer, plan = self.plan.child.layers[i], self.plan
        value = plan.values.get(i, ZERO)
        if value == ZERO:
            return None
        if layer.kind == "input" or i == plan.child.output:
            if self._width(i) != layer.shape[2]:
                raise _Inexact
            return np.arange(layer.shape[2])
        if layer.kind == "concat":
            parts, start = [], 0
            for x, y in zip(layer.inputs, plan.parent.layers[value].inputs, strict=True):
                width = plan.parent.layers[y].shape[2]
                is_zero = plan.values[x] == ZERO
                part = _in_turn(width, plan.child.layers[x].shape[2]) if is_zero else self.of(x)
                parts.append(start + part)
                start += width
            return np.concatenate(parts)
        if layer.kind == "slice":
            found = self.of(layer.inputs[0])[: layer.shape[2]]
            if found.max() >= self._width(i):
                raise _Inexact
            return found
        return None


def _in_turn(before: int, now: int) -> np.ndarray:
    if now < before:
        raise _Inexact
    return np.arange(now) % before


def _shares(channels: np.ndarray, key: int | None) -> np.ndarray:
    """Returns what part of the old channel's weight each of its copies gets."""
    parts = np.ones(len(channels))
    if key is not None:
        parts = np.random.default_rng(key).uniform(0.5, 1.5, len(channels))
    return parts / np.bincount(channels, parts)[channels]

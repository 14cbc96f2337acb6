"""Which channels of a wider network are copies of which: see `zero.nn.net2net`."""

from __future__ import annotations

import numpy as np

from zero.nn.same_values import NOTHING, POOLS, ZERO, Inexact, Plan


class Maps:
    """Which channel of the parent's layer each channel of a child's layer is, an array a layer.

    Layers that are computed value by value, and those that are added, have the same; a convolution's is
    free, so that it takes what its readers need, else the old channels and then again from the first.
    """

    def __init__(self, plan: Plan):
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
                *NOTHING,
                *POOLS,
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
        """Returns a layer's map; raises Inexact if there is none that serves."""
        first = self._first(i)
        if first in self.known:
            return self.known[first]
        if first in self.asked:
            raise Inexact
        self.asked.add(first)
        layers, plan = self.plan.child.layers, self.plan
        members = [k for k in range(len(layers)) if self._first(k) == first]
        given = [found for k in members if (found := self._given(k)) is not None]
        before = self._width(members[0])
        if not given:
            given = [_in_turn(before, layers[i].shape[2])]
        if any(not np.array_equal(found, given[0]) for found in given[1:]):
            raise Inexact
        if any(plan.values.get(k, ZERO) != ZERO and self._width(k) != before for k in members):
            raise Inexact
        if len(np.unique(given[0])) < before:
            raise Inexact  # a channel would be lost
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
                raise Inexact
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
                raise Inexact
            return found
        return None


def _in_turn(before: int, now: int) -> np.ndarray:
    if now < before:
        raise Inexact
    return np.arange(now) % before


def shares(channels: np.ndarray, key: int | None) -> np.ndarray:
    """Returns what part of the old channel's weight each of its copies gets."""
    parts = np.ones(len(channels))
    if key is not None:
        parts = np.random.default_rng(key).uniform(0.5, 1.5, len(channels))
    return parts / np.bincount(channels, parts)[channels]

"""Which layers of a child's network compute what layers of its parent's do: see `zero.nn.net2net`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from zero.nn.layers.record import Layer
from zero.nn.network import Network

ZERO = -1  # instead of a layer of the parent: zeros
NOTHING = ("dropout", "drop_path")  # change nothing in prediction
WINDOWS = ("conv", "depthwise")
LINEAR = ("linear", "linear_no_bias")
LEARNT = (*WINDOWS, *LINEAR, "batch_norm")
POOLS = ("max_pool", "min_pool", "avg_pool", "global_pool")
SHARED = ("relu", "slice", *POOLS)  # of one input, without parameters


class Inexact(Exception):
    """No exact start is known."""


class Plan:
    """What each layer of the child is to compute.

    values: child layer -> the parent's layer whose values it has, or `ZERO`; layers that are not in it
    have values of their own, which must not count. copied: child layer -> the parent's whose parameters it
    gets. identities, zeroed: child layers that give their input, or zeros.

    Raises:
        Inexact: the output would be another one.
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
            raise Inexact
        for i, layer in enumerate(layers):
            value = self._value(i, layer)
            if value is not None:
                self.values[i] = value
        if self.values.get(child.output) != self.same[parent.output]:
            raise Inexact

    def _value(self, i: int, layer: Layer) -> int | None:
        if layer.kind == "input":
            return 0
        if layer.kind == "zero":
            return ZERO
        if layer.kind == "add":
            return self._sum(i, layer)
        if layer.kind in LEARNT:
            return self._learnt(i, layer)
        read = [self.values.get(x) for x in layer.inputs]
        if None in read:
            return None
        if layer.kind in NOTHING or (layer.kind == "relu" and read[0] in self.positive):
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
        if layer.kind in LEARNT:
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
        if layer.kind not in LINEAR:
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
        found.append((i, layer.kind in LEARNT))
        if layer.kind in LEARNT:
            return True
        passing = (*SHARED, *NOTHING, "add", "concat")
        return layer.kind in passing and all(self._zeroing(x, found) for x in layer.inputs)


def _canonical(network: Network) -> list[int]:
    """Returns for each layer the first one with the same values, or `ZERO`, as far as that is easy."""
    found: list[int] = []
    positive: set[int] = {ZERO}
    for i, layer in enumerate(network.layers):
        read = [found[x] for x in layer.inputs]
        if layer.kind == "zero":
            found.append(ZERO)
        elif layer.kind in NOTHING or (layer.kind == "relu" and read[0] in positive):
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
    keeping = (*SHARED, *NOTHING, "add", "concat")
    return layer.kind in keeping and all(x in positive for x in read)


def _place(layer: Layer) -> str:
    """Returns a layer's name within its cell: cells have other numbers in deeper networks."""
    return layer.name.partition("/")[2] or layer.name


def _is_within(small: Layer, large: Layer) -> bool:
    """Returns whether a layer may do what another one of its kind does: as it is, wider, or larger."""
    if small.kind == "slice" or small.kind in POOLS[:3]:
        return (small.kernel, small.stride, small.pad) == (large.kernel, large.stride, large.pad)
    if small.kind not in WINDOWS:
        return small.epsilon == large.epsilon
    same = (small.stride, small.dilation) == (large.stride, large.dilation)
    return same and offsets(small, large) is not None and small.shape[:2] == large.shape[:2]


def offsets(small: Layer, large: Layer) -> list[int] | None:
    """Returns where a kernel lies in a larger one (rows, columns); None if it does not."""
    found = []
    for axis in range(2):
        further = large.pad[2 * axis] - small.pad[2 * axis]
        at, rest = divmod(further, large.dilation)
        if rest or at < 0 or at + small.kernel[axis] > large.kernel[axis]:
            return None
        found.append(at)
    return found


def _may_be_identity(layer: Layer, read: Layer) -> bool:
    if layer.kind == "batch_norm":
        return True
    if layer.kind not in WINDOWS or layer.stride != 1 or layer.shape != read.shape:
        return False
    return all(
        layer.pad[2 * axis] % layer.dilation == 0
        and 0 <= layer.pad[2 * axis] // layer.dilation < layer.kernel[axis]
        for axis in range(2)
    )

"""Whole networks layer by layer: the spaces of MetaQNN and of Neural Architecture Search.

Sources: Baker et al. 2017 ("Designing Neural Network Architectures using Reinforcement Learning") and its
code for layers, limits and rules; Zoph and Le 2017 ("Neural Architecture Search with Reinforcement
Learning") for skip connections as decisions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from zero.cells.forms.chain import END, LIMITS, Chain, LayerWords, read_layer, readable
from zero.cells.genome import Genome
from zero.errors import NetworkError
from zero.search.decisions import Decisions, checked, drawn

if TYPE_CHECKING:  # names are completed by the shell without it
    import numpy as np

NO, YES = "no", "yes"
Layers = tuple[tuple[str, tuple[int, ...]], ...]


class _Place(NamedTuple):
    """Where a network stands after some layers.

    kind: of the last one. size: of its image, in pixels. in_row, width: how many fully connected layers
    there are, the last one's width.
    """

    kind: str
    size: int
    in_row: int = 0
    width: int = 0


def bucket(size: int) -> int:
    """Returns the image size that the rules reckon with: 8 for all from 8 on, 4 from 4 on, else 1."""
    return 8 if size > 7 else 4 if size > 3 else 1


@dataclass(frozen=True)
class ChainSpace:
    """Networks of layers, see `zero.cells.forms.chain`, by MetaQNN's rules.

    ops: the layers' names; `depthN`, at most N layers (18 if it is not said); `sizeN`, the rules
    reckon with images of N x N pixels (32); `skips`, with skip connections. Networks that the images at
    hand are too small for cannot be built, as of any space.

    The rules: a convolution's field is smaller than the image's size, rounded down to 8, 4 or 1;
    pooling follows a convolution; fully connected layers come where the image is smaller than 8 pixels,
    at most two in a row, the second one no wider; nothing follows global average pooling.

    Decisions: layer by layer its name, or `end`; then, of a convolution with skips, for each earlier
    output of the same image size but the last whether it is read (the anchors of Zoph and Le).
    Random genomes draw each decision evenly, as MetaQNN explores.

    Growth: the size of a network is its number of layers and of skip connections.
    """

    name: str
    description: str
    ops: tuple[str, ...]

    form = Chain

    def __post_init__(self) -> None:
        limits = [op for op in self.ops if LIMITS.fullmatch(op)]
        for word in ("depth", "size"):
            if sum(limit.startswith(word) for limit in limits) > 1:
                raise NetworkError(f"{self.name} has more than one {word}; name one")

    @cached_property
    def layers(self) -> tuple[str, ...]:
        """The names of its layers."""
        return tuple(op for op in self.ops if not LIMITS.fullmatch(op))

    @cached_property
    def depth(self) -> int:
        """The most layers."""
        return self._limit("depth", 18)

    @cached_property
    def size(self) -> int:
        """Pixels of the images' sides that the rules reckon with."""
        return self._limit("size", 32)

    @property
    def skips(self) -> bool:
        """Whether layers may read earlier ones besides the last."""
        return "skips" in self.ops

    @property
    def mutations(self) -> tuple[str, ...]:
        """The names of its mutations."""
        return (
            ("insert", "delete", "change", "skip") if self.skips else ("insert", "delete", "change")
        )

    def _limit(self, word: str, usual: int) -> int:
        found = (LIMITS.fullmatch(op) for op in self.ops)
        return next((int(m[2]) for m in found if m and m[1] == word), usual)

    # --- rules ------------------------------------------------------------------------------------

    def _follows(self, place: _Place, layer: LayerWords) -> bool:
        if layer.kind == "fc":
            if place.kind == "fc":
                return place.in_row < 2 and layer.width <= place.width
            return place.kind != "gap" and bucket(place.size) <= 4
        if place.kind in ("fc", "gap"):
            return False
        if layer.kind == "conv":
            return layer.window < bucket(place.size)
        if layer.kind == "pool":
            return place.kind == "conv" and layer.window <= place.size
        return True

    def _next(self, place: _Place, layer: LayerWords) -> _Place:
        if layer.kind == "pool":
            return _Place("pool", -(-(place.size - layer.window + 1) // layer.stride))
        if layer.kind == "fc":
            return _Place("fc", 1, place.in_row + 1, layer.width)
        return _Place(layer.kind, place.size if layer.kind == "conv" else 1)

    def _possible(self, names: Iterable[str]) -> tuple[str, ...]:
        """Returns what can come after layers that obey the rules."""
        place, depth = _Place("start", self.size), 0
        for name in names:
            place, depth = self._next(place, read_layer(name)), depth + 1
        if depth >= self.depth:
            return (END,)
        return (END, *(name for name in self.layers if self._follows(place, read_layer(name))))

    def _obeys(self, names: tuple[str, ...]) -> bool:
        place = _Place("start", self.size)
        for name in names:
            if not self._follows(place, read_layer(name)):
                return False
            place = self._next(place, read_layer(name))
        return len(names) <= self.depth

    def check(self, genome: Genome) -> None:
        """Raises NetworkError if the genome is none of this space."""
        chain = genome.normal
        if genome.reduction is not None or not isinstance(chain, Chain):
            raise NetworkError(f"{self.name}: a genome has one network, a Chain")
        try:
            chain.check()
            for number, (name, skips) in enumerate(chain.layers, 1):
                possible = self._possible(chain.names[: number - 1])
                if name not in possible:
                    raise NetworkError(
                        f"layer {number}: {name} cannot stand here; possible: {', '.join(possible)}"
                    )
                if skips and not self.skips:
                    raise NetworkError(f"layer {number}: the space has no skip connections")
        except NetworkError as error:
            raise NetworkError(f"{self.name}: {error}") from None

    # --- random genomes and what is near one --------------------------------------------------------

    def random(self, rng: np.ndarray) -> Genome:
        """Returns a genome, every decision drawn evenly."""
        return self.genome_of(drawn(self.choices, rng))

    def mutate(self, genome: Genome, rng: np.ndarray) -> tuple[Genome, str]:
        """Returns a mutated genome and the mutation's name.

        `insert`, `delete` and `change` are of a layer, `skip` adds or takes away a skip connection;
        drawn evenly among those that are possible, then evenly among what they can make. Skip
        connections that no longer fit go.
        """
        from zero.rng.splitmix import below

        names = list(self.mutations)
        while names:
            name = names.pop(int(below(rng, len(names))))
            near = list(self._near(genome, name))
            if near:
                return near[int(below(rng, len(near)))], name
        return genome, self.mutations[0]

    def neighbours(self, genome: Genome) -> list[Genome]:
        """Returns all genomes that one mutation can make of this one, without itself."""
        found = {near: None for name in self.mutations for near in self._near(genome, name)}
        return list(found)

    def smallest(self) -> list[Genome]:
        """Returns the network of no layers but the classes'."""
        return [Genome(self.name, Chain(()))]

    def grown(self, genome: Genome) -> list[Genome]:
        """Returns the networks with one layer or one skip connection more, all others kept."""
        old = _count(genome)
        near = [*self._near(genome, "insert"), *(self._near(genome, "skip") if self.skips else ())]
        return [genome for genome in near if _count(genome) == old + 1]

    def size_of(self, genome: Genome) -> int:
        """Returns the number of layers and skip connections, the classes' layer counted."""
        return 1 + _count(genome)

    def _near(self, genome: Genome, mutation: str) -> list[Genome]:
        """Returns what a mutation can make, each once, without the genome itself."""
        found: dict[Layers, None] = {}
        for layers in getattr(self, f"_{mutation}s")(genome.normal.layers):
            names = tuple(name for name, _ in layers)
            if self._obeys(names):
                found[_fitting(layers)] = None
        found.pop(genome.normal.layers, None)
        return [replace(genome, normal=Chain(layers)) for layers in found]

    def _inserts(self, layers: Layers) -> Iterator[Layers]:
        for place in range(len(layers) + 1 if len(layers) < self.depth else 0):
            for name in self.layers:
                after = _moved(layers[place:], lambda k, place=place: k + (k > place))
                yield (*layers[:place], (name, ()), *after)

    def _deletes(self, layers: Layers) -> Iterator[Layers]:
        for place in range(len(layers)):
            # 0, the image, is read by nobody besides the last.
            after = _moved(
                layers[place + 1 :], lambda k, gone=place + 1: 0 if k == gone else k - (k > gone)
            )
            yield (*layers[:place], *after)

    def _changes(self, layers: Layers) -> Iterator[Layers]:
        for place, (_, skips) in enumerate(layers):
            for name in self.layers:
                yield (*layers[:place], (name, skips), *layers[place + 1 :])

    def _skips(self, layers: Layers) -> Iterator[Layers]:
        for place, (name, skips) in enumerate(layers):
            for skip in readable([name for name, _ in layers[: place + 1]]):
                new = tuple(sorted({*skips} ^ {skip}))
                yield (*layers[:place], (name, new), *layers[place + 1 :])

    # --- decisions --------------------------------------------------------------------------------

    def _read(
        self, decisions: Iterable[str]
    ) -> tuple[list[tuple[str, tuple[int, ...]]], range, bool]:
        """Returns the layers so far, the outputs of which is still to be decided, and the end."""
        layers: list[tuple[str, tuple[int, ...]]] = []
        left = range(0)
        for name in decisions:
            if left:
                last, skips = layers[-1]
                layers[-1] = (last, (*skips, left[0]) if name == YES else skips)
                left = left[1:]
            elif name == END:
                return layers, left, True
            else:
                layers.append((name, ()))
                left = readable([name for name, _ in layers]) if self.skips else left
        return layers, left, False

    def choices(self, decisions: Decisions) -> tuple[str, ...]:
        """Returns the layers, or "no" and "yes", of which the next decision is one."""
        layers, left, ended = self._read(decisions)
        if ended:
            return ()
        return (NO, YES) if left else self._possible(name for name, _ in layers)

    def genome_of(self, decisions: Decisions) -> Genome:
        """Returns the genome of a complete sequence of decisions; raises ZeroError for others."""
        layers, _, _ = self._read(checked(self.choices, decisions))
        return Genome(self.name, Chain(tuple(layers)))

    def decisions_of(self, genome: Genome) -> Decisions:
        """Returns the genome's decisions; NetworkError if it is none of this space."""
        self.check(genome)
        made: list[str] = []
        names = genome.normal.names
        for number, (name, skips) in enumerate(genome.normal.layers, 1):
            made.append(name)
            if self.skips:
                made += [YES if k in skips else NO for k in readable(names[:number])]
        return (*made, END)


def _count(genome: Genome) -> int:
    """Returns the number of layers and skip connections."""
    return sum(1 + len(skips) for _, skips in genome.normal.layers)


def _moved(layers: Layers, number) -> Layers:
    """Returns layers that read others by new numbers."""
    return tuple((name, tuple(number(k) for k in skips)) for name, skips in layers)


def _fitting(layers: Layers) -> Layers:
    """Returns the layers without the skip connections that do not fit."""
    names = [name for name, _ in layers]
    return tuple(
        (name, tuple(k for k in skips if k in readable(names[:number])))
        for number, (name, skips) in enumerate(layers, 1)
    )

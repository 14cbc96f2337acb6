"""One text for all drawings of the same graph: the canonical form behind `canonical_key`.

Cells are small, so the smallest of all numberings is found by trying: vertices are first told apart by
what they are and what stands around them (colour refinement), and only those that remain alike are
permuted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import permutations

Edge = tuple[int, int, str]


def canonical_graph(labels: Sequence[str], edges: Sequence[Edge]) -> str:
    """Returns a text that is equal for two labelled graphs exactly if they are isomorphic.

    Args:
        labels: One for each vertex.
        edges: (source, target, label); the same edge may stand in it several times.
    """
    colours = _refined(labels, edges)
    classes: dict[int, list[int]] = {}
    for vertex, colour in enumerate(colours):
        classes.setdefault(colour, []).append(vertex)
    best = min(_written(order, edges) for order in _orders([classes[c] for c in sorted(classes)]))
    names = " ".join(labels[v] for c in sorted(classes) for v in classes[c])
    return f"{names} | {' '.join(f'{s}>{t}:{label}' for s, t, label in best)}"


def _written(order: list[int], edges: Sequence[Edge]) -> list[Edge]:
    place = {vertex: number for number, vertex in enumerate(order)}
    return sorted((place[s], place[t], label) for s, t, label in edges)


def _orders(classes: list[list[int]]) -> Iterator[list[int]]:
    """Yields every order of the vertices that keeps the order of the classes."""
    if not classes:
        yield []
        return
    for rest in _orders(classes[1:]):
        for first in permutations(classes[0]):
            yield [*first, *rest]


def _refined(labels: Sequence[str], edges: Sequence[Edge]) -> list[int]:
    """Returns a colour for each vertex; isomorphic graphs give the same colours to like vertices."""
    marks: list = list(labels)
    while True:
        known = sorted(set(marks))
        colours = [known.index(mark) for mark in marks]
        around: list[list] = [[] for _ in labels]
        for (source, target, label), times in Counter(edges).items():
            around[source].append((1, label, colours[target], times))
            around[target].append((0, label, colours[source], times))
        marks = [(c, tuple(sorted(a))) for c, a in zip(colours, around, strict=True)]
        if len(set(marks)) == len(known):
            return colours

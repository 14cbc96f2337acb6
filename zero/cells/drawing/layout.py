"""Places the boxes of a small graph in columns, wires running from left to right between them.

A layered drawing (Sugiyama, Tagawa and Toda 1981): every box stands one column right of the last box
that it reads; a wire that goes further passes the columns between in a slot of its own, so that no wire
runs through a box. Orders within columns come from a search for few crossings and short wires, heights
from bringing each box level with its neighbours. Nothing is random: equal graphs, equal layouts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

BOX_SPACE = 18.0  # between boxes that are neighbours in a column
WIRE_SPACE = 11.0  # between wires, and between a wire and a box
CROSSING = 60.0  # how much wire length one crossing is worth


@dataclass(frozen=True)
class Box:
    """A box and what it reads.

    reads: index of an earlier box for each port. ports: where the wires end, as heights from the box's
    middle, from top to bottom; as many as `reads`. column: a smallest column, 0 being the leftmost.
    """

    reads: tuple[int, ...]
    ports: tuple[float, ...]
    width: float
    height: float
    column: int = 0


@dataclass(frozen=True)
class Arrangement:
    """Where everything is, in the units of the boxes' sizes; y goes down, and starts at 0.

    x, y: of each box's left end and middle. order: for each box, which of its `reads` ends at each
    port. wires: for each box, the pieces of the wires that it feeds: (x, y) where a piece starts, and
    where it ends; pieces of equal heights are straight.
    """

    x: tuple[float, ...]
    y: tuple[float, ...]
    order: tuple[tuple[int, ...], ...]
    wires: tuple[tuple[tuple[float, float, float, float], ...], ...]
    width: float
    height: float


# An item of a column: a box, or the slot of a wire from a box: (box, column) with the box to the left.
Item = tuple[int, int]


class _Graph:
    def __init__(self, boxes: Sequence[Box]):
        self.boxes = boxes
        self.column: list[int] = []
        for box in boxes:
            right = 1 + max((self.column[r] for r in box.reads), default=-1)
            self.column.append(max(right, box.column))
        count = max(self.column) + 1
        self.columns: list[list[Item]] = [[] for _ in range(count)]
        self.pieces: list[list[tuple[Item, Item]]] = [[] for _ in range(count)]  # left of a column
        last = list(self.column)
        for index, box in enumerate(boxes):
            for read in box.reads:
                last[read] = max(last[read], self.column[index] - 1)
        for index in range(len(boxes)):
            for column in range(self.column[index], last[index] + 1):
                self.columns[column].append((index, column))
                if column > self.column[index]:
                    self.pieces[column].append(((index, column - 1), (index, column)))
        for index, box in enumerate(boxes):
            column = self.column[index]
            self.pieces[column] += [((read, column - 1), (index, column)) for read in box.reads]

    def is_box(self, item: Item) -> bool:
        return self.column[item[0]] == item[1]

    def height(self, item: Item) -> float:
        return self.boxes[item[0]].height if self.is_box(item) else 0.0

    def distance(self, upper: Item, lower: Item) -> float:
        """Least distance of two neighbours' middles."""
        space = BOX_SPACE if self.is_box(upper) and self.is_box(lower) else WIRE_SPACE
        return (self.height(upper) + self.height(lower)) / 2 + space

    def stacked(self, columns: list[list[Item]]) -> dict[Item, float]:
        """Returns heights with every column as tight as can be, around 0."""
        y = {}
        for column in columns:
            places = [0.0]
            for upper, lower in pairwise(column):
                places.append(places[-1] + self.distance(upper, lower))
            y.update((i, p - places[-1] / 2) for i, p in zip(column, places, strict=True))
        return y

    def port_order(self, index: int, y: dict[Item, float]) -> list[int]:
        """Returns which of a box's reads ends at each port: in the order of their heights."""
        reads, left = self.boxes[index].reads, self.column[index] - 1
        return sorted(range(len(reads)), key=lambda k: (y[reads[k], left], reads[k], k))

    def ends(self, column: int, y: dict[Item, float]) -> list[tuple[Item, Item, float, float]]:
        """Returns the pieces left of a column: items and heights of both ends."""
        found = [(s, t, y[s], y[t]) for s, t in self.pieces[column] if not self.is_box(t)]
        for item in self.columns[column]:
            if self.is_box(item):
                box = self.boxes[item[0]]
                for port, k in zip(box.ports, self.port_order(item[0], y), strict=True):
                    source = (box.reads[k], column - 1)
                    found.append((source, item, y[source], y[item] + port))
        return found

    def cost(self, columns: list[list[Item]]) -> float:
        y = self.stacked(columns)
        total = 0.0
        for column in range(1, len(columns)):
            pieces = self.ends(column, y)
            for number, (s, _, y0, y1) in enumerate(pieces):
                total += abs(y1 - y0)
                for other, _, z0, z1 in pieces[:number]:
                    if other != s and (y0 - z0) * (y1 - z1) < 0:
                        total += CROSSING
        return total


def arrange(boxes: Sequence[Box], least_gap: float = 46.0) -> Arrangement:
    """Returns the layout of boxes that stand in an order in which each reads earlier ones only."""
    graph = _Graph(boxes)
    columns = _ordered(graph)
    y = _levelled(graph, columns)
    _straighten(graph, columns, y)
    top = min(y[item] - graph.height(item) / 2 for item in y)
    y = {item: value - top for item, value in y.items()}

    left, right = [], []
    for number, column in enumerate(columns):
        # Many wires, or steep ones, need more room to be told apart.
        pieces = graph.ends(number, y)
        steep = max((abs(y1 - y0) for _, _, y0, y1 in pieces), default=0)
        gap = max(least_gap, min(5.0 * len(pieces), 60), steep / 3)
        left.append(right[-1] + gap if right else 0.0)
        right.append(left[-1] + max(boxes[i].width for i, c in column if graph.is_box((i, c))))
    wires: list[list[tuple[float, float, float, float]]] = [[] for _ in boxes]
    for number in range(1, len(columns)):
        for (source, passed), _, y0, y1 in graph.ends(number, y):
            start = left[passed] + (boxes[source].width if graph.is_box((source, passed)) else 0)
            wires[source].append((start, y0, right[passed], y0))
            wires[source].append((right[passed], y0, left[number], y1))
    return Arrangement(
        tuple(left[c] for c in graph.column),
        tuple(y[i, c] for i, c in enumerate(graph.column)),
        tuple(tuple(graph.port_order(i, y)) for i in range(len(boxes))),
        tuple(tuple(p for p in dict.fromkeys(w) if p[0] < p[2]) for w in wires),
        right[-1],
        max(y[item] + graph.height(item) / 2 for item in y),
    )


def _ordered(graph: _Graph) -> list[list[Item]]:
    """Returns the columns in an order that no move of one item makes better."""
    columns = [list(column) for column in graph.columns]
    best = graph.cost(columns)
    improved = True
    while improved:
        improved = False
        for number, column in enumerate(columns):
            for item in list(column):
                for place in range(len(column)):
                    old = list(column)
                    column.remove(item)
                    column.insert(place, item)
                    cost = graph.cost(columns) if column != old else best
                    if cost < best - 1e-6:
                        best, improved = cost, True
                    else:
                        columns[number] = column = old
    return columns


def _levelled(graph: _Graph, columns: list[list[Item]], sweeps: int = 24) -> dict[Item, float]:
    """Returns heights that bring items level with their neighbours, orders kept."""
    y = graph.stacked(columns)
    for sweep in range(sweeps):
        order = range(len(columns)) if sweep % 2 == 0 else reversed(range(len(columns)))
        for number in order:
            wished: dict[Item, list[float]] = {item: [] for item in columns[number]}
            for column in (number, number + 1):
                for s, t, y0, y1 in graph.ends(column, y) if column < len(columns) else ():
                    if column == number:
                        wished[t].append(y0 - (y1 - y[t]))
                    else:
                        wished[s].append(y1)
            goals = [sum(w) / len(w) if w else y[i] for i, w in wished.items()]
            # Wires want to be straight more than boxes want to be in the middle.
            weights = [1.0 if graph.is_box(i) else 3.0 for i in wished]
            steps = [graph.distance(a, b) for a, b in pairwise(columns[number])]
            y.update(zip(columns[number], _spread(goals, weights, steps), strict=True))
    return y


def _straighten(graph: _Graph, columns: list[list[Item]], y: dict[Item, float]) -> None:
    """Gives the slots of each long wire one height, or as few as their neighbours leave room for."""
    room = {}
    for column in columns:
        for place, item in enumerate(column):
            if not graph.is_box(item):
                room[item] = (column[place - 1 : place], column[place + 1 : place + 2])
    for index, first in enumerate(graph.column):
        runs: list[tuple[list[Item], float, float]] = []
        column = first + 1
        while (item := (index, column)) in room:
            above, below = room[item]
            low = max((y[a] + graph.distance(a, item) for a in above), default=-1e9)
            high = min((y[b] - graph.distance(item, b) for b in below), default=1e9)
            if runs and max(low, runs[-1][1]) <= min(high, runs[-1][2]):
                items, lowest, highest = runs.pop()
                runs.append(([*items, item], max(low, lowest), min(high, highest)))
            else:
                runs.append(([item], low, high))
            column += 1
        before = y[index, first]
        for items, low, high in runs:
            after = [end for s, _, _, end in graph.ends(items[-1][1] + 1, y) if s == items[-1]]
            mean = sum(y[i] for i in items) / len(items)
            level = next((v for v in (before, *after) if low <= v <= high), mean)
            before = min(max(level, low), high)
            y.update((item, before) for item in items)


def _spread(goals: list[float], weights: list[float], steps: list[float]) -> list[float]:
    """Returns the places nearest to the goals (least squares) that keep the order and distances."""
    offsets = [0.0]
    for step in steps:
        offsets.append(offsets[-1] + step)
    pools: list[tuple[float, float, int]] = []  # mean, weight, members: pool adjacent violators
    for goal, weight, offset in zip(goals, weights, offsets, strict=True):
        mean, members = goal - offset, 1
        while pools and pools[-1][0] > mean:
            other, other_weight, other_members = pools.pop()
            mean = (mean * weight + other * other_weight) / (weight + other_weight)
            weight, members = weight + other_weight, members + other_members
        pools.append((mean, weight, members))
    means = [mean for mean, _, members in pools for _ in range(members)]
    return [mean + offset for mean, offset in zip(means, offsets, strict=True)]

"""What a piece of a program does, seen by running it on a small problem with known answers.

The problem is a linear one without noise, four features drawn from N(0, 1), of numbers, two classes or, with
vector labels, three; nothing of it is random from one call to the next. Names alone do not tell a step along
the gradient from one that is nearly so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np

from zero.programs.explain.values import FEATURES_AT, LABEL_AT, PREDICTION_AT, Place, Spot
from zero.programs.interpreter.reference import Banks, Draws, execute, sigmoid, softmax
from zero.programs.program import Program, memory_needed
from zero.rng import philox
from zero.tasks import Labels

_FEATURES, _EXAMPLES, _CLASSES = 4, 100, 3
_FIRST, _EVERY = 10, 2  # examples that a step is looked at on
_FUNCTIONS = (philox.SETUP, philox.PREDICT, philox.LEARN)


def cosine_with_gradient(
    program: Program,
    place: Place,
    last: Spot,
    kept: float = 1.0,
    classes: bool = False,
    labels: Labels = "scalar",
) -> float | None:
    """Returns how near the changes of a place come to gradient descent: the cosine, -1 to 1.

    What an iteration adds to the place is compared with the direction in which the prediction for its
    example moves towards the label fastest, by differences: the prediction of the same iteration or, where
    that is nearer, the next one. For squared error, and for log loss where predictions go through the
    sigmoid, that is down the gradient. Mean over examples, None where nothing moves.

    Args:
        program: any.
        place: what is changed.
        last: the last instruction of an iteration that writes it.
        kept: how much of its content an iteration keeps, which is no part of the change; NaN counts as 1.
        classes: whether labels are 0 and 1, and predictions go through the sigmoid.
        labels: of its tasks; of vectors, predictions go through the softmax.
    """
    found: list[list[float]] = [[], []]
    for number, (banks, x, y) in enumerate(training(program, classes, labels)):
        if number < _FIRST or number % _EVERY:
            continue
        player = Player(program, x, y, number, classes)
        old, changed = held(banks, place).copy(), banks.copy()
        player.until(banks.copy(), None)
        error = player.error
        player.until(changed, last)
        change = held(changed, place) - (1.0 if np.isnan(kept) else kept) * old

        # How far the prediction lies where the error points, which is down the loss.
        def now(moved: Banks, player: Player = player, error: np.ndarray = error) -> float:
            return float((error * player.prediction(moved)).sum())

        def later(moved: Banks, player: Player = player, error: np.ndarray = error) -> float:
            player.rest(moved, last)
            return float((error * player.prediction(moved, later=1)).sum())

        for cosines, start, predict in ((found[0], banks, now), (found[1], changed, later)):
            with np.errstate(all="ignore"):
                wanted = gradient(start, place, old, predict)
                sizes = np.linalg.norm(change) * np.linalg.norm(wanted)
                cosine = float((change * wanted).sum() / sizes)
            if np.isfinite(cosine):
                cosines.append(cosine)
    means = [float(np.mean(cosines)) for cosines in found if cosines]
    return max(means, default=None)


def gradient(
    banks: Banks, place: Place, at: np.ndarray, predict: Callable[[Banks], float]
) -> np.ndarray:
    """Returns how what is predicted changes with each element of a place, around that content."""
    gradient = np.zeros(at.shape)
    for index in np.ndindex(at.shape):
        step = 1e-4 * (1.0 + abs(float(at[index])))
        ends = []
        for sign in (1.0, -1.0):
            moved, value = banks.copy(), at.copy()
            value[index] += sign * step
            moved.bank(place[0])[place[1]] = value
            ends.append(predict(moved))
        gradient[index] = (ends[0] - ends[1]) / (2.0 * step)
    return gradient


def shrinks(program: Program, place: Place, labels: Labels = "scalar") -> bool:
    """Returns whether a scalar that is not 0 comes nearer to 0 with each example."""
    sizes = [abs(float(held(banks, place))) for banks, _, _ in training(program, False, labels)]
    return all(0.0 < b < a for a, b in pairwise(sizes))


def held(banks: Banks, place: Place) -> np.ndarray:
    """Returns what a place holds, as a view of it."""
    return banks.bank(place[0])[place[1], ...]


def training(
    program: Program, classes: bool, labels: Labels, examples: int = _EXAMPLES
) -> Iterator[tuple[Banks, np.ndarray, np.ndarray]]:
    """Gives the memory before each example, and the example; to be left as it is.

    A label is an array: () of a scalar one, (F,) of a vector. After a hundred examples they come again.
    """
    rng = np.random.default_rng(7)
    x = rng.standard_normal((_EXAMPLES, _FEATURES))
    y: np.ndarray = x @ rng.standard_normal(_FEATURES)
    if classes:
        y = (y > 0) * 1.0
    if labels == "vector":
        y = np.eye(_FEATURES)[(x @ rng.standard_normal((_FEATURES, _CLASSES))).argmax(axis=1)]
    banks = Banks(memory_needed(program, labels), _FEATURES)
    Player(program, x[0], y[0], 0, classes).run(banks, 0, 0, len(program.setup))
    for number in range(examples):
        features, label = x[number % _EXAMPLES], np.asarray(y[number % _EXAMPLES])
        yield banks, features, label
        Player(program, features, label, number, classes).until(banks, None)


class Player:
    """Runs an iteration in parts, on one example; error: of the last prediction made in it.

    A label y that is a vector is one of vectors.
    """

    def __init__(self, program: Program, x: np.ndarray, y: np.ndarray, number: int, classes: bool):
        self.program, self.x, self.y = program, x, y
        self.number, self.classes = number, classes
        self.labels: Labels = "vector" if y.ndim else "scalar"
        self.predicted = PREDICTION_AT[self.labels]
        self.error = np.full(y.shape, np.nan)

    def until(self, banks: Banks, last: Spot | None) -> None:
        """Runs from the beginning to that instruction, with it; None: to the end."""
        self.show(banks, np.zeros(self.y.shape))
        end = last[1] + 1 if last and last[0] == 1 else None
        self.run(banks, 1, 0, end)
        if end is None:
            self._learn(banks, None if last is None else last[1] + 1)

    def rest(self, banks: Banks, after: Spot) -> None:
        """Runs what follows that instruction."""
        if after[0] == 1:
            self.run(banks, 1, after[1] + 1, None)
            self._learn(banks, None)
        else:
            self.run(banks, 2, after[1] + 1, None)

    def prediction(self, banks: Banks, later: int = 0) -> np.ndarray:
        """Returns what is predicted for the example, before any sigmoid; later: see `run`."""
        self.show(banks, np.zeros(self.y.shape))
        self.run(banks, 1, 0, None, later)
        return held(banks, self.predicted)

    def run(self, banks: Banks, function: int, begin: int, end: int | None, later: int = 0) -> None:
        """Runs some instructions of a function; later: how many examples later they draw."""
        draws = Draws(0, 0, _FUNCTIONS[function], self.number + later)
        for instruction in self.program.functions[function][begin:end]:
            execute(instruction, banks, draws)

    def _learn(self, banks: Banks, end: int | None) -> None:
        predicted = self.predicted
        if self.labels == "vector":
            output = banks.v[predicted[1]]
            output[:_CLASSES], output[_CLASSES:] = softmax(output[:_CLASSES]), 0.0
        elif self.classes:
            banks.s[predicted[1]] = sigmoid(banks.s[predicted[1]])
        self.error = self.y - held(banks, predicted)
        self.show(banks, self.y)
        self.run(banks, 2, 0, end)

    def show(self, banks: Banks, label: np.ndarray) -> None:
        """Writes the features and a label."""
        kind, address = LABEL_AT[self.labels]
        banks.v[FEATURES_AT[1]] = self.x
        banks.bank(kind)[address] = label

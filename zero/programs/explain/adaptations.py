"""The paper's three adaptations, recognised by what a program does (Real et al. 2020, section 4.3).

Each is an experiment with the program on the small problem of `zero.programs.explain.probe`: one thing is
changed, and everything else, weights, example and other draws, is the same.

* noisy ReLU: other draws in an iteration move what a ReLU of the next prediction compares, and it;
* learning-rate decay: with the same weights on the same example the step shrinks the longer training went on;
* learning rate from the mean of weights: adding a number to all of a weight matrix changes the step beside
  the gradient there, and changes of the same size that leave the mean do so much less.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from zero.programs.explain.flow import Flow, names_of
from zero.programs.explain.probe import Player, gradient, held, training
from zero.programs.explain.values import Place, Spot, Values
from zero.programs.interpreter.reference import Banks
from zero.programs.ops import get_op
from zero.programs.program import Program
from zero.tasks import Labels

NOISY_RELU = "noisy ReLU"
DECAY = "learning-rate decay"
RATE_OF_MEAN = "learning rate from the mean of weights"
ADAPTATIONS = (NOISY_RELU, DECAY, RATE_OF_MEAN)

_MOVED = 1e-9  # relative to what it was: no rounding
_AGES = (0, 250, 500, 1000)  # examples that training has gone on for
_SHRUNK = 0.8  # of the first step, at most, is left of one that decays
_PROBED = 5  # examples
_SHIFT = 0.2  # what is added to weights
_NEAR = 0.5  # cosine with the gradient
_FOLLOWS, _STAYS = (
    0.05,
    0.25,
)  # relative change of the rate; share of it that other changes have at most


Found = tuple[str, tuple[Spot, ...]] | None  # a sentence, and the instructions that it is about
# Of a program, and whether scalar labels are classes, so that predictions go through the sigmoid.
Look = Callable[[Flow, bool], Found]


def adaptations(program: Program, labels: Labels = "scalar") -> dict[str, str]:
    """Returns the adaptations that a program of classes has, by their names, and a sentence on each.

    labels: of its tasks; with scalar ones its predictions go through the sigmoid. Deterministic. Of a program
    that `zero.programs.explain.exact` made as short as it can be, it finds most.

    Raises:
        ProgramError: it is not valid in any memory.
    """
    flow = Flow(Values(program, labels=labels))
    found = {name: look(flow, True) for name, look in LOOKS.items()}
    return {name: one[0] for name, one in found.items() if one}


@dataclass(frozen=True)
class _Example:
    """An example of the problem, and the memory before it; number: how many came before."""

    number: int
    banks: Banks
    x: np.ndarray
    y: np.ndarray
    classes: bool

    def player(self, program: Program, number: int | None = None) -> Player:
        """Returns what plays it, as the example of another number if wished."""
        return Player(
            program, self.x, self.y, self.number if number is None else number, self.classes
        )


def _examples(flow: Flow, numbers: Iterable[int], classes: bool) -> Iterator[_Example]:
    """Gives the examples of these numbers, while the program learns; memory may be changed."""
    values, wanted = flow.values, set(numbers)
    trained = training(values.program, classes, values.labels, max(wanted) + 1)
    for number, (banks, x, y) in enumerate(trained):
        if number in wanted:
            yield _Example(number, banks.copy(), x, y, classes)


def _weights(flow: Flow) -> list[Place]:
    """Returns the learned places that the prediction is made of, copies of earlier ones included."""
    made_of = flow.sources(flow.values.prediction)
    return [place for place in flow.steps if place in made_of]


def _put(banks: Banks, places: list[Place], other: Banks) -> None:
    """Writes to places what another memory holds there."""
    for place in places:
        held(banks, place)[...] = held(other, place)


# --- noise ------------------------------------------------------------------------------------------------


def noisy_relu(flow: Flow, classes: bool) -> Found:
    """Returns noise in what a ReLU sees, None if there is none; classes: see `Look`."""
    program, weights = flow.values.program, _weights(flow)
    spots = [(1, k) for k, i in enumerate(program.predict) if get_op(i.op).name.endswith(_RELU_OPS)]
    if not spots or not any(get_op(i.op).random for f in program.functions[1:] for i in f):
        return None
    numbers = range(20, 20 + 2 * _PROBED, 2)
    moved = {spot: 0 for spot in spots}
    predicted = 0
    for example in _examples(flow, numbers, classes):
        one, other = example.banks.copy(), example.banks.copy()
        example.player(program).until(one, None)
        example.player(program, example.number + 1000).until(other, None)  # draws others
        _put(other, weights, one)
        seen = [_compared(example, program, banks, n, spots)
                for banks, n in ((one, 1), (other, 1001))]  # fmt: skip
        for spot in spots:
            moved[spot] += _differ(seen[0][spot], seen[1][spot])
        predicted += _differ(seen[0][(-1, 0)], seen[1][(-1, 0)])
    noisy = [spot for spot in spots if 2 * moved[spot] > _PROBED and _sees(flow, spot)]
    if not noisy or 2 * predicted <= _PROBED:
        return None
    texts = ", ".join(str(program.functions[f][k]) for f, k in noisy)
    drawn = tuple(spot for spot, _ in flow.random if spot[0])
    return (
        f"{texts}: with the same weights and features, other draws move what it compares",
        tuple(sorted({*noisy, *drawn})),
    )


_RELU_OPS = ("_MAX", "_MIN", "_HEAVYSIDE")


def _sees(flow: Flow, spot: Spot) -> bool:
    """Returns whether an instruction's result depends on the features, and the prediction on it."""
    value = next(s.value for s in flow.values.steps if s.spot == spot)
    return flow.sees(value) and value in flow.within(flow.values.prediction)


def _compared(
    example: _Example, program: Program, banks: Banks, more: int, spots: list[Spot]
) -> dict[Spot, np.ndarray]:
    """Returns the operands of these instructions in the next prediction, of (-1, 0) the prediction itself.

    more: how many examples later its draws are.
    """
    banks = banks.copy()
    player = example.player(program)
    found: dict[Spot, np.ndarray] = {}
    player.show(banks, np.zeros(player.y.shape))
    for k, instruction in enumerate(program.predict):
        if (1, k) in spots:
            addresses = (instruction.in1, instruction.in2)
            operands = zip(get_op(instruction.op).inputs, addresses, strict=False)
            found[1, k] = np.concatenate([held(banks, place).ravel() for place in operands])
        player.run(banks, 1, k, k + 1, more)
    found[-1, 0] = held(banks, player.predicted).copy()
    return found


def _differ(a: np.ndarray, b: np.ndarray) -> bool:
    """Returns whether values differ by more than a rounding; NaN tells nothing."""
    with np.errstate(all="ignore"):
        return bool(np.abs(a - b).max() > _MOVED * (1.0 + np.abs(a).max()))


# --- how large steps are ----------------------------------------------------------------------------------


def _step(example: _Example, program: Program, banks: Banks, places: list[Place]) -> np.ndarray:
    """Returns how the places change in an iteration on the example, in one row."""
    banks = banks.copy()
    before = [held(banks, place).copy() for place in places]
    example.player(program).until(banks, None)
    return np.concatenate(
        [(held(banks, p) - old).ravel() for p, old in zip(places, before, strict=True)]
    )


def decay(flow: Flow, classes: bool) -> Found:
    """Returns a step that shrinks by itself, None if there is none; classes: see `Look`."""
    program, weights = flow.values.program, _weights(flow)
    if not weights:
        return None
    states = list(_examples(flow, _AGES, classes))
    same = sorted(flow.sources(flow.values.prediction))  # the weights, and what is made of them
    probed = list(_examples(flow, range(5, 5 + _PROBED), classes))
    shares = []
    with np.errstate(all="ignore"):
        for example in probed:
            steps = []
            for state in states:
                banks = state.banks.copy()
                _put(banks, same, example.banks)
                example.player(program).until(banks, None)  # so is what is made of the weights
                _put(banks, same, example.banks)
                steps.append(_step(example, program, banks, weights))
            size = float(steps[0] @ steps[0])
            if size > 0.0 and all(np.isfinite(step).all() for step in steps):
                shares.append([float(step @ steps[0]) / size for step in steps])
    if 2 * len(shares) <= _PROBED:
        return None
    middle = np.median(shares, axis=0)
    if not all(0.0 < b < a for a, b in pairwise(middle)) or middle[-1] > _SHRUNK:
        return None
    return (
        f"with the same weights on the same example the step after {_AGES[-1]} examples is {middle[-1]:.2g} "
        "of the first",
        _of_rates(flow),
    )


_Steps = list[tuple[Place, Spot]]  # learned places, and the last instruction that writes each


def _of_rates(flow: Flow) -> tuple[Spot, ...]:
    """Returns the instructions that what scales the steps takes."""
    rates = {rate for terms in flow.steps.values() for term in terms for rate in flow.rates(term)}
    sources = {p for rate in rates for p in flow.sources(rate) if p not in flow.steps}
    made = [*rates, *(flow.updates[p] for p in sources if p in flow.updates)]
    making = {spot for value in made for spot in flow.making(value)}
    return tuple(sorted(making | set(flow.spots(*made))))


def _rate(example: _Example, program: Program, banks: Banks, steps: _Steps) -> tuple[float, float]:
    """Returns how large an iteration's steps are beside the gradient, and their cosine with that."""
    player = example.player(program)
    player.until(banks.copy(), None)
    error = player.error

    def predicted(moved: Banks) -> float:
        return float((error * player.prediction(moved)).sum())

    along = size = length = np.float64(0.0)
    with np.errstate(all="ignore"):
        for place, last in steps:
            old, changed = held(banks, place).copy(), banks.copy()
            down = gradient(banks, place, old, predicted)
            player.until(changed, last)
            step = held(changed, place) - old
            along, size = along + (step * down).sum(), size + (down * down).sum()
            length += (step * step).sum()
        return float(along / size), float(along / np.sqrt(size * length))


def rate_of_mean(flow: Flow, classes: bool) -> Found:
    """Returns a rate that follows the mean of weights, None if there is none; classes: see `Look`."""
    program, weights = flow.values.program, _weights(flow)
    followed = []
    shifted = [place for place in weights if place[0] != "s"]
    stepping = _near_gradient(flow, weights, classes)
    if not stepping:
        return None
    for place in shifted:
        changes: list[list[float]] = []
        for example in _examples(flow, range(30, 30 + 2 * _PROBED, 2), classes):
            found = [
                _rate_after(example, program, place, change, stepping)
                for change in _changes(held(example.banks, place).shape)
            ]
            if np.isfinite(found).all() and found[0]:
                changes.append([abs(rate / found[0] - 1.0) for rate in found[1:]])
        if 2 * len(changes) <= _PROBED:
            continue
        up, down, *others = np.median(changes, axis=0)
        if min(up, down) > _FOLLOWS and max(others) < _STAYS * min(up, down):
            followed.append(place)
    if not followed:
        return None
    return (
        f"the step beside the gradient changes with the mean of {names_of(followed)}",
        _of_rates(flow),
    )


def _near_gradient(flow: Flow, weights: list[Place], classes: bool) -> _Steps:
    """Returns the places whose steps are near the gradient."""
    found = []
    for place in weights:
        steps = [(place, flow.last_written(place))]
        examples = _examples(flow, (30, 34, 38), classes)
        cosines = [_rate(e, flow.values.program, e.banks, steps)[1] for e in examples]
        if np.nanmedian([*cosines, -1.0]) > _NEAR:  # of those that are numbers
            found += steps
    return found


def _changes(shape: tuple[int, ...]) -> list[np.ndarray]:
    """Returns what weights are changed by: nothing, all up, all down, and twice so that the mean stays."""
    rng = np.random.default_rng(3)
    found = [np.zeros(shape), np.full(shape, _SHIFT), np.full(shape, -_SHIFT)]
    for _ in range(2):
        signs = rng.permutation(np.resize([1.0, -1.0], int(np.prod(shape)))).reshape(shape)
        found.append(_SHIFT * signs)
    return found


def _rate_after(
    example: _Example, program: Program, place: Place, change: np.ndarray, stepping: _Steps
) -> float:
    """Returns the rate of an iteration before which, and before the one before, weights were so changed."""
    banks = example.banks.copy()
    held(banks, place)[...] += change
    example.player(program).until(banks, None)  # what is made of the weights is made of these
    return _rate(example, program, banks, stepping)[0]


LOOKS: dict[str, Look] = {
    NOISY_RELU: noisy_relu,
    DECAY: decay,
    RATE_OF_MEAN: rate_of_mean,
}

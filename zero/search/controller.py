"""Policies over decisions, moved along gradients: what `zero.search.reinforce` draws genomes with.

`Softmaxes` has an independent softmax for each decision. `Lstm` goes through the decisions with a
recurrent network: what is chosen at a step is embedded as the next one's input, and each decision has a
softmax of its own over the state, as in Zoph and Le 2016 and Zoph et al. 2018. Both have a *row* for
each name at each place, made when it is first met. What a new row of the network starts with depends on
the place, the name and the search's seed alone, not on when it is met.

NumPy in float64, back through time by hand. The products are BLAS's, whose last bits are the machine's:
they move no probability by more than rounding does, and a machine repeats them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from zero.rng import philox, splitmix
from zero.search.decisions import Choices, Decisions, decided

LEAST = 1e-9  # a probability below it counts as it
CLIP = 0.2  # of PPO: how far a probability is moved
FIRST, SECOND, SMALL = 0.9, 0.999, 1e-8  # Adam's
START = 0.1  # the network's values are uniform within +- this (Zoph et al. 2018)

# Of each decision: the rows of what could be chosen, and which of them was.
Path = list[tuple[list[int], int]]
# Of each path, of each decision: a number for each row.
ByRow = list[list[np.ndarray]]


def softmax(logits: np.ndarray) -> np.ndarray:
    """Returns the probabilities of logits (n,)."""
    weights = np.exp(logits - logits.max())
    return weights / weights.sum()


def draw(policy: Policy, choices: Choices, rng: np.ndarray) -> Decisions:
    """Returns a complete sequence of decisions that a policy draws."""
    step = policy.walk()

    def choose(done: Decisions, names: Sequence[str]) -> str:
        left = splitmix.unit(rng)
        for name, share in zip(names, step(done, names), strict=True):
            left -= share
            if left < 0:
                return name
        return names[-1]

    return decided(choices, choose)


def slopes_of(
    paths: list[Path],
    shares: ByRow,
    advantages: Sequence[float],
    entropy: float,
    before: ByRow | None = None,
) -> ByRow:
    """Returns the slopes of what is to be raised with respect to the logits along the paths.

    That is the mean over the paths of the advantage times the logarithm of the path's probability, plus
    `entropy` times its decisions' entropies.

    Args:
        paths: rows and choices.
        shares: the probabilities along them.
        advantages: of each path.
        entropy: its weight.
        before: for the clipped ratios of PPO instead of logarithms, the probabilities before it.
    """
    found = []
    for number, (path, of_path, advantage) in enumerate(
        zip(paths, shares, advantages, strict=True)
    ):
        slopes = []
        for place, ((_, chosen), share) in enumerate(zip(path, of_path, strict=True)):
            weight = advantage
            if before is not None:
                now, was = max(share[chosen], LEAST), max(before[number][place][chosen], LEAST)
                weight *= _clipped(now / was, advantage)
            slope = -share
            slope[chosen] += 1
            slope = weight * slope
            if entropy:
                logs = np.log(np.maximum(share, LEAST))
                slope -= entropy * share * (logs - share @ logs)
            slopes.append(slope / len(paths))
        found.append(slopes)
    return found


def _clipped(ratio: float, advantage: float) -> float:
    """Returns the ratio, 0 where it is further from 1 than the clip, to the side of the advantage."""
    return 0.0 if (ratio - 1) * math.copysign(1, advantage) > CLIP else ratio


def ascend(table: np.ndarray, gradient: np.ndarray, rate: float, steps: int) -> None:
    """Moves values up a gradient by Adam, in place; table (3, ...): they and their two moments.

    steps: with this one.
    """
    values, first, second = table
    first *= FIRST
    first += (1 - FIRST) * gradient
    second *= SECOND
    second += (1 - SECOND) * gradient**2
    size = np.sqrt(second / (1 - SECOND**steps)) + SMALL
    values += rate * first / (1 - FIRST**steps) / size


class Policy:
    """Which choice comes next, with what probability; what both policies share."""

    def __init__(self) -> None:
        self.number_of: dict[tuple[int, str], int] = {}  # (place, name) -> row
        self.steps = 0  # of Adam

    def rows(self, place: int, names: Sequence[str]) -> list[int]:
        """Returns the rows of a place's choices, new ones for those not met before."""
        before = len(self.number_of)
        rows = [self.number_of.setdefault((place, n), len(self.number_of)) for n in names]
        if len(self.number_of) > before:
            self._grow(list(self.number_of)[before:])
        return rows

    def path(self, choices: Choices, decisions: Decisions) -> Path:
        """Returns the rows that a complete sequence of decisions leads along."""
        found = []
        for place, name in enumerate(decisions):
            names = choices(decisions[:place])
            found.append((self.rows(place, names), list(names).index(name)))
        return found

    def walk(self) -> Callable[[Decisions, Sequence[str]], np.ndarray]:
        """Returns what gives the probabilities of names after decisions.

        It is to be called for the first decision of a sequence, the second, and so on.
        """
        raise NotImplementedError

    def probabilities(self, paths: list[Path]) -> tuple[ByRow, Any]:
        """Returns the probabilities along paths, and what `climb` needs of them."""
        raise NotImplementedError

    def gradient(self, trace: Any, slopes: ByRow) -> dict[str, np.ndarray]:
        """Returns the gradient by table; slopes: with respect to the logits along the paths."""
        raise NotImplementedError

    def climb(self, trace: Any, slopes: ByRow, rate: float) -> None:
        """Moves the policy; trace: of `probabilities`, not moved since."""
        self.steps += 1
        tables = self.tables()
        for name, gradient in self.gradient(trace, slopes).items():
            ascend(tables[name], gradient, rate, self.steps)

    def tables(self) -> dict[str, np.ndarray]:
        """Returns all that is learnt, arrays (3, ...) by name: values and Adam's moments."""
        raise NotImplementedError

    def _grow(self, new: list[tuple[int, str]]) -> None:
        """Makes the rows of places and names that were not met before."""
        raise NotImplementedError

    def state(self) -> dict[str, Any]:
        """Returns where the policy stands."""
        return {
            "places": np.array([place for place, _ in self.number_of], dtype=np.int64),
            "names": [name for _, name in self.number_of],
            "steps": self.steps,
            **{name: table.copy() for name, table in self.tables().items()},
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Takes over a state that `state` gave."""
        keys = zip(state["places"].tolist(), state["names"], strict=True)
        self.number_of = {key: row for row, key in enumerate(keys)}
        self.steps = int(state["steps"])


class Softmaxes(Policy):
    """An independent softmax for each decision over what can be chosen; all logits start at 0."""

    def __init__(self) -> None:
        super().__init__()
        self.logits = np.zeros((3, 0))

    def walk(self) -> Callable[[Decisions, Sequence[str]], np.ndarray]:
        """See `Policy`."""

        def step(done: Decisions, names: Sequence[str]) -> np.ndarray:
            rows = self.rows(len(done), names)  # may grow the logits
            return softmax(self.logits[0, rows])

        return step

    def probabilities(self, paths: list[Path]) -> tuple[ByRow, Any]:
        """See `Policy`."""
        return [[softmax(self.logits[0, rows]) for rows, _ in path] for path in paths], paths

    def gradient(self, trace: Any, slopes: ByRow) -> dict[str, np.ndarray]:
        """See `Policy`."""
        gradient = np.zeros(self.logits.shape[1])
        for path, of_path in zip(trace, slopes, strict=True):
            for (rows, _), slope in zip(path, of_path, strict=True):
                gradient[rows] += slope
        return {"logits": gradient}

    def tables(self) -> dict[str, np.ndarray]:
        """See `Policy`."""
        return {"logits": self.logits}

    def _grow(self, new: list[tuple[int, str]]) -> None:
        self.logits = np.pad(self.logits, ((0, 0), (0, len(new))))

    def restore(self, state: dict[str, Any]) -> None:
        """See `Policy`."""
        super().restore(state)
        self.logits = state["logits"].copy()


class Lstm(Policy):
    """A recurrent controller over the decisions.

    Args:
        units: of each layer, also how long an embedding is.
        layers: of the network.
        seed: of what it starts with.
    """

    def __init__(self, units: int, layers: int, seed: int):
        super().__init__()
        self.units, self.seed = units, seed
        # A layer's gates (input, forget, output; the candidate last) of its input, state and a one.
        self.layers = [
            self._fresh((4 * units, 2 * units + 1), "layer", number) for number in range(layers)
        ]
        # What stands for a choice as an input, and as an output with its bias. The first input is
        # no choice's.
        self.inputs = self._fresh((1, units), "start")
        self.outputs = np.zeros((3, 0, units + 1))

    def _fresh(self, shape: tuple[int, int], *purpose: object) -> np.ndarray:
        """Returns values to start with, and moments of 0."""
        key = philox.key_for(self.seed, "controller", *purpose)
        table = np.zeros((3, *shape))
        table[0] = philox.uniform(key, philox.counters(shape, 0, 0, 0, 0), -START, START)
        return table

    def _grow(self, new: list[tuple[int, str]]) -> None:
        rows = [self._fresh((1, self.units), "input", *key) for key in new]
        self.inputs = np.concatenate([self.inputs, *rows], axis=1)
        rows = [self._fresh((1, self.units + 1), "output", *key) for key in new]
        self.outputs = np.concatenate([self.outputs, *rows], axis=1)

    def walk(self) -> Callable[[Decisions, Sequence[str]], np.ndarray]:
        """See `Policy`."""
        states = [(np.zeros(self.units), np.zeros(self.units)) for _ in self.layers]

        def step(done: Decisions, names: Sequence[str]) -> np.ndarray:
            before = self.number_of[len(done) - 1, done[-1]] + 1 if done else 0
            x = self.inputs[0, before]
            for number, (weights, (h, c)) in enumerate(zip(self.layers, states, strict=True)):
                z = weights[0] @ np.concatenate([x, h, [1.0]])
                x, c, _ = _cell(z, c)
                states[number] = x, c
            return softmax(self._logits(self.rows(len(done), names), x))

        return step

    def _logits(self, rows: list[int], h: np.ndarray) -> np.ndarray:
        outputs = self.outputs[0, rows]
        return outputs[:, :-1] @ h + outputs[:, -1]

    def probabilities(self, paths: list[Path]) -> tuple[ByRow, Any]:
        """See `Policy`; all paths at once, shorter ones filled up with what nobody asks for."""
        inputs = np.zeros((max(map(len, paths)), len(paths)), dtype=np.int64)
        for number, path in enumerate(paths):
            for place, (rows, chosen) in enumerate(path[:-1], 1):
                inputs[place, number] = rows[chosen] + 1
        x, passes = self.inputs[0][inputs], []
        for weights in self.layers:
            passes.append(_forward(weights[0], x))
            x = passes[-1].outputs[1:]
        shares = [
            [softmax(self._logits(rows, x[place, number])) for place, (rows, _) in enumerate(path)]
            for number, path in enumerate(paths)
        ]
        return shares, (paths, inputs, passes)

    def gradient(self, trace: Any, slopes: ByRow) -> dict[str, np.ndarray]:
        """See `Policy`; back through time."""
        paths, inputs, passes = trace
        h = passes[-1].outputs[1:]
        of_h, of_outputs = np.zeros_like(h), np.zeros_like(self.outputs[0])
        for number, (path, of_path) in enumerate(zip(paths, slopes, strict=True)):
            for place, ((rows, _), slope) in enumerate(zip(path, of_path, strict=True)):
                of_outputs[rows, :-1] += np.outer(slope, h[place, number])
                of_outputs[rows, -1] += slope
                of_h[place, number] = slope @ self.outputs[0, rows, :-1]
        gradients = {"outputs": of_outputs}
        for number in reversed(range(len(passes))):
            of_layer, of_h = _backward(self.layers[number][0], passes[number], of_h)
            gradients[f"layer{number}"] = of_layer
        of_inputs = np.zeros_like(self.inputs[0])
        np.add.at(of_inputs, inputs, of_h)
        return {**gradients, "inputs": of_inputs}

    def tables(self) -> dict[str, np.ndarray]:
        """See `Policy`."""
        layers = {f"layer{number}": table for number, table in enumerate(self.layers)}
        return {"inputs": self.inputs, "outputs": self.outputs, **layers}

    def state(self) -> dict[str, Any]:
        """See `Policy`."""
        return {**super().state(), "seed": np.array([self.seed], dtype=np.uint64)}

    def restore(self, state: dict[str, Any]) -> None:
        """See `Policy`."""
        super().restore(state)
        self.seed = int(state["seed"][0])
        self.inputs, self.outputs = state["inputs"].copy(), state["outputs"].copy()
        self.layers = [state[f"layer{number}"].copy() for number in range(len(self.layers))]


# --- a layer of long short-term memory ------------------------------------------------------------


class _Pass:
    """What a layer computed: inputs (T, B, N); gates (T, B, 4 H); cells, outputs (T + 1, B, H)."""

    def __init__(self, inputs: np.ndarray, units: int):
        steps, count, _ = inputs.shape
        self.inputs = inputs
        self.gates = np.zeros((steps, count, 4 * units))
        self.cells = np.zeros((steps + 1, count, units))
        self.outputs = np.zeros((steps + 1, count, units))


def _quarters(gates: np.ndarray) -> list[np.ndarray]:
    units = gates.shape[-1] // 4
    return [gates[..., k : k + units] for k in range(0, 4 * units, units)]


def _cell(z: np.ndarray, before: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns outputs, cells and gates of one step, from what the gates are given."""
    units = before.shape[-1]
    gates = np.empty_like(z)
    gates[..., : 3 * units] = 0.5 + 0.5 * np.tanh(
        0.5 * z[..., : 3 * units]
    )  # logistic, no overflow
    gates[..., 3 * units :] = np.tanh(z[..., 3 * units :])
    let_in, keep, out, new = _quarters(gates)
    cells = keep * before + let_in * new
    return out * np.tanh(cells), cells, gates


def _forward(weights: np.ndarray, x: np.ndarray) -> _Pass:
    done, width = _Pass(x, len(weights) // 4), x.shape[2]
    given = x @ weights[:, :width].T + weights[:, -1]
    recurrent = weights[:, width:-1].T
    for t in range(len(x)):
        z = given[t] + done.outputs[t] @ recurrent
        done.outputs[t + 1], done.cells[t + 1], done.gates[t] = _cell(z, done.cells[t])
    return done


def _backward(
    weights: np.ndarray, done: _Pass, of_outputs: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the gradients of the layer's weights and inputs from that of its outputs (T, B, H)."""
    steps, count, width = done.inputs.shape
    of_z = np.empty_like(done.gates)
    recurrent = weights[:, width:-1]
    of_h = np.zeros((count, len(weights) // 4))
    of_c = np.zeros_like(of_h)
    for t in reversed(range(steps)):
        let_in, keep, out, new = _quarters(done.gates[t])
        squashed = np.tanh(done.cells[t + 1])
        of_h = of_h + of_outputs[t]
        of_c = of_c + of_h * out * (1 - squashed**2)
        of_z[t] = np.concatenate(
            [
                of_c * new * let_in * (1 - let_in),
                of_c * done.cells[t] * keep * (1 - keep),
                of_h * squashed * out * (1 - out),
                of_c * let_in * (1 - new**2),
            ],
            axis=-1,
        )
        of_c = of_c * keep
        of_h = of_z[t] @ recurrent
    flat = of_z.reshape(steps * count, -1)
    seen = np.concatenate([done.inputs, done.outputs[:-1]], axis=2).reshape(steps * count, -1)
    of_weights = np.concatenate([flat.T @ seen, flat.sum(axis=0)[:, None]], axis=1)
    return of_weights, of_z @ weights[:, :width]

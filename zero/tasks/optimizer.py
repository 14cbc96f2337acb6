"""Tasks in which a program is an optimiser: rotated quadratics, and small networks taught by larger ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from zero.config.settings import Check, Found
from zero.data.splits import rng_for
from zero.tasks import Metric, Purpose, Task, TaskFamily
from zero.tasks.networks import Network, Part, start


def _check_condition(family: Any) -> Iterator[Found]:
    if family.least_condition > family.condition:
        message = (
            f"least_condition {family.least_condition:g} is above condition {family.condition:g}"
        )
        yield ("condition",), message


def _check_hidden(family: Any) -> Iterator[Found]:
    if family.least_hidden > family.hidden:
        yield ("hidden",), f"least_hidden {family.least_hidden} is above hidden {family.hidden}"


class Optimizer(TaskFamily):
    """Minimise a function by its gradient: the program sees one coordinate of it and says the step.

    Before each step s0 (and v0, a vector of one) is the gradient of one parameter; predict leaves in s1
    what is to be subtracted from it; then learn is called with the same s0. Every parameter has a memory of
    its own, on which setup has run once, so a program serves networks of any size.

    With the probability `networks` a task is a small network, else a quadratic
    f(x) = (x - c)' A (x - c) / 2 with A = Q diag(l) Q', Q a random rotation. The logarithm of the largest l
    is uniform between -spread and spread, the smallest is by the condition number below it, whose logarithm
    is uniform between its bounds. A network regresses, in batches, on the output of a teacher twice as
    wide; the logarithm of its hidden units is uniform between their bounds, and that of the scale of each
    input between -spread and spread. All begin with a root mean square error of about 1.

    The fitness is 1 - (2 / pi) arctan(e), e the geometric mean of that error after each of the rounds
    (`epochs`): on the quadratics sqrt(f) relative to the start, on networks that on fresh examples.
    """

    kind: ClassVar[str] = "optimizer"
    metric: ClassVar[Metric] = "rms_error"
    shuffled: ClassVar[bool] = True  # the batches are drawn in random order
    part: ClassVar[Part] = "optimizer"
    checks: ClassVar[tuple[Check, ...]] = (_check_condition, _check_hidden)

    epochs: int = Field(
        10, ge=1, le=100_000, description="rounds, after each of which it is scored"
    )
    steps: int = Field(10, ge=1, le=100_000, description="steps of each round")
    features: int = Field(
        16, ge=2, le=256, description="parameters of a quadratic, inputs of a network"
    )
    spread: float = Field(
        1.0,
        ge=0,
        le=5,
        description="scales of quadratics and inputs are e to the power of at most this",
    )
    networks: float = Field(0.5, ge=0, le=1, description="share of the tasks that are networks")
    least_condition: float = Field(1.0, ge=1, le=1e8, description="smallest condition number")
    condition: float = Field(100.0, ge=1, le=1e8, description="largest condition number")
    least_hidden: int = Field(1, ge=1, le=256, description="fewest hidden units of a network")
    hidden: int = Field(8, ge=1, le=256, description="most hidden units of a network")
    batch: int = Field(16, ge=1, le=10_000, description="examples of a network's step")
    noise: float = Field(
        0.0, ge=0, le=10, description="standard deviation of noise on train labels"
    )
    train: int = Field(128, ge=2, le=1_000_000, description="train examples of a network")
    valid: int = Field(64, ge=1, le=1_000_000, description="examples that a network is scored on")

    def make(self, data_seed: int, param_seed: int, purpose: Purpose) -> Task:
        """Returns the task of these seeds.

        The parameter seed decides what is to be found, and whether it is a quadratic where the share of
        networks is between 0 and 1; the data seed draws examples and the start.
        """
        rng = rng_for("optimizer/kind", param_seed)
        is_network = bool(rng.random() < self.networks)
        make = self._network if is_network else self._quadratic
        return make(data_seed, param_seed)

    def _quadratic(self, data_seed: int, param_seed: int) -> Task:
        rng, n = rng_for("optimizer/quadratic", param_seed), self.features
        rotation, r = np.linalg.qr(rng.standard_normal((n, n)))
        rotation *= np.sign(np.diag(r))
        low, high = np.log(self.least_condition), np.log(self.condition)
        condition = np.exp(rng.uniform(low, high))
        inside = np.exp(-np.log(condition) * rng.random(n - 2))
        eigenvalues = np.concatenate([[1.0, 1.0 / condition], inside])
        scale = np.exp(rng.uniform(-self.spread, self.spread))  # no rate fits all
        # As least squares: rows x such that the mean of x x' is A.
        rows = np.sqrt(n * scale * eigenvalues)[:, None] * rotation.T
        target = rng_for("optimizer/start", data_seed).standard_normal(n)
        labels = rows @ target
        labels /= np.sqrt(np.mean(labels**2))
        name = f"quadratic-condition{condition:.0f}-data{data_seed}-param{param_seed}"
        network = Network(0, n, n, n, start(rng, n, 0))
        # All tasks of a set have as many rows; a quadratic uses the first n.
        train, valid = self._rows
        parts = [
            np.resize(part, (k, *part.shape[1:])) for k in (train, valid) for part in (rows, labels)
        ]
        return Task(name, *parts, network=network)

    @property
    def _rows(self) -> tuple[int, int]:
        """How many train and valid examples every task has."""
        least = self.features if self.networks < 1 else 1
        if not self.networks:
            return least, least
        return max(self.train, least), max(self.valid, least)

    def _network(self, data_seed: int, param_seed: int) -> Task:
        rng, n = rng_for("optimizer/teacher", param_seed), self.features
        low, high = np.log(self.least_hidden), np.log(self.hidden + 1)
        hidden = min(self.hidden, int(np.exp(rng.uniform(low, high))))
        wide = 2 * hidden
        first, second = rng.standard_normal((n, wide)) / np.sqrt(n), rng.standard_normal(wide)
        scales = np.exp(rng.uniform(-self.spread, self.spread, n))  # as inputs differ in life
        rng = rng_for("optimizer/examples", data_seed)
        rows, valid = self._rows
        x = rng.standard_normal((rows + valid, n))
        y = np.maximum(x @ first, 0.0) @ second
        y = (y - y[:rows].mean()) / y[:rows].std()
        x *= scales
        y[:rows] += self.noise * rng.standard_normal(rows)
        name = f"network-hidden{hidden}-data{data_seed}-param{param_seed}"
        batch = min(self.batch, rows)
        network = Network(hidden, batch, rows, valid, start(rng, n, hidden))
        return Task(name, x[:rows], y[:rows], x[rows:], y[rows:], network=network)

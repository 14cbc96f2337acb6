"""What a network costs, known before any training, and limits that candidates must keep."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from zero.errors import NetworkError
from zero.nn.network import Network

# Fitted to training steps of 22 cell networks (published and random ones, F = 8 to 24, 32 x 32 pixels)
# on one core of an AMD EPYC (Zen 5) at batch 32: within 40 %. Floating-point operations a second, bytes
# of activation memory a second, and what a layer costs in itself.
OPERATIONS_PER_SECOND = 1.9e11
BYTES_PER_SECOND = 2.4e9
SECONDS_PER_LAYER = 5e-6

# What an objective may weigh accuracy against.
WEIGHED = ("parameters", "multiply_adds", "activation_bytes", "latency")


@dataclass(frozen=True)
class Cost:
    """What a network costs.

    parameters: trainable values; multiply_adds: of one image's forward pass; both without the
    auxiliary head. activation_bytes: of a training step on a batch, in float32. seconds_per_step: of a
    training step on a batch, estimated (`estimated_seconds`).
    """

    parameters: int
    multiply_adds: int
    activation_bytes: int
    seconds_per_step: float


@dataclass(frozen=True)
class CostLimits:
    """The most that a candidate may cost in each of `Cost`'s figures; None is no limit.

    Raises:
        NetworkError: A limit is not above 0.
    """

    parameters: int | None = None
    multiply_adds: int | None = None
    activation_bytes: int | None = None
    seconds_per_step: float | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            limit = getattr(self, field.name)
            if limit is not None and not (math.isfinite(limit) and limit > 0):
                raise NetworkError(f"budget of {field.name}: {limit} is not a number above 0")

    def exceeded(self, cost: Cost) -> str | None:
        """Returns the first figure that is above its limit, in words; None if none is."""
        for field in fields(self):
            limit, value = getattr(self, field.name), getattr(cost, field.name)
            if limit is not None and value > limit:
                return f"{field.name} {value:,} is more than the budget of {limit:,}"
        return None


def cost_of(network: Network, batch: int = 64) -> Cost:
    """Returns a network's cost; `batch` images a training step."""
    return Cost(
        network.num_parameters,
        network.multiply_adds,
        network.activation_bytes(batch),
        estimated_seconds(network, batch),
    )


def estimated_seconds(network: Network, batch: int) -> float:
    """Returns an estimate of a training step's time, from the network alone.

    Arithmetic: two operations a multiply-add, three passes (forward, gradient of the inputs, gradient
    of the weights). Memory: that of the activations. And a constant a layer.
    """
    operations = 2 * 3 * network.multiply_adds * batch
    return (
        operations / OPERATIONS_PER_SECOND
        + network.activation_bytes(batch) / BYTES_PER_SECOND
        + len(network.layers) * SECONDS_PER_LAYER
    )

"""Tasks in which a program is a loss: networks are trained by its derivative and judged by accuracy."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
from pydantic import Field

from zero.data.splits import rng_for
from zero.tasks import Purpose, Task
from zero.tasks.networks import Network, Part, start
from zero.tasks.projected_binary import ProjectedBinary


class Loss(ProjectedBinary):
    """Train a network to tell two classes apart: the program is the derivative of the loss.

    For every train example predict finds the label, -1 or 1, in s0 and the network's output in s1 (and v0, a
    vector of one); it leaves in s1 the derivative of the loss by the output. Memory is at each call as
    setup left it: a loss is a function. The network goes down the mean gradient of each batch, at the
    rate `rate`. The fitness is its accuracy on the valid examples at the end, where an output above 0 means
    the positive class. A share of the train labels is wrong (`flipped`), none of those that it is scored on.

    The examples are those of projected_binary.
    """

    kind: ClassVar[str] = "loss"
    part: ClassVar[Part] = "loss"

    epochs: int = Field(1, ge=1, le=100_000, description="rounds; it is scored after the last")
    steps: int = Field(200, ge=1, le=100_000, description="steps of each round")
    hidden: int = Field(8, ge=0, le=256, description="hidden units of the network; 0: linear")
    batch: int = Field(16, ge=1, le=10_000, description="examples of a step")
    rate: float = Field(0.1, gt=0, le=100, description="learning rate of gradient descent")
    flipped: float = Field(0.2, ge=0, lt=0.5, description="share of train labels that are wrong")

    def make(self, data_seed: int, param_seed: int, purpose: Purpose) -> Task:
        """Returns the task: the data seed decides as in projected_binary, and which labels are wrong.

        The parameter seed draws the parameters that the network begins with.
        """
        task = super().make(data_seed, param_seed, purpose)
        rows, features = task.train_x.shape
        wrong = rng_for("loss/flipped", data_seed).permutation(rows)[: round(self.flipped * rows)]
        labels = task.train_y.copy()
        labels[wrong] = 1.0 - labels[wrong]
        # A bias comes with the hidden layer; without one, features are standardised and classes equal.
        begin = start(rng_for("loss/start", param_seed), features, self.hidden)
        network = Network(self.hidden, min(self.batch, rows), rows, len(task.valid_y), begin)
        name = f"{task.name}-start{param_seed}"
        return replace(task, name=name, train_y=np.ascontiguousarray(labels), network=network)

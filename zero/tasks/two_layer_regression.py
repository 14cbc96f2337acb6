"""Nonlinear regression: a two-layer network is the teacher (spec, sections 3.5, 5.4 and 9.2)."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from zero.data.splits import rng_for
from zero.tasks import Metric, Purpose, Task, TaskFamily

# The original switches these two hidden units off, whatever F is (spec, section 8, row 40).
DEAD_UNITS = [0, 2]


class TwoLayerRegression(TaskFamily):
    """Predict u.max(Mx, 0), M (F, F) and u (F,) from N(0, 1), no biases and no noise.

    Rows 0 and 2 of M and entries 0 and 2 of u are 0, so F - 2 hidden units are active. M and u
    follow from the parameter seed, the examples, N(0, 1), from the data seed.
    """

    kind: ClassVar[str] = "two_layer_regression"
    metric: ClassVar[Metric] = "rms_error"
    shuffled: ClassVar[bool] = True  # examples are drawn one by one

    features: int = Field(4, ge=3, le=256, description="number of features F, at least 3")
    train: int = Field(1000, ge=1, le=1_000_000, description="train examples of each task")
    valid: int = Field(100, ge=1, le=1_000_000, description="valid examples of each task")

    def make(self, data_seed: int, param_seed: int, purpose: Purpose) -> Task:
        """Returns the task of these seeds; they alone keep the purposes' tasks apart."""
        rng = rng_for("two_layer_regression/weights", param_seed)
        hidden = rng.standard_normal((self.features, self.features))
        output = rng.standard_normal(self.features)
        hidden[DEAD_UNITS] = 0.0
        output[DEAD_UNITS] = 0.0
        rng = rng_for("two_layer_regression/examples", data_seed)
        x = rng.standard_normal((self.train + self.valid, self.features))
        y = np.maximum(x @ hidden.T, 0.0) @ output
        name = f"two-layer-data{data_seed}-param{param_seed}"
        n = self.train
        return Task(name, x[:n], y[:n], x[n:], y[n:])

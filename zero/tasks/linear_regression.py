"""Linear regression: labels w.x with w and x from N(0, 1), no noise (spec, section 5.4)."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from zero.data.splits import rng_for
from zero.tasks import Metric, Purpose, Task, TaskFamily


class LinearRegression(TaskFamily):
    """Predict w.x: the weights w follow from the parameter seed, the examples from the data seed.

    Departs from the original in its random numbers only (see `zero.data.splits.rng_for`).
    """

    kind: ClassVar[str] = "linear_regression"
    metric: ClassVar[Metric] = "rms_error"
    shuffled: ClassVar[bool] = True  # examples are drawn one by one

    features: int = Field(4, ge=1, le=256, description="number of features F")
    train: int = Field(100, ge=1, le=1_000_000, description="train examples of each task")
    valid: int = Field(100, ge=1, le=1_000_000, description="valid examples of each task")

    def make(self, data_seed: int, param_seed: int, purpose: Purpose) -> Task:
        """Returns the task of these seeds; they alone keep the purposes' tasks apart."""
        weights = rng_for("linear_regression/weights", param_seed).standard_normal(self.features)
        rng = rng_for("linear_regression/examples", data_seed)
        x = rng.standard_normal((self.train + self.valid, self.features))
        y = x @ weights
        name = f"linear-data{data_seed}-param{param_seed}"
        n = self.train
        return Task(name, x[:n], y[:n], x[n:], y[n:])

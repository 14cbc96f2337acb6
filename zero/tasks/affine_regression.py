"""Affine regression: labels u.x + a with u, a and x from N(0, 1), no noise (spec, section 9.2)."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from zero.data.splits import rng_for
from zero.tasks import Metric, Purpose, Task, TaskFamily


class AffineRegression(TaskFamily):
    """Predict u.x + a: u and a follow from the parameter seed, the examples from the data seed.

    The paper's section 4.1 has this task (F = 8, 1000 train and 100 valid examples); the original
    code does not.
    """

    kind: ClassVar[str] = "affine_regression"
    metric: ClassVar[Metric] = "rms_error"
    shuffled: ClassVar[bool] = True  # examples are drawn one by one

    features: int = Field(4, ge=1, le=256, description="number of features F")
    train: int = Field(100, ge=1, le=1_000_000, description="train examples of each task")
    valid: int = Field(100, ge=1, le=1_000_000, description="valid examples of each task")

    def make(self, data_seed: int, param_seed: int, purpose: Purpose) -> Task:
        """Returns the task of these seeds; they alone keep the purposes' tasks apart."""
        params = rng_for("affine_regression/weights", param_seed).standard_normal(self.features + 1)
        rng = rng_for("affine_regression/examples", data_seed)
        x = rng.standard_normal((self.train + self.valid, self.features))
        y = x @ params[:-1] + params[-1]
        name = f"affine-data{data_seed}-param{param_seed}"
        n = self.train
        return Task(name, x[:n], y[:n], x[n:], y[n:])

"""The record that a launch works on, and the form of encoded programs; see kernels/job.cuh."""

from __future__ import annotations

import numpy as np

# Addresses on the machine that runs the job, then numbers. Field by field `struct Job`.
_ADDRESSES = (
    "code", "programs", "train_x", "train_y", "valid_x", "valid_y", "order", "task_keys", "fitness",
    "taken", "train_errors", "valid_errors", "queue", "memory", "frozen", "initial_memory",
    "final_memory",
)  # fmt: skip
_NUMBERS = (
    "num_programs", "num_tasks", "train_stride", "valid_stride", "epochs", "steps", "valid",
    "unit_memory", "unit_bytes", "accuracy",
)  # fmt: skip
JOB = np.dtype(
    [(name, "i8") for name in _ADDRESSES + _NUMBERS] + [("key", "u8"), ("max_abs_error", "f8")]
)

# Columns of a program's span, int32. Field by field `struct Span`.
SPAN = (
    "code_at", "features_at", "matrices_at", "predict_at", "learn_at", "rows", "memory", "temporary",
    "writes_features", "resident",
)  # fmt: skip

# A row: op, a, b, out, int32.
ROW = 4


def new_job(**fields) -> np.ndarray:
    """Returns a job of shape (1,); fields that are not given are 0."""
    job = np.zeros(1, JOB)
    for name, value in fields.items():
        job[name] = value
    return job

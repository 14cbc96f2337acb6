"""Distillation in a search: candidates learn from the best so far as well as from the labels.

The loss has the cross entropy with the teacher's probabilities for the same images on top, as in Google's
Model Search (Hinton et al. 2015, "Distilling the Knowledge in a Neural Network"). The teacher is the best
that the island trained before; it looks at each train image once, as it is, without augmentation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from zero.config.sections import Section

if TYPE_CHECKING:  # checking a config takes none of it
    from zero.cells.evaluator import TrainEvaluator


class Distillation(Section):
    """weight: of the teacher's part of the loss. temperature: its logits are divided by."""

    weight: float = Field(1.0, gt=0, le=1000)
    temperature: float = Field(1.0, gt=0, le=1000)


def taught_by(
    evaluator: TrainEvaluator, teacher: dict[str, Any], temperature: float
) -> np.ndarray | None:
    """Returns a teacher's probabilities (N, classes) for the train images, float32.

    teacher: a member as of `zero.cells.ensemble`. None where a logit of it is not finite: it teaches
    nothing.
    """
    from zero.cells.ensemble import logits_of

    logits = logits_of(evaluator, teacher, evaluator.data.train_x) / temperature
    if not np.isfinite(logits).all():
        return None
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)

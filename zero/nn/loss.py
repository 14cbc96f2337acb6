"""The loss of a batch of logits, with its gradient. Called by the backends."""

from __future__ import annotations

import numpy as np


def softmax_cross_entropy(
    logits: np.ndarray,
    labels: np.ndarray,
    smoothing: float = 0.0,
    taught: np.ndarray | None = None,
    taught_weight: float = 0.0,
    mixed: np.ndarray | None = None,
) -> tuple[float, np.ndarray]:
    """Returns the mean loss of a batch and its gradient.

    The target is 1 - smoothing for the label, plus smoothing / classes for every class (Szegedy et
    al., 2016, section 7; PyTorch's label_smoothing). With a teacher's probabilities, the cross entropy
    with them as targets comes on top, times a weight (Hinton et al., 2015).

    Args:
        logits: (N, classes).
        labels: (N,) integers below `classes`.
        smoothing: in [0, 1).
        taught: (N, classes), rows of sum 1, of the teacher; None: there is none.
        taught_weight: of that part.
        mixed: (N, classes), rows of sum 1, instead of one label each: those of mixed images.
    """
    count, classes = logits.shape
    shifted = logits - logits.max(1, keepdims=True)
    log_probabilities = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    targets = np.full_like(logits, smoothing / classes)
    if mixed is None:
        targets[np.arange(count), labels] += 1 - smoothing
    else:
        targets += (1 - smoothing) * mixed
    probabilities = np.exp(log_probabilities)
    if taught is not None:
        targets += taught_weight * taught
        probabilities *= 1 + taught_weight  # the targets' sum
    loss = -(targets * log_probabilities).sum() / count
    return float(loss), (probabilities - targets) / count

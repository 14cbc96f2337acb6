"""What unequal classes make of an accuracy: counts, the largest class, accuracies by class.

Counts are int64 (K,), images of each class. Called by the trainer, runs over cells and the command line.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

MOST_NAMED = 10  # classes that a line names one by one


def balanced_accuracy(right: np.ndarray, images: np.ndarray) -> float:
    """Returns the mean over the classes that have images of the share of them that is right."""
    present = np.asarray(images) > 0
    return float(np.mean(np.asarray(right)[present] / np.asarray(images)[present]))


def largest_share(counts: Sequence[int], train: Sequence[int]) -> float:
    """Returns the accuracy of always answering with the class most frequent among train images."""
    return float(counts[int(np.argmax(train))] / np.sum(counts))


def counts_text(names: Sequence[str], counts: Sequence[int]) -> str:
    """Returns the images of each class in words: all classes, or where they are many the range."""
    if len(names) <= MOST_NAMED:
        return ", ".join(f"{name} {n:,}" for name, n in zip(names, counts, strict=True))
    low, high = int(np.argmin(counts)), int(np.argmax(counts))
    return f"{names[low]} {counts[low]:,} to {names[high]} {counts[high]:,}"


def by_class_text(names: Sequence[str], right: Sequence[int], images: Sequence[int]) -> str:
    """Returns the accuracy of each class in words, where they are many that of the worst."""
    found = [
        (r / n, f"{name} {r / n:.4f} of {n:,}")
        for name, r, n in zip(names, right, images, strict=True)
        if n
    ]
    if len(found) <= MOST_NAMED:
        return ", ".join(text for _, text in found)
    worst = sorted(found, key=lambda pair: pair[0])[: MOST_NAMED // 2]
    return f"worst {', '.join(text for _, text in worst)}; {len(found)} classes"

"""What unequal classes make of an accuracy: counts, the largest class, accuracies by class.

Counts are K whole numbers, the images of each class. Called by the trainer, runs over cells and the
command line, which wants no heavy imports.
"""

from __future__ import annotations

from collections.abc import Sequence

MOST_NAMED = 10  # classes that a line names one by one


def balanced_accuracy(right: Sequence[int], images: Sequence[int]) -> float:
    """Returns the mean over the classes that have images of the share of them that is right."""
    shares = [int(r) / int(n) for r, n in zip(right, images, strict=True) if n]
    return sum(shares) / len(shares)


def largest(counts: Sequence[int]) -> int:
    """Returns the number of the class with the most images, the first of equal ones."""
    return max(range(len(counts)), key=lambda label: counts[label])


def largest_share(counts: Sequence[int], train: Sequence[int]) -> float:
    """Returns the accuracy of always answering with the class most frequent among train images."""
    return int(counts[largest(train)]) / int(sum(counts))


def counts_text(names: Sequence[str], counts: Sequence[int]) -> str:
    """Returns the images of each class in words: all classes, or where they are many the range."""
    if len(names) <= MOST_NAMED:
        return ", ".join(f"{name} {n:,}" for name, n in zip(names, counts, strict=True))
    low, high = min(range(len(counts)), key=lambda label: counts[label]), largest(counts)
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

"""Ensembles of the best candidates as the search trained them: the mean of their logits.

As in Google's Model Search ("non-trainable ensembles"); nothing is trained for it. Called by the islands,
which keep the best candidates' weights, and at the end of a run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from zero.cells.evaluator import TrainEvaluator, Weights
from zero.cells.text import parse_genome
from zero.data.classes import balanced_accuracy
from zero.nn import make_model
from zero.nn.augment import Normaliser
from zero.nn.train_memory import EVALUATED_AT_ONCE
from zero.nn.train_settings import trained_network

Member = dict[str, Any]  # number, fitness and text of a candidate, its parameters and statistics


def member(record: Any, weights: Weights) -> Member:
    """Returns what is kept of a trained candidate; record: a `zero.cells.raw_records.RawCell`."""
    return {
        "number": record.number, "fitness": record.fitness, "text": record.text,
        "parameters": weights[0], "statistics": weights[1],
    }  # fmt: skip


def best_members(members: Sequence[Member], count: int) -> list[Member]:
    """Returns the fittest, best first, at most so many; of equal ones those of lower numbers.

    Each genome once: islands may have trained the same one, even to the same weights.
    """
    found: dict[str, Member] = {}
    for one in sorted(members, key=lambda m: (-m["fitness"], m["number"])):
        found.setdefault(one["text"], one)
    return list(found.values())[:count]


def ensemble_figures(evaluator: TrainEvaluator, members: Sequence[Member]) -> dict[str, Any]:
    """Returns the figures of an ensemble, and of its members alone.

    An image counts as right where the class of the largest mean logit is its label; one with a logit
    that is not finite as wrong.

    Returns: numbers, int64 (n,); valid, final (on the test images): shares of all images, balanced: mean
    over classes of the test images' shares; member_valid, member_final: (n,) float64.
    """
    data = evaluator.data
    parts = {"valid": (data.valid_x, data.valid_y), "final": (data.test_x, data.test_y)}
    summed: dict[str, np.ndarray] = {}
    alone: dict[str, list[float]] = {part: [] for part in parts}
    for one in members:
        for part, (x, labels) in parts.items():
            logits = logits_of(evaluator, one, x)
            summed[part] = summed.get(part, 0) + logits
            alone[part].append(float((_answers(logits) == labels).mean()))
    answers = {part: _answers(logits) for part, logits in summed.items()}
    labels, counts = data.test_y, data.counts("test")
    right = np.bincount(labels[answers["final"] == labels], minlength=len(counts))
    return {
        "numbers": np.array([one["number"] for one in members], dtype=np.int64),
        **{part: float((answers[part] == y).mean()) for part, (_, y) in parts.items()},
        "balanced": balanced_accuracy(right, counts),
        **{f"member_{part}": np.array(shares) for part, shares in alone.items()},
    }


def _answers(logits: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(logits).all(axis=1), logits.argmax(axis=1), -1)


def logits_of(evaluator: TrainEvaluator, one: Member, x: np.ndarray) -> np.ndarray:
    """Returns a member's logits (N, K), float64, of images as the evaluator's data has them."""
    data, settings = evaluator.data, evaluator.settings
    network = trained_network(evaluator.network(parse_genome(one["text"])), settings)
    batch = min(settings.batch, len(data.train_x))
    model = make_model(network, batch, evaluator.backend, evaluator.dtype, evaluator.threads)
    model.parameters[:], model.statistics[:] = one["parameters"], one["statistics"]
    normalise = Normaliser(data.image_shape, data.mean, data.std)
    size = batch * max(EVALUATED_AT_ONCE // batch, 1)
    pieces = [model.predict(normalise(x[k : k + size])) for k in range(0, len(x), size)]
    return np.concatenate(pieces).astype(np.float64)

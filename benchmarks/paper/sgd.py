"""Logistic regression and a two-layer ReLU network, trained by stochastic gradient descent in NumPy."""

from dataclasses import dataclass

import numpy as np

BATCH = 16


@dataclass(frozen=True)
class Settings:
    """What is tuned.

    hidden: units with ReLU; 0: logistic regression. rate: of the steps, each the mean over 16 examples.
    scale: of the first weights, times 1 / sqrt(features), and of the last, times 1 / sqrt(hidden). decay: of
    the weights in each step, times the rate.
    """

    hidden: int
    rate: float
    scale: float
    decay: float


def drawn(rng: np.random.Generator, hidden: list[int]) -> Settings:
    """Returns random settings: log-uniform numbers, one of the sizes."""
    rate, scale, decay = 10.0 ** rng.uniform([-5.0, -2.0, -5.0], [-1.0, 0.5, 1.0])
    return Settings(int(rng.choice(hidden)), float(rate), float(scale), float(decay))


def train(x, y, parts, settings: Settings, epochs: int, seed: int) -> dict[str, list[float]]:
    """Returns the accuracy on each part after every epoch.

    Args:
        x: (N, F) float32.
        y: (N,), 0 or 1.
        parts: by name, (examples (V, F) float32, labels (V,)).
        settings: rates and sizes.
        epochs: how often all examples are seen, in random order.
        seed: of weights and order.
    """
    rng = np.random.default_rng([seed, settings.hidden])
    features, hidden = x.shape[1], settings.hidden
    y = y.astype(np.float32)
    rate, keep = np.float32(settings.rate), np.float32(1.0 - settings.rate * settings.decay)
    if hidden:
        first = rng.standard_normal((features, hidden), np.float32)
        first *= np.float32(settings.scale / np.sqrt(features))
        bias = np.zeros(hidden, np.float32)
        last = rng.standard_normal(hidden, np.float32) * np.float32(
            settings.scale / np.sqrt(hidden)
        )
    else:
        last = np.zeros(features, np.float32)
    offset = np.float32(0.0)
    found: dict[str, list[float]] = {name: [] for name in parts}
    with np.errstate(all="ignore"):  # rates that are too large
        for _ in range(epochs):
            order = rng.permutation(len(x))
            for start in range(0, len(x), BATCH):
                rows = order[start : start + BATCH]
                inputs = x[rows]
                seen = np.maximum(inputs @ first + bias, 0) if hidden else inputs
                error = y[rows] - 1 / (1 + np.exp(-(seen @ last + offset)))
                error *= rate / np.float32(len(rows))
                if hidden:
                    back = np.outer(error, last) * (seen > 0)
                    first *= keep
                    first += inputs.T @ back
                    bias += back.sum(axis=0)
                last *= keep
                last += error @ seen
                offset += error.sum()
            for name, (px, py) in parts.items():
                seen = np.maximum(px @ first + bias, 0) if hidden else px
                score = seen @ last + offset
                found[name].append(float(np.mean((score > 0) == (py > 0.5))))
            if not np.isfinite(last).all():
                break
    return {name: [*got, *[0.5] * (epochs - len(got))] for name, got in found.items()}

"""How predictions are judged: one place for all systems of `benchmarks/tables.py`."""

import numpy as np

HIGHER_IS_BETTER = {"auc": True, "log_loss": False, "rmse": False}


def score(metric: str, y: np.ndarray, predictions: np.ndarray) -> float:
    """Returns the score of predictions: for classes a column of probabilities each.

    Raises:
        ValueError: They are not of the right shape, or not all numbers.
    """
    from sklearn.metrics import log_loss, roc_auc_score

    shape = (len(y),) if metric == "rmse" else (len(y), predictions.shape[-1])
    if predictions.shape != shape:
        raise ValueError(f"predictions of shape {predictions.shape} for {len(y)} rows")
    if not np.isfinite(predictions).all():
        raise ValueError("predictions that are not numbers")
    if metric == "auc":
        return float(roc_auc_score(y, predictions[:, 1]))
    if metric == "log_loss":
        kept = np.clip(predictions.astype(float), 1e-15, 1)
        kept /= kept.sum(axis=1, keepdims=True)
        return float(log_loss(y, kept, labels=np.arange(predictions.shape[1])))
    return float(np.sqrt(np.mean((y - predictions) ** 2)))


def constant(metric: str, train: np.ndarray, test: np.ndarray) -> float:
    """Returns the score of always saying the training rows' mean or the classes' frequencies."""
    if metric == "rmse":
        return score(metric, test, np.full(len(test), train.mean()))
    frequencies = np.bincount(train) / len(train)
    return score(metric, test, np.tile(frequencies, (len(test), 1)))

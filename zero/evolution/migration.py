"""Who goes to which island after a round."""

from __future__ import annotations

from typing import Any

import numpy as np

from zero.rng.philox import key_for


def distribute(reports: list[dict[str, Any]], seed: int, experiment: int) -> list[np.ndarray]:
    """Returns the immigrants of each island: drawn uniformly from all that were sent.

    As in the paper's supplement S3: what every worker uploads goes into one pool, and each receives
    as many as it sent. The draw depends only on seed, experiment and round.

    Returns: int64 (n, 2) an island: who sent each of them, and its place among those sent.
    """
    sent = [r["sent"] for r in reports]
    senders = np.repeat([r["island"] for r in reports], sent)
    pool = np.stack([senders, np.concatenate([np.arange(n) for n in sent])], axis=1)
    rng = np.random.default_rng(key_for(seed, "migration", experiment, reports[0]["round"]))
    return [pool[rng.choice(len(pool), size=n, replace=False)] for n in sent]

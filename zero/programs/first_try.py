"""What a search over a table begins with where nobody says: as good a start as is known without a search."""

from __future__ import annotations

import numpy as np

from zero.data.splits import rng_for
from zero.programs import fitting, library
from zero.programs.keep import WIDE
from zero.tasks.table import Table

STARTS = ("linear_with_bias", "neural_network")
EPOCHS = (10, 100)
SPLITS = 8  # tasks at least
SECONDS = 120  # of the search: who tries wants to see something soon
MOST_ROWS = 4000
MOST_STEPS = 100_000  # rows times epochs of a task


def settings_for(family: Table, seed: int = 0) -> list[str]:
    """Returns settings for a table, KEY=VALUE each: start, epochs, number of tasks, seconds at most.

    Cross-validation of whole predictors compares the starts, on rows that are neither test nor select rows.
    Rows that depend on each other (`groups`, `time`) cannot be compared so: these begin with the linear
    program. Deterministic.

    Raises:
        TaskError: the table cannot be read or used.
    """
    data, rest = family.data(), family.parts.rest
    classes = len(data.classes)
    count = SPLITS if classes <= 2 else classes * -(-SPLITS // classes)
    rows = rng_for("first try", seed).permutation(rest)[:MOST_ROWS]
    prepared = family.preparation(rows)
    x, y = family.features_of(rows, prepared), data.y[rows]
    if not classes:
        y = (y - prepared.target_mean) / prepared.target_scale
    candidates = [
        fitting.Candidate(library.program(name), epochs, name)
        for name in (STARTS if x.shape[1] <= WIDE else STARTS[:1])  # matrices are for narrow tables
        for epochs in EPOCHS
        if epochs == EPOCHS[0] or len(rows) * epochs <= MOST_STEPS
    ]
    best = candidates[0]
    if family.groups is None and family.time is None and len(np.unique(y)) > 1:
        best = fitting.choose(candidates, fitting.Examples(x, y, classes), seed)[0]
    chosen = {
        "program.initial": best.origin, "tasks.search.epochs": best.epochs,
        "tasks.search.count": count, "budget.seconds": SECONDS,
    }  # fmt: skip
    return [f"{key}={value}" for key, value in chosen.items()]

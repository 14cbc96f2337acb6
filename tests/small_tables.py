"""Small tables for tests of pipelines, and configs of runs over them."""

from pathlib import Path

import numpy as np
import pandas as pd

from zero.config.load import make_config

WORDS = ("good", "bad", "red", "blue", "fast", "slow", "old", "new")


def mixed_frame(rows=120, problem="binary", seed=0, gaps=True):
    """Returns a frame of numbers, categories, dates and texts with a target `y` that depends on them."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({
        "size": rng.normal(size=rows),
        "weight": rng.exponential(size=rows) * 10,
        "count": rng.integers(0, 9, rows).astype(float),
        "colour": rng.choice(["red", "green", "blue"], rows),
        "when": pd.to_datetime(rng.integers(0, 2**30, rows), unit="s").round("s"),
        "said": [" ".join(rng.choice(WORDS, 4)) for _ in range(rows)],
    })  # fmt: skip
    signal = frame["size"] + 0.1 * frame["weight"] + (frame["colour"] == "red") * 1.5
    signal += rng.normal(size=rows) * 0.3
    if problem == "regression":
        frame["y"] = signal
    elif problem == "binary":
        frame["y"] = np.where(signal > signal.median(), "yes", "no")
    else:
        frame["y"] = pd.qcut(signal, 3, labels=["low", "middle", "high"]).astype(str)
    if gaps:
        frame.loc[::7, "size"] = np.nan
        frame.loc[::9, "colour"] = None
        frame.loc[::11, "when"] = pd.NaT
    return frame


def write_table(folder, frame, name="table.csv"):
    """Writes a frame as CSV; returns the path."""
    path = Path(folder) / name
    frame.to_csv(path, index=False)
    return path


def pipelines_config(path, target="y", **changes):
    """Returns a config that tries a few cheap pipelines on one island, changed as given."""
    sections = {
        "pipelines": {
            "table": {"path": str(path), "target": target},
            "families": ["ridge", "logistic_regression", "tree"],
            "folds": 3,
        },
        "search": {"method": "random_search"},
        "islands": {"count": 1},
        "budget": {"individuals": 6},
    }
    for name, section in changes.items():
        known = sections.get(name)
        if isinstance(known, dict) and isinstance(section, dict):
            section = {**known, **section}
            if name == "pipelines" and "table" in changes[name]:
                section["table"] = {**known["table"], **changes[name]["table"]}
        sections[name] = section
    families = sections["pipelines"].get("families")
    if changes.get("problem") and families:
        sections["pipelines"]["families"] = families
    sections.pop("problem", None)
    return make_config(sections)

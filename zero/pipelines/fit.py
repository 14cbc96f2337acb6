"""A table without a config: the shipped `fit` on it, within so many seconds.

Called by `zero fit`; the estimators `zero.AutoClassifier` and `zero.AutoRegressor` do the same in Python.
"""

from __future__ import annotations

import json
from typing import Any

from zero.config.load import name_from
from zero.data.tables import SUFFIXES, ending
from zero.errors import ConfigError, visible

CONFIG = "fit"
SECONDS = 60.0


def settings(path: str, target: str | None, given: dict[str, Any]) -> list[str]:
    """Returns what makes `CONFIG` one for a table: KEY=VALUE each.

    given: keys of the section `pipelines` or of its table, such as "table.groups"; None: not given.

    Raises:
        ConfigError: no target is named.
    """
    from pathlib import Path

    if target is None and not path.endswith(".npz"):
        raise ConfigError(f"say what to predict: --target COLUMN of {visible(path)}")
    if ending(path) not in SUFFIXES:
        raise ConfigError(
            f"{visible(path)} is no table: its name should end in {', '.join(SUFFIXES)}"
        )
    chosen: dict[str, Any] = {"name": name_from(Path(path)), "pipelines.table.path": path}
    if target is not None:
        chosen["pipelines.table.target"] = target
    chosen |= {f"pipelines.{key}": value for key, value in given.items() if value is not None}
    return [f"{key}={json.dumps(value)}" for key, value in chosen.items()]

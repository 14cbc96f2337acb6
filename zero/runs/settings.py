"""What a run may change of its settings once it has begun: nothing but a larger budget.

run.json holds the settings that a run began with (key `settings`); config.yaml, which people can
edit, must say the same. Called by `zero.runs.run` and `zero.cells.train_run`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from zero.config import yaml as yaml_loader
from zero.config.load import config_to_yaml, load_config
from zero.config.sections import RunConfig
from zero.errors import ConfigError
from zero.runs.folder import RunFolder

# The settings that only end a run; None = no limit.
BUDGETS = ("individuals", "train_steps", "seconds", "fitness", "patience")


def settings_of(text: str, source: str = "") -> dict[str, Any]:
    """Returns the settings in a YAML text as run.json keeps them."""
    return yaml_loader.parse(text, source).data


def check_unchanged(folder: RunFolder, info: dict[str, Any]) -> bool:
    """Checks that a folder's config.yaml says what it said when the run began.

    Returns: whether that is known: folders of earlier versions have no record of it.

    Raises:
        ConfigError: it does not; names the keys.
    """
    recorded = info.get("settings")
    if recorded is None:
        return False
    path = folder.path / RunFolder.CONFIG
    now = settings_of(folder.config_text(), str(path))
    if now == info.pop("settings_before", None):  # killed within `change_settings`
        info["settings"] = recorded = now
    found = _differences(recorded, now)
    if found:
        words = [f"{key} is {_shown(new)}, recorded {_shown(old)}" for key, old, new in found[:5]]
        more = f" and {len(found) - 5} more" if len(found) > 5 else ""
        raise ConfigError(
            f"{path} has been changed since the run began: {', '.join(words)}{more}; put that back, "
            "or start a new run (to give a larger budget: zero resume RUN --set budget.individuals=N)"
        )
    return True


def restore_text(folder: RunFolder, info: dict[str, Any]) -> None:
    """Writes config.yaml anew where it says the same in other words than when the run began.

    Its text stands in the archive, which must not depend on a space or a comment.
    """
    text = yaml_loader.dump(info["settings"])
    if folder.config_text() != text:
        folder.write_config(text)


def change_settings(folder: RunFolder, info: dict[str, Any], text: str) -> None:
    """Writes another config and its record; killed meanwhile, the folder has the old or the new one.

    info: of run.json; gets the record.
    """
    before = info.get("settings")
    info["settings"] = settings_of(text)
    folder.write_info(info | {"settings_before": before})
    folder.write_config(text)
    folder.write_info(info)


def with_larger_budget(path: Path, settings: Iterable[str]) -> tuple[RunConfig, RunConfig]:
    """Returns the config of a run folder as it is, and with settings that make its budget larger.

    Raises:
        ConfigError: a setting is wrong, of another key, or makes the budget smaller.
    """
    settings = list(settings)
    old = load_config(path, check_files=False)
    new = load_config(path, settings, check_files=False) if settings else old
    before, after = (settings_of(config_to_yaml(c)) for c in (old, new))
    allowed = [f"budget.{key}" for key in BUDGETS]
    for key, was, wished in _differences(before, after):
        if key not in allowed:
            raise ConfigError(
                f"--set {key}={_shown(wished)}: a run goes on with the settings that it began with "
                f"({key}: {_shown(was)}); only what ends it can be raised: {', '.join(allowed)}"
            )
        if was is None or (wished is not None and wished < was):
            limit = "has no limit" if was is None else f"is {_shown(was)}"
            raise ConfigError(
                f"--set {key}={_shown(wished)}: a run's budget can only become larger, and {key} "
                f"{limit}; to stop a run at any time there are Ctrl-C and --max-seconds"
            )
    return old, new


def _differences(old: Any, new: Any, key: str = "") -> list[tuple[str, Any, Any]]:
    """Returns (key, old, new) of every value that is not the same."""
    if isinstance(old, dict) and isinstance(new, dict):
        return [
            found
            for name in [*old, *(name for name in new if name not in old)]
            for found in _differences(
                old.get(name), new.get(name), f"{key}.{name}" if key else str(name)
            )
        ]
    return (
        [] if old == new and isinstance(old, bool) == isinstance(new, bool) else [(key, old, new)]
    )


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "a section"
    return json.dumps(value) if value is None or isinstance(value, bool) else str(value)

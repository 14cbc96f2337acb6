"""Small runs for tests: a config that takes a fraction of a second, and what its runs leave."""

import os
import time
from pathlib import Path

from zero.config.load import make_config
from zero.config.sections import RunConfig
from zero.runs.archive import read_archive
from zero.runs.progress import Reporter

SETTINGS = {
    "seed": 3,
    "program": {
        "memory": {"scalars": 4, "vectors": 3, "matrices": 0},
        "setup": {"ops": ["SCALAR_CONST_SET"], "size": {"max": 3}},
        "predict": {"ops": ["VECTOR_INNER_PRODUCT", "SCALAR_SUM"], "size": {"max": 3}},
        "learn": {
            "ops": ["SCALAR_DIFF", "SCALAR_PRODUCT", "SCALAR_VECTOR_PRODUCT", "VECTOR_SUM"],
            "size": {"max": 6},
        },
    },
    "tasks": {"search": {"type": "linear_regression", "features": 4, "train": 20, "valid": 10}},
    "search": {"population": 30, "tournament": 5},
    "islands": {"migrate_every": 500, "migrants": 4},
    "budget": {"individuals": 6000},
}


def small_settings(**changes) -> dict:
    """Returns the settings of a small run; each section given is merged into its own."""
    return _merged(SETTINGS, changes)


def small_config(**changes) -> RunConfig:
    """Returns the config of `small_settings`."""
    return make_config(small_settings(**changes))


def archive_bytes(folder: Path) -> bytes:
    """Returns a run's archive as it is on disk."""
    return (Path(folder) / "archive.h5").read_bytes()


def all_records(folder: Path) -> list:
    """Returns the records of all experiments of a run."""
    return [r for e in read_archive(folder).experiments for r in e.records]


def living(group: int) -> list[int]:
    """Returns the processes of a process group that have not ended."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                text = Path(f"/proc/{entry}/stat").read_text()
            except OSError:
                continue
            state, _, its_group = text.rpartition(")")[2].split()[:3]
            if int(its_group) == group and state not in "ZX":
                found.append(int(entry))
    return found


def wait_until(condition, seconds: float = 20.0) -> bool:
    """Returns whether the condition came true within that time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def _merged(old: dict, new: dict) -> dict:
    both = {**old, **new}
    for key in old.keys() & new.keys():
        if isinstance(old[key], dict) and isinstance(new[key], dict):
            both[key] = _merged(old[key], new[key])
    return both


class Messages(Reporter):
    """Keeps what a person is told."""

    def __init__(self):
        self.texts = []

    def message(self, text):
        self.texts.append(text)

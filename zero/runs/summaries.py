"""Which runs and trainings are in a folder, and how far each has come, without reading their archives.

`find_runs(folder)` returns a `RunSummary` for each, `summary_of(folder)` that of one. They read run.json,
the end of the log, the lock and the first 512 bytes of the archive: a millisecond a run, however large
its archive. They write nothing and raise nothing about a single run: one that is damaged, or that a
newer zero wrote, has a `state` that says so. Called by `zero list runs`; anyone may.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from zero import genomes
from zero.errors import ArchiveError, ConfigError
from zero.runs.archive import ARCHIVE_VERSION
from zero.runs.folder import RunFolder
from zero.runs.lock import RunLock, is_locked
from zero.system.signals import RESUMABLE
from zero.system.trees import head_of_file

DEPTH = 3  # folders in folders that are looked into
LOG_END = 131_072  # bytes of a log that are read; earlier ones only where these tell no fitness
CHECKPOINTS = "checkpoints"
GENOME = "genome.txt"  # of trainings of cells, before their first figures

State = Literal["running", "stopped", "ended", "damaged", "newer"]


@dataclass(frozen=True)
class RunSummary:
    """How far a run or training has come.

    folder: of the run. name: of its config. kind: of genome; None if not known. training: whether it is
    one, of a single genome. state: "running" (a process works in it), "stopped" (can be resumed), "ended",
    "damaged" or "newer" (of a zero newer than this one). reason: why it ended or was stopped, a key of
    `zero.runs.reasons.REASONS`, None if it goes on or was killed; of damaged and newer ones what is wrong,
    a sentence. fitness: best search fitness so far; select_fitness, final_fitness: of the outcome;
    each NaN if not known. individuals, train_steps: so far, as the log has them (every minute), None
    if it does not say. seconds: that it has taken, in all processes. started, updated: first and last
    sign of life, ISO 8601 in UTC.
    """

    folder: Path
    name: str
    kind: str | None = None
    training: bool = False
    state: State = "stopped"
    reason: str | None = None
    seed: int | None = None
    fitness: float = math.nan
    select_fitness: float = math.nan
    final_fitness: float = math.nan
    individuals: int | None = None
    train_steps: int | None = None
    seconds: float | None = None
    started: str | None = None
    updated: str | None = None

    def plain(self) -> dict[str, Any]:
        """Returns it as JSON can hold it: paths as texts, NaN as None."""
        values = {**vars(self), "folder": str(self.folder)}
        bad = {k for k, v in values.items() if isinstance(v, float) and not math.isfinite(v)}
        return values | dict.fromkeys(bad)


def find_runs(folder: str | Path, depth: int = DEPTH) -> list[RunSummary]:
    """Returns the runs and trainings in a folder, by path; the folder itself may be one.

    Looks into folders in it, `depth` deep, but not into runs, hidden folders or links. What cannot be read
    is passed over.

    Raises:
        ArchiveError: there is no such folder, or it cannot be read.
    """
    folder = Path(folder)
    try:
        os.listdir(folder)
    except OSError as error:
        raise ArchiveError(f"cannot look for runs in {folder}: {error.strerror}") from error
    return [summary_of(path) for path in _run_folders(folder, depth)]


def is_run(folder: str | Path) -> bool:
    """Returns whether a folder is, or once was, that of a run or a training."""
    try:
        return looks_like_run(set(os.listdir(folder)))
    except OSError:
        return False


def summary_of(folder: str | Path) -> RunSummary:
    """Returns how far a run or training has come; never raises for what its files hold."""
    path = Path(folder)
    blank = RunSummary(path, path.name)
    try:
        run = RunFolder.open(path)
        info = run.info()
        settings = _settings(run, info)
    except (ArchiveError, ConfigError) as error:
        return RunSummary(path, path.name, state="damaged", reason=str(error).splitlines()[0])
    events = run.last_events(LOG_END)
    if not any(_fitnesses(events)):
        events = run.last_events(2**62)
    kind = info.get("kind", genomes.name_of(settings))
    state, reason = _state(path, events)
    seconds, updated = _times(events, state)
    final = events[-1] if events and events[-1].get("event") == "finish" else {}
    return RunSummary(
        folder=path,
        name=_of_type(settings.get("name"), str) or blank.name,
        kind=_of_type(kind, str),
        training="cell" in info or (path / RunFolder.TRAINED).exists() or (path / GENOME).exists(),
        state=state,
        reason=reason,
        seed=_of_type(info.get("seed"), int),
        fitness=_number(final.get("fitness"), max(_fitnesses(events), default=math.nan)),
        select_fitness=_number(final.get("select_fitness")),
        final_fitness=_number(final.get("final_fitness")),
        individuals=_most(events, "individuals", "individual"),
        train_steps=_most(events, "train_steps"),
        seconds=seconds,
        started=_of_type(info.get("started"), str),
        updated=updated,
    )


# --- finding --------------------------------------------------------------------------------------


def _run_folders(folder: Path, depth: int) -> list[Path]:
    try:
        entries = sorted(os.scandir(folder), key=lambda e: e.name)
    except OSError:
        return []
    if looks_like_run({entry.name for entry in entries}):
        return [folder]
    if depth == 0:
        return []
    inside = [e.name for e in entries if e.is_dir(follow_symlinks=False) and e.name[:1] != "."]
    return [path for name in inside for path in _run_folders(folder / name, depth - 1)]


def looks_like_run(names: set[str]) -> bool:
    """Returns whether a folder with these names in it is a run's; some may have been lost."""
    made = {RunFolder.INFO, RunFolder.LOG, RunFolder.ARCHIVE, RunLock.NAME, CHECKPOINTS}
    found = names & made
    return len(found) >= 2 or (RunFolder.CONFIG in names and bool(found))


# --- what its files say ---------------------------------------------------------------------------


def _settings(run: RunFolder, info: dict[str, Any]) -> dict[str, Any]:
    """Returns a run's settings, unchecked: those that it began with, of older runs those of its config."""
    settings = info.get("settings")
    if not isinstance(settings, dict):
        from zero.config import yaml

        settings = yaml.parse(run.config_text(), str(run.path)).data
    return settings if isinstance(settings, dict) else {}


def _state(path: Path, events: list[dict[str, Any]]) -> tuple[State, str | None]:
    """Returns the state and the reason of a run."""
    archive = path / RunFolder.ARCHIVE
    if archive.exists():
        head = head_of_file(archive)
        if head is None or head[0] != "archive" or not head[2]:
            return "damaged", f"{archive} is damaged; use a copy of it"
        if head[1] > ARCHIVE_VERSION:
            version = f"format version {head[1]}, this zero reads up to {ARCHIVE_VERSION}"
            return "newer", f"{archive} has {version}; use a newer zero"
    if is_locked(path):
        return "running", None
    if (path / RunFolder.TRAINED).exists() and not (path / CHECKPOINTS).exists():
        return "ended", None  # the training of a program, which is written at its end
    last = events[-1] if events else {}
    reason = _of_type(last.get("reason"), str) if last.get("event") == "finish" else None
    return ("stopped" if reason is None or reason in RESUMABLE else "ended"), reason


def _times(events: list[dict[str, Any]], state: State) -> tuple[float | None, str | None]:
    """Returns the seconds that a run has taken, and when it last gave a sign of life."""
    known = [e for e in events if isinstance(e.get("seconds"), int | float)]
    stamps = [e["time"] for e in events if isinstance(e.get("time"), str)]
    seconds = float(known[-1]["seconds"]) if known else None
    if known and state == "running":
        try:
            since = datetime.now(UTC) - datetime.fromisoformat(str(known[-1].get("time")))
            seconds = float(known[-1]["seconds"]) + max(0.0, since.total_seconds())
        except (ValueError, TypeError, OverflowError):
            pass  # a clock without a zone, or none at all
    return seconds, stamps[-1] if stamps else None


def _fitnesses(events: list[dict[str, Any]]) -> list[float]:
    keys = {"improvement": "fitness", "progress": "best_fitness", "experiment": "search_fitness"}
    keys["finish"] = "fitness"
    found = [_number(e.get(keys.get(str(e.get("event")), ""))) for e in events]
    return [f for f in found if not math.isnan(f)]


def _most(events: list[dict[str, Any]], *keys: str) -> int | None:
    """Returns the largest whole number of a key; an experiment's is its own, not the run's."""
    shown = [e for e in events if e.get("event") != "experiment"]
    numbers = [_of_type(e.get(key), int) for e in shown for key in keys]
    return max((n for n in numbers if n is not None), default=None)


def _number(value: Any, otherwise: float = math.nan) -> float:
    good = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if good and abs(value) < 1e308 else otherwise


def _of_type(value: Any, kind: Any) -> Any:
    return value if isinstance(value, kind) and not isinstance(value, bool) else None

"""A run seen from outside: its files, which it writes anyway, shown as it shows itself.

Nothing is written and no lock is taken, so a run is neither slowed nor stopped by being watched.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from zero import genomes
from zero.config import yaml
from zero.errors import ArchiveError, ConfigError
from zero.runs.folder import RunFolder
from zero.runs.lock import is_locked
from zero.runs.progress import Reporter
from zero.runs.summaries import summary_of
from zero.runs.tail import LogTail
from zero.system.signals import RESUMABLE

EVERY = 0.5  # seconds between looks

End = Literal["running", "stopped", "killed", "ended"]


@dataclass
class Seen:
    """What a run's log has told so far; stats: as for `Reporter.update`, at the time `told`."""

    stats: dict[str, Any] = field(default_factory=dict)
    told: str | None = None
    best: dict[str, Any] = field(default_factory=dict)
    baselines: dict[str, float] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    finish: dict[str, Any] | None = None
    began: bool = False

    def take(self, event: dict[str, Any]) -> None:
        """Adds an event of the log."""
        values = {k: v for k, v in event.items() if k not in ("event", "time")}
        match event.get("event"):
            case "start" | "resume":
                self.finish, self.began = None, True
                self.told = event.get("time")
                self.stats = {k: v for k, v in self.stats.items() if k not in _PASSING} | values
            case "baselines" if isinstance(values.get("values"), dict):
                self.baselines = values["values"]
            case "progress":
                self.stats, self.told = values, event.get("time")
            case "improvement":
                self.best = values
                self.stats["best_fitness"] = values.get("fitness")
                done = values.get("individual")
                if isinstance(done, int) and done > (self.stats.get("individuals") or 0):
                    self.stats["individuals"] = done
            case "epoch":
                self.stats, self.told = _of_epoch(values), event.get("time")
            case "message":
                self.messages.append(str(values.get("text", "")))
            case "finish":
                self.finish = values


_PASSING = ("now", "seconds_left", "seconds_after", "individuals_per_second")


def watch(
    path: Path,
    reporter: Reporter,
    once: bool = False,
    sleep: Callable[[float], object] = time.sleep,
) -> End:
    """Tells a reporter what a run does until it has ended, and returns how it stands then.

    Args:
        path: the folder of a run or of a training.
        reporter: is told what the run tells its own.
        once: whether to return after the first look.
        sleep: waits so many seconds.

    Raises:
        ArchiveError: it is no such folder, or it is gone.
    """
    folder = RunFolder.open(path)
    reporter.start(_begin(folder))
    tail, seen, told = LogTail(path), Seen(), Seen()
    try:
        first = True
        while True:
            locked = is_locked(path)  # before the log: what is said last comes before the lock goes
            for event in tail.new():
                seen.take(event)
            _tell(reporter, seen, told, first)
            end = _end(seen, locked, path)
            if end != "running":
                _tell_end(reporter, seen, end, path)
                return end
            reporter.update(_now(seen))
            if once:
                return end
            first = False
            sleep(EVERY)
            if not path.is_dir():
                raise ArchiveError(f"{path} is gone: it was moved or deleted")
    finally:
        tail.close()


def _begin(folder: RunFolder) -> dict[str, Any]:
    """Returns what a reporter is told at the start."""
    try:
        settings = yaml.parse(folder.config_text(), str(folder.path)).data
    except ConfigError as error:
        raise ArchiveError(str(error).splitlines()[0]) from None
    settings = settings if isinstance(settings, dict) else {}
    found = {
        k: settings[k] for k in ("name", "seed", "backend", "dtype") if settings.get(k) is not None
    }
    islands = settings.get("islands")
    if isinstance(islands, dict) and "count" in islands:
        found["islands"] = islands["count"]
    searches = genomes.of_settings(settings).view.searches(settings)
    found |= {"searches": "; ".join(searches)} if searches else {}
    return {**found, "folder": str(folder.path)}


def _tell(reporter: Reporter, seen: Seen, told: Seen, first: bool) -> None:
    """Passes on what is new; of what came before the first look only what still counts."""
    if seen.baselines and seen.baselines != told.baselines:
        reporter.baselines(seen.baselines)
        told.baselines = seen.baselines
    if not first:
        for text in seen.messages:
            reporter.message(text)
    seen.messages.clear()
    if seen.best and seen.best != told.best:
        reporter.improvement(seen.best)
        told.best = seen.best


def _end(seen: Seen, locked: bool, path: Path) -> End:
    if locked:
        return "running"
    if seen.finish is None:
        # What is over at once, as the training of a program, logs no end.
        return "ended" if summary_of(path).state == "ended" else "killed"
    return "stopped" if seen.finish.get("reason") in RESUMABLE else "ended"


def _tell_end(reporter: Reporter, seen: Seen, end: End, path: Path) -> None:
    again = f"zero resume {shlex.quote(str(path))}"
    if end == "killed":
        when = f", last heard of at {seen.told[:19]} UTC" if seen.told else ""
        reporter.update(seen.stats)
        reporter.message(
            f"nobody works on {path}{when}: it was killed, or its machine stopped; go on with `{again}`"
        )
    else:
        stats = {k: v for k, v in seen.stats.items() if k not in _PASSING}
        stats["best_fitness"] = seen.best.get("fitness", stats.get("best_fitness"))
        known = ("reason", "individuals", "seconds")
        reporter.finish({**stats, **{k: v for k, v in (seen.finish or {}).items() if k in known}})
        if end == "stopped":
            reporter.message(f"go on with `{again}`")


def _now(seen: Seen) -> dict[str, Any]:
    """Returns the last figures with their clock set to now."""
    stats = dict(seen.stats)
    if not {"individuals", "epoch"} & set(stats):
        stats["now"] = "reading the data, or compiling"
    age = _age(seen.told)
    for key, sign in (("seconds", 1), ("seconds_left", -1)):
        if isinstance(stats.get(key), int | float):
            stats[key] = max(0.0, stats[key] + sign * age)
    return stats


def _age(told: str | None) -> float:
    """Returns how many seconds ago that was, 0 if it cannot be told."""
    try:
        then = datetime.fromisoformat(str(told))
        return max(0.0, (datetime.now(UTC) - then).total_seconds())
    except (ValueError, TypeError):
        return 0.0


def _of_epoch(values: dict[str, Any]) -> dict[str, Any]:
    """Returns the figures of a training's epoch as those of a search."""
    accuracy = values.get("valid_accuracy")
    now = f"epoch {values.get('epoch')}"
    if isinstance(accuracy, int | float):
        now += f", validation accuracy {accuracy:.4f}"
    return {"epoch": values.get("epoch"), "seconds": values.get("seconds"), "now": now}

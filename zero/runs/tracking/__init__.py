"""Trackers: reporters that write a run's curves where other tools read them. One file each.

A tracker is a `zero.runs.progress.Reporter` that is told the points of a run's curves (`Reporter.points`), as
any callback of a user's is. To add one, write a file here that calls `register`; its name is then a value
of a config's `track`, and of `zero curves --to`.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator

from zero.config.sections import as_tuple, one_of
from zero.errors import ConfigError, unknown_name
from zero.runs.progress import FIGURES, Point, Reporter


class Tracker(Reporter):
    """A reporter that keeps curves, in a place that it may find filled by an earlier process.

    name: of the tracker. about: for people. file: where it writes in a run's folder. package: what must be
    installed, as it is imported; extra: of this project, which installs it.

    Args:
        place: where to write; None: `file` in the folder of the run.
    """

    name: ClassVar[str]
    about: ClassVar[str]
    file: ClassVar[str]
    package: ClassVar[str | None] = None
    extra: ClassVar[str] = ""

    def __init__(self, place: Path | None = None):
        self.place = place
        self.last = -1  # individuals at the last point that is kept

    def start(self, info: dict[str, Any]) -> None:
        """Opens what an earlier process has left, or begins anew."""
        place = Path(info["folder"]) / self.file if self.place is None else self.place
        self.last = self.open(place, info)

    def points(self, points: list[Point]) -> None:
        """Writes those that are not kept yet."""
        new = []
        for point in points:
            if point["individuals"] > self.last:
                self.last = int(point["individuals"])
                new.append(point)
        if new:
            self.write(new)

    def open(self, place: Path, info: dict[str, Any]) -> int:
        """Opens the place; returns the individuals at the last point in it, -1 without any."""
        raise NotImplementedError

    def write(self, points: list[Point]) -> None:
        """Adds points behind those that are there."""
        raise NotImplementedError

    @classmethod
    def check(cls) -> None:
        """Raises ConfigError if what it needs is not installed."""
        if cls.package is not None and importlib.util.find_spec(cls.package) is None:
            raise ConfigError(
                f"tracking by {cls.name} needs the package {cls.package}: "
                f"pip install 'zero-discovery[{cls.extra}]'"
            )


_KNOWN: dict[str, type[Tracker]] = {}


def register(tracker: type[Tracker]) -> type[Tracker]:
    """Makes a tracker known; returns it.

    Raises:
        ConfigError: there is another one of its name.
    """
    if _KNOWN.get(tracker.name, tracker).__qualname__ != tracker.__qualname__:
        raise ConfigError(f"tracker '{tracker.name}': there is one already")
    _KNOWN[tracker.name] = tracker
    return tracker


def trackers() -> dict[str, type[Tracker]]:
    """Returns all trackers by name."""
    for file in sorted(file.name for file in pkgutil.iter_modules(__path__)):
        importlib.import_module(f"{__name__}.{file}")
    return dict(_KNOWN)


def make(names: Iterable[str], place: Path | None = None) -> list[Reporter]:
    """Returns trackers by their names, each once.

    Raises:
        ConfigError: there is none of that name, or what it needs is not installed.
    """
    known, found = trackers(), list(dict.fromkeys(names))
    for name in found:
        if name not in known:
            raise ConfigError(unknown_name("tracker", name, known))
        known[name].check()
    return [known[name](place) for name in found]


# Of a config: which trackers a run has.
Track = Annotated[
    tuple[Annotated[str, one_of("tracker", trackers)], ...], BeforeValidator(as_tuple)
]

COLUMNS = ("individuals", "experiment", "train_steps", *FIGURES)

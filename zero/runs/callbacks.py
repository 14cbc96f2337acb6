"""Callbacks of a run: reporters beside the one that people see, none of which can break it.

Trackers (`zero.runs.tracking`) are such, and so are a user's own: a `zero.Reporter` whose methods do what is
wished. What one raises is told once, and it is told nothing more.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from zero.errors import ConfigError, what_is
from zero.runs.progress import Point, Reporter


class WithCallbacks(Reporter):
    """Tells a reporter and callbacks the same; closes the callbacks alone, whoever made the reporter does."""

    def __init__(self, reporter: Any, callbacks: Sequence[Reporter]):
        self.reporter, self.callbacks = reporter, list(callbacks)

    def start(self, info: dict[str, Any]) -> None:
        """Tells all."""
        self.reporter.start(info)
        self._tell("start", info)

    def compiling(self, number: int, total: int, what: str) -> None:
        """Tells all."""
        self.reporter.compiling(number, total, what)
        self._tell("compiling", number, total, what)

    def baselines(self, fitness: dict[str, float]) -> None:
        """Tells all."""
        self.reporter.baselines(fitness)
        self._tell("baselines", fitness)

    def update(self, stats: dict[str, Any]) -> None:
        """Tells all."""
        self.reporter.update(stats)
        self._tell("update", stats)

    def message(self, text: str) -> None:
        """Tells all."""
        self.reporter.message(text)
        self._tell("message", text)

    def improvement(self, record: dict[str, Any]) -> None:
        """Tells all."""
        self.reporter.improvement(record)
        self._tell("improvement", record)

    def points(self, points: list[Point]) -> None:
        """Tells the callbacks, and a reporter that wants them."""
        if hasattr(self.reporter, "points"):
            self.reporter.points(points)
        self._tell("points", points)

    def finish(self, summary: dict[str, Any]) -> None:
        """Tells all."""
        self.reporter.finish(summary)
        self._tell("finish", summary)

    def close(self) -> None:
        """Closes the callbacks."""
        self._tell("close")

    def _tell(self, method: str, *values: Any) -> None:
        for callback in list(self.callbacks):
            try:
                getattr(callback, method)(*values)
            except Exception as error:
                self.callbacks.remove(callback)
                name = getattr(callback, "name", None) or type(callback).__name__
                reason = " ".join(str(error).split())[:300]
                text = f"{type(error).__name__}: {reason}" if reason else type(error).__name__
                self.reporter.message(
                    f"the callback {name} failed and is told nothing more, the run goes on: {text}"
                )


def checked(callbacks: Any) -> list[Reporter]:
    """Returns a user's callbacks; raises ConfigError where one is no reporter."""
    if not isinstance(callbacks, list | tuple):
        raise ConfigError(
            f"callbacks must be a list of zero.Reporter objects, got {what_is(callbacks)}"
        )
    for callback in callbacks:
        if not isinstance(callback, Reporter):
            hint = "; give an object, not its class" if isinstance(callback, type) else ""
            raise ConfigError(f"a callback must be a zero.Reporter, got {what_is(callback)}{hint}")
    return list(callbacks)

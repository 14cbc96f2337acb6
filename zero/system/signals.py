"""Wishes to stop: Ctrl-C, SIGTERM and a limit of time, which runs and trainings fulfil.

A search looks for them between its steps (`Stops.wanted`). What comes before and after it, such as
reading data, compiling and final figures, has no steps to look between: it is left where it is
(`Stops.at_once`), by the exception `Stop`.
"""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

RESUMABLE = ("interrupted", "max_seconds")  # why a run stops that can go on: of `Stops.why`
PATIENCE = 1.0  # seconds that an urgent stop leaves to what is nearly done
_active = threading.local()  # stops: those of the innermost `at_once` in this thread


class Stop(BaseException):
    """Leaves work that nothing is lost with. No Exception, which readers of files may swallow."""


def check(since: float = -math.inf) -> None:
    """Raises Stop if a stop is wished and acts at once here; asked again and again by what is long.

    since: by `time.monotonic`, when work began that has `PATIENCE` seconds to end by itself.
    """
    stops = getattr(_active, "stops", None)
    if stops is not None and stops.wanted() and time.monotonic() - since >= PATIENCE:
        raise Stop


def forget() -> None:
    """Lets no stop act at once in this thread: for a forked process, which its parent ends."""
    _active.stops = None


class Stops:
    """The wishes to stop of one command.

    Args:
        max_seconds: stop after so much time, counted from now; None = never.
        on_signal: called once, with Ctrl-C or SIGTERM, within a signal handler.

    why: "interrupted" or "max_seconds" once a stop is wished, else None.
    """

    def __init__(
        self, max_seconds: float | None = None, on_signal: Callable[[], None] | None = None
    ):
        self.why: str | None = None
        self.on_signal = on_signal
        self._deadline = None if max_seconds is None else time.monotonic() + max_seconds
        self._anywhere = False

    def wanted(self) -> bool:
        """Returns whether a stop is wished."""
        if self.why is None and self._deadline is not None and time.monotonic() >= self._deadline:
            self.why = "max_seconds"
        return self.why is not None

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Takes Ctrl-C and SIGTERM as wishes to stop while it lasts; a second one breaks off.

        Outside of the main thread, where Python handles no signals, it does nothing.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        presses = [0]

        def on_signal(number: int, frame: FrameType | None) -> None:
            presses[0] += 1
            if presses[0] > 1:
                raise KeyboardInterrupt
            self.why = self.why or "interrupted"
            if self.on_signal is not None:
                self.on_signal()
            if self._anywhere:
                raise Stop

        old = {s: signal.signal(s, on_signal) for s in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in old.items():
                signal.signal(number, handler)

    @contextmanager
    def at_once(self, anywhere: bool = False) -> Iterator[None]:
        """While it lasts a stop raises `Stop` where this process waits for a child (`check`).

        anywhere: at any line, for work such as reading files; a limit of time only after `PATIENCE`
        seconds, so that runs with short limits get somewhere. Outside of the main thread, where
        Python handles no signals, only where `check` is asked.
        """
        outer = getattr(_active, "stops", None)
        _active.stops = self
        try:
            if anywhere and threading.current_thread() is threading.main_thread():
                with self._raising():
                    yield
            else:
                yield
        finally:
            _active.stops = outer

    @contextmanager
    def _raising(self) -> Iterator[None]:
        def on_alarm(number: int, frame: FrameType | None) -> None:
            if self._anywhere and self.wanted():
                raise Stop

        old = signal.signal(signal.SIGALRM, on_alarm)
        try:
            self._anywhere = True
            if self.why == "interrupted":
                raise Stop
            if self._deadline is not None:
                # Again and again: the first may come a moment before the deadline.
                left = max(self._deadline - time.monotonic(), PATIENCE)
                signal.setitimer(signal.ITIMER_REAL, left, 0.1)
            yield
        finally:
            self._anywhere = False
            if self._deadline is not None:
                signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, old)

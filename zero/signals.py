"""Ctrl-C and SIGTERM as a wish to stop, which runs and trainings fulfil where they can go on later."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def stop_signals(interrupt: Callable[[str], None]) -> Iterator[None]:
    """Turns Ctrl-C and SIGTERM into a clean stop while it lasts; a second one breaks off.

    interrupt: called with "interrupted", within a signal handler. Outside of the main thread, where
    Python handles no signals, it does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    presses = [0]

    def on_signal(number, frame):
        presses[0] += 1
        if presses[0] > 1:
            raise KeyboardInterrupt
        interrupt("interrupted")

    old = {s: signal.signal(s, on_signal) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)

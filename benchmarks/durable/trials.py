"""Processes that things happen to: forked from one that is warm, each in a group of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from zero.errors import ZeroError

PATIENCE = 120.0  # seconds after which a process counts as hung
ORPHANS = 15.0  # seconds that workers have to see that their run is gone
FAILED, CRASHED = 1, 70  # exit codes: an error in one line, a traceback


class Trial:
    """A process that does something, in a process group of its own; what it prints is kept.

    Args:
        action: done in the process. A ZeroError ends it with code 1 and a line that begins with "error: ",
            as the command line does; anything else with a traceback.
    """

    def __init__(self, action: Callable[[], object]):
        self._printed = tempfile.TemporaryFile()
        self.code: int | None = None  # once it has ended; negative: by that signal
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            self._act(action)

    def _act(self, action: Callable[[], object]) -> None:
        code = CRASHED
        try:
            os.setsid()
            for handle in (1, 2):
                os.dup2(self._printed.fileno(), handle)
            sys.stdout = open(1, "w", closefd=False, buffering=1)
            sys.stderr = open(2, "w", closefd=False, buffering=1)
            action()
            code = 0
        except ZeroError as error:
            os.write(2, f"error: {error}\n".encode())
            code = FAILED
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        except BaseException:
            os.write(2, traceback.format_exc().encode())
        finally:
            with contextlib.suppress(Exception):
                sys.stdout.flush()
            os._exit(code)

    def ended(self) -> bool:
        """Returns whether the process itself has ended."""
        if self.code is None:
            done, status = os.waitpid(self.pid, os.WNOHANG)
            if done:
                self.code = os.waitstatus_to_exitcode(status)
        return self.code is not None

    def wait(self, seconds: float = PATIENCE) -> bool:
        """Returns whether it ended by itself within that time."""
        return wait_until(self.ended, seconds)

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Sends a signal to the process alone."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def kill_group(self, number: int = signal.SIGKILL) -> None:
        """Sends a signal to the process and all that it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def workers(self) -> list[int]:
        """Returns the living processes that it has started."""
        return [pid for pid in living(self.pid) if pid != self.pid]

    def printed(self) -> str:
        """Returns what it and its workers have printed."""
        self._printed.seek(0)
        return self._printed.read().decode(errors="replace")

    def end(self) -> bool:
        """Ends all that is left of it; returns whether nothing was, after `ORPHANS` seconds."""
        alone = wait_until(lambda: not self.workers(), ORPHANS)
        self.kill_group()
        self.wait()
        self._printed.close()
        return alone


def living(group: int) -> list[int]:
    """Returns the processes of a process group that have not ended (Linux: reads /proc)."""
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


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Returns whether the condition came true within that time."""
    deadline = time.monotonic() + seconds
    pause = 0.001
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
        pause = min(0.02, 2 * pause)
    return True


def is_one_line(text: str) -> bool:
    """Returns whether what a process printed tells of its failure in one line."""
    errors = [line for line in text.splitlines() if line.startswith("error: ")]
    return len(errors) == 1 and "Traceback" not in text and text.rstrip().endswith(errors[0])

"""The lock of a run folder: one process at a time works in it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path
from typing import Any

from zero.errors import ArchiveError
from zero.system.files import cannot_write


class RunLock:
    """Holds a run folder for this process until `release`, or until the process ends in any way.

    Child processes do not hold it: a worker that outlives its killed parent keeps nobody out.
    """

    NAME = ".lock"
    _held: set[RunLock] = set()  # noqa: RUF012  (of the class: the fork hook walks it)

    def __init__(self, folder: str | Path):
        """Takes the lock.

        Raises:
            ArchiveError: another process uses the folder, or it is not writable.
        """
        path = Path(folder) / self.NAME
        while True:
            try:
                self._handle: int | None = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
            except OSError as error:
                raise cannot_write(path, error) from error
            try:
                self._take()
            except BlockingIOError as error:
                owner = os.read(self._handle, 200).decode(errors="replace").strip()
                self._close()
                raise ArchiveError(
                    f"run folder {folder} is in use by {owner or 'another process'}; wait until it "
                    "ends, or stop it"
                ) from error
            except OSError:
                pass  # a file system without locks: better to run unprotected than not at all
            if os.fstat(self._handle).st_nlink > 0:
                break
            self._close()  # its owner has removed the folder meanwhile: once more
        RunLock._held.add(self)
        with contextlib.suppress(OSError):  # the name only makes the message above better
            os.ftruncate(self._handle, 0)
            os.write(self._handle, f"process {os.getpid()} on {os.uname().nodename}\n".encode())

    def release(self) -> None:
        """Gives the folder free; does nothing the second time."""
        self._close()
        RunLock._held.discard(self)

    def _take(self) -> None:
        assert self._handle is not None
        for last in (False, True):
            try:
                fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if last:
                    raise
                time.sleep(0.05)  # somebody may just be looking, see `is_locked`

    def _close(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def __enter__(self) -> RunLock:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def _drop_inherited_locks() -> None:
    # A lock lives until every copy of its handle is closed, and a fork copies the handle.
    for lock in list(RunLock._held):
        lock.release()


os.register_at_fork(after_in_child=_drop_inherited_locks)


def is_locked(folder: str | Path) -> bool:
    """Returns whether a process works in a run folder; changes nothing there.

    False where that cannot be told: no permission, or a file system without locks.
    """
    try:
        handle = os.open(Path(folder) / RunLock.NAME, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        return is_held(handle)
    finally:
        os.close(handle)


def is_held(file: Any) -> bool:
    """Returns whether another process holds the lock on an open file or handle.

    Where it is free this one has it, shared, until the file is closed.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system without locks
        return False
    return False

"""Misfortunes at the n-th write: killed before, within or after it, or the disk is full from then on.

Calls of the system by which files are made and written are replaced in a forked process, and so in all that
it forks; they count what happens below one folder, together.
"""

from __future__ import annotations

import builtins
import errno
import io
import mmap
import os
import signal
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

KILLS = ("before", "within", "after")
FULL = "full"


class Faults:
    """Counts the writes below a folder, and does something at one of them.

    Args:
        folder: it, and all in it.
        at: which write, from 1; 0: none, they are only counted.
        how: one of `KILLS`, which kill the whole process group, or `FULL`: that write and all later ones
            fail as on a full disk.
    """

    def __init__(self, folder: Path, at: int = 0, how: str = "before"):
        self.folder, self.at, self.how = os.path.abspath(folder), at, how
        self._count = mmap.mmap(-1, 8)  # shared with what is forked

    @property
    def count(self) -> int:
        """How many writes there were."""
        return struct.unpack("q", self._count[:8])[0]

    def within(self, action: Callable[[], None]) -> Callable[[], None]:
        """Returns the action, done in a process where writes are counted and the fault comes."""

        def faulty() -> None:
            self._replace_calls()
            action()

        return faulty

    def _strikes(self) -> bool:
        number = self.count + 1
        self._count[:8] = struct.pack("q", number)
        return number == self.at or (self.how == FULL and 0 < self.at < number)

    def _write(self, call: Callable[[Any], int], data: Any) -> int:
        """Writes data by a call, or half of it, or nothing."""
        if not self._strikes():
            return call(data)
        half = memoryview(data)[: len(data) // 2]
        if self.how == FULL:
            if len(half) and self.count == self.at:
                return call(half)  # as the system does: the next write has nothing left
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if self.how == "within":
            call(half)
        elif self.how == "after":
            call(data)
        os.killpg(0, signal.SIGKILL)
        raise AssertionError

    def _step(self, call: Callable[[], Any], needs_room: bool = True) -> Any:
        if not needs_room and self.how == FULL:
            return call()
        if not self._strikes():
            return call()
        if self.how == FULL:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if self.how == "after":
            call()
        os.killpg(0, signal.SIGKILL)
        raise AssertionError

    def _is_inside(self, path: Any) -> bool:
        try:
            path = os.fspath(path)
            path = path.decode() if isinstance(path, bytes) else path
            return os.path.abspath(path).startswith(self.folder)
        except TypeError:
            return False

    def _is_of(self, handle: int) -> bool:
        try:
            return os.readlink(f"/proc/self/fd/{handle}").startswith(self.folder)
        except OSError:
            return False

    def _replace_calls(self) -> None:
        faults, real, real_open = self, {n: getattr(os, n) for n in _CALLS}, builtins.open

        def os_open(path: Any, flags: int, *more: Any, **options: Any) -> int:
            def call() -> int:
                return real["open"](path, flags, *more, **options)

            return faults._step(call) if flags & os.O_CREAT and faults._is_inside(path) else call()

        def os_write(handle: int, data: Any) -> int:
            if not faults._is_of(handle):
                return real["write"](handle, data)
            return faults._write(lambda part: real["write"](handle, part), data)

        def of_path(name: str, needs_room: bool) -> Callable[..., Any]:
            def call(path: Any, *more: Any, **options: Any) -> Any:
                def real_call() -> Any:
                    return real[name](path, *more, **options)

                return (
                    faults._step(real_call, needs_room) if faults._is_inside(path) else real_call()
                )

            return call

        def os_fsync(handle: int) -> None:
            if faults._is_of(handle):
                faults._step(lambda: real["fsync"](handle), needs_room=False)
            else:
                real["fsync"](handle)

        class Log(io.FileIO):
            def write(self, data: Any) -> int:
                return faults._write(super().write, data)

        def any_open(path: Any, mode: str = "r", *more: Any, **options: Any) -> Any:
            if not set(mode) & set("wax+") or not faults._is_inside(path):
                return real_open(path, mode, *more, **options)
            if mode == "ab":  # the log
                return faults._step(lambda: Log(path, "ab"))
            return faults._step(lambda: real_open(path, mode, *more, **options))

        os.open, os.write, os.fsync = os_open, os_write, os_fsync
        os.mkdir, os.replace = of_path("mkdir", True), of_path("replace", True)
        os.unlink = of_path("unlink", False)
        builtins.open = any_open


_CALLS = ("open", "write", "fsync", "mkdir", "replace", "unlink")

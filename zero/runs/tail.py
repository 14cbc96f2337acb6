"""The log of a run as it grows: each call gives what came since the last one.

For `zero watch` and the dashboard, which follow runs by their files alone.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from zero.runs.folder import RunFolder, events_in

Opener = Callable[[str], BinaryIO]  # a file's name in the run's folder -> that file, for reading


class LogTail:
    """See the module's docstring. Takes no lock, keeps one file open.

    Args:
        folder: of the run.
        opener: opens a file in it; raises OSError where it cannot.
    """

    def __init__(self, folder: str | Path, opener: Opener | None = None):
        path = Path(folder)
        self._open = opener or (lambda name: open(path / name, "rb"))
        self._file: BinaryIO | None = None
        self._rest = b""  # of a line that is not whole yet

    def new(self) -> list[dict[str, Any]]:
        """Returns the events that were logged since the last call, oldest first.

        Lines that a kill has cut short are left out, and a log that was begun anew is followed.
        """
        found = []
        if self._file is None:
            found += self._whole(RunFolder.OLD_LOG)
            self._file = self._try(RunFolder.LOG)
        if self._file is not None:
            found += self._more()
            other = self._try(RunFolder.LOG)
            if other is not None and not _same(other, self._file):  # begun anew: large logs are
                found += self._more()
                self._file.close()
                self._file, self._rest = other, b""
                found += self._more()
            elif other is not None:
                other.close()
        return found

    def close(self) -> None:
        """Closes the file; a later `new` begins at the log's start."""
        if self._file is not None:
            self._file.close()
        self._file, self._rest = None, b""

    def _try(self, name: str) -> BinaryIO | None:
        try:
            return self._open(name)
        except OSError:
            return None

    def _whole(self, name: str) -> list[dict[str, Any]]:
        file = self._try(name)
        if file is None:
            return []
        with file:
            return events_in(file.read().decode(errors="replace"))

    def _more(self) -> list[dict[str, Any]]:
        assert self._file is not None
        if os.fstat(self._file.fileno()).st_size < self._file.tell():  # cut, as by a copy
            self._file.seek(0)
            self._rest = b""
        whole, newline, rest = (self._rest + self._file.read()).rpartition(b"\n")
        self._rest = rest
        return events_in(whole.decode(errors="replace")) if newline else []


def _same(one: BinaryIO, other: BinaryIO) -> bool:
    a, b = os.fstat(one.fileno()), os.fstat(other.fileno())
    return (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino)

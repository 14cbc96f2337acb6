"""The folder whose runs are shown: what is in it is opened for reading, what is outside of it never.

Every folder on the way is opened by itself, relative to the one above and following no link, so a link put
there between a check and the opening changes nothing. Nothing is locked or written.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from zero.errors import ArchiveError
from zero.runs.lock import RunLock, is_held
from zero.runs.summaries import DEPTH, is_run, looks_like_run

UPLOADS = "uploads"  # what users gave; no runs are looked for in it
MOST_RUNS = 2000  # that are shown
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Missing(Exception):
    """There is no such run or file, or it is none that may be shown."""


class Root:
    """See the module's docstring.

    path: the folder. A run is named by its path below it, with / between the folders.

    Raises:
        ArchiveError: there is no such folder, or it cannot be read.
    """

    def __init__(self, folder: str | Path):
        path = Path(folder)
        try:
            path = path.resolve(strict=True)
            self.only = path.name if is_run(path) else None
            self.path = path.parent if self.only else path
            self._handle = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise ArchiveError(f"cannot show runs of {folder}: {error.strerror}") from error

    def close(self) -> None:
        """Closes the folder."""
        os.close(self._handle)

    def names(self) -> list[str]:
        """Returns the names of the runs in it, sorted; at most `MOST_RUNS`."""
        found = []
        for name in self._walk(self._handle, "", DEPTH):
            found.append(name)
            if len(found) == MOST_RUNS:
                break
        return sorted(found)

    def folder(self, name: str) -> int:
        """Returns a handle of a run's folder, to be closed.

        Raises:
            Missing: there is no run of that name.
        """
        parts = name.split("/")
        if len(parts) > DEPTH or not all(map(_is_plain, parts)) or self._hides(parts[0]):
            raise Missing(name)
        handle = self._inside(self._handle, parts)
        try:
            if not looks_like_run(set(os.listdir(handle))):
                raise Missing(name)
        except BaseException:
            os.close(handle)
            raise
        return handle

    def open(self, name: str, file: str) -> BinaryIO:
        """Returns a file of a run, opened for reading; file: its path in the run's folder.

        Raises:
            Missing: there is none, or it is no plain file.
        """
        *folders, last = file.split("/")
        if not all(map(_is_plain, folders)) or not (_is_plain(last) or last == RunLock.NAME):
            raise Missing(file)
        run = self.folder(name)
        try:
            within = self._inside(run, folders)
        finally:
            os.close(run)
        try:
            handle = os.open(last, _FILE, dir_fd=within)
        except OSError as error:
            raise Missing(file) from error
        finally:
            os.close(within)
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            os.close(handle)
            raise Missing(file)
        return os.fdopen(handle, "rb")

    def files(self, name: str) -> list[str]:
        """Returns the names of what is in a run's folder; raises Missing as `folder` does."""
        handle = self.folder(name)
        try:
            return sorted(os.listdir(handle))
        except OSError:
            raise Missing(name) from None
        finally:
            os.close(handle)

    def is_locked(self, name: str) -> bool:
        """Returns whether a process works on a run; False where that cannot be told."""
        try:
            file = self.open(name, RunLock.NAME)
        except Missing:
            return False
        with file:
            return is_held(file)

    def _inside(self, handle: int, parts: list[str]) -> int:
        inner = os.dup(handle)
        for part in parts:
            try:
                deeper = os.open(part, _FOLDER, dir_fd=inner)
            except (OSError, ValueError) as error:  # no folder, a link, a name that none can have
                raise Missing(part) from error
            finally:
                os.close(inner)
            inner = deeper
        return inner

    def _hides(self, first: str) -> bool:
        return first == UPLOADS or (self.only is not None and first != self.only)

    def _walk(self, handle: int, above: str, depth: int) -> Iterator[str]:
        try:
            with os.scandir(handle) as entries:
                found = sorted(e.name for e in entries if e.is_dir(follow_symlinks=False))
        except OSError as error:
            if not above:
                raise ArchiveError(f"cannot show runs of {self.path}: {error.strerror}") from error
            return
        for name in found:
            if not _is_plain(name) or (not above and self._hides(name)):
                continue
            try:
                inner = os.open(name, _FOLDER, dir_fd=handle)
            except OSError:
                continue
            try:
                if looks_like_run(set(os.listdir(inner))):
                    yield above + name
                elif depth > 1:
                    yield from self._walk(inner, f"{above}{name}/", depth - 1)
            except OSError:
                continue
            finally:
                os.close(inner)


def _is_plain(part: str) -> bool:
    """Returns whether that may be the name of a folder or file to be shown."""
    return bool(part) and part[0] != "." and "/" not in part and "\0" not in part

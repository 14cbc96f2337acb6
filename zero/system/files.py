"""Files that are written in one step: a kill or a full disk leaves the old one as it was.

A temporary file beside it is written, synced and renamed, then its folder synced.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from pathlib import Path

from zero.errors import ArchiveError

TEMP_SUFFIX = ".zero-tmp"


def write_bytes(path: str | Path, data: bytes | memoryview) -> None:
    """Writes a file in one step: it then holds all of `data`, or else what it held before.

    Also removes temporary files that killed writers left in the same folder.

    Raises:
        ArchiveError: the disk is full, or the folder is missing or not writable.
    """
    path = Path(path)
    _remove_stale(path.parent)
    try:
        temp, handle = _open_temp(path)
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(handle, rest) :]
            os.fsync(handle)
            os.replace(temp, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temp)
            raise
        finally:
            # Closed after the rename, since it holds the lock that keeps `_remove_stale` away.
            os.close(handle)
        _sync_folder(path.parent)
    except OSError as error:
        raise cannot_write(path, error) from error


def make_folder(path: str | Path) -> None:
    """Makes a folder, and those that it lies in, unless it is there.

    Raises:
        ArchiveError: the disk is full, or it cannot be made there.
    """
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from error


def check_place(path: str | Path) -> None:
    """Raises ArchiveError if the folder of a file to be written is missing or is none.

    For commands that write only after long work.
    """
    folder = Path(path).parent
    if not folder.is_dir():
        raise cannot_write(path, OSError(errno.ENOENT, f"there is no folder {folder}"))


def cannot_write(path: str | Path, error: OSError) -> ArchiveError:
    """Returns the error for users that says why `path` could not be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ArchiveError(
            f"cannot write {path}: the disk is full; files written before are as they were; "
            "free some space, then go on with `zero resume`"
        )
    reason = error.strerror or error
    return ArchiveError(f"cannot write {path}: {reason}; check the folder and its permissions")


def _open_temp(path: Path) -> tuple[Path, int]:
    """Returns a new temporary file beside `path`, locked, and its handle."""
    while True:
        temp = path.with_name(f".{path.name}.{os.getpid()}-{os.urandom(4).hex()}{TEMP_SUFFIX}")
        handle = os.open(temp, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666)
        # Without locks on this file system `_remove_stale` cannot lock either and removes nothing.
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(handle).st_nlink > 0:
            return temp, handle
        os.close(handle)  # another writer took it for stale before it was locked: once more


def _remove_stale(folder: Path) -> None:
    """Removes temporary files whose writer is dead: those whose lock is free."""
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            if name.startswith(".") and name.endswith(TEMP_SUFFIX):
                with contextlib.suppress(OSError), open(folder / name, "rb") as file:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    os.unlink(folder / name)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some network file systems cannot sync a folder
            raise
    finally:
        os.close(handle)

"""A secret of the user's, which tells later whether a record was made by this user on this machine.

32 random bytes in `$XDG_DATA_HOME/zero/key` or `~/.local/share/zero/key`, or in the file that the
environment variable ZERO_KEY names; made when first needed, for its owner only.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import stat
from contextlib import suppress
from pathlib import Path

from zero.errors import ArchiveError

SIZE = 32


def place() -> Path:
    """Returns the file of the key, which need not be there yet."""
    named = os.environ.get("ZERO_KEY")
    if named:
        return Path(named)
    data = os.environ.get("XDG_DATA_HOME")
    return (Path(data) if data else Path.home() / ".local/share") / "zero/key"


def sign(content: bytes) -> str:
    """Returns the HMAC-SHA256 of `content` in hexadecimal; makes the key where there is none.

    Raises:
        ArchiveError: the key cannot be made or used; the message is part of a line.
    """
    return hmac.new(_key(), content, hashlib.sha256).hexdigest()


def is_signed(content: bytes, signature: object) -> bool:
    """Returns whether `sign` gave that signature; False as well where there is no key."""
    try:
        if not isinstance(signature, str) or not place().exists():
            return False
        return hmac.compare_digest(sign(content).encode(), signature.encode(errors="replace"))
    except (ArchiveError, OSError, RuntimeError):
        return False


def _key() -> bytes:
    try:
        path = place()
        with suppress(FileNotFoundError):
            return _read(path)
        _make(path)
        return _read(path)
    except (OSError, RuntimeError) as error:  # RuntimeError: nobody knows the user's home
        reason = error.strerror if isinstance(error, OSError) else error
        raise ArchiveError(f"this user's key cannot be kept: {reason}; set ZERO_KEY=FILE") from None


def _read(path: Path) -> bytes:
    with open(path, "rb") as file:
        found = os.fstat(file.fileno())
        if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
            raise ArchiveError(f"{path} is not this user's alone; remove it")
        key = file.read(SIZE + 1)
    if len(key) != SIZE:
        raise ArchiveError(f"{path} is no key of {SIZE} bytes; remove it")
    return key


def _make(path: Path) -> None:
    """Writes a new key, unless another process has just done so."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temp = path.with_name(f".{path.name}.{os.getpid()}-{os.urandom(4).hex()}")
    handle = os.open(temp, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        os.write(handle, os.urandom(SIZE))
        os.fsync(handle)
        with suppress(FileExistsError):
            os.link(temp, path)
    finally:
        os.close(handle)
        os.unlink(temp)

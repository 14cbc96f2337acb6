"""What users give on a page: tables and images, in a folder of their own in `uploads/`."""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

from zero.dashboard.root import UPLOADS
from zero.data.image_files import SUFFIXES as IMAGES
from zero.data.tables import SUFFIXES as TABLES
from zero.data.tables import ending
from zero.errors import ConfigError, visible

MOST_FILES = 100_000  # of an upload
MOST_PARTS = 3  # of an image's path: train/class/image.png
DATA = "data"  # the images' folder
_ID = re.compile(r"[0-9a-f]{12}")


class Uploads:
    """See the module's docstring.

    Args:
        folder: whose `uploads/` they are put in.
        most_bytes: of one upload, also unpacked.
    """

    def __init__(self, folder: Path, most_bytes: int):
        self.path, self.most_bytes = folder / UPLOADS, most_bytes
        self._taken: dict[str, tuple[int, int]] = {}  # bytes and files of each

    def new(self) -> str:
        """Returns the name of a new one."""
        if self.path.is_symlink():
            raise ConfigError(f"{self.path} is a link; uploads need a folder of their own")
        made = secrets.token_hex(6)
        (self.path / made).mkdir(parents=True)
        return made

    def folder(self, upload: str) -> Path:
        """Returns its folder.

        Raises:
            ConfigError: there is none.
        """
        path = self.path / upload
        if not _ID.fullmatch(upload) or path.is_symlink() or not path.is_dir():
            raise ConfigError("this upload is not here any more; give the file again")
        return path

    async def take(self, upload: str, name: str, chunks: AsyncIterator[bytes]) -> Path:
        """Writes a file as it comes; an image's name is its path in the folder that was given.

        Returns: its path.

        Raises:
            ConfigError: its name or its size is none that is taken, or the disk is full.
        """
        path = self._place(upload, name)
        taken, files = self._taken.get(upload, (0, 0))
        if files >= MOST_FILES:
            raise ConfigError(f"too many files; at most {MOST_FILES:,}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(path, "xb") as file:
                async for chunk in chunks:
                    taken += len(chunk)
                    if taken > self.most_bytes:
                        raise ConfigError(self._too_large())
                    file.write(chunk)
        except FileExistsError:
            raise ConfigError(f"{visible(path.name)} was given twice") from None
        except BaseException as error:
            path.unlink(missing_ok=True)
            if isinstance(error, OSError):
                raise _cannot_write(error) from None
            raise
        self._taken[upload] = taken, files + 1
        if path.stat().st_size == 0:
            path.unlink()
            raise ConfigError(f"{visible(path.name)} is empty")
        return path

    def unpack(self, upload: str, archive: Path) -> None:
        """Unpacks a ZIP file of images and removes it.

        Raises:
            ConfigError: it is none, holds no images, or more than is taken.
        """
        try:
            with zipfile.ZipFile(archive) as packed:
                entries = [e for e in packed.infolist() if _is_image(e)]
                if not entries:
                    raise ConfigError(
                        f"{archive.name} holds no images in folders; pack one folder for each class"
                    )
                if sum(e.file_size for e in entries) > self.most_bytes:
                    raise ConfigError(self._too_large())
                if len(entries) > MOST_FILES:
                    raise ConfigError(f"too many files; at most {MOST_FILES:,}")
                for entry, name in zip(entries, _without_common(entries), strict=True):
                    self._unpack_one(upload, packed, entry, name)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
            raise ConfigError(f"{archive.name} is no ZIP file that can be read: {error}") from None
        except OSError as error:
            raise _cannot_write(error) from None
        finally:
            archive.unlink(missing_ok=True)

    def _unpack_one(
        self, upload: str, packed: zipfile.ZipFile, entry: zipfile.ZipInfo, name: str
    ) -> None:
        path = self._place(upload, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        left = entry.file_size  # what it says; what comes may be more
        with packed.open(entry) as source, open(path, "xb") as file:
            while chunk := source.read(1 << 18):
                left -= len(chunk)
                if left < 0:
                    raise ConfigError(self._too_large())
                file.write(chunk)

    def _place(self, upload: str, name: str) -> Path:
        """Returns where a file of that name goes, within the upload's folder whatever it is."""
        parts = [
            _plain(part) for part in name.replace("\\", "/").split("/") if part not in ("", ".")
        ]
        if not parts:
            raise ConfigError("a file without a name")
        kind = ending(parts[-1])
        folder = self.folder(upload)
        if kind in IMAGES and len(parts) > 1:
            return folder.joinpath(DATA, *parts[-MOST_PARTS:])
        if kind in IMAGES:
            raise ConfigError("images need a folder for each class: give the folder that has them")
        if kind in TABLES or kind == ".zip":
            return folder / parts[-1]
        raise ConfigError(
            f"{visible(parts[-1])} is no table or image: its name should end in "
            f"{', '.join(TABLES)}, or .zip of images"
        )

    def _too_large(self) -> str:
        return f"more than {self.most_bytes // 1_000_000:,} MB; zero dashboard --upload-mb N takes more"


def table_in(folder: Path) -> Path | None:
    """Returns the table of an upload, None if it is one of images."""
    found = [p for p in sorted(folder.iterdir()) if ending(p) in TABLES and p.is_file()]
    return found[0] if found else None


def _plain(part: str) -> str:
    """Returns a name that suits every file system: no separators, no dots at its start, not too long."""
    part = re.sub(r"[^\w.()+ -]", "_", part).strip(" ").lstrip(".") or "_"
    stem, dot, last = part.rpartition(".")
    return part[:100] if not dot else stem[:100] + dot + last[:20]


def _is_image(entry: zipfile.ZipInfo) -> bool:
    parts = entry.filename.split("/")
    is_link = stat.S_ISLNK(entry.external_attr >> 16)
    hidden = any(part.startswith((".", "__")) for part in parts)
    return len(parts) > 1 and ending(parts[-1]) in IMAGES and not is_link and not hidden


def _without_common(entries: list[zipfile.ZipInfo]) -> list[str]:
    """Returns the entries' names without the folder that all are in, if classes are within it."""
    names = [e.filename for e in entries]
    firsts = {name.split("/")[0] for name in names}
    if len(firsts) == 1 and all(name.count("/") > 1 for name in names):
        return [name.partition("/")[2] for name in names]
    return names


def _cannot_write(error: OSError) -> ConfigError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ConfigError("the disk is full; free some space, then give the file again")
    return ConfigError(f"this cannot be kept: {os.strerror(error.errno or errno.EIO)}")

"""Checkpoints: the newest states of a run or a training, each a file of its own."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

from zero.errors import ArchiveError
from zero.system.files import make_folder
from zero.system.trees import Tree, read_tree, write_tree


class CheckpointFolder:
    """The newest states of a run: files checkpoint-000001.h5, checkpoint-000002.h5, and so on.

    Each is a whole new file and never changed, so the older ones are there if the newest is lost.
    """

    KIND = "checkpoint"
    VERSION = 1

    def __init__(self, folder: str | Path, keep: int = 3):
        """Names the folder (made by the first `save`) and how many files it keeps, at least 1."""
        self.folder = Path(folder)
        self.keep = keep

    def paths(self) -> list[Path]:
        """Returns the checkpoint files, oldest first."""
        found = []
        if self.folder.is_dir():
            for name in os.listdir(self.folder):
                match = re.fullmatch(r"checkpoint-(\d{6,})\.h5", name)
                if match:
                    found.append((int(match[1]), self.folder / name))
        return [path for _, path in sorted(found)]

    def save(self, tree: Tree) -> Path:
        """Writes the next checkpoint, then removes all but the newest `keep`; returns its path.

        Raises:
            ArchiveError: it cannot be written (a full disk, say); the earlier ones stay.
        """
        make_folder(self.folder)
        old = self.paths()
        number = 1 + (int(old[-1].stem.split("-")[1]) if old else 0)
        path = self.folder / f"checkpoint-{number:06d}.h5"
        write_tree(path, tree, self.KIND, self.VERSION)
        for spare in self.paths()[: -self.keep]:
            with contextlib.suppress(OSError):
                spare.unlink()
        return path

    def load(self) -> tuple[Tree, list[str]] | None:
        """Returns the newest readable state, and one line for each newer file that was skipped.

        None if there is no checkpoint at all.

        Raises:
            ArchiveError: there are some, but none can be read.
        """
        skipped: list[str] = []
        for path in reversed(self.paths()):
            try:
                return read_tree(path, self.KIND, self.VERSION), skipped
            except ArchiveError as error:
                skipped.append(str(error))
        if skipped:
            raise ArchiveError(
                f"no checkpoint in {self.folder} can be read ({' | '.join(skipped)}); "
                "start the run again in a new folder"
            )
        return None

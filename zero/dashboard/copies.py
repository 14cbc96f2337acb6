"""Private copies of runs' files: what the dashboard reads, with all that reads runs.

A run may be written, moved or deleted while it is shown, and a copy cannot be; nor can a link in a run's
folder lead out of a copy, which holds plain files only. Copies are renewed when their files have changed,
and go when the dashboard ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import tempfile
import threading
from collections import OrderedDict
from pathlib import Path
from typing import BinaryIO

from zero.dashboard.root import Missing, Root
from zero.runs.folder import RunFolder
from zero.runs.lock import RunLock
from zero.runs.summaries import GENOME, LOG_END, RunSummary, summary_of
from zero.system.trees import HEADER_SIZE

SMALL = (RunFolder.CONFIG, RunFolder.INFO, RunFolder.TRAINED, GENOME)  # needed for a row
CHECKPOINTS = "checkpoints"  # only whether there are some counts
SHORT_END = 8192  # bytes of a log's end, of runs that have ended
MOST_BYTES = 16_000_000  # of a small file
MOST_WHOLE = 400_000_000  # of any other
KEPT = 20  # whole copies at a time
MODEL = "models/model.json"  # of trained pipelines: what rows they take

Stamp = tuple[int, int, int]


class Copies:
    """See the module's docstring.

    root: of the runs. folder: of the copies.
    """

    def __init__(self, root: Root):
        self.root = root
        self._temporary = tempfile.TemporaryDirectory(prefix="zero-dashboard-")
        self.folder = Path(self._temporary.name)
        self._lock = threading.RLock()
        self._stamps: dict[tuple[Path, str], Stamp] = {}
        self._locked: dict[str, BinaryIO] = {}
        self._whole: OrderedDict[str, Path] = OrderedDict()
        self._rows: dict[str, tuple[tuple[object, ...], RunSummary]] = {}

    def close(self) -> None:
        """Removes them."""
        for file in self._locked.values():
            file.close()
        self._temporary.cleanup()

    def keep(self, names: list[str]) -> None:
        """Removes the copies of all other runs."""
        with self._lock:
            for name in set(self._rows) - set(names):
                del self._rows[name]
                self.drop(self._place("small", name))
                if name in self._locked:
                    self._locked.pop(name).close()

    def summary(self, name: str) -> RunSummary:
        """Returns how far a run has come; its `folder` is that of the run.

        Raises:
            Missing: there is no such run.
        """
        with self._lock:
            there = set(self.root.files(name))
            place = self._place("small", name)
            done: list[object] = [self._copy(name, f, place, there) for f in SMALL]
            last = SHORT_END if self._tells_all(name) else LOG_END
            done.append(self._copy(name, RunFolder.LOG, place, there, last=last))
            done.append(self._copy(name, RunFolder.ARCHIVE, place, there, first=HEADER_SIZE))
            done.append(self._copy_lock(name, place))
            done.append(self._copy_folder(CHECKPOINTS, place, there))
            known = self._rows.get(name)
            if known is not None and known[0] == tuple(done) and known[1].state != "running":
                return known[1]
            found = summary_of(place)
            real = self.root.path / name
            told = found.reason and found.reason.replace(str(place), name)
            own = name.rpartition("/")[2]
            label = found.name if found.name != place.name else own
            found = RunSummary(**{**vars(found), "folder": real, "name": label, "reason": told})
            self._rows[name] = tuple(done), found
            return found

    def small(self, name: str) -> Path:
        """Returns the folder with the small copies that `summary` has made."""
        return self._place("small", name)

    def whole(self, name: str, apart: bool = False) -> Path:
        """Returns a folder with copies of all that there is to read of a run.

        apart: a new one, which the caller may change, and drops.

        Raises:
            Missing: there is no such run.
        """
        with self._lock:
            there = self.root.files(name)
            if apart:
                self.drop(self._place("apart", name))
            place = self._place("apart" if apart else "whole", name)
            for file in there:
                if not file.startswith(".") and not file.endswith("weights.h5"):
                    with contextlib.suppress(Missing):
                        self._copy(name, file, place, set(there), most=MOST_WHOLE)
            (place / "models").mkdir(exist_ok=True)
            self._copy(name, MODEL, place, {MODEL})
            for file in set(os.listdir(place)) - set(there) - {"models"}:
                (place / file).unlink()
            if apart:
                return place
            self._whole[name] = place
            self._whole.move_to_end(name)
            while len(self._whole) > KEPT:
                self.drop(self._whole.popitem(last=False)[1])
            return place

    def stamp(self, name: str, file: str) -> Stamp | None:
        """Returns what tells whether a file of a run has changed, None if there is none."""
        try:
            with self.root.open(name, file) as opened:
                return _stamp(opened)
        except Missing:
            return None

    def drop(self, place: Path) -> None:
        """Removes a run's copies."""
        shutil.rmtree(place.parent, ignore_errors=True)
        for key in [key for key in self._stamps if key[0] == place]:
            del self._stamps[key]

    def _tells_all(self, name: str) -> bool:
        """Returns whether the last line of a run's log has all figures, as that of an ended run has."""
        try:
            with self.root.open(name, RunFolder.LOG) as log:
                log.seek(max(0, _stamp(log)[1] - SHORT_END))
                line = log.read().rstrip(b"\n").rpartition(b"\n")[2]
        except Missing:
            return False
        return b'"event": "finish"' in line and b'"fitness"' in line

    def _place(self, form: str, name: str) -> Path:
        key = hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()[:24]
        place = self.folder / form / key / name.rpartition("/")[2]  # reports tell the folder's name
        place.mkdir(parents=True, exist_ok=True)
        return place

    def _copy(
        self,
        name: str,
        file: str,
        place: Path,
        there: set[str],
        first: int | None = None,
        last: int | None = None,
        most: int = MOST_BYTES,
    ) -> Stamp | None:
        """Copies a file unless its copy is of now; returns its stamp, None where there is none.

        first, last: so many of its bytes; of the first ones the copy is as long as the file.
        """
        target = place / file
        try:
            opened = self.root.open(name, file) if file in there else None
        except Missing:
            opened = None
        if opened is None:
            if target.is_file():
                target.unlink()
            self._stamps.pop((place, file), None)
            return None
        with opened:
            stamp = _stamp(opened)
            if self._stamps.get((place, file)) == stamp:
                return stamp
            size = stamp[1]
            if first is None and last is None and size > most:
                raise Missing(f"{file} is too large to be shown here: {size:,} bytes")
            if last is not None and size > last:
                opened.seek(size - last)
                opened.readline()  # the rest of a line
            made = target.with_name(f".{target.name}.new")
            with open(made, "wb") as copy:
                if first is not None:
                    copy.write(opened.read(first))
                    copy.truncate(size)
                else:
                    shutil.copyfileobj(opened, copy)
            os.replace(made, target)
            self._stamps[(place, file)] = stamp
            return stamp

    def _copy_folder(self, file: str, place: Path, there: set[str]) -> bool:
        """Makes an empty folder where the run has a folder, or one of that name."""
        if file in there:
            (place / file).mkdir(exist_ok=True)
        elif (place / file).exists():
            (place / file).rmdir()
        return file in there

    def _copy_lock(self, name: str, place: Path) -> bool:
        """Makes the copy one that a process works on, or none, as the run is."""
        locked = self.root.is_locked(name)
        if locked and name not in self._locked:
            file = open(place / RunLock.NAME, "wb")
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._locked[name] = file
        elif not locked and name in self._locked:
            self._locked.pop(name).close()
        return locked


def _stamp(file: BinaryIO) -> Stamp:
    found = os.fstat(file.fileno())
    return found.st_ino, found.st_size, found.st_mtime_ns

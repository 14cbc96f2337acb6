"""A run's folder: its files, its log, and who works in it.

The folder holds
    config.yaml    the resolved config
    run.json       versions, machine, commit, seed, kind of genome, command, start time, digest of the
                   data; the settings and imports that the run began with, and larger budgets given since
    imports/       copies of the files in the config's `imports` (`zero.config.imports`)
    archive.h5     the discoveries (`zero.runs.archive`)
    checkpoints/   the states to resume from (`zero.runs.checkpoints`)
    best.txt       the text of the best program, or of the best genome of cells
    model.h5, test_predictions.csv    of programs on a table only: the trained program, what it says of test
                   rows (`zero.programs.predicted_rows`)
    best.svg, best_weights.h5    of cells only: a drawing, the trained network (`zero.nn.saved`)
    train.json     of trainings only, which have no archive: their figures
    report.html    what there is to report on the run, for people (`zero.runs.reports`)
    log.jsonl      what happened when; with run.json and the report the only place of clock times
    .lock          held while a process works in the folder (`zero.runs.lock`)
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import re
import shlex
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from zero.errors import ArchiveError
from zero.runs.checkpoints import CheckpointFolder
from zero.runs.lock import RunLock
from zero.system.files import TEMP_SUFFIX, cannot_write, write_bytes
from zero.system.foreign import from_json
from zero.system.sealed import read_sealed, write_sealed

# What is written before run.json, with which a folder becomes that of a run or a training.
_BEFORE_BEGUN = {RunLock.NAME, "config.yaml", "imports", "genome.txt", "cells.svg"}
LOG_BYTES = 10_000_000  # a log that grows beyond this is started anew, with one old part kept


class RunFolder:
    """The folder of one run; opened for writing it is locked until `close` or the process's end.

    path: the folder. checkpoints: its `CheckpointFolder`.
    """

    CONFIG = "config.yaml"
    INFO = "run.json"
    ARCHIVE = "archive.h5"
    LOG = "log.jsonl"
    OLD_LOG = "log.old.jsonl"
    BEST = "best.txt"
    TRAINED = "train.json"
    REPORT = "report.html"

    def __init__(self, path: Path, lock: RunLock | None):
        """Used by `create` and `open`."""
        self.path = path
        self.checkpoints = CheckpointFolder(path / "checkpoints")
        self.archive_path = path / self.ARCHIVE
        self._lock = lock
        self._log: Any = None
        self._made = False  # whether `create` made the folder itself

    @classmethod
    def create(
        cls,
        out: str | Path | None,
        name: str,
        config_text: str,
        info: dict[str, Any] | None,
        runs: str | Path = "runs",
    ) -> RunFolder:
        """Returns a new run folder, locked, with config.yaml in it.

        Args:
            out: the folder, new or empty (`is_new`); None takes the next free number: runs/NAME-001.
            name: the run's name; characters that do not suit a file name become "_".
            config_text: the resolved config, as YAML.
            info: what run.json is to hold, see `run_info`; None: `write_info` is called once all is
                known, and only then the folder is that of a run.
            runs: where numbered folders are made.

        Raises:
            ArchiveError: `out` is not empty or in use, or nothing can be written there.
        """
        path = Path(out) if out is not None else numbered_folder(Path(runs), name)
        made = out is None or not path.exists()
        try:
            path.mkdir(parents=True, exist_ok=True)
            _check_new(path, config_text)  # before the lock leaves a file in it
        except OSError as error:
            raise cannot_write(path, error) from error
        folder = cls(path, RunLock(path))
        try:
            _check_new(path, config_text)  # once more: another process may have been here between
        except BaseException:
            folder.close()
            raise
        folder._made = made
        try:
            write_bytes(path / cls.CONFIG, config_text.encode())
            if info is not None:
                folder.write_info(info)
        except BaseException:
            folder.discard()
            raise
        return folder

    @classmethod
    def open(cls, path: str | Path, write: bool = False) -> RunFolder:
        """Returns an existing run folder; with `write` it is locked.

        Raises:
            ArchiveError: it is not a run folder, or another process is using it.
        """
        path = Path(path)
        if not (path / cls.CONFIG).is_file():
            what = f"has no {cls.CONFIG}" if path.is_dir() else "is not a folder"
            raise ArchiveError(
                f"{path} {what}; give the folder that `zero run` or `zero train` made"
            )
        return cls(path, RunLock(path) if write else None)

    def config_text(self) -> str:
        """Returns the resolved config of the run, as YAML."""
        return self._read(self.CONFIG)

    def info(self) -> dict[str, Any]:
        """Returns the content of run.json."""
        if not (self.path / self.INFO).exists():
            raise ArchiveError(
                f"{self.path} has no {self.INFO}: what was to run there was stopped before it had begun; "
                "start it again, in another folder"
            )
        return read_sealed(self.path / self.INFO)

    def write_config(self, text: str) -> None:
        """Replaces config.yaml in one step."""
        write_bytes(self.path / self.CONFIG, text.encode())

    def write_info(self, info: dict[str, Any]) -> None:
        """Replaces run.json in one step."""
        write_sealed(self.path / self.INFO, info)

    def write_best(self, text: str) -> None:
        """Replaces best.txt in one step."""
        write_bytes(self.path / self.BEST, text.encode())

    def log(self, event: str, **values: Any) -> None:
        """Appends a line to log.jsonl: the time (UTC), the event and its values.

        Never fails: a full disk shows itself at the next checkpoint, where it is handled.
        """
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps(_jsonable({"time": now, "event": event, **values})) + "\n"
        path = self.path / self.LOG
        try:
            if self._log is not None and self._log.tell() > LOG_BYTES:
                self._close_log()
                os.replace(path, self.path / self.OLD_LOG)
            if self._log is None:
                self._log = open(path, "ab", buffering=0)
                if self._log.tell() and not _ends_with_newline(path):
                    line = "\n" + line  # a killed process left half a line
            if self._log.write(line.encode()) < len(line):  # json.dumps gives pure ASCII
                self._close_log()  # the disk is full; opening it again mends the broken line
        except OSError:
            self._close_log()

    def events(self) -> list[dict[str, Any]]:
        """Returns what the log holds, oldest first; lines cut short by a kill are left out."""
        names = (self.OLD_LOG, self.LOG)
        return events_in("\n".join(self._read(n) for n in names if (self.path / n).is_file()))

    def last_events(self, most: int) -> list[dict[str, Any]]:
        """Returns the last events of the log, oldest first: those in its last `most` bytes."""
        try:
            with open(self.path / self.LOG, "rb") as file:
                start = max(0, file.seek(0, os.SEEK_END) - most)
                file.seek(start)
                text = file.read().decode(errors="replace")
        except OSError:
            return []
        return events_in(text.partition("\n")[2] if start else text)

    def discard(self) -> None:
        """Removes all that `create` and its user made, for a run that cannot begin."""
        # The lock last: nobody may begin here what would then be removed.
        for entry in self.path.iterdir():
            if entry.name != RunLock.NAME:
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        (self.path / RunLock.NAME).unlink(missing_ok=True)
        if self._made:
            with contextlib.suppress(OSError):  # somebody has just begun here
                self.path.rmdir()
        self.close()

    def close(self) -> None:
        """Gives the folder free; does nothing the second time."""
        self._close_log()
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _close_log(self) -> None:
        if self._log is not None:
            self._log.close()
            self._log = None

    def _read(self, name: str) -> str:
        try:
            return (self.path / name).read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            raise ArchiveError(f"cannot read {self.path / name}: {error.strerror}") from error


def numbered_folder(runs: Path, name: str) -> Path:
    """Returns runs/NAME-NNN, just made, with the next free number."""
    name = re.sub(r"[^\w.-]", "_", name).lstrip(".") or "run"
    try:
        runs.mkdir(parents=True, exist_ok=True)
        taken = [re.fullmatch(re.escape(name) + r"-(\d+)", old) for old in os.listdir(runs)]
        number = 1 + max((int(match[1]) for match in taken if match), default=0)
        while True:
            path = runs / f"{name}-{number:03d}"
            try:
                path.mkdir()
                return path
            except FileExistsError:  # another run has just taken this number
                number += 1
    except OSError as error:
        raise cannot_write(runs, error) from error


def is_new(path: Path, config_text: str) -> bool:
    """Returns whether a run of this config may begin in a folder: it is empty.

    What a start has left that was killed before the run had begun counts as nothing.
    """
    found = {name for name in os.listdir(path) if not name.endswith(TEMP_SUFFIX)}
    if not found - {RunLock.NAME}:
        return True
    if RunLock.NAME not in found or not found <= _BEFORE_BEGUN:
        return False
    config = path / RunFolder.CONFIG
    return config.is_file() and config.read_bytes() == config_text.encode()


def _check_new(path: Path, config_text: str) -> None:
    if not is_new(path, config_text):
        raise ArchiveError(
            f"folder {path} is not empty; give a new one with --out, or, if it is a run, go on "
            f"with `zero resume {shlex.quote(str(path))}`"
        )


def events_in(text: str) -> list[dict[str, Any]]:
    """Returns the JSON objects among a text's lines."""
    found = []
    for line in text.splitlines():
        try:
            event = from_json(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(event, dict):
            found.append(event)
    return found


def _ends_with_newline(path: Path) -> bool:
    with open(path, "rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def _jsonable(value: Any) -> Any:
    """Returns a value that JSON has: NaN and infinities become None, the unknown becomes text."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(k): _jsonable(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(v) for v in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def run_info(seed: int, command: Sequence[str]) -> dict[str, Any]:
    """Returns what run.json records: versions, machine, commit, seed, command and start time."""
    versions = {"python": platform.python_version()}
    for package in ("numpy", "numba", "h5py"):
        versions[package] = _version(package)
    versions["zero"] = zero_version()
    return {
        "versions": versions,
        "platform": platform.platform(),
        "cpu": _cpu_name(),
        "cpu_count": os.cpu_count(),
        "commit": _commit(),
        "seed": seed,
        "command": shlex.join(command),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def zero_version() -> str:
    """Returns the version of this engine."""
    return _version("zero-discovery")


def _version(package: str) -> str:
    from importlib import metadata  # here, for it takes 30 ms

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "unknown"


def _cpu_name() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        text = ""
    match = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return match[1] if match else platform.processor() or platform.machine()


def _commit() -> str | None:
    """Returns the commit of the checkout that runs ("-dirty" if changed), None outside of one."""
    root = Path(__file__).resolve().parents[2]
    # An installed package may lie inside somebody else's repository: that commit would say nothing.
    if not (root / ".git").exists():
        return None
    import subprocess

    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None

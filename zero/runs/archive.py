"""A run on disk: its folder, and the archive of what it discovered.

The folder holds
    config.yaml    the resolved config
    run.json       versions, machine, commit, seed, command, start time, digest of the data; the
                   settings and imports that the run began with, and larger budgets given since
    imports/       copies of the files in the config's `imports` (`zero.config.imports`)
    archive.h5     the discoveries, see below
    checkpoints/   the states to resume from (`zero.system.trees.CheckpointFolder`)
    best.txt       the text of the best program, or of the best genome of cells
    best.svg, best_weights.h5    of cells only: a drawing, the trained network (`zero.nn.saved`)
    log.jsonl      what happened when; together with run.json the only place of clock times
    .lock          held while a process works in the folder

archive.h5, version 1, a tree of `zero.system.trees`; n records, T search tasks, L instructions:
    seed int, config str, zero_version str
    ops                list of str: the name of op code k is ops[k], whatever later versions have
    experiments        list, one dict for each experiment, in order
      records            columns of length n; a record is an improvement, or an ancestor of one
        id, parent         int64: number in the run, unique; recorded ancestor, -1 = the start
        island             int64: where it was made
        individuals        int64: individuals made on that island until then
        steps              int64: mutations since the recorded parent
        mutation           int16: index into mutation_names (list of str), the last of these steps
        fitness            float64: search fitness
        is_best            bool: a new best of the run
        select_fitness     float64, NaN if it was not evaluated
        task_fitness       float64 (n, T), rows of NaN where not kept
        text               list of str: the program
        code               int16 (n, L, 4): op, in1, in2, out of each instruction; -1: unused row
        consts             float64 (n, L, 3)
        sizes              int16 (n, 3): instructions in setup, predict and learn
      curve              columns: individuals, train_steps, cache_hits int64; best_fitness,
                         mean_fitness, std_fitness float64
      summary            dict: the fields of `Summary`
    results            None while the run goes on; then a dict with at least `RESULT_KEYS`

Of a run over cells (version 2): kind str, "cells"; no ops; records have every candidate, and the
columns of `zero.runs.records.CellRecord` instead of those from task_fitness on, curves with rows of NaN
where a candidate had fewer epochs; results has at least `CELL_RESULT_KEYS`.

Versions. A file's first line says its version. `read_archive` reads every version up to
`ARCHIVE_VERSION`, whatever release wrote it, and refuses newer ones in one line. A kind of genome keeps
its number in `VERSION_OF` while what is written for it can be read by older releases too: they take the
keys that they know, so keys may be added. The number rises (to one above `ARCHIVE_VERSION`) when a key
is taken away, renamed, or gets another meaning, dtype or shape, and with a new kind of genome; the
reader then learns the new version and keeps the old ones, with a test for each. Checkpoints have a
version of their own (`CheckpointFolder.VERSION`) and the same rule; but that a resumed run ends with the
archive of an unbroken one is promised for one release alone.

Nothing in it depends on the clock: the same seed gives the same bytes. Called by `zero.runs.run`,
reports and the command line. The file is long because all that is known of a run's layout is here.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shlex
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from zero.errors import ArchiveError
from zero.runs.records import (
    Record,
    columns_of,
    get,
    get_array,
    get_texts,
    records_from_tree,
    records_tree,
)
from zero.system.trees import (
    CheckpointFolder,
    RunLock,
    cannot_write,
    read_tree,
    write_bytes,
    write_tree,
)

ARCHIVE_VERSION = 2
VERSION_OF = {"programs": 1, "cells": 2}  # programs' archives are read by older versions too
LOG_BYTES = 10_000_000  # a log that grows beyond this is started anew, with one old part kept

CURVE_COLUMNS = {
    "individuals": np.int64,
    "train_steps": np.int64,
    "best_fitness": np.float64,
    "mean_fitness": np.float64,
    "std_fitness": np.float64,
    "cache_hits": np.int64,
}
RESULT_KEYS = {
    "program": str,  # text of the run's outcome
    "record": int,  # its id, -1 if it is not a record
    "reason": str,  # why the run ended
    "individuals": int,  # totals of the run
    "train_steps": int,
    # Each None, or a dict: fitness float (over tasks), task_fitness (T,), task_names T str.
    "search": (dict, type(None)),
    "select": (dict, type(None)),
    "final": (dict, type(None)),
}
# Each of the three parts is None or a dict with a fitness (float); the rest is for reports.
CELL_RESULT_KEYS = {
    "genome": str,
    **{key: kind for key, kind in RESULT_KEYS.items() if key != "program"},
}


@dataclass
class CurvePoint:
    """Progress at one moment; all islands together."""

    individuals: int
    train_steps: int
    best_fitness: float
    mean_fitness: float
    std_fitness: float
    cache_hits: int


@dataclass
class Summary:
    """How an experiment went; `reason` is None while it goes on."""

    reason: str | None = None
    individuals: int = 0
    train_steps: int = 0
    search_fitness: float = float("nan")
    select_fitness: float = float("nan")
    candidate: int = -1  # id of its record, -1 = none


@dataclass(eq=False)
class ExperimentData:
    """What one experiment left: improvements, progress and outcome."""

    records: list[Any] = field(default_factory=list)  # of the kind's `zero.runs.records.KINDS`
    curve: list[CurvePoint] = field(default_factory=list)
    summary: Summary = field(default_factory=Summary)


@dataclass(eq=False)
class ArchiveData:
    """The content of an archive; kind: "programs" or "cells", what its genomes are."""

    seed: int
    config: str
    ops: list[str]
    zero_version: str
    experiments: list[ExperimentData] = field(default_factory=list)
    results: dict[str, Any] | None = None
    kind: str = "programs"


# --- the archive ----------------------------------------------------------------------------------


def write_archive(path: str | Path, data: ArchiveData) -> None:
    """Writes an archive in one step; equal data give equal bytes.

    Raises:
        ValueError: the data contradict each other (a mistake of the caller).
        ArchiveError: the file cannot be written.
    """
    tree = {
        "seed": data.seed,
        "config": data.config,
        "zero_version": data.zero_version,
        "experiments": [_experiment_tree(e, data.kind) for e in data.experiments],
        "results": data.results,
    }
    tree |= {"ops": data.ops} if data.kind == "programs" else {"kind": data.kind}
    _from_tree(tree)  # what could not be read again must not replace a good file
    write_tree(path, tree, "archive", VERSION_OF[data.kind], compress=True)


def read_archive(path: str | Path) -> ArchiveData:
    """Returns the content of an archive, checked: shapes, lengths, sizes, parents and references.

    A folder stands for the archive in it. Works while the run goes on (`results` is then None).

    Raises:
        ArchiveError: the file is missing, foreign, damaged, newer, or contradicts itself.
    """
    path = Path(path)
    if path.is_dir():
        path = path / RunFolder.ARCHIVE
    tree = read_tree(path, "archive", ARCHIVE_VERSION)
    try:
        return _from_tree(tree)
    except ValueError as error:
        raise ArchiveError(f"{path} is not a sound archive: {error}; use a copy of it") from error


def find_record(data: ArchiveData, record_id: int) -> Record:
    """Returns the record with this id.

    Raises:
        ArchiveError: there is none.
    """
    ids = []
    for experiment in data.experiments:
        for record in experiment.records:
            if record.id == record_id:
                return record
            ids.append(record.id)
    known = f"its ids go from {min(ids)} to {max(ids)}" if ids else "it has no records yet"
    raise ArchiveError(f"the archive has no record {record_id}; {known}")


def lineage(data: ArchiveData, record_id: int) -> list[Record]:
    """Returns the record and its recorded ancestors, oldest first.

    It starts at the start of the experiment, or later where a parent was not recorded.

    Raises:
        ArchiveError: there is no such record.
    """
    last = find_record(data, record_id)
    by_id = {r.id: r for e in data.experiments for r in e.records}
    chain: dict[int, Record] = {}
    step: Record | None = last
    while step is not None and step.id not in chain:  # hand-made data may go round in circles
        chain[step.id] = step
        step = by_id.get(step.parent)
    return list(reversed(chain.values()))


def best_record(data: ArchiveData) -> Record | None:
    """Returns the record that the results name, else the one of highest search fitness.

    Of equal ones the earliest; NaN ranks last; None without records.
    """
    records = [r for e in data.experiments for r in e.records]
    if data.results is not None and data.results["record"] != -1:
        return find_record(data, data.results["record"])
    return max(records, key=lambda r: -np.inf if np.isnan(r.fitness) else r.fitness, default=None)


def _experiment_tree(data: ExperimentData, kind: str) -> dict[str, Any]:
    return {
        "records": records_tree(data.records, kind),
        "curve": columns_of(data.curve, CURVE_COLUMNS),
        "summary": dict(vars(data.summary)),
    }


# --- from tree to data, with every check ----------------------------------------------------------


def _from_tree(tree: dict[str, Any]) -> ArchiveData:
    """Returns the data that an archive's tree holds; raises ValueError where it makes no sense."""
    kind = get(tree, "kind", str) if "kind" in tree else "programs"
    if kind not in VERSION_OF:
        raise ValueError(f"'kind' is {kind!r}, expected one of {', '.join(VERSION_OF)}")
    ops = get_texts(tree, "ops") if kind == "programs" else []
    experiments = []
    for number, part in enumerate(get(tree, "experiments", list)):
        try:
            experiments.append(_experiment_from_tree(part, kind, len(ops)))
        except ValueError as error:
            raise ValueError(f"experiment {number}: {error}") from error
    ids = [r.id for e in experiments for r in e.records]
    if len(set(ids)) != len(ids):
        raise ValueError("two records have the same id")
    results = get(tree, "results", (dict, type(None)))
    if results is not None:
        _check_results(results, kind, set(ids))
    return ArchiveData(
        seed=get(tree, "seed", int),
        config=get(tree, "config", str),
        ops=ops,
        zero_version=get(tree, "zero_version", str),
        experiments=experiments,
        results=results,
        kind=kind,
    )


def _experiment_from_tree(tree: Any, kind: str, num_ops: int) -> ExperimentData:
    summary_tree = get(tree, "summary", dict)
    kinds = {"reason": (str, type(None)), "search_fitness": float, "select_fitness": float}
    summary = Summary(
        **{f.name: get(summary_tree, f.name, kinds.get(f.name, int)) for f in fields(Summary)}
    )
    records = records_from_tree(get(tree, "records", dict), kind, num_ops)
    if summary.candidate != -1 and summary.candidate not in {r.id for r in records}:
        raise ValueError(f"its candidate, record {summary.candidate}, is not in the archive")
    curve_tree = get(tree, "curve", dict)
    points = len(get(curve_tree, "individuals", np.ndarray))
    columns = [
        get_array(curve_tree, name, dtype, (points,)).tolist()
        for name, dtype in CURVE_COLUMNS.items()
    ]
    return ExperimentData(
        records, [CurvePoint(*row) for row in zip(*columns, strict=True)], summary
    )


def _check_results(results: dict[str, Any], kind: str, ids: set[int]) -> None:
    for key, kinds in (RESULT_KEYS if kind == "programs" else CELL_RESULT_KEYS).items():
        part = get(results, key, kinds)
        if isinstance(part, dict):
            get(part, "fitness", float)
            if kind == "programs":
                names = get_texts(part, "task_names")
                get_array(part, "task_fitness", np.float64, (len(names),))
    if results["record"] != -1 and results["record"] not in ids:
        raise ValueError(f"its outcome, record {results['record']}, is not in the archive")


# --- the folder -----------------------------------------------------------------------------------


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
        info: dict[str, Any],
        runs: str | Path = "runs",
    ) -> RunFolder:
        """Returns a new run folder, locked, with config.yaml and run.json in it.

        Args:
            out: the folder, new or empty; None takes the next free number: runs/NAME-001.
            name: the run's name; characters that do not suit a file name become "_".
            config_text: the resolved config, as YAML.
            info: what run.json is to hold, see `run_info`.
            runs: where numbered folders are made.

        Raises:
            ArchiveError: `out` is not empty or in use, or nothing can be written there.
        """
        path = Path(out) if out is not None else _numbered_folder(Path(runs), name)
        made = out is None or not path.exists()
        try:
            path.mkdir(parents=True, exist_ok=True)
            _check_empty(path)  # before the lock leaves a file in it
        except OSError as error:
            raise cannot_write(path, error) from error
        lock = RunLock(path)
        try:
            _check_empty(path)  # once more: another process may have been here between
            folder = cls(path, lock)
            folder._made = made
            write_bytes(path / cls.CONFIG, config_text.encode())
            folder.write_info(info)
        except BaseException:
            lock.release()
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
        try:
            info = json.loads(self._read(self.INFO))
        except ValueError as error:
            raise ArchiveError(f"{self.path / self.INFO} is not JSON: {error}") from error
        if not isinstance(info, dict):
            raise ArchiveError(f"{self.path / self.INFO} holds no JSON object")
        return info

    def write_config(self, text: str) -> None:
        """Replaces config.yaml in one step."""
        write_bytes(self.path / self.CONFIG, text.encode())

    def write_info(self, info: dict[str, Any]) -> None:
        """Replaces run.json in one step."""
        text = json.dumps(info, indent=2, default=str)
        write_bytes(self.path / self.INFO, text.encode() + b"\n")

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
        found = []
        for name in (self.OLD_LOG, self.LOG):
            if (self.path / name).is_file():
                for line in self._read(name).splitlines():
                    try:
                        event = json.loads(line)
                    except ValueError:
                        continue
                    if isinstance(event, dict):
                        found.append(event)
        return found

    def discard(self) -> None:
        """Removes all that `create` and its user made, for a run that cannot begin."""
        self.close()
        for entry in self.path.iterdir():
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        if self._made:
            self.path.rmdir()

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


def _numbered_folder(runs: Path, name: str) -> Path:
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


def _check_empty(path: Path) -> None:
    if set(os.listdir(path)) - {RunLock.NAME}:
        raise ArchiveError(
            f"folder {path} is not empty; give a new one with --out, or, if it is a run, go on "
            f"with `zero resume {shlex.quote(str(path))}`"
        )


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

"""An hour of a kind of run, or any time: nothing may grow with it.

Search and training go on for the whole time, or small runs follow one another where one ends by itself.
Now and then these are read from the system: memory of all processes of the run (PSS, so that what they
share counts once), open files, files in the run's folder and its size without the log, the log, shared
memory, and temporary files. After a warm-up, growth is the slope of a robust line (Theil and Sen: the
median of all slopes) over the rest, times the time that it covers; `LIMITS` says how much is none.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from durable.counts import Counts
from durable.kinds import CELL, Kind
from durable.trials import living
from zero.config.load import config_to_yaml

WARM_UP = 0.25  # share of the time: caches fill, libraries are loaded
SAMPLES = 120  # of each kind of run, at least 5 s apart
MB = 1 << 20
# What may be added over the rest of the time: by the archive, which keeps what is found (its candidates, for
# cells and pipelines), and by the log, which is cut at 10 MB. Files: what is kept of the best.
LIMITS = {
    "memory_mb": 40.0, "open_files": 4.0, "files": 6.0, "folder_mb": 40.0, "log_mb": 10.0,
    "shared_memory_mb": 1.0, "temporary_files": 4.0, "processes": 2.0,
}  # fmt: skip


# Settings by which nothing ends a run but its time, and by which its archive, which keeps every candidate,
# takes them as slowly as in use.
_CELLS = ("cells.images.train=600", "cells.skeleton.filters=8")
ENDLESS = {
    "programs": ("experiments={}", "budget={individuals: 1000000000000}"),
    "table": ("budget={individuals: 1000000000000}",),
    "cells": (*_CELLS, "budget={individuals: 1000000000000}"),
    "training": (*_CELLS, "cells.images.train=1000", "cells.training.epochs=100000"),
    "pipelines": ("budget={individuals: 1000000000000}",),
}


def command(kind: Kind, folder: Path, seconds: float) -> list[str]:
    """Returns the command line of a run of so many seconds."""
    path = kind.home / "endless.yaml"
    path.write_text(config_to_yaml(kind.config))
    zero = [sys.executable, "-m", "zero"]
    options = ["--out", str(folder), "--quiet", "--max-seconds", f"{seconds:.1f}"]
    options += [f"--set={setting}" for setting in ENDLESS[kind.name]]
    if kind.name == "training":
        return [*zero, "train", CELL, str(path), "--threads", "1", *options]
    return [*zero, "run", str(path), *options]


def sample(group: int, folder: Path, temporary: Path) -> dict[str, float]:
    """Returns the figures of a run's processes and files at this moment."""
    found: dict[str, float] = dict.fromkeys(LIMITS, 0.0)
    for pid in living(group):
        with contextlib.suppress(OSError):
            memory = Path(f"/proc/{pid}/smaps_rollup").read_text()
            words = [line.split() for line in memory.splitlines()]
            sizes = {w[0]: int(w[1]) / 1024 for w in words if w[-1] == "kB"}
            found["memory_mb"] += sizes.get("Pss:", 0.0)
            found["open_files"] += len(os.listdir(f"/proc/{pid}/fd"))
            found["processes"] += 1
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            size = path.stat().st_size / MB if path.is_file() else 0.0
            found["files"] += 1
            found["log_mb" if path.name.startswith("log.") else "folder_mb"] += size
    with contextlib.suppress(OSError):
        shared = os.statvfs("/dev/shm")
        found["shared_memory_mb"] = (shared.f_blocks - shared.f_bfree) * shared.f_frsize / MB
    found["temporary_files"] = sum(1 for _ in temporary.rglob("*"))
    return found


def growth(times: list[float], values: list[float]) -> float:
    """Returns what a robust line through the values rises by over the times' whole span."""
    pairs = [(i, j) for i in range(len(times)) for j in range(i + 1, len(times))]
    slopes = [(values[j] - values[i]) / (times[j] - times[i]) for i, j in pairs]
    return statistics.median(slopes) * (times[-1] - times[0]) if slopes else 0.0


def soaked(kind: Kind, home: Path, seconds: float) -> Counts:
    """Runs a kind for so many seconds; counts what grew, and keeps by how much."""
    counts, folder = Counts(), home / f"{kind.name}-soak"
    temporary = Path(tempfile.mkdtemp(prefix="soak-", dir=home))
    environment = {**os.environ, "TMPDIR": str(temporary)}
    samples: list[dict[str, float]] = []
    times: list[float] = []
    every = max(min(5.0, seconds / 20), seconds / SAMPLES)
    with tempfile.TemporaryFile() as printed:
        process = subprocess.Popen(
            command(kind, folder, seconds), stdout=printed, stderr=printed, env=environment,
            start_new_session=True,
        )  # fmt: skip
        began = time.monotonic()
        while process.poll() is None:
            time.sleep(min(every, 0.5) if not times else every)
            if process.poll() is None and (folder / "checkpoints").is_dir():
                times.append(time.monotonic() - began)
                samples.append(sample(process.pid, folder, temporary))
            if time.monotonic() - began > seconds + 600:
                counts.fault("hung", f"{kind.name}: does not end after its seconds")
                os.killpg(process.pid, 9)
        printed.seek(0)
        text = printed.read().decode(errors="replace")
    where = f"{kind.name}, {seconds:.0f} s"
    if process.returncode != 0 or "Traceback" in text:
        counts.fault("tracebacks", f"{where}: exit code {process.returncode}: {text[-1000:]}")
    if living(process.pid):
        counts.fault("orphans", where)
    start = next((k for k, t in enumerate(times) if t >= WARM_UP * seconds), len(times))
    grown = {}
    for name, limit in LIMITS.items():
        values = [s[name] for s in samples[start:]]
        grown[name] = growth(times[start:], values)
        if grown[name] > limit:
            counts.fault(
                "grown", f"{where}: {name} by {grown[name]:.1f} over the last three quarters"
            )
    counts.done[f"seconds, {kind.name}"] += round(seconds)
    last = samples[-1] if samples else {}
    shutil.rmtree(folder, ignore_errors=True)
    counts.figures[kind.name] = {
        "seconds": round(seconds), "samples": len(samples),
        "grown": {name: round(value, 2) for name, value in grown.items()},
        "last": {name: round(value, 2) for name, value in last.items()},
    }  # fmt: skip
    return counts

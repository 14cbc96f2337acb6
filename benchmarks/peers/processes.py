"""Commands in processes of their own, with time, peak memory and a hard limit (Linux).

`measured` serves `benchmarks/tables.py`, `memory_mb` also `benchmarks/large_tables.py`.
"""

import os
import signal
import subprocess
import time
import uuid
from pathlib import Path
from typing import Any

EVERY = 0.5  # seconds between samples, which take time themselves
MARK = "ZERO_MEASURED"  # an environment variable that all processes of a command inherit


def memory_mb(pid: int) -> float:
    """Returns the memory of a process in MB, of what it shares its part; 0 if it is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:"))


def marked(mark: str) -> list[int]:
    """Returns all processes with a mark in their environment, those too whose parent is gone."""
    found, text = [], f"{MARK}={mark}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if text in (folder / "environ").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def kill_all(mark: str, patience: float = 60.0) -> None:
    """Kills all processes with a mark, and returns when they are gone.

    Asked again and again: one of them may have started another meanwhile, and a killed process
    stays until its memory is given back. After `patience` seconds it gives up on what is left.
    """
    began = time.perf_counter()
    while (left := marked(mark)) and time.perf_counter() - began < patience:
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.01)


def measured(command: list[str], folder: Path, limit: float) -> dict[str, Any]:
    """Runs a command in a folder and returns what it took.

    Args:
        command: The program and its arguments.
        folder: Where it works, and keeps its temporary files.
        limit: After so many seconds it is killed, with all that it started.

    Returns:
        `seconds`, `peak_mb` (of all its processes together), `failure`: None, or its last line.
    """
    mark, peak, killed = uuid.uuid4().hex, 0.0, False
    environment = os.environ | {MARK: mark, "TMPDIR": str(folder)}
    began = time.perf_counter()
    with (folder / "output.txt").open("w+", errors="replace") as out:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=out, stderr=out, stdin=subprocess.DEVNULL
        )
        try:
            while True:
                try:
                    process.wait(EVERY)
                    break
                except subprocess.TimeoutExpired:
                    peak = max(peak, sum(map(memory_mb, marked(mark))))
                    killed = time.perf_counter() - began > limit
                    if killed:
                        process.kill()
            seconds = time.perf_counter() - began
        finally:
            kill_all(mark)
            process.wait()
        out.seek(0)
        lines = [line.strip() for line in out.read().splitlines() if line.strip()]
    failure = None
    if killed:
        failure = f"killed after {limit:.0f} s"
    elif process.returncode:
        failure = (lines or [""])[-1][:300] or f"exit code {process.returncode}"
    return {"seconds": seconds, "peak_mb": peak, "failure": failure}

"""Every write of a run: killed (-9) before, within and after it, and a disk that is full from it on.

`faults` counts the writes of an unbroken run; for each of them there is a run that it happens to. Real disks
that are full are small ones in memory, which need root: see `small_disks`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

from durable.counts import Counts
from durable.faults import FULL, KILLS, Faults
from durable.kills import Reports, finish, look, phase
from durable.kinds import Whole
from durable.trials import FAILED, Trial, is_one_line

STEP = 4096  # bytes between sizes of small disks at first; a page


def writes_of(whole: Whole, folder: Path) -> int:
    """Returns how many writes an unbroken run makes."""
    counting = Faults(folder)
    trial = Trial(counting.within(lambda: whole.kind.start(folder)))
    assert trial.wait(), f"{whole.kind.name}: does not end"
    trial.end()
    shutil.rmtree(folder)
    return counting.count


def killed_at(whole: Whole, folder: Path, at: int, how: str) -> Counts:
    """Kills a run at one of its writes, looks, and lets it go on to its end."""
    counts, kind = Counts(), whole.kind
    where = f"{kind.name}, killed {how} write {at}"
    fault, reports = Faults(folder, at, how), Reports(kind)
    trial = Trial(fault.within(reports.telling(lambda: kind.start(folder), folder)))
    if not trial.wait():
        counts.fault("hung", where)
    if trial.code == 0:  # it came to fewer writes than the run before
        counts.done["runs that ended before the write"] += 1
    else:
        counts.done["kills"] += 1
        counts.done["kills: at a write"] += 1
        counts.done[f"kills {phase(folder)}"] += 1
    if not trial.end():
        counts.fault("orphans", where)
    look(kind, folder, counts, reports, where)
    reports.close()
    finish(whole, folder, counts, where)
    shutil.rmtree(folder, ignore_errors=True)
    return counts


def full_at(whole: Whole, folder: Path, at: int) -> Counts:
    """Lets the disk be full from one of a run's writes on; then there is room, and the run goes on."""
    counts, kind = Counts(), whole.kind
    where = f"{kind.name}, disk full at write {at}"
    reports = Reports(kind)
    fault = Faults(folder, at, FULL)
    trial = Trial(fault.within(reports.telling(lambda: kind.start(folder), folder)))
    _failed_well(trial, counts, where)
    look(kind, folder, counts, reports, where)
    reports.close()
    finish(whole, folder, counts, where)
    shutil.rmtree(folder, ignore_errors=True)
    return counts


def _failed_well(trial: Trial, counts: Counts, where: str) -> None:
    """Counts how a run ended whose disk was full: with one line, or well where only the log was cut."""
    if not trial.wait():
        counts.fault("hung", where)
    counts.done["full disks"] += 1
    text = trial.printed()
    if trial.code != 0 and not (trial.code == FAILED and is_one_line(text) and "full" in text):
        counts.fault("tracebacks", f"{where}: exit code {trial.code}: {text[-1200:]}")
    if trial.code == 0 and "Traceback" in text:
        counts.fault("tracebacks", f"{where}: {text[-1200:]}")
    if not trial.end():
        counts.fault("orphans", where)


def kills(whole: Whole, folder: Path, every: int = 1) -> list[Callable[[], Counts]]:
    """Returns a kill at each write of a kind of run, or at each `every`-th: before, within or after it."""
    return [
        partial(killed_at, whole, folder / f"{whole.kind.name}-{at}-killed", at, how)
        for number, at in enumerate(_places(whole, folder, every))
        for how in [KILLS[number % len(KILLS)]]
    ]


def full_disks(whole: Whole, folder: Path, every: int = 1) -> list[Callable[[], Counts]]:
    """Returns a disk that is full from each write of a kind of run on, or from each `every`-th."""
    return [
        partial(full_at, whole, folder / f"{whole.kind.name}-{at}-full", at)
        for at in _places(whole, folder, every)
    ]


def _places(whole: Whole, folder: Path, every: int) -> range:
    return range(1, writes_of(whole, folder / f"{whole.kind.name}-counting") + 1, every)


# --- real disks -----------------------------------------------------------------------------------


def can_mount() -> bool:
    """Returns whether this process may mount a small disk."""
    return os.geteuid() == 0 and shutil.which("mount") is not None


def small_disk(whole: Whole, folder: Path, size: int) -> Counts:
    """Runs on a disk in memory of so many bytes, which then becomes larger, and the run goes on."""
    counts, kind = Counts(), whole.kind
    where = f"{kind.name} on a disk of {size:,} bytes"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        counts.done["disks that could not be mounted"] += 1
        return counts
    try:
        counts.done["small disks"] += 1
        run = folder / "run"
        _failed_well(Trial(lambda: kind.start(run)), counts, where)
        look(kind, run, counts, None, where)
        subprocess.run(["mount", "-o", "remount,size=1g", str(folder)], check=True)
        finish(whole, run, counts, where)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
    return counts


def small_disks(whole: Whole, folder: Path, number: int) -> list[Callable[[], Counts]]:
    """Returns runs on disks from one page to all that a run needs, of `number` sizes."""
    if not can_mount():
        return []
    needed = sum(p.stat().st_size for p in whole.folder.rglob("*") if p.is_file())
    most = 2 * needed + 20 * STEP
    sizes = sorted({STEP * max(1, round(most * k / number / STEP)) for k in range(1, number + 1)})
    return [partial(small_disk, whole, folder / f"{whole.kind.name}-{s}", s) for s in sizes]

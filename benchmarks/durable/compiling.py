"""Stopped while compiling, and a cache of compiled code that is damaged or has no room.

Processes of their own (`python -m zero`), each with a cache of code that is empty at first: stopped by
SIGTERM, SIGINT or -9 at a random moment, again and again with what the cache has by then, at last to the end.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

from durable import files
from durable.counts import Counts
from durable.kills import compare, look
from durable.kinds import Whole
from durable.trials import FAILED, Trial, is_one_line
from durable.writes import can_mount

COMPILES = ("programs", "cells", "training")  # kinds with machine code of their own
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
INTERRUPTED = 130
IMPORTS, ALL = 1.5, 40.0  # seconds that imports take, and imports with compiling
LONG = 900.0  # seconds that a whole compilation may take beside other work
STOPS = 3  # of one run


def _process(whole: Whole, folder: Path, cache: Path) -> Trial:
    """Returns a process of its own that starts a run or goes on with it, with a cache of code."""
    command = whole.kind.command(folder)

    def run() -> None:
        os.environ["ZERO_CACHE"] = str(cache)
        os.execv(command[0], command)

    return Trial(run)


def _to_the_end(whole: Whole, folder: Path, cache: Path, counts: Counts, where: str) -> None:
    trial = _process(whole, folder, cache)
    done = trial.wait(LONG)
    text = trial.printed()
    if not done:
        counts.fault("hung", where)
    if done and (trial.code != 0 or "Traceback" in text):
        counts.fault("tracebacks", f"{where}: exit code {trial.code}: {text[-1000:]}")
    if not trial.end():
        counts.fault("orphans", where)
    if done and trial.code == 0:
        compare(whole, folder, counts, where)


def stopped(whole: Whole, folder: Path, seed: str) -> Counts:
    """Stops a run while it compiles, several times, and lets it go on to its end."""
    counts, rng = Counts(), random.Random(seed)
    cache = folder.with_name(f"{folder.name}-cache")
    cache.mkdir(mode=0o700)
    for number in range(STOPS):
        how = rng.choice(SIGNALS)
        where = f"{whole.kind.name}, compiling, stop {number + 1} by {how.name}, seed {seed}"
        trial = _process(whole, folder, cache)
        if trial.wait(rng.uniform(IMPORTS, ALL / 2)):
            trial.end()
            break
        counts.done[f"stops while compiling: {how.name}"] += 1
        (trial.kill_group if rng.random() < 0.5 else trial.kill)(how)
        if not trial.wait(30):
            counts.fault("hung", where)
        text = trial.printed()
        if "Traceback" in text or trial.code not in (0, INTERRUPTED, -how):
            counts.fault("tracebacks", f"{where}: exit code {trial.code}: {text[-1000:]}")
        if not trial.end():
            counts.fault("orphans", where)
        look(whole.kind, folder, counts, None, where)
    _to_the_end(whole, folder, cache, counts, f"{whole.kind.name}, compiling, seed {seed}")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(cache)
    return counts


def damaged(whole: Whole, folder: Path, sound: Path, name: str, flips: int) -> Counts:
    """Damages a file of the cache in several ways; runs must be as they were.

    sound: a sound cache.
    """
    counts, cache = Counts(), folder.with_name(f"{folder.name}-cache")
    for how, place in files.damages((sound / name).stat().st_size, flips, name):
        where = f"{whole.kind.name}, cache, {name}, {how} {place}"
        shutil.copytree(sound, cache)  # with its times: numba looks at them
        files.damage(cache / name, how, place)
        counts.done["damaged files of the cache"] += 1
        _to_the_end(whole, folder, cache, counts, where)
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(cache)
    return counts


def without_room(whole: Whole, folder: Path, size: int) -> Counts:
    """Compiles into a cache on a disk of so many bytes: it works, or says in one line that it is full."""
    counts, cache = Counts(), folder.with_name(f"{folder.name}-cache")
    where = f"{whole.kind.name}, a cache of {size:,} bytes"
    cache.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", str(cache)]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        return counts
    try:
        counts.done["small disks for the cache"] += 1
        trial = _process(whole, folder, cache)
        trial.wait(LONG)
        text = trial.printed()
        if trial.code == 0:
            compare(whole, folder, counts, where)
        elif trial.code != FAILED or not is_one_line(text):
            counts.fault("tracebacks", f"{where}: exit code {trial.code}: {text[-1000:]}")
        trial.end()
    finally:
        subprocess.run(["umount", "-l", str(cache)], check=True)
    shutil.rmtree(folder, ignore_errors=True)
    return counts


def tasks(whole: Whole, folder: Path, times: int, flips: int) -> list[Callable[[], Counts]]:
    """Returns stopped compilations (`times`), damaged caches (`flips` bits a file) and full ones."""
    if whole.kind.name not in COMPILES:
        return []
    name = f"{whole.kind.name}-compiling"
    found = [partial(stopped, whole, folder / f"{name}-{k}", f"{name}-{k}") for k in range(times)]
    if whole.kind.name == "training":  # its code is that of cells
        return found
    sound = folder / f"{name}-sound"
    sound.mkdir(mode=0o700)
    trial = _process(whole, folder / f"{name}-first", sound)
    assert trial.wait(LONG) and trial.code == 0, trial.printed()
    trial.end()
    for number, path in enumerate(sorted(p for p in sound.rglob("*") if p.is_file())):
        if path.suffix != ".pyc":
            own = str(path.relative_to(sound))
            found.append(partial(damaged, whole, folder / f"{name}-d{number}", sound, own, flips))
    if can_mount():
        sizes = [4096 * k for k in (1, 4, 16, 64)]
        found += [partial(without_room, whole, folder / f"{name}-s{size}", size) for size in sizes]
    return found

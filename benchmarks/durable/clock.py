"""A clock that is set back: while a run goes on, and between its pieces.

What Python programs read as the time of day jumps back by hours at every look, and files of a run lie in
the future when it goes on. Nothing may depend on either: durations come from a clock that cannot be set.
"""

from __future__ import annotations

import datetime as dates
import os
import random
import shutil
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from durable.counts import Counts
from durable.kills import compare, finish, look
from durable.kinds import Whole
from durable.trials import Trial

DAY = 86_400.0


def backwards(action: Callable[[], None], seed: str) -> Callable[[], None]:
    """Returns the action, done where the clock is set back at every look, by up to a day."""

    def done() -> None:
        rng, real = random.Random(seed), time.time
        passed = [0.0]

        def now() -> float:
            passed[0] += rng.uniform(0, DAY)
            return real() - passed[0]

        class Day(dates.datetime):
            @classmethod
            def now(cls, tz: dates.tzinfo | None = None) -> dates.datetime:
                return dates.datetime.fromtimestamp(now(), tz)

        import zero.runs.folder

        time.time, time.time_ns = now, lambda: int(1e9 * now())
        zero.runs.folder.datetime = Day  # it has the name from its import
        action()

    return done


def set_back(whole: Whole, folder: Path, seed: str) -> Counts:
    """Stops a run at a random moment, lets it go on from files of tomorrow, under a clock that goes back."""
    counts, kind, rng = Counts(), whole.kind, random.Random(seed)
    where = f"{kind.name}, clock set back, seed {seed}"
    trial = Trial(backwards(lambda: kind.start(folder), seed))
    if not trial.wait(rng.uniform(0.2, 1.0) * whole.seconds):
        trial.kill_group()
        trial.wait()
    if "Traceback" in (text := trial.printed()):
        counts.fault("tracebacks", f"{where}: {text[-1000:]}")
    trial.end()
    look(kind, folder, counts, None, where)
    tomorrow = time.time() + DAY
    for path in folder.rglob("*"):
        os.utime(path, (tomorrow, tomorrow))
    trial = Trial(backwards(lambda: kind.go(folder), seed))
    trial.wait()
    if trial.code != 0 or "Traceback" in trial.printed():
        counts.fault("refused", f"{where}: {trial.printed()[-1000:]}")
    trial.end()
    counts.done["clocks set back"] += 1
    if trial.code == 0:
        compare(whole, folder, counts, where)
    else:
        finish(whole, folder, counts, where)
    shutil.rmtree(folder, ignore_errors=True)
    return counts


def tasks(whole: Whole, folder: Path, number: int) -> list[Callable[[], Counts]]:
    """Returns so many runs under such a clock."""
    name = f"{whole.kind.name}-clock"
    return [partial(set_back, whole, folder / f"{name}-{k}", f"{name}-{k}") for k in range(number)]

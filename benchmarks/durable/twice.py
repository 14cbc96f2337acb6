"""Two processes at once in one folder: one works, the other says in one line that it is in use."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from durable.counts import Counts
from durable.kills import compare, finish
from durable.kinds import Whole
from durable.trials import FAILED, Trial, is_one_line

REFUSALS = ("is in use by", "is not empty", "has no run.json", "has no config.yaml")


def both(whole: Whole, folder: Path, seed: str, resumed: bool) -> Counts:
    """Starts a run twice at the same moment, or lets one go on twice; one must win, and be right."""
    counts, kind, rng = Counts(), whole.kind, random.Random(seed)
    where = f"{kind.name}, two at once, {'resumed' if resumed else 'started'}, seed {seed}"
    if resumed:
        trial = Trial(lambda: kind.start(folder))
        if not trial.wait(rng.uniform(0.3, 0.6) * whole.seconds):
            trial.kill_group()
            trial.wait()
        trial.end()
    begin = time.monotonic() + 0.1

    def at_once() -> None:
        time.sleep(max(0.0, begin - time.monotonic()))
        (kind.go if resumed else kind.start)(folder)

    trials = [Trial(at_once) for _ in range(2)]
    for trial in trials:
        if not trial.wait():
            counts.fault("hung", where)
    won = [trial for trial in trials if trial.code == 0]
    for trial in trials:
        text = trial.printed()
        if trial.code not in (0, FAILED) or "Traceback" in text:
            counts.fault("tracebacks", f"{where}: exit code {trial.code}: {text[-1000:]}")
        elif trial.code == FAILED and not (is_one_line(text) and any(r in text for r in REFUSALS)):
            counts.fault("refused", f"{where}: {text[-1000:]}")
    counts.done["pairs at once"] += 1
    # One that began when the other had ended finds a finished run, which stays as it is.
    if len(won) == 2 and not (resumed and any("ended" in t.printed() for t in trials)):
        counts.fault("both", where)
    for trial in trials:
        trial.end()
    if won:
        compare(whole, folder, counts, where)
    else:
        counts.fault("refused", f"{where}: none of the two worked")
        finish(whole, folder, counts, where)
    shutil.rmtree(folder, ignore_errors=True)
    return counts


def tasks(whole: Whole, folder: Path, number: int) -> list[Callable[[], Counts]]:
    """Returns so many pairs: half of them start, half go on."""
    name = f"{whole.kind.name}-twice"
    return [
        partial(both, whole, folder / f"{name}-{k}", f"{name}-{k}", k % 2 == 1)
        for k in range(number)
    ]

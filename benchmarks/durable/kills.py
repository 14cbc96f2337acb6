"""Kills (-9) at random moments: of a run's first process, of one worker, of all of them.

A run is killed again and again and goes on each time, till it ends; then it is compared with the unbroken
one. After each kill of the first process nothing of the run may live on, the archive opens, and all is
there that was reported as saved before.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

from durable.counts import Counts
from durable.kinds import Kind, Whole
from durable.trials import FAILED, PATIENCE, Trial, is_one_line, wait_until
from zero.errors import ZeroError
from zero.runs.checkpoints import CheckpointFolder
from zero.runs.folder import RunFolder

TARGETS = {"all": 0.5, "first": 0.25, "worker": 0.25}  # and how often
MOST = 8  # kills of one run: then it is let go to its end


class Reports:
    """What a run has said is saved: it says so through a pipe once the write has returned."""

    def __init__(self, kind: Kind):
        self.kind = kind
        self._ours, self._theirs = os.pipe()
        os.set_blocking(self._ours, False)
        self.checkpoint = 0  # number of the newest
        self.held = -1  # by the archive: see `Kind.check_archive`

    def telling(self, action: Callable[[], None], folder: Path) -> Callable[[], None]:
        """Returns the action with reports of what it saves."""

        def told() -> None:
            save = CheckpointFolder.save

            def saved(checkpoints: CheckpointFolder, tree: dict) -> Path:
                path = save(checkpoints, tree)
                held = self.kind.check_archive(folder)
                os.write(self._theirs, f"{path.stem.split('-')[1]} {held}\n".encode())
                return path

            CheckpointFolder.save = saved
            action()

        return told

    def read(self) -> None:
        """Takes what has been reported."""
        try:
            text = os.read(self._ours, 1 << 20).decode()
        except BlockingIOError:
            return
        for line in text.splitlines():
            words = line.split()
            if len(words) == 2:  # the last may be cut short
                self.checkpoint = max(self.checkpoint, int(words[0]))
                self.held = max(self.held, int(words[1]))

    def close(self) -> None:
        """Closes the pipe."""
        os.close(self._ours)
        os.close(self._theirs)


def look(kind: Kind, folder: Path, counts: Counts, reports: Reports | None, where: str) -> None:
    """Counts what a kill has left behind and must not have."""
    try:
        held = kind.check_archive(folder)
    except ZeroError as error:
        counts.fault("not_opened", f"{where}: {error}")
        held = None
    checkpoints = RunFolder(folder, None).checkpoints
    try:
        loaded = checkpoints.load()
        if loaded is not None and loaded[1]:
            counts.fault("not_opened", f"{where}: {loaded[1]}")
    except ZeroError as error:
        counts.fault("not_opened", f"{where}: {error}")
    if reports is None:
        return
    reports.read()
    newest = int(paths[-1].stem.split("-")[1]) if (paths := checkpoints.paths()) else 0
    if newest < reports.checkpoint:
        counts.fault("lost", f"{where}: checkpoint {reports.checkpoint}, newest is {newest}")
    if held is not None and held < reports.held:
        counts.fault("lost", f"{where}: the archive holds {held}, it has held {reports.held}")


def phase(folder: Path) -> str:
    """Returns how far a run had come, by what is in its folder."""
    if not (folder / RunFolder.INFO).exists():
        return "at the start"
    if not (folder / "checkpoints").is_dir():
        return "before the first checkpoint"
    ended = any((folder / name).exists() for name in ("best.txt", "network.h5", "models"))
    return "at the end" if ended else "in the search"


def finish(whole: Whole, folder: Path, counts: Counts, where: str) -> None:
    """Lets a run go on to its end, and compares it with the unbroken one."""
    kind = whole.kind
    trial = Trial(lambda: kind.go(folder))
    done = trial.wait()
    text = trial.printed()
    if not done:
        counts.fault("hung", f"{where}: {text[-500:]}")
    elif trial.code != 0:
        counts.fault(
            "refused" if trial.code == FAILED else "tracebacks", f"{where}: {text[-1000:]}"
        )
    if not trial.end():
        counts.fault("orphans", where)
    if done and trial.code == 0:
        compare(whole, folder, counts, where)


def compare(whole: Whole, folder: Path, counts: Counts, where: str) -> None:
    """Counts what of an ended run is not as in the unbroken one."""
    counts.done["runs compared"] += 1
    found, wanted = whole.kind.outcome(folder), whole.outcome
    wrong = sorted(n for n in found.keys() | wanted.keys() if found.get(n) != wanted.get(n))
    left = [n for n in wrong if n.endswith(".zero-tmp")]
    if left:
        counts.fault("left", f"{where}: {left}")
    if set(wrong) - set(left):
        counts.fault("different", f"{where}: {wrong}")


def killed_run(whole: Whole, folder: Path, seed: str, alone: bool = False) -> Counts:
    """Kills one run again and again, and compares how it ends.

    seed: of the moments and targets. alone: in processes of their own, `python -m zero`.
    """
    counts, rng = Counts(), random.Random(seed)
    kind = whole.kind
    reports = None if alone else Reports(kind)
    start = 1.5 if alone else 0.0  # seconds that imports take
    kills = 0
    while kills < MOST:
        where = f"{kind.name}, seed {seed}, kill {kills + 1}"
        # Long waits reach the end of the run, short ones its beginning.
        most = (start + whole.seconds) * rng.choice([0.15, 0.5, 1.0])
        target = rng.choices(list(TARGETS), list(TARGETS.values()))[0]
        if alone:
            command = kind.command(folder)
            trial = Trial(lambda command=command: os.execv(command[0], command))
        else:
            action = reports.telling(lambda: kind.go(folder), folder)
            trial = Trial(action)
        # What comes before the workers are there takes as long as a small search.
        if target == "worker" or rng.random() < 0.5:
            wait_until(lambda trial=trial: trial.ended() or bool(trial.workers()), PATIENCE)
        if trial.wait(rng.uniform(0.0, most)):
            _by_itself(trial, counts, where)
            trial.end()
            break
        where += f" ({target}, {phase(folder)})"
        kills += 1
        workers = trial.workers()
        if target == "worker" and not workers:
            target = "first"
        counts.done[f"kills: {target}"] += 1
        counts.done[f"kills {phase(folder)}"] += 1
        if target == "worker":
            os.kill(rng.choice(workers), signal.SIGKILL)
            if trial.wait(rng.uniform(0.0, 2 * whole.seconds)):
                _by_itself(trial, counts, where)
                trial.end()
                look(kind, folder, counts, reports, where)
                continue
        if target == "all":
            trial.kill_group()
        trial.kill()
        trial.wait()
        text = trial.printed()
        if "Traceback" in text:
            counts.fault("tracebacks", f"{where}: {text[-1000:]}")
        if not trial.end():
            counts.fault("orphans", where)
        look(kind, folder, counts, reports, where)
    finish(whole, folder, counts, f"{kind.name}, seed {seed}, after {kills} kills")
    if reports:
        reports.close()
    counts.done["kills"] += kills
    shutil.rmtree(folder, ignore_errors=True)
    return counts


def _by_itself(trial: Trial, counts: Counts, where: str) -> None:
    """Counts how a piece ended that was not killed: well, or with one line."""
    text = trial.printed()
    if trial.code == FAILED and is_one_line(text):
        counts.done["pieces that ended with one line"] += 1
    elif trial.code != 0 or "Traceback" in text:
        counts.fault("tracebacks", f"{where}: exit code {trial.code}: {text[-1000:]}")

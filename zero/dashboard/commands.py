"""Commands of zero in processes of their own: what the button begins, and what a page asks of a model."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, BinaryIO

from zero.errors import ConfigError

ZERO = [sys.executable, "-m", "zero"]
LOOK = [sys.executable, "-m", "zero.dashboard.look"]
LONGEST = 180.0  # seconds that an answer may take


def answer(command: list[str], seconds: float = LONGEST) -> str:
    """Returns what a command prints.

    Raises:
        ConfigError: it failed, with the line that it told, or took too long.
    """
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds,
            env=_environment(),
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise ConfigError(f"it took more than {seconds:.0f} seconds and was stopped") from None
    if done.returncode != 0:
        said = last_error(done.stderr.decode(errors="replace"))
        raise ConfigError(said or f"it ended with {done.returncode} and said nothing")
    return done.stdout.decode(errors="replace")


class Begun:
    """A run that was begun here, in a process of its own that survives the dashboard.

    Args:
        command: to run.
        folder: in which, and where it is the run's; what it says goes into `said`.
    """

    def __init__(self, command: list[str], folder: Path, said: Path):
        self.said = said
        self.stopping = False
        log: BinaryIO
        with open(said, "wb") as log:
            self.process = subprocess.Popen(
                command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, env=_environment(),
            )  # fmt: skip

    def stop(self) -> None:
        """Lets it end as after Ctrl-C, so that it can go on later."""
        if self.process.poll() is None:
            self.stopping = True
            self.process.send_signal(signal.SIGTERM)

    def about(self) -> dict[str, Any]:
        """Returns how it stands; said: why it failed, in one line."""
        status = self.process.poll()
        found: dict[str, Any] = {"ended": status is not None, "stopping": self.stopping, "said": ""}
        if status not in (None, 0, 130):
            try:
                found["said"] = last_error(self.said.read_text(errors="replace")[-20_000:])
            except OSError:
                pass
            found["said"] = found["said"].replace(f"{self.said.parent}/", "")
            found["said"] = found["said"] or f"it ended with {status} and said nothing"
        return found


def last_error(text: str) -> str:
    """Returns what the last line that begins with `error: ` says, "" if there is none."""
    lines = [line for line in text.splitlines() if line.startswith("error: ")]
    return lines[-1].removeprefix("error: ") if lines else ""


def _environment() -> dict[str, str]:
    """Returns the environment, in which this very zero is found whatever the folder."""
    import zero

    place = str(Path(zero.__file__).resolve().parents[1])
    paths = [place, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)), "COLUMNS": "1000"}

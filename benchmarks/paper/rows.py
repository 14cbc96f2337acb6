"""Rows of results that come one by one, on any machine, any day: a file for each experiment.

`benchmarks/results/paper/NAME.json` holds `{"rows": [...]}`. A row is written as soon as it is known, with
the machine and the commit that it came from, while the file is locked, so that several processes may
add to it at once; a script asks for what is there and goes on with what is missing.
"""

import fcntl
import json
import os
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

from zero.runs.folder import run_info

RESULTS = Path(__file__).parent.parent / "results" / "paper"
OF_MACHINE = ("cpu", "cpu_count", "commit", "versions", "started")


class Rows:
    """The rows of one experiment.

    Args:
        name: of the experiment, and of its file.
        folder: where files lie.
    """

    def __init__(self, name: str, folder: Path = RESULTS):
        self.path = folder / f"{name}.json"

    def all(self) -> list[dict[str, Any]]:
        """Returns the rows there are now, in the order in which they came."""
        if not self.path.exists():
            return []
        found: list[dict[str, Any]] = json.loads(self.path.read_text())["rows"]
        return found

    def where(self, **wanted: Any) -> list[dict[str, Any]]:
        """Returns the rows that have these values."""
        return [row for row in self.all() if all(row.get(k) == v for k, v in wanted.items())]

    def has(self, **wanted: Any) -> bool:
        """Returns whether there is a row with these values."""
        return bool(self.where(**wanted))

    def add(self, row: dict[str, Any]) -> None:
        """Writes a row at once, with machine and commit.

        Raises:
            ValueError: it holds something that JSON has no word for, such as infinity.
        """
        info = run_info(0, [])
        row = row | {"machine": {key: info[key] for key in OF_MACHINE}}
        json.dumps(row, allow_nan=False)
        self._write(lambda rows: [*rows, row])

    def complete(self, row: dict[str, Any], more: dict[str, Any]) -> None:
        """Adds what was found later of a row that is there."""
        self._write(lambda rows: [old | more if old == row else old for old in rows])

    def _write(self, changed: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            text = json.dumps({"rows": changed(self.all())}, indent=1, allow_nan=False) + "\n"
            temporary = self.path.with_suffix(".new")
            temporary.write_text(text)
            os.replace(temporary, self.path)


def core_seconds() -> float:
    """Returns the seconds of computing of this process and of those that it started and that ended."""
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(u.ru_utime + u.ru_stime for u in map(resource.getrusage, kinds))

"""A run's report as a file in its folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from zero.runs.folder import RunFolder
from zero.system.files import write_bytes
from zero.system.signals import Stop, Stops


def write_report(kind: Any, path: Path, domain: Any = None) -> Path:
    """Writes the report on a run into its folder, in one step; returns the file.

    kind: of its genomes. domain: of the run, if it is at hand; its data are not read again then.

    Raises:
        ArchiveError: there is nothing to report yet, or it cannot be written.
    """
    from zero.runs.reports.page import page

    file = path / RunFolder.REPORT
    write_bytes(file, page(kind.report(path, domain)).encode())
    return file


def leave_report(
    kind: Any, path: Path, domain: Any, stops: Stops, message: Callable[[str], None]
) -> None:
    """Writes the report on a run that has ended; whatever goes wrong with it, the run has ended well.

    stops: leave it out. message: tells people why there is none.
    """
    from zero.evolution.forks import in_child

    try:
        with stops.at_once():
            # In a child: it may take long, and what it needs need not stay in memory.
            in_child(lambda: write_report(kind, path, domain), patient=True)
    except Stop:
        message(f"the report is left out; `zero report {path} -o FILE.html` writes it")
    except Exception as error:
        message(f"no report could be written: {(str(error).splitlines() or [repr(error)])[0]}")

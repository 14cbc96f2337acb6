"""A run's report as a file in its folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zero.runs.folder import RunFolder
from zero.system.files import write_bytes


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

"""What of a run goes into a library."""

from __future__ import annotations

from pathlib import Path

from zero.errors import ArchiveError
from zero.runs.archive import best_record, find_record, read_archive
from zero.runs.discoveries import Discovery, discovery_of
from zero.runs.load import know_kind
from zero.runs.records import BaseRecord


def discoveries_in(run: str, every_best: bool = False) -> list[Discovery]:
    """Returns the discoveries of a run that a user names: its outcome, or that of highest fitness so far.

    Args:
        run: its folder or archive, or RUN#ID of a record.
        every_best: of a run, all that were the best of it when they were found.

    Raises:
        ArchiveError: it is no run, or holds nothing yet, or no such record.
        ConfigError: its kind of genome is not known here.
    """
    name, mark, number = run.rpartition("#")
    alone = Path(run).exists() or not (mark and number.isdigit())
    path = Path(run if alone else name)
    if not path.exists():
        raise ArchiveError(f"there is no run {path}; `zero list runs` shows those in runs/")
    know_kind(path)
    data = read_archive(path)
    found: list[BaseRecord]
    if not alone:
        found = [find_record(data, int(number))]
    else:
        best = best_record(data)
        found = [] if best is None else [best]
        if every_best and best is not None:
            others = (r for e in data.experiments for r in e.records)
            found += [r for r in others if r.is_best and r.id != best.id]
    if not found:
        raise ArchiveError(f"{path} holds no discovery yet")
    return [discovery_of(path, data, record) for record in found]

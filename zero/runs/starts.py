"""Earlier runs that a search starts from (`search.start_from`): which of their genomes, read once.

Their texts are kept in the run's run.json, so that it goes on when the earlier runs are gone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zero.errors import ConfigError, ZeroError
from zero.runs import discoveries
from zero.runs.archive import ArchiveData, best_record, find_record, read_archive
from zero.runs.records import BaseRecord
from zero.system.trees import kind_of_file


@dataclass(frozen=True)
class Start:
    """A genome of an earlier run: run as it was named, id of its record there, the genome's text."""

    run: str
    id: int
    text: str

    def __str__(self) -> str:
        """Returns how a message names it."""
        return f"record {self.id} of {self.run}"


def read_starts(names: Sequence[str], count: int, kind: str, wanted: str) -> list[Start]:
    """Returns the genomes of earlier runs to start from, run by run, the best first.

    Args:
        names: RUN (its outcome, then its fittest other genomes), RUN#ID, or the file of a discovery.
        count: different genomes of each RUN.
        kind: of genomes.
        wanted: what the genomes must be, in words.

    Raises:
        ConfigError: one is no run, of another kind, or has no such genome.
    """
    found: dict[str, Start] = {}
    for name in names:
        run, mark, number = name.rpartition("#")
        path = Path(run if mark else name)
        if mark and not number.isdigit():
            raise _wrong(f"'{name}': after # stands the number of a record")
        try:
            if kind_of_file(path) == discoveries.KIND:
                found.setdefault(*_of_discovery(path, kind, wanted))
                continue
            data = read_archive(path)
            if data.kind != kind:
                raise _wrong(
                    f"{path} is a run over {data.kind}; start_from needs one over {wanted}"
                )
            records = [find_record(data, int(number))] if mark else _best(data, count)
        except ConfigError:
            raise
        except ZeroError as error:
            raise _wrong(f"{path} cannot be used: {error}") from None
        if not records:
            raise _wrong(f"{path} holds no genome that was evaluated; start_from needs one")
        for record in records:
            found.setdefault(record.text, Start(str(path), record.id, record.text))
    return list(found.values())


def _of_discovery(path: Path, kind: str, wanted: str) -> tuple[str, Start]:
    """Returns the genome of an entry of a library, and where it comes from."""
    entry = discoveries.read_discovery(path)
    if entry.kind != kind:
        raise _wrong(f"{path} is a discovery of {entry.kind}; start_from needs one over {wanted}")
    return entry.text, Start(str(path), entry.run["record"], entry.text)


def _best(data: ArchiveData, count: int) -> list[BaseRecord]:
    """Returns the outcome's record and the fittest others, earlier ones first, no text twice."""
    best = best_record(data)
    if best is None:
        return []
    records: list[Any] = [r for e in data.experiments for r in e.records]
    # Of cells that are the same in other words one, which the others name.
    records = [r for r in records if math.isfinite(r.fitness) and getattr(r, "same_as", -1) < 0]
    # The outcome first: with several experiments it need not be the fittest of the search.
    records.sort(key=lambda r: (r.id != best.id, -r.fitness))
    different = {r.text: r for r in reversed(records)}
    return [r for r in records if different[r.text] is r][:count]


def _wrong(message: str) -> ConfigError:
    return ConfigError(f"search.start_from: {message}")

"""A library: a user's discoveries across runs, each form of genome once.

A library is a folder:
    entries/XX/FORM-REST.h5    one discovery of one run each (`zero.runs.discoveries`, which has the schema);
                               FORM is the digest of its canonical form, XX its first two digits, REST
                               tells apart what several runs found
    index-1.sqlite             what lists are made of (`zero.collection.index`); can be deleted

Entries are written once, in one step, and never changed: what is in the same file was found by the same run.
So any number of processes may add to a library at once, it can be copied and merged file by file, and
what is damaged is one entry. The same genome found again is another entry of the same form.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from zero.collection import index
from zero.collection.place import default_library
from zero.errors import ArchiveError
from zero.runs.discoveries import (
    FIGURES,
    Discovery,
    head_of_discovery,
    read_discovery,
    write_discovery,
)
from zero.system.files import cannot_write, write_bytes

ENTRIES = "entries"
NAME = re.compile(r"[0-9a-f]{32}-[0-9a-f]{32}\.h5")
SHOWN = 12  # digits of a form that people are shown

Sort = Literal["fitness", "size", "date"]


@dataclass(frozen=True)
class Entry:
    """A form of genome in a library, with the figures of the best of its findings.

    id: digest of its canonical form. fitness, select_fitness, final_fitness: None if not known. added: when
    the first was added. files: of each finding, the best first. runs: their names.
    """

    id: str
    kind: str
    task: str
    fitness: float | None
    select_fitness: float | None
    final_fitness: float | None
    size: int
    size_unit: str
    added: str
    files: tuple[Path, ...] = field(repr=False)
    runs: tuple[str, ...] = ()

    @property
    def findings(self) -> int:
        """How many runs, or records, have found it."""
        return len(self.files)

    def plain(self) -> dict[str, Any]:
        """Returns it as JSON can hold it."""
        files = [str(path) for path in self.files]
        return {**vars(self), "files": files, "runs": list(self.runs), "findings": self.findings}


class Library:
    """See the module's docstring.

    Args:
        folder: of the library, made by the first `add`; None: the user's (`default_library`).

    problems: after `entries`, a line for each entry that cannot be read, all of which are left out.
    """

    def __init__(self, folder: str | Path | None = None):
        self.folder = default_library() if folder is None else Path(folder)
        self.problems: list[str] = []

    def add(self, found: Discovery) -> tuple[Path, bool]:
        """Adds a discovery; returns its file, and whether it is new: what is there stays as it is.

        Raises:
            ArchiveError: nothing can be written there.
        """
        path = self._place(found.file_name)
        if path.exists():
            return path, False
        write_discovery(path, found)
        return path, True

    def entries(
        self,
        kind: str | None = None,
        task: str | None = None,
        sort: Sort = "fitness",
        top: int | None = None,
    ) -> list[Entry]:
        """Returns the forms in it.

        Args:
            kind: of genome; None: all.
            task: part of what they were evaluated on, in any case; None: all.
            sort: "fitness": the final one, the largest first, then those without by that of their search;
                "size": the smallest first; "date": the last that were added first.
            top: so many; None: all.

        Raises:
            ArchiveError: there is no library, or it cannot be read.
        """
        forms: dict[str, list[index.Row]] = {}
        for row in self._rows():
            fits = task is None or task.casefold() in row["task"].casefold()
            if fits and kind in (None, row["kind"]):
                forms.setdefault(row["form"], []).append(row)
        found = sorted(map(self._entry, forms.values()), key=lambda e: e.id)
        found.sort(key=_ORDERS[sort])
        return found[:top]

    def find(self, prefix: str) -> Entry:
        """Returns the form whose id begins so; a file's name will do.

        Raises:
            ArchiveError: there is none, or several.
        """
        wanted = prefix.strip().lower().partition("-")[0]
        found = [e for e in self.entries() if e.id.startswith(wanted) and wanted]
        if not found:
            raise ArchiveError(
                f"the library {self.folder} has no discovery '{prefix}'; `zero archive list` shows all"
            )
        if len(found) > 1:
            ids = ", ".join(e.id[: max(SHOWN, len(wanted) + 2)] for e in found[:5])
            raise ArchiveError(f"'{prefix}' stands for several: {ids}; give more digits")
        return found[0]

    def read(self, entry: Entry) -> list[Discovery]:
        """Returns all findings of a form, the best first; raises ArchiveError if none can be read."""
        found, errors = [], []
        for path in entry.files:
            try:
                found.append(read_discovery(path))
            except ArchiveError as error:
                errors.append(str(error))
        if not found:
            raise ArchiveError(errors[0])
        return found

    def merge(self, other: Library) -> tuple[int, int]:
        """Adds what another library has; returns how many entries are new, and how many were there.

        Entries that cannot be read are left out: see the other's `problems`.

        Raises:
            ArchiveError: there is no other library, or nothing can be written here.
        """
        new = old = 0
        for entry in other.entries():
            for file in entry.files:
                path = self._place(file.name)
                if path.exists():
                    old += 1
                    continue
                try:
                    read_discovery(file)
                    content = file.read_bytes()
                except ArchiveError as error:  # damaged since it was indexed
                    other.problems.append(str(error))
                    continue
                write_bytes(path, content)
                new += 1
        return new, old

    # --- within ---------------------------------------------------------------------------------

    def _place(self, name: str) -> Path:
        path = self.folder / ENTRIES / name[:2] / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(path.parent, error) from error
        return path

    def _rows(self) -> list[index.Row]:
        entries = self.folder / ENTRIES
        if not entries.is_dir():
            raise ArchiveError(
                f"there is no library {self.folder} yet; `zero archive add RUN` begins one, --library "
                "or ZERO_LIBRARY names another"
            )
        try:
            rows = index.rows(self.folder, entries, _row)
        except OSError as error:
            raise ArchiveError(
                f"cannot read the library {self.folder}: {error.strerror}"
            ) from error
        self.problems = [row["problem"] for row in rows if row["problem"]]
        return [row for row in rows if not row["problem"]]

    def _entry(self, rows: Iterable[index.Row]) -> Entry:
        rows = sorted(rows, key=lambda r: (_rank(r), r["added"], r["file"]))
        best = {key: rows[0][key] for key in ("kind", "task", *FIGURES, "size", "size_unit")}
        return Entry(
            id=rows[0]["form"],
            **best,
            added=min(row["added"] for row in rows),
            files=tuple(self.folder / ENTRIES / row["folder"] / row["file"] for row in rows),
            runs=tuple(dict.fromkeys(row["name"] for row in rows)),
        )


def _row(path: Path) -> index.Row:
    """Returns what the index has of an entry; `problem` says why it cannot be read."""
    try:
        head = head_of_discovery(path)
        if not NAME.fullmatch(path.name) or not path.name.startswith(head["form"]):
            raise ArchiveError(f"{path} has another name than its content; use a copy of it")
    except ArchiveError as error:
        return {"problem": str(error)}
    return {key: _storable(value) for key, value in head.items()}


def _storable(value: Any) -> Any:
    """Returns a value as SQLite can hold it: no lone surrogates, no infinities."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    return value if not isinstance(value, float) or math.isfinite(value) else None


def _rank(row: Any) -> tuple[bool, float]:
    """Returns what to sort by: those with a final fitness first, then by that of the search."""
    final, search = row["final_fitness"], row["fitness"]
    if final is not None:
        return False, -final
    return True, float("inf") if search is None else -search


def _by_fitness(entry: Entry) -> Any:
    return _rank(vars(entry))


def _by_date(entry: Entry) -> Any:
    return tuple(-ord(character) for character in entry.added)


_ORDERS: dict[str, Any] = {"fitness": _by_fitness, "size": lambda e: e.size, "date": _by_date}

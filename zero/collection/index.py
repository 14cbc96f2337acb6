"""The index of a library: what its lists are made of, in SQLite, so that entries need not be read.

It is a cache and nothing else: the entries are the truth, and whatever the index lacks, or has wrong, is
read from them again. Writers of entries do not touch it, so any number of them can work at once; who
reads brings it up to date. It has the default journal: that of SQLite's write-ahead log is unsafe on network
file systems, which nothing tells apart from others, and a cache gains little by it.

A folder of entries is listed again if its time of change differs from what the index has, and so is one that
changed within the last two seconds: file systems' clocks are coarse. Files are read again if their size or
time differs.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

VERSION = 1  # of the tables; another one is made anew
FILE = f"index-{VERSION}.sqlite"
PATIENCE = 30.0  # seconds to wait for other processes
COARSE = 2_000_000_000  # nanoseconds
COLUMNS = {
    "form": "TEXT", "kind": "TEXT", "task": "TEXT", "fitness": "REAL", "select_fitness": "REAL",
    "final_fitness": "REAL", "size": "INTEGER", "size_unit": "TEXT", "name": "TEXT", "added": "TEXT",
    "problem": "TEXT",
}  # fmt: skip
TABLES = (
    "CREATE TABLE IF NOT EXISTS folders (name TEXT PRIMARY KEY, changed INTEGER)",
    "CREATE TABLE IF NOT EXISTS entries (folder TEXT, file TEXT, bytes INTEGER, changed INTEGER, "
    + ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
    + ", PRIMARY KEY (folder, file))",
    "CREATE INDEX IF NOT EXISTS forms ON entries (form)",
)

Row = dict[
    str, Any
]  # of an entry: COLUMNS, folder and file; problem: why it cannot be read, or None


def rows(library: Path, entries: Path, read: Callable[[Path], Row]) -> list[Row]:
    """Returns a row for each entry, those that cannot be read included.

    Args:
        library: the folder of the index.
        entries: the folder with folders of entries.
        read: gives an entry's row; never raises.

    Raises:
        OSError: the entries cannot be listed.
    """
    path = library / FILE
    for _ in range(2):
        try:
            with contextlib.closing(_open(path)) as connection:
                return _up_to_date(connection, entries, read)
        except sqlite3.OperationalError:  # it cannot be written to: no permission, a full disk
            break
        except (
            sqlite3.DatabaseError
        ):  # it is damaged; what other processes have open fails or goes on
            with contextlib.suppress(OSError):
                path.with_name(f"{FILE}-journal").unlink(missing_ok=True)
                path.unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        _make(connection)
        return _up_to_date(connection, entries, read)


def _open(path: Path) -> sqlite3.Connection:
    """Returns a connection to an index whose pages are sound.

    Raises:
        sqlite3.DatabaseError: it is damaged.
        sqlite3.OperationalError: it cannot be opened or written.
    """
    connection = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)
    try:
        if connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            raise sqlite3.DatabaseError(f"{path} is damaged")
        _make(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _make(connection: sqlite3.Connection) -> None:
    connection.row_factory = sqlite3.Row
    for table in TABLES:
        connection.execute(table)
    known = {row["name"] for row in connection.execute("PRAGMA table_info(entries)")}
    if not {"folder", "file", "bytes", "changed", *COLUMNS} <= known:
        raise sqlite3.DatabaseError("it has a table of this name, but another one")


def _up_to_date(
    connection: sqlite3.Connection, entries: Path, read: Callable[[Path], Row]
) -> list[Row]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        known = dict(connection.execute("SELECT name, changed FROM folders").fetchall())
        present = _folders(entries)
        for name in known.keys() - present.keys():
            connection.execute("DELETE FROM entries WHERE folder = ?", (name,))
            connection.execute("DELETE FROM folders WHERE name = ?", (name,))
        for name, changed in present.items():
            if known.get(name) != changed:
                settled = time.time_ns() - changed > COARSE
                _list_again(connection, entries / name, read)
                mark = changed if settled else None
                connection.execute("INSERT OR REPLACE INTO folders VALUES (?, ?)", (name, mark))
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise
    found = [dict(row) for row in connection.execute("SELECT * FROM entries ORDER BY folder, file")]
    if not all(map(_is_sound, found)):
        raise sqlite3.DatabaseError("a value is of another type than its column")
    return found


def _is_sound(row: Row) -> bool:
    """Returns whether a row's values are of the types that their columns have."""
    if row["problem"]:
        return isinstance(row["problem"], str)
    types = {"TEXT": str, "REAL": float | None, "INTEGER": int}
    values = [(row[name], types[kind]) for name, kind in COLUMNS.items() if name != "problem"]
    return all(isinstance(value, of) for value, of in values)


def _list_again(connection: sqlite3.Connection, folder: Path, read: Callable[[Path], Row]) -> None:
    """Brings the entries of a folder up to date."""
    query = "SELECT file, bytes, changed FROM entries WHERE folder = ?"
    known = {
        row["file"]: (row["bytes"], row["changed"])
        for row in connection.execute(query, (folder.name,))
    }
    present: dict[str, tuple[int, int]] = {}
    with contextlib.suppress(OSError), os.scandir(folder) as found:
        for entry in found:
            if entry.name.endswith(".h5") and _is_plain(entry.name) and entry.is_file():
                state = entry.stat()
                present[entry.name] = (state.st_size, state.st_mtime_ns)
    for name in known.keys() - present.keys():
        connection.execute("DELETE FROM entries WHERE folder = ? AND file = ?", (folder.name, name))
    for name, its in present.items():
        if known.get(name) != its:
            row = {**dict.fromkeys(COLUMNS), **read(folder / name)}
            values = [folder.name, name, *its, *(row[key] for key in COLUMNS)]
            marks = ", ".join("?" * len(values))
            connection.execute(f"INSERT OR REPLACE INTO entries VALUES ({marks})", values)


def _folders(entries: Path) -> dict[str, int]:
    """Returns the folders of entries, and when each was changed, in nanoseconds."""
    try:
        with os.scandir(entries) as found:
            return {e.name: e.stat().st_mtime_ns for e in found if e.is_dir() and _is_plain(e.name)}
    except FileNotFoundError:
        return {}


def _is_plain(name: str) -> bool:
    return name.isascii() and not name.startswith(".")

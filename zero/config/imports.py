"""Files and modules that configs import: executed once a process, kept with the run that they made.

A run's folder holds copies of the files, `imports/0-NAME.py` and so on, and run.json digests of all
(key `imports`). What is loaded from such a folder executes the copies, so that a run stays one thing
whatever becomes of the originals. Called by `zero.programs.checks` and `zero.runs.run`.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.abc
import importlib.util
import sys
from pathlib import Path
from typing import Any

from zero.errors import ConfigError
from zero.system.files import make_folder, write_bytes
from zero.system.sealed import read_sealed

FOLDER = "imports"


class _Source(importlib.abc.SourceLoader):
    """Loads a module from the bytes that were read, and leaves no compiled file beside it."""

    def __init__(self, source: bytes, name: str, path: Path):
        self.source, self.name, self.path = source, name, path

    def get_data(self, path: str) -> bytes:
        return self.source

    def get_filename(self, fullname: str) -> str:
        return str(self.path)


def execute(name: str, kept: Path | None = None) -> None:
    """Imports a module, or executes a .py file unless that text was executed before.

    kept: a run's copy of the file, which is executed instead.

    Raises:
        Exception: whatever the import raises.
        ConfigError: this process has executed the file with another text.
    """
    if not name.endswith(".py"):
        importlib.import_module(name)
        return
    before = _executed().get(name)
    if before is not None and kept is None:
        return
    path = Path(kept or name)
    source = path.read_bytes()
    if before is not None and before != source:
        raise ConfigError("another version of it has been imported before; begin a new process")
    if source in _executed().values():
        return
    loader = _Source(source, name, path)
    digest = hashlib.sha256(name.encode()).hexdigest()[:12]
    module_name = f"zero_import_{Path(name).stem}_{digest}"
    spec = importlib.util.spec_from_file_location(module_name, path, loader=loader)
    assert spec is not None  # it is None where no loader is given
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        loader.exec_module(module)
    except BaseException:
        del sys.modules[module_name]
        raise


def is_new(name: str) -> bool:
    """Returns whether this process has not yet executed that file, or imported that module."""
    return name not in (_executed() if name.endswith(".py") else sys.modules)


def _executed() -> dict[str, bytes]:
    """Returns the texts that were executed in this process, by the names of their files."""
    loaders = [getattr(module, "__loader__", None) for module in list(sys.modules.values())]
    return {x.name: x.source for x in loaders if isinstance(x, _Source)}


def keep(names: list[str], folder: Path) -> list[dict[str, str]]:
    """Copies the executed files to a run's folder; returns what run.json is to say of all imports."""
    found = []
    for number, name in enumerate(names):
        if not name.endswith(".py"):
            source = _module_source(name)
        else:
            # Where the same text was executed for another file, this one has it, too.
            source = _executed().get(name) or Path(name).read_bytes()
            path = _copy(folder, number, name)
            make_folder(path.parent)
            write_bytes(path, source)
        found.append({"name": name, "sha256": hashlib.sha256(source).hexdigest()})
    return found


def kept_in(folder: Path) -> dict[str, Path]:
    """Returns the copies in a run's folder by the names of the files; none of another folder.

    Raises:
        ConfigError: a copy has been changed or is gone.
    """
    copies = {}
    for number, entry in enumerate(recorded(folder)):
        if entry["name"].endswith(".py"):
            path = _copy(folder, number, entry["name"])
            if _digest(path) != entry["sha256"]:
                raise ConfigError(
                    f"{path} is not what the run began with; put the old file back, or start a new "
                    "run"
                )
            copies[entry["name"]] = path
    return copies


def changed(folder: Path) -> list[str]:
    """Returns a line for each file whose original is not any more what a run began with.

    Raises:
        ConfigError: it is a module, of which the run has no copy.
    """
    lines = []
    for number, entry in enumerate(recorded(folder)):
        name = entry["name"]
        if name.endswith(".py"):
            now = _digest(Path(name))
            if now != entry["sha256"]:
                what = "has changed since the run began" if now else "is gone"
                copy = _copy(folder, number, name)
                lines.append(f"{name} {what}; the run goes on with the copy that it keeps, {copy}")
        elif hashlib.sha256(_module_source(name)).hexdigest() != entry["sha256"]:
            raise ConfigError(
                f"imports: the module {name} has changed since the run began, so it cannot go on as "
                "if unbroken; put the old one back, or start a new run"
            )
    return lines


def recorded(folder: Path) -> list[dict[str, str]]:
    """Returns what a run.json says of imports: names and digests; [] where there is none."""
    file = folder / "run.json"
    return recorded_in(read_sealed(file) if file.exists() else {})


def recorded_in(info: Any) -> list[dict[str, str]]:
    """Returns the same of the content of run.json."""
    try:
        return [
            {"name": str(entry["name"]), "sha256": str(entry["sha256"])}
            for entry in info.get("imports", [])
        ]
    except (TypeError, KeyError, AttributeError):
        return []


def _copy(folder: Path, number: int, name: str) -> Path:
    return folder / FOLDER / f"{number}-{Path(name).name}"


def _digest(path: Path) -> str:
    """Returns the digest of a file, "" if it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except (OSError, ValueError):  # ValueError: a NUL in its name
        return ""


def _module_source(name: str) -> bytes:
    """Returns the text of a module's own file, nothing where it has none."""
    try:
        spec = importlib.util.find_spec(name)
        return Path(spec.origin).read_bytes() if spec and spec.origin else b""
    except (ImportError, ValueError, OSError):
        return b""

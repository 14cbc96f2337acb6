"""Files that a run's settings name: where relative paths start, and what is wrong with `imports`.

Called by `zero.config.load` and the kinds of genomes.
"""

from __future__ import annotations

import os
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from zero.config import imports, trust, yaml
from zero.config.yaml import Document, Loc, Problem
from zero.errors import ConfigError, ZeroError, visible
from zero.system.own_code import fault_of


def resolve_imports(document: Document, data: dict[str, Any], folder: Path) -> None:
    """Makes `imports` in `data` absolute where they are paths of files."""
    imports = data.get("imports")
    if isinstance(imports, list):
        data["imports"] = [
            absolute(document, name, ("imports", i), folder) if is_path(name, ".py") else name
            for i, name in enumerate(imports)
        ]


def absolute(document: Document, value: Any, loc: Loc, folder: Path) -> str:
    """Returns a path made absolute: those on the command line start where the user is."""
    return str((Path.cwd() if document.override_of(loc) else folder) / value)


def is_path(value: Any, suffix: str = ".") -> bool:
    """Returns whether a value is text that must be a file's path rather than a name."""
    return isinstance(value, str) and ("/" in value or "\\" in value or suffix in value)


def run_imports(document: Document, data: dict[str, Any]) -> list[Problem]:
    """Imports the Python files and modules that `imports` names; returns what failed.

    Each is executed once a process, however often a config is loaded. What it prints goes to
    standard error: standard output is for results. So does a line before what another user wrote.

    Raises:
        ConfigError: the config is that of a run from elsewhere, which is not trusted.
        KeyboardInterrupt: while a file is executed.
    """
    names = data.get("imports")
    # Of another type: reported as wrong later.
    texts = (
        {i: name for i, name in enumerate(names) if isinstance(name, str)}
        if isinstance(names, list)
        else {}
    )
    if document.of_run and document.file is not None:
        folder = document.file.parent
        trust.check(folder, list(texts.values()), imports.recorded(folder), document.kept)
    problems = []
    for i, name in texts.items():
        if not document.of_run and imports.is_new(name) and _of_others(document.file, name):
            print(f"note: executing {visible(name)} (imports)", file=sys.stderr, flush=True)
        try:
            with redirect_stdout(sys.stderr):
                imports.execute(name, document.kept.get(name))
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            message = f"'{visible(name)}' cannot be imported: {_reason(error, name)}"
            problems.append(document.problem(("imports", i), message))
    return problems


def _of_others(config: Path | None, name: str) -> bool:
    """Returns whether the config's file or the imported one belongs to another user."""
    files = [config] if config else []
    files += [Path(name)] if name.endswith(".py") else []
    for file in files:
        try:
            if os.stat(file).st_uid != os.geteuid():
                return True
        except (OSError, ValueError):
            continue  # not there: told when it is opened
    return False


def _reason(error: BaseException, name: str) -> str:
    """Returns what an import did instead of coming to its end, where, and what to do."""
    if isinstance(error, FileNotFoundError) and str(error.filename) == name:
        return "there is no such file; give a .py file or a module's name"
    fault = fault_of(error)
    if isinstance(error, ZeroError):
        return fault
    if isinstance(error, SystemExit):
        return (
            f"{fault}: it ends the program; take that out, or put it under "
            'if __name__ == "__main__":'
        )
    if isinstance(error, ImportError | FileNotFoundError):
        return f"{fault}; give a .py file or a module's name"
    return f"{fault}; mend the file"


def import_again(folder: Path) -> None:
    """Imports what the config.yaml in a run's or training's folder names, the copies that it keeps.

    Raises:
        ConfigError: that fails, the config cannot be read as YAML, or it is a run from elsewhere, which
            is not trusted.
    """
    path = folder / "config.yaml"
    if path.is_file():
        document = yaml.parse(path.read_text(encoding="utf-8", errors="replace"), str(path))
        document.file, document.of_run = path, True
        document.kept = imports.kept_in(folder)
        problems = run_imports(document, document.data)
        if problems:
            raise ConfigError("\n".join(map(str, problems)))

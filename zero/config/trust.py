"""Whether a run's imports may be executed: only if this user began the run on this machine, or says so.

run.json holds a signature of the names and digests of what the run imports, by a key of the user's
(`zero.system.user_key`). A folder from elsewhere has none that is right, and neither has one that an
older zero made: it is refused, until the user has looked at the files and says `trusting`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from zero.errors import ArchiveError, ConfigError, visible
from zero.system import user_key
from zero.system.foreign import from_json

SIGNATURE = "imports_signature"  # in run.json
MOST_NAMED = 5
# Beside a config.yaml these say that it is a run's, and not one that a user wrote.
_OF_RUNS = ("run.json", "archive.h5", "train.json", "log.jsonl", "checkpoints")

_trusting: ContextVar[bool] = ContextVar("trusting", default=False)


@contextmanager
def trusting(wanted: bool = True) -> Iterator[None]:
    """Within it, imports of runs from elsewhere are executed; with False it changes nothing."""
    token = _trusting.set(wanted or _trusting.get())
    try:
        yield
    finally:
        _trusting.reset(token)


def is_trusting() -> bool:
    """Returns whether the user has said to execute whatever a run imports."""
    return _trusting.get()


def is_of_run(config: Path) -> bool:
    """Returns whether a config's file is the one in the folder of a run or of a training."""
    return config.name == "config.yaml" and any(
        (config.parent / name).exists() for name in _OF_RUNS
    )


def signed(recorded: list[dict[str, str]]) -> str:
    """Returns the signature of what run.json says of a run's imports.

    Raises:
        ArchiveError: there is no key, and none can be made.
    """
    return user_key.sign(_content(recorded))


def check(folder: Path, names: list[str], recorded: Any, files: dict[str, Path]) -> None:
    """Checks that a run's imports may be executed.

    Args:
        folder: of the run.
        names: that its config imports.
        recorded: imports that run.json records, as a list of dicts.
        files: the run's own copies of files, by their names.

    Raises:
        ConfigError: this user did not begin the run here, and has not said to trust it; it names what
            would be executed.
    """
    if is_trusting() or not names:
        return
    signature = _info(folder).get(SIGNATURE)
    known = {entry["name"] for entry in recorded}
    if known.issuperset(names) and user_key.is_signed(_content(recorded), signature):
        return
    shown = [
        visible(str(files.get(name, name))[:200])
        if name.endswith(".py")
        else f"the module {visible(name[:100])}"
        for name in names[:MOST_NAMED]
    ]
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    raise ConfigError(
        f"{folder} was not begun by you on this machine, or by an older zero: this would execute "
        f"{', '.join(shown)}{more}; look at what that does, then give --trust-imports (in Python "
        f"trust_imports=True){_without_key()}"
    )


def _without_key() -> str:
    try:
        user_key.sign(b"")
    except ArchiveError as error:
        return f"; no run counts as yours, since {error}"
    return ""


def _info(folder: Path) -> dict[str, Any]:
    try:
        info = from_json((folder / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return info if isinstance(info, dict) else {}


def _content(recorded: list[dict[str, str]]) -> bytes:
    pairs = [[entry["name"], entry["sha256"]] for entry in recorded]
    return b"zero imports 1\n" + json.dumps(pairs).encode()

"""JSON files that tell whether they are as they were written: the last key is a digest of the others.

The digest is of the values, not of the text: spaces and the order of keys count for nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zero.errors import ArchiveError
from zero.system.files import write_bytes
from zero.system.foreign import from_json

DIGEST = "sha256"


def write_sealed(path: str | Path, values: Mapping[str, Any], indent: int = 2) -> None:
    """Writes values as JSON, and their digest, in one step; what JSON does not have becomes text.

    Raises:
        ArchiveError: the file cannot be written.
    """
    plain = json.loads(json.dumps({k: v for k, v in values.items() if k != DIGEST}, default=str))
    text = json.dumps({**plain, DIGEST: _digest(plain)}, indent=indent)
    write_bytes(path, text.encode() + b"\n")


def read_sealed(path: str | Path) -> dict[str, Any]:
    """Returns the values in a file; one of an older version, without a digest, is believed.

    Raises:
        ArchiveError: it cannot be read, or is damaged.
    """
    try:
        found = from_json(Path(path).read_text(encoding="utf-8", errors="replace"))
    except OSError as error:
        raise ArchiveError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise ArchiveError(f"{path} is not JSON: {error}; use a copy of it") from error
    if not isinstance(found, dict):
        raise ArchiveError(f"{path} holds no JSON object; use a copy of it")
    digest = found.pop(DIGEST, None)
    if digest is not None and digest != _digest(found):
        raise ArchiveError(
            f"{path} is damaged, or was changed by hand: its checksum is wrong; use a copy of it"
        )
    return found


def _digest(values: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()

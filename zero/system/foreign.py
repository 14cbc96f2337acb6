"""Files that somebody else may have made or changed: what is not as zero writes it ends in one line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from zero.errors import ArchiveError

# What Python raises where values are not those that code expects.
_FAULTS = (
    ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError, AssertionError,
)  # fmt: skip


def from_json(text: str | bytes) -> Any:
    """Returns what a JSON text holds; raises ValueError, also where it is nested too deeply."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


@contextmanager
def content_of(what: object) -> Iterator[None]:
    """Within it a file's content is used, which a checksum alone does not make right.

    what: the file or folder, for messages.

    Raises:
        ArchiveError: for an error that values cause which are not as zero writes them.
    """
    try:
        yield
    except _FAULTS as error:
        raise ArchiveError(
            f"{what} is not as zero writes it ({type(error).__name__}: "
            f"{' '.join(str(error).split())[:200]}); use a copy of it; if zero wrote it, please report "
            "this with --debug"
        ) from error

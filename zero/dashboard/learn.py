"""Runs that are begun on a page: not yet."""

from __future__ import annotations

from typing import Any


class Learning:
    """What was begun here; root: where."""

    def __init__(self, root: Any, most_bytes: int):
        self.root, self.most_bytes = root, most_bytes

    def knows(self, name: str) -> bool:
        """Returns whether a run was begun here."""
        return False

    def about(self, name: str) -> dict[str, Any] | None:
        """Returns what is known of a run that was begun here."""
        return None


def routes_of(learning: Learning, page: Any) -> list[Any]:
    """Returns the pages that begin runs."""
    return []

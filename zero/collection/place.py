"""Where a user's library is."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "ZERO_LIBRARY"


def default_library() -> Path:
    """Returns the folder of the user's library, which need not exist yet.

    ZERO_LIBRARY, else zero/library in XDG_DATA_HOME or ~/.local/share.
    """
    own = os.environ.get(VARIABLE)
    if own:
        return Path(own).expanduser()
    data = os.environ.get("XDG_DATA_HOME", "")
    base = Path(data) if os.path.isabs(data) else Path.home() / ".local" / "share"
    return base / "zero" / "library"

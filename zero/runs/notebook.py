"""Progress for people who call `zero.start` from Python: in a terminal, in a notebook, or nowhere.

Called by `zero.runs.run`.
"""

from __future__ import annotations

import sys
import time
from typing import TextIO

from zero.runs.progress import Clock, PlainReporter, Reporter, make_reporter


def default_reporter() -> Reporter:
    """Returns the reporter where none was given: it says nothing in scripts without a terminal."""
    if _in_notebook():
        return NotebookReporter(sys.stdout)
    if sys.stderr is not None and sys.stderr.isatty():
        return make_reporter("auto", sys.stderr)
    return Reporter()


def _in_notebook() -> bool:
    """Returns whether this is a kernel with a page in front, such as Jupyter's."""
    ipython = sys.modules.get("IPython")  # a notebook has imported it
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and hasattr(shell, "kernel")


class NotebookReporter(PlainReporter):
    """As `PlainReporter`, with the figures in one line that is written anew."""

    def __init__(self, stream: TextIO, interval: float = 0.5, clock: Clock = time.monotonic):
        super().__init__(stream, interval, clock)
        self.width = 0  # of the line that is written anew, 0 without one

    def _line(self, text: str) -> None:
        self.close()
        super()._line(text)

    def _figures(self, text: str) -> None:
        self.output.write("\r" + text.ljust(self.width))
        self.output.flush()
        self.width = max(self.width, len(text))

    def close(self) -> None:
        """Ends the line of figures: what follows starts on a line of its own."""
        if self.width:
            self.width = 0
            super()._line("")

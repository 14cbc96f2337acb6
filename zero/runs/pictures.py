"""Pictures of runs, drawn by matplotlib: what all kinds share.

A kind of genome says what can be drawn of a run (`zero.runs.kind.Kind.pictures`); here it is made a file.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from zero.errors import ConfigError, ZeroError
from zero.system.files import write_bytes

Draw = Callable[
    [Any], None
]  # draws into an empty `matplotlib.figure.Figure`, whose size it may change

ENDINGS = (".svg", ".png")
# Beside matplotlib's own: light, quiet, and the same file each time.
STYLE = {
    "axes.edgecolor": "#888888", "axes.grid": True, "axes.axisbelow": True, "axes.spines.top": False,
    "axes.spines.right": False, "axes.titlesize": 11, "axes.titlelocation": "left", "font.size": 10,
    "grid.color": "#e6e6e6", "legend.frameon": False, "legend.fontsize": 9, "savefig.dpi": 150,
    "svg.hashsalt": "zero",
}  # fmt: skip


def check(output: Path) -> None:
    """Raises ConfigError if a file's name does not tell how to write it, ZeroError without matplotlib."""
    if output.suffix.lower() not in ENDINGS:
        raise ConfigError(
            f"cannot tell how to write {output}: give a name in {' or '.join(ENDINGS)}"
        )
    _matplotlib()


def save(draw: Draw, output: Path) -> None:
    """Draws a picture into a file, in one step; the same picture gives the same bytes."""
    matplotlib = _matplotlib()
    from matplotlib.figure import Figure  # not pyplot, which looks for a screen

    form = output.suffix.lower().removeprefix(".")
    written = io.BytesIO()
    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # a user's own settings may be dark
        matplotlib.rcParams.update(STYLE)
        figure = Figure(figsize=(6, 5), layout="constrained", facecolor="white")
        draw(figure)
        figure.savefig(written, format=form, metadata={"Date": None} if form == "svg" else None)
    write_bytes(output, written.getvalue())


def _matplotlib() -> Any:
    try:
        import matplotlib
    except ImportError:
        raise ZeroError("drawing needs matplotlib: pip install 'zero-discovery[plot]'") from None
    return matplotlib

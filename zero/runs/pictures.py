"""Pictures of runs, drawn by matplotlib: what all kinds share.

A kind of genome says what can be drawn of a run (`zero.runs.kind.Kind.pictures`); here it is made a file.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from zero.errors import ConfigError
from zero.system.files import write_bytes

Draw = Callable[
    [Any], None
]  # draws into an empty `matplotlib.figure.Figure`, whose size it may change

ENDINGS = (".svg", ".png")
# The colours of pictures; in a report's page each is a variable of its style sheet.
INK, SOFT, LINE, PAPER = "#1c2024", "#7c858d", "#dfe3e6", "#fefefe"
OWN, OTHER, THIRD, FOURTH = "#1f5fa8", "#d9822b", "#3a8a5c", "#8a4fa0"
_VARIABLES = {
    INK: "ink", SOFT: "soft", LINE: "line", PAPER: "paper",
    OWN: "own", OTHER: "other", THIRD: "third", FOURTH: "fourth",
}  # fmt: skip
# Beside matplotlib's own: light, quiet, and the same file each time.
STYLE = {
    "axes.edgecolor": SOFT, "axes.labelcolor": INK, "axes.grid": True, "axes.axisbelow": True,
    "axes.spines.top": False, "axes.spines.right": False, "axes.titlecolor": INK, "axes.titlesize": 11,
    "axes.titlelocation": "left", "font.size": 10, "grid.color": LINE, "legend.frameon": False,
    "legend.fontsize": 9, "legend.labelcolor": INK, "savefig.dpi": 150, "text.color": INK,
    "xtick.color": SOFT, "xtick.labelcolor": INK, "ytick.color": SOFT, "ytick.labelcolor": INK,
}  # fmt: skip


def check(output: Path) -> None:
    """Raises ConfigError if a file's name does not tell how to write it."""
    if output.suffix.lower() not in ENDINGS:
        raise ConfigError(
            f"cannot tell how to write {output}: give a name in {' or '.join(ENDINGS)}"
        )


def save(draw: Draw, output: Path) -> None:
    """Draws a picture into a file, in one step; the same picture gives the same bytes."""
    write_bytes(output, _drawn(draw, output.suffix.lower().removeprefix("."), "white", "zero"))


def inline(draw: Draw, name: str) -> str:
    """Returns a picture as an SVG element of a report's page, in the page's colours, dark or light.

    name: of the picture, unique in its page.
    """
    text = _drawn(draw, "svg", "none", name, **{"svg.fonttype": "none"}).decode()
    text = text[text.index("<svg") :]
    for color, variable in _VARIABLES.items():
        text = text.replace(color, f"var(--{variable})")
    return text.strip()


def _drawn(draw: Draw, form: str, paper: str, salt: str, **settings: Any) -> bytes:
    import matplotlib
    from matplotlib.figure import Figure  # not pyplot, which looks for a screen

    written = io.BytesIO()
    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # a user's own settings may be dark
        wanted: Any = {**STYLE, "svg.hashsalt": salt, "axes.facecolor": paper, **settings}
        matplotlib.rcParams.update(wanted)
        figure = Figure(figsize=(6, 5), layout="constrained", facecolor=paper)
        draw(figure)
        figure.savefig(written, format=form, metadata={"Date": None} if form == "svg" else None)
    return written.getvalue()

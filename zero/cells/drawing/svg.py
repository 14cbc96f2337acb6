"""Drawings of cells as SVG: what reads what, from left to right.

A box is a node: its ops, one below the other, then their sum. Colours tell kinds of op, found by what
an op builds, so that an op needs no entry here. The text is self-contained (own background, no fonts
or scripts) and the same for equal genomes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from html import escape

from zero.cells.drawing.layout import Arrangement, Box, arrange
from zero.cells.drawing.parts import Part
from zero.cells.genome import Genome
from zero.cells.ops import SLIM, add_op
from zero.nn.layers import LAYER_KINDS
from zero.nn.layers.record import Layer
from zero.nn.network import Builder

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif"
INK, FAINT_INK, FRAME, PAPER, PANEL = "#1f2937", "#667085", "#d5dae1", "#ffffff", "#f4f6f9"
# Kind of op: its fill and its edge. Of those that an op's layers name, the first one counts.
FAMILIES = {
    "separable convolution": ("#dbeafe", "#4a87c7"),
    "dilated convolution": ("#e6dffb", "#7f63c6"),
    "convolution": ("#fcdfec", "#c45088"),
    "average pooling": ("#d7f1e1", "#3c9a6b"),
    "max or min pooling": ("#fdeacb", "#c5832b"),
    "identity": ("#ffffff", "#8a94a3"),
    "fully connected": ("#fbdcd4", "#c2603f"),
    "motif": ("#d9f0f4", "#3d8fa3"),
    "zeros": ("#e7eaef", "#b3bac5"),
}
# Wires by the box that they come from: inputs first, then nodes.
WIRES = ("#0f766e", "#b4530a", "#1d4ed8", "#a21c5b", "#6d3fc0", "#4d7c0f", "#475569")
NODES = ("node", "join")  # parts of several ops
SIZE = 12.5  # of letters
LETTER = 6.9  # width of one, on average
PILL, PILL_STEP = 24.0, 30.0  # height of an op, and from one to the next
RADIUS = 10.0  # of a sum's circle
JOINT = 26.0  # room between ops and their sum
PORT_STEP = 13.0  # between wires into the output
MARGIN, HEADING, PAD = 18.0, 40.0, 20.0
MOST_ABREAST = 1400.0  # two cells wider than this stand one below the other


def draw_svg(genome: Genome, title: str | None = None) -> str:
    """Returns a drawing of a genome's cells, side by side (one below the other if they are wide).

    A reduction cell that equals the normal cell is not drawn again. Nodes that the output does not
    depend on are faint in NASNet-like cells and left out of the others, as are NAS-Bench-201's `none`
    edges. Equal arguments give equal text.
    """
    if genome.reduction is None:
        panels = genome.normal.panels()
    elif genome.reduction == genome.normal:
        panels = {"Normal and reduction cell": genome.normal.parts()}
    else:
        panels = {
            "Normal cell": genome.normal.parts(),
            "Reduction cell": genome.reduction.parts(),
        }
    drawings = [_Drawing(name, parts) for name, parts in panels.items()]
    lines, x, y = [], MARGIN, MARGIN
    if title:
        lines.append(_text(MARGIN + 4, MARGIN + 10, title, size=17, weight=600, anchor="start"))
        y += 30
    abreast = sum(drawing.width for drawing in drawings) <= MOST_ABREAST
    widest = max(drawing.width for drawing in drawings)
    tallest = max(drawing.height for drawing in drawings)
    width = height = 0.0
    for drawing in drawings:
        size = (drawing.width, tallest) if abreast else (widest, drawing.height)
        lines.append(drawing.panel(x, y, *size))
        width, height = x + size[0], y + size[1]
        x, y = (width + MARGIN, y) if abreast else (x, height + MARGIN)
    width, height = width + MARGIN, height + MARGIN
    name = title or f"Cells of space {genome.space}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_n(width)} {_n(height)}" '
        f'width="{_n(width)}" height="{_n(height)}" role="img" font-family="{FONT}" '
        f'font-size="{SIZE}">\n<title>{_t(name)}</title>\n<desc>{_t(str(genome))}</desc>\n'
        f"{_rounded(0.5, 0.5, width - 1, height - 1, 12, PAPER, FRAME)}{''.join(lines)}</svg>\n"
    )


def short_label(op: str) -> str:
    """Returns an op's name in plain words, such as "sep 3x3" for sep3.

    Names that follow no known pattern keep their letters.
    """
    words = re.sub(r"^nor_|-bn-relu$|_connect$", "", op)
    words = {"id": "identity", "skip": "identity", "none": "zeros"}.get(words, words)
    words = re.sub(r"^(dil_)?(\dx\d)$", r"\1conv \2", words)
    words = re.sub(r"(?<=\dx\d)_(?=\dx\d)", " then ", words)
    words = re.sub(r"_?pool_?(?=\d)", " ", words)
    words = re.sub(r"(?<=[a-z]{3})(\d)$", r" \1x\1", words)
    words = re.sub(r"(?<=[a-z]{3})(?=\dx\d$)", " ", words)
    return " ".join(words.replace("_", " ").split())


@lru_cache(maxsize=256)
def op_family(op: str) -> str:
    """Returns the key in `FAMILIES` of an op, from the layers that it makes."""
    builder = Builder((32, 32, 8))
    add_op(builder, op, 0, 8, 1, SLIM)
    return family_of(builder.layers[1:])


def family_of(layers: Sequence[Layer]) -> str:
    """Returns the key in `FAMILIES` of what makes these layers."""
    if any(layer.dilation > 1 for layer in layers):
        return "dilated convolution"
    found = {LAYER_KINDS[layer.kind].drawn_as for layer in layers}
    return next((family for family in FAMILIES if family in found), "identity")


# --- parts as boxes -----------------------------------------------------------------------------


class _Drawing:
    """A cell's drawing; width and height are the smallest of its panel."""

    def __init__(self, name: str, parts: list[Part]):
        longest = max((len(short_label(op)) for part in parts for op in part.ops), default=0)
        self._name, self._parts = name, parts
        self._boxes = [_box(part, max(84.0, LETTER * longest + 16)) for part in parts]
        self._arrangement = arrange(self._boxes)
        self.width = self._arrangement.width + 2 * PAD
        self.height = self._arrangement.height + HEADING + PAD

    def panel(self, x: float, y: float, width: float, height: float) -> str:
        """Returns the drawing in the middle of a panel of that place and size."""
        arrangement = self._arrangement
        lines = [_wires(arrangement, i, part.faint) for i, part in enumerate(self._parts)]
        for i, (part, box) in enumerate(zip(self._parts, self._boxes, strict=True)):
            ops = [part.ops[k] for k in arrangement.order[i]] if part.kind in NODES else part.ops
            drawn = _draw_part(part, ops, box, arrangement.x[i], arrangement.y[i], _wire_colour(i))
            lines.append(f'<g opacity="0.4">\n{drawn}</g>\n' if part.faint else drawn)
        left = x + (width - arrangement.width) / 2
        top = y + HEADING + (height - HEADING - PAD - arrangement.height) / 2
        return (
            _rounded(x, y, width, height, 10, PANEL)
            + _text(x + 14, y + 20, self._name, weight=600, anchor="start")
            + f'<g transform="translate({_n(left)} {_n(top)})">\n{"".join(lines)}</g>\n'
        )


def _box(part: Part, pill: float) -> Box:
    """Returns the size of a part and where wires enter it; `pill` is the width of an op."""
    count = len(part.reads)
    if part.kind == "input":
        return Box((), (), 46.0, 26.0)
    step = {"node": PILL_STEP, "join": PILL_STEP, "output": PORT_STEP}.get(part.kind, 0.0)
    ports = tuple((k - (count - 1) / 2) * step for k in range(count))
    if part.kind == "output":
        return Box(part.reads, ports, 26.0, max(66.0, PORT_STEP * count + 14))
    height = max(48.0, PILL_STEP * len(part.ops) + 10)
    return Box(part.reads, ports, pill + JOINT + 2 * RADIUS, height)


def _draw_part(part: Part, ops: Sequence[str], box: Box, x: float, y: float, colour: str) -> str:
    """Returns the drawing of a box whose left end and middle are given; ops from top to bottom."""
    if part.kind == "input":
        shape = _rounded(x, y - 13, box.width, 26, 13, PAPER, colour, 1.8)
        return shape + _text(x + box.width / 2, y, part.name, weight=600)
    if part.kind == "output":
        shape = _rounded(x, y - box.height / 2, box.width, box.height, 8, INK)
        return shape + _text(x + 13, y, part.name, PAPER, turned=True)
    right = x + box.width
    pill = box.width - JOINT - 2 * RADIUS
    summed = len(part.reads) > 1
    # Ops stand out of one side of the card, the circle of the sum out of the other: a node's at the
    # right, that of all others at the left.
    if part.kind not in NODES and summed:
        start, circle = right - pill, x + RADIUS
        card, name_at, edge = (circle, right - 12), circle + RADIUS + JOINT / 2, right - pill
    else:
        start, circle = x, right - RADIUS
        card, name_at, edge = (x + 12, circle), circle - RADIUS - JOINT / 2, x + pill
    top = y - box.height / 2
    lines = [
        _rounded(card[0], top, card[1] - card[0], box.height, 9, PAPER, FRAME),
        _text(name_at, top + 11, part.name, FAINT_INK, size=10.5),
    ]
    if not summed:
        lines.append(_wire(edge, y, right, y, colour, 1.7))
    for op, port in zip(ops, box.ports, strict=False):  # a vertex has one op and several ports
        if summed:
            lines.append(_wire(edge, y + port, circle, y, INK, 1.3))
        fill, frame = FAMILIES[part.family or op_family(op)]
        lines.append(_rounded(start, y + port - PILL / 2, pill, PILL, 7, fill, frame, 1.2))
        lines.append(_text(start + pill / 2, y + port, short_label(op)))
    if summed:
        plus = f"M{_n(circle - 4.5)} {_n(y)}h9m-4.5 -4.5v9"
        if part.kind in ("join", "joined"):  # two bars: channels side by side
            plus = f"M{_n(circle - 2)} {_n(y - 4.5)}v9m4 -9v9"
        lines.append(_rounded(circle - RADIUS, y - RADIUS, 20, 20, RADIUS, PAPER, INK, 1.3))
        lines.append(f'<path d="{plus}" stroke="{INK}" stroke-width="1.5"/>\n')
    return "".join(lines)


# --- shapes -------------------------------------------------------------------------------------


def _wire_colour(index: int) -> str:
    return WIRES[index % len(WIRES)]


def _wires(arrangement: Arrangement, index: int, faint: bool) -> str:
    """Returns the wires that a part feeds, on a broader line that parts them from those below."""
    path = "".join(_path(*piece) for piece in arrangement.wires[index])
    if not path:
        return ""
    shade = ' opacity="0.35"' if faint else ""
    return (
        f'<path d="{path}" fill="none" stroke="{PANEL}" stroke-width="4.4"/>\n'
        f'<path d="{path}" fill="none" stroke="{_wire_colour(index)}" stroke-width="1.7"{shade}/>\n'
    )


def _wire(x0: float, y0: float, x1: float, y1: float, colour: str, width: float) -> str:
    return f'<path d="{_path(x0, y0, x1, y1)}" fill="none" stroke="{colour}" stroke-width="{width}"/>\n'


def _path(x0: float, y0: float, x1: float, y1: float) -> str:
    start = f"M{_n(x0)} {_n(y0)}"
    if abs(y1 - y0) < 0.05:
        return f"{start}H{_n(x1)}"
    middle = _n((x0 + x1) / 2)
    return f"{start}C{middle} {_n(y0)} {middle} {_n(y1)} {_n(x1)} {_n(y1)}"


def _rounded(
    x: float, y: float, width: float, height: float, radius: float, fill: str,
    edge: str | None = None, line: float = 1.0,
) -> str:  # fmt: skip
    stroke = f' stroke="{edge}" stroke-width="{line}"' if edge else ""
    return (
        f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}" '
        f'rx="{_n(radius)}" fill="{fill}"{stroke}/>\n'
    )


def _text(
    x: float, y: float, text: str, colour: str = INK, size: float | None = None,
    weight: int | None = None, anchor: str = "middle", turned: bool = False,
) -> str:  # fmt: skip
    """Returns text whose middle height is y; renderers differ in `dominant-baseline`, not in y."""
    more = f' font-size="{size}"' if size else ""
    more += f' font-weight="{weight}"' if weight else ""
    more += f' transform="rotate(-90 {_n(x)} {_n(y)})"' if turned else ""
    base = y + 0.35 * (size or SIZE)
    place = f'x="{_n(x)}" y="{_n(base)}" fill="{colour}" text-anchor="{anchor}"'
    return f"<text {place}{more}>{_t(text)}</text>\n"


def _n(value: float) -> str:
    """Returns a number rounded to a tenth of a pixel."""
    return f"{round(value, 1) + 0.0:g}"


def _t(text: str) -> str:
    """Returns text that is safe in SVG; control characters, which XML cannot hold, become U+FFFD."""
    return escape(re.sub(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff\ufffe\uffff]", "\ufffd", text))

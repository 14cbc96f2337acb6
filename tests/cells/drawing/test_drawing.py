"""Drawings of cells: complete, well-formed, the same every time, and no wire through a box."""

import re
import xml.etree.ElementTree as ElementTree
from collections import Counter

import numpy as np
import pytest
from typer.testing import CliRunner

from zero.cells.drawing.layout import Box, arrange
from zero.cells.drawing.svg import (
    FAMILIES,
    draw_svg,
    op_family,
    short_label,
)
from zero.cells.ops import CELL_OPS
from zero.cells.published import PUBLISHED
from zero.cells.spaces import SPACES, get_space
from zero.cells.text import parse_genome
from zero.rng.splitmix import new_state

RANDOM = [(space, seed) for space in SPACES for seed in range(4)]
SVG = "{http://www.w3.org/2000/svg}"


def random_genome(space, seed):
    return get_space(space).random(new_state(seed, "drawing"))


def texts(svg):
    return [e.text for e in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def pair_ops(genome):
    cells = [genome.normal] + [genome.reduction] * (genome.reduction != genome.normal)
    return [op for cell in cells for node in cell.nodes for op, _ in node]


@pytest.mark.parametrize("name", list(PUBLISHED))
def test_published_cells_are_drawn_whole(name):
    genome = PUBLISHED[name].genome
    svg = draw_svg(genome, name)
    assert svg == draw_svg(parse_genome(str(genome)), name)
    shown = Counter(texts(svg))
    assert shown[name] == 1
    if genome.reduction is not None:
        wanted = Counter(short_label(op) for op in pair_ops(genome))
        assert {label: shown[label] for label in wanted} == wanted


@pytest.mark.parametrize("space, seed", RANDOM)
def test_random_cells_are_drawn_whole(space, seed):
    genome = random_genome(space, seed)
    svg = draw_svg(genome)
    root = ElementTree.fromstring(svg)
    assert root.find(f"{SVG}desc").text == str(genome)
    assert root.find(f"{SVG}title").text == f"Cells of space {space}"
    shown = Counter(texts(svg))
    if genome.reduction is not None:
        wanted = Counter(short_label(op) for op in pair_ops(genome))
    elif space == "nas_bench_101":
        wanted = Counter(short_label(op) for op, _ in genome.normal.pruned.vertices)
    else:
        return  # edges that do not matter are left out; see below
    assert {label: shown[label] for label in wanted} == wanted


def test_drawing_stands_alone():
    svg = draw_svg(PUBLISHED["nasnet_a"].genome, "NASNet-A")
    assert re.findall(r"https?://[^\"]*", svg) == ["http://www.w3.org/2000/svg"]
    for loads in ("href", "url(", "@import", "<script", "<style", "<image", "font-face"):
        assert loads not in svg
    first = ElementTree.fromstring(svg).find(f"{SVG}rect")
    assert first.get("fill") == "#ffffff"  # legible on a dark page too


def test_texts_are_escaped():
    svg = draw_svg(PUBLISHED["darts_v1"].genome, '<b>&"\x00\x1b\ud800</b>')
    assert ElementTree.fromstring(svg).find(f"{SVG}title").text == '<b>&"\ufffd\ufffd\ufffd</b>'
    svg.encode()


def test_nodes_that_do_not_matter():
    text = "darts: normal max3(cur)+id(prev) sep3(prev)+sep5(cur) sep3(cur)+id(n1) dil3(n1)+id(n3) out({0})"
    whole = parse_genome(text.format("n1,n2,n3,n4"))
    assert "opacity" not in draw_svg(whole)
    part = draw_svg(parse_genome(text.format("n1,n3,n4")))
    faint = ElementTree.fromstring(part).findall(f".//{SVG}g[@opacity]")
    assert [sorted(t.text for t in g.iter(f"{SVG}text")) for g in faint] == [
        ["n2", "sep 3x3", "sep 5x5"]
    ]

    edges = "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|nor_conv_1x1~1|avg_pool_3x3~2|"
    shown = texts(draw_svg(parse_genome(edges)))
    assert sorted(shown) == ["Cell", "conv 1x1", "conv 3x3", "identity", "in", "n1", "n3", "out"]
    nothing = "|nor_conv_3x3~0|+|none~0|none~1|+|none~0|none~1|none~2|"
    assert sorted(texts(draw_svg(parse_genome(nothing)))) == ["Cell", "in", "n3", "out", "zeros"]


@pytest.mark.parametrize(
    "op, label, family",
    [
        ("sep5", "sep 5x5", "separable convolution"),
        ("dil3", "dil 3x3", "dilated convolution"),
        ("1x7_7x1", "1x7 then 7x1", "convolution"),
        ("nor_conv_1x1", "conv 1x1", "convolution"),
        ("conv3x3-bn-relu", "conv 3x3", "convolution"),
        ("dil_3x3", "dil conv 3x3", "dilated convolution"),
        ("avg_pool_3x3", "avg 3x3", "average pooling"),
        ("maxpool3x3", "max 3x3", "max or min pooling"),
        ("min3", "min 3x3", "max or min pooling"),
        ("skip_connect", "identity", "identity"),
        ("none", "zeros", "zeros"),
    ],
)
def test_ops_in_plain_words(op, label, family):
    assert (short_label(op), op_family(op)) == (label, family)


def test_every_op_has_a_colour():
    assert {op_family(op) for op in CELL_OPS} <= set(FAMILIES)


# --- the layout -----------------------------------------------------------------------------------


def random_boxes(seed, count=9):
    rng = np.random.default_rng(seed)
    boxes = [Box((), (), 40, 24), Box((), (), 40, 24)]
    for number in range(2, count):
        reads = tuple(rng.integers(0, number, rng.integers(1, 4)).tolist())
        ports = tuple(30.0 * (k - (len(reads) - 1) / 2) for k in range(len(reads)))
        boxes.append(Box(reads, ports, 120, 30.0 * len(reads) + 10))
    return boxes


@pytest.mark.parametrize("seed", range(12))
def test_wires_run_between_boxes_from_what_is_read_to_its_port(seed):
    boxes = random_boxes(seed)
    layout = arrange(boxes)
    assert layout == arrange(boxes)
    frames = [
        (x, y - box.height / 2, x + box.width, y + box.height / 2)
        for x, y, box in zip(layout.x, layout.y, boxes, strict=True)
    ]

    def apart(a, b, least):
        return max(a[0] - b[2], b[0] - a[2], a[1] - b[3], b[1] - a[3]) >= least - 1e-6

    for number, frame in enumerate(frames):
        assert all(apart(frame, other, 5) for other in frames[:number])
        assert frame[0] >= 0 and frame[2] <= layout.width + 1e-6
        assert frame[1] >= -1e-6 and frame[3] <= layout.height + 1e-6
    for source, pieces in enumerate(layout.wires):
        reached = {(frames[source][2], layout.y[source])}
        for x0, y0, x1, y1 in pieces:  # each begins where another ended, and touches boxes at most
            assert (x0, y0) in reached
            reached.add((x1, y1))
            piece = (x0, min(y0, y1), x1, max(y0, y1))
            assert all(apart(frame, piece, 0) for frame in frames)
        for target, box in enumerate(boxes):
            for port, read in zip(box.ports, layout.order[target], strict=True):
                if box.reads[read] == source:
                    assert (layout.x[target], layout.y[target] + port) in reached


def test_no_crossing_where_none_is_needed():
    top, bottom = Box((), (), 40, 24), Box((), (), 40, 24)
    boxes = [top, bottom, Box((1,), (0.0,), 40, 24), Box((0,), (0.0,), 40, 24)]
    boxes.append(Box((2, 3), (-10.0, 10.0), 40, 44))
    layout = arrange(boxes)
    assert (layout.y[0] < layout.y[1]) == (layout.y[3] < layout.y[2])
    upper = layout.order[4][0]
    assert layout.y[boxes[4].reads[upper]] == min(layout.y[2], layout.y[3])


# --- the command ----------------------------------------------------------------------------------


def command(*arguments):
    from zero.cli import main as cli

    return CliRunner().invoke(cli.app, [str(a) for a in arguments])


def test_command_draws_to_a_file_or_to_standard_output(tmp_path):
    done = command("cells", "draw", "amoebanet_a", "-o", tmp_path / "a.svg")
    assert (done.exit_code, done.output) == (0, "")
    drawing = (tmp_path / "a.svg").read_text()
    assert drawing == draw_svg(PUBLISHED["amoebanet_a"].genome, "amoebanet_a")
    assert command("cells", "draw", "amoebanet_a").output == drawing


def test_command_says_what_is_wrong(tmp_path):
    done = command("cells", "draw", "amoebanet_z")
    assert done.exit_code == 1 and "did you mean 'amoebanet_" in done.output
    done = command("cells", "draw", "darts_v1", "-o", tmp_path / "no" / "a.svg")
    assert done.exit_code == 1 and done.output.startswith("error: cannot write")

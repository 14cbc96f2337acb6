"""Genomes: texts that are read back identically, mistakes told, and the canonical form."""

from itertools import combinations, product

import numpy as np
import pytest
from cells_helpers import (
    SMALL,
    SPACE_NAMES,
    genomes,
    published_of,
    relabelled_genome,
    smallest_side,
)

from zero.cells.forms.chain import Chain
from zero.cells.forms.edge import EDGES, EdgeCell
from zero.cells.forms.graph import GraphCell
from zero.cells.forms.pair import PairCell, unread_states
from zero.cells.forms.stack import Stack
from zero.cells.genome import canonical_key
from zero.cells.networks.build import build_network
from zero.cells.networks.skeletons import Skeleton, skeletons_of
from zero.cells.spaces import get_space, make_genome
from zero.cells.text import parse_genome
from zero.errors import NetworkError

PUBLISHED_GENOMES = [g for form in (PairCell, GraphCell, EdgeCell) for g in published_of(form)]


# --- texts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SPACE_NAMES)
def test_text_is_read_back_identically(name):
    for genome in genomes(name, 60):
        text = str(genome)
        assert "\n" not in text
        assert parse_genome(text) == genome and hash(parse_genome(text)) == hash(genome)
        spaced = text
        for mark, wide in (("+", " +\n "), ("(", " ( "), (",", " , "), (";", "\n;")):
            spaced = spaced.replace(mark, wide)
        if not isinstance(genome.normal, EdgeCell):
            assert parse_genome(f"# a comment\n{spaced}\n") == genome


def test_published_texts_are_read_back():
    for genome in PUBLISHED_GENOMES:
        assert parse_genome(str(genome)) == genome


def test_what_a_text_may_leave_out():
    genome = parse_genome(SMALL)
    assert genome.reduction == genome.normal
    assert genome.normal.concat == unread_states(genome.normal.nodes) == (6,)
    assert str(genome).endswith("out(n5)")
    arch = "|none~0|+|none~0|none~1|+|none~0|none~1|skip_connect~2|"
    assert parse_genome(arch) == parse_genome(f"nas_bench_201: {arch}")


def test_matrix_of_nas_bench_101():
    """The README's Inception-like example."""
    matrix = [[0, 1, 1, 1, 0, 1, 0], [0, 0, 0, 0, 0, 0, 1], [0, 0, 0, 0, 0, 0, 1],
              [0, 0, 0, 0, 1, 0, 0], [0, 0, 0, 0, 0, 0, 1], [0, 0, 0, 0, 0, 0, 1],
              [0, 0, 0, 0, 0, 0, 0]]  # fmt: skip
    c1, c3, pool = "conv1x1-bn-relu", "conv3x3-bn-relu", "maxpool3x3"
    cell = GraphCell.from_matrix(matrix, ["input", c1, c3, c3, c3, pool, "output"])
    assert make_genome("nas_bench_101", cell) in published_of(GraphCell)
    with pytest.raises(NetworkError, match="loop"):
        GraphCell.from_matrix([[0, 1], [1, 0]], ["input", "output"])
    with pytest.raises(NetworkError, match="2 rows and columns"):
        GraphCell.from_matrix([[0, 1]], ["input", "output"])


NODES = "id(cur)+id(cur) id(cur)+id(cur) id(cur)+id(cur) id(cur)+id(cur)"


@pytest.mark.parametrize(
    "text, told",
    [
        ("", "does not start with a space's name"),
        ("nonsense", "does not start with a space's name"),
        ("nasnett: normal x", "unknown space 'nasnett'; did you mean 'nasnet'"),
        ("nasnet:", "no normal cell"),
        (f"nasnet: reduction id(cur)+id(cur) {NODES}", "no normal cell"),
        (f"nasnet: normal {NODES} {NODES}", "normal cell: 8 nodes; it must be 1 to 5"),
        (f"nasnet: normal id(cur)+id(cur) {NODES}; reduction {NODES}",
         "reduction cell: 4 nodes, but the normal cell has 5; both must have as many"),
        (f"nasnet: normal id(cur)+id(cur) {NODES}; normal {NODES}", "each once"),
        (f"nasnet: normal sepp3(cur)+id(cur) {NODES}", "n1: unknown op .* did you mean 'sep3'"),
        (f"amoebanet: normal 3x3(cur)+id(cur) {NODES}", "unknown op of amoebanet '3x3'"),
        (f"nasnet: normal id(n1)+id(cur) {NODES}", "n1 reads n1, which is not made before it: a loop"),
        (f"nasnet: normal id(n3)+id(cur) {NODES}", "n1 reads n3.* a loop.* prev, cur"),
        (f"nasnet: normal id(before)+id(cur) {NODES}", "n1 reads 'before'; states are"),
        (f"nasnet: normal id(cur) {NODES}", "n1 must be two ops"),
        (f"nasnet: normal id(cur)+id(cur)+id(cur) {NODES}", "n1 must be two ops"),
        (f"nasnet: normal id(cur,prev)+id(cur) {NODES}", "n1 must be two ops of one state"),
        (f"nasnet: normal id(cur)+id {NODES}", "'id' is none of"),
        (f"nasnet: normal id(cur)+id(cur) {NODES} out(n6)", "out reads n6, which the cell does not"),
        (f"nasnet: normal id(cur)+id(cur) {NODES} out(n1,n1)", "out reads n1 twice"),
        (f"nasnet: normal id(cur)+id(cur) {NODES} out()", "out\\(\\) reads nothing"),
        (f"nasnet: normal id(cur)+id(cur) out(n1) {NODES}", "stands after out"),
        ("darts: normal id(cur)+id(cur) id(cur)+id(prev) id(cur)+id(prev) id(cur)+id(prev)",
         "n1 reads cur twice"),
        ("nas_bench_101: conv1x1-bn-relu(in)", "'out\\(...\\)' is missing"),
        ("nas_bench_101: conv1x1-bn-relu(n2) maxpool3x3(n1) out(n2)", "n1 reads n2.* a loop"),
        ("nas_bench_101: conv1x1-bn-relu() out(n1)", "no path leads from in to out"),
        ("nas_bench_101: conv9x9(in) out(n1)", "unknown op of nas_bench_101 'conv9x9'"),
        ("nas_bench_101: conv1x1-bn-relu(in)+maxpool3x3(in) out(n1)", "n1 must be one op"),
        ("nas_bench_101: conv1x1-bn-relu(in,in) out(n1)", "n1 reads in twice"),
        ("nas_bench_101: conv1x1-bn-relu(cur) out(n1)", "vertices are in, n1"),
        ("nas_bench_101: " + "maxpool3x3(in) " * 6 + "out(n1)", "8 vertices; at most 7"),
        ("nas_bench_101: maxpool3x3(in) maxpool3x3(in,n1) maxpool3x3(in,n1,n2) "
         "maxpool3x3(in,n1,n2) out(n3,n4)", "11 edges between in and out; at most 9"),
        ("|none~0|+|none~0|none~1|", "is no cell of NAS-Bench-201"),
        ("|none~0|+|none~0|none~2|+|none~0|none~1|none~2|", "is no cell of NAS-Bench-201"),
        ("|sep3~0|+|none~0|none~1|+|none~0|none~1|none~2|", "unknown op of nas_bench_201 'sep3'"),
        ("amoebanet[sep3,whatever]: normal x", "unknown op 'whatever'"),
        ("amoebanet[]: normal x", "unknown op ''"),
        ("amoebanet[id,id]: normal x", "each named once"),
    ],
)  # fmt: skip
def test_mistakes_are_told_in_one_line(text, told):
    with pytest.raises(NetworkError, match=told) as caught:
        parse_genome(text)
    assert "\n" not in str(caught.value)


def test_a_genome_cannot_be_made_wrong():
    node = (("id", 0), ("id", 1))
    wrong = PairCell((*[node] * 4, (("id", 6), ("id", 0))), (6,))
    for normal, reduction in ((wrong, wrong), (PairCell((node,) * 5, (9,)), None)):
        with pytest.raises(NetworkError):
            make_genome("nasnet", normal, reduction)
    with pytest.raises(NetworkError, match="numbered from 0"):
        PairCell(((("id", -1), ("id", 0)),), (2,)).check()
    with pytest.raises(NetworkError, match="one cell"):
        make_genome("nas_bench_201", EdgeCell(("none",) * 6), EdgeCell(("none",) * 6))


# --- canonical form -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SPACE_NAMES)
def test_key_does_not_depend_on_how_a_cell_is_drawn(name):
    changed = 0
    for number, genome in enumerate(genomes(name, 60)):
        other = relabelled_genome(genome, number)
        changed += other != genome
        assert canonical_key(other) == canonical_key(genome)
        assert canonical_key(parse_genome(str(genome))) == canonical_key(genome)
    assert changed or "201" in name or get_space(name).form in (Chain, Stack)


def test_key_of_published_cells():
    keys = [canonical_key(genome) for genome in PUBLISHED_GENOMES]
    assert len(set(keys)) == len(keys)
    for number, genome in enumerate(PUBLISHED_GENOMES):
        assert canonical_key(relabelled_genome(genome, number)) == keys[number]


def pair_cells(nodes, ops):
    reads = [list(product(ops, range(n + 2))) for n in range(nodes)]
    for chosen in product(*(product(r, r) for r in reads)):
        yield PairCell(tuple(chosen), unread_states(chosen))


def test_pair_cells_share_a_key_exactly_if_they_are_isomorphic():
    """All cells of two nodes, against classes found by applying every relabelling."""

    def swapped(cell):  # the two nodes change places, where neither reads the other
        if any(state == 2 for _, state in cell.nodes[1]):
            return cell
        return PairCell(cell.nodes[::-1], tuple({2: 3, 3: 2}.get(s, s) for s in cell.concat))

    def least(cell):
        drawings = []
        for one in (cell, swapped(cell)):
            nodes = tuple(tuple(sorted(node)) for node in one.nodes)
            drawings.append((nodes, tuple(sorted(one.concat))))
        return min(drawings)

    cells = list(pair_cells(2, ("id", "sep3")))
    by_class, by_key = {}, {}
    for cell in cells:
        by_class.setdefault(least(cell), set()).add(cell)
        by_key.setdefault(cell.canonical(), set()).add(cell)
    assert len(cells) == 16 * 36
    assert sorted(map(sorted_texts, by_class.values())) == sorted(
        map(sorted_texts, by_key.values())
    )


def sorted_texts(cells):
    return sorted(map(str, cells))


def test_prev_and_cur_and_the_two_cells_are_told_apart():
    genome = parse_genome(SMALL)
    text = str(genome.normal)
    mirrored = text.replace("prev", "?").replace("cur", "prev").replace("?", "cur")
    other = parse_genome(f"amoebanet: normal {mirrored}")
    assert canonical_key(other) != canonical_key(genome)
    first = make_genome("amoebanet", genome.normal, other.normal)
    second = make_genome("amoebanet", other.normal, genome.normal)
    assert canonical_key(first) != canonical_key(second)


def test_shared_results_are_not_copies():
    """One node read twice has half the weights of two nodes read once."""
    shared = parse_genome(
        "amoebanet: normal sep3(cur)+sep3(cur) sep3(cur)+sep3(cur) id(n1)+id(n1) id(n2)+id(n3) "
        "id(prev)+id(n4)"
    )
    copies = parse_genome(
        "amoebanet: normal sep3(cur)+sep3(cur) sep3(cur)+sep3(cur) id(n1)+id(n2) id(n2)+id(n3) "
        "id(prev)+id(n4)"
    )
    assert canonical_key(shared) != canonical_key(copies)


def test_nodes_that_nobody_needs_count_nothing():
    kept = "id(cur)+sep3(prev) id(n1)+id(n1)"
    one = parse_genome(f"nasnet: normal {kept} 3x3(cur)+id(cur) {'id(cur)+id(cur) ' * 2}out(n2)")
    two = parse_genome(f"nasnet: normal {kept} sep7(n1)+id(cur) {'id(cur)+id(n2) ' * 2}out(n2)")
    assert canonical_key(one) == canonical_key(two)


@pytest.mark.parametrize("vertices, unique", [(2, 1), (3, 6), (4, 84), (5, 2441)])
def test_number_of_nas_bench_101_graphs(vertices, unique):
    """The benchmark's 423,624 graphs, by number of vertices; those of six and seven take too long."""
    ops = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")
    keys, edges = set(), list(combinations(range(vertices), 2))
    for wanted in product((0, 1), repeat=len(edges)):
        chosen = [edge for edge, w in zip(edges, wanted, strict=True) if w]
        reads = [tuple(s for s, t in chosen if t == v) for v in range(1, vertices)]
        bare = GraphCell(tuple((ops[0], r) for r in reads[:-1]), reads[-1]).pruned
        if bare is None or len(bare.vertices) < vertices - 2 or len(chosen) > 9:
            continue
        for names in product(ops, repeat=vertices - 2):
            pairs = tuple(zip(names, reads[:-1], strict=True))
            keys.add(GraphCell(pairs, reads[-1]).canonical())
    assert len(keys) == unique


def edge_genome(**ops):
    """Returns a NAS-Bench-201 genome from e01=..., e12=...; other edges are `none`."""
    return make_genome(
        "nas_bench_201", EdgeCell(tuple(ops.get(f"e{s}{t}", "none") for s, t in EDGES))
    )


CONV, SKIP, POOL = "nor_conv_3x3", "skip_connect", "avg_pool_3x3"


@pytest.mark.parametrize(
    "one, other, same",
    [
        # Skips are contracted.
        ({"e01": SKIP, "e13": CONV}, {"e03": CONV}, True),
        ({"e01": CONV, "e13": SKIP}, {"e03": CONV}, True),
        # Nodes 1 and 2 may change places where no edge joins them.
        ({"e01": CONV, "e13": POOL}, {"e02": CONV, "e23": POOL}, True),
        # What the output does not depend on is not there.
        ({"e03": CONV}, {"e03": CONV, "e01": CONV, "e12": POOL}, True),
        # An average of zeros is nothing... but is an op with its own place, and a convolution's
        # batch norm adds a constant.
        ({"e03": CONV, "e13": CONV}, {"e03": CONV}, False),
        ({"e01": CONV, "e12": POOL, "e23": CONV}, {"e01": POOL, "e12": CONV, "e23": CONV}, False),
        # Twice one result is not the sum of two.
        ({"e01": CONV, "e12": SKIP, "e13": SKIP, "e23": SKIP},
         {"e01": CONV, "e02": CONV, "e13": SKIP, "e23": SKIP}, False),
    ],
)  # fmt: skip
def test_what_counts_as_the_same_in_nas_bench_201(one, other, same):
    assert (canonical_key(edge_genome(**one)) == canonical_key(edge_genome(**other))) is same


def test_duplicates_of_nas_bench_201_have_equal_counts():
    """Every seventh cell: those with the same key have networks of the same size."""
    ops = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
    groups = {}
    for number, names in enumerate(product(ops, repeat=6)):
        if number % 7 == 0:
            genome = make_genome("nas_bench_201", EdgeCell(names))
            groups.setdefault(canonical_key(genome), []).append(genome)
    shared = [group for group in groups.values() if len(group) > 1]
    assert len(shared) > 100
    for group in shared[::2]:
        networks = [build_network(g, Skeleton("nas_bench_201", 1, 4), (8, 8, 1)) for g in group[:3]]
        assert len({(n.num_parameters, n.multiply_adds) for n in networks}) == 1


@pytest.mark.parametrize("name", SPACE_NAMES)
def test_isomorphic_genomes_have_equal_counts(name):
    rng = np.random.default_rng(1)
    for genome in genomes(name, 10):
        other = relabelled_genome(genome, int(rng.integers(1000)))
        skeleton, side = Skeleton(skeletons_of(genome)[0], 1, 5), smallest_side(genome)
        counts = {
            (n.num_parameters, n.multiply_adds)
            for n in (build_network(g, skeleton, (side, side, 1)) for g in (genome, other))
        }
        # NAS-Bench-101 gives channels that do not divide evenly to the first vertices.
        assert len(counts) == 1 or "101" in name


def test_same_cell_in_two_spaces_has_one_key():
    one = parse_genome(SMALL)
    assert canonical_key(one) == canonical_key(
        make_genome("amoebanet_code", one.normal, one.reduction)
    )

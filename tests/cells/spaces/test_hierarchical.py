"""Hierarchical representations: the space's size, its one mutation, keys, networks, texts."""

import math
from collections import Counter
from dataclasses import replace
from itertools import product

import pytest
from cells_helpers import genomes, stream

from zero.cells.forms.hierarchy import Hierarchy, edges_of
from zero.cells.genome import Genome, canonical_key
from zero.cells.networks.build import build_network
from zero.cells.networks.skeletons import Skeleton
from zero.cells.spaces import get_space
from zero.cells.text import parse_genome
from zero.errors import NetworkError

SPACE = get_space("hierarchical")
SMALL = replace(SPACE, ops=("none", "id", "max3"), motifs=2, motif_nodes=3, cell_nodes=3)
EDGES = [("in", "n1"), ("in", "n2"), ("n1", "n2"), ("in", "out"), ("n1", "out"), ("n2", "out")]


def labels_of(genome):
    return [x for labels in (*genome.normal.motifs, genome.normal.cell) for x in labels]


def every_small():
    for labels in product(*(SMALL.ops,) * 6, *(SMALL.cell_labels,) * 3):
        yield SMALL.genome_of(labels)


def key(*motifs, cell):
    form = Hierarchy(tuple(tuple(m.split()) for m in motifs), tuple(cell.split()))
    return canonical_key(Genome("hierarchical", form))


# --- the space --------------------------------------------------------------------------------------


def test_number_of_genomes():
    """Seven labels on each of 6 times 6 edges of motifs and 10 of the cell."""
    done, sizes = (), []
    while names := SPACE.choices(done):
        sizes.append(len(names))
        done += (names[0],)
    assert sizes == [7] * 46 and math.prod(sizes) == 7 ** (6 * 6) * 7**10


def test_all_small_genomes():
    found = {genome.normal for genome in every_small()}
    motifs = set(product(SMALL.ops, repeat=3))
    cells = set(product(("none", "m1", "m2"), repeat=3))
    assert found == {Hierarchy(pair, c) for pair in product(motifs, repeat=2) for c in cells}


def test_the_trivial_genome_is_all_identities():
    trivial = SPACE.trivial()
    assert Counter(labels_of(trivial)) == {"id": 36, "m1": 10}
    assert replace(SPACE, diversify=0).random(stream("trivial")) == trivial
    assert get_space("hierarchical[max3,sep3]").trivial().normal.motifs[0] == ("max3",) * 6
    few = replace(SPACE, diversify=5).random(stream("few"))
    assert 0 < sum(a != b for a, b in zip(labels_of(few), labels_of(trivial), strict=True)) <= 5


def test_random_genomes_have_every_label_on_every_edge():
    seen = [Counter() for _ in range(46)]
    for genome in [SPACE.random(stream(f"labels {k}")) for k in range(60)]:
        for place, label in enumerate(labels_of(genome)):
            seen[place][label] += 1
    assert all(len(counts) >= 5 for counts in seen)
    assert max(max(counts.values()) for counts in seen) < 25


def test_a_mutation_draws_one_label_anew():
    """Evenly: the level, the motif, the target, the source, the label."""
    start, rng = SPACE.trivial(), stream("mutate")
    near, seen, places, names = set(SPACE.neighbours(start)), Counter(), Counter(), Counter()
    assert len(near) == 46 * 6
    times = 12_000
    for _ in range(times):
        mutant, name = SPACE.mutate(start, rng)
        names[name] += 1
        pairs = enumerate(zip(labels_of(start), labels_of(mutant), strict=True))
        changed = [(place, new) for place, (old, new) in pairs if old != new]
        assert len(changed) <= 1
        seen[mutant] += 1
        for place, _ in changed:
            assert (place < 36) == (name == "motif")
            places[place] += 1
    assert set(seen) == near | {start}
    assert seen[start] == pytest.approx(times / 7, rel=0.1)  # the same label again
    assert names["motif"] == pytest.approx(times / 2, rel=0.05)
    # The edge into n1 is drawn as often as both into n2, or all three into out.
    by_target = Counter()
    for place, count in places.items():
        by_target[EDGES[place % 6][1] if place < 36 else edges_of(5)[place - 36][1]] += count
    for target in ("n1", "n2", "out"):
        assert by_target[target] == pytest.approx(times / 2 / 3 * 6 / 7, rel=0.1)
    for target in (1, 2, 3, 4):
        assert by_target[target] == pytest.approx(times / 2 / 4 * 6 / 7, rel=0.1)


# --- keys -------------------------------------------------------------------------------------------


def test_genomes_of_one_key_make_networks_of_the_same_layers():
    skeleton, found = Skeleton("hierarchical", 1, 2), {}
    for number, genome in enumerate(every_small()):
        if number % 7:  # enough of 19,683
            continue
        network = build_network(genome, skeleton, (4, 4, 1), 2)
        layers = Counter((x.kind, x.shape, len(x.inputs)) for x in network.layers)
        found.setdefault(canonical_key(genome), set()).add(frozenset(layers.items()))
    assert all(len(kinds) == 1 for kinds in found.values())
    assert len(found) < 2000


def test_what_counts_nothing_for_a_key():
    plain = key("max3 none none none none id", "none " * 5 + "max3", cell="m1 m2 m1")
    # Edges off every path; a motif that is not used; the motifs' order; a motif without a path.
    start = ("max3 none max3 max3 none none", "id id id id id id")
    one = key(*start, cell="none m1 none")
    assert plain != one
    assert one == key("none id avg3 max3 none none", "none " * 6, cell="none m1 none")
    assert one == key(*start[::-1], cell="none m2 none")
    assert one == key(start[0], "max3 id none none none none", cell="m2 m1 m2")
    # A node that one identity reaches is the node that it reads.
    direct = key("none none none max3 none none", cell="none m1 none")
    assert direct == key("id none none none max3 none", cell="none m1 none")
    assert direct == key("none none none max3 none none", "none none none id none none",
                         cell="m2 none m1")  # fmt: skip
    # Inner nodes have no order.
    assert key("max3 avg3 none none id id", cell="none m1 none") == key(
        "avg3 max3 none none id id", cell="none m1 none"
    )
    # Two edges of the same op are two.
    assert key("id none none max3 max3 none", cell="none m1 none") != direct


def test_other_genomes_have_other_keys():
    found = {canonical_key(genome) for genome in genomes("hierarchical", 40)[:20]}
    assert len(found) == 20


# --- networks ---------------------------------------------------------------------------------------

NOTHING = "none() none() none(); "
ONE = "hierarchical: m1 none() none() conv1x1-bn-relu(in); " + "".join(
    f"m{k} {NOTHING}" for k in range(2, 7)
)


def test_network_of_one_op():
    """Stem, then three stages of one cell and one separable convolution, two of stride 2."""
    genome = parse_genome(f"{ONE}cell none() none() none() m1(in)")
    network = build_network(genome, Skeleton("hierarchical", 1, 4), (8, 8, 1), 3)
    stem, cells = 9 * 4 + 8, [c * c + 2 * c for c in (4, 8, 16)]
    between = [9 * 4 + 4 * 8 + 16, 9 * 8 + 8 * 16 + 32, 9 * 16 + 16 * 16 + 32]
    assert network.num_parameters == stem + sum(cells) + sum(between) + 16 * 3 + 3
    shapes = [x.shape for x in network.layers if x.kind == "depthwise"]
    assert shapes == [(4, 4, 4), (2, 2, 8), (2, 2, 16)]


def test_several_edges_into_a_node_are_joined_by_a_convolution():
    genome = parse_genome(f"{ONE}cell m1(in) none() none() m1(in)+m1(n1)")
    network = build_network(genome, Skeleton("hierarchical", 1, 4), (8, 8, 1), 3)
    (joined, *_) = (x for x in network.layers if x.kind == "concat")
    assert joined.name == "cell0/n4/concat" and joined.shape == (8, 8, 8)
    after = [x for x in network.layers if x.name.startswith("cell0/n4/")]
    assert [x.kind for x in after] == ["concat", "conv", "batch_norm", "relu"]
    assert after[1].kernel == (1, 1) and after[1].shape == (8, 8, 4)
    # Each edge has weights of its own.
    assert sum(x.name.startswith("cell0/") and x.kind == "conv" for x in network.layers) == 4


def test_a_cell_without_a_path_is_zeros():
    genome = parse_genome(f"{ONE}cell m2(in) m1(n1) none() m1(n2)")
    network = build_network(genome, Skeleton("hierarchical", 1, 4), (8, 8, 1), 3)
    assert Counter(x.kind for x in network.layers)["zero"] == 3
    assert genome.listing() == "cell\n  out = zeros"


def test_more_cells_a_stage_and_what_does_not_fit():
    genome = SPACE.trivial()
    network = build_network(genome, Skeleton("hierarchical", 2, 4), (8, 8, 1), 3)
    assert [x.stride for x in network.layers if x.kind == "depthwise"] == [1, 2, 1, 2, 1, 1]
    with pytest.raises(NetworkError, match="1 x 1 pixels and cannot be halved"):
        build_network(genome, Skeleton("hierarchical", 1, 4), (2, 2, 1), 3)
    with pytest.raises(NetworkError, match="no auxiliary head"):
        build_network(genome, Skeleton("hierarchical", 1, 4, auxiliary=True), (8, 8, 1), 3)


# --- texts ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "old, new, told",
    [
        ("m2 none()", "m3 none()", "'m3 none.*' must start with 'm2'"),
        ("; cell", "; cells", "must start with 'cell'"),
        (
            "relu(in)",
            "relu(n3)",
            "m1: out: conv1x1-bn-relu\\(n3\\) must read one node before it: in, n1",
        ),
        ("relu(in)", "relu(in,n1)", "must read one node before it"),
        ("relu(in)", "relu(in)+id(in)", "out reads in twice"),
        ("relu(in)", "relu(in) none()", "m1 has 10 edges; 4 nodes have 6"),
        ("conv1x1-bn", "conv9x9-bn", "m1: unknown op of hierarchical 'conv9x9"),
        ("m1(in)", "m7(in)", "the cell has 'm7'; it can have none, m1, m2"),
        ("m6 none() none() none(); ", "", "5 motifs; it must be 6"),
    ],
)
def test_texts_that_are_no_genomes(old, new, told):
    text = f"{ONE}cell none() none() none() m1(in)"
    assert str(parse_genome(text)) == text
    with pytest.raises(NetworkError, match=told) as raised:
        parse_genome(text.replace(old, new, 1))
    assert "\n" not in str(raised.value)


def test_without_none_every_edge_of_a_motif_is_there():
    text = str(get_space("hierarchical[id,max3]").trivial())
    with pytest.raises(NetworkError, match="m1 lacks an edge, and 'none' is no op"):
        parse_genome(text.replace("id(in)", "none()", 1))
    with pytest.raises(NetworkError, match="a genome has motifs and one cell"):
        cell = parse_genome("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|")
        SPACE.check(replace(cell, space="hierarchical"))

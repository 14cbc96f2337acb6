"""Genomes as sequences of decisions: what holds for every space that offers them."""

import csv
import itertools
import math
from dataclasses import replace
from types import SimpleNamespace

import onemax
import pytest
from bits import BitSpace
from cells_helpers import SPACE_NAMES

from zero.bench.nas_table_runs import _Rows, make_lookup
from zero.cells.cost import CostLimits, cost_of
from zero.cells.forms.edge import EdgeCell
from zero.cells.forms.graph import GraphCell
from zero.cells.forms.pair import PairCell
from zero.cells.genome import canonical_key
from zero.cells.limits import LimitedSpace
from zero.cells.networks.build import build_network
from zero.cells.networks.skeletons import Skeleton
from zero.cells.published import PUBLISHED
from zero.cells.spaces import SPACES, get_space
from zero.cells.spaces.nas_bench import NasBench101
from zero.cells.table import read_cell_table
from zero.cells.text import parse_genome
from zero.errors import ZeroError
from zero.rng.splitmix import below, new_state
from zero.search.decisions import altered, checked, decided, drawn, genome_drawn, shares_worse


def limited(parameters=2000):
    """Cells of NAS-Bench-201 of at most so many parameters in a tiny network."""
    skeleton = Skeleton("nas_bench_201", normal_cells=1, filters=2)

    def cost(genome):
        return cost_of(build_network(genome, skeleton, (8, 8, 3), 10), 4)

    limits = CostLimits(parameters=parameters)
    return LimitedSpace(get_space("nas_bench_201"), SimpleNamespace(cost=cost), limits)


@pytest.fixture(scope="session")
def rows(tmp_path_factory):
    """Part of a table."""
    path = tmp_path_factory.mktemp("decisions") / "table.csv"
    cells = [c for c in itertools.product("abc", repeat=3) if sum(map(ord, c)) % 4]
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["arch", "valid"])
        writer.writerows(["|{}~0|+|{}~0|{}~1|".format(*cell), k] for k, cell in enumerate(cells))
    return _Rows(make_lookup(read_cell_table(path, ["valid"]), "valid"))


SMALLER = replace(get_space("amoebanet"), nodes=2, ops=("sep3",))
SPACES_TOO = {
    "a smaller amoebanet": SMALLER,
    "a smaller darts": replace(get_space("darts"), nodes=2, ops=("sep3", "id")),
    "within a budget": limited(),
    "onemax": onemax.BitsSpace(9),
    "bits": BitSpace(),
}
NAMES = [*SPACE_NAMES, *SPACES_TOO, "rows"]


@pytest.fixture(params=NAMES)
def space(request):
    if request.param == "rows":
        return request.getfixturevalue("rows")
    return SPACES_TOO.get(request.param) or get_space(request.param)


def stream(purpose):
    return new_state(3, "decisions", purpose)


def sequences(space, done=()):
    """Returns all sequences of a space."""
    names = space.choices(done)
    return [s for name in names for s in sequences(space, (*done, name))] if names else [done]


# --- contract -------------------------------------------------------------------------------------


def test_a_genome_is_its_decisions(space):
    rng = stream("genomes")
    for _ in range(60):
        genome = space.random(rng)
        decisions = space.decisions_of(genome)
        assert space.genome_of(decisions) == genome
        assert checked(space.choices, decisions) == decisions
        assert all(not set(name) & set(" \t\n") for name in decisions)


def test_decisions_are_a_genome(space):
    rng = stream("sequences")
    for _ in range(60):
        decisions = drawn(space.choices, rng)
        try:
            genome = space.genome_of(decisions)
        except ZeroError as error:
            assert isinstance(space, LimitedSpace) and "\n" not in str(error)
            assert not space.allows(space.space.genome_of(decisions))
            continue
        if hasattr(space, "check"):
            space.check(genome)
        assert space.decisions_of(genome) == decisions


def test_mutants_are_decisions_too(space):
    if not space.mutations:
        return
    rng = stream("mutants")
    genome = space.random(rng)
    for _ in range(80):
        genome, _ = space.mutate(genome, rng)
        assert space.genome_of(space.decisions_of(genome)) == genome


def test_choices_are_named_once_each_and_always_the_same(space):
    for _ in range(20):
        done = drawn(space.choices, stream("names"))
        for place in range(len(done)):
            names = space.choices(done[:place])
            assert len(set(names)) == len(names) and list(space.choices(done[:place])) == list(
                names
            )
        assert not space.choices(done)


def test_wrong_sequences_are_refused_in_a_line(space):
    done = drawn(space.choices, stream("wrong"))
    first = ", ".join(space.choices(()))
    for wrong, words in [
        ((), f"decision 1 is missing; it is one of {first}"),
        (("nothing", *done[1:]), f"decision 1 is 'nothing'; it must be one of {first}"),
        (done[:-1], f"decision {len(done)} is missing"),
        ((*done, done[-1]), f"decision {len(done) + 1} is '{done[-1]}'; there is none more"),
    ]:
        with pytest.raises(ZeroError) as raised:
            space.genome_of(wrong)
        assert words in str(raised.value) and "\n" not in str(raised.value)


def test_one_decision_is_altered(space):
    rng = stream("altered")
    done, places = drawn(space.choices, rng), set()
    for _ in range(200):
        other = altered(space.choices, done, rng)
        assert checked(space.choices, other) == other != done
        places.add(next(k for k, (a, b) in enumerate(zip(done, other, strict=True)) if a != b))
    open_places = {k for k in range(len(done)) if len(space.choices(done[:k])) > 1}
    assert places <= open_places and len(places) > len(open_places) / 2


def test_where_nothing_can_be_altered_all_stays():
    space = get_space("nas_bench_201[none]")
    only = ("none",) * 6
    assert altered(space.choices, only, stream("one")) == only


# --- every genome, once ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["nas_bench_201", "nas_bench_201[none,nor_conv_3x3]"])
def test_all_cells_of_nas_bench_201(name):
    space = get_space(name)
    found = {space.genome_of(s) for s in sequences(space)}
    cells = {EdgeCell(ops) for ops in itertools.product(space.ops, repeat=6)}
    assert {genome.normal for genome in found} == cells
    assert len(found) == len(sequences(space)) == len(space.ops) ** 6
    assert name != "nas_bench_201" or len(found) == 15_625  # as published


def pairs(space, number):
    """Returns all nodes that there can be at a place."""
    reads = list(itertools.product(space.ops, range(number + 2)))
    return [
        p for p in itertools.product(reads, repeat=2) if not (space.distinct and p[0][1] == p[1][1])
    ]


@pytest.mark.parametrize("name", ["a smaller amoebanet", "a smaller darts"])
def test_all_pair_cells(name):
    space = SPACES_TOO[name]
    found = [space.genome_of(s) for s in sequences(space)]
    cells = set()
    for nodes in itertools.product(*(pairs(space, k) for k in range(2))):
        cells.add(PairCell(nodes, (2, 3) if space.distinct else space._output(nodes)))
    assert len(found) == len(set(found)) == len(cells) ** 2
    assert {(g.normal, g.reduction) for g in found} == set(itertools.product(cells, repeat=2))


def count(space):
    """Returns how many sequences there are where choices' number depends on the place only."""
    done = drawn(space.choices, stream("count"))
    return math.prod(len(space.choices(done[:place])) for place in range(len(done)))


@pytest.mark.parametrize("name, ops", [("nasnet", 13), ("amoebanet", 8), ("amoebanet_code", 15)])
def test_number_of_pair_cells(name, ops):
    of_node = [(states * ops) ** 2 for states in range(2, 7)]
    assert count(get_space(name)) == math.prod(of_node) ** 2
    if name == "amoebanet":  # PNAS's search space: "~10^14" ordered cells, 256 of one node
        assert of_node == [256, 576, 1024, 1600, 2304]
        assert math.prod(of_node) == 556_627_761_561_600


def test_number_of_darts_cells():
    # Each of the 8 nodes has an order here; without it there are the published 10^18.
    assert count(get_space("darts")) == 2**8 * (1 * 3 * 6 * 10 * 7**8) ** 2
    assert (1 * 3 * 6 * 10 * 7**8) ** 2 == pytest.approx(1e18, rel=0.1)


class Graphs(NasBench101):
    """Smaller graphs."""


def graphs(vertices, edges=9):
    space = Graphs("nas_bench_101", "", SPACES["nas_bench_101"].ops)
    object.__setattr__(space, "max_vertices", vertices)
    object.__setattr__(space, "max_edges", edges)
    return space


@pytest.mark.parametrize("vertices, edges", [(2, 9), (3, 9), (3, 2), (4, 9), (4, 3), (5, 4)])
def test_all_small_graphs(vertices, edges):
    """None that can be completed is left out, and none that cannot be is begun."""
    space = graphs(vertices, edges)
    found = [space.genome_of(s) for s in sequences(space)]
    pairs = list(itertools.combinations(range(vertices), 2))
    valid = set()
    for ops in itertools.product(space.ops, repeat=vertices - 2):
        for chosen in itertools.product((False, True), repeat=len(pairs)):
            taken = list(itertools.compress(pairs, chosen))
            reads = [tuple(s for s, t in taken if t == v) for v in range(1, vertices)]
            cell = GraphCell(tuple(zip(ops, reads, strict=False)), reads[-1])
            if cell.pruned is not None and cell.pruned.num_edges <= edges:
                valid.add(cell)
    assert {genome.normal for genome in found} == valid and len(found) == len(valid)


@pytest.mark.parametrize("vertices, unique", [(2, 1), (3, 7), (4, 91), (5, 2532)])
def test_number_of_different_small_graphs(vertices, unique):
    """NAS-Bench-101 has 1, 6, 84 and 2,441 cells of 2 to 5 vertices."""
    space = graphs(vertices)
    keys, seen = set(), set()
    for decisions in sequences(space):
        genome = space.genome_of(decisions)
        pruned = genome.normal.pruned
        if pruned not in seen:
            seen.add(pruned)
            keys.add(canonical_key(genome))
    assert len(keys) == unique


def edges_between(chosen, size=7):
    """Returns the number of edges on paths, by paths; made without the code under test."""
    paths = [
        list(itertools.pairwise((0, *inner, size - 1)))
        for k in range(size - 1)
        for inner in itertools.combinations(range(1, size - 1), k)
    ]
    return len({edge for path in paths if set(path) <= chosen for edge in path})


def test_what_cannot_be_chosen_makes_no_valid_graph():
    """Where "no" or "yes" is missing, none of many ways to go on is valid."""
    space, rng, missing = get_space("nas_bench_101"), stream("graphs"), 0
    order = [(s, t) for t in range(1, 7) for s in range(t)]
    for _ in range(900):
        done = decided(space.choices, lambda _, names: names[-1 if below(rng, 3) else 0])
        place = len(done) - 1 - below(rng, 12)
        names = space.choices(done[:place])
        if len(names) != 1:
            continue
        missing += 1
        at = [name for name in done[:place] if name in ("no", "yes")]
        chosen = {edge for edge, name in zip(order, at, strict=False) if name == "yes"}
        chosen |= {order[len(at)]} if names == ("no",) else set()
        rest = order[len(at) + 1 :]
        for _ in range(60):
            more = {edge for edge in rest if below(rng, 4) == 0}
            assert not 0 < edges_between(chosen | more) <= 9
    assert missing > 20


# --- what is particular to a space ----------------------------------------------------------------


def test_order_of_decisions():
    text = (
        "amoebanet: normal sep3(cur)+id(prev) max3(n1)+avg3(cur) id(n2)+dil3(n1) sep5(n3)+id(prev) "
        "id(n4)+id(n4)"
    )
    made = get_space("amoebanet").decisions_of(parse_genome(text))
    assert made[:8] == ("cur", "prev", "sep3", "id", "n1", "cur", "max3", "avg3")
    assert len(made) == 40 and made[:20] == made[20:]
    made = get_space("nas_bench_101").decisions_of(
        parse_genome("nas_bench_101: maxpool3x3(in) conv3x3-bn-relu(n1) out(in,n2)")
    )
    none = ("conv3x3-bn-relu", *["no"] * 3)
    assert made == (
        "maxpool3x3", "yes", "conv3x3-bn-relu", "no", "yes",
        *none, *none, "no", *none, "no", "no", "yes", "no", "yes", "no", "no", "no",
    )  # fmt: skip
    made = get_space("nas_bench_201").decisions_of(
        parse_genome("|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|avg_pool_3x3~2|")
    )
    assert made == ("nor_conv_3x3", "none", "skip_connect", "none", "none", "avg_pool_3x3")


def test_published_cells_have_decisions_unless_they_choose_their_output():
    refused = []
    for name, cell in PUBLISHED.items():
        space = get_space(cell.genome.space)
        try:
            decisions = space.decisions_of(cell.genome)
        except ZeroError as error:
            assert "was written down; decisions give out(" in str(error)
            refused.append(name)
            continue
        assert canonical_key(space.genome_of(decisions)) == canonical_key(cell.genome)
    # Their outputs leave unread states out or have read ones besides.
    assert refused == [
        "nasnet_a", "amoebanet_a", "amoebanet_b", "amoebanet_c", "amoebanet_d", "pnasnet_5",
    ]  # fmt: skip


def test_a_smaller_graph_is_the_same_cell_with_unread_vertices():
    space = get_space("nas_bench_101")
    small = parse_genome("nas_bench_101: conv3x3-bn-relu(in) out(n1,in)")
    whole = space.genome_of(space.decisions_of(small))
    assert len(whole.normal.vertices) == 5 and canonical_key(whole) == canonical_key(small)


def test_genomes_beyond_the_limits_are_refused_and_drawn_again():
    space, rng = limited(), stream("limits")
    dear = ("nor_conv_3x3",) * 6
    with pytest.raises(ZeroError, match="costs more than the limits allow"):
        space.genome_of(dear)
    assert space.decisions_of(space.space.genome_of(dear)) == dear
    for _ in range(20):
        assert space.allows(genome_drawn(space, lambda: drawn(space.choices, rng)))
    assert genome_drawn(space, lambda: dear) is None


def test_a_table_leads_to_its_rows_only(rows):
    found = [rows.genome_of(s) for s in sequences(rows)]
    assert sorted(found) == list(range(rows.size)) and rows.size == 21


def test_shares_of_worse_results():
    shares = shares_worse([0.5, -math.inf, math.nan, 0.9, 0.5])
    assert shares.tolist() == pytest.approx([0.6, 0.2, 0.2, 0.9, 0.6])
    assert shares_worse([3.0]).tolist() == [0.5]
    assert shares_worse([1, math.inf]).tolist() == [0.25, 0.75]

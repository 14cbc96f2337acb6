"""Search spaces: what is drawn is in the space, mutations reach what they may and nothing else."""

from collections import Counter
from dataclasses import replace
from itertools import combinations

import pytest
from cells_helpers import OWN, PAIR_SPACES, SPACE_NAMES, genomes, stream

from zero.cells.forms.edge import EDGES
from zero.cells.forms.pair import PairCell, unread_states
from zero.cells.genome import canonical_key
from zero.cells.published import PUBLISHED, get_published
from zero.cells.spaces import SPACES, get_space, make_genome, space_with_ops
from zero.cells.text import parse_genome
from zero.errors import NetworkError
from zero.rng.splitmix import below


def reads_of(genome):
    """Returns {(cell, node, side): (op, state)} of a pair genome."""
    return {
        (kind, n, side): read
        for kind in ("normal", "reduction")
        for n, node in enumerate(getattr(genome, kind).nodes)
        for side, read in enumerate(node)
    }


def edges_of(genome):
    parts = [*(reads for _, reads in genome.normal.vertices), genome.normal.output]
    return {(r, v) for v, reads in enumerate(parts, 1) for r in reads}


# --- random genomes -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SPACE_NAMES)
def test_random_genomes_are_in_the_space_and_the_same_for_a_seed(name):
    space = get_space(name)
    drawn = [space.random(stream("same")) for _ in range(2)]
    assert drawn[0] == drawn[1]
    assert len(set(genomes(name, 40))) > 20
    for genome in genomes(name, 40):
        space.check(genome)
        assert genome.space == name


@pytest.mark.parametrize("name", PAIR_SPACES)
def test_random_pair_cells_are_even_over_ordered_choices(name):
    """Every op and every state that a node may read comes up about equally often."""
    space, rng = get_space(name), stream("even")
    ops, states = Counter(), Counter()
    for _ in range(400):
        genome = space.random(rng)
        for (_, node, _), (op, state) in reads_of(genome).items():
            ops[op] += 1
            states[node, state] += 1
    total = sum(ops.values())
    assert set(ops) == set(space.ops)
    assert all(abs(n - total / len(ops)) < 5 * (total / len(ops)) ** 0.5 for n in ops.values())
    assert set(states) == {(node, s) for node in range(space.nodes) for s in range(node + 2)}
    for (node, _), times in states.items():
        mean = 400 * 4 / (node + 2)
        assert abs(times - mean) < 5 * mean**0.5


def test_outputs_of_random_pair_cells():
    """All unread states, prev and cur among them; in DARTS's space all nodes."""
    for genome in genomes("amoebanet", 40):
        for cell in (genome.normal, genome.reduction):
            assert cell.concat == unread_states(cell.nodes)
    assert any(0 in genome.normal.concat for genome in genomes("amoebanet", 40))
    for genome in genomes("darts", 40):
        for cell in (genome.normal, genome.reduction):
            assert cell.concat == (2, 3, 4, 5)
            assert all(first[1] != second[1] for first, second in cell.nodes)


def test_random_nas_bench_cells():
    for genome in genomes("nas_bench_101", 40):
        assert len(genome.normal.vertices) == 5
        assert genome.normal.pruned.num_edges <= 9
    found = Counter(op for g in genomes("nas_bench_201", 400) for op in g.normal.ops)
    assert set(found) == set(SPACES["nas_bench_201"].ops)
    assert max(found.values()) < 1.3 * min(found.values())


# --- mutations ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PAIR_SPACES)
def test_mutations_of_pair_cells_reach_all_that_is_allowed_and_nothing_else(name):
    space, rng = get_space(name), stream("mutate")
    start = space.random(rng)
    before, near = reads_of(start), set(space.neighbours(start))
    seen, count = Counter(), Counter()
    for _ in range(6000):
        mutant, mutation = space.mutate(start, rng)
        space.check(mutant)
        count[mutation] += 1
        after = reads_of(mutant)
        changed = [place for place in before if before[place] != after[place]]
        if mutation == "identity":
            assert mutant is start
            continue
        assert len(changed) <= 1
        if mutation == "hidden_state":  # always another state, made before the node; op kept
            (place,) = changed
            assert before[place][0] == after[place][0]
            assert after[place][1] < place[1] + 2
        elif changed:  # op: perhaps the same again
            assert before[changed[0]][1] == after[changed[0]][1]
        if mutant != start:
            assert mutant in near
            seen[mutant] += 1
        for cell in (mutant.normal, mutant.reduction):
            all_nodes = tuple(range(2, len(cell.nodes) + 2))
            assert cell.concat == (all_nodes if "darts" in name else unread_states(cell.nodes))
    assert set(count) == set(space.mutations)
    assert set(seen) == near
    assert 200 < count["identity"] < 400  # 0.05 of 6000
    assert abs(count["op"] - count["hidden_state"]) < 400  # half of the rest each


def test_number_of_neighbours_of_pair_cells():
    """Per cell, 10 ops have 7 others, and node k's two reads k + 1 other states each."""
    space = get_space("amoebanet")
    for genome in genomes("amoebanet", 6):
        assert len(space.neighbours(genome)) == 2 * (10 * 7 + 2 * (1 + 2 + 3 + 4 + 5))
        assert genome not in space.neighbours(genome)


def test_neighbours_are_mutual():
    for name in ("amoebanet", "darts", "nas_bench_201", "nas_bench_101"):
        space = get_space(name)
        for genome in genomes(name, 4):
            near = space.neighbours(genome)
            assert len(set(near)) == len(near)
            for other in near[:: max(1, len(near) // 10)]:
                assert genome in space.neighbours(other)


def test_mutants_of_a_cell_with_an_output_of_its_own():
    """A published cell keeps its output until a hidden state changes."""
    start, space, rng = get_published("amoebanet_a").genome, get_space("amoebanet"), stream("own")
    kinds = set()
    for _ in range(200):
        mutant, mutation = space.mutate(start, rng)
        kinds.add(mutation)
        for kind in ("normal", "reduction"):
            old, new = getattr(start, kind), getattr(mutant, kind)
            if mutation != "hidden_state" or new == old:
                assert new.concat == old.concat
            else:
                assert new.concat == unread_states(new.nodes)
    assert kinds == set(space.mutations)


def test_a_mutation_draws_the_same_for_a_seed():
    for name in SPACE_NAMES:
        genome = genomes(name, 2)[0]
        space = get_space(name)
        assert space.mutate(genome, stream("a")) == space.mutate(genome, stream("a"))


def test_mutations_of_nas_bench_201_change_one_edge():
    space, rng = get_space("nas_bench_201"), stream("mutate")
    start = space.random(rng)
    seen = set()
    for _ in range(600):
        mutant, mutation = space.mutate(start, rng)
        assert mutation == "op"
        seen.add(mutant)
        pairs = zip(start.normal.ops, mutant.normal.ops, strict=True)
        assert sum(a != b for a, b in pairs) == 1
    assert seen == set(space.neighbours(start))
    assert len(seen) == len(EDGES) * 4


def test_mutations_of_nas_bench_101_flip_an_edge_or_change_an_op():
    space, rng = get_space("nas_bench_101"), stream("mutate")
    for start in genomes("nas_bench_101", 4):
        seen = Counter()
        for _ in range(600):
            mutant, mutation = space.mutate(start, rng)
            space.check(mutant)
            seen[mutant, mutation] += 1
            flipped = edges_of(start) ^ edges_of(mutant)
            ops = zip(start.normal.vertices, mutant.normal.vertices, strict=True)
            changed = sum(a[0] != b[0] for a, b in ops)
            assert (len(flipped), changed) == ((1, 0) if mutation == "edge" else (0, 1))
        assert {mutant for mutant, _ in seen} == set(space.neighbours(start))
        # Every flip that leaves a valid cell, and no other.
        valid = 0
        for edge in combinations(range(7), 2):
            edges = edges_of(start) ^ {edge}
            reads = [tuple(sorted(s for s, t in edges if t == v)) for v in range(1, 7)]
            names = [op for op, _ in start.normal.vertices]
            pairs = zip(names, reads[:-1], strict=True)
            cell = replace(start.normal, vertices=tuple(pairs), output=reads[-1])
            valid += cell.pruned is not None and cell.pruned.num_edges <= 9
        assert len({m for m, kind in seen if kind == "edge"}) == valid


def test_nas_bench_101_grows_from_a_cell_without_vertices():
    space, rng = get_space("nas_bench_101"), stream("grow")
    genome = parse_genome("nas_bench_101: out(in)")
    keys = set()
    for _ in range(300):
        genome, mutation = space.mutate(genome, rng)
        assert mutation in space.mutations
        keys.add(canonical_key(genome))
    assert len(keys) > 30


# --- growth ---------------------------------------------------------------------------------------

GROWS = [name for name in SPACE_NAMES if hasattr(get_space(name), "grown")]
SIZED = [name for name in GROWS if hasattr(get_space(name), "size_of")]  # whole networks
GROWING = [name for name in GROWS if name not in SIZED]


@pytest.mark.parametrize("name", SIZED)
def test_networks_grow_by_one(name):
    space, rng = get_space(name), stream("growth")
    found = space.smallest()
    assert found == space.smallest() and found
    for _ in range(5):
        assert len(set(found)) == len(found)
        at = found[below(rng, len(found))]
        size_of = space.size_of(at)
        found = space.grown(at)
        assert found == space.grown(at) and found
        for large in found[:: max(1, len(found) // 20)]:
            assert space.size_of(large) == size_of + 1
            space.check(large)
            assert parse_genome(str(large)) == large
            assert space.genome_of(space.decisions_of(large)) == large


def size(genome):
    cell = genome.normal
    return len(cell.nodes if isinstance(cell, PairCell) else cell.vertices)


def held(small, large):
    """Returns whether one cell's nodes or vertices are the first ones of another."""
    key = "nodes" if isinstance(small, PairCell) else "vertices"
    return getattr(large, key)[:-1] == getattr(small, key)


@pytest.mark.parametrize("name", GROWING)
def test_genomes_grow_by_one_until_they_are_as_large_as_any(name):
    space, rng = get_space(name), stream("growth")
    found, sizes = space.smallest(), set()
    assert found == space.smallest()
    while found:
        assert len(set(found)) == len(found) and len({size(g) for g in found}) == 1
        for genome in found[:: max(1, len(found) // 50)]:
            space.check(genome)
            assert parse_genome(str(genome)) == genome
            for _ in range(5):
                mutant, _ = space.mutate(genome, rng)
                space.check(mutant)
            for near in space.neighbours(genome)[:20]:
                space.check(near)
        shuffled = found[below(rng, len(found)) :] + found  # graphs of many edges cannot grow
        at = next((genome for genome in shuffled if space.grown(genome)), found[0])
        sizes.add(size(at))
        found = space.grown(at)
        assert found == space.grown(at)
        for large in found:
            assert size(large) == size(at) + 1 and held(at.normal, large.normal)
            assert at.reduction is None or held(at.reduction, large.reduction)
    assert sizes == set(range(min(sizes), size(space.random(rng)) + 1)) and len(sizes) >= 4
    space.decisions_of(at)


@pytest.mark.parametrize("name", PAIR_SPACES)
def test_blocks_of_pair_cells(name):
    """All nodes, but for the order of their ops; both cells get the same."""
    space = get_space(name)
    found = space.smallest()
    if name == "amoebanet":  # PNAS's: 16 pairs of op and input, 136 pairs of them
        assert len(found) == 136 and len(space.grown(found[0])) == 24 * 25 // 2
    ops = len(space.ops)
    assert len(found) == (ops**2 if "darts" in name else 2 * ops * (2 * ops + 1) // 2)
    assert all(genome.normal == genome.reduction for genome in found)
    for genome in space.grown(space.random(stream("half"))) or space.grown(found[-1]):
        assert genome.normal.nodes[-1] == genome.reduction.nodes[-1]
    drawn = space.random(stream("blocks"))
    firsts = {frozenset(g.normal.nodes[0]) for g in found}
    assert all(frozenset(cell.nodes[0]) in firsts for cell in (drawn.normal, drawn.reduction))


def test_a_smaller_pair_cell_has_no_decisions():
    space = get_space("amoebanet")
    with pytest.raises(
        NetworkError, match="cells of 1 node have no decisions; these make cells of 5"
    ):
        space.decisions_of(space.smallest()[0])


def test_every_small_graph_can_be_grown():
    """NAS-Bench-101 has 1, 6 and 84 different cells of 2 to 4 vertices."""
    space = get_space("nas_bench_101")
    level = space.smallest()
    for count in (1, 6, 84):
        different = {canonical_key(genome): genome for genome in level}
        assert len(different) == count
        level = {child: None for genome in dict.fromkeys(level) for child in space.grown(genome)}


# --- spaces of one's own --------------------------------------------------------------------------


def test_space_with_own_ops_is_found_again_by_its_name():
    space = space_with_ops("amoebanet", ["sep3", "max3", "id"])
    assert space.name == OWN
    assert get_space(OWN) == get_space("amoebanet[sep3, max3,id]") == space
    used = {op for g in genomes(OWN, 40) for cell in (g.normal, g.reduction)
            for node in cell.nodes for op, _ in node}  # fmt: skip
    assert used == {"sep3", "max3", "id"}
    with pytest.raises(NetworkError, match=r"unknown op of amoebanet.* 'sep5'"):
        parse_genome(str(genomes("amoebanet[sep5]", 2)[0]).replace("[sep5]", "[sep3]"))


@pytest.mark.parametrize(
    "name, told",
    [
        ("amoeba", "did you mean 'amoebanet'"),
        ("amoebanet[sep3", "must be written amoebanet"),
        ("amoebanet[sep3]]", "must be written amoebanet"),
        ("amoebanet[sep33]", "did you mean 'sep3'"),
        ("amoebanet[sep3,sep3]", "each named once"),
    ],
)
def test_bad_names_of_spaces(name, told):
    with pytest.raises(NetworkError, match=told):
        get_space(name)


def test_one_op_leaves_only_hidden_states_to_change():
    space, rng = get_space("amoebanet[sep3]"), stream("one")
    start = space.random(rng)
    for _ in range(50):
        mutant, mutation = space.mutate(start, rng)
        assert (mutant != start) == (mutation == "hidden_state")
    space = get_space("nas_bench_201[none]")
    start = space.random(rng)
    assert space.mutate(start, rng) == (start, "op") and space.neighbours(start) == []


def test_cell_of_another_space_is_refused():
    cell = PairCell(((("id", 0), ("id", 1)),) * 5, (2, 3, 4, 5, 6))
    make_genome("nasnet", cell, cell)
    with pytest.raises(NetworkError, match="5 nodes; it must be 1 to 4"):
        make_genome("darts", cell, cell)
    with pytest.raises(NetworkError, match="a genome has one cell"):
        make_genome("nas_bench_101", cell)


def test_published_cells_are_in_their_spaces_and_can_be_mutated():
    for cell in PUBLISHED.values():
        space = get_space(cell.genome.space)
        space.check(cell.genome)
        for other in space.neighbours(cell.genome)[:20]:
            space.check(other)

"""The space of stacks: how many there are, how they grow, and what a mutation changes."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from small_cells import small_cells

from zero.cells.limits import LimitedSpace
from zero.cells.spaces import get_space
from zero.cells.spaces.blocks import BlockSpace
from zero.cells.text import parse_genome
from zero.errors import ConfigError, NetworkError
from zero.rng.splitmix import new_state
from zero.search.decisions import drawn

SPACE = get_space("blocks")
SMALL = replace(SPACE, ops=("conv3", "sep3", "avg_pool2", "dense", "dense128"))


SHORT = BlockSpace("blocks", "", (*SMALL.ops, "depth3"))


def sequences(space, done=()):
    names = space.choices(done)
    return [s for name in names for s in sequences(space, (*done, name))] if names else [done]


def test_number_of_stacks():
    """3 blocks of images and 2 dense ones: the sum over lengths of 3^i 2^d, i + d = length."""
    expected = sum(3**i * 2 ** (n - i) for n in (1, 2, 3) for i in range(n + 1))
    found = {SHORT.genome_of(s) for s in sequences(SHORT)}
    assert len(found) == len(sequences(SHORT)) == expected == 89
    for genome in found:
        SHORT.check(genome)


def test_growing_reaches_every_stack_once():
    level, reached = SHORT.smallest(), []
    for size in (1, 2, 3):
        assert all(SHORT.size_of(genome) == size for genome in level)
        reached += level
        level = [child for genome in level for child in SHORT.grown(genome)]
    assert level == []
    assert set(reached) == {SHORT.genome_of(s) for s in sequences(SHORT)}


def test_blocks_are_added_at_the_end_of_their_kind():
    grown = SMALL.grown(parse_genome("blocks: conv3 avg_pool2 dense"))
    assert [str(genome) for genome in grown] == [
        "blocks: conv3 avg_pool2 conv3 dense",
        "blocks: conv3 avg_pool2 sep3 dense",
        "blocks: conv3 avg_pool2 avg_pool2 dense",
        "blocks: conv3 avg_pool2 dense dense",
        "blocks: conv3 avg_pool2 dense dense128",
    ]


def test_neighbours_have_a_block_more_less_or_another():
    every = {SHORT.genome_of(s) for s in sequences(SHORT)}
    for text in ("conv3", "dense", "conv3 sep3", "sep3 sep3 dense"):
        genome = parse_genome(f"blocks: {text}")
        near = SHORT.neighbours(genome)
        assert len(set(near)) == len(near)
        assert set(near) == {other for other in every if _apart(other, genome)}


def _apart(one, other):
    """Returns whether one change of a block lies between two stacks; by trying all of them."""
    a, b = one.normal.blocks, other.normal.blocks
    if len(a) == len(b):
        return sum(map(str.__ne__, a, b)) == 1
    short, long = sorted((a, b), key=len)
    return len(long) == len(short) + 1 and any(
        (*long[:k], *long[k + 1 :]) == short for k in range(len(long))
    )


@pytest.mark.parametrize("space", [SPACE, SHORT])
def test_random_stacks_have_all_sizes_and_blocks(space):
    rng = new_state(1, "stacks")
    made = [space.random(rng) for _ in range(400)]
    assert {space.size_of(g) for g in made} == set(range(1, space.most + 1))
    assert {name for g in made for name in g.normal.blocks} == set(space.blocks)
    assert space.genome_of(drawn(space.choices, rng)).normal.blocks


def test_mutants_are_neighbours():
    rng = new_state(2, "stacks")
    genome, names = SMALL.random(rng), set()
    for _ in range(200):
        child, name = SMALL.mutate(genome, rng)
        names.add(name)
        apart = SMALL.size_of(child) - SMALL.size_of(genome)
        assert apart == {"insert": 1, "replace": 0, "remove": -1}[name]
        assert _apart(child, genome)
        genome = child
    assert names == set(SMALL.mutations)


def test_one_grown_stack_is_drawn_of_those_within_the_limits():
    def cost(genome):
        return genome.normal.blocks.count("sep3")  # at most one of them

    limits = SimpleNamespace(exceeded=lambda count: "blocks" if count > 1 else None)
    limited = LimitedSpace(SMALL, SimpleNamespace(cost=cost), limits)
    genome, rng = parse_genome("blocks: sep3 dense"), new_state(3, "stacks")
    drawn_ones = [limited.one_grown(genome, rng) for _ in range(600)]
    allowed = [child for child in limited.grown(genome) if limited.allows(child)]
    assert set(drawn_ones) == set(allowed) and len(allowed) == 4
    assert all(100 < drawn_ones.count(child) < 200 for child in allowed)
    most = parse_genome("blocks: " + " ".join(["conv3"] * 8))
    assert limited.one_grown(most, rng) is None


def test_how_deep_stacks_may_be():
    deep = get_space("blocks[conv3,dense,depth12]")
    assert (deep.most, deep.blocks) == (12, ("conv3", "dense"))
    genome = parse_genome("blocks[conv3,dense,depth12]: " + " ".join(["conv3"] * 12))
    assert deep.size_of(genome) == 12 and not deep.grown(genome)
    assert get_space("blocks[conv3]").most == SPACE.most == 8
    for name, words in (
        ("blocks[conv3,depth3,depth4]", "has more than one depth"),
        ("blocks[depth3]", "has no block"),
        ("blocks[conv3,depth0]", "unknown block 'depth0'"),
    ):
        with pytest.raises(NetworkError, match=words):
            get_space(name)


def test_a_depth_without_blocks_is_told_by_the_config():
    with pytest.raises(ConfigError, match=r"cells\.ops: blocks\[depth3\] has no block"):
        small_cells(cells={"space": "blocks", "ops": ["depth3"]})

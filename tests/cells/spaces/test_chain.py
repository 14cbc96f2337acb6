"""Whole networks layer by layer: MetaQNN's rules, skip connections, mutations, growth, texts."""

from dataclasses import replace
from functools import lru_cache

import pytest
from cells_helpers import OWN_CHAIN, genomes, stream

from zero.cells.spaces import get_space, space_with_ops
from zero.cells.text import parse_genome
from zero.errors import NetworkError

CONVS = {f"conv{k}x{k}-{f}F" for k in (1, 3, 5) for f in (1, 2, 4, 8)}
POOLS = {"pool5s3", "pool3s2", "pool2s2"}
FULL = {"fc8F", "fc4F", "fc2F"}


def after(text, space="metaqnn"):
    return set(get_space(space).choices(tuple(text.split())))


def sequences(space, done=()):
    names = space.choices(done)
    return [s for name in names for s in sequences(space, (*done, name))] if names else [done]


def chain(text, space="chain"):
    return parse_genome(f"{space}: {text}")


def layers_of(genome):
    return genome.normal.layers


# --- MetaQNN's table of states ----------------------------------------------------------------------


def test_what_can_come_first_and_after_a_convolution_and_a_pooling():
    assert after("") == {"end", "gap"} | CONVS
    assert after("conv5x5-1F") == {"end", "gap"} | CONVS | POOLS
    assert after("conv5x5-1F pool2s2") == {"end", "gap"} | CONVS  # never two poolings in a row


def test_image_sizes_are_in_three_buckets():
    """32 pixels become 28 / 3, 15 or 16; fields are smaller than 8, 4 or 1, and fc comes below 8."""
    small = "conv1x1-1F pool2s2 conv1x1-1F pool2s2 conv1x1-1F "
    assert after(small) == {"end", "gap"} | CONVS | POOLS  # 8 pixels
    at_four = after(f"{small} pool2s2")
    assert at_four == {"end", "gap"} | FULL | {name for name in CONVS if name[4] in "13"}
    assert after(f"{small} pool3s2") == {"end", "gap"} | FULL  # 3 pixels: no convolution
    assert "pool5s3" not in after(f"{small} pool2s2 conv3x3-1F")  # of 4 pixels
    assert "fc2F" in after("conv1x1-1F pool5s3 conv1x1-1F pool2s2")  # ceil(28 / 3) = 10, then 5
    assert "fc2F" not in after("conv1x1-1F pool2s2 conv1x1-1F pool2s2")


def test_fully_connected_layers_are_two_at_most_and_no_wider():
    start = "conv1x1-1F pool5s3 conv1x1-1F pool5s3 "  # 2 pixels
    assert after(f"{start} fc4F") == {"end", "fc4F", "fc2F"}
    assert after(f"{start} fc8F") == {"end"} | FULL
    assert after(f"{start} fc8F fc8F") == {"end"}


def test_nothing_follows_the_end_global_pooling_or_the_last_layer():
    assert after("conv1x1-1F gap") == {"end"}
    assert after("end") == set()
    assert after(" ".join(["conv1x1-1F"] * 17)) > {"end"}
    assert after(" ".join(["conv1x1-1F"] * 18)) == {"end"}


# --- sizes, exactly ---------------------------------------------------------------------------------


@lru_cache
def number(left, size, kind, in_row, width, open_, skips):
    """Returns how many networks go on from a place; counted without the code under test.

    left: layers that there may still be. open_: outputs of the same image size as the last.
    """
    total = 1  # the end
    if not left or kind == "gap":
        return total
    bucket = 8 if size > 7 else 4 if size > 3 else 1
    if kind == "fc":
        return total + sum(
            number(left - 1, size, "fc", in_row + 1, w, 0, skips)
            for w in (2, 4)
            if in_row < 2 and w <= width
        )
    for field in (1, 3, 3):  # two widths of 3x3
        if field < bucket:
            rows = 2 ** max(open_ - 1, 0) if skips else 1
            total += rows * number(left - 1, size, "conv", 0, 0, open_ + 1, skips)
    if kind == "conv":
        for window, stride in ((2, 2), (3, 2)):
            if window <= size:
                new = -(-(size - window + 1) // stride)
                total += number(left - 1, new, "pool", 0, 0, 1, skips)
    total += number(left - 1, 1, "gap", 0, 0, 0, skips)
    if bucket <= 4:
        total += sum(number(left - 1, size, "fc", 1, w, 0, skips) for w in (2, 4))
    return total


SMALL = ["conv1x1-1F", "conv3x3-1F", "conv3x3-2F", "pool2s2", "pool3s2", "gap", "fc2F", "fc4F"]


@pytest.mark.parametrize("skips", [True, False])
@pytest.mark.parametrize("depth, size", [(1, 7), (2, 8), (3, 8), (4, 8), (4, 12), (4, 3)])
def test_number_of_networks(depth, size, skips):
    ops = [*SMALL, f"depth{depth}", f"size{size}", *(["skips"] if skips else [])]
    space = space_with_ops("chain", ops)
    found = [space.genome_of(s) for s in sequences(space)]
    assert len(found) == len(set(found)) == number(depth, size, "start", 0, 0, 0, skips)


# --- skip connections ---------------------------------------------------------------------------------


def test_skips_are_decided_among_outputs_of_the_same_image_size():
    space = get_space("chain")
    genome = chain("conv3x3-1F conv3x3-1F conv3x3-1F(1) pool2s2 conv3x3-2F conv1x1-2F(4)")
    assert space.decisions_of(genome) == (
        "conv3x3-1F", "conv3x3-1F", "conv3x3-1F", "yes", "pool2s2", "conv3x3-2F", "conv1x1-2F",
        "yes", "end",
    )  # fmt: skip
    assert space.choices(("conv3x3-1F", "conv3x3-1F", "conv1x1-1F")) == ("no", "yes")
    assert "no" not in space.choices(("conv3x3-1F", "conv3x3-1F", "pool2s2", "conv1x1-1F"))


@pytest.mark.parametrize(
    "text, told",
    [
        ("conv3x3-1F(0)", "layer 1: conv3x3-1F cannot read layer 0 besides the last; .*: none"),
        ("conv3x3-1F conv3x3-1F conv3x3-1F(2)", "cannot read layer 2 besides the last; .*: 1$"),
        ("conv3x3-1F conv3x3-1F pool2s2 conv3x3-1F conv3x3-1F(1)", "layer 5: .* layer 1 .*: 3$"),
        ("conv3x3-1F conv3x3-1F pool2s2(1)", "layer 3: pool2s2 cannot read layer 1"),
        ("conv3x4-1F", "unknown layer 'conv3x4-1F'; layers look like conv3x3-2F"),
        ("conv3x3-0F", "unknown layer"),
        ("conv7x7-1F", "layer 1: conv7x7-1F cannot stand here; possible: end, conv1x1-1F"),
        ("gap conv3x3-1F", "layer 2: conv3x3-1F cannot follow gap"),
        ("fc4F", "layer 1: fc4F cannot stand here"),
        ("conv3x3-1F(a)", "is no layer, such as"),
        ("conv3x3-1F(1,2", "is no layer, such as"),
        ("", "there are no layers; write 'end'"),
        ("end conv3x3-1F", "unknown layer 'end'"),
        (" ".join(["conv1x1-1F"] * 19), "layer 19: conv1x1-1F cannot stand here; possible: end$"),
    ],
)
def test_texts_that_are_no_networks(text, told):
    with pytest.raises(NetworkError, match=told) as raised:
        chain(text)
    assert "\n" not in str(raised.value)


def test_skips_need_a_space_that_has_them():
    with pytest.raises(NetworkError, match="metaqnn: layer 3: the space has no skip connections"):
        chain("conv1x1-1F conv1x1-1F conv1x1-1F(1)", "metaqnn")
    space = get_space("metaqnn")
    assert all("no" not in space.decisions_of(genome) for genome in genomes("metaqnn", 40))


def test_texts_are_read_with_any_white_space():
    wanted = chain("conv3x3-1F conv3x3-1F conv3x3-1F conv1x1-2F(1,2)")
    assert (
        chain("conv3x3-1F  conv3x3-1F\n # what comes\n conv3x3-1F conv1x1-2F ( 2 ,1 ) end")
        == wanted
    )
    assert str(chain("end")) == "chain: end" and layers_of(chain("end")) == ()


@pytest.mark.parametrize(
    "ops, told",
    [
        (["conv3x3-1F", "depth3", "depth4"], "more than one depth"),
        (["conv3x3-1F", "deep3"], "unknown layer 'deep3'.* depth12 and size32"),
        (["sep3"], "unknown layer 'sep3'"),
        (["depth0", "gap"], "unknown layer 'depth0'"),
    ],
)
def test_spaces_of_ones_own_that_make_no_sense(ops, told):
    with pytest.raises(NetworkError, match=told):
        space_with_ops("chain", ops)


# --- mutations and growth ---------------------------------------------------------------------------


def test_numbers_of_layers_move_with_what_is_put_in_or_taken_out():
    space = get_space("chain")
    start = chain("conv1x1-1F conv1x1-2F conv1x1-4F(1) conv1x1-8F(1,2)")
    near = {str(g) for g in space.neighbours(start)}
    for text in (
        "conv3x3-1F conv1x1-1F conv1x1-2F conv1x1-4F(2) conv1x1-8F(2,3)",  # in front
        "conv1x1-1F conv1x1-2F conv3x3-1F conv1x1-4F(1) conv1x1-8F(1,2)",  # in the middle
        "conv1x1-2F conv1x1-4F conv1x1-8F(1)",  # without the first, which two read
        "conv1x1-1F conv1x1-4F conv1x1-8F(1)",  # without the second
        "conv1x1-1F conv1x1-2F pool2s2 conv1x1-8F",  # which nothing before is read over
        "conv1x1-1F conv1x1-2F conv1x1-4F conv1x1-8F(1,2)",  # without a skip
    ):
        assert f"chain: {text}" in near
    assert str(start) not in near


@pytest.mark.parametrize("name", [OWN_CHAIN, OWN_CHAIN.replace("skips,", "")])
def test_mutations_reach_the_neighbours_and_nothing_else(name):
    space, rng = get_space(name), stream("mutate")
    start = next(g for g in genomes(name, 60) if len(layers_of(g)) == 3)
    near, seen = set(space.neighbours(start)), set()
    for _ in range(1500):
        mutant, mutation = space.mutate(start, rng)
        space.check(mutant)
        seen.add(mutant)
        grown = len(layers_of(mutant)) - 3
        assert grown == {"insert": 1, "delete": -1}.get(mutation, 0)
        if mutation == "skip":
            assert mutant.normal.names == start.normal.names
    assert seen == near and len(near) == len(space.neighbours(start))


def test_where_no_mutation_is_possible_the_network_stays():
    space = get_space("chain[fc2F,depth1,size32]")
    start = parse_genome(f"{space.name}: end")
    assert space.mutate(start, stream("none"))[0] == start and space.neighbours(start) == []


@pytest.mark.parametrize("depth, size", [(3, 8), (4, 8)])
def test_growth_reaches_every_network_step_by_step(depth, size):
    ops = ["conv1x1-1F", "conv3x3-1F", "pool2s2", "gap", "fc2F", f"depth{depth}", f"size{size}"]
    space = space_with_ops("chain", [*ops, "skips"])
    level, seen, count = space.smallest(), set(), 0
    while level:
        assert {sum(1 + len(s) for _, s in layers_of(g)) for g in level} == {count}
        seen |= set(level)
        following = {new: None for genome in level for new in space.grown(genome)}
        level, count = list(following), count + 1
    assert seen == {space.genome_of(s) for s in sequences(space)}


def test_growth_keeps_what_there_is():
    start = chain("conv1x1-1F conv1x1-2F conv1x1-4F(1)")
    grown = get_space("chain").grown(start)
    assert len(set(grown)) == len(grown) > 30
    for genome in grown:
        names = genome.normal.names
        without = [(*names[:place], *names[place + 1 :]) for place in range(len(names))]
        assert start.normal.names in (without if len(names) == 4 else [names])
        assert sum(len(skips) for _, skips in layers_of(genome)) == (1 if len(names) == 4 else 2)


def test_a_genome_of_another_form_is_refused():
    cell = parse_genome("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|")
    with pytest.raises(NetworkError, match="a genome has one network"):
        get_space("chain").check(replace(cell, space="chain"))

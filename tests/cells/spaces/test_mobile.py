"""The space of MnasNet: what a stage can be, what is near a network, what counts as the same."""

import math
from collections import Counter

import pytest
from cells_helpers import genomes, stream

from zero.cells.forms.mobile import FIELDS, MOBILENET
from zero.cells.genome import canonical_key
from zero.cells.networks.build import build_network
from zero.cells.networks.skeletons import Skeleton
from zero.cells.published import get_published
from zero.cells.spaces import get_space
from zero.cells.text import parse_genome
from zero.errors import NetworkError
from zero.search.decisions import drawn

SPACE = get_space("mnasnet")
PLAIN = "sep-k3-w1-n1 mb6-k3-w1-n2-id mb6-k3-w1-n3-id mb6-k3-w1-n4 mb6-k3-w1-n3 mb6-k3-w1-n3 mb3-k5-w1-n1"


def with_stage(number, word):
    """Returns a plain network with another stage."""
    words = PLAIN.split()
    words[number - 1] = word
    return parse_genome(f"mnasnet: {' '.join(words)}")


def differing(one, other):
    """Returns the (stage, field) pairs in which two networks differ."""
    return [
        (number, field)
        for number, (a, b) in enumerate(zip(one.normal.stages, other.normal.stages, strict=True))
        for field in FIELDS
        if getattr(a, field) != getattr(b, field)
    ]


def test_a_stage_has_432_forms_as_in_the_paper():
    """But for the two stages of a single block, which cannot have fewer."""
    done = drawn(SPACE.choices, stream("count"))
    counts = [len(SPACE.choices(done[:place])) for place in range(len(done))]
    sizes = [math.prod(counts[k : k + 6]) for k in range(0, 42, 6)]
    assert sizes == [288, 432, 432, 432, 432, 432, 288]


def test_order_of_decisions():
    genome = with_stage(3, "conv-k5-w1.25-n2-se-pool")
    assert SPACE.decisions_of(genome)[12:24] == (
        "conv", "k5", "w1.25", "n2", "se", "pool", "mb6", "k3", "w1", "n4", "plain", "none",
    )  # fmt: skip


def test_random_networks_draw_each_choice_evenly():
    seen = Counter()
    for genome in (SPACE.random(stream(f"even {k}")) for k in range(300)):
        stage = genome.normal.stages[k := 2]
        assert stage.blocks in range(MOBILENET[k][1] - 1, MOBILENET[k][1] + 2)
        seen.update((field, getattr(stage, field)) for field in FIELDS)
    for field in FIELDS:
        counts = [n for (name, _), n in seen.items() if name == field]
        assert len(counts) == {"op": 4, "kernel": 2, "squeeze": 2}.get(field, 3)
        assert all(abs(n - 300 / len(counts)) < 50 for n in counts)


def test_mutations_change_one_thing_and_reach_all_neighbours():
    rng = stream("mutate")
    start = SPACE.random(rng)
    near, seen = SPACE.neighbours(start), set()
    # op, kernel, width, blocks, squeeze-excite, skip
    assert len(set(near)) == len(near) == 7 * (3 + 1 + 2 + 2 + 1 + 2) - 2
    for _ in range(2500):
        mutant, mutation = SPACE.mutate(start, rng)
        ((_, field),) = differing(start, mutant)
        assert field == mutation
        seen.add(mutant)
    assert seen == set(near)
    assert all(start in SPACE.neighbours(other) for other in near[::9])


def test_what_is_written_down_with_a_width_of_its_own_can_be_mutated():
    genome = get_published("mnasnet_b1").genome  # 192 channels are 1.2 times MobileNetV2's
    near = SPACE.neighbours(genome)
    widths = {g.normal.stages[5].width for g in near if differing(genome, g)[0] == (5, "width")}
    assert widths == {0.75, 1, 1.25}
    for other in near:
        SPACE.check(other)


def test_published_channels():
    channels = {
        "mobilenet_v2": (16, 24, 32, 64, 96, 160, 320),
        "mnasnet_b1": (16, 24, 40, 80, 96, 192, 320),
        "mnasnet_a1": (16, 24, 40, 80, 112, 160, 320),
    }
    for name, wanted in channels.items():
        assert get_published(name).genome.normal.channels == wanted


def test_networks_of_one_key_are_the_same():
    """What a single block would add counts nothing where it cannot be added."""
    same = [with_stage(1, f"sep-k3-{rest}") for rest in ("w1-n1", "w1-n1-id", "w1-n1-pool")]
    same.append(with_stage(1, "sep-k3-w0.95-n1"))  # 15.2 channels are 16 too
    assert len({canonical_key(genome) for genome in same}) == 1
    networks = [build_network(g, Skeleton("mnasnet", filters=8)) for g in same]
    assert all(network == networks[0] for network in networks)
    others = [with_stage(1, "sep-k3-w1-n2"), with_stage(1, "sep-k3-w1-n2-id")]
    others += [with_stage(2, "mb6-k3-w1-n1"), with_stage(2, "mb6-k3-w1-n2")]
    assert len({canonical_key(genome) for genome in [*same, *others]}) == 5


def test_keys_tell_networks_apart():
    found = {}
    for genome in genomes("mnasnet", 40):
        network = build_network(genome, Skeleton("mnasnet", filters=4), (8, 8, 1))
        key = canonical_key(genome)
        assert found.setdefault(key, network) == network
    layers = {str(network.layers) for network in found.values()}
    assert len(layers) == len(found) > 20


def test_a_space_of_some_choices():
    space = get_space("mnasnet[mb3,mb6,k3,w1,n0,n+1,plain,none,id]")
    for _ in range(10):
        genome = space.random(stream("some"))
        assert {stage.op for stage in genome.normal.stages} <= {"mb3", "mb6"}
        assert not any(stage.squeeze for stage in genome.normal.stages)
    for name, told in (
        ("mnasnet[mb3,mb6]", "no choice of kernel"),
        ("mnasnet[mb3,k4]", "unknown choice 'k4'"),
        ("mnasnet[mb3,w0]", "unknown choice 'w0'"),
    ):
        with pytest.raises(NetworkError, match=told):
            get_space(name)
    with pytest.raises(NetworkError, match="stage 1: op is sep; it must be one of mb3, mb6"):
        parse_genome(f"{space.name}: {PLAIN}")


@pytest.mark.parametrize(
    "text, told",
    [
        ("mb6-k3-w1-n1", "the network has 1 stages; it must be 7"),
        (PLAIN.replace("sep-k3", "sep-k4"), "'sep-k4-w1-n1' is no stage; stages look like"),
        (PLAIN.replace("w1-n4", "w0.0-n4"), "is no stage"),
        (PLAIN.replace("-id", "-or"), "is no stage"),
        (PLAIN.replace("sep", "mb9"), "stage 1: op is mb9; it must be one of conv, sep, mb3, mb6"),
        ("", "the network has 0 stages"),
    ],
)
def test_bad_texts(text, told):
    with pytest.raises(NetworkError, match=told) as raised:
        parse_genome(f"mnasnet: {text}")
    assert "\n" not in str(raised.value)

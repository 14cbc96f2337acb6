"""Progressive search: levels of larger and larger genomes, ranked before they are evaluated."""

import itertools

import numpy as np
import pytest
from bits import BitSpace

from zero import search
from zero.cells.spaces import get_space
from zero.cells.text import parse_genome
from zero.rng.splitmix import new_state
from zero.search.protocol import MIGRATION, Proposal, SearchSettings
from zero.search.section import settings_model

OPS = {"sep3": 3, "sep5": 2, "id": 1, "max3": 0}


class Cells:
    """Cells of a few ops as a `GrowingSpace`."""

    def __init__(self, name=f"amoebanet[{','.join(OPS)}]"):
        space = get_space(name)
        self.random, self.smallest, self.grown = space.random, space.smallest, space.grown
        self.mutations, self.text, self.parse = space.mutations, str, parse_genome


def size(genome):
    return len(genome.normal.nodes)


def worth(genome):
    """Ops count each for itself, more so where they read cur; every node is worth a little."""
    reads = [read for node in genome.normal.nodes for read in node]
    return sum(OPS[op] * (1 + (state == 1)) / 10 + 0.1 for op, state in reads)


def searcher(space=None, seed=0, **settings):
    made = settings_model(SearchSettings, "progressive")(**settings)
    return search.get("progressive").make(space or Cells(), made, new_state(seed, "progressive"))


def go_on(made, fitness, count, first=1):
    proposals = []
    for number in range(first, first + count):
        proposals.append(made.ask())
        made.tell(proposals[-1], number, fitness(proposals[-1].genome))
    return proposals


def test_levels_grow_from_the_best_of_the_level_before():
    proposals = go_on(searcher(beam=6), worth, 36 + 4 * 6)
    levels = [proposals[:36], *(proposals[k : k + 6] for k in range(36, 60, 6))]
    assert [{size(p.genome) for p in level} for level in levels] == [{1}, {2}, {3}, {4}, {5}]
    assert {p.mutation for p in levels[0]} == {"smallest"} and levels[0][0].parent == -1
    first = {number: worth(p.genome) for number, p in enumerate(levels[0], 1)}
    best = sorted(first.values())[-6]
    for before, level in itertools.pairwise(levels):
        for child in level:
            assert child.mutation == "grown" and child.steps == 1
            parent = proposals[child.parent - 1]
            assert parent in before
            assert parent.genome.normal.nodes == child.genome.normal.nodes[:-1]
    assert all(first[child.parent] >= best for child in levels[1])


def test_it_beats_random_search_with_what_it_has_learnt():
    """Of 10^13 genomes; random ones are of the largest size, as those that are found."""
    found, drawn = [], []
    for seed in range(3):
        proposals = go_on(searcher(seed=seed, beam=8), worth, 36 + 4 * 8)
        found.append(max(worth(p.genome) for p in proposals))
        rng = new_state(seed, "random")
        drawn.append(max(worth(Cells().random(rng)) for _ in range(36 + 4 * 8)))
    assert np.mean(found) > np.mean(drawn) + 0.5


def test_nothing_is_proposed_twice_and_what_was_left_out_comes_last():
    space = Cells("darts[sep3,id]")
    proposals = go_on(
        searcher(space, beam=3), lambda g: sum(op == "id" for op, _ in g.normal.nodes[-1]), 200
    )
    assert len({p.genome for p in proposals}) == 200
    assert [size(p.genome) for p in proposals[:13]] == [1] * 4 + [2] * 3 + [3] * 3 + [4] * 3
    later = [size(p.genome) for p in proposals[13:]]
    assert later[0] == 4 and {2, 3} & set(later)
    proposals = go_on(searcher(BitSpace(3)), sum, 12)
    assert len({p.genome for p in proposals[:7]}) == 7
    assert {p.mutation for p in proposals[8:]} == {"random"}


def test_a_level_in_its_middle_is_part_of_the_state():
    space = Cells("darts[sep3,id]")
    whole = go_on(searcher(space, beam=3), worth, 24)
    for cut in (2, 4, 6, 7, 19):
        first, second = searcher(space, beam=3), searcher(space, beam=3, seed=4)
        go_on(first, worth, cut)
        second.restore(first.state())
        assert go_on(second, worth, 24 - cut, 1 + cut) == whole[cut:]


def test_the_smallest_are_drawn_where_there_are_more_than_are_wanted():
    firsts = [
        [p.genome for p in go_on(searcher(seed=s, smallest=10), worth, 10)] for s in (0, 0, 1)
    ]
    assert firsts[0] == firsts[1] != firsts[2]
    assert all(size(g) == 1 for g in firsts[0]) and len(set(firsts[0])) == 10
    assert size(go_on(searcher(smallest=10), worth, 11)[-1].genome) == 2


def test_how_well_levels_were_ranked_is_in_the_state():
    made = searcher(beam=6)
    go_on(made, worth, 36 + 3 * 6 + 1)
    levels = made.state()["spearman"]
    assert [(level, count) for level, count, _ in levels] == [(2, 6), (3, 6), (4, 6)]
    assert all(-1 <= correlation <= 1 for _, _, correlation in levels)
    assert np.mean([correlation for _, _, correlation in levels]) > 0.3


def test_children_of_too_few_results_are_drawn_and_named():
    space = Cells("nas_bench_101")
    proposals = go_on(searcher(space, beam=4), lambda g: len(str(g)), 12)
    names = [p.mutation for p in proposals]
    assert names[:5] == ["smallest"] + ["grown_unranked"] * 4 and names[5:9] == ["grown"] * 4
    assert len({p.genome for p in proposals}) == 12


def test_failures_are_not_grown():
    made = searcher(beam=4)
    proposals = go_on(made, lambda g: worth(g) if "sep3" in str(g.normal) else np.nan, 60)
    assert all("sep3" in str(p.genome.normal) for p in proposals[36:])
    made = searcher(beam=4)
    proposals = go_on(made, lambda g: -np.inf, 45)
    assert {p.mutation for p in proposals[36:]} == {"random"}


def test_children_that_are_not_allowed_are_passed_over():
    space, asked = Cells(), []

    def allows(genome):
        asked.append(genome)
        return "sep5" not in str(genome.normal)

    space.allows = allows
    proposals = go_on(searcher(space, beam=4), worth, 44)
    assert all("sep5" not in str(p.genome.normal) for p in proposals[36:])
    assert {size(p.genome) for p in proposals[36:]} == {2, 3} and len(asked) < 300


def test_an_individual_from_elsewhere_is_grown_with_the_level():
    made = searcher(BitSpace(), beam=2)
    go_on(made, sum, 8)
    made.tell(Proposal((0, 1, 1, 1, 0, 0, 0, 0), mutation=MIGRATION), 99, 9.0)
    assert 99 in [p.parent for p in go_on(made, sum, 2, 9)]


@pytest.mark.parametrize("space", ["nas_bench_101", "darts[sep3,id]", "amoebanet[sep3]"])
def test_spaces_are_searched_to_the_end(space):
    for proposal in go_on(searcher(Cells(space), beam=3), lambda g: len(str(g)) % 7, 60):
        get_space(space).check(proposal.genome)
